from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import islice
from typing import Any, cast

import pytest

from bot_v2.features.brokerages.core.brokerage import IBrokerage
from bot_v2.features.brokerages.core.capabilities import Capability
from bot_v2.features.brokerages.core.errors import (
    BrokerUnavailableError,
    InvalidFieldError,
    MarketDataUnavailableError,
)
from bot_v2.features.brokerages.core.market_data import Quote
from bot_v2.features.brokerages.core.orderbook import Orderbook, PriceLevel
from bot_v2.features.brokerages.core.products import Product
from bot_v2.simulation.clock import ManualClock
from bot_v2.simulation.default_products import product_for_symbol
from bot_v2.simulation.feeds.brokerage_feed import BrokerageFeed
from bot_v2.simulation.feeds.feed import PriceFeed
from bot_v2.simulation.feeds.pump import Pump

NOON = datetime(2024, 1, 2, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


class Source:
    """A brokerage of which only the prices matter: it says, or raises, what it is told to."""

    name = "source"

    def __init__(self, answers: Mapping[str, Any], **declared: Any) -> None:
        self.answers = dict(answers)
        self.asked: list[str] = []
        vars(self).update(declared)

    def get_product(self, symbol: str) -> Product:
        """The product of a symbol."""
        return product_for_symbol(symbol)

    def _answer(self, method: str, symbol: str) -> Any:
        self.asked.append(f"{method} {symbol}")
        answer = self.answers[symbol]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def get_quote(self, symbol: str) -> Any:
        """What was told to be the quote."""
        return self._answer("quote", symbol)

    def get_orderbook(self, symbol: str, level: int = 1) -> Any:
        """What was told to be the book."""
        return self._answer(f"book {level}", symbol)

    def get_price(self, symbol: str) -> Any:
        """What was told to be the price."""
        return self._answer("price", symbol)


QUOTES = {"capabilities": frozenset({Capability.QUOTES})}


def feed_of(source: Source, *symbols: str, clock: ManualClock | None = None) -> BrokerageFeed:
    """A feed of some symbols, polled each second."""
    broker = cast("IBrokerage", source)
    return BrokerageFeed(broker, symbols, clock=clock or ManualClock(NOON))


def quote(symbol: str, bid: int, at: datetime = NOON) -> Quote:
    """A quote one dollar wide."""
    return Quote(symbol=symbol, timestamp=at, bid=Decimal(bid), ask=Decimal(bid + 1))


def test_a_live_feed_is_a_feed_and_a_pump() -> None:
    """It names its source and its products, and is not synthetic."""
    live = feed_of(Source({}), "AAPL", "MSFT")
    feed: PriceFeed = live
    pump: Pump = live
    assert feed.description == "source, live: AAPL, MSFT"
    assert not feed.is_synthetic
    assert [product.symbol for product in feed.products] == ["AAPL", "MSFT"]
    assert pump is live


def test_quotes_are_read_where_the_brokerage_has_them() -> None:
    """A brokerage that declares quotes is asked for them."""
    source = Source({"AAPL": quote("AAPL", 10)}, **QUOTES)
    assert list(feed_of(source, "AAPL").due()) == [quote("AAPL", 10)]
    assert source.asked == ["quote AAPL"]


def test_else_the_book_is_read() -> None:
    """A book without a date is dated as it is read, and is the best bid and ask."""
    level = PriceLevel(Decimal(10), Decimal(1))
    book = Orderbook(symbol="AAPL", bids=(level,), asks=())
    source = Source({"AAPL": book})
    clock = ManualClock(NOON)
    feed = feed_of(source, "AAPL", clock=clock)
    assert list(feed.due()) == [Orderbook(symbol="AAPL", bids=(level,), asks=(), timestamp=NOON)]
    clock.advance(1)
    assert list(feed.due()) == []  # the same book again offers nothing new
    source.answers["AAPL"] = Orderbook(symbol="AAPL", bids=(), asks=(), timestamp=NOON - SECOND)
    clock.advance(1)
    assert list(feed.due()) == []  # a book that is older than the last is stale
    assert source.asked == ["book 1 AAPL"] * 3


def test_else_the_bare_price_is_read() -> None:
    """Where there is no book either, the price is a quote on both sides, of sizes not said."""
    ten = Decimal(10)
    source = Source({"AAPL": ten}, unsupported=frozenset({"get_orderbook"}))
    assert list(feed_of(source, "AAPL").due()) == [
        Quote(symbol="AAPL", timestamp=NOON, bid=ten, ask=ten, last=ten)
    ]


def test_polls_are_an_interval_apart() -> None:
    """Asked more often, the feed leaves the brokerage alone."""
    clock = ManualClock(NOON)
    source = Source({"AAPL": quote("AAPL", 10)}, **QUOTES)
    feed = feed_of(source, "AAPL", clock=clock)
    for _ in range(3):
        list(feed.due())
        clock.advance(0.4)
    assert len(source.asked) == 1
    list(feed.due())
    assert len(source.asked) == 2


def test_only_news_make_events_and_in_their_order() -> None:
    """Within a poll the oldest comes first; what was said before or is older is left out."""
    clock = ManualClock(NOON + SECOND)
    source = Source({"AAPL": quote("AAPL", 10, NOON + SECOND), "MSFT": quote("MSFT", 20)}, **QUOTES)
    feed = feed_of(source, "AAPL", "MSFT", clock=clock)
    assert [event.symbol for event in feed.due()] == ["MSFT", "AAPL"]
    clock.advance(1)
    source.answers["MSFT"] = quote("MSFT", 21, NOON + 2 * SECOND)
    assert list(feed.due()) == [source.answers["MSFT"]]
    clock.advance(1)
    source.answers["MSFT"] = quote("MSFT", 19, NOON)
    assert list(feed.due()) == []


def test_a_failed_read_is_raised_after_what_was_read() -> None:
    """One symbol's failure neither hides the others' prices nor looks like an empty answer."""
    clock = ManualClock(NOON)
    down = BrokerUnavailableError("down")
    source = Source({"AAPL": down, "MSFT": quote("MSFT", 20)}, **QUOTES)
    feed = feed_of(source, "AAPL", "MSFT", clock=clock)
    due = feed.due()
    assert next(due).symbol == "MSFT"
    with pytest.raises(BrokerUnavailableError):
        next(due)
    assert list(feed.due()) == []  # not due: a brokerage that is down is not hammered
    source.answers["AAPL"] = quote("AAPL", 10)
    clock.advance(1)
    assert [event.symbol for event in feed.due()] == ["AAPL"]


def test_no_price_now_is_an_answer() -> None:
    """A symbol without a price makes no event, and is named until it has one."""
    clock = ManualClock(NOON)
    source = Source({"AAPL": MarketDataUnavailableError("closed")}, **QUOTES)
    feed = feed_of(source, "AAPL", clock=clock)
    assert list(feed.due()) == []
    assert feed.unavailable == {"AAPL"}
    source.answers["AAPL"] = quote("AAPL", 10)
    clock.advance(1)
    assert len(list(feed.due())) == 1
    assert feed.unavailable == frozenset()


def test_events_wait_for_the_next_poll_and_survive_a_failure() -> None:
    """The iterator raises a failed read, goes on when asked again, and ends at close."""
    source = Source({"AAPL": BrokerUnavailableError("down")}, **QUOTES)
    feed = BrokerageFeed(cast("IBrokerage", source), ["AAPL"], interval_s=0.001)
    events = feed.events()
    with pytest.raises(BrokerUnavailableError):
        next(events)
    source.answers["AAPL"] = quote("AAPL", 10)
    assert next(events) == quote("AAPL", 10)
    source.answers["AAPL"] = quote("AAPL", 11, NOON + SECOND)
    assert list(islice(events, 1)) == [quote("AAPL", 11, NOON + SECOND)]
    closing = threading.Timer(0.01, feed.close)
    closing.start()
    assert list(events) == []
    closing.join()


def test_terms_that_make_no_feed_are_refused() -> None:
    """No symbol, or no time between polls, is refused by name."""
    with pytest.raises(InvalidFieldError, match="symbols is"):
        feed_of(Source({}))
    with pytest.raises(InvalidFieldError, match="interval_s is 0"):
        BrokerageFeed(cast("IBrokerage", Source({})), ["AAPL"], interval_s=0)
