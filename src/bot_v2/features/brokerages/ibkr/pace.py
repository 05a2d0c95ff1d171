"""How many messages may leave in a second: TWS cuts the connection of a client that sends more."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

from bot_v2.features.brokerages.ibkr.errors import PacedError

CANCEL_SHARE: Final = 5
"""One message in so many is kept for cancels."""

HISTORY_LIMIT: Final = 60
HISTORY_PERIOD_S: Final = 600.0
"""How often short candles may be asked for, and in which time, in seconds: the broker's limit."""


class Pace:
    """Lets messages through in turn. Wants to be used in one loop.

    Args:
        limit: how many in a period.
        period_s: how long a period is, in seconds.
        clock: the seconds of a clock that never goes back.
    """

    def __init__(
        self, limit: int, period_s: float = 1.0, clock: Callable[[], float] | None = None
    ) -> None:
        """Start with all room."""
        self.limit = limit
        """How many in a period."""
        self._period_s = period_s
        self._clock = clock or (lambda: asyncio.get_running_loop().time())
        self._times: deque[float] = deque()
        self._turn = asyncio.Lock()

    def try_take(self, *, count: int = 1, is_urgent: bool = False) -> float:
        """Take room at once, and return 0; else return when there may be some, in seconds."""
        now = self._clock()
        times = self._times
        while times and now - times[0] >= self._period_s:
            times.popleft()
        kept = 0 if is_urgent else self.limit // CANCEL_SHARE
        room = max(1, self.limit - kept)
        if len(times) + count <= room or not times:
            times.extend([now] * count)
            return 0.0
        return max(
            times[min(len(times) - 1, len(times) + count - room - 1)] + self._period_s - now, 1e-3
        )

    async def take(self, deadline: float, *, count: int = 1, is_urgent: bool = False) -> None:
        """Wait for room, each in its turn; who is urgent waits for nobody's turn.

        Raises:
            PacedError: there is none before the deadline.
        """
        if (is_urgent or not self._turn.locked()) and not self.try_take(
            count=count, is_urgent=is_urgent
        ):
            return
        if is_urgent:
            await self._wait(deadline, count, is_urgent=True)
            return
        async with self._turn:
            await self._wait(deadline, count, is_urgent=False)

    async def _wait(self, deadline: float, count: int, *, is_urgent: bool) -> None:
        while wait_s := self.try_take(count=count, is_urgent=is_urgent):
            if self._clock() + wait_s > deadline:
                raise PacedError
            await asyncio.sleep(wait_s)
