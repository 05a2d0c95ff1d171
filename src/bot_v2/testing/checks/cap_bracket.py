"""An entry with its exits."""

from __future__ import annotations

from decimal import Decimal

from bot_v2.features.brokerages.core.capabilities import Capability
from bot_v2.features.brokerages.core.decimals import EXACT
from bot_v2.features.brokerages.core.order_status import (
    ENDED_STATUSES,
    LIVE_STATUSES,
    OrderStatus,
)
from bot_v2.features.brokerages.core.order_terms import OrderSide, StopLoss, TakeProfit
from bot_v2.features.brokerages.core.orders import Order
from bot_v2.testing.cards import Section, card
from bot_v2.testing.context import CheckContext
from bot_v2.testing.violation import expect, expect_equal
from bot_v2.testing.waiting import wait_until

BRACKET = (Capability.BRACKET,)


def _placed(ctx: CheckContext) -> str:
    """Place a bracket that rests, and return the entry's id."""
    price = ctx.market.resting_price()
    request = ctx.request(
        price=price,
        take_profit=TakeProfit(price=ctx.market.scaled(price, "1.1")),
        stop_loss=StopLoss(stop_price=ctx.market.scaled(price, "0.9")),
    )
    return ctx.id_of(ctx.place(request))


def _exits(ctx: CheckContext, entry_id: str) -> list[Order]:
    """Return the orders that belong to an entry, itself left out."""
    entry = ctx.broker.get_order(entry_id)
    return [
        order
        for order in ctx.broker.list_orders()
        if order.order_id != entry_id
        and (
            order.parent_order_id == entry_id
            or (order.group_id is not None and order.group_id == entry.group_id)
        )
    ]


def _entered(ctx: CheckContext) -> tuple[str, list[Order]]:
    """Have the entry filled, and return its id and its exits once both work."""
    entry_id = _placed(ctx)
    price = ctx.broker.get_order(entry_id).price or ctx.market.resting_price()
    # The market stands just above the entry, so that neither exit meets it yet.
    ctx.market.set(price)
    ctx.venue.fill(entry_id, ctx.market.quantity, price)
    ctx.await_status(entry_id, OrderStatus.FILLED)
    exits = wait_until(
        lambda: _exits(ctx, entry_id),
        lambda orders: len(orders) == 2 and all(one.status in LIVE_STATUSES for one in orders),
        ctx.profile.settle_s,
        "two live exits",
    )
    ctx.placed.extend(order.order_id for order in exits)
    return entry_id, exits


@card(
    "BC-BR010",
    "A bracket's entry rests, with its exits waiting.",
    Section.MODELS,
    capabilities=BRACKET,
)
def _entry(ctx: CheckContext) -> None:
    """The entry is live; no exit works or fills before it does."""
    entry_id = _placed(ctx)
    entry = ctx.broker.get_order(entry_id)
    expect(entry.status in LIVE_STATUSES, "a live entry", entry)
    for order in _exits(ctx, entry_id):
        expect(order.filled_quantity == 0, "an exit that waits", order)


@card(
    "BC-BR020",
    "A filled entry brings both exits to life.",
    Section.MEANING,
    capabilities=BRACKET,
    needs_venue=True,
    catalogue=("S12",),
)
def _exits_live(ctx: CheckContext) -> None:
    """Both sell what was bought, and name the entry or share its group."""
    _, exits = _entered(ctx)
    for order in exits:
        expect_equal(order.side, OrderSide.SELL, "the side of an exit")
        expect_equal(order.quantity, ctx.market.quantity, "the quantity of an exit")


@card(
    "BC-BR030",
    "A fill of one exit cancels the other.",
    Section.MEANING,
    capabilities=BRACKET,
    needs_venue=True,
    catalogue=("S13",),
)
def _one_cancels(ctx: CheckContext) -> None:
    """The market reaches the profit: that exit is FILLED, the stop CANCELLED, and we are flat."""
    before = _sold(ctx)
    _, exits = _entered(ctx)
    profit = next(order for order in exits if order.stop_price is None)
    stop = next(order for order in exits if order.stop_price is not None)
    ctx.market.set(ctx.market.scaled(profit.price or Decimal(1), "1.1"))
    ctx.await_status(profit.order_id, OrderStatus.FILLED)
    ctx.await_status(stop.order_id, OrderStatus.CANCELLED)
    sold = EXACT.subtract(_sold(ctx), before)
    expect_equal(sold, ctx.market.quantity, "what was sold in all")


def _sold(ctx: CheckContext) -> Decimal:
    sales = [one for one in ctx.broker.list_orders() if one.side is OrderSide.SELL]
    return sum((one.filled_quantity for one in sales), Decimal(0))


@card("BC-BR040", "Cancelling an entry ends its exits.", Section.MEANING, capabilities=BRACKET)
def _cancelled(ctx: CheckContext) -> None:
    """After the cancel no order of the group is live."""
    entry_id = _placed(ctx)
    exits = [order.order_id for order in _exits(ctx, entry_id)]
    expect(ctx.broker.cancel_order(entry_id) is True, "True from the cancel", False)
    for order_id in (entry_id, *exits):
        order = ctx.await_end(order_id)
        expect(order.status in ENDED_STATUSES, "an ended order", order)
