"""Executors with one mistake each: what the schedules have to find."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import attrs

from bot_v2.features.brokerages.core.errors import BrokerageError, OrderNotFoundError, Outcome
from bot_v2.features.brokerages.core.fills import Fill
from bot_v2.features.brokerages.core.order_status import LIVE_STATUSES, OrderStatus
from bot_v2.orchestration.execution import (
    changing,
    context,
    evidence,
    placing,
    reading,
    reconciling,
    resolution,
    sending,
)
from bot_v2.orchestration.execution.events import EventKind
from bot_v2.orchestration.journal.memory_journal import MemoryJournal
from bot_v2.orchestration.journal.records import (
    Entry,
    Intent,
    IntentState,
    OrderJournalError,
    Phase,
)
from bot_v2.testing.schedules import brokerage, flaky_journal
from bot_v2.testing.schedules.verdict import Breach

Breakage = Callable[[], Any]


@dataclass(frozen=True)
class Bug:
    """A mistake, and what it breaks."""

    name: str
    breaks: Callable[[], Any]
    finds: frozenset[Breach]
    first: int
    """The seed to begin with: what is rare is looked for where it is known to be."""


BUGS: list[Bug] = []


def bug(
    *finds: Breach, first: int = 0
) -> Callable[[Callable[[], Iterator[None]]], Callable[[], Iterator[None]]]:
    """Add a mistake, with the breaches of which it has to cause at least one."""

    def add(breaks: Callable[[], Iterator[None]]) -> Callable[[], Iterator[None]]:
        name = (breaks.__doc__ or "").strip()
        BUGS.append(Bug(name, contextmanager(breaks), frozenset(finds), first))
        return breaks

    return add


def instead(owner: Any, name: str, replacement: Any) -> Any:
    """Replace an attribute for the time of a `with`."""
    return patch.object(owner, name, replacement)


@bug(Breach.DUPLICATED)
def retry_on_unknown() -> Iterator[None]:
    """An order whose outcome is unknown is sent again at once."""

    def find_out(self: Any, state: IntentState, error: BrokerageError) -> IntentState:
        return attrs.evolve(state, phase=Phase.UNKNOWN)

    with (
        instead(placing.Placer, "_find_out", find_out),
        instead(placing.Placer, "_may_resend", lambda self, state, resends: resends < 3),
    ):
        yield


@bug(Breach.FALSE_END)
def unknown_is_rejected() -> Iterator[None]:
    """A time-out is taken for a refusal."""

    def find_out(self: Any, state: IntentState, error: BrokerageError) -> IntentState:
        entry = self._entry(Phase.REJECTED, error=error)
        return self._context.learn(state, entry, EventKind.REJECTED)  # type: ignore[no-any-return]  # self is Any

    with instead(placing.Placer, "_find_out", find_out):
        yield


@bug(Breach.FALSE_END)
def unknown_ages_into_absent() -> Iterator[None]:
    """What was not found out in time is taken for absent."""
    real = resolution.OutcomeResolver.search

    def search(self: Any, case: Any) -> Any:
        verdict = real(self, case)
        if verdict.settles:
            return verdict
        return attrs.evolve(verdict, finding=resolution.Finding.ABSENT)

    with instead(resolution.OutcomeResolver, "search", search):
        yield


@bug(Breach.FALSE_END)
def absence_after_one_look() -> Iterator[None]:
    """One look that shows nothing proves that an order is absent."""
    with instead(resolution, "LOOKS_FOR_ABSENCE", 1):
        yield


@bug(Breach.FALSE_END, Breach.DUPLICATED)
def lag_ignored() -> Iterator[None]:
    """Reads count at once, however long the broker takes to show an order."""
    with instead(resolution.OutcomeResolver, "_counts", lambda self, case, sighting: True):
        yield


@bug(Breach.NOT_JOURNALLED)
def journal_after_send() -> Iterator[None]:
    """The intent is written down with its outcome, after the send."""
    waiting: dict[tuple[int, str], Intent] = {}
    real_open = flaky_journal.FlakyJournal.open_intent
    real_append = flaky_journal.FlakyJournal.append

    def open_intent(self: Any, intent: Intent) -> IntentState | None:
        known = self.inner.find(intent.intent_id)
        if known is None:
            waiting[id(self), intent.intent_id] = intent
        return known  # type: ignore[no-any-return]  # self is Any

    def append(self: Any, intent_id: str, entry: Entry) -> IntentState:
        intent = waiting.pop((id(self), intent_id), None)
        if intent is not None:
            real_open(self, intent)
        return real_append(self, intent_id, entry)

    with (
        instead(flaky_journal.FlakyJournal, "open_intent", open_intent),
        instead(flaky_journal.FlakyJournal, "append", append),
    ):
        yield


@bug(Breach.NOT_JOURNALLED)
def journal_failure_ignored() -> Iterator[None]:
    """An order is sent though its intent could not be written down."""
    real = flaky_journal.FlakyJournal.open_intent

    def open_intent(self: Any, intent: Intent) -> IntentState | None:
        try:
            return real(self, intent)
        except OrderJournalError:
            return None

    with instead(flaky_journal.FlakyJournal, "open_intent", open_intent):
        yield


@bug(Breach.NOT_JOURNALLED, Breach.DUPLICATED)
def another_id_for_the_resend() -> Iterator[None]:
    """A further send goes out under an id of its own."""
    sent: set[tuple[int, str]] = set()
    real = brokerage.ScheduledBrokerage.place_order

    def place_order(self: Any, request: Any) -> Any:
        key = (id(self), request.client_order_id)
        if key in sent:
            request = attrs.evolve(request, client_order_id=f"{request.client_order_id}x")
        sent.add(key)
        return real(self, request)

    with instead(brokerage.ScheduledBrokerage, "place_order", place_order):
        yield


@bug(Breach.FALSE_END, Breach.DUPLICATED)
def failed_read_is_empty() -> Iterator[None]:
    """A read that fails is taken for one that shows nothing."""
    real = reading.read

    def read(what: str, call: Callable[[], Any]) -> Any:
        try:
            return real(what, call)
        except OrderNotFoundError:
            raise
        except BrokerageError as error:
            if what.startswith("list_"):
                return []
            raise OrderNotFoundError("not seen") from error

    with instead(evidence, "read", read):
        yield


@bug(Breach.BOOKS)
def fills_booked_twice() -> Iterator[None]:
    """An execution is booked each time that it is listed."""

    def book_fills(self: Any, scope: Any, fills: Sequence[Fill]) -> list[Fill]:
        kept = self._fills.setdefault(scope, {})
        for fill in fills:
            kept[fill.symbol, f"{fill.trade_id}/{len(kept)}"] = fill
        return list(fills)

    with instead(MemoryJournal, "book_fills", book_fills):
        yield


@bug(Breach.LOST_FILL)
def fills_of_others_are_dropped() -> Iterator[None]:
    """Only executions of orders that were placed here are booked."""
    real = MemoryJournal.book_fills

    def book_fills(self: Any, scope: Any, fills: Sequence[Fill]) -> list[Fill]:
        ours = [fill for fill in fills if self.find_by_order(scope, fill.order_id)]
        return real(self, scope, ours)

    with instead(MemoryJournal, "book_fills", book_fills):
        yield


@bug(Breach.FALSE_END)
def recovery_takes_silence_for_unsent() -> Iterator[None]:
    """What was not heard of when the process died is taken for not sent."""
    real = placing.Placer.settle

    def settle(self: Any, state: IntentState, *, patiently: bool) -> IntentState:
        if state.phase is Phase.OPEN:
            return self._context.learn(  # type: ignore[no-any-return]  # self is Any
                state, self._entry(Phase.NOT_SENT), EventKind.NOT_SENT
            )
        return real(self, state, patiently=patiently)

    with instead(placing.Placer, "settle", settle):
        yield


@bug(Breach.DUPLICATED)
def recovery_sends_again() -> Iterator[None]:
    """What was not heard of when the process died is sent again."""
    real = placing.Placer.settle

    def settle(self: Any, state: IntentState, *, patiently: bool) -> IntentState:
        if state.phase is Phase.OPEN:
            return self._send(state, state.intent.request)  # type: ignore[no-any-return]  # self is Any
        return real(self, state, patiently=patiently)

    with instead(placing.Placer, "settle", settle):
        yield


@bug(Breach.FALSE_END, Breach.LOST_FILL)
def cancelled_when_accepted() -> Iterator[None]:
    """An order is taken for cancelled when its cancel is accepted, whatever was filled of it."""
    real = changing.Changer._done

    def done(self: Any, state: IntentState, reply: Any) -> IntentState:
        after = real(self, state, reply)
        placement = self._context.journal.find_by_order(self._context.scope, reply.order_id)
        if placement is not None and not placement.is_final:
            entry = Entry(phase=Phase.ENDED, at=self._context.runtime.clock())
            self._context.learn(placement, entry, EventKind.ORDER_ENDED)
        return after

    with instead(changing.Changer, "_done", done):
        yield


@bug(Breach.RISK, Breach.RAISED)
def risk_released_on_unknown() -> Iterator[None]:
    """The risk of an order is given back while nobody knows whether it was placed."""
    real = context.ExecutionContext.learn

    def learn(self: Any, state: IntentState, entry: Entry, kind: EventKind) -> IntentState:
        after = real(self, state, entry, kind)
        if kind is EventKind.OUTCOME_UNKNOWN and after.intent.request is not None:
            self.release(after.intent.request, after.order)
        return after

    with instead(context.ExecutionContext, "learn", learn):
        yield


@bug(Breach.FALSE_ANSWER)
def other_content_is_the_same() -> Iterator[None]:
    """Another request under an id that was used is answered as if it were the first."""

    def again(self: Any, known: IntentState, request: Any) -> Any:
        return context.result_of(known)

    with instead(placing.Placer, "_again", again):
        yield


@bug(Breach.FALSE_ANSWER, Breach.FALSE_END, Breach.LOST_FILL)
def look_alikes_are_taken() -> Iterator[None]:
    """An order that came of another intent can be taken for this one's."""
    with instead(evidence.EvidenceReader, "_is_free", lambda self, intent, order_id: True):
        yield


@bug(Breach.RAISED)
def mistakes_of_the_adapter_escape() -> Iterator[None]:
    """Only a BrokerageError counts as a failure of a send."""

    def send_once(call: Callable[[], Any]) -> Any:
        try:
            return sending.Sent(reply=call())
        except BrokerageError as error:
            return sending.Sent[Any](error=error)

    with instead(placing, "send_once", send_once):
        yield


@bug(Breach.FALSE_END)
def silence_is_refusal() -> Iterator[None]:
    """An error that does not say whether the write took effect is taken for a refusal."""

    def outcome(self: Any) -> Any:
        return None if self.error is None else self.error.outcome or Outcome.REJECTED

    with instead(sending.Sent, "outcome", property(outcome)):
        yield


@bug(Breach.FALSE_END, Breach.LOST_FILL)
def orders_are_not_followed() -> Iterator[None]:
    """What becomes of an order after it was taken is not taken up."""
    with instead(reconciling.Reconciler, "_follow", lambda self, *seen: []):
        yield


@bug(Breach.FALSE_END)
def only_open_orders_are_looked_at() -> Iterator[None]:
    """An order that was filled at once is not looked for among the ended ones."""
    real = brokerage.ScheduledBrokerage.list_orders

    def list_orders(self: Any, status: OrderStatus | None = None) -> Any:
        return [order for order in real(self, status) if order.status in LIVE_STATUSES]

    with instead(brokerage.ScheduledBrokerage, "list_orders", list_orders):
        yield


@bug(Breach.FALSE_END)
def not_found_is_ended() -> Iterator[None]:
    """A taken order that a read does not show is taken for ended."""
    real = reading.read

    def read(what: str, call: Callable[[], Any]) -> Any:
        try:
            return real(what, call)
        except OrderNotFoundError as error:
            raise _NotShownError from error

    real_follow = reconciling.Reconciler._follow_one

    def follow_one(self: Any, state: IntentState, *seen: Any) -> Any:
        try:
            return real_follow(self, state, *seen)
        except _NotShownError:
            entry = Entry(phase=Phase.ENDED, at=self._context.runtime.clock())
            return self._context.learn(state, entry, EventKind.ORDER_ENDED)

    with (
        instead(reconciling, "read", read),
        instead(reconciling.Reconciler, "_follow_one", follow_one),
    ):
        yield


@bug(Breach.FALSE_END, first=9765)
def orders_are_changed_untied() -> Iterator[None]:
    """An order is changed before the journal could keep which intent it came of."""

    def find_placement(self: Any, order_id: str) -> Any:
        return self._context.journal.find_by_order(self._context.scope, order_id)

    with instead(changing.Changer, "_find_placement", find_placement):
        yield


@bug(Breach.LOST_FILL, first=19883)
def first_end_is_the_last_word() -> Iterator[None]:
    """An order that has ended is not read again, though a fill of it may not be shown yet."""
    with instead(context, "_shows_all", lambda context, order: True):
        yield


@bug(Breach.FALSE_ANSWER, Breach.FALSE_END, first=118900)
def executions_of_any_order_count() -> Iterator[None]:
    """An execution without an id is evidence though its order cannot be read."""

    def look_at_fills(
        self: Any, intent: Intent, listed: object, candidates: dict[str, Any], failures: list[Any]
    ) -> None:
        del listed
        if self._context.fills is None:
            return
        try:
            fills = self._context.fills.list_fills(intent.created_at - self._margin)
        except BrokerageError as error:
            failures.append(error)
            return
        for order_id in self._orders_of(intent, fills):
            if order_id not in candidates:
                candidates[order_id] = None
                with suppress(BrokerageError):
                    candidates[order_id] = self._context.broker.get_order(order_id)

    with instead(evidence.EvidenceReader, "_look_at_fills", look_at_fills):
        yield


class _NotShownError(Exception):
    pass


def bug_rows() -> list[str]:
    """The table of the seeded bugs, a row each, as docs/executor.md shows it."""
    return [
        f"| {each.name} | {', '.join(sorted(breach.value for breach in each.finds))} |"
        for each in BUGS
    ]
