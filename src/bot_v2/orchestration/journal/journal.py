"""What a journal does, whatever it is kept in."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Protocol

import attrs

from bot_v2.features.brokerages.core.fills import Fill
from bot_v2.orchestration.journal.records import Entry, Intent, IntentState


@attrs.frozen(kw_only=True)
class Scope:
    """One account at one broker."""

    broker: str
    """The brokerage's name."""
    account_id: str
    """The account."""


@attrs.frozen(kw_only=True)
class Opening:
    """What the account held when the journal began to follow it."""

    at: datetime
    """When that was."""
    positions: dict[str, Decimal]
    """The signed position by symbol, in order units, before every fill in the journal."""


class OrderJournal(Protocol):
    """Keeps intents and what became of them; what is written is durable when the call returns.

    Entries are only ever added. Safe between threads.

    Raises:
        OrderJournalError: from every method: it cannot be read or written.
    """

    def open_intent(self, intent: Intent) -> IntentState | None:
        """Write down an intent and own it. None: done; else its id is taken, by what is returned.

        Nothing may be sent before this has returned None.
        """
        ...

    def append(self, intent_id: str, entry: Entry) -> IntentState:
        """Add an entry to an intent of ours, tie its order id to it, and return the new state.

        Raises:
            JournalOwnershipError: another process has taken the intent over.
        """
        ...

    def find(self, intent_id: str) -> IntentState | None:
        """Return an intent's state. None: there is no such intent."""
        ...

    def find_by_order(self, scope: Scope, order_id: str) -> IntentState | None:
        """Return the placement or adoption that an order came of. None: of none in the journal."""
        ...

    def list_order_ids(self, intent_id: str) -> list[str]:
        """Return the orders that came of an intent, replaced ones included."""
        ...

    def list_open(self, scope: Scope) -> list[IntentState]:
        """Return what is not settled and ours to act on, oldest first."""
        ...

    def take_over(self, scope: Scope) -> int:
        """Own what processes left behind that are gone; return how many intents that were."""
        ...

    def book_fills(self, scope: Scope, fills: Sequence[Fill]) -> list[Fill]:
        """Keep executions, each exactly once by symbol and trade id; return those that are new."""
        ...

    def list_fills(self, scope: Scope, order_id: str | None = None) -> list[Fill]:
        """Return the executions that are kept, oldest first; of one order, or of all."""
        ...

    def read_opening(self, scope: Scope) -> Opening | None:
        """Return what the account held at first. None: nobody has looked yet."""
        ...

    def keep_opening(self, scope: Scope, opening: Opening) -> None:
        """Set what the account held at first, in place of what was kept."""
        ...

    def close(self) -> None:
        """Let go of it. Twice is harmless."""
        ...
