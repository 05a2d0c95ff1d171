"""Placements in the rarer ways: races, mistakes, look-alikes, and books that do not settle."""

from __future__ import annotations

from decimal import Decimal as D
from itertools import count
from typing import Any

import attrs
import pytest

from bot_v2.features.brokerages.core.interfaces import (
    AmbiguousPositionError,
    BrokerageError,
    Capability,
    InvalidFieldError,
    Leg,
    Order,
    OrderOutcomeUnknownError,
    OrderRequest,
    OrderResult,
    OrderSide,
    OrderStatus,
    Outcome,
    Position,
    PositionSide,
    UnsupportedOperationError,
)
from bot_v2.orchestration.execution.events import EventKind
from bot_v2.orchestration.execution.reading import read_position
from bot_v2.orchestration.journal.memory_journal import MemoryJournal
from bot_v2.orchestration.journal.records import Intent, OrderJournalError, Phase
from bot_v2.simulation.faults import Fault
from tests.unit.orchestration.execution.desk import SYMBOL, Desk, buy, rest
from tests.unit.orchestration.execution.faults.meddling import (
    declare,
    lose_answer,
    once,
    raising,
    replace,
)
from tests.unit.orchestration.execution.test_order_executor import FullDisk
from tests.unit.orchestration.execution.test_parts import without_ids


@pytest.fixture
def desk() -> Desk:
    """An executor over the paper brokerage, on virtual time."""
    return Desk()


class Late(MemoryJournal):
    """A journal in which another process writes an intent just before ours."""

    def __init__(self) -> None:
        super().__init__()
        self.first: Intent | None = None

    def open_intent(self, intent: Intent) -> Any:
        """Write what the other one writes, and then ours."""
        if self.first is None:
            self.first = attrs.evolve(intent)
            super().open_intent(self.first)
        return super().open_intent(intent)


def test_where_another_process_is_quicker_nothing_is_sent() -> None:
    """The same id by two processes at once: ours finds out what became of the other's."""
    desk = Desk(journal=Late())
    result = desk.executor.submit(buy(client_order_id="one"))
    assert not result.success
    state = desk.executor.find("one")
    assert state is not None
    assert state.phase is Phase.ABSENT
    assert desk.venue.requests_received("place_order") == 0
    assert desk.gate.held == set()


def test_an_adapters_mistake_after_the_send_is_looked_into(desk: Desk) -> None:
    """What is no BrokerageError may have come after the order was taken."""
    once(desk, "place_order", raising(KeyError("status"), after=desk.broker.place_order))
    result = desk.executor.submit(buy())
    assert (result.success, result.order_id) == (True, "o-000001")


def test_a_gate_that_fails_at_the_end_changes_no_order(desk: Desk) -> None:
    """An alarm is told, and the result says that nobody knows: the journal does."""
    broken = BrokerageError("the gate is broken")
    desk.gate.release = raising(broken)  # type: ignore[method-assign]  # it has a mistake
    result = desk.executor.submit(buy(client_order_id="one"))
    assert isinstance(result.error, OrderOutcomeUnknownError)
    assert desk.kinds[-1] is EventKind.ALARM
    state = desk.executor.find("one")
    assert state is not None
    assert (state.phase, state.order_id) == (Phase.ENDED, "o-000001")


def test_a_send_is_not_repeated_that_cannot_be_written_down() -> None:
    """A full disk stops the retry of what did not leave; the order stays open in the journal."""
    desk = Desk(journal=FullDisk(1))
    desk.venue.inject(Fault.RESET_BEFORE, "place_order")
    result = desk.executor.submit(buy(client_order_id="one"))
    assert isinstance(result.error, OrderOutcomeUnknownError)
    assert EventKind.JOURNAL_FAILED in desk.kinds
    assert desk.venue.orders_received() == []


def test_a_journal_that_cannot_be_read_is_no_evidence(desk: Desk) -> None:
    """Where nobody can say whose the orders are, none is taken for this one's, nor for none."""
    lose_answer(desk)

    def fail(scope: Any, order_id: str) -> Any:
        raise OrderJournalError("the disk is gone")

    real = desk.journal.find_by_order
    desk.journal.find_by_order = fail  # type: ignore[method-assign]  # it cannot be read
    result = desk.executor.submit(buy(client_order_id="one"))
    assert isinstance(result.error, OrderOutcomeUnknownError)
    assert "the disk is gone" in result.error.message
    desk.journal.find_by_order = real  # type: ignore[method-assign]  # it can be read again
    assert desk.executor.reconcile().settled[0].order_id == "o-000001"


def test_a_combination_is_checked_by_its_adapter(desk: Desk) -> None:
    """An order of several legs has no product of its own: it is journalled and sent as it is."""
    replace(desk, "get_product", raising(BrokerageError("there is none")))
    seen: list[OrderRequest] = []

    def place_order(request: OrderRequest) -> OrderResult:
        seen.append(request)
        name = request.client_order_id or ""
        return OrderResult(success=True, client_order_id=name, order_id="o-7")

    replace(desk, "place_order", place_order)
    legs = (
        Leg(symbol="A", side=OrderSide.BUY),
        Leg(symbol="B", side=OrderSide.SELL),
    )
    request = OrderRequest(
        symbol="A/B", side=OrderSide.BUY, quantity=D(1), legs=legs, client_order_id="one"
    )
    assert desk.executor.submit(request).order_id == "o-7"
    assert seen == [request]


def test_look_alikes_are_put_to_a_person(desk: Desk) -> None:
    """Where two orders can be it and neither has an id, nobody guesses."""
    without_ids(desk)
    once(desk, "place_order", _twice(desk))
    result = desk.executor.submit(buy(client_order_id="one"))
    assert isinstance(result.error, OrderOutcomeUnknownError)
    assert "several orders can be it: o-000001, o-000002" in result.error.message
    report = desk.executor.reconcile()
    assert [state.phase for state in report.unsettled] == [Phase.QUARANTINED]


def _twice(desk: Desk) -> Any:
    real = desk.broker.place_order

    def place_order(request: OrderRequest) -> Any:
        real(request)
        # A person has just placed the same.
        real(attrs.evolve(request, client_order_id="by-hand"))
        raise OrderOutcomeUnknownError("there was no answer")

    return place_order


def test_a_position_that_cannot_be_read_proves_nothing(desk: Desk) -> None:
    """Where the position is the cross-check, a read of it that fails is a failed read."""
    without_ids(desk)
    calls = count()
    real = desk.broker.get_position

    def get_position(symbol: str) -> Any:
        if next(calls):
            raise BrokerageError("no position today")
        return real(symbol)

    replace(desk, "get_position", get_position)
    desk.venue.inject(Fault.DROP_BEFORE_ACCEPT, "place_order")
    result = desk.executor.submit(buy())
    assert isinstance(result.error, OrderOutcomeUnknownError)
    assert "no position today" in result.error.message


@pytest.mark.parametrize("kind", ["restless", "of unknown side", "not kept"])
def test_without_a_position_the_orders_alone_tell(desk: Desk, kind: str) -> None:
    """Where no position can be expected, two complete looks at orders and executions are enough."""
    without_ids(desk)
    real = desk.broker.list_orders
    resting = desk.broker.place_order(rest("40")).order_id
    calls = count()

    def list_orders(status: OrderStatus | None = None) -> list[Order]:
        orders = real(status)
        if kind == "restless" and next(calls) < 4:
            return [attrs.evolve(orders[0], filled_quantity=D(next(calls)) / 1000)]
        if kind == "of unknown side":
            return [attrs.evolve(order, side=None) for order in orders]
        return orders

    replace(desk, "list_orders", list_orders)
    if kind == "not kept":
        replace(desk, "get_position", raising(UnsupportedOperationError("balances only")))
    desk.venue.inject(Fault.DROP_BEFORE_ACCEPT, "place_order")
    result = desk.executor.submit(buy(client_order_id="one"))
    assert result.error is not None
    assert result.error.outcome is Outcome.REJECTED
    state = desk.executor.find("one")
    assert state is not None
    assert state.phase is Phase.ABSENT
    assert [order.order_id for order in real()] == [resting]


def test_a_position_in_buckets_is_summed(desk: Desk) -> None:
    """Where a product has several positions, their sum is the signed position."""
    replace(desk, "get_position", raising(AmbiguousPositionError("two buckets")))
    held = [
        Position(
            symbol=symbol, quantity=D(amount), side=side, account_id="paper", bucket=side.value
        )
        for symbol, amount, side in (
            (SYMBOL, 3, PositionSide.LONG),
            (SYMBOL, 1, PositionSide.SHORT),
            ("ETH-USD", 9, PositionSide.LONG),
        )
    ]
    replace(desk, "list_positions", lambda: held)
    assert read_position(desk.broker, SYMBOL) == D(2)


def test_without_executions_positions_are_not_compared(desk: Desk) -> None:
    """A broker that lists no executions gives nothing to compare with, and that is said."""
    declare(desk, capabilities=desk.broker.capabilities - {Capability.FILLS})
    desk.executor.submit(buy())
    report = desk.executor.reconcile()
    assert (report.new_fills, report.differences, report.is_complete) == ((), None, False)
    assert "positions were not compared" in report.explain()


def test_while_executions_come_in_positions_are_not_compared(desk: Desk) -> None:
    """Positions are compared only where no execution came between two reads of them."""
    desk.executor.submit(buy())
    (fill,) = desk.broker.list_fills()
    numbers = count()
    replace(
        desk,
        "list_fills",
        lambda since=None: [attrs.evolve(fill, trade_id=f"t-{next(numbers)}")],
    )
    report = desk.executor.reconcile()
    assert (report.differences, report.is_complete) == (None, False)
    assert len(report.new_fills) == 4


def test_a_product_that_cannot_be_read_is_taken_for_one_with_positions(desk: Desk) -> None:
    """A missing position is a difference, unless the product is known to be kept as a balance."""
    desk.broker.spot_as_positions = False  # type: ignore[misc]  # another kind of broker
    desk.executor.submit(buy())
    for _ in range(2):
        desk.executor.reconcile()
    replace(desk, "list_positions", list)
    replace(desk, "get_product", raising(BrokerageError("no answer")))
    (difference,) = desk.executor.reconcile().differences or ()
    assert (difference.symbol, difference.found) == (SYMBOL, D(0))


def test_a_request_of_a_settled_order_is_answered_from_the_journal(desk: Desk) -> None:
    """Another content under its id is refused; the same is answered, and nothing is sent."""
    desk.executor.submit(buy(client_order_id="one"))
    assert desk.start().submit(buy(client_order_id="one")).order_id == "o-000001"
    other = desk.executor.submit(buy("0.2", client_order_id="one"))
    assert isinstance(other.error, InvalidFieldError)
    assert desk.venue.requests_received("place_order") == 1
