"""One brokerage in many threads, inside running loops, and beside connections that drop."""

from __future__ import annotations

import asyncio
import importlib.util
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest

from bot_v2.features.brokerages.core.interfaces import (
    OrderRequest,
    OrderResult,
    OrderSide,
    OrderStatus,
    OrderType,
)
from bot_v2.features.brokerages.ibkr.adapter import IbkrBrokerage
from bot_v2.features.brokerages.ibkr.settings import read_settings
from bot_v2.venues.tws.venue import TwsVenue

D = Decimal
THREADS, ORDERS = 8, 200
CASH = {"USD": D(1_000_000_000)}


@pytest.fixture
def venue() -> Iterator[TwsVenue]:
    """A TWS on this machine, with an account that can pay for all that is ordered here."""
    with TwsVenue(balances=CASH) as venue:
        yield venue


@pytest.fixture
def open_broker(venue: TwsVenue) -> Iterator[Callable[..., IbkrBrokerage]]:
    """Makes connected brokerages, which end with the test."""
    made: list[IbkrBrokerage] = []

    def make(**given: object) -> IbkrBrokerage:
        settings = {"port": venue.port, "environment": "simulator", "requests_per_s": 100_000}
        made.append(IbkrBrokerage(read_settings({**settings, **given}, {})))
        made[-1].connect()
        return made[-1]

    yield make
    for broker in made:
        broker.disconnect()


def resting(ref: str) -> OrderRequest:
    """Return an order that rests."""
    return OrderRequest(
        symbol="AAPL",
        side=OrderSide.BUY,
        type=OrderType.LIMIT,
        quantity=D(1),
        price=D(100),
        client_order_id=ref,
    )


def test_many_threads_place_many_orders(
    venue: TwsVenue, open_broker: Callable[..., IbkrBrokerage]
) -> None:
    """Eight threads place 200 orders each at once: each is there once, under its own id."""
    broker = open_broker(timeout_s=60)
    start = threading.Barrier(THREADS)

    def place(thread: int) -> list[OrderResult]:
        start.wait()
        return [broker.place_order(resting(f"t{thread}-{n}")) for n in range(ORDERS)]

    with ThreadPoolExecutor(THREADS) as pool:
        results = [one for some in pool.map(place, range(THREADS)) for one in some]
    asked = {f"t{thread}-{n}" for thread in range(THREADS) for n in range(ORDERS)}
    told = {one.order_id: one.client_order_id for one in results}
    received = {one.order_id: one.client_order_id for one in venue.orders_received()}
    listed = {one.order_id: one.client_order_id for one in broker.list_orders()}
    assert len(venue.orders_received()) == THREADS * ORDERS
    assert set(told.values()) == asked
    assert told == received == listed


_IN_A_LOOP = """
import asyncio, sys
from decimal import Decimal
from bot_v2.features.brokerages.core.interfaces import OrderRequest, OrderSide
from bot_v2.features.brokerages.ibkr.factory import create_ibkr

async def main():
    broker = create_ibkr({"port": int(sys.argv[1]), "environment": "simulator"}, {})
    broker.connect()
    asked = OrderRequest(symbol="AAPL", side=OrderSide.BUY, quantity=Decimal(1))
    order = broker.place_order(asked)
    told = broker.get_order(order.order_id).status.value
    broker.disconnect()
    return f"{told} in {type(asyncio.get_running_loop()).__module__.partition('.')[0]}"

if sys.argv[2] == "uvloop":
    import uvloop
    print(uvloop.run(main()))
else:
    print(asyncio.run(main()))
"""


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_inside_a_running_loop(venue: TwsVenue, loop: str) -> None:
    """A coroutine uses a brokerage as any function does, whichever loop it runs in."""
    if importlib.util.find_spec(loop) is None:
        pytest.skip(f"{loop} is not installed")
    command = [sys.executable, "-X", "dev", "-c", _IN_A_LOOP, str(venue.port), loop]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.strip() == f"filled in {loop}", done.stderr


def test_many_brokerages_in_one_loop(
    venue: TwsVenue, open_broker: Callable[..., IbkrBrokerage]
) -> None:
    """Threads of a running loop use two brokerages at once, and each gets its own answers."""
    brokers = [open_broker(client_id=one) for one in (1, 2)]

    async def use() -> list[OrderResult]:
        calls = [
            asyncio.to_thread(broker.place_order, resting(f"{place}-{n}"))
            for n in range(20)
            for place, broker in enumerate(brokers)
        ]
        return await asyncio.gather(*calls)

    results = asyncio.run(use())
    received = {one.order_id: one.client_order_id for one in venue.orders_received()}
    assert {one.order_id: one.client_order_id for one in results} == received
    assert len(received) == 40


def test_beside_a_connection_that_drops(
    venue: TwsVenue, open_broker: Callable[..., IbkrBrokerage]
) -> None:
    """A brokerage works on while another one's connection drops, again and again."""
    broker = open_broker(client_id=1)
    with TwsVenue() as other_venue:
        other = open_broker(client_id=2, port=other_venue.port)
        stop = threading.Event()

        def drop() -> None:
            while not stop.wait(0.02):
                other_venue.scripts.reset()

        dropping = threading.Thread(target=drop)
        dropping.start()
        try:
            results = [broker.place_order(resting(f"o-{n}")) for n in range(100)]
        finally:
            stop.set()
            dropping.join()
        assert other.check_health().api_responsive
    assert len({one.order_id for one in results}) == 100
    assert len(venue.orders_received()) == 100
    assert broker.is_connected()


def test_many_threads_after_a_drop(
    venue: TwsVenue, open_broker: Callable[..., IbkrBrokerage]
) -> None:
    """Threads that find the connection gone open it once, and all get their answers."""
    broker = open_broker(timeout_s=20)
    order_id = broker.place_order(resting("before")).order_id
    assert order_id
    venue.scripts.reset()
    start = threading.Barrier(THREADS)

    def read(_: int) -> OrderStatus:
        start.wait()
        return broker.get_order(str(order_id)).status

    with ThreadPoolExecutor(THREADS) as pool:
        assert set(pool.map(read, range(THREADS))) == {OrderStatus.OPEN}
    assert len(venue.orders_received()) == 1


def test_nothing_is_left_behind(open_broker: Callable[..., IbkrBrokerage]) -> None:
    """The thread of a connection ends with it, and a brokerage can be connected again."""
    before = threading.active_count()
    broker = open_broker()
    for _ in range(3):
        broker.disconnect()
        assert threading.active_count() == before
        broker.connect()
    assert threading.active_count() == before + 1
