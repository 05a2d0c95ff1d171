"""Entries and exits are watched: what is wrong is believed by two looks, and told once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal as D
from typing import Any

import attrs
import pytest

from bot_v2.features.brokerages.core.events import OrderEvent, StreamGap
from bot_v2.features.brokerages.core.interfaces import (
    InvalidFieldError,
    InvalidRequestError,
    OrderOutcomeUnknownError,
    OrderRejectedError,
    OrderRequest,
    OrderSide,
    OrderStatus,
    OrderType,
    PositionEffect,
    StopLoss,
)
from bot_v2.orchestration.execution.events import ALARMING, EventKind
from bot_v2.orchestration.execution.settings import (
    ExecutorSettings,
    ExitPolicy,
    executor_settings,
)
from bot_v2.orchestration.journal.records import IntentKind
from bot_v2.orchestration.journal.watch_records import ExitCause
from bot_v2.simulation.faults import Fault
from tests.unit.orchestration.execution.mistreatments import (
    MENDING,
    MISTREATMENTS,
    drop,
    end_early,
    fill_both,
)
from tests.unit.orchestration.execution.watch_desk import (
    GRACE_S,
    QUANTITY,
    SPOT,
    SYMBOL,
    WatchDesk,
    buy,
    raiser,
    rest,
    stop_of,
)


@pytest.mark.parametrize(("mistreat", "cause", "quantity"), MISTREATMENTS)
def test_what_is_wrong_is_told_once_and_sends_nothing(
    mistreat: Callable[[WatchDesk], None], cause: ExitCause, quantity: str
) -> None:
    """After the grace, and not before, an alarm says everything; by default that is all."""
    desk = WatchDesk()
    mistreat(desk)
    first = desk.look()
    assert (desk.alarms, first.alarms) == ([], ())
    assert first.look_again_at == desk.world.now + timedelta(seconds=GRACE_S)
    desk.look(GRACE_S - 0.1)
    assert desk.alarms == []
    report = desk.look(0.1)
    desk.confirm()
    (alarm,) = desk.alarms
    assert (alarm.cause, alarm.quantity) == (cause, D(quantity))
    assert (alarm.client_order_id, alarm.symbol) == ("one", SYMBOL)
    assert alarm.entry is not None
    assert (alarm.entry.order_id, alarm.filled) == ("o-000001", QUANTITY)
    assert alarm.policy is ExitPolicy.ALARM_ONLY
    assert alarm.at == report.at
    assert alarm.since + timedelta(seconds=GRACE_S) == alarm.at
    assert [each.key for each in report.alarms] == [alarm.key]
    assert not report.is_clean
    assert f"ALARM: {cause.value}: {quantity} {SYMBOL} of order o-000001" in report.explain()
    assert EventKind.EXIT_ALARM in ALARMING
    assert desk.sent == []
    assert desk.told(EventKind.EXIT_REPAIR) == []


@pytest.mark.parametrize("policy", MENDING)
@pytest.mark.parametrize(("mistreat", "cause", "quantity"), MISTREATMENTS)
def test_the_policy_leaves_nothing_without_a_stop(
    mistreat: Callable[[WatchDesk], None],
    cause: ExitCause,
    quantity: str,
    policy: ExitPolicy,
) -> None:
    """The rest is closed, or has a stop of its size; nothing that lives can turn the position."""
    desk = WatchDesk(policy)
    mistreat(desk)
    desk.confirm(5)
    assert {alarm.cause for alarm in desk.alarms} >= {cause}
    position = desk.position
    stops = [each for each in desk.live if each.stop_price is not None]
    covered = sum((each.remaining_quantity or D(0) for each in stops), D(0))
    assert position == covered
    if policy is ExitPolicy.CLOSE_POSITION and cause is not ExitCause.EXIT_TOO_LARGE:
        assert covered == (D("10") if cause is ExitCause.EXIT_TOO_SMALL else 0)
    assert all((each.remaining_quantity or D(0)) <= position for each in desk.live)
    assert len(desk.sent) <= 1
    assert len({each.client_order_id for each in desk.sent}) == len(desk.sent)
    assert desk.confirm(2).alarms == ()


@pytest.mark.parametrize("lag_s", [0.0, 3.0, 30.0])
@pytest.mark.parametrize("interval_s", [1.0, 4.0, 15.0])
@pytest.mark.parametrize("policy", MENDING)
def test_the_policy_is_applied_within_its_bound(
    policy: ExitPolicy, interval_s: float, lag_s: float
) -> None:
    """From the fill to the repair it takes at most the grace and two intervals between looks.

    Where the broker shows things late, one interval more; and the lag and another one, as the
    profit has to be cancelled first.
    """
    desk = WatchDesk(policy)
    slow = attrs.evolve(desk.broker.idempotency, visibility_lag_s=lag_s)
    desk.broker.idempotency = slow  # type: ignore[misc]  # another kind of broker
    desk.start()
    desk.bad.drops_stop = True
    desk.enter()
    entered_at = desk.world.now
    alarmed_at = None
    while not desk.sent:
        desk.look(interval_s)
        if desk.alarms and alarmed_at is None:
            alarmed_at = desk.world.now
    assert alarmed_at is not None
    bound_s = max(GRACE_S, lag_s) + 2 * interval_s + (interval_s if lag_s else 0.0)
    assert alarmed_at - entered_at <= timedelta(seconds=bound_s)
    bound_s += lag_s + interval_s if lag_s else 0.0
    assert desk.world.now - entered_at <= timedelta(seconds=bound_s)


def test_the_bound_holds_where_the_broker_shows_things_late() -> None:
    """Two looks later than the broker's lag are believed; a step is seen before the next one."""
    desk = WatchDesk(ExitPolicy.CLOSE_POSITION)
    slow = attrs.evolve(desk.broker.idempotency, visibility_lag_s=30.0)
    desk.broker.idempotency = slow  # type: ignore[misc]  # another kind of broker
    desk.start()
    desk.bad.drops_stop = True
    desk.enter()
    desk.look()
    desk.look(29.9)
    desk.look(0.1)
    assert desk.alarms == []
    desk.look(1.0)
    assert len(desk.alarms) == 1
    assert desk.sent == []
    desk.look(29.9)
    assert desk.sent == []
    desk.look(0.1)
    assert len(desk.sent) == 1
    assert desk.position == 0


def test_exits_that_do_their_work_are_left_alone() -> None:
    """Until an exit closes the position nothing is told; then the watch is over."""
    desk = WatchDesk(ExitPolicy.CLOSE_POSITION)
    desk.enter()
    report = desk.confirm()
    assert report.foreign_orders == ()
    assert (report.alarms, report.look_again_at) == ((), None)
    assert report.is_clean
    desk.venue.set_market(SYMBOL, D(121), D(122), D(1000))
    desk.look()
    assert desk.is_watched()
    desk.look(GRACE_S)
    assert not desk.is_watched()
    assert (desk.alarms, desk.sent, desk.position) == ([], [], D(0))
    assert desk.executor.list_open() == []


def test_exits_that_are_filled_in_parts_are_left_alone() -> None:
    """The entry and its exits are filled bit by bit, and each look shows what there should be."""
    desk = WatchDesk(ExitPolicy.CLOSE_POSITION)
    desk.venue.set_market(SYMBOL, D(99), D(100), D("10"))
    desk.enter(type=OrderType.LIMIT, price=D(100))
    desk.confirm(1)
    for price in (D(121), D(122), D(123)):
        desk.venue.set_market(SYMBOL, D(99), D(100), D("10"))
        desk.confirm(1)
        desk.venue.set_market(SYMBOL, price, price + 1, D("10"))
        desk.confirm(1)
    desk.venue.set_market(SYMBOL, D(121), D(122), D(1000))
    desk.confirm()
    assert (desk.alarms, desk.sent, desk.position) == ([], [], D(0))
    assert not desk.is_watched()


def test_an_entry_that_was_never_filled_is_not_watched_for_ever() -> None:
    """Its end ends the watch."""
    desk = WatchDesk()
    entry = desk.enter(type=OrderType.LIMIT, price=D(90))
    desk.confirm()
    assert desk.is_watched()
    assert desk.executor.cancel(entry).success
    desk.confirm()
    assert not desk.is_watched()
    assert desk.alarms == []


def test_an_entry_that_is_refused_is_not_watched() -> None:
    """Of what the broker refused there is nothing to watch."""
    desk = WatchDesk()
    result = desk.executor.submit(
        buy("99999", client_order_id="one", stop_loss=StopLoss(stop_price=D(80)))
    )
    assert not result.success
    assert not desk.is_watched()


def test_while_the_entry_lives_it_is_told_and_nothing_is_sent() -> None:
    """What is filled of an entry that goes on has no stop: that is told; its rest may bring one."""
    desk = WatchDesk(ExitPolicy.CLOSE_POSITION)
    desk.venue.set_market(SYMBOL, D(99), D(100), D("10"))
    desk.bad.drops_stop = True
    entry = desk.enter(type=OrderType.LIMIT, price=D(100))
    desk.confirm()
    assert [alarm.quantity for alarm in desk.alarms] == [D("10")]
    assert desk.sent == []
    desk.executor.cancel(entry)
    desk.confirm()
    assert desk.position == 0


# What is not believed


@pytest.mark.parametrize("name", ["list_orders", "get_position"])
def test_a_read_that_fails_proves_nothing(name: str) -> None:
    """While a read fails nothing is told or sent, and the report says that it failed."""
    desk = WatchDesk(ExitPolicy.CLOSE_POSITION)
    desk.bad.drops_stop = True
    desk.enter()
    desk.bad.failing.add(name)
    report = desk.confirm()
    assert (desk.alarms, desk.sent) == ([], [])
    assert name in {failed.method for failed in report.failed_reads}
    desk.bad.failing.clear()
    desk.confirm()
    assert len(desk.alarms) == 1
    assert desk.position == 0


def test_one_look_proves_nothing() -> None:
    """A stop that a single look does not show is not missing."""
    desk = WatchDesk(ExitPolicy.CLOSE_POSITION)
    desk.enter()
    desk.look()
    stop = desk.stop().order_id
    desk.bad.lists_only = True
    for _ in range(3):
        desk.bad.hidden.add(stop)
        desk.look(GRACE_S)
        desk.bad.hidden.clear()
        desk.look(GRACE_S)
    assert (desk.alarms, desk.sent) == ([], [])


def test_a_stop_of_somebody_else_protects_as_well() -> None:
    """Where a person has placed another stop, nothing is wrong; once it is gone, something is."""
    desk = WatchDesk()
    end_early(desk)
    desk.broker.cancel_order(desk.exits()[0].order_id)
    own = OrderRequest(
        symbol=SYMBOL,
        side=OrderSide.SELL,
        quantity=QUANTITY,
        type=OrderType.STOP,
        stop_price=D(70),
    )
    placed = desk.broker.place_order(own)
    desk.confirm()
    assert desk.alarms == []
    assert desk.is_watched()
    desk.broker.cancel_order(placed.order_id or "")
    desk.confirm()
    assert [alarm.cause for alarm in desk.alarms] == [ExitCause.STOP_ENDED]


def test_a_position_that_is_gone_needs_no_stop() -> None:
    """The bot takes its exits off and closes: nothing is told, and the watch ends."""
    desk = WatchDesk(ExitPolicy.REPLACE_STOP)
    desk.enter()
    for order in desk.exits():
        desk.executor.cancel(order.order_id)
    assert desk.executor.close_position(SYMBOL).success
    desk.confirm()
    assert desk.alarms == []
    assert not desk.is_watched()


def test_a_close_never_takes_more_than_the_position() -> None:
    """A person has sold part of it: only what is left is closed."""
    desk = WatchDesk(ExitPolicy.CLOSE_POSITION)
    desk.bad.drops_stop = True
    desk.enter(take_profit=None)
    desk.broker.place_order(attrs.evolve(buy("20"), side=OrderSide.SELL))
    desk.confirm()
    assert [alarm.quantity for alarm in desk.alarms] == [D("10")]
    assert [each.quantity for each in desk.sent] == [D("10")]
    assert desk.position == 0


def test_a_close_leaves_alone_what_was_there_before() -> None:
    """Of a larger position only the unprotected part is closed."""
    desk = WatchDesk(ExitPolicy.CLOSE_POSITION)
    desk.broker.place_order(buy("100"))
    desk.bad.drops_stop = True
    desk.enter()
    desk.confirm()
    assert desk.position == 100
    assert len(desk.sent) == 1


def test_an_excess_that_turned_nothing_is_told_and_not_traded() -> None:
    """Both exits were filled, out of a position that was larger anyway."""
    desk = WatchDesk(ExitPolicy.CLOSE_POSITION)
    desk.broker.place_order(buy("100"))
    fill_both(desk)
    desk.confirm()
    assert [alarm.cause for alarm in desk.alarms] == [ExitCause.BOTH_FILLED]
    assert desk.sent == []
    assert desk.position == D("70")
    assert not desk.is_watched()


def test_a_short_entry_is_watched_as_well() -> None:
    """What was sold short is bought back."""
    desk = WatchDesk(ExitPolicy.CLOSE_POSITION)
    desk.bad.drops_stop = True
    result = desk.executor.submit(
        OrderRequest(
            symbol=SYMBOL,
            side=OrderSide.SELL,
            quantity=QUANTITY,
            position_effect=PositionEffect.OPEN,
            stop_loss=StopLoss(stop_price=D(120)),
            client_order_id="one",
        )
    )
    assert result.success
    assert desk.position == -QUANTITY
    desk.confirm()
    assert [(each.side, each.quantity) for each in desk.sent] == [(OrderSide.BUY, QUANTITY)]
    assert desk.position == 0


def test_spot_that_is_kept_as_a_balance_is_closed_by_what_there_is() -> None:
    """Where there are no positions, no more is sold than the balance, in whole steps."""
    desk = WatchDesk(ExitPolicy.CLOSE_POSITION, symbol=SPOT)
    desk.bad.keeps_balances = True
    desk.bad.drops_stop = True
    desk.enter(quantity=D("0.3"))
    real = desk.broker.get_balance

    def less_a_fee(asset: str) -> Any:
        balance = real(asset)
        missing = D("0.0000000009")
        return attrs.evolve(balance, total=balance.total - missing, available=None, hold=None)

    desk.broker.get_balance = less_a_fee  # type: ignore[method-assign]  # a fee in the coin
    desk.look()
    desk.look(GRACE_S)
    (close,) = desk.sent
    assert desk.broker.get_product(SPOT).size_increment == D("0.00000001")
    assert close.quantity == D("0.29999999")
    assert desk.confirm().alarms == ()


# Events, pairs, and the operator


def test_news_of_a_stream_has_the_exits_looked_at() -> None:
    """The events of the stream confirm the danger and apply the policy, without a reconcile."""
    desk = WatchDesk(ExitPolicy.CLOSE_POSITION)
    desk.enter()
    profit, stop = desk.exits()
    filled = desk.broker.get_order("o-000001")
    assert desk.executor.take_event(OrderEvent(order=filled)) == ()
    desk.broker.cancel_order(stop.order_id)
    ended = OrderEvent(order=desk.broker.get_order(stop.order_id))
    assert desk.executor.take_event(ended) == ()
    desk.pass_time(GRACE_S)
    (alarm,) = desk.executor.take_event(OrderEvent(order=desk.broker.get_order(profit.order_id)))
    assert alarm.cause is ExitCause.STOP_ENDED
    assert desk.position == 0


def test_news_of_an_exit_that_is_not_known_yet_is_taken_up() -> None:
    """An exit that names an entry of ours is followed from then on; its fill is booked."""
    desk = WatchDesk()
    desk.enter()
    profit = desk.exits()[0]
    desk.executor.take_event(OrderEvent(order=profit))
    desk.venue.set_market(SYMBOL, D(121), D(122), D(1000))
    (fill,) = [each for each in desk.broker.list_fills() if each.order_id == profit.order_id]
    order = desk.broker.get_order(profit.order_id)
    for _ in range(2):
        desk.executor.take_event(OrderEvent(order=order, fill=fill))
    assert desk.kinds.count(EventKind.FILL) == 1
    assert EventKind.ORDER_ENDED in desk.kinds


def test_news_of_other_orders_and_gaps() -> None:
    """What is not watched is only taken up; a gap is reconciled."""
    desk = WatchDesk()
    resting = desk.executor.submit(rest(client_order_id="two"))
    desk.broker.cancel_order(resting.order_id or "")
    order = desk.broker.get_order(resting.order_id or "")
    assert desk.executor.take_event(OrderEvent(order=order)) == ()
    assert EventKind.ORDER_ENDED in desk.kinds
    hand = desk.broker.place_order(rest(client_order_id="by-hand"))
    order = desk.broker.get_order(hand.order_id or "")
    assert desk.executor.take_event(OrderEvent(order=order)) == ()
    drop(desk)
    desk.look()
    desk.pass_time(GRACE_S)
    gap = StreamGap(timestamp=desk.world.now, reason="the connection was lost")
    assert len(desk.executor.take_event(gap)) == 1


def test_a_pair_that_is_adopted_is_watched() -> None:
    """Of a pair that was placed without an entry, both are filled: that is told, and mended."""
    desk = WatchDesk(ExitPolicy.CLOSE_POSITION)
    desk.broker.place_order(buy("30"))
    first, second = desk.broker.place_oco(
        attrs.evolve(rest("120", client_order_id="profit"), side=OrderSide.SELL, quantity=QUANTITY),
        OrderRequest(
            symbol=SYMBOL,
            side=OrderSide.SELL,
            quantity=QUANTITY,
            type=OrderType.STOP,
            stop_price=D(80),
            client_order_id="stop",
        ),
    )
    foreign = desk.look().foreign_orders or ()
    assert {order.order_id for order in foreign} == {first.order_id, second.order_id}
    for order in foreign:
        assert desk.executor.adopt(order).success
        assert desk.executor.adopt(order).success
    assert desk.confirm().foreign_orders == ()
    desk.venue.set_market(SYMBOL, D(121), D(122), D(1000))
    desk.venue.late_fill(second.order_id or "", QUANTITY, D(80))
    assert desk.position == -QUANTITY
    desk.confirm()
    assert [alarm.cause for alarm in desk.alarms] == [ExitCause.BOTH_FILLED]
    assert desk.alarms[0].entry is None
    assert "a pair of exits" in desk.alarms[0].message
    assert desk.position == 0
    assert len(desk.sent) == 1


def test_the_stop_of_a_pair_is_sent_again_as_it_was() -> None:
    """Its terms are those of the stop that ended; the profit makes room for it."""
    desk = WatchDesk(ExitPolicy.REPLACE_STOP)
    desk.broker.place_order(buy("30"))
    _, second = desk.broker.place_oco(
        attrs.evolve(rest("120", client_order_id="profit"), side=OrderSide.SELL, quantity=QUANTITY),
        OrderRequest(
            symbol=SYMBOL,
            side=OrderSide.SELL,
            quantity=QUANTITY,
            type=OrderType.STOP,
            stop_price=D(80),
            client_order_id="stop",
        ),
    )
    for order in desk.look().foreign_orders or ():
        desk.executor.adopt(order)
    desk.look()
    desk.broker.cancel_order(second.order_id or "")
    desk.confirm()
    (stop,) = desk.sent
    assert (stop.type, stop.stop_price, stop.quantity) == (OrderType.STOP, D(80), QUANTITY)
    assert [order.client_order_id for order in desk.live] == [stop.client_order_id]


def test_an_order_without_siblings_is_adopted_and_not_watched() -> None:
    """A single order is followed alone."""
    desk = WatchDesk()
    desk.broker.place_order(rest(client_order_id="by-hand"))
    (foreign,) = desk.look().foreign_orders or ()
    desk.executor.adopt(foreign)
    kinds = {state.intent.kind for state in desk.journal.list_open(desk.executor.scope)}
    assert kinds == {IntentKind.ADOPT}


def test_an_operator_can_end_a_watch() -> None:
    """From then on nothing is told or sent, not even when something more is filled."""
    desk = WatchDesk(ExitPolicy.CLOSE_POSITION)
    desk.enter()
    desk.look()
    desk.executor.unwatch("one", because="the desk watches it")
    assert not desk.is_watched()
    profit, stop = desk.exits()
    desk.broker.cancel_order(stop.order_id)
    desk.venue.fill(profit.order_id, D("10"), D(120))
    desk.confirm()
    assert (desk.alarms, desk.sent) == ([], [])
    for name in ("one", "two"):
        with pytest.raises(InvalidRequestError):
            desk.executor.unwatch(name, because="again")


def test_a_fill_after_the_end_takes_the_watch_up_again() -> None:
    """The stop is filled long after the profit was, and after everything was over."""
    desk = WatchDesk(ExitPolicy.CLOSE_POSITION)
    desk.enter()
    desk.confirm()
    stop = desk.stop().order_id
    desk.venue.set_market(SYMBOL, D(121), D(122), D(1000))
    desk.confirm()
    assert not desk.is_watched()
    desk.venue.late_fill(stop, QUANTITY, D(80))
    desk.confirm()
    assert [alarm.cause for alarm in desk.alarms] == [ExitCause.BOTH_FILLED]
    assert desk.position == 0
    assert not desk.is_watched()


def test_an_operators_word_for_the_entry_begins_its_watch() -> None:
    """An entry that a person found is watched like any other."""
    desk = WatchDesk()
    desk.bad.drops_stop = True
    desk.bad.failing |= {"list_orders", "get_order"}
    real = desk.broker.get_order_by_client_id
    error = OrderRejectedError("no answer", outcome=None)
    desk.broker.get_order_by_client_id = raiser(error)  # type: ignore[method-assign]  # no answer
    desk.broker.list_fills = raiser(error)  # type: ignore[method-assign]  # no answer
    desk.venue.inject(Fault.DROP_AFTER_ACCEPT, "place_order")
    result = desk.executor.submit(
        buy("30", client_order_id="one", stop_loss=StopLoss(stop_price=D(80)))
    )
    assert isinstance(result.error, OrderOutcomeUnknownError)
    assert not desk.is_watched()
    assert desk.executor.resolve("one", because="seen", order_id="o-000001").success
    assert desk.is_watched()
    desk.bad.failing.clear()
    desk.broker.get_order_by_client_id = real  # type: ignore[method-assign]  # it answers
    del desk.broker.list_fills
    desk.confirm()
    assert [alarm.cause for alarm in desk.alarms] == [ExitCause.STOP_MISSING]


def test_an_exit_that_is_replaced_is_followed() -> None:
    """A stop that the broker replaced by another covers as before."""
    desk = WatchDesk(ExitPolicy.CLOSE_POSITION)
    desk.bad.drops_stop = True
    entry = desk.enter(take_profit=None)
    desk.bad.extra["x-1"] = stop_of(entry, OrderStatus.OPEN)
    desk.confirm()
    desk.bad.extra["x-1"] = stop_of(entry, OrderStatus.REPLACED, replaced_by="x-2")
    desk.bad.extra["x-2"] = stop_of(
        entry, OrderStatus.OPEN, order_id="x-2", replaces="x-1", parent_order_id=None
    )
    desk.confirm()
    assert (desk.alarms, desk.sent) == ([], [])
    desk.bad.extra["x-2"] = attrs.evolve(desk.bad.extra["x-2"], status=OrderStatus.EXPIRED)
    desk.confirm()
    assert [alarm.cause for alarm in desk.alarms] == [ExitCause.STOP_ENDED]
    assert desk.alarms[0].order_ids == ("x-2",)
    assert desk.position == 0


def test_settings_of_the_watch_come_from_the_environment() -> None:
    """ORDER_EXIT_POLICY and ORDER_EXIT_GRACE are read; by default nothing is sent."""
    settings = executor_settings(
        environ={"ORDER_EXIT_POLICY": "replace_stop", "ORDER_EXIT_GRACE": "2.5"}
    )
    assert (settings.exit_policy, settings.exit_grace_s) == (ExitPolicy.REPLACE_STOP, 2.5)
    assert ExecutorSettings().exit_policy is ExitPolicy.ALARM_ONLY
    with pytest.raises(InvalidFieldError):
        executor_settings(environ={"ORDER_EXIT_POLICY": "panic"})
    with pytest.raises(InvalidFieldError):
        ExecutorSettings(exit_grace_s=-1.0)
    with pytest.raises(InvalidFieldError):
        ExecutorSettings(max_repairs=-1)
