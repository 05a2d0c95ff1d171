"""When Interactive Brokers has announced not to serve."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bot_v2.features.brokerages.ibkr.interruptions import interruptions_after


def at(text: str) -> datetime:
    """Return a moment in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "starts"),
    [
        # A Wednesday in winter: New York is five hours behind.
        ("2026-01-14T12:00", ["2026-01-15T05:15"]),
        # In summer it is four.
        ("2026-07-15T12:00", ["2026-07-16T04:15"]),
        # In the middle of the nightly reset: this one, and not yet the next.
        ("2026-01-14T06:00", ["2026-01-14T05:15", "2026-01-15T05:15"]),
        # The moment at which it is over.
        ("2026-01-14T06:45", ["2026-01-15T05:15"]),
        # Friday: the weekend's maintenance, no reset on Saturday.
        ("2026-01-16T12:00", ["2026-01-17T04:00"]),
        # Saturday night: the reset of Sunday, and the end of the week's login.
        ("2026-01-17T20:00", ["2026-01-18T05:15", "2026-01-18T06:00"]),
        # The night in which the clocks go forward, on 8 March: 0:15 is before that, 1:00 is, too.
        ("2026-03-08T00:00", ["2026-03-08T05:15", "2026-03-08T06:00"]),
        ("2026-03-09T00:00", ["2026-03-09T04:15"]),
    ],
)
def test_what_is_announced(now: str, starts: list[str]) -> None:
    """By New York's hours, whatever the season; what is over is left out."""
    found = interruptions_after(at(now))
    assert [one.starts_at for one in found] == [at(start) for start in starts]
    for one in found:
        assert one.starts_at.tzinfo is UTC
        assert (one.ends_at or one.starts_at) > at(now)


def test_only_the_end_of_the_login_wants_somebody() -> None:
    """A reset is over at some time; a login that has ended is not renewed by itself."""
    found = interruptions_after(at("2026-01-17T20:00"))
    assert [one.ends_at is None for one in found] == [False, True]
    (nightly, login) = found
    assert nightly.ends_at == nightly.starts_at + timedelta(minutes=90)
    assert "log in" in login.what


def test_every_week_has_six_nights_and_one_weekend() -> None:
    """However one steps through a week, each is met once."""
    seen = {
        one
        for hour in range(24 * 7)
        for one in interruptions_after(at("2026-06-01T00:30") + timedelta(hours=hour))
        if at("2026-06-02T00:00") <= one.starts_at < at("2026-06-09T00:00")
    }
    assert len(seen) == 8
