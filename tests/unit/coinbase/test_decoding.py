"""Numbers and moments are read as printed, or refused."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot_v2.features.brokerages.coinbase import wire
from bot_v2.features.brokerages.coinbase.decoding import (
    MalformedError,
    decode,
    moment,
    moment_of_seconds,
    moment_or_none,
    number,
    number_or_none,
    number_or_zero,
    positive_or_none,
)
from bot_v2.features.brokerages.core.interfaces import InvalidFieldError


@pytest.mark.parametrize(
    "text", ["NaN", "Infinity", "-Infinity", "sNaN", "1_000", " 1.5", "1.5 ", "\uff11", "", "1,5"]
)
def test_what_is_no_number_is_refused(text: str) -> None:
    """What Decimal itself would take, and a broker cannot have meant, is an error."""
    with pytest.raises(InvalidFieldError):
        number(text)


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_a_number_is_read_as_printed(value: Decimal) -> None:
    """Digits, trailing zeros and exponent come back as they are, also from the cache."""
    text = str(value)
    assert str(number(text)) == text
    assert str(number(text)) == text


def test_where_none_is_printed_there_is_none() -> None:
    """Coinbase prints an empty text, null, or zero for what it does not say."""
    assert number_or_none("") is None
    assert number_or_none(None) is None
    assert number_or_zero("") == 0
    assert positive_or_none("0") is None
    assert positive_or_none("-1") is None
    assert positive_or_none("0.10") == Decimal("0.10")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02T03:04:05.999999999Z", datetime(2026, 1, 2, 3, 4, 5, 999999, tzinfo=UTC)),
        ("2026-01-02T05:04:05+02:00", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02 03:04:05.1+00", datetime(2026, 1, 2, 3, 4, 5, 100000, tzinfo=UTC)),
    ],
)
def test_a_moment_is_in_utc_and_never_later_than_printed(text: str, expected: datetime) -> None:
    """Nanoseconds are cut: rounded up, the moment would be one that has not come."""
    assert moment(text) == expected
    assert moment(text).tzinfo is UTC


@pytest.mark.parametrize("text", ["2026-01-02T03:04:05", "yesterday", "2026-13-01T00:00:00Z", "1"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    """A moment without a zone, too: nobody can know which was meant."""
    with pytest.raises(MalformedError):
        moment(text)


def test_a_moment_that_is_not_there_is_none() -> None:
    """Null, an empty text and the year one stand for no moment."""
    for text in (None, "", "0001-01-01T00:00:00Z"):
        assert moment_or_none(text) is None


def test_seconds_beyond_all_time_are_refused() -> None:
    """A number of seconds that no calendar has is an error of the reply."""
    assert moment_of_seconds("0") == datetime(1970, 1, 1, tzinfo=UTC)
    for odd in ("9" * 30, "", "1.5"):
        with pytest.raises(MalformedError):
            moment_of_seconds(odd)


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b'{"iso": 5}', b"{}", b'{"iso": "\xff"}', b"[" * 100_000]
)
def test_a_body_of_another_kind_is_malformed(body: bytes) -> None:
    """Whatever comes in place of what is documented is one kind of error."""
    with pytest.raises(MalformedError):
        decode(body, wire.ServerTime)
