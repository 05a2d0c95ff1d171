"""Exact decimals: what was printed is what is kept, and nothing rounds in silence."""

from __future__ import annotations

from decimal import Decimal as D
from decimal import DivisionByZero, Inexact, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot_v2.features.brokerages.core.interfaces import (
    EXACT,
    InvalidFieldError,
    Rounding,
    decimal_from_text,
    decimal_or_none,
    decimal_to_text,
    divide,
    rescale,
    round_to_places,
)

FINITE = st.decimals(
    allow_nan=False, allow_infinity=False, min_value=D("-1e20"), max_value=D("1e20"), places=12
)


@pytest.mark.parametrize(
    "text",
    [
        "0",
        "-0",
        "1.10",
        "+3",
        ".5",
        "5.",
        "1e-8",
        "1E+8",
        "123456789.123456789",
        "1234567890123456789012345678901234567890.12345678901234567890",
        "9007199254740993",
    ],
)
def test_a_number_is_kept_as_printed(text: str) -> None:
    """Trailing zeros, exponents and forty digits survive."""
    kept = decimal_from_text(text)
    assert kept.as_tuple() == D(text).as_tuple()


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "NaN", "nan", "sNaN", "Infinity", "-inf", "1_000", " 1.5", "1.5 ", "1,5", "0x1"),
        *("1e99999", "--1", "e5", ".", "1.5\n", "\uff11"),
    ],
)
def test_what_is_no_number_is_refused(text: str) -> None:
    """Decimal() would take some of these; no broker means them as numbers."""
    with pytest.raises(InvalidFieldError) as caught:
        decimal_from_text(text, "Order.price")
    assert (caught.value.field, caught.value.value) == ("Order.price", text)


@pytest.mark.parametrize("value", [1.5, 1, None, D(1)])
def test_only_text_is_read(value: object) -> None:
    """A float that already lost digits cannot enter by this door."""
    with pytest.raises(InvalidFieldError):
        decimal_from_text(value)  # type: ignore[arg-type]  # it must be refused


def test_an_empty_text_is_no_number_and_no_zero() -> None:
    """Where a broker prints nothing, the value is None, never zero."""
    assert decimal_or_none("") is None
    assert decimal_or_none(None) is None
    assert decimal_or_none("0.00") == D("0.00")


def test_the_wire_never_sees_an_exponent() -> None:
    """str() of a small Decimal would send 1E-8."""
    assert decimal_to_text(D("1E-8")) == "0.00000001"
    assert decimal_to_text(D("1E+3")) == "1000"
    assert decimal_to_text(D("1.10")) == "1.10"


@given(FINITE)
def test_text_out_and_in_is_the_same_number(value: D) -> None:
    """What is sent and read back is equal to the last digit."""
    assert decimal_from_text(decimal_to_text(value)) == value


@given(FINITE, FINITE)
def test_exact_arithmetic_does_not_round(left: D, right: D) -> None:
    """A product of long numbers is exact, whatever the thread's own context."""
    with localcontext() as context:
        context.prec = 5
        assert Fraction(EXACT.multiply(left, right)) == Fraction(left) * Fraction(right)
        assert Fraction(EXACT.add(left, right)) == Fraction(left) + Fraction(right)


def test_what_cannot_be_exact_raises() -> None:
    """A third has no last digit, so the exact context refuses it."""
    with pytest.raises(Inexact):
        EXACT.divide(D(1), D(3))


def test_rescale_moves_the_point_exactly() -> None:
    """Paise become rupees without a division."""
    assert rescale(D("12345"), -2) == D("123.45")
    assert rescale(D("1.5"), 3) == D("1500")
    long = D("1234567890123456789012345678901234567890.5")
    assert Fraction(rescale(long, -2)) == Fraction(long) / 100


@pytest.mark.parametrize(
    ("value", "rounding", "expected"),
    [
        ("1.25", Rounding.DOWN, "1.2"),
        ("-1.25", Rounding.DOWN, "-1.2"),
        ("1.21", Rounding.UP, "1.3"),
        ("-1.21", Rounding.UP, "-1.3"),
        ("-1.21", Rounding.FLOOR, "-1.3"),
        ("1.21", Rounding.CEILING, "1.3"),
        ("1.25", Rounding.HALF_EVEN, "1.2"),
        ("1.35", Rounding.HALF_EVEN, "1.4"),
        ("1.2500001", Rounding.HALF_EVEN, "1.3"),
    ],
)
def test_rounding_goes_where_it_is_told(value: str, rounding: Rounding, expected: str) -> None:
    """Each direction does what its name says, below zero too."""
    assert round_to_places(D(value), 1, rounding) == D(expected)


def _expected(value: Fraction, places: int, rounding: Rounding) -> Fraction:
    scaled = value * 10**places
    floor = scaled.numerator // scaled.denominator
    rest = scaled - floor
    up = {
        Rounding.FLOOR: False,
        Rounding.CEILING: rest > 0,
        Rounding.DOWN: scaled < 0 and rest > 0,
        Rounding.UP: scaled > 0 and rest > 0,
        Rounding.HALF_EVEN: rest > Fraction(1, 2) or (rest == Fraction(1, 2) and floor % 2 == 1),
    }[rounding]
    return Fraction(floor + up, 10**places)


@given(FINITE, FINITE.filter(bool), st.integers(0, 12), st.sampled_from(Rounding))
def test_a_division_is_rounded_once(value: D, by: D, places: int, rounding: Rounding) -> None:
    """The quotient equals the exact fraction, rounded once in the direction named."""
    expected = _expected(Fraction(value) / Fraction(by), places, rounding)
    assert Fraction(divide(value, by, places, rounding)) == expected


def test_dividing_by_zero_raises() -> None:
    """There is no answer, so none is given."""
    with pytest.raises(DivisionByZero):
        divide(D(1), D(0), 2, Rounding.DOWN)
