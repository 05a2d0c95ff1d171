"""Streams: bounded, in order, honest about what was missed, and never asleep for ever."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from bot_v2.features.brokerages.core.errors import AuthenticationError
from bot_v2.features.brokerages.core.events import StreamGap
from bot_v2.features.brokerages.streaming.events import Broadcaster, EventStream, Subscription

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
JOIN_S = 20.0


def wait_for_ever() -> None:
    """Say that nothing will come by itself."""


def stream(capacity: int = 3) -> EventStream[int]:
    """A small stream."""
    return EventStream[int](lambda: NOW, wait_for_ever, capacity)


def test_events_come_in_order_and_end_with_the_stream() -> None:
    """What arrived before the end is still yielded, in order."""
    events = stream()
    for number in (1, 2, 3):
        events.publish(number)
    events.close()
    events.publish(4)
    assert list(events) == [1, 2, 3]


def test_what_does_not_fit_becomes_a_gap_where_it_was_missed() -> None:
    """A slow reader learns how many events it missed, and between which."""
    events = stream(capacity=2)
    for number in range(5):
        events.publish(number)
    assert [next(events), next(events)] == [0, 1]
    gap = next(events)
    assert isinstance(gap, StreamGap)
    assert (gap.missed, gap.timestamp) == (3, NOW)
    events.publish(5)
    assert next(events) == 5


def test_a_gap_is_yielded_before_what_came_after_it() -> None:
    """An event that fits again after some that did not comes after the gap."""
    events = stream(capacity=2)
    for number in range(4):
        events.publish(number)
    assert next(events) == 0
    events.publish(4)
    events.close()
    assert [item if isinstance(item, int) else item.missed for item in events] == [1, 2, 4]


def test_closing_wakes_every_waiting_reader() -> None:
    """A thread that waits for an event ends when the stream is closed."""
    events = stream()
    seen: list[list[int | StreamGap]] = []
    readers = [threading.Thread(target=lambda: seen.append(list(events))) for _ in range(3)]
    for reader in readers:
        reader.start()
    events.close()
    for reader in readers:
        reader.join(JOIN_S)
    assert seen == [[], [], []]


def test_no_event_is_lost_between_threads() -> None:
    """Readers that wait are woken by each event: all arrive, each once."""
    events = stream(capacity=100_000)
    seen: list[int] = []
    lock = threading.Lock()

    def read() -> None:
        for event in events:
            assert isinstance(event, int)
            with lock:
                seen.append(event)

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    for number in range(5_000):
        events.publish(number)
    events.close()
    for reader in readers:
        reader.join(JOIN_S)
    assert sorted(seen) == list(range(5_000))


def test_an_event_published_while_idling_is_yielded_without_waiting() -> None:
    """What `idle` itself publishes is not slept over."""

    def idle() -> None:
        events.publish(7)

    events = EventStream[int](lambda: NOW, idle)
    assert next(events) == 7


def test_idle_is_asked_again_after_its_own_time() -> None:
    """A reader with nothing to yield comes back to `idle` when that said so."""
    calls: list[int] = []

    def idle() -> float:
        calls.append(len(calls))
        if len(calls) == 3:
            events.publish(1)
        return 0.001

    events = EventStream[int](lambda: NOW, idle)
    assert next(events) == 1
    assert len(calls) == 3


def subscribe(broadcaster: Broadcaster[int]) -> Subscription[int]:
    """A stream of the even numbers."""
    return Subscription(broadcaster, lambda number: number % 2 == 0, stream, lambda: None)


def test_a_subscription_hears_what_it_wants_while_it_is_entered() -> None:
    """Nothing from before, nothing unwanted, and nothing after the end."""
    broadcaster = Broadcaster[int]()
    broadcaster.open()
    broadcaster.publish(0)
    with subscribe(broadcaster) as events:
        for number in (1, 2, 3, 4):
            broadcaster.publish(number)
        counts = [broadcaster.has_readers]
        assert [next(events), next(events)] == [2, 4]
        broadcaster.publish(6)
    broadcaster.publish(8)
    assert list(events) == []
    assert [*counts, broadcaster.has_readers] == [True, False]


def test_each_subscriber_gets_every_event() -> None:
    """Two streams do not take each other's events."""
    broadcaster = Broadcaster[int]()
    broadcaster.open()
    with subscribe(broadcaster) as first, subscribe(broadcaster) as second:
        broadcaster.publish(2)
        both: tuple[Iterator[int | StreamGap], ...] = (first, second)
        assert [next(events) for events in both] == [2, 2]


def test_a_closed_broadcaster_ends_old_and_new_streams() -> None:
    """A stream that is opened after the end does not wait for ever."""
    broadcaster = Broadcaster[int]()
    broadcaster.open()
    with subscribe(broadcaster) as before:
        broadcaster.publish(2)
        broadcaster.close()
        assert list(before) == [2]
    with subscribe(broadcaster) as after:
        assert list(after) == []


def test_a_stream_that_cannot_start_is_closed() -> None:
    """Nothing is kept for a stream that was never entered."""
    broadcaster = Broadcaster[int]()
    broadcaster.open()

    def refuse() -> None:
        assert broadcaster.has_readers, "events before the start would be missed"
        raise ConnectionError

    with (
        pytest.raises(ConnectionError),
        Subscription(broadcaster, lambda _: True, stream, refuse),
    ):
        pytest.fail("the stream was entered")
    assert not broadcaster.has_readers


def test_a_stream_may_end_with_an_error() -> None:
    """What arrived is yielded first; then each reader is told why there is no more."""
    events = stream()
    events.publish(1)
    events.close(AuthenticationError("no"))
    events.close(AuthenticationError("another"))
    assert next(events) == 1
    for _ in range(2):
        with pytest.raises(AuthenticationError, match="no"):
            next(events)
    assert events.is_closed


def test_a_stream_that_is_left_ends_without_its_error() -> None:
    """Who leaves is told nothing any more."""
    events = stream()
    events.publish(1)
    events.close(AuthenticationError("no"))
    events.close(discard=True)
    assert list(events) == []


def test_gaps_that_do_not_fit_are_part_of_the_gap() -> None:
    """What they say was missed is added; where one does not know, nobody does."""
    events = stream(capacity=1)
    for event in (0, 1, StreamGap(timestamp=NOW, reason="lost", missed=4)):
        events.publish(event)
    assert next(events) == 0
    gap = next(events)
    assert isinstance(gap, StreamGap)
    assert gap.missed == 5
    for event in (0, StreamGap(timestamp=NOW, reason="lost"), 1):
        events.publish(event)
    assert next(events) == 0
    gap = next(events)
    assert isinstance(gap, StreamGap)
    assert gap.missed is None
    for event in (0, 1):
        events.publish(event)
    assert next(events) == 0
    gap = next(events)
    assert isinstance(gap, StreamGap)
    assert gap.missed == 1
