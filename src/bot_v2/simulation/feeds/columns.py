"""The columns of a price file: which there are, how they may be spelt, and what they make.

    bars     time, open, high, low, close; may have volume, symbol
    trades   time, price, size; may have symbol
    prices   time, price; may have symbol
    quotes   time, bid, ask; may have bid_size, ask_size, symbol

The header alone decides which it is. `time` is when a bar opens, and when a tick happened. A
price without a size says nothing of how much could be traded at it: it is read as a quote whose
bid, ask and last are that price, of sizes not said.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum
from typing import Final

import attrs

from bot_v2.features.brokerages.core.errors import InvalidFieldError


class RowKind(StrEnum):
    """What each row of a price file is."""

    BARS = "bars"
    TRADES = "trades"
    PRICES = "prices"
    QUOTES = "quotes"


REQUIRED: Final[Mapping[RowKind, tuple[str, ...]]] = {
    # In this order: a file with a size is one of trades, and one without is one of bare prices.
    RowKind.BARS: ("time", "open", "high", "low", "close"),
    RowKind.TRADES: ("time", "price", "size"),
    RowKind.PRICES: ("time", "price"),
    RowKind.QUOTES: ("time", "bid", "ask"),
}
"""The columns that a kind of file must have."""

OPTIONAL: Final[Mapping[RowKind, tuple[str, ...]]] = {
    RowKind.BARS: ("volume", "symbol"),
    RowKind.TRADES: ("symbol",),
    RowKind.PRICES: ("symbol",),
    RowKind.QUOTES: ("bid_size", "ask_size", "symbol"),
}
"""The columns that it may have too."""

SPELLINGS: Final[Mapping[str, tuple[str, ...]]] = {
    "time": ("time", "timestamp", "date", "datetime", "t", "ts", "open_time", "start", "unix"),
    "open": ("open", "o", "open_price"),
    "high": ("high", "h", "high_price"),
    "low": ("low", "l", "low_price"),
    "close": ("close", "c", "close_price"),
    "volume": ("volume", "v", "vol", "base_volume"),
    "price": ("price", "p", "last", "last_price"),
    "size": ("size", "s", "quantity", "qty", "amount"),
    "bid": ("bid", "b", "bid_price", "bp"),
    "ask": ("ask", "a", "ask_price", "ap", "offer"),
    "bid_size": ("bid_size", "bs", "bid_quantity", "bid_qty"),
    "ask_size": ("ask_size", "as", "ask_quantity", "ask_qty"),
    "symbol": ("symbol", "ticker", "product", "product_id"),
}
"""How each column may be spelt; capitals, spaces and hyphens make no difference."""

LEFT_OUT: Final = frozenset(
    {
        "adj_close",
        "adjusted_close",
        "close_time",
        "count",
        "dividends",
        "exchange",
        "interval",
        "n",
        "number_of_trades",
        "oi",
        "open_interest",
        "quote_volume",
        "side",
        "stock_splits",
        "trade_count",
        "trade_id",
        "trades",
        "vw",
        "vwap",
    }
)
"""Columns that files of prices often have and that are not read."""

_CANONICAL: Final = {
    spelling: column for column, spellings in SPELLINGS.items() for spelling in spellings
}
_ACCEPTED: Final = "; or ".join(
    f"{kind}: {', '.join(REQUIRED[kind])} (may have {', '.join(OPTIONAL[kind])})"
    for kind in RowKind
)


@attrs.frozen(kw_only=True)
class Layout:
    """What the header of a price file says."""

    kind: RowKind
    """What each row is."""
    columns: tuple[str, ...]
    """The columns that are read, by our names."""
    indexes: tuple[int, ...]
    """Where each of them is in a row, counted from zero."""


def read_header(header: Sequence[str], place: str, ignore: Collection[str] = ()) -> Layout:
    """Return what the columns of a file make.

    Args:
        header: the names of the columns, as the file spells them.
        place: the file and line, for the error.
        ignore: names of columns, as the file spells them, that shall not be read.

    Raises:
        InvalidFieldError: the columns make no kind of file, one is unknown, or one is there twice.
    """
    index_by_column: dict[str, int] = {}
    unknown: list[str] = []
    for index, name in enumerate(header):
        plain = re.sub(r"[\s-]+", "_", name.strip().lower())
        column = _CANONICAL.get(plain)
        if name in ignore or (column is None and plain in LEFT_OUT):
            continue
        if column is None:
            unknown.append(name)
        elif column in index_by_column:
            both = [header[index_by_column[column]], name]
            raise InvalidFieldError(
                place, both, f"one column of {column}; the others named in ignore=", outcome=None
            )
        else:
            index_by_column[column] = index
    kind = _kind_of(index_by_column)
    if kind is None:
        raise InvalidFieldError(place, list(header), f"columns of {_ACCEPTED}", outcome=None)
    known = (*REQUIRED[kind], *OPTIONAL[kind])
    unknown += [header[index] for name, index in index_by_column.items() if name not in known]
    if unknown:
        raise InvalidFieldError(
            f"{place}: columns",
            unknown,
            f"for {kind}: {', '.join(known)}; any other named in ignore=",
            outcome=None,
        )
    columns = tuple(name for name in known if name in index_by_column)
    return Layout(
        kind=kind, columns=columns, indexes=tuple(index_by_column[name] for name in columns)
    )


def _kind_of(columns: Collection[str]) -> RowKind | None:
    return next((kind for kind, names in REQUIRED.items() if set(names) <= set(columns)), None)
