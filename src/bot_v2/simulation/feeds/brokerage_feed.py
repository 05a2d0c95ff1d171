"""A live feed: any brokerage's prices, polled.

What is read is what the brokerage says and no more:

- A read that fails is raised as the typed error that it is, after what the same poll did read has
  been handed over; the next poll, one interval later, asks for everything again.
- MarketDataUnavailableError is an answer: there is no price now. It makes no event, and the
  symbol is in `unavailable` until there is one.
- An answer that has not changed, or is older than the one before, makes no event: nothing new is
  offered in it.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, TypeAlias

import attrs

from bot_v2.features.brokerages.core.brokerage import IBrokerage
from bot_v2.features.brokerages.core.capabilities import SupportsQuotes, supports
from bot_v2.features.brokerages.core.declarations import name_of, unsupported_of
from bot_v2.features.brokerages.core.errors import (
    BrokerageError,
    InvalidFieldError,
    MarketDataUnavailableError,
)
from bot_v2.features.brokerages.core.market_data import Quote
from bot_v2.features.brokerages.core.orderbook import Orderbook
from bot_v2.shared.types import Clock, Symbol
from bot_v2.simulation.clock import utc_now
from bot_v2.simulation.feeds.rows import quote_of_price
from bot_v2.simulation.market import MarketEvent, event_time

Answer: TypeAlias = Quote | Orderbook | Decimal
"""What a brokerage says of a symbol."""


class BrokerageFeed:
    """The prices of some symbols at a connected brokerage.

    It reads quotes where the brokerage has them, else the best bid and ask of its order book,
    else its bare prices, which become quotes of sizes not said. `due` polls when an interval has
    passed, and never waits; `events` waits for the next poll, until `close`. Events are in the
    order of their times within one poll and for each symbol; a quote of another symbol that is
    older keeps the age that its source gives it.
    """

    is_synthetic: Final = False

    def __init__(
        self,
        broker: IBrokerage,
        symbols: Iterable[Symbol],
        *,
        interval_s: float = 1.0,
        clock: Clock = utc_now,
    ) -> None:
        """Read the products; no price yet.

        Args:
            broker: the source; connected, and left connected.
            symbols: what to follow, as the brokerage takes them.
            interval_s: seconds from one poll to the next.
            clock: tells when a poll is due, and dates an answer that has no date of its own.

        Raises:
            InvalidFieldError: there is no symbol, or the interval is not above zero.
            InvalidSymbolError: the brokerage has no such product.
            BrokerageError: the brokerage cannot be asked.
        """
        if interval_s <= 0:
            raise InvalidFieldError("interval_s", interval_s, "seconds above zero")
        self.products = tuple(broker.get_product(symbol) for symbol in symbols)
        if not self.products:
            raise InvalidFieldError("symbols", (), "at least one symbol")
        names = ", ".join(product.symbol for product in self.products)
        self.description = f"{name_of(broker)}, live: {names}"
        self.unavailable: frozenset[Symbol] = frozenset()
        self._clock = clock
        self._interval = timedelta(seconds=interval_s)
        self._read = _reader_of(broker)
        self._polled_at: datetime | None = None
        self._answers: dict[Symbol, Answer] = {}
        self._times: dict[Symbol, datetime] = {}
        self._closed = threading.Event()

    def __repr__(self) -> str:
        return f"BrokerageFeed({self.description!r})"

    def due(self) -> Iterator[MarketEvent]:
        """Yield what is new, if a poll is due; never waits longer than the brokerage's reads.

        Raises:
            BrokerageError: a read failed.
        """
        now = self._clock()
        if self._polled_at is not None and now < self._polled_at + self._interval:
            return
        self._polled_at = now
        fresh, failures = self._poll()
        yield from fresh
        if failures:
            raise failures[0]

    def events(self) -> Iterator[MarketEvent]:
        """Return an iterator of what is new; it waits from poll to poll, and ends at `close`.

        After a failed read has been raised, it can be asked again.
        """
        return _LiveEvents(self.due, self._interval, self._closed)

    def close(self) -> None:
        """End the iterators of `events`, also those that wait. The brokerage stays connected."""
        self._closed.set()

    def _poll(self) -> tuple[list[MarketEvent], list[BrokerageError]]:
        """Ask for every symbol; one that fails does not keep the others from being read."""
        fresh: list[MarketEvent] = []
        failures: list[BrokerageError] = []
        unavailable: set[Symbol] = set()
        for product in self.products:
            symbol = product.symbol
            try:
                said = self._read(symbol)
            except MarketDataUnavailableError:
                unavailable.add(symbol)
                continue
            except BrokerageError as error:
                failures.append(error)
                continue
            fresh += self._news(symbol, said)
        self.unavailable = frozenset(unavailable)
        return sorted(fresh, key=event_time), failures

    def _news(self, symbol: Symbol, said: Answer) -> list[MarketEvent]:
        """Return the event, if the answer says something that was not known."""
        event = _event_of(symbol, said, self._clock())
        moment, latest = event_time(event), self._times.get(symbol)
        if said == self._answers.get(symbol) or (latest is not None and moment < latest):
            return []
        self._answers[symbol] = said
        self._times[symbol] = moment
        return [event]


class _LiveEvents:
    """Waits from poll to poll. A failure does not end it, as it would end a generator."""

    def __init__(
        self,
        due: Callable[[], Iterator[MarketEvent]],
        interval: timedelta,
        closed: threading.Event,
    ) -> None:
        self._due = due
        self._interval_s = interval.total_seconds()
        self._closed = closed
        self._waiting: deque[MarketEvent] = deque()

    def __iter__(self) -> Iterator[MarketEvent]:
        return self

    def __next__(self) -> MarketEvent:
        while not self._waiting:
            if self._closed.is_set():
                raise StopIteration
            # Taken one by one: what was read before a failure is kept when it is raised.
            for event in self._due():
                self._waiting.append(event)
            if not self._waiting:
                self._closed.wait(self._interval_s)
        return self._waiting.popleft()


def _reader_of(broker: IBrokerage) -> Callable[[Symbol], Answer]:
    """Return the best way to read this brokerage's prices."""
    if supports(broker, SupportsQuotes):
        return broker.get_quote
    if "get_orderbook" in unsupported_of(broker):
        return broker.get_price
    return broker.get_orderbook


def _event_of(symbol: Symbol, said: Answer, now: datetime) -> MarketEvent:
    """Return an answer as an event; one without a date is dated as it is read."""
    if isinstance(said, Decimal):
        return quote_of_price(symbol, said, now)
    if isinstance(said, Orderbook) and said.timestamp is None:
        return attrs.evolve(said, timestamp=now)
    return said
