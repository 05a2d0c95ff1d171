"""Prices, books and candles of which TWS tells a part, nothing, or too much at once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from bot_v2.features.brokerages.core.interfaces import (
    BrokerAPIError,
    InvalidFieldError,
    InvalidRequestError,
    MarketDataUnavailableError,
    RateLimitError,
    TimeoutError,
    UnsupportedOperationError,
)
from bot_v2.features.brokerages.ibkr.adapter import IbkrBrokerage
from tests.integration.ibkr.conftest import SYMBOL, Bench
from tests.integration.ibkr.front import ERROR, Edit, Message, swallow

D = Decimal
PRICE_TICK, SNAPSHOT_END, HISTORY = "1", "57", "17"
ASK_QUOTES, ASK_DEPTH, ASK_BARS = "1", "10", "20"
BID, ASK, LAST = "1", "2", "4"
MANY = 40

END = datetime(2026, 7, 10, 15, 0, tzinfo=UTC)
MINUTE, FIVE_SECONDS = timedelta(minutes=1), timedelta(seconds=5)


def only(*kinds: str, shown: bool = True) -> Edit:
    """Return what leaves out the prices of other kinds; those that stay may be without a price."""

    def edit(message: Message) -> Sequence[Message]:
        if message[3] not in kinds:
            return []
        return [message if shown else [*message[:4], "-1", "0", *message[6:]]]

    return edit


def failed(bench: Bench, code: int, text: str) -> Edit:
    """Return what has a question answered with an error, and lets it go no further."""

    def edit(message: Message) -> Sequence[Message]:
        request_id = message[1] if message[0] == ASK_BARS else message[2]
        bench.front.say(ERROR, 2, request_id, code, text, "")
        return []

    return edit


def test_a_price_without_a_trade(bench: Bench, broker: IbkrBrokerage) -> None:
    """Where no trade is told the price is the exact mid."""
    bench.venue.set_market(SYMBOL, D("150.01"), D("150.02"), D(10))
    bench.front.on_coming(PRICE_TICK, only(BID, ASK), times=MANY)
    assert broker.get_price(SYMBOL) == D("150.015")


@pytest.mark.parametrize("side", [BID, ASK])
def test_a_price_of_one_side(bench: Bench, broker: IbkrBrokerage, side: str) -> None:
    """One side of the book is a quote, but no price."""
    bench.front.on_coming(PRICE_TICK, only(side), times=MANY)
    with pytest.raises(MarketDataUnavailableError, match="neither a trade"):
        broker.get_price(SYMBOL)
    bench.front.coming.clear()
    bench.front.on_coming(PRICE_TICK, only(side), times=MANY)
    quote = broker.get_quote(SYMBOL)
    assert (quote.bid is None, quote.ask is None, quote.last) == (side == ASK, side == BID, None)
    book = broker.get_orderbook(SYMBOL)
    assert (len(book.bids), len(book.asks)) != (1, 1)


def test_a_quote_that_has_no_end(bench: Bench, broker: IbkrBrokerage) -> None:
    """What was told by the end of the time will do, though TWS does not say that it is all."""
    bench.front.on_coming(SNAPSHOT_END, swallow)
    bench.front.on_coming(PRICE_TICK, only(BID), times=MANY)
    assert broker.get_quote(SYMBOL).bid


def test_a_quote_of_which_nothing_is_told(bench: Bench, broker: IbkrBrokerage) -> None:
    """A silence is an error, and no quote without prices."""
    bench.front.on_going(ASK_QUOTES, swallow)
    with pytest.raises(TimeoutError):
        broker.get_quote(SYMBOL)
    assert broker.get_quote(SYMBOL).bid


def test_a_market_without_prices(bench: Bench, broker: IbkrBrokerage) -> None:
    """That there is neither bid, ask nor trade is an error, and no price of minus one."""
    bench.front.on_coming(PRICE_TICK, only(BID, ASK, LAST, shown=False), times=MANY)
    with pytest.raises(MarketDataUnavailableError, match="no price"):
        broker.get_quote(SYMBOL)


@pytest.mark.parametrize("code", [10089, 10197])
def test_a_book_that_may_not_be_seen(bench: Bench, broker: IbkrBrokerage, code: int) -> None:
    """A book that is not subscribed to is an error by its code, and no empty book."""
    bench.front.on_going(ASK_DEPTH, failed(bench, code, "not subscribed"))
    with pytest.raises(MarketDataUnavailableError) as caught:
        broker.get_orderbook(SYMBOL, 2)
    assert caught.value.code == str(code)
    assert broker.get_orderbook(SYMBOL, 2).asks


def test_levels_of_the_book(bench: Bench, broker: IbkrBrokerage) -> None:
    """Books that there are not are refused by what there is; nothing is asked."""
    with pytest.raises(UnsupportedOperationError, match="1 and 2"):
        broker.get_orderbook(SYMBOL, 3)
    for level in (0, 4, -1):
        with pytest.raises(InvalidRequestError, match="1, 2"):
            broker.get_orderbook(SYMBOL, level)
    assert bench.front.count(ASK_QUOTES) == bench.front.count(ASK_DEPTH) == 0


@pytest.mark.parametrize("text", ["HMDS query returned no data: AAPL", "No data of type EODChart"])
def test_a_span_without_candles(bench: Bench, broker: IbkrBrokerage, text: str) -> None:
    """That there were no trades is an empty list."""
    bench.front.on_going(ASK_BARS, failed(bench, 162, text))
    assert broker.list_candles(SYMBOL, MINUTE, END - MINUTE, END) == []


def test_candles_that_cannot_be_read(bench: Bench, broker: IbkrBrokerage) -> None:
    """No other answer is an empty list: neither a failure, nor what cannot be read."""
    bench.front.on_going(ASK_BARS, failed(bench, 162, "Historical data farm is down"))
    with pytest.raises(MarketDataUnavailableError):
        broker.list_candles(SYMBOL, MINUTE, END - MINUTE, END)
    bench.front.on_going(ASK_BARS, failed(bench, 162, "pacing violation"))
    with pytest.raises(RateLimitError) as caught:
        broker.list_candles(SYMBOL, MINUTE, END - MINUTE, END)
    assert caught.value.retry_after_s == 600
    bench.front.on_coming(HISTORY, lambda one: [[*one[:6], "NaN", *one[7:]]])
    with pytest.raises(BrokerAPIError):
        broker.list_candles(SYMBOL, MINUTE, END - MINUTE, END)
    assert len(broker.list_candles(SYMBOL, MINUTE, END - MINUTE, END)) == 1


def test_candles_of_a_span_that_ends_within_a_second(bench: Bench, broker: IbkrBrokerage) -> None:
    """Every candle that opens within the span is told, and none that opens at its end."""
    almost = timedelta(milliseconds=250)
    for start, end, opens in (
        (END, END + almost, [END]),
        (END - FIVE_SECONDS, END, [END - FIVE_SECONDS]),
        (END - almost, END + almost, [END]),
        (END + almost, END + FIVE_SECONDS + almost, [END + FIVE_SECONDS]),
        (END, END, []),
        (END, END - MINUTE, []),
    ):
        found = broker.list_candles(SYMBOL, FIVE_SECONDS, start, end)
        assert [one.open_time for one in found] == opens


def test_candles_of_several_pages(bench: Bench, broker: IbkrBrokerage) -> None:
    """A span of several questions comes whole, in order, each candle once."""
    start = END - timedelta(hours=2, minutes=30)
    found = broker.list_candles(SYMBOL, FIVE_SECONDS, start, END)
    assert [one.open_time for one in found] == [start + n * FIVE_SECONDS for n in range(1800)]
    assert bench.front.count(ASK_BARS) == 3


def test_too_many_short_candles(bench: Bench) -> None:
    """Short candles are asked for 60 times in ten minutes, and then not: TWS never refuses."""
    bench.venue.scripts.watch_history_pace()
    broker = bench.open(requests_per_s=1000)
    for _ in range(60):
        assert broker.list_candles(SYMBOL, FIVE_SECONDS, END - FIVE_SECONDS, END)
    with pytest.raises(RateLimitError) as caught:
        broker.list_candles(SYMBOL, FIVE_SECONDS, END - FIVE_SECONDS, END)
    assert caught.value.retry_after_s is not None
    assert 500 < caught.value.retry_after_s <= 600
    assert bench.front.count(ASK_BARS) == 60
    bench.venue.scripts.watch_history_pace(on=False)
    assert broker.list_candles(SYMBOL, MINUTE, END - MINUTE, END)


def test_candles_that_cannot_be(bench: Bench, broker: IbkrBrokerage) -> None:
    """A span without a zone and an interval that there is not are refused by name, unasked."""
    for field, interval, start, end in (
        ("start", MINUTE, END.replace(tzinfo=None), END),
        ("end", MINUTE, END, END.replace(tzinfo=None)),
        ("interval", timedelta(minutes=7), END - MINUTE, END),
    ):
        with pytest.raises(InvalidFieldError) as caught:
            broker.list_candles(SYMBOL, interval, start, end)
        assert caught.value.field == field
    assert bench.front.count(ASK_BARS) == 0
