"""Where a journal lives: SQLite in a file, or PostgreSQL; how it is opened, and who holds it.

In both, whoever is gone has let go. A SQLite journal is locked by its one process for as long as
that lives, so what another process left open in it is nobody's. In PostgreSQL, each connection of
a process holds a shared advisory lock of its own name: another process gets the exclusive one only
when no connection of the first is left.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final, Protocol

from bot_v2.features.brokerages.core.errors import MissingDependencyError
from bot_v2.orchestration.journal.records import OrderJournalError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine
    from sqlalchemy.engine import URL
    from sqlalchemy.engine.interfaces import DBAPIConnection
    from sqlalchemy.pool import ConnectionPoolEntry

BUSY_S: Final = 5.0
"""How long to wait for a SQLite file that another process is letting go of, in seconds."""

_POSTGRES_DRIVER: Final = "postgresql+psycopg"


class Store(Protocol):
    """What differs between databases."""

    engine: Engine

    def is_gone(self, connection: Connection, owner: str) -> bool:
        """Return whether a process has ended; it stays so until the transaction ends."""
        ...


class SqliteStore:
    """A file, or memory, that one process holds."""

    def __init__(self, url: URL) -> None:
        """Prepare the connection: write-ahead log, synced at each commit, locked for us."""
        from sqlalchemy import create_engine, event
        from sqlalchemy.pool import StaticPool

        # One connection for all threads, which the journal lets in one at a time.
        self.engine: Engine = create_engine(
            url,
            poolclass=StaticPool,
            connect_args={"check_same_thread": False, "timeout": BUSY_S},
        )
        event.listen(self.engine, "connect", _set_up_sqlite)
        event.listen(self.engine, "begin", _begin_immediate)

    def is_gone(self, connection: Connection, owner: str) -> bool:  # noqa: ARG002 - the protocol's
        """Return True: while we hold the file, no other process has it open."""
        return True


def _set_up_sqlite(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    # The driver would begin transactions by itself, and not where they begin.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        "locking_mode = EXCLUSIVE",
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


class PostgresStore:
    """A database that several processes share, on one machine or on many."""

    def __init__(self, url: URL, owner: str) -> None:
        """Prepare the pool: each of its connections says that the owner is alive."""
        from sqlalchemy import create_engine, event

        name = lock_name(owner)
        try:
            self.engine: Engine = create_engine(url, pool_pre_ping=True)
        except ImportError as error:
            raise MissingDependencyError(
                "a journal in PostgreSQL needs its driver: pip install 'bot-v2[postgres]'",
                extra="postgres",
            ) from error

        def be_alive(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
            cursor = connection.cursor()
            cursor.execute("SET synchronous_commit = on")
            cursor.execute(f"SELECT pg_try_advisory_lock_shared({name})")
            row = cursor.fetchone()
            cursor.close()
            connection.commit()
            if not (row and row[0]):
                raise OrderJournalError("another process is taking over what this one left open")

        event.listen(self.engine, "connect", be_alive)

    def is_gone(self, connection: Connection, owner: str) -> bool:
        """Return whether no connection of a process is left."""
        query = f"SELECT pg_try_advisory_xact_lock({lock_name(owner)})"
        return bool(connection.exec_driver_sql(query).scalar())


def lock_name(owner: str) -> int:
    """Return the number under which PostgreSQL knows an owner's lock: 64 bits, signed."""
    return int.from_bytes(hashlib.sha256(owner.encode()).digest()[:8], "big", signed=True)


def open_store(url: str, owner: str) -> Store:
    """Return the store that a URL names: `sqlite:///path`, or `postgresql://…`.

    Raises:
        MissingDependencyError: SQLAlchemy, or the database's driver, is not installed.
        OrderJournalError: the URL names neither.
    """
    try:
        from sqlalchemy import make_url
        from sqlalchemy.exc import ArgumentError
    except ImportError as error:
        raise MissingDependencyError(
            "the order journal needs SQLAlchemy: pip install 'bot-v2[journal]'", extra="journal"
        ) from error
    try:
        return _store_at(make_url(url), owner)
    except ArgumentError as error:
        # The URL is not shown: it may hold a password.
        raise OrderJournalError(
            "the journal's URL cannot be read as one, or names a driver that there is not"
        ) from error


def _store_at(url: URL, owner: str) -> Store:
    backend = url.get_backend_name()
    if backend == "sqlite":
        return SqliteStore(url)
    if backend == "postgresql":
        chosen = url.drivername if "+" in url.drivername else _POSTGRES_DRIVER
        return PostgresStore(url.set(drivername=chosen), owner)
    raise OrderJournalError(f"a journal is kept in sqlite or postgresql, not in {backend}")
