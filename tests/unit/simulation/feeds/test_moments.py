from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot_v2.features.brokerages.core.errors import InvalidFieldError
from bot_v2.simulation.feeds.moments import EPOCH, moment_from_text, moment_from_unix, zone_of

HALF_PAST = datetime(2024, 1, 2, 14, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2024-01-02T14:30:00Z",
        "2024-01-02 14:30:00+00:00",
        "2024-01-02T20:00:00+0530",
        "2024-01-02T09:30:00.000000000-05:00",
        "1704205800",
        "1704205800000",
        "1704205800000000",
        "1704205800000000000",
        "1704205800.000",
    ],
)
def test_one_moment_has_many_spellings(text: str) -> None:
    """ISO 8601 with any zone, and Unix time in any of four units, name the same moment."""
    assert moment_from_text(text) == HALF_PAST
    assert moment_from_text(text).tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "2024-01-02T14:30:00",
        "2024-01-02",
        "20240102",
        "202401021430",
        "20240102143000",
        "0",
        "",
        "-1704205800",
        "1.7042058e9",
        "1704205800 ",
        "noon",
        "null",
    ],
)
def test_what_could_mean_two_moments_is_refused(text: str) -> None:
    """No zone, a date in digits, and numbers that no unit puts near today are refused."""
    with pytest.raises(InvalidFieldError, match="time is") as caught:
        moment_from_text(text)
    assert caught.value.value == text


def test_a_zone_may_be_named_for_times_without_one() -> None:
    """A time without a zone is read by the clocks of the zone that the caller names."""
    new_york = zone_of("America/New_York")
    assert moment_from_text("2024-01-02T09:30:00", new_york) == HALF_PAST
    assert moment_from_text("2024-01-02", new_york) == datetime(2024, 1, 2, 5, tzinfo=UTC)
    assert moment_from_text("2024-01-02T14:30:00Z", new_york) == HALF_PAST
    assert zone_of(None) is None


@pytest.mark.parametrize("text", ["2024-11-03T01:30:00", "2024-03-10T02:30:00"])
def test_a_time_that_the_clocks_skip_or_repeat_is_refused(text: str) -> None:
    """When the clocks change, some local times name two moments, and some none."""
    with pytest.raises(InvalidFieldError, match="show once"):
        moment_from_text(text, zone_of("America/New_York"))


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "../etc/passwd"])
def test_an_unknown_zone_is_refused(name: str) -> None:
    """A zone that nobody knows is refused by name."""
    with pytest.raises(InvalidFieldError, match="zone is"):
        zone_of(name)


@given(
    st.datetimes(
        min_value=datetime(1990, 1, 1),  # noqa: DTZ001 - Hypothesis adds the zone
        max_value=datetime(2099, 12, 31),  # noqa: DTZ001 - Hypothesis adds the zone
        timezones=st.just(UTC),
    ),
    st.sampled_from([0, 3, 6, 9]),
)
def test_the_unit_of_a_number_is_never_in_doubt(moment: datetime, places: int) -> None:
    """From 1990 to 2100, each Unix time in each unit is read back to the unit's precision."""
    microseconds = (moment - EPOCH) // timedelta(microseconds=1)
    number = microseconds * 10 ** max(0, places - 6) // 10 ** max(0, 6 - places)
    read = moment_from_unix(Decimal(number), number)
    assert timedelta(0) <= moment - read < timedelta(microseconds=10 ** max(0, 6 - places))


def test_what_is_finer_than_a_microsecond_is_cut() -> None:
    """Nanoseconds never round up into the next microsecond."""
    assert moment_from_text("1704205800000000999") == HALF_PAST
    assert moment_from_text("2024-01-02T14:30:00.000000999Z") == HALF_PAST
