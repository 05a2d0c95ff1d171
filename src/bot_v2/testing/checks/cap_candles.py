"""Candles: complete, in order, and honest about the one that still forms."""

from __future__ import annotations

from datetime import timedelta

from bot_v2.features.brokerages.core.capabilities import Capability
from bot_v2.features.brokerages.core.errors import InvalidRequestError, InvalidSymbolError
from bot_v2.features.brokerages.core.market_data import Candle
from bot_v2.testing.cards import Section, card
from bot_v2.testing.context import CheckContext
from bot_v2.testing.violation import expect, expect_equal, expect_error

CANDLES = (Capability.CANDLES,)


def _candles(ctx: CheckContext) -> list[Candle]:
    """Return the candles of the profile's span up to now."""
    end = ctx.profile.clock()
    interval, start = ctx.profile.candle_interval, end - ctx.profile.candle_span
    candles: list[Candle] = ctx.untyped.list_candles(ctx.symbol, interval, start, end)
    if not candles:
        ctx.skip("there are no candles in the span that was asked for")
    return candles


@card(
    "BC-CA010",
    "Candles are oldest first, each interval once.",
    Section.MEANING,
    capabilities=CANDLES,
    catalogue=("P18",),
)
def _in_order(ctx: CheckContext) -> None:
    """Open times rise strictly, and are whole intervals apart."""
    opens = [one.open_time for one in _candles(ctx)]
    expect(opens == sorted(set(opens)), "rising open times", opens[:5])
    interval = ctx.profile.candle_interval
    odd = [one for one in opens if (one - opens[0]) % interval]
    expect(not odd, f"open times {interval} apart", odd[:5])


@card("BC-CA020", "Candles open in [start, end).", Section.MEANING, capabilities=CANDLES)
def _in_span(ctx: CheckContext) -> None:
    """A span from one candle's open time to another's has the first and not the second."""
    whole = _candles(ctx)
    if len(whole) < 3:
        ctx.skip("there are fewer than three candles")
    start, end = whole[0].open_time, whole[-1].open_time
    interval = ctx.profile.candle_interval
    inside = ctx.untyped.list_candles(ctx.symbol, interval, start, end)
    expected = [one.open_time for one in whole[:-1]]
    expect_equal([one.open_time for one in inside], expected, "the open times in the span")


@card(
    "BC-CA030",
    "A candle is of the symbol and the interval asked for.",
    Section.NO_SILENT_CHANGE,
    capabilities=CANDLES,
)
def _as_asked(ctx: CheckContext) -> None:
    """Each is a Candle with them."""
    for candle in _candles(ctx):
        expect(type(candle) is Candle, "a Candle", candle)
        told = (candle.symbol, candle.interval)
        expect_equal(told, (ctx.symbol, ctx.profile.candle_interval), "symbol and interval")


@card(
    "BC-CA040",
    "A candle that still forms says so.",
    Section.MODELS,
    capabilities=CANDLES,
    catalogue=("P18",),
)
def _forming(ctx: CheckContext) -> None:
    """One whose interval has not ended has complete=False; all but the last are complete."""
    candles = _candles(ctx)
    now = ctx.profile.clock()
    for candle in candles[:-1]:
        expect(candle.complete, "a complete candle before the last", candle)
    last = candles[-1]
    ended = last.open_time + last.interval <= now
    expect(ended or not last.complete, "complete=False on a candle that still forms", last)


@card("BC-CA050", "A naive span is refused.", Section.TIME, capabilities=CANDLES)
def _odd_span(ctx: CheckContext) -> None:
    """Naive times are InvalidRequestError: nobody can know which zone was meant."""
    naive = ctx.profile.clock().replace(tzinfo=None)
    interval, start = ctx.profile.candle_interval, naive - timedelta(hours=1)
    expect_error(
        lambda: ctx.untyped.list_candles(ctx.symbol, interval, start, naive),
        InvalidRequestError,
        when=f"candles from {start} to {naive}",
    )


@card(
    "BC-CA060",
    "Candles of an unknown symbol are InvalidSymbolError.",
    Section.SYMBOLS,
    capabilities=CANDLES,
)
def _unknown(ctx: CheckContext) -> None:
    """list_candles() is asked for a symbol that the broker does not have."""
    now = ctx.profile.clock()
    interval, symbol = ctx.profile.candle_interval, ctx.profile.unknown_symbol
    expect_error(
        lambda: ctx.untyped.list_candles(symbol, interval, now - timedelta(hours=1), now),
        InvalidSymbolError,
        when="list_candles of an unknown symbol",
    )
