"""What a broker tells of credentials and clocks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bot_v2.features.brokerages.core.access import Access, AccessRight, ServerTime, access_of

NOW = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("told_s", "step_s", "skew_s"),
    [
        (0.0, 0.0, 0.0),
        (0.05, 0.0, 0.0),
        (0.1, 0.0, 0.0),
        (0.3, 0.0, 0.2),
        (-0.2, 0.0, -0.2),
        (-0.9, 1.0, 0.0),
        (-1.5, 1.0, -0.5),
        (300.0, 1.0, 299.9),
        (-300.0, 1.0, -299.0),
    ],
)
def test_what_the_way_and_the_step_explain_is_no_skew(
    told_s: float, step_s: float, skew_s: float
) -> None:
    """The broker was asked at zero, and its answer came a tenth of a second later."""
    clock = ServerTime(
        told=NOW + timedelta(seconds=told_s),
        asked_at=NOW,
        heard_at=NOW + timedelta(seconds=0.1),
        step_s=step_s,
    )
    assert clock.skew.total_seconds() == pytest.approx(skew_s, abs=1e-6)


class Tells:
    """A brokerage that tells."""

    def get_access(self) -> Access:
        """Tell."""
        return Access(granted=(AccessRight.READ,))


class TellsOtherwise:
    """One of somebody else's, whose method of that name is another thing."""

    def get_access(self) -> str:
        """Tell something else."""
        return "all areas"


def test_access_is_read_with_the_least_assumed() -> None:
    """A brokerage that tells nothing, or something else, has told nothing."""
    assert access_of(Tells()) == Access(granted=(AccessRight.READ,))
    assert access_of(TellsOtherwise()) is None
    assert access_of(object()) is None
