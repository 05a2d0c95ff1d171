"""JSON whose numbers are exact: a Decimal is printed digit for digit, and never as a float."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TypeGuard


def _is_object(value: object) -> TypeGuard[Mapping[str, object]]:
    return isinstance(value, Mapping)


def _is_list(value: object) -> TypeGuard[Sequence[object]]:
    return isinstance(value, list | tuple)


def to_json(value: object) -> str:
    """Return a value as JSON.

    Raises:
        TypeError: it holds a float, or something else that has no exact form.
    """
    if isinstance(value, Decimal):
        return format(value, "f")
    if value is None or isinstance(value, str | bool | int):
        return json.dumps(value)
    if _is_object(value):
        members = (f"{json.dumps(key)}:{to_json(member)}" for key, member in value.items())
        return "{" + ",".join(members) + "}"
    if _is_list(value):
        return "[" + ",".join(to_json(member) for member in value) + "]"
    raise TypeError(f"{type(value).__name__} has no exact JSON")


def object_from_json(content: bytes) -> Mapping[str, object]:
    """Return the object that a request's body is; an empty body is an empty one.

    Raises:
        ValueError: it is something else.
    """
    value: object = json.loads(content) if content else {}
    if not _is_object(value):
        raise ValueError("the body is no object")
    return value
