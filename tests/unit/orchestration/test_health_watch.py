from __future__ import annotations

from typing import Any

import pytest

from bot_v2.features.brokerages.core.interfaces import InvalidFieldError
from bot_v2.orchestration.health_watch import ReconnectPolicy, Watch
from tests.unit.orchestration.fake_brokerage import FakeBrokerage


def test_a_watch_has_the_brokerage_s_name_unless_given_one() -> None:
    """One brokerage in two accounts is two watches, which need two names."""
    broker = FakeBrokerage(name="paper")
    assert Watch(broker).name == "paper"
    assert Watch(broker, name="paper-2").name == "paper-2"


@pytest.mark.parametrize(
    ("field", "value", "accepted"),
    [
        ("interval_s", 0, "finite seconds above zero"),
        ("interval_s", True, "finite seconds above zero"),
        ("timeout_s", -1.0, "finite seconds above zero"),
        ("timeout_s", float("nan"), "finite seconds above zero"),
        ("timeout_s", "10", "finite seconds above zero"),
        ("interval_s", float("inf"), "finite seconds above zero"),
        ("jitter", 1.0, "a share, 0 to below 1"),
        ("jitter", -0.1, "a share, 0 to below 1"),
        ("down_after", 0, "a whole number, 1 or more"),
        ("down_after", 1.5, "a whole number, 1 or more"),
        ("name", "", "a str that is not empty"),
        ("name", 7, "a str that is not empty"),
    ],
)
def test_a_watch_that_makes_no_sense_is_refused(field: str, value: Any, accepted: str) -> None:
    """Each field that is out of its range is named with its value and what is accepted."""
    with pytest.raises(InvalidFieldError) as caught:
        Watch(FakeBrokerage(), **{field: value})
    assert caught.value.field == f"Watch.{field}"
    assert repr(caught.value.value) == repr(value)
    assert caught.value.accepted == accepted


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"initial_s": 0.0}, "initial_s"),
        ({"maximum_s": float("inf")}, "maximum_s"),
        ({"factor": 0.5}, "factor"),
        ({"jitter": 1.0}, "jitter"),
        ({"initial_s": 2.0, "maximum_s": 1.0}, "maximum_s"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(fields: dict[str, float], named: str) -> None:
    """A delay is above zero, grows, and stays below a bound."""
    with pytest.raises(InvalidFieldError) as caught:
        ReconnectPolicy(**fields)
    assert caught.value.field == f"ReconnectPolicy.{named}"
