"""The streams that a brokerage has open: as many as it may, and none after it is disconnected."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Final, Generic, TypeVar

from bot_v2.features.brokerages.core.errors import InvalidRequestError
from bot_v2.features.brokerages.core.events import StreamGap
from bot_v2.features.brokerages.http.calls import Call
from bot_v2.features.brokerages.streaming.events import EventStream
from bot_v2.features.brokerages.streaming.feed import Address, Feed, Talk
from bot_v2.features.brokerages.streaming.settings import StreamSettings
from bot_v2.shared.types import Clock

_E = TypeVar("_E")

OPEN_MAX: Final = 16
"""How many streams of one brokerage may be open; each is a connection and a thread."""

WAKE_S: Final = 1.0
"""How often who waits for an event can be interrupted at least, in seconds."""


class Streams:
    """Opens streams, and ends those that are open. Safe between threads.

    Args:
        settings: the bounds of each.
        clock: stamps their gaps.
        open_max: how many may be open.
        rng: a number from 0 to 1, for the jitter of waits.
    """

    def __init__(
        self,
        settings: StreamSettings,
        clock: Clock,
        *,
        open_max: int = OPEN_MAX,
        rng: Callable[[], float] = random.random,
    ) -> None:
        """Start with none."""
        self._settings = settings
        self._clock = clock
        self._open_max = open_max
        self._rng = rng
        self._feeds: set[Feed[Any]] = set()
        self._lock = threading.Lock()

    def stream(
        self, call: Call, address: Address, make_talk: Callable[[], Talk[_E]]
    ) -> AbstractContextManager[Iterator[_E | StreamGap]]:
        """Return a stream; entering it connects, and waits until events come.

        Args:
            call: what its errors say.
            address: where to connect.
            make_talk: makes what is said on a connection; called in the stream's thread.
        """
        return _Session(self, lambda stream: self._feed(call, address, make_talk, stream))

    def close(self) -> None:
        """End every stream: what has arrived is gone, and its iterator ends."""
        with self._lock:
            feeds = list(self._feeds)
        for feed in feeds:
            feed.close()

    def add(self, feed: Feed[Any]) -> None:
        """Count a stream in.

        Raises:
            InvalidRequestError: there are too many.
        """
        with self._lock:
            if len(self._feeds) >= self._open_max:
                raise InvalidRequestError(f"{self._open_max} streams are open: close one first")
            self._feeds.add(feed)

    def remove(self, feed: Feed[Any]) -> None:
        """End a stream, and count it out."""
        with self._lock:
            self._feeds.discard(feed)
        feed.close()

    def new_events(self) -> EventStream[Any]:
        """Return a queue for the events of one stream."""
        return EventStream(self._clock, lambda: WAKE_S, self._settings.queue_max)

    def _feed(
        self,
        call: Call,
        address: Address,
        make_talk: Callable[[], Talk[_E]],
        stream: EventStream[_E],
    ) -> Feed[_E]:
        return Feed(call, address, make_talk, stream, self._settings, self._clock, self._rng)


class _Session(AbstractContextManager[Iterator[_E | StreamGap]], Generic[_E]):
    """Connects on entering, ends everything on leaving."""

    def __init__(self, streams: Streams, make_feed: Callable[[EventStream[_E]], Feed[_E]]) -> None:
        self._streams = streams
        self._make_feed = make_feed
        self._feed: Feed[_E] | None = None

    def __enter__(self) -> Iterator[_E | StreamGap]:
        self._leave()
        events: EventStream[_E] = self._streams.new_events()
        feed = self._make_feed(events)
        self._streams.add(feed)
        self._feed = feed
        try:
            feed.open()
        except BaseException:
            self._leave()
            raise
        return events

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._leave()

    def _leave(self) -> None:
        feed, self._feed = self._feed, None
        if feed is not None:
            self._streams.remove(feed)
