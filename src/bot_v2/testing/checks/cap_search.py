"""Finding products by what people call them."""

from __future__ import annotations

from bot_v2.features.brokerages.core.capabilities import Capability
from bot_v2.features.brokerages.core.products import Product
from bot_v2.testing.cards import Section, card
from bot_v2.testing.context import CheckContext
from bot_v2.testing.violation import expect, expect_equal

SEARCH = (Capability.SYMBOL_SEARCH,)


@card("BC-SY010", "A product is found by its own symbol.", Section.SYMBOLS, capabilities=SEARCH)
def _own_symbol(ctx: CheckContext) -> None:
    """The traded product is among the matches of its symbol, and equals get_product()."""
    matches = ctx.untyped.list_symbol_matches(ctx.symbol)
    expect(all(type(one) is Product for one in matches), "Products only", matches[:3])
    found = [one for one in matches if one.symbol == ctx.symbol]
    expect_equal(found, [ctx.broker.get_product(ctx.symbol)], "the matches of the symbol itself")


@card("BC-SY020", "What nothing is called has no match.", Section.FAILED_READ, capabilities=SEARCH)
def _nothing(ctx: CheckContext) -> None:
    """A made-up name gives an empty list, and no error."""
    matches = ctx.untyped.list_symbol_matches("zzqqxxnosuchname")
    expect_equal(matches, [], "the matches of a made-up name")
