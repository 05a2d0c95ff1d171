"""A process that distributes one order over several accounts, and kills itself at a step."""

from __future__ import annotations

import logging
import os
import signal
from contextlib import closing
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

import attrs

from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.order_terms import OrderSide
from bot_v2.features.brokerages.core.orders import OrderResult
from bot_v2.orchestration.desk.distribution import Distribution
from bot_v2.orchestration.desk.executors import Trading
from bot_v2.orchestration.desk.saga_store import sagas_beside
from bot_v2.orchestration.desk.settings import DeskSettings
from bot_v2.orchestration.execution.settings import ExecutorSettings
from bot_v2.orchestration.journal.records import Entry, Intent, IntentState
from bot_v2.orchestration.journal.sql_journal import SqlJournal
from bot_v2.orchestration.multi_broker import MultiBrokerManager
from tests.integration.orchestration.far_account import Address, FarBrokerage

SAGA: Final = "saga-1"
EXECUTOR: Final = ExecutorSettings(probe_delays_s=(0.005, 0.02, 0.1, 0.5))
REQUEST: Final = OrderRequest(symbol="BTC-USD", side=OrderSide.BUY, quantity=Decimal("0.1"))


class Step(StrEnum):
    """Where the process dies."""

    PLANNED = "before the distribution is written down"
    WRITTEN = "when the distribution is written down, and nothing is sent"
    INTENT = "when a leg's intent is written, and it is not sent"
    PLACED = "when a leg is placed, and that is not heard of"
    ANSWERED = "when a leg is answered, and that is not written down"
    SETTLED = "when a leg's outcome is written down"
    NEVER = "not at all"


@attrs.frozen(kw_only=True)
class Task:
    """What the process does."""

    url: str
    """The journal."""
    addresses: dict[str, Address]
    """The accounts."""
    step: Step
    """Where it dies."""
    leg: int
    """At which leg, beginning with 1."""


class _Death:
    def __init__(self, task: Task) -> None:
        self._task = task
        self._count = 0

    def pass_by(self, step: Step) -> None:
        if step is self._task.step:
            self._count += 1
            if self._count == self._task.leg:
                os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))


class _Broker(FarBrokerage):
    death: _Death

    def place_order(self, order_request: OrderRequest) -> OrderResult:
        """Place an order, and perhaps die before it is heard of."""
        # The account behind it goes by another id.
        result = super().place_order(attrs.evolve(order_request, account_id=None))
        self.death.pass_by(Step.PLACED)
        return result


class _Journal:
    def __init__(self, inner: SqlJournal, death: _Death) -> None:
        self._inner = inner
        self._death = death

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def open_intent(self, intent: Intent) -> IntentState | None:
        """Write an intent."""
        known = self._inner.open_intent(intent)
        self._death.pass_by(Step.INTENT)
        return known

    def append(self, intent_id: str, entry: Entry) -> IntentState:
        """Write an entry."""
        self._death.pass_by(Step.ANSWERED)
        state = self._inner.append(intent_id, entry)
        self._death.pass_by(Step.SETTLED)
        return state


class _Sagas:
    def __init__(self, inner: Any, death: _Death) -> None:
        self._inner = inner
        self._death = death

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def open(self, distribution: Distribution) -> Distribution | None:
        """Write a distribution down."""
        self._death.pass_by(Step.PLANNED)
        known: Distribution | None = self._inner.open(distribution)
        self._death.pass_by(Step.WRITTEN)
        return known


def desk_of(task: Task, journal: SqlJournal) -> MultiBrokerManager:
    """Return a desk of the accounts that dies at the task's step."""
    death = _Death(task)
    kept: Any = _Journal(journal, death)
    sagas: Any = _Sagas(sagas_beside(journal), death)
    trading = Trading(journal=kept, sagas=sagas, executor=EXECUTOR)
    manager = MultiBrokerManager(DeskSettings(watch_interval_s=None), trading=trading)
    for name, address in task.addresses.items():
        broker = _Broker(address)
        broker.death = death
        manager.add(name, broker)
    return manager


def distribute(task: Task) -> None:
    """Distribute the order, and die."""
    logging.disable()
    with closing(SqlJournal(task.url)) as journal:
        desk_of(task, journal).submit_distributed(REQUEST, saga_id=SAGA)
