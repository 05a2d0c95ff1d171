"""The gate through schedules of faults and crashes: nothing is lost, and nothing is stuck."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bot_v2.features.brokerages.core.interfaces import Order, OrderModification, OrderRequest
from bot_v2.orchestration.execution.risk_gate import RiskGate
from bot_v2.orchestration.journal.journal import OrderJournal, Scope
from bot_v2.orchestration.journal.records import IntentState
from bot_v2.orchestration.order_executor import OrderExecutor
from bot_v2.orchestration.risk.desk import RiskDesk
from bot_v2.orchestration.risk.gate import LimitGate
from bot_v2.orchestration.risk.kill_switch import KillSwitch
from bot_v2.orchestration.risk.limits import RiskLimits
from bot_v2.orchestration.risk.store import MemoryReservations
from bot_v2.testing.schedules.run import SCOPE, Run
from bot_v2.testing.schedules.schedule import schedule_of
from bot_v2.testing.schedules.verdict import judge

SCHEDULES = 250


class Opening:
    """One process's opening of the journal, which outlives processes."""

    journal_id = "the journal"

    def __init__(self, journal: OrderJournal) -> None:
        self.owner = uuid.uuid4().hex
        self._journal = journal

    def find(self, intent_id: str) -> IntentState | None:
        """An intent."""
        return self._journal.find(intent_id)

    def find_by_order(self, scope: Scope, order_id: str) -> IntentState | None:
        """The placement of an order."""
        return self._journal.find_by_order(scope, order_id)

    def is_gone(self, owner: str) -> bool:
        """Whether another process has ended: they all have."""
        return owner != self.owner


class Both:
    """Two gates behind each other: the harness's, and the one that is proven."""

    def __init__(self, first: RiskGate, second: RiskGate) -> None:
        self._gates = (first, second)

    def prepare(self, request: OrderRequest) -> OrderRequest:
        """Let both prepare it."""
        for gate in self._gates:
            request = gate.prepare(request)
        return request

    def reserve(self, request: OrderRequest) -> None:
        """Let both reserve it, the one that can refuse first."""
        for gate in reversed(self._gates):
            gate.reserve(request)

    def reserve_change(self, request: OrderRequest | None, modification: OrderModification) -> None:
        """Let both judge a change."""
        for gate in self._gates:
            gate.reserve_change(request, modification)

    def hold(self, request: OrderRequest) -> None:
        """Let both hold it."""
        for gate in self._gates:
            gate.hold(request)

    def release(self, request: OrderRequest, order: Order | None) -> None:
        """Let both give it back."""
        for gate in self._gates:
            gate.release(request, order)


@contextmanager
def quiet() -> Iterator[None]:
    """Say nothing of what fails on purpose."""
    logging.disable()
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


def test_what_is_held_is_what_may_live(tmp_path: Path) -> None:
    """After every schedule the reservations are those of the orders that have not ended."""
    switch = KillSwitch(tmp_path / "kill-switch")
    crashes = 0
    for seed in range(SCHEDULES):
        store = MemoryReservations()

        def make(broker: Any, journal: Any, *, gate: RiskGate, runtime: Any, **given: Any) -> Any:
            limits = RiskLimits(max_orders_per_minute=10**6)
            proven = LimitGate(
                broker,
                Opening(journal),
                RiskDesk(store),  # noqa: B023 - called within this round
                limits,
                kill_switch=switch,
                clock=runtime.clock,
            )
            return OrderExecutor(broker, journal, gate=Both(gate, proven), runtime=runtime, **given)

        run = Run(schedule_of(seed), make)
        with quiet():
            run.play()
        verdict = judge(run)
        crashes += verdict.crashes
        with store.turn() as book:
            held = {each.client_order_id for each in book.list_held()}
        may_live = {
            state.intent.client_order_id
            for state in run.journal.list_open(SCOPE)
            if state.intent.request is not None
        }
        assert (seed, verdict.breaches, held) == (seed, (), may_live)
    assert crashes > SCHEDULES / 10
