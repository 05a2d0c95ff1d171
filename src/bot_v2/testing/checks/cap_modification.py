"""Changing a live order."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from bot_v2.features.brokerages.core.capabilities import Capability
from bot_v2.features.brokerages.core.decimals import EXACT
from bot_v2.features.brokerages.core.errors import (
    InvalidRequestError,
    ModifyRejectedError,
    OrderNotFoundError,
    Outcome,
)
from bot_v2.features.brokerages.core.increments import price_increment_at
from bot_v2.features.brokerages.core.order_changes import OrderModification
from bot_v2.features.brokerages.core.order_status import LIVE_STATUSES, OrderStatus
from bot_v2.features.brokerages.core.orders import Order, OrderResult
from bot_v2.testing.cards import Section, card
from bot_v2.testing.context import CheckContext
from bot_v2.testing.violation import expect, expect_equal, expect_error

MODIFICATION = (Capability.ORDER_MODIFICATION,)


def _modify(ctx: CheckContext, order_id: str, **changes: Any) -> Order:
    """Change an order, and return the one that lives on."""
    result: Any = ctx.untyped.modify_order(order_id, OrderModification(**changes))
    expect(type(result) is OrderResult and result.success, "a success", result)
    living = ctx.id_of(result)
    ctx.placed.append(living)
    return ctx.await_order(living, lambda order: order.status in LIVE_STATUSES, "living on")


def _lower(ctx: CheckContext) -> Decimal:
    return ctx.market.scaled(ctx.market.resting_price(), "0.9")


@card(
    "BC-MO010",
    "A new price is the order's price.",
    Section.NO_SILENT_CHANGE,
    capabilities=MODIFICATION,
)
def _price(ctx: CheckContext) -> None:
    """The order that the result names is live and has it."""
    lower = _lower(ctx)
    order = _modify(ctx, ctx.place_resting(), price=lower)
    expect_equal(order.price, lower, "the price")


@card(
    "BC-MO020",
    "A new quantity is the whole of the order.",
    Section.NO_SILENT_CHANGE,
    capabilities=MODIFICATION,
)
def _quantity(ctx: CheckContext) -> None:
    """Half of the quantity is asked for, and is the order's."""
    half = EXACT.multiply(ctx.market.unit, Decimal(2))
    order = _modify(ctx, ctx.place_resting(), quantity=half)
    expect_equal(order.quantity, half, "the quantity")


@card(
    "BC-MO030",
    "What is not changed stays as it is.",
    Section.NO_SILENT_CHANGE,
    capabilities=MODIFICATION,
)
def _rest_stays(ctx: CheckContext) -> None:
    """Symbol, side, type, quantity and time in force are those from before a new price."""
    order_id = ctx.place_resting()
    before = ctx.broker.get_order(order_id)
    after = _modify(ctx, order_id, price=_lower(ctx))
    for name in ("symbol", "side", "type", "quantity", "time_in_force"):
        expect_equal(getattr(after, name), getattr(before, name), f"the order's {name}")


@card(
    "BC-MO040",
    "One order lives on, whatever its id.",
    Section.MODELS,
    capabilities=MODIFICATION,
    catalogue=("S04",),
)
def _lineage(ctx: CheckContext) -> None:
    """A new id comes with REPLACED, replaced_by and replaces; the old order works no more."""
    order_id = ctx.place_resting()
    after = _modify(ctx, order_id, price=_lower(ctx))
    if after.order_id == order_id:
        return
    old = ctx.await_status(order_id, OrderStatus.REPLACED)
    expect_equal(old.replaced_by, after.order_id, "the old order's replaced_by")
    expect_equal(after.replaces, order_id, "the new order's replaces")


@card(
    "BC-MO050",
    "A filled part survives a modification.",
    Section.MONEY,
    capabilities=MODIFICATION,
    needs_venue=True,
    catalogue=("S05",),
)
def _filled_part(ctx: CheckContext) -> None:
    """After a quarter is filled the price is changed: the quarter counts, and three remain."""
    order_id = ctx.place_resting()
    part = ctx.market.unit
    ctx.venue.fill(order_id, part, ctx.market.resting_price())
    ctx.await_order(order_id, lambda order: order.filled_quantity == part, "filled in part")
    after = _modify(ctx, order_id, price=_lower(ctx))
    rest = EXACT.subtract(ctx.market.quantity, part)
    expect_equal(after.remaining_quantity, rest, "what remains")


@card(
    "BC-MO060",
    "Changing an ended order is ModifyRejectedError.",
    Section.ERRORS,
    capabilities=MODIFICATION,
)
def _ended(ctx: CheckContext) -> None:
    """An order is cancelled and then changed; it stays as it ended."""
    order_id = ctx.place_resting()
    lower = _lower(ctx)
    ctx.broker.cancel_order(order_id)
    ended = ctx.await_end(order_id)
    expect_error(
        lambda: ctx.untyped.modify_order(order_id, OrderModification(price=lower)),
        ModifyRejectedError,
        outcome=(Outcome.REJECTED, Outcome.NOT_SENT),
        when="modifying an ended order",
    )
    expect_equal(ctx.broker.get_order(order_id).status, ended.status, "the status")


@card(
    "BC-MO070",
    "Changing an order that never was is OrderNotFoundError.",
    Section.ERRORS,
    capabilities=MODIFICATION,
)
def _unknown(ctx: CheckContext) -> None:
    """The id has the broker's form, and no order has it."""
    order_id = ctx.unknown_order_id()
    change = OrderModification(price=_lower(ctx))
    expect_error(
        lambda: ctx.untyped.modify_order(order_id, change),
        OrderNotFoundError,
        when=f"modify_order({order_id!r})",
    )


@card(
    "BC-MO080",
    "A change off the grid is refused, never rounded.",
    Section.NO_SILENT_CHANGE,
    capabilities=MODIFICATION,
    catalogue=("S17",),
)
def _off_grid(ctx: CheckContext) -> None:
    """Half a step is refused, before sending or by the broker, and the order is as it was."""
    order_id = ctx.place_resting()
    before = ctx.broker.get_order(order_id)
    price = ctx.market.resting_price()
    step = price_increment_at(ctx.market.product, price)
    if step is None:
        ctx.skip("the product states no step of prices")
    off = EXACT.add(price, EXACT.multiply(step, Decimal("0.5")))
    expect_error(
        lambda: ctx.untyped.modify_order(order_id, OrderModification(price=off)),
        InvalidRequestError,
        ModifyRejectedError,
        outcome=(Outcome.NOT_SENT, Outcome.REJECTED),
        when=f"a new price of {off} on a grid of {step}",
    )
    expect_equal(ctx.broker.get_order(order_id), before, "the order")
