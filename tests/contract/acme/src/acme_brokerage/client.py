"""HTTP to Acme: one persistent connection, every wait bounded, nothing ever sent twice."""

from __future__ import annotations

import http.client
import json
import select
import socket
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from urllib.parse import urlencode, urlsplit

from acme_brokerage.wire import MaybeSentError, NotSentError, Reply
from bot_v2.features.brokerages.core.interfaces import InvalidFieldError

CHUNK = 65_536


class AcmeClient:
    """Calls of one connection, one at a time. Safe between threads.

    Args:
        url: where the broker is.
        timeout_s: how long a call may take in all, in seconds.
    """

    def __init__(self, url: str, timeout_s: float) -> None:
        """Remember where the broker is; nothing is opened yet."""
        parts = urlsplit(url)
        if parts.scheme != "http" or parts.hostname is None:
            raise InvalidFieldError("ACME_URL", url, "http://HOST:PORT")
        self._host, self._port, self._path = parts.hostname, parts.port, parts.path.rstrip("/")
        self._timeout_s = timeout_s
        self._connection: http.client.HTTPConnection | None = None
        self._lock = threading.Lock()

    def call(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str],
        query: Mapping[str, str] | None = None,
        body: Mapping[str, object] | None = None,
        timeout_s: float | None = None,
    ) -> Reply:
        """Send one request, once, and return the reply whatever its status.

        Raises:
            NotSentError: no byte left.
            MaybeSentError: bytes may have left, and no whole reply came back in time.
        """
        deadline = time.monotonic() + (timeout_s or self._timeout_s)
        if not self._lock.acquire(timeout=_left(deadline)):
            raise NotSentError from TimeoutError("the connection was busy")
        try:
            connection = self._open(deadline)
            target = self._path + path + (f"?{urlencode(query)}" if query else "")
            content = None if body is None else json.dumps(body).encode()
            sent = {**headers, "Content-Type": "application/json"} if content else dict(headers)
            try:
                connection.request(method, target, content, sent)
                return _read(connection, deadline)
            except (OSError, http.client.HTTPException) as error:
                self._drop()
                raise MaybeSentError from error
        finally:
            self._lock.release()

    def _open(self, deadline: float) -> http.client.HTTPConnection:
        connection = self._connection
        if connection is not None and not _is_usable(connection.sock):
            self._drop()
            connection = None
        if connection is None:
            connection = http.client.HTTPConnection(self._host, self._port, timeout=_left(deadline))
            try:
                connection.connect()
            except OSError as error:
                raise NotSentError from error
            self._connection = connection
        connection.sock.settimeout(_left(deadline))
        return connection

    def _drop(self) -> None:
        if self._connection is not None:
            with suppress(OSError):
                self._connection.close()
            self._connection = None

    def close(self) -> None:
        """Close the connection; a later call opens another."""
        if self._lock.acquire(timeout=self._timeout_s):
            try:
                self._drop()
            finally:
                self._lock.release()


def _left(deadline: float) -> float:
    """Return the seconds until a deadline; never zero, which would mean not to block at all."""
    return max(deadline - time.monotonic(), 0.001)


def _is_usable(sock: socket.socket | None) -> bool:
    """Whether an idle connection is still open: one that has something to say was closed."""
    return sock is not None and not select.select([sock], [], [], 0)[0]


def _read(connection: http.client.HTTPConnection, deadline: float) -> Reply:
    """Read a whole reply before a deadline, however slowly it drips."""
    response = connection.getresponse()
    chunks: list[bytes] = []
    while chunk := response.read1(CHUNK):
        chunks.append(chunk)
        if time.monotonic() > deadline:
            raise TimeoutError("the reply did not end in time")
        if connection.sock is not None:
            connection.sock.settimeout(_left(deadline))
    # Python 3.11 leaves a response open whose last byte was read by read1; the connection is held.
    response.close()
    body = b"".join(chunks)
    promised = response.getheader("Content-Length")
    if promised is not None and promised.isdecimal() and len(body) < int(promised):
        raise http.client.IncompleteRead(body, int(promised) - len(body))
    # `read1` leaves the response open, and the connection would take no other request.
    response.close()
    wait = response.getheader("Retry-After")
    retry_after_s = float(wait) if wait is not None and wait.isdecimal() else None
    return Reply(response.status, retry_after_s, body)
