"""Brings a feed's events to the engine when their time has come."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Protocol

from bot_v2.features.brokerages.core.errors import BrokerageError, InvalidFieldError
from bot_v2.shared.types import Clock
from bot_v2.simulation.clock import ManualClock
from bot_v2.simulation.feeds.feed import PriceFeed
from bot_v2.simulation.market import MarketEvent, event_time


class Pump(Protocol):
    """Hands over what is due. A class that has this method is one: `FeedPump`, `BrokerageFeed`."""

    def due(self) -> Iterator[MarketEvent]:
        """Yield what the market did and was not handed over yet, up to now; never waits.

        Raises:
            InvalidFieldError: the feed holds what cannot be used.
            BrokerageError: the source of a live feed failed; what was read before is yielded.
        """
        ...


class FeedPump:
    """Hands over the events of one feed, once each and in its order, by a clock.

    Two ways to use it, of which one pump takes one: with a clock that runs by itself, `due` at
    each occasion; with a ManualClock, `step` or `replay`, which move the clock to each event.

    A failure of the feed is final and is raised again at each call: a feed that broke off must
    not look like one that ended.
    """

    def __init__(self, feed: PriceFeed, clock: Clock) -> None:
        """Start before the first event of the feed; nothing is read yet."""
        self.feed = feed
        self._clock = clock
        self._events: Iterator[MarketEvent] | None = None
        self._next: MarketEvent | None = None
        self._failure: BrokerageError | None = None

    def next_time(self) -> datetime | None:
        """Return when the next event is due. None: there is none left.

        Raises:
            BrokerageError: the feed failed.
        """
        event = self._peek()
        return None if event is None else event_time(event)

    def due(self) -> Iterator[MarketEvent]:
        """Yield the events that are due when this is called, and were not handed over yet.

        Raises:
            BrokerageError: the feed failed.
        """
        now = self._clock()
        while (moment := self.next_time()) is not None and moment <= now:
            yield self._take()

    def step(self) -> MarketEvent | None:
        """Move the clock to the next event and return it. None: there is none left.

        The clock does not move for an event of its past. What else is due by then, such as the
        arrival of an order, is for the engine to settle before it is shown the event.

        Raises:
            InvalidFieldError: the clock is none that can be moved.
            BrokerageError: the feed failed.
        """
        clock = self._clock
        if not isinstance(clock, ManualClock):
            raise InvalidFieldError("FeedPump.clock", clock, "a ManualClock, to move it")
        moment = self.next_time()
        if moment is None:
            return None
        if moment > clock():
            clock.set(moment)
        return self._take()

    def replay(self) -> Iterator[MarketEvent]:
        """Yield every event that is left, the clock moved to each.

        Raises:
            InvalidFieldError: the clock is none that can be moved.
            BrokerageError: the feed failed.
        """
        while (event := self.step()) is not None:
            yield event

    def _peek(self) -> MarketEvent | None:
        if self._failure is not None:
            raise self._failure
        if self._next is None:
            if self._events is None:
                self._events = self.feed.events()
            try:
                self._next = next(self._events, None)
            except BrokerageError as error:
                self._failure = error
                raise
        return self._next

    def _take(self) -> MarketEvent:
        event, self._next = self._next, None
        if event is None:
            raise LookupError("nothing was looked at that could be taken")
        return event
