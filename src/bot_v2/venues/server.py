"""The sockets of a venue: an event loop in a thread of its own, on 127.0.0.1 alone."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, Final, Protocol, TypeVar

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

_T = TypeVar("_T")

HOST: Final = "127.0.0.1"
START_TIMEOUT_S: Final = 10.0
END_TIMEOUT_S: Final = 1.0
SETTLE_STEPS: Final = 10
"""How many turns of the loop a connection takes from being accepted to being known, and more."""


class Wire(Protocol):
    """One port, and the connections to it. Its coroutines run in the loop of its server."""

    port: int
    """The port; 0 before it first listens."""

    async def open(self, port: int) -> None:
        """Listen; where it listened before, on the same port whatever is asked."""
        ...

    async def close(self) -> None:
        """Stop listening, and cut every connection."""
        ...

    def transport_of(self, client: tuple[str, int]) -> asyncio.Transport | None:
        """Return the connection from an address. None: it is gone."""
        ...


class Listener:
    """One port, and the connections to it. Its coroutines run in the loop of its server.

    Args:
        app: what answers there.
        tls: serves TLS with this context. None: plain.
    """

    def __init__(self, app: ASGIApp, tls: ssl.SSLContext | None = None) -> None:
        """Prepare; nothing listens yet."""
        self.port = 0
        """The port; 0 before it first listens."""
        self.is_secure = tls is not None
        """Whether it speaks TLS."""
        self._tls = tls
        self._state = ServerState()
        self._config = uvicorn.Config(
            app,
            http=H11Protocol,
            ws="websockets-sansio",
            ws_ping_interval=None,
            ws_per_message_deflate=False,
            lifespan="off",
            proxy_headers=False,
            log_config=None,
            access_log=False,
            timeout_keep_alive=75,
        )
        self._config.load()
        self._server: asyncio.Server | None = None

    async def open(self, port: int) -> None:
        """Listen; where it listened before, on the same port whatever is asked."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            self._connected, HOST, self.port or port, ssl=self._tls, backlog=128
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening, and cut every connection."""
        server, self._server = self._server, None
        if server is not None:
            await stop_accepting(server)
        await settle()
        for connection in list(self._state.connections):
            if connection.transport is not None:
                connection.transport.abort()
        # What was served on them ends by itself, now that they are gone.
        serving = list(self._state.tasks)
        if serving:
            await asyncio.wait(serving, timeout=END_TIMEOUT_S)
        await settle()

    def transport_of(self, client: tuple[str, int]) -> asyncio.Transport | None:
        """Return the connection from an address. None: it is gone."""
        for connection in self._state.connections:
            transport: asyncio.Transport | None = connection.transport
            if transport is not None and transport.get_extra_info("peername")[:2] == client:
                return transport
        return None

    def _connected(self) -> asyncio.Protocol:
        return H11Protocol(config=self._config, server_state=self._state, app_state={})


class VenueServer:
    """Runs listeners in a thread. Not for several threads at once, but for `call`."""

    def __init__(self) -> None:
        """Prepare; no thread runs yet."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread; once it runs, this does nothing."""
        if self._loop is not None:
            return
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="venue", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Run a coroutine in the loop, and return what it returns."""
        if self._loop is None:
            raise RuntimeError("the venue is not running")
        waiting: Future[_T] = asyncio.run_coroutine_threadsafe(work, self._loop)
        return waiting.result(START_TIMEOUT_S)

    def call(self, action: Callable[[], None]) -> None:
        """Have something done in the loop; before it runs, and after its end, nothing is done."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(action)

    def stop(self) -> None:
        """End the thread; what still runs in the loop is cancelled."""
        loop, self._loop = self._loop, None
        thread, self._thread = self._thread, None
        if loop is None or thread is None:
            return
        asyncio.run_coroutine_threadsafe(_cancel_all(), loop).result(START_TIMEOUT_S)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def stop_accepting(server: asyncio.Server) -> None:
    """Close a server, once what it has just accepted became a connection that can be cut."""
    # A loop that has no readers (on Windows) accepts in another way, and has no such gap.
    for socket in server.sockets:
        with suppress(NotImplementedError):
            asyncio.get_running_loop().remove_reader(socket.fileno())
    await settle()
    server.close()


async def settle() -> None:
    """Let the loop do what it has begun."""
    for _ in range(SETTLE_STEPS):
        await asyncio.sleep(0)


async def _cancel_all() -> None:
    mine = asyncio.current_task()
    others = [task for task in asyncio.all_tasks() if task is not mine]
    for task in others:
        task.cancel()
    if others:
        await asyncio.wait(others, timeout=END_TIMEOUT_S)
    await settle()
