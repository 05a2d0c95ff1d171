"""Replies, and typed reading of them: what is not as documented is said, never guessed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import NoReturn, TypeGuard

import attrs

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


class NotSentError(Exception):
    """The call failed before a byte of it left this process. `__cause__` says how."""


class MaybeSentError(Exception):
    """The call failed after bytes may have left: nobody knows what came of it."""


@attrs.frozen
class Reply:
    """What the broker answered."""

    status: int
    retry_after_s: float | None
    body: bytes

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300


class MalformedError(ValueError):
    """What the broker sent is not what it documents."""


def _is_object(value: object) -> TypeGuard[Mapping[str, object]]:
    return isinstance(value, dict)


def _is_list(value: object) -> TypeGuard[list[object]]:
    return isinstance(value, list)


class Fields:
    """The fields of one JSON object."""

    def __init__(self, value: object) -> None:
        """Wrap a decoded value.

        Raises:
            MalformedError: it is no object.
        """
        if not _is_object(value):
            raise MalformedError(f"an object was expected, not a {type(value).__name__}")
        self._value = value

    def is_null(self, name: str) -> bool:
        """Whether a field is absent or null."""
        return self._value.get(name) is None

    def text(self, name: str) -> str:
        """Return a text that is not empty."""
        value = self._value.get(name)
        if not isinstance(value, str) or not value:
            raise MalformedError(f"{name} is {value!r}, not a text")
        return value

    def text_or_none(self, name: str) -> str | None:
        """Return a text, or None for null."""
        return None if self.is_null(name) else self.text(name)

    def decimal(self, name: str) -> Decimal:
        """Return a number, exactly as printed."""
        value = self._value.get(name)
        if not isinstance(value, Decimal):
            raise MalformedError(f"{name} is {value!r}, not a number")
        return value

    def decimal_or_none(self, name: str) -> Decimal | None:
        """Return a number, or None for null."""
        return None if self.is_null(name) else self.decimal(name)

    def integer(self, name: str) -> int:
        """Return a whole number."""
        value = self.decimal(name)
        if value != value.to_integral_value():
            raise MalformedError(f"{name} is {value}, not a whole number")
        return int(value)

    def moment(self, name: str) -> datetime:
        """Return a moment, given in microseconds since 1970."""
        try:
            return EPOCH + self.integer(name) * MICROSECOND
        except OverflowError as error:
            raise MalformedError(f"{name} is no moment") from error

    def boolean(self, name: str) -> bool:
        """Return a yes or no."""
        value = self._value.get(name)
        if not isinstance(value, bool):
            raise MalformedError(f"{name} is {value!r}, not true or false")
        return value

    def nested(self, name: str) -> Fields:
        """Return an object."""
        return Fields(self._value.get(name))

    def pairs(self, name: str) -> list[tuple[object, object]]:
        """Return a list of lists of two."""
        pairs: list[tuple[object, object]] = []
        for pair in self.items(name):
            if not _is_list(pair) or len(pair) != 2:
                raise MalformedError(f"{name} has {pair!r}, not a list of two")
            pairs.append((pair[0], pair[1]))
        return pairs

    def items(self, name: str) -> list[object]:
        """Return a list, its members as they are."""
        value = self._value.get(name)
        if not _is_list(value):
            raise MalformedError(f"{name} is {value!r}, not a list")
        return value


def decode(body: bytes) -> object:
    """Read JSON whose numbers are exact.

    Raises:
        ValueError: it is no JSON, or holds NaN or infinity.
    """
    return json.loads(
        body.decode("utf-8"), parse_float=Decimal, parse_int=Decimal, parse_constant=_refuse
    )


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number")
