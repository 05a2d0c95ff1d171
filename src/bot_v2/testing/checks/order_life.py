"""How an order lives on: fills, ends, and what is never undone."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from bot_v2.features.brokerages.core.decimals import EXACT
from bot_v2.features.brokerages.core.order_status import ENDED_STATUSES, OrderStatus
from bot_v2.features.brokerages.core.order_terms import TimeInForce
from bot_v2.testing.cards import Section, card
from bot_v2.testing.context import CheckContext
from bot_v2.testing.violation import expect, expect_equal


def _partly_filled(ctx: CheckContext) -> tuple[str, Decimal, Decimal]:
    """Return the id of an order of which a quarter was filled, the quarter, and its price."""
    order_id = ctx.place_resting()
    price = ctx.broker.get_order(order_id).price or ctx.market.resting_price()
    part = ctx.market.unit
    ctx.venue.fill(order_id, part, price)
    ctx.await_order(order_id, lambda order: order.filled_quantity == part, f"filled by {part}")
    return order_id, part, price


@card("BC-L010", "A partial fill shows: how much, at what price.", Section.MODELS, needs_venue=True)
def _partial(ctx: CheckContext) -> None:
    """The venue fills a quarter; the order is PARTIALLY_FILLED with that quantity and price."""
    order_id, part, price = _partly_filled(ctx)
    order = ctx.broker.get_order(order_id)
    expect(order.status is OrderStatus.PARTIALLY_FILLED, "PARTIALLY_FILLED", order)
    expect(order.average_fill_price in (None, price), f"an average price of {price}", order)
    rest = EXACT.subtract(ctx.market.quantity, part)
    expect_equal(order.remaining_quantity, rest, "what remains")


@card("BC-L020", "A complete fill is FILLED.", Section.MODELS, needs_venue=True)
def _complete(ctx: CheckContext) -> None:
    """The venue fills a quarter and then the rest; nothing remains."""
    order_id, part, price = _partly_filled(ctx)
    ctx.venue.fill(order_id, EXACT.subtract(ctx.market.quantity, part), price)
    order = ctx.await_status(order_id, OrderStatus.FILLED)
    expect_equal(order.filled_quantity, ctx.market.quantity, "the filled quantity")


@card(
    "BC-L030",
    "The average price is that of all fills, exactly.",
    Section.MONEY,
    needs_venue=True,
)
def _average(ctx: CheckContext) -> None:
    """Two equal fills at two prices: the average is their mean."""
    order_id, part, first = _partly_filled(ctx)
    second = ctx.market.scaled(first, "0.9")
    ctx.venue.fill(order_id, part, second)
    both = EXACT.multiply(part, Decimal(2))
    order = ctx.await_order(
        order_id, lambda order: order.filled_quantity == both, f"filled by {both}"
    )
    mean = EXACT.divide(EXACT.add(first, second), Decimal(2))
    expect(order.average_fill_price in (None, mean), f"an average price of {mean}", order)


@card(
    "BC-L040",
    "A cancelled order keeps what was filled.",
    Section.MODELS,
    needs_venue=True,
    catalogue=("S10",),
)
def _cancelled_keeps_fill(ctx: CheckContext) -> None:
    """After a partial fill and a cancel, the filled quantity is there, and the status CANCELLED."""
    order_id, part, _ = _partly_filled(ctx)
    ctx.broker.cancel_order(order_id)
    order = ctx.await_end(order_id)
    expect(order.status is OrderStatus.CANCELLED, "CANCELLED", order)
    expect_equal(order.filled_quantity, part, "the filled quantity")


@card(
    "BC-L050",
    "A fill that is reported after the end is booked.",
    Section.EVIDENCE,
    needs_venue=True,
    catalogue=("P03",),
)
def _late_fill(ctx: CheckContext) -> None:
    """An order is cancelled, and the venue then reports a fill from before: it shows."""
    order_id, part, price = _partly_filled(ctx)
    ctx.broker.cancel_order(order_id)
    ctx.await_end(order_id)
    ctx.venue.late_fill(order_id, part, price)
    both = EXACT.multiply(part, Decimal(2))
    order = ctx.await_order(
        order_id, lambda order: order.filled_quantity == both, f"filled by {both}"
    )
    expect(order.status in ENDED_STATUSES, "an ended order", order)


@card(
    "BC-L060",
    "A late fill that completes an order makes it FILLED.",
    Section.EVIDENCE,
    needs_venue=True,
    catalogue=("P03", "S06"),
)
def _late_complete_fill(ctx: CheckContext) -> None:
    """An order is cancelled, and the venue then reports that all of it had been filled."""
    order_id = ctx.place_resting()
    price = ctx.market.resting_price()
    ctx.broker.cancel_order(order_id)
    ctx.await_end(order_id)
    ctx.venue.late_fill(order_id, ctx.market.quantity, price)
    order = ctx.await_status(order_id, OrderStatus.FILLED)
    expect_equal(order.filled_quantity, ctx.market.quantity, "the filled quantity")


@card("BC-L070", "An ended order stays ended.", Section.MODELS, needs_venue=True)
def _terminal(ctx: CheckContext) -> None:
    """After its end the market moves through its price; it is read again and again, unchanged."""
    order_id = ctx.place_resting()
    price = ctx.market.resting_price()
    ctx.broker.cancel_order(order_id)
    ended = ctx.await_end(order_id)
    ctx.market.set(ctx.market.scaled(price, "0.8"))
    for _ in range(3):
        again = ctx.broker.get_order(order_id)
        seen = (again.status, again.filled_quantity)
        expect_equal(seen, (ended.status, ended.filled_quantity), "status and filled quantity")


@card(
    "BC-L080",
    "An order fills when the market reaches its limit.",
    Section.MEANING,
    needs_venue=True,
)
def _fills_on_market(ctx: CheckContext) -> None:
    """A resting order to buy is filled once the ask is below it, at its limit or better."""
    order_id = ctx.place_resting()
    price = ctx.market.resting_price()
    ctx.market.set(ctx.market.scaled(price, "0.9"))
    order = ctx.await_status(order_id, OrderStatus.FILLED)
    paid = order.average_fill_price
    expect(paid is None or paid <= price, f"{price} or better", order)


@card(
    "BC-L090",
    "A GTD order ends at its end: EXPIRED.",
    Section.MODELS,
    needs_venue=True,
    catalogue=("S19",),
)
def _expires(ctx: CheckContext) -> None:
    """The venue's clock moves past expires_at; the order is EXPIRED, and told its end."""
    end = ctx.profile.clock() + timedelta(hours=1)
    request = ctx.request(time_in_force=TimeInForce.GTD, expires_at=end.replace(microsecond=0))
    order_id = ctx.id_of(ctx.place_optional(request, "GTD"))
    order = ctx.broker.get_order(order_id)
    expect(order.expires_at in (None, request.expires_at), "the end that was asked for", order)
    ctx.venue.advance(7200)
    ctx.await_status(order_id, OrderStatus.EXPIRED)


def _await_filled(ctx: CheckContext, order_id: str, due: Decimal) -> Decimal:
    order = ctx.await_order(
        order_id, lambda order: order.filled_quantity >= due, f"filled by {due}"
    )
    return order.filled_quantity


@card(
    "BC-L100",
    "What was filled only grows, and no fill counts twice.",
    Section.MODELS,
    needs_venue=True,
)
def _monotonic(ctx: CheckContext) -> None:
    """The order is read after each of four fills."""
    order_id = ctx.place_resting()
    price, part = ctx.market.resting_price(), ctx.market.unit
    seen = [Decimal(0)]
    for step in range(1, 5):
        ctx.venue.fill(order_id, part, price)
        due = EXACT.multiply(part, Decimal(step))
        seen.append(_await_filled(ctx, order_id, due))
    expect(seen == sorted(seen) and seen[-1] <= ctx.market.quantity, "a growing quantity", seen)


@card("BC-L110", "A native status is kept with its text; UNKNOWN is never an end.", Section.MODELS)
def _statuses(ctx: CheckContext) -> None:
    """Every listed order has a status of ours; one that is UNKNOWN carries the broker's word."""
    ctx.place_resting()
    for order in ctx.broker.list_orders():
        expect(isinstance(order.status, OrderStatus), "an OrderStatus", order)
        if order.status is OrderStatus.UNKNOWN:
            expect(bool(order.native_status), "the broker's word for it", order)


@card(
    "BC-L120",
    "An order of which more was filled than ordered is told as it is.",
    Section.EVIDENCE,
    needs_venue=True,
    catalogue=("S11",),
)
def _overfilled(ctx: CheckContext) -> None:
    """A filled order is filled by a quarter more: it is read, and listed among the others."""
    other = ctx.place_resting()
    order_id, part, price = _partly_filled(ctx)
    ctx.venue.fill(order_id, EXACT.subtract(ctx.market.quantity, part), price)
    ctx.await_status(order_id, OrderStatus.FILLED)
    ctx.venue.late_fill(order_id, part, price)
    all_of_it = EXACT.add(ctx.market.quantity, part)
    order = ctx.await_order(
        order_id, lambda order: order.filled_quantity == all_of_it, f"filled by {all_of_it}"
    )
    expect(order.status is OrderStatus.FILLED, "FILLED", order)
    expect_equal(order.overfilled_quantity, part, "what was filled beyond the order")
    listed = {one.order_id: one.filled_quantity for one in ctx.broker.list_orders()}
    expect_equal(listed.get(order_id), all_of_it, "the filled quantity in list_orders()")
    expect(other in listed, "the other order in list_orders()", sorted(listed))
