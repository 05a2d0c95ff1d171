"""The candles that the market has shown, kept within bounds."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

import attrs

from bot_v2.features.brokerages.core.decimals import EXACT
from bot_v2.features.brokerages.core.errors import InvalidFieldError, MarketDataUnavailableError
from bot_v2.features.brokerages.core.market_data import Candle, Quote, Trade

BARS_MAX: Final = 10_000
"""How many bars are kept of each symbol and interval: a week of minutes, or 27 years of days."""

TICK_INTERVAL: Final = timedelta(minutes=1)
"""The bars that single trades and quotes are gathered into."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_HALF: Final = Decimal("0.5")


class _Bars:
    """The bars of one symbol and interval, oldest first."""

    def __init__(self) -> None:
        self.kept: deque[Candle] = deque(maxlen=BARS_MAX)
        self.first_kept: datetime | None = None

    def add(self, bar: Candle) -> None:
        if len(self.kept) == BARS_MAX:
            # From here on the window has a start that a caller can miss.
            self.first_kept = self.kept[1].open_time
        self.kept.append(bar)

    def replace_last(self, bar: Candle) -> None:
        self.kept[-1] = bar


class CandleHistory:
    """Gathers what the market shows, and tells it as candles of any longer interval.

    Bars are kept as they came. Of a symbol that has no bars, trades are gathered into minutes;
    of one that has no trades either, the mid prices of its quotes, without a volume.
    """

    def __init__(self) -> None:
        """Start empty."""
        self._bars: dict[str, dict[timedelta, _Bars]] = {}
        self._ticks: dict[str, _Bars] = {}
        self._with_trades: set[str] = set()

    def record(self, event: object) -> None:
        """Keep what an event of the market says of prices."""
        if isinstance(event, Candle):
            if event.complete:
                by_interval = self._bars.setdefault(event.symbol, {})
                by_interval.setdefault(event.interval, _Bars()).add(event)
        elif isinstance(event, Trade):
            if event.symbol not in self._with_trades:
                self._with_trades.add(event.symbol)
                self._ticks.pop(event.symbol, None)
            self._record_tick(event.symbol, event.timestamp, event.price, event.size)
        elif isinstance(event, Quote) and event.symbol not in self._with_trades:
            price = event.last if event.last is not None else _mid(event)
            if price is not None:
                self._record_tick(event.symbol, event.timestamp, price, None)

    def _record_tick(
        self, symbol: str, moment: datetime, price: Decimal, size: Decimal | None
    ) -> None:
        bars = self._ticks.setdefault(symbol, _Bars())
        tick = Candle(
            symbol=symbol,
            open_time=_floor(moment, TICK_INTERVAL),
            interval=TICK_INTERVAL,
            open=price,
            high=price,
            low=price,
            close=price,
            volume=size,
            complete=False,
        )
        if bars.kept and bars.kept[-1].open_time >= tick.open_time:
            bars.replace_last(_merge(bars.kept[-1], tick))
        else:
            bars.add(tick)

    def list_candles(
        self, symbol: str, interval: timedelta, start: datetime, end: datetime, now: datetime
    ) -> list[Candle]:
        """Return the candles that open in [start, end), oldest first.

        Args:
            symbol: canonical.
            interval: a whole multiple of what is kept of the symbol.
            start: the earliest open time, inclusive.
            end: the latest open time, exclusive.
            now: a candle that ends later than this is not complete.

        Raises:
            MarketDataUnavailableError: nothing is kept of that interval, or the kept bars start
                after `start`.
            InvalidFieldError: the interval is not longer than zero, or the times are not aware.
        """
        if interval <= timedelta(0):
            raise InvalidFieldError("interval", interval, "longer than zero")
        for name, moment in (("start", start), ("end", end)):
            if moment.utcoffset() is None:
                raise InvalidFieldError(name, moment, "an aware datetime")
        bars, base = self._bars_for(symbol, interval)
        if bars.first_kept is not None and _floor(start, interval) < bars.first_kept:
            raise MarketDataUnavailableError(
                f"the last {BARS_MAX} bars of {base} are kept, since {bars.first_kept}",
                symbol=symbol,
            )
        return [
            candle
            for candle in _gather(bars.kept, base, interval, now)
            if start <= candle.open_time < end
        ]

    def _bars_for(self, symbol: str, interval: timedelta) -> tuple[_Bars, timedelta]:
        kept = dict(self._bars.get(symbol, {}))
        if not kept and symbol in self._ticks:
            kept[TICK_INTERVAL] = self._ticks[symbol]
        # The longest that fits: the fewest bars to gather, and the longest window.
        for base in sorted(kept, reverse=True):
            if interval % base == timedelta(0):
                return kept[base], base
        known = ", ".join(str(base) for base in sorted(kept)) or "none"
        raise MarketDataUnavailableError(
            f"no candles of {interval}; the market has shown those of: {known}", symbol=symbol
        )


def _gather(
    bars: Iterable[Candle], base: timedelta, interval: timedelta, now: datetime
) -> list[Candle]:
    gathered: list[Candle] = []
    for bar in bars:
        # Bars of the asked length keep their own opening: a session's day starts when it does.
        opens = bar.open_time if interval == base else _floor(bar.open_time, interval)
        if gathered and gathered[-1].open_time == opens:
            gathered[-1] = _merge(gathered[-1], bar)
        else:
            gathered.append(attrs.evolve(bar, open_time=opens, interval=interval))
    return [
        attrs.evolve(candle, complete=candle.open_time + candle.interval <= now)
        for candle in gathered
    ]


def _merge(first: Candle, then: Candle) -> Candle:
    volumes = [candle.volume for candle in (first, then)]
    volume = None if None in volumes else EXACT.add(*(v for v in volumes if v is not None))
    return attrs.evolve(
        first,
        high=max(first.high, then.high),
        low=min(first.low, then.low),
        close=then.close,
        volume=volume,
    )


def _floor(moment: datetime, interval: timedelta) -> datetime:
    return moment - (moment - _EPOCH) % interval


def _mid(quote: Quote) -> Decimal | None:
    if quote.bid is None or quote.ask is None:
        return None
    return EXACT.multiply(EXACT.add(quote.bid, quote.ask), _HALF)
