"""What a stream says to one listener: numbered frames, and what goes wrong with them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection

from bot_v2.simulation.faults import Fault
from bot_v2.venues.faults import ON_STREAMS, FaultPlan


class FramePipe:
    """The frames to one listener, in order. All of it happens in the venue's loop.

    A frame that is lost has had its number: whoever counts sees the gap.

    Args:
        plan: what is to go wrong.
    """

    def __init__(self, plan: FaultPlan) -> None:
        """Say nothing yet."""
        self._plan = plan
        self._next = 0
        self._held: bytes | None = None
        self.frames: asyncio.Queue[bytes | None] = asyncio.Queue()
        """What is to be sent. None: the listener is to be left."""

    def push(self, operations: Collection[str], build: Callable[[int], bytes]) -> None:
        """Say something.

        Args:
            operations: the operations that the frame may be part of.
            build: makes the frame of its number; the first is 0.
        """
        number, self._next = self._next, self._next + 1
        if self._plan.lasts(Fault.MUTE_STREAM):
            return
        frame = build(number)
        if self._held is None and self._plan.take(operations, ON_STREAMS):
            self._held = frame
            return
        copies = 2 if self._plan.lasts(Fault.DUPLICATE_EVENT) else 1
        for _ in range(copies):
            self.frames.put_nowait(frame)
        self.release()

    def release(self) -> None:
        """Say what was held back."""
        held, self._held = self._held, None
        if held is not None:
            self.frames.put_nowait(held)

    def end(self) -> None:
        """Leave the listener, once all was said."""
        self.frames.put_nowait(None)
