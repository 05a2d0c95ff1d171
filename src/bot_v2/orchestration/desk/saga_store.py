"""Where distributions are kept: each whole, before the first of its orders is sent."""

from __future__ import annotations

import threading
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from bot_v2.orchestration.desk.distribution import Distribution, LegRefusal

if TYPE_CHECKING:
    from bot_v2.orchestration.journal.journal import OrderJournal


class SagaStore(Protocol):
    """Keeps distributions; what is written is durable when the call returns.

    Raises:
        OrderJournalError: from every method: it cannot be read or written.
    """

    def open(self, distribution: Distribution) -> Distribution | None:
        """Write a distribution down. None: done; else what was written under its id before."""
        ...

    def find(self, saga_id: str) -> Distribution | None:
        """Return a distribution. None: there is none of that id."""
        ...

    def refuse(self, saga_id: str, refusal: LegRefusal) -> None:
        """Keep that a leg was refused before its intent was journalled; the first word stays."""
        ...

    def list_refusals(self, saga_id: str) -> list[LegRefusal]:
        """Return the legs that were refused before."""
        ...

    def end(self, saga_id: str, at: datetime) -> None:
        """Say that nothing of it remains to be sent or found out."""
        ...

    def list_open(self) -> list[Distribution]:
        """Return the distributions that have not ended, oldest first."""
        ...


class MemorySagas:
    """Distributions of one process, which end with it: for a journal in memory."""

    def __init__(self) -> None:
        """Start empty."""
        self._lock = threading.Lock()
        self._sagas: dict[str, Distribution] = {}
        self._refusals: dict[str, dict[str, LegRefusal]] = {}
        self._ended: set[str] = set()

    def open(self, distribution: Distribution) -> Distribution | None:
        """Write a distribution down. None: done; else what was written under its id before."""
        with self._lock:
            known = self._sagas.get(distribution.saga_id)
            if known is None:
                self._sagas[distribution.saga_id] = distribution
            return known

    def find(self, saga_id: str) -> Distribution | None:
        """Return a distribution. None: there is none of that id."""
        return self._sagas.get(saga_id)

    def refuse(self, saga_id: str, refusal: LegRefusal) -> None:
        """Keep that a leg was refused before its intent was journalled; the first word stays."""
        with self._lock:
            own = self._refusals.setdefault(saga_id, {})
            own.setdefault(refusal.client_order_id, refusal)

    def list_refusals(self, saga_id: str) -> list[LegRefusal]:
        """Return the legs that were refused before."""
        with self._lock:
            return list(self._refusals.get(saga_id, {}).values())

    def end(self, saga_id: str, at: datetime) -> None:  # noqa: ARG002 - the protocol's
        """Say that nothing of it remains to be sent or found out."""
        with self._lock:
            self._ended.add(saga_id)

    def list_open(self) -> list[Distribution]:
        """Return the distributions that have not ended, oldest first."""
        with self._lock:
            return [one for name, one in self._sagas.items() if name not in self._ended]


def sagas_beside(journal: OrderJournal) -> SagaStore:
    """Return the store of distributions that is as durable as a journal: in its database.

    Raises:
        OrderJournalError: it cannot be opened.
    """
    from bot_v2.orchestration.journal.sql_journal import SqlJournal

    if not isinstance(journal, SqlJournal):
        return MemorySagas()
    # Imported once the journal has found SQLAlchemy, or has said what to install.
    from bot_v2.orchestration.desk.sql_sagas import SqlSagas

    return SqlSagas(journal)
