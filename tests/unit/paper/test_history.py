"""Candles told from what the market has shown: gathered exactly, and honest about the window."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from bot_v2.features.brokerages.core.errors import InvalidFieldError, MarketDataUnavailableError
from bot_v2.features.brokerages.core.market_data import Candle, Quote, Trade
from bot_v2.features.brokerages.paper.history import BARS_MAX, CandleHistory

START = datetime(2026, 1, 2, 10, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
LATER = START + timedelta(days=100)


def bar(minute: int, close: str, volume: str | None = "1") -> Candle:
    """A minute's bar that opened at 100 and reached from 90 to 110."""
    return Candle(
        symbol="AAPL",
        open_time=START + minute * MINUTE,
        interval=MINUTE,
        open=Decimal(100),
        high=Decimal(110),
        low=Decimal(90),
        close=Decimal(close),
        volume=None if volume is None else Decimal(volume),
    )


def trade(second: int, price: str, size: str = "1") -> Trade:
    """A trade at some second."""
    moment = START + timedelta(seconds=second)
    return Trade(symbol="AAPL", price=Decimal(price), size=Decimal(size), timestamp=moment)


def quote(second: int, bid: str, ask: str) -> Quote:
    """A quote at some second."""
    moment = START + timedelta(seconds=second)
    return Quote(symbol="AAPL", timestamp=moment, bid=Decimal(bid), ask=Decimal(ask))


def listed(history: CandleHistory, interval: timedelta = MINUTE) -> list[Candle]:
    """All that a history tells of an interval."""
    return history.list_candles("AAPL", interval, START, LATER, LATER)


def test_bars_are_told_as_they_came() -> None:
    """A bar of the length that is asked for is returned unchanged."""
    history = CandleHistory()
    bars = [bar(minute, "101") for minute in range(3)]
    for each in bars:
        history.record(each)
    assert listed(history) == bars
    end = START + 2 * MINUTE
    assert history.list_candles("AAPL", MINUTE, START + MINUTE, end, LATER) == bars[1:2]


def test_short_bars_are_gathered_into_longer_ones() -> None:
    """Five minutes open where the first opened, close where the last closed, and add up."""
    history = CandleHistory()
    for minute, close in enumerate(["101", "102", "103", "104", "105", "99"]):
        history.record(bar(minute, close, "0.1"))
    first, second = listed(history, 5 * MINUTE)
    assert (first.open, first.close, first.volume) == (Decimal(100), Decimal(105), Decimal("0.5"))
    assert (first.high, first.low, first.interval) == (Decimal(110), Decimal(90), 5 * MINUTE)
    assert second.open_time == START + 5 * MINUTE


def test_a_volume_that_is_not_known_is_not_invented() -> None:
    """One bar without a volume leaves the whole without one."""
    history = CandleHistory()
    history.record(bar(0, "101"))
    history.record(bar(1, "101", None))
    assert listed(history, 2 * MINUTE)[0].volume is None


def test_trades_are_gathered_into_minutes() -> None:
    """The first, highest, lowest and last price of a minute, and the sum of its sizes."""
    history = CandleHistory()
    for each in (
        trade(1, "5", "2"),
        trade(30, "9"),
        trade(40, "3"),
        trade(59, "4"),
        trade(61, "7"),
    ):
        history.record(each)
    first, second = listed(history)
    prices = (first.open, first.high, first.low, first.close)
    assert prices == (Decimal(5), Decimal(9), Decimal(3), Decimal(4))
    assert (first.volume, first.open_time) == (Decimal(5), START)
    assert second.open == Decimal(7)


def test_quotes_stand_in_until_there_are_trades() -> None:
    """Mid prices make candles without a volume, and give way to trades for good."""
    history = CandleHistory()
    history.record(quote(1, "10", "11"))
    (candle,) = listed(history)
    assert (candle.close, candle.volume) == (Decimal("10.5"), None)
    history.record(trade(2, "10"))
    history.record(quote(3, "20", "21"))
    (candle,) = listed(history)
    assert (candle.close, candle.high, candle.volume) == (Decimal(10), Decimal(10), Decimal(1))


def test_a_candle_that_still_changes_is_not_complete() -> None:
    """Completeness is a matter of the moment at which one asks."""
    history = CandleHistory()
    history.record(trade(1, "5"))
    now = START + timedelta(seconds=59)
    (candle,) = history.list_candles("AAPL", MINUTE, START, LATER, now)
    assert not candle.complete
    (candle,) = history.list_candles("AAPL", MINUTE, START, LATER, START + MINUTE)
    assert candle.complete


def test_a_forming_bar_of_the_feed_is_not_kept() -> None:
    """A bar that still changes would be kept beside its final form."""
    history = CandleHistory()
    forming = Candle(
        symbol="AAPL",
        open_time=START,
        interval=MINUTE,
        open=Decimal(1),
        high=Decimal(1),
        low=Decimal(1),
        close=Decimal(1),
        complete=False,
    )
    history.record(forming)
    with pytest.raises(MarketDataUnavailableError):
        listed(history)


def test_the_window_is_bounded_and_a_question_beyond_it_is_refused() -> None:
    """What was forgotten is not told as if it had never been."""
    history = CandleHistory()
    for minute in range(BARS_MAX):
        history.record(bar(minute, "101"))
    assert len(listed(history)) == BARS_MAX
    history.record(bar(BARS_MAX, "101"))
    with pytest.raises(MarketDataUnavailableError, match="kept"):
        listed(history)
    kept = history.list_candles("AAPL", MINUTE, START + MINUTE, LATER, LATER)
    assert len(kept) == BARS_MAX


@pytest.mark.parametrize("interval", [timedelta(seconds=90), timedelta(seconds=1)])
def test_an_interval_that_cannot_be_gathered_is_refused(interval: timedelta) -> None:
    """Candles are not guessed: neither shorter ones, nor ones that cut a bar in two."""
    history = CandleHistory()
    history.record(bar(0, "101"))
    with pytest.raises(MarketDataUnavailableError, match="0:01:00"):
        listed(history, interval)


def test_a_question_that_makes_no_sense_is_refused() -> None:
    """No interval, and times without a zone, are errors of the caller."""
    history = CandleHistory()
    with pytest.raises(InvalidFieldError):
        listed(history, timedelta(0))
    naive = START.replace(tzinfo=None)
    with pytest.raises(InvalidFieldError):
        history.list_candles("AAPL", MINUTE, naive, LATER, LATER)
