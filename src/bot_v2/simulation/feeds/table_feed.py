"""What feeds from files have in common: one pass to know the file, then one event per row."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal
from pathlib import Path
from typing import Final, Protocol, TypeAlias

import attrs

from bot_v2.features.brokerages.core.errors import InvalidFieldError, InvalidSymbolError
from bot_v2.features.brokerages.core.market_data import Candle
from bot_v2.features.brokerages.core.products import Product
from bot_v2.features.brokerages.core.symbols import is_canonical
from bot_v2.simulation.default_products import product_for_symbol
from bot_v2.simulation.feeds.columns import Layout, RowKind, read_header
from bot_v2.simulation.feeds.moments import zone_of
from bot_v2.simulation.feeds.rows import RowReader
from bot_v2.simulation.market import MarketEvent

Row: TypeAlias = tuple[int, Sequence[object]]
"""The number of a row, as people count in that kind of file, and its cells."""

_ZERO: Final = timedelta(0)
_DAY: Final = timedelta(days=1)
_CLOCK_CHANGE: Final = timedelta(hours=1)


class Table(Protocol):
    """A file of rows."""

    @property
    def path(self) -> Path:
        """Where the file is."""
        ...

    @property
    def header(self) -> Sequence[str]:
        """The names of the columns, as the file spells them."""
        ...

    def place(self, row: int) -> str:
        """Return where a row is, for people: `prices.csv line 17`; row 0 is the header."""
        ...

    def rows(self, layout: Layout) -> Iterator[Row]:
        """Yield the rows, the cells of each in the order of the layout's columns.

        Raises:
            InvalidFieldError: a row cannot be read; the error names its place.
        """
        ...

    def number(self, cell: object, column: str) -> Decimal:
        """Return the number of a cell, exactly.

        Raises:
            InvalidFieldError: it holds none; the error's field is the column.
        """
        ...

    def moment(self, cell: object, zone: tzinfo | None) -> datetime:
        """Return the moment of a cell, in UTC.

        Raises:
            InvalidFieldError: it holds none; the error's field is `time`.
        """
        ...


@attrs.frozen(kw_only=True)
class _Survey:
    """What must be known of a whole file before its first event."""

    products: tuple[Product, ...]
    """In the order of their first rows."""
    shortest_gap: timedelta | None
    """The least time between two rows of one symbol. None: no symbol has two rows."""


class TableFeed:
    """The bars or ticks of one file, in its order. Each call of `events` reads it from the start.

    The file is never in memory as a whole. A first pass over its times and symbols is made at
    construction where there is no other way to know them: the interval of the bars when it is not
    given, the symbols when a column holds them.
    """

    is_synthetic: Final = False

    def __init__(
        self,
        table: Table,
        *,
        symbol: str | None = None,
        interval: timedelta | None = None,
        zone: str | None = None,
        products: Iterable[Product] = (),
        ignore: Collection[str] = (),
    ) -> None:
        """Read the header, and as much as is needed to know the products and the interval.

        Args:
            table: the file.
            symbol: what the file is about, where no column says it. None: the file's name before
                its suffix.
            interval: how long a bar is. None: the shortest time between two bars of a symbol.
            zone: the time zone of times that state none. None: such times are refused.
            products: the products, where more is known of them than their symbol.
            ignore: columns, as the file spells them, that shall not be read.

        Raises:
            InvalidFieldError: the file or an argument will not do.
            InvalidSymbolError: the symbol is not canonical.
        """
        self._table = table
        self._zone = zone_of(zone)
        self._layout = read_header(table.header, table.place(0), ignore)
        is_bars = self._layout.kind is RowKind.BARS
        if interval is not None and (not is_bars or interval <= _ZERO):
            raise InvalidFieldError(
                "interval", interval, "longer than zero for bars, None for ticks"
            )
        self._symbol = self._only_symbol(symbol)
        self._interval = interval
        given = {product.symbol: product for product in products}
        survey = self._survey(
            given, every_row=self._symbol is None or (is_bars and interval is None)
        )
        if is_bars and interval is None:
            if survey.shortest_gap is None:
                raise InvalidFieldError(
                    "interval", None, f"how long a bar of {table.path.name} is: it has only one"
                )
            self._interval = survey.shortest_gap
        self.products = survey.products
        symbols = ", ".join(product.symbol for product in self.products)
        each = f", {self._interval} each" if self._interval else ""
        self.description = f"{table.path.name}: {self._layout.kind} of {symbols}{each}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.description!r})"

    @property
    def interval(self) -> timedelta | None:
        """How long a bar is. None: the file is one of ticks."""
        return self._interval

    def events(self) -> Iterator[MarketEvent]:
        """Yield an event for each row, from the first.

        Raises:
            InvalidFieldError: a row will not do, or is out of order; the error's field is its
                place and column, such as `prices.csv line 17: close`.
        """
        reader = self._reader({product.symbol: product for product in self.products})
        order = _Order(self._interval)
        for number, cells in self._table.rows(self._layout):
            try:
                event = reader.read(cells)
                moment = event.open_time if isinstance(event, Candle) else event.timestamp
                order.check(event.symbol, moment)
            except InvalidFieldError as error:
                raise self._refusal(number, error) from error
            yield event

    def _only_symbol(self, symbol: str | None) -> str | None:
        if "symbol" in self._layout.columns:
            if symbol is not None:
                raise InvalidFieldError(
                    "symbol", symbol, f"None: {self._table.path.name} has a column of symbols"
                )
            return None
        if symbol is None and not is_canonical(self._table.path.stem):
            raise InvalidFieldError(
                "symbol", None, f"what {self._table.path.name} is about: its name is no symbol"
            )
        return self._table.path.stem if symbol is None else symbol

    def _reader(self, products: Mapping[str, Product]) -> RowReader:
        return RowReader(
            self._layout,
            number=self._table.number,
            moment=lambda cell: self._table.moment(cell, self._zone),
            market_types={name: product.market_type for name, product in products.items()},
            symbol=self._symbol,
            interval=self._interval,
        )

    def _survey(self, given: Mapping[str, Product], *, every_row: bool) -> _Survey:
        """Read what must be known of the file: every row, or just that there is one."""
        reader = self._reader({})
        order = _Order(None)
        products: dict[str, Product] = {}
        for number, cells in self._table.rows(self._layout):
            try:
                symbol = reader.symbol_of(cells)
                if symbol not in products:
                    products[symbol] = given.get(symbol) or product_for_symbol(symbol)
                order.check(symbol, reader.moment_of(cells))
            except InvalidFieldError as error:
                raise self._refusal(number, error) from error
            except InvalidSymbolError as error:
                raise InvalidFieldError(
                    f"{self._table.place(number)}: symbol", error.symbol, error.message
                ) from error
            if not every_row:
                break
        if not products:
            raise InvalidFieldError(
                self._table.path.name, "no rows", "at least one row", outcome=None
            )
        return _Survey(products=tuple(products.values()), shortest_gap=order.shortest_gap)

    def _refusal(self, row: int, error: InvalidFieldError) -> InvalidFieldError:
        column = error.field.rpartition(".")[2]
        return InvalidFieldError(
            f"{self._table.place(row)}: {column}", error.value, error.accepted, outcome=None
        )


class _Order:
    """Follows the times of rows, and refuses one that goes back or bars that overlap."""

    def __init__(self, interval: timedelta | None) -> None:
        self.shortest_gap: timedelta | None = None
        self._latest: datetime | None = None
        self._latest_by_symbol: dict[str, datetime] = {}
        # Bars of a day or more open at a local time, which a change of the clocks moves.
        slack = _CLOCK_CHANGE if interval is not None and interval >= _DAY else _ZERO
        self._least_gap = None if interval is None else interval - slack

    def check(self, symbol: str, moment: datetime) -> None:
        """Take the time of the next row.

        Raises:
            InvalidFieldError: it is before the row before it, or its bar overlaps the last.
        """
        if self._latest is not None and moment < self._latest:
            raise InvalidFieldError(
                "time", moment, f"{self._latest.isoformat()} or later: the oldest row is first"
            )
        self._latest = moment
        before = self._latest_by_symbol.get(symbol)
        self._latest_by_symbol[symbol] = moment
        if before is None:
            return
        gap = moment - before
        if self._least_gap is not None and gap < self._least_gap:
            raise InvalidFieldError(
                "time", moment, f"a bar of {symbol} that opens {self._least_gap} after its last"
            )
        if gap > _ZERO and (self.shortest_gap is None or gap < self.shortest_gap):
            self.shortest_gap = gap
