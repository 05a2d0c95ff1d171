"""What one thread tells another as it comes, in a queue that never holds the teller up."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Final, Generic, Self, TypeVar

from bot_v2.features.brokerages.core.errors import InvalidFieldError
from bot_v2.features.brokerages.core.events import StreamGap
from bot_v2.shared.types import Clock

_T = TypeVar("_T")

QUEUE_MAX: Final = 1_000
"""How many may wait for a slow reader."""

_WAKE_S: Final = 1.0
"""How long a reader waits at a stretch: on Windows, Ctrl-C does not interrupt a single wait."""


class BoundedStream(Generic[_T]):
    """Iterate over it, and leave its `with` or close it.

    Iterating waits for the next, and ends when the stream is closed; what had come before is still
    yielded. Where the queue overflows the oldest give way, and a StreamGap says in their place how
    many.
    """

    _what: str = "events"
    """What waits in it, in the words of a gap."""

    def __init__(self, clock: Clock, queue_max: int, on_close: Callable[[Any], None]) -> None:
        """Start empty and open.

        Raises:
            InvalidFieldError: the queue has no room.
        """
        if queue_max < 1:
            raise InvalidFieldError("queue_max", queue_max, f"1 or more {self._what}")
        self._clock = clock
        self._queue_max = queue_max
        self._on_close = on_close
        self._waiting: deque[_T] = deque()
        self._missed = 0
        self._is_closed = False
        self._condition = threading.Condition()

    def publish(self, one: _T) -> None:
        """Append one; never waits for the reader. Once closed, nothing more is taken."""
        with self._condition:
            if self._is_closed:
                return
            if len(self._waiting) == self._queue_max:
                self._waiting.popleft()
                self._missed += 1
            self._waiting.append(one)
            self._condition.notify()

    def close(self) -> None:
        """End the stream, and wake whoever waits for it. Twice is harmless."""
        with self._condition:
            self._is_closed = True
            self._condition.notify_all()
        self._on_close(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[_T | StreamGap]:
        return self

    def __next__(self) -> _T | StreamGap:
        with self._condition:
            while not self._waiting:
                if self._is_closed:
                    raise StopIteration
                self._condition.wait(_WAKE_S)
            if self._missed:
                missed, self._missed = self._missed, 0
                reason = f"more than {self._queue_max} {self._what} waited to be read"
                return StreamGap(timestamp=self._clock(), reason=reason, missed=missed)
            return self._waiting.popleft()
