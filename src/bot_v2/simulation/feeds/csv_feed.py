"""Prices from a CSV file: comma-separated, UTF-8, one header line; `columns` says which columns.

Numbers are taken exactly as printed. A byte order mark, either kind of line end, blank lines and
spaces after a comma are allowed.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal
from operator import itemgetter
from pathlib import Path
from typing import Final

from bot_v2.features.brokerages.core.decimals import decimal_from_text
from bot_v2.features.brokerages.core.errors import InvalidFieldError
from bot_v2.features.brokerages.core.products import Product
from bot_v2.simulation.feeds.columns import Layout
from bot_v2.simulation.feeds.moments import moment_from_text
from bot_v2.simulation.feeds.table_feed import Row, TableFeed

_A_ROW: Final = "comma-separated values, one header line first"


class CsvTable:
    """The rows of a CSV file, numbered by the line on which each ends."""

    def __init__(self, path: Path) -> None:
        """Read the header.

        Raises:
            InvalidFieldError: the file cannot be read, or is empty.
        """
        self.path = path
        first = next(self._lines(), None)
        if first is None:
            raise InvalidFieldError(path.name, "no lines", _A_ROW, outcome=None)
        self._header_line, self.header = first

    def place(self, row: int) -> str:
        """Return where a row is: `prices.csv line 17`; row 0 is the header."""
        return f"{self.path.name} line {row or self._header_line}"

    def rows(self, layout: Layout) -> Iterator[Row]:
        """Yield the rows, the cells of each in the order of the layout's columns.

        Raises:
            InvalidFieldError: a line is no row of as many cells as the header has.
        """
        pick = itemgetter(*layout.indexes)
        width = len(self.header)
        lines = self._lines()
        next(lines, None)
        for line, cells in lines:
            if len(cells) != width:
                raise InvalidFieldError(
                    f"{self.place(line)}: cells", cells, f"{width} of them", outcome=None
                )
            yield line, pick(cells)

    def number(self, cell: object, column: str) -> Decimal:
        """Return the number of a cell, exactly as printed.

        Raises:
            InvalidFieldError: the cell holds no finite number.
        """
        return decimal_from_text(_text(cell, column), column)

    def moment(self, cell: object, zone: tzinfo | None) -> datetime:
        """Return the moment of a cell, in UTC.

        Raises:
            InvalidFieldError: the cell holds no time, or one without a zone.
        """
        return moment_from_text(_text(cell, "time"), zone)

    def _lines(self) -> Iterator[tuple[int, list[str]]]:
        """Yield the lines that are not blank."""
        try:
            # A byte that is no UTF-8 becomes a lone surrogate, which no number, time or symbol
            # contains: so it is refused with its line, and does no harm in a column not read.
            with self.path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
                reader = csv.reader(file, strict=True, skipinitialspace=True)
                try:
                    for cells in reader:
                        if cells:
                            yield reader.line_num, cells
                except csv.Error as error:
                    place = f"{self.path.name} line {reader.line_num}"
                    raise InvalidFieldError(place, str(error), _A_ROW, outcome=None) from error
        except OSError as error:
            raise InvalidFieldError(
                "path", str(self.path), f"a file that can be read: {error.strerror}"
            ) from error


class CsvFeed(TableFeed):
    """The bars or ticks of a CSV file."""

    def __init__(
        self,
        path: Path | str,
        *,
        symbol: str | None = None,
        interval: timedelta | None = None,
        zone: str | None = None,
        products: Iterable[Product] = (),
        ignore: Collection[str] = (),
    ) -> None:
        """Read the header, and as much as is needed to know the products and the interval.

        Args:
            path: the file.
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
        super().__init__(
            CsvTable(Path(path)),
            symbol=symbol,
            interval=interval,
            zone=zone,
            products=products,
            ignore=ignore,
        )


def _text(cell: object, column: str) -> str:
    if isinstance(cell, str):
        return cell
    raise InvalidFieldError(column, cell, "text", outcome=None)
