"""Placing an order: checked, journalled, sent once, and followed until its outcome is known."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

import attrs

from bot_v2.features.brokerages.core.errors import (
    BrokerageError,
    DuplicateOrderError,
    InvalidFieldError,
    InvalidRequestError,
    OrderOutcomeUnknownError,
    Outcome,
)
from bot_v2.features.brokerages.core.idempotency import DuplicateBehaviour, IdempotencyScope
from bot_v2.features.brokerages.core.increments import check_order_request
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.orders import OrderResult
from bot_v2.orchestration.execution.context import (
    ExecutionContext,
    entry_for_order,
    failure,
    result_of,
)
from bot_v2.orchestration.execution.events import EventKind
from bot_v2.orchestration.execution.evidence import read_baseline
from bot_v2.orchestration.execution.fingerprint import same_order_key
from bot_v2.orchestration.execution.reading import read
from bot_v2.orchestration.execution.resolution import HOPELESS, Finding, OutcomeResolver, Verdict
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

EVENTS: Final[dict[Phase, EventKind]] = {
    Phase.TAKEN: EventKind.TAKEN,
    Phase.ENDED: EventKind.TAKEN,
    Phase.REJECTED: EventKind.REJECTED,
    Phase.NOT_SENT: EventKind.NOT_SENT,
    Phase.ABSENT: EventKind.ABSENT,
    Phase.UNKNOWN: EventKind.OUTCOME_UNKNOWN,
    Phase.QUARANTINED: EventKind.QUARANTINED,
    Phase.OPEN: EventKind.RETRYING,
}
"""What is told when an intent gets into a phase."""


class Placer:
    """Places orders, each at most once.

    Args:
        context: the account.
        resolver: finds out what became of a send.
    """

    def __init__(self, context: ExecutionContext, resolver: OutcomeResolver) -> None:
        """Place nothing yet."""
        self._context = context
        self._resolver = resolver

    def submit(self, request: OrderRequest, arrival_price: Decimal | None) -> OrderResult:
        """Place an order; see `OrderExecutor.submit`."""
        context = self._context
        if request.client_order_id is None:
            request = attrs.evolve(request, client_order_id=context.new_id())
        client_order_id = request.client_order_id or ""
        intent_id = context.intent_id(client_order_id)
        with context.runtime.guard(("intent", intent_id)):
            # An error that gets here was raised before anything was journalled or sent: from the
            # journalled intent on, `_follow` lets none pass.
            try:
                self._check_request(request, client_order_id)
                known = context.journal.find(intent_id)
                if known is not None:
                    return self._again(known, request)
                symbol = self._check_product(request)
                with self._one_of_its_kind(request, symbol):
                    return self._submit(request, symbol, intent_id, arrival_price)
            except BrokerageError as error:
                return failure(client_order_id, error)

    def settle(self, state: IntentState, *, patiently: bool) -> IntentState:
        """Find out what became of an intent that is not settled; nothing is sent.

        Args:
            state: the intent.
            patiently: True: look again and again; False: look once.
        """
        unwritten = self._context.unwritten(state.intent.intent_id)
        if unwritten is not None:
            self._resolver.close(state.intent)
            return self._context.learn(state, unwritten, EVENTS[unwritten.phase])
        case = self._resolver.case(state.intent, self._sent_by(state))
        verdict = self._resolver.search(case) if patiently else self._resolver.look(case)
        return self.conclude(state, verdict, is_last_look=patiently)

    def conclude(
        self, state: IntentState, verdict: Verdict, *, is_last_look: bool = True
    ) -> IntentState:
        """Write down what the evidence says, if it says something new.

        Args:
            state: the intent.
            verdict: what is known.
            is_last_look: True: what is not known by now is a person's business.
        """
        context = self._context
        if verdict.settles:
            self._resolver.close(state.intent)
        if verdict.finding is Finding.FOUND and verdict.order_id is not None:
            entry = entry_for_order(context, verdict.order_id, verdict.order, verdict.note)
        elif verdict.finding is Finding.ABSENT:
            entry = self._entry(Phase.ABSENT, note=verdict.note)
        else:
            hopeless = verdict.finding in HOPELESS
            news = (Phase.QUARANTINED, verdict.note) != (state.phase, state.note)
            if not (news and (is_last_look or hopeless)):
                return state
            entry = self._entry(Phase.QUARANTINED, note=verdict.note)
        return context.learn(state, entry, EVENTS[entry.phase])

    def _check_request(self, request: OrderRequest, client_order_id: str) -> None:
        self._context.profile.check_id(client_order_id)
        bound = self._context.scope.account_id
        if request.account_id not in (None, bound):
            accepted = f"{bound!r}, to which the brokerage is bound, or None"
            raise InvalidFieldError("OrderRequest.account_id", request.account_id, accepted)

    def _check_product(self, request: OrderRequest) -> str:
        """Check a request against its product; return the product's symbol."""
        broker = self._context.broker
        if request.legs:
            # Sizes and steps are those of the legs, which only the adapter can put together.
            return request.symbol
        product = read("get_product", lambda: broker.get_product(request.symbol))
        if not product.tradeable:
            raise InvalidRequestError(
                f"{product.symbol} is listed, and orders are refused now", symbol=product.symbol
            )
        check_order_request(product, request)
        return product.symbol

    def _one_of_its_kind(
        self, request: OrderRequest, symbol: str
    ) -> AbstractContextManager[object]:
        """Where the broker keeps no ids, send orders that look the same one after another."""
        if self._context.profile.scope is not IdempotencyScope.NONE:
            return nullcontext()
        return self._context.runtime.guard(same_order_key(request, symbol))

    def _submit(
        self,
        request: OrderRequest,
        symbol: str,
        intent_id: str,
        arrival_price: Decimal | None,
    ) -> OrderResult:
        context = self._context
        asked, request = request, context.gate.prepare(request)
        is_asked = request is asked or request == asked
        if not is_asked:
            # What the gate added has to fit the product as well.
            self._check_product(request)
        baseline = None
        if context.profile.scope is IdempotencyScope.NONE:
            self._refuse_twin(request, symbol)
            baseline = read_baseline(context, symbol)
        context.reserve(request)
        intent = Intent(
            intent_id=intent_id,
            kind=IntentKind.PLACE,
            broker=context.scope.broker,
            account_id=context.scope.account_id,
            client_order_id=request.client_order_id or "",
            created_at=context.runtime.clock(),
            symbol=symbol,
            request=request,
            asked=None if is_asked else asked,
            baseline=baseline,
            arrival_price=arrival_price,
        )
        try:
            taken = context.journal.open_intent(intent)
        except OrderJournalError as error:
            context.release(request, None)
            error.outcome = Outcome.NOT_SENT
            raise
        if taken is not None:
            # Another process was quicker with the same id.
            context.release(request, None)
            return self._again(taken, asked)
        state = IntentState(intent=intent)
        return self._follow(state, lambda: self._send(state, request))

    def _follow(self, state: IntentState, work: Callable[[], IntentState]) -> OrderResult:
        """Return the result of work on a journalled intent; what fails in it leaves it unknown."""
        try:
            return result_of(work())
        except BrokerageError as error:
            self._context.tell(
                EventKind.ALARM,
                client_order_id=state.intent.client_order_id,
                error=error,
                message="the executor failed while an order was under way",
            )
            unknown = unknown_error(state, f"the executor failed: {error.message}")
            return failure(state.intent.client_order_id, unknown)

    def _refuse_twin(self, request: OrderRequest, symbol: str) -> None:
        """Refuse an order that nobody could tell from one whose outcome is not known."""
        key = same_order_key(request, symbol)
        for state in self._context.journal.list_open(self._context.scope):
            other = state.intent
            if other.request is None or other.symbol is None or not state.is_unsettled:
                continue
            if same_order_key(other.request, other.symbol) == key:
                raise InvalidRequestError(
                    f"order {other.client_order_id} is just like it and may have been placed; this "
                    "broker keeps no ids to tell them apart: reconcile() or resolve() it first",
                    client_order_id=request.client_order_id,
                    symbol=symbol,
                )

    def _again(self, known: IntentState, request: OrderRequest) -> OrderResult:
        """Answer a request whose id is in the journal: nothing is sent."""
        if (known.intent.asked or known.intent.request) != request:
            raise InvalidFieldError(
                "OrderRequest.client_order_id",
                request.client_order_id,
                "an id that no other order has: one with another content was submitted under it",
                client_order_id=request.client_order_id,
            )
        if not known.is_unsettled:
            return result_of(known)
        # Where writing it down failed and it was written nevertheless, its risk was given back.
        self._context.hold(known.intent.request or request)
        return self._follow(known, lambda: self.settle(known, patiently=True))

    def _send(self, state: IntentState, request: OrderRequest) -> IntentState:
        """Send an order that is journalled, until its outcome is known or nobody can find out."""
        context, settings = self._context, self._context.settings
        retries = resends = 0
        while True:
            sent = send_once(lambda: context.broker.place_order(request))
            error = sent.error
            if sent.reply is not None and not sent.reply.success:
                error = sent.reply.error
            if sent.reply is not None and sent.reply.order_id is not None and error is None:
                reply = sent.reply
                entry = entry_for_order(context, reply.order_id or "", reply.order, reply.message)
                return context.learn(state, entry, EVENTS[entry.phase])
            if error is None:
                error = OrderOutcomeUnknownError("the brokerage gave neither an order nor an error")
            outcome = Sent[OrderResult](error=error).outcome
            if outcome is Outcome.NOT_SENT:
                if not may_retry(settings, error, retries):
                    entry = self._entry(Phase.NOT_SENT, error=error)
                    return context.learn(state, entry, EventKind.NOT_SENT)
                wait_s = retry_wait_s(settings, error, retries, context.runtime.jitter())
                retries += 1
                context.runtime.wait(wait_s)
                again = self._write_attempt(state, error, EventKind.RETRYING)
            elif outcome is Outcome.REJECTED and not self._has_twin(error):
                return context.learn(
                    state, self._entry(Phase.REJECTED, error=error), EventKind.REJECTED
                )
            else:
                state = self._find_out(state, error)
                if state.phase is not Phase.UNKNOWN or not self._may_resend(state, resends):
                    return self._close_absent(state)
                resends += 1
                again = self._write_attempt(state, error, EventKind.RESENDING)
            if again is None:
                # Nothing is sent that is not journalled: the intent stays open.
                return state
            state = again

    def _has_twin(self, error: BrokerageError) -> bool:
        """Whether a refusal says that an order under the id exists: evidence, if we can read it."""
        return isinstance(error, DuplicateOrderError)

    def _find_out(self, state: IntentState, error: BrokerageError) -> IntentState:
        """Look for an order that may have been placed.

        Returns the state with phase UNKNOWN where the order is proven absent, which is not written
        down yet: it may be sent again.
        """
        context = self._context
        exists = self._has_twin(error)
        sent_by = context.runtime.clock()
        state = context.learn(
            state, self._entry(Phase.UNKNOWN, error=error), EventKind.OUTCOME_UNKNOWN
        )
        case = self._resolver.case(state.intent, sent_by, exists=exists)
        verdict = self._resolver.search(case)
        if verdict.finding is Finding.ABSENT:
            self._resolver.close(state.intent)
            return attrs.evolve(state, note=verdict.note)
        if exists and verdict.finding is Finding.DIFFERENT:
            # This send made nothing, and what exists under its id is not ours.
            self._resolver.close(state.intent)
            return context.learn(
                state, self._entry(Phase.REJECTED, error=error), EventKind.REJECTED
            )
        return self.conclude(state, verdict)

    def _close_absent(self, state: IntentState) -> IntentState:
        if state.phase is not Phase.UNKNOWN:
            return state
        entry = self._entry(Phase.ABSENT, note=state.note)
        return self._context.learn(state, entry, EventKind.ABSENT)

    def _may_resend(self, state: IntentState, resends: int) -> bool:
        """Whether an order that is proven absent may be sent again under its id.

        Only where an id makes one order for ever: if the proof were wrong after all, the broker
        itself would refuse the second one.
        """
        context = self._context
        profile, settings = context.profile, context.settings
        age = context.runtime.clock() - state.intent.created_at
        return (
            profile.scope is IdempotencyScope.FOREVER
            and profile.on_duplicate is not DuplicateBehaviour.ACCEPTS
            and resends < settings.max_resends
            and age <= timedelta(seconds=settings.resend_within_s)
        )

    def _write_attempt(
        self, state: IntentState, error: BrokerageError, kind: EventKind
    ) -> IntentState | None:
        entry = self._entry(Phase.OPEN, attempt=True, error=error, note=state.note)
        try:
            after = self._context.journal.append(state.intent.intent_id, entry)
        except OrderJournalError as failed:
            self._context.tell(
                EventKind.JOURNAL_FAILED,
                client_order_id=state.intent.client_order_id,
                error=failed,
                message="it is not sent again, as that cannot be written down",
            )
            return None
        self._context.tell(
            kind,
            client_order_id=state.intent.client_order_id,
            error=error,
            message=f"attempt {after.attempts}",
        )
        return after

    def _sent_by(self, state: IntentState) -> datetime:
        """Return the latest moment at which an intent's last send can have left."""
        if state.phase is not Phase.OPEN and state.changed_at is not None:
            # It was written down after the send had failed.
            return state.changed_at
        # Nothing was heard of the send: whoever made it may have been at it until now.
        return self._context.runtime.clock()

    def _entry(
        self,
        phase: Phase,
        *,
        error: BrokerageError | None = None,
        note: str = "",
        attempt: bool = False,
    ) -> Entry:
        return Entry(
            phase=phase,
            at=self._context.runtime.clock(),
            error=error,
            note=note,
            attempt=attempt,
        )
