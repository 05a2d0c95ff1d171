"""The quick ways to construct a model do what the one that attrs wrote does, and nothing else."""

from __future__ import annotations

import copy
import functools
import inspect
import pickle
from collections.abc import Callable
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot_v2.features.brokerages.core import construct
from bot_v2.features.brokerages.core import interfaces as api
from bot_v2.features.brokerages.core.fast_init import quicken
from bot_v2.features.brokerages.core.fields import recipe_of
from tests.unit.core.model_examples import EXAMPLES, order
from tests.unit.core.test_fast_fields import VALUES

# To type checkers this is functools.partial, which asks for a class that they know.
partial: Any = construct.partial

by_kind = pytest.mark.parametrize("example", EXAMPLES, ids=lambda each: type(each).__name__)


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


@given(st.sampled_from(EXAMPLES), st.data())
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
    quicken(Odd, recipe_of(Odd))
    assert Odd.__init__ is before
    assert isinstance(partial(Odd), functools.partial)


@given(st.sampled_from(EXAMPLES), st.data())
def test_a_bound_model_takes_and_refuses_what_the_model_does(
    example: Any, data: st.DataObject
) -> None:
    """Whatever is bound and given, the object or the error is the one of functools.partial."""
    kind = type(example)
    names = st.sampled_from([field.name for field in attrs.fields(kind)])
    changes = data.draw(st.dictionaries(names, st.sampled_from(VALUES), max_size=3))
    left_out = data.draw(st.sets(names, max_size=2))
    given_to = {
        name: value
        for name, value in {**arguments_of(example), **changes}.items()
        if name not in left_out
    }
    bound_names = data.draw(st.sets(names, max_size=3)) & set(given_to)
    bound = {name: given_to[name] for name in bound_names}
    overridden = data.draw(st.booleans())
    called_with = {
        name: value for name, value in given_to.items() if overridden or name not in bound
    }
    positional: tuple[Any, ...] = data.draw(st.sampled_from(((), ("first",), ("first", 2))))
    ours = outcome_of(lambda: partial(kind, **bound)(*positional, **called_with))
    plain: Any = functools.partial
    theirs = outcome_of(lambda: plain(kind, **bound)(*positional, **called_with))
    # A wrong call is told in other words where there are several mistakes in it.
    assert ours[0] is theirs[0]
    assert ours == theirs or (ours[0] is TypeError and positional)


@by_kind
def test_a_bound_model_is_quick(example: Any) -> None:
    """Each model is made by a compiled function, and not by way of the class."""
    kind = type(example)
    made = partial(kind)(**arguments_of(example))
    assert type(made) is kind
    assert made == example
    assert not isinstance(partial(kind), functools.partial)


def test_a_keyword_that_no_model_has_is_refused() -> None:
    """A field that does not exist is an error where it is bound, and where it is given."""
    for call in (partial(api.Fee, amont=1), lambda: partial(api.Fee)(amont=1)):
        with pytest.raises(TypeError, match="amont"):
            call()
