"""The near side of the link: the session, and what every call of the brokerage has in common."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Final, TypeVar

from bot_v2.features.brokerages.core.errors import (
    BrokerageError,
    BrokerUnavailableError,
    ConnectionError,
    ErrorContext,
    OrderOutcomeUnknownError,
    Outcome,
)
from bot_v2.features.brokerages.core.events import OrderEvent, QuoteEvent, StreamGap
from bot_v2.features.brokerages.core.health import BrokerHealth
from bot_v2.features.brokerages.core.products import Product
from bot_v2.features.brokerages.paper.errors import complete_error, error_from_fault
from bot_v2.features.brokerages.paper.exchange import PaperExchange
from bot_v2.features.brokerages.paper.link import LinkError, PaperLink
from bot_v2.features.brokerages.streaming.events import Broadcaster, EventStream, Subscription
from bot_v2.simulation.engine import MatchingEngine
from bot_v2.simulation.faults import Fault
from bot_v2.simulation.market import MarketEvent

if TYPE_CHECKING:
    from typing_extensions import Unpack

_T = TypeVar("_T")
_E = TypeVar("_E")

NAME: Final = "paper"
"""The brokerage's name."""

HEALTH_TIMEOUT_S: Final = 5.0
"""How long a health check waits at most, in seconds."""


class PaperSession:
    """Connects to an exchange, carries calls to it, and hears its events. Safe between threads.

    Args:
        exchange: the far side.
        account_id: the account that is bound.
        round_trip_s: how long each call takes, in seconds.
        wait: lets some seconds pass. None: really.
    """

    def __init__(
        self,
        exchange: PaperExchange,
        *,
        account_id: str,
        round_trip_s: float = 0.0,
        wait: Callable[[float], object] | None = None,
    ) -> None:
        """Start without a connection."""
        self.exchange = exchange
        """The far side."""
        self.account_id = account_id
        """The account that is bound."""
        self.products: Mapping[str, Product] = {}
        """The products by symbol, as of the last connect: they do not change within a session."""
        self.orders = Broadcaster[OrderEvent]()
        """Who hears of orders."""
        self.quotes = Broadcaster[QuoteEvent]()
        """Who hears of quotes."""
        self.link = PaperLink[MatchingEngine](
            lock=exchange.lock,
            reach=exchange.current,
            remember=exchange.remember,
            wait=wait or threading.Event().wait,
            round_trip_s=round_trip_s,
        )
        """The wire in between."""
        self._is_connected = False
        self._has_expired = False

    def connect(self) -> bool:
        """Open the account and start a session; return True. Twice is harmless.

        Raises:
            AccountFileError: the account file is in use, damaged, or of another version.
            InvalidFieldError: a setting cannot be used.
            ConnectionError: the exchange cannot be reached, on demand.
        """
        self.exchange.open(self)
        try:
            products = self._carry("connect", False, lambda engine: list(engine.products), {})
        except BaseException:
            if not self._is_connected:
                self.exchange.close(self)
            raise
        self.products = {product.symbol: product for product in products}
        self._is_connected, self._has_expired = True, False
        self.orders.open()
        self.quotes.open()
        return True

    def disconnect(self) -> None:
        """End the session and let go of the account file. Twice is harmless."""
        self._is_connected = False
        self.orders.close()
        self.quotes.close()
        self.exchange.close(self)

    def is_connected(self) -> bool:
        """Return whether the session is not known to be dead."""
        return self._is_connected and not self._has_expired

    def check_health(self) -> BrokerHealth:
        """Ask the exchange for a sign of life, within HEALTH_TIMEOUT_S; never raises."""
        started = time.perf_counter()
        message = None if self._is_connected else "not connected"
        if message is None:
            try:
                self._ping()
            except Exception as error:  # noqa: BLE001 - a health check never raises
                message = str(error)
        return BrokerHealth(
            connected=self.is_connected(),
            api_responsive=message is None,
            last_check_timestamp=self.exchange.present().timestamp(),
            error_message=message,
            latency_s=None if message else time.perf_counter() - started,
        )

    def read(
        self,
        operation: str,
        action: Callable[[MatchingEngine], _T],
        /,
        **context: Unpack[ErrorContext],
    ) -> _T:
        """Ask the exchange something.

        Raises:
            BrokerageError: what went wrong; it has no outcome.
        """
        self.require_connected(operation)
        return self._carry(operation, False, action, context)

    def read_market(
        self, operation: str, symbol: str, action: Callable[[MatchingEngine], _T]
    ) -> _T:
        """Ask the exchange something about prices, which are never stale.

        Raises:
            MarketDataUnavailableError: the feed has failed.
            BrokerageError: what else went wrong; it has no outcome.
        """

        def ask(_: MatchingEngine) -> _T:
            self.exchange.require_market()
            return action(self.exchange.engine)

        return self.read(operation, ask, symbol=symbol)

    def write(
        self,
        operation: str,
        action: Callable[[MatchingEngine], _T],
        /,
        **context: Unpack[ErrorContext],
    ) -> _T:
        """Have the exchange do something, once.

        Raises:
            BrokerageError: what went wrong; it has an outcome.
        """
        self.require_connected(operation)

        def act(engine: MatchingEngine) -> _T:
            done = action(engine)
            self.exchange.tell_quotes()
            return done

        return self._carry(operation, True, act, context)

    def advance(self) -> MarketEvent | None:
        """Let the feed's next event happen; return it. None: the feed has ended.

        Raises:
            BrokerageError: not connected, or the feed cannot be used.
        """
        self.require_connected("advance")
        with self._told(self._facts("advance", {}), is_write=False):
            return self.exchange.advance()

    def require_connected(self, operation: str) -> None:
        """Refuse a call before `connect`.

        Raises:
            ConnectionError: there is no session; nothing was sent.
        """
        if not self._is_connected:
            raise ConnectionError(
                "not connected: call connect() first",
                broker=NAME,
                operation=operation,
                account_id=self.account_id,
                outcome=Outcome.NOT_SENT,
            )

    def stream_orders(self) -> AbstractContextManager[Iterator[OrderEvent | StreamGap]]:
        """Return the stream of the account's orders, to be entered."""
        return self._subscription(
            "stream_orders", self.orders, lambda _: True, self.exchange.watch_orders
        )

    def stream_quotes(
        self, symbols: Sequence[str]
    ) -> AbstractContextManager[Iterator[QuoteEvent | StreamGap]]:
        """Return the stream of the best prices of some products, to be entered."""
        wanted = frozenset(symbols)
        return self._subscription(
            "stream_quotes",
            self.quotes,
            lambda event: event.quote.symbol in wanted,
            self.exchange.remember_quotes,
        )

    def hear_order(self, event: OrderEvent) -> None:
        """Pass a change of an order on to whoever reads the stream."""
        if self.orders.has_readers:
            self.link.deliver("stream_orders", event, self.orders.publish)

    def hear_quote(self, event: QuoteEvent) -> None:
        """Pass a change of best prices on to whoever reads the stream."""
        if self.quotes.has_readers:
            self.link.deliver("stream_quotes", event, self.quotes.publish)

    def wants_orders(self) -> bool:
        """Return whether anybody reads the stream of orders."""
        return self.orders.has_readers

    def wants_quotes(self) -> bool:
        """Return whether anybody reads the stream of quotes."""
        return self.quotes.has_readers

    def _subscription(
        self,
        operation: str,
        broadcaster: Broadcaster[_E],
        wants: Callable[[_E], bool],
        watch: Callable[[], None],
    ) -> Subscription[_E]:
        self.require_connected(operation)

        def make() -> EventStream[_E]:
            return EventStream[_E](self.exchange.present, self._idle)

        def start() -> None:
            self.read(operation, lambda _: watch())

        return Subscription(broadcaster, wants, make, start)

    def _ping(self) -> None:
        # The market is not brought up to now: a live feed's own reads can take longer than this
        # may. An engine that has stopped says so.
        with self._told(self._facts("check_health", {}), is_write=False):
            self.link.call(
                "check_health",
                False,
                lambda engine: engine.on_time(),
                HEALTH_TIMEOUT_S,
                lambda: self.exchange.engine,
            )

    def _idle(self) -> float | None:
        with self._told(self._facts("stream", {}), is_write=False):
            return self.exchange.idle()

    def _carry(
        self,
        operation: str,
        is_write: bool,
        action: Callable[[MatchingEngine], _T],
        context: ErrorContext,
    ) -> _T:
        with self._told(self._facts(operation, context), is_write=is_write):
            return self.link.call(operation, is_write, action)

    def _facts(self, operation: str, context: ErrorContext) -> ErrorContext:
        return {
            **context,
            "broker": NAME,
            "operation": operation,
            "account_id": self.account_id,
        }

    @contextmanager
    def _told(self, facts: ErrorContext, *, is_write: bool) -> Iterator[None]:
        """Raise what goes wrong as the caller's side knows it."""
        try:
            yield
        except LinkError as failure:
            self._has_expired |= failure.fault is Fault.SESSION_EXPIRED
            error = error_from_fault(failure.fault, is_write, failure.retry_after_s, facts)
            raise error from failure
        except OrderOutcomeUnknownError as error:
            if not is_write:
                # The market moved, and that could not be stored: the caller's own call did nothing.
                raise BrokerUnavailableError(error.message, **facts) from error
            complete_error(error, is_write, facts)
            raise
        except BrokerageError as error:
            complete_error(error, is_write, facts)
            raise
