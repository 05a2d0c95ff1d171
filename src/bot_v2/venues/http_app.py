"""The HTTP side of a venue: requests in, answers out, and what goes wrong on the way."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final, Protocol
from urllib.parse import unquote

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from bot_v2.simulation.faults import Fault
from bot_v2.venues.dispatch import Dispatcher, Served
from bot_v2.venues.faults import FaultPlan
from bot_v2.venues.requests import ApiRequest, Endpoint

HANG_MAX_S: Final = 30.0
"""How long an answer that never comes is awaited, where nobody gives up earlier."""

POLL_S: Final = 0.01
_PROMISED: Final = 1000
NO_CONTENT: Final = 204
LINGER_NOT: Final = struct.pack("hh" if hasattr(socket, "SIO_RCVALL") else "ii", 1, 0)
"""Close by a reset; the form is the platform's (Windows alone has SIO_RCVALL)."""

_BROKEN_OFF: Final = frozenset({Fault.RESET_AFTER, Fault.TRUNCATED})
_HANGS: Final = frozenset({Fault.DROP_BEFORE_ACCEPT, Fault.DROP_AFTER_ACCEPT})


class Connections(Protocol):
    """Finds the connection of a request."""

    def transport_of(self, client: tuple[str, int]) -> asyncio.Transport | None:
        """Return the connection from an address. None: it is gone."""
        ...


def build_app(
    endpoints: Sequence[Endpoint],
    dispatcher: Dispatcher,
    plan: FaultPlan,
    connections: Connections,
    more: Sequence[BaseRoute] = (),
) -> Starlette:
    """Return the application that serves some endpoints; the first that fits decides.

    Args:
        endpoints: what can be asked.
        dispatcher: lets requests have their effect.
        plan: tells when what hangs may let go.
        connections: the connections, to break them.
        more: further routes, such as those of streams.
    """
    routes: list[BaseRoute] = [
        Route(one.path, _Served(one, dispatcher, plan, connections), methods=[one.method])
        for one in endpoints
    ]
    return Starlette(routes=[*routes, *more])


class _Served:
    """An ASGI application for one endpoint."""

    def __init__(
        self,
        endpoint: Endpoint,
        dispatcher: Dispatcher,
        plan: FaultPlan,
        connections: Connections,
    ) -> None:
        self._endpoint = endpoint
        self._dispatcher = dispatcher
        self._plan = plan
        self._connections = connections

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = await _read(Request(scope, receive))
        clearings = self._plan.clearings
        served = self._dispatcher.serve(self._endpoint, request)
        client = scope.get("client") or ("", 0)

        def transport() -> asyncio.Transport | None:
            return self._connections.transport_of((client[0], client[1]))

        if served.fault in _HANGS:
            await self._hang(receive, transport, clearings)
        elif served.fault in _BROKEN_OFF and served.status == NO_CONTENT:
            # Its answer is whole once its head is there, so not even that may come.
            await _reset(receive, transport())
        elif served.fault is Fault.RESET_AFTER:
            await _start(send, served, len(served.content) or _PROMISED)
            await send(_body(served.content[:1], more=True))
            await _reset(receive, transport())
        elif served.fault is Fault.TRUNCATED:
            await _start(send, served, len(served.content))
            await send(_body(served.content[: len(served.content) // 2], more=True))
            await _close(receive, transport())
        else:
            await _start(send, served, len(served.content))
            await send(_body(served.content, more=False))

    async def _hang(
        self,
        receive: Receive,
        transport: Callable[[], asyncio.Transport | None],
        clearings: int,
    ) -> None:
        """Say nothing until the other side gives up, or the faults are cleared."""
        gone = asyncio.ensure_future(_gone(receive))
        deadline = time.monotonic() + HANG_MAX_S
        while not gone.done() and time.monotonic() < deadline:
            if self._plan.clearings != clearings:
                break
            await asyncio.wait([gone], timeout=POLL_S)
        connection = transport()
        if connection is not None:
            connection.abort()
        await gone


async def _read(asked: Request) -> ApiRequest:
    content = await asked.body()
    target = asked.scope["raw_path"].decode("ascii")
    query = asked.scope["query_string"].decode("ascii")
    return ApiRequest(
        method=asked.method,
        path=target,
        target=f"{target}?{query}" if query else target,
        host=asked.headers.get("host", ""),
        query=tuple(asked.query_params.multi_items()),
        headers={name.lower(): value for name, value in asked.headers.items()},
        content=content,
        arguments={name: unquote(str(one)) for name, one in asked.path_params.items()},
    )


async def _start(send: Send, served: Served, length: int) -> None:
    headers = {
        "content-type": served.content_type,
        "content-length": str(length),
        **served.headers,
    }
    await send(
        {
            "type": "http.response.start",
            "status": served.status,
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }
    )


def _body(content: bytes, *, more: bool) -> dict[str, object]:
    return {"type": "http.response.body", "body": content, "more_body": more}


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _close(receive: Receive, transport: asyncio.Transport | None) -> None:
    """End a connection in the middle of an answer, in peace."""
    if transport is not None:
        transport.close()
        await _gone(receive)


async def _reset(receive: Receive, transport: asyncio.Transport | None) -> None:
    """End a connection in the middle of an answer, so that the other side sees a reset."""
    if transport is None:
        return
    connection = transport.get_extra_info("socket")
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT)
    transport.abort()
    await _gone(receive)
