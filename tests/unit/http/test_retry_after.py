"""Retry-After."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot_v2.features.brokerages.http.retry_after import retry_after_s

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("30", 30.0),
        (" 1.5 ", 1.5),
        ("Sat, 21 Nov 2026 12:00:10 GMT", 10.0),
        ("Sat, 21 Nov 2026 12:00:10 -0000", 10.0),
        ("Sat, 21 Nov 2026 14:00:10 +0200", 10.0),
        ("Saturday, 21-Nov-26 12:00:10 GMT", 10.0),
        ("Sat, 21 Nov 2026 11:00:00 GMT", 0.0),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1e3", None),
        ("٣", None),
        ("nan", None),
        (".", None),
    ],
)
def test_what_a_server_asks_for(text: str, seconds: float | None) -> None:
    """Seconds and dates are understood, a past date is no wait, and nonsense is nothing."""
    assert retry_after_s({"Retry-After": text}, lambda: NOW) == seconds


def test_a_server_that_does_not_say() -> None:
    """No header, no wait."""
    assert retry_after_s({}, lambda: NOW) is None


@given(st.text())
def test_any_text_is_seconds_or_nothing(text: str) -> None:
    """No header can break the reading, or ask for less than nothing."""
    seconds = retry_after_s({"Retry-After": text}, lambda: NOW)
    assert seconds is None or seconds >= 0
