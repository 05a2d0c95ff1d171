"""Cancelling and changing orders: journalled, sent, and looked after until it is known what came.

A cancel can be sent again: a second one changes nothing. A change is sent once.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import attrs

from bot_v2.features.brokerages.core.errors import (
    BrokerageError,
    InvalidRequestError,
    OrderNotFoundError,
    OrderOutcomeUnknownError,
    Outcome,
    UnsupportedOperationError,
)
from bot_v2.features.brokerages.core.order_changes import OrderModification
from bot_v2.features.brokerages.core.order_status import ENDED_STATUSES, OrderStatus
from bot_v2.features.brokerages.core.orders import Order, OrderResult
from bot_v2.orchestration.execution.context import (
    ExecutionContext,
    entry_for_order,
    failure,
    result_of,
)
from bot_v2.orchestration.execution.events import EventKind
from bot_v2.orchestration.execution.reading import read
from bot_v2.orchestration.execution.resolution import LOOKS_FOR_ABSENCE
from bot_v2.orchestration.execution.runtime import fresh_from
from bot_v2.orchestration.execution.sending import Sent, may_retry, retry_wait_s, send_once
from bot_v2.orchestration.journal.records import (
    Entry,
    Intent,
    IntentKind,
    IntentState,
    OrderJournalError,
    Phase,
    unknown_error,
)

_OVER: Final = ENDED_STATUSES | {OrderStatus.PENDING_CANCEL}
_TERMS: Final = ("quantity", "price", "stop_price", "time_in_force", "expires_at")

_EVENTS: Final[dict[Phase, EventKind]] = {
    Phase.ENDED: EventKind.TAKEN,
    Phase.REJECTED: EventKind.REJECTED,
    Phase.NOT_SENT: EventKind.NOT_SENT,
    Phase.ABSENT: EventKind.ABSENT,
    Phase.QUARANTINED: EventKind.QUARANTINED,
}


@attrs.frozen(kw_only=True)
class _Reply:
    """What a cancel or a change was answered."""

    order_id: str
    order: Order | None = None
    note: str = ""


class Changer:
    """Cancels and changes orders.

    Args:
        context: the account.
    """

    def __init__(self, context: ExecutionContext) -> None:
        """Change nothing yet."""
        self._context = context
        lag_s = context.profile.visibility_lag_s + context.history.staleness_s
        self._lag = timedelta(seconds=lag_s)

    def cancel(self, order_id: str) -> OrderResult:
        """Cancel an order; see `OrderExecutor.cancel`."""
        broker = self._context.broker

        def send() -> _Reply:
            if broker.cancel_order(order_id):
                return _Reply(order_id=order_id, note="the cancel was accepted")
            return _Reply(
                order_id=order_id, note="it had already ended", order=self._seen(order_id)
            )

        return self._change(IntentKind.CANCEL, order_id, None, send)

    def modify(self, order_id: str, modification: OrderModification) -> OrderResult:
        """Change an order; see `OrderExecutor.modify`."""
        broker = self._context.modification
        if broker is None:
            error = UnsupportedOperationError(
                f"{self._context.scope.broker} changes no orders; cancel it and place another",
                order_id=order_id,
            )
            return failure(order_id, error)

        def send() -> _Reply:
            done = broker.modify_order(order_id, modification)
            if done.error is not None or done.order_id is None:
                raise done.error or OrderOutcomeUnknownError("the reply names no order")
            return _Reply(order_id=done.order_id, order=done.order, note=done.message)

        return self._change(IntentKind.MODIFY, order_id, modification, send)

    def settle(self, state: IntentState, *, patiently: bool) -> IntentState:
        """Find out what became of a cancel or change that is not settled; nothing is sent.

        Args:
            state: the intent.
            patiently: True: look until the time for it is over; False: only as proof needs.
        """
        waited = state.phase is not Phase.OPEN and state.changed_at is not None
        sent_by = state.changed_at if waited else None
        found = self._look(state, sent_by or self._context.runtime.clock(), patiently=patiently)
        return found if found.phase is not Phase.UNKNOWN else self._close_absent(found)

    def _change(
        self,
        kind: IntentKind,
        order_id: str,
        modification: OrderModification | None,
        send: Callable[[], _Reply],
    ) -> OrderResult:
        context = self._context
        with context.runtime.guard(("order", order_id)):
            try:
                placement = self._find_placement(order_id)
                known = placement.intent if placement else None
                if modification is not None:
                    context.gate.reserve_change(known.request if known else None, modification)
                intent = Intent(
                    intent_id=context.intent_id(f"{kind.value}/{order_id}/{context.new_id()}"),
                    kind=kind,
                    broker=context.scope.broker,
                    account_id=context.scope.account_id,
                    client_order_id=known.client_order_id if known else order_id,
                    created_at=context.runtime.clock(),
                    symbol=known.symbol if known else None,
                    order_id=order_id,
                    modification=modification,
                )
                if context.journal.open_intent(intent) is not None:
                    raise InvalidRequestError("the id source gave an id twice", order_id=order_id)
            except BrokerageError as error:
                return failure(order_id, error)
            state = IntentState(intent=intent)
            try:
                return result_of(self._send(state, send))
            except BrokerageError as error:
                unknown = unknown_error(state, f"the executor failed: {error.message}")
                return failure(intent.client_order_id, unknown)

    def _find_placement(self, order_id: str) -> IntentState | None:
        """Return the intent that an order came of; that it did is in the journal from then on.

        A changed order no longer looks like what was asked for: were it not tied to its intent by
        then, nobody could tell after a crash that it is the intent's.

        Raises:
            OrderJournalError: the journal could not keep it when it was learnt, and still cannot.
        """
        context = self._context
        intent_id = context.intent_of(order_id)
        if intent_id is not None:
            with context.runtime.guard(("intent", intent_id)):
                state, entry = context.journal.find(intent_id), context.unwritten(intent_id)
                if state is not None and state.is_unsettled and entry is not None:
                    context.learn(state, entry, EventKind.TAKEN)
        placement = context.journal.find_by_order(context.scope, order_id)
        if placement is None and intent_id is not None:
            raise OrderJournalError(
                f"order {order_id} cannot be written down, and is not touched until it is",
                order_id=order_id,
                outcome=Outcome.NOT_SENT,
            )
        return placement

    def _send(self, state: IntentState, send: Callable[[], _Reply]) -> IntentState:
        context, settings = self._context, self._context.settings
        retries = resends = 0
        while True:
            sent: Sent[_Reply] = send_once(send)
            if sent.reply is not None:
                return self._done(state, sent.reply)
            error = sent.error or OrderOutcomeUnknownError("there was no reply")
            if sent.outcome is Outcome.NOT_SENT:
                if not may_retry(settings, error, retries):
                    return self._learn(state, Phase.NOT_SENT, error=error)
                wait_s = retry_wait_s(settings, error, retries, context.runtime.jitter())
                retries += 1
                context.runtime.wait(wait_s)
            elif sent.outcome is Outcome.REJECTED:
                return self._learn(state, Phase.REJECTED, error=error)
            else:
                sent_by = context.runtime.clock()
                state = context.learn(
                    state, self._entry(Phase.UNKNOWN, error=error), EventKind.OUTCOME_UNKNOWN
                )
                state = self._look(state, sent_by, patiently=True)
                if state.phase is not Phase.UNKNOWN:
                    return state
                is_cancel = state.intent.kind is IntentKind.CANCEL
                if not is_cancel or resends >= settings.max_resends:
                    return self._close_absent(state)
                resends += 1
            again = self._write_attempt(state, error)
            if again is None:
                return state
            state = again

    def _look(self, state: IntentState, sent_by: datetime, *, patiently: bool) -> IntentState:
        """Read the order until it tells; phase UNKNOWN where it shows that nothing was done."""
        context, settings = self._context, self._context.settings
        runtime, order_id = context.runtime, state.intent.order_id or ""
        fresh_at = fresh_from(runtime, sent_by, self._lag)
        patience_s = settings.resolve_timeout_s if patiently else settings.probe_delay_s(0)
        deadline = fresh_at + timedelta(seconds=patience_s)
        unchanged = probe = 0
        while True:
            is_fresh = runtime.elapsed() >= fresh_at
            order, missing, note = None, False, ""
            try:
                order = read("get_order", lambda: context.broker.get_order(order_id))
            except OrderNotFoundError:
                missing = True
            except BrokerageError as error:
                note = f"a read failed: {error}"
            if order is not None and (effect := _effect(state.intent, order)) is not False:
                if effect is None:
                    return self._learn(state, Phase.QUARANTINED, note="part of the change is seen")
                follow = order.replaced_by or order_id
                return self._done(
                    state, _Reply(order_id=follow, order=order, note="seen at the broker")
                )
            if is_fresh and (order is not None or missing):
                unchanged += 1
                if unchanged >= LOOKS_FOR_ABSENCE and missing:
                    return self._learn(state, Phase.REJECTED, error=_no_such_order(order_id))
                if unchanged >= LOOKS_FOR_ABSENCE:
                    return attrs.evolve(state, phase=Phase.UNKNOWN, note="the order lives on")
            delay_s = settings.probe_delay_s(probe)
            if runtime.elapsed() + timedelta(seconds=delay_s) > deadline:
                return self._learn(state, Phase.QUARANTINED, note=note or "the order does not tell")
            runtime.wait(delay_s)
            probe += 1

    def _done(self, state: IntentState, reply: _Reply) -> IntentState:
        context = self._context
        after = self._learn(
            state, Phase.ENDED, note=reply.note, order_id=reply.order_id, order=reply.order
        )
        placement = context.journal.find_by_order(context.scope, state.intent.order_id or "")
        if placement is not None and (reply.order or reply.order_id != placement.order_id):
            entry = entry_for_order(context, reply.order_id, reply.order, reply.note)
            context.learn(placement, entry, EventKind.ORDER_CHANGED)
        return after

    def _seen(self, order_id: str) -> Order | None:
        try:
            return read("get_order", lambda: self._context.broker.get_order(order_id))
        except BrokerageError:
            # The order is only shown for the caller's sake: that it has ended is known.
            return None

    def _close_absent(self, state: IntentState) -> IntentState:
        return self._learn(state, Phase.ABSENT, note=state.note)

    def _write_attempt(self, state: IntentState, error: BrokerageError) -> IntentState | None:
        entry = self._entry(Phase.OPEN, error=error, attempt=True)
        try:
            after = self._context.journal.append(state.intent.intent_id, entry)
        except OrderJournalError as failed:
            self._context.tell(
                EventKind.JOURNAL_FAILED, order_id=state.intent.order_id, error=failed
            )
            return None
        self._context.tell(EventKind.RETRYING, order_id=state.intent.order_id, error=error)
        return after

    def _learn(
        self,
        state: IntentState,
        phase: Phase,
        *,
        error: BrokerageError | None = None,
        note: str = "",
        order_id: str | None = None,
        order: Order | None = None,
    ) -> IntentState:
        entry = self._entry(phase, error=error, note=note)
        entry = attrs.evolve(entry, order_id=order_id, order=order)
        return self._context.learn(state, entry, _EVENTS[phase])

    def _entry(
        self,
        phase: Phase,
        *,
        error: BrokerageError | None = None,
        note: str = "",
        attempt: bool = False,
    ) -> Entry:
        at = self._context.runtime.clock()
        return Entry(phase=phase, at=at, error=error, note=note, attempt=attempt)


def _effect(intent: Intent, order: Order) -> bool | None:
    """Return whether an order shows the effect of a cancel or change. None: it shows part of it."""
    change = intent.modification
    if intent.kind is IntentKind.CANCEL or change is None:
        return order.status in _OVER
    if order.replaced_by is not None:
        return True
    shown = [
        getattr(order, name) == getattr(change, name)
        for name in _TERMS
        if getattr(change, name) is not None and getattr(order, name) is not None
    ]
    if not shown or any(shown):
        return True if shown and all(shown) else None
    return False


def _no_such_order(order_id: str) -> OrderNotFoundError:
    return OrderNotFoundError(
        "the broker knows no such order", order_id=order_id, outcome=Outcome.REJECTED
    )
