"""Corners of the watch of exits: what brokers leave out, and what changes in between."""

from __future__ import annotations

from decimal import Decimal as D
from typing import Any

import attrs
import pytest

from bot_v2.features.brokerages.core.events import OrderEvent
from bot_v2.features.brokerages.core.interfaces import (
    BrokerUnavailableError,
    Fill,
    InvalidRequestError,
    OrderSide,
    OrderStatus,
    OrderType,
    StopLoss,
    TakeProfit,
    UnsupportedOperationError,
)
from bot_v2.orchestration.execution.events import EventKind
from bot_v2.orchestration.execution.exit_group import (
    ExitGroup,
    Member,
    describe,
    find_dangers,
    stop_terms,
)
from bot_v2.orchestration.execution.settings import ExitPolicy
from bot_v2.orchestration.journal.records import OrderJournalError
from bot_v2.orchestration.journal.watch_records import ExitCause
from tests.unit.orchestration.execution.mistreatments import drop, end_early, vanish
from tests.unit.orchestration.execution.watch_desk import (
    GRACE_S,
    QUANTITY,
    SPOT,
    SYMBOL,
    WatchDesk,
    buy,
    raiser,
    stop_of,
)


def group_of(*members: Member, **terms: Any) -> ExitGroup:
    """A long entry of 30, filled, that wants a stop."""
    known: dict[str, Any] = {
        "symbol": SYMBOL,
        "exit_side": OrderSide.SELL,
        "filled": QUANTITY,
        "members": members,
        "wants_stop": True,
    }
    return ExitGroup(**{**known, **terms})


def exit_of(status: OrderStatus = OrderStatus.OPEN, filled: str = "0", **changes: Any) -> Member:
    """A stop that is live where its status says so."""
    order = stop_of("o-1", status, filled_quantity=D(filled), **changes)
    return Member(order=order, filled=D(filled), is_live=status is OrderStatus.OPEN)


@pytest.mark.parametrize(
    ("members", "found"),
    [
        ((exit_of(),), []),
        ((exit_of(quantity=None),), []),
        ((exit_of(OrderStatus.FILLED, "30"),), []),
        ((exit_of(quantity=D(10)),), [(ExitCause.EXIT_TOO_SMALL, D(20))]),
        (
            (exit_of(OrderStatus.FILLED, "10", quantity=D(10)),),
            [(ExitCause.EXIT_TOO_SMALL, D(20))],
        ),
        ((exit_of(OrderStatus.EXPIRED, "10"),), [(ExitCause.STOP_ENDED, D(20))]),
        ((exit_of(OrderStatus.REPLACED),), [(ExitCause.STOP_MISSING, QUANTITY)]),
        ((exit_of(quantity=D(31)),), [(ExitCause.EXIT_TOO_LARGE, D(1))]),
        (
            (exit_of(OrderStatus.FILLED, "31", quantity=D(31)),),
            [(ExitCause.EXIT_OVERFILLED, D(1))],
        ),
        (
            (exit_of(OrderStatus.CANCELLED, "10"), exit_of(OrderStatus.FILLED, "30")),
            [(ExitCause.BOTH_FILLED, D(10))],
        ),
        # Bought back: the excess is mended.
        (
            (
                exit_of(OrderStatus.FILLED, "30"),
                exit_of(OrderStatus.FILLED, "30"),
                exit_of(OrderStatus.FILLED, "30", side=OrderSide.BUY),
            ),
            [],
        ),
    ],
)
def test_what_exits_come_to(members: tuple[Member, ...], found: list[tuple[ExitCause, D]]) -> None:
    """What is filled, what lives and what ended make each danger, and its size."""
    dangers = find_dangers(group_of(*members))
    assert [(danger.cause, danger.quantity) for danger in dangers] == found


def test_an_exit_may_wait_for_all_of_a_live_entry() -> None:
    """While the entry lives its exits may be for all of it; without a quantity nobody can say."""
    entry = stop_of("o-0", OrderStatus.PARTIALLY_FILLED, quantity=D(50), filled_quantity=D(30))
    large = exit_of(quantity=D(50))
    assert find_dangers(group_of(large, entry=entry, entry_is_live=True)) == []
    by_value = attrs.evolve(entry, quantity=None)
    assert find_dangers(group_of(large, entry=by_value, entry_is_live=True)) == []
    assert len(find_dangers(group_of(large, entry=entry))) == 1


def test_what_is_not_said_is_told_as_such() -> None:
    """An exit of unknown size has a question mark; a stop that trails cannot be sent again."""
    trailing = exit_of(
        OrderStatus.CANCELLED, type=OrderType.TRAILING_STOP, stop_price=None, quantity=None
    )
    group = group_of(trailing)
    (danger,) = find_dangers(group)
    assert "x-1 trailing_stop ? is cancelled" in describe(danger, group, None)
    assert stop_terms(group) is None


def test_a_stop_that_comes_back_takes_the_place_of_the_one_in_its_stead() -> None:
    """Two stops could both be triggered: the one that was sent again is taken off."""
    desk = WatchDesk(ExitPolicy.REPLACE_STOP)
    desk.enter()
    stop = desk.stop().order_id
    desk.look()
    desk.bad.hidden.add(stop)
    desk.bad.lists_only = True
    desk.confirm()
    assert len(desk.sent) == 1
    desk.bad.hidden.clear()
    desk.bad.lists_only = False
    desk.confirm()
    assert {alarm.cause for alarm in desk.alarms} == {
        ExitCause.STOP_MISSING,
        ExitCause.EXIT_TOO_LARGE,
    }
    assert [order.order_id for order in desk.live if order.stop_price is not None] == [stop]


def test_a_stop_that_is_not_shown_yet_counts_as_sent() -> None:
    """A terse broker only names the order: it is not missing before its time."""
    desk = WatchDesk(ExitPolicy.REPLACE_STOP)
    desk.bad.is_terse = True
    drop(desk)
    desk.bad.hidden.add("o-000003")
    desk.bad.failing.add("get_order")
    desk.look()
    desk.look(GRACE_S)
    assert len(desk.sent) == 1
    desk.look(GRACE_S / 2)
    assert len(desk.alarms) == 1
    desk.bad.hidden.clear()
    desk.bad.failing.clear()
    desk.confirm()
    assert len(desk.alarms) == len(desk.sent) == 1


def test_a_watch_that_another_thread_looks_at_is_left_alone() -> None:
    """One look at a time: the other thread tells."""
    desk = WatchDesk()
    drop(desk)
    desk.look()
    desk.pass_time(GRACE_S)
    key = ("watch", desk.executor._context.watch_id("one"))
    desk.world._held[key] = (object(), 1)  # type: ignore[assignment]  # held by another task
    assert desk.executor.reconcile().alarms == ()
    del desk.world._held[key]
    assert len(desk.executor.reconcile().alarms) == 1


def test_a_result_is_given_though_its_watch_cannot_be_read() -> None:
    """What the broker answered is not less true for that."""
    desk = WatchDesk()
    real = desk.disk.find

    def find(intent_id: str) -> Any:
        if "watch" in intent_id:
            raise OrderJournalError("the disk is gone")
        return real(intent_id)

    desk.disk.find = find  # type: ignore[method-assign]  # only orders can be read
    assert desk.enter()
    desk.look()
    assert EventKind.JOURNAL_FAILED in desk.kinds


def test_an_exit_of_an_entry_of_ours_can_be_adopted_by_hand() -> None:
    """It belongs to the entry, and makes no pair of its own."""
    desk = WatchDesk()
    desk.enter()
    for order in desk.exits():
        assert desk.executor.adopt(order).success
    desk.confirm()
    desk.broker.cancel_order(desk.stop().order_id)
    desk.confirm()
    assert [alarm.client_order_id for alarm in desk.alarms] == ["one"]


def test_an_exit_that_was_replaced_and_names_its_entry_is_one_exit() -> None:
    """The order in its place is the same exit, although it names the entry itself."""
    desk = WatchDesk()
    desk.bad.drops_stop = True
    entry = desk.enter(take_profit=None)
    desk.bad.extra["x-1"] = stop_of(entry, OrderStatus.OPEN)
    desk.look()
    desk.bad.extra["x-1"] = stop_of(entry, OrderStatus.REPLACED, replaced_by="x-2")
    desk.bad.extra["x-2"] = stop_of(entry, OrderStatus.OPEN, order_id="x-2", replaces="x-1")
    desk.confirm()
    assert desk.alarms == []
    watch = desk.journal.find(desk.executor._context.watch_id("one"))
    assert watch is not None
    assert watch.watch.exits == ("x-1",)


def test_an_execution_that_is_taken_back_leaves_a_position() -> None:
    """The broker busts the profit's execution: what it had closed has no stop."""
    desk = WatchDesk()
    desk.enter()
    desk.look()
    profit = desk.exits()[0].order_id
    held = desk.broker.get_position(SYMBOL)
    desk.venue.set_market(SYMBOL, D(121), D(122), D(1000))
    desk.look()
    (fill,) = [each for each in desk.broker.list_fills() if each.order_id == profit]
    bust = attrs.evolve(fill, trade_id="bust-1", corrects=fill.trade_id, busted=True)
    assert isinstance(bust, Fill)
    desk.bad.stale_position = held
    desk.executor.take_event(OrderEvent(order=desk.broker.get_order(profit), fill=bust))
    desk.confirm()
    assert [alarm.cause for alarm in desk.alarms] == [ExitCause.STOP_ENDED]
    assert (desk.alarms[0].closed, desk.alarms[0].quantity) == (D(0), QUANTITY)


def test_a_read_that_fails_between_two_steps_ends_the_repair_for_now() -> None:
    """The profit is cancelled, and then nothing can be read: the close waits."""
    desk = WatchDesk(ExitPolicy.CLOSE_POSITION)
    end_early(desk)
    desk.look()
    real = desk.broker.cancel_order

    def cancel(order_id: str) -> bool:
        desk.bad.failing.add("list_orders")
        return real(order_id)

    desk.broker.cancel_order = cancel  # type: ignore[method-assign]  # then it is gone
    report = desk.look(GRACE_S)
    assert "list_orders" in {failed.method for failed in report.failed_reads}
    assert desk.sent == []
    desk.bad.failing.clear()
    desk.look()
    assert desk.position == 0


def test_a_stop_of_which_the_product_cannot_be_read_is_not_sent() -> None:
    """The product is read for the size of its steps: without it nothing leaves."""
    desk = WatchDesk(ExitPolicy.REPLACE_STOP)
    drop(desk)
    desk.look()
    real = desk.broker.get_product
    answers = [real(SYMBOL)]

    def get_product(symbol: str) -> Any:
        if not answers:
            raise BrokerUnavailableError("no answer to reads", outcome=None)
        return answers.pop() if desk.live == [] else real(symbol)

    desk.broker.get_product = get_product  # type: ignore[method-assign]  # it fails once
    desk.look(GRACE_S)
    assert desk.sent == []
    failed = [event for event in desk.told() if event.alarm is None]
    assert len(failed) == 1
    desk.broker.get_product = real  # type: ignore[method-assign]  # it answers
    desk.look()
    assert len(desk.sent) == 1


@pytest.mark.parametrize(
    ("side", "at_most", "says"),
    [
        (OrderSide.BUY, D(30), "would not reduce"),
        (OrderSide.SELL, D("0.4"), "less than one step"),
    ],
)
def test_a_close_that_would_not_reduce_is_not_sent(side: OrderSide, at_most: D, says: str) -> None:
    """The way and the size are checked against a fresh read of the position."""
    desk = WatchDesk()
    desk.broker.place_order(buy())
    result = desk.executor._closer.close_part(
        SYMBOL, "close1", side=side, at_most=at_most, is_guarded=True
    )
    assert isinstance(result.error, InvalidRequestError)
    assert says in result.message
    assert desk.sent == []


def test_what_nobody_says_is_held_is_not_closed() -> None:
    """A product that is neither a position nor a balance is told of, and left alone."""
    desk = WatchDesk(ExitPolicy.CLOSE_POSITION)
    desk.bad.keeps_balances = True
    drop(desk)
    desk.confirm()
    assert [alarm.position for alarm in desk.alarms] == [None]
    assert desk.sent == []
    assert desk.position == QUANTITY


def test_a_position_is_closed_beside_exits_that_cancel_one_another() -> None:
    """Of a profit and a stop one alone is filled: what goes beyond them is closed."""
    desk = WatchDesk()
    desk.broker.place_order(buy("20"))
    desk.enter()
    result = desk.executor.close_position(SYMBOL)
    assert result.success
    assert [each.quantity for each in desk.sent] == [D(20)]


def test_a_close_without_a_guard_is_sent_where_the_broker_takes_none() -> None:
    """A broker that refuses reduce-only orders gets a plain one, by what was just read."""
    desk = WatchDesk()
    desk.broker.place_order(buy("20"))
    desk.bad.takes_guard = False
    assert desk.executor.close_position(SYMBOL).success
    assert [each.reduce_only for each in desk.sent] == [True, False]
    assert isinstance(desk.executor.close_position(SPOT).error, InvalidRequestError)
    desk.bad.inner.get_position = raiser(UnsupportedOperationError("see get_balance"))
    assert isinstance(desk.executor.close_position(SYMBOL).error, UnsupportedOperationError)


def test_a_stop_that_is_gone_from_the_lists_is_told() -> None:
    """The order can still be read by its id, and is listed no more."""
    desk = WatchDesk()
    vanish(desk)
    desk.confirm()
    assert [alarm.order_ids for alarm in desk.alarms] == [("o-000003",)]


def test_an_order_in_the_group_of_its_entry_is_an_exit() -> None:
    """Where the broker names no parent, the group that they share tells."""
    desk = WatchDesk(ExitPolicy.CLOSE_POSITION)
    desk.bad.drops_stop = True
    desk.bad.groups["o-000001"] = "g-1"
    entry = desk.enter(take_profit=None, type=OrderType.LIMIT, price=D(100))
    desk.bad.extra["x-1"] = stop_of(entry, OrderStatus.OPEN, parent_order_id=None, group_id="g-1")
    report = desk.confirm()
    assert (desk.alarms, report.foreign_orders) == ([], ())


def test_of_an_entry_that_nobody_has_seen_nothing_is_concluded() -> None:
    """The broker took it and shows it to nobody: whether it was filled is not known."""
    desk = WatchDesk()
    desk.bad.is_terse = True
    desk.bad.hidden.add("o-000001")
    desk.bad.lists_only = True
    drop(desk)
    desk.confirm()
    assert desk.alarms == []
    desk.bad.hidden.clear()
    desk.confirm()
    assert [alarm.cause for alarm in desk.alarms] == [ExitCause.STOP_MISSING]


def test_a_pair_of_unknown_size_is_followed_and_not_judged() -> None:
    """Where the broker says no quantity, nobody can say what is too much."""
    desk = WatchDesk()
    unsized = stop_of("o-0", OrderStatus.OPEN, parent_order_id=None, group_id="g-1", quantity=None)
    desk.bad.extra["x-1"] = unsized
    (foreign,) = desk.look().foreign_orders or ()
    assert desk.executor.adopt(foreign).success
    desk.confirm()
    assert desk.alarms == []
    ended = attrs.evolve(unsized, status=OrderStatus.FILLED, filled_quantity=QUANTITY)
    desk.bad.extra["x-1"] = ended
    desk.confirm()
    assert desk.alarms == []
    assert desk.executor.list_open() == []
    assert desk.journal.list_open(desk.executor.scope) == []


def test_a_stop_that_no_list_shows_and_a_read_does_is_there() -> None:
    """A list that leaves out what the broker shows by its id proves nothing."""
    desk = WatchDesk(ExitPolicy.REPLACE_STOP)
    desk.enter()
    desk.look()
    desk.bad.hidden.add(desk.stop().order_id)
    desk.confirm()
    assert (desk.alarms, desk.sent) == ([], [])


def test_a_watch_does_not_end_on_what_is_only_suspected() -> None:
    """A late fill is heard of when all seemed over, and the position that is read is behind."""
    desk = WatchDesk(ExitPolicy.CLOSE_POSITION)
    desk.enter(take_profit=None)
    stop = desk.stop().order_id
    desk.venue.fill(stop, QUANTITY, D(80))
    desk.look()
    desk.venue.late_fill(stop, D(1), D(80))
    real = desk.bad.inner.get_position
    desk.bad.inner.get_position = lambda symbol: None
    desk.look(GRACE_S)
    desk.bad.inner.get_position = real
    desk.confirm()
    assert [alarm.cause for alarm in desk.alarms] == [ExitCause.EXIT_OVERFILLED]
    assert desk.position == 0


def test_an_entry_of_a_person_is_watched_with_its_exits_once_it_is_adopted() -> None:
    """Where they share a group, the entry is told from its exits, and its stop sent again."""
    desk = WatchDesk(ExitPolicy.REPLACE_STOP)
    by_hand = buy(
        type=OrderType.LIMIT,
        price=D(90),
        client_order_id="by-hand",
        take_profit=TakeProfit(price=D(120)),
        stop_loss=StopLoss(stop_price=D(80)),
    )
    entry = desk.broker.place_order(by_hand).order_id or ""
    desk.bad.groups[entry] = "g-000001"
    (foreign,) = desk.look().foreign_orders or ()
    assert desk.executor.adopt(foreign).success
    desk.confirm()
    desk.venue.set_market(SYMBOL, D(89), D(90), D(1000))
    desk.confirm()
    assert desk.alarms == []
    stop = desk.stop()
    desk.broker.cancel_order(stop.order_id)
    desk.confirm()
    (alarm,) = desk.alarms
    assert (alarm.cause, alarm.order_ids) == (ExitCause.STOP_ENDED, (stop.order_id,))
    assert alarm.entry is not None
    assert alarm.entry.order_id == entry
    assert [(each.stop_price, each.quantity) for each in desk.sent] == [(D(80), QUANTITY)]
