"""What is not declared is refused, and never downgraded in silence."""

from __future__ import annotations

from decimal import Decimal

from bot_v2.features.brokerages.core.capabilities import Capability, capabilities_of
from bot_v2.features.brokerages.core.decimals import EXACT
from bot_v2.features.brokerages.core.errors import InvalidRequestError, Outcome
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.order_terms import (
    Leg,
    OrderSide,
    OrderType,
    StopLoss,
    TakeProfit,
)
from bot_v2.testing.cards import Section, card
from bot_v2.testing.context import CheckContext
from bot_v2.testing.violation import expect, expect_error


def _require_undeclared(ctx: CheckContext, capability: Capability) -> None:
    if capability in capabilities_of(ctx.broker):
        ctx.skip(f"{capability} is declared")


def _expect_refused(ctx: CheckContext, request: OrderRequest, when: str) -> None:
    known = {order.order_id for order in ctx.broker.list_orders()}
    with ctx.nothing_arrives("place_order"):
        expect_error(
            lambda: ctx.broker.place_order(request),
            InvalidRequestError,
            outcome=Outcome.NOT_SENT,
            when=when,
        )
    new = {order.order_id for order in ctx.broker.list_orders()} - known
    expect(not new, "no new order", new)


@card(
    "BC-N010",
    "Without `bracket`, an order with exits is refused: its exits are not dropped.",
    Section.NO_SILENT_CHANGE,
    catalogue=("S16",),
)
def _bracket(ctx: CheckContext) -> None:
    """A limit order with take profit and stop loss is InvalidRequestError, NOT_SENT."""
    _require_undeclared(ctx, Capability.BRACKET)
    price = ctx.market.resting_price()
    request = ctx.request(
        price=price,
        take_profit=TakeProfit(price=ctx.market.scaled(price, "1.2")),
        stop_loss=StopLoss(stop_price=ctx.market.scaled(price, "0.8")),
    )
    _expect_refused(ctx, request, "a bracket")


@card(
    "BC-N020",
    "Without `trailing_stop`, a trailing stop is refused.",
    Section.NO_SILENT_CHANGE,
    catalogue=("S16",),
)
def _trailing(ctx: CheckContext) -> None:
    """It is InvalidRequestError, NOT_SENT, and does not become a plain stop."""
    _require_undeclared(ctx, Capability.TRAILING_STOP)
    request = ctx.request(
        side=OrderSide.SELL, type=OrderType.TRAILING_STOP, trail_percent=Decimal(5)
    )
    _expect_refused(ctx, request, "a trailing stop")


@card(
    "BC-N030",
    "Without `multi_leg`, an order with legs is refused.",
    Section.NO_SILENT_CHANGE,
    catalogue=("S16",),
)
def _legs(ctx: CheckContext) -> None:
    """It is InvalidRequestError, NOT_SENT, and does not become an order for the underlying."""
    _require_undeclared(ctx, Capability.MULTI_LEG)
    legs = (
        Leg(symbol=ctx.symbol, side=OrderSide.BUY),
        Leg(symbol=ctx.symbol, side=OrderSide.SELL),
    )
    _expect_refused(ctx, ctx.request(legs=legs), "an order with legs")


@card(
    "BC-N040",
    "Without `extended_hours`, an order for them is refused.",
    Section.NO_SILENT_CHANGE,
    catalogue=("S16",),
)
def _extended_hours(ctx: CheckContext) -> None:
    """It is InvalidRequestError, NOT_SENT, and does not become one for the regular session."""
    _require_undeclared(ctx, Capability.EXTENDED_HOURS)
    _expect_refused(ctx, ctx.request(extended_hours=True), "an order for extended hours")


@card(
    "BC-N050",
    "Without `notional_orders`, an order for a sum is refused.",
    Section.NO_SILENT_CHANGE,
    catalogue=("S16",),
)
def _notional(ctx: CheckContext) -> None:
    """It is InvalidRequestError, NOT_SENT: no quantity is made of the sum."""
    _require_undeclared(ctx, Capability.NOTIONAL_ORDERS)
    _, ask = ctx.market.best()
    sum_ = EXACT.multiply(ask, ctx.market.quantity)
    _expect_refused(ctx, ctx.request(type=OrderType.MARKET, notional=sum_), "a notional order")


@card(
    "BC-N060",
    "Without `fractional_quantity`, no share is traded in fractions.",
    Section.NO_SILENT_CHANGE,
    catalogue=("S16", "S17"),
)
def _fraction(ctx: CheckContext) -> None:
    """A quantity that is not whole, of a product traded in whole units, is refused, not rounded."""
    _require_undeclared(ctx, Capability.FRACTIONAL_QUANTITY)
    step = ctx.market.product.size_increment
    if step is None or step < 1:
        ctx.skip("the traded product is not traded in whole units")
    off = EXACT.add(ctx.market.quantity, Decimal("0.5"))
    _expect_refused(ctx, ctx.request(quantity=off), "a fraction of a unit")
