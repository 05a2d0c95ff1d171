from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from bot_v2.features.brokerages.core.market_data import Trade
from bot_v2.venues.alpaca.minutes import MinuteBars

D = Decimal
START = datetime(2026, 3, 2, 15, 0, 5, tzinfo=UTC)


def trade(price: str, size: str, after_s: int) -> Trade:
    """Return a trade."""
    moment = START + timedelta(seconds=after_s)
    return Trade(symbol="AAPL", price=D(price), size=D(size), timestamp=moment)


def test_a_minute_is_made_of_its_trades() -> None:
    """First, highest, lowest, last, the sum, the number and the mean by size; then it is over."""
    bars = MinuteBars(START)
    for one in (trade("10", "1", 0), trade("12", "2", 1), trade("9", "1", 2), trade("11", "4", 3)):
        bars.add(one)
    assert bars.pass_to(START + timedelta(seconds=50)) == []
    done = bars.pass_to(START + timedelta(seconds=60))
    assert len(done) == 1
    made = done[0].minute
    assert (made.open, made.high, made.low, made.close) == (D(10), D(12), D(9), D(11))
    assert (made.volume, made.trades, made.mean) == (D(8), 4, D("10.875"))
    assert made.start == START.replace(second=0)
    assert bars.pass_to(START + timedelta(seconds=61)) == []


def test_a_day_goes_on_while_its_minutes_end() -> None:
    """It starts at midnight in New York, and a new one starts anew."""
    bars = MinuteBars(START)
    bars.add(trade("10", "1", 0))
    bars.pass_to(START + timedelta(seconds=60))
    bars.add(trade("20", "3", 70))
    day = bars.pass_to(START + timedelta(seconds=120))[0].day
    assert (day.open, day.close, day.volume, day.trades) == (D(10), D(20), D(4), 2)
    assert day.start == datetime(2026, 3, 2, 5, tzinfo=UTC)
    assert bars.pass_to(START + timedelta(days=1)) == []
    bars.add(trade("30", "1", 86_400))
    after = bars.pass_to(START + timedelta(days=1, seconds=60))[0].day
    assert (after.open, after.trades) == (D(30), 1)
