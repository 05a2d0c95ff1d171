"""A paper account in a SQLite file: each step of the engine is one transaction.

A step is committed before anyone learns of it, so that an acknowledged order is in the file
whenever the process ends. The file is held exclusively while it is open, and proved when opened:
each transaction of the ledger sums to zero, and the balances are the sums of the entries.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import attrs

from bot_v2.features.brokerages.core.decimals import EXACT
from bot_v2.features.brokerages.core.errors import InvalidFieldError
from bot_v2.features.brokerages.core.products import Product
from bot_v2.features.brokerages.paper.errors import (
    AccountFileDamagedError,
    AccountFileError,
    AccountFileInUseError,
    AccountFileVersionError,
)
from bot_v2.features.brokerages.paper.product_text import product_from_text, product_to_text
from bot_v2.features.brokerages.paper.settings import Durability
from bot_v2.features.brokerages.paper.tables import (
    BALANCES,
    ENTRIES,
    FILLS,
    MARKS,
    ORDERS,
    POSITIONS,
    TABLES,
)
from bot_v2.simulation.account import AccountSettings
from bot_v2.simulation.journal import Counters, EngineChange, EngineState
from bot_v2.simulation.records import BalanceRecord, LedgerEntry

_T = TypeVar("_T")

FORMAT: Final = "bot-v2 paper account"
"""What the file says that it is."""

VERSION: Final = "1"
"""The form of its tables; a file of another is refused, never guessed at."""

_SYNCHRONOUS: Final = {
    # what an acknowledged order outlives: whether a commit waits for the disk
    Durability.FULL: "FULL",
    Durability.PROCESS: "NORMAL",
}

_PRIMARY: Final = 0xFF
"""The bits of SQLite's error codes that say the kind; the others say the circumstances."""

_COUNTERS: Final = tuple(field.name for field in attrs.fields(Counters))
_PUT_PROGRESS: Final = f"UPDATE progress SET moment = ?, {', '.join(f'{n} = ?' for n in _COUNTERS)}"  # noqa: S608 - our own names
_GET_PROGRESS: Final = f"SELECT moment, {', '.join(_COUNTERS)} FROM progress"  # noqa: S608 - our own names


class AccountFile:
    """The journal of one engine. Use it from one thread at a time."""

    def __init__(self, path: Path, durability: Durability = Durability.FULL) -> None:
        """Open the file, or make it; hold it until `close`.

        Raises:
            AccountFileError: it cannot be opened, is in use, damaged, or of another version.
        """
        self.path = path
        self._connection = self._guard(lambda: self._open(durability))

    def __repr__(self) -> str:
        return f"AccountFile({str(self.path)!r})"

    def close(self) -> None:
        """Let go of the file. Twice is harmless."""
        self._connection.close()

    def commit(self, change: EngineChange) -> None:
        """Store one step of the engine, whole or not at all; return once it is durable.

        Raises:
            sqlite3.Error: the disk is full, or the file is gone.
        """
        connection = self._connection
        connection.execute("BEGIN")
        try:
            ORDERS.write(connection, change.orders)
            FILLS.write(connection, change.fills)
            ENTRIES.write(connection, change.entries)
            BALANCES.write(connection, change.balances)
            POSITIONS.write(connection, change.positions)
            MARKS.write(connection, change.marks)
            counters = [getattr(change.counters, name) for name in _COUNTERS]
            connection.execute(_PUT_PROGRESS, (change.moment.isoformat(), *counters))
            connection.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise

    def read_state(self) -> EngineState:
        """Return what the engine was, proved against itself.

        Raises:
            AccountFileDamagedError: it cannot be read, or contradicts itself.
        """
        state = self._guard(self._read_state)
        check_ledger(state.entries, state.balances, self.path)
        return state

    def read_moment(self) -> datetime | None:
        """Return when the last step was made. None: none was."""
        row = self._guard(lambda: self._connection.execute(_GET_PROGRESS).fetchone())
        return None if row[0] is None else datetime.fromisoformat(row[0])

    def check_account(self, account: AccountSettings) -> None:
        """Keep what kind of account the file is for, or refuse another kind.

        Raises:
            InvalidFieldError: a setting is not what the file was made with.
        """
        for name in ("account_id", "kind", "currency"):
            asked = str(getattr(account, name))
            kept = self._guard(partial(self._keep, name, asked))
            if kept != asked:
                raise InvalidFieldError(
                    f"AccountSettings.{name}", asked, f"{kept!r}, as {self.path} was made with"
                )

    def keep_products(self, products: Iterable[Product]) -> tuple[Product, ...]:
        """Keep the products of a market; return them, and all that were kept before.

        A product that the market describes anew takes the place of what was kept of it.
        """

        def keep() -> list[tuple[str]]:
            connection = self._connection
            connection.execute("BEGIN")
            rows = [(product.symbol, product_to_text(product)) for product in products]
            connection.executemany("REPLACE INTO products VALUES (?, ?)", rows)
            connection.execute("COMMIT")
            return connection.execute("SELECT text FROM products ORDER BY rowid").fetchall()

        return self._guard(lambda: tuple(product_from_text(text) for (text,) in keep()))

    def _open(self, durability: Durability) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, timeout=0, isolation_level=None, check_same_thread=False
        )
        try:
            # The lock is taken by the first transaction, kept between transactions, and let go by
            # the system when the process ends, however it ends.
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA synchronous = {_SYNCHRONOUS[durability]}")
            connection.execute("BEGIN EXCLUSIVE")
            self._make_or_check(connection)
            connection.execute("COMMIT")
        except BaseException:
            connection.close()
            raise
        return connection

    def _make_or_check(self, connection: sqlite3.Connection) -> None:
        names = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
        if not names:
            connection.execute("CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)")
            meta = [("format", FORMAT), ("version", VERSION)]
            connection.executemany("INSERT INTO meta VALUES (?, ?)", meta)
            connection.execute("CREATE TABLE products (symbol TEXT PRIMARY KEY, text TEXT)")
            columns = ", ".join(f"{name} INTEGER NOT NULL" for name in _COUNTERS)
            connection.execute(f"CREATE TABLE progress (moment TEXT, {columns})")
            values = ", ".join("0" for _ in _COUNTERS)
            connection.execute(f"INSERT INTO progress VALUES (NULL, {values})")  # noqa: S608 - zeros
            for table in TABLES:
                table.create(connection)
            return
        kept = dict(connection.execute("SELECT name, value FROM meta")) if "meta" in names else {}
        if kept.get("format") != FORMAT:
            raise AccountFileDamagedError(f"{self.path} is no {FORMAT}, but another database")
        if kept.get("version") != VERSION:
            raise AccountFileVersionError(
                f"{self.path} has version {kept.get('version')} of the account file; this is "
                f"version {VERSION}: use the release that wrote it, or another file"
            )
        (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise AccountFileDamagedError(f"{self.path} is damaged: {verdict}")

    def _keep(self, name: str, value: str) -> str:
        self._connection.execute("INSERT OR IGNORE INTO meta VALUES (?, ?)", (name, value))
        query = "SELECT value FROM meta WHERE name = ?"
        (kept,) = self._connection.execute(query, (name,)).fetchone()
        return str(kept)

    def _read_state(self) -> EngineState:
        connection = self._connection
        _, *counters = connection.execute(_GET_PROGRESS).fetchone()
        return EngineState(
            orders=sorted(ORDERS.read(connection), key=lambda order: order.number),
            fills=FILLS.read(connection),
            entries=ENTRIES.read(connection),
            balances=BALANCES.read(connection),
            positions=POSITIONS.read(connection),
            marks=MARKS.read(connection),
            counters=Counters(**dict(zip(_COUNTERS, counters, strict=True))),
        )

    def _guard(self, act: Callable[[], _T]) -> _T:
        try:
            return act()
        except sqlite3.Error as error:
            raise self._refusal(error) from error
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            # What a row holds is not what its table promises.
            raise AccountFileDamagedError(f"{self.path} cannot be read: {error}") from error

    def _refusal(self, error: sqlite3.Error) -> AccountFileError:
        code: int = getattr(error, "sqlite_errorcode", 0)
        if code & _PRIMARY == sqlite3.SQLITE_BUSY:
            return AccountFileInUseError(
                f"{self.path} is in use: one brokerage at a time can have an account file open"
            )
        if isinstance(error, sqlite3.OperationalError):
            return AccountFileError(f"{self.path} cannot be used: {error}")
        return AccountFileDamagedError(f"{self.path} is damaged, or no account file: {error}")


def check_ledger(
    entries: Iterable[LedgerEntry], balances: Iterable[BalanceRecord], path: Path
) -> None:
    """Prove a ledger against itself.

    Raises:
        AccountFileDamagedError: a transaction does not sum to zero, or a balance is not the sum
            of its entries.
    """
    by_transaction: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    by_account: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for transaction, account, asset, amount in entries:
        key = (transaction, asset)
        by_transaction[key] = EXACT.add(by_transaction[key], amount)
        key = (account, asset)
        by_account[key] = EXACT.add(by_account[key], amount)
    for (transaction, asset), total in by_transaction.items():
        if total != 0:
            raise AccountFileDamagedError(
                f"{path} is damaged: transaction {transaction} makes {total} {asset} of nothing"
            )
    told = {(balance.account, balance.asset): balance.amount for balance in balances}
    for key in told.keys() | by_account.keys():
        if told.get(key, Decimal(0)) != by_account[key]:
            raise AccountFileDamagedError(
                f"{path} is damaged: {key[0]} has {told.get(key)} {key[1]}, and its entries sum "
                f"to {by_account[key]}"
            )
