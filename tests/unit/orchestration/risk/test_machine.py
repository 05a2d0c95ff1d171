"""Reservations under anything: two processes that die, orders that rest, reads that fail."""

from __future__ import annotations

import tempfile
import uuid
from decimal import Decimal as D
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from bot_v2.features.brokerages.core.interfaces import (
    LIVE_STATUSES,
    BrokerageError,
    Order,
    OrderModification,
    OrderSide,
)
from bot_v2.features.brokerages.paper.adapter import PaperBrokerage
from bot_v2.orchestration.journal.memory_journal import MemoryJournal
from bot_v2.orchestration.order_executor import OrderExecutor
from bot_v2.orchestration.risk.gate import LimitGate
from bot_v2.orchestration.risk.limits import RiskLimits
from tests.unit.orchestration.risk.bench import Bench, order

UNITS = 10
LIMITS = RiskLimits(max_position_value=D(100 * UNITS), currency="USD")

processes = st.sampled_from([0, 1])
sizes = st.integers(min_value=1, max_value=6)


class Process:
    """One of two processes, each with a journal of its own, over one account and one store."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.journal = MemoryJournal()
        self.gate: LimitGate
        self.executor: OrderExecutor
        self.gate, self.executor = bench.open(bench.broker, self.journal)

    def restart(self) -> None:
        """Die, and come back with the same journal."""
        self.journal.owner = uuid.uuid4().hex
        self.gate, self.executor = self.bench.open(self.bench.broker, self.journal)
        self.executor.recover()


class Reservations(RuleBasedStateMachine):
    """Whatever happens, the account is never exposed beyond the limit, and nothing is stuck."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.bench = Bench(Path(self.folder.name), LIMITS)
        self.processes = [Process(self.bench) for _ in range(2)]

    def live(self) -> list[Order]:
        """The orders that live at the broker."""
        orders = PaperBrokerage.list_orders(self.bench.broker)
        return [each for each in orders if each.status in LIVE_STATUSES]

    @rule(number=processes, size=sizes, rests=st.booleans())
    def buy(self, number: int, size: int, rests: bool) -> None:
        """Buy at the market's price, or below it."""
        price = D(50) if rests else D(100)
        self.processes[number].executor.submit(order(str(size), price=price))

    @rule(number=processes, size=sizes, rests=st.booleans())
    def sell(self, number: int, size: int, rests: bool) -> None:
        """Sell at the market's price, or above it; it never turns the position."""
        price = D(200) if rests else D(100)
        self.processes[number].executor.submit(order(str(size), OrderSide.SELL, price=price))

    @rule(number=processes, size=sizes)
    def die_before_the_intent(self, number: int, size: int) -> None:
        """Be admitted, and die before the journal knows."""
        process = self.processes[number]
        try:
            process.gate.reserve(order(str(size), client_order_id=uuid.uuid4().hex))
        except BrokerageError:
            return
        process.restart()

    @rule(number=processes)
    def die(self, number: int) -> None:
        """Die, and come back."""
        self.processes[number].restart()

    @rule(number=processes, size=sizes)
    def change(self, number: int, size: int) -> None:
        """Ask for another quantity of an order."""
        executor = self.processes[number].executor
        for state in executor.list_open()[:1]:
            executor.modify(state.order_id or "", OrderModification(quantity=D(size)))

    @rule(number=processes)
    def cancel(self, number: int) -> None:
        """Cancel an order."""
        executor = self.processes[number].executor
        for state in executor.list_open()[:1]:
            executor.cancel(state.order_id or "")

    @rule(number=processes)
    def reconcile(self, number: int) -> None:
        """Hear what became of orders."""
        self.processes[number].executor.reconcile()

    @rule(fails=st.sets(st.sampled_from(["list_positions", "list_orders", "get_price"])))
    def reads_fail(self, fails: set[str]) -> None:
        """Some reads fail from now on, or all work again."""
        self.bench.broker.failing = fails

    @invariant()
    def the_limit_holds(self) -> None:
        """What is held and could be filled is within the limit."""
        position, live = self.bench.position(), self.live()
        for side, sign in ((OrderSide.BUY, 1), (OrderSide.SELL, -1)):
            rests = sum((each.remaining_quantity or D(0)) for each in live if each.side is side)
            assert sign * position + rests <= UNITS

    @invariant()
    def what_lives_is_held(self) -> None:
        """Every order at the broker is counted."""
        assert {each.client_order_id for each in self.live()} <= set(self.bench.held)

    def teardown(self) -> None:
        """When all orders have ended and that is known, nothing is held any more."""
        self.bench.broker.failing = set()
        for each in self.live():
            self.bench.broker.cancel_order(each.order_id)
        for process in self.processes:
            process.restart()
            process.executor.reconcile()
        assert self.bench.held == []
        self.folder.cleanup()


TestReservations: Any = Reservations.TestCase
TestReservations.settings = settings(
    max_examples=50,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
