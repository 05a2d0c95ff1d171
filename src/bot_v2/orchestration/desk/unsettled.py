"""What of a journal is not settled, read without becoming its owner."""

from __future__ import annotations

from sqlalchemy import select

from bot_v2.orchestration.journal.records import IntentState
from bot_v2.orchestration.journal.schema import INTENTS, OPEN
from bot_v2.orchestration.journal.sql_journal import SqlJournal
from bot_v2.orchestration.journal.sql_rows import read_state


def list_unsettled(journal: SqlJournal) -> list[IntentState]:
    """Return the intents of which nobody knows whether they took effect, of all accounts.

    Raises:
        OrderJournalError: the journal cannot be read.
    """
    query = select(OPEN.c.intent_id).join(INTENTS).order_by(INTENTS.c.created_at)
    with journal.transaction() as connection:
        found = [read_state(connection, one) for one in connection.execute(query).scalars().all()]
    return [state for state in found if state is not None and state.is_unsettled]
