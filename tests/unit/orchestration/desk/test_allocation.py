"""Dividing a quantity: in each account's steps and bounds, and nothing of it lost."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot_v2.features.brokerages.core.decimals import EXACT
from bot_v2.features.brokerages.core.errors import InvalidFieldError
from bot_v2.orchestration.desk.allocation import LeftOut, Part, Taker, divide_quantity

D = Decimal

STEPS = st.sampled_from([D(text) for text in ("1", "0.1", "0.00000001", "0.25", "0.3", "5", "100")])
AMOUNTS = st.decimals(min_value=0, max_value=10**9, places=8, allow_nan=False)


def taker(broker: str, weight: str = "1", step: str = "1", **terms: Decimal) -> Taker:
    """An account."""
    return Taker(broker=broker, weight=D(weight), step=D(step), **terms)


@st.composite
def takers(draw: st.DrawFn) -> list[Taker]:
    """Up to six accounts of any weights, steps and bounds, one of which weighs something."""
    made = []
    for number in range(draw(st.integers(1, 6))):
        least = draw(st.sampled_from([D(0), D("0.7"), D(3), D(1000)]))
        most = draw(st.none() | st.sampled_from([D(1), D(50), D("123456.789")]))
        weight = draw(AMOUNTS) if number else draw(AMOUNTS) + D("0.01")
        made.append(
            Taker(
                broker=f"b{number}",
                weight=weight,
                step=draw(STEPS),
                least=least,
                most=None if most is None or most < least else most,
            )
        )
    return made


@given(st.decimals(min_value="0.00000001", max_value=10**9, places=8), takers())
def test_parts_and_what_is_unplaced_are_what_was_asked(
    quantity: Decimal, among: list[Taker]
) -> None:
    """Whatever weights, steps and bounds: nothing is lost, and each part fits its account."""
    division = divide_quantity(quantity, among)
    total = division.unplaced
    by_name = {one.broker: one for one in among}
    for part in division.parts:
        total = EXACT.add(total, part.quantity)
        account = by_name[part.broker]
        assert not EXACT.remainder(part.quantity, account.step)
        assert part.quantity >= max(account.least, account.step)
        assert account.most is None or part.quantity <= account.most
        assert 0 <= part.remainder <= part.quantity
        assert account.weight > 0
    assert total == quantity
    assert division.unplaced >= 0
    named = {part.broker for part in division.parts} | {one.broker for one in division.left_out}
    assert named >= {one.broker for one in among if one.weight == 0}


@given(st.decimals(min_value="0.01", max_value=10**6, places=2), takers())
def test_what_is_unplaced_fits_nobody(quantity: Decimal, among: list[Taker]) -> None:
    """What is not placed is no more than some account could have taken on top as a whole."""
    division = divide_quantity(quantity, among)
    taken = {part.broker: part.quantity for part in division.parts}
    if division.unplaced:
        for account in among:
            total = taken.get(account.broker, D(0)) + division.unplaced
            fits = not EXACT.remainder(total, account.step) and total >= account.least
            is_within = account.most is None or total <= account.most
            assert account.weight == 0 or not (fits and is_within)


def test_a_remainder_goes_to_the_heaviest_that_takes_it() -> None:
    """Ten shares by thirds: one is left over, and the heaviest has it, marked as such."""
    division = divide_quantity(D(10), [taker("a"), taker("b", "1.01"), taker("c")])
    assert division.parts == (
        Part(broker="a", quantity=D(3), remainder=D(0)),
        Part(broker="b", quantity=D(4), remainder=D(1)),
        Part(broker="c", quantity=D(3), remainder=D(0)),
    )
    assert (division.unplaced, division.left_out) == (D(0), ())


def test_a_remainder_goes_where_its_step_fits() -> None:
    """Half a share is nothing for an account of whole ones, however heavy."""
    division = divide_quantity(D("10.5"), [taker("whole", "9"), taker("fine", step="0.1")])
    assert [(one.broker, str(one.quantity)) for one in division.parts] == [
        ("whole", "9"),
        ("fine", "1.5"),
    ]


def test_what_nobody_takes_is_said() -> None:
    """Whole shares alone leave half a share."""
    division = divide_quantity(D("3.5"), [taker("a"), taker("b")])
    assert sum(one.quantity for one in division.parts) == 3
    assert division.unplaced == D("0.5")


def test_nothing_is_below_a_minimum() -> None:
    """An account whose part is below its least gets nothing, and it is said why."""
    division = divide_quantity(D(10), [taker("a"), taker("b", least=D(6))])
    assert division.parts == (Part(broker="a", quantity=D(10), remainder=D(5)),)
    reason = "its part, 5, is below the least, 6"
    assert division.left_out == (LeftOut(broker="b", reason=reason),)


def test_parts_below_all_minima_are_put_together() -> None:
    """Where no part is enough, the heaviest takes all of it."""
    division = divide_quantity(D(9), [taker("a", least=D(5)), taker("b", "1.1", least=D(5))])
    assert division.parts == (Part(broker="b", quantity=D(9), remainder=D(9)),)
    assert [one.broker for one in division.left_out] == ["a"]


def test_no_part_is_above_a_maximum() -> None:
    """What is above an account's most goes to the others, and the cut is told."""
    division = divide_quantity(D(10), [taker("a", most=D("2.5")), taker("b")])
    assert [(one.broker, one.quantity) for one in division.parts] == [("a", D(2)), ("b", D(8))]
    assert division.left_out[0].reason == "its part is cut to 2: it takes at most 2.5"


def test_a_weight_of_zero_takes_nothing() -> None:
    """An account without buying power takes no part, and no remainder."""
    division = divide_quantity(D("1.5"), [taker("a"), taker("none", "0", "0.1")])
    assert division.unplaced == D("0.5")
    assert division.left_out[0].reason == "its weight is zero"


def test_a_part_below_a_step_is_said() -> None:
    """A part that is less than one step is named."""
    division = divide_quantity(D(1), [taker("a", "9"), taker("b")])
    assert [(one.broker, one.quantity) for one in division.parts] == [("a", D(1))]
    assert division.left_out[0].reason == "its part is below one step, 1"


@pytest.mark.parametrize(
    ("quantity", "among"), [(D(0), [taker("a")]), (D(1), []), (D(1), [taker("a", "0")])]
)
def test_what_cannot_be_divided_is_refused(quantity: Decimal, among: list[Taker]) -> None:
    """Nothing to divide, and nobody to divide it among, are errors."""
    with pytest.raises(InvalidFieldError):
        divide_quantity(quantity, among)
