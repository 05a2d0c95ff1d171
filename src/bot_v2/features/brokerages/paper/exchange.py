"""The far side of the link: the engine, the market that moves it, and the file that keeps it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, Protocol

from bot_v2.features.brokerages.core.errors import (
    BrokerageError,
    ConnectionError,
    InvalidRequestError,
    MarketDataUnavailableError,
    OrderOutcomeUnknownError,
    Outcome,
)
from bot_v2.features.brokerages.core.events import OrderEvent, QuoteEvent
from bot_v2.features.brokerages.core.market_data import Quote
from bot_v2.features.brokerages.core.products import Product
from bot_v2.features.brokerages.paper.account_file import AccountFile
from bot_v2.features.brokerages.paper.assembly import Assembly
from bot_v2.features.brokerages.paper.errors import AccountFileDamagedError
from bot_v2.features.brokerages.paper.history import CandleHistory
from bot_v2.features.brokerages.paper.settings import Pace
from bot_v2.simulation.engine import MatchingEngine
from bot_v2.simulation.feeds.brokerage_feed import BrokerageFeed
from bot_v2.simulation.feeds.feed import PriceFeed
from bot_v2.simulation.feeds.pump import FeedPump, Pump
from bot_v2.simulation.journal import EngineState
from bot_v2.simulation.ledger import LedgerError
from bot_v2.simulation.market import MarketEvent, event_time

IDLE_MAX_S: Final = 1.0
"""How long a reader of a stream waits at most before it looks at the market again, in seconds."""

IDLE_MIN_S: Final = 0.001
"""How long it waits at least."""


class Listener(Protocol):
    """A session of the exchange; it is told with the lock held, and must not call back."""

    def hear_order(self, event: OrderEvent) -> None:
        """Take note of a change of an order."""
        ...

    def hear_quote(self, event: QuoteEvent) -> None:
        """Take note of a change of best prices."""
        ...

    def wants_orders(self) -> bool:
        """Return whether orders need to be told."""
        ...

    def wants_quotes(self) -> bool:
        """Return whether quotes need to be told."""
        ...


class PaperExchange:
    """Owns the engine and its time, and moves the market. Safe between threads.

    The engine's time is set to each event's own time while the market catches up, so that an order
    expires and fills as it would have, however long nobody called.

    Args:
        parts: makes the file, the feed and the engine.
    """

    def __init__(self, parts: Assembly) -> None:
        """Stand still and closed; nothing is read yet."""
        self.lock = threading.RLock()
        """The one lock around the engine."""
        self.settings: Final = parts.settings
        """How the account is set up."""
        self.pace: Final = parts.settings.effective_pace
        """Whether the clock or the caller moves the market."""
        self.history = CandleHistory()
        """The candles that the market has shown."""
        self._parts = parts
        self._listeners: list[Listener] = []
        self._unsubscribe: Callable[[], None] | None = None
        self._ahead = timedelta(0)
        self._moment: datetime | None = None
        self._due_by = parts.clock()
        self._engine: MatchingEngine | None = None
        self._file: AccountFile | None = None
        self._feed: PriceFeed | None = None
        self._pump: Pump | None = None
        self._recorded: FeedPump | None = None
        self._products: tuple[Product, ...] = ()
        self._symbols: frozenset[str] = frozenset()
        self._is_held = False
        self._feed_failure: BrokerageError | None = None
        self._quotes: dict[str, Quote | None] = {}

    def open(self, listener: Listener) -> None:
        """Open the account for a listener, and let the market begin or go on. Twice is harmless.

        Raises:
            AccountFileError: the file is in use, damaged, or of another version.
            InvalidFieldError: a setting contradicts the file, or the feed cannot be used.
        """
        with self.lock:
            if self._engine is None:
                file = self._parts.open_file()
                try:
                    self._open(file)
                except BaseException:
                    self._engine = self._file = None
                    if file is not None:
                        file.close()
                    raise
            if listener not in self._listeners:
                self._listeners.append(listener)

    def _open(self, file: AccountFile | None) -> None:
        state = EngineState() if file is None else file.read_state()
        before = None if file is None else file.read_moment()
        if self._feed is None:
            self._take_feed(self._parts.make_feed(self.present(), state))
        starts = (self._moment or self._first_moment(), before)
        self._moment = max(start for start in starts if start is not None)
        engine = self._build(state, file)
        self._engine, self._file = engine, file
        self._begin(before)

    def _build(self, state: EngineState, file: AccountFile | None) -> MatchingEngine:
        products = self._products if file is None else file.keep_products(self._products)
        try:
            return self._parts.build_engine(self.now, products, state, file)
        except (LedgerError, OrderOutcomeUnknownError) as error:
            where = "the account" if file is None else str(file.path)
            raise AccountFileDamagedError(f"{where} cannot be opened: {error}") from error

    def remember(self) -> Callable[[], MatchingEngine]:
        """Take the engine as it is now; return what builds a copy of it. Hold the lock."""
        state, moment = self.engine.snapshot(), self.now()
        products = tuple(self.engine.products)
        return lambda: self._parts.build_engine(lambda: moment, products, state, None)

    def _take_feed(self, feed: PriceFeed) -> None:
        self._products = self._parts.choose_products(feed)
        self._symbols = frozenset(product.symbol for product in self._products)
        if isinstance(feed, BrokerageFeed):
            self._pump = feed
        else:
            self._pump = self._recorded = FeedPump(feed, lambda: self._due_by)
        self._feed = feed

    @property
    def is_synthetic(self) -> bool:
        """Whether the prices are made up."""
        if self._parts.feed is not None:
            return self._parts.feed.is_synthetic
        return self.settings.feed is None

    @property
    def feed(self) -> PriceFeed:
        """What moves the market.

        Raises:
            ConnectionError: the account was never open.
        """
        if self._feed is None:
            raise ConnectionError("there is no market yet: connect first", outcome=Outcome.NOT_SENT)
        return self._feed

    def close(self, listener: Listener) -> None:
        """Forget a listener; after the last, let go of the account file. Twice is harmless."""
        with self.lock:
            if listener in self._listeners:
                self._listeners.remove(listener)
            if self._file is not None and not self._listeners:
                self._file.close()
                self._file = self._engine = self._unsubscribe = None

    def now(self) -> datetime:
        """Return the exchange's time, which stands still between calls."""
        return self._moment or self.present()

    @property
    def engine(self) -> MatchingEngine:
        """The engine as the last call left it; hold the lock while using it.

        Raises:
            ConnectionError: the account is not open.
        """
        if self._engine is None:
            raise ConnectionError(
                "the account is not open: connect first", outcome=Outcome.NOT_SENT
            )
        return self._engine

    def current(self) -> MatchingEngine:
        """Return the engine as it is at the present moment; the lock must be held."""
        engine = self.engine
        if self.pace is Pace.LIVE:
            self._catch_up()
        # A read shows what is due by now, too; a write lets it happen by itself.
        engine.on_time()
        return engine

    def advance(self) -> MarketEvent | None:
        """Let the feed's next event happen; return it. None: the feed has ended.

        Raises:
            InvalidRequestError: the feed cannot be used, or the market follows the clock.
        """
        with self.lock:
            _ = self.engine
            event = self._next_recorded()
            if event is not None:
                self._happen(event)
            return event

    def idle(self) -> float | None:
        """Let happen what is due; return in how many seconds to look again, None: not at all."""
        with self.lock:
            if self._engine is None or self.pace is Pace.REPLAY or self._is_held:
                return None
            self.current()
            if self._recorded is None or self._feed_failure is not None:
                return IDLE_MAX_S
            due = self._recorded.next_time()
            if due is None:
                return IDLE_MAX_S
            return max(IDLE_MIN_S, min(IDLE_MAX_S, (due - self.present()).total_seconds()))

    def hold_market(self) -> None:
        """Let the feed rest: from now on the market is what `show` says. Twice is harmless."""
        with self.lock:
            self._is_held = True

    def show(self, event: MarketEvent) -> None:
        """Let an event of the market happen now, beside the feed."""
        with self.lock:
            self.current()
            self._happen(event)

    def pass_time(self, seconds: float) -> None:
        """Move the exchange's clock on by itself; the caller's own clock stays where it is."""
        span = timedelta(seconds=seconds)
        with self.lock:
            if self.pace is Pace.REPLAY:
                self._move_to(self.now() + span)
            else:
                self._ahead += span
            self.current()

    def require_market(self) -> None:
        """Refuse to go by prices that the feed has ceased to renew.

        Raises:
            MarketDataUnavailableError: the feed failed.
        """
        if self._feed_failure is not None:
            raise MarketDataUnavailableError(
                f"the feed cannot be read: {self._feed_failure}"
            ) from self._feed_failure

    def watch_orders(self) -> None:
        """Tell of changes of orders for as long as a listener wants to hear of them."""
        with self.lock:
            if self._unsubscribe is None:
                self._unsubscribe = self.engine.subscribe(self._tell_order)

    def remember_quotes(self) -> None:
        """Take the best prices as told, so that only what comes after is a change."""
        with self.lock:
            for product in self.engine.products:
                self._quotes[product.symbol] = self._quote_of(product.symbol)

    def tell_quotes(self) -> None:
        """Tell of each product whose best prices have changed; the lock must be held."""
        if self._watches_quotes():
            for product in self.engine.products:
                self._tell_quote(product.symbol)

    def _begin(self, before: datetime | None) -> None:
        if self._recorded is None or self.pace is Pace.LIVE:
            self._catch_up()
            return
        # What happened before the account's last step has had its effect: it is shown, and over.
        while before is not None and (event := self._next_recorded(before)) is not None:
            self.history.record(event)
        moment = self._recorded.next_time()
        while moment is not None and (event := self._next_recorded(moment)) is not None:
            self._happen(event)

    def _next_recorded(self, until: datetime | None = None) -> MarketEvent | None:
        """Return the next event of a recorded feed, if it is not later than `until`."""
        if self._recorded is None or self.pace is Pace.LIVE:
            raise InvalidRequestError(
                "the market follows the clock; set pace to replay, and a recorded feed, to move it"
            )
        while (moment := self._recorded.next_time()) is not None:
            if until is not None and moment > until:
                return None
            self._due_by = moment
            event = next(self._recorded.due(), None)
            if event is not None and event.symbol in self._symbols:
                return event
        return None

    def _catch_up(self) -> None:
        self._due_by = self.present()
        if self._pump is not None and not self._is_held:
            events = self._pump.due()
            failure = None
            while True:
                try:
                    event = next(events, None)
                except BrokerageError as error:
                    # An account can be read, and its orders cancelled, without prices: what goes
                    # by prices asks `require_market`.
                    failure = error
                    break
                if event is None:
                    break
                if event.symbol in self._symbols:
                    self._happen(event)
            self._feed_failure = failure
        self._move_to(self._due_by)

    def _happen(self, event: MarketEvent) -> None:
        self._move_to(event_time(event))
        self.engine.on_market(event)
        self.history.record(event)
        if self._watches_quotes():
            self._tell_quote(event.symbol)

    def _move_to(self, moment: datetime) -> None:
        self._moment = max(moment, self.now())

    def present(self) -> datetime:
        """Return the moment that it is for the market: the clock's, or where a replay stands."""
        if self.pace is Pace.REPLAY and self._moment is not None:
            return self._moment
        return self._parts.clock() + self._ahead

    def _first_moment(self) -> datetime:
        first = None
        if self._recorded is not None and self.pace is Pace.REPLAY:
            first = self._recorded.next_time()
        return first or self.present()

    def _quote_of(self, symbol: str) -> Quote | None:
        try:
            return self.engine.get_quote(symbol)
        except MarketDataUnavailableError:
            return None

    def _tell_quote(self, symbol: str) -> None:
        quote, before = self._quote_of(symbol), self._quotes.get(symbol)
        if quote is None or _prices(quote) == _prices(before):
            return
        self._quotes[symbol] = quote
        event = QuoteEvent(quote=quote)
        for listener in self._listeners:
            listener.hear_quote(event)

    def _tell_order(self, event: OrderEvent) -> None:
        wanted = False
        for listener in self._listeners:
            wanted |= listener.wants_orders()
            listener.hear_order(event)
        if not wanted and self._unsubscribe is not None:
            # An order that nobody hears of is not made into an event: that would cost as much
            # as the order itself.
            self._unsubscribe()
            self._unsubscribe = None

    def _watches_quotes(self) -> bool:
        return any(listener.wants_quotes() for listener in self._listeners)


def _prices(quote: Quote | None) -> tuple[Decimal | None, ...] | None:
    if quote is None:
        return None
    return (quote.bid, quote.ask, quote.bid_size, quote.ask_size, quote.last)
