"""What the Exchange API says of its market: products, prices, books, trades and candles."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

from bot_v2.features.brokerages.coinbase import exchange_mapping as mapping
from bot_v2.features.brokerages.coinbase import exchange_wire as wire
from bot_v2.features.brokerages.coinbase.base import CoinbaseBase, candle_spans, segment
from bot_v2.features.brokerages.coinbase.session import Query
from bot_v2.features.brokerages.core.market_data import Candle, Quote, Trade
from bot_v2.features.brokerages.core.orderbook import Orderbook
from bot_v2.features.brokerages.core.products import Product
from bot_v2.features.brokerages.http.calls import Call

LEVELS: Final = (1, 2)
"""The levels of books that are asked for."""

CANDLES_MAX: Final = 300
"""How many candles one request gives at most."""

TRADES_MAX: Final = 1000
"""How many trades one request gives at most."""


class ExchangeMarket(CoinbaseBase):
    """The market, as the Exchange API tells it."""

    def get_price(self, symbol: str) -> Decimal:
        """Return the latest trade's price, else the mid."""
        call = self._call("get_price", symbol=symbol)
        quote = self._quote(call, symbol)
        return self._mid(quote.bid, quote.ask, call) if quote.last is None else quote.last

    def get_quote(self, symbol: str) -> Quote:
        """Return the best prices."""
        return self._quote(self._call("get_quote", symbol=symbol), symbol)

    def get_orderbook(self, symbol: str, level: int = 1) -> Orderbook:
        """Return the book: level 1 the best prices, 2 all of them."""
        call = self._call("get_orderbook", symbol=symbol)
        self._refuse_level(level, LEVELS, call)
        product, path = self._product_path(call, symbol)
        return self._session.ask(
            call,
            "GET",
            f"{path}/book",
            wire.Book,
            lambda native, _: mapping.book_from_native(native, product.symbol),
            query={"level": str(level)},
        )

    def list_trades(self, symbol: str, limit: int = 100) -> list[Trade]:
        """Return the latest trades, newest first, at most `limit` and at most 1000."""
        call = self._call("list_trades", symbol=symbol)
        self._require_limit(limit)
        product, path = self._product_path(call, symbol)
        trades = self._session.ask(
            call,
            "GET",
            f"{path}/trades",
            list[wire.Trade],
            lambda native, _: [mapping.trade_from_native(one, product.symbol) for one in native],
            query={"limit": str(min(limit, TRADES_MAX))},
        )
        return sorted(trades, key=lambda trade: trade.timestamp, reverse=True)[:limit]

    def list_candles(
        self, symbol: str, interval: timedelta, start: datetime, end: datetime
    ) -> list[Candle]:
        """Return the candles that open in [start, end), oldest first; as many calls as it takes."""
        call = self._call("list_candles", symbol=symbol)
        spans = candle_spans(interval, start, end, mapping.INTERVALS, CANDLES_MAX - 1)
        product, path = self._product_path(call, symbol)
        found: dict[datetime, Candle] = {}
        for first, last in spans:
            query = {
                "start": first.astimezone(UTC).isoformat(),
                "end": last.astimezone(UTC).isoformat(),
                "granularity": str(int(interval.total_seconds())),
            }
            for one in self._candles(call, f"{path}/candles", product, interval, query):
                if start <= one.open_time < end:
                    found[one.open_time] = one
        return [found[moment] for moment in sorted(found)]

    # How it is asked.

    def _read_products(self, call: Call) -> Sequence[tuple[str, Product]]:
        return self._session.ask(
            call,
            "GET",
            "/products",
            list[wire.Product],
            lambda native, _: [(one.id, mapping.product_from_native(one)) for one in native],
        )

    def _product_path(self, call: Call, symbol: str) -> tuple[Product, str]:
        product, product_id = self._find(call, symbol)
        return product, f"/products/{segment('symbol', product_id)}"

    def _quote(self, call: Call, symbol: str) -> Quote:
        product, path = self._product_path(call, symbol)
        now = self._clock()
        return self._session.ask(
            call,
            "GET",
            f"{path}/ticker",
            wire.Ticker,
            lambda native, _: mapping.quote_from_native(native, product.symbol, now),
        )

    def _candles(
        self, call: Call, path: str, product: Product, interval: timedelta, query: Query
    ) -> list[Candle]:
        now = self._clock()
        return self._session.ask(
            call,
            "GET",
            path,
            list[wire.NativeCandle],
            lambda native, _: [
                mapping.candle_from_native(one, product.symbol, interval, now) for one in native
            ],
            query=query,
        )
