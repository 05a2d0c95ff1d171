"""Core models to and from JSON: exact, strict, and the same after a round trip.

- A Decimal is a string in plain notation with its trailing zeros (`"0.10"`), never a number.
- A datetime is ISO 8601 in UTC (`"2026-03-02T14:30:00.250000Z"`).
- A timedelta is a string of seconds.
- An enum is its value; a tuple is an array; None is null, and every field is written.
- A metadata value that JSON has no type for says its own: `{"$decimal": "1.5"}`.
- An error is an object with its class under `error`, its message, outcome and other facts. A class
  that core does not have is written as the nearest one that it has; the native cause is not kept.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from types import UnionType
from typing import Any, Final, TypeAlias, TypeVar, get_args, get_origin, get_type_hints

from cattrs import Converter
from cattrs.errors import ForbiddenExtraKeysError, StructureHandlerNotFoundError

from bot_v2.features.brokerages.core import errors
from bot_v2.features.brokerages.core.decimals import EXACT, decimal_from_text, decimal_to_text
from bot_v2.features.brokerages.core.errors import (
    BrokerageError,
    InvalidFieldError,
    Outcome,
)
from bot_v2.features.brokerages.core.fields import FrozenMapping

_T = TypeVar("_T")

Plain: TypeAlias = Any
"""What `json.dumps` takes: dict, list, tuple, str, int, float, bool and None."""

_MICROSECOND: Final = timedelta(microseconds=1)


def to_plain(value: object) -> Plain:
    """Return a model, or a list or dict of them, as what `json.dumps` takes."""
    return _converter().unstructure(value)


def to_json(value: object, *, indent: int | None = None) -> str:
    """Return a model, or a list or dict of them, as JSON text in ASCII, which no terminal breaks.

    Args:
        value: what to write.
        indent: spaces per level. None: one line.
    """
    return json.dumps(to_plain(value), indent=indent, allow_nan=False)


def from_plain(data: Plain, model: type[_T]) -> _T:
    """Return the model that `to_plain` was given.

    Args:
        data: what `json.loads` returned.
        model: the class that it was, or BrokerageError.

    Raises:
        InvalidFieldError: a field is missing, unknown, or holds what its type does not allow.
    """
    try:
        return _converter().structure(data, model)
    except InvalidFieldError:
        raise
    except (
        ArithmeticError,
        AttributeError,
        ForbiddenExtraKeysError,
        KeyError,
        StructureHandlerNotFoundError,
        TypeError,
        ValueError,
    ) as error:
        accepted = f"a JSON form of {model.__name__} ({type(error).__name__}: {error})"
        raise InvalidFieldError(model.__name__, data, accepted, outcome=None) from error


def from_json(text: str, model: type[_T]) -> _T:
    """Return the model that `to_json` was given.

    Raises:
        InvalidFieldError: the text is no JSON, or not of this model.
    """
    try:
        data = json.loads(text, parse_constant=_refuse_constant)
    except ValueError as error:
        accepted = f"JSON text ({error})"
        raise InvalidFieldError(model.__name__, text, accepted, outcome=None) from error
    return from_plain(data, model)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")


def datetime_to_text(moment: datetime) -> str:
    """Return ISO 8601 in UTC, with a Z and without superfluous zeros."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _datetime_from_text(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a datetime has a zone, such as a final Z")
    return moment.astimezone(UTC)


def _timedelta_to_text(span: timedelta) -> str:
    return decimal_to_text(Decimal(span // _MICROSECOND).scaleb(-6, EXACT).normalize(EXACT))


def _timedelta_from_text(text: str) -> timedelta:
    microseconds = decimal_from_text(text).scaleb(6, EXACT)
    return timedelta(microseconds=int(microseconds.to_integral_exact(context=EXACT)))


def _read_or_keep(read: Callable[[str], object]) -> Callable[[Any, object], Any]:
    """Return a hook that keeps what it cannot read: the model's check then names the field."""

    def hook(value: Any, _: object) -> Any:
        try:
            return read(value) if isinstance(value, str) else value
        except (ArithmeticError, ValueError):
            return value

    return hook


def _keep(value: Any, _: object) -> Any:
    # Nothing is converted: the model's own check refuses a value of the wrong type.
    return value


def _text_or_member(value: Any, kind: type[str]) -> Any:
    # Every enum of the contract is a StrEnum, which cattrs takes for the text that it is.
    return value if kind is str else _read_or_keep(kind)(value, kind)


_TAGS: Final[dict[str, Callable[[Any], object]]] = {
    "$decimal": decimal_from_text,
    "$datetime": _datetime_from_text,
}


def _mapping_to_plain(items: FrozenMapping) -> Plain:
    return {key: _metadata_to_plain(value) for key, value in items.items()}


def _metadata_to_plain(value: object) -> Plain:
    if isinstance(value, Decimal):
        return {"$decimal": decimal_to_text(value)}
    if isinstance(value, datetime):
        return {"$datetime": datetime_to_text(value)}
    return value


def _mapping_from_plain(data: Any, _: object) -> FrozenMapping:
    return FrozenMapping({key: _metadata_from_plain(value) for key, value in data.items()})


def _metadata_from_plain(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    ((tag, text),) = value.items()
    return _TAGS[tag](text)


def _error_to_plain(error: BrokerageError) -> Plain:
    kind = next(known for known in type(error).__mro__ if known in _ERRORS.values())
    plain: dict[str, Plain] = {"error": kind.__name__}
    for name, declared in _facts_of(kind).items():
        value = getattr(error, name)
        if declared is object and not isinstance(value, str):
            value = repr(value)
        plain[name] = to_plain(value)
    return plain


def _error_from_plain(data: Any, _: object) -> BrokerageError:
    remaining = dict(data)
    name = remaining.pop("error")
    if name not in _ERRORS:
        raise InvalidFieldError("error", name, f"one of {', '.join(sorted(_ERRORS))}", outcome=None)
    kind = _ERRORS[name]
    facts: dict[str, Any] = {
        fact: _converter().structure(remaining.pop(fact), declared)
        for fact, declared in _facts_of(kind).items()
    }
    for fact, declared in _facts_of(kind).items():
        if not isinstance(facts[fact], _types_in(declared)):
            accepted = str(getattr(declared, "__name__", declared))
            raise InvalidFieldError(f"{name}.{fact}", facts[fact], accepted, outcome=None)
    if remaining:
        known = ", ".join(_facts_of(kind))
        raise InvalidFieldError(name, sorted(remaining), f"the facts {known}", outcome=None)
    if (kind is errors.OrderOutcomeUnknownError) is not (facts["outcome"] is Outcome.UNKNOWN):
        accepted = "unknown for OrderOutcomeUnknownError, and for no other"
        raise InvalidFieldError(f"{name}.outcome", facts["outcome"], accepted, outcome=None)
    # Rebuilt by its state, as pickle does: a constructor would compose some messages anew.
    error = kind.__new__(kind)
    error.args = (facts["message"],)
    vars(error).update(facts)
    return error


_ERRORS: Final[dict[str, type[BrokerageError]]] = {
    kind.__name__: kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, BrokerageError)
}


def _types_in(declared: Any) -> tuple[type, ...]:
    members = get_args(declared) if isinstance(declared, UnionType) else (declared,)
    kinds = [get_origin(member) or member for member in members]
    return (*kinds, int) if float in kinds else tuple(kinds)


def _facts_of(kind: type[BrokerageError]) -> dict[str, Any]:
    # Decimal is not imported by core.errors at run time, so that the contract stays light.
    hints = get_type_hints(kind, localns={"Decimal": Decimal})
    return {name: declared for name, declared in hints.items() if name != "default_outcome"}


@cache
def _converter() -> Converter:
    converter = Converter(detailed_validation=False, forbid_extra_keys=True)
    readers: dict[type, tuple[Callable[[Any], Plain], Callable[[str], object]]] = {
        # type: how it is written, how it is read
        Decimal: (decimal_to_text, decimal_from_text),
        timedelta: (_timedelta_to_text, _timedelta_from_text),
        date: (date.isoformat, date.fromisoformat),
        datetime: (datetime_to_text, _datetime_from_text),
    }
    for kind, (write, read) in readers.items():
        converter.register_unstructure_hook(kind, write)
        converter.register_structure_hook(kind, _read_or_keep(read))
    for number in (bool, int, float):
        converter.register_structure_hook(number, _keep)
    converter.register_structure_hook(str, _text_or_member)
    converter.register_structure_hook_func(lambda declared: declared is object, _keep)
    converter.register_unstructure_hook(FrozenMapping, _mapping_to_plain)
    converter.register_structure_hook(FrozenMapping, _mapping_from_plain)
    converter.register_unstructure_hook(BrokerageError, _error_to_plain)
    converter.register_structure_hook(BrokerageError, _error_from_plain)
    return converter
