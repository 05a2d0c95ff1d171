"""Streams as async iterators: in order, bounded, and closed whatever ends them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bot_v2.features.brokerages.core.errors import (
    ConnectionError,
    InvalidFieldError,
    InvalidRequestError,
)
from bot_v2.features.brokerages.core.events import QuoteEvent, StreamGap
from bot_v2.orchestration.aio import streams
from bot_v2.orchestration.aio.streams import EventQueue
from bot_v2.orchestration.async_brokerage import AsyncBrokerage
from tests.unit.orchestration.aio.scripted import NOW, Gate, Scripted, quote, until
from tests.unit.orchestration.aio.test_async_brokerage import Scenario, cancelled, run

__all__ = ["run"]


@pytest.fixture
def scripted() -> Scripted:
    """What is wrapped."""
    return Scripted()


@pytest.fixture
def broker(scripted: Scripted) -> AsyncBrokerage:
    """The brokerage under test."""
    return AsyncBrokerage(scripted, clock=lambda: NOW)


async def read(events: Any, count: int) -> list[Any]:
    """Read so many events."""
    return [await anext(events) for _ in range(count)]


def test_events_come_in_order(run: Scenario, broker: AsyncBrokerage, scripted: Scripted) -> None:
    """What the brokerage yields is read in order; leaving the block closes its stream."""
    scripted.events = [quote("1"), quote("2"), StreamGap(timestamp=NOW, reason="lost"), quote("3")]

    async def scenario() -> None:
        async with broker.stream_quotes(["BTC-USD"]) as events:
            assert await read(events, 4) == scripted.events
            assert scripted.streams_open == 1
        assert scripted.streams_open == 0
        with pytest.raises(StopAsyncIteration):
            await anext(events)

    run(scenario())


def test_a_wait_that_is_cancelled_loses_no_event(
    run: Scenario, broker: AsyncBrokerage, scripted: Scripted
) -> None:
    """The event that a cancelled wait would have returned goes to the next one."""
    gate = Gate()
    scripted.events = [gate, quote("1")]

    async def scenario() -> None:
        async with broker.stream_quotes(["BTC-USD"]) as events:
            waiting = asyncio.ensure_future(anext(events))
            await gate.entered()
            await cancelled(waiting)
            gate.open()
            assert await anext(events) == quote("1")

    run(scenario())


def test_a_cancelled_reader_closes_its_stream(
    run: Scenario, broker: AsyncBrokerage, scripted: Scripted
) -> None:
    """A task that is cancelled within the block closes the brokerage's stream."""

    async def scenario() -> None:
        async def listen() -> None:
            async with broker.stream_quotes(["BTC-USD"]) as events:
                async for _ in events:
                    pass

        listening = asyncio.create_task(listen())
        await until(lambda: scripted.streams_open == 1)
        await cancelled(listening)
        assert scripted.streams_open == 0

    run(scenario())


def test_a_stream_that_nobody_waits_for_is_closed(
    run: Scenario, broker: AsyncBrokerage, scripted: Scripted
) -> None:
    """A stream whose opening is cancelled is closed as soon as it is open."""
    gate = Gate()
    scripted.on_open = gate

    async def scenario() -> None:
        opening = asyncio.ensure_future(broker.stream_quotes(["BTC-USD"]).__aenter__())
        await gate.entered()
        await cancelled(opening)
        gate.open()
        await until(lambda: scripted.opened == 1 and scripted.streams_open == 0)

    run(scenario())


def test_a_stream_that_opened_at_the_last_moment_is_closed(
    run: Scenario, broker: AsyncBrokerage, scripted: Scripted
) -> None:
    """A stream that is open when its opening is cancelled, and not yet told of, is closed."""

    async def scenario() -> None:
        opening = asyncio.ensure_future(broker.stream_quotes(["BTC-USD"]).__aenter__())
        await asyncio.sleep(0)
        hold = Gate()
        hold.open()
        # The loop is held up until the stream is open: nobody can have been told.
        while not scripted.streams_open:
            hold()
        await cancelled(opening)
        await until(lambda: scripted.opened == 1 and scripted.streams_open == 0)

    run(scenario())


def test_the_end_and_the_error_reach_the_reader(
    run: Scenario, broker: AsyncBrokerage, scripted: Scripted
) -> None:
    """What was yielded before an error is read before it is raised."""
    scripted.events = [quote("1"), ConnectionError("gone", outcome=None)]

    async def scenario() -> None:
        async with broker.stream_quotes(["BTC-USD"]) as events:
            assert await anext(events) == quote("1")
            with pytest.raises(ConnectionError, match="gone"):
                await anext(events)

    run(scenario())


def test_an_opening_that_fails_is_raised(
    run: Scenario, broker: AsyncBrokerage, scripted: Scripted
) -> None:
    """A stream that the brokerage cannot open raises its error, and is not asked twice."""

    def refuse() -> None:
        raise ConnectionError("unreachable", outcome=None)

    scripted.on_open = refuse

    async def scenario() -> None:
        stream = broker.stream_quotes(["BTC-USD"])
        with pytest.raises(ConnectionError, match="unreachable"):
            await stream.__aenter__()
        with pytest.raises(InvalidRequestError, match="opened once"):
            await stream.__aenter__()

    run(scenario())


def test_closing_the_brokerage_ends_its_streams(
    run: Scenario, broker: AsyncBrokerage, scripted: Scripted
) -> None:
    """`aclose` ends each iterator, and closes each stream; a stream is not opened after it."""

    async def scenario() -> None:
        async with broker.stream_quotes(["BTC-USD"]) as events:
            waiting = asyncio.ensure_future(anext(events))
            await asyncio.sleep(0)
            await broker.aclose()
            with pytest.raises(StopAsyncIteration):
                await waiting
            assert scripted.streams_open == 0
        with pytest.raises(ConnectionError):
            await broker.stream_quotes(["BTC-USD"]).__aenter__()

    run(scenario())


def test_a_stream_that_does_not_close_is_logged(
    run: Scenario,
    broker: AsyncBrokerage,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """An error at a stream's closing does not keep the brokerage from closing."""

    async def fail(_: object) -> None:
        raise ConnectionError("stuck", outcome=None)

    async def scenario() -> None:
        await broker.stream_quotes(["BTC-USD"]).__aenter__()
        with monkeypatch.context() as patch:
            patch.setattr(streams.AsyncEventStream, "aclose", fail)
            await broker.aclose()
        assert "a stream of scripted did not close" in caplog.text

    run(scenario())


def queue_of(capacity: int) -> EventQueue[QuoteEvent]:
    """A queue with a clock that stands."""
    return EventQueue(lambda: NOW, capacity)


def test_what_does_not_fit_is_told_as_a_gap(run: Scenario) -> None:
    """A reader who is too slow gets the first events, then how many went by."""

    async def scenario() -> None:
        queue = queue_of(2)
        for number in range(5):
            queue.put(quote(str(number)))
        queue.put(StreamGap(timestamp=NOW, reason="lost", missed=4))
        assert [await queue.get(), await queue.get()] == [quote("0"), quote("1")]
        gap = await queue.get()
        assert isinstance(gap, StreamGap)
        assert gap.missed == 7
        assert gap.reason == "the loop was too slow: more than 2 events waited"

    run(scenario())


def test_a_gap_stands_where_the_events_were(run: Scenario) -> None:
    """What comes after a gap is read after it; nobody knows how many where a gap did not say."""

    async def scenario() -> None:
        queue = queue_of(2)
        queue.put(quote("0"))
        queue.put(quote("1"))
        queue.put(StreamGap(timestamp=NOW, reason="lost"))
        await queue.get()
        queue.put(quote("2"))
        assert await queue.get() == quote("1")
        gap = await queue.get()
        assert isinstance(gap, StreamGap)
        assert gap.missed is None
        assert await queue.get() == quote("2")
        queue.end()
        queue.put(quote("3"))
        with pytest.raises(StopAsyncIteration):
            await queue.get()

    run(scenario())


def test_a_queue_has_room() -> None:
    """A queue without room would tell gaps alone."""
    with pytest.raises(InvalidFieldError, match="queue_max"):
        queue_of(0)
