"""The averages of the replayed strategy."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from bot_v2.cli.demo_replay import FAST, SLOW, CrossingAverages

prices = st.lists(st.decimals(-1000, 1000, places=2), max_size=60)


def crossings(listed: list[Decimal]) -> list[bool | None]:
    """What the averages say after each price."""
    averages = CrossingAverages()
    return [averages.add(price) for price in listed]


@given(prices)
def test_crossings_are_those_of_the_two_means(listed: list[Decimal]) -> None:
    """Compared without a division, the averages cross where exact fractions say that they do."""
    from fractions import Fraction

    expected: list[bool | None] = []
    above: bool | None = None
    for count in range(1, len(listed) + 1):
        seen = [Fraction(price) for price in listed[:count]]
        if count < SLOW:
            expected.append(None)
            continue
        now = sum(seen[-FAST:]) / FAST > sum(seen[-SLOW:]) / SLOW
        expected.append(now if above is not None and now is not above else None)
        above = now
    assert crossings(listed) == expected


def test_a_rise_after_a_fall_crosses_once_from_below() -> None:
    """A fall and a rise make exactly one crossing, upwards."""
    fall = [Decimal(100 - step) for step in range(30)]
    rise = [Decimal(70 + step) for step in range(30)]
    assert [crossed for crossed in crossings(fall + rise) if crossed is not None] == [True]


def test_equal_averages_are_not_above() -> None:
    """In a market that stands still nothing crosses; its first rise does."""
    flat = [Decimal(100)] * 30
    assert set(crossings(flat)) == {None}
    assert crossings([*flat, Decimal(101)])[-1] is True
