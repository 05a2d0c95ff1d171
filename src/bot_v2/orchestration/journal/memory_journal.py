"""A journal in memory: for what need not survive the process, and for the tests of what must."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Sequence

from bot_v2.features.brokerages.core.fills import Fill
from bot_v2.orchestration.journal.journal import Opening, Scope
from bot_v2.orchestration.journal.records import (
    Entry,
    Intent,
    IntentKind,
    IntentState,
    OrderJournalError,
)

ORDER_KINDS = frozenset({IntentKind.PLACE, IntentKind.ADOPT})
"""The kinds of intent that an order can come of."""


class MemoryJournal:
    """Keeps everything in dicts; nothing is durable, and one process owns all of it."""

    def __init__(self) -> None:
        """Start empty."""
        self.journal_id = self.owner = uuid.uuid4().hex
        """What tells this journal, and its one process, from others."""
        self._lock = threading.Lock()
        self._states: dict[str, IntentState] = {}
        self._open: dict[str, None] = {}
        self._intent_of_order: dict[tuple[Scope, str], str] = {}
        self._fills: dict[Scope, dict[tuple[str, str], Fill]] = {}
        self._openings: dict[Scope, Opening] = {}

    def open_intent(self, intent: Intent) -> IntentState | None:
        """Write down an intent. None: done; else its id is taken, by what is returned."""
        with self._lock:
            known = self._states.get(intent.intent_id)
            if known is None:
                self._states[intent.intent_id] = IntentState(intent=intent)
                self._open[intent.intent_id] = None
            return known

    def append(self, intent_id: str, entry: Entry) -> IntentState:
        """Add an entry to an intent, tie its order id to it, and return the new state.

        Raises:
            OrderJournalError: there is no such intent, or the order came of another.
        """
        with self._lock:
            known = self._states.get(intent_id)
            if known is None:
                raise OrderJournalError(f"the journal holds no intent {intent_id!r}")
            if entry.order_id is not None and known.intent.kind in ORDER_KINDS:
                key = (scope_of(known.intent), entry.order_id)
                if self._intent_of_order.setdefault(key, intent_id) != intent_id:
                    raise tied_elsewhere(intent_id, entry.order_id)
            state = self._states[intent_id] = known.after(entry)
            if state.is_final:
                self._open.pop(intent_id, None)
            else:
                # What was settled is open again, where there is news of it.
                self._open.setdefault(intent_id)
            return state

    def find(self, intent_id: str) -> IntentState | None:
        """Return an intent's state. None: there is no such intent."""
        return self._states.get(intent_id)

    def find_by_order(self, scope: Scope, order_id: str) -> IntentState | None:
        """Return the placement or adoption that an order came of. None: of none."""
        intent_id = self._intent_of_order.get((scope, order_id))
        return None if intent_id is None else self._states[intent_id]

    def list_order_ids(self, intent_id: str) -> list[str]:
        """Return the orders that came of an intent, replaced ones included."""
        with self._lock:
            ties = list(self._intent_of_order.items())
        return [order_id for (_, order_id), tied_to in ties if tied_to == intent_id]

    def list_open(self, scope: Scope) -> list[IntentState]:
        """Return what is not settled, oldest first."""
        with self._lock:
            states = [self._states[intent_id] for intent_id in self._open]
        return [state for state in states if scope_of(state.intent) == scope]

    def take_over(self, scope: Scope) -> int:  # noqa: ARG002 - the protocol's signature
        """Return zero: no other process can have written here."""
        return 0

    def is_gone(self, owner: str) -> bool:
        """Return whether a process has ended; one that is not ours never had this journal."""
        return owner != self.owner

    def book_fills(self, scope: Scope, fills: Sequence[Fill]) -> list[Fill]:
        """Keep executions, each exactly once by symbol and trade id; return those that are new."""
        with self._lock:
            kept = self._fills.setdefault(scope, {})
            new = []
            for fill in fills:
                key = (fill.symbol, fill.trade_id)
                if key not in kept:
                    kept[key] = fill
                    new.append(fill)
            return new

    def list_fills(self, scope: Scope, order_id: str | None = None) -> list[Fill]:
        """Return the executions that are kept, oldest first; of one order, or of all."""
        with self._lock:
            fills = list(self._fills.get(scope, {}).values())
        return sorted(
            (fill for fill in fills if order_id in (None, fill.order_id)),
            key=lambda fill: fill.timestamp,
        )

    def read_opening(self, scope: Scope) -> Opening | None:
        """Return what the account held at first. None: nobody has looked yet."""
        return self._openings.get(scope)

    def keep_opening(self, scope: Scope, opening: Opening) -> None:
        """Set what the account held at first."""
        self._openings[scope] = opening

    def close(self) -> None:
        """Nothing is held."""


def scope_of(intent: Intent) -> Scope:
    """Return the account that an intent is for."""
    return Scope(broker=intent.broker, account_id=intent.account_id)


def tied_elsewhere(intent_id: str, order_id: str) -> OrderJournalError:
    """Return the error for an order that two intents would have."""
    return OrderJournalError(
        f"order {order_id!r} is tied to another intent than {intent_id!r}", order_id=order_id
    )
