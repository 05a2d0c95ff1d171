"""The seam at which an engine's steps are made durable, and from which it is rebuilt."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

import attrs

from bot_v2.simulation.records import (
    BalanceRecord,
    FillRecord,
    LedgerEntry,
    MarkRecord,
    OrderRecord,
    PositionRecord,
)


@attrs.define(kw_only=True, weakref_slot=False)
class Counters:
    """How many of each the engine has made: the next is one more."""

    steps: int = 0
    """Steps committed."""
    orders: int = 0
    """Orders placed, the exits of brackets included."""
    trades: int = 0
    """Executions, corrections and busts."""
    groups: int = 0
    """Pairs of orders of which one cancels the other."""
    priorities: int = 0
    """Places given in the queues of waiting orders."""
    transactions: int = 0
    """Transactions of the ledger that are no execution."""


@attrs.frozen(kw_only=True, weakref_slot=False)
class EngineChange:
    """What one step changed. All of it is stored, or none of it.

    The records are the engine's own, not copies: a journal reads them before it returns, and keeps
    none of them.
    """

    step: int
    """The number of the step, counted from 1 without gaps."""
    moment: datetime
    """When the step happened, by the engine's clock."""
    orders: Sequence[OrderRecord]
    """Orders made or changed, each once and whole: insert or replace by `order_id`."""
    fills: Sequence[FillRecord]
    """Executions made, in order: append."""
    entries: Sequence[LedgerEntry]
    """Entries made, in order: append."""
    balances: Sequence[BalanceRecord]
    """The ledger's balances that changed: replace by (account, asset)."""
    positions: Sequence[PositionRecord]
    """Positions that changed: replace by `asset`."""
    marks: Sequence[MarkRecord]
    """Prices that changed since the step before: replace by `symbol`."""
    counters: Counters
    """The counters after the step: replace."""


@attrs.frozen(kw_only=True, weakref_slot=False)
class EngineState:
    """All that an engine is rebuilt from: the sum of its changes."""

    orders: Sequence[OrderRecord] = ()
    """Every order, in order of `number`."""
    fills: Sequence[FillRecord] = ()
    """Every execution, oldest first."""
    entries: Sequence[LedgerEntry] = ()
    """Every entry of the ledger, oldest first."""
    balances: Sequence[BalanceRecord] = ()
    """The ledger's balances; kept apart from the entries so that each proves the other."""
    positions: Sequence[PositionRecord] = ()
    """Every position, flat ones included."""
    marks: Sequence[MarkRecord] = ()
    """The latest prices."""
    counters: Counters = attrs.field(factory=Counters)
    """How many of each were made."""


class EngineJournal(Protocol):
    """Where an engine's steps are made durable. A class that has this method fits."""

    def commit(self, change: EngineChange) -> None:
        """Store one step, whole, before anyone learns of it; return once it is durable.

        Whatever it raises stops the engine: what was stored is then found out by reopening.
        """
        ...
