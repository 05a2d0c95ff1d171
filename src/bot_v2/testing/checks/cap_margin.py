"""Margin, of the account and of an order that is not placed."""

from __future__ import annotations

from bot_v2.features.brokerages.core.account_summary import Margin
from bot_v2.features.brokerages.core.capabilities import Capability
from bot_v2.features.brokerages.core.errors import InvalidRequestError
from bot_v2.features.brokerages.core.order_terms import OrderType
from bot_v2.testing.cards import Section, card
from bot_v2.testing.context import CheckContext
from bot_v2.testing.violation import expect, expect_equal, expect_error

MARGIN = (Capability.MARGIN,)


@card("BC-MG010", "get_margin() tells the account's margin.", Section.MEANING, capabilities=MARGIN)
def _margin(ctx: CheckContext) -> None:
    """It is a Margin with at least one figure."""
    margin = ctx.untyped.get_margin()
    expect(type(margin) is Margin, "a Margin", margin)
    figures = (margin.initial_margin, margin.maintenance_margin, margin.excess, margin.buying_power)
    expect(any(one is not None for one in figures), "at least one figure", margin)


@card(
    "BC-MG020",
    "Initial margin is at least maintenance margin.",
    Section.MODELS,
    capabilities=MARGIN,
)
def _ordered(ctx: CheckContext) -> None:
    """Neither is negative, with and without a position."""
    for _ in range(2):
        margin = ctx.untyped.get_margin()
        initial, maintenance = margin.initial_margin, margin.maintenance_margin
        if initial is None or maintenance is None:
            ctx.skip("the broker does not tell both")
        expect(initial >= maintenance >= 0, "initial >= maintenance >= 0", margin)
        if ctx.has_venue:
            ctx.trade()


@card("BC-MG030", "get_order_margin() places nothing.", Section.ONE_WRITE, capabilities=MARGIN)
def _places_nothing(ctx: CheckContext) -> None:
    """Orders before and after are the same, and no placement reaches the venue."""
    request = ctx.request()
    before = ctx.broker.list_orders()
    with ctx.nothing_arrives("place_order"):
        margin = ctx.untyped.get_order_margin(request)
    expect(type(margin) is Margin, "a Margin", margin)
    expect_equal(ctx.broker.list_orders(), before, "the orders")


@card(
    "BC-MG040",
    "An order that opens needs no less margin than none.",
    Section.MONEY,
    capabilities=MARGIN,
)
def _needs_more(ctx: CheckContext) -> None:
    """The initial margin with a purchase at the market is at least that without."""
    request = ctx.request(type=OrderType.MARKET)
    now, then = ctx.untyped.get_margin(), ctx.untyped.get_order_margin(request)
    if now.initial_margin is None or then.initial_margin is None:
        ctx.skip("the broker does not tell the initial margin")
    expect(then.initial_margin >= now.initial_margin, f"at least {now.initial_margin}", then)


@card(
    "BC-MG050",
    "The margin of an order that cannot be is refused.",
    Section.SYMBOLS,
    capabilities=MARGIN,
)
def _refused(ctx: CheckContext) -> None:
    """An order for an unknown symbol is InvalidRequestError."""
    request = ctx.request(symbol=ctx.profile.unknown_symbol)
    expect_error(
        lambda: ctx.untyped.get_order_margin(request),
        InvalidRequestError,
        when="get_order_margin of an unknown symbol",
    )
