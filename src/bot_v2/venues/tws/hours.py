"""When the simulated exchanges trade: always, or in New York's hours on weekdays.

There are no holidays. Where the market never closes, auctions are still held at New York's opening
and closing times, so that orders for them have an end.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

NEW_YORK: Final = ZoneInfo("America/New_York")

OPENS: Final = time(9, 30)
CLOSES: Final = time(16, 0)

_DAY: Final = timedelta(days=1)
_DAYS_TOLD: Final = 6
_SATURDAY: Final = 5


class Hours(StrEnum):
    """When the venue trades."""

    ALWAYS = "always"
    """At any time, so that nothing depends on when a test runs."""
    NEW_YORK = "new-york"
    """From 9:30 to 16:00 in New York, Monday to Friday."""


class NewYorkSessions:
    """The trading calendar of NEW_YORK hours."""

    def is_open(self, moment: datetime) -> bool:
        """Return whether the session is on."""
        return self.next_close(moment) < self.next_open(moment)

    def session_end(self, moment: datetime) -> datetime:
        """Return the end of the session that the moment is in, else of the next one."""
        return self.next_close(moment)

    def next_open(self, moment: datetime) -> datetime:
        """Return the first opening after the moment."""
        return next_at(OPENS, moment)

    def next_close(self, moment: datetime) -> datetime:
        """Return the first close after the moment."""
        return next_at(CLOSES, moment)


def next_at(clock_time: time, moment: datetime) -> datetime:
    """Return when it is next that time in New York on a weekday, after a moment; in UTC."""
    local = moment.astimezone(NEW_YORK)
    day = local.date()
    while True:
        found = datetime.combine(day, clock_time, NEW_YORK).astimezone(UTC)
        if found > moment and day.weekday() < _SATURDAY:
            return found
        day += _DAY


def day_start(moment: datetime) -> datetime:
    """Return when the trading day of a moment began: midnight in New York, in UTC."""
    local = moment.astimezone(NEW_YORK)
    return datetime.combine(local.date(), time(0), NEW_YORK).astimezone(UTC)


def told_hours(hours: Hours, moment: datetime) -> tuple[str, str]:
    """Return the trading hours and the liquid hours of the coming days, as contracts tell them."""
    if hours is Hours.ALWAYS:
        every = _told(moment, time(0), time(23, 59), weekends=True)
        return every, every
    return (
        _told(moment, time(4), time(20), weekends=False),
        _told(moment, OPENS, CLOSES, weekends=False),
    )


def _told(moment: datetime, opens: time, closes: time, *, weekends: bool) -> str:
    today = moment.astimezone(NEW_YORK).date()
    told = []
    for place in range(_DAYS_TOLD):
        day = today + place * _DAY
        if day.weekday() >= _SATURDAY and not weekends:
            told.append(f"{day:%Y%m%d}:CLOSED")
        else:
            told.append(f"{day:%Y%m%d}:{opens:%H%M}-{day:%Y%m%d}:{closes:%H%M}")
    return ";".join(told)
