"""A product's steps: checked before sending, rounded only when asked by name."""

from __future__ import annotations

from decimal import Decimal as D
from fractions import Fraction
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot_v2.features.brokerages.core.interfaces import (
    InvalidFieldError,
    OrderRequest,
    OrderSide,
    OrderType,
    PriceBand,
    Rounding,
    StopLoss,
    TakeProfit,
    check_order_request,
    price_increment_at,
    quantize_price,
    quantize_quantity,
)
from tests.unit.core.model_examples import PRODUCT

BANDED = attrs.evolve(
    PRODUCT,
    price_bands=(
        PriceBand(lower_price=D(0), price_increment=D("0.01")),
        PriceBand(lower_price=D(100), price_increment=D("0.05")),
    ),
)
FREE = attrs.evolve(
    PRODUCT,
    price_increment=None,
    size_increment=None,
    min_order_size=None,
    max_order_size=None,
    min_notional=None,
)
numbers = st.decimals(min_value=D(-10000), max_value=D(10000), places=5)
steps = st.decimals(min_value=D("0.00001"), max_value=D(50), places=5).filter(bool)


def limit(**changes: Any) -> OrderRequest:
    """Return a limit order for half a bitcoin, with changes."""
    fields: dict[str, Any] = {
        "symbol": "BTC-USD",
        "side": OrderSide.BUY,
        "quantity": D("0.5"),
        "type": OrderType.LIMIT,
        "price": D("100.25"),
    }
    return OrderRequest(**{**fields, **changes})


@pytest.mark.parametrize(
    ("price", "step"), [("-1", "0.01"), ("0", "0.01"), ("99.99", "0.01"), ("100", "0.05")]
)
def test_a_band_applies_from_its_lower_price(price: str, step: str) -> None:
    """The band's own price belongs to it; below all bands the product's step applies."""
    assert price_increment_at(BANDED, D(price)) == D(step)
    assert price_increment_at(FREE, D(price)) is None


@pytest.mark.parametrize(
    ("rounding", "expected"),
    [
        (Rounding.DOWN, "100.25"),
        (Rounding.UP, "100.26"),
        (Rounding.FLOOR, "100.25"),
        (Rounding.CEILING, "100.26"),
        (Rounding.HALF_EVEN, "100.26"),
    ],
)
def test_a_price_is_rounded_to_the_grid_in_the_direction_named(
    rounding: Rounding, expected: str
) -> None:
    """100.256 becomes one of its two neighbours, as asked."""
    assert quantize_price(PRODUCT, D("100.256"), rounding) == D(expected)


@given(numbers, steps, st.sampled_from(Rounding))
def test_quantizing_lands_on_the_grid_and_never_moves_a_step(
    value: D, step: D, rounding: Rounding
) -> None:
    """The result is a multiple, less than a step away, on the side named; on the grid it stays."""
    product = attrs.evolve(PRODUCT, size_increment=step)
    result = quantize_quantity(product, value, rounding)
    moved = Fraction(result) - Fraction(value)
    assert (Fraction(result) / Fraction(step)).denominator == 1
    assert abs(moved) < Fraction(step)
    assert quantize_quantity(product, result, rounding) == result
    side = {
        Rounding.FLOOR: moved <= 0,
        Rounding.CEILING: moved >= 0,
        Rounding.DOWN: abs(result) <= abs(value),
        Rounding.UP: abs(result) >= abs(value),
        Rounding.HALF_EVEN: abs(moved) <= Fraction(step) / 2,
    }
    assert side[rounding]


@pytest.mark.parametrize(("value", "expected"), [("2.5", "2"), ("3.5", "4"), ("-2.5", "-2")])
def test_a_tie_goes_to_the_even_step(value: str, expected: str) -> None:
    """Half-even has no bias."""
    product = attrs.evolve(PRODUCT, size_increment=D(1))
    assert quantize_quantity(product, D(value), Rounding.HALF_EVEN) == D(expected)


def test_a_product_without_steps_leaves_numbers_alone() -> None:
    """Where the broker states no step, nothing is rounded and nothing is refused."""
    odd = D("1.23456789")
    assert quantize_price(FREE, odd, Rounding.UP) is odd
    assert quantize_quantity(FREE, odd, Rounding.UP) is odd
    check_order_request(FREE, limit(quantity=odd, price=odd))


def test_a_request_on_the_grid_passes() -> None:
    """Limit, stop and bracket prices that fit are left alone."""
    check_order_request(PRODUCT, limit())
    check_order_request(PRODUCT, limit(quantity=None, notional=D(10)))
    bracket = limit(take_profit=TakeProfit(price=D(110)), stop_loss=StopLoss(stop_price=D(90)))
    check_order_request(PRODUCT, bracket)


@pytest.mark.parametrize(
    ("changes", "field", "accepted"),
    [
        ({"quantity": D("0.0001")}, "quantity", "at least 0.001"),
        ({"quantity": D(51)}, "quantity", "at most 50"),
        ({"quantity": D("0.50005")}, "quantity", "0.5000 or 0.5001"),
        ({"price": D("100.255")}, "price", "100.25 or 100.26"),
        ({"quantity": D("0.01")}, "quantity", "at least 10 USD"),
        ({"quantity": None, "notional": D(9)}, "notional", "at least 10 USD"),
        ({"take_profit": TakeProfit(price=D("110.001"))}, "take_profit.price", "110.00 or 110.01"),
        ({"stop_loss": StopLoss(stop_price=D("90.001"))}, "stop_loss.stop_price", "multiple"),
        (
            {"stop_loss": StopLoss(stop_price=D(90), price=D("89.999"))},
            "stop_loss.price",
            "89.99 or 90.00",
        ),
    ],
)
def test_a_request_off_the_grid_names_what_would_do(
    changes: dict[str, Any], field: str, accepted: str
) -> None:
    """The error names the field, the value, the nearest values and the product."""
    with pytest.raises(InvalidFieldError) as caught:
        check_order_request(PRODUCT, limit(**changes))
    assert caught.value.field == f"OrderRequest.{field}"
    assert accepted in caught.value.accepted
    assert caught.value.symbol == "BTC-USD"


def test_the_value_of_a_contract_counts_its_multiplier() -> None:
    """A multiplier lifts the value over the least notional; an inverse contract has none."""
    small = limit(quantity=D("0.05"))
    with pytest.raises(InvalidFieldError, match="a value of at least"):
        check_order_request(PRODUCT, small)
    check_order_request(attrs.evolve(PRODUCT, multiplier=D(100)), small)
    check_order_request(attrs.evolve(PRODUCT, inverse=True), small)
