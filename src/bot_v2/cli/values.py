"""Text from the command line to exact values: bad input is refused by the option's name."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import TypeVar

from bot_v2.features.brokerages.core.decimals import decimal_from_text
from bot_v2.features.brokerages.core.errors import InvalidFieldError

_E = TypeVar("_E", bound=StrEnum)

OTHER = "other"
"""The member of some enums that appears in reads only."""


def decimal_of(option: str, text: str | None) -> Decimal | None:
    """Return the number exactly as it was typed; None where the option was not given.

    Raises:
        InvalidFieldError: it is no finite number; names the option.
    """
    return None if text is None else decimal_from_text(text, option)


def seconds_of(option: str, text: str) -> float:
    """Return a duration in seconds.

    Raises:
        InvalidFieldError: it is no number above zero; names the option.
    """
    value = decimal_from_text(text, option)
    if value <= 0:
        raise InvalidFieldError(option, text, "seconds, above zero")
    return float(value)


def choices_of(kind: type[StrEnum]) -> list[str]:
    """Return the values that a caller may ask for."""
    return [member.value for member in kind if member.value != OTHER]


def choice_of(option: str, text: str | None, kind: type[_E]) -> _E | None:
    """Return an enum's member by its value, in any case, with - or _; None where not given.

    Raises:
        InvalidFieldError: there is none; names the option and what there is.
    """
    if text is None:
        return None
    value = text.strip().lower().replace("-", "_")
    if value not in choices_of(kind):
        raise InvalidFieldError(option, text, ", ".join(choices_of(kind)))
    return kind(value)


def moment_of(option: str, text: str | None) -> datetime | None:
    """Return a moment in UTC; None where not given.

    Raises:
        InvalidFieldError: it is no ISO 8601 time, or has no zone; names the option.
    """
    if text is None:
        return None
    accepted = "an ISO 8601 time with its zone, such as 2026-03-02T14:30:00Z"
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidFieldError(option, text, accepted) from error
    if moment.tzinfo is None:
        raise InvalidFieldError(option, text, accepted)
    return moment.astimezone(UTC)


def pairs_of(option: str, texts: Iterable[str]) -> dict[str, str]:
    """Return what KEY=VALUE options say.

    Raises:
        InvalidFieldError: one has no key, no `=`, or a key that was given before.
    """
    pairs: dict[str, str] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not (key and equals) or key in pairs:
            raise InvalidFieldError(option, text, "KEY=VALUE, each key once")
        pairs[key] = value
    return pairs
