"""The connections to one origin: opened when needed, kept open, and a bounded number of them.

urllib3 has a pool as well, which these replace: it logs each address with its query, opens a lost
connection in the middle of a request, and does not say which connection a request went by.
"""

from __future__ import annotations

import builtins
import ssl
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from urllib3.connection import HTTPConnection, HTTPSConnection, ProxyConfig

from bot_v2.features.brokerages.http.connections import WatchedConnection, connection_class
from bot_v2.features.brokerages.http.passage import Passage
from bot_v2.features.brokerages.http.proxies import Proxy

DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class Origin(NamedTuple):
    """Whom a request is for."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}"


class ConnectionPool:
    """Keeps connections to one origin, and lends each to one thread at a time.

    Args:
        origin: whom to connect to.
        proxy: through whom. None: directly.
        tls: returns the context for TLS; asked for when the first connection is opened.
        size: how many connections there are at most.
        idle_max_s: a connection that was idle for so long, in seconds, is not used again.
    """

    def __init__(
        self,
        origin: Origin,
        proxy: Proxy | None,
        tls: Callable[[], ssl.SSLContext],
        *,
        size: int,
        idle_max_s: float,
    ) -> None:
        """Prepare; nothing is opened yet."""
        self._origin = origin
        self._proxy = proxy
        self._tls = tls
        self._size = size
        self._idle_max_s = idle_max_s
        self._idle: deque[HTTPConnection] = deque()
        self._slots = threading.Semaphore(size)
        self._closed = False
        is_forwarding = proxy is not None and origin.scheme == "http"
        self.host = str(origin).partition("://")[2]
        """The value of the header Host."""
        self.target_prefix = str(origin) if is_forwarding else ""
        """What stands before the path in a request: a proxy is told the whole address."""
        self.extra_headers = proxy.headers if proxy and is_forwarding else {}
        """What each request carries for the proxy."""

    def take(self, passage: Passage) -> tuple[HTTPConnection, bool]:
        """Return an open connection, and whether it was open before.

        Raises:
            builtins.TimeoutError: all are busy, or the time is over.
            OSError, urllib3.exceptions.HTTPError: it cannot be opened.
        """
        if not self._slots.acquire(timeout=passage.next_connect_s()):
            raise builtins.TimeoutError(f"all {self._size} connections are busy")
        try:
            if (connection := self._take_idle()) is not None:
                if isinstance(connection, WatchedConnection):
                    connection.passage = passage
                return connection, True
            return self._open(passage), False
        except BaseException:
            self._slots.release()
            raise

    def give(self, connection: HTTPConnection, *, reusable: bool) -> None:
        """Take a connection back; one that cannot be used again is closed."""
        try:
            if isinstance(connection, WatchedConnection):
                connection.rest()
            if reusable and connection.sock is not None:
                self._idle.append(connection)
            else:
                connection.close()
        finally:
            self._slots.release()
        if self._closed:
            self._close_idle()

    def close(self) -> None:
        """Close what is idle now; what is lent is closed when it is given back."""
        self._closed = True
        self._close_idle()

    def _close_idle(self) -> None:
        while True:
            try:
                self._idle.pop().close()
            except IndexError:
                return

    def _take_idle(self) -> HTTPConnection | None:
        wanted = connection_class(tls=self._uses_tls)
        while True:
            try:
                # The one used last: the others may grow old and be closed.
                connection = self._idle.pop()
            except IndexError:
                return None
            if type(connection) is wanted and self._is_usable(connection):
                return connection
            connection.close()

    def _is_usable(self, connection: HTTPConnection) -> bool:
        if isinstance(connection, WatchedConnection):
            return connection.is_usable(self._idle_max_s)
        return True

    @property
    def _uses_tls(self) -> bool:
        if self._origin.scheme == "https":
            return True
        return self._proxy is not None and self._proxy.address.scheme == "https"

    def _open(self, passage: Passage) -> HTTPConnection:
        connection = self._make(passage)
        # A recorder's connection opens itself, or not at all where it replays.
        if isinstance(connection, WatchedConnection):
            try:
                connection.open(passage)
            except BaseException:
                connection.close()
                raise
        return connection

    def _make(self, passage: Passage) -> HTTPConnection:
        options: dict[str, Any] = {"timeout": passage.next_connect_s()}
        if self._uses_tls:
            options["ssl_context"] = self._tls()
        kind = connection_class(tls=self._uses_tls)
        proxy = self._proxy
        if proxy is None:
            return kind(self._origin.host, self._origin.port, **options)
        scheme, host = proxy.address.scheme or "http", proxy.address.host or ""
        connection = kind(
            host.strip("[]"),
            proxy.address.port or DEFAULT_PORTS[scheme],
            proxy=proxy.address,
            proxy_config=ProxyConfig(self._tls() if scheme == "https" else None, False, None, None),
            **options,
        )
        if self._origin.scheme == "https" and isinstance(connection, HTTPSConnection):
            headers = proxy.headers
            connection.set_tunnel(self._origin.host, self._origin.port, headers, scheme=scheme)
        return connection
