"""The stream of order events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bot_v2.features.brokerages.core.capabilities import Capability
from bot_v2.features.brokerages.core.events import OrderEvent, StreamGap
from bot_v2.features.brokerages.core.order_reports import order_after_report
from bot_v2.features.brokerages.core.order_status import OrderStatus
from bot_v2.simulation.faults import Fault
from bot_v2.testing.cards import Section, card
from bot_v2.testing.context import CheckContext
from bot_v2.testing.streams import Listener, listening
from bot_v2.testing.violation import expect, expect_equal

STREAM = (Capability.ORDER_STREAM,)
QUIET_S = 0.1
"""How long nothing must come for a stream to have said everything, in seconds."""


def _of(order_id: str, status: OrderStatus | None = None) -> Callable[[Any], bool]:
    """Return what accepts an event of an order, in a status where one is named."""

    def accept(event: object) -> bool:
        if not isinstance(event, OrderEvent) or event.order.order_id != order_id:
            return False
        return status is None or event.order.status is status

    return accept


def _events_of(listener: Listener, order_id: str) -> list[OrderEvent]:
    return [one for one in listener.seen if _of(order_id)(one)]


def _fill_in_parts(ctx: CheckContext, listener: Listener, parts: int) -> str:
    """Place an order, have it filled in parts, and listen until the last."""
    order_id = ctx.place_resting()
    price = ctx.market.resting_price()
    for _ in range(parts):
        ctx.venue.fill(order_id, ctx.market.unit, price)
    final = ctx.broker.get_order(order_id)
    listener.wait_for(
        lambda event: _of(order_id)(event) and event.order.filled_quantity == final.filled_quantity,
        ctx.profile.stream_timeout_s,
        f"an event with {final.filled_quantity} filled",
    )
    return order_id


@card("BC-OS010", "An order that is placed is an event.", Section.MEANING, capabilities=STREAM)
def _placed(ctx: CheckContext) -> None:
    """Its id, client id and terms are those of the order read."""
    _ = ctx.symbol
    with listening(ctx.untyped.stream_orders()) as listener:
        order_id = ctx.place_resting()
        event = listener.wait_for(
            _of(order_id), ctx.profile.stream_timeout_s, f"an event of {order_id}"
        )
    order = ctx.broker.get_order(order_id)
    for name in ("client_order_id", "symbol", "side", "type", "quantity", "price"):
        expect_equal(getattr(event.order, name), getattr(order, name), f"the event's {name}")


@card("BC-OS020", "A cancel is an event.", Section.MEANING, capabilities=STREAM)
def _cancelled(ctx: CheckContext) -> None:
    """The order's event says CANCELLED."""
    order_id = ctx.place_resting()
    with listening(ctx.untyped.stream_orders()) as listener:
        ctx.broker.cancel_order(order_id)
        listener.wait_for(
            _of(order_id, OrderStatus.CANCELLED), ctx.profile.stream_timeout_s, "CANCELLED"
        )


@card(
    "BC-OS030",
    "A fill is an event with its execution.",
    Section.MONEY,
    capabilities=STREAM,
    needs_venue=True,
)
def _fill(ctx: CheckContext) -> None:
    """The fill's quantity and price are those at the venue, and its order is the event's."""
    order_id = ctx.place_resting()
    price = ctx.market.resting_price()
    with listening(ctx.untyped.stream_orders()) as listener:
        ctx.venue.fill(order_id, ctx.market.unit, price)
        event = listener.wait_for(
            lambda one: _of(order_id)(one) and one.order.filled_quantity > 0,
            ctx.profile.stream_timeout_s,
            "an event of the fill",
        )
    if event.fill is not None:
        told = (event.fill.order_id, event.fill.quantity, event.fill.price)
        expect_equal(told, (order_id, ctx.market.unit, price), "the execution")


@card(
    "BC-OS040",
    "Events of an order come in order: what is filled never falls.",
    Section.EVIDENCE,
    capabilities=STREAM,
    needs_venue=True,
)
def _in_order(ctx: CheckContext) -> None:
    """Four fills are four growing quantities, the last of them FILLED."""
    _ = ctx.symbol
    with listening(ctx.untyped.stream_orders()) as listener:
        order_id = _fill_in_parts(ctx, listener, 4)
        filled = [one.order.filled_quantity for one in _events_of(listener, order_id)]
    expect(filled == sorted(filled), "quantities that never fall", filled)
    expect_equal(listener.seen[-1].order.status, OrderStatus.FILLED, "the last status")


@card(
    "BC-OS050",
    "Events that come twice count once.",
    Section.EVIDENCE,
    capabilities=STREAM,
    faults=(Fault.DUPLICATE_EVENT,),
    catalogue=("P01",),
)
def _duplicates(ctx: CheckContext) -> None:
    """Booked one by one they give the order that is read; an execution keeps its trade id."""
    _ = ctx.symbol
    with (
        listening(ctx.untyped.stream_orders()) as listener,
        ctx.fault(Fault.DUPLICATE_EVENT, None),
    ):
        order_id = _fill_in_parts(ctx, listener, 3)
        listener.drain(QUIET_S)
    _expect_booked(ctx, listener, order_id)
    trades = {one.fill.trade_id for one in _events_of(listener, order_id) if one.fill}
    expect(len(trades) <= 3, "at most three executions", trades)


@card(
    "BC-OS060",
    "Events that come in another order lead to the same order.",
    Section.EVIDENCE,
    capabilities=STREAM,
    faults=(Fault.REORDER_EVENTS,),
    catalogue=("P02", "P05"),
)
def _reordered(ctx: CheckContext) -> None:
    """Booked one by one they give the order that is read."""
    order_id = ctx.place_resting()
    price = ctx.market.resting_price()
    with listening(ctx.untyped.stream_orders()) as listener:
        ctx.venue.inject(Fault.REORDER_EVENTS, "stream_orders", 1)
        for _ in range(3):
            ctx.venue.fill(order_id, ctx.market.unit, price)
        ctx.venue.clear_faults()
        final = ctx.broker.get_order(order_id).filled_quantity
        listener.wait_for(
            lambda one: _of(order_id)(one) and one.order.filled_quantity == final,
            ctx.profile.stream_timeout_s,
            f"an event with {final} filled",
        )
        listener.drain(QUIET_S)
    _expect_booked(ctx, listener, order_id)


def _expect_booked(ctx: CheckContext, listener: Listener, order_id: str) -> None:
    """Check that the events, booked by core's rules, give the order that is read."""
    events = _events_of(listener, order_id)
    booked = events[0].order
    for event in events[1:]:
        booked = order_after_report(booked, event.order)
    final = ctx.broker.get_order(order_id)
    told = (booked.status, booked.filled_quantity, booked.average_fill_price)
    known = (final.status, final.filled_quantity, final.average_fill_price)
    expect_equal(told, known, "status, filled quantity and average price, as booked")


@card(
    "BC-OS070",
    "A stream that is closed ends, for whoever waits in it.",
    Section.THREADS,
    capabilities=STREAM,
)
def _closes(ctx: CheckContext) -> None:
    """A thread waits for an event while the stream is closed: its iterator ends in peace."""
    _ = ctx.symbol
    with listening(ctx.untyped.stream_orders()) as listener:
        pass
    ended = listener.has_ended(ctx.profile.stream_timeout_s)
    expect(ended, "the iterator to end without an error", listener.seen[-3:])


@card("BC-OS080", "Two streams both hear everything.", Section.THREADS, capabilities=STREAM)
def _two(ctx: CheckContext) -> None:
    """An order that is placed is an event in each of two streams."""
    _ = ctx.symbol
    with (
        listening(ctx.untyped.stream_orders()) as one,
        listening(ctx.untyped.stream_orders()) as other,
    ):
        order_id = ctx.place_resting()
        for listener in (one, other):
            listener.wait_for(_of(order_id), ctx.profile.stream_timeout_s, "an event")


@card(
    "BC-OS090",
    "disconnect() ends a stream, or reports a gap; it does not leave it waiting.",
    Section.MEANING,
    capabilities=STREAM,
    catalogue=("T18",),
)
def _disconnect(ctx: CheckContext) -> None:
    """A stream is open while the session ends: its iterator ends, or yields a StreamGap."""
    _ = ctx.symbol
    with listening(ctx.untyped.stream_orders()) as listener:
        ctx.broker.disconnect()
        if not listener.has_ended(ctx.profile.settle_s):
            listener.drain(QUIET_S)
            gaps = [one for one in listener.seen if isinstance(one, StreamGap)]
            expect(bool(gaps), "an end, or a StreamGap", listener.seen[-3:])


@card(
    "BC-OS100",
    "A stream that fell silent is reported, where the adapter claims to notice.",
    Section.FAILED_READ,
    capabilities=STREAM,
    faults=(Fault.MUTE_STREAM,),
    catalogue=("T16", "P04"),
)
def _mute(ctx: CheckContext) -> None:
    """The venue stays connected and says nothing: a StreamGap comes within the time claimed."""
    limit_s = ctx.profile.mute_timeout_s
    if limit_s is None:
        ctx.skip("the adapter does not claim to notice (ContractProfile.mute_timeout_s)")
    _ = ctx.symbol
    with listening(ctx.untyped.stream_orders()) as listener, ctx.fault(Fault.MUTE_STREAM, None):
        ctx.place_resting()
        listener.wait_for(
            lambda event: isinstance(event, StreamGap),
            limit_s + ctx.profile.stream_timeout_s,
            "a StreamGap",
        )


@card(
    "BC-OS110",
    "What a silent stream did not say is read.",
    Section.EVIDENCE,
    capabilities=STREAM,
    faults=(Fault.MUTE_STREAM,),
    catalogue=("P04", "T18"),
)
def _mute_then_read(ctx: CheckContext) -> None:
    """An order is filled while the stream is mute: get_order() and list_orders() know."""
    order_id = ctx.place_resting()
    price = ctx.market.resting_price()
    with listening(ctx.untyped.stream_orders()), ctx.fault(Fault.MUTE_STREAM, None):
        ctx.venue.fill(order_id, ctx.market.quantity, price)
        ctx.await_status(order_id, OrderStatus.FILLED)
    listed = {one.order_id: one.status for one in ctx.broker.list_orders()}
    expect_equal(listed.get(order_id), OrderStatus.FILLED, "the status in list_orders()")
