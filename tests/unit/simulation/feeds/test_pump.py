from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot_v2.features.brokerages.core.errors import BrokerUnavailableError, InvalidFieldError
from bot_v2.features.brokerages.core.market_data import Candle, Quote
from bot_v2.features.brokerages.core.products import Product
from bot_v2.simulation.clock import ManualClock, utc_now
from bot_v2.simulation.feeds.feed import PriceFeed
from bot_v2.simulation.feeds.pump import FeedPump, Pump
from bot_v2.simulation.market import MarketEvent, event_time

NOON = datetime(2024, 1, 2, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


class ListedFeed:
    """A feed of given events, which may break off."""

    description = "listed"
    is_synthetic = True
    products: tuple[Product, ...] = ()

    def __init__(self, events: Sequence[MarketEvent], failure: Exception | None = None) -> None:
        self._events = events
        self._failure = failure

    def events(self) -> Iterator[MarketEvent]:
        """Yield the events, then break off."""
        yield from self._events
        if self._failure is not None:
            raise self._failure


def quotes(*seconds: float) -> list[MarketEvent]:
    """A quote at each of some seconds after noon."""
    return [
        Quote(symbol="BTC-USD", timestamp=NOON + second * SECOND, bid=Decimal(index + 1))
        for index, second in enumerate(seconds)
    ]


def test_only_what_is_due_is_handed_over() -> None:
    """Up to the present moment and not beyond, each event once."""
    clock = ManualClock(NOON)
    events = quotes(0, 1, 1, 2)
    feed: PriceFeed = ListedFeed(events)
    pump: Pump = FeedPump(feed, clock)
    assert list(pump.due()) == events[:1]
    assert list(pump.due()) == []
    clock.advance(1)
    assert list(pump.due()) == events[1:3]
    clock.advance(60)
    assert list(pump.due()) == events[3:]
    assert list(pump.due()) == []


def test_a_candle_is_due_when_it_ends() -> None:
    """What a bar says is not known before its interval has passed."""
    one = Decimal(1)
    candle = Candle(
        symbol="AAPL", open_time=NOON, interval=60 * SECOND, open=one, high=one, low=one, close=one
    )
    clock = ManualClock(NOON + 59 * SECOND)
    pump = FeedPump(ListedFeed([candle]), clock)
    assert pump.next_time() == NOON + 60 * SECOND
    assert list(pump.due()) == []
    clock.advance(1)
    assert list(pump.due()) == [candle]
    assert pump.next_time() is None


def test_a_replay_moves_the_clock_to_each_event() -> None:
    """Step by step, the clock stands at the event that is handed over; at the end it stays."""
    clock = ManualClock(NOON)
    events = quotes(5, 5, 9)
    pump = FeedPump(ListedFeed(events), clock)
    assert pump.step() == events[0]
    assert clock() == NOON + 5 * SECOND
    assert [(event, clock()) for event in pump.replay()] == [
        (events[1], NOON + 5 * SECOND),
        (events[2], NOON + 9 * SECOND),
    ]
    assert pump.step() is None
    assert clock() == NOON + 9 * SECOND


def test_an_event_of_the_past_does_not_move_the_clock() -> None:
    """A recording that is older than the clock is handed over at once."""
    clock = ManualClock(NOON + 60 * SECOND)
    pump = FeedPump(ListedFeed(quotes(1)), clock)
    assert pump.step() is not None
    assert clock() == NOON + 60 * SECOND


def test_a_clock_that_runs_by_itself_cannot_be_moved() -> None:
    """Stepping with the machine's clock is refused, and loses no event."""
    pump = FeedPump(ListedFeed(quotes(1)), utc_now)
    with pytest.raises(InvalidFieldError, match="a ManualClock"):
        pump.step()
    assert len(list(pump.due())) == 1


def test_a_feed_that_broke_off_does_not_look_ended() -> None:
    """What came before the failure is handed over; the failure is raised at each later call."""
    clock = ManualClock(NOON + 60 * SECOND)
    failure = BrokerUnavailableError("down")
    events = quotes(1, 2)
    pump = FeedPump(ListedFeed(events, failure), clock)
    due = pump.due()
    assert [next(due), next(due)] == events
    with pytest.raises(BrokerUnavailableError):
        next(due)
    for ask in (lambda: list(pump.due()), pump.step, pump.next_time):
        with pytest.raises(BrokerUnavailableError):
            ask()


@given(
    gaps=st.lists(st.integers(0, 3), max_size=30),
    moves=st.lists(st.integers(0, 5), max_size=30),
)
def test_every_event_comes_once_in_order_and_never_early(gaps: list[int], moves: list[int]) -> None:
    """However the clock moves, events come in their order, once, and at or after their time."""
    seconds = [sum(gaps[: index + 1]) for index in range(len(gaps))]
    events = quotes(*seconds)
    clock = ManualClock(NOON)
    pump = FeedPump(ListedFeed(events), clock)
    handed_over: list[MarketEvent] = []
    for move in moves:
        clock.advance(move)
        fresh = list(pump.due())
        assert all(event_time(event) <= clock() for event in fresh)
        handed_over += fresh
        following = pump.next_time()
        assert following is None or following > clock()
    assert handed_over == events[: len(handed_over)]
    assert handed_over + list(pump.replay()) == events
