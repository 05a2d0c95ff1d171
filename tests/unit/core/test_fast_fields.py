"""The quick check and the full one give one answer."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as D
from typing import Any, get_type_hints
from zoneinfo import ZoneInfo

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot_v2.features.brokerages.core import interfaces as api
from bot_v2.features.brokerages.core.fast_fields import compile_surely_valid
from bot_v2.features.brokerages.core.fields import EMPTY, check_fields
from tests.unit.core.model_examples import EXAMPLES, NOW


class Money(D):
    """A Decimal by another name."""


FEE = api.Fee(currency="USD", amount=D(1))
LEG = api.Leg(symbol="AAPL", side=api.OrderSide.BUY)
VALUES: tuple[Any, ...] = (
    *(None, "", "text", True, False, 0, 1, 0.5, float("nan"), b"x"),
    *(D(0), D("-1.5"), D("NaN"), D("sNaN"), D("Infinity"), Money("1.5"), Money("NaN")),
    *(NOW, NOW.replace(tzinfo=None), NOW.astimezone(ZoneInfo("UTC")), date(2026, 1, 1)),
    *(
        (),
        [],
        (1,),
        (LEG, 1),
        (LEG, LEG),
        (FEE,),
        [FEE],
        timedelta(1),
        EMPTY,
        api.OrderSide.BUY,
        api.OrderStatus.OPEN,
        "buy",
    ),
    datetime(2026, 1, 1, tzinfo=ZoneInfo("Asia/Kolkata")),
)


def unchecked(example: Any, field: str, value: object) -> object:
    """Return a copy of the example that holds the value without having been checked."""
    kind = type(example)
    copy = object.__new__(kind)
    for each in attrs.fields(kind):
        object.__setattr__(copy, each.name, getattr(example, each.name))
    object.__setattr__(copy, field, value)
    return copy


@given(st.sampled_from(EXAMPLES), st.data())
def test_a_quick_yes_is_never_wrong(example: Any, data: st.DataObject) -> None:
    """Whatever the quick check passes, the full check passes too."""
    kind = type(example)
    fields = attrs.fields(kind)
    field = data.draw(st.sampled_from(fields)).name
    model = unchecked(example, field, data.draw(st.sampled_from(VALUES)))
    hints = get_type_hints(kind)
    may_be_empty = frozenset(each.name for each in fields if each.default == "")
    surely_valid = compile_surely_valid(
        {each.name: hints[each.name] for each in fields}, may_be_empty
    )
    if surely_valid(model):
        for each in fields:
            # Another field that is surely wrong forces the full check of this one.
            twin = unchecked(model, each.name, object())
            with pytest.raises(api.InvalidFieldError) as caught:
                check_fields(twin)
            assert caught.value.field == f"{kind.__name__}.{each.name}"


def is_of_scalars(value: object) -> bool:
    """Whether it is a tuple with members that are no models."""
    return isinstance(value, tuple) and any(not attrs.has(type(member)) for member in value)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda each: type(each).__name__)
def test_an_ordinary_model_takes_the_quick_way(example: Any) -> None:
    """The examples without floats and tuples of scalars are passed by the quick check alone."""
    kind = type(example)
    hints = get_type_hints(kind)
    fields = attrs.fields(kind)
    values = [getattr(example, each.name) for each in fields]
    slow = any(isinstance(value, float) or is_of_scalars(value) for value in values)
    surely_valid = compile_surely_valid(
        {each.name: hints[each.name] for each in fields},
        frozenset(each.name for each in fields if each.default == ""),
    )
    assert surely_valid(example) is not slow


def test_what_the_quick_check_does_not_know_is_still_right() -> None:
    """A Decimal's subclass and UTC by another name are accepted by the full check."""
    assert api.Fee(currency="USD", amount=Money("1")).amount == 1
    assert api.Trade(
        symbol="X", price=D(1), size=D(1), timestamp=NOW.astimezone(ZoneInfo("UTC"))
    ).timestamp == datetime(2026, 11, 21, 14, 30, tzinfo=UTC)
