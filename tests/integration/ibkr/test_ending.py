"""A session that one thread ends while others use it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest

from bot_v2.features.brokerages.core.interfaces import (
    BrokerageError,
    ConnectionError,
    OrderStatus,
    Outcome,
)
from bot_v2.features.brokerages.ibkr.adapter import IbkrBrokerage
from bot_v2.features.brokerages.ibkr.base import utc_now
from bot_v2.features.brokerages.ibkr.pace import Pace
from bot_v2.features.brokerages.ibkr.session import Link
from tests.integration.ibkr.conftest import RESTING, Bench
from tests.integration.ibkr.front import OPEN_ORDER, PLACE, STATUS, Message, swallow

D = Decimal
WAIT_S = 10.0
TIME, HELLO, POSITIONS_END = "49", "71", "72"


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """Threads that end with the test."""
    with ThreadPoolExecutor(4) as pool:
        yield pool


class Gate:
    """Tells when a message came by, and passes it on or not."""

    def __init__(self, *, passes: bool = False) -> None:
        """Wait for the message."""
        self.came = threading.Event()
        self.held: list[Message] = []
        self._passes = passes

    def __call__(self, message: Message) -> Sequence[Message]:
        """Take in a message."""
        self.held.append(message)
        self.came.set()
        return [message] if self._passes else []


def outcome_of(done: Future[Any]) -> Outcome | None:
    """Return the outcome that a call ends with: an error of ours, whatever happened."""
    error = done.exception(WAIT_S)
    assert isinstance(error, BrokerageError), repr(error)
    return error.outcome


def threads_of_connections() -> list[str]:
    """Return what the threads are called that serve connections."""
    return [one.name for one in threading.enumerate() if one.name.startswith("ibkr-")]


def test_an_order_that_waits_for_its_answer_when_the_session_ends(
    bench: Bench, pool: ThreadPoolExecutor
) -> None:
    """An order that left before another thread ended the session is unknown, and is found."""
    broker = bench.open(timeout_s=WAIT_S)
    gate = Gate(passes=True)
    bench.front.on_going(PLACE, gate)
    bench.front.on_coming(OPEN_ORDER, swallow, times=2)
    bench.front.on_coming(STATUS, swallow, times=2)
    placing = pool.submit(broker.place_order, RESTING)
    assert gate.came.wait(WAIT_S)
    while not bench.venue.orders_received():
        time.sleep(0.001)
    broker.disconnect()
    assert outcome_of(placing) is Outcome.UNKNOWN
    bench.front.coming.clear()
    broker.connect()
    assert bench.the_order(broker).status is OrderStatus.OPEN


def test_an_order_that_waits_for_room_when_the_session_ends(
    bench: Bench, pool: ThreadPoolExecutor
) -> None:
    """An order that waits for its turn when the session ends is told not to have been sent."""
    broker = bench.open(timeout_s=WAIT_S)
    core = broker._link.core
    assert core is not None
    pace = core.gateway._pace = Pace(1, period_s=WAIT_S / 2)
    assert broker.check_health().api_responsive
    placing = pool.submit(broker.place_order, RESTING)
    while not pace._turn.locked():
        time.sleep(0.001)
    broker.disconnect()
    assert outcome_of(placing) is Outcome.NOT_SENT
    assert bench.placements == 0


def test_an_order_that_waits_for_the_connection_when_the_session_ends(
    bench: Bench, pool: ThreadPoolExecutor
) -> None:
    """An order that waits for a lost connection to open is not sent once the session has ended."""
    broker = bench.open(timeout_s=WAIT_S, connect_timeout_s=WAIT_S)
    gate = Gate()
    bench.front.on_going(HELLO, gate)
    bench.front.cut()
    placing = pool.submit(broker.place_order, RESTING)
    assert gate.came.wait(WAIT_S)
    broker.disconnect()
    assert outcome_of(placing) is Outcome.NOT_SENT
    assert bench.placements == 0
    assert threads_of_connections() == []


class EndingLink(Link):
    """A link that ends under whoever has just looked what is open."""

    end: Callable[[], None] | None = None

    @property
    def core(self) -> Any:
        """What is open, which is ended before it is used."""
        core, end = super().core, self.end
        if end is not None:
            self.end = None
            end()
        return core


def test_an_order_that_comes_just_as_the_session_ends(bench: Bench) -> None:
    """An order that finds its session ended just now opens no other connection, and is not sent."""
    settings = bench.make(direct=True).settings
    link = EndingLink(settings, utc_now)
    broker = IbkrBrokerage(settings, link=link)
    broker.connect()
    link.end = broker.disconnect
    with pytest.raises(ConnectionError) as caught:
        broker.place_order(RESTING)
    assert caught.value.outcome is Outcome.NOT_SENT
    assert bench.venue.orders_received() == []
    assert threads_of_connections() == []


def test_threads_that_use_a_session_while_it_ends(bench: Bench, pool: ThreadPoolExecutor) -> None:
    """Whatever is called while a session ends is answered, or fails with an error of ours."""
    broker = bench.make(direct=True, timeout_s=WAIT_S, requests_per_s=100_000)
    stop = threading.Event()

    def read() -> list[BaseException]:
        found: list[BaseException] = []
        while not stop.is_set():
            try:
                broker.list_orders()
            except BrokerageError:
                stop.wait(0.001)
            except BaseException as error:  # noqa: BLE001 - any is what is looked for
                found.append(error)
        return found

    reading = [pool.submit(read) for _ in range(3)]
    for _ in range(20):
        broker.connect()
        broker.disconnect()
    stop.set()
    assert [error for one in reading for error in one.result(WAIT_S)] == []
    end = time.monotonic() + WAIT_S
    while bench.venue.gateway.sessions and time.monotonic() < end:
        time.sleep(0.01)
    assert not list(bench.venue.gateway.sessions)
    assert threads_of_connections() == []
