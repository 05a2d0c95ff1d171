"""A quick way to construct the models, compiled from what a model declares.

attrs fills a frozen object one `object.__setattr__` at a time, which costs more than all the checks
of an order together. The functions made here look at the arguments, fill an object of a twin class
that has the same slots and is not frozen, and make it one of the model. They say yes only to what
is surely right; of anything else the `__init__` that attrs wrote, and the full check, decide.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import update_wrapper
from typing import Any, Final

import attrs

from bot_v2.features.brokerages.core.fast_fields import sure_expression

_INIT: Final = """
def made(self, {parameters}):
    if self.__class__ is not kind or not ({surely_right}):
        return attrs_init(self, {by_name})
    become(self, "__class__", twin)
    {assignments}
    self.__class__ = kind
    {check}
"""

# Python looks up the default of each keyword-only argument in a mapping. Here they are ordinary
# ones, and the first takes what was given by position, so that the class can refuse it.
_MAKE: Final = """
def made({parameters}):
    if {by_position}not ({surely_right}):
        return slow({given})
    self = twin()
    {assignments}
    self.__class__ = kind
    {check}
    return self
"""

_FIRST: Final = "by_position"
_NOTHING: Final = object()
"""What an argument is that was not given and has no default."""


@attrs.frozen
class Recipe:
    """What an object of a model is made and checked by."""

    declared: Mapping[str, Any]
    """The type of each field, by name."""
    may_be_empty: frozenset[str]
    """The text fields for which an empty text is right."""
    check: Callable[[Any], None] | None
    """What is left to check when each field is right. None: nothing."""
    bounds: Mapping[str, str] = {}
    """By field: what its value is compared with, where it is given, such as `> 0`."""
    checks_all: bool = False
    """True: `check` looks at each field itself, as it may change one first."""


def quicken(kind: type[Any], recipe: Recipe) -> None:
    """Give a frozen attrs class with slots the quick `__init__`, where that would do."""
    fields: tuple[attrs.Attribute[Any], ...] = attrs.fields(kind)
    twin = _twin_of(kind)
    if twin is None or "__init__" not in vars(kind):
        return
    positional = [_parameter(field) for field in fields if not field.kw_only]
    by_keyword = [_parameter(field) for field in fields if field.kw_only]
    names: dict[str, object] = {f"default_{field.name}": field.default for field in fields}
    names |= {"kind": kind, "twin": twin, "become": object.__setattr__}
    names["attrs_init"] = kind.__init__
    quick = _compile(
        _INIT,
        recipe,
        fields,
        names,
        parameters=", ".join([*positional, *(["*"] if by_keyword else []), *by_keyword]),
        by_name=", ".join(f"{field.name}={field.name}" for field in fields),
    )
    kind.__init__ = update_wrapper(quick, kind.__init__)


def maker_of(
    kind: type[Any], recipe: Recipe, bound: Mapping[str, object]
) -> Callable[..., Any] | None:
    """Return a function that makes what the class makes of the same arguments, or None.

    Args:
        kind: a frozen attrs class with slots.
        recipe: how it checks its objects.
        bound: what the arguments of these names are where the call does not give them.
    """
    fields: tuple[attrs.Attribute[Any], ...] = attrs.fields(kind)
    fields_by_name = {field.name: field for field in fields}
    twin = _twin_of(kind)
    has_plain_binding = all(
        name in fields_by_name and fields_by_name[name].converter is None for name in bound
    )
    is_by_keyword = all(field.kw_only for field in fields)
    # What is bound by name and given by position is given twice: functools.partial says so.
    is_by_position = not bound and not any(field.kw_only for field in fields)
    if twin is None or not has_plain_binding or not (is_by_keyword or is_by_position):
        return None
    names: dict[str, object] = {f"default_{_FIRST}": _NOTHING, "kind": kind, "twin": twin}
    for field in fields:
        default = _NOTHING if field.default is attrs.NOTHING else field.default
        names[f"default_{field.name}"] = bound.get(field.name, default)

    def slow(*given: object) -> Any:
        first = given[: len(given) - len(fields)]
        by_name = zip(fields_by_name, given[len(first) :], strict=True)
        return kind(
            *(value for value in first if value is not _NOTHING),
            **{name: value for name, value in by_name if value is not _NOTHING},
        )

    names["slow"] = slow
    arguments = [*([_FIRST] if is_by_keyword else []), *fields_by_name]
    return _compile(
        _MAKE,
        recipe,
        fields,
        names,
        parameters=", ".join(f"{name}=default_{name}" for name in arguments),
        by_position=f"{_FIRST} is not default_{_FIRST} or " if is_by_keyword else "",
        given=", ".join(arguments),
    )


def _compile(
    source: str,
    recipe: Recipe,
    fields: tuple[attrs.Attribute[Any], ...],
    names: dict[str, object],
    **parts: str,
) -> Callable[..., Any]:
    """Return the function that a template becomes for a model."""
    names["check"], names["nothing"] = recipe.check, _NOTHING
    for field in fields:
        names[f"convert_{field.name}"] = field.converter
    text = source.format(
        surely_right=_surely_right(fields, recipe, names),
        assignments="; ".join(f"self.{field.name} = {field.name}" for field in fields),
        check="check(self)" if recipe.check else "pass",
        **parts,
    )
    # The source is made of field names and of expressions on them, never of data.
    exec(text, names)  # noqa: S102
    made: Callable[..., Any] = names["made"]  # type: ignore[assignment]  # exec defined it
    return made


def _surely_right(
    fields: tuple[attrs.Attribute[Any], ...], recipe: Recipe, names: dict[str, object]
) -> str:
    """Return an expression on the arguments that is true only if each of them is right.

    What has a converter is converted when all that come before are right, as attrs would not get
    as far otherwise.
    """
    first: list[str] = []
    converted: list[str] = []
    for field in fields:
        name = field.name
        if recipe.checks_all:
            sure = f"{name} is not nothing" if field.default is attrs.NOTHING else "True"
        else:
            sure = sure_expression(
                recipe.declared[name],
                name,
                names,
                may_be_empty=name in recipe.may_be_empty,
                bound=recipe.bounds.get(name, ""),
            )
        if field.converter is None:
            first.append(f"({sure})")
        else:
            converted.append(_conversion(field, sure))
    return " and ".join([*first, *converted])


def _conversion(field: attrs.Attribute[Any], sure: str) -> str:
    """Return an expression that converts an argument, and is true if it is right then."""
    name = field.name
    convert: Any = field.converter
    expression = f"((({name} := convert_{name}({name})) is not nothing) and ({sure}))"
    # A default that the converter leaves as it is need not be converted each time.
    is_settled = field.default is not attrs.NOTHING and convert(field.default) is field.default
    return f"({name} is default_{name} or {expression})" if is_settled else expression


def _parameter(field: attrs.Attribute[Any]) -> str:
    if field.default is attrs.NOTHING:
        return field.name
    return f"{field.name}=default_{field.name}"


def _is_plain(field: attrs.Attribute[Any]) -> bool:
    """Whether a field is set from an argument of its name, converted by a function at most."""
    has_factory = isinstance(field.default, attrs.Factory)  # type: ignore[arg-type]  # it is a class
    takes_self = isinstance(field.converter, attrs.Converter)
    is_validated = field.validator is not None
    return (
        field.init and field.alias == field.name and not (has_factory or takes_self or is_validated)
    )


def _twin_of(kind: type[Any]) -> type[Any] | None:
    """Return a class whose objects can become objects of the model. None: there is none."""
    fields: tuple[attrs.Attribute[Any], ...] = attrs.fields(kind)
    if not fields or not all(map(_is_plain, fields)):
        return None
    if kind.__base__ is None or "__slots__" not in vars(kind):
        return None
    space = {"__slots__": kind.__slots__, "__setattr__": object.__setattr__}
    twin: type[Any] = type(kind.__name__, (kind.__base__,), space)
    try:
        object.__new__(twin).__class__ = kind
    except TypeError:
        return None
    return twin
