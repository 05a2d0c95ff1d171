"""A quick yes for a model whose fields are surely right, compiled from the types it declares.

Models are constructed for every message of a broker, so the common case has to be cheap. The
compiled function may say no to a value that is right (a subclass of Decimal, a tuple with members);
the full check then decides. It never says yes to one that is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from types import NoneType
from typing import Any, Final, TypeAlias, get_args, get_origin

SurelyValid: TypeAlias = Callable[[object], bool]
"""True: every field is right. False: the full check has to look."""

_SURE: Final[dict[object, str]] = {
    # declared type: an expression that is true only of values that are right
    Decimal: "{v}.__class__ is Decimal and {v}.is_finite()",
    datetime: "{v}.__class__ is datetime and {v}.tzinfo is UTC",
    str: "{v}.__class__ is str and {v}",
    bool: "{v}.__class__ is bool",
    int: "{v}.__class__ is int",
}
_ZERO: Final = Decimal(0)
_TEXT_OR_EMPTY: Final = "{v}.__class__ is str"
_SCALARS: Final = frozenset({*_SURE, float})


def compile_surely_valid(declared: Mapping[str, Any], may_be_empty: frozenset[str]) -> SurelyValid:
    """Return the quick check of a model.

    Args:
        declared: the type of each field, by name.
        may_be_empty: the text fields for which an empty text is right.
    """
    names: dict[str, object] = {}
    lines = ["def surely_valid(model):"]
    for field, kind in declared.items():
        sure = sure_expression(kind, "v", names, may_be_empty=field in may_be_empty)
        lines.append(f"    v = model.{field}")
        lines.append(f"    if not ({sure}): return False")
    lines.append("    return True")
    # The source is made of field names and of the expressions above, never of data.
    exec("\n".join(lines), names)  # noqa: S102
    compiled: SurelyValid = names["surely_valid"]  # type: ignore[assignment]  # exec defined it
    return compiled


def sure_expression(
    declared: Any,
    variable: str,
    names: dict[str, object],
    *,
    may_be_empty: bool = False,
    bound: str = "",
) -> str:
    """Return an expression on a variable that is true only if its value is right.

    Args:
        declared: the type that the value is declared to be of.
        variable: the name of the variable.
        names: what the expression speaks of; what it needs is added.
        may_be_empty: whether an empty text is right.
        bound: what a number is compared with, where it is given, such as `> 0`.
    """
    if may_be_empty:
        return _TEXT_OR_EMPTY.format(v=variable)
    if declared in _SURE:
        names.update(Decimal=Decimal, datetime=datetime, UTC=UTC, zero=_ZERO)
        # To compare a Decimal with a Decimal is quicker than with an int.
        within = f" and {variable} {bound.replace('0', 'zero')}" if bound else ""
        return _SURE[declared].format(v=variable) + within
    arguments = get_args(declared)
    if NoneType in arguments:
        (inner,) = (each for each in arguments if each is not NoneType)
        return f"{variable} is None or ({sure_expression(inner, variable, names, bound=bound)})"
    if get_origin(declared) is tuple:
        return f"{variable} == ()" + _or_tuple_of(arguments[0], variable, names)
    if isinstance(declared, type) and declared is not float:
        return f"{variable}.__class__ is {_name_for(declared, names)}"
    return "False"


def _or_tuple_of(item: Any, variable: str, names: dict[str, object]) -> str:
    """Return what else is right than an empty tuple: one with members of exactly that class."""
    if not isinstance(item, type) or item in _SCALARS:
        return ""
    kind = _name_for(item, names)
    one = f"len({variable}) == 1 and {variable}[0].__class__ is {kind}"
    every = f"all([member.__class__ is {kind} for member in {variable}])"
    return f" or ({variable}.__class__ is tuple and ({one} or {every}))"


def _name_for(kind: type, names: dict[str, object]) -> str:
    """Return how the expressions call a class."""
    known = (name for name, value in names.items() if value is kind)
    name = next(known, f"kind_{len(names)}")
    names[name] = kind
    return name
