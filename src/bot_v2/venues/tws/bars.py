"""Bars that a seed makes: no trades are behind them, and the same seed gives the same ones.

The price at a moment is decided by the seed, the contract and the moment alone, so that a bar
closes where the next one opens, whatever their length.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

import attrs

from bot_v2.features.brokerages.core.decimals import EXACT, Rounding, divide
from bot_v2.features.brokerages.core.increments import quantize_price
from bot_v2.venues.tape import draw
from bot_v2.venues.tws.listings import Listing

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
SECOND: Final = timedelta(seconds=1)
DAY: Final = timedelta(days=1)

LENGTHS: Final = {
    "1 secs": SECOND,
    "5 secs": 5 * SECOND,
    "10 secs": 10 * SECOND,
    "15 secs": 15 * SECOND,
    "30 secs": 30 * SECOND,
    "1 min": 60 * SECOND,
    "2 mins": 120 * SECOND,
    "3 mins": 180 * SECOND,
    "5 mins": 300 * SECOND,
    "10 mins": 600 * SECOND,
    "15 mins": 900 * SECOND,
    "20 mins": 1200 * SECOND,
    "30 mins": 1800 * SECOND,
    "1 hour": 3600 * SECOND,
    "2 hours": 7200 * SECOND,
    "3 hours": 10800 * SECOND,
    "4 hours": 14400 * SECOND,
    "8 hours": 28800 * SECOND,
    "1 day": DAY,
    "1 week": 7 * DAY,
    "1 month": 30 * DAY,
}
"""How long bars can be, by the broker's names; a month is 30 days."""

_UNITS: Final = {"S": SECOND, "D": DAY, "W": 7 * DAY, "M": 30 * DAY, "Y": 365 * DAY}
_DURATION = re.compile(r"([1-9][0-9]{0,5}) ([SDWMY])", re.ASCII)

SWING_BPS: Final = 100
_BPS: Final = Decimal("0.0001")
_PARTS: Final = 4
_THIRD: Final = Decimal(3)


@attrs.frozen(kw_only=True)
class Bar:
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

    @property
    def average(self) -> Decimal:
        """The mean of the highest, the lowest and the last price."""
        total = EXACT.add(EXACT.add(self.high, self.low), self.close)
        return divide(total, _THIRD, 6, Rounding.HALF_EVEN)


def read_duration(text: str) -> timedelta | None:
    """Return a length of time as the broker names it, such as `2 D`. None: the text names none."""
    found = _DURATION.fullmatch(text.strip())
    return None if found is None else int(found[1]) * _UNITS[found[2]]


class BarMaker:
    """Makes bars.

    Args:
        seed: what they are drawn from.
    """

    def __init__(self, seed: int) -> None:
        """Draw from a seed."""
        self._seed = seed

    def between(
        self, listing: Listing, start: datetime, end: datetime, length: timedelta
    ) -> list[Bar]:
        """Return the bars that open from `start` on and before `end`, oldest first."""
        opens = EPOCH + -(-(start - EPOCH) // length) * length
        bars = []
        while opens < end:
            bars.append(self.bar(listing, opens, length))
            opens += length
        return bars

    def bar(self, listing: Listing, start: datetime, length: timedelta) -> Bar:
        """Return the bar that opens at a moment."""
        part = max(length // _PARTS, SECOND)
        moments = [start + place * part for place in range(_PARTS) if place * part < length]
        prices = [self._price(listing, moment) for moment in (*moments, start + length)]
        step = listing.product.size_increment or Decimal(1)
        count = length // SECOND * (1 + draw(self._seed, "v", listing.con_id, start) % 1_000)
        return Bar(
            start=start,
            open=prices[0],
            high=max(prices),
            low=min(prices),
            close=prices[-1],
            volume=EXACT.multiply(Decimal(count), step),
        )

    def _price(self, listing: Listing, moment: datetime) -> Decimal:
        number = draw(self._seed, "p", listing.con_id, (moment - EPOCH) // SECOND)
        offset = Decimal(number % (2 * SWING_BPS + 1) - SWING_BPS)
        factor = EXACT.add(Decimal(1), EXACT.multiply(offset, _BPS))
        price = EXACT.multiply(listing.price, factor)
        return quantize_price(listing.product, price, Rounding.HALF_EVEN)
