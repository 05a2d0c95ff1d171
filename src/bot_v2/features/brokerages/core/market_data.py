"""What the market says: quotes, trades, candles and sessions."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import attrs

from bot_v2.features.brokerages.core.fields import (
    Model,
    require,
)
from bot_v2.features.brokerages.core.order_terms import OrderSide


@attrs.frozen(kw_only=True, weakref_slot=False, repr=False)
class Quote(Model):
    """The best bid and ask, and the latest trade."""

    symbol: str
    """Canonical, or `@native`."""
    timestamp: datetime
    """As of when: the age of a quote is part of it."""
    bid: Decimal | None = None
    """The best bid, in quote currency per unit. None: no bid, or not said."""
    ask: Decimal | None = None
    """The best ask, in quote currency per unit. None: no ask, or not said."""
    bid_size: Decimal | None = None
    """What is sought at the bid, in order units. None: not said."""
    ask_size: Decimal | None = None
    """What is offered at the ask, in order units. None: not said."""
    last: Decimal | None = None
    """The latest trade's price. None: none, or not said."""
    delayed: bool = False
    """True: the source delays it."""

    _not_negative = ("bid_size", "ask_size")


@attrs.frozen(kw_only=True, weakref_slot=False, repr=False)
class Trade(Model):
    """One trade of the market."""

    symbol: str
    """Canonical, or `@native`."""
    price: Decimal
    """In quote currency per unit."""
    size: Decimal
    """In order units."""
    timestamp: datetime
    """When it was made."""
    trade_id: str | None = None
    """The venue's id. None: not said."""
    side: OrderSide | None = None
    """Which side took liquidity. None: not said."""

    _positive = ("size",)


@attrs.frozen(kw_only=True, weakref_slot=False, repr=False)
class Candle(Model):
    """What happened in one interval."""

    symbol: str
    """Canonical, or `@native`."""
    open_time: datetime
    """When the interval began."""
    interval: timedelta
    """How long it is."""
    open: Decimal
    """The first price, in quote currency per unit."""
    high: Decimal
    """The highest price."""
    low: Decimal
    """The lowest price."""
    close: Decimal
    """The last price."""
    volume: Decimal | None = None
    """What was traded, in order units. None: not said."""
    complete: bool = True
    """False: the interval has not ended, and the candle still changes."""

    _not_negative = ("volume",)

    def _check_sense(self) -> None:
        if self.interval <= timedelta(0):
            raise require(self, "interval", "longer than zero")
        if self.high < max(self.open, self.close, self.low):
            raise require(self, "high", "at least open, low and close")
        if self.low > min(self.open, self.close):
            raise require(self, "low", "at most open and close")


@attrs.frozen(kw_only=True, weakref_slot=False, repr=False)
class MarketStatus(Model):
    """Whether a product's market is open."""

    symbol: str
    """Canonical, or `@native`."""
    is_open: bool
    """True: the regular session is on, and the product is not halted."""
    next_open: datetime | None = None
    """When it next opens. None: always open, or not said."""
    next_close: datetime | None = None
    """When it next closes. None: never closes, or not said."""
    halted: bool = False
    """True: trading in the product is suspended."""
