"""WebSockets of the venue: one connection, in JSON or MessagePack."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final

import msgspec
from starlette.websockets import WebSocket, WebSocketDisconnect

from bot_v2.venues.exact_json import to_json
from bot_v2.venues.faults import FaultPlan
from bot_v2.venues.pipe import FramePipe

MSGPACK: Final = "application/msgpack"

_MSGPACK: Final = msgspec.msgpack.Encoder(decimal_format="number")


class Connection:
    """One connection. What it says is put into words by its own codec.

    Args:
        socket: the socket.
        plan: what is to go wrong.
        in_bytes: JSON is sent in binary frames.
    """

    def __init__(self, socket: WebSocket, plan: FaultPlan, *, in_bytes: bool) -> None:
        """Take over a socket that is not accepted yet."""
        self.socket = socket
        self.pipe = FramePipe(plan)
        self.headers: Mapping[str, str] = socket.headers
        """What the client said when it connected."""
        self.is_msgpack = socket.headers.get("content-type") == MSGPACK
        """Whether it speaks MessagePack."""
        self._in_bytes = in_bytes or self.is_msgpack

    def encode(self, message: object) -> bytes:
        """Return a frame."""
        return _MSGPACK.encode(message) if self.is_msgpack else to_json(message)

    def say(self, message: object) -> None:
        """Say something that no fault befalls: an answer. In the loop of the sockets alone."""
        self.pipe.frames.put_nowait(self.encode(message))

    async def serve(
        self, hear: Callable[[Mapping[str, Any]], None], refuse: Callable[[str], None]
    ) -> None:
        """Serve the connection until it ends; `hear` is given each message."""
        tasks = [
            asyncio.ensure_future(self._read(hear, refuse)),
            asyncio.ensure_future(self._write()),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            with suppress(RuntimeError, OSError, WebSocketDisconnect):
                await self.socket.close()

    async def _read(
        self, hear: Callable[[Mapping[str, Any]], None], refuse: Callable[[str], None]
    ) -> None:
        while True:
            received = await self.socket.receive()
            if received["type"] == "websocket.disconnect":
                return
            try:
                hear(self._decode(received))
            except (ValueError, msgspec.MsgspecError) as error:
                refuse(str(error))

    def _decode(self, received: Mapping[str, Any]) -> Mapping[str, Any]:
        content = received.get("bytes") or (received.get("text") or "").encode()
        if self.is_msgpack and received.get("bytes"):
            message: object = msgspec.msgpack.decode(content)
        else:
            message = json.loads(content)
        if not isinstance(message, dict):
            raise ValueError("a message is an object")
        return message

    async def _write(self) -> None:
        while (frame := await self.pipe.frames.get()) is not None:
            try:
                if self._in_bytes:
                    await self.socket.send_bytes(frame)
                else:
                    await self.socket.send_text(frame.decode())
            except (RuntimeError, WebSocketDisconnect, OSError):
                return
