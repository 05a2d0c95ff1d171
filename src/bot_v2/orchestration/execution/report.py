"""What a reconciliation found: ours against the broker's, each difference with its explanation."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import attrs

from bot_v2.features.brokerages.core.errors import BrokerageError
from bot_v2.features.brokerages.core.fills import Fill
from bot_v2.features.brokerages.core.orders import Order
from bot_v2.orchestration.execution.events import ExitAlarm
from bot_v2.orchestration.execution.position_stories import PositionStory
from bot_v2.orchestration.journal.records import IntentKind, IntentState


@attrs.frozen(kw_only=True)
class FailedRead:
    """A read that gave no answer; what it would have shown is not known."""

    method: str
    """The method that failed."""
    error: BrokerageError
    """Why."""


@attrs.frozen(kw_only=True)
class PositionDifference:
    """A position that is not what the executions make of it."""

    symbol: str
    """The product."""
    expected: Decimal
    """By the opening position and the executions since, signed, in order units."""
    found: Decimal
    """What the broker says, signed, in order units."""
    explanation: str
    """What it is made of and what is left, for a person."""
    story: PositionStory | None = None
    """The same, part by part. None: nobody has taken it apart."""


@attrs.frozen(kw_only=True)
class ReconciliationReport:
    """What the broker's truth is, against the journal. None: it could not be compared."""

    at: datetime
    """When it was begun."""
    settled: tuple[IntentState, ...]
    """Intents of which the outcome became known."""
    unsettled: tuple[IntentState, ...]
    """Intents of which nobody knows yet whether they took effect."""
    changed: tuple[IntentState, ...]
    """Orders of which there is news."""
    new_fills: tuple[Fill, ...]
    """Executions that were not known."""
    foreign_orders: tuple[Order, ...] | None
    """Live orders that were not placed here. None: the orders could not be read."""
    differences: tuple[PositionDifference, ...] | None
    """Positions that are not what they should be. None: they could not be compared."""
    failed_reads: tuple[FailedRead, ...]
    """What could not be read."""
    positions: tuple[PositionStory, ...] | None = None
    """Each position that was compared, with what it is made of. None: nobody asked, or it is not
    agreed yet what there was at first."""
    alarms: tuple[ExitAlarm, ...] = ()
    """Exits that are confirmed not to be what they should be, told before or not."""
    look_again_at: datetime | None = None
    """When what is suspected of exits can be confirmed: reconcile again then. None: nothing is."""

    @property
    def is_complete(self) -> bool:
        """Whether all was read: what was not may hide anything, and is never taken for nothing."""
        answers = (self.foreign_orders, self.differences)
        return not self.failed_reads and None not in answers

    @property
    def is_clean(self) -> bool:
        """Whether all was read, and nothing is left to explain."""
        open_questions = self.unsettled or self.foreign_orders or self.failed_reads or self.alarms
        return not open_questions and self.differences == ()

    def explain(self) -> str:
        """Return the report for a person, a line for each thing that was found."""
        return "\n".join(
            [f"reconciled at {self.at.isoformat()}", *self.tell_news(), *self.tell_questions()]
        )

    def tell_news(self) -> list[str]:
        """Return a line for each thing that became known."""
        lines = [f"settled: {_intent(each)}" for each in self.settled]
        lines += [f"news: {_intent(each)}" for each in self.changed]
        lines += [
            f"fill: {each.trade_id} of order {each.order_id}: {each.side.value} {each.quantity} "
            f"{each.symbol} at {each.price}"
            for each in self.new_fills
        ]
        return lines

    def tell_questions(self) -> list[str]:
        """Return a line for each thing that is left to explain."""
        lines = [
            f"ALARM: {each.cause.value}: {each.message}; policy {each.policy.value}"
            for each in self.alarms
        ]
        lines += [f"NOT SETTLED: {_intent(each)}" for each in self.unsettled]
        lines += [
            f"NOT OURS: order {each.order_id} in {each.symbol}, {each.status.value}"
            for each in self.foreign_orders or ()
        ]
        lines += [
            f"POSITION: {each.symbol} is {each.found}, expected {each.expected}: {each.explanation}"
            for each in self.differences or ()
        ]
        lines += [f"READ FAILED: {each.method}: {each.error}" for each in self.failed_reads]
        if self.differences is None:
            lines.append("positions were not compared")
        return lines

    def followed_by(self, later: ReconciliationReport) -> ReconciliationReport:
        """Return two reports as one: what either took up, and what is left after the later."""
        changed = {state.intent.intent_id: state for state in (*self.changed, *later.changed)}
        return attrs.evolve(
            later,
            at=self.at,
            settled=(*self.settled, *later.settled),
            changed=tuple(changed.values()),
            new_fills=(*self.new_fills, *later.new_fills),
        )


def _intent(state: IntentState) -> str:
    intent = state.intent
    what = f"place {intent.ident}" if intent.kind is IntentKind.PLACE else intent.ident
    order = f", order {state.order_id}" if state.order_id else ""
    note = f" ({state.note})" if state.note else ""
    return f"{what}: {state.phase.value}{order}{note}"
