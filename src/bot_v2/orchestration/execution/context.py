"""What the parts of the executor share: the broker, the journal, and how to speak of an intent."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from bot_v2.features.brokerages.core.capabilities import (
    SupportsFills,
    SupportsOrderLookup,
    SupportsOrderModification,
    supports,
)
from bot_v2.features.brokerages.core.declarations import (
    idempotency_of,
    name_of,
    order_history_of,
    unsupported_of,
)
from bot_v2.features.brokerages.core.errors import (
    BrokerageError,
    CancelRejectedError,
    ModifyRejectedError,
    OrderNotFoundError,
    OrderRejectedError,
    Outcome,
)
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.order_status import ENDED_STATUSES, OrderStatus
from bot_v2.features.brokerages.core.orders import Order, OrderResult
from bot_v2.orchestration.execution.events import EventBoard, EventKind, ExecutionEvent
from bot_v2.orchestration.execution.risk_gate import RiskGate
from bot_v2.orchestration.execution.runtime import Runtime
from bot_v2.orchestration.execution.settings import ExecutorSettings
from bot_v2.orchestration.journal.journal import OrderJournal, Scope
from bot_v2.orchestration.journal.records import (
    Entry,
    Intent,
    IntentKind,
    IntentState,
    OrderJournalError,
    Phase,
    unknown_error,
)
from bot_v2.shared.types import IdSource

if TYPE_CHECKING:
    from bot_v2.features.brokerages.core.brokerage import IBrokerage


_AT_BROKER: Final = frozenset({Phase.TAKEN, Phase.ENDED})


class ExecutionContext:
    """One account at one broker, with its journal.

    Args:
        broker: the brokerage, connected.
        journal: where intents are kept.
        settings: how to retry and how long to look.
        runtime: time, waiting and locks.
        gate: what may refuse an order.
        board: where events go.
        ids: makes client order ids. None: as the broker's profile wants them.
    """

    def __init__(
        self,
        broker: IBrokerage,
        journal: OrderJournal,
        *,
        settings: ExecutorSettings,
        runtime: Runtime,
        gate: RiskGate,
        board: EventBoard,
        ids: IdSource | None,
    ) -> None:
        """Read what the broker declares of itself; nothing is asked of it but its account."""
        self.broker = broker
        self.journal = journal
        self.settings = settings
        self.runtime = runtime
        self.gate = gate
        self.board = board
        self.profile = idempotency_of(broker)
        self.history = order_history_of(broker)
        self.lag = timedelta(seconds=self.profile.visibility_lag_s + self.history.staleness_s)
        """How much later than it happens something is shown at the latest."""
        self.unsupported = unsupported_of(broker)
        self.new_id = ids or self.profile.make_id
        self._held: set[str | None] = set()
        self._releasing = threading.Lock()
        self._unwritten: dict[str, Entry] = {}
        self.scope = Scope(broker=name_of(broker), account_id=broker.get_account_id())
        self.lookup = broker if supports(broker, SupportsOrderLookup) else None
        self.fills = broker if supports(broker, SupportsFills) else None
        self.modification = broker if supports(broker, SupportsOrderModification) else None

    def intent_id(self, client_order_id: str) -> str:
        """Return the journal's id for the placement under a client id."""
        return f"{self.scope.broker}/{self.scope.account_id}/{client_order_id}"

    def reserve(self, request: OrderRequest) -> None:
        """Ask the gate for an order's risk, and hold it.

        Raises:
            BrokerageError: the gate refuses; nothing is held.
        """
        self.gate.reserve(request)
        self._held.add(request.client_order_id)

    def hold(self, request: OrderRequest) -> None:
        """Hold the risk of an order that an earlier process sent, if it is not held yet."""
        if request.client_order_id not in self._held:
            self._held.add(request.client_order_id)
            self.gate.hold(request)

    def release(self, request: OrderRequest, order: Order | None) -> None:
        """Give an order's risk back, once: several threads may learn of its end."""
        with self._releasing:
            if request.client_order_id not in self._held:
                return
            self._held.discard(request.client_order_id)
        self.gate.release(request, order)

    def watch_id(self, name: str) -> str:
        """Return the journal's id for the watch of an entry, by its client id, or of a group."""
        return self.intent_id(f"watch/{name}")

    def open_watch(self, state: IntentState, entry: Entry) -> None:
        """Have an entry with exits watched, before it is written down that the broker has it.

        In this order a process that dies in between leaves an entry that is found out anew, and
        never one that has ended and that nobody watches.

        Raises:
            OrderJournalError: it cannot be written down.
        """
        intent, request = state.intent, state.intent.request
        is_news = entry.phase in _AT_BROKER and state.phase not in _AT_BROKER
        if not is_news or request is None or request.legs:
            return
        if request.stop_loss is None and request.take_profit is None:
            return
        watch = Intent(
            intent_id=self.watch_id(intent.client_order_id),
            kind=IntentKind.WATCH,
            broker=intent.broker,
            account_id=intent.account_id,
            client_order_id=intent.client_order_id,
            created_at=self.runtime.clock(),
            symbol=intent.symbol,
            belongs_to=intent.intent_id,
        )
        self.journal.open_intent(watch)

    def record(self, state: IntentState, entry: Entry) -> IntentState | None:
        """Write down what was learnt. None: the journal failed, which is told, not raised.

        What was learnt after a send is true whether it can be written or not; the intent stays
        open in the journal, and is found out anew. Which order it became is kept until it can be.
        """
        intent_id = state.intent.intent_id
        try:
            self.open_watch(state, entry)
            after = self.journal.append(intent_id, entry)
        except OrderJournalError as error:
            if state.intent.kind is IntentKind.PLACE and entry.order_id is not None:
                self._unwritten[intent_id] = entry
            self.tell(
                EventKind.JOURNAL_FAILED, error=error, message=f"{intent_id}: {error.message}"
            )
            return None
        self._unwritten.pop(intent_id, None)
        return after

    def unwritten(self, intent_id: str) -> Entry | None:
        """Return what the journal failed to keep: which order an intent became. None: nothing."""
        return self._unwritten.get(intent_id)

    def intent_of(self, order_id: str) -> str | None:
        """Return the intent that an order came of, where the journal failed to keep that."""
        came_of = {entry.order_id: intent_id for intent_id, entry in [*self._unwritten.items()]}
        return came_of.get(order_id)

    def learn(self, state: IntentState, entry: Entry, kind: EventKind) -> IntentState:
        """Write down what was learnt, tell it, and let go of the risk of what is over."""
        recorded = self.record(state, entry)
        after = recorded or state.after(entry)
        self.tell(
            kind,
            client_order_id=after.intent.client_order_id,
            order_id=after.order_id or after.intent.order_id,
            order=entry.order,
            error=entry.error,
            message=entry.note,
        )
        request = after.intent.request
        is_over = recorded is not None and after.is_final and not state.is_final
        if is_over and request is not None:
            # What is over and could not be written down is found out, and released, anew.
            self.release(request, after.order)
        return after

    def tell(
        self,
        kind: EventKind,
        *,
        client_order_id: str | None = None,
        order_id: str | None = None,
        order: Order | None = None,
        error: BrokerageError | None = None,
        message: str = "",
    ) -> None:
        """Tell an event."""
        if not self.board.is_heard(kind):
            return
        self.board.publish(
            ExecutionEvent(
                kind=kind,
                at=self.runtime.clock(),
                client_order_id=client_order_id,
                order_id=order_id,
                order=order,
                error=error,
                message=message,
            )
        )


def entry_for_order(
    context: ExecutionContext,
    order_id: str,
    order: Order | None,
    note: str,
    *,
    is_old_news: bool = False,
) -> Entry:
    """Return the entry for an order that the broker has, as it was seen.

    Args:
        context: the account.
        order_id: the broker's id.
        order: the order. None: it was not seen.
        note: why, for a person.
        is_old_news: whether it was known to have ended, longer before this read than reads lag.
    """
    phase, error = Phase.TAKEN, None
    if order is not None and order.status in ENDED_STATUSES:
        phase = Phase.ENDED if is_old_news or _shows_all(context, order) else Phase.TAKEN
        if order.status is OrderStatus.REPLACED and order.replaced_by is not None:
            phase, order_id = Phase.TAKEN, order.replaced_by
        if order.status is OrderStatus.REJECTED and not order.filled_quantity:
            phase = Phase.REJECTED
            reason = order.status_reason
            error = OrderRejectedError(
                f"the broker took the order and then refused it: {reason or 'no reason given'}",
                reason=reason,
                order_id=order_id,
                symbol=order.symbol,
            )
    return Entry(
        phase=phase,
        at=context.runtime.clock(),
        order_id=order_id,
        order=order,
        error=error,
        note=note,
    )


def _shows_all(context: ExecutionContext, order: Order) -> bool:
    """Whether an order that has ended shows all that was filled of it.

    Where reads lag, a fill just before the end can come to be seen after it. A later execution
    tells of it; where the broker lists none, the order is read again when the lag is over.
    """
    return order.status is OrderStatus.FILLED or context.fills is not None or not context.lag


def result_of(state: IntentState) -> OrderResult:
    """Return what a caller is told of an intent."""
    intent = state.intent
    order_id = state.order_id or intent.order_id
    if state.phase in (Phase.TAKEN, Phase.ENDED) and order_id is not None:
        return OrderResult(
            success=True,
            client_order_id=intent.client_order_id,
            order_id=order_id,
            order=state.order,
            message=state.note or state.phase.value,
        )
    error = _WHY_NOT[state.phase](state)
    return OrderResult(
        success=False,
        client_order_id=intent.client_order_id,
        order_id=order_id,
        order=state.order,
        error=error,
        message=error.message,
    )


def _unsettled(state: IntentState) -> BrokerageError:
    what = (
        "the order" if state.intent.kind is IntentKind.PLACE else f"the {state.intent.kind.value}"
    )
    return unknown_error(
        state,
        f"{what} may have taken effect; {state.note or 'nothing was heard of it yet'}. Do not send "
        "it again: reconcile() goes on looking, and resolve() takes your word for it",
    )


_ABSENT_ERRORS: dict[IntentKind, type[BrokerageError]] = {
    IntentKind.PLACE: OrderNotFoundError,
    IntentKind.CANCEL: CancelRejectedError,
    IntentKind.MODIFY: ModifyRejectedError,
    IntentKind.ADOPT: OrderNotFoundError,
}


def _absent(state: IntentState) -> BrokerageError:
    return _ABSENT_ERRORS[state.intent.kind](
        f"the {state.intent.kind.value} was sent and had no effect: {state.note}",
        outcome=Outcome.REJECTED,
        client_order_id=state.intent.client_order_id,
        order_id=state.order_id or state.intent.order_id,
        symbol=state.intent.symbol,
    )


def _failed(state: IntentState) -> BrokerageError:
    return state.error or BrokerageError(state.note or "it was not sent", outcome=Outcome.NOT_SENT)


_WHY_NOT: dict[Phase, Callable[[IntentState], BrokerageError]] = {
    **dict.fromkeys(Phase, _unsettled),
    Phase.ABSENT: _absent,
    Phase.NOT_SENT: _failed,
    Phase.REJECTED: _failed,
}


def failure(client_order_id: str, error: BrokerageError) -> OrderResult:
    """Return the result for a request that was not sent: nothing of it is in the journal.

    Raises nothing; an error of a read, which has no outcome of its own, says NOT_SENT from here on.
    """
    if error.outcome is None:
        error.outcome = Outcome.NOT_SENT
    return OrderResult(
        success=False, client_order_id=client_order_id, error=error, message=error.message
    )
