"""Quotes: best prices with their time."""

from __future__ import annotations

from datetime import timedelta

from bot_v2.features.brokerages.core.capabilities import Capability
from bot_v2.features.brokerages.core.errors import InvalidSymbolError
from bot_v2.features.brokerages.core.market_data import Quote
from bot_v2.testing.cards import Section, card
from bot_v2.testing.context import CheckContext
from bot_v2.testing.violation import expect, expect_equal, expect_error
from bot_v2.testing.waiting import wait_until

QUOTES = (Capability.QUOTES,)
AHEAD = timedelta(minutes=15)
"""How far a quote may be ahead of our clock: clocks differ, but not by zones."""


@card(
    "BC-QU010",
    "A quote is of the symbol asked for, and not crossed.",
    Section.MODELS,
    capabilities=QUOTES,
)
def _quote(ctx: CheckContext) -> None:
    """It is a Quote with a bid below its ask, where it has both."""
    quote = ctx.untyped.get_quote(ctx.symbol)
    expect(type(quote) is Quote, "a Quote", quote)
    expect_equal(quote.symbol, ctx.symbol, "the symbol")
    if quote.bid is not None and quote.ask is not None:
        expect(quote.bid < quote.ask, "bid below ask", quote)


@card("BC-QU020", "The age of a quote is in it.", Section.TIME, capabilities=QUOTES)
def _age(ctx: CheckContext) -> None:
    """Its time is aware UTC, and not in the future."""
    quote = ctx.untyped.get_quote(ctx.symbol)
    offset = quote.timestamp.utcoffset()
    expect(offset == timedelta(0), "an aware UTC datetime", quote.timestamp)
    expect(quote.timestamp <= ctx.profile.clock() + AHEAD, "no time in the future", quote)


@card(
    "BC-QU030",
    "A quote is the market's, exactly.",
    Section.MONEY,
    capabilities=QUOTES,
    needs_venue=True,
)
def _exact(ctx: CheckContext) -> None:
    """A quote is read; the market is put elsewhere, and the next shows it to the last digit."""
    bid, _ = ctx.market.best()
    ctx.untyped.get_quote(ctx.symbol)
    low, high = ctx.market.scaled(bid, "1.1"), ctx.market.scaled(bid, "1.2")
    ctx.market.set(low, high)
    wait_until(
        lambda: ctx.untyped.get_quote(ctx.symbol),
        lambda quote: (quote.bid, quote.ask) == (low, high),
        ctx.profile.settle_s,
        f"a quote of {low} to {high}",
    )


@card(
    "BC-QU040",
    "A quote of an unknown symbol is InvalidSymbolError.",
    Section.SYMBOLS,
    capabilities=QUOTES,
)
def _unknown(ctx: CheckContext) -> None:
    """get_quote() is asked for a symbol that the broker does not have."""
    expect_error(
        lambda: ctx.untyped.get_quote(ctx.profile.unknown_symbol),
        InvalidSymbolError,
        when="get_quote of an unknown symbol",
    )


@card(
    "BC-QU050",
    "A quote agrees with the book.",
    Section.MEANING,
    capabilities=QUOTES,
    needs_venue=True,
)
def _agrees(ctx: CheckContext) -> None:
    """On a market that stands still, best bid and ask are the same in both."""
    bid, ask = ctx.market.best()
    quote = ctx.untyped.get_quote(ctx.symbol)
    expect_equal((quote.bid, quote.ask), (bid, ask), "bid and ask of the quote")
