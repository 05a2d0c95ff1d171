"""A paper brokerage with the capabilities that the paper brokerage itself does not have.

The contract suite has cards for them, and a card is only worth its place when something passes it
and something fails it.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import attrs

from bot_v2.features.brokerages.core.account_summary import AccountRef
from bot_v2.features.brokerages.core.accounts import Position, PositionSide
from bot_v2.features.brokerages.core.brokerage import IBrokerage
from bot_v2.features.brokerages.core.capabilities import Capability
from bot_v2.features.brokerages.core.errors import (
    AmbiguousPositionError,
    AuthenticationError,
    InvalidFieldError,
    InvalidRequestError,
    UnsupportedOperationError,
)
from bot_v2.features.brokerages.core.events import OrderEvent, QuoteEvent, StreamGap
from bot_v2.features.brokerages.core.market_data import Candle, Trade
from bot_v2.features.brokerages.core.option_chains import OptionContract
from bot_v2.features.brokerages.core.order_changes import OrderPreview
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.order_terms import Leg
from bot_v2.features.brokerages.core.orderbook import Orderbook, PriceLevel
from bot_v2.features.brokerages.core.orders import Order, OrderResult
from bot_v2.features.brokerages.core.products import MarketType, Product
from bot_v2.features.brokerages.paper.adapter import CAPABILITIES, PaperBrokerage
from bot_v2.simulation.clock import utc_now

MUTE_S: Final = 0.1
"""After how long a watched stream reports that it fell silent, in seconds."""

HALF: Final = Decimal("0.5")
CANDLE_PRICE: Final = Decimal(100)
OTHER_ACCOUNT: Final = "another"


class RichBrokerage(PaperBrokerage):
    """Paper with previews, trades, options, a search, holdings, accounts, legs and a login."""

    capabilities = CAPABILITIES | {  # type: ignore[misc]  # final for paper itself
        Capability.ORDER_PREVIEW,
        Capability.TRADES,
        Capability.OPTION_CHAINS,
        Capability.SYMBOL_SEARCH,
        Capability.HOLDINGS,
        Capability.ACCOUNTS,
        Capability.LOGIN,
        Capability.MULTI_LEG,
    }
    unsupported = frozenset[str]()  # type: ignore[misc]  # final for paper itself

    def __init__(self, *args: Any, **named: Any) -> None:
        """Start without orders of several legs."""
        super().__init__(*args, **named)
        self._legs: dict[str, tuple[Leg, ...]] = {}

    def get_orderbook(self, symbol: str, level: int = 1) -> Orderbook:
        """Return the book; at level 3 each price has two orders."""
        if level != 3:
            return super().get_orderbook(symbol, level)
        book = super().get_orderbook(symbol, 2)
        return attrs.evolve(book, bids=_orders(book.bids), asks=_orders(book.asks))

    def place_order(self, order_request: OrderRequest) -> OrderResult:
        """Place an order, and remember its legs."""
        result = super().place_order(attrs.evolve(order_request, legs=()))
        self._legs[str(result.order_id)] = order_request.legs
        return attrs.evolve(result, order=None)

    def get_order(self, order_id: str) -> Order:
        """Return an order with its legs."""
        return attrs.evolve(super().get_order(order_id), legs=self._legs.get(order_id, ()))

    def preview_order(self, order_request: OrderRequest) -> OrderPreview:
        """Return what would be sent."""
        request = self._prepare("preview_order", order_request)
        return OrderPreview(order_request=request, native_request=f"quantity={request.quantity:f}")

    def list_trades(self, symbol: str, limit: int = 100) -> list[Trade]:
        """Return our own executions: nobody else trades here."""
        name = self._resolve("list_trades", symbol)
        fills = [fill for fill in self.list_fills() if fill.symbol == name]
        trades = [
            Trade(symbol=name, price=one.price, size=one.quantity, timestamp=one.timestamp)
            for one in reversed(fills)
        ]
        return trades[:limit]

    def list_candles(
        self, symbol: str, interval: timedelta, start: datetime, end: datetime
    ) -> list[Candle]:
        """Return candles of a market that stands still, the one that forms included."""
        name = self._resolve("list_candles", symbol)
        if start.tzinfo is None or end.tzinfo is None or end < start:
            raise InvalidFieldError("start", start, "an aware datetime before the end")
        now, candles = utc_now(), []
        opens = datetime.min.replace(tzinfo=start.tzinfo)
        opens += -(-(start - opens) // interval) * interval
        while opens < min(end, now):
            candles.append(
                Candle(
                    symbol=name,
                    open_time=opens,
                    interval=interval,
                    open=CANDLE_PRICE,
                    high=CANDLE_PRICE,
                    low=CANDLE_PRICE,
                    close=CANDLE_PRICE,
                    complete=opens + interval <= now,
                )
            )
            opens += interval
        return candles

    def list_option_contracts(
        self, underlying: str, expiry: date | None = None
    ) -> list[OptionContract]:
        """Return the options of the market."""
        name = self._resolve("list_option_contracts", underlying)
        return [
            OptionContract(product=product)
            for product in self.get_products()
            if product.market_type is MarketType.OPTION
            and product.underlying == name
            and expiry in (None, product.expiry)
        ]

    def list_symbol_matches(self, text: str) -> list[Product]:
        """Return the products whose symbol holds the text."""
        return [product for product in self.get_products() if text.upper() in product.symbol]

    def list_holdings(self) -> list[Position]:
        """Return the positions: each is settled at once."""
        return self.list_positions()

    def list_accounts(self) -> list[AccountRef]:
        """Return this account and another."""
        return [AccountRef(account_id=self.get_account_id()), AccountRef(account_id=OTHER_ACCOUNT)]

    def for_account(self, account_id: str) -> IBrokerage:
        """Return a brokerage of one of the accounts."""
        if account_id not in (self.settings.account_id, OTHER_ACCOUNT):
            raise InvalidRequestError(f"there is no account {account_id}")
        return type(self)(attrs.evolve(self.settings, account_id=account_id))

    def login_url(self) -> str:
        """Return a page that nobody needs."""
        return "https://login.example/paper"

    def complete_login(self, fields: Mapping[str, str]) -> None:
        """Refuse every login: there are no users."""
        raise AuthenticationError(f"refused; given were {', '.join(sorted(fields))}")


def _orders(levels: tuple[PriceLevel, ...]) -> tuple[PriceLevel, ...]:
    return tuple(PriceLevel(level.price, level.size * HALF) for level in levels for _ in range(2))


class PlainBrokerage(PaperBrokerage):
    """Paper that declares no feature of orders, and refuses all of them."""

    capabilities = frozenset({Capability.FILLS, Capability.MARGIN})  # type: ignore[misc]  # final for paper itself

    def place_order(self, order_request: OrderRequest) -> OrderResult:
        """Place a plain order."""
        features = {
            "exits": order_request.take_profit or order_request.stop_loss,
            "a trail": order_request.trail_amount or order_request.trail_percent,
            "extended hours": order_request.extended_hours,
            "a sum": order_request.notional,
        }
        for feature, asked in features.items():
            if asked:
                raise UnsupportedOperationError(f"an order with {feature} is not supported")
        return super().place_order(order_request)


class BalancesBrokerage(PaperBrokerage):
    """Paper whose coins are balances, and no positions."""

    spot_as_positions = False  # type: ignore[misc]  # final for paper itself

    def list_positions(self) -> list[Position]:
        """Return the positions in what is no coin."""
        return [one for one in super().list_positions() if not self._is_coin(one.symbol)]

    def get_position(self, symbol: str) -> Position | None:
        """Return a position in what is no coin."""
        self._refuse_coin(symbol)
        return super().get_position(symbol)

    def close_position(self, symbol: str) -> OrderResult:
        """Close a position in what is no coin."""
        self._refuse_coin(symbol)
        return super().close_position(symbol)

    def _is_coin(self, symbol: str) -> bool:
        return self.get_product(symbol).market_type is MarketType.SPOT

    def _refuse_coin(self, symbol: str) -> None:
        if self._is_coin(symbol):
            raise UnsupportedOperationError(f"{symbol} is kept as a balance: use get_balance")


class BucketsBrokerage(PaperBrokerage):
    """Paper with a share in two buckets."""

    capabilities = CAPABILITIES | {Capability.POSITION_BUCKETS}  # type: ignore[misc]  # final for paper itself

    def list_positions(self) -> list[Position]:
        """Return the share once for each bucket."""
        return [*super().list_positions(), *_in_buckets("AAPL", self.get_account_id())]

    def get_position(self, symbol: str) -> Position | None:
        """Return a position, unless there are several."""
        if symbol == "AAPL":
            raise AmbiguousPositionError("AAPL is in two", buckets=("day/long", "carry/long"))
        return super().get_position(symbol)


def _in_buckets(symbol: str, account_id: str) -> list[Position]:
    return [
        Position(
            symbol=symbol,
            side=PositionSide.LONG,
            quantity=Decimal(1),
            bucket=bucket,
            account_id=account_id,
        )
        for bucket in ("day", "carry")
    ]


class WatchedBrokerage(PaperBrokerage):
    """Paper whose streams report that they fell silent."""

    def stream_orders(self) -> AbstractContextManager[Iterator[OrderEvent | StreamGap]]:
        """Yield each change of an order, and a gap in the silence."""
        return watched(super().stream_orders)

    def stream_quotes(
        self, symbols: Sequence[str]
    ) -> AbstractContextManager[Iterator[QuoteEvent | StreamGap]]:
        """Yield each change of best prices, and a gap in the silence."""
        return watched(lambda: PaperBrokerage.stream_quotes(self, symbols))


@contextmanager
def watched(opened: Callable[[], Any]) -> Iterator[Iterator[Any]]:
    """Open a stream, and tell of its silence."""
    arrived: queue.SimpleQueue[Any] = queue.SimpleQueue()
    end = object()

    def read(events: Iterator[Any]) -> None:
        for event in events:
            arrived.put(event)
        arrived.put(end)

    def told() -> Iterator[Any]:
        while True:
            try:
                event = arrived.get(timeout=MUTE_S)
            except queue.Empty:
                yield StreamGap(timestamp=utc_now(), reason="nothing came")
                continue
            if event is end:
                return
            yield event

    with opened() as events:
        threading.Thread(target=read, args=(events,), daemon=True).start()
        yield told()
