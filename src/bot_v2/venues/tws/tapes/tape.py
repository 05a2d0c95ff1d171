"""A tape: what was said on a socket, one line a message.

    tws-tape 1
    {"note": "…", "recorded_against": "simulator", "recorded_at": "…", "server": 178, …}
    0.000 1 + connect {}
    0.001 1 > startApi {"clientId": "1"}
    0.002 1 < managedAccounts {"accounts": "DU0000001"}
    0.043 1 > placeOrder {"orderId": "$o1", "action": "BUY", "lmtPrice": "150.25", …}
    1.200 1 ! cut {}

Seconds since the start, which are told and not kept to; the connection, counted from 1; who speaks
(`>` the client, `<` the server, `+` a connection begins, `-` the client ends it, `!` the server
does); the message; its fields as texts, those left out that have their default. Ids that the client
makes up are `$r1` (requests) and `$o1` (orders), in the order in which they appear.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import attrs

from bot_v2.venues.tws.frames import WireError, split_fields
from bot_v2.venues.tws.protocol import FROM_CLIENT, FROM_SERVER, Direction
from bot_v2.venues.tws.schema import Field, Message, Rest, Row, Schema

HEAD: Final = "tws-tape 1"
_LINE = re.compile(r"(\d+\.\d{3}) (\d+) ([><+\-!]) (\S+) (\{.*\})")


class TapeError(Exception):
    """A tape cannot be read, does not fit what the client says, or was not played to its end."""


class Speaker(StrEnum):
    """Who speaks in a line."""

    CLIENT = ">"
    SERVER = "<"
    BEGIN = "+"
    LEFT = "-"
    CUT = "!"


@attrs.frozen(kw_only=True)
class Provenance:
    """What a tape is worth."""

    server: int
    """The server version that was spoken."""
    recorded_against: str
    """What answered: simulator, sandbox (a paper login) or live."""
    recorded_at: str
    """When, in UTC, as ISO 8601."""
    recorded_with: str
    """The versions of what recorded, and of the client where it is known."""
    note: str
    """What the tape shows, and what a person changed by hand."""


@attrs.frozen
class TapeLine:
    """One line."""

    seconds: float
    """When, in seconds since the start."""
    connection: int
    """On which connection, counted from 1."""
    speaker: Speaker
    """Who speaks."""
    message: Message
    """What is said; of a connection that begins or ends, nothing."""

    def text(self) -> str:
        """Return the line as it is written."""
        values = json.dumps(self.message.values, ensure_ascii=True, separators=(", ", ": "))
        head = f"{self.seconds:.3f} {self.connection} {self.speaker.value}"
        return f"{head} {self.message.name} {values}"


@attrs.frozen
class Tape:
    """A recorded session."""

    provenance: Provenance
    """What it is worth."""
    lines: tuple[TapeLine, ...]
    """What was said."""

    def text(self) -> str:
        """Return the tape as it is written."""
        head = json.dumps(attrs.asdict(self.provenance), sort_keys=True)
        return "\n".join([HEAD, head, *(line.text() for line in self.lines)]) + "\n"

    def write(self, path: Path) -> None:
        """Write it to a file."""
        path.write_text(self.text(), encoding="utf-8", newline="\n")


def read_tape(path: Path) -> Tape:
    """Return a tape of a file.

    Raises:
        TapeError: it is none.
    """
    return parse_tape(path.read_text(encoding="utf-8").splitlines(), str(path))


def parse_tape(rows: Iterable[str], where: str = "the tape") -> Tape:
    """Return a tape of its lines.

    Raises:
        TapeError: it is none.
    """
    every = list(rows)
    if len(every) < 2 or every[0] != HEAD:
        raise TapeError(f"{where} does not begin with {HEAD!r}")
    try:
        provenance = Provenance(**json.loads(every[1]))
    except (TypeError, ValueError) as error:
        raise TapeError(
            f"{where}: its second line does not say what it is worth: {error}"
        ) from error
    lines = []
    for number, row in enumerate(every[2:], start=3):
        found = _LINE.fullmatch(row)
        if found is None:
            raise TapeError(f"{where}, line {number}: {row[:60]!r} is no line of a tape")
        seconds, connection, speaker, name, values = found.groups()
        message = Message(name, json.loads(values))
        lines.append(TapeLine(float(seconds), int(connection), Speaker(speaker), message))
    return Tape(provenance, tuple(lines))


def schema_of(speaker: Speaker, name: str) -> Schema:
    """Return the schema of a message; of one that is not known, one without names.

    Raises:
        TapeError: the name is of no message.
    """
    direction = FROM_CLIENT if speaker is Speaker.CLIENT else FROM_SERVER
    found = direction.by_name.get(name)
    if found is not None:
        return found
    if name.startswith("#") and name[1:].isdigit():
        return Schema(int(name[1:]), name, (Rest("fields"),))
    raise TapeError(f"there is no message {name!r}")


def decode_any(direction: Direction, payload: bytes, version: int) -> tuple[Message, Schema]:
    """Return the message of a payload, also of one that no schema describes."""
    try:
        message = direction.decode(payload, version)
        return message, direction.by_name[message.name]
    except WireError:
        texts = split_fields(payload) if payload.endswith(b"\0") else [payload.decode("latin-1")]
        number = texts[0] if texts[0].isdigit() else "0"
        schema = Schema(int(number), f"#{number}", (Rest("fields"),))
        return schema.decode(texts, version), schema


def without_defaults(message: Message, schema: Schema, *, by_meaning: bool) -> Message:
    """Return a message without the fields that have their default.

    Args:
        message: the message.
        schema: what it is.
        by_meaning: leave out what means the same as the default, too, however it is written.
    """
    kept: Row = dict(message.values)
    for item in schema.named():
        value = kept.get(item.name)
        if value is None:
            continue
        if not isinstance(item, Field):
            if not value:
                del kept[item.name]
        elif value == item.default or (by_meaning and _means_default(item, str(value))):
            del kept[item.name]
    return Message(message.name, kept)


def with_defaults(values: Row, schema: Schema) -> Row:
    """Return the fields of a message, each that is absent or unset with its default."""
    full: Row = dict(values)
    for item in schema.named():
        if isinstance(item, Field):
            value: Any = full.get(item.name, "")
            if isinstance(value, str) and not value.startswith("$") and _is_unset(item, value):
                full[item.name] = item.default
    return full


def _means_default(item: Field, text: str) -> bool:
    return _is_unset(item, text) or item.meaning(text) == item.meaning(item.default)


def _is_unset(item: Field, text: str) -> bool:
    return not text or item.meaning(text) is None
