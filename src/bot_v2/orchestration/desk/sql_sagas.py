"""Distributions in tables of their own in the journal's database, in its transactions."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import (
    Column,
    Connection,
    MetaData,
    Row,
    String,
    Table,
    Text,
    select,
    text,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from bot_v2.orchestration.desk.distribution import Distribution, LegRefusal
from bot_v2.orchestration.journal.records import OrderJournalError
from bot_v2.orchestration.journal.sql_journal import SqlJournal
from bot_v2.orchestration.journal.texts import checksum_of, record_from_text, record_to_text
from bot_v2.orchestration.model_json import datetime_to_text

_PREPARING: Final = 4_714_202
"""The advisory lock under which PostgreSQL makes the tables, once for all processes."""

METADATA: Final = MetaData()

SAGAS: Final = Table(
    "desk_sagas",
    METADATA,
    Column("saga_id", String(64), primary_key=True),
    Column("created_at", String(32), nullable=False),
    Column("ended_at", String(32), nullable=True),
    Column("payload", Text, nullable=False),
    Column("checksum", String(64), nullable=False),
)
"""Distributions; all but `ended_at` is never changed."""

REFUSALS: Final = Table(
    "desk_saga_refusals",
    METADATA,
    Column("saga_id", String(64), primary_key=True),
    Column("client_order_id", String(255), primary_key=True),
    Column("payload", Text, nullable=False),
)
"""Legs that were refused before their intent was journalled."""


class SqlSagas:
    """Keeps distributions where a journal is.

    Args:
        journal: the journal, open; it is its owner's to close.
    """

    def __init__(self, journal: SqlJournal) -> None:
        """Make the tables where there are none.

        Raises:
            OrderJournalError: the database cannot be written.
        """
        self._journal = journal
        with journal.transaction() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text(f"SELECT pg_advisory_xact_lock({_PREPARING})"))
            METADATA.create_all(connection)

    def open(self, distribution: Distribution) -> Distribution | None:
        """Write a distribution down. None: done; else what was written under its id before."""
        payload = record_to_text(distribution)
        with self._journal.transaction() as connection:
            is_new = _insert_once(
                connection,
                SAGAS,
                saga_id=distribution.saga_id,
                created_at=datetime_to_text(distribution.created_at),
                payload=payload,
                checksum=checksum_of("", distribution.saga_id, payload),
            )
            return None if is_new else _read(connection, distribution.saga_id)

    def find(self, saga_id: str) -> Distribution | None:
        """Return a distribution. None: there is none of that id."""
        with self._journal.transaction() as connection:
            return _read(connection, saga_id)

    def refuse(self, saga_id: str, refusal: LegRefusal) -> None:
        """Keep that a leg was refused before its intent was journalled; the first word stays."""
        with self._journal.transaction() as connection:
            _insert_once(
                connection,
                REFUSALS,
                saga_id=saga_id,
                client_order_id=refusal.client_order_id,
                payload=record_to_text(refusal),
            )

    def list_refusals(self, saga_id: str) -> list[LegRefusal]:
        """Return the legs that were refused before."""
        query = select(REFUSALS.c.payload).where(REFUSALS.c.saga_id == saga_id)
        with self._journal.transaction() as connection:
            rows = connection.execute(query).scalars().all()
        return [record_from_text(row, LegRefusal, f"a refusal of {saga_id!r}") for row in rows]

    def end(self, saga_id: str, at: datetime) -> None:
        """Say that nothing of it remains to be sent or found out."""
        change = update(SAGAS).where(SAGAS.c.saga_id == saga_id, SAGAS.c.ended_at.is_(None))
        with self._journal.transaction() as connection:
            connection.execute(change.values(ended_at=datetime_to_text(at)))

    def list_open(self) -> list[Distribution]:
        """Return the distributions that have not ended, oldest first."""
        query = select(SAGAS).where(SAGAS.c.ended_at.is_(None))
        with self._journal.transaction() as connection:
            rows = connection.execute(query.order_by(SAGAS.c.created_at, SAGAS.c.saga_id)).all()
        return [_distribution(row) for row in rows]


def _read(connection: Connection, saga_id: str) -> Distribution | None:
    row = connection.execute(select(SAGAS).where(SAGAS.c.saga_id == saga_id)).one_or_none()
    return None if row is None else _distribution(row)


def _distribution(row: Row[tuple[object, ...]]) -> Distribution:
    payload: str = row.payload
    if checksum_of("", row.saga_id, payload) != row.checksum:
        raise OrderJournalError(f"distribution {row.saga_id!r} is not what was written")
    return record_from_text(payload, Distribution, f"distribution {row.saga_id!r}")


def _insert_once(connection: Connection, table: Table, **values: object) -> bool:
    of = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    # Drivers count the rows of an INSERT only when they are asked to.
    done = connection.execute(
        of(table).on_conflict_do_nothing(), values, execution_options={"preserve_rowcount": True}
    )
    return done.rowcount == 1
