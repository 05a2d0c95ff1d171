from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot_v2.features.brokerages.core.errors import InvalidFieldError
from bot_v2.simulation.clock import ManualClock, require_utc, utc_now

NOON = datetime(2024, 1, 2, 12, tzinfo=UTC)


def test_the_machines_clock_is_aware_and_in_utc() -> None:
    """The present moment is an aware UTC datetime, and the machine's."""
    before = datetime.now(UTC)
    assert before <= utc_now() <= datetime.now(UTC)
    assert utc_now().utcoffset() == timedelta(0)


def test_a_manual_clock_stands_still() -> None:
    """Without being moved, the clock says the same moment again."""
    clock = ManualClock(NOON)
    assert (clock(), clock()) == (NOON, NOON)


def test_a_manual_clock_moves_by_seconds_and_by_timedeltas() -> None:
    """Advancing takes seconds or a timedelta, exactly to the microsecond."""
    clock = ManualClock(NOON)
    clock.advance(1.5)
    clock.advance(timedelta(minutes=1))
    clock.advance(0)
    assert clock() == NOON + timedelta(seconds=61.5)


def test_a_manual_clock_is_set_to_a_later_moment() -> None:
    """Setting moves to the moment itself; the present one is allowed."""
    clock = ManualClock(NOON)
    clock.set(NOON)
    clock.set(NOON + timedelta(days=1))
    assert clock() == NOON + timedelta(days=1)


def test_a_manual_clock_never_goes_back() -> None:
    """A step or a moment into the past is refused, and the clock stays where it was."""
    clock = ManualClock(NOON)
    with pytest.raises(InvalidFieldError, match="time does not go back"):
        clock.advance(-0.000001)
    with pytest.raises(InvalidFieldError, match="time does not go back"):
        clock.set(NOON - timedelta(microseconds=1))
    assert clock() == NOON


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), 1e300])
def test_a_step_is_a_finite_time(seconds: float) -> None:
    """Seconds that are no length of time are refused by name."""
    with pytest.raises(InvalidFieldError, match=r"ManualClock\.advance\.seconds"):
        ManualClock(NOON).advance(seconds)


@pytest.mark.parametrize(
    "moment", [NOON.replace(tzinfo=None), NOON.astimezone(timezone(timedelta(hours=1))), "noon"]
)
def test_a_clock_speaks_utc_alone(moment: datetime) -> None:
    """A moment that is naive, of another zone or no moment is refused."""
    with pytest.raises(InvalidFieldError, match=r"ManualClock\.start"):
        ManualClock(moment)
    with pytest.raises(InvalidFieldError, match="aware UTC"):
        ManualClock(NOON).set(moment)
    with pytest.raises(InvalidFieldError, match="here is"):
        require_utc("here", moment)


@given(st.lists(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=9)), max_size=9))
def test_steps_add_up(steps: list[timedelta]) -> None:
    """After any steps, the clock stands at the start plus their sum."""
    clock = ManualClock(NOON)
    for step in steps:
        clock.advance(step)
    assert clock() == NOON + sum(steps, timedelta(0))
