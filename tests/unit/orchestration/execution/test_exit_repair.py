"""The exit policy: what it sends, how often, and what it never does."""

from __future__ import annotations

from decimal import Decimal as D

import pytest

from bot_v2.features.brokerages.core.interfaces import (
    Capability,
    CloseGuard,
    OrderModification,
    OrderOutcomeUnknownError,
    OrderRejectedError,
    OrderResult,
    OrderSide,
    OrderStatus,
    OrderType,
    Outcome,
    StopLoss,
    UnsupportedOperationError,
)
from bot_v2.features.brokerages.core.order_terms import TimeInForce
from bot_v2.orchestration.execution.events import EventKind
from bot_v2.orchestration.execution.settings import (
    ExitPolicy,
)
from bot_v2.orchestration.journal.watch_records import ExitCause, RepairKind
from bot_v2.simulation.faults import Fault
from tests.unit.orchestration.execution.mistreatments import (
    MENDING,
    drop,
    end_early,
    grow,
)
from tests.unit.orchestration.execution.watch_desk import (
    QUANTITY,
    WatchDesk,
    raiser,
)


def test_the_stop_that_is_sent_again_is_the_one_that_was_asked_for() -> None:
    """Its trigger, limit and time are the entry's; it is under an id of its own, and journalled."""
    desk = WatchDesk(ExitPolicy.REPLACE_STOP)
    desk.bad.refuses_stop = True
    desk.enter(stop_loss=StopLoss(stop_price=D(80), price=D(79)), time_in_force=TimeInForce.GTC)
    desk.confirm()
    (stop,) = desk.sent
    assert (stop.type, stop.stop_price, stop.price) == (OrderType.STOP_LIMIT, D(80), D(79))
    assert (stop.side, stop.quantity) == (OrderSide.SELL, QUANTITY)
    assert (stop.time_in_force, stop.reduce_only) == (TimeInForce.GTC, True)
    assert stop.client_order_id not in (None, "one")
    state = desk.executor.find(stop.client_order_id or "")
    assert state is not None
    assert desk.is_watched()
    assert stop.client_order_id in desk.gate.held
    (repair,) = (each for each in desk.told(EventKind.EXIT_REPAIR) if "stop at 80" in each.message)
    assert repair.client_order_id == stop.client_order_id
    desk.venue.fill(desk.live[0].order_id, QUANTITY, D(79))
    desk.confirm()
    assert desk.position == 0
    assert not desk.is_watched()


def test_a_stop_that_ends_again_is_another_alarm_until_there_were_enough() -> None:
    """Each end is told, and so many stops are sent as the settings allow."""
    desk = WatchDesk(ExitPolicy.REPLACE_STOP, max_repairs=2)
    end_early(desk)
    for _ in range(4):
        desk.confirm()
        for order in desk.live:
            desk.broker.cancel_order(order.order_id)
    assert [alarm.cause for alarm in desk.alarms] == [ExitCause.STOP_ENDED] * 3
    assert len(desk.sent) == 2


@pytest.mark.parametrize("policy", MENDING)
def test_a_repair_that_is_refused_is_told_and_not_repeated(policy: ExitPolicy) -> None:
    """The broker says no: an alarm says so, once, and the danger stays in the reports."""
    desk = WatchDesk(policy)
    drop(desk)
    desk.look()
    refusal = OrderRejectedError("not today", outcome=Outcome.REJECTED)
    real = desk.bad.inner.place_order
    desk.broker.place_order = raiser(refusal)  # type: ignore[method-assign]  # it refuses
    report = desk.confirm(5)
    assert len(desk.sent) == 1
    failed = [event for event in desk.told() if event.alarm is None]
    assert [event.error for event in failed] == [refusal]
    assert ExitCause.REPAIR_FAILED.value in failed[0].message
    assert [alarm.cause for alarm in report.alarms] == [ExitCause.STOP_MISSING]
    desk.broker.place_order = real  # type: ignore[method-assign]  # and takes them again
    desk.confirm()
    assert len(desk.sent) == 1


def test_what_was_not_sent_is_sent_a_few_times_more() -> None:
    """Nothing left: a later look sends it under another id, until there were enough."""
    desk = WatchDesk(ExitPolicy.CLOSE_POSITION, retry_enabled=False, max_repairs=3)
    drop(desk)
    desk.venue.inject(Fault.RESET_BEFORE, "place_order", times=2)
    desk.confirm(5)
    assert len(desk.sent) == 3
    assert len({each.client_order_id for each in desk.sent}) == 3
    assert desk.position == 0


@pytest.mark.parametrize("policy", MENDING)
@pytest.mark.parametrize(
    "fault",
    [
        Fault.DROP_AFTER_ACCEPT,
        Fault.DROP_BEFORE_ACCEPT,
        Fault.RESET_AFTER,
        Fault.SERVER_ERROR,
        Fault.RESET_BEFORE,
        Fault.RATE_LIMIT,
    ],
)
def test_a_repair_whose_answer_is_lost_is_made_once(fault: Fault, policy: ExitPolicy) -> None:
    """Whatever becomes of the answer, there is one order at the broker at most."""
    desk = WatchDesk(policy)
    drop(desk)
    desk.look()
    desk.venue.inject(fault, "place_order")
    desk.venue.inject(fault, "cancel_order")
    desk.confirm(6)
    received = [each for each in desk.venue.orders_received() if each.client_order_id != "one"]
    assert len(received) == 1
    assert desk.position >= 0


@pytest.mark.parametrize("policy", MENDING)
def test_nothing_more_is_sent_while_the_outcome_of_a_repair_is_unknown(policy: ExitPolicy) -> None:
    """What may have been placed is looked for, and not sent again."""
    desk = WatchDesk(policy)
    drop(desk)
    desk.look()
    unknown = OrderOutcomeUnknownError("there was no answer")
    desk.broker.place_order = raiser(unknown)  # type: ignore[method-assign]  # no answer
    desk.bad.failing.add("get_order")
    silence = OrderRejectedError("no answer to reads either", outcome=None)
    desk.broker.get_order_by_client_id = raiser(silence)  # type: ignore[method-assign]  # no answer
    desk.confirm(5)
    assert len(desk.sent) == 1
    assert len(desk.executor.reconcile().unsettled) == 1


def test_a_broker_without_reduce_only_gets_a_plain_order() -> None:
    """Where the guard is refused before the send, the order goes out without it."""
    for policy in MENDING:
        desk = WatchDesk(policy)
        drop(desk)
        desk.bad.takes_guard = False
        desk.confirm(5)
        assert [each.reduce_only for each in desk.sent] == [True, False]
        assert desk.position == sum((each.remaining_quantity or D(0) for each in desk.live), D(0))


def test_a_best_effort_broker_is_never_asked_for_a_guard() -> None:
    """Where the broker declares no reduce-only, none is asked for."""
    desk = WatchDesk(ExitPolicy.REPLACE_STOP)
    desk.broker.close_guard = CloseGuard.BEST_EFFORT  # type: ignore[misc]  # another broker
    desk.start()
    drop(desk)
    desk.confirm()
    assert [each.reduce_only for each in desk.sent] == [False]


def test_an_exit_that_is_too_large_is_made_smaller() -> None:
    """It is changed where the broker can, and stays."""
    desk = WatchDesk(ExitPolicy.CLOSE_POSITION)
    grow(desk)
    desk.confirm()
    large = desk.broker.get_order("o-000004")
    assert (large.status, large.quantity) == (OrderStatus.OPEN, QUANTITY)
    assert desk.sent == []
    assert desk.position == QUANTITY


@pytest.mark.parametrize("can_change", [True, False])
def test_an_exit_that_cannot_be_made_smaller_is_cancelled(can_change: bool) -> None:
    """Where the broker changes no orders, or refuses to, it is taken off."""
    desk = WatchDesk(ExitPolicy.REPLACE_STOP)
    if can_change:
        desk.broker.modify_order = _refuse_change  # type: ignore[method-assign]  # it refuses
    else:
        fewer = desk.broker.capabilities - {Capability.ORDER_MODIFICATION}
        desk.broker.capabilities = fewer  # type: ignore[misc]  # a broker that can do less
    desk.start()
    grow(desk)
    desk.confirm()
    assert desk.broker.get_order("o-000004").status is OrderStatus.CANCELLED
    assert desk.position == QUANTITY
    assert [each.status for each in desk.exits()] == [OrderStatus.OPEN] * 2


def _refuse_change(order_id: str, modification: OrderModification) -> OrderResult:
    raise UnsupportedOperationError("no changes", outcome=Outcome.REJECTED)


def test_a_cancel_that_does_not_work_is_tried_a_few_times() -> None:
    """While an exit stands in the way nothing is sent, and that is told."""
    desk = WatchDesk(ExitPolicy.CLOSE_POSITION, max_resends=0)
    drop(desk)
    desk.venue.inject(Fault.DROP_BEFORE_ACCEPT, "cancel_order", times=99)
    desk.confirm(8)
    assert desk.sent == []
    assert desk.venue.requests_received("cancel_order") == 3
    failed = [event for event in desk.told() if event.alarm is None]
    assert len(failed) == 3
    assert all(RepairKind.CANCEL.value in event.message for event in failed)
