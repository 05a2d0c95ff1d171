"""Stops that follow the market."""

from __future__ import annotations

from decimal import Decimal

from bot_v2.features.brokerages.core.capabilities import Capability
from bot_v2.features.brokerages.core.order_status import LIVE_STATUSES, OrderStatus
from bot_v2.features.brokerages.core.order_terms import OrderSide, OrderType
from bot_v2.testing.cards import Section, card
from bot_v2.testing.context import CheckContext
from bot_v2.testing.violation import expect, expect_equal

TRAILING = (Capability.TRAILING_STOP,)


def _placed(ctx: CheckContext, **trail: Decimal) -> str:
    """Hold a position and place a stop that trails it."""
    ctx.trade()
    request = ctx.request(side=OrderSide.SELL, type=OrderType.TRAILING_STOP, **trail)
    return ctx.id_of(ctx.place(request))


@card(
    "BC-TS010",
    "A trailing stop rests as one.",
    Section.NO_SILENT_CHANGE,
    capabilities=TRAILING,
    needs_venue=True,
)
def _rests(ctx: CheckContext) -> None:
    """By amount or by percent, it is live, and of type TRAILING_STOP."""
    bid, _ = ctx.market.best()
    amount = ctx.market.scaled(bid, "0.1")
    for trail in ({"trail_amount": amount}, {"trail_percent": Decimal(10)}):
        order = ctx.broker.get_order(_placed(ctx, **trail))
        expect(order.status in LIVE_STATUSES, "a live order", order)
        expect_equal(order.type, OrderType.TRAILING_STOP, "the type")


@card(
    "BC-TS020",
    "The stop follows the market one way.",
    Section.MEANING,
    capabilities=TRAILING,
    needs_venue=True,
)
def _follows(ctx: CheckContext) -> None:
    """A trigger that is told rises with the market, and stays when it falls a little."""
    order_id = _placed(ctx, trail_percent=Decimal(10))
    bid, _ = ctx.market.best()
    first = ctx.broker.get_order(order_id).stop_price
    ctx.market.set(ctx.market.scaled(bid, "1.2"))
    risen = ctx.broker.get_order(order_id).stop_price
    ctx.market.set(ctx.market.scaled(bid, "1.15"))
    after = ctx.broker.get_order(order_id)
    expect(after.status in LIVE_STATUSES, "a live order", after)
    if first is None or risen is None:
        ctx.skip("the broker does not tell the trigger of a trailing stop")
    expect(risen > first, f"a trigger above {first}", risen)
    expect_equal(after.stop_price, risen, "the trigger after a small fall")


@card(
    "BC-TS030",
    "A fall by the trail from the top triggers it.",
    Section.MEANING,
    capabilities=TRAILING,
    needs_venue=True,
)
def _triggers(ctx: CheckContext) -> None:
    """The market rises by a fifth and falls back: above the first trigger, and it is FILLED."""
    order_id = _placed(ctx, trail_percent=Decimal(10))
    bid, _ = ctx.market.best()
    ctx.market.set(ctx.market.scaled(bid, "1.2"))
    ctx.market.set(ctx.market.scaled(bid, "1.0"))
    ctx.await_status(order_id, OrderStatus.FILLED)
