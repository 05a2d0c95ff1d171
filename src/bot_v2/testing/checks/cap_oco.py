"""Two orders of which one cancels the other."""

from __future__ import annotations

from decimal import Decimal

from bot_v2.features.brokerages.core.capabilities import Capability
from bot_v2.features.brokerages.core.errors import BrokerageError
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.order_status import LIVE_STATUSES, OrderStatus
from bot_v2.features.brokerages.core.order_terms import OrderSide, OrderType
from bot_v2.testing.cards import Section, card
from bot_v2.testing.context import CheckContext
from bot_v2.testing.violation import expect, expect_equal, expect_error

OCO = (Capability.OCO,)


def _pair(ctx: CheckContext) -> tuple[OrderRequest, OrderRequest]:
    """Return two exits of a position: a limit above the market, and a stop below."""
    bid, _ = ctx.market.best()
    profit = ctx.request(side=OrderSide.SELL, price=ctx.market.scaled(bid, "1.2"))
    # Some brokers name the second of a pair themselves, and refuse another's name for it.
    stop = ctx.request(
        side=OrderSide.SELL,
        type=OrderType.STOP,
        stop_price=ctx.market.scaled(bid, "0.8"),
        client_order_id=None,
    )
    return profit, stop


def _placed(ctx: CheckContext) -> tuple[str, str]:
    """Hold a position and place its two exits; return their ids."""
    ctx.trade()
    first, second = ctx.untyped.place_oco(*_pair(ctx))
    ids = (ctx.id_of(first), ctx.id_of(second))
    ctx.placed.extend(ids)
    return ids


@card(
    "BC-OO010",
    "Both orders of a pair are placed, and say that they belong together.",
    Section.MODELS,
    capabilities=OCO,
    needs_venue=True,
)
def _both(ctx: CheckContext) -> None:
    """Both are live, have different ids, and share a group_id."""
    first, second = (ctx.broker.get_order(one) for one in _placed(ctx))
    expect(first.order_id != second.order_id, "two orders", (first, second))
    for order in (first, second):
        expect(order.status in LIVE_STATUSES, "a live order", order)
    expect(bool(first.group_id), "a group_id", first)
    expect_equal(second.group_id, first.group_id, "the other's group_id")


@card(
    "BC-OO020",
    "A fill of one cancels the other.",
    Section.MEANING,
    capabilities=OCO,
    needs_venue=True,
    catalogue=("S13",),
)
def _one_cancels(ctx: CheckContext) -> None:
    """The market reaches the limit: it is FILLED, the stop CANCELLED; and the other way round."""
    for index, factor in ((0, "1.3"), (1, "0.7")):
        ids = _placed(ctx)
        bid, _ = ctx.market.best()
        ctx.market.set(ctx.market.scaled(bid, factor))
        ctx.await_status(ids[index], OrderStatus.FILLED)
        ctx.await_status(ids[1 - index], OrderStatus.CANCELLED)


@card(
    "BC-OO030",
    "A pair of which one is refused places neither.",
    Section.ONE_WRITE,
    capabilities=OCO,
    needs_venue=True,
)
def _neither(ctx: CheckContext) -> None:
    """The second names an unknown symbol: an error with an outcome, and no new order."""
    ctx.trade()
    first, _ = _pair(ctx)
    odd = ctx.request(symbol=ctx.profile.unknown_symbol, side=OrderSide.SELL)
    known = {order.order_id for order in ctx.broker.list_orders()}
    error = expect_error(
        lambda: ctx.untyped.place_oco(first, odd), BrokerageError, when="a pair that cannot be"
    )
    expect(error.outcome is not None, "an outcome", error)
    new = {order.order_id for order in ctx.broker.list_orders()} - known
    expect(not new, "no new order", new)


@card("BC-OO040", "A pair is one write.", Section.ONE_WRITE, capabilities=OCO, needs_venue=True)
def _one_write(ctx: CheckContext) -> None:
    """Two orders take effect, by one request of place_oco."""
    ctx.trade()
    pair = _pair(ctx)
    taken = len(ctx.venue.orders_received())
    with ctx.one_arrives("place_oco"):
        ctx.untyped.place_oco(*pair)
    made = len(ctx.venue.orders_received()) - taken
    expect_equal(Decimal(made), Decimal(2), "the number of orders at the venue")
