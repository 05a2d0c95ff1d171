"""The market data API's words and ours. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from bot_v2.features.brokerages.alpaca import market_wire, wire
from bot_v2.features.brokerages.alpaca.decoding import (
    ZERO,
    MalformedError,
    in_utc,
    positive_or_none,
)
from bot_v2.features.brokerages.alpaca.mapping import product_from_contract
from bot_v2.features.brokerages.core.decimals import EXACT
from bot_v2.features.brokerages.core.market_data import Candle, Quote, Trade
from bot_v2.features.brokerages.core.option_chains import OptionContract
from bot_v2.features.brokerages.core.order_terms import OrderSide
from bot_v2.features.brokerages.core.orderbook import Orderbook, PriceLevel

HALF: Final = Decimal("0.5")

TAKERS: Final = {"B": OrderSide.BUY, "S": OrderSide.SELL}

MINUTES_MAX: Final = 59
HOURS_MAX: Final = 23
_MINUTE: Final = timedelta(minutes=1)
_HOUR: Final = timedelta(hours=1)
_DAYS: Final = {timedelta(days=1): "1Day", timedelta(weeks=1): "1Week"}

INTERVALS_ACCEPTED: Final = "1 to 59 minutes, 1 to 23 hours, a day, or a week"


def timeframe_of(interval: timedelta) -> str | None:
    """Return the broker's word for an interval. None: there are no candles of it."""
    if interval in _DAYS:
        return _DAYS[interval]
    for unit, most, word in ((_HOUR, HOURS_MAX, "Hour"), (_MINUTE, MINUTES_MAX, "Min")):
        amount, rest = divmod(interval, unit)
        if not rest and 1 <= amount <= most:
            return f"{amount}{word}"
    return None


def last_of(native: market_wire.Snapshot) -> Decimal | None:
    """Return the latest trade's price. None: none is told."""
    trade = native.latest_trade
    return None if trade is None else positive_or_none(trade.p)


def mid_of(native: market_wire.Snapshot) -> Decimal | None:
    """Return the middle of the best prices. None: a side is missing."""
    quote = native.latest_quote
    bid = positive_or_none(quote.bp) if quote else None
    ask = positive_or_none(quote.ap) if quote else None
    if bid is None or ask is None:
        return None
    return EXACT.multiply(EXACT.add(bid, ask), HALF)


def quote_from_native(
    native: market_wire.Snapshot, symbol: str, *, is_delayed: bool
) -> Quote | None:
    """Return the best prices with the latest trade. None: neither is told."""
    quote, trade = native.latest_quote, native.latest_trade
    if quote is None:
        if trade is None:
            return None
        when = in_utc(trade.t)
        return Quote(symbol=symbol, timestamp=when, last=last_of(native), delayed=is_delayed)
    return best_from_native(quote, symbol, last=last_of(native), is_delayed=is_delayed)


def best_from_native(
    native: market_wire.Quote, symbol: str, *, last: Decimal | None = None, is_delayed: bool
) -> Quote:
    """Return the best prices alone."""
    bid, ask = positive_or_none(native.bp), positive_or_none(native.ap)
    return Quote(
        symbol=symbol,
        timestamp=in_utc(native.t),
        bid=bid,
        ask=ask,
        bid_size=None if bid is None else native.bs,
        ask_size=None if ask is None else native.as_,
        last=last,
        delayed=is_delayed,
    )


def top_from_native(native: market_wire.Quote, symbol: str) -> Orderbook:
    """Return the book of the best prices; a price without a size is no level of a book."""
    return Orderbook(
        symbol=symbol,
        bids=_level(native.bp, native.bs),
        asks=_level(native.ap, native.as_),
        timestamp=in_utc(native.t),
    )


def _level(price: Decimal | None, size: Decimal | None) -> tuple[PriceLevel, ...]:
    told, offered = positive_or_none(price), positive_or_none(size)
    return () if told is None or offered is None else (PriceLevel(told, offered),)


def book_from_native(native: market_wire.Book, symbol: str, depth: int | None) -> Orderbook:
    """Return a book of crypto.

    Args:
        native: what was read.
        symbol: whose it is.
        depth: how many prices of each side. None: all.
    """
    bids = [PriceLevel(one.p, one.s) for one in native.b or () if one.s != ZERO]
    asks = [PriceLevel(one.p, one.s) for one in native.a or () if one.s != ZERO]
    bids.sort(key=lambda one: one.price, reverse=True)
    asks.sort(key=lambda one: one.price)
    return Orderbook(
        symbol=symbol,
        bids=tuple(bids[:depth]),
        asks=tuple(asks[:depth]),
        timestamp=in_utc(native.t),
    )


def trade_from_native(native: market_wire.Trade, symbol: str) -> Trade | None:
    """Return a trade of the market. None: nothing changed hands.

    Raises:
        MalformedError: it tells no size.
    """
    if native.s is None:
        raise MalformedError("a trade without a size")
    if native.s == ZERO:
        return None
    return Trade(
        symbol=symbol,
        price=native.p,
        size=native.s,
        timestamp=in_utc(native.t),
        trade_id=None if native.i is None else str(native.i),
        side=TAKERS.get(native.tks),
    )


def candle_from_native(
    native: market_wire.Bar, symbol: str, interval: timedelta, now: datetime
) -> Candle:
    """Return a candle; it is complete once its interval has passed."""
    opened = in_utc(native.t)
    return Candle(
        symbol=symbol,
        open_time=opened,
        interval=interval,
        open=native.o,
        high=native.h,
        low=native.l,
        close=native.c,
        volume=native.v,
        complete=opened + interval <= now,
    )


_NO_SNAPSHOT: Final = market_wire.Snapshot()
_NO_GREEKS: Final = market_wire.Greeks()


def option_from_native(
    contract: wire.Contract, snapshot: market_wire.Snapshot | None
) -> OptionContract:
    """Return a contract of a chain, with what the market says of it."""
    told = snapshot or _NO_SNAPSHOT
    quote, greeks = told.latest_quote, told.greeks or _NO_GREEKS
    return OptionContract(
        product=product_from_contract(contract),
        bid=positive_or_none(quote.bp) if quote else None,
        ask=positive_or_none(quote.ap) if quote else None,
        last=last_of(told),
        open_interest=contract.open_interest,
        implied_volatility=told.implied_volatility,
        delta=greeks.delta,
        gamma=greeks.gamma,
        theta=greeks.theta,
        vega=greeks.vega,
    )
