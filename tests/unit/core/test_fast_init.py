"""The quick `__init__` of the models does what the one that attrs wrote does, and nothing else."""

from __future__ import annotations

import copy
import inspect
import pickle
from collections.abc import Callable
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot_v2.features.brokerages.core import interfaces as api
from bot_v2.features.brokerages.core.fast_init import quicken
from tests.unit.core.model_examples import EXAMPLES, order
from tests.unit.core.test_fast_fields import VALUES

# A level of two fields is as quick by attrs, and is checked in a way of its own.
QUICK = tuple(example for example in EXAMPLES if type(example) is not api.PriceLevel)

by_kind = pytest.mark.parametrize("example", QUICK, ids=lambda each: type(each).__name__)


def arguments_of(example: Any) -> dict[str, Any]:
    """Return what an equal object is made of."""
    return {field.name: getattr(example, field.name) for field in attrs.fields(type(example))}


def made_by_attrs(kind: type[Any], *args: Any, **kwargs: Any) -> Any:
    """Return an object that the `__init__` of attrs has filled."""
    made = object.__new__(kind)
    kind.__init__.__wrapped__(made, *args, **kwargs)
    return made


def outcome_of(make: Callable[[], Any]) -> tuple[object, ...]:
    """Return what was made, or which error came of what."""
    try:
        made = make()
    except Exception as error:  # noqa: BLE001 - whatever it is has to be the same
        return type(error), str(error), getattr(error, "field", None)
    held = arguments_of(made)
    return type(made), held, [type(value) for value in held.values()]


@by_kind
def test_every_model_is_quick(example: Any) -> None:
    """No model is left with the `__init__` of attrs."""
    assert hasattr(type(example).__init__, "__wrapped__")


@given(st.sampled_from(QUICK), st.data())
def test_it_takes_and_refuses_what_attrs_would(example: Any, data: st.DataObject) -> None:
    """Whatever some fields are given, the object or the error is the one of attrs."""
    kind = type(example)
    names = st.sampled_from([field.name for field in attrs.fields(kind)])
    changes = data.draw(st.dictionaries(names, st.sampled_from(VALUES), max_size=3))
    left_out = data.draw(st.sets(names, max_size=2))
    given_to = {
        name: value
        for name, value in {**arguments_of(example), **changes}.items()
        if name not in left_out
    }
    assert outcome_of(lambda: kind(**given_to)) == outcome_of(
        lambda: made_by_attrs(kind, **given_to)
    )


@by_kind
def test_it_is_called_as_before(example: Any) -> None:
    """The signature and the errors of wrong calls are those of attrs."""
    kind = type(example)
    assert inspect.signature(kind) == inspect.signature(kind.__init__.__wrapped__).replace(
        parameters=list(inspect.signature(kind.__init__.__wrapped__).parameters.values())[1:],
        return_annotation=inspect.signature(kind).return_annotation,
    )
    values = list(arguments_of(example).values())
    for args, kwargs in (((), {}), (values, {}), ((), {"no_such_field": 1})):
        called = outcome_of(lambda args=args, kwargs=kwargs: kind(*args, **kwargs))  # type: ignore[misc]  # defaults bind the loop's values
        assert called == outcome_of(
            lambda args=args, kwargs=kwargs: made_by_attrs(kind, *args, **kwargs)  # type: ignore[misc]  # as above
        )


@by_kind
def test_what_it_makes_is_frozen_and_whole(example: Any) -> None:
    """An object made quickly is of its class, frozen, and can be copied, evolved and pickled."""
    kind = type(example)
    made = kind(**arguments_of(example))
    assert type(made) is kind
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(made, attrs.fields(kind)[0].name, None)
    for twin in (copy.deepcopy(made), attrs.evolve(made), pickle.loads(pickle.dumps(made))):
        assert type(twin) is kind
        assert twin == made == example
        assert repr(twin) == repr(made) == repr(example)


def test_a_subclass_keeps_its_class() -> None:
    """An object of a subclass does not become one of the model."""

    class Mine(api.Order):
        __slots__ = ()

    made = Mine(**arguments_of(order()))
    assert type(made) is Mine
    assert made.order_id == "o-1"


def test_a_model_that_it_cannot_do_is_left_alone() -> None:
    """A model with a default that is made anew each time keeps the `__init__` of attrs."""

    @attrs.frozen
    class Odd:
        values: list[int] = attrs.Factory(list)

        def __attrs_post_init__(self) -> None: ...

    before = Odd.__init__
    quicken(Odd)
    assert Odd.__init__ is before
