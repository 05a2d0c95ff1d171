"""The market's trades."""

from __future__ import annotations

from bot_v2.features.brokerages.core.capabilities import Capability
from bot_v2.features.brokerages.core.errors import InvalidSymbolError
from bot_v2.features.brokerages.core.market_data import Trade
from bot_v2.testing.cards import Section, card
from bot_v2.testing.context import CheckContext
from bot_v2.testing.violation import expect, expect_error

TRADES = (Capability.TRADES,)


@card(
    "BC-TR010",
    "Trades are newest first, and no more than asked for.",
    Section.MEANING,
    capabilities=TRADES,
)
def _newest_first(ctx: CheckContext) -> None:
    """Times fall; a limit of two gives at most two, the newest of the longer list."""
    if ctx.has_venue:
        for _ in range(3):
            ctx.trade(quantity=ctx.market.unit)
    trades = ctx.untyped.list_trades(ctx.symbol)
    expect(all(type(one) is Trade for one in trades), "Trades only", trades[:3])
    stamps = [one.timestamp for one in trades]
    expect(stamps == sorted(stamps, reverse=True), "falling times", stamps[:5])
    expect(len(ctx.untyped.list_trades(ctx.symbol, limit=2)) <= 2, "at most two", trades[:3])


@card(
    "BC-TR020",
    "Trades of an unknown symbol are InvalidSymbolError.",
    Section.SYMBOLS,
    capabilities=TRADES,
)
def _unknown(ctx: CheckContext) -> None:
    """list_trades() is asked for a symbol that the broker does not have."""
    expect_error(
        lambda: ctx.untyped.list_trades(ctx.profile.unknown_symbol),
        InvalidSymbolError,
        when="list_trades of an unknown symbol",
    )


@card("BC-TR030", "Trades are of the symbol asked for.", Section.SYMBOLS, capabilities=TRADES)
def _of_symbol(ctx: CheckContext) -> None:
    """After one of ours there are some; each has the symbol, a price that is not 0, a size."""
    if ctx.has_venue:
        ctx.trade()
    trades = ctx.untyped.list_trades(ctx.symbol)
    expect(bool(trades) or not ctx.has_venue, "at least one trade", trades)
    for trade in trades:
        fits = trade.symbol == ctx.symbol and trade.price != 0 and trade.size > 0
        expect(fits, f"a trade of {ctx.symbol}", trade)
