"""Many orders, cancelled at any moment: each is accounted for, and none is told of wrongly."""

from __future__ import annotations

import asyncio
import threading
from random import Random

import pytest

from bot_v2.features.brokerages.core.errors import (
    BrokerageError,
    OrderOutcomeUnknownError,
    Outcome,
)
from bot_v2.features.brokerages.core.interfaces import OrderRequest, OrderResult
from bot_v2.orchestration.aio.calls import AsyncSettings
from bot_v2.orchestration.async_brokerage import AsyncBrokerage, WriteRecord
from tests.unit.orchestration.aio.scripted import Scripted, request, run_in, taken, until

ORDERS = 150


class Hasty(Scripted):
    """Takes orders after a while that chance decides; of some it does not say what came of them."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._random = Random(seed)
        self._lock = threading.Lock()
        self._pause = threading.Event()

    def place_order(self, order_request: OrderRequest) -> OrderResult:
        """Take the order, sooner or later."""
        with self._lock:
            self.placed.append(order_request)
            wait_s = self._random.choice([0.0, 0.0, 0.0005, 0.002])
        self._pause.wait(wait_s)
        if (order_request.client_order_id or "").endswith("7"):
            raise OrderOutcomeUnknownError("who knows")
        return taken(order_request)


async def became_of(broker: AsyncBrokerage, client_order_id: str) -> str:
    """What the brokerage says of an order that was placed once."""
    try:
        result = await broker.get_outcome(client_order_id)
    except BrokerageError as error:
        return str(error.outcome)
    assert result == taken(request(client_order_id))
    return "taken"


@pytest.mark.parametrize("loop_kind", ["asyncio", "uvloop"])
@pytest.mark.parametrize("seed", range(4))
def test_every_order_is_accounted_for(loop_kind: str, seed: int) -> None:
    """What reached the broker has an outcome; what was not sent did not reach it."""
    if loop_kind == "uvloop":
        pytest.importorskip("uvloop")
    random = Random(seed)
    scripted = Hasty(seed)
    told: list[WriteRecord] = []
    ids = [f"{seed}-{number}" for number in range(ORDERS)]
    outcomes: dict[str, str] = {}
    cancelled: set[str] = set()

    async def scenario() -> None:
        settings = AsyncSettings(write_threads=3)
        broker = AsyncBrokerage(scripted, settings=settings, on_outcome=told.append)
        tasks = {one: asyncio.create_task(broker.place_order(request(one))) for one in ids}
        for one in random.sample(ids, ORDERS // 2):
            await asyncio.sleep(random.choice([0.0, 0.0, 0.001]))
            tasks[one].cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)
        cancelled.update(one for one in ids if tasks[one].cancelled())
        for one in ids:
            outcomes[one] = await became_of(broker, one)
        sent = [one for one in cancelled if outcomes[one] != Outcome.NOT_SENT]
        await until(lambda: len(told) >= len(sent))
        assert broker.list_unheard() == []
        assert await broker.aclose() == []

    run_in(loop_kind, scenario())
    reached = [each.client_order_id for each in scripted.placed]
    assert len(reached) == len(set(reached))
    for one in ids:
        expected = str(Outcome.UNKNOWN) if one.endswith("7") else "taken"
        assert outcomes[one] == (expected if one in reached else Outcome.NOT_SENT)
    # Told of are exactly those whose wait was cancelled when they had begun.
    assert sorted(one.client_order_ids[0] for one in told) == sorted(cancelled & set(reached))
    assert set(ids) - set(reached) <= cancelled
    assert 0 < len(cancelled) <= ORDERS // 2
