"""Bytes to typed wire records, numbers exactly as printed.

Of what comes by the thousand, orders and prices, the JSON decoder itself reads the numbers, digit
for digit, and the moments, to the nearest microsecond. What is not finite it lets pass, and the
models refuse. All else is text in the wire records and read here: Coinbase prints "" where it has
none.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache, lru_cache
from typing import Annotated, Any, Final, TypeAlias, TypeVar, cast

import msgspec

from bot_v2.features.brokerages.core.decimals import decimal_from_text

_T = TypeVar("_T")

ZERO: Final = Decimal(0)
_NO_MOMENT: Final = "0001-01-01"
"""How Coinbase prints a moment that it does not have."""

TRUSTED_MAX: Final = 8192
"""How many of the latest number texts are remembered: most numbers of a list come often."""


class MalformedError(ValueError):
    """What the broker sent is not what it documents."""


Moment: TypeAlias = Annotated[datetime, msgspec.Meta(tz=True)]
"""A moment with a zone, in a wire record."""


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


number: Callable[[str], Decimal] = lru_cache(maxsize=TRUSTED_MAX)(decimal_from_text)
"""Return a number exactly as printed; InvalidFieldError where the text is none."""


def number_or_none(text: str | None) -> Decimal | None:
    """Return a number, or None where none is printed.

    Raises:
        InvalidFieldError: the text is neither empty nor a number.
    """
    return number(text) if text else None


def number_or_zero(text: str | None) -> Decimal:
    """Return a number, or zero where none is printed: of what there is only if it is above zero.

    Raises:
        InvalidFieldError: the text is neither empty nor a number.
    """
    return number(text) if text else ZERO


def positive_or_none(text: str | None) -> Decimal | None:
    """Return a number above zero, or None: Coinbase prints 0 for a size or price that is not set.

    Raises:
        InvalidFieldError: the text is neither empty nor a number.
    """
    value = number_or_none(text)
    return value if value is not None and value > 0 else None


_read_moment: Final = datetime.fromisoformat


def moment(text: str) -> datetime:
    """Return a moment in UTC; digits beyond the microsecond are cut, never rounded up.

    Raises:
        MalformedError: it is no moment, or has no zone.
    """
    try:
        read = _read_moment(text)
        return read if read.tzinfo is UTC else _in_utc(read)
    except (ValueError, OverflowError) as error:
        raise MalformedError(f"{text!r} is no moment with a zone") from error


def _in_utc(read: datetime) -> datetime:
    if read.tzinfo is None:
        raise ValueError("a moment without a zone")
    return read.astimezone(UTC)


def in_utc(when: datetime | None) -> datetime | None:
    """Return a moment of a wire record in UTC; None for one that stands for none.

    Raises:
        MalformedError: it is beyond all time in UTC.
    """
    try:
        return None if when is None or when.year == 1 else when.astimezone(UTC)
    except OverflowError as error:
        raise MalformedError(f"{when} is no moment in UTC") from error


def moment_or_none(text: str | None) -> datetime | None:
    """Return a moment, or None where none is printed.

    Raises:
        MalformedError: it is no moment, or has no zone.
    """
    if not text or (text[0] == "0" and text.startswith(_NO_MOMENT)):
        return None
    return moment(text)


EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def moment_of_seconds(seconds: str | int) -> datetime:
    """Return a moment from whole seconds since 1970.

    Raises:
        MalformedError: it is no moment.
    """
    try:
        return EPOCH + timedelta(seconds=int(seconds))
    except (ValueError, OverflowError) as error:
        raise MalformedError(f"{seconds!r} is no moment in seconds") from error
