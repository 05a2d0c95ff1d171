"""From a row of a price file to an event of the market, or a refusal that names the cell."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, TypeAlias

from bot_v2.features.brokerages.core.errors import InvalidFieldError
from bot_v2.features.brokerages.core.market_data import Candle, Quote, Trade
from bot_v2.features.brokerages.core.products import MarketType
from bot_v2.simulation.feeds.columns import Layout, RowKind

RowEvent: TypeAlias = Candle | Trade | Quote
"""What a row can be."""

MAY_BE_NEGATIVE: Final = frozenset({MarketType.FUTURES, MarketType.OPTION, MarketType.OTHER})
"""Kinds of product whose price can be zero or less: a spread, or crude oil in April 2020."""


def quote_of_price(symbol: str, price: Decimal, moment: datetime) -> Quote:
    """Return a bare price as a quote: bid, ask and last are that price, their sizes not said."""
    return Quote(symbol=symbol, timestamp=moment, bid=price, ask=price, last=price)


class RowReader:
    """Builds the events of one file from its cells."""

    def __init__(
        self,
        layout: Layout,
        *,
        number: Callable[[object, str], Decimal],
        moment: Callable[[object], datetime],
        market_types: Mapping[str, MarketType],
        symbol: str | None,
        interval: timedelta | None,
    ) -> None:
        """Read cells in the order of `layout.columns`.

        Args:
            layout: what the columns are.
            number: turns a cell of a named column into a number, or raises InvalidFieldError.
            moment: turns a cell into a moment, or raises InvalidFieldError.
            market_types: the kind of each product of the file, by symbol.
            symbol: what every row is about. None: a column says it.
            interval: how long a bar is. None: the rows are no bars.
        """
        self._at = {name: index for index, name in enumerate(layout.columns)}
        self._number = number
        self._moment = moment
        self._market_types = market_types
        self._symbol = symbol
        self._interval = interval
        builders: dict[RowKind, Callable[[Sequence[object]], RowEvent]] = {
            RowKind.BARS: self._candle,
            RowKind.TRADES: self._trade,
            RowKind.PRICES: self._bare_price,
            RowKind.QUOTES: self._quote,
        }
        self._build = builders[layout.kind]

    def read(self, cells: Sequence[object]) -> RowEvent:
        """Return the event that a row is.

        Raises:
            InvalidFieldError: a cell will not do; the error's field is the column.
        """
        return self._build(cells)

    def moment_of(self, cells: Sequence[object]) -> datetime:
        """Return the time of a row.

        Raises:
            InvalidFieldError: the cell holds none.
        """
        return self._moment(cells[self._at["time"]])

    def symbol_of(self, cells: Sequence[object]) -> str:
        """Return what a row is about.

        Raises:
            InvalidFieldError: the cell holds no text.
        """
        if self._symbol is not None:
            return self._symbol
        symbol = cells[self._at["symbol"]]
        if isinstance(symbol, str) and symbol:
            return symbol
        raise InvalidFieldError("symbol", symbol, "a canonical symbol", outcome=None)

    def _required(self, cells: Sequence[object], column: str) -> Decimal:
        return self._number(cells[self._at[column]], column)

    def _optional(self, cells: Sequence[object], column: str) -> Decimal | None:
        index = self._at.get(column)
        cell = None if index is None else cells[index]
        return None if cell is None or cell == "" else self._number(cell, column)

    def _check_price(self, symbol: str, column: str, price: Decimal | None) -> None:
        if price is None or price > 0 or self._market_types.get(symbol) in MAY_BE_NEGATIVE:
            return
        raise InvalidFieldError(column, price, f"above zero: {symbol} is not free", outcome=None)

    def _candle(self, cells: Sequence[object]) -> Candle:
        symbol = self.symbol_of(cells)
        interval = self._interval
        if interval is None:
            raise InvalidFieldError("interval", None, "how long a bar is", outcome=None)
        candle = Candle(
            symbol=symbol,
            open_time=self.moment_of(cells),
            interval=interval,
            open=self._required(cells, "open"),
            high=self._required(cells, "high"),
            low=self._required(cells, "low"),
            close=self._required(cells, "close"),
            volume=self._optional(cells, "volume"),
        )
        self._check_price(symbol, "low", candle.low)
        return candle

    def _trade(self, cells: Sequence[object]) -> Trade:
        symbol = self.symbol_of(cells)
        trade = Trade(
            symbol=symbol,
            timestamp=self.moment_of(cells),
            price=self._required(cells, "price"),
            size=self._required(cells, "size"),
        )
        self._check_price(symbol, "price", trade.price)
        return trade

    def _bare_price(self, cells: Sequence[object]) -> Quote:
        symbol, price = self.symbol_of(cells), self._required(cells, "price")
        self._check_price(symbol, "price", price)
        return quote_of_price(symbol, price, self.moment_of(cells))

    def _quote(self, cells: Sequence[object]) -> Quote:
        symbol = self.symbol_of(cells)
        quote = Quote(
            symbol=symbol,
            timestamp=self.moment_of(cells),
            bid=self._optional(cells, "bid"),
            ask=self._optional(cells, "ask"),
            bid_size=self._optional(cells, "bid_size"),
            ask_size=self._optional(cells, "ask_size"),
        )
        if quote.bid is None and quote.ask is None:
            raise InvalidFieldError("bid", None, "a price here, or one of ask", outcome=None)
        self._check_price(symbol, "bid", quote.bid)
        self._check_price(symbol, "ask", quote.ask)
        if quote.bid is not None and quote.ask is not None and quote.bid > quote.ask:
            raise InvalidFieldError("bid", quote.bid, f"at most ask ({quote.ask})", outcome=None)
        return quote
