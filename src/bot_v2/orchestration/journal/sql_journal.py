"""A journal in SQLite or PostgreSQL, by SQLAlchemy Core: one transaction for each call."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from bot_v2.features.brokerages.core.fills import Fill
from bot_v2.orchestration.journal.journal import Opening, Scope
from bot_v2.orchestration.journal.records import Entry, Intent, IntentState, OrderJournalError
from bot_v2.orchestration.journal.stores import SqliteStore, open_store

if TYPE_CHECKING:
    from sqlalchemy import Connection

DEFAULT_URL = "sqlite:///bot_v2_orders.sqlite"
"""Where the journal is kept when nothing else is said."""


class SqlJournal:
    """Keeps intents in a database; what is written is synced to the disk when the call returns.

    Args:
        url: `sqlite:///path` for one process, `postgresql://…` for several.
        owner: this process's name among those that share the journal, unlike any other's ever.
            None: a random one.
    """

    def __init__(self, url: str = DEFAULT_URL, *, owner: str | None = None) -> None:
        """Open the journal, and make its tables where there are none.

        Raises:
            MissingDependencyError: the extra `journal`, or `postgres`, is not installed.
            OrderJournalError: it cannot be opened, is in use, or is of another version.
        """
        self.owner = owner or uuid.uuid4().hex
        """This process's name in the journal."""
        self._store = open_store(url, self.owner)
        # Imported once the store has found SQLAlchemy, or has said what to install.
        from bot_v2.orchestration.journal import sql_rows

        self._rows = sql_rows
        # SQLite has one connection, through which one thread goes at a time.
        self._one_at_a_time = threading.RLock() if isinstance(self._store, SqliteStore) else None
        self._is_closed = False
        try:
            with self.transaction() as connection:
                self.journal_id = self._rows.prepare(connection)
                """What tells this journal from others, wherever it is opened."""
        except BaseException:
            self.close()
            raise

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Give a connection; what was done on it is committed when the block ends, or undone.

        Raises:
            OrderJournalError: the database refuses, or cannot be reached.
        """
        from sqlalchemy.exc import DBAPIError, SQLAlchemyError

        if self._is_closed:
            raise OrderJournalError("the order journal is closed")
        with ExitStack() as held:
            if self._one_at_a_time is not None:
                held.enter_context(self._one_at_a_time)
            try:
                with self._store.engine.begin() as connection:
                    yield connection
            except DBAPIError as error:
                cause = type(error.orig).__name__
                raise OrderJournalError(
                    f"the order journal failed: {cause}: {error.orig}"
                ) from error
            except SQLAlchemyError as error:
                raise OrderJournalError(f"the order journal failed: {error}") from error

    def open_intent(self, intent: Intent) -> IntentState | None:
        """Write down an intent and own it. None: done; else what has its id already."""
        with self.transaction() as connection:
            if self._rows.add_intent(connection, intent, self.owner):
                return None
            return self._rows.read_state(connection, intent.intent_id)

    def append(self, intent_id: str, entry: Entry) -> IntentState:
        """Add an entry to an intent of ours, tie its order id to it, and return the new state.

        Raises:
            JournalOwnershipError: another process has taken the intent over.
            OrderJournalError: there is no such intent, or the order came of another.
        """
        with self.transaction() as connection:
            return self._rows.add_entry(connection, intent_id, entry, self.owner)

    def find(self, intent_id: str) -> IntentState | None:
        """Return an intent's state. None: there is no such intent."""
        with self.transaction() as connection:
            return self._rows.read_state(connection, intent_id)

    def find_by_order(self, scope: Scope, order_id: str) -> IntentState | None:
        """Return the placement or adoption that an order came of. None: of none in the journal."""
        with self.transaction() as connection:
            intent_id = self._rows.intent_of_order(connection, scope, order_id)
            return None if intent_id is None else self._rows.read_state(connection, intent_id)

    def list_order_ids(self, intent_id: str) -> list[str]:
        """Return the orders that came of an intent, replaced ones included."""
        with self.transaction() as connection:
            return self._rows.order_ids_of(connection, intent_id)

    def list_open(self, scope: Scope) -> list[IntentState]:
        """Return what is not settled and ours to act on, oldest first."""
        with self.transaction() as connection:
            return self._rows.read_open(connection, scope, self.owner)

    def take_over(self, scope: Scope) -> int:
        """Own what processes left behind that are gone; return how many intents that were."""
        with self.transaction() as connection:
            return self._rows.take_over(connection, scope, self.owner, self._store.is_gone)

    def is_gone(self, owner: str) -> bool:
        """Return whether the process of a name, which once had this journal open, has ended."""
        if owner == self.owner:
            return False
        with self.transaction() as connection:
            return self._store.is_gone(connection, owner)

    def book_fills(self, scope: Scope, fills: Sequence[Fill]) -> list[Fill]:
        """Keep executions, each exactly once by symbol and trade id; return those that are new."""
        if not fills:
            return []
        with self.transaction() as connection:
            return [fill for fill in fills if self._rows.add_fill(connection, scope, fill)]

    def list_fills(self, scope: Scope, order_id: str | None = None) -> list[Fill]:
        """Return the executions that are kept, oldest first; of one order, or of all."""
        with self.transaction() as connection:
            return self._rows.read_fills(connection, scope, order_id)

    def read_opening(self, scope: Scope) -> Opening | None:
        """Return what the account held at first. None: nobody has looked yet."""
        with self.transaction() as connection:
            return self._rows.read_opening(connection, scope)

    def keep_opening(self, scope: Scope, opening: Opening) -> None:
        """Set what the account held at first, in place of what was kept."""
        with self.transaction() as connection:
            self._rows.write_opening(connection, scope, opening)

    def close(self) -> None:
        """Let go of the database; others may take over what is open. Twice is harmless."""
        self._is_closed = True
        self._store.engine.dispose()
