"""Executions: they add up to the orders."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from bot_v2.features.brokerages.core.capabilities import Capability
from bot_v2.features.brokerages.core.decimals import EXACT
from bot_v2.features.brokerages.core.fills import Fill
from bot_v2.features.brokerages.core.orders import Order
from bot_v2.testing.cards import Section, card
from bot_v2.testing.context import CheckContext
from bot_v2.testing.violation import expect, expect_equal
from bot_v2.testing.waiting import wait_until

FILLS = (Capability.FILLS,)


def _fills_of(ctx: CheckContext, order: Order) -> list[Fill]:
    """Return the executions of an order, once they add up to what it says was filled."""

    def read() -> list[Fill]:
        return [one for one in ctx.untyped.list_fills() if one.order_id == order.order_id]

    return wait_until(
        read,
        lambda fills: sum((one.quantity for one in fills), Decimal(0)) == order.filled_quantity,
        ctx.profile.settle_s,
        f"fills that add up to {order.filled_quantity}",
    )


@card(
    "BC-FI010",
    "Fills add up to what the order says.",
    Section.MONEY,
    capabilities=FILLS,
    needs_venue=True,
)
def _add_up(ctx: CheckContext) -> None:
    """Of a market order, and of one filled in four parts, quantities and mean price agree."""
    order_id = ctx.place_resting()
    price = ctx.market.resting_price()
    for _ in range(4):
        ctx.venue.fill(order_id, ctx.market.unit, price)
    for order in (ctx.trade(), ctx.await_end(order_id)):
        fills = _fills_of(ctx, order)
        if order.average_fill_price is not None:
            paid = sum((EXACT.multiply(one.quantity, one.price) for one in fills), Decimal(0))
            told = EXACT.multiply(order.average_fill_price, order.filled_quantity)
            expect_equal(paid, told, "what the fills cost")


@card(
    "BC-FI020",
    "A fill says which order it is of, and agrees with it.",
    Section.MODELS,
    capabilities=FILLS,
    needs_venue=True,
)
def _agrees(ctx: CheckContext) -> None:
    """Symbol, side, client id and account of the fill are those of the order."""
    order = ctx.trade()
    for fill in _fills_of(ctx, order):
        for name in ("symbol", "side", "account_id"):
            expect_equal(getattr(fill, name), getattr(order, name), f"the fill's {name}")
        expect(fill.client_order_id in (None, order.client_order_id), "the client id", fill)


@card(
    "BC-FI030",
    "Fills are listed oldest first.",
    Section.MEANING,
    capabilities=FILLS,
    needs_venue=True,
)
def _oldest_first(ctx: CheckContext) -> None:
    """Of three trades one after the other, the fills' times and orders rise."""
    orders = [ctx.trade(quantity=ctx.market.unit) for _ in range(3)]
    _fills_of(ctx, orders[-1])
    fills = ctx.untyped.list_fills()
    stamps = [one.timestamp for one in fills]
    expect(stamps == sorted(stamps), "rising times", stamps[-5:])
    placed = [order.order_id for order in orders]
    listed = list(dict.fromkeys(one.order_id for one in fills if one.order_id in placed))
    expect_equal(listed, placed, "the order of the fills")


@card(
    "BC-FI040",
    "A trade id is unique in account and symbol.",
    Section.MODELS,
    capabilities=FILLS,
    needs_venue=True,
    catalogue=("P01",),
)
def _unique(ctx: CheckContext) -> None:
    """No two fills have the same trade id and symbol."""
    for _ in range(3):
        ctx.trade(quantity=ctx.market.unit)
    keys = [(one.symbol, one.trade_id) for one in ctx.untyped.list_fills()]
    expect(len(set(keys)) == len(keys), "each trade id once", keys[-5:])


@card(
    "BC-FI050",
    "`since` is exact: what is at or after it, and nothing before.",
    Section.MEANING,
    capabilities=FILLS,
    needs_venue=True,
)
def _since(ctx: CheckContext) -> None:
    """The fills since the time of one of them are those of the whole list from then on."""
    for _ in range(3):
        _fills_of(ctx, ctx.trade(quantity=ctx.market.unit))
    whole = ctx.untyped.list_fills()
    moment = whole[-2].timestamp
    expected = [one for one in whole if one.timestamp >= moment]
    expect_equal(ctx.untyped.list_fills(since=moment), expected, "the fills since a moment")
    later = whole[-1].timestamp + timedelta(days=1)
    expect_equal(ctx.untyped.list_fills(since=later), [], "the fills since tomorrow")


@card(
    "BC-FI060",
    "Fees of fills add up to those of the order.",
    Section.MONEY,
    capabilities=FILLS,
    needs_venue=True,
)
def _fees(ctx: CheckContext) -> None:
    """By currency, the fees of the fills are those that the order tells."""
    order = ctx.trade()
    fills = _fills_of(ctx, order)
    if order.fees is None or any(one.fee is None for one in fills):
        ctx.skip("the broker tells no fees on the order or on its fills")
    told = {fee.currency: fee.amount for fee in order.fees if fee.amount != 0}
    added: dict[str, Decimal] = {}
    for fill in fills:
        if fill.fee and fill.fee_currency:
            added[fill.fee_currency] = added.get(fill.fee_currency, Decimal(0)) + fill.fee
    expect_equal(added, told, "the fees by currency")


@card(
    "BC-FI070",
    "A fill reported late is listed.",
    Section.EVIDENCE,
    capabilities=FILLS,
    needs_venue=True,
    catalogue=("P03", "P04"),
)
def _late(ctx: CheckContext) -> None:
    """An order is cancelled, the venue reports a fill from before: list_fills() has it."""
    order_id = ctx.place_resting()
    price = ctx.market.resting_price()
    ctx.broker.cancel_order(order_id)
    ctx.await_end(order_id)
    ctx.venue.late_fill(order_id, ctx.market.unit, price)
    order = ctx.await_order(order_id, lambda one: one.filled_quantity > 0, "filled late")
    expect_equal([one.price for one in _fills_of(ctx, order)], [price], "the late fill's price")


@card("BC-FI080", "An order that was not filled has no fills.", Section.MODELS, capabilities=FILLS)
def _none(ctx: CheckContext) -> None:
    """One rests and one is cancelled; neither is in list_fills()."""
    ids = {ctx.place_resting(), ctx.place_resting()}
    ctx.broker.cancel_order(min(ids))
    fills = [one for one in ctx.untyped.list_fills() if one.order_id in ids]
    expect(not fills, "no fills of orders that rest", fills)
