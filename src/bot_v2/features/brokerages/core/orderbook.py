"""Bids and asks."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import attrs

from bot_v2.features.brokerages.core.errors import InvalidFieldError
from bot_v2.features.brokerages.core.fields import Model


@attrs.frozen(weakref_slot=False, repr=False)
class PriceLevel(Model):
    """A price of a book, and what is offered or sought at it."""

    price: Decimal
    """In quote currency per unit; may be negative (spreads, some futures)."""
    size: Decimal
    """In order units; above zero: an empty level is no level."""

    _positive = ("size",)


@attrs.frozen(kw_only=True, weakref_slot=False, repr=False)
class Orderbook(Model):
    """Bids and asks of one product."""

    symbol: str
    """Canonical, or `@native`."""
    bids: tuple[PriceLevel, ...]
    """Highest price first."""
    asks: tuple[PriceLevel, ...]
    """Lowest price first."""
    timestamp: datetime | None = None
    """As of when. None: not said."""
    sequence: int | None = None
    """The broker's sequence number. None: not said."""

    def _check_sense(self) -> None:
        bids = [level.price for level in self.bids]
        asks = [level.price for level in self.asks]
        # A list that is in order is sorted in one pass.
        if sorted(bids, reverse=True) != bids:
            raise InvalidFieldError("Orderbook.bids", self.bids, "the highest price first")
        if sorted(asks) != asks:
            raise InvalidFieldError("Orderbook.asks", self.asks, "the lowest price first")
