"""The far side of the link: the engine, the market that moves it, and the file that keeps it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Final

from bot_v2.features.brokerages.core.errors import ConnectionError, MarketDataUnavailableError
from bot_v2.features.brokerages.core.events import OrderEvent, QuoteEvent
from bot_v2.features.brokerages.core.market_data import Quote
from bot_v2.features.brokerages.paper.account_file import AccountFile
from bot_v2.features.brokerages.paper.history import CandleHistory
from bot_v2.features.brokerages.paper.market_source import MarketSource
from bot_v2.features.brokerages.paper.settings import Pace
from bot_v2.shared.types import Clock
from bot_v2.simulation.clock import ManualClock
from bot_v2.simulation.engine import MatchingEngine
from bot_v2.simulation.market import MarketEvent, event_time

IDLE_MAX_S: Final = 1.0
"""How long a reader of a stream waits at most before it looks at the market again, in seconds."""


class PaperExchange:
    """Owns the engine and its time, and moves the market.

    The engine's time is set to each event's own time while the market catches up, so that an order
    expires and fills as it would have, however long nobody called. All methods but `lock` itself
    are safe between threads.

    Args:
        open_engine: builds the engine on a clock, from an account file's state where there is one.
        source: what moves the market.
        clock: the present moment, for a live market.
        pace: whether the clock or the caller moves the market.
        on_order: hears each change of an order.
        on_quote: hears each change of best prices, while `watches_quotes` is set.
    """

    def __init__(
        self,
        *,
        open_engine: Callable[[Clock], tuple[MatchingEngine, AccountFile | None]],
        source: MarketSource,
        clock: Clock,
        pace: Pace,
    ) -> None:
        """Stand still and closed."""
        self.lock = threading.RLock()
        """The one lock around the engine."""
        self.source = source
        """What moves the market."""
        self.pace = pace
        """Whether the clock or the caller does."""
        self.history = CandleHistory()
        """The candles that the market has shown."""
        self.on_order: Callable[[OrderEvent], None] = _ignore
        """Hears each change of an order, with the lock held."""
        self.on_quote: Callable[[QuoteEvent], None] = _ignore
        """Hears each change of best prices while `watches_quotes()`, with the lock held."""
        self.watches_quotes: Callable[[], bool] = lambda: False
        """Whether anybody wants to hear of quotes."""
        self._open_engine = open_engine
        self._clock = clock
        self._offset = timedelta(0)
        self._moment: datetime | None = None
        self._engine: MatchingEngine | None = None
        self._file: AccountFile | None = None
        self._held = False
        self._quotes: dict[str, Quote | None] = {}

    def open(self) -> None:
        """Open the account, and let the market begin. Twice is harmless.

        Raises:
            AccountFileError: the file is in use, damaged, or of another kind.
            InvalidFieldError: a setting contradicts the file, or the feed cannot be used.
        """
        with self.lock:
            if self._engine is not None:
                return
            if self._moment is None:
                self._moment = self._first_moment()
            engine, file = self._open_engine(self.now)
            self._engine, self._file = engine, file
            engine.subscribe(lambda event: self.on_order(event))
            self._begin(engine)

    def close(self) -> None:
        """Let go of the account file, if there is one. Twice is harmless."""
        with self.lock:
            if self._file is not None:
                self._file.close()
                self._file = self._engine = None

    def now(self) -> datetime:
        """Return the exchange's time: it stands still between calls."""
        return self._moment or self._present()

    def current(self) -> MatchingEngine:
        """Return the engine as it is at the present moment; the lock must be held."""
        engine = self._require_open()
        if self.pace is Pace.LIVE:
            self._catch_up(self._present())
        engine.on_time()
        return engine

    def copy(self) -> MatchingEngine:
        """Return a copy of the engine, which the market does not reach; the lock must be held."""
        return self._require_open().copy()

    def advance(self) -> MarketEvent | None:
        """Let the feed's next event happen; return it. None: the feed has ended."""
        with self.lock:
            self._require_open()
            event = self.source.take()
            if event is not None:
                self._happen(event)
            return event

    def idle(self) -> float | None:
        """Let happen what is due, and return in how many seconds to look again."""
        with self.lock:
            if self._engine is None or self.pace is Pace.REPLAY or self._held:
                return None
            self.current()
            due = self.source.next_time()
            if due is None:
                return IDLE_MAX_S
            return max(0.001, min(IDLE_MAX_S, (due - self._present()).total_seconds()))

    def hold_market(self) -> None:
        """Let the feed rest: from now on the market is what `quote` says. Twice is harmless."""
        with self.lock:
            self._held = True

    def quote(self, symbol: str, bid: Decimal, ask: Decimal, size: Decimal) -> None:
        """Let the best prices be these; resting orders that cross them are filled."""
        with self.lock:
            self.current()
            event = Quote(
                symbol=symbol,
                timestamp=self.now(),
                bid=bid,
                ask=ask,
                bid_size=size,
                ask_size=size,
            )
            self._happen(event)

    def pass_time(self, seconds: float) -> None:
        """Move the exchange's clock on by itself; the caller's own clock stays where it is."""
        with self.lock:
            self._offset += timedelta(seconds=seconds)
            if self.pace is Pace.REPLAY:
                self._move_to(self.now() + timedelta(seconds=seconds))
            else:
                self.current()

    def require_market(self) -> None:
        """Refuse to go by prices that the feed has stopped to renew.

        Raises:
            MarketDataUnavailableError: the feed failed.
        """
        if self._feed_failure is not None:
            raise MarketDataUnavailableError(
                f"the feed cannot be read: {self._feed_failure}"
            ) from self._feed_failure

    def tell_quotes(self) -> None:
        """Tell of the best prices that have changed; the lock must be held."""
        if self._engine is not None and self.watches_quotes():
            for product in self._engine.products:
                self._tell_quote(product.symbol)

    def remember_quotes(self) -> None:
        """Take the best prices as told, so that only what comes is a change."""
        with self.lock:
            if self._engine is not None:
                for product in self._engine.products:
                    self._quotes[product.symbol] = self._quote_of(product.symbol)
