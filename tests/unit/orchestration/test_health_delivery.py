from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from bot_v2.features.brokerages.core.interfaces import InvalidFieldError, StreamGap
from bot_v2.orchestration.health_delivery import ChangeStream, EventDispatcher
from bot_v2.orchestration.health_states import HealthChange, HealthEvent, HealthState
from tests.unit.orchestration.fake_brokerage import DOWN

NOW = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)
WAIT_S = 10.0


def change(name: str) -> HealthChange:
    """A change, told apart by its name."""
    return HealthChange(
        name=name, old=HealthState.UNKNOWN, new=HealthState.DOWN, health=DOWN, timestamp=NOW
    )


def stream_of(queue_max: int = 10) -> ChangeStream:
    """A stream whose end interests nobody."""
    return ChangeStream(lambda: NOW, queue_max, lambda stream: None)


def test_a_stream_yields_in_order_and_ends_when_closed() -> None:
    """What came before the end is still yielded, and what comes after it is not."""
    stream = stream_of()
    stream.publish(change("a"))
    stream.publish(change("b"))
    stream.close()
    stream.publish(change("c"))
    assert list(stream) == [change("a"), change("b")]
    assert list(stream) == []


def test_an_overflow_is_a_gap_in_its_place() -> None:
    """The oldest give way to the newest, and the gap before what is left says how many did."""
    stream = stream_of(queue_max=2)
    for name in "abcde":
        stream.publish(change(name))
    stream.close()
    gap, *rest = stream
    assert gap == StreamGap(timestamp=NOW, reason="more than 2 changes waited to be read", missed=3)
    assert rest == [change("d"), change("e")]


def test_a_reader_waits_for_the_next_change() -> None:
    """A reader that came first gets what is published later."""
    stream = stream_of()
    got: list[object] = []
    reader = threading.Thread(target=lambda: got.append(next(stream)))
    reader.start()
    stream.publish(change("a"))
    reader.join(WAIT_S)
    assert got == [change("a")]


def test_leaving_the_with_ends_the_stream_and_its_readers() -> None:
    """A reader in another thread does not wait for a stream that is closed."""
    closed: list[ChangeStream] = []
    read: list[object] = []
    with ChangeStream(lambda: NOW, 1, closed.append) as stream:
        reader = threading.Thread(target=lambda: read.extend(stream))
        reader.start()
    # Less than a reader waits at a stretch: it is the closing that wakes it.
    reader.join(0.5)
    assert not reader.is_alive()
    assert (read, closed) == ([], [stream])


def test_a_stream_has_room() -> None:
    """A queue that holds nothing would tell nothing."""
    with pytest.raises(InvalidFieldError, match="queue_max is 0; accepted: 1 or more"):
        stream_of(queue_max=0)


class Told:
    """A listener that keeps what it is told."""

    def __init__(self, until: int) -> None:
        self.events: list[HealthEvent] = []
        self.is_complete = threading.Event()
        self._until = until

    def __call__(self, event: HealthEvent) -> None:
        """Keep an event."""
        self.events.append(event)
        if len(self.events) == self._until:
            self.is_complete.set()

    @property
    def names(self) -> str:
        """The names of the changes, in the order they were told."""
        return "".join(event.name for event in self.events if isinstance(event, HealthChange))


def fail(event: HealthEvent) -> None:
    """A listener that can do nothing right."""
    raise ValueError("made to fail")


def leave(event: HealthEvent) -> None:
    """A listener that tries to end the program."""
    raise SystemExit(3)


@pytest.mark.parametrize("bad", [fail, leave])
def test_a_listener_that_raises_is_logged_and_told_the_next(
    caplog: pytest.LogCaptureFixture, bad: Callable[[HealthEvent], None]
) -> None:
    """Neither the other listeners nor the next event suffer from it."""
    told = Told(until=2)
    dispatcher = EventDispatcher([bad, told])
    dispatcher.start()
    dispatcher.publish(change("a"))
    dispatcher.publish(change("b"))
    assert told.is_complete.wait(WAIT_S)
    dispatcher.close()
    dispatcher.thread.join(WAIT_S)
    assert not dispatcher.thread.is_alive()
    assert told.names == "ab"
    failures = [record for record in caplog.records if record.exc_info]
    assert [record.message for record in failures] == ["a listener failed on a health event"] * 2


def test_a_listener_that_is_too_slow_loses_the_oldest(caplog: pytest.LogCaptureFixture) -> None:
    """The queue is bounded: what gave way is logged with its number."""
    caplog.set_level(logging.WARNING)
    is_called, may_go_on = threading.Event(), threading.Event()
    told = Told(until=3)

    def linger(event: HealthEvent) -> None:
        told(event)
        is_called.set()
        assert may_go_on.wait(WAIT_S)

    dispatcher = EventDispatcher([linger], queue_max=2)
    dispatcher.start()
    dispatcher.publish(change("a"))
    assert is_called.wait(WAIT_S)
    for name in "bcdef":
        dispatcher.publish(change(name))
    may_go_on.set()
    assert told.is_complete.wait(WAIT_S)
    dispatcher.close()
    dispatcher.thread.join(WAIT_S)
    assert told.names == "aef"
    assert [record.message for record in caplog.records] == [
        "health events lost, because a listener is too slow: 3"
    ]


def test_closing_tells_what_is_left() -> None:
    """What was published before the end is told before the thread ends."""
    told = Told(until=3)
    dispatcher = EventDispatcher([told])
    for name in "abc":
        dispatcher.publish(change(name))
    dispatcher.close()
    dispatcher.start()
    dispatcher.thread.join(WAIT_S)
    assert told.names == "abc"
