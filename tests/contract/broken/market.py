"""Broken markets: products, prices and books."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

import attrs

from bot_v2.features.brokerages.core.errors import (
    BrokerageError,
    InvalidRequestError,
    InvalidSymbolError,
    MarketDataUnavailableError,
)
from bot_v2.features.brokerages.core.orderbook import Orderbook, PriceLevel
from tests.contract.broken.alterations import (
    each,
    each_with,
    forged,
    on_error,
    returned,
    swallowed,
    told_with,
)
from tests.contract.broken.entry import Broken
from tests.contract.broken.healthy import PAPER, RICH


def _deeper(levels: Any, step: int) -> tuple[PriceLevel, ...]:
    return tuple(
        PriceLevel(level.price + step * number, level.size)
        for level in levels
        for number in range(10)
    )


def _ten_levels(book: Orderbook) -> Orderbook:
    return attrs.evolve(book, bids=_deeper(book.bids, -1), asks=_deeper(book.asks, 1))


def _crossed(book: Orderbook) -> Orderbook:
    return attrs.evolve(book, bids=book.asks, asks=book.bids)


def _unsorted(book: Orderbook) -> Any:
    deep = _ten_levels(book)
    return forged(deep, bids=deep.bids[::-1])


def _empty_level(book: Orderbook) -> Any:
    return forged(book, asks=tuple(forged(one, size=Decimal(0)) for one in book.asks))


def _split(book: Orderbook) -> Orderbook:
    return attrs.evolve(book, bids=book.bids * 2, asks=book.asks * 2)


def _between(book: Orderbook) -> Orderbook:
    off = Decimal("0.005")
    bids = tuple(PriceLevel(one.price + off, one.size) for one in book.bids)
    return attrs.evolve(book, bids=bids)


def _thin(book: Orderbook) -> Orderbook:
    return attrs.evolve(book, asks=tuple(PriceLevel(one.price, Decimal(1)) for one in book.asks))


def _at_level(wanted: int, change: Any) -> Any:
    def instead(_: Any, real: Any, symbol: str, level: int = 1) -> Any:
        book = real(symbol, level)
        return change(book) if level == wanted else book

    return instead


def _nearest_level(_: Any, real: Any, symbol: str, level: int = 1) -> Any:
    return real(symbol, max(1, min(2, level)))


def _empty_book(_: Any, real: Any, symbol: str, level: int = 1) -> Any:
    try:
        return real(symbol, level)
    except InvalidSymbolError:
        return Orderbook(symbol=symbol, bids=(), asks=())


def _first_price(broker: Any, real: Any, symbol: str) -> Any:
    prices = broker.__dict__.setdefault("prices", {})
    if symbol not in prices:
        prices[symbol] = real(symbol)
    return prices[symbol]


def _swapped(product: Any) -> Any:
    if product.base_currency is None:
        return product
    return forged(
        product, base_currency=product.quote_currency, quote_currency=product.base_currency
    )


def _half_step(product: Any) -> Any:
    if product.size_increment is None:
        return product
    return forged(product, min_order_size=product.size_increment * Decimal("1.5"))


def _bare_by_shape(broker: Any, real: Any, symbol: str) -> Any:
    return real("AAPL" if symbol.isupper() and "-" not in symbol and symbol[0] != "@" else symbol)


def _raises_key_error(_: Any, real: Any, symbol: str) -> Any:
    try:
        return real(symbol)
    except BrokerageError as error:
        raise KeyError(symbol) from error


BROKEN: Final = (
    Broken(
        name="products in a tuple",
        fault="get_products() returns a tuple.",
        on=PAPER,
        alter={"get_products": returned(tuple)},
        caught_by={"BC-I010": "a list that is not empty", "BC-V010": "a list from get_products"},
    ),
    Broken(
        name="nothing to trade",
        fault="No product is said to be tradeable.",
        on=PAPER,
        alter={"get_products": each_with(tradeable=False)},
        caught_by={"BC-I020": "a tradeable product"},
    ),
    Broken(
        name="products twice",
        fault="get_products() lists each product once per page that it is on.",
        on=PAPER,
        alter={"get_products": returned(lambda products: products + products[-1:])},
        caught_by={"BC-I030": "each symbol once"},
        catalogue=("P10",),
    ),
    Broken(
        name="native symbols",
        fault="Products are called BTC/USD.",
        on=PAPER,
        alter={
            "get_products": each(
                lambda product: forged(product, symbol=product.symbol.replace("-", "/"))
            )
        },
        caught_by={"BC-I040": "canonical symbols"},
    ),
    Broken(
        name="currencies swapped",
        fault="BTC-USD is said to be priced in BTC.",
        on=PAPER,
        alter={"get_products": each(_swapped)},
        caught_by={"BC-I050": "the currencies"},
    ),
    Broken(
        name="two stories of a product",
        fault="get_product() says that a product cannot be traded, and the list that it can.",
        on=PAPER,
        alter={"get_product": told_with(tradeable=False)},
        caught_by={"BC-I060": "BTC-USD to be"},
    ),
    Broken(
        name="an unknown symbol without its name",
        fault="The error of an unknown symbol is InvalidRequestError, and does not name it.",
        on=PAPER,
        alter={
            "get_product": on_error(InvalidSymbolError, lambda _: InvalidRequestError("no such"))
        },
        caught_by={"BC-I070": "InvalidSymbolError from get_product"},
    ),
    Broken(
        name="a native KeyError",
        fault="get_product() of an odd text raises KeyError.",
        on=PAPER,
        alter={"get_product": _raises_key_error},
        caught_by={
            "BC-I080": "InvalidRequestError from get_product",
            "BC-I070": "InvalidSymbolError from get_product",
        },
    ),
    Broken(
        name="sizes that disagree",
        fault="The smallest order is one and a half steps.",
        on=PAPER,
        alter={"get_products": each(_half_step)},
        caught_by={"BC-I090": "min_order_size to be a multiple of size_increment"},
        catalogue=("S17",),
    ),
    Broken(
        name="shape decides",
        fault="A bare native symbol in capitals is taken for a share.",
        on=PAPER,
        alter={"get_product": _bare_by_shape},
        caught_by={"BC-I100": "the product WEATHER to be"},
    ),
    Broken(
        name="a price in float",
        fault="get_price() returns a float.",
        on=PAPER,
        alter={"get_price": returned(float)},
        caught_by={"BC-M010": "a price; saw 100.05", "BC-V020": "no float at get_price"},
        catalogue=("P14",),
    ),
    Broken(
        name="a price in cents",
        fault="get_price() is in hundredths of the quote currency.",
        on=PAPER,
        alter={"get_price": returned(lambda price: price * 100)},
        caught_by={"BC-M020": "a price near 100 to 100.100"},
        catalogue=("P16",),
    ),
    Broken(
        name="no price is zero",
        fault="get_price() is 0 where there is no price.",
        on=PAPER,
        alter={"get_price": on_error(MarketDataUnavailableError, lambda _: Decimal(0))},
        caught_by={"BC-M120": "a price of BTC-USD, or MarketDataUnavailableError"},
        catalogue=("P14",),
    ),
    Broken(
        name="an unknown symbol costs nothing",
        fault="get_price() of an unknown symbol is 0.",
        on=PAPER,
        alter={"get_price": swallowed(Decimal(0))},
        caught_by={
            "BC-M030": "InvalidSymbolError from get_price",
            "BC-F010": "get_price to fail at reset_before",
            "BC-F030": "get_price to fail at server_error",
        },
        catalogue=("V12",),
    ),
    Broken(
        name="ten levels at level 1",
        fault="get_orderbook() at level 1 returns ten prices of each side.",
        on=PAPER,
        alter={"get_orderbook": _at_level(1, _ten_levels)},
        caught_by={"BC-M040": "one price on each side"},
    ),
    Broken(
        name="a crossed book",
        fault="Bids and asks are taken for one another.",
        on=PAPER,
        alter={"get_orderbook": _at_level(2, _crossed)},
        caught_by={"BC-M050": "bid below ask"},
        catalogue=("P09",),
    ),
    Broken(
        name="an unsorted book",
        fault="Bids come with the lowest first.",
        on=PAPER,
        alter={"get_orderbook": _at_level(2, _unsorted)},
        caught_by={"BC-M060": "falling bids; saw ["},
    ),
    Broken(
        name="an empty level",
        fault="A price that nothing is offered at stays in the book, with a size of 0.",
        on=PAPER,
        alter={"get_orderbook": _at_level(2, _empty_level)},
        caught_by={"BC-M060": "sizes above zero"},
    ),
    Broken(
        name="not aggregated",
        fault="Level 2 has a price two times.",
        on=PAPER,
        alter={"get_orderbook": _at_level(2, _split)},
        caught_by={"BC-M070": "each price of the bids once"},
    ),
    Broken(
        name="single orders twice",
        fault="At level 3 each order is listed two times.",
        on=RICH,
        alter={"get_orderbook": _at_level(3, _split)},
        caught_by={"BC-M080": "the orders at 100 to be"},
    ),
    Broken(
        name="the nearest level",
        fault="A level that there is not is answered with the nearest one.",
        on=PAPER,
        alter={"get_orderbook": _nearest_level},
        caught_by={
            "BC-M090": "InvalidRequestError from get_orderbook at level 0",
            "BC-D080": "UnsupportedOperationError from get_orderbook:level>=3",
        },
        catalogue=("S16",),
    ),
    Broken(
        name="an empty book of nothing",
        fault="The book of an unknown symbol is empty.",
        on=PAPER,
        alter={"get_orderbook": _empty_book},
        caught_by={"BC-M100": "InvalidSymbolError from get_orderbook"},
    ),
    Broken(
        name="sizes made up",
        fault="Each level of the book has a size of 1.",
        on=PAPER,
        alter={"get_orderbook": returned(_thin)},
        caught_by={"BC-M110": "a bid of 110.0 and an ask of 120.0 for 0.5716"},
    ),
    Broken(
        name="prices between the steps",
        fault="The bid of the book is half a step off the grid.",
        on=PAPER,
        alter={"get_orderbook": returned(_between)},
        caught_by={
            "BC-M130": "a multiple of 0.01",
            "BC-M110": "a bid of 110.01 and an ask of 120.01 for 0.5716",
        },
        catalogue=("P14",),
    ),
    Broken(
        name="the first price for ever",
        fault="get_price() remembers its first answer.",
        on=PAPER,
        alter={"get_price": _first_price},
        caught_by={"BC-M140": "a price between 150.0 and 150.1500"},
    ),
)
