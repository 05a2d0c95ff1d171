"""How models show themselves in logs, tracebacks and failing tests."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import attrs
import pytest

from bot_v2.features.brokerages.core import interfaces as api
from tests.unit.core.model_examples import EXAMPLES, order


def test_a_model_shows_what_was_said() -> None:
    """The required fields, and the optional ones that differ from their defaults."""
    level = api.PriceLevel(Decimal("1.50"), Decimal(2))
    assert repr(level) == "PriceLevel(price=Decimal('1.50'), size=Decimal('2'))"
    balance = api.Balance(asset="USD", total=Decimal(-1), metadata={"source": "x"})
    assert repr(balance) == ("Balance(asset='USD', total=Decimal('-1'), metadata={'source': 'x'})")


def test_what_was_not_said_is_left_out() -> None:
    """A field that a broker does not fill in takes no room in a log."""
    shown = repr(order(side=None))
    assert "side" not in shown
    assert "order_id=" in shown
    assert "side=<OrderSide.SELL: 'sell'>" in repr(order(side=api.OrderSide.SELL))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: type(example).__name__)
def test_every_model_shows_each_field_that_is_not_at_its_default(example: Any) -> None:
    """No model hides a fact."""
    shown = repr(example)
    assert shown.startswith(f"{type(example).__name__}(")
    for field in attrs.fields(type(example)):
        value = getattr(example, field.name)
        assert (f"{field.name}={value!r}" in shown) is (value != field.default)
