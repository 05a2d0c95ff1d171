"""Whether a run kept its promises: the venue's truth against the journal and every answer."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from enum import StrEnum

import attrs

from bot_v2.features.brokerages.core.errors import InvalidFieldError, Outcome
from bot_v2.features.brokerages.core.fills import Fill
from bot_v2.features.brokerages.core.order_status import ENDED_STATUSES
from bot_v2.orchestration.journal.records import IntentKind, IntentState, Phase
from bot_v2.testing.schedules.run import SCOPE, Run


class Breach(StrEnum):
    """A promise that a run broke."""

    DUPLICATED = "duplicated order"
    LOST_FILL = "lost fill"
    FALSE_END = "false terminal state"
    FALSE_ANSWER = "false answer"
    NOT_JOURNALLED = "order that is not in the journal"
    RISK = "risk that is held or released wrongly"
    BOOKS = "books that do not close"
    ENDLESS = "run without an end"
    RAISED = "exception that reached the bot"


@attrs.frozen(kw_only=True)
class Verdict:
    """What a run showed."""

    breaches: tuple[tuple[Breach, str], ...]
    """The promises that were broken, each with what was seen."""
    asked: int
    """The orders of which it was at some time not known whether they were placed."""
    operator: tuple[str, ...]
    """Why each of those that stayed unknown did."""
    orders: int
    """The orders that bots placed."""
    crashes: int
    """How often the process died."""
    steps: int
    """How many steps there were."""


def judge(run: Run) -> Verdict:
    """Return what a run that has ended showed."""
    states = _placements(run)
    operator = tuple(state.note for state in states.values() if state.is_unsettled)
    breaches = (
        *_check_duplicates(run),
        *_check_states(run, states),
        *_check_answers(run),
        *_check_fills(run),
        *_check_books(run, states),
    )
    return Verdict(
        breaches=breaches,
        asked=len(run.asked),
        operator=operator,
        orders=sum(not each.meant_as.startswith("person") for each in run.venue.placed),
        crashes=run.crashes,
        steps=run.world.steps,
    )


def _placements(run: Run) -> dict[str, IntentState]:
    names = {answer.result.client_order_id for answer in run.answers}
    names |= {each.meant_as for each in run.venue.placed}
    names |= run.asked
    found = {}
    for name in sorted(names):
        state = run.journal.find(f"{SCOPE.broker}/{SCOPE.account_id}/{name}")
        if state is not None and state.intent.kind is IntentKind.PLACE:
            found[name] = state
    return found


def _check_duplicates(run: Run) -> Iterator[tuple[Breach, str]]:
    counted = Counter(each.meant_as for each in run.venue.placed)
    for name, count in counted.items():
        if count > 1:
            yield Breach.DUPLICATED, f"{count} orders for {name}"


def _check_states(run: Run, states: dict[str, IntentState]) -> Iterator[tuple[Breach, str]]:
    at_venue = defaultdict(list)
    for each in run.venue.placed:
        at_venue[each.meant_as].append(each.order_id)
    for name in at_venue:
        if name not in states and not name.startswith("person"):
            yield Breach.NOT_JOURNALLED, name
    for name, state in states.items():
        orders = at_venue[name]
        if state.is_unsettled:
            continue
        if state.phase in (Phase.REJECTED, Phase.NOT_SENT, Phase.ABSENT):
            if orders:
                yield Breach.FALSE_END, f"{name} is {state.phase.value}, and is order {orders}"
            continue
        if state.order_id not in orders:
            yield Breach.FALSE_END, f"{name} is said to be {state.order_id}, and is {orders}"
            continue
        true = run.venue.engine.get_order(state.order_id or "")
        if (state.phase is Phase.ENDED) is not (true.status in ENDED_STATUSES):
            yield Breach.FALSE_END, f"{name} is {state.phase.value}, and truly {true.status.value}"
        seen = state.order
        if seen is None or (seen.status, seen.filled_quantity) != (
            true.status,
            true.filled_quantity,
        ):
            shown = None if seen is None else (seen.status.value, seen.filled_quantity)
            yield (
                Breach.LOST_FILL
                if seen is None or seen.filled_quantity < true.filled_quantity
                else Breach.FALSE_END,
                f"{name} is seen as {shown}, and is {true.status.value} {true.filled_quantity}",
            )


def _check_answers(run: Run) -> Iterator[tuple[Breach, str]]:
    orders = {each.order_id: each.meant_as for each in run.venue.placed}
    asked = {each.meant_as: each.request for each in run.venue.placed}
    sent = {each.meant_as: each.sent_at_step for each in run.venue.placed}
    for answer in run.answers:
        result, name = answer.result, answer.result.client_order_id
        if result.success:
            if orders.get(result.order_id or "") != name:
                yield Breach.FALSE_ANSWER, f"{name} was said to be order {result.order_id}"
            elif asked[name] != answer.request:
                yield Breach.FALSE_ANSWER, f"{name} was said to be placed, with another content"
        elif isinstance(result.error, InvalidFieldError):
            # Another content under an id that was used: the first one may well be there.
            continue
        elif (
            # A later submit of the same request may have placed what this one did not.
            sent.get(name, answer.at_step) < answer.at_step
            and result.error is not None
            and result.error.outcome is not Outcome.UNKNOWN
        ):
            yield Breach.FALSE_ANSWER, f"{name} was said not to be placed: {result.error}"
        if result.error is not None and result.error.outcome is None:
            yield Breach.FALSE_ANSWER, f"{name} failed without an outcome: {result.error}"


def _check_fills(run: Run) -> Iterator[tuple[Breach, str]]:
    if not run.schedule.has_fills:
        return
    true = Counter(_key(fill) for fill in run.venue.true_fills())
    booked = Counter(_key(fill) for fill in run.journal.list_fills(SCOPE))
    for key in true - booked:
        yield Breach.LOST_FILL, f"{key} is not booked"
    for key in booked - true:
        yield Breach.BOOKS, f"{key} is booked, and did not happen so often"


def _key(fill: Fill) -> tuple[object, ...]:
    return (fill.trade_id, fill.order_id, fill.quantity, fill.price)


def _check_books(run: Run, states: dict[str, IntentState]) -> Iterator[tuple[Breach, str]]:
    report = run.report
    if report is None:
        yield Breach.BOOKS, "nothing was reconciled"
        return
    for failed in report.failed_reads:
        yield Breach.BOOKS, f"a read failed when all was calm: {failed.method} {failed.error}"
    for difference in report.differences or ():
        yield Breach.BOOKS, f"{difference.symbol}: {difference.found}, not {difference.expected}"
    if run.schedule.has_fills and report.differences is None:
        yield Breach.BOOKS, "positions were not compared"
    for name in run.unheld:
        yield Breach.RISK, f"{name} could be at the broker, and its risk was not held"
    wanted = {name for name, state in states.items() if not state.is_final}
    if run.gate.held != wanted:
        yield Breach.RISK, f"held for {sorted(run.gate.held)}, and open are {sorted(wanted)}"
