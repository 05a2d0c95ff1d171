from __future__ import annotations

import sys
from datetime import UTC, date, datetime, timedelta

import pytest

from bot_v2.features.brokerages.core.errors import InvalidFieldError, MissingDependencyError
from bot_v2.simulation.sessions import AlwaysOpen, ExchangeCalendar, TradingCalendar

YEAR = {"start": date(2024, 1, 1), "end": date(2024, 12, 31)}


def utc(month: int, day: int, hour: int = 0, minute: int = 0) -> datetime:
    """A moment of 2024."""
    return datetime(2024, month, day, hour, minute, tzinfo=UTC)


@pytest.fixture(scope="module")
def new_york() -> ExchangeCalendar:
    """The New York Stock Exchange in 2024."""
    pytest.importorskip("exchange_calendars")
    return ExchangeCalendar("XNYS", **YEAR)


@pytest.fixture(scope="module")
def hong_kong() -> ExchangeCalendar:
    """The Hong Kong exchange in 2024: it has a lunch break."""
    pytest.importorskip("exchange_calendars")
    return ExchangeCalendar("XHKG", **YEAR)


def test_a_crypto_market_never_closes() -> None:
    """The calendar that is always open has no end of session, no opening and no close."""
    calendar: TradingCalendar = AlwaysOpen()
    moment = utc(12, 25, 3)
    assert calendar.is_open(moment)
    assert calendar.session_end(moment) is None
    assert calendar.next_open(moment) is None
    assert calendar.next_close(moment) is None


def test_a_session_contains_its_opening_and_not_its_close(new_york: ExchangeCalendar) -> None:
    """New York trades from 9:30 to 16:00 local time, which is 14:30 to 21:00 UTC in winter."""
    instant = timedelta(microseconds=1)
    assert not new_york.is_open(utc(1, 3, 14, 30) - instant)
    assert new_york.is_open(utc(1, 3, 14, 30))
    assert new_york.is_open(utc(1, 3, 21) - instant)
    assert not new_york.is_open(utc(1, 3, 21))


def test_local_hours_follow_the_clocks_change(new_york: ExchangeCalendar) -> None:
    """In summer the same local hours are one hour earlier in UTC."""
    assert new_york.next_open(utc(7, 8)) == utc(7, 8, 13, 30)
    assert new_york.next_close(utc(7, 8)) == utc(7, 8, 20)


def test_early_closes_are_known(new_york: ExchangeCalendar) -> None:
    """The eve of Independence Day ends at 13:00 local time; the day itself has no session."""
    assert new_york.session_end(utc(7, 3, 15)) == utc(7, 3, 17)
    assert not new_york.is_open(utc(7, 3, 17))
    assert new_york.next_open(utc(7, 3, 17)) == utc(7, 5, 13, 30)


def test_out_of_hours_the_end_is_that_of_the_next_session(new_york: ExchangeCalendar) -> None:
    """An order for the day that is placed on a Saturday lives until Monday's close."""
    assert new_york.session_end(utc(1, 6, 12)) == utc(1, 8, 21)
    assert new_york.session_end(utc(1, 8, 21)) == utc(1, 9, 21)


def test_a_lunch_break_closes_the_market_and_not_the_session(hong_kong: ExchangeCalendar) -> None:
    """Hong Kong pauses from 12:00 to 13:00 local time; its session ends at 16:00."""
    assert hong_kong.is_open(utc(1, 2, 3, 59))
    assert not hong_kong.is_open(utc(1, 2, 4))
    assert hong_kong.next_open(utc(1, 2, 4)) == utc(1, 2, 5)
    assert hong_kong.next_close(utc(1, 2, 3)) == utc(1, 2, 4)
    assert hong_kong.session_end(utc(1, 2, 4, 30)) == utc(1, 2, 8)
    # A half day has no break: it ends where the break would begin.
    assert hong_kong.session_end(utc(12, 31, 3)) == utc(12, 31, 4)
    assert hong_kong.next_close(utc(12, 31, 3)) == utc(12, 31, 4)


def test_moments_are_plain_utc_datetimes(new_york: ExchangeCalendar) -> None:
    """No pandas Timestamp comes out of a calendar."""
    for moment in (
        new_york.session_end(utc(1, 3)),
        new_york.next_open(utc(1, 3)),
        new_york.next_close(utc(1, 3)),
    ):
        assert type(moment) is datetime
        assert moment.tzinfo is UTC


@pytest.mark.parametrize("moment", [datetime(2023, 12, 29, 15, tzinfo=UTC), utc(12, 31, 21)])
def test_what_the_schedule_does_not_cover_is_refused(
    new_york: ExchangeCalendar, moment: datetime
) -> None:
    """Outside of the days that were read nothing is guessed; the error says which were read."""
    for ask in (
        new_york.is_open,
        new_york.session_end,
        new_york.next_open,
        new_york.next_close,
    ):
        with pytest.raises(InvalidFieldError, match=r"from 2024-01-02T14:30.* to 2024-12-31T21:00"):
            ask(moment)


def test_an_opening_beyond_the_schedule_is_refused(new_york: ExchangeCalendar) -> None:
    """During the last session there is a close to come, and no opening that is known."""
    assert new_york.next_close(utc(12, 31, 20)) == utc(12, 31, 21)
    with pytest.raises(InvalidFieldError, match="start= and end= for more"):
        new_york.next_open(utc(12, 31, 20))


def test_a_naive_moment_is_refused(new_york: ExchangeCalendar) -> None:
    """A moment without a zone could be any of several."""
    with pytest.raises(InvalidFieldError, match="aware UTC"):
        new_york.is_open(utc(1, 2).replace(tzinfo=None))


@pytest.mark.parametrize(
    ("code", "days"),
    [("NOPE", YEAR), ("XNYS", {"start": date(2024, 1, 6), "end": date(2024, 1, 7)})],
    ids=["unknown code", "a weekend"],
)
def test_an_unknown_calendar_is_refused(code: str, days: dict[str, date]) -> None:
    """A code that nobody knows, or days without a session, are refused by name."""
    pytest.importorskip("exchange_calendars")
    with pytest.raises(InvalidFieldError, match=rf"ExchangeCalendar\.code is '{code}'"):
        ExchangeCalendar(code, **days)


def test_a_missing_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without exchange_calendars the error names the extra that brings it."""
    monkeypatch.setitem(sys.modules, "exchange_calendars", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'bot-v2\[sessions\]'") as caught:
        ExchangeCalendar("XNYS")
    assert caught.value.extra == "sessions"
