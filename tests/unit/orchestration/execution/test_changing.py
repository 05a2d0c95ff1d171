"""Cancels, changes and closes whose answers are lost, late, partial or never come."""

from __future__ import annotations

from contextlib import ExitStack
from decimal import Decimal as D
from typing import Any

import attrs
import pytest

from bot_v2.features.brokerages.core.interfaces import (
    BrokerageError,
    BrokerConnectionError,
    InvalidRequestError,
    ModifyRejectedError,
    OrderModification,
    OrderNotFoundError,
    OrderOutcomeUnknownError,
    OrderResult,
    Outcome,
    UnsupportedOperationError,
)
from bot_v2.orchestration.execution.events import EventKind
from bot_v2.orchestration.execution.settings import ExecutorSettings
from bot_v2.orchestration.journal.records import IntentKind, OrderJournalError, Phase
from bot_v2.orchestration.order_executor import OrderExecutor
from bot_v2.simulation.faults import Fault
from tests.unit.orchestration.execution.desk import SYMBOL, Desk, buy, rest
from tests.unit.orchestration.execution.faults.meddling import (
    blind,
    once,
    raising,
    replace,
)
from tests.unit.orchestration.execution.test_order_executor import FullDisk

CHANGE = OrderModification(price=D(60))
LOST = OrderOutcomeUnknownError("there was no answer")


@pytest.fixture
def desk() -> Desk:
    """An executor over the paper brokerage, with a live order."""
    desk = Desk()
    assert desk.executor.submit(rest(client_order_id="one")).order_id == "o-000001"
    return desk


def pending(desk: Desk) -> list[Phase]:
    """The phases of the cancels and changes that are not settled."""
    kinds = (IntentKind.CANCEL, IntentKind.MODIFY)
    return [state.phase for state in desk.executor.list_open() if state.intent.kind in kinds]


def test_a_change_that_did_not_leave_is_sent_again(desk: Desk) -> None:
    """NOT_SENT is retried as for a placement, and then said."""
    refused = BrokerConnectionError("refused", outcome=Outcome.NOT_SENT)
    once(desk, "modify_order", raising(refused))
    assert desk.executor.modify("o-000001", CHANGE).success
    replace(desk, "modify_order", raising(refused))
    result = desk.executor.modify("o-000001", OrderModification(price=D(61)))
    assert result.error is refused
    assert pending(desk) == []


@pytest.mark.parametrize("is_returned", [True, False])
def test_a_change_that_is_refused_leaves_the_order(desk: Desk, is_returned: bool) -> None:
    """A refusal is returned, whether the adapter raises it or returns it; the order lives on."""
    refusal = ModifyRejectedError("too late", outcome=Outcome.REJECTED)
    answer = OrderResult(success=False, client_order_id="one", error=refusal)
    replace(desk, "modify_order", (lambda *_: answer) if is_returned else raising(refusal))
    assert desk.executor.modify("o-000001", CHANGE).error is refusal
    assert desk.gate.held == {"one"}


def test_an_id_source_that_repeats_itself_is_noticed(desk: Desk) -> None:
    """A second cancel under the first one's name is not sent."""
    executor = OrderExecutor(
        desk.broker, desk.journal, settings=desk.settings, runtime=desk.world, ids=lambda: "same"
    )
    assert executor.cancel("o-000001").success
    again = executor.cancel("o-000001")
    assert isinstance(again.error, InvalidRequestError)
    assert again.error.outcome is Outcome.NOT_SENT
    assert desk.venue.requests_received("cancel_order") == 1


def test_a_cancel_of_an_order_that_is_gone(desk: Desk) -> None:
    """Where no read knows the order any more, the cancel is refused and the order is followed."""
    desk.venue.inject(Fault.DROP_BEFORE_ACCEPT, "cancel_order")
    replace(desk, "get_order", raising(OrderNotFoundError("no such order")))
    result = desk.executor.cancel("o-000001")
    assert isinstance(result.error, OrderNotFoundError)
    assert desk.gate.held == {"one"}


def test_a_cancel_that_nobody_can_follow_is_quarantined_and_settled_later(desk: Desk) -> None:
    """While reads fail nobody knows; the next look that succeeds settles it, and sends nothing."""
    desk.venue.inject(Fault.DROP_AFTER_ACCEPT, "cancel_order")
    with blind(desk):
        result = desk.executor.cancel("o-000001")
    assert isinstance(result.error, OrderOutcomeUnknownError)
    assert "the cancel may have taken effect" in result.error.message
    assert pending(desk) == [Phase.QUARANTINED]
    report = desk.executor.reconcile()
    assert [state.phase for state in report.settled] == [Phase.ENDED]
    assert desk.venue.requests_received("cancel_order") == 1
    assert desk.gate.held == set()


def test_a_persons_word_settles_a_cancel(desk: Desk) -> None:
    """A cancel that cannot be followed is settled by its own name, and the order is not."""
    desk.venue.inject(Fault.DROP_BEFORE_ACCEPT, "cancel_order")
    with blind(desk):
        desk.executor.cancel("o-000001")
        (state,) = (each for each in desk.executor.list_open() if each.is_unsettled)
        assert state.intent.ident.startswith("cancel/o-000001/")
        done = desk.executor.resolve(
            state.intent.ident, because="seen on the phone", order_id="o-000001"
        )
    assert done.success
    assert pending(desk) == []
    order = desk.executor.find("one")
    assert order is not None
    assert order.phase is Phase.TAKEN


def test_a_change_of_which_part_is_seen_is_put_to_a_person(desk: Desk) -> None:
    """An order that shows one of two changed terms tells neither yes nor no."""
    order = desk.broker.get_order("o-000001")
    replace(desk, "modify_order", raising(LOST))
    partly = attrs.evolve(order, price=D(60))
    replace(desk, "get_order", lambda order_id: partly)
    both = OrderModification(price=D(60), quantity=D("0.2"))
    result = desk.executor.modify("o-000001", both)
    assert isinstance(result.error, OrderOutcomeUnknownError)
    assert "part of the change is seen" in result.error.message


def test_a_change_that_replaced_the_order_is_seen(desk: Desk) -> None:
    """An order that names its successor shows that the change took effect."""
    order = desk.broker.get_order("o-000001")
    replace(desk, "modify_order", raising(LOST))
    replace(desk, "get_order", lambda order_id: attrs.evolve(order, replaced_by="o-9"))
    result = desk.executor.modify("o-000001", CHANGE)
    assert (result.success, result.order_id) == (True, "o-9")
    assert desk.executor.find("one") is not None


def test_a_cancel_is_not_repeated_that_cannot_be_written_down() -> None:
    """A full disk stops the repetition of a lost cancel, not only the first send."""
    journal = FullDisk(100)
    desk = Desk(journal=journal)
    desk.executor.submit(rest(client_order_id="one"))
    desk.venue.inject(Fault.DROP_BEFORE_ACCEPT, "cancel_order")
    journal.writes = 2
    result = desk.executor.cancel("o-000001")
    assert isinstance(result.error, OrderOutcomeUnknownError)
    assert desk.venue.requests_received("cancel_order") == 1
    assert EventKind.JOURNAL_FAILED in desk.kinds


def test_a_cancel_that_came_too_late_succeeds_without_showing_the_order(desk: Desk) -> None:
    """That it has ended is known, whether or not it can be shown."""
    assert desk.executor.cancel("o-000001").success
    replace(desk, "get_order", raising(BrokerageError("no answer")))
    late = desk.executor.cancel("o-000001")
    assert (late.success, late.message) == (True, "it had already ended")


def test_what_fails_after_the_send_leaves_it_unknown(desk: Desk) -> None:
    """A journal that cannot be read once the cancel was sent is no proof of anything."""
    real, asked = desk.journal.find_by_order, []

    def find_by_order(scope: Any, order_id: str) -> Any:
        asked.append(order_id)
        if desk.venue.requests_received("cancel_order"):
            raise OrderJournalError("the disk is gone")
        return real(scope, order_id)

    desk.journal.find_by_order = find_by_order  # type: ignore[method-assign]  # it fails in between
    result = desk.executor.cancel("o-000001")
    assert isinstance(result.error, OrderOutcomeUnknownError)
    assert "the disk is gone" in result.error.message


def test_where_the_guard_is_refused_a_close_goes_without() -> None:
    """A broker whose own close cannot be journalled gets a plain order of what is held."""
    desk = Desk()
    desk.executor.submit(buy("0.3"))
    asked: list[bool] = []
    real = desk.broker.place_order

    def place_order(request: Any) -> Any:
        asked.append(request.reduce_only)
        if request.reduce_only:
            raise UnsupportedOperationError("no reduce-only", outcome=Outcome.NOT_SENT)
        return real(request)

    replace(desk, "place_order", place_order)
    result = desk.executor.close_position(SYMBOL)
    assert result.order is not None
    assert (result.order.quantity, asked) == (D("0.3"), [True, False])
    assert desk.broker.get_position(SYMBOL) is None


def test_a_close_counts_what_may_have_been_placed() -> None:
    """While the outcome of a close is unknown, another one is not sent."""
    desk = Desk()
    desk.executor.submit(buy("0.3"))
    with ExitStack() as after_the_send:

        def lose(request: Any) -> Any:
            after_the_send.enter_context(blind(desk))
            raise LOST

        once(desk, "place_order", lose)
        assert isinstance(desk.executor.close_position(SYMBOL).error, OrderOutcomeUnknownError)
    again = desk.executor.close_position(SYMBOL)
    assert isinstance(again.error, InvalidRequestError)
    assert "already close the 0.3" in again.error.message


def test_a_cancel_is_repeated_as_often_as_the_settings_say() -> None:
    """And no more: the order is then said to live on."""
    desk = Desk(ExecutorSettings(max_resends=2))
    desk.executor.submit(rest(client_order_id="one"))
    desk.venue.inject(Fault.DROP_BEFORE_ACCEPT, "cancel_order", times=9)
    assert not desk.executor.cancel("o-000001").success
    assert desk.venue.requests_received("cancel_order") == 3


def test_an_adoption_that_was_cut_short_is_finished() -> None:
    """What was to be followed is followed once the order can be read again."""
    journal = FullDisk(100)
    desk = Desk(journal=journal)
    desk.broker.place_order(rest(client_order_id="by-hand"))
    (foreign,) = desk.executor.reconcile().foreign_orders or ()
    journal.writes = 1
    with pytest.raises(OrderJournalError):
        desk.executor.adopt(foreign)
    journal.writes = 100
    real = desk.broker.get_order
    replace(desk, "get_order", raising(BrokerageError("no answer")))
    assert [state.intent.kind for state in desk.executor.reconcile().unsettled] == [
        IntentKind.ADOPT
    ]
    replace(desk, "get_order", real)
    (settled,) = desk.executor.reconcile().settled
    assert (settled.phase, settled.order_id) == (Phase.TAKEN, foreign.order_id)
