"""A journal that outlives the process, and at each of whose writes the process can die."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from bot_v2.features.brokerages.core.fills import Fill
from bot_v2.orchestration.journal.journal import Opening, OrderJournal, Scope
from bot_v2.orchestration.journal.records import Entry, Intent, IntentState, OrderJournalError
from bot_v2.testing.schedules.schedule import Schedule
from bot_v2.testing.schedules.world import World

_T = TypeVar("_T")


class FlakyJournal:
    """Passes on to a journal; a write may fail as scheduled, before or after it was done.

    Args:
        inner: what is durable.
        schedule: which writes fail.
        world: the steps at which the process can die.
    """

    def __init__(self, inner: OrderJournal, schedule: Schedule, world: World) -> None:
        """Pass on everything until something is scheduled."""
        self.inner = inner
        self._schedule = schedule
        self._world = world
        self._writes = 0
        self.is_calm = False
        """True: no write fails any more."""

    def _write(self, what: str, do: Callable[[], _T]) -> _T:
        number, self._writes = self._writes, self._writes + 1
        self._world.step(f"journal {what}: before")
        fails = None if self.is_calm else self._schedule.journal.get(number)
        if fails is False:
            raise OrderJournalError("the disk is full")
        done = do()
        self._world.step(f"journal {what}: after")
        if fails is True:
            raise OrderJournalError("the connection was lost during the commit")
        return done

    def open_intent(self, intent: Intent) -> IntentState | None:
        """Write down an intent."""
        return self._write("open_intent", lambda: self.inner.open_intent(intent))

    def append(self, intent_id: str, entry: Entry) -> IntentState:
        """Add an entry."""
        what = f"append {entry.phase.value}"
        return self._write(what, lambda: self.inner.append(intent_id, entry))

    def book_fills(self, scope: Scope, fills: Sequence[Fill]) -> list[Fill]:
        """Keep executions."""
        return self._write("book_fills", lambda: self.inner.book_fills(scope, fills))

    def keep_opening(self, scope: Scope, opening: Opening) -> None:
        """Set what the account held at first."""
        self._write("keep_opening", lambda: self.inner.keep_opening(scope, opening))

    def take_over(self, scope: Scope) -> int:
        """Own what was left behind."""
        return self.inner.take_over(scope)

    def find(self, intent_id: str) -> IntentState | None:
        """Return an intent's state."""
        return self.inner.find(intent_id)

    def find_by_order(self, scope: Scope, order_id: str) -> IntentState | None:
        """Return the intent that an order came of."""
        return self.inner.find_by_order(scope, order_id)

    def list_order_ids(self, intent_id: str) -> list[str]:
        """Return the orders that came of an intent."""
        return self.inner.list_order_ids(intent_id)

    def list_open(self, scope: Scope) -> list[IntentState]:
        """Return what is not settled."""
        return self.inner.list_open(scope)

    def list_fills(self, scope: Scope, order_id: str | None = None) -> list[Fill]:
        """Return the executions that are kept."""
        return self.inner.list_fills(scope, order_id)

    def read_opening(self, scope: Scope) -> Opening | None:
        """Return what the account held at first."""
        return self.inner.read_opening(scope)

    def close(self) -> None:
        """Nothing is held."""
