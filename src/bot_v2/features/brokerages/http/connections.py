"""Connections that know whether a byte of a request left, and that never wait too long.

urllib3's connections, with three things added: each write to the socket is announced to the
passage first, each read from it waits no longer than the passage allows, and a connection is
opened by name only, never in the middle of a request.
"""

from __future__ import annotations

import http.client
import io
import time
from collections.abc import Mapping
from typing import Any, Protocol, cast

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from bot_v2.features.brokerages.http.conversation import WireReply, WireSocket, converse
from bot_v2.features.brokerages.http.passage import Passage


class _Socket(Protocol):
    """What is used of a socket, TLS or not."""

    def settimeout(self, timeout: float | None) -> None: ...

    def makefile(self, mode: str, buffering: int) -> Any: ...


class _PatientReader(io.RawIOBase):
    """Reads from a socket; before each read it asks the passage how long it may wait."""

    def __init__(self, sock: _Socket, passage: Passage) -> None:
        self._sock = sock
        self._raw = sock.makefile("rb", buffering=0)
        self._passage = passage

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(self._passage.next_read_s())
        return cast("int | None", self._raw.readinto(buffer))

    def close(self) -> None:
        self._raw.close()
        super().close()


class _ReplySource:
    """Stands in for the socket where http.client asks it for a file to read a reply from."""

    def __init__(self, sock: _Socket, passage: Passage) -> None:
        self._sock = sock
        self._passage = passage

    def makefile(self, mode: str) -> io.BufferedReader:  # noqa: ARG002 - it is always "rb"
        return io.BufferedReader(_PatientReader(self._sock, self._passage))


class WatchedConnection(HTTPConnection):
    """What both kinds of connection add to urllib3's."""

    passage: Passage | None = None
    """The exchange under way. None: the connection is idle."""
    _connecting = False
    _last_used = 0.0

    def open(self, passage: Passage) -> None:
        """Connect, and shake hands with a proxy and for TLS where that is asked for."""
        self.passage = passage
        self._connecting = True
        try:
            self.connect()
        finally:
            self._connecting = False

    def send(self, data: Any) -> None:
        """Hand bytes to the socket; the request's own are announced first."""
        # http.client would open a lost connection again in the middle of a request.
        if self.sock is None or self.passage is None:
            raise http.client.NotConnected
        # While connecting, what is sent is the CONNECT to a proxy: nothing of the request.
        if not self._connecting:
            self.passage.begin()
        self.sock.settimeout(self.passage.next_read_s())
        super().send(data)

    def response_class(  # type: ignore[override]  # http.client calls it, and no more
        self, sock: _Socket, *args: Any, **kwargs: Any
    ) -> http.client.HTTPResponse:
        """Make the object that http.client reads a reply with."""
        if self.passage is None:
            raise http.client.NotConnected
        source = cast("Any", _ReplySource(sock, self.passage))
        return http.client.HTTPResponse(source, *args, **kwargs)

    def converse(
        self,
        method: str,
        target: str,
        host: str,
        headers: Mapping[str, str],
        body: bytes | None,
        body_max_bytes: int,
    ) -> WireReply:
        """Send one request, and read the whole reply: see `conversation.converse`."""
        if self.sock is None or self.passage is None:
            raise http.client.NotConnected
        sock, passage = cast("WireSocket", self.sock), self.passage
        reply = converse(sock, passage, method, target, host, headers, body, body_max_bytes)
        if not reply.keeps_alive:
            self.close()
        return reply

    def rest(self) -> None:
        """Fall idle."""
        self.passage = None
        self._last_used = time.monotonic()

    def is_usable(self, idle_max_s: float) -> bool:
        """Return whether an idle connection is open, and was not idle for too long."""
        return time.monotonic() - self._last_used < idle_max_s and self.is_connected


class PlainConnection(WatchedConnection):
    """A connection without TLS."""


class TlsConnection(WatchedConnection, HTTPSConnection):
    """A connection with TLS."""


def connection_class(*, tls: bool) -> type[HTTPConnection]:
    """Return the class to connect by: ours, unless somebody has put another in urllib3's place.

    Recorders of traffic replace the classes that urllib3's pools use. A pool that did not look
    would reach the network from within a recording.
    """
    found: object
    if tls:
        found = HTTPSConnectionPool.ConnectionCls
        return TlsConnection if found is HTTPSConnection else cast("type[HTTPConnection]", found)
    found = HTTPConnectionPool.ConnectionCls
    return PlainConnection if found is HTTPConnection else cast("type[HTTPConnection]", found)
