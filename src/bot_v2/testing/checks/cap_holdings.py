"""Holdings merged with positions, and positions in several buckets."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

from bot_v2.features.brokerages.core.accounts import Position
from bot_v2.features.brokerages.core.capabilities import Capability
from bot_v2.features.brokerages.core.errors import AmbiguousPositionError
from bot_v2.testing.cards import Section, card
from bot_v2.testing.context import CheckContext
from bot_v2.testing.violation import expect, expect_error


@card(
    "BC-HO010",
    "Holdings are part of the positions, counted once.",
    Section.MEANING,
    capabilities=(Capability.HOLDINGS,),
)
def _holdings(ctx: CheckContext) -> None:
    """After a purchase, the positions of each holding's symbol add up to at least as much."""
    if ctx.has_venue:
        ctx.trade()
    held: Counter[str] = Counter()
    totals: dict[str, Decimal] = {}
    for position in ctx.broker.list_positions():
        held[position.symbol] += 1
        totals[position.symbol] = totals.get(position.symbol, Decimal(0)) + position.quantity
    for holding in ctx.untyped.list_holdings():
        expect(type(holding) is Position, "a Position", holding)
        total = totals.get(holding.symbol, Decimal(0))
        expect(total >= holding.quantity, f"positions of at least {holding.quantity}", total)


@card(
    "BC-HO020",
    "A symbol with several buckets is AmbiguousPositionError, which lists them.",
    Section.MEANING,
    capabilities=(Capability.POSITION_BUCKETS,),
)
def _ambiguous(ctx: CheckContext) -> None:
    """get_position() of a symbol that the list has more than once is refused."""
    counted = Counter(one.symbol for one in ctx.broker.list_positions())
    several = [symbol for symbol, times in counted.items() if times > 1]
    if not several:
        ctx.skip("no symbol has positions in several buckets now")
    error = expect_error(
        lambda: ctx.broker.get_position(several[0]),
        AmbiguousPositionError,
        when=f"get_position({several[0]!r})",
    )
    listed = len(error.buckets)
    expect(listed == counted[several[0]], f"{counted[several[0]]} buckets", error)
