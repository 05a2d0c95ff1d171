"""Candles to draw."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from bot_v2.features.brokerages.core.market_data import Candle

MINUTE = timedelta(minutes=1)
CANDLES = [
    Candle(
        symbol="BTC-USD",
        open_time=datetime(2026, 5, 6, 7, tzinfo=UTC) + number * MINUTE,
        interval=MINUTE,
        open=Decimal(100 + number),
        high=Decimal(105 + number),
        low=Decimal(95 + number),
        close=Decimal(102 + number),
    )
    for number in range(10)
]
