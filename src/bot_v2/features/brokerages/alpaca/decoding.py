"""Bytes to typed wire records: numbers as printed, moments in UTC. Pure.

Numbers and moments are read by the JSON decoder itself, which is what makes it quick. It takes
"NaN" for a number: every model refuses what is not finite. It also takes "1_000".
"""

from __future__ import annotations

from collections.abc import Hashable
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import Annotated, Any, Final, TypeAlias, TypeVar, cast

import msgspec

_T = TypeVar("_T")

ZERO: Final = Decimal(0)


class MalformedError(ValueError):
    """What the broker sent is not what it documents."""


Moment: TypeAlias = Annotated[datetime, msgspec.Meta(tz=True)]
"""A moment with a zone, in a wire record; it is read to the nearest microsecond."""


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
        return _decode(body, kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedError(f"not a {getattr(kind, '__name__', kind)}: {error}") from error


def _decode(body: bytes, kind: type[_T]) -> _T:
    try:
        decoded: _T = _decoder(cast("Hashable", kind)).decode(body)
    except msgspec.ValidationError:
        # An empty text stands for no number and no moment, too: that is not what decoders expect.
        return msgspec.convert(_without_empty(_UNTYPED.decode(body)), kind)
    return decoded


_UNTYPED: Final = msgspec.json.Decoder(float_hook=Decimal)


def _without_empty(told: Any) -> Any:
    """Return what was told without the fields in which nothing is."""
    if isinstance(told, dict):
        return {name: _without_empty(value) for name, value in told.items() if value != ""}
    return [_without_empty(value) for value in told] if isinstance(told, list) else told


def in_utc(moment: datetime) -> datetime:
    """Return the same moment in UTC.

    Raises:
        MalformedError: it is before the first year, or after the last.
    """
    if moment.tzinfo is UTC:
        return moment
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise MalformedError(f"{moment} is no moment in UTC") from error


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
