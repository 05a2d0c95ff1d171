"""Events for readers in other threads: bounded queues that report a gap instead of dropping."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Final, Generic, TypeVar

from bot_v2.features.brokerages.core.events import StreamGap
from bot_v2.shared.types import Clock

_E = TypeVar("_E")

QUEUE_MAX: Final = 10_000
"""How many events may wait for a slow reader; what comes then is a gap."""


class EventStream(Generic[_E]):
    """The events of one reader, in order. Iterating waits, and ends when the stream is closed.

    Args:
        clock: stamps the gaps.
        capacity: how many events may wait.
    """

    def __init__(self, clock: Clock, capacity: int = QUEUE_MAX) -> None:
        """Start empty and open."""
        self._clock = clock
        self._capacity = capacity
        self._events: deque[_E | StreamGap] = deque()
        self._missed = 0
        self._closed = False
        self._changed = threading.Condition()

    def publish(self, event: _E) -> None:
        """Append an event; never waits for the reader."""
        with self._changed:
            if self._closed:
                return
            if len(self._events) >= self._capacity:
                self._missed += 1
                return
            if self._missed:
                self._events.append(self._overflow())
            self._events.append(event)
            self._changed.notify()

    def report(self, reason: str) -> None:
        """Append that events may have been missed; a full queue keeps room for that."""
        with self._changed:
            if not self._closed:
                self._events.append(StreamGap(timestamp=self._clock(), reason=reason))
                self._changed.notify()

    def close(self) -> None:
        """End the stream, and wake whoever waits for it. Twice is harmless."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def __iter__(self) -> Iterator[_E | StreamGap]:
        return self

    def __next__(self) -> _E | StreamGap:
        with self._changed:
            while True:
                if self._events:
                    return self._events.popleft()
                if self._missed:
                    return self._overflow()
                if self._closed:
                    raise StopIteration
                self._changed.wait()

    def _overflow(self) -> StreamGap:
        missed, self._missed = self._missed, 0
        reason = f"the reader was too slow: more than {self._capacity} events waited"
        return StreamGap(timestamp=self._clock(), reason=reason, missed=missed)


class Readers(Generic[_E]):
    """The open streams of one kind. Safe between threads."""

    def __init__(self) -> None:
        """Start without any."""
        self._lock = threading.Lock()
        self._streams: dict[EventStream[_E], Callable[[_E], bool]] = {}

    def __bool__(self) -> bool:
        return bool(self._streams)

    def add(self, stream: EventStream[_E], wants: Callable[[_E], bool]) -> None:
        """Give a stream the events that it wants from now on."""
        with self._lock:
            self._streams[stream] = wants

    def remove(self, stream: EventStream[_E]) -> None:
        """End a stream. Twice is harmless."""
        with self._lock:
            self._streams.pop(stream, None)
        stream.close()

    def publish(self, event: _E) -> None:
        """Give an event to the streams that want it."""
        with self._lock:
            streams = [stream for stream, wants in self._streams.items() if wants(event)]
        for stream in streams:
            stream.publish(event)

    def report(self, reason: str) -> None:
        """Tell every stream that events may have been missed."""
        with self._lock:
            streams = list(self._streams)
        for stream in streams:
            stream.report(reason)
