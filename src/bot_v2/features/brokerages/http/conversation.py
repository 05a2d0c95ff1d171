"""A request and its reply over an open socket: written at once, read by httptools.

http.client writes the head and the body apart, and hands the reply's head to the parser of e-mail:
both cost more than signing an order.
"""

from __future__ import annotations

import http.client
import re
import zlib
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Final, NamedTuple, Protocol

import httptools
from urllib3 import HTTPHeaderDict
from urllib3.exceptions import DecodeError

from bot_v2.features.brokerages.http.failures import ReplyTooLargeError
from bot_v2.features.brokerages.http.passage import Passage

READ_BYTES: Final = 65_536
"""How much is read from the socket at once."""

HEAD_MAX_BYTES: Final = 262_144
"""How large the head of a reply may be; llhttp itself knows no bound."""

BODILESS: Final = frozenset({"GET", "HEAD", "DELETE", "OPTIONS"})
"""Methods for which no body is meant where there is none; of others it is told that it is empty."""

_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_UNFIT: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_UNFIT_IN_TARGET: Final = re.compile(r"[^\x21-\x7e]")

# What `Content-Encoding` says, and how zlib is told of it.
_WINDOWS: Final = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS}


class WireSocket(Protocol):
    """What is used of a socket, TLS or not."""

    def settimeout(self, timeout: float | None, /) -> None:
        """Bound each wait."""

    def sendall(self, data: bytes, /) -> None:
        """Send all of it."""

    def recv(self, size: int, /) -> bytes:
        """Return what has come; nothing at the end."""
        ...


class WireReply(NamedTuple):
    """A whole reply as it came, compression undone."""

    status: int
    reason: str
    headers: HTTPHeaderDict
    body: bytes
    keeps_alive: bool
    """Whether the connection can be used again."""


def converse(
    sock: WireSocket,
    passage: Passage,
    method: str,
    target: str,
    host: str,
    headers: Mapping[str, str],
    body: bytes | None,
    body_max_bytes: int,
) -> WireReply:
    """Send one request, and read the whole reply.

    Args:
        sock: an open socket on which nothing is under way.
        passage: how long it may take; is told before the first byte leaves.
        method: the HTTP method, in capitals; not HEAD.
        target: the path and the query, or the whole address for a proxy.
        host: the value of the header Host.
        headers: the other headers.
        body: what follows the head. None: nothing.
        body_max_bytes: how large the reply's body may be, compression undone.

    Raises:
        ValueError: it cannot be written as HTTP; nothing was sent.
        builtins.TimeoutError, OSError, http.client.HTTPException, urllib3.exceptions.HTTPError:
            no whole reply came.
    """
    message = request_bytes(method, target, host, headers, body)
    passage.begin()
    # A server that refuses early stops reading and answers: the answer counts.
    with suppress(BrokenPipeError):
        sock.settimeout(passage.next_read_s())
        sock.sendall(message)
    reply = _Listener(body_max_bytes)
    while not reply.is_whole:
        sock.settimeout(passage.next_read_s())
        if not reply.feed(sock.recv(READ_BYTES)):
            break
    return reply.whole()


def request_bytes(
    method: str, target: str, host: str, headers: Mapping[str, str], body: bytes | None
) -> bytes:
    """Return a request as it is sent.

    Raises:
        ValueError: a part of it would not arrive as what it is; the error does not show it.
    """
    if not _TOKEN.fullmatch(method) or _UNFIT_IN_TARGET.search(target):
        raise ValueError("the method or the address is not fit to be sent")
    lines = [f"{method} {target} HTTP/1.1"]
    if not any(name.lower() == "host" for name in headers):
        lines.append(f"Host: {host}")
    for name, value in headers.items():
        if not _is_token(name) or _UNFIT.search(value):
            raise ValueError("a header is not fit to be sent")
        lines.append(f"{name}: {value}")
    if body is not None or method not in BODILESS:
        lines.append(f"Content-Length: {len(body or b'')}")
    head = "\r\n".join(lines).encode("latin-1")
    return b"%b\r\n\r\n%b" % (head, body or b"")


@lru_cache(maxsize=256)
def _is_token(name: str) -> bool:
    return _TOKEN.fullmatch(name) is not None


class _Listener:
    """Takes what comes of a reply; the methods on_... are called by httptools."""

    def __init__(self, body_max_bytes: int) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._most = body_max_bytes
        self._head_bytes = 0
        self._size = 0
        self._chunks: list[bytes] = []
        self._headers: list[tuple[bytes, bytes]] = []
        self._status = 0
        self._reason = b""
        self._has_head = False
        self._keeps_alive = False
        self.is_whole = False

    def feed(self, some: bytes) -> bool:
        """Take some bytes; an empty text is the end. Return whether more can come.

        Raises:
            http.client.HTTPException: it is no reply, or an incomplete one.
            ReplyTooLargeError: it is larger than what is read.
        """
        if not some:
            self._end()
            return False
        try:
            self._parser.feed_data(some)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            # What follows a whole reply is not part of it.
            if not self.is_whole:
                raise http.client.BadStatusLine(type(error).__name__) from error
            self._keeps_alive = False
        self._head_bytes += 0 if self._has_head else len(some)
        if self._head_bytes > HEAD_MAX_BYTES:
            raise ReplyTooLargeError(f"the head of the reply is larger than {HEAD_MAX_BYTES} bytes")
        if self._size > self._most:
            raise self._too_large()
        return True

    def _end(self) -> None:
        if not self._has_head and not self._head_bytes:
            raise http.client.RemoteDisconnected("the connection was closed without a reply")
        names = {name.lower() for name, _ in self._headers}
        # Without a length, the end of the connection is the end of the reply.
        if not self._has_head or names & {b"content-length", b"transfer-encoding"}:
            raise http.client.IncompleteRead(b"".join(self._chunks))
        self._keeps_alive = False
        self.is_whole = True

    def whole(self) -> WireReply:
        """Return the reply.

        Raises:
            DecodeError: its compression is broken.
            ReplyTooLargeError: it is larger than what is read once compression is undone.
        """
        headers = HTTPHeaderDict()
        for name, value in self._headers:
            headers.add(name.decode("latin-1"), value.decode("latin-1"))
        return WireReply(
            self._status,
            self._reason.decode("latin-1"),
            headers,
            self._decompressed(headers.get("content-encoding", "")),
            self._keeps_alive,
        )

    def _decompressed(self, coding: str) -> bytes:
        body = b"".join(self._chunks)
        coding = coding.strip().lower()
        if not body or coding not in ("gzip", "x-gzip", "deflate"):
            return body
        try:
            if coding == "deflate":
                return self._inflated(body, zlib.MAX_WBITS)
            return self._inflated(body, _WINDOWS[coding])
        except zlib.error as error:
            if coding != "deflate":
                raise DecodeError(f"{coding} is broken") from error
        try:
            # Some servers leave out the wrapping that deflate has in HTTP.
            return self._inflated(body, -zlib.MAX_WBITS)
        except zlib.error as error:
            raise DecodeError(f"{coding} is broken") from error

    def _inflated(self, body: bytes, window_bits: int) -> bytes:
        found: list[bytes] = []
        left = self._most + 1
        while body and left > 0:
            stream = zlib.decompressobj(window_bits)
            found.append(stream.decompress(body, left))
            left -= len(found[-1])
            if left <= 0:
                raise self._too_large()
            if not stream.eof:
                raise zlib.error("it ends early")
            # gzip may come in several members; what else follows is padding.
            body = stream.unused_data.lstrip(b"\0") if window_bits > zlib.MAX_WBITS else b""
        return b"".join(found)

    def _too_large(self) -> ReplyTooLargeError:
        return ReplyTooLargeError(f"the reply is larger than {self._most} bytes")

    # What httptools calls.

    def on_message_begin(self) -> None:
        """A reply begins: a second one is more than was asked for."""
        if self.is_whole:
            raise http.client.BadStatusLine("more than one reply")

    def on_status(self, text: bytes) -> None:
        """The phrase beside the status, or a part of it."""
        self._reason += text

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer, which is none."""
        if not self._has_head:
            self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._has_head = True
        self._status = self._parser.get_status_code()
        self._keeps_alive = self._parser.should_keep_alive()

    def on_body(self, some: bytes) -> None:
        """A part of the body."""
        self._size += len(some)
        self._chunks.append(some)

    def on_message_complete(self) -> None:
        """The reply is whole, or was only one to say that the reply will come."""
        if 100 <= self._status < 200:
            self._headers.clear()
            self._reason = b""
            self._has_head = False
        else:
            self.is_whole = True
