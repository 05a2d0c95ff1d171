"""The JSON Schema of `brokers.json`, written from the models themselves.

`python -m bot_v2.orchestration.configuration.schema > docs/brokers.schema.json` writes it; a test
keeps the two the same.
"""

from __future__ import annotations

import ast
import inspect
import json
import sys
import textwrap
from collections.abc import Callable
from itertools import pairwise
from typing import Any, Final

import attrs

from bot_v2.features.brokerages.core.capabilities import Capability
from bot_v2.features.brokerages.core.products import MarketType
from bot_v2.orchestration.configuration.model import (
    BrokerEntry,
    DeskSettings,
    RiskSettings,
    RouteSettings,
)
from bot_v2.orchestration.configuration.names import NAME
from bot_v2.orchestration.credentials.opening import DEFAULT_STORES

_NOT_EMPTY: Final = {"type": "string", "pattern": r"\S"}
_FRACTION: Final = {
    "anyOf": [
        {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
        {"type": "string", "pattern": r"^(?:0?\.\d+|1(?:\.0*)?|\d*\.?\d+[eE]-\d+)$"},
        {"type": "null"},
    ]
}

_KINDS: Final[dict[str, Callable[[], dict[str, Any]]]] = {
    # the type of a field, as it is written in the model: what JSON has for it
    "str": lambda: dict(_NOT_EMPTY),
    "bool": lambda: {"type": "boolean"},
    "str | None": lambda: {"anyOf": [_NOT_EMPTY, {"type": "null"}]},
    "int | None": lambda: {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}]},
    "Decimal": lambda: {
        "anyOf": [
            {"type": "number", "exclusiveMinimum": 0},
            {"type": "string", "pattern": r"^\d*\.?\d+(?:[eE][+-]?\d+)?$"},
        ]
    },
    "tuple[RouteSettings, ...]": lambda: {
        "type": "array",
        "items": {"$ref": "#/$defs/RouteSettings"},
    },
    "Decimal | None": lambda: dict(_FRACTION),
    "tuple[str, ...] | None": lambda: {
        "anyOf": [{"type": "array", "items": _NOT_EMPTY}, {"type": "null"}]
    },
    "RiskSettings": lambda: {"$ref": "#/$defs/RiskSettings"},
    "Mapping[str, BrokerEntry]": lambda: {
        "type": "object",
        "propertyNames": {"pattern": f"^{NAME.pattern}$"},
        "additionalProperties": {"$ref": "#/$defs/BrokerEntry"},
    },
}

_STORES: Final = {
    "anyOf": [
        {
            "type": "array",
            "items": {"enum": list(DEFAULT_STORES)},
            "uniqueItems": True,
            "minItems": 1,
        },
        {"type": "null"},
    ]
}


def schema() -> dict[str, Any]:
    """Return the schema, draft 2020-12. Which types there are is not in it: packages add some."""
    entry = _object(BrokerEntry, required=["type"])
    del entry["properties"]["settings"]
    entry["additionalProperties"] = {"type": ["string", "number", "boolean"]}
    desk = _object(DeskSettings)
    desk["properties"]["credential_stores"] |= _STORES
    desk["properties"] = {"$schema": {"type": "string"}, **desk["properties"]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "brokers.json of bot_v2",
        **desk,
        "$defs": {
            "BrokerEntry": entry,
            "RiskSettings": _object(RiskSettings),
            "RouteSettings": _routes(),
        },
    }


def _routes() -> dict[str, Any]:
    made = _object(RouteSettings, required=["broker"])
    for name, known in (("market_types", MarketType), ("capabilities", Capability)):
        made["properties"][name]["anyOf"][0] = {"type": "array", "items": {"enum": [*known]}}
    return made


def to_text() -> str:
    """Return the schema as the file has it."""
    return json.dumps(schema(), indent=2) + "\n"


def _object(model: type[Any], required: list[str] | None = None) -> dict[str, Any]:
    said = _docstrings(model)
    # As they are written: attrs replaces its own copy of them by what they mean.
    written = inspect.get_annotations(model)
    properties = {}
    for field in attrs.fields(model):
        kind = _KINDS.get(written[field.name], dict)
        properties[field.name] = {"description": said[field.name], **kind()}
    made: dict[str, Any] = {
        "type": "object",
        "description": " ".join((model.__doc__ or "").split()),
    }
    if required:
        made["required"] = required
    return {**made, "properties": properties, "additionalProperties": False}


def _docstrings(model: type[Any]) -> dict[str, str]:
    """Return what is said under each field of a model, where Python itself does not keep it."""
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(model))).body
    found = {}
    body = tree.body if isinstance(tree, ast.ClassDef) else []
    for field, said in pairwise(body):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(said, ast.Expr)
            and isinstance(said.value, ast.Constant)
        ):
            found[field.target.id] = " ".join(str(said.value.value).split())
    return found


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8", newline="\n")  # type: ignore[union-attr]  # stdout is a TextIOWrapper when run as a program
    sys.stdout.write(to_text())
