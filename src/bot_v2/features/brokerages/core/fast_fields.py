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

_TEXT: Final = "v.__class__ is str"
_SURE: Final[dict[object, str]] = {
    # declared type: an expression on v that is true only of values that are right
    Decimal: "v.__class__ is Decimal and v.is_finite()",
    datetime: "v.__class__ is datetime and v.tzinfo is UTC",
    str: f"{_TEXT} and v",
    bool: "v.__class__ is bool",
    int: "v.__class__ is int",
}


_SCALARS: Final = frozenset({*_SURE, float})


def compile_surely_valid(declared: Mapping[str, Any], may_be_empty: frozenset[str]) -> SurelyValid:
    """Return the quick check of a model.

    Args:
        declared: the type of each field, by name.
        may_be_empty: the text fields for which an empty text is right.
    """
    names: dict[str, object] = {"Decimal": Decimal, "datetime": datetime, "UTC": UTC}
    lines = ["def surely_valid(model):"]
    for number, (field, kind) in enumerate(declared.items()):
        sure = _TEXT if field in may_be_empty else _expression(kind, f"kind_{number}", names)
        lines.append(f"    v = model.{field}")
        lines.append(f"    if not ({sure}): return False")
    lines.append("    return True")
    # The source is made of field names and of the expressions above, never of data.
    exec("\n".join(lines), names)  # noqa: S102
    compiled: SurelyValid = names["surely_valid"]  # type: ignore[assignment]  # exec defined it
    return compiled


def _expression(declared: Any, name: str, names: dict[str, object]) -> str:
    if declared in _SURE:
        return _SURE[declared]
    arguments = get_args(declared)
    if NoneType in arguments:
        (inner,) = (each for each in arguments if each is not NoneType)
        return f"v is None or ({_expression(inner, name, names)})"
    if get_origin(declared) is tuple:
        item = arguments[0]
        if isinstance(item, type) and item not in _SCALARS:
            names[name] = item
            one = f"len(v) == 1 and v[0].__class__ is {name}"
            every = f"all([member.__class__ is {name} for member in v])"
            return f"v == () or (v.__class__ is tuple and ({one} or {every}))"
        return "v == ()"
    if isinstance(declared, type) and declared is not float:
        names[name] = declared
        return f"v.__class__ is {name}"
    return "False"
