"""Bars of the trades that happen: of each minute, and of the day so far."""

from __future__ import annotations

from datetime import UTC, datetime, time
from decimal import Decimal
from typing import Final

import attrs

from bot_v2.features.brokerages.core.decimals import EXACT, Rounding, divide
from bot_v2.features.brokerages.core.market_data import Trade
from bot_v2.venues.alpaca.bars import EPOCH, MINUTE, MadeBar
from bot_v2.venues.alpaca.hours import EASTERN, eastern_day

MEAN_PLACES: Final = 6


@attrs.define(kw_only=True)
class _Growing:
    start: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    value: Decimal
    trades: int

    def add(self, trade: Trade) -> None:
        """Count a trade in."""
        self.high, self.low = max(self.high, trade.price), min(self.low, trade.price)
        self.close = trade.price
        self.volume = EXACT.add(self.volume, trade.size)
        self.value = EXACT.add(self.value, EXACT.multiply(trade.size, trade.price))
        self.trades += 1

    def made(self) -> MadeBar:
        """Return the bar as it is."""
        return MadeBar(
            start=self.start,
            open=self.open,
            high=self.high,
            low=self.low,
            close=self.close,
            volume=self.volume,
            trades=self.trades,
            mean=divide(self.value, self.volume, MEAN_PLACES, Rounding.HALF_EVEN),
        )


@attrs.frozen
class Finished:
    """The bars that a minute leaves behind."""

    symbol: str
    """The canonical symbol."""
    minute: MadeBar
    """The bar of the minute."""
    day: MadeBar
    """The bar of the day so far."""


class MinuteBars:
    """Makes bars of trades.

    Args:
        now: the present moment.
    """

    def __init__(self, now: datetime) -> None:
        """Start with no trades."""
        self._minute = _minute_of(now)
        self._minutes: dict[str, _Growing] = {}
        self._days: dict[str, _Growing] = {}

    def add(self, trade: Trade) -> None:
        """Count a trade in."""
        day = datetime.combine(eastern_day(trade.timestamp), time(), tzinfo=EASTERN)
        starts = (_minute_of(trade.timestamp), day.astimezone(UTC))
        for bars, start in zip((self._minutes, self._days), starts, strict=True):
            if trade.symbol in bars:
                bars[trade.symbol].add(trade)
            else:
                bars[trade.symbol] = _started(trade, start)

    def pass_to(self, now: datetime) -> list[Finished]:
        """Return the bars of the minute that is over by now, by symbol; none: it is not over."""
        minute = _minute_of(now)
        if minute == self._minute:
            return []
        is_new_day = eastern_day(minute) != eastern_day(self._minute)
        done = [
            Finished(symbol, bar.made(), self._days[symbol].made())
            for symbol, bar in sorted(self._minutes.items())
        ]
        self._minute, self._minutes = minute, {}
        if is_new_day:
            self._days = {}
        return done


def _started(trade: Trade, start: datetime) -> _Growing:
    return _Growing(
        start=start,
        open=trade.price,
        high=trade.price,
        low=trade.price,
        close=trade.price,
        volume=trade.size,
        value=EXACT.multiply(trade.size, trade.price),
        trades=1,
    )


def _minute_of(moment: datetime) -> datetime:
    return EPOCH + (moment - EPOCH) // MINUTE * MINUTE
