"""Faults that many methods can have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import attrs

from bot_v2.features.brokerages.core.errors import (
    BrokerageError,
    OrderOutcomeUnknownError,
)
from tests.contract.broken.entry import Around


def returned(change: Callable[[Any], Any]) -> Around:
    """Change what the method returns."""

    def instead(_: Any, real: Callable[..., Any], *args: Any, **named: Any) -> Any:
        return change(real(*args, **named))

    return instead


def always(value: object) -> Around:
    """Return one thing, and ask nobody."""
    return lambda _, __, *args, **named: value


def on_error(kind: type[BaseException], answer: Callable[[Any], Any]) -> Around:
    """Return an answer, or raise it, where the method raises."""

    def instead(_: Any, real: Callable[..., Any], *args: Any, **named: Any) -> Any:
        try:
            return real(*args, **named)
        except kind as error:
            made = answer(error)
            if isinstance(made, BaseException):
                raise made from error
            return made

    return instead


def swallowed(value: object) -> Around:
    """Return a value where the method raises."""
    return on_error(BrokerageError, lambda _: value)


def raised(error: Callable[[], BaseException]) -> Around:
    """Raise, whatever is asked."""

    def instead(*_: Any, **__: Any) -> Any:
        raise error()

    return instead


def twice(_: Any, real: Callable[..., Any], *args: Any, **named: Any) -> Any:
    """Call the method two times, as a proxy that repeats requests would."""
    real(*args, **named)
    return real(*args, **named)


def retried(_: Any, real: Callable[..., Any], *args: Any, **named: Any) -> Any:
    """Call the method again where the outcome is unknown."""
    try:
        return real(*args, **named)
    except OrderOutcomeUnknownError:
        return real(*args, **named)


def forged(model: Any, **fields: object) -> Any:
    """Return a copy of a model with fields that its constructor would refuse."""
    copy = object.__new__(type(model))
    for field in attrs.fields(type(model)):
        object.__setattr__(copy, field.name, fields.get(field.name, getattr(model, field.name)))
    return copy


def each(change: Callable[[Any], Any]) -> Around:
    """Change every item of the list that the method returns."""
    return returned(lambda items: [change(item) for item in items])


def requested(change: Callable[[Any], Any]) -> Around:
    """Change what is asked before it is sent: the first argument."""

    def instead(_: Any, real: Callable[..., Any], first: Any, *rest: Any, **named: Any) -> Any:
        return real(change(first), *rest, **named)

    return instead


def first(items: Sequence[Any], count: int) -> list[Any]:
    """Return the first few."""
    return list(items[:count])


def sent_with(**changes: Any) -> Around:
    """Send another order than was asked for: some fields are otherwise."""
    return requested(lambda request: attrs.evolve(request, **changes))


def told_with(**fields: Any) -> Around:
    """Return a model with some fields otherwise, whether its constructor would take them or not."""
    return returned(lambda model: forged(model, **fields))


def each_with(**fields: Any) -> Around:
    """Return a list of models with some fields otherwise."""
    return each(lambda model: forged(model, **fields))
