"""A quick `__init__` for the models, compiled when a model's first object is constructed.

attrs fills a frozen object one `object.__setattr__` at a time, which costs more than all the checks
of an order together. This one fills the object while it is of a twin class that has the same slots
and is not frozen, and changes nothing else: signature, defaults and converters are those that attrs
read, and `__attrs_post_init__` decides as ever what is accepted.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from typing import Any, Final

import attrs

_SOURCE: Final = """
def __init__(self, {parameters}):
    if self.__class__ is not kind:
        return attrs_init(self, {arguments})
    become(self, "__class__", twin)
    {assignments}
    self.__class__ = kind
    check(self)
"""


def quicken(kind: type[Any]) -> None:
    """Give an attrs model the quick `__init__`, or leave it as it is where that would not do.

    Args:
        kind: a frozen model with slots and an `__attrs_post_init__`.
    """
    fields: tuple[attrs.Attribute[Any], ...] = attrs.fields(kind)
    twin = _twin_of(kind)
    if twin is None or not all(map(_is_plain, fields)) or "__init__" not in vars(kind):
        return
    names: dict[str, object] = {
        "kind": kind,
        "twin": twin,
        "attrs_init": kind.__init__,
        "become": object.__setattr__,
        "check": kind.__attrs_post_init__,
    }
    for field in fields:
        names[f"default_{field.name}"] = field.default
        names[f"convert_{field.name}"] = field.converter
    positional = [field for field in fields if not field.kw_only]
    by_keyword = [field for field in fields if field.kw_only]
    star = ["*"] if by_keyword else []
    parameters = [*map(_parameter, positional), *star, *map(_parameter, by_keyword)]
    source = _SOURCE.format(
        parameters=", ".join(parameters),
        arguments=", ".join(f"{field.name}={field.name}" for field in fields),
        assignments="; ".join(map(_assignment, fields)),
    )
    # The source is made of field names, never of data.
    exec(source, names)  # noqa: S102
    compiled: Callable[..., None] = names["__init__"]  # type: ignore[assignment]  # exec defined it
    kind.__init__ = update_wrapper(compiled, kind.__init__)


def _twin_of(kind: type[Any]) -> type[Any] | None:
    """Return a class whose objects can become objects of the model. None: there is none."""
    if attrs.fields(kind) and kind.__base__ is not None and "__slots__" in vars(kind):
        space = {"__slots__": kind.__slots__, "__setattr__": object.__setattr__}
        twin: type[Any] = type(kind.__name__, (kind.__base__,), space)
        try:
            object.__new__(twin).__class__ = kind
        except TypeError:
            return None
        return twin
    return None


def _is_plain(field: attrs.Attribute[Any]) -> bool:
    """Whether a field is set from an argument of its name, converted by a function at most."""
    has_factory = isinstance(field.default, attrs.Factory)  # type: ignore[arg-type]  # it is a class
    takes_self = isinstance(field.converter, attrs.Converter)
    is_validated = field.validator is not None
    return (
        field.init and field.alias == field.name and not (has_factory or takes_self or is_validated)
    )


def _parameter(field: attrs.Attribute[Any]) -> str:
    if field.default is attrs.NOTHING:
        return field.name
    return f"{field.name}=default_{field.name}"


def _assignment(field: attrs.Attribute[Any]) -> str:
    value = field.name if field.converter is None else f"convert_{field.name}({field.name})"
    return f"self.{field.name} = {value}"
