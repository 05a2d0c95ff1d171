"""What Advanced Trade says of its market: products, prices, books, trades and candles."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, TypeVar

from bot_v2.features.brokerages.coinbase import mapping, wire
from bot_v2.features.brokerages.coinbase.base import CoinbaseBase, candle_spans, segment
from bot_v2.features.brokerages.core.market_data import Candle, Quote, Trade
from bot_v2.features.brokerages.core.orderbook import Orderbook
from bot_v2.features.brokerages.core.products import Product
from bot_v2.features.brokerages.http.calls import Call

_T = TypeVar("_T")

API: Final = "/api/v3/brokerage"

BOOK_DEPTHS: Final = {1: "1", 2: "250"}
"""How many prices are asked for, by the contract's level."""

CANDLES_MAX: Final = 300
"""How many candles are asked for at once; the broker gives 350 at most."""

TRADES_MAX: Final = 1000
"""How many trades are asked for at most."""

SPOT_QUERY: Final = {"product_type": "SPOT"}
PERPETUAL_QUERY: Final = {"product_type": "FUTURE", "contract_expiry_type": "PERPETUAL"}


class AdvancedMarket(CoinbaseBase):
    """The market, as Advanced Trade tells it."""

    def get_price(self, symbol: str) -> Decimal:
        """Return the latest trade's price, else the mid."""
        call = self._call("get_price", symbol=symbol)
        last, bid, ask = self._ticker(call, symbol, 1, mapping.prices_from_native)
        return self._mid(bid, ask, call) if last is None else last

    def get_quote(self, symbol: str) -> Quote:
        """Return the best prices."""
        now, names = self._clock(), self._instruments
        return self._book(
            self._call("get_quote", symbol=symbol),
            symbol,
            1,
            lambda native: mapping.quote_from_native(native, names, now),
        )

    def get_orderbook(self, symbol: str, level: int = 1) -> Orderbook:
        """Return the book: level 1 the best prices, 2 the 250 best of each side."""
        call, names = self._call("get_orderbook", symbol=symbol), self._instruments
        self._refuse_level(level, tuple(BOOK_DEPTHS), call)
        return self._book(
            call, symbol, level, lambda native: mapping.book_from_native(native.pricebook, names)
        )

    def list_trades(self, symbol: str, limit: int = 100) -> list[Trade]:
        """Return the latest trades, newest first, at most `limit` and at most 1000."""
        call = self._call("list_trades", symbol=symbol)
        self._require_limit(limit)
        names = self._instruments
        trades = self._ticker(
            call,
            symbol,
            min(limit, TRADES_MAX),
            lambda native: [mapping.trade_from_native(one, names) for one in native.trades],
        )
        return sorted(trades, key=lambda trade: trade.timestamp, reverse=True)[:limit]

    def list_candles(
        self, symbol: str, interval: timedelta, start: datetime, end: datetime
    ) -> list[Candle]:
        """Return the candles that open in [start, end), oldest first; as many calls as it takes."""
        call = self._call("list_candles", symbol=symbol)
        spans = candle_spans(interval, start, end, tuple(mapping.INTERVALS), CANDLES_MAX)
        product, product_id = self._find(call, symbol)
        found: dict[datetime, Candle] = {}
        for first, last in spans:
            query = {
                "start": str(int(first.timestamp())),
                "end": str(int(last.timestamp())),
                "granularity": mapping.INTERVALS[interval],
                "limit": str(CANDLES_MAX + 1),
            }
            candles = self._candles(call, product, product_id, interval, query)
            found |= {one.open_time: one for one in candles if start <= one.open_time < end}
        return [found[moment] for moment in sorted(found)]

    # How it is asked.

    def _candles(
        self,
        call: Call,
        product: Product,
        product_id: str,
        interval: timedelta,
        query: dict[str, str],
    ) -> list[Candle]:
        now = self._clock()
        return self._session.ask(
            call,
            "GET",
            f"{API}/products/{segment('symbol', product_id)}/candles",
            wire.Candles,
            lambda native, _: [
                mapping.candle_from_native(one, product.symbol, interval, now)
                for one in native.candles
            ],
            query=query,
        )

    def _read_products(self, call: Call) -> Sequence[tuple[str, Product]]:
        found = self._list_products(call, SPOT_QUERY)
        if self.settings.enable_derivatives:
            listed = self._list_products(call, PERPETUAL_QUERY)
            # Contracts of the US futures venue have an account of their own, which is not ours.
            found += [one for one in listed if one[1].metadata.get("venue") == mapping.INTX]
        return found

    def _list_products(self, call: Call, query: dict[str, str]) -> list[tuple[str, Product]]:
        def read(native: wire.Products, _: object) -> tuple[list[tuple[str, Product]], str | None]:
            page = native.pagination
            more = page.next_cursor if page and page.has_next else None
            products = [
                (one.product_id, mapping.product_from_native(one)) for one in native.products
            ]
            return products, more

        return self._session.ask_all(call, f"{API}/products", wire.Products, read, query=query)

    def _ticker(
        self, call: Call, symbol: str, limit: int, read: Callable[[wire.MarketTrades], _T]
    ) -> _T:
        _, product_id = self._find(call, symbol)
        return self._session.ask(
            call,
            "GET",
            f"{API}/products/{segment('symbol', product_id)}/ticker",
            wire.MarketTrades,
            lambda native, _: read(native),
            query={"limit": str(limit)},
        )

    def _book(
        self, call: Call, symbol: str, level: int, read: Callable[[wire.ProductBook], _T]
    ) -> _T:
        _, product_id = self._find(call, symbol)
        return self._session.ask(
            call,
            "GET",
            f"{API}/product_book",
            wire.ProductBook,
            lambda native, _: read(native),
            query={"product_id": product_id, "limit": BOOK_DEPTHS[level]},
        )
