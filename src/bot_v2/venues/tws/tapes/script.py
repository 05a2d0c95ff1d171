"""Playing a tape: what the client says is matched with it, and the server's lines follow.

- A line of the client is matched by its message and by what its fields mean: numbers as numbers,
  an unset field like an absent one; the client id does not count.
- Ids that the client makes up are bound when they are first seen; no two of a tape are the same.
- Writes keep their order, but for those between which the server said nothing. Reads may come in
  any order between the writes that they stand between.
- A line of the server that answers a read follows it. All others follow the writes above them; the
  end of a connection follows all that the client said on it.
- The current time is told whenever it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import attrs

from bot_v2.venues.tws.schema import Message, Row
from bot_v2.venues.tws.tapes.causes import WRITES, causes_of
from bot_v2.venues.tws.tapes.tape import (
    Speaker,
    Tape,
    TapeError,
    TapeLine,
    schema_of,
    with_defaults,
)

_IGNORED: Final = {"startApi": frozenset({"clientId", "optionalCapabilities", "version"})}
FIRST_ROW: Final = 3
"""In which row of the file the first line is."""


@attrs.define
class _Entry:
    line: TapeLine
    row: int
    cause: _Entry | None
    is_done: bool = False

    @property
    def is_client(self) -> bool:
        return self.line.speaker is Speaker.CLIENT

    @property
    def is_write(self) -> bool:
        return self.is_client and self.line.message.name in WRITES

    @property
    def is_passive(self) -> bool:
        """Whether it waits for nobody and nobody for it: a connection begins, or is left."""
        return self.line.speaker in (Speaker.BEGIN, Speaker.LEFT)


class TapeScript:
    """One playing of a tape. Not for several threads at once.

    Args:
        tape: the tape.
    """

    def __init__(self, tape: Tape) -> None:
        """Start before its first line."""
        self._entries: list[_Entry] = []
        for place, (line, cause) in enumerate(zip(tape.lines, causes_of(tape.lines), strict=True)):
            answered = None if cause is None else self._entries[cause]
            self._entries.append(_Entry(line, place + FIRST_ROW, answered))
        self._actual: dict[tuple[int, str], str] = {}
        self._symbols: dict[tuple[int, str, str], str] = {}
        self._clients: dict[int, int] = {}
        self._find_clients()

    @property
    def connections(self) -> list[int]:
        """The connections of the tape, in the order in which they begin."""
        begun = [one.line for one in self._entries if one.line.speaker is Speaker.BEGIN]
        return [line.connection for line in begun]

    def hear(self, connection: int, message: Message) -> None:
        """Take in what the client says.

        Raises:
            TapeError: the tape has nothing like it here.
        """
        candidates = list(self._candidates(connection))
        for entry in candidates:
            bound = self._matched(entry, message)
            if bound is not None:
                for symbol, value in bound.items():
                    self._bind(connection, symbol, value)
                entry.is_done = True
                return
        raise TapeError(self._explain(connection, message, candidates))

    def due(self) -> Iterator[tuple[int, Message | None]]:
        """Return what the server says now, on which connection. None: it ends the connection."""
        asking: set[int] = set()
        for entry in self._entries:
            if entry.is_done or entry.is_passive:
                continue
            if entry.is_write:
                return
            line = entry.line
            if entry.is_client:
                asking.add(line.connection)
                continue
            if entry.cause is not None and not entry.cause.is_done:
                continue
            if line.speaker is Speaker.CUT and line.connection in asking:
                continue
            entry.is_done = True
            if line.speaker is Speaker.CUT:
                yield line.connection, None
            else:
                yield line.connection, self._with_actual(line)

    def left_over(self) -> list[str]:
        """Return the lines that were not played, as an error tells them."""
        return [
            f"line {one.row}: {one.line.text()[:120]}"
            for one in self._entries
            if not one.is_done and not one.is_passive
        ]

    # The parts of it

    def _candidates(self, connection: int) -> Iterator[_Entry]:
        """Return the client's lines that may come now."""
        is_after_write = False
        for entry in self._entries:
            if entry.is_done or entry.is_passive:
                continue
            if not entry.is_client:
                if is_after_write:
                    return
                continue
            if entry.line.connection == connection:
                yield entry
            is_after_write = is_after_write or entry.is_write

    def _matched(self, entry: _Entry, message: Message) -> dict[str, str] | None:
        """Return the ids that a message binds, if it is the line. None: it is not."""
        line = entry.line
        if line.message.name != message.name or self._differences(line, message):
            return None
        bound: dict[str, str] = {}
        for name, value in line.message.values.items():
            said = message.values.get(name)
            if isinstance(value, str) and value.startswith("$") and isinstance(said, str):
                bound[value] = said
        return bound

    def _differences(self, line: TapeLine, message: Message) -> list[tuple[str, object, object]]:
        """Return the fields in which a message is not the line, with both values."""
        schema = schema_of(Speaker.CLIENT, message.name)
        wanted = with_defaults(line.message.values, schema)
        said = with_defaults(message.values, schema)
        odd: list[tuple[str, object, object]] = []
        for name, value in line.message.values.items():
            if isinstance(value, str) and value.startswith("$"):
                actual = said.pop(name, "")
                del wanted[name]
                if not isinstance(actual, str) or not self._may_bind(line, value, actual):
                    odd.append((name, self._actual.get(self._key(line, value), value), actual))
        for name in _IGNORED.get(message.name, ()):
            wanted.pop(name, None)
            said.pop(name, None)
        names = schema.differences(wanted, said)
        odd += [(name, wanted.get(name, ""), said.get(name, "")) for name in names]
        return odd

    def _may_bind(self, line: TapeLine, symbol: str, actual: str) -> bool:
        key = self._key(line, symbol)
        if key in self._actual:
            return self._actual[key] == actual
        return (key[0], symbol[:2], actual) not in self._symbols and actual not in ("", "-1")

    def _bind(self, connection: int, symbol: str, value: str) -> None:
        scope = self._scope(connection, symbol)
        self._actual[(scope, symbol)] = value
        self._symbols[(scope, symbol[:2], value)] = symbol

    def _key(self, line: TapeLine, symbol: str) -> tuple[int, str]:
        return self._scope(line.connection, symbol), symbol

    def _scope(self, connection: int, symbol: str) -> int:
        """Return where an id is one: requests on their connection, orders with their client."""
        return connection if symbol.startswith("$r") else -1 - self._clients.get(connection, 0)

    def _find_clients(self) -> None:
        """Number the clients of the tape: connections of one client id are of one."""
        numbers: dict[str, int] = {}
        for entry in self._entries:
            line = entry.line
            if entry.is_client and line.message.name == "startApi":
                client = line.message.text("clientId")
                self._clients[line.connection] = numbers.setdefault(client, len(numbers))

    def _with_actual(self, line: TapeLine) -> Message:
        """Return what the server says, with the ids that this client made up."""
        values: Row = {}
        for name, value in line.message.values.items():
            if isinstance(value, str) and value.startswith("$"):
                actual = self._actual.get(self._key(line, value))
                if actual is None:
                    raise TapeError(f"{line.text()[:80]} names {value}, which nobody has said yet")
                values[name] = actual
            else:
                values[name] = value
        return Message(line.message.name, values)

    def _explain(self, connection: int, message: Message, candidates: list[_Entry]) -> str:
        """Return what is wrong with what the client says, by the line that is most like it."""
        said = f"the client says {message.name} on connection {connection}"
        alike = [
            one
            for one in self._entries
            if not one.is_done
            and one.is_client
            and one.line.connection == connection
            and one.line.message.name == message.name
        ]
        if not alike:
            waits = ", ".join(f"line {one.row} {one.line.message.name}" for one in candidates[:3])
            return f"{said}, which the tape does not have (any more); it has: {waits or 'nothing'}"
        nearest = min(alike, key=lambda one: len(self._differences(one.line, message)))
        odd = self._differences(nearest.line, message)
        if not odd:
            first = next(one for one in self._entries if one.is_write and not one.is_done)
            return (
                f"{said}, which is line {nearest.row}, before line {first.row} "
                f"{first.line.message.name} was said"
            )
        told = "; ".join(f"{name} is {mine!r}, and {yours!r} here" for name, mine, yours in odd)
        return f"{said}; line {nearest.row} is most like it, and differs: {told}"
