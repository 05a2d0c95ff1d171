"""The engine's records as rows of SQLite, one table per kind, one column per field."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from operator import attrgetter
from types import NoneType
from typing import Any, Final, Generic, TypeAlias, TypeVar, get_args, get_type_hints

from bot_v2.simulation.records import (
    BalanceRecord,
    FillRecord,
    LedgerEntry,
    MarkRecord,
    OrderRecord,
    PositionRecord,
)

_R = TypeVar("_R")

Cell: TypeAlias = str | int | None
"""What a column holds: numbers that are money are text, because SQLite's are floats."""

_Write: TypeAlias = Callable[[Any], Cell]
_Read: TypeAlias = Callable[[Any], Any]


def _write_moment(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds")


_CELLS: Final[dict[type, tuple[str, _Write | None, _Read | None]]] = {
    # type: the column's, how it is written, how it is read; None: as it is
    str: ("TEXT", None, None),
    int: ("INTEGER", None, None),
    bool: ("INTEGER", int, bool),
    # str() keeps the exponent, and with it every trailing zero.
    Decimal: ("TEXT", str, Decimal),
    datetime: ("TEXT", _write_moment, datetime.fromisoformat),
}


def _cell_of(kind: type) -> tuple[str, _Write | None, _Read | None]:
    # A StrEnum is a text to SQLite as it is.
    return ("TEXT", None, kind) if issubclass(kind, StrEnum) else _CELLS[kind]


class Table(Generic[_R]):
    """Where one kind of record is kept."""

    def __init__(self, name: str, record: Callable[..., _R], key: tuple[str, ...] = ()) -> None:
        """Read the columns from the fields of a record.

        Args:
            name: the table's.
            record: the records' class.
            key: the fields by which a record replaces another. Empty: records are appended, and
                keep their order.
        """
        hints = get_type_hints(record)
        self.name = name
        self._record = record
        self._names = tuple(hints)
        self._columns: list[str] = []
        self._writers: list[tuple[int, _Write]] = []
        self._readers: list[tuple[int, _Read]] = []
        for index, (field, hint) in enumerate(hints.items()):
            kinds = [kind for kind in get_args(hint) or (hint,) if kind is not NoneType]
            column, write, read = _cell_of(kinds[0])
            may_be_null = NoneType in get_args(hint)
            # Quoted, because `transaction` is a word of SQL.
            self._columns.append(f'"{field}" {column}{"" if may_be_null else " NOT NULL"}')
            if write is not None:
                self._writers.append((index, write))
            if read is not None:
                self._readers.append((index, read))
        self._get: Callable[[_R], tuple[Any, ...]] = attrgetter(*self._names)
        self._key = key
        verb = "REPLACE" if key else "INSERT"
        marks = ", ".join("?" * len(self._names))
        names = ", ".join(f'"{field}"' for field in self._names)
        self._put = f"{verb} INTO {name} ({names}) VALUES ({marks})"
        order = "" if key else " ORDER BY place"
        self._select = f"SELECT {names} FROM {name}{order}"  # noqa: S608 - no input

    def create(self, connection: sqlite3.Connection) -> None:
        """Make the table."""
        columns = list(self._columns)
        if self._key:
            columns.append(f"PRIMARY KEY ({', '.join(self._key)})")
        else:
            columns.insert(0, "place INTEGER PRIMARY KEY")
        connection.execute(f"CREATE TABLE {self.name} ({', '.join(columns)})")

    def write(self, connection: sqlite3.Connection, records: Sequence[_R]) -> None:
        """Insert records, or replace those with the same key."""
        if records:
            connection.executemany(self._put, [self._row(record) for record in records])

    def read(self, connection: sqlite3.Connection) -> list[_R]:
        """Return every record; without a key, in the order in which they were written."""
        return [self._from_row(row) for row in connection.execute(self._select)]

    def _row(self, record: _R) -> tuple[Cell, ...] | list[Cell]:
        cells = list(self._get(record))
        for index, write in self._writers:
            if cells[index] is not None:
                cells[index] = write(cells[index])
        return cells

    def _from_row(self, row: Iterable[Cell]) -> _R:
        cells: list[Any] = list(row)
        for index, read in self._readers:
            if cells[index] is not None:
                cells[index] = read(cells[index])
        return self._record(**dict(zip(self._names, cells, strict=True)))


ORDERS: Final = Table("orders", OrderRecord, ("order_id",))
FILLS: Final = Table("fills", FillRecord)
ENTRIES: Final = Table("entries", LedgerEntry)
BALANCES: Final = Table("balances", BalanceRecord, ("account", "asset"))
POSITIONS: Final = Table("positions", PositionRecord, ("asset",))
MARKS: Final = Table("marks", MarkRecord, ("symbol",))

TABLES: Final[tuple[Table[Any], ...]] = (ORDERS, FILLS, ENTRIES, BALANCES, POSITIONS, MARKS)
"""All of them."""
