"""TWS's prices, books, bars and hours as ours. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

import attrs

from bot_v2.features.brokerages.core.decimals import EXACT
from bot_v2.features.brokerages.core.market_data import Candle, MarketStatus, Quote
from bot_v2.features.brokerages.core.orderbook import Orderbook, PriceLevel
from bot_v2.features.brokerages.ibkr.moments import day_from_native, moment_from_native, zone_of
from bot_v2.features.brokerages.ibkr.wire import (
    BarRow,
    DetailsRow,
    Fields,
    MalformedError,
    number,
    whole,
)

ZERO: Final = Decimal(0)
HALF: Final = Decimal("0.5")

NO_PRICE: Final = Decimal(-1)
"""What stands for no price where the size is none, either."""

PRICES: Final = {"1": "bid", "2": "ask", "4": "last", "66": "bid", "67": "ask", "68": "last"}
SIZES: Final = {"0": "bid", "3": "ask", "69": "bid", "70": "ask"}
DELAYED: Final = frozenset({"66", "67", "68", "69", "70"})
DELAYED_TIME: Final = "88"
"""The tick that tells when the latest trade was, of delayed data."""

CLOSED: Final = "CLOSED"
DAY: Final = timedelta(days=1)
NEXT_DOOR: Final = timedelta(minutes=1)
"""How little may lie between two sessions that are one: a day is told as ending at 23:59."""

INTERVALS: Final = {
    # how long a candle is: what TWS calls it, how much one request asks for
    timedelta(seconds=5): ("5 secs", timedelta(hours=1)),
    timedelta(seconds=10): ("10 secs", timedelta(hours=2)),
    timedelta(seconds=15): ("15 secs", timedelta(hours=4)),
    timedelta(seconds=30): ("30 secs", timedelta(hours=8)),
    timedelta(minutes=1): ("1 min", timedelta(days=1)),
    timedelta(minutes=2): ("2 mins", timedelta(days=2)),
    timedelta(minutes=3): ("3 mins", timedelta(days=3)),
    timedelta(minutes=5): ("5 mins", timedelta(days=5)),
    timedelta(minutes=10): ("10 mins", timedelta(days=7)),
    timedelta(minutes=15): ("15 mins", timedelta(days=7)),
    timedelta(minutes=20): ("20 mins", timedelta(days=7)),
    timedelta(minutes=30): ("30 mins", timedelta(days=28)),
    timedelta(hours=1): ("1 hour", timedelta(days=28)),
    timedelta(hours=4): ("4 hours", timedelta(days=28)),
    timedelta(days=1): ("1 day", timedelta(days=364)),
}

PACED: Final = timedelta(seconds=30)
"""Candles as long as this, or shorter, may be asked for 60 times in ten minutes."""


@attrs.define
class Ticker:
    """The best prices of a contract as they come, tick by tick."""

    prices: dict[str, Decimal | None] = attrs.field(factory=dict)
    """Bid, ask and last."""
    sizes: dict[str, Decimal] = attrs.field(factory=dict)
    """What is sought and offered."""
    delayed: bool = False
    """Whether the source delays them."""
    delayed_at: datetime | None = None
    """When the latest trade of a delayed source was. None: not told."""
    changes: int = 0
    """How often it changed."""

    @property
    def is_whole(self) -> bool:
        """Whether bid, ask and last were all told, be it that there is none."""
        return {"bid", "ask", "last"} <= self.prices.keys()

    @property
    def has_any(self) -> bool:
        """Whether there is any price."""
        return any(price is not None for price in self.prices.values())

    def take_price(self, fields: Fields) -> None:
        """Take in a price with its size; a message that is another one changes nothing."""
        _, _, _, kind, price, size, *_ = fields
        name = PRICES.get(kind)
        if name is None:
            return
        amount, told = number(size or "0"), number(price)
        self.delayed = self.delayed or kind in DELAYED
        self.prices[name] = None if told == NO_PRICE and not amount else told
        if name != "last":
            self.sizes[name] = amount
        self.changes += 1

    def take_size(self, fields: Fields) -> None:
        """Take in a size without a price."""
        name = SIZES.get(fields[3])
        if name is not None:
            self.sizes[name] = number(fields[4])
            self.changes += 1

    def take_text(self, fields: Fields) -> None:
        """Take in when the latest trade was, of a delayed source."""
        if fields[3] == DELAYED_TIME:
            self.delayed_at = datetime.fromtimestamp(whole(fields[4]), UTC)

    def quote(self, symbol: str, now: datetime) -> Quote:
        """Return the best prices as of now, of a delayed source as of its latest trade."""
        bid, ask = self.prices.get("bid"), self.prices.get("ask")
        return Quote(
            symbol=symbol,
            timestamp=(self.delayed_at or now) if self.delayed else now,
            bid=bid,
            ask=ask,
            bid_size=self.sizes.get("bid") if bid is not None else None,
            ask_size=self.sizes.get("ask") if ask is not None else None,
            last=self.prices.get("last"),
            delayed=self.delayed,
        )


@attrs.define
class Depth:
    """A book as it comes, row by row."""

    rows: dict[str, list[tuple[Decimal, Decimal]]] = attrs.field(
        factory=lambda: {ASK_SIDE: [], BID_SIDE: []}
    )
    """The rows of each side, the best first."""

    def take(self, fields: Fields, *, has_maker: bool) -> None:
        """Take in a change of one row.

        Raises:
            MalformedError: it is of a row that there is not.
        """
        place, operation, side, price, size = fields[3], *fields[4 + has_maker : 8 + has_maker]
        rows = self.rows.get(side)
        at = whole(place)
        if rows is None or at > len(rows):
            raise MalformedError(f"a row {place} of side {side} in a book")
        if operation == _INSERT:
            rows.insert(at, (number(price), number(size)))
        elif at < len(rows) and operation == _UPDATE:
            rows[at] = (number(price), number(size))
        elif at < len(rows):
            del rows[at]

    def book(self, symbol: str) -> Orderbook:
        """Return the book, with what several venues have at one price added up."""
        return Orderbook(
            symbol=symbol,
            bids=_levels(self.rows[BID_SIDE], is_bid=True),
            asks=_levels(self.rows[ASK_SIDE], is_bid=False),
        )


ASK_SIDE: Final = "0"
BID_SIDE: Final = "1"
_INSERT: Final = "0"
_UPDATE: Final = "1"


def _levels(rows: Iterable[tuple[Decimal, Decimal]], *, is_bid: bool) -> tuple[PriceLevel, ...]:
    sizes: dict[Decimal, Decimal] = {}
    for price, size in rows:
        sizes[price] = EXACT.add(sizes.get(price, ZERO), size)
    ordered = sorted(sizes.items(), reverse=is_bid)
    return tuple(PriceLevel(price, size) for price, size in ordered if size > 0)


def book_of_quote(quote: Quote) -> Orderbook:
    """Return the book of the best prices alone."""
    sides: Mapping[str, tuple[Decimal | None, Decimal | None]] = {
        "bids": (quote.bid, quote.bid_size),
        "asks": (quote.ask, quote.ask_size),
    }
    levels = {
        name: (PriceLevel(price, size),) if price is not None and size else ()
        for name, (price, size) in sides.items()
    }
    return Orderbook(symbol=quote.symbol, bids=levels["bids"], asks=levels["asks"])


def price_of(quote: Quote) -> Decimal | None:
    """Return the latest trade's price, else the mid. None: there is neither."""
    if quote.last is not None:
        return quote.last
    if quote.bid is None or quote.ask is None:
        return None
    return EXACT.multiply(EXACT.add(quote.bid, quote.ask), HALF)


def candle_from_native(row: BarRow, symbol: str, interval: timedelta, now: datetime) -> Candle:
    """Return a candle.

    Args:
        row: the bar, its time in seconds since 1970, or as a day.
        symbol: the product.
        interval: how long it is.
        now: the present moment.
    """
    opened = _opened(row.date)
    volume = number(row.volume)
    return Candle(
        symbol=symbol,
        open_time=opened,
        interval=interval,
        open=number(row.open),
        high=number(row.high),
        low=number(row.low),
        close=number(row.close),
        volume=volume if volume >= 0 else None,
        complete=opened + interval <= now,
    )


def _opened(text: str) -> datetime:
    day = day_from_native(text)
    if day is None:
        return datetime.fromtimestamp(whole(text), UTC)
    # A bar of a day is named by the day of its session, which is told without a time.
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def duration_to_native(span: timedelta) -> str:
    """Return how much is asked for, rounded up to what TWS has words for."""
    if span <= DAY:
        return f"{max(30, -(-span // timedelta(seconds=1)))} S"
    return f"{-(-span // DAY)} D"


def market_status(details: DetailsRow, symbol: str, now: datetime) -> MarketStatus:
    """Return whether a product's regular session is on, and when that next changes."""
    sessions = _sessions(details)
    current = next((one for one in sessions if one[0] <= now < one[1]), None)
    opens = min((start for start, _ in sessions if start > now), default=None)
    closes = None if current is None else current[1]
    if current is not None and current is sessions[-1] and current[1] - current[0] > DAY:
        # It goes on for as long as hours are told: when it ends is not among them.
        closes = None
    if current is None and opens is not None:
        closes = next(end for start, end in sessions if start == opens)
    return MarketStatus(
        symbol=symbol, is_open=current is not None, next_open=opens, next_close=closes
    )


def _sessions(details: DetailsRow) -> list[tuple[datetime, datetime]]:
    """Return when a product trades, of the days that are told; sessions that meet are one."""
    hours = details.liquid_hours or details.trading_hours
    if not hours:
        raise MalformedError("no trading hours are told")
    zone = zone_of(details.zone)
    found: list[tuple[datetime, datetime]] = []
    for session in hours.replace(",", ";").split(";"):
        start, dash, end = session.partition("-")
        if CLOSED in session or not dash:
            continue
        opened, closed = (_at(text, session) for text in (start, end))
        found.append(
            (
                moment_from_native(opened, zone),
                moment_from_native(closed, zone),
            )
        )
    found.sort()
    merged: list[tuple[datetime, datetime]] = []
    for opened_at, closed_at in found:
        if merged and opened_at - merged[-1][1] <= NEXT_DOOR:
            merged[-1] = (merged[-1][0], max(merged[-1][1], closed_at))
        else:
            merged.append((opened_at, closed_at))
    return merged


def _at(text: str, session: str) -> str:
    day, colon, clock = text.partition(":")
    if not colon or len(clock) != 4:
        raise MalformedError(f"{session!r} is no session")
    return f"{day} {clock[:2]}:{clock[2:]}"
