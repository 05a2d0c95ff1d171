"""The socket of the venue: one port on 127.0.0.1, and the clients that are connected to it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress

from bot_v2.venues.faults import FaultPlan
from bot_v2.venues.http_app import LINGER_NOT
from bot_v2.venues.server import HOST, settle, stop_accepting
from bot_v2.venues.tws.frames import FrameReader, WireError
from bot_v2.venues.tws.gateway import Gateway
from bot_v2.venues.tws.outlet import Outlet, Pace
from bot_v2.venues.tws.session import Session


class TwsWire:
    """Listens for clients. Its coroutines run in the loop of its server.

    Args:
        gateway: what answers.
        plan: what is to go wrong.
        pace: how bytes leave.
        call: has something done in the loop, from any thread.
    """

    def __init__(
        self,
        gateway: Gateway,
        plan: FaultPlan,
        pace: Pace,
        call: Callable[[Callable[[], None]], None],
    ) -> None:
        """Prepare; nothing listens yet."""
        self.port = 0
        """The port; 0 before it first listens."""
        self._gateway = gateway
        self._plan = plan
        self._pace = pace
        self._call = call
        self._server: asyncio.Server | None = None
        self._clients: set[_Client] = set()

    async def open(self, port: int) -> None:
        """Listen; where it listened before, on the same port whatever is asked."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            self._connected, HOST, self.port or port, backlog=128
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening, and cut every connection."""
        server, self._server = self._server, None
        if server is not None:
            await stop_accepting(server)
        await settle()
        for client in list(self._clients):
            client.cut()
        await settle()

    def transport_of(self, client: tuple[str, int]) -> asyncio.Transport | None:
        """Return the connection from an address. None: it is gone."""
        for one in self._clients:
            transport = one.transport
            if transport is not None and transport.get_extra_info("peername")[:2] == client:
                return transport
        return None

    def _connected(self) -> asyncio.Protocol:
        return _Client(self)

    def joined(self, client: _Client, transport: asyncio.Transport) -> Session:
        """Take in a connection; return what it is told by."""
        self._clients.add(client)
        outlet = Outlet(transport, self._pace)
        session = Session(self._plan, lambda data: self._call(lambda: outlet.put(data)))

        def end(reset: bool) -> None:
            if reset:
                linger_not(transport)
            outlet.end(abort=reset)

        self._gateway.opened(session, lambda reset: self._call(lambda: end(reset)))
        return session

    def heard(self, session: Session, payload: bytes) -> None:
        """Let a frame have its effect."""
        self._gateway.receive(session, payload)

    def left(self, client: _Client, session: Session) -> None:
        """Forget a connection."""
        self._clients.discard(client)
        self._gateway.closed(session)


class _Client(asyncio.Protocol):
    def __init__(self, wire: TwsWire) -> None:
        self.transport: asyncio.Transport | None = None
        self._wire = wire
        self._reader = FrameReader(starts_with_prefix=True)
        self._session: Session | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            self.transport = transport
            self._session = self._wire.joined(self, transport)

    def data_received(self, data: bytes) -> None:
        if self._session is None:
            return
        try:
            for payload in self._reader.feed(data):
                self._wire.heard(self._session, payload)
        except WireError:
            self.cut()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        if self._session is not None:
            self._wire.left(self, self._session)

    def cut(self) -> None:
        """End the connection at once."""
        if self.transport is not None:
            self.transport.abort()


def linger_not(transport: asyncio.Transport) -> None:
    """Have a connection end by a reset, once it is aborted."""
    with suppress(OSError):
        transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT
        )
