"""The hours of US exchanges, by rule: sessions, extended sessions, holidays and early closes.

Sources: https://docs.alpaca.markets/docs/orders-at-alpaca#extended-hours-trading (4:00 to 20:00
Eastern), https://www.nyse.com/trade/hours-calendars (holidays; early closes at 13:00). Closures
that no rule foresees, such as days of mourning, are not known here, and neither is the overnight
session.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from bot_v2.simulation.sessions import AlwaysOpen, TradingCalendar

EASTERN: Final = ZoneInfo("America/New_York")
OPEN: Final = time(9, 30)
CLOSE: Final = time(16)
EARLY_CLOSE: Final = time(13)
PRE_MARKET_OPEN: Final = time(4)
AFTER_HOURS_CLOSE: Final = time(20)
EARLY_AFTER_HOURS_CLOSE: Final = time(17)

DAY: Final = timedelta(days=1)
SATURDAY: Final = 5
JUNETEENTH_SINCE: Final = 2022

Span = tuple[datetime, datetime]


def eastern_day(moment: datetime) -> date:
    """Return the date in New York at a moment."""
    return moment.astimezone(EASTERN).date()


@lru_cache(maxsize=64)
def holidays(year: int) -> frozenset[date]:
    """Return the days of a year on which US exchanges stay closed, by rule."""
    days = {
        _nth(year, 1, 0, 3),  # Martin Luther King Jr. Day
        _nth(year, 2, 0, 3),  # Washington's Birthday
        _easter(year) - 2 * DAY,  # Good Friday
        _last_monday(year, 5),  # Memorial Day
        _nth(year, 9, 0, 1),  # Labor Day
        _nth(year, 11, 3, 4),  # Thanksgiving
        _observed(date(year, 7, 4)),
        _observed(date(year, 12, 25)),
    }
    new_year = date(year, 1, 1)
    # On a Saturday it is not made up for: the Friday belongs to the old year.
    if new_year.weekday() != SATURDAY:
        days.add(_observed(new_year))
    if year >= JUNETEENTH_SINCE:
        days.add(_observed(date(year, 6, 19)))
    return frozenset(days)


def is_trading_day(day: date) -> bool:
    """Return whether US exchanges open on a day."""
    return day.weekday() < SATURDAY and day not in holidays(day.year)


def closes_early(day: date) -> bool:
    """Return whether they close at 13:00 on a trading day."""
    eves = {
        _nth(day.year, 11, 3, 4) + DAY,
        date(day.year, 7, 3),
        date(day.year, 12, 24),
    }
    return day in eves and is_trading_day(day)


def session_of(day: date) -> Span:
    """Return when the session of a trading day opens and closes."""
    return _span(day, OPEN, EARLY_CLOSE if closes_early(day) else CLOSE)


def extended_session_of(day: date) -> Span:
    """Return when the extended session of a trading day begins and ends."""
    early = closes_early(day)
    return _span(day, PRE_MARKET_OPEN, EARLY_AFTER_HOURS_CLOSE if early else AFTER_HOURS_CLOSE)


class UsHours:
    """Sessions of US exchanges; it fits TradingCalendar.

    Args:
        span: when the session of a trading day begins and ends.
    """

    def __init__(self, span: Callable[[date], Span] = session_of) -> None:
        """Keep the regular hours, unless told others."""
        self._span = span

    def is_open(self, moment: datetime) -> bool:
        """Return whether the session is on at that moment."""
        day = eastern_day(moment)
        if not is_trading_day(day):
            return False
        opens, closes = self._span(day)
        return opens <= moment < closes

    def session_end(self, moment: datetime) -> datetime:
        """Return the end of the session that the moment is in, else of the next one."""
        return self.next_close(moment)

    def next_open(self, moment: datetime) -> datetime:
        """Return the first opening after the moment."""
        return self._first_after(moment, 0)

    def next_close(self, moment: datetime) -> datetime:
        """Return the first close after the moment."""
        return self._first_after(moment, 1)

    def _first_after(self, moment: datetime, edge: int) -> datetime:
        day = eastern_day(moment)
        while True:
            if is_trading_day(day):
                found = self._span(day)[edge]
                if found > moment:
                    return found
            day += DAY


class MarketHours:
    """What hours a venue keeps: those of US exchanges, or none, so that tests need no clock.

    Args:
        always_open: shares and options trade at any time.
    """

    def __init__(self, *, always_open: bool) -> None:
        """Keep the hours."""
        self.always_open = always_open
        """Shares and options trade at any time."""
        self.published = UsHours()
        """The sessions that clock and calendar tell."""
        self.regular: TradingCalendar = AlwaysOpen() if always_open else self.published
        """When orders trade."""
        self.extended: TradingCalendar = (
            AlwaysOpen() if always_open else UsHours(extended_session_of)
        )
        """When orders for extended hours trade."""


@lru_cache(maxsize=1024)
def _span(day: date, opens: time, closes: time) -> Span:
    return _at(day, opens), _at(day, closes)


def _at(day: date, moment: time) -> datetime:
    return datetime.combine(day, moment, tzinfo=EASTERN).astimezone(UTC)


def _nth(year: int, month: int, weekday: int, nth: int) -> date:
    """Return the nth Monday (0) to Sunday (6) of a month."""
    first = date(year, month, 1)
    return first + ((weekday - first.weekday()) % 7 + 7 * (nth - 1)) * DAY


def _last_monday(year: int, month: int) -> date:
    last = date(year, month + 1, 1) - DAY
    return last - last.weekday() * DAY


def _observed(day: date) -> date:
    """Return the Friday before a Saturday, and the Monday after a Sunday."""
    if day.weekday() == SATURDAY:
        return day - DAY
    return day + DAY if day.weekday() > SATURDAY else day


def _easter(year: int) -> date:
    """Return Easter Sunday, by the anonymous Gregorian algorithm."""
    golden, century = year % 19, year // 100
    correction = (century - century // 4 - (8 * century + 13) // 25 + 19 * golden + 15) % 30
    moon = correction - (correction // 28) * (
        1 - (correction // 28) * (29 // (correction + 1)) * ((21 - golden) // 11)
    )
    weekday = (year + year // 4 + moon + 2 - century + century // 4) % 7
    offset = moon - weekday
    month = 3 + (offset + 40) // 44
    return date(year, month, offset + 28 - 31 * (month // 4))
