from __future__ import annotations

import warnings
from datetime import UTC, date, datetime, timedelta

import pytest

from bot_v2.venues.alpaca import hours
from bot_v2.venues.alpaca.hours import MarketHours, UsHours, extended_session_of, session_of

DAY = timedelta(days=1)

UNFORESEEN = {date(2018, 12, 5), date(2025, 1, 9)}
"""Days of mourning: no rule foresees them."""


def test_sessions_are_those_of_the_exchange() -> None:
    """Each day's session, early closes included, as exchange_calendars knows it, for ten years."""
    calendars = pytest.importorskip("exchange_calendars")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        known = calendars.get_calendar("XNYS", start="2016-01-01", end="2027-06-30")
    sessions = {
        day.date(): (opens.to_pydatetime(), closes.to_pydatetime())
        for day, opens, closes in zip(known.sessions, known.opens, known.closes, strict=True)
    }
    day = date(2016, 1, 4)
    while day <= date(2027, 6, 30):
        mine = hours.session_of(day) if hours.is_trading_day(day) else None
        if day not in UNFORESEEN:
            assert mine == sessions.get(day), day
        day += DAY


def test_the_extended_session_is_wider_and_ends_early_after_an_early_close() -> None:
    """Four to twenty o'clock in New York; to seventeen where the session ends at thirteen."""
    usual = extended_session_of(date(2026, 3, 3))
    assert usual == (datetime(2026, 3, 3, 9, tzinfo=UTC), datetime(2026, 3, 4, 1, tzinfo=UTC))
    eve = extended_session_of(date(2026, 11, 27))
    assert eve[1] == datetime(2026, 11, 27, 22, tzinfo=UTC)
    assert session_of(date(2026, 11, 27))[1] == datetime(2026, 11, 27, 18, tzinfo=UTC)


def test_a_holiday_is_no_day_of_an_early_close() -> None:
    """Where Independence Day is kept on the third of July, nothing opens on it."""
    assert hours.closes_early(date(2025, 7, 3))
    assert not hours.closes_early(date(2026, 7, 3))
    assert not hours.closes_early(date(2027, 12, 24))


def test_summer_time_moves_the_opening() -> None:
    """Half past nine in New York is another hour in UTC after the clocks have changed."""
    assert session_of(date(2026, 3, 6))[0].hour == 14
    assert session_of(date(2026, 3, 9))[0].hour == 13


def test_what_comes_next_is_told_across_a_weekend() -> None:
    """On Friday evening the next opening is Monday's; a moment of opening is not after itself."""
    calendar = UsHours()
    friday = datetime(2026, 3, 6, 22, tzinfo=UTC)
    monday_open = datetime(2026, 3, 9, 13, 30, tzinfo=UTC)
    assert calendar.next_open(friday) == monday_open
    assert calendar.next_open(monday_open) == datetime(2026, 3, 10, 13, 30, tzinfo=UTC)
    assert calendar.is_open(monday_open)
    assert not calendar.is_open(monday_open - timedelta(microseconds=1))
    assert calendar.session_end(friday) == datetime(2026, 3, 9, 20, tzinfo=UTC)


def test_a_market_that_never_closes_still_tells_the_calendar() -> None:
    """Orders trade at any time; the clock's next opening is the exchange's."""
    always = MarketHours(always_open=True)
    saturday = datetime(2026, 3, 7, 15, tzinfo=UTC)
    assert always.regular.is_open(saturday)
    assert not always.published.is_open(saturday)
