"""The journal's statements: each works on a connection within a transaction of the caller's."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Final

from sqlalchemy import Connection, Table, delete, select, text, update
from sqlalchemy.dialects import postgresql, sqlite

from bot_v2.features.brokerages.core.fills import Fill
from bot_v2.orchestration.journal.journal import Opening, Scope
from bot_v2.orchestration.journal.memory_journal import ORDER_KINDS, scope_of, tied_elsewhere
from bot_v2.orchestration.journal.records import (
    Entry,
    Intent,
    IntentState,
    JournalOwnershipError,
    OrderJournalError,
)
from bot_v2.orchestration.journal.schema import (
    ENTRIES,
    FACTS,
    FILLS,
    INTENTS,
    METADATA,
    OPEN,
    OPENINGS,
    ORDERS,
    SCHEMA_VERSION,
)
from bot_v2.orchestration.journal.texts import checksum_of, record_from_text, record_to_text
from bot_v2.orchestration.model_json import datetime_to_text

_PREPARING: Final = 4_714_201
"""The advisory lock under which PostgreSQL makes the tables, once for all processes."""


def prepare(connection: Connection) -> str:
    """Make the tables where there are none, refuse those of another version; return the id.

    Raises:
        OrderJournalError: the journal is of another version.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_PREPARING})"))
    METADATA.create_all(connection)
    wanted = str(SCHEMA_VERSION)
    _insert_once(connection, FACTS, name="schema_version", value=wanted)
    query = select(FACTS.c.value).where(FACTS.c.name == "schema_version")
    version = connection.execute(query).scalar_one()
    if version != wanted:
        raise OrderJournalError(
            f"the order journal is of schema version {version}; this is version {wanted}"
        )
    _insert_once(connection, FACTS, name="journal_id", value=uuid.uuid4().hex)
    query = select(FACTS.c.value).where(FACTS.c.name == "journal_id")
    return str(connection.execute(query).scalar_one())


def _insert_once(connection: Connection, table: Table, **values: object) -> bool:
    """Insert a row; False where its key is taken already, and nothing was done."""
    of = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    # Drivers count the rows of an INSERT only when they are asked to.
    done = connection.execute(
        of(table).on_conflict_do_nothing(), values, execution_options={"preserve_rowcount": True}
    )
    return done.rowcount == 1


def add_intent(connection: Connection, intent: Intent, owner: str) -> bool:
    """Write an intent, owned; False where its id is taken, and nothing was written."""
    payload, digest = record_to_text(intent), intent.digest
    is_new = _insert_once(
        connection,
        INTENTS,
        intent_id=intent.intent_id,
        broker=intent.broker,
        account_id=intent.account_id,
        created_at=datetime_to_text(intent.created_at),
        digest=digest,
        payload=payload,
        checksum=checksum_of("", intent.intent_id, digest, payload),
    )
    if is_new:
        _insert_once(connection, OPEN, intent_id=intent.intent_id, owner=owner)
    return is_new


def read_state(connection: Connection, intent_id: str) -> IntentState | None:
    """Return an intent's state. None: there is no such intent.

    Raises:
        OrderJournalError: it was settled long ago, and retention took its content.
    """
    query = select(INTENTS.c.payload).where(INTENTS.c.intent_id == intent_id)
    row = connection.execute(query).first()
    if row is None:
        return None
    if row.payload is None:
        raise OrderJournalError(f"intent {intent_id!r} was settled, and its content was pruned")
    intent = record_from_text(row.payload, Intent, f"intent {intent_id!r}")
    state = IntentState(intent=intent)
    for entry in read_entries(connection, intent_id):
        state = state.after(entry)
    return state


def read_entries(connection: Connection, intent_id: str) -> list[Entry]:
    """Return what happened to an intent, oldest first."""
    query = (
        select(ENTRIES.c.payload).where(ENTRIES.c.intent_id == intent_id).order_by(ENTRIES.c.number)
    )
    rows = connection.execute(query).scalars()
    return [record_from_text(row, Entry, f"an entry of intent {intent_id!r}") for row in rows]


def add_entry(connection: Connection, intent_id: str, entry: Entry, owner: str) -> IntentState:
    """Add an entry, tie its order, and let go of what is settled; return the new state.

    Raises:
        JournalOwnershipError: another process owns the intent.
        OrderJournalError: there is no such intent, or its order is another's.
    """
    known = read_state(connection, intent_id)
    if known is None:
        raise OrderJournalError(f"the journal holds no intent {intent_id!r}")
    _require_claim(connection, intent_id, owner, reopens=known.is_final)
    query = (
        select(ENTRIES.c.number, ENTRIES.c.checksum)
        .where(ENTRIES.c.intent_id == intent_id)
        .order_by(ENTRIES.c.number.desc())
        .limit(1)
    )
    last = connection.execute(query).first()
    number, before = (0, "") if last is None else (last.number + 1, last.checksum)
    payload = record_to_text(entry)
    connection.execute(
        ENTRIES.insert(),
        {
            "intent_id": intent_id,
            "number": number,
            "payload": payload,
            "checksum": checksum_of(before, intent_id, payload),
        },
    )
    if entry.order_id is not None and known.intent.kind in ORDER_KINDS:
        _tie(connection, known.intent, entry.order_id)
    state = known.after(entry)
    if state.is_final:
        connection.execute(delete(OPEN).where(OPEN.c.intent_id == intent_id))
    return state


def _require_claim(connection: Connection, intent_id: str, owner: str, *, reopens: bool) -> None:
    claim = update(OPEN).where(OPEN.c.intent_id == intent_id, OPEN.c.owner == owner)
    if connection.execute(claim.values(owner=owner)).rowcount == 1:
        return
    # A settled intent has no claim. News of it, such as a late fill, takes one anew.
    if not (reopens and _insert_once(connection, OPEN, intent_id=intent_id, owner=owner)):
        raise JournalOwnershipError(f"another process has taken intent {intent_id!r} over")


def _tie(connection: Connection, intent: Intent, order_id: str) -> None:
    key = {"broker": intent.broker, "account_id": intent.account_id, "order_id": order_id}
    if _insert_once(connection, ORDERS, **key, intent_id=intent.intent_id):
        return
    if intent_of_order(connection, scope_of(intent), order_id) != intent.intent_id:
        raise tied_elsewhere(intent.intent_id, order_id)


def intent_of_order(connection: Connection, scope: Scope, order_id: str) -> str | None:
    """Return the id of the intent that an order came of. None: of none in the journal."""
    query = select(ORDERS.c.intent_id).where(
        ORDERS.c.broker == scope.broker,
        ORDERS.c.account_id == scope.account_id,
        ORDERS.c.order_id == order_id,
    )
    return connection.execute(query).scalar()


def order_ids_of(connection: Connection, intent_id: str) -> list[str]:
    """Return the orders that came of an intent."""
    query = select(ORDERS.c.order_id).where(ORDERS.c.intent_id == intent_id)
    return list(connection.execute(query.order_by(ORDERS.c.order_id)).scalars())


def read_open(connection: Connection, scope: Scope, owner: str) -> list[IntentState]:
    """Return what is not settled and owned, oldest first."""
    query = (
        select(OPEN.c.intent_id)
        .join(INTENTS)
        .where(
            OPEN.c.owner == owner,
            INTENTS.c.broker == scope.broker,
            INTENTS.c.account_id == scope.account_id,
        )
        .order_by(INTENTS.c.created_at, INTENTS.c.intent_id)
    )
    states = [read_state(connection, each) for each in connection.execute(query).scalars().all()]
    return [state for state in states if state is not None]


def take_over(
    connection: Connection,
    scope: Scope,
    owner: str,
    is_gone: Callable[[Connection, str], bool],
) -> int:
    """Own the open intents of processes that are gone; return how many those were."""
    inside = select(INTENTS.c.intent_id).where(
        INTENTS.c.broker == scope.broker, INTENTS.c.account_id == scope.account_id
    )
    query = select(OPEN.c.owner).where(OPEN.c.owner != owner, OPEN.c.intent_id.in_(inside))
    taken = 0
    for other in connection.execute(query.distinct()).scalars().all():
        if is_gone(connection, other):
            claim = update(OPEN).where(OPEN.c.owner == other, OPEN.c.intent_id.in_(inside))
            taken += connection.execute(claim.values(owner=owner)).rowcount
    return taken


def add_fill(connection: Connection, scope: Scope, fill: Fill) -> bool:
    """Keep an execution; False where it is kept already."""
    return _insert_once(
        connection,
        FILLS,
        broker=scope.broker,
        account_id=scope.account_id,
        symbol=fill.symbol,
        trade_id=fill.trade_id,
        order_id=fill.order_id,
        payload=record_to_text(fill),
    )


def read_fills(connection: Connection, scope: Scope, order_id: str | None) -> list[Fill]:
    """Return the executions that are kept, oldest first; of one order, or of all."""
    query = select(FILLS.c.payload).where(
        FILLS.c.broker == scope.broker, FILLS.c.account_id == scope.account_id
    )
    if order_id is not None:
        query = query.where(FILLS.c.order_id == order_id)
    rows = connection.execute(query).scalars()
    fills = [record_from_text(row, Fill, "a fill") for row in rows]
    return sorted(fills, key=lambda fill: fill.timestamp)


def read_opening(connection: Connection, scope: Scope) -> Opening | None:
    """Return what the account held at first. None: nobody has looked yet."""
    query = select(OPENINGS.c.payload).where(
        OPENINGS.c.broker == scope.broker, OPENINGS.c.account_id == scope.account_id
    )
    row = connection.execute(query).scalar()
    return None if row is None else record_from_text(row, Opening, "an opening")


def write_opening(connection: Connection, scope: Scope, opening: Opening) -> None:
    """Set what the account held at first."""
    connection.execute(
        delete(OPENINGS).where(
            OPENINGS.c.broker == scope.broker, OPENINGS.c.account_id == scope.account_id
        )
    )
    connection.execute(
        OPENINGS.insert(),
        {
            "broker": scope.broker,
            "account_id": scope.account_id,
            "payload": record_to_text(opening),
        },
    )
