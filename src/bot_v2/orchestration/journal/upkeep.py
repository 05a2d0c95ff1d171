"""Looking after a journal: whether it is whole, what it holds, and how long it is kept."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Final

import attrs
from sqlalchemy import ColumnElement, Connection, Table, delete, func, select, text, update

from bot_v2.orchestration.journal.records import Entry, Intent, IntentState, OrderJournalError
from bot_v2.orchestration.journal.schema import ENTRIES, FILLS, INTENTS, OPEN, ORDERS
from bot_v2.orchestration.journal.sql_journal import SqlJournal
from bot_v2.orchestration.journal.sql_rows import read_entries, read_state
from bot_v2.orchestration.journal.texts import checksum_of, record_from_text, record_to_text

_SQLITE_SOUND: Final = "ok"


@attrs.frozen(kw_only=True)
class IntentHistory:
    """An intent, and what happened to it."""

    intent: Intent
    """What was to be sent."""
    entries: tuple[Entry, ...]
    """What was learnt, oldest first."""


def check_integrity(journal: SqlJournal) -> list[str]:
    """Read the whole journal; return what is wrong with it, a sentence each. Empty: it is whole.

    Each checksum is computed anew, each entry is read, and the claims and ties are compared with
    the states that they follow from.

    Raises:
        OrderJournalError: the database cannot be read at all.
    """
    with journal.transaction() as connection:
        found = list(_check_database(connection))
        claimed = set(connection.execute(select(OPEN.c.intent_id)).scalars())
        for row in connection.execute(select(INTENTS)).all():
            if row.payload is None:
                continue
            if checksum_of("", row.intent_id, row.digest, row.payload) != row.checksum:
                found.append(f"intent {row.intent_id!r} is not what was written")
                continue
            found.extend(_check_entries(connection, row.intent_id, row.payload, claimed))
    return found


def _check_database(connection: Connection) -> Iterator[str]:
    if connection.dialect.name == "sqlite":
        for verdict in connection.execute(text("PRAGMA integrity_check(10)")).scalars():
            if verdict != _SQLITE_SOUND:
                yield f"SQLite: {verdict}"


def _check_entries(
    connection: Connection, intent_id: str, payload: str, claimed: set[str]
) -> Iterator[str]:
    query = select(ENTRIES).where(ENTRIES.c.intent_id == intent_id).order_by(ENTRIES.c.number)
    before = ""
    entries = []
    for place, row in enumerate(connection.execute(query).all()):
        if row.number != place:
            yield f"entry {place} of intent {intent_id!r} is missing"
            return
        if checksum_of(before, intent_id, row.payload) != row.checksum:
            yield f"entry {place} of intent {intent_id!r} is not what was written"
            return
        entries.append(row.payload)
        before = row.checksum
    try:
        state = IntentState(intent=record_from_text(payload, Intent, f"intent {intent_id!r}"))
        for each in entries:
            state = state.after(record_from_text(each, Entry, f"an entry of {intent_id!r}"))
    except OrderJournalError as error:
        yield error.message
        return
    if state.is_final is (intent_id in claimed):
        said = "settled" if state.is_final else "not settled"
        yield f"intent {intent_id!r} is {said}, and its claim says otherwise"


@attrs.frozen(kw_only=True)
class JournalCounts:
    """How much a journal holds."""

    intents: int
    """Intents, with those that were pruned."""
    pruned: int
    """Intents whose content retention has taken."""
    unsettled: int
    """Intents that are not settled, and orders that have not ended."""
    entries: int
    """What happened to intents."""
    fills: int
    """Executions."""


def count_records(journal: SqlJournal) -> JournalCounts:
    """Return how much a journal holds.

    Raises:
        OrderJournalError: the database cannot be read.
    """
    with journal.transaction() as connection:

        def count(table: Table, *where: ColumnElement[bool]) -> int:
            query = select(func.count()).select_from(table).where(*where)
            return int(connection.execute(query).scalar_one())

        return JournalCounts(
            intents=count(INTENTS),
            pruned=count(INTENTS, INTENTS.c.payload.is_(None)),
            unsettled=count(OPEN),
            entries=count(ENTRIES),
            fills=count(FILLS),
        )


def list_unsettled(journal: SqlJournal) -> list[IntentState]:
    """Return what is not settled, of every account and whoever's it is, oldest first.

    Raises:
        OrderJournalError: it cannot be read.
    """
    with journal.transaction() as connection:
        query = select(OPEN.c.intent_id).join(INTENTS).order_by(INTENTS.c.created_at)
        names = connection.execute(query).scalars().all()
        states = [read_state(connection, name) for name in names]
    return [state for state in states if state is not None]


def find_histories(journal: SqlJournal, name: str) -> list[IntentHistory]:
    """Return what the journal holds under a name, oldest first: an order with its cancels.

    Args:
        journal: where to look.
        name: a client order id, a broker's order id, or an intent's own id, with or without its
            account.

    Raises:
        OrderJournalError: it cannot be read.
    """
    with journal.transaction() as connection:
        tied = select(ORDERS.c.intent_id).where(ORDERS.c.order_id == name)
        rows = connection.execute(
            select(INTENTS.c.intent_id, INTENTS.c.payload)
            .where(INTENTS.c.payload.is_not(None))
            .where(
                INTENTS.c.intent_id.endswith(name, autoescape=True)
                | INTENTS.c.payload.contains(json.dumps(name), autoescape=True)
                | INTENTS.c.intent_id.in_(tied)
            )
            .order_by(INTENTS.c.created_at, INTENTS.c.intent_id)
        ).all()
        ties = set(connection.execute(tied).scalars())
        found = []
        for row in rows:
            intent = record_from_text(row.payload, Intent, f"intent {row.intent_id!r}")
            names = (intent.intent_id, intent.ident, intent.client_order_id, intent.order_id)
            if name in names or row.intent_id in ties:
                entries = tuple(read_entries(connection, row.intent_id))
                found.append(IntentHistory(intent=intent, entries=entries))
    return found


def export_intents(journal: SqlJournal) -> Iterator[str]:
    """Yield each intent with its entries as a line of JSON, oldest first."""
    with journal.transaction() as connection:
        query = (
            select(INTENTS.c.intent_id, INTENTS.c.payload)
            .where(INTENTS.c.payload.is_not(None))
            .order_by(INTENTS.c.created_at, INTENTS.c.intent_id)
        )
        rows = connection.execute(query).all()
    for row in rows:
        with journal.transaction() as connection:
            query = (
                select(ENTRIES.c.payload)
                .where(ENTRIES.c.intent_id == row.intent_id)
                .order_by(ENTRIES.c.number)
            )
            entries = connection.execute(query).scalars().all()
        where = f"intent {row.intent_id!r}"
        history = IntentHistory(
            intent=record_from_text(row.payload, Intent, where),
            entries=tuple(record_from_text(each, Entry, where) for each in entries),
        )
        yield record_to_text(history)


def export_fills(journal: SqlJournal) -> Iterator[str]:
    """Yield each execution as a line of JSON, as it was booked."""
    with journal.transaction() as connection:
        rows = connection.execute(select(FILLS.c.payload)).scalars().all()
    yield from rows


def prune(journal: SqlJournal, before: datetime) -> int:
    """Drop the content of intents settled before a moment; return how many those were.

    Their ids and the orders that came of them stay, so that no id is used twice and no order of
    ours is taken for somebody else's. Executions stay: positions are made of them. So does all of
    what is still watched.
    """
    pruned = 0
    with journal.transaction() as connection:
        claimed = select(INTENTS.c.payload).join(OPEN)
        open_intents = [
            record_from_text(payload, Intent, "an open intent")
            for payload in connection.execute(claimed).scalars()
        ]
        needed = {each.intent_id for each in open_intents}
        needed |= {each.belongs_to for each in open_intents if each.belongs_to is not None}
        query = (
            select(INTENTS.c.intent_id, INTENTS.c.payload)
            .outerjoin(OPEN)
            .where(INTENTS.c.payload.is_not(None), OPEN.c.intent_id.is_(None))
        )
        for row in connection.execute(query).all():
            last = connection.execute(
                select(ENTRIES.c.payload)
                .where(ENTRIES.c.intent_id == row.intent_id)
                .order_by(ENTRIES.c.number.desc())
                .limit(1)
            ).scalar()
            if last is None or record_from_text(last, Entry, row.intent_id).at >= before:
                continue
            intent = record_from_text(row.payload, Intent, row.intent_id)
            if not needed.isdisjoint((intent.intent_id, intent.belongs_to)):
                continue
            connection.execute(delete(ENTRIES).where(ENTRIES.c.intent_id == row.intent_id))
            connection.execute(
                update(INTENTS).where(INTENTS.c.intent_id == row.intent_id).values(payload=None)
            )
            pruned += 1
    return pruned
