"""One WebSocket connection of a venue: what it hears, what it is told, and a beat every second."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from starlette.websockets import WebSocket, WebSocketDisconnect

from bot_v2.venues.pipe import FramePipe

BEAT_S: Final = 1.0


async def converse(
    socket: WebSocket,
    pipe: FramePipe,
    hear: Callable[[str], None],
    beat: Callable[[int], None],
    first_within_s: float,
) -> None:
    """Serve a connection until it ends, or is left.

    Args:
        socket: not yet accepted.
        pipe: what is to be told.
        hear: is given each message.
        beat: is called once a second, with 1 for the first time.
        first_within_s: how long the first message may take, in seconds.
    """
    await socket.accept()
    tasks = [
        asyncio.ensure_future(_read(socket, hear, first_within_s)),
        asyncio.ensure_future(_write(socket, pipe)),
        asyncio.ensure_future(_beat(beat)),
    ]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with suppress(RuntimeError, OSError, WebSocketDisconnect):
            await socket.close()


async def _read(socket: WebSocket, hear: Callable[[str], None], first_within_s: float) -> None:
    with suppress(WebSocketDisconnect, asyncio.TimeoutError):
        text = await asyncio.wait_for(socket.receive_text(), first_within_s)
        while True:
            hear(text)
            text = await socket.receive_text()


async def _write(socket: WebSocket, pipe: FramePipe) -> None:
    while (frame := await pipe.frames.get()) is not None:
        try:
            await socket.send_text(frame.decode())
        except (RuntimeError, WebSocketDisconnect, OSError):
            return


async def _beat(beat: Callable[[int], None]) -> None:
    for number in itertools.count(1):
        await asyncio.sleep(BEAT_S)
        beat(number)
