"""Steps: what is due, the action, the journal, the listeners; whole, or the engine stops."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from bot_v2.features.brokerages.core.errors import (
    BrokerageError,
    BrokerUnavailableError,
    OrderOutcomeUnknownError,
    Outcome,
)
from bot_v2.features.brokerages.core.order_status import OrderStatus
from bot_v2.shared.types import Clock
from bot_v2.simulation.desk import Desk
from bot_v2.simulation.matching import Matcher
from bot_v2.simulation.records import OrderRecord
from bot_v2.simulation.sessions import TradingCalendar
from bot_v2.simulation.ties import Ties
from bot_v2.simulation.timetable import Due, Timetable

T = TypeVar("T")

HALF_DONE = "a step failed half way"


class Steps:
    """Runs one step after another, and none after one that failed half way."""

    def __init__(
        self,
        desk: Desk,
        timetable: Timetable,
        matcher: Matcher,
        ties: Ties,
        clock: Clock,
        calendar: TradingCalendar,
        extended_calendar: TradingCalendar | None = None,
    ) -> None:
        """Run the steps of a desk by a clock."""
        self._desk = desk
        self._timetable = timetable
        self._matcher = matcher
        self._ties = ties
        self._clock = clock
        self._calendar = calendar
        self._extended_calendar = extended_calendar
        self._stopped: str | None = None

    def run(self, action: Callable[[], T], until: datetime | None = None) -> T:
        """Let happen what is due, then the action, and commit both.

        Args:
            action: changes something, or raises a BrokerageError before it has.
            until: what is due after this moment happens later. None: all that is due by the clock.

        Raises:
            BrokerUnavailableError: an earlier step failed half way (NOT_SENT).
            OrderOutcomeUnknownError: the journal failed.
            Whatever the action raises.
        """
        self.run_due(until)
        try:
            result = action()
        except BrokerageError:
            if self._desk.is_changed:
                self._stopped = HALF_DONE
            raise
        except BaseException:
            self._stopped = HALF_DONE
            raise
        self.commit()
        return result

    def run_due(self, until: datetime | None = None) -> None:
        """Let everything happen that is due by the clock, each as a step of its own.

        Raises:
            BrokerUnavailableError: an earlier step failed half way (NOT_SENT).
            OrderOutcomeUnknownError: the journal failed.
        """
        if self._stopped is not None:
            raise BrokerUnavailableError(
                f"the engine has stopped: {self._stopped}", outcome=Outcome.NOT_SENT
            )
        desk = self._desk
        now = max(self._clock(), desk.now)
        last = now if until is None else min(now, until)
        while (due := self._timetable.pop_until(last)) is not None:
            moment, what, record = due
            desk.now = max(moment, desk.now)
            self._look_at_the_clock()
            try:
                self._happen(what, record)
            except BaseException:
                self._stopped = HALF_DONE
                raise
            self.commit()
        desk.now = now
        self._look_at_the_clock()

    def _look_at_the_clock(self) -> None:
        now, extended = self._desk.now, self._extended_calendar
        self._matcher.in_session = self._calendar.is_open(now)
        self._matcher.in_extended_session = extended is None or extended.is_open(now)

    def _happen(self, what: Due, record: OrderRecord) -> None:
        if what is Due.ARRIVAL:
            self._matcher.arrive(record)
            return
        status = OrderStatus.CANCELLED if what is Due.CANCEL else OrderStatus.EXPIRED
        self._desk.end(record, status)
        self._ties.rehold_group(record.group_id)

    def commit(self) -> None:
        """Store what changed, then tell the listeners.

        Raises:
            OrderOutcomeUnknownError: the journal failed; nobody knows what it stored.
        """
        try:
            self._desk.commit()
        except BaseException as error:
            self._stopped = f"the journal failed: {error}"
            raise OrderOutcomeUnknownError(
                "the journal failed: reopen the account to see what was stored"
            ) from error
        self._desk.tell()
