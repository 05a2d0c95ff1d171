"""How the monitor's events reach whoever asked for them, without ever holding the monitor up."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Final

from bot_v2.features.brokerages.core.errors import InvalidFieldError
from bot_v2.features.brokerages.core.events import StreamGap
from bot_v2.orchestration.health_states import HealthChange, HealthEvent
from bot_v2.shared.types import Clock

_LOGGER = logging.getLogger(__name__)

QUEUE_MAX: Final = 1_000
"""How many events may wait for a slow reader or listener."""

_WAKE_S: Final = 1.0
"""How long a reader waits at a stretch: on Windows, Ctrl-C does not interrupt a single wait."""


class ChangeStream:
    """The changes of state as they come: iterate over it, and leave its `with` or close it.

    Iterating waits for the next change, and ends when the stream is closed or the monitor stops;
    what had come before is still yielded. Where the queue overflows the oldest changes give way,
    and a StreamGap says in their place how many.
    """

    def __init__(
        self, clock: Clock, queue_max: int, on_close: Callable[[ChangeStream], None]
    ) -> None:
        """Start empty and open.

        Raises:
            InvalidFieldError: the queue has no room.
        """
        if queue_max < 1:
            raise InvalidFieldError("queue_max", queue_max, "1 or more changes")
        self._clock = clock
        self._queue_max = queue_max
        self._on_close = on_close
        self._changes: deque[HealthChange] = deque()
        self._missed = 0
        self._is_closed = False
        self._condition = threading.Condition()

    def publish(self, change: HealthChange) -> None:
        """Append a change; never waits for the reader."""
        with self._condition:
            if self._is_closed:
                return
            if len(self._changes) == self._queue_max:
                self._changes.popleft()
                self._missed += 1
            self._changes.append(change)
            self._condition.notify()

    def close(self) -> None:
        """End the stream, and wake whoever waits for it. Twice is harmless."""
        with self._condition:
            self._is_closed = True
            self._condition.notify_all()
        self._on_close(self)

    def __enter__(self) -> ChangeStream:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[HealthChange | StreamGap]:
        return self

    def __next__(self) -> HealthChange | StreamGap:
        with self._condition:
            while not self._changes:
                if self._is_closed:
                    raise StopIteration
                self._condition.wait(_WAKE_S)
            if self._missed:
                missed, self._missed = self._missed, 0
                reason = f"more than {self._queue_max} changes waited to be read"
                return StreamGap(timestamp=self._clock(), reason=reason, missed=missed)
            return self._changes.popleft()


class EventDispatcher:
    """Calls listeners with each event, in order, in one thread of its own.

    A listener that raises is logged and called again with the next event. One that hangs holds up
    the other listeners, never the monitor: the oldest events give way, which is logged.
    """

    def __init__(
        self, listeners: Sequence[Callable[[HealthEvent], None]], queue_max: int = QUEUE_MAX
    ) -> None:
        """Start with nothing to tell; `start` begins to tell it."""
        self._listeners = tuple(listeners)
        self._queue_max = queue_max
        self._events: deque[HealthEvent] = deque()
        self._missed = 0
        self._is_closed = False
        self._condition = threading.Condition()
        self.thread = threading.Thread(target=self._run, name="bot_v2-health-events", daemon=True)

    def start(self) -> None:
        """Begin to call the listeners."""
        self.thread.start()

    def publish(self, event: HealthEvent) -> None:
        """Append an event; never waits for a listener."""
        with self._condition:
            if len(self._events) == self._queue_max:
                self._events.popleft()
                self._missed += 1
            self._events.append(event)
            self._condition.notify()

    def close(self) -> None:
        """End the thread when all that has come is told."""
        with self._condition:
            self._is_closed = True
            self._condition.notify()

    def _run(self) -> None:
        while True:
            with self._condition:
                while not self._events:
                    if self._is_closed:
                        return
                    self._condition.wait()
                event = self._events.popleft()
                missed, self._missed = self._missed, 0
            if missed:
                _LOGGER.warning("health events lost, because a listener is too slow: %d", missed)
            for listener in self._listeners:
                try:
                    listener(event)
                except BaseException:
                    _LOGGER.exception("a listener failed on a health event")
