"""Products, prices, books, trades and candles of Advanced Trade; all of them are also public.

Source: https://docs.cdp.coinbase.com/api-reference/advanced-trade-api/rest-api/products
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Final

from bot_v2.features.brokerages.core.decimals import EXACT, Rounding, divide
from bot_v2.features.brokerages.core.errors import MarketDataUnavailableError
from bot_v2.features.brokerages.core.market_data import Trade
from bot_v2.features.brokerages.core.orderbook import Orderbook, PriceLevel
from bot_v2.venues.coinbase.candles import CandleMaker, MadeCandle
from bot_v2.venues.coinbase.listings import CFM, INTX, NAMES, SPOT, Listing
from bot_v2.venues.coinbase.order_records import EXPIRY_TYPES, PRODUCT_TYPES, RISK_MANAGERS
from bot_v2.venues.coinbase.refusals import PRODUCT_NOT_FOUND, invalid, not_found
from bot_v2.venues.coinbase.texts import moment_text, plain
from bot_v2.venues.requests import ApiRequest, Record
from bot_v2.venues.state import VenueState

HUNDRED: Final = Decimal(100)
ZERO: Final = Decimal(0)
DAY: Final = timedelta(days=1)
BOOK_LEVELS: Final = 50
TRADES: Final = 100
CANDLES_MAX: Final = 350
"""How many candles one request gives at most (the page of Get Product Candles)."""

VENUES: Final = {SPOT: "CBE", INTX: "INTX", CFM: "FCM"}
GRANULARITIES: Final = {
    "ONE_MINUTE": 60,
    "FIVE_MINUTE": 300,
    "FIFTEEN_MINUTE": 900,
    "THIRTY_MINUTE": 1800,
    "ONE_HOUR": 3600,
    "TWO_HOUR": 7200,
    "FOUR_HOUR": 14400,
    "SIX_HOUR": 21600,
    "ONE_DAY": 86400,
}
"""The lengths of candles, in seconds."""


class MarketApi:
    """The endpoints of products and prices.

    Args:
        state: the venue.
        listings: what can be traded, by Coinbase's id.
        candles: makes candles.
    """

    def __init__(
        self, state: VenueState, listings: Mapping[str, Listing], candles: CandleMaker
    ) -> None:
        """Answer for one venue."""
        self._state = state
        self._listings = listings
        self._candles = candles

    def time(self, _: ApiRequest) -> Record:
        """Say the time."""
        now = self._state.clock() + self._state.skew
        milliseconds = (now - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
        return {
            "iso": f"{now:%Y-%m-%dT%H:%M:%SZ}",
            "epochSeconds": str(milliseconds // 1000),
            "epochMillis": str(milliseconds),
        }

    def products(self, request: ApiRequest) -> Record:
        """Say what can be traded."""
        ids, kind = set(request.values("product_ids")), request.value("product_type")
        expiry = request.value("contract_expiry_type")
        found = [
            one
            for one in self._listings.values()
            if (not ids or one.product_id in ids)
            and kind in (None, "UNKNOWN_PRODUCT_TYPE", PRODUCT_TYPES[one.account])
            and expiry in (None, EXPIRY_TYPES[SPOT], EXPIRY_TYPES[one.account])
        ]
        start, end = _slice(request, len(found))
        return {
            "products": [self.record(one) for one in found[start:end]],
            "num_products": len(found[start:end]),
        }

    def product(self, request: ApiRequest) -> Record:
        """Say what one product is."""
        return self.record(self.listing(request.arguments["product_id"]))

    def best_bid_ask(self, request: ApiRequest) -> Record:
        """Say the best prices."""
        wanted = request.values("product_ids") or list(self._listings)
        listings = [self.listing(product_id) for product_id in wanted]
        return {"pricebooks": [self._pricebook(one, 1) for one in listings]}

    def book(self, request: ApiRequest) -> Record:
        """Say the book, as deep as asked."""
        listing = self.listing(request.value("product_id") or "")
        limit = _count(request, "limit", BOOK_LEVELS)
        pricebook = self._pricebook(listing, limit, request.value("aggregation_price_increment"))
        book = self._book(listing)
        facts: Record = {"last": plain(self._state.tape.last(listing.product.symbol).price)}
        if book.bids and book.asks:
            bid, ask = book.bids[0].price, book.asks[0].price
            mid = EXACT.divide(EXACT.add(bid, ask), Decimal(2))
            spread = EXACT.subtract(ask, bid)
            bps = divide(EXACT.multiply(spread, Decimal(10_000)), mid, 4, Rounding.HALF_EVEN)
            facts["mid_market"] = plain(mid)
            facts["spread_bps"] = plain(bps)
            facts["spread_absolute"] = plain(spread)
        return {"pricebook": pricebook, **facts}

    def trades(self, request: ApiRequest) -> Record:
        """Say the latest trades, newest first, and the best prices."""
        listing = self.listing(request.arguments["product_id"])
        symbol = listing.product.symbol
        trades = self._state.tape.trades(symbol)
        start, end = _seconds(request, "start"), _seconds(request, "end")
        skew = self._state.skew
        told = [
            one
            for one in trades
            if (start is None or one.timestamp + skew >= start)
            and (end is None or one.timestamp + skew <= end)
        ]
        book = self._book(listing)
        return {
            "trades": [
                self.trade(listing, one) for one in told[: _count(request, "limit", TRADES)]
            ],
            "best_bid": plain(book.bids[0].price) if book.bids else "",
            "best_ask": plain(book.asks[0].price) if book.asks else "",
        }

    def candles(self, request: ApiRequest) -> Record:
        """Say the candles that open in a span, newest first."""
        listing = self.listing(request.arguments["product_id"])
        granularity = request.value("granularity") or ""
        if granularity not in GRANULARITIES:
            raise invalid(f"invalid granularity {granularity}")
        start, end = _seconds(request, "start"), _seconds(request, "end")
        if start is None or end is None:
            raise invalid("start and end are required")
        length = timedelta(seconds=GRANULARITIES[granularity])
        if (end - start) // length > CANDLES_MAX:
            raise invalid(f"number of candles requested should be less than {CANDLES_MAX}")
        made = self._candles.between(listing, start, end, length, self._state.clock())
        limit = _count(request, "limit", CANDLES_MAX)
        return {"candles": [_candle(one) for one in reversed(made)][:limit]}

    # What other parts say, too

    def listing(self, product_id: str) -> Listing:
        """Return a product.

        Raises:
            RefusedError: there is none of that id.
        """
        if product_id not in self._listings:
            raise not_found(PRODUCT_NOT_FOUND)
        return self._listings[product_id]

    def trade(self, listing: Listing, trade: Trade) -> Record:
        """Say one trade."""
        return {
            "trade_id": trade.trade_id,
            "product_id": listing.product_id,
            "price": plain(trade.price),
            "size": plain(trade.size),
            "time": moment_text(trade.timestamp, self._state.skew),
            "side": "BUY" if trade.side is None else trade.side.name,
            "bid": "",
            "ask": "",
            "exchange": "coinbase",
        }

    def record(self, listing: Listing) -> Record:
        """Say what a product is."""
        product, state = listing.product, self._state
        symbol = product.symbol
        last = state.tape.last(symbol).price
        now = state.clock()
        volume = state.tape.volume(symbol, now - DAY)
        change = self._candles.change(listing, now, last)
        halted = state.account_of(symbol).engine.get_market_status(symbol).halted
        base = "" if listing.is_contract else listing.base
        book = self._book(listing)
        mid = ""
        if book.bids and book.asks:
            total = EXACT.add(book.bids[0].price, book.asks[0].price)
            mid = plain(EXACT.divide(total, Decimal(2)))
        said: Record = {
            "product_id": listing.product_id,
            "price": plain(last),
            "price_percentage_change_24h": plain(change),
            "volume_24h": plain(volume),
            "volume_percentage_change_24h": "0",
            "base_increment": plain(product.size_increment or ZERO),
            "quote_increment": plain(product.price_increment or ZERO),
            "quote_min_size": plain(product.min_notional or ZERO),
            "quote_max_size": plain(listing.quote_max),
            "base_min_size": plain(product.min_order_size or ZERO),
            "base_max_size": plain(product.max_order_size or ZERO),
            "base_name": "" if listing.is_contract else NAMES.get(listing.base, listing.base),
            "quote_name": NAMES.get(listing.quote, listing.quote),
            "watched": False,
            "is_disabled": False,
            "new": False,
            "status": "" if listing.is_contract else "online",
            "cancel_only": False,
            "limit_only": False,
            "post_only": False,
            "trading_disabled": halted,
            "auction_mode": False,
            "product_type": PRODUCT_TYPES[listing.account],
            "quote_currency_id": listing.quote,
            "base_currency_id": base,
            "fcm_trading_session_details": _session(listing, now),
            "mid_market_price": mid,
            "alias": "",
            "alias_to": [],
            "base_display_symbol": base,
            "quote_display_symbol": listing.quote,
            "view_only": False,
            "price_increment": plain(product.price_increment or ZERO),
            "display_name": _display_name(listing),
            "product_venue": VENUES[listing.account],
            "approximate_quote_24h_volume": plain(EXACT.multiply(volume, last)),
        }
        if listing.is_contract:
            said["future_product_details"] = _contract(listing)
        return said

    def _book(self, listing: Listing) -> Orderbook:
        try:
            return self._state.book(listing.product.symbol)
        except MarketDataUnavailableError:
            return Orderbook(
                symbol=listing.product.symbol, bids=(), asks=(), timestamp=self._state.clock()
            )

    def _pricebook(self, listing: Listing, limit: int, step: str | None = None) -> Record:
        book = self._book(listing)
        moment = book.timestamp or self._state.clock()
        return {
            "product_id": listing.product_id,
            "bids": [_level(one) for one in _grouped(book.bids, step, up=False)[:limit]],
            "asks": [_level(one) for one in _grouped(book.asks, step, up=True)[:limit]],
            "time": moment_text(moment, self._state.skew),
        }


def _grouped(levels: Sequence[PriceLevel], step: str | None, *, up: bool) -> list[PriceLevel]:
    if step is None:
        return list(levels)
    try:
        size = Decimal(step)
    except ArithmeticError as error:
        raise invalid(f"invalid aggregation_price_increment {step}") from error
    if not size.is_finite() or size <= 0:
        raise invalid(f"invalid aggregation_price_increment {step}")
    totals: dict[Decimal, Decimal] = {}
    for level in levels:
        whole = EXACT.divide_int(level.price, size)
        if up and EXACT.remainder(level.price, size):
            whole += 1
        price = EXACT.multiply(whole, size)
        totals[price] = EXACT.add(totals.get(price, ZERO), level.size)
    return [PriceLevel(price, total) for price, total in totals.items()]


def _level(level: PriceLevel) -> Record:
    return {"price": plain(level.price), "size": plain(level.size)}


def _candle(candle: MadeCandle) -> Record:
    start = (candle.start - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1)
    return {
        "start": str(start),
        "low": plain(candle.low),
        "high": plain(candle.high),
        "open": plain(candle.open),
        "close": plain(candle.close),
        "volume": plain(candle.volume),
    }


def _seconds(request: ApiRequest, name: str) -> datetime | None:
    text = request.value(name)
    if text is None:
        return None
    whole = text.partition(".")[0]
    if not whole.isascii() or not whole.isdigit() or len(whole) > 11:
        raise invalid(f"invalid {name} {text}: Unix seconds are needed")
    return datetime.fromtimestamp(int(whole), UTC)


def _count(request: ApiRequest, name: str, default: int) -> int:
    text = request.value(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdigit():
        raise invalid(f"invalid {name} {text}")
    return int(text) or default


def _slice(request: ApiRequest, size: int) -> tuple[int, int]:
    start = _count(request, "offset", 0)
    return start, start + _count(request, "limit", size)


def _session(listing: Listing, now: datetime) -> Record | None:
    if listing.account != CFM:
        return None
    opened = datetime.combine(now.date(), time(0), tzinfo=UTC)
    return {
        "is_session_open": True,
        "open_time": f"{opened:%Y-%m-%dT%H:%M:%SZ}",
        "close_time": f"{opened + DAY:%Y-%m-%dT%H:%M:%SZ}",
        "session_state": "FCM_TRADING_SESSION_STATE_OPEN",
    }


def _display_name(listing: Listing) -> str:
    if listing.account == INTX:
        return f"{listing.base} PERP"
    expiry = listing.product.expiry
    if expiry is not None:
        return f"{listing.product.underlying} {expiry:%d %b %y}".upper()
    return listing.product_id


def _contract(listing: Listing) -> Record:
    expiry, is_perpetual = listing.product.expiry, listing.account == INTX
    root = listing.product.underlying or listing.base
    details: Record = {
        "venue": "" if is_perpetual else "cde",
        "contract_code": listing.base,
        "contract_expiry": None if expiry is None else f"{expiry:%Y-%m-%d}T16:00:00Z",
        "contract_size": plain(listing.product.multiplier),
        "contract_root_unit": root,
        "group_description": "" if is_perpetual else f"Nano {NAMES.get(root, root)} Futures",
        "contract_expiry_timezone": "" if is_perpetual else "Europe/London",
        "group_short_description": "" if is_perpetual else f"Nano {root}",
        "risk_managed_by": RISK_MANAGERS[listing.account],
        "contract_expiry_type": EXPIRY_TYPES[listing.account],
        "contract_display_name": f"{root} PERPETUAL" if is_perpetual else _display_name(listing),
    }
    if is_perpetual:
        details["perpetual_details"] = {
            "open_interest": "0",
            "funding_rate": "0",
            "funding_time": None,
            "max_leverage": "10",
        }
    return details
