"""Orders that are never sent twice and never lost from sight, over any brokerage.

    journal = SqlJournal("sqlite:///orders.sqlite")
    executor = OrderExecutor(broker, journal)
    executor.recover()
    result = executor.submit(OrderRequest(symbol="BTC-USD", side=OrderSide.BUY, quantity=ONE))

What is about to be sent is in the journal before its first byte leaves. It is sent once. When
nobody can say whether it was placed, the broker is asked until it shows the order, or proves that
there is none; what cannot be proven is put to a person, and holds its risk meanwhile.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING

from bot_v2.features.brokerages.core.errors import InvalidRequestError
from bot_v2.features.brokerages.core.events import OrderEvent, StreamGap
from bot_v2.features.brokerages.core.order_changes import OrderModification
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.orders import Order, OrderResult
from bot_v2.orchestration.bounded_stream import QUEUE_MAX
from bot_v2.orchestration.execution.bookkeeping import Bookkeeper
from bot_v2.orchestration.execution.changing import Changer
from bot_v2.orchestration.execution.closing import Closer
from bot_v2.orchestration.execution.context import ExecutionContext, result_of
from bot_v2.orchestration.execution.events import (
    EventBoard,
    EventStream,
    ExecutionEvent,
    ExitAlarm,
)
from bot_v2.orchestration.execution.exit_repair import ExitRepairer
from bot_v2.orchestration.execution.exit_waits import Waits
from bot_v2.orchestration.execution.exit_watch import ExitWatch
from bot_v2.orchestration.execution.placing import EVENTS, Placer
from bot_v2.orchestration.execution.reconciling import CHANGES, Reconciler
from bot_v2.orchestration.execution.report import ReconciliationReport
from bot_v2.orchestration.execution.resolution import OutcomeResolver
from bot_v2.orchestration.execution.risk_gate import OpenGate, RiskGate
from bot_v2.orchestration.execution.runtime import Runtime, ThreadRuntime
from bot_v2.orchestration.execution.settings import ExecutorSettings, executor_settings
from bot_v2.orchestration.execution.statistics import (
    ExecutionStatistics,
    ExecutorTotals,
    statistics_of,
    totals_of,
)
from bot_v2.orchestration.journal.journal import OrderJournal, Scope
from bot_v2.orchestration.journal.records import Entry, IntentKind, IntentState, Phase
from bot_v2.shared.types import IdSource
from bot_v2.simulation.clock import utc_now

if TYPE_CHECKING:
    from bot_v2.features.brokerages.core.brokerage import IBrokerage

LATENCIES_MAX = 10_000
"""How many latencies are remembered."""


class OrderExecutor:
    """Places, cancels and changes orders of one account. Safe between threads.

    Args:
        broker: any brokerage, connected.
        journal: where intents are kept. Give one that is durable, and the same at each start.
        settings: how to retry, and how long to look. None: as the environment says.
        gate: what may refuse an order, and holds its risk. None: nothing does.
        on_event: called with each event, in the thread that made it.
        runtime: time, waiting and locks. None: the real ones.
        ids: makes client order ids. None: random ones, as the broker wants them.
    """

    def __init__(
        self,
        broker: IBrokerage,
        journal: OrderJournal,
        *,
        settings: ExecutorSettings | None = None,
        gate: RiskGate | None = None,
        on_event: Callable[[ExecutionEvent], None] | None = None,
        runtime: Runtime | None = None,
        ids: IdSource | None = None,
    ) -> None:
        """Take charge of an account; call `recover` before the first order.

        Raises:
            BrokerageError: the account's id cannot be read.
        """
        if settings is None:
            import os

            settings = executor_settings(environ=os.environ)
        self.runtime = runtime or ThreadRuntime(utc_now)
        self._board = EventBoard(self.runtime.clock, on_event)
        self._context = ExecutionContext(
            broker,
            journal,
            settings=settings,
            runtime=self.runtime,
            gate=gate or OpenGate(),
            board=self._board,
            ids=ids,
        )
        self._resolver = OutcomeResolver(self._context)
        self._placer = Placer(self._context, self._resolver)
        self._changer = Changer(self._context)
        self._closer = Closer(self._context, self._placer)
        waits = Waits(self.runtime)
        repairer = ExitRepairer(self._context, self._placer, self._changer, self._closer, waits)
        self._watch = ExitWatch(self._context, repairer, waits)
        self._books = Bookkeeper(self._context, self._watch.expect)
        self._reconciler = Reconciler(
            self._context, self._placer, self._changer, self._books, self._watch
        )
        self._counting = threading.Lock()
        self._results: Counter[bool] = Counter()
        self._latencies: deque[float] = deque(maxlen=LATENCIES_MAX)

    @property
    def scope(self) -> Scope:
        """The account that it is in charge of."""
        return self._context.scope

    def submit(self, request: OrderRequest, *, arrival_price: Decimal | None = None) -> OrderResult:
        """Place an order, and return what came of it; it never raises for what a broker does.

        The same request under the same client id is placed once, however often it is submitted:
        the answer is what became of it. Another request under an id that was used is refused.

        A result with an `OrderOutcomeUnknownError` means that nobody knows: do not submit it under
        another id. `reconcile` goes on looking.

        Args:
            request: what to place. Without a client id it gets one.
            arrival_price: the market's price when this was decided, in quote currency; the
                slippage is counted from it.
        """
        started_at = self.runtime.clock()
        result = self._placer.submit(request, arrival_price)
        if request.stop_loss is not None or request.take_profit is not None:
            result = self._watch.with_alarms(result)
        with self._counting:
            self._results[result.success] += 1
        self._latencies.append((self.runtime.clock() - started_at).total_seconds())
        return result

    def cancel(self, order_id: str) -> OrderResult:
        """Cancel an order. Success: it has ended, or is about to; the message says which.

        An order whose cancel has an unknown outcome counts as live until it is seen to have ended.
        """
        return self._changer.cancel(order_id)

    def modify(self, order_id: str, modification: OrderModification) -> OrderResult:
        """Change a live order; the result names the order that lives on. It is sent once."""
        return self._changer.modify(order_id, modification)

    def close_position(self, symbol: str) -> OrderResult:
        """Place the order that closes a position, less what live orders already close."""
        return self._closer.close(symbol)

    def recover(self) -> ReconciliationReport:
        """Take up what an earlier process left, and find out what became of it; call it at start.

        Nothing is sent: an order that is proven absent is reported as such, and is the bot's to
        send again. It takes as long as proof needs, within `resolve_timeout_s` for each intent.

        Raises:
            OrderJournalError: the journal cannot be read.
        """
        return self._reconciler.reconcile(patiently=True)

    def reconcile(self, *, explain: bool = False) -> ReconciliationReport:
        """Compare the journal with the broker, and take up what is news; call it at any time.

        Args:
            explain: True: tell of each position what it is made of, also of those that agree.

        Raises:
            OrderJournalError: the journal cannot be read.
        """
        return self._reconciler.reconcile(patiently=False, explain=explain)

    def take_event(self, event: OrderEvent | StreamGap) -> tuple[ExitAlarm, ...]:
        """Take up what a stream of orders tells, and return the alarms that this confirms.

        What it tells of an order that is watched has its exits looked at, as `reconcile` would. A
        gap in the stream is reconciled.

        Raises:
            OrderJournalError: the journal cannot be read.
        """
        if isinstance(event, StreamGap):
            return self.reconcile().alarms
        return self._reconciler.hear(event).alarms

    def unwatch(self, client_order_id: str, *, because: str) -> None:
        """Watch the exits of an order no longer: what becomes of them is the operator's business.

        Args:
            client_order_id: the entry; of an adopted pair, its group's id.
            because: the operator's reason; it is kept in the journal.

        Raises:
            InvalidRequestError: it is not watched.
            OrderJournalError: it cannot be written down.
        """
        watch = self._context.journal.find(self._context.watch_id(client_order_id))
        if watch is None or watch.is_final:
            raise InvalidRequestError(
                f"order {client_order_id} is not watched", client_order_id=client_order_id
            )
        self._watch.dismiss(watch, because)

    def adopt(self, order: Order) -> OrderResult:
        """Follow an order that was not placed here, as `reconcile` reported it.

        Raises:
            OrderJournalError: it cannot be written down.
        """
        return result_of(self._reconciler.adopt(order))

    def accept_positions(self) -> None:
        """Take the positions as they are for right; differences are counted from here on.

        Raises:
            BrokerageError: they cannot be read.
        """
        self._books.accept_positions()

    def resolve(
        self, client_order_id: str, *, because: str, order_id: str | None = None
    ) -> OrderResult:
        """Take an operator's word for what became of an order that nobody could find out about.

        Args:
            client_order_id: the order; of a cancel or a change, its intent's `ident`.
            because: the operator's reason; it is kept in the journal.
            order_id: the order that it became, or that was cancelled or changed. None: nothing was
                done.

        Raises:
            InvalidRequestError: there is no such order, or its outcome is known.
            OrderJournalError: it cannot be written down.
        """
        context = self._context
        state = self.find(client_order_id)
        if state is None or not state.is_unsettled:
            known = "is unknown here" if state is None else f"is settled: {state.phase.value}"
            raise InvalidRequestError(
                f"order {client_order_id} {known}", client_order_id=client_order_id
            )
        done = Phase.ENDED if state.intent.kind in CHANGES else Phase.TAKEN
        entry = Entry(
            phase=Phase.ABSENT if order_id is None else done,
            at=self.runtime.clock(),
            order_id=order_id,
            note=f"the operator says so: {because}",
        )
        context.open_watch(state, entry)
        context.journal.append(state.intent.intent_id, entry)
        self._resolver.close(state.intent)
        settled = state.after(entry)
        if settled.is_final and state.intent.request is not None:
            context.release(state.intent.request, None)
        context.tell(
            EVENTS[entry.phase],
            client_order_id=client_order_id,
            order_id=order_id,
            message=entry.note,
        )
        return result_of(settled)

    def find(self, client_order_id: str) -> IntentState | None:
        """Return all that is known of an order that was submitted here. None: it was not.

        Raises:
            OrderJournalError: the journal cannot be read.
        """
        return self._context.journal.find(self._context.intent_id(client_order_id))

    def list_open(self) -> list[IntentState]:
        """Return the intents that are not settled, and the orders that have not ended.

        Raises:
            OrderJournalError: the journal cannot be read.
        """
        states = self._context.journal.list_open(self._context.scope)
        return [state for state in states if state.intent.kind is not IntentKind.WATCH]

    def statistics(self, client_order_id: str) -> ExecutionStatistics | None:
        """Return what an order came to, by the executions booked so far. None: no such order.

        Raises:
            OrderJournalError: the journal cannot be read.
        """
        state = self.find(client_order_id)
        if state is None:
            return None
        journal, scope = self._context.journal, self._context.scope
        fills = [
            fill
            for order_id in journal.list_order_ids(state.intent.intent_id)
            for fill in journal.list_fills(scope, order_id)
        ]
        return statistics_of(state, fills)

    def totals(self) -> ExecutorTotals:
        """Return how many submits succeeded since the start, and how long they took."""
        return totals_of(self._results, self._latencies)

    def stream_events(self, queue_max: int = QUEUE_MAX) -> EventStream:
        """Return the events from now on, to iterate over within a `with`."""
        return self._board.open_stream(queue_max)
