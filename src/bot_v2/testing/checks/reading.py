"""Reading orders: complete, exact, newest first."""

from __future__ import annotations

from collections import Counter

from bot_v2.features.brokerages.core.errors import OrderNotFoundError
from bot_v2.features.brokerages.core.order_status import LIVE_STATUSES, OrderStatus
from bot_v2.features.brokerages.core.orders import Order
from bot_v2.testing.cards import Section, card
from bot_v2.testing.context import CheckContext
from bot_v2.testing.violation import expect, expect_equal, expect_error
from bot_v2.testing.waiting import wait_until


@card("BC-R010", "An order that never was is OrderNotFoundError.", Section.MEANING)
def _unknown(ctx: CheckContext) -> None:
    """The id has the broker's form, and no order has it; the error names it."""
    order_id = ctx.unknown_order_id()
    error = expect_error(
        lambda: ctx.broker.get_order(order_id),
        OrderNotFoundError,
        when=f"get_order({order_id!r})",
    )
    expect(order_id in (error.order_id or "") + error.message, "the id on the error", error)


@card("BC-R020", "list_orders() has every live order.", Section.MEANING)
def _live(ctx: CheckContext) -> None:
    """Five orders rest, and all five are listed."""
    placed = {ctx.place_resting() for _ in range(5)}
    _await_listed(ctx, placed)


def _await_listed(ctx: CheckContext, placed: set[str]) -> list[Order]:
    return wait_until(
        ctx.broker.list_orders,
        lambda listed: placed <= {order.order_id for order in listed},
        ctx.profile.settle_s,
        f"all {len(placed)} orders in list_orders()",
    )


@card("BC-R030", "list_orders() is newest first.", Section.MEANING)
def _newest_first(ctx: CheckContext) -> None:
    """Three orders are placed one after the other, and listed in the other order."""
    placed = [ctx.place_resting() for _ in range(3)]
    listed = [one.order_id for one in _await_listed(ctx, set(placed)) if one.order_id in placed]
    expect_equal(listed, placed[::-1], "the order of the list")
    stamps = [one.timestamp for one in ctx.broker.list_orders() if one.timestamp is not None]
    expect(stamps == sorted(stamps, reverse=True), "falling timestamps", stamps[:5])


@card("BC-R040", "The status filter is exact.", Section.MEANING)
def _filter(ctx: CheckContext) -> None:
    """For each status, the orders of that status are those of the whole list that have it."""
    kept, cancelled = ctx.place_resting(), ctx.place_resting()
    ctx.broker.cancel_order(cancelled)
    ctx.await_end(cancelled)
    _await_listed(ctx, {kept, cancelled})
    whole = ctx.broker.list_orders()
    for status in OrderStatus:
        expected = {order.order_id for order in whole if order.status is status}
        filtered = ctx.broker.list_orders(status)
        expect(all(one.status is status for one in filtered), f"only {status.name}", filtered)
        actual = {order.order_id for order in filtered}
        expect_equal(actual, expected, f"the orders that are {status.name}")


@card(
    "BC-R050",
    "All pages are followed.",
    Section.FAILED_READ,
    needs_venue=True,
    catalogue=("P10",),
)
def _pages(ctx: CheckContext) -> None:
    """More orders than a page holds are placed, and every one is listed, once, newest first."""
    quantity = ctx.market.unit
    placed = [
        ctx.id_of(ctx.place(ctx.request(quantity=quantity))) for _ in range(ctx.profile.burst)
    ]
    listed = [one.order_id for one in _await_listed(ctx, set(placed))]
    twice = [order_id for order_id, times in Counter(listed).items() if times > 1]
    expect(not twice, "each order once", twice[:5])
    ours = [order_id for order_id in listed if order_id in set(placed)]
    expect_equal(ours, placed[::-1], "the order of the list")


@card("BC-R060", "get_order() agrees with list_orders().", Section.MEANING)
def _agree(ctx: CheckContext) -> None:
    """Each of three orders, one of them cancelled, is equal in both."""
    placed = {ctx.place_resting() for _ in range(3)}
    cancelled = min(placed)
    ctx.broker.cancel_order(cancelled)
    ctx.await_end(cancelled)
    for order in _await_listed(ctx, placed):
        if order.order_id in placed:
            expect_equal(ctx.broker.get_order(order.order_id), order, "the order")


@card("BC-R070", "What has just ended is still listed.", Section.MEANING)
def _ended_listed(ctx: CheckContext) -> None:
    """An order that was cancelled, and one that was filled, are in the list with their ends."""
    cancelled = ctx.place_resting()
    ctx.broker.cancel_order(cancelled)
    ctx.await_end(cancelled)
    ended = {cancelled}
    if ctx.has_venue:
        ended.add(ctx.trade().order_id)
    listed = {one.order_id: one.status for one in _await_listed(ctx, ended)}
    live = [order_id for order_id in ended if listed[order_id] in LIVE_STATUSES]
    expect(not live, "orders that ended", live)


@card("BC-R080", "An order id is unique in the list.", Section.MEANING)
def _unique(ctx: CheckContext) -> None:
    """No id is listed twice."""
    ctx.place_resting()
    counted = Counter(order.order_id for order in ctx.broker.list_orders())
    twice = [order_id for order_id, times in counted.items() if times > 1]
    expect(not twice, "each id once", twice)


@card("BC-R090", "An order id is enough for a new session.", Section.MEANING)
def _new_session(ctx: CheckContext) -> None:
    """A second session reads the order by its id alone, and cancels it."""
    order_id = ctx.place_resting()
    other = ctx.other_session()
    order = other.get_order(order_id)
    expect_equal(order, ctx.broker.get_order(order_id), "the order in a new session")
    expect(other.cancel_order(order_id) is True, "True from the other session's cancel", order)
    ctx.await_end(order_id)


@card("BC-R100", "An order id is constant for the order's life.", Section.MEANING, needs_venue=True)
def _id_constant(ctx: CheckContext) -> None:
    """It is the same when the order is placed, partly filled and ended."""
    order_id = ctx.place_resting()
    ctx.venue.fill(order_id, ctx.market.unit, ctx.market.resting_price())
    part = ctx.await_order(order_id, lambda order: order.filled_quantity > 0, "partly filled")
    ctx.broker.cancel_order(order_id)
    ended = ctx.await_end(order_id)
    expect_equal([part.order_id, ended.order_id], [order_id, order_id], "the order ids")


@card("BC-R110", "Reading changes nothing.", Section.NO_SILENT_CHANGE)
def _idempotent(ctx: CheckContext) -> None:
    """Two orders, balances and positions are read twice, and are equal."""
    _await_listed(ctx, {ctx.place_resting(), ctx.place_resting()})
    for read in (ctx.broker.list_orders, ctx.broker.list_balances, ctx.broker.list_positions):
        first: object = read()
        expect_equal(read(), first, f"{read.__name__}() read again")


@card(
    "BC-R120",
    "An order that was just placed is found, or is late; it is never another.",
    Section.EVIDENCE,
)
def _just_placed(ctx: CheckContext) -> None:
    """Beside another it is read at once: it has its own client id, or is OrderNotFoundError."""
    ctx.place_resting()
    request = ctx.request()
    order_id = ctx.id_of(ctx.place(request))
    try:
        order = ctx.broker.get_order(order_id)
    except OrderNotFoundError:
        order = ctx.await_order(order_id, lambda _: True, "found")
    expect_equal(order.order_id, order_id, "the order's id")
    expect(order.client_order_id in (None, request.client_order_id), "our client id", order)


@card("BC-R130", "Two sessions of an account see the same orders.", Section.MEANING)
def _same_orders(ctx: CheckContext) -> None:
    """What one session placed the other lists."""
    order_id = ctx.place_resting()
    other = ctx.other_session()
    listed = {order.order_id for order in other.list_orders()}
    expect(order_id in listed, f"{order_id} in the other session's list", listed)
    expect_equal(other.get_account_id(), ctx.broker.get_account_id(), "the account")
