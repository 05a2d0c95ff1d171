"""Bars that a seed makes: no trades are behind them, and the same seed gives the same ones.

The price at a moment is decided by the seed, the asset and the moment alone, so that a bar closes
where the next one opens, whatever their length. Shares and options have bars in
their sessions only.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Final

import attrs

from bot_v2.features.brokerages.core.decimals import EXACT, Rounding, divide
from bot_v2.features.brokerages.core.increments import quantize_price
from bot_v2.venues.alpaca.hours import (
    DAY,
    EASTERN,
    eastern_day,
    extended_session_of,
    is_trading_day,
    session_of,
)
from bot_v2.venues.alpaca.listings import Listing
from bot_v2.venues.tape import draw

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MINUTE: Final = timedelta(minutes=1)
SWING_BPS: Final = 100
"""How far a price is from its asset's first one at most, in hundredths of a percent."""

FIRST_DAY: Final = date(2016, 1, 4)
"""The first day of which there are bars."""

_PARTS: Final = 4
_BPS: Final = Decimal("0.0001")
_TIMEFRAME: Final = re.compile(
    r"(\d+)?(Min|T|Hour|H|Day|D|Week|W|Month|M)", re.IGNORECASE | re.ASCII
)
_MONTHS: Final = (1, 2, 3, 4, 6, 12)


@attrs.frozen
class Timeframe:
    """How long a bar is."""

    count: int
    """How many units."""
    unit: str
    """min, hour, day, week or month."""

    @property
    def is_intraday(self) -> bool:
        """Whether several are in a day."""
        return self.unit in ("min", "hour")


@attrs.frozen(kw_only=True)
class MadeBar:
    """A bar."""

    start: datetime
    """When it opens."""
    open: Decimal
    """The first price."""
    high: Decimal
    """The highest price."""
    low: Decimal
    """The lowest price."""
    close: Decimal
    """The last price."""
    volume: Decimal
    """What was traded, in order units."""
    trades: int
    """How many trades there were."""
    mean: Decimal
    """The mean price by volume."""


def timeframe_from_text(text: str) -> Timeframe:
    """Return the length of bars that a text names: 15Min, 1Hour, 1Day, 1Week, 3Month.

    Raises:
        ValueError: it is none that there is.
    """
    found = _TIMEFRAME.fullmatch(text.strip())
    units = {"t": "min", "h": "hour", "d": "day", "w": "week", "m": "month"}
    if found is not None:
        # A lone M is a month, a lone T a minute.
        word = found[2].lower()
        unit = units.get(word, word)
        count = int(found[1] or 1)
        most = {"min": 59, "hour": 23, "day": 1, "week": 1, "month": 12}[unit]
        if 1 <= count <= most and (unit != "month" or count in _MONTHS):
            return Timeframe(count, unit)
    raise ValueError(f"invalid timeframe: {text}")


class BarMaker:
    """Makes bars.

    Args:
        seed: what they are drawn from.
    """

    def __init__(self, seed: int) -> None:
        """Draw from a seed."""
        self._seed = seed

    def between(
        self, listing: Listing, timeframe: Timeframe, start: datetime, end: datetime, now: datetime
    ) -> Iterator[MadeBar]:
        """Yield the bars that open from `start` to `end`, both included, oldest first.

        None opens in the future; the one that still forms is among them.
        """
        for opened, length in self._spans(listing, timeframe, start, min(end, now)):
            yield self._bar(listing, opened, length)

    def latest(self, listing: Listing, timeframe: Timeframe, now: datetime) -> MadeBar | None:
        """Return the bar that forms, or the last one that did. None: there was none in a week."""
        for back in (1, 8):
            # Only the last is made: a bar is much more work than its time.
            last = deque(self._spans(listing, timeframe, now - back * DAY, now), maxlen=1)
            if last:
                return self._bar(listing, *last[0])
        return None

    def _spans(
        self, listing: Listing, timeframe: Timeframe, start: datetime, last: datetime
    ) -> Iterator[tuple[datetime, timedelta]]:
        first = max(start, datetime.combine(FIRST_DAY, time(), tzinfo=UTC))
        spans = self._steps if timeframe.is_intraday else self._days
        for opened, length in spans(listing, timeframe, first, last):
            if first <= opened <= last:
                yield opened, length

    def last_close(self, listing: Listing, now: datetime) -> Decimal:
        """Return the closing price of the last trading day before today."""
        day = eastern_day(now) - DAY
        while not listing.is_crypto and not is_trading_day(day):
            day -= DAY
        closed = _midnight(day + DAY) if listing.is_crypto else session_of(day)[1]
        return self._price(listing, closed)

    def _steps(
        self, listing: Listing, timeframe: Timeframe, first: datetime, last: datetime
    ) -> Iterator[tuple[datetime, timedelta]]:
        length = MINUTE * timeframe.count * (60 if timeframe.unit == "hour" else 1)
        opened = EPOCH + -(-(first - EPOCH) // length) * length
        while opened <= last:
            if _trades_in(listing, opened, length):
                yield opened, length
                opened += length
            else:
                opened = _next_step(listing, opened, length)

    def _days(
        self, listing: Listing, timeframe: Timeframe, first: datetime, last: datetime
    ) -> Iterator[tuple[datetime, timedelta]]:
        day = _first_of(eastern_day(first), timeframe)
        while _midnight(day) <= last:
            after = _following(day, timeframe)
            if timeframe.unit != "day" or listing.is_crypto or is_trading_day(day):
                yield _midnight(day), _midnight(after) - _midnight(day)
            day = after

    def _bar(self, listing: Listing, start: datetime, length: timedelta) -> MadeBar:
        part = max(length // _PARTS, MINUTE)
        moments = [start + place * part for place in range(_PARTS) if place * part < length]
        prices = [self._price(listing, moment) for moment in (*moments, start + length)]
        minutes = int(length / MINUTE)
        drawn = draw(self._seed, "v", listing.symbol, start)
        # A share's volume is whole; a coin's has as many digits as its step.
        step = Decimal(1) if not listing.is_crypto else Decimal("0.000001")
        volume = EXACT.multiply(Decimal(minutes * (100 + drawn % 10_000)), step)
        total = prices[0]
        for price in prices[1:]:
            total = EXACT.add(total, price)
        return MadeBar(
            start=start,
            open=prices[0],
            high=max(prices),
            low=min(prices),
            close=prices[-1],
            volume=volume,
            trades=minutes * (1 + drawn % 50),
            mean=divide(total, Decimal(len(prices)), 6, Rounding.HALF_EVEN),
        )

    def _price(self, listing: Listing, moment: datetime) -> Decimal:
        minute = (moment - EPOCH) // MINUTE
        number = draw(self._seed, "p", listing.symbol, minute)
        offset = Decimal(number % (2 * SWING_BPS + 1) - SWING_BPS)
        factor = EXACT.add(Decimal(1), EXACT.multiply(offset, _BPS))
        price = EXACT.multiply(listing.price, factor)
        step = listing.product.price_increment
        quantized = quantize_price(listing.product, price, Rounding.HALF_EVEN)
        return max(quantized, step or Decimal("0.01"))


def _trades_in(listing: Listing, opened: datetime, length: timedelta) -> bool:
    if listing.is_crypto:
        return True
    day = eastern_day(opened)
    if not is_trading_day(day):
        return False
    begins, ends = session_of(day) if listing.is_option else extended_session_of(day)
    return opened < ends and opened + length > begins


def _next_step(listing: Listing, opened: datetime, length: timedelta) -> datetime:
    """Return the first step of the next session."""
    day = eastern_day(opened)
    while True:
        if is_trading_day(day):
            begins = (session_of(day) if listing.is_option else extended_session_of(day))[0]
            step = EPOCH + (begins - EPOCH) // length * length
            if step > opened:
                return step
        day += DAY


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=EASTERN).astimezone(UTC)


def _first_of(day: date, timeframe: Timeframe) -> date:
    if timeframe.unit == "week":
        return day - day.weekday() * DAY
    if timeframe.unit == "month":
        return date(day.year, (day.month - 1) // timeframe.count * timeframe.count + 1, 1)
    return day


def _following(day: date, timeframe: Timeframe) -> date:
    if timeframe.unit == "month":
        months = day.month - 1 + timeframe.count
        return date(day.year + months // 12, months % 12 + 1, 1)
    return day + (7 if timeframe.unit == "week" else 1) * DAY
