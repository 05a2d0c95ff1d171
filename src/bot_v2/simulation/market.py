"""What the market says to the engine: the core's own models of quotes, trades, candles, books."""

from __future__ import annotations

from datetime import datetime
from typing import TypeAlias

from bot_v2.features.brokerages.core.errors import InvalidFieldError
from bot_v2.features.brokerages.core.market_data import Candle, Quote, Trade
from bot_v2.features.brokerages.core.orderbook import Orderbook

MarketEvent: TypeAlias = Quote | Trade | Candle | Orderbook
"""One thing that the market did."""


def event_time(event: MarketEvent) -> datetime:
    """Return when the event is known: a candle only once its interval has ended.

    Raises:
        InvalidFieldError: a book without a timestamp.
    """
    if isinstance(event, Candle):
        return event.open_time + event.interval
    if event.timestamp is None:
        raise InvalidFieldError(
            "Orderbook.timestamp", None, "a moment: an event of the market has a time"
        )
    return event.timestamp
