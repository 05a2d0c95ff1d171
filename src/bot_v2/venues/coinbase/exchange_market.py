"""Products, prices, books, trades, candles, accounts and fees of the Exchange API.

Source: https://docs.cdp.coinbase.com/api-reference/exchange-api/rest-api
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

from bot_v2.features.brokerages.core.decimals import EXACT, rescale
from bot_v2.features.brokerages.core.orderbook import PriceLevel
from bot_v2.venues.account import VenueAccount
from bot_v2.venues.coinbase.candles import CandleMaker, MadeCandle
from bot_v2.venues.coinbase.exchange_dialect import refused
from bot_v2.venues.coinbase.exchange_paging import page_of
from bot_v2.venues.coinbase.listings import FIAT, NAMES, Listing
from bot_v2.venues.coinbase.sequences import Sequences
from bot_v2.venues.coinbase.texts import moment_from_text, moment_text, padded, plain
from bot_v2.venues.ids import seeded_uuid
from bot_v2.venues.requests import ApiAnswer, ApiRequest, Record
from bot_v2.venues.state import VenueState

ZERO: Final = Decimal(0)
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
DAY: Final = timedelta(days=1)
HOUR: Final = timedelta(hours=1)
SECOND: Final = timedelta(seconds=1)
GRANULARITIES: Final = (60, 300, 900, 3600, 21600, 86400)
"""The lengths of candles, in seconds (the page of Get product candles)."""

CANDLES_MAX: Final = 300
INSTANT: Final = timedelta(microseconds=1)
LEVEL2_MAX: Final = 50


class ExchangeMarket:
    """The endpoints that are not of orders.

    Args:
        state: the venue.
        account: the account that trades.
        listings: what can be traded, by product id.
        candles: makes candles.
        profile_id: the profile that owns everything.
        user_id: whose it is.
        seed: what ids are drawn from.
        opened_at: when the account was opened.
        page_max: how many items a page has at most.
        sequences: numbers what is said of products.
    """

    def __init__(
        self,
        state: VenueState,
        account: VenueAccount,
        listings: Mapping[str, Listing],
        candles: CandleMaker,
        profile_id: str,
        user_id: str,
        seed: int,
        opened_at: datetime,
        page_max: int,
        sequences: Sequences,
    ) -> None:
        """Answer for one profile."""
        self._state = state
        self._account = account
        self._listings = listings
        self._candles = candles
        self._profile_id = profile_id
        self._user_id = user_id
        self._seed = seed
        self._opened_at = opened_at
        self._page_max = page_max
        self._sequences = sequences

    # The market

    def time(self, _: ApiRequest) -> Record:
        """Say the time."""
        now = self._state.clock() + self._state.skew
        milliseconds = (now - EPOCH) // timedelta(milliseconds=1)
        return {
            "iso": f"{now:%Y-%m-%dT%H:%M:%S}.{milliseconds % 1000:03d}Z",
            "epoch": rescale(Decimal(milliseconds), -3),
        }

    def currencies(self, _: ApiRequest) -> list[Record]:
        """Say the currencies and coins."""
        return self.all_currencies()

    def all_currencies(self) -> list[Record]:
        """Say the currencies and coins, to whoever listens."""
        return [
            {
                "id": one,
                "name": NAMES.get(one, one),
                "min_size": "0.01" if one in FIAT else "0.00000001",
                "status": "online",
                "message": "",
                "max_precision": "0.01" if one in FIAT else "0.00000001",
                "convertible_to": [],
                "details": {"type": "fiat" if one in FIAT else "crypto"},
                "supported_networks": [],
            }
            for one in self._currencies()
        ]

    def products(self, _: ApiRequest) -> list[Record]:
        """Say what can be traded."""
        return self.all_products()

    def all_products(self) -> list[Record]:
        """Say what can be traded, to whoever listens."""
        return [self._product(one) for one in self._listings.values()]

    def product(self, request: ApiRequest) -> Record:
        """Say what one product is."""
        return self._product(self._listing(request))

    def _product(self, listing: Listing) -> Record:
        product = listing.product
        halted = self._account.engine.get_market_status(product.symbol).halted
        return {
            "id": listing.product_id,
            "base_currency": listing.base,
            "quote_currency": listing.quote,
            "base_min_size": plain(product.min_order_size or ZERO),
            "base_max_size": plain(product.max_order_size or ZERO),
            "quote_increment": plain(product.price_increment or ZERO),
            "base_increment": plain(product.size_increment or ZERO),
            "display_name": f"{listing.base}/{listing.quote}",
            "min_market_funds": plain(product.min_notional or ZERO),
            "max_market_funds": plain(listing.quote_max),
            "margin_enabled": False,
            "fx_stablecoin": False,
            "max_slippage_percentage": "0.02000000",
            "post_only": False,
            "limit_only": False,
            "cancel_only": False,
            "trading_disabled": halted,
            "status": "online",
            "status_message": "",
            "auction_mode": False,
        }

    def book(self, request: ApiRequest) -> Record:
        """Say the book: level 1 the best, 2 all prices, 3 single orders (one at each price)."""
        listing = self._listing(request)
        level = request.value("level") or "1"
        if level not in ("1", "2", "3"):
            raise refused(400, "Invalid level")
        book = self._state.book(listing.product.symbol)
        most = 1 if level == "1" else LEVEL2_MAX

        def told(levels: tuple[PriceLevel, ...]) -> list[list[object]]:
            return [self._level(listing, one, level) for one in levels[:most]]

        moment = book.timestamp or self._state.clock()
        return {
            "sequence": self._sequences.last(listing.product_id),
            "bids": told(book.bids),
            "asks": told(book.asks),
            "auction_mode": False,
            "auction": None,
            "time": moment_text(moment, self._state.skew),
        }

    def _level(self, listing: Listing, level: PriceLevel, depth: str) -> list[object]:
        name = seeded_uuid(self._seed, "resting", listing.product_id, level.price)
        last: object = name if depth == "3" else 1
        return [plain(level.price), plain(level.size), last]

    def ticker(self, request: ApiRequest) -> Record:
        """Say the latest trade and the best prices."""
        listing = self._listing(request)
        symbol = listing.product.symbol
        last, quote = self._state.tape.last(symbol), self._state.quote(symbol)
        volume = self._state.tape.volume(symbol, self._state.clock() - DAY)
        return {
            "trade_id": int(last.trade_id or 0),
            "price": plain(last.price),
            "size": plain(last.size),
            "time": moment_text(last.timestamp, self._state.skew),
            "bid": plain(quote.bid or ZERO),
            "ask": plain(quote.ask or ZERO),
            "volume": plain(volume),
        }

    def stats(self, request: ApiRequest) -> Record:
        """Say the highest, the lowest and the volume of a day, of the trades that there were."""
        symbol = self._listing(request).product.symbol
        trades = self._state.tape.since(symbol, self._state.clock() - DAY)
        last = self._state.tape.last(symbol)
        prices = [one.price for one in trades] or [last.price]
        volume = plain(self._state.tape.volume(symbol, self._state.clock() - DAY))
        return {
            "open": plain(prices[-1]),
            "high": plain(max(prices)),
            "low": plain(min(prices)),
            "last": plain(last.price),
            "volume": volume,
            "volume_30day": volume,
        }

    def trades(self, request: ApiRequest) -> ApiAnswer:
        """Say the latest trades, newest first; `side` is the maker's."""
        listing = self._listing(request)
        trades = self._state.tape.trades(listing.product.symbol)
        page, headers = page_of(
            trades, lambda trade: int(trade.trade_id or 0), request, self._page_max
        )
        told: list[Record] = [
            {
                "trade_id": int(one.trade_id or 0),
                "side": "sell" if one.side is not None and one.side.value == "buy" else "buy",
                "size": padded(one.size, 8),
                "price": padded(one.price, 8),
                "time": moment_text(one.timestamp, self._state.skew),
            }
            for one in page
        ]
        return ApiAnswer(200, told, headers)

    def candles(self, request: ApiRequest) -> list[list[Decimal | int]]:
        """Say candles as time, low, high, open, close and volume, newest first, as numbers."""
        listing = self._listing(request)
        text = request.value("granularity") or "60"
        if text not in {str(one) for one in GRANULARITIES}:
            raise refused(400, "Unsupported granularity")
        length = timedelta(seconds=int(text))
        now = self._state.clock()
        end = _moment(request.value("end")) or now
        start = _moment(request.value("start")) or end - CANDLES_MAX * length + INSTANT
        if (end - start) // length > CANDLES_MAX:
            raise refused(
                400,
                "granularity too small for the requested time range. "
                f"Count of aggregations requested exceeds {CANDLES_MAX}",
            )
        made = self._candles.between(listing, start, end, length, now)
        return [_candle(one) for one in reversed(made)]

    def spark_lines(self, _: ApiRequest) -> dict[str, list[list[Decimal | int]]]:
        """Say the candles of the last day of every product, an hour each, without volumes."""
        now = self._state.clock()
        return {
            listing.product_id: [
                _candle(one)[:-1]
                for one in reversed(self._candles.between(listing, now - DAY, now, HOUR, now))
            ]
            for listing in self._listings.values()
        }

    # The account

    def accounts(self, _: ApiRequest) -> list[Record]:
        """Say what is held of each currency and coin."""
        return [self._held(one) for one in self._currencies()]

    def account(self, request: ApiRequest) -> Record:
        """Say what is held of one."""
        for one in self._currencies():
            if self._account_id(one) == request.arguments["account_id"]:
                return self._held(one)
        raise refused(404, "NotFound")

    def _held(self, currency: str) -> Record:
        balance = self._account.balance(currency)
        hold = balance.hold or ZERO
        return {
            "id": self._account_id(currency),
            "currency": currency,
            "balance": padded(balance.total, 16),
            "available": plain(EXACT.subtract(balance.total, hold)),
            "hold": padded(hold, 16),
            "profile_id": self._profile_id,
            "trading_enabled": True,
        }

    def profiles(self, _: ApiRequest) -> list[Record]:
        """Say the profiles: there is one."""
        return [
            {
                "id": self._profile_id,
                "user_id": self._user_id,
                "name": "default",
                "active": True,
                "is_default": True,
                "has_margin": False,
                "created_at": moment_text(self._opened_at, self._state.skew),
            }
        ]

    def fees(self, _: ApiRequest) -> Record:
        """Say what trading costs."""
        symbol = next(iter(self._listings.values())).product.symbol
        rates = self._account.engine.get_fees(symbol)
        volume = ZERO
        for fill in self._account.fills():
            volume = EXACT.add(volume, EXACT.multiply(fill.price, fill.quantity))
        return {
            "maker_fee_rate": padded(rates.maker or ZERO, 4),
            "taker_fee_rate": padded(rates.taker or ZERO, 4),
            "usd_volume": plain(volume),
        }

    def _account_id(self, currency: str) -> str:
        return seeded_uuid(self._seed, "exchange account", currency)

    def _currencies(self) -> list[str]:
        quotes = (one.quote for one in self._listings.values())
        bases = (one.base for one in self._listings.values())
        return list(dict.fromkeys([*quotes, *bases]))

    def _listing(self, request: ApiRequest) -> Listing:
        product_id = request.arguments["product_id"]
        if product_id not in self._listings:
            raise refused(404, "NotFound")
        return self._listings[product_id]


def _candle(one: MadeCandle) -> list[Decimal | int]:
    figures = (one.low, one.high, one.open, one.close, one.volume)
    return [(one.start - EPOCH) // SECOND, *(Decimal(plain(value)) for value in figures)]


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    if text.isascii() and text.isdigit():
        return datetime.fromtimestamp(int(text), UTC)
    return moment_from_text(text if text[-1:].isalpha() or "+" in text else f"{text}Z")
