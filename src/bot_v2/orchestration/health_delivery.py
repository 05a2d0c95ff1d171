"""How the monitor's events reach whoever asked for them, without ever holding the monitor up."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence

from bot_v2.orchestration.bounded_stream import QUEUE_MAX, BoundedStream
from bot_v2.orchestration.health_states import HealthChange, HealthEvent

_LOGGER = logging.getLogger(__name__)


class ChangeStream(BoundedStream[HealthChange]):
    """The changes of state as they come; it ends when the monitor stops."""

    _what = "changes"


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
