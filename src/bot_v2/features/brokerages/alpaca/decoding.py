"""Bytes to typed wire records: numbers as printed, moments in UTC. Pure.

Numbers and moments are read by the JSON decoder itself, which is what makes it quick. It takes
"NaN" for a number: every model refuses what is not finite.
"""

from __future__ import annotations

from collections.abc import Hashable
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import Any, Final, TypeVar, cast

import msgspec

_T = TypeVar("_T")

ZERO: Final = Decimal(0)


class MalformedError(ValueError):
    """What the broker sent is not what it documents."""


class Wire(msgspec.Struct, gc=False, kw_only=True):
    """Base of the wire records: only the fields that are needed; all others are passed over."""


@cache
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)


def decode(body: bytes, kind: type[_T]) -> _T:
    """Return a wire record, or a list of them, from JSON.

    Raises:
        MalformedError: it is no JSON, or not of that kind.
    """
    try:
        decoded: _T = _decoder(cast("Hashable", kind)).decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedError(f"not a {getattr(kind, '__name__', kind)}: {error}") from error
    return decoded


def in_utc(moment: datetime) -> datetime:
    """Return the same moment in UTC.

    Raises:
        MalformedError: it has no zone.
    """
    if moment.tzinfo is UTC:
        return moment
    if moment.tzinfo is None:
        raise MalformedError(f"{moment} is a moment without a zone")
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise MalformedError(f"{moment} is no moment in UTC") from error


def in_utc_or_none(moment: datetime | None) -> datetime | None:
    """Return the same moment in UTC, or None where none is told.

    Raises:
        MalformedError: it has no zone.
    """
    return None if moment is None else in_utc(moment)


def positive_or_none(value: Decimal | None) -> Decimal | None:
    """Return a number above zero, or None: Alpaca prints 0 for a price that there is not.

    Raises:
        MalformedError: it is no finite number.
    """
    if value is None:
        return None
    if not value.is_finite():
        raise MalformedError(f"{value} is no finite number")
    return value if value > ZERO else None
