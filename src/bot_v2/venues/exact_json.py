"""JSON without floats: decimals leave digit for digit, and numbers arrive as decimals."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

import msgspec

_ENCODER: Final = msgspec.json.Encoder(decimal_format="number")


def to_json(value: object) -> bytes:
    """Return a value as JSON; a Decimal becomes a number with all its digits."""
    return _ENCODER.encode(value)


def object_from_json(content: bytes) -> Mapping[str, Any]:
    """Return the object that a request's body is; an empty body is an empty one.

    Raises:
        ValueError: it is something else.
    """
    if not content.strip():
        return {}
    value: object = json.loads(content, parse_float=Decimal)
    if not isinstance(value, dict):
        raise ValueError("the body is no JSON object")
    return value
