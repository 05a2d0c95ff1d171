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
        self._feeds: dict[object, Feed[Any]] = {}
        self._open = 0
        self._lock = threading.Lock()

    def stream(
        self,
        call: Call,
        address: Address,
        make_talk: Callable[[], Talk[_E]],
        *,
        shared: str | None = None,
    ) -> AbstractContextManager[Iterator[_E | StreamGap]]:
        """Return a stream; entering it connects, and waits until events come.

        Args:
            call: what its errors say.
            address: where to connect.
            make_talk: makes what is said on a connection; called in the stream's thread.
            shared: streams of one name go by one connection, that of the first of them. None: by
                one of its own.
        """

        def make_feed() -> Feed[_E]:
            return Feed(call, address, make_talk, self._settings, self._clock, self._rng)

        return _Session(self, shared, make_feed)

    def close(self) -> None:
        """End every stream: what has arrived is gone, and its iterator ends."""
        with self._lock:
            feeds = list(self._feeds.values())
        for feed in feeds:
            feed.close()

    def join(
        self, shared: str | None, make_feed: Callable[[], Feed[_E]]
    ) -> tuple[Feed[_E], EventStream[_E]]:
        """Return a reader's queue, and the feed that fills it once it is opened.

        Raises:
            InvalidRequestError: there are too many.
        """
        reader: EventStream[_E] = EventStream(self._clock, lambda: WAKE_S, self._settings.queue_max)
        with self._lock:
            if self._open >= self._open_max:
                raise InvalidRequestError(f"{self._open_max} streams are open: close one first")
            self._open += 1
            feed = None if shared is None else self._feeds.get(shared)
            if feed is None or not feed.add(reader):
                feed = make_feed()
                feed.add(reader)
                self._feeds[shared or feed] = feed
        return feed, reader

    def leave(self, feed: Feed[_E], reader: EventStream[_E]) -> None:
        """End a reader's stream, and the feed with its last reader."""
        feed.remove(reader)
        with self._lock:
            self._open -= 1
            if feed.is_over:
                self._feeds = {name: one for name, one in self._feeds.items() if one is not feed}


class _Session(AbstractContextManager[Iterator[_E | StreamGap]], Generic[_E]):
    """Connects on entering, ends everything on leaving."""

    def __init__(
        self, streams: Streams, shared: str | None, make_feed: Callable[[], Feed[_E]]
    ) -> None:
        self._streams = streams
        self._shared = shared
        self._make_feed = make_feed
        self._joined: tuple[Feed[_E], EventStream[_E]] | None = None

    def __enter__(self) -> Iterator[_E | StreamGap]:
        self._leave()
        self._joined = feed, reader = self._streams.join(self._shared, self._make_feed)
        try:
            feed.open()
        except BaseException:
            self._leave()
            raise
        return reader

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._leave()

    def _leave(self) -> None:
        joined, self._joined = self._joined, None
        if joined is not None:
            self._streams.leave(*joined)
