"""What Alpaca says of the market: prices, books, trades, candles, chains and hours."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Final, TypeVar

import attrs

from bot_v2.features.brokerages.alpaca import mapping, market_mapping, market_wire, wire
from bot_v2.features.brokerages.alpaca.base import CONTRACTS, AlpacaBase, segment
from bot_v2.features.brokerages.alpaca.client import DATA, Api
from bot_v2.features.brokerages.alpaca.decoding import MalformedError, decode
from bot_v2.features.brokerages.alpaca.instruments import class_and_native
from bot_v2.features.brokerages.alpaca.settings import DELAYED_FEEDS
from bot_v2.features.brokerages.alpaca.symbols import CRYPTO, EQUITY, OPTION
from bot_v2.features.brokerages.core.errors import (
    InvalidFieldError,
    InvalidRequestError,
    MarketDataUnavailableError,
    UnsupportedOperationError,
)
from bot_v2.features.brokerages.core.market_data import Candle, MarketStatus, Quote, Trade
from bot_v2.features.brokerages.core.option_chains import OptionContract
from bot_v2.features.brokerages.core.orderbook import Orderbook
from bot_v2.features.brokerages.core.products import MarketType, Product
from bot_v2.features.brokerages.http.calls import Call, Reply

_T = TypeVar("_T")

PATHS: Final = {
    # class: where its market data is
    EQUITY: "/v2/stocks",
    CRYPTO: "/v1beta3/crypto/us",
    OPTION: "/v1beta1/options",
}
CLOCK: Final = "/v2/clock"

PAGE_SIZE: Final = 10_000
"""How many candles, trades or contracts are asked for at once."""
CHAIN_PAGE_SIZE: Final = 1000
"""How many options' prices are asked for at once."""

TRADES_WITHIN: Final = timedelta(days=7)
"""How far back the latest trades are looked for."""

EXPIRES_WITHIN: Final = timedelta(days=3660)
"""How far ahead options are looked for: the broker looks a week ahead where nothing is said."""

_BOOK_DEPTHS: Final[dict[int, int | None]] = {1: 1, 2: None}
_LEVEL_MAX: Final = 3


class AlpacaMarket(AlpacaBase):
    """The market, as Alpaca tells it."""

    def get_price(self, symbol: str) -> Decimal:
        """Return the latest trade's price, else the mid."""
        call = self._data_call("get_price", symbol)
        product = self._find(call, symbol)
        if self._is_delayed(product) and not self.settings.allow_delayed:
            raise MarketDataUnavailableError(
                "the prices of this feed are late: set ALPACA_ALLOW_DELAYED=true to take them, or "
                "another feed (ALPACA_DATA_FEED, ALPACA_OPTIONS_FEED)",
                **call.context(),
            )

        def read(snapshot: market_wire.Snapshot) -> Decimal | None:
            last = market_mapping.last_of(snapshot)
            return market_mapping.mid_of(snapshot) if last is None else last

        price = self._snapshot(call, product, read)
        if price is None:
            raise MarketDataUnavailableError(
                "neither a trade nor both sides of the book", **call.context()
            )
        return price

    def get_quote(self, symbol: str) -> Quote:
        """Return the best prices, and the latest trade's."""
        call = self._data_call("get_quote", symbol)
        product = self._find(call, symbol)
        is_delayed = self._is_delayed(product)
        quote = self._snapshot(
            call,
            product,
            lambda native: market_mapping.quote_from_native(
                native, product.symbol, is_delayed=is_delayed
            ),
        )
        if quote is None:
            raise MarketDataUnavailableError("neither prices nor a trade", **call.context())
        return quote

    def get_orderbook(self, symbol: str, level: int = 1) -> Orderbook:
        """Return the book: level 1 the best prices; level 2 all of them, of crypto only."""
        call = self._data_call("get_orderbook", symbol)
        if level not in _BOOK_DEPTHS:
            kind = UnsupportedOperationError if level == _LEVEL_MAX else InvalidRequestError
            message = f"there is no book of level {level}; accepted: 1, and 2 of crypto"
            raise kind(message, **call.context())
        product = self._find(call, symbol)
        if product.market_type is MarketType.SPOT:
            return self._crypto_book(call, product, _BOOK_DEPTHS[level])
        if level > 1:
            raise UnsupportedOperationError(
                "Alpaca tells the book of crypto only; accepted here: level 1", **call.context()
            )

        def read(native: market_wire.Snapshot) -> Orderbook | None:
            quote = native.latest_quote
            return market_mapping.top_from_native(quote, product.symbol) if quote else None

        return self._snapshot(call, product, read) or Orderbook(
            symbol=product.symbol, bids=(), asks=()
        )

    def list_trades(self, symbol: str, limit: int = 100) -> list[Trade]:
        """Return the latest trades of the last seven days, newest first, at most `limit`."""
        call = self._data_call("list_trades", symbol)
        if type(limit) is not int or limit < 1:
            raise InvalidFieldError("limit", limit, "a whole number from 1")
        product = self._find(call, symbol)
        kind, native = class_and_native(product)

        def read(reply: Reply) -> tuple[list[Trade], str | None]:
            page = decode(reply.body, market_wire.TradesPage)
            listed = (page.trades or {}).get(native) or []
            trades = [market_mapping.trade_from_native(one, product.symbol) for one in listed]
            return [one for one in trades if one is not None], page.next_page_token

        query = {
            **self._asked(product),
            "start": moment_to_native(self._clock() - TRADES_WITHIN),
            "sort": "desc",
            "limit": str(min(limit, PAGE_SIZE)),
        }
        trades = self._latest(call, f"{PATHS[kind]}/trades", read, query, limit)
        return sorted(trades, key=lambda trade: trade.timestamp, reverse=True)[:limit]

    def list_candles(
        self, symbol: str, interval: timedelta, start: datetime, end: datetime
    ) -> list[Candle]:
        """Return the candles that open in [start, end), oldest first; all pages are followed.

        Their prices are adjusted as the setting ALPACA_ADJUSTMENT says: not at all by default.
        """
        call = self._data_call("list_candles", symbol)
        for name, moment in (("start", start), ("end", end)):
            if moment.tzinfo is None:
                raise InvalidFieldError(name, moment, "an aware datetime")
        timeframe = market_mapping.timeframe_of(interval)
        if timeframe is None:
            raise InvalidFieldError("interval", interval, market_mapping.INTERVALS_ACCEPTED)
        product = self._find(call, symbol)
        if start >= end:
            return []
        kind, native = class_and_native(product)
        now = self._clock()

        def read(reply: Reply) -> tuple[list[Candle], str | None]:
            page = decode(reply.body, market_wire.BarsPage)
            listed = (page.bars or {}).get(native) or []
            candles = [
                market_mapping.candle_from_native(one, product.symbol, interval, now)
                for one in listed
            ]
            return candles, page.next_page_token

        query = {
            **self._asked(product),
            "timeframe": timeframe,
            "start": moment_to_native(start),
            "end": moment_to_native(end),
            "limit": str(PAGE_SIZE),
            "sort": "asc",
        }
        if kind == EQUITY:
            query["adjustment"] = self.settings.adjustment.value
        candles = self._session.ask_all(
            call, f"{PATHS[kind]}/bars", read, api=Api.DATA, query=query
        )
        found = {one.open_time: one for one in candles if start <= one.open_time < end}
        return [found[moment] for moment in sorted(found)]

    def list_option_contracts(
        self, underlying: str, expiry: date | None = None
    ) -> list[OptionContract]:
        """Return the options on a stock, with their latest prices, of one expiry or of all."""
        call = self._call("list_option_contracts", symbol=underlying)
        product = self._find(call, underlying)
        _, native = class_and_native(product)
        today = self._clock().date()
        first, last = (today, today + EXPIRES_WITHIN) if expiry is None else (expiry, expiry)
        span = {
            "expiration_date_gte": first.isoformat(),
            "expiration_date_lte": last.isoformat(),
        }

        def read(reply: Reply) -> tuple[list[wire.Contract], str | None]:
            page = decode(reply.body, wire.ContractsPage)
            return page.option_contracts or [], page.next_page_token

        contracts = self._session.ask_all(
            call,
            CONTRACTS,
            read,
            query={
                "underlying_symbols": native,
                "status": mapping.ACTIVE,
                "limit": str(PAGE_SIZE),
                **span,
            },
        )
        if not contracts:
            return []
        prices = self._chain(call, native, span)
        chain = self._exactly(
            call,
            lambda: [
                market_mapping.option_from_native(one, prices.get(one.symbol)) for one in contracts
            ],
        )
        self._instruments.remember([one.product for one in chain])
        return chain

    def list_symbol_matches(self, text: str) -> list[Product]:
        """Return the stocks and crypto pairs whose symbol or name holds the text, best first."""
        wanted = text.strip().casefold()
        if not wanted:
            raise InvalidFieldError("text", text, "a str that is not blank")
        ranked: list[tuple[int, str, Product]] = []
        for product in self.get_products():
            rank = _rank(product, wanted)
            if rank is not None:
                ranked.append((rank, product.symbol, product))
        ranked.sort(key=lambda one: one[:2])
        return [product for _, _, product in ranked]

    def get_market_status(self, symbol: str) -> MarketStatus:
        """Return whether the stock market is open; crypto is traded at any time."""
        call = self._call("get_market_status", symbol=symbol)
        product = self._find(call, symbol)
        if product.market_type is MarketType.SPOT:
            return MarketStatus(symbol=product.symbol, is_open=True)
        return self._session.ask(
            call,
            "GET",
            CLOCK,
            lambda reply: mapping.status_from_native(
                decode(reply.body, wire.MarketClock), product.symbol
            ),
        )

    # How it is asked.

    def _data_call(self, operation: str, symbol: str) -> Call:
        return self._call(operation, symbol=symbol, endpoint=DATA)

    def _is_delayed(self, product: Product) -> bool:
        return self._feed(product) in DELAYED_FEEDS

    def _feed(self, product: Product) -> str | None:
        """Return whose prices are read. None: there is one source only."""
        feeds = {EQUITY: self.settings.data_feed, OPTION: self.settings.options_feed}
        return feeds.get(class_and_native(product)[0])

    def _asked(self, product: Product) -> dict[str, str]:
        """Return the part of a query that says what is asked for, and whose prices."""
        kind, native = class_and_native(product)
        query = {"symbols": native}
        feed = self._feed(product)
        # The history of options has one source, and takes no feed.
        if feed is not None and kind == EQUITY:
            query["feed"] = feed
        return query

    def _snapshot(
        self, call: Call, product: Product, read: Callable[[market_wire.Snapshot], _T | None]
    ) -> _T | None:
        """Return what the latest of a product says. None: nothing is told of it."""
        kind, native = class_and_native(product)

        def read_reply(reply: Reply) -> _T | None:
            told: Mapping[str, market_wire.Snapshot | None]
            if kind == EQUITY:
                told = decode(reply.body, dict[str, market_wire.Snapshot | None])
            else:
                told = decode(reply.body, market_wire.SnapshotsPage).snapshots or {}
            snapshot = told.get(native)
            return None if snapshot is None else read(snapshot)

        query = {"symbols": native}
        feed = self._feed(product)
        if feed is not None:
            query["feed"] = feed
        path = f"{PATHS[kind]}/snapshots"
        return self._session.ask(call, "GET", path, read_reply, api=Api.DATA, query=query)

    def _crypto_book(self, call: Call, product: Product, depth: int | None) -> Orderbook:
        kind, native = class_and_native(product)

        def read(reply: Reply) -> Orderbook:
            book = (decode(reply.body, market_wire.BooksPage).orderbooks or {}).get(native)
            if book is None:
                raise MalformedError(f"no book of {native!r} among the books")
            return market_mapping.book_from_native(book, product.symbol, depth)

        path = f"{PATHS[kind]}/latest/orderbooks"
        query = {"symbols": native}
        return self._session.ask(call, "GET", path, read, api=Api.DATA, query=query)

    def _chain(
        self, call: Call, underlying: str, span: Mapping[str, str]
    ) -> dict[str, market_wire.Snapshot | None]:
        def read(
            reply: Reply,
        ) -> tuple[list[tuple[str, market_wire.Snapshot | None]], str | None]:
            page = decode(reply.body, market_wire.SnapshotsPage)
            return list((page.snapshots or {}).items()), page.next_page_token

        query = {
            "feed": self.settings.options_feed.value,
            "limit": str(CHAIN_PAGE_SIZE),
            **span,
        }
        path = f"{PATHS[OPTION]}/snapshots/{segment('underlying', underlying)}"
        asked = attrs.evolve(call, endpoint=DATA)
        return dict(self._session.ask_all(asked, path, read, api=Api.DATA, query=query))

    def _latest(
        self,
        call: Call,
        path: str,
        read: Callable[[Reply], tuple[list[_T], str | None]],
        query: dict[str, str],
        limit: int,
    ) -> list[_T]:
        """Return the first pages of a list until there are enough items."""
        found: list[_T] = []
        asked = query
        for _ in range(self.settings.page_max):
            items, token = self._session.ask(call, "GET", path, read, api=Api.DATA, query=asked)
            found.extend(items)
            if len(found) >= limit or not token:
                break
            asked = {**query, "page_token": token}
        return found


def _rank(product: Product, wanted: str) -> int | None:
    """Return how well a product fits, the best first. None: it does not."""
    symbol, name = product.symbol.casefold(), (product.name or "").casefold()
    fits = (symbol == wanted, symbol.startswith(wanted), wanted in symbol, wanted in name)
    return next((rank for rank, is_fit in enumerate(fits) if is_fit), None)


def moment_to_native(when: datetime) -> str:
    """Return a moment as Alpaca reads it: RFC 3339 in UTC."""
    return when.astimezone(UTC).isoformat().replace("+00:00", "Z")
