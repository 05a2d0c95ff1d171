"""PaperBrokerage: IBrokerage, and most of its capabilities, over the matching engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Final

from bot_v2.features.brokerages.core.accounts import PositionSide
from bot_v2.features.brokerages.core.capabilities import Capability
from bot_v2.features.brokerages.core.decimals import decimal_to_text
from bot_v2.features.brokerages.core.declarations import (
    CloseGuard,
    Environment,
    OrderHistory,
    Retention,
)
from bot_v2.features.brokerages.core.errors import (
    InvalidRequestError,
)
from bot_v2.features.brokerages.core.events import OrderEvent, QuoteEvent, StreamGap
from bot_v2.features.brokerages.core.health import BrokerHealth
from bot_v2.features.brokerages.core.idempotency import (
    DuplicateBehaviour,
    IdempotencyProfile,
    IdempotencyScope,
)
from bot_v2.features.brokerages.core.order_changes import OrderModification
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.order_terms import OrderSide
from bot_v2.features.brokerages.core.orders import Order, OrderResult
from bot_v2.features.brokerages.paper.assembly import Assembly
from bot_v2.features.brokerages.paper.exchange import PaperExchange
from bot_v2.features.brokerages.paper.reads import PaperReads
from bot_v2.features.brokerages.paper.session import NAME, PaperSession
from bot_v2.features.brokerages.paper.settings import PaperSettings
from bot_v2.shared.types import Clock, IdSource
from bot_v2.simulation.clock import utc_now
from bot_v2.simulation.engine import MatchingEngine
from bot_v2.simulation.feeds.feed import PriceFeed
from bot_v2.simulation.fees import FeeModel
from bot_v2.simulation.market import MarketEvent
from bot_v2.simulation.sessions import TradingCalendar
from bot_v2.simulation.slippage import SlippageModel

CAPABILITIES: Final = frozenset(
    {
        Capability.ORDER_LOOKUP,
        Capability.FILLS,
        Capability.ACCOUNT_SUMMARY,
        Capability.MARGIN,
        Capability.ORDER_MODIFICATION,
        Capability.QUOTES,
        Capability.CANDLES,
        Capability.MARKET_STATUS,
        Capability.QUOTE_STREAM,
        Capability.ORDER_STREAM,
        Capability.FEES,
        Capability.OCO,
        Capability.BRACKET,
        Capability.TRAILING_STOP,
        Capability.EXTENDED_HOURS,
        Capability.FRACTIONAL_QUANTITY,
        Capability.NOTIONAL_ORDERS,
    }
)
"""What the paper brokerage can do beyond the 18 methods."""

IDEMPOTENCY: Final = IdempotencyProfile(
    scope=IdempotencyScope.FOREVER,
    on_duplicate=DuplicateBehaviour.REJECTS,
    max_length=64,
)
"""A client order id makes one order, ever; 1 to 64 letters, digits, hyphens and underscores."""


class PaperBrokerage(PaperReads):
    """A simulated account in a simulated market; see the README beside this file.

    Args:
        settings: how the account is set up. None: the defaults, with 100,000 USD.
        feed: what moves the market. None: what the settings say, else a synthetic market.
        clock: the present moment, for a live market; also dates health checks.
        ids: makes client order ids where a request has none. None: random ones.
        fees: what trades cost. None: the commission of the settings.
        slippage: how much worse than the market an order fills. None: as the settings say.
        calendar: when the market is open. None: as the settings say.
        wait: lets the seconds of a round trip pass. None: really.
    """

    name: Final = NAME
    environment: Final = Environment.SIMULATOR
    capabilities: Final = CAPABILITIES
    unsupported: Final = frozenset({"get_orderbook:level>=3"})
    idempotency: Final = IDEMPOTENCY
    order_history: Final = OrderHistory(retention=Retention.FOREVER)
    close_guard: Final = CloseGuard.ATOMIC
    balance_identity: Final = True
    spot_as_positions: Final = True

    def __init__(
        self,
        settings: PaperSettings | None = None,
        *,
        feed: PriceFeed | None = None,
        clock: Clock = utc_now,
        ids: IdSource | None = None,
        fees: FeeModel | None = None,
        slippage: SlippageModel | None = None,
        calendar: TradingCalendar | None = None,
        wait: Callable[[float], object] | None = None,
    ) -> None:
        """Set up; nothing is opened before `connect`."""
        parts = Assembly(
            settings=settings or PaperSettings(),
            clock=clock,
            feed=feed,
            fees=fees,
            slippage=slippage,
            calendar=calendar,
        )
        self._start(PaperExchange(parts), ids, wait)

    def _start(
        self,
        exchange: PaperExchange,
        ids: IdSource | None,
        wait: Callable[[float], object] | None,
    ) -> None:
        self.settings = exchange.settings
        """How the account is set up."""
        super().__init__(
            PaperSession(
                exchange,
                account_id=self.settings.account_id,
                round_trip_s=self.settings.round_trip_s,
                wait=wait,
            )
        )
        self._ids = ids or self.idempotency.make_id
        self._wait = wait

    def another(self) -> PaperBrokerage:
        """Return another brokerage of the same account and market, not yet connected.

        It is what a second process would be to a real broker: each has its own session, and sees
        what the other does. An account file stays held until both have disconnected.
        """
        other = PaperBrokerage.__new__(PaperBrokerage)
        other._start(self.native, self._ids, self._wait)
        return other

    def __repr__(self) -> str:
        return f"PaperBrokerage(account_id={self.settings.account_id!r})"

    @property
    def is_synthetic(self) -> bool:
        """Whether the prices are made up."""
        return self.native.is_synthetic

    @property
    def market_description(self) -> str:
        """What the market is made of, for people; a synthetic one says so.

        Raises:
            ConnectionError: the brokerage was never connected.
        """
        return self.native.feed.description

    # The session

    def connect(self) -> bool:
        """Open the account and start a session; return True. Twice is harmless.

        Raises:
            AccountFileError: the account file is in use, damaged, or of another version.
            InvalidFieldError: a setting cannot be used.
        """
        return self.session.connect()

    def disconnect(self) -> None:
        """End the session and let go of the account file. Twice is harmless."""
        self.session.disconnect()

    def is_connected(self) -> bool:
        """Return whether the session is not known to be dead; does no I/O."""
        return self.session.is_connected()

    def check_health(self) -> BrokerHealth:
        """Ask the exchange for a sign of life, within five seconds; never raises."""
        return self.session.check_health()

    # Orders

    def place_order(self, order_request: OrderRequest) -> OrderResult:
        """Place one order, once. A time in force of None is GTC.

        Raises:
            InvalidRequestError: it cannot be sent as asked (NOT_SENT), or the exchange finds that
                it makes no sense, as an end in the past (REJECTED).
            OrderRejectedError, InsufficientFundsError, MarketClosedError: refused (REJECTED).
            DuplicateOrderError: an order under that client id exists (REJECTED).
        """
        request = self._prepare("place_order", order_request)
        client_id = self._client_id(order_request)
        return self._place(
            "place_order",
            request.symbol,
            client_id,
            lambda engine: engine.place(request, client_order_id=client_id),
        )

    def close_position(self, symbol: str) -> OrderResult:
        """Place the reduce-only market order that closes a position: it can never turn it.

        Raises:
            InvalidRequestError: there is no position (REJECTED: the exchange was asked).
            Whatever place_order raises.
        """
        name = self._resolve("close_position", symbol)
        client_id = self._ids()
        self.idempotency.check_id(client_id)

        def close(engine: MatchingEngine) -> Order:
            position = engine.get_position(name)
            if position is None:
                raise InvalidRequestError(f"there is no position in {name} to close")
            long = position.side is PositionSide.LONG
            request = OrderRequest(
                symbol=name,
                side=OrderSide.SELL if long else OrderSide.BUY,
                quantity=position.quantity,
                reduce_only=True,
            )
            return engine.place(request, client_order_id=client_id)

        return self._place("close_position", name, client_id, close)

    def place_oco(
        self, first: OrderRequest, second: OrderRequest
    ) -> tuple[OrderResult, OrderResult]:
        """Place two orders as one write: a fill of either cancels the other.

        Raises:
            InvalidRequestError: they cannot be sent as asked (NOT_SENT).
            OrderRejectedError: neither was taken.
        """
        one, other = self._prepare("place_oco", first), self._prepare("place_oco", second)
        ids = (self._client_id(first), self._client_id(second))
        placed = self.session.write(
            "place_oco",
            lambda engine: engine.place_oco(one, other, client_order_ids=ids),
            symbol=one.symbol,
            client_order_id=ids[0],
        )
        results = [_result(order, client_id) for order, client_id in zip(placed, ids, strict=True)]
        return results[0], results[1]

    def modify_order(self, order_id: str, modification: OrderModification) -> OrderResult:
        """Change a live order in place: its ids stay.

        Raises:
            ModifyRejectedError: the order lives on as it was.
            OrderNotFoundError: there is no such order.
        """
        order = self.session.write(
            "modify_order",
            lambda engine: engine.modify(order_id, modification),
            order_id=order_id,
        )
        return _result(order, order.client_order_id or order_id)

    def cancel_order(self, order_id: str) -> bool:
        """Cancel a live order: True when accepted, False when it had already ended.

        Raises:
            OrderNotFoundError: there is no such order.
        """
        return self.session.write(
            "cancel_order", lambda engine: engine.cancel(order_id), order_id=order_id
        )

    # Streams

    def stream_orders(self) -> AbstractContextManager[Iterator[OrderEvent | StreamGap]]:
        """Yield each change of an order; a missed event is reported as a StreamGap."""
        return self.session.stream_orders()

    def stream_quotes(
        self, symbols: Sequence[str]
    ) -> AbstractContextManager[Iterator[QuoteEvent | StreamGap]]:
        """Yield each change of the best prices; a missed event is reported as a StreamGap."""
        return self.session.stream_quotes(
            [self._resolve("stream_quotes", symbol) for symbol in symbols]
        )

    # Replaying a market

    def advance(self) -> MarketEvent | None:
        """Let the next event of the feed happen, at its own time. None: the feed has ended.

        Raises:
            ConnectionError: not connected.
            InvalidRequestError: the market follows the clock, or the feed cannot be used.
        """
        return self.session.advance()

    def replay(self) -> Iterator[MarketEvent]:
        """Yield each event of the feed that is left, once it has happened.

        Raises:
            ConnectionError: not connected.
            InvalidRequestError: the market follows the clock, or the feed cannot be used.
        """
        while (event := self.advance()) is not None:
            yield event

    def _client_id(self, request: OrderRequest) -> str:
        client_id = self._ids() if request.client_order_id is None else request.client_order_id
        self.idempotency.check_id(client_id)
        return client_id

    def _place(
        self, operation: str, symbol: str, client_id: str, action: Callable[[MatchingEngine], Order]
    ) -> OrderResult:
        def act(engine: MatchingEngine) -> Order:
            self.native.require_market()
            return action(engine)

        order = self.session.write(operation, act, symbol=symbol, client_order_id=client_id)
        return _result(order, client_id)


def _result(order: Order, client_id: str) -> OrderResult:
    message = f"{order.status.value}: {decimal_to_text(order.filled_quantity)} filled"
    return OrderResult(
        success=True,
        client_order_id=client_id,
        order_id=order.order_id,
        order=order,
        message=message,
    )
