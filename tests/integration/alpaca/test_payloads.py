"""Every recorded body that is an answer of an endpoint in scope decodes, maps, and is exact."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest

from bot_v2.features.brokerages.core.interfaces import BrokerageError, Order
from tests.integration.alpaca.payload_shapes import body_of, files, models_of, reason_of

NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")

DERIVED = frozenset(
    {
        ("Margin", "excess"),  # what is left of the equity
        ("AccountSummary", "utilization"),  # a share of the equity
        ("Product", "lot_size"),  # one where the broker says nothing
        ("Product", "multiplier"),
        ("Product", "min_order_size"),  # of stocks: one, or the smallest fraction
        ("Product", "size_increment"),
        ("Product", "price_increment"),  # of options: a cent
        ("PriceBand", "lower_price"),  # the sub-penny rule
        ("PriceBand", "price_increment"),
        ("Order", "filled_quantity"),  # nought where the broker says nothing
        ("Leg", "ratio"),
    }
)
"""Numbers that are not printed as such, each with its reason."""

PRESENT = files()
IN_SCOPE = [path for path in PRESENT if reason_of(path) is None]

needs_payloads = pytest.mark.skipif(
    not PRESENT, reason="the brokers' payloads do not lie beside the project"
)


def _decimals(value: Any, model: str = "", field: str = "") -> Iterator[tuple[str, str, Decimal]]:
    """Return each number in a model: the model, the field and the value."""
    if isinstance(value, Decimal):
        yield model, field, value
    elif attrs.has(type(value)):
        name = type(value).__name__
        for one in attrs.fields(type(value)):
            yield from _decimals(getattr(value, one.name), name, one.name)
    elif isinstance(value, tuple | list):
        for member in value:
            yield from _decimals(member, model, field)


@needs_payloads
@pytest.mark.parametrize("path", IN_SCOPE, ids=lambda path: path.stem[:70])
def test_an_answer_in_scope_is_mapped_digit_for_digit(path: Path) -> None:
    """It decodes and maps, and each number of the model is printed so in the body."""
    mapped = models_of(body_of(path))
    empty = path.name in {"schema_quotes_response__oas_data_no_data_found_example.json"}
    assert mapped or empty, "nothing in it was read"
    # A quantity below zero is a short position's: its size is what is told of it.
    printed = {
        Decimal(one.lstrip("-")).as_tuple() for one in NUMBER.findall(path.read_text("utf-8"))
    }
    for model in mapped:
        for kind, field, number in _decimals(model):
            if (kind, field) not in DERIVED:
                assert abs(number).as_tuple() in printed, f"{kind}.{field} is {number}"


@needs_payloads
def test_the_counts_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """How many bodies are read, what they became, and why the others are not."""
    became: Counter[str] = Counter()
    for path in IN_SCOPE:
        became.update(type(one).__name__ for one in models_of(body_of(path)))
    left_out = Counter(why for path in PRESENT if (why := reason_of(path)) is not None)
    with capsys.disabled():
        total = sum(became.values())
        print(f"\n{len(IN_SCOPE)} recorded bodies of Alpaca mapped, to {total} models:")
        print("  " + ", ".join(f"{count} {name}" for name, count in became.most_common()))
        print(f"  {sum(left_out.values())} out of scope:")
        for why, count in left_out.most_common():
            print(f"  {count:3}  {why}")
    assert len(IN_SCOPE) >= 150
    for name in ("Order", "Position", "Fill", "Product", "Candle", "Quote", "Trade", "Orderbook"):
        assert became[name], name


@needs_payloads
def test_no_status_that_was_recorded_is_unknown() -> None:
    """Each is in the table."""
    orders = [
        one for path in IN_SCOPE for one in models_of(body_of(path)) if isinstance(one, Order)
    ]
    assert len(orders) >= 15
    assert not [one.native_status for one in orders if one.status == "unknown"]


@needs_payloads
def test_refusals_that_were_recorded_are_typed_errors() -> None:
    """None of them is an error that no table knows."""
    errors = {
        path.name: one
        for path in IN_SCOPE
        for one in models_of(body_of(path))
        if isinstance(one, BrokerageError)
    }
    assert len(errors) >= 5
    odd = {
        # Made up for tests of clients: what they say is said by no broker.
        "official_js_mock_server__place_invalid.json",
        "official_js_mock_server__auth_401.json",
        "go_test_default_do_error__rest_test.json",
    }
    unknown = {name for name, one in errors.items() if type(one).__name__ == "BrokerAPIError"}
    assert unknown <= odd
