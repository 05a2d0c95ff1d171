"""Whether a market is open."""

from __future__ import annotations

from bot_v2.features.brokerages.core.capabilities import Capability
from bot_v2.features.brokerages.core.errors import InvalidSymbolError
from bot_v2.features.brokerages.core.market_data import MarketStatus
from bot_v2.testing.cards import Section, card
from bot_v2.testing.context import CheckContext
from bot_v2.testing.violation import expect, expect_equal, expect_error

STATUS = (Capability.MARKET_STATUS,)


@card(
    "BC-MS010",
    "A market's status is of the symbol, and its times are ahead.",
    Section.TIME,
    capabilities=STATUS,
)
def _status(ctx: CheckContext) -> None:
    """next_open and next_close, where told, are ahead, and a halted market is not open."""
    status = ctx.untyped.get_market_status(ctx.symbol)
    expect(type(status) is MarketStatus, "a MarketStatus", status)
    expect_equal(status.symbol, ctx.symbol, "the symbol")
    now = ctx.profile.clock()
    for moment in (status.next_open, status.next_close):
        expect(moment is None or moment >= now, "a time ahead", status)
    expect(not (status.halted and status.is_open), "no market both halted and open", status)


@card(
    "BC-MS020",
    "The status of an unknown symbol is InvalidSymbolError.",
    Section.SYMBOLS,
    capabilities=STATUS,
)
def _unknown(ctx: CheckContext) -> None:
    """get_market_status() is asked for a symbol that the broker does not have."""
    expect_error(
        lambda: ctx.untyped.get_market_status(ctx.profile.unknown_symbol),
        InvalidSymbolError,
        when="get_market_status of an unknown symbol",
    )


@card(
    "BC-MS030",
    "An order trades while the market is said to be open.",
    Section.MEANING,
    capabilities=STATUS,
    needs_venue=True,
)
def _open_trades(ctx: CheckContext) -> None:
    """A market order is filled where is_open is True."""
    if not ctx.untyped.get_market_status(ctx.symbol).is_open:
        ctx.skip("the market is closed now")
    expect(ctx.trade().filled_quantity > 0, "a fill", 0)
