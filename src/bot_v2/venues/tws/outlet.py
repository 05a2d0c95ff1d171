"""What leaves on one connection: at once, or as slowly and in as small pieces as it is told."""

from __future__ import annotations

import asyncio
from collections import deque

import attrs


@attrs.define
class Pace:
    """How bytes leave, on every connection."""

    piece: int = 0
    """The most bytes of one write; 0: whole frames."""
    delay_s: float = 0.0
    """How long to wait before each write, in seconds."""
    is_silent: bool = False
    """True: nothing leaves, and what would have is lost."""

    @property
    def is_plain(self) -> bool:
        """Whether bytes leave at once and whole."""
        return not self.piece and not self.delay_s


class Outlet:
    """Writes to one connection, in order. All of it happens in the venue's loop.

    Args:
        transport: the connection.
        pace: how bytes leave; it can change at any time.
    """

    def __init__(self, transport: asyncio.Transport, pace: Pace) -> None:
        """Write nothing yet."""
        self._transport = transport
        self._pace = pace
        self._waiting: deque[bytes] = deque()
        self._task: asyncio.Task[None] | None = None
        self._ending: bool | None = None

    def put(self, data: bytes) -> None:
        """Send bytes, after those that wait."""
        if self._pace.is_silent or self._transport.is_closing():
            return
        if self._pace.is_plain and self._task is None:
            self._transport.write(data)
            return
        self._waiting.append(data)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._drain())

    def end(self, *, abort: bool) -> None:
        """End the connection, after what waits."""
        if self._task is None:
            self._close(abort=abort)
        else:
            self._ending = abort

    async def _drain(self) -> None:
        try:
            while self._waiting:
                data = self._waiting.popleft()
                step = self._pace.piece or len(data)
                for start in range(0, len(data), step):
                    await asyncio.sleep(self._pace.delay_s)
                    if self._transport.is_closing():
                        return
                    self._transport.write(data[start : start + step])
        finally:
            self._task = None
            if self._ending is not None:
                self._close(abort=self._ending)

    def _close(self, *, abort: bool) -> None:
        if abort:
            self._transport.abort()
        else:
            self._transport.close()
