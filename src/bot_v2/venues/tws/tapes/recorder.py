"""Making a tape of what passes, message by message."""

from __future__ import annotations

import time
from typing import Final

import attrs

from bot_v2.venues.tws.protocol import FROM_CLIENT, FROM_SERVER
from bot_v2.venues.tws.schema import Message, Row
from bot_v2.venues.tws.tapes.redaction import Redactor
from bot_v2.venues.tws.tapes.tape import (
    Provenance,
    Speaker,
    Tape,
    TapeLine,
    decode_any,
    without_defaults,
)

NOT_KEPT: Final = frozenset({"reqCurrentTime", "currentTime"})
"""What a tape leaves out: whoever plays it tells the time by itself."""

_NONE: Final = frozenset({"", "0", "-1"})


class TapeRecorder:
    """Takes down what passes on the connections of a session; not for several threads at once."""

    def __init__(self) -> None:
        """Start with nothing."""
        self.version = 0
        """The server version that is spoken; 0 before the first handshake."""
        self._start = time.monotonic()
        self._lines: list[TapeLine] = []
        self._clients: dict[int, str] = {}
        self._requests: dict[tuple[int, str], str] = {}
        self._orders: dict[tuple[str, str], str] = {}

    def begin(self, connection: int) -> None:
        """Take down that a connection begins."""
        self._add(connection, Speaker.BEGIN, Message("connect", {}))

    def end(self, connection: int, *, by_server: bool) -> None:
        """Take down that a connection ends."""
        speaker = Speaker.CUT if by_server else Speaker.LEFT
        self._add(connection, speaker, Message("cut" if by_server else "close", {}))

    def client_said(self, connection: int, payload: bytes) -> None:
        """Take down what a client says."""
        message, schema = decode_any(FROM_CLIENT, payload, self.version)
        if message.name in NOT_KEPT:
            return
        if message.name == "startApi":
            self._clients[connection] = message.text("clientId")
        message = without_defaults(message, schema, by_meaning=True)
        values = self._with_symbols(connection, message.values, is_new=True)
        self._add(connection, Speaker.CLIENT, Message(message.name, values))

    def server_said(self, connection: int, payload: bytes) -> None:
        """Take down what the server says."""
        message, schema = decode_any(FROM_SERVER, payload, self.version)
        if message.name in NOT_KEPT:
            return
        message = without_defaults(message, schema, by_meaning=False)
        values = message.values
        if message.name != "nextValidId":
            values = self._with_symbols(
                connection, values, is_new=False, is_error=message.name == "error"
            )
        self._add(connection, Speaker.SERVER, Message(message.name, values))

    def tape(self, provenance: Provenance) -> Tape:
        """Return what was taken down, without what a tape must not tell."""
        redactor = Redactor()
        for line in self._lines:
            redactor.learn(line.message)
        lines = (attrs.evolve(one, message=redactor.clean(one.message)) for one in self._lines)
        return Tape(provenance, tuple(lines))

    def _add(self, connection: int, speaker: Speaker, message: Message) -> None:
        seconds = time.monotonic() - self._start
        self._lines.append(TapeLine(round(seconds, 3), connection, speaker, message))

    # The ids that clients make up

    def _with_symbols(
        self, connection: int, values: Row, *, is_new: bool, is_error: bool = False
    ) -> Row:
        client = self._clients.get(connection, "")
        owner = values.get("clientId", client)
        changed: Row = {}
        for name, value in values.items():
            changed[name] = value
            if not isinstance(value, str) or value in _NONE:
                continue
            if name == "reqId" and is_error and (client, value) in self._orders:
                # An error may be of an order; who shares its ids between both never repeats one.
                changed[name] = self._orders[(client, value)]
            elif name == "reqId":
                changed[name] = self._request(connection, value, is_new=is_new)
            elif name in ("orderId", "parentId") and owner == client:
                changed[name] = self._order(client, value, is_new=is_new)
        return changed

    def _request(self, connection: int, value: str, *, is_new: bool) -> str:
        key = (connection, value)
        if is_new:
            return self._requests.setdefault(key, f"$r{len(self._requests) + 1}")
        return self._requests.get(key, value)

    def _order(self, client: str, value: str, *, is_new: bool) -> str:
        key = (client, value)
        if is_new:
            return self._orders.setdefault(key, f"$o{len(self._orders) + 1}")
        return self._orders.get(key, value)
