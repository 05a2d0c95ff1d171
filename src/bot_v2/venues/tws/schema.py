"""The one description of a message: it decodes, encodes and compares it.

A schema is a list of items: fields, rows that are counted first, and parts that are there for some
values of an earlier field. A field is written `name[:kind][@since|@-until][=default]`:

    orderId:i              a whole number
    lmtPrice:n             a number, exact
    transmit:b=1           a flag; 1 where nothing says otherwise
    duration:i@158         from server version 158 on
    faProfile@-176         up to server version 176

Values are kept as the texts that crossed the socket, so that no digit is lost; what a text means
is asked of the message: unset doubles and integers, and empty texts, mean None.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Final, TypeAlias

import attrs

from bot_v2.features.brokerages.core.decimals import decimal_to_text
from bot_v2.features.brokerages.core.errors import InvalidFieldError
from bot_v2.venues.tws.frames import WireError

UNSET_DOUBLE: Final = "1.7976931348623157E308"
UNSET_INTEGER: Final = "2147483647"
UNSET_LONG: Final = "9223372036854775807"

_UNSET_NUMBERS: Final = frozenset(
    {Decimal(UNSET_DOUBLE), Decimal(UNSET_INTEGER), Decimal(UNSET_LONG)}
)
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?", re.ASCII)
_INFINITE: Final = frozenset({"Infinity", "Infinite", "-Infinity"})
_FLAGS: Final = {"": False, "0": False, "1": True, "false": False, "true": True}
_FIELD = re.compile(
    r"(?P<name>\w+)(?::(?P<kind>[inb]))?"
    r"(?:@(?P<since>\d+)|@-(?P<until>\d+))?(?:=(?P<default>.*))?"
)
ALWAYS: Final = 10_000
"""Later than any server version."""


class Kind(StrEnum):
    """What the text of a field means."""

    TEXT = "t"
    WHOLE = "i"
    NUMBER = "n"
    FLAG = "b"


Row: TypeAlias = dict[str, "str | list[Row]"]
"""The values of a message or of a row in it, by field: texts as they crossed the socket."""


@attrs.frozen
class Field:
    """One field."""

    name: str
    """What it is called."""
    kind: Kind
    """What its text means."""
    since: int
    """The first server version that has it."""
    until: int
    """The last server version that has it."""
    default: str
    """What is sent where nobody says otherwise."""

    def is_in(self, version: int) -> bool:
        """Whether a server version has it."""
        return self.since <= version <= self.until

    def meaning(self, text: str) -> object:
        """Return what a text means: texts that mean the same are equal.

        Raises:
            WireError: it is no text of this kind.
        """
        if self.kind is Kind.TEXT:
            return text
        if self.kind is Kind.FLAG:
            if text.lower() in _FLAGS:
                return _FLAGS[text.lower()]
            raise WireError(f"{self.name} is {text!r}, and neither 0 nor 1")
        number = number_of(text, self.name)
        if number is not None and self.kind is Kind.WHOLE and number != number.to_integral_value():
            raise WireError(f"{self.name} is {text!r}, and no whole number")
        return number


@attrs.frozen
class Rows:
    """A count, and as many rows."""

    name: str
    """What the rows are called."""
    items: tuple[Item, ...]
    """What a row holds."""


@attrs.frozen
class Case:
    """A part that depends on an earlier field of the same message or row."""

    on: str
    """The earlier field."""
    test: Callable[[str], bool]
    """Whether its text brings the part."""
    items: tuple[Item, ...]
    """The part."""
    otherwise: tuple[Item, ...] = ()
    """What is there instead."""


@attrs.frozen
class Rest:
    """All that is left: fields whose meaning other fields decide in ways that are not followed."""

    name: str
    """What they are called."""


Item: TypeAlias = Field | Rows | Case | Rest
"""A part of a schema."""


def fields(text: str) -> tuple[Field, ...]:
    """Return the fields that a text describes, parted by blanks."""
    made = []
    for word in text.split():
        found = _FIELD.fullmatch(word)
        if found is None:
            raise InvalidFieldError("field", word, "name[:kind][@since|@-until][=default]")
        made.append(
            Field(
                name=found["name"],
                kind=Kind(found["kind"] or "t"),
                since=int(found["since"] or 0),
                until=int(found["until"] or ALWAYS),
                default=found["default"] or "",
            )
        )
    return tuple(made)


def number_of(text: str, name: str = "number") -> Decimal | None:
    """Return the number of a text, exactly. None: it is unset.

    Raises:
        WireError: it is no number.
    """
    if not text or text in _INFINITE:
        return None
    if _NUMBER.fullmatch(text) is None:
        raise WireError(f"{name} is {text!r}, and no number")
    number = Decimal(text)
    return None if number in _UNSET_NUMBERS else number


@attrs.define
class Message:
    """A message: its name, and its fields as texts."""

    name: str
    """What it is called."""
    values: Row
    """Its fields and rows, by name."""

    def text(self, name: str) -> str:
        """Return a field as it was sent. Empty: it is not there."""
        value = self.values.get(name, "")
        return value if isinstance(value, str) else ""

    def number(self, name: str) -> Decimal | None:
        """Return a number, exactly. None: it is unset."""
        return number_of(self.text(name), name)

    def whole(self, name: str) -> int | None:
        """Return a whole number. None: it is unset."""
        number = self.number(name)
        return None if number is None else int(number)

    def flag(self, name: str) -> bool:
        """Return a flag; False where it is unset."""
        return _FLAGS.get(self.text(name).lower(), False)

    def rows(self, name: str) -> list[Message]:
        """Return rows; none where there are none."""
        value = self.values.get(name, [])
        return [] if isinstance(value, str) else [Message(name, row) for row in value]


@attrs.frozen
class Schema:
    """A kind of message."""

    number: int
    """Its id on the wire."""
    name: str
    """What it is called."""
    items: tuple[Item, ...]
    """What follows the id."""
    names: frozenset[str] = attrs.field(init=False)
    """Everything in it that has a name."""

    @names.default
    def _names(self) -> frozenset[str]:
        return frozenset(item.name for item in _named(self.items))

    def encode(self, values: Mapping[str, object], version: int) -> list[str]:
        """Return the fields to send, the id first; what is not given has its default.

        Raises:
            InvalidFieldError: a value is given for a field that the message does not have.
        """
        known: Row = {}
        sent = [str(self.number), *_encode(self.items, values, known, version)]
        if not self.names.issuperset(values):
            unknown = sorted(set(values) - self.names)
            raise InvalidFieldError(self.name, unknown, "fields that the message has")
        return sent

    def decode(self, texts: Sequence[str], version: int) -> Message:
        """Return the message of fields, the id first.

        Raises:
            WireError: they are too few, or one is no text of its kind.
        """
        values: Row = {}
        reader = _Reader(texts, 1)
        _decode(self.items, reader, values, version)
        return Message(self.name, values)

    def named(self) -> Iterator[Field | Rows | Rest]:
        """Return everything in it that has a name, whatever brings it; rows, not their fields."""
        yield from _named(self.items)

    def is_same(self, one: Row, other: Row) -> bool:
        """Whether two messages of this kind mean the same: an unset field is an absent one."""
        return not self.differences(one, other)

    def differences(self, one: Row, other: Row) -> list[str]:
        """Return the names of the fields in which two messages mean different things."""
        return _differences(self.items, one, other)


def text_of(value: object) -> str:
    """Return a value as it is sent."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, Decimal):
        return decimal_to_text(value)
    return str(value)


class _Reader:
    def __init__(self, texts: Sequence[str], start: int) -> None:
        self._texts = texts
        self._place = start

    def next(self, name: str) -> str:
        if self._place >= len(self._texts):
            raise WireError(f"it ends before {name}")
        self._place += 1
        return self._texts[self._place - 1]

    def rest(self) -> list[str]:
        left = list(self._texts[self._place :])
        self._place = len(self._texts)
        return left


def _decode(items: tuple[Item, ...], reader: _Reader, values: Row, version: int) -> None:
    for item in items:
        if isinstance(item, Field):
            if item.is_in(version):
                text = reader.next(item.name)
                item.meaning(text)
                values[item.name] = text
        elif isinstance(item, Rows):
            count = number_of(reader.next(item.name), item.name) or Decimal(0)
            rows: list[Row] = []
            for _ in range(int(count)):
                row: Row = {}
                _decode(item.items, reader, row, version)
                rows.append(row)
            values[item.name] = rows
        elif isinstance(item, Case):
            said = values.get(item.on, "")
            brings = isinstance(said, str) and item.test(said)
            _decode(item.items if brings else item.otherwise, reader, values, version)
        else:
            values[item.name] = [{"text": text} for text in reader.rest()]


def _encode(
    items: tuple[Item, ...], given: Mapping[str, object], known: Row, version: int
) -> Iterator[str]:
    for item in items:
        if isinstance(item, Field):
            # Kept even where the version does not send it: other parts may depend on it.
            text = text_of(given[item.name]) if item.name in given else item.default
            known[item.name] = text
            if item.is_in(version):
                yield text
        elif isinstance(item, Rows):
            rows = given.get(item.name, [])
            known[item.name] = []
            if not isinstance(rows, list):
                raise InvalidFieldError(item.name, rows, "a list of rows")
            yield str(len(rows))
            for row in rows:
                yield from _encode(item.items, row, {}, version)
        elif isinstance(item, Case):
            said = known.get(item.on, "")
            brings = isinstance(said, str) and item.test(said)
            part = item.items if brings else item.otherwise
            yield from _encode(part, given, known, version)
        else:
            rows = given.get(item.name, [])
            known[item.name] = []
            if isinstance(rows, list):
                yield from (text_of(row["text"]) for row in rows)


def _named(items: tuple[Item, ...]) -> Iterator[Field | Rows | Rest]:
    for item in items:
        if isinstance(item, Case):
            yield from _named(item.items)
            yield from _named(item.otherwise)
        else:
            yield item


def _differences(items: tuple[Item, ...], one: Row, other: Row) -> list[str]:
    found = [
        item.name
        for item in _named(items)
        if not _is_same(item, one.get(item.name, ""), other.get(item.name, ""))
    ]
    return list(dict.fromkeys(found))


def _is_same(item: Field | Rows | Rest, mine: str | list[Row], yours: str | list[Row]) -> bool:
    if isinstance(item, Field):
        both_texts = isinstance(mine, str) and isinstance(yours, str)
        return both_texts and item.meaning(str(mine)) == item.meaning(str(yours))
    rows = [] if isinstance(mine, str) else mine
    others = [] if isinstance(yours, str) else yours
    parts: tuple[Item, ...] = item.items if isinstance(item, Rows) else fields("text")
    return len(rows) == len(others) and not any(
        _differences(parts, row, row2) for row, row2 in zip(rows, others, strict=True)
    )
