"""A price feed, read one event ahead of what has happened."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from bot_v2.simulation.feeds.feed import PriceFeed
from bot_v2.simulation.market import MarketEvent, event_time


class MarketSource:
    """Hands out a feed's events in order, when their time has come or when asked to."""

    def __init__(self, feed: PriceFeed, wants: Callable[[str], bool] = lambda _: True) -> None:
        """Stand before the first event; nothing is read yet.

        Args:
            feed: where the events come from.
            wants: whether a symbol's events are handed out.
        """
        self.feed = feed
        self._wants = wants
        self._events: Iterator[MarketEvent] | None = None
        self._next: MarketEvent | None = None
        self._ended = False

    def next_time(self) -> datetime | None:
        """Return when the next event happens. None: the feed has ended.

        Raises:
            BrokerageError: the feed cannot be read.
        """
        self._look_ahead()
        return None if self._next is None else event_time(self._next)

    def take(self, until: datetime | None = None) -> MarketEvent | None:
        """Return the next event. None: the feed has ended, or the event is later than `until`."""
        moment = self.next_time()
        if moment is None or (until is not None and moment > until):
            return None
        event, self._next = self._next, None
        return event

    def _look_ahead(self) -> None:
        if self._events is None:
            self._events = self.feed.events()
        while self._next is None and not self._ended:
            event = next(self._events, None)
            if event is None:
                self._ended = True
            elif self._wants(event.symbol):
                self._next = event
