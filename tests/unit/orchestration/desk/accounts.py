"""Brokerages that answer from what a test puts in them."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from bot_v2.features.brokerages.core.account_summary import AccountSummary, FeeRates, Margin
from bot_v2.features.brokerages.core.capabilities import Capability
from bot_v2.features.brokerages.core.errors import BrokerageError, InvalidSymbolError
from bot_v2.features.brokerages.core.events import QuoteEvent, StreamGap
from bot_v2.features.brokerages.core.interfaces import (
    Balance,
    MarketType,
    Order,
    Orderbook,
    OrderRequest,
    OrderStatus,
    Position,
    PositionSide,
    PriceLevel,
    Product,
)
from bot_v2.features.brokerages.core.market_data import Quote
from tests.unit.orchestration.fake_brokerage import FakeBrokerage

D = Decimal
NOW = datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC)
WAIT_S = 10.0


class Time:
    """A clock that a test moves on, and counts seconds by."""

    def __init__(self) -> None:
        self.moment = NOW

    def __call__(self) -> datetime:
        """The present moment."""
        return self.moment

    def monotonic(self) -> float:
        """The same, in seconds."""
        return (self.moment - NOW).total_seconds()

    def pass_s(self, seconds: float) -> None:
        """Move on."""
        self.moment += timedelta(seconds=seconds)


def share(symbol: str = "AAPL", **terms: object) -> Product:
    """A product in whole steps, priced in dollars."""
    given: dict[str, object] = {
        "symbol": symbol,
        "market_type": MarketType.EQUITY,
        "quote_currency": "USD",
        "size_increment": D(1),
    }
    return Product(**{**given, **terms})  # type: ignore[arg-type] # each test gives what fits


def coin(symbol: str = "BTC-USD", **terms: object) -> Product:
    """A pair of spot, in steps of a thousandth."""
    base, quote = symbol.split("-")
    given: dict[str, object] = {
        "market_type": MarketType.SPOT,
        "base_currency": base,
        "quote_currency": quote,
        "size_increment": D("0.001"),
    }
    return share(symbol, **{**given, **terms})


def position(symbol: str, quantity: str, **terms: object) -> Position:
    """A position; one with a minus is short."""
    amount = D(quantity)
    given: dict[str, object] = {
        "symbol": symbol,
        "quantity": abs(amount),
        "side": PositionSide.LONG if amount > 0 else PositionSide.SHORT,
        "account_id": "A",
    }
    return Position(**{**given, **terms})  # type: ignore[arg-type] # each test gives what fits


class Account(FakeBrokerage):
    """A brokerage with an account in it; it counts what it is asked."""

    spot_as_positions = True

    def __init__(self, *capabilities: Capability) -> None:
        super().__init__("account")
        self.capabilities = frozenset(capabilities)
        self.is_up = False
        self.asked: Counter[str] = Counter()
        self.error: BaseException | None = None
        self.hold = threading.Event()
        self.hold.set()
        self.positions: list[Position] = []
        self.balances: list[Balance] = []
        self.orders: list[Order] = []
        self.products: dict[str, Product] = {}
        self.quotes: dict[str, Quote] = {}
        self.books: dict[str, Orderbook] = {}
        self.prices: dict[str, Decimal] = {}
        self.summary = AccountSummary(account_id="A", currency="USD", equity=D(1000))
        self.margin = Margin(currency="USD", initial_margin=D(10), excess=D(5))
        self.fees = FeeRates(taker=D("0.001"))
        self.streams_open = 0

    def _answer(self, operation: str) -> None:
        self.asked[operation] += 1
        assert self.hold.wait(WAIT_S)
        if self.error is not None:
            raise self.error

    def connect(self) -> bool:
        """Count, and be up."""
        self._answer("connect")
        self.is_up = super().connect()
        return self.is_up

    def disconnect(self) -> None:
        """Count, and be down."""
        self._answer("disconnect")
        self.is_up = False

    def is_connected(self) -> bool:
        """Whether it is up."""
        return self.is_up

    def list_positions(self) -> list[Position]:
        """As it holds."""
        self._answer("list_positions")
        return self.positions

    def list_balances(self) -> list[Balance]:
        """As it holds."""
        self._answer("list_balances")
        return self.balances

    def list_orders(self, status: OrderStatus | None = None) -> list[Order]:
        """As it has."""
        self._answer("list_orders")
        return self.orders

    def get_account(self) -> AccountSummary:
        """As it is."""
        self._answer("get_account")
        return self.summary

    def get_margin(self) -> Margin:
        """As it is."""
        self._answer("get_margin")
        return self.margin

    def get_order_margin(self, order_request: OrderRequest) -> Margin:
        """As it is."""
        return self.margin

    def get_product(self, symbol: str) -> Product:
        """As it is listed."""
        self._answer("get_product")
        if symbol not in self.products:
            raise InvalidSymbolError("there is none", symbol=symbol)
        return self.products[symbol]

    def get_quote(self, symbol: str) -> Quote:
        """As it is quoted."""
        self._answer("get_quote")
        return self.quotes[symbol]

    def get_orderbook(self, symbol: str, level: int = 1) -> Orderbook:
        """As it is."""
        self._answer("get_orderbook")
        return self.books[symbol]

    def get_price(self, symbol: str) -> Decimal:
        """As it is."""
        self._answer("get_price")
        return self.prices[symbol]

    def get_fees(self, symbol: str) -> FeeRates:
        """As they are."""
        self._answer("get_fees")
        return self.fees

    @contextmanager
    def stream_quotes(self, symbols: Sequence[str]) -> Iterator[Iterator[QuoteEvent | StreamGap]]:
        """Nothing, until it is closed."""
        self.streams_open += 1
        closed = threading.Event()
        try:
            yield (event for event in self._nothing(closed))
        finally:
            closed.set()
            self.streams_open -= 1
            if self.error is not None:
                raise self.error

    def _nothing(self, closed: threading.Event) -> Iterator[QuoteEvent]:
        closed.wait(WAIT_S)
        yield from ()

    def offer(
        self, symbol: str, bid: str, ask: str, size: str | None = "10", when: datetime = NOW
    ) -> None:
        """Quote a product."""
        amount = None if size is None else D(size)
        self.quotes[symbol] = Quote(
            symbol=symbol,
            timestamp=when,
            bid=D(bid),
            ask=D(ask),
            bid_size=amount,
            ask_size=amount,
        )


def book(symbol: str, bid: str | None, ask: str | None, timestamp: datetime | None) -> Orderbook:
    """A book of one level, or of none."""

    def side(price: str | None) -> tuple[PriceLevel, ...]:
        return () if price is None else (PriceLevel(price=D(price), size=D(3)),)

    return Orderbook(symbol=symbol, bids=side(bid), asks=side(ask), timestamp=timestamp)


class BrokenError(BrokerageError):
    """What a brokerage fails with here."""
