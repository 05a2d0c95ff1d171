"""Products, and the symbols that name them."""

from __future__ import annotations

from collections import Counter
from functools import partial

from bot_v2.features.brokerages.core.decimals import EXACT
from bot_v2.features.brokerages.core.errors import (
    InvalidRequestError,
    InvalidSymbolError,
)
from bot_v2.features.brokerages.core.products import MarketType, Product
from bot_v2.features.brokerages.core.symbols import (
    FutureSymbol,
    OptionSymbol,
    PairSymbol,
    PerpetualSymbol,
    is_canonical,
    parse_symbol,
)
from bot_v2.testing.cards import Section, card
from bot_v2.testing.context import CheckContext
from bot_v2.testing.violation import expect, expect_equal, expect_error, expect_list

LOOKED_AT_MAX = 200
"""How many products are read one by one."""


@card("BC-I010", "get_products() returns everything that can be traded.", Section.MEANING)
def _list(ctx: CheckContext) -> None:
    """It is a list of Product that is not empty."""
    expect_list(ctx.products(), Product)


@card("BC-I020", "At least one product can be traded.", Section.MEANING)
def _tradeable(ctx: CheckContext) -> None:
    """A brokerage whose products are all refused can be certified for nothing."""
    expect(any(one.tradeable for one in ctx.products()), "a tradeable product", "none")


@card("BC-I030", "One product, one symbol.", Section.SYMBOLS)
def _unique(ctx: CheckContext) -> None:
    """No symbol is in the list twice."""
    counted = Counter(one.symbol for one in ctx.products())
    twice = [symbol for symbol, times in counted.items() if times > 1]
    expect(not twice, "each symbol once", twice)


@card("BC-I040", "Returned symbols are canonical, or @native.", Section.SYMBOLS)
def _canonical(ctx: CheckContext) -> None:
    """Each product's symbol is read by the grammar, and is written as the grammar writes it."""
    odd = [one.symbol for one in ctx.products() if not is_canonical(one.symbol)]
    expect(not odd, "canonical symbols", odd[:10])


_MARKETS = {
    # what the grammar reads: the market types that it can be
    PairSymbol: (MarketType.SPOT, MarketType.FOREX, MarketType.OTHER),
    PerpetualSymbol: (MarketType.PERPETUAL,),
    FutureSymbol: (MarketType.FUTURES,),
    OptionSymbol: (MarketType.OPTION,),
}


@card("BC-I050", "A canonical symbol names what the product is.", Section.SYMBOLS)
def _symbol_fits(ctx: CheckContext) -> None:
    """Currencies, expiry, strike and right in the symbol are those of the product."""
    for product in ctx.products():
        parsed = parse_symbol(product.symbol)
        accepted = _MARKETS.get(type(parsed))
        if accepted is not None:
            expect(product.market_type in accepted, f"one of {accepted}", product)
        if isinstance(parsed, PairSymbol | PerpetualSymbol):
            named = (parsed.base, parsed.quote)
            actual = (product.base_currency, product.quote_currency)
            expect(actual == named, f"the currencies {named}", product)
        if isinstance(parsed, FutureSymbol | OptionSymbol):
            expect_equal(product.expiry, parsed.expiry, f"the expiry of {product.symbol}")
        if isinstance(parsed, OptionSymbol):
            terms = (product.strike, product.right)
            expect_equal(terms, (parsed.strike, parsed.right), f"the terms of {product.symbol}")


@card("BC-I060", "get_product() agrees with get_products().", Section.MEANING)
def _one_of_list(ctx: CheckContext) -> None:
    """Products are read one by one, and are equal to their place in the list."""
    for product in ctx.products()[:LOOKED_AT_MAX]:
        expect_equal(ctx.broker.get_product(product.symbol), product, product.symbol)


@card("BC-I070", "An unknown symbol is InvalidSymbolError, which names it.", Section.SYMBOLS)
def _unknown(ctx: CheckContext) -> None:
    """get_product() is asked for a symbol that the broker does not have."""
    symbol = ctx.profile.unknown_symbol
    error = expect_error(
        lambda: ctx.broker.get_product(symbol), InvalidSymbolError, when=f"get_product({symbol!r})"
    )
    said = (error.symbol or "") + error.message
    expect(symbol.removeprefix("@") in said, f"the error to name {symbol}", error)


@card("BC-I080", "Whatever text is asked for, the error is typed.", Section.SYMBOLS)
def _odd_texts(ctx: CheckContext) -> None:
    """Empty, blank and misshapen symbols are InvalidRequestError; none leaks as a KeyError."""
    for text in ("", " ", "no such thing", "@", "A-B-C-D", "\x00", "ÄÖÜ"):
        expect_error(
            partial(ctx.broker.get_product, text),
            InvalidRequestError,
            when=f"get_product({text!r})",
        )


@card("BC-I090", "A product's sizes agree with one another.", Section.MODELS)
def _sizes(ctx: CheckContext) -> None:
    """The smallest order is a whole number of steps, as are the price bands' floors."""
    for product in ctx.products():
        step, least = product.size_increment, product.min_order_size
        if step is not None and least is not None and product.tradeable:
            rest = EXACT.remainder(least, step)
            expect(rest == 0, "min_order_size to be a multiple of size_increment", product)


@card("BC-I100", "A product is found by every spelling of its name.", Section.SYMBOLS)
def _spellings(ctx: CheckContext) -> None:
    """The canonical symbol and, where there is one, the @native one give the same product."""
    product = ctx.market.product
    expect_equal(ctx.broker.get_product(product.symbol), product, "the product")
    for other in ctx.products()[:LOOKED_AT_MAX]:
        if other.symbol.startswith("@"):
            bare = other.symbol.removeprefix("@")
            expect_equal(ctx.broker.get_product(bare), other, f"the product {bare}")
