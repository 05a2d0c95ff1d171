"""Candles that a seed makes: no trades are behind them, and the same seed gives the same ones.

The price at a moment is decided by the seed, the product and the moment alone, so that a candle
closes where the next one opens, whatever their length.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

import attrs

from bot_v2.features.brokerages.core.decimals import EXACT, Rounding, divide
from bot_v2.features.brokerages.core.increments import quantize_price
from bot_v2.venues.coinbase.listings import Listing
from bot_v2.venues.tape import draw

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
DAY: Final = timedelta(days=1)
MINUTE: Final = timedelta(minutes=1)

SWING_BPS: Final = 100
"""How far a price is from its product's first one at most, in hundredths of a percent."""

_PARTS: Final = 4
"""How many moments within a candle decide its highest and lowest price."""

_BPS: Final = Decimal("0.0001")


@attrs.frozen(kw_only=True)
class MadeCandle:
    """A candle."""

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


class CandleMaker:
    """Makes candles.

    Args:
        seed: what they are drawn from.
    """

    def __init__(self, seed: int) -> None:
        """Draw from a seed."""
        self._seed = seed

    def between(
        self, listing: Listing, start: datetime, end: datetime, length: timedelta, now: datetime
    ) -> list[MadeCandle]:
        """Return the candles that open from `start` to `end`, both included, oldest first.

        None opens in the future; the one that still forms is among them.
        """
        first = EPOCH + -(-(start - EPOCH) // length) * length
        last = min(end, now)
        count = (last - first) // length + 1 if last >= first else 0
        return [self._candle(listing, first + place * length, length) for place in range(count)]

    def change(self, listing: Listing, now: datetime, last: Decimal) -> Decimal:
        """Return by how many percent a price is above the one of a day ago."""
        before = self._price(listing, now - DAY)
        gain = EXACT.multiply(EXACT.subtract(last, before), Decimal(100))
        return divide(gain, before, 8, Rounding.HALF_EVEN)

    def _candle(self, listing: Listing, start: datetime, length: timedelta) -> MadeCandle:
        part = max(length // _PARTS, MINUTE)
        moments = [start + place * part for place in range(_PARTS) if place * part < length]
        prices = [self._price(listing, moment) for moment in (*moments, start + length)]
        size = listing.product.size_increment or Decimal(1)
        minutes = int(length / MINUTE)
        amount = Decimal(minutes * (1 + draw(self._seed, "v", listing.product_id, start) % 100_000))
        return MadeCandle(
            start=start,
            open=prices[0],
            high=max(prices),
            low=min(prices),
            close=prices[-1],
            volume=EXACT.multiply(amount, size),
        )

    def _price(self, listing: Listing, moment: datetime) -> Decimal:
        minute = (moment - EPOCH) // MINUTE
        number = draw(self._seed, "p", listing.product_id, minute)
        offset = Decimal(number % (2 * SWING_BPS + 1) - SWING_BPS)
        factor = EXACT.add(Decimal(1), EXACT.multiply(offset, _BPS))
        price = EXACT.multiply(listing.price, factor)
        return quantize_price(listing.product, price, Rounding.HALF_EVEN)
