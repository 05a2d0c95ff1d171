"""Models to text and back, exactly: what an account file holds of an order is the order."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, TypeVar

from cattrs import Converter

from bot_v2.features.brokerages.core.fields import FrozenMapping

_T = TypeVar("_T")

_TIME: Final = "time"
_DECIMAL: Final = "decimal"


def _extras_to_plain(extras: FrozenMapping) -> dict[str, object]:
    """Tag what JSON has no type for, so that it comes back as what it was."""
    plain: dict[str, object] = {}
    for key, value in extras.items():
        if isinstance(value, Decimal):
            plain[key] = {_DECIMAL: str(value)}
        elif isinstance(value, datetime):
            plain[key] = {_TIME: value.isoformat()}
        else:
            plain[key] = value
    return plain


def _extras_from_plain(plain: dict[str, Any], _: type) -> FrozenMapping:
    extras: dict[str, Any] = {}
    for key, value in plain.items():
        if not isinstance(value, dict):
            extras[key] = value
        elif _DECIMAL in value:
            extras[key] = Decimal(value[_DECIMAL])
        else:
            extras[key] = datetime.fromisoformat(value[_TIME])
    return FrozenMapping(extras)


def _make_converter() -> Converter:
    converter = Converter(omit_if_default=True, forbid_extra_keys=True)
    # str() keeps the exponent, and with it every trailing zero that the market printed.
    converter.register_unstructure_hook(Decimal, str)
    converter.register_structure_hook(Decimal, lambda text, _: Decimal(text))
    converter.register_unstructure_hook(datetime, datetime.isoformat)
    converter.register_structure_hook(datetime, lambda text, _: datetime.fromisoformat(text))
    converter.register_unstructure_hook(date, date.isoformat)
    converter.register_structure_hook(date, lambda text, _: date.fromisoformat(text))
    converter.register_unstructure_hook(timedelta, _timedelta_to_plain)
    converter.register_structure_hook(timedelta, lambda parts, _: timedelta(*parts))
    converter.register_unstructure_hook(FrozenMapping, _extras_to_plain)
    converter.register_structure_hook(FrozenMapping, _extras_from_plain)
    return converter


def _timedelta_to_plain(span: timedelta) -> list[int]:
    return [span.days, span.seconds, span.microseconds]


_CONVERTER: Final = _make_converter()


def to_text(model: object) -> str:
    """Return an attrs model as JSON text; `from_text` is its exact inverse."""
    return json.dumps(_CONVERTER.unstructure(model), separators=(",", ":"))


def from_text(text: str, kind: type[_T]) -> _T:
    """Return the model that the text was made of.

    Raises:
        Exception: the text is none of that kind; which exception is not defined.
    """
    return _CONVERTER.structure(json.loads(text), kind)
