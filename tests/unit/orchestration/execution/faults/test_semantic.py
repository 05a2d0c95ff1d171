"""Faults in the life of orders: ids, changes, cancels, ends, and positions that follow."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal as D
from typing import Any

import attrs
import pytest

from bot_v2.features.brokerages.core.interfaces import (
    BrokerageError,
    CancelRejectedError,
    DuplicateOrderError,
    IdempotencyScope,
    InvalidFieldError,
    InvalidRequestError,
    Order,
    OrderModification,
    OrderNotFoundError,
    OrderOutcomeUnknownError,
    OrderRejectedError,
    OrderStatus,
    OrderType,
    Outcome,
    TimeInForce,
    UnsupportedOperationError,
)
from bot_v2.orchestration.execution.settings import ExecutorSettings
from bot_v2.orchestration.journal.records import Phase
from bot_v2.simulation.faults import Fault
from tests.unit.orchestration.execution.desk import SYMBOL, Desk, buy, rest
from tests.unit.orchestration.execution.faults.meddling import (
    declare,
    lose_answer,
    once,
    raising,
    replace,
)
from tests.unit.orchestration.execution.test_parts import without_ids


@pytest.fixture
def desk() -> Desk:
    """An executor over the paper brokerage, on virtual time."""
    return Desk()


def test_s01_a_used_id_is_evidence(desk: Desk) -> None:
    """S01: A refusal because the id is used leads to the order that it made."""
    used = DuplicateOrderError("that id is used", outcome=Outcome.REJECTED)
    once(desk, "place_order", raising(used, after=desk.broker.place_order))
    result = desk.executor.submit(buy(client_order_id="one"))
    assert (result.success, result.order_id) == (True, "o-000001")


def test_s01_a_used_id_of_another_order_is_a_refusal(desk: Desk) -> None:
    """S01: Where the order under the id is another one, this send made nothing, and says so."""
    desk.broker.place_order(buy("0.2", client_order_id="one"))
    result = desk.executor.submit(buy("0.1", client_order_id="one"))
    assert isinstance(result.error, DuplicateOrderError)
    assert desk.gate.held == set()


def test_s02_an_id_that_protects_while_open_is_sent_once(desk: Desk) -> None:
    """S02: Where a filled order frees its id, nothing is sent again, even if proven absent."""
    while_open = attrs.evolve(desk.broker.idempotency, scope=IdempotencyScope.WHILE_OPEN)
    declare(desk, idempotency=while_open)
    desk.venue.inject(Fault.DROP_BEFORE_ACCEPT, "place_order")
    result = desk.executor.submit(buy())
    assert isinstance(result.error, OrderNotFoundError)
    assert desk.venue.requests_received("place_order") == 1


def test_s03_a_broker_without_ids(desk: Desk) -> None:
    """S03: An order without an id is found by what it is; its look-alike is refused meanwhile."""
    without_ids(desk)
    lose_answer(desk)
    assert desk.executor.submit(buy()).order_id == "o-000001"
    lose_answer(desk)
    real, calls = desk.broker.list_orders, []

    def list_orders(status: OrderStatus | None = None) -> list[Order]:
        # What there was before is read twice, and then nothing more.
        calls.append(status)
        if len(calls) > 2:
            raise BrokerageError("no answer")
        return real(status)

    replace(desk, "list_orders", list_orders)
    replace(desk, "list_fills", raising(BrokerageError("no answer")))
    assert isinstance(desk.executor.submit(buy()).error, OrderOutcomeUnknownError)
    twin = desk.executor.submit(buy())
    assert isinstance(twin.error, BrokerageError)
    assert twin.error.outcome is Outcome.NOT_SENT
    assert len(desk.venue.orders_received()) == 2


def test_s04_an_order_that_is_replaced_stays_one_intent(desk: Desk) -> None:
    """S04: The order that lives on is followed, and what was filled under the old id counts."""
    live = desk.executor.submit(rest(client_order_id="one"))
    old_id = live.order_id or ""
    desk.venue.fill(old_id, D("0.04"), D(50))
    desk.executor.reconcile()
    old = desk.broker.get_order(old_id)
    replaced = attrs.evolve(old, status=OrderStatus.REPLACED, replaced_by="o-9")
    new = attrs.evolve(
        old,
        order_id="o-9",
        replaces=old_id,
        status=OrderStatus.OPEN,
        filled_quantity=D(0),
        average_fill_price=None,
        fees=None,
    )
    replace(desk, "list_orders", lambda status=None: [new, replaced])
    desk.executor.reconcile()
    state = desk.executor.find("one")
    assert state is not None
    assert (state.phase, state.order_id) == (Phase.TAKEN, "o-9")
    report = desk.executor.reconcile()
    assert report.foreign_orders == ()
    statistics = desk.executor.statistics("one")
    assert statistics is not None
    assert statistics.filled_quantity == D("0.04")


def test_s05_a_change_that_meets_a_fill_is_sent_once(desk: Desk) -> None:
    """S05: An order that was filled meanwhile is not changed, and the change is not repeated."""
    live = desk.executor.submit(rest(client_order_id="one"))
    order_id = live.order_id or ""

    def filled_first(order_id: str, change: OrderModification) -> Any:
        desk.venue.fill(order_id, D("0.1"), D(50))
        raise OrderOutcomeUnknownError("there was no answer")

    once(desk, "modify_order", filled_first)
    result = desk.executor.modify(order_id, OrderModification(quantity=D("0.3")))
    assert not result.success
    assert desk.executor.reconcile().changed[0].phase is Phase.ENDED
    assert len(desk.venue.orders_received()) == 1


def test_s06_a_cancel_that_comes_too_late_is_no_failure(desk: Desk) -> None:
    """S06: Where the order had been filled, the cancel shows it; of no order there is an error."""
    filled = desk.executor.submit(buy())
    late = desk.executor.cancel(filled.order_id or "")
    assert late.success
    assert late.order is not None
    assert late.order.status is OrderStatus.FILLED
    assert isinstance(desk.executor.cancel("o-999999").error, OrderNotFoundError)


def test_s07_a_cancel_without_an_answer_is_not_believed(desk: Desk) -> None:
    """S07: An order counts as live until it is seen to have ended, whatever was sent."""
    desk = Desk(ExecutorSettings(max_retries=1))
    live = desk.executor.submit(rest(client_order_id="one"))
    desk.venue.inject(Fault.DROP_BEFORE_ACCEPT, "cancel_order", times=9)
    assert isinstance(desk.executor.cancel(live.order_id or "").error, CancelRejectedError)
    assert desk.gate.held == {"one"}
    desk.venue.clear_faults()
    desk.venue.inject(Fault.DROP_AFTER_ACCEPT, "cancel_order")
    assert desk.executor.cancel(live.order_id or "").success
    assert desk.executor.reconcile().changed == ()
    assert desk.gate.held == set()


def test_s08_not_found_right_after_the_placement(desk: Desk) -> None:
    """S08: Reads that are behind show nothing for a while: the order is not taken for absent."""
    declare(desk, idempotency=attrs.evolve(desk.broker.idempotency, visibility_lag_s=4.0))
    desk.venue.inject(Fault.STALE_READ)
    desk.world.at(desk.world.now + timedelta(seconds=3.9), desk.venue.clear_faults)
    desk.venue.inject(Fault.DROP_AFTER_ACCEPT, "place_order")
    result = desk.executor.submit(buy())
    assert (result.success, result.order_id) == (True, "o-000001")
    assert desk.waited >= 3.9


def test_s09_a_fast_fill_is_found_among_the_ended(desk: Desk) -> None:
    """S09: An order that is no longer listed as open is found by its id, or its execution."""
    lose_answer(desk)
    replace(desk, "list_orders", lambda status=None: [])
    replace(desk, "get_order_by_client_id", raising(OrderNotFoundError("not among the open")))
    result = desk.executor.submit(buy())
    assert (result.success, result.order_id) == (True, "o-000001")


def test_s10_what_was_filled_before_the_end_stays(desk: Desk) -> None:
    """S10: A cancelled order keeps its part, and closing sells that part and no more."""
    live = desk.executor.submit(rest(client_order_id="one"))
    desk.venue.fill(live.order_id or "", D("0.04"), D(50))
    assert desk.executor.cancel(live.order_id or "").success
    desk.executor.reconcile()
    statistics = desk.executor.statistics("one")
    assert statistics is not None
    assert statistics.filled_quantity == D("0.04")
    closed = desk.executor.close_position(SYMBOL)
    assert closed.order is not None
    assert closed.order.quantity == D("0.04")


def test_s11_more_than_was_asked_is_taken_up(desk: Desk) -> None:
    """S11: Executions beyond the quantity count in the books as they are."""
    desk.executor.submit(buy(client_order_id="one"))
    desk.executor.reconcile()
    (fill,) = desk.broker.list_fills()
    beyond = attrs.evolve(fill, trade_id="t-2", quantity=D("0.05"))
    replace(desk, "list_fills", lambda since=None: [fill, beyond])
    (held,) = desk.broker.list_positions()
    replace(desk, "list_positions", lambda: [attrs.evolve(held, quantity=D("0.15"))])
    assert desk.executor.reconcile().differences == ()
    statistics = desk.executor.statistics("one")
    assert statistics is not None
    assert statistics.filled_quantity == D("0.15")


def test_s14_closing_never_crosses_zero(desk: Desk) -> None:
    """S14: A close is what is held, less what live orders sell already; never a turn."""
    desk.executor.submit(buy("0.3"))
    exit_ = attrs.evolve(
        buy("0.2", type=OrderType.LIMIT, price=D(500)), side=buy().side.__class__("sell")
    )
    assert desk.executor.submit(exit_).success
    closed = desk.executor.close_position(SYMBOL)
    assert closed.order is not None
    assert closed.order.quantity == D("0.1")
    assert isinstance(desk.executor.close_position(SYMBOL).error, InvalidRequestError)


@pytest.mark.parametrize(
    "error",
    [UnsupportedOperationError("no such order type"), InvalidFieldError("tif", "opg", "day")],
    ids=["type", "time in force"],
)
def test_s16_what_the_broker_does_not_do_is_not_sent(desk: Desk, error: BrokerageError) -> None:
    """S16: What the adapter refuses is neither repeated nor sent as something else."""
    error.outcome = Outcome.NOT_SENT
    replace(desk, "place_order", raising(error))
    result = desk.executor.submit(buy(client_order_id="one"))
    assert result.error is error
    state = desk.executor.find("one")
    assert state is not None
    assert (state.phase, state.attempts) == (Phase.NOT_SENT, 1)


@pytest.mark.parametrize("request_", [rest("50.001"), buy("0.000000001")])
def test_s17_off_the_step_nothing_is_sent(desk: Desk, request_: Any) -> None:
    """S17: A price or size off the product's steps is refused before it is journalled."""
    result = desk.executor.submit(request_)
    assert isinstance(result.error, InvalidFieldError)
    assert desk.executor.find(result.client_order_id) is None
    assert desk.venue.requests_received("place_order") == 0


def test_s18_a_refusal_after_the_acceptance(desk: Desk) -> None:
    """S18: An order that the broker holds lives; one that it refuses is over, with the reason."""
    live = desk.executor.submit(rest(client_order_id="one"))
    order = desk.broker.get_order(live.order_id or "")
    held = attrs.evolve(order, status=OrderStatus.PENDING, native_status="held")
    replace(desk, "list_orders", lambda status=None: [held])
    desk.executor.reconcile()
    assert desk.gate.held == {"one"}
    refused = attrs.evolve(order, status=OrderStatus.REJECTED, status_reason="no margin")
    replace(desk, "list_orders", lambda status=None: [refused])
    desk.executor.reconcile()
    state = desk.executor.find("one")
    assert state is not None
    assert isinstance(state.error, OrderRejectedError)
    assert (state.phase, state.error.reason) == (Phase.REJECTED, "no margin")
    assert desk.gate.held == set()


def test_s19_an_order_expires_by_the_brokers_word(desk: Desk) -> None:
    """S19: Time alone ends no order; what the broker says expired is over."""
    until = desk.world.now + timedelta(hours=1)
    request = rest(client_order_id="one", time_in_force=TimeInForce.GTD, expires_at=until)
    assert desk.executor.submit(request).success
    desk.world.advance_to(until + timedelta(hours=1))
    real = desk.broker.list_orders
    replace(desk, "list_orders", raising(BrokerageError("no answer")))
    replace(desk, "get_order", raising(BrokerageError("no answer")))
    desk.executor.reconcile()
    assert desk.gate.held == {"one"}
    replace(desk, "list_orders", real)
    desk.executor.reconcile()
    state = desk.executor.find("one")
    assert state is not None
    assert state.order is not None
    assert (state.phase, state.order.status) == (Phase.ENDED, OrderStatus.EXPIRED)


def test_s20_a_split_is_a_difference_until_it_is_accepted(desk: Desk) -> None:
    """S20: A quantity that no execution made is told and explained, and accepted by a person."""
    desk.executor.submit(buy("0.3"))
    for _ in range(2):
        desk.executor.reconcile()
    (held,) = desk.broker.list_positions()
    replace(desk, "list_positions", lambda: [attrs.evolve(held, quantity=D("0.6"))])
    (difference,) = desk.executor.reconcile().differences or ()
    assert (difference.expected, difference.found) == (D("0.3"), D("0.6"))
    assert "+0.3  of no order or execution" in difference.explanation
    assert "a split" in difference.explanation
    desk.executor.accept_positions()
    assert desk.executor.reconcile().differences == ()
