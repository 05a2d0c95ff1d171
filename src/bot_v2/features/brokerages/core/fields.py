"""One check for every field of every model, read from the types the model declares.

Annotations alone check nothing: without this, `Order(price=0.1)` would be accepted and money would
be a float. The check is strict: it converts nothing and rounds nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias, get_args, get_origin, get_type_hints

import attrs

from bot_v2.features.brokerages.core.errors import InvalidFieldError, Outcome
from bot_v2.features.brokerages.core.fast_fields import SurelyValid, compile_surely_valid
from bot_v2.features.brokerages.core.fast_init import Recipe, quicken

if TYPE_CHECKING:
    from bot_v2.shared.types import Metadata, MetadataValue

_ZERO = timedelta(0)
_METADATA_TYPES = (str, int, bool, Decimal, datetime, NoneType)

Refusal: TypeAlias = str
"""What would be accepted, said when a value is not."""

Check: TypeAlias = Callable[[object], "Refusal | None"]
"""None when the value will do, else what would be accepted."""


class FrozenMapping(Mapping[str, "MetadataValue"]):
    """A read-only copy of a mapping of immutable values; picklable, unlike MappingProxyType."""

    __slots__ = ("_items",)

    def __init__(self, items: Metadata | None = None) -> None:
        """Copy the items: a later change of the original does not reach this mapping."""
        self._items: dict[str, MetadataValue] = dict(items or {})

    def __getitem__(self, key: str) -> MetadataValue:
        return self._items[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __repr__(self) -> str:
        return f"{self._items!r}"

    def __reduce__(self) -> tuple[type[FrozenMapping], tuple[dict[str, MetadataValue]]]:
        return (FrozenMapping, (dict(self._items),))

    def __hash__(self) -> int:
        return hash(frozenset(self._items.items()))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Mapping) and dict(self._items) == dict(other)


EMPTY: FrozenMapping = FrozenMapping()


def freeze(items: object) -> FrozenMapping:
    """Return a read-only copy of a mapping of native extras.

    Raises:
        InvalidFieldError: it is no mapping of str to immutable, exact values.
    """
    if type(items) is FrozenMapping:
        return items
    if not isinstance(items, Mapping):
        raise InvalidFieldError("metadata", items, "a mapping of str to immutable values")
    for key, value in items.items():
        if not isinstance(key, str):
            raise InvalidFieldError("metadata", key, "keys of type str")
        if not isinstance(value, _METADATA_TYPES):
            raise InvalidFieldError(
                f"metadata[{key!r}]", value, "str, int, bool, Decimal, datetime or None"
            )
    return FrozenMapping(items) if items else EMPTY


def _decimal(value: object) -> Refusal | None:
    if isinstance(value, Decimal) and value.is_finite():
        return None
    return "a finite Decimal, such as Decimal('1.50'); never a float or an int"


def _datetime(value: object) -> Refusal | None:
    if isinstance(value, datetime) and value.utcoffset() == _ZERO:
        return None
    return "an aware UTC datetime, such as datetime.now(timezone.utc)"


def _date(value: object) -> Refusal | None:
    if isinstance(value, date) and not isinstance(value, datetime):
        return None
    return "a date"


def _text(value: object) -> Refusal | None:
    return None if isinstance(value, str) and value else "a str that is not empty"


def _text_or_empty(value: object) -> Refusal | None:
    return None if isinstance(value, str) else "a str"


def _boolean(value: object) -> Refusal | None:
    return None if isinstance(value, bool) else "True or False"


def _integer(value: object) -> Refusal | None:
    return None if isinstance(value, int) and not isinstance(value, bool) else "an int"


def _seconds(value: object) -> Refusal | None:
    if isinstance(value, float | int) and not isinstance(value, bool) and value - value == 0:
        return None
    return "a finite number of seconds"


_SCALAR_CHECKS: dict[object, Check] = {
    Decimal: _decimal,
    datetime: _datetime,
    date: _date,
    str: _text,
    bool: _boolean,
    int: _integer,
    float: _seconds,
}


def _check_enum(kind: type[Enum]) -> Check:
    accepted = ", ".join(f"{kind.__name__}.{member.name}" for member in kind)

    def check(value: object) -> Refusal | None:
        return None if isinstance(value, kind) else accepted

    return check


def _check_instance(kind: type[object]) -> Check:
    def check(value: object) -> Refusal | None:
        return None if isinstance(value, kind) else f"a {kind.__name__}"

    return check


def _check_tuple(item: Check) -> Check:
    def check(value: object) -> Refusal | None:
        if not isinstance(value, tuple):
            return "a tuple (immutable), not a list"
        refusals = (item(member) for member in value)
        return next((f"a tuple of {refusal}" for refusal in refusals if refusal), None)

    return check


def _check_optional(inner: Check) -> Check:
    def check(value: object) -> Refusal | None:
        if value is None:
            return None
        refusal = inner(value)
        return f"{refusal}; or None" if refusal else None

    return check


def _check_for(declared: Any) -> Check:
    """Return the check for a declared type.

    Raises:
        TypeError: the type is none that a model may declare.
    """
    if declared in _SCALAR_CHECKS:
        return _SCALAR_CHECKS[declared]
    origin, arguments = get_origin(declared), get_args(declared)
    if origin is UnionType or (origin is not None and NoneType in arguments):
        (inner,) = (kind for kind in arguments if kind is not NoneType)
        return _check_optional(_check_for(inner))
    if origin is tuple:
        return _check_tuple(_check_for(arguments[0]))
    if isinstance(declared, type):
        return _check_enum(declared) if issubclass(declared, Enum) else _check_instance(declared)
    raise TypeError(f"a model cannot declare a field of type {declared!r}")


class Model:
    """Base of the models: fields that are checked, and a repr of what was said.

    An order has some thirty fields, most of them None most of the time: the repr leaves out what
    was left at its default. One method for all of them also costs less to import than one that
    attrs compiles for each.
    """

    __slots__ = ()

    _positive: ClassVar[tuple[str, ...]] = ()
    """The fields that have to be above zero, where they are given."""
    _not_negative: ClassVar[tuple[str, ...]] = ()
    """The fields that must not be below zero, where they are given."""

    def __attrs_post_init__(self) -> None:
        """Check each field, then whether they make sense together."""
        check_fields(self)
        require_positive(self, *self._positive)
        require_not_negative(self, *self._not_negative)
        self._check_sense()

    def _check_sense(self) -> None:
        """Check what the types do not say; each field is of its type by now."""

    @classmethod
    def _beyond_types(cls) -> tuple[Callable[[Any], None] | None, dict[str, str]]:
        """Return what checks the sense, if there is anything to check, and the numbers' bounds."""
        bounds = {**dict.fromkeys(cls._positive, "> 0"), **dict.fromkeys(cls._not_negative, ">= 0")}
        return (None if cls._check_sense is Model._check_sense else cls._check_sense), bounds

    def __repr__(self) -> str:
        """The class, and the fields that differ from their defaults, as given to it."""
        kind: type[Any] = type(self)
        fields: tuple[attrs.Attribute[Any], ...] = attrs.fields(kind)
        said = (
            f"{field.name}={value!r}"
            for field in fields
            if (value := getattr(self, field.name)) != field.default
        )
        return f"{kind.__name__}({', '.join(said)})"


def recipe_of(kind: type[Any]) -> Recipe:
    """Return how an attrs class checks its objects."""
    hints = get_type_hints(kind)
    fields: tuple[attrs.Attribute[Any], ...] = attrs.fields(kind)
    declared = {field.name: hints[field.name] for field in fields}
    may_be_empty = frozenset(field.name for field in fields if field.default == "")
    check = getattr(kind, "__attrs_post_init__", None)
    if check is not Model.__attrs_post_init__:
        return Recipe(declared, may_be_empty, check, checks_all=True)
    # A part of Model in all but place: it is for models, and nobody else is to see it on them.
    beyond_types = kind._beyond_types()  # pyright: ignore[reportPrivateUsage]
    return Recipe(declared, may_be_empty, *beyond_types)


_checks_by_model: dict[type, tuple[SurelyValid, tuple[tuple[str, Check], ...]]] = {}


def _learn_checks(model: type) -> tuple[SurelyValid, tuple[tuple[str, Check], ...]]:
    """Read a model's declared types, once: when its first object is constructed."""
    recipe = recipe_of(model)
    checks = tuple(
        (name, _text_or_empty if name in recipe.may_be_empty else _check_for(kind))
        for name, kind in recipe.declared.items()
    )
    learnt = (compile_surely_valid(recipe.declared, recipe.may_be_empty), checks)
    _checks_by_model[model] = learnt
    quicken(model, recipe)
    return learnt


def check_fields(model: object) -> None:
    """Check every field of an attrs model against the type that it declares.

    Raises:
        InvalidFieldError: a field holds what its type does not allow; nothing is built.
    """
    kind = type(model)
    surely_valid, checks = _checks_by_model.get(kind) or _learn_checks(kind)
    if surely_valid(model):
        return
    for name, check in checks:
        value = getattr(model, name)
        refusal = check(value)
        if refusal is not None:
            raise InvalidFieldError(
                f"{kind.__name__}.{name}", value, refusal, outcome=_outcome_of(kind)
            )


def require(model: object, field: str, accepted: str) -> InvalidFieldError:
    """Return the error for a field whose value has the right type but makes no sense."""
    kind = type(model)
    return InvalidFieldError(
        f"{kind.__name__}.{field}", getattr(model, field), accepted, outcome=_outcome_of(kind)
    )


def _outcome_of(model: type) -> Outcome | None:
    """A request that cannot be built was not sent; a reply that cannot be built proves nothing."""
    return Outcome.NOT_SENT if getattr(model, "is_request", False) else None


def require_positive(model: object, *names: str) -> None:
    """Check that fields, where given, are above zero.

    Raises:
        InvalidFieldError: one is zero or less.
    """
    for name in names:
        value = getattr(model, name)
        if value is not None and value <= 0:
            raise require(model, name, "above zero")


def require_not_negative(model: object, *names: str) -> None:
    """Check that fields, where given, are not below zero.

    Raises:
        InvalidFieldError: one is negative.
    """
    for name in names:
        value = getattr(model, name)
        if value is not None and value < 0:
            raise require(model, name, "zero or more")
