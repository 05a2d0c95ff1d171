"""Reservations in SQLite or PostgreSQL, shared by all processes that open the same store."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bot_v2.orchestration.journal.records import OrderJournalError
from bot_v2.orchestration.journal.stores import PostgresStore, open_store
from bot_v2.orchestration.risk.store import RiskBook
from bot_v2.orchestration.risk.turnstile import Turnstile

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine
    from sqlalchemy.engine.interfaces import DBAPIConnection
    from sqlalchemy.pool import ConnectionPoolEntry

BUSY_S: Final = 30.0
"""How long to wait for a turn at a SQLite file that other processes use, in seconds."""

IN_MEMORY: Final = ":memory:"
"""The SQLite database that is no file."""


class SqlReservations:
    """Keeps reservations in a database; what a turn wrote outlives the process when it ends.

    Args:
        url: `sqlite:///path`, a file beside the journals that any number of processes on this
            machine share; or `postgresql://…`, for processes on several machines.
    """

    def __init__(self, url: str) -> None:
        """Open the store, and make its tables where there are none.

        Raises:
            MissingDependencyError: the extra `journal`, or `postgres`, is not installed.
            OrderJournalError: it cannot be opened, or is of another version.
        """
        store = open_store(url, uuid.uuid4().hex)
        # Imported once the store has found SQLAlchemy, or has said what to install.
        from bot_v2.orchestration.risk import sql_book

        self._book = sql_book
        self._engine: Engine = store.engine
        # Threads of a process wait for each other without a connection: there are only so many.
        self._turnstile = Turnstile(None)
        if not isinstance(store, PostgresStore):
            self._turnstile = _turnstile(store.engine)
            self._engine = _shared_file(store.engine)
        self._is_closed = False
        try:
            with self._transaction() as connection:
                self._book.prepare(connection)
        except BaseException:
            self.close()
            raise

    @contextmanager
    def turn(self) -> Iterator[RiskBook]:
        """Give the book to one caller at a time, among all processes.

        Raises:
            OrderJournalError: the store cannot be read or written.
        """
        with self._transaction() as connection:
            yield self._book.SqlBook(connection)

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        from sqlalchemy.exc import DBAPIError, SQLAlchemyError

        if self._is_closed:
            raise OrderJournalError("the store of reservations is closed")
        try:
            with self._turnstile.turn(), self._engine.begin() as connection:
                self._book.take_turn(connection)
                yield connection
        except DBAPIError as error:
            cause = type(error.orig).__name__
            raise OrderJournalError(
                f"the store of reservations failed: {cause}: {error.orig}"
            ) from error
        except SQLAlchemyError as error:
            raise OrderJournalError(f"the store of reservations failed: {error}") from error

    def close(self) -> None:
        """Let go of it. Twice is harmless."""
        self._is_closed = True
        self._engine.dispose()
        self._turnstile.close()


def _turnstile(engine: Engine) -> Turnstile:
    name = engine.url.database
    try:
        return Turnstile(Path(name) if name and name != IN_MEMORY else None)
    except OSError as error:
        raise OrderJournalError(f"the store of reservations cannot be opened: {error}") from error


def _shared_file(engine: Engine) -> Engine:
    """Return an engine over the same file that does not keep others out between its turns."""
    from sqlalchemy import create_engine, event
    from sqlalchemy.pool import StaticPool

    shared = create_engine(
        engine.url,
        poolclass=StaticPool,
        connect_args={"check_same_thread": False, "timeout": BUSY_S},
    )
    engine.dispose()
    event.listen(shared, "connect", _set_up)
    event.listen(shared, "begin", _begin)
    return shared


def _set_up(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    # What a killed process wrote is kept. A power cut ends every process, and by the time that one
    # trades again, what was under way shows at the broker, and is in the journals.
    # The driver would begin transactions by itself, and not where they begin.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode = WAL", "synchronous = NORMAL"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
