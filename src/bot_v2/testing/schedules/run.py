"""Running one schedule, from the first submit to the last question answered."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Final

import attrs

from bot_v2.features.brokerages.core.errors import BrokerageError, Outcome
from bot_v2.features.brokerages.core.order_changes import OrderModification
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.order_terms import OrderSide, OrderType
from bot_v2.features.brokerages.core.orders import Order, OrderResult
from bot_v2.orchestration.execution.events import EventKind, ExecutionEvent
from bot_v2.orchestration.execution.report import ReconciliationReport
from bot_v2.orchestration.execution.risk_gate import OpenGate
from bot_v2.orchestration.execution.settings import ExecutorSettings
from bot_v2.orchestration.journal.journal import Scope
from bot_v2.orchestration.journal.memory_journal import MemoryJournal
from bot_v2.orchestration.journal.records import OrderJournalError
from bot_v2.orchestration.order_executor import OrderExecutor
from bot_v2.testing.schedules.brokerage import ScheduledBrokerage
from bot_v2.testing.schedules.flaky_journal import FlakyJournal
from bot_v2.testing.schedules.schedule import Act, Schedule, Step
from bot_v2.testing.schedules.turns import Turns
from bot_v2.testing.schedules.venue import ACCOUNT_ID, PRODUCT, Venue
from bot_v2.testing.schedules.world import World

SETTINGS: Final = ExecutorSettings(resolve_timeout_s=20.0, retry_delay_s=0.5)
SCOPE: Final = Scope(broker=ScheduledBrokerage.name, account_id=ACCOUNT_ID)
RESTART: Final = timedelta(seconds=2)
"""How long a process that died is away."""

QUIET: Final = timedelta(hours=1)
"""How long everything is left alone before the books are compared."""

PERSONS_QUANTITY: Final = Decimal(7)
"""What a person orders by hand: a quantity that no bot orders."""

MakeExecutor = Callable[..., OrderExecutor]
"""Makes an executor, as its class does."""


class HoldingGate(OpenGate):
    """Counts whose risk is held. It lives as long as its process."""

    def __init__(self) -> None:
        """Hold nothing."""
        self.held: set[str] = set()

    def reserve(self, request: OrderRequest) -> None:
        """Hold an order's risk."""
        self.held.add(request.client_order_id or "")

    def hold(self, request: OrderRequest) -> None:
        """Hold an order's risk."""
        self.held.add(request.client_order_id or "")

    def release(self, request: OrderRequest, order: Order | None) -> None:
        """Give an order's risk back.

        Raises:
            AssertionError: it was not held.
        """
        assert request.client_order_id in self.held, f"{request.client_order_id} released twice"
        self.held.discard(request.client_order_id or "")


@attrs.define
class Answer:
    """What a bot was told of an order."""

    request: OrderRequest
    """What it asked for."""
    result: OrderResult
    """What it was told."""
    at_step: int
    """The step after which it was told."""


class Run:
    """A schedule under way, and afterwards all that happened.

    Args:
        schedule: what happens.
        make_executor: the executor's class, or what is to be tried in its place.
        turns: how concurrent submitters take turns. None: in the quickest way that there is.
    """

    def __init__(
        self,
        schedule: Schedule,
        make_executor: MakeExecutor = OrderExecutor,
        *,
        turns: Turns | None = None,
    ) -> None:
        """Set the scene."""
        self.schedule = schedule
        self.world = World(schedule.seed, schedule.crashes, turns)
        self.venue = Venue(schedule, self.world)
        self.journal = FlakyJournal(MemoryJournal(), schedule, self.world)
        self.answers: list[Answer] = []
        """What the bots were told, in order."""
        self.asked: set[str] = set()
        """The orders of which it was, at some time, not known whether they were placed."""
        self.unheld: list[str] = []
        """The orders whose risk was not held although they were, or could be, at the broker."""
        self.crashes = 0
        """How often the process died."""
        self.report: ReconciliationReport | None = None
        """What the last reconciliation found."""
        self.gate = HoldingGate()
        self._make_executor = make_executor
        self._calls = {"write": 0, "read": 0}
        self._made_ids = 0
        self._ahead = [list(steps) for steps in schedule.bots]
        self._latest: list[OrderRequest | None] = [None] * len(schedule.bots)
        self._orders: list[str] = []

    def play(self) -> None:
        """Run the schedule, restart after each crash, and settle everything at the end."""
        executor = self._start()
        works = [partial(self._live, executor, bot) for bot in range(len(self._ahead))]
        while self.world.run(works):
            self._die()
            # After a restart one task recovers and carries on for every bot: what it resubmits
            # meets what the dead process may have sent.
            works = [partial(self._resume, self._start())]
        self._settle()

    def _start(self, *, is_calm: bool = False) -> OrderExecutor:
        broker = ScheduledBrokerage(self.schedule, self.world, self.venue, self._calls)
        broker.is_calm = is_calm
        self.gate = HoldingGate()
        return self._make_executor(
            broker,
            self.journal,
            settings=SETTINGS,
            gate=self.gate,
            runtime=self.world,
            ids=self._new_id,
            on_event=self._hear,
        )

    def _new_id(self) -> str:
        self._made_ids += 1
        return f"made{self._made_ids}"

    def _hear(self, event: ExecutionEvent) -> None:
        if event.kind is EventKind.OUTCOME_UNKNOWN and event.client_order_id is not None:
            self.asked.add(event.client_order_id)

    def _die(self) -> None:
        self.crashes += 1
        for state in self.journal.list_open(SCOPE):
            if state.is_unsettled and state.intent.request is not None:
                self.asked.add(state.intent.client_order_id)
        self.world.advance_to(self.world.now + RESTART)

    def _resume(self, executor: OrderExecutor) -> None:
        self._recover(executor)
        for bot, latest in enumerate(self._latest):
            if latest is not None and latest.client_order_id is not None:
                self._submit(executor, bot, latest)
        for bot in range(len(self._ahead)):
            self._live(executor, bot)

    def _recover(self, executor: OrderExecutor) -> None:
        try:
            executor.recover()
        except OrderJournalError:
            # A bot that cannot read its journal would not go on; here the failure is over now.
            self.journal.is_calm = True
            executor.recover()

    def _live(self, executor: OrderExecutor, bot: int) -> None:
        ahead = self._ahead[bot]
        while ahead:
            step = ahead.pop(0)
            self._act(executor, bot, step)

    def _act(self, executor: OrderExecutor, bot: int, step: Step) -> None:
        number, latest = step.number, self._latest[bot]
        if step.act is Act.SUBMIT:
            self._made_ids += 1
            self._submit(executor, bot, request_of(bot, self._made_ids, number))
        elif step.act is Act.AGAIN and latest is not None:
            self._submit(executor, bot, latest)
        elif step.act is Act.OTHER and latest is not None and latest.client_order_id is not None:
            self._submit(executor, bot, attrs.evolve(latest, quantity=Decimal(6)), keep=False)
        elif step.act is Act.CANCEL and self._orders:
            executor.cancel(self._orders[number % len(self._orders)])
        elif step.act is Act.MODIFY and self._orders:
            order_id = self._orders[number % len(self._orders)]
            executor.modify(order_id, OrderModification(quantity=Decimal(number + 3)))
        elif step.act is Act.MARKET:
            self.world.step("the market moves")
            self.venue.move_market(number)
        elif step.act is Act.PERSON:
            self._place_by_hand(number)
        elif step.act is Act.RECONCILE:
            try:
                executor.reconcile()
            except OrderJournalError:
                self.world.step("the journal failed a reconciliation")
        elif step.act is Act.PAUSE:
            self.world.wait(float(number * 5 + 1))

    def _submit(
        self, executor: OrderExecutor, bot: int, request: OrderRequest, *, keep: bool = True
    ) -> None:
        if keep:
            self._latest[bot] = request
        result = executor.submit(request, arrival_price=Decimal(100))
        sent = attrs.evolve(request, client_order_id=result.client_order_id)
        if keep:
            self._latest[bot] = sent
        state = executor.find(result.client_order_id)
        is_open = state is not None and not state.is_final
        may_be_there = result.error is None or result.error.outcome is Outcome.UNKNOWN
        if is_open and may_be_there and result.client_order_id not in self.gate.held:
            self.unheld.append(result.client_order_id)
        self.answers.append(Answer(sent, result, self.world.steps))
        if result.order_id is not None:
            self._orders.append(result.order_id)

    def _place_by_hand(self, number: int) -> None:
        self.world.step("a person places an order")
        side = OrderSide.BUY if number % 2 else OrderSide.SELL
        request = OrderRequest(
            symbol=PRODUCT.symbol,
            side=side,
            quantity=PERSONS_QUANTITY,
            client_order_id=f"person{len(self.venue.placed)}",
        )
        try:
            self.venue.place(request, self.world.steps)
        except BrokerageError:
            self.world.step("the person is refused")

    def _settle(self) -> None:
        """Let nothing go wrong any more, wait, and let the executor find out what it can."""
        self.journal.is_calm = True
        while True:
            self.world.advance_to(self.world.now + QUIET)
            if not self.world.run([self._settle_once]):
                return
            self._die()

    def _settle_once(self) -> None:
        executor = self._start(is_calm=True)
        executor.recover()
        executor.reconcile()
        self.world.advance_to(self.world.now + QUIET)
        self.report = executor.reconcile()


def request_of(bot: int, count: int, number: int) -> OrderRequest:
    """Return what a bot asks for: some rest, and some have no id of their own."""
    is_market = number % 3 == 0
    side = OrderSide.BUY if number % 2 == 0 else OrderSide.SELL
    return OrderRequest(
        symbol=PRODUCT.symbol,
        side=side,
        quantity=Decimal(number % 3 + 1),
        type=OrderType.MARKET if is_market else OrderType.LIMIT,
        price=None if is_market else Decimal(97 + number),
        client_order_id=None if number == 5 else f"bot{bot}n{count}",
    )
