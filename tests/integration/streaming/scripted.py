"""A WebSocket server that does as it is told, for each connection in turn."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

Script = Callable[[ServerConnection], None]
"""What is done on a connection; it is closed afterwards."""


class ScriptedServer:
    """Listens on this machine; the last script serves all further connections."""

    def __init__(
        self,
        *scripts: Script,
        tls: ssl.SSLContext | None = None,
        process_request: Callable[[ServerConnection, Request], Response | None] | None = None,
    ) -> None:
        """Listen."""
        self.scripts = list(scripts)
        self._lock = threading.Lock()
        self.heard: list[str | bytes] = []
        self.headers: list[dict[str, str]] = []
        self.connections = 0
        self.stopping = threading.Event()
        self._server = serve(
            self._serve,
            "127.0.0.1",
            0,
            ssl=tls,
            compression=None,
            process_request=process_request,
        )
        scheme = "ws" if tls is None else "wss"
        self.port = self._server.socket.getsockname()[1]
        self.url = f"{scheme}://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def _serve(self, connection: ServerConnection) -> None:
        with self._lock:
            self.connections += 1
            script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
        if connection.request is not None:
            self.headers.append(dict(connection.request.headers.raw_items()))
        with suppress(ConnectionClosed):
            script(connection)

    def hear(self, connection: ServerConnection) -> None:
        """Keep what is said, until the other side leaves or the test ends."""
        while not self.stopping.is_set():
            try:
                self.heard.append(connection.recv(timeout=0.05))
            except TimeoutError:
                continue

    def wait_until(self, holds: Callable[[], bool], timeout_s: float = 20.0) -> None:
        """Wait until something is so."""
        deadline = time.monotonic() + timeout_s
        while not holds():
            assert time.monotonic() < deadline, "it did not come to that"
            self.stopping.wait(0.01)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._thread.join(10)


def cut(connection: ServerConnection) -> None:
    """End the connection without taking leave."""
    connection.socket.shutdown(socket.SHUT_RDWR)
