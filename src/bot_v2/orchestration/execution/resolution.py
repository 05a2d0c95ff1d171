"""Finding out what became of a send: by evidence alone, however long that takes.

An order is found where the broker shows it. It is absent when two complete looks show nothing, both
begun later than the send by the broker's visibility lag and staleness, while the broker still
remembers that far back. Everything else stays unknown, and time alone changes nothing about it.
"""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

import attrs

from bot_v2.features.brokerages.core.orders import Order
from bot_v2.orchestration.execution.context import ExecutionContext
from bot_v2.orchestration.execution.evidence import EvidenceReader, Sighting, still_remembers
from bot_v2.orchestration.execution.fingerprint import difference
from bot_v2.orchestration.execution.runtime import fresh_from
from bot_v2.orchestration.journal.records import Intent, OrderJournalError

LOOKS_FOR_ABSENCE: Final = 2
"""How many complete looks prove that an order is absent."""


class Finding(StrEnum):
    """What the evidence says."""

    FOUND = "found"
    ABSENT = "absent"
    TOO_EARLY = "nothing is seen, and it is too early to say that there is nothing"
    READS_FAILED = "a read failed, so that nothing is proven"
    FORGOTTEN = "the broker no longer remembers orders of that time"
    AMBIGUOUS = "several orders can be it"
    DIFFERENT = "there is an order under its id, and it is another one"
    UNSEEN = "the broker says that it exists, and does not show it"
    DOUBTFUL = "no order is seen, but something else changed"


HOPELESS: Final = frozenset({Finding.AMBIGUOUS, Finding.DIFFERENT, Finding.FORGOTTEN})
"""What another look would only show again: a person is asked at once."""


@attrs.frozen(kw_only=True)
class Verdict:
    """What is known after a look."""

    finding: Finding
    """What the evidence says."""
    order_id: str | None = None
    """The order that was found. None: none was."""
    order: Order | None = None
    """The order as it was seen. None: none was, or only an execution of it."""
    note: str = ""
    """The evidence, for a person."""

    @property
    def settles(self) -> bool:
        """Whether the outcome is known."""
        return self.finding in (Finding.FOUND, Finding.ABSENT)


@attrs.define
class Case:
    """A send whose outcome is looked for."""

    intent: Intent
    """What was to be sent."""
    fresh_at: timedelta
    """From when on reads show it, by `Runtime.elapsed`."""
    exists: bool = False
    """True: the broker has said that an order under its id exists, so it cannot be absent."""
    empty_looks: int = 0
    """How many looks so far count towards its absence."""


class OutcomeResolver:
    """Looks for what became of sends, and remembers what earlier looks showed.

    Args:
        context: the account.
    """

    def __init__(self, context: ExecutionContext) -> None:
        """Start without cases."""
        self._context = context
        self._reader = EvidenceReader(context)
        self._cases: dict[str, Case] = {}
        self._lock = threading.Lock()
        lag_s = context.profile.visibility_lag_s + context.history.staleness_s
        self._lag = timedelta(seconds=lag_s)

    def case(self, intent: Intent, sent_by: datetime, *, exists: bool = False) -> Case:
        """Return the case of an intent: the one that is known, or a new one.

        Args:
            intent: what was to be sent.
            sent_by: the latest moment at which it can have left.
            exists: True: the broker has said that an order under its id exists.
        """
        with self._lock:
            known = self._cases.get(intent.intent_id)
            if known is None:
                fresh_at = fresh_from(self._context.runtime, sent_by, self._lag)
                known = self._cases[intent.intent_id] = Case(intent, fresh_at)
            known.exists |= exists
            return known

    def close(self, intent: Intent) -> None:
        """Forget a case: it is settled, or the intent is about to be sent again."""
        with self._lock:
            self._cases.pop(intent.intent_id, None)

    def search(self, case: Case) -> Verdict:
        """Look again and again, until the outcome is known or the time for it is over."""
        runtime, settings = self._context.runtime, self._context.settings
        patience = timedelta(seconds=settings.resolve_timeout_s)
        deadline = max(case.fresh_at, runtime.elapsed()) + patience
        probe = 0
        while True:
            verdict = self.look(case)
            delay_s = settings.probe_delay_s(probe)
            hopeless = verdict.finding in HOPELESS
            is_late = runtime.elapsed() + timedelta(seconds=delay_s) > deadline
            if verdict.settles or hopeless or is_late:
                return verdict
            runtime.wait(delay_s)
            probe += 1

    def look(self, case: Case) -> Verdict:
        """Look once, and say what is known by now."""
        context = self._context
        is_early = context.runtime.elapsed() < case.fresh_at
        try:
            if is_early and self._reader.can_look_up:
                sighting = self._reader.look_by_id(case.intent)
            else:
                sighting = self._reader.look_everywhere(case.intent)
        except OrderJournalError as error:
            # Whose the orders are could not be read, so that none can be said to be this one.
            return Verdict(finding=Finding.READS_FAILED, note=str(error))
        return self._weigh(case, sighting)

    def _weigh(self, case: Case, sighting: Sighting) -> Verdict:
        if sighting.candidates:
            return _weigh_candidates(case.intent, sighting.candidates)
        if sighting.failures:
            note = "; ".join(str(error) for error in sighting.failures)
            return Verdict(finding=Finding.READS_FAILED, note=f"a read failed: {note}")
        if case.exists:
            return Verdict(finding=Finding.UNSEEN, note=Finding.UNSEEN.value)
        history = self._context.history
        if not still_remembers(history, case.intent.created_at, self._context.runtime.clock()):
            return Verdict(finding=Finding.FORGOTTEN, note=Finding.FORGOTTEN.value)
        if not self._counts(case, sighting):
            return Verdict(finding=Finding.TOO_EARLY, note=Finding.TOO_EARLY.value)
        if not sighting.proves_absence:
            return Verdict(finding=Finding.DOUBTFUL, note=sighting.doubt or Finding.DOUBTFUL.value)
        case.empty_looks += 1
        if case.empty_looks < LOOKS_FOR_ABSENCE:
            return Verdict(finding=Finding.TOO_EARLY, note="one complete look shows nothing")
        return Verdict(
            finding=Finding.ABSENT,
            note=f"{case.empty_looks} complete looks at orders and executions show nothing",
        )

    def _counts(self, case: Case, sighting: Sighting) -> bool:
        """Whether a look is late enough to show whatever was sent."""
        return sighting.started_at >= case.fresh_at


def _weigh_candidates(intent: Intent, candidates: dict[str, Order | None]) -> Verdict:
    if len(candidates) > 1:
        listed = ", ".join(sorted(candidates))
        return Verdict(finding=Finding.AMBIGUOUS, note=f"several orders can be it: {listed}")
    ((order_id, order),) = candidates.items()
    differs = None if order is None else difference(intent, order)
    if differs is not None:
        note = f"order {order_id} is under its id, and is another one: {differs}"
        return Verdict(finding=Finding.DIFFERENT, note=note)
    how = "by an execution" if order is None else f"as {order.status.value}"
    return Verdict(
        finding=Finding.FOUND, order_id=order_id, order=order, note=f"found {how} at the broker"
    )
