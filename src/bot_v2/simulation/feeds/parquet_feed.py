"""Prices from a Parquet file, by pyarrow; `columns` says which columns.

Decimals, integers and texts are taken exactly. A binary float holds no decimal number exactly
(0.1 is stored as 0.1000000000000000055…), so columns of floats are refused unless the caller asks
for `Floats.SHORTEST`: the shortest decimal that the float stands for, which is the number that
was written where it had no more than 15 significant digits (6 in a 32-bit float).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from bot_v2.features.brokerages.core.decimals import decimal_from_text
from bot_v2.features.brokerages.core.errors import InvalidFieldError, MissingDependencyError
from bot_v2.features.brokerages.core.products import Product
from bot_v2.simulation.feeds.columns import Layout
from bot_v2.simulation.feeds.moments import (
    moment_from_text,
    moment_from_unix,
    moment_in_utc,
)
from bot_v2.simulation.feeds.table_feed import Row, TableFeed

BATCH_ROWS: Final = 4096
"""How many rows are in memory at once."""


class Floats(StrEnum):
    """What to do with numbers that are stored as binary floats."""

    REFUSE = "refuse"
    """Refuse the file: the numbers that were written are not known."""
    SHORTEST = "shortest"
    """Take the shortest decimal that the float stands for."""


class ParquetTable:
    """The rows of a Parquet file, counted from 1."""

    def __init__(self, path: Path, floats: Floats) -> None:
        """Read the schema.

        Raises:
            MissingDependencyError: pyarrow is not installed.
            InvalidFieldError: the file cannot be read, or is no Parquet file.
        """
        try:
            import pyarrow
            import pyarrow.compute
            import pyarrow.parquet
        except ImportError as error:
            raise MissingDependencyError(
                "Parquet files need pyarrow: pip install 'bot-v2[parquet]'", extra="parquet"
            ) from error
        self.path = path
        self._floats = floats
        self._arrow: Any = pyarrow
        with self._opened() as file:
            self._schema: Any = file.schema_arrow
        self.header: list[str] = list(self._schema.names)

    def place(self, row: int) -> str:
        """Return where a row is: `prices.parquet row 17`; row 0 is the header."""
        return f"{self.path.name} row {row}" if row else self.path.name

    def rows(self, layout: Layout) -> Iterator[Row]:
        """Yield the rows, the cells of each in the order of the layout's columns.

        Raises:
            InvalidFieldError: a column is of a type that cannot be read exactly.
        """
        names = [self.header[index] for index in layout.indexes]
        targets = [
            self._target(column, self._schema.field(name).type)
            for column, name in zip(layout.columns, names, strict=True)
        ]
        number = 0
        with self._opened() as file:
            for batch in file.iter_batches(batch_size=BATCH_ROWS, columns=names):
                cells_by_column = [
                    batch.column(name).cast(target, safe=False).to_pylist()
                    for name, target in zip(names, targets, strict=True)
                ]
                for cells in zip(*cells_by_column, strict=True):
                    number += 1
                    yield number, cells

    def number(self, cell: object, column: str) -> Decimal:
        """Return the number of a cell, exactly.

        Raises:
            InvalidFieldError: the cell is empty, or holds no finite number.
        """
        match cell:
            case Decimal():
                return cell
            case str():
                return decimal_from_text(cell, column)
            case int():
                return Decimal(cell)
            case _:
                raise InvalidFieldError(column, cell, "a number", outcome=None)

    def moment(self, cell: object, zone: tzinfo | None) -> datetime:
        """Return the moment of a cell, in UTC.

        Raises:
            InvalidFieldError: the cell is empty or holds no time, or one without a zone.
        """
        match cell:
            case datetime():
                return moment_in_utc(cell, cell, zone)
            case str():
                return moment_from_text(cell, zone)
            case int():
                return moment_from_unix(Decimal(cell), cell)
            case _:
                raise InvalidFieldError("time", cell, "a time", outcome=None)

    def _target(self, column: str, kind: Any) -> Any:
        """Return the type that a column is read as: Python's own can hold it exactly.

        Raises:
            InvalidFieldError: there is none.
        """
        arrow, types = self._arrow, self._arrow.types
        if types.is_dictionary(kind):
            return self._target(column, kind.value_type)
        if types.is_string(kind) or types.is_large_string(kind) or types.is_integer(kind):
            return kind
        if column == "time" and types.is_timestamp(kind):
            return arrow.timestamp("us", tz=kind.tz and "UTC")
        if column == "time" and types.is_date(kind):
            return arrow.timestamp("us")
        if column not in ("time", "symbol"):
            if types.is_decimal(kind):
                return kind
            if types.is_float32(kind) or types.is_float64(kind):
                if self._floats is Floats.SHORTEST:
                    return arrow.string()
                raise InvalidFieldError(
                    f"{self.path.name}: {column}",
                    str(kind),
                    "decimals, integers or texts; or floats='shortest' for the shortest decimal "
                    "of each float",
                    outcome=None,
                )
        raise InvalidFieldError(
            f"{self.path.name}: {column}",
            str(kind),
            "times, integers or texts" if column == "time" else "texts, or numbers where due",
            outcome=None,
        )

    def _opened(self) -> Any:
        try:
            return self._arrow.parquet.ParquetFile(self.path)
        except (OSError, self._arrow.ArrowException) as error:
            raise InvalidFieldError(
                "path", str(self.path), f"a Parquet file that can be read: {error}"
            ) from error


class ParquetFeed(TableFeed):
    """The bars or ticks of a Parquet file."""

    def __init__(
        self,
        path: Path | str,
        *,
        symbol: str | None = None,
        interval: timedelta | None = None,
        zone: str | None = None,
        products: Iterable[Product] = (),
        ignore: Collection[str] = (),
        floats: Floats | str = Floats.REFUSE,
    ) -> None:
        """Read the schema, and as much as is needed to know the products and the interval.

        Args:
            path: the file.
            symbol: what the file is about, where no column says it. None: the file's name before
                its suffix.
            interval: how long a bar is. None: the shortest time between two bars of a symbol.
            zone: the time zone of times that state none. None: such times are refused.
            products: the products, where more is known of them than their symbol.
            ignore: columns, as the file spells them, that shall not be read.
            floats: what to do with numbers stored as binary floats.

        Raises:
            MissingDependencyError: pyarrow is not installed.
            InvalidFieldError: the file or an argument will not do.
            InvalidSymbolError: the symbol is not canonical.
        """
        accepted = [member.value for member in Floats]
        if floats not in accepted:
            raise InvalidFieldError("floats", floats, " or ".join(accepted))
        super().__init__(
            ParquetTable(Path(path), Floats(floats)),
            symbol=symbol,
            interval=interval,
            zone=zone,
            products=products,
            ignore=ignore,
        )
