"""One WebSocket connection, in one thread, with every wait bounded.

The protocol is that of `websockets`, without its sockets and threads: those are ours, so that the
TLS context, the proxies and the time-outs are the ones that HTTP has.
"""

from __future__ import annotations

import builtins
import logging
import socket
import ssl
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Self

from bot_v2.features.brokerages.core.errors import (
    AuthenticationError,
    BrokerageError,
    BrokerUnavailableError,
    ConnectionError,
    MissingDependencyError,
    RateLimitError,
    TimeoutError,
)
from bot_v2.features.brokerages.http.calls import Call
from bot_v2.features.brokerages.http.failures import TRANSPORT_ERRORS
from bot_v2.features.brokerages.http.redaction import safe_url
from bot_v2.features.brokerages.http.retry_after import retry_after_s
from bot_v2.features.brokerages.http.sockets import error_of_socket, open_socket
from bot_v2.features.brokerages.streaming.settings import StreamSettings

if TYPE_CHECKING:
    from websockets.client import ClientProtocol
    from websockets.frames import Frame

READ_BYTES: Final = 65_536
GOODBYE_S: Final = 0.2
"""How long taking leave may take, in seconds."""

REFUSALS: Final[dict[int, type[BrokerageError]]] = {
    # What an opening means that is answered so; any other answer is a ConnectionError.
    401: AuthenticationError,
    429: RateLimitError,
    500: BrokerUnavailableError,
    502: BrokerUnavailableError,
    503: BrokerUnavailableError,
    504: BrokerUnavailableError,
}


_SILENT: Final = logging.Logger("bot_v2.websocket", logging.CRITICAL + 1)
"""Told to say nothing: the package would write every frame, and so the credentials in them."""


class WebSocket:
    """An open connection. For one thread, but for `interrupt`.

    Args:
        sock: connected, and with TLS where it is wanted.
        protocol: the protocol's state.
        url: where it leads.
        call: what its errors say.
        send_timeout_s: how long sending may take, in seconds.
    """

    def __init__(
        self,
        sock: socket.socket,
        protocol: ClientProtocol,
        url: str,
        call: Call,
        send_timeout_s: float,
    ) -> None:
        """Take over a socket."""
        self._sock = sock
        self._send_timeout_s = send_timeout_s
        self._protocol = protocol
        self._url = url
        self._call = call
        self._messages: deque[bytes] = deque()
        self._parts: list[bytes] = []
        self._ended: BrokerageError | None = None
        self._agreed = False
        self.heard_at = time.monotonic()
        """When the last byte came, by the clock that never goes back."""

    @classmethod
    def open(
        cls,
        url: str,
        call: Call,
        settings: StreamSettings,
        *,
        tls: Callable[[], ssl.SSLContext],
        headers: Mapping[str, str] | None = None,
    ) -> Self:
        """Connect, and agree on the protocol.

        Args:
            url: `ws://…` or `wss://…`.
            call: what its errors say.
            settings: its bounds.
            tls: returns the context for TLS.
            headers: what the opening request says beside the usual.

        Raises:
            BrokerageError: there is no connection: why.
        """
        make_protocol = _load(call)
        sock = open_socket(url, call, timeout_s=settings.open_timeout_s, tls=tls)
        protocol = make_protocol(url, settings.message_max_bytes)
        self = cls(sock, protocol, url, call, settings.open_timeout_s)
        try:
            request = protocol.connect()
            request.headers.update(headers or {})
            protocol.send_request(request)
            self._shake_hands(settings.open_timeout_s)
        except BaseException:
            self.close()
            raise
        return self

    def _shake_hands(self, timeout_s: float) -> None:
        until = time.monotonic() + timeout_s
        self._flush()
        while not self._is_agreed():
            if self._protocol.handshake_exc is not None:
                raise self._error("the opening was not answered as a WebSocket's")
            left_s = until - time.monotonic()
            if left_s <= 0:
                raise self._error("no answer in time to the opening", TimeoutError)
            self._read(left_s)

    def _is_agreed(self) -> bool:
        for event in self._protocol.events_received():
            status = getattr(event, "status_code", None)
            if status is None:
                self._take(event)
            elif status != 101:
                raise self._refusal(status, getattr(event, "headers", {}))
            elif self._protocol.handshake_exc is None:
                # Frames may follow in the bytes that came with the answer.
                self._agreed = True
        return self._agreed

    def _refusal(self, status: int, headers: Mapping[str, str]) -> BrokerageError:
        context = self._call.context()
        context.setdefault("outcome", None)
        context["http_status"] = status
        context["retry_after_s"] = retry_after_s(headers, _utc_now)
        kind = REFUSALS.get(status, ConnectionError)
        return kind(f"{self._call.broker}: {safe_url(self._url)}: HTTP {status}", **context)

    def send(self, message: str | bytes) -> None:
        """Send a message: text as text, bytes as binary.

        Raises:
            ConnectionError, TimeoutError: it may not have left.
        """
        if isinstance(message, str):
            self._send(self._protocol.send_text, message.encode())
        else:
            self._send(self._protocol.send_binary, message)

    def ping(self) -> None:
        """Ask for a sign of life; any byte that comes is one.

        Raises:
            ConnectionError, TimeoutError: the connection is lost.
        """
        self._send(self._protocol.send_ping, b"")

    def _send(self, say: Callable[[bytes], None], content: bytes) -> None:
        from websockets.exceptions import InvalidState

        try:
            say(content)
        except InvalidState as error:
            raise self._ended or self._error("the connection is closed") from error
        self._flush()

    def receive(self, timeout_s: float) -> bytes | None:
        """Return the next message, its text as UTF-8. None: none came in time.

        Raises:
            ConnectionError: the connection is at its end, and everything before it was returned.
        """
        until = time.monotonic() + timeout_s
        while not self._messages:
            if self._ended is not None:
                raise self._ended
            left_s = until - time.monotonic()
            if left_s <= 0:
                return None
            with suppress(BrokerageError):
                # What is to be answered: a ping, or the other side's leave.
                self._flush()
            self._read(left_s)
            for event in self._protocol.events_received():
                self._take(event)
            if self._protocol.close_expected() and self._ended is None:
                self._ended = self._error("the other side broke the protocol")
        return self._messages.popleft()

    def interrupt(self) -> None:
        """End whatever waits in the connection, from any thread."""
        # By the socket itself: TLS would first forget its state, under the feet of who reads.
        raw = getattr(self._sock, "socket", self._sock)
        with suppress(OSError):
            socket.socket.shutdown(raw, socket.SHUT_RDWR)

    def close(self) -> None:
        """Take leave, and let go of the socket. Twice is harmless."""
        with suppress(Exception):
            # Whoever does not hear it will notice that the socket is closed.
            self._sock.settimeout(GOODBYE_S)
            if self._agreed:
                self._protocol.send_close(1000)
            for data in self._protocol.data_to_send():
                self._sock.sendall(data)
        with suppress(OSError):
            self._sock.close()

    def _read(self, timeout_s: float) -> None:
        try:
            self._sock.settimeout(timeout_s)
            data = self._sock.recv(READ_BYTES)
        except (builtins.TimeoutError, ssl.SSLWantReadError):
            return
        except OSError as error:
            self._ended = self._ended or error_of_socket(error, self._call, self._url)
            data = b""
        if data:
            self.heard_at = time.monotonic()
            self._protocol.receive_data(data)
            return
        self._protocol.receive_eof()
        self._ended = self._ended or self._error("the other side closed the connection")
        if not self._agreed:
            raise self._ended

    def _take(self, event: object) -> None:
        from websockets.frames import Opcode

        frame: Frame = event  # type: ignore[assignment]  # once agreed, events are frames
        if frame.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            self._parts.append(bytes(frame.data))
            if frame.fin:
                self._messages.append(b"".join(self._parts))
                self._parts = []
        elif frame.opcode is Opcode.CLOSE:
            code, reason = int.from_bytes(frame.data[:2], "big"), frame.data[2:]
            told = reason.decode("utf-8", "replace")
            self._ended = self._error(f"the other side left: {code or 'no code'} {told}".rstrip())

    def _flush(self) -> None:
        try:
            self._sock.settimeout(GOODBYE_S if self._ended else self._send_timeout_s)
            for data in self._protocol.data_to_send():
                if data:
                    self._sock.sendall(data)
        except TRANSPORT_ERRORS as error:
            self._ended = self._ended or error_of_socket(error, self._call, self._url)
            raise self._ended from error

    def _error(self, why: str, kind: type[BrokerageError] = ConnectionError) -> BrokerageError:
        context = self._call.context()
        context.setdefault("outcome", None)
        return kind(f"{self._call.broker}: {safe_url(self._url)}: {why}", **context)


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _load(call: Call) -> Callable[[str, int], ClientProtocol]:
    """Return what makes the protocol's state of an address and the largest message."""
    try:
        from websockets.client import ClientProtocol
        from websockets.uri import parse_uri
    except ImportError as error:
        raise MissingDependencyError(
            f"streams need the package websockets: pip install 'bot-v2[{call.broker}]'",
            extra=call.broker,
        ) from error

    def make(url: str, max_size: int) -> ClientProtocol:
        return ClientProtocol(parse_uri(url), max_size=max_size, logger=_SILENT)

    return make
