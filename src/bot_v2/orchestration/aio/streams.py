"""Streams of a brokerage as async iterators: a thread reads, a bounded queue waits for the loop."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Final, Generic, Protocol, TypeVar

from bot_v2.features.brokerages.core.errors import InvalidFieldError, InvalidRequestError
from bot_v2.features.brokerages.core.events import StreamGap
from bot_v2.orchestration.aio.writes import wake
from bot_v2.shared.types import Clock

_E = TypeVar("_E")
_E_co = TypeVar("_E_co", covariant=True)

QUEUE_MAX: Final = 10_000
"""How many events may wait for a loop that is busy; what comes then is a gap."""


class EventQueue(Generic[_E]):
    """Events on their way from a thread to a loop, in order; what does not fit is told as a gap.

    Args:
        clock: stamps the gaps.
        capacity: how many events may wait.
    """

    def __init__(self, clock: Clock, capacity: int) -> None:
        """Start empty and open.

        Raises:
            InvalidFieldError: there is no room.
        """
        if type(capacity) is not int or capacity < 1:
            raise InvalidFieldError("queue_max", capacity, "a whole number, 1 or more")
        self._clock = clock
        self._capacity = capacity
        self._events: deque[_E | StreamGap] = deque()
        self._missed = 0
        self._is_missed_known = True
        self._has_ended = False
        self._error: BaseException | None = None
        self._waiters: list[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = []
        self._lock = threading.Lock()

    def put(self, event: _E | StreamGap) -> None:
        """Append an event; never waits for the reader."""
        with self._lock:
            if self._has_ended:
                return
            if len(self._events) >= self._capacity:
                self._miss(event)
                return
            if self._missed:
                self._events.append(self._take_gap())
            self._events.append(event)
            waiters = self._take_waiters()
        for waiter in waiters:
            wake(*waiter)

    def end(self, error: BaseException | None = None, *, discard: bool = False) -> None:
        """Take no more events. Twice is harmless.

        Args:
            error: what the reader gets after the last event. None: the stream ends in peace.
            discard: True: what waits is not read any more.
        """
        with self._lock:
            if not self._has_ended:
                self._has_ended, self._error = True, error
            if discard:
                self._error = None
                self._events.clear()
                self._missed = 0
            waiters = self._take_waiters()
        for waiter in waiters:
            wake(*waiter)

    async def get(self) -> _E | StreamGap:
        """Return the next event; one that a cancelled wait would have returned is not lost.

        Raises:
            StopAsyncIteration: the stream has ended.
        """
        loop = asyncio.get_running_loop()
        while True:
            with self._lock:
                if self._events:
                    return self._events.popleft()
                if self._missed:
                    return self._take_gap()
                if self._error is not None:
                    raise self._error
                if self._has_ended:
                    raise StopAsyncIteration
                future: asyncio.Future[None] = loop.create_future()
                self._waiters.append((loop, future))
            await future

    def _take_waiters(self) -> list[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]]:
        # All of them: one that was cancelled meanwhile must not be the only one that is woken.
        waiters, self._waiters = self._waiters, []
        return waiters

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
        reason = f"the loop was too slow: more than {self._capacity} events waited"
        return StreamGap(timestamp=self._clock(), reason=reason, missed=missed)


class RunInSession(Protocol):
    """Makes a call in a thread for sessions, and waits for it."""

    async def __call__(self, call: Callable[[], object]) -> None:
        """Wait until the call is made; it is made even when the wait is cancelled."""
        ...


class AsyncEventStream(Generic[_E_co]):
    """The events of one stream: `async with` opens and closes it, `async for` reads it.

    It is closed when the block is left, by an end, an error or a cancellation, and by `aclose`.

    Args:
        open_stream: returns the brokerage's own stream.
        run: where it is opened and closed.
        queue: where its events wait.
        on_open: called with this before it is opened.
        on_close: called with this when it is closed.
    """

    def __init__(
        self,
        open_stream: Callable[[], AbstractContextManager[Iterator[_E_co | StreamGap]]],
        run: RunInSession,
        queue: EventQueue[_E_co],
        on_open: Callable[[AsyncEventStream[_E_co]], None],
        on_close: Callable[[AsyncEventStream[_E_co]], None],
    ) -> None:
        """Prepare; nothing is opened yet."""
        self._open_stream = open_stream
        self._run = run
        self._queue = queue
        self._on_open = on_open
        self._on_close = on_close
        self._source: AbstractContextManager[Iterator[_E_co | StreamGap]] | None = None
        self._is_entered = False
        self._is_closed = False
        self._lock = threading.Lock()

    async def __aenter__(self) -> AsyncIterator[_E_co | StreamGap]:
        """Open the stream, and start to read it.

        Raises:
            InvalidRequestError: it was opened before.
            BrokerageError: the brokerage cannot open it.
        """
        if self._is_entered:
            raise InvalidRequestError("a stream is opened once: ask for another")
        self._on_open(self)
        self._is_entered = True
        try:
            await self._run(self._start)
        except BaseException:
            # Where only the wait ended, the stream may be opened still: it is closed then.
            await self.aclose()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the stream."""
        await self.aclose()

    def __aiter__(self) -> AsyncIterator[_E_co | StreamGap]:
        return self

    async def __anext__(self) -> _E_co | StreamGap:
        return await self._queue.get()

    async def aclose(self) -> None:
        """Close the stream: its iterator ends, and what waits is gone. Twice is harmless."""
        self._queue.end(discard=True)
        with self._lock:
            self._is_closed = True
            source, self._source = self._source, None
        self._on_close(self)
        if source is not None:
            await self._run(lambda: source.__exit__(None, None, None))

    # In threads.

    def _start(self) -> None:
        source = self._open_stream()
        events = source.__enter__()
        with self._lock:
            is_wanted = not self._is_closed
            if is_wanted:
                self._source = source
        if not is_wanted:
            source.__exit__(None, None, None)
            return
        # A thread of its own: it waits for as long as the stream lives.
        pump = threading.Thread(
            target=self._pump, args=(events,), name="bot_v2-aio-stream", daemon=True
        )
        pump.start()

    def _pump(self, events: Iterator[_E_co | StreamGap]) -> None:
        try:
            for event in events:
                self._queue.put(event)
        except BaseException as error:  # noqa: BLE001 - told to the reader, whatever it is
            self._queue.end(error)
        else:
            self._queue.end()
