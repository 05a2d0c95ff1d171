"""Prices and books."""

from __future__ import annotations

from decimal import Decimal
from functools import partial

from bot_v2.features.brokerages.core.decimals import EXACT
from bot_v2.features.brokerages.core.errors import (
    InvalidRequestError,
    InvalidSymbolError,
    MarketDataUnavailableError,
    UnsupportedOperationError,
)
from bot_v2.features.brokerages.core.increments import price_increment_at
from bot_v2.features.brokerages.core.orderbook import Orderbook
from bot_v2.testing.cards import Section, card
from bot_v2.testing.context import CheckContext
from bot_v2.testing.market import TRIED_MAX
from bot_v2.testing.violation import expect, expect_equal, expect_error
from bot_v2.testing.waiting import wait_until

NEAR = Decimal("0.2")
"""How far the latest trade may be from the book, as a fraction."""


def _book(ctx: CheckContext, level: int) -> Orderbook:
    """Return the book of the traded product at a level, which may be unsupported."""
    try:
        return ctx.broker.get_orderbook(ctx.symbol, level)
    except UnsupportedOperationError:
        ctx.skip(f"level {level} is unsupported")


@card("BC-M010", "get_price() is a price: a finite Decimal above zero.", Section.MEANING)
def _price(ctx: CheckContext) -> None:
    """The price of the traded product is of type Decimal, and positive."""
    price: object = ctx.broker.get_price(ctx.symbol)
    expect(type(price) is Decimal and price.is_finite() and price > 0, "a price", price)


@card("BC-M020", "The price agrees with the book.", Section.MEANING)
def _price_near_book(ctx: CheckContext) -> None:
    """It is within a fifth of the best bid and ask: another unit or product would not be."""
    bid, ask = ctx.market.best()
    price = ctx.broker.get_price(ctx.symbol)
    near = EXACT.multiply(bid, 1 - NEAR) <= price <= EXACT.multiply(ask, 1 + NEAR)
    expect(near, f"a price near {bid} to {ask}", price)


@card("BC-M030", "A price of an unknown symbol is InvalidSymbolError.", Section.SYMBOLS)
def _price_unknown(ctx: CheckContext) -> None:
    """get_price() is asked for a symbol that the broker does not have."""
    symbol = ctx.profile.unknown_symbol
    expect_error(
        lambda: ctx.broker.get_price(symbol), InvalidSymbolError, when=f"get_price({symbol!r})"
    )


@card("BC-M040", "Level 1 is the best bid and the best ask.", Section.MEANING)
def _level_one(ctx: CheckContext) -> None:
    """The book of the product has at most one price on each side."""
    book = _book(ctx, 1)
    expect(isinstance(book, Orderbook), "an Orderbook", book)
    expect_equal(book.symbol, ctx.symbol, "the book's symbol")
    expect(len(book.bids) <= 1 and len(book.asks) <= 1, "one price on each side", book)


@card("BC-M050", "A book is not crossed.", Section.MODELS)
def _not_crossed(ctx: CheckContext) -> None:
    """At each supported level the best bid is below the best ask."""
    for level in (1, 2, 3):
        try:
            book = ctx.broker.get_orderbook(ctx.symbol, level)
        except UnsupportedOperationError:
            continue
        if book.bids and book.asks:
            expect(book.bids[0].price < book.asks[0].price, "bid below ask", book)


@card("BC-M060", "A book is sorted, the best first.", Section.MODELS)
def _sorted(ctx: CheckContext) -> None:
    """At each supported level bids fall and asks rise, and every size is above zero."""
    for level in (1, 2, 3):
        try:
            book = ctx.broker.get_orderbook(ctx.symbol, level)
        except UnsupportedOperationError:
            continue
        bids = [one.price for one in book.bids]
        asks = [one.price for one in book.asks]
        expect(bids == sorted(bids, reverse=True), "falling bids", bids[:10])
        expect(asks == sorted(asks), "rising asks", asks[:10])
        sizes = [one.size for one in (*book.bids, *book.asks)]
        expect(all(size > 0 for size in sizes), "sizes above zero", sizes[:10])


@card("BC-M070", "Level 2 is aggregated: each price once, the best as at level 1.", Section.MEANING)
def _level_two(ctx: CheckContext) -> None:
    """No price is there twice, and the best prices are those of level 1."""
    book, best = _book(ctx, 2), _book(ctx, 1)
    for side in ("bids", "asks"):
        prices = [one.price for one in getattr(book, side)]
        expect(len(set(prices)) == len(prices), f"each price of the {side} once", prices[:10])
        tops = [one.price for one in getattr(best, side)]
        expect_equal(prices[:1], tops, f"the best of the {side}")


@card("BC-M080", "Level 3 is single orders, which add up to level 2.", Section.MEANING)
def _level_three(ctx: CheckContext) -> None:
    """The sizes at the best price, added up, are the size of level 2."""
    single, whole = _book(ctx, 3), _book(ctx, 2)
    for side in ("bids", "asks"):
        top = getattr(whole, side)[:1]
        for level in top:
            orders = [one.size for one in getattr(single, side) if one.price == level.price]
            expect_equal(sum(orders), level.size, f"the orders at {level.price}")


@card("BC-M090", "A level that there is not is InvalidRequestError.", Section.MEANING)
def _odd_level(ctx: CheckContext) -> None:
    """Levels 0, 4 and -1 are asked for."""
    for level in (0, 4, -1):
        expect_error(
            partial(ctx.broker.get_orderbook, ctx.symbol, level),
            InvalidRequestError,
            when=f"get_orderbook at level {level}",
        )


@card("BC-M100", "A book of an unknown symbol is InvalidSymbolError.", Section.SYMBOLS)
def _book_unknown(ctx: CheckContext) -> None:
    """get_orderbook() is asked for a symbol that the broker does not have."""
    symbol = ctx.profile.unknown_symbol
    expect_error(
        lambda: ctx.broker.get_orderbook(symbol),
        InvalidSymbolError,
        when=f"get_orderbook({symbol!r})",
    )


@card(
    "BC-M110",
    "The book is the market's, exactly.",
    Section.MONEY,
    needs_venue=True,
)
def _book_exact(ctx: CheckContext) -> None:
    """The market is put somewhere, and level 1 shows its prices and sizes to the last digit."""
    bid, _ = ctx.market.best()
    low, high = ctx.market.scaled(bid, "1.1"), ctx.market.scaled(bid, "1.2")
    size = ctx.market.quantity
    ctx.market.set(low, high, size)
    wait_until(
        lambda: ctx.broker.get_orderbook(ctx.symbol),
        lambda book: (
            [(one.price, one.size) for one in (*book.bids, *book.asks)]
            == [(low, size), (high, size)]
        ),
        ctx.profile.settle_s,
        f"a bid of {low} and an ask of {high} for {size}",
    )


@card(
    "BC-M120",
    "Where there is no price, MarketDataUnavailableError says so; never 0.",
    Section.MEANING,
)
def _no_price(ctx: CheckContext) -> None:
    """Of the first products each has a positive price, or that error."""
    for product in ctx.products()[:TRIED_MAX]:
        try:
            price: object = ctx.broker.get_price(product.symbol)
        except MarketDataUnavailableError:
            continue
        fits = type(price) is Decimal and price.is_finite() and price != 0
        expect(fits, f"a price of {product.symbol}, or MarketDataUnavailableError", price)


@card("BC-M130", "Prices of a book are on the product's grid.", Section.MODELS)
def _on_grid(ctx: CheckContext) -> None:
    """Each price is a multiple of the step that the product states at that price."""
    for level in (*_book(ctx, 1).bids, *_book(ctx, 1).asks):
        step = price_increment_at(ctx.market.product, level.price)
        if step is None:
            ctx.skip("the product states no step")
        expect(EXACT.remainder(level.price, step) == 0, f"a multiple of {step}", level)


@card(
    "BC-M140",
    "The price follows the market.",
    Section.MEANING,
    needs_venue=True,
)
def _follows(ctx: CheckContext) -> None:
    """A price is read; after a trade at a new one, it is the trade's or between the new prices."""
    bid, _ = ctx.market.best()
    ctx.broker.get_price(ctx.symbol)
    ctx.market.set(ctx.market.scaled(bid, "1.5"))
    low, high = ctx.market.best()
    order = ctx.trade(quantity=ctx.market.unit)
    wait_until(
        lambda: ctx.broker.get_price(ctx.symbol),
        lambda price: low <= price <= high or price == order.average_fill_price,
        ctx.profile.settle_s,
        f"a price between {low} and {high}",
    )
