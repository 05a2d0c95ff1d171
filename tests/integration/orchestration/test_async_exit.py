"""A process that ends while an order is under way: the order is not cut off."""

from __future__ import annotations

import subprocess
import sys
import textwrap

PROGRAM = """
import asyncio
import threading

from bot_v2.features.brokerages.core.interfaces import OrderResult
from bot_v2.orchestration.async_brokerage import AsyncBrokerage
from tests.unit.orchestration.aio.scripted import Scripted, request

entered, ends = threading.Event(), threading.Event()


class Slow(Scripted):
    def get_price(self, symbol):
        threading.Event().wait()

    def place_order(self, order_request):
        entered.set()
        ends.wait(0.5)
        print("the broker took", order_request.client_order_id, flush=True)
        return super().place_order(order_request)


def tell(record):
    print("told of", record.client_order_ids, record.result.success, flush=True)


async def main():
    broker = AsyncBrokerage(Slow(), on_outcome=tell)
    asyncio.create_task(broker.get_price("BTC-USD"))
    asyncio.create_task(broker.place_order(request()))
    while not entered.is_set():
        await asyncio.sleep(0.001)


asyncio.run(main())
print("the loop is closed", flush=True)
"""


def test_an_exit_waits_for_the_order_and_not_for_the_read() -> None:
    """The main thread ends, the order under way is placed and told of, and a hanging read is not.

    Nobody called `aclose`.
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(PROGRAM)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.splitlines() == [
        "the loop is closed",
        "the broker took mine",
        "told of ('mine',) True",
    ], done.stderr
    assert done.returncode == 0
