"""Streams of events: bounded queues that report a gap instead of dropping silently."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Final, Generic, TypeVar

from bot_v2.features.brokerages.core.errors import BrokerageError
from bot_v2.features.brokerages.core.events import StreamGap
from bot_v2.shared.types import Clock

_E = TypeVar("_E")

QUEUE_MAX: Final = 10_000
"""How many events may wait for a slow reader; what comes then is a gap."""


class EventStream(Generic[_E]):
    """The events of one reader, in order.

    Iterating waits for the next event, and ends when the stream is closed: what had arrived
    before is still yielded. What does not fit into the queue is not kept: a gap says how many.
    Several threads may iterate; each event goes to one of them.

    Args:
        clock: stamps the gaps.
        idle: called, without any lock held, each time there is nothing to yield; it may publish,
            and returns how long to wait before it is called again, in seconds. None: until an
            event comes.
        capacity: how many events may wait.
    """

    def __init__(
        self,
        clock: Clock,
        idle: Callable[[], float | None],
        capacity: int = QUEUE_MAX,
    ) -> None:
        """Start empty and open."""
        self._clock = clock
        self._idle = idle
        self._capacity = capacity
        self._events: deque[_E | StreamGap] = deque()
        self._missed = 0
        self._is_missed_known = True
        self._closed = False
        self._error: BrokerageError | None = None
        self._changed = threading.Condition()

    @property
    def is_closed(self) -> bool:
        """Whether nothing more will arrive."""
        return self._closed

    def publish(self, event: _E | StreamGap) -> None:
        """Append an event, or a gap; never waits for the reader."""
        with self._changed:
            if self._closed:
                return
            if len(self._events) >= self._capacity:
                self._miss(event)
                return
            if self._missed:
                self._events.append(self._take_gap())
            self._events.append(event)
            self._changed.notify()

    def close(self, error: BrokerageError | None = None, *, discard: bool = False) -> None:
        """End the stream, and wake whoever waits for it. Twice is harmless.

        Args:
            error: what the iterator raises at its end. None: it ends in peace.
            discard: True: what has arrived is not yielded any more.
        """
        with self._changed:
            if not self._closed:
                self._closed, self._error = True, error
            if discard:
                self._error = None
                self._events.clear()
                self._missed = 0
            self._changed.notify_all()

    def __iter__(self) -> Iterator[_E | StreamGap]:
        return self

    def __next__(self) -> _E | StreamGap:
        while True:
            with self._changed:
                if self._events:
                    return self._events.popleft()
                if self._missed:
                    return self._take_gap()
                if self._error is not None:
                    raise self._error
                if self._closed:
                    raise StopIteration
            wait_s = self._idle()
            with self._changed:
                # An event or the end may have come since the lock was released: waiting is for
                # the case that neither did.
                if not self._has_news():
                    self._changed.wait(wait_s)

    def _has_news(self) -> bool:
        return bool(self._events or self._missed or self._closed)

    def _miss(self, event: _E | StreamGap) -> None:
        if not isinstance(event, StreamGap):
            self._missed += 1
        elif event.missed is not None:
            self._missed += event.missed
        else:
            # Nobody knows how many went by, and one at least is to be told of.
            self._missed = max(self._missed, 1)
            self._is_missed_known = False

    def _take_gap(self) -> StreamGap:
        missed = self._missed if self._is_missed_known else None
        self._missed, self._is_missed_known = 0, True
        reason = f"the reader was too slow: more than {self._capacity} events waited"
        return StreamGap(timestamp=self._clock(), reason=reason, missed=missed)


class Broadcaster(Generic[_E]):
    """Gives each event to every open stream that wants it."""

    def __init__(self) -> None:
        """Start without readers, and closed."""
        self._streams: dict[EventStream[_E], Callable[[_E], bool]] = {}
        self._lock = threading.Lock()
        self._is_open = False

    def open(self) -> None:
        """Take readers."""
        with self._lock:
            self._is_open = True

    def publish(self, event: _E) -> None:
        """Give an event to the streams that want it."""
        with self._lock:
            streams = [stream for stream, wants in self._streams.items() if wants(event)]
        for stream in streams:
            stream.publish(event)

    def add(self, stream: EventStream[_E], wants: Callable[[_E], bool]) -> None:
        """Give events to a stream from now on; while there are none to come, close it."""
        with self._lock:
            if self._is_open:
                self._streams[stream] = wants
                return
        stream.close()

    def remove(self, stream: EventStream[_E]) -> None:
        """End a stream, whatever waits in it. Twice is harmless."""
        with self._lock:
            self._streams.pop(stream, None)
        stream.close(discard=True)

    def close(self) -> None:
        """End every stream once what arrived is read, and each that is added before `open`."""
        with self._lock:
            self._is_open = False
            streams = list(self._streams)
            self._streams.clear()
        for stream in streams:
            stream.close()

    @property
    def has_readers(self) -> bool:
        """Whether any stream is open."""
        return bool(self._streams)


class Subscription(AbstractContextManager[Iterator[_E | StreamGap]], Generic[_E]):
    """Opens a stream on entering, closes it on leaving."""

    def __init__(
        self,
        broadcaster: Broadcaster[_E],
        wants: Callable[[_E], bool],
        make: Callable[[], EventStream[_E]],
        start: Callable[[], None],
    ) -> None:
        """Prepare a stream; no event is kept for it before it is entered.

        Args:
            broadcaster: where the events come from.
            wants: whether an event is for this stream.
            make: makes the stream.
            start: sees to it that events come; called once the stream would hear them.
        """
        self._broadcaster = broadcaster
        self._wants = wants
        self._make = make
        self._start = start
        self._stream: EventStream[_E] | None = None

    def __enter__(self) -> Iterator[_E | StreamGap]:
        """Open the stream."""
        self._stream = self._make()
        self._broadcaster.add(self._stream, self._wants)
        try:
            self._start()
        except BaseException:
            self._broadcaster.remove(self._stream)
            raise
        return self._stream

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the stream: its iterator ends, and what it had not yielded is gone."""
        if self._stream is not None:
            self._broadcaster.remove(self._stream)
