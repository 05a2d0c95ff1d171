"""Who waits for what: writes and their answers, the pace of messages, and streams."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import CancelledError
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from bot_v2.features.brokerages.core.events import StreamGap
from bot_v2.features.brokerages.ibkr.errors import LostError, NativeError, PacedError
from bot_v2.features.brokerages.ibkr.events import EventStream, Readers
from bot_v2.features.brokerages.ibkr.loop import LoopThread
from bot_v2.features.brokerages.ibkr.order_memory import OrderMemory
from bot_v2.features.brokerages.ibkr.order_writes import Cancel, Change, Placement, Trial, Write
from bot_v2.features.brokerages.ibkr.pace import Pace
from bot_v2.features.brokerages.ibkr.wire import (
    ErrorRow,
    ExecutionRow,
    MarginRow,
    StatusRow,
    execution_from_fields,
)
from tests.unit.ibkr.natives import fields_of, order_row

D = Decimal
NOW = datetime(2026, 7, 10, tzinfo=UTC)


def in_a_loop(work: Callable[[], Awaitable[None]]) -> None:
    """Run a coroutine."""

    async def run() -> None:
        await work()

    asyncio.run(run())


def said(code: int) -> ErrorRow:
    """Return an error about the order."""
    return ErrorRow(request_id=7, code=code, text="words")


def status(native: str, perm_id: int = 9) -> StatusRow:
    """Return a status of the order."""
    return StatusRow(
        order_id=7,
        status=native,
        filled="0",
        remaining="1",
        average="0",
        perm_id=perm_id,
        client_id=1,
        why_held="",
    )


def answered(write: Write) -> object:
    """Return the answer, or the error. None: there is none yet."""
    write.on_chunk()
    if not write.done.done():
        return None
    return write.done.exception() or write.done.result()


PLACEMENTS: list[tuple[list[object], object]] = [
    # what is said: what it comes to
    ([], None),
    ([order_row(status="PendingSubmit")], None),
    ([order_row(status="Submitted", permId=0)], None),
    ([order_row(status="Submitted")], True),
    ([status("PreSubmitted")], True),
    ([status("Filled")], True),
    ([said(399), said(2109), said(98765)], None),
    ([said(399), status("Submitted")], True),
    ([said(202)], None),
    ([said(201), order_row(status="Inactive")], 201),
    ([said(110)], 110),
    ([said(322)], 322),
    ([order_row(status="Submitted"), said(201)], True),
    ([said(10147)], None),
]


def tell(write: Write, word: object) -> None:
    """Have a write hear something."""
    if isinstance(word, ErrorRow):
        write.on_error(word)
    elif isinstance(word, StatusRow):
        write.on_status(word)
    else:
        row: Any = word
        write.on_order(row, None)


@pytest.mark.parametrize(("words", "answer"), PLACEMENTS)
def test_placements(words: list[object], answer: object) -> None:
    """An order is taken once the broker has it; warnings and unknown codes are no answer."""

    async def work() -> None:
        write = Placement(7)
        for word in words:
            tell(write, word)
        found = answered(write)
        assert (found.code if isinstance(found, NativeError) else found) == answer

    in_a_loop(work)


CANCELS: list[tuple[list[object], object]] = [
    ([status("PendingCancel")], True),
    ([status("Cancelled")], True),
    ([said(202)], True),
    ([status("Filled")], False),
    ([status("Submitted")], None),
    ([said(10148)], 10148),
    ([said(161)], 161),
    ([status("Cancelled"), said(161)], True),
    ([said(399)], None),
    ([said(322)], 322),
]


@pytest.mark.parametrize(("words", "answer"), CANCELS)
def test_cancels(words: list[object], answer: object) -> None:
    """A cancel is answered by the status, or by a code of its own; the first answer counts."""

    async def work() -> None:
        write = Cancel(7)
        for word in words:
            tell(write, word)
        found = answered(write)
        assert (found.code if isinstance(found, NativeError) else found) == answer

    in_a_loop(work)


def test_changes() -> None:
    """A change is there once the order is told with its terms, and not before."""

    async def work() -> None:
        write = Change(7, {"lmtPrice": "121"})
        tell(write, order_row())
        tell(write, status("Submitted"))
        assert answered(write) is None
        tell(write, order_row(lmtPrice=D("121.00")))
        assert answered(write) is True
        assert write.row is not None

    in_a_loop(work)


def test_trials() -> None:
    """What an order would do is told by figures; without them there is no answer."""

    async def work() -> None:
        write, empty = Trial(7), Trial(7)
        told = {"maintenance_after": "1", "equity_after": "1", "commission": "1"}
        rest = {"commission_currency": "USD", "warning": ""}
        empty.on_order(order_row(), MarginRow(initial_after="", **told, **rest))
        assert answered(empty) is None
        write.on_order(order_row(), MarginRow(initial_after="5", **told, **rest))
        assert answered(write) is True

    in_a_loop(work)


def test_a_loss_ends_the_waiting() -> None:
    """A write whose connection ends has that for its answer."""

    async def work() -> None:
        write = Placement(7)
        write.fail(LostError())
        assert isinstance(answered(write), LostError)

    in_a_loop(work)


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        """Start at zero."""
        self.now = 0.0

    def __call__(self) -> float:
        """Return the present moment."""
        return self.now


def test_the_pace() -> None:
    """In any second no more messages leave than may, and a fifth is kept for cancels."""

    async def work() -> None:
        clock = Clock()
        pace = Pace(10, clock=clock)
        assert [pace.try_take() for _ in range(8)] == [0.0] * 8
        assert pace.try_take() == 1.0
        assert pace.try_take(is_urgent=True) == 0.0
        assert pace.try_take(is_urgent=True) == 0.0
        assert pace.try_take(is_urgent=True) == 1.0
        with pytest.raises(PacedError):
            await pace.take(0.5)
        clock.now = 0.999
        assert pace.try_take() > 0
        clock.now = 1.0
        assert pace.try_take(count=3) == 0.0

    in_a_loop(work)


def test_a_message_that_waits_has_its_turn() -> None:
    """Who waits for room is let through in turn, and leaves within the limit."""

    async def work() -> None:
        pace = Pace(10, period_s=0.05)
        order: list[int] = []

        async def take(number: int) -> None:
            await pace.take(asyncio.get_running_loop().time() + 10)
            order.append(number)

        await asyncio.gather(*(take(number) for number in range(20)))
        assert order == list(range(20))

    in_a_loop(work)


def test_a_slow_reader() -> None:
    """What a reader was too slow for is told as a gap, with how much it was, in its place."""
    stream: EventStream[int] = EventStream(lambda: NOW, capacity=2)
    for number in range(5):
        stream.publish(number)
    assert [next(stream), next(stream)] == [0, 1]
    stream.publish(9)
    gap, last = next(stream), next(stream)
    assert isinstance(gap, StreamGap)
    assert (gap.missed, last) == (3, 9)
    for number in range(3):
        stream.publish(number)
    stream.close()
    assert [one if isinstance(one, int) else one.missed for one in stream] == [0, 1, 1]


def test_a_reader_that_waits() -> None:
    """A stream that is closed wakes who waits for it, and takes nothing more."""
    stream: EventStream[int] = EventStream(lambda: NOW)
    seen: list[object] = []
    reader = threading.Thread(target=lambda: seen.extend(stream))
    reader.start()
    stream.publish(1)
    stream.report("a gap")
    stream.close()
    reader.join(5)
    stream.publish(2)
    assert not reader.is_alive()
    assert seen[0] == 1
    assert [one.reason for one in seen if isinstance(one, StreamGap)] == ["a gap"]


def test_readers_get_what_they_want() -> None:
    """Each open stream gets the events that it wants, and a gap whatever it wants."""
    readers: Readers[int] = Readers()
    even, every = (EventStream[int](lambda: NOW) for _ in range(2))
    assert not readers
    readers.add(even, lambda number: number % 2 == 0)
    readers.add(every, lambda _: True)
    readers.publish(1)
    readers.publish(2)
    readers.report("lost")
    readers.remove(even)
    readers.remove(even)
    readers.publish(4)
    readers.remove(every)
    assert [one if isinstance(one, int) else "gap" for one in even] == [2, "gap"]
    assert [one if isinstance(one, int) else "gap" for one in every] == [1, 2, "gap", 4]


def test_a_loop_of_its_own() -> None:
    """Work runs in another thread, its errors come back, and the thread ends when it is told."""
    loop = LoopThread("loop of a test")

    async def where() -> str:
        return threading.current_thread().name

    async def fail() -> None:
        raise TimeoutError("of the work itself")

    async def call_back() -> str:
        return loop.run(where)

    assert loop.run(where) == "loop of a test"
    with pytest.raises(TimeoutError, match="of the work itself"):
        loop.run(fail)
    with pytest.raises(RuntimeError, match="wait for itself"):
        loop.run(call_back)
    loop.stop()
    loop.stop()
    loop.post(lambda: None)
    with pytest.raises(CancelledError):
        loop.run(where)
    assert "loop of a test" not in [one.name for one in threading.enumerate()]


def test_a_loop_that_is_stopped_under_its_work() -> None:
    """Who waits for work when the loop is stopped is told so, and waits no longer."""
    loop = LoopThread("another loop of a test")
    has_begun, found = threading.Event(), []

    async def last() -> None:
        has_begun.set()
        await asyncio.Event().wait()

    def wait() -> None:
        try:
            loop.run(last)
        except CancelledError as error:
            found.append(error)

    waiting = threading.Thread(target=wait)
    waiting.start()
    assert has_begun.wait(5)
    loop.stop()
    waiting.join(5)
    assert not waiting.is_alive()
    assert len(found) == 1


def test_who_is_urgent_waits_for_nobody() -> None:
    """A cancel that finds no room waits for it, before what has waited longer."""

    async def work() -> None:
        pace = Pace(1, period_s=0.05)
        assert not pace.try_take()
        order: list[str] = []

        async def take(name: str, is_urgent: bool) -> None:
            await pace.take(asyncio.get_running_loop().time() + 10, is_urgent=is_urgent)
            order.append(name)

        patient = [asyncio.create_task(take(name, False)) for name in ("first", "second")]
        await asyncio.sleep(0)
        await asyncio.gather(take("cancel", True), *patient)
        assert order.index("cancel") < order.index("second")
        with pytest.raises(PacedError):
            await pace.take(0.0, is_urgent=True)

    in_a_loop(work)


def test_what_an_order_waits_for() -> None:
    """The parent of an order is told, or known by its number, or named by its group, or none."""
    memory = OrderMemory()
    row = order_row(parentId=6, clientId=1)
    assert memory.parent_of(order_row()) == 0
    assert memory.parent_of(row) == 0
    assert memory.parent_of(order_row(parentId=6, ocaGroup="900000777")) == 900_000_777
    assert memory.parent_of(order_row(parentId=6, ocaGroup="mine")) == 0
    memory.take_order(order_row(orderId=6, permId=900_000_555))
    memory.take_order(order_row(orderId=0, permId=900_000_556))
    assert memory.parent_of(row) == 900_000_555
    memory.take_order(order_row(orderId=6, permId=0))
    assert memory.parent_of(row) == 900_000_555
    assert sorted(memory.rows) == [900_000_555, 900_000_556]


def execution_of(exec_id: str, total: str) -> ExecutionRow:
    """Return an execution of the order."""
    told = fields_of("execDetails", orderId=7, permId=9, execId=exec_id, cumQty=total)
    return execution_from_fields(told)[1]


def test_corrections_that_come_out_of_order() -> None:
    """Of an execution and its corrections the latest counts, whenever it comes."""
    memory = OrderMemory()
    names = [f"0000e0d5.6521a5b6.01.0{place}" for place in (2, 3, 1)]
    assert all(memory.take_execution(execution_of(name, "1")) for name in names)
    assert not memory.take_execution(execution_of(names[0], "1"))
    assert [one.exec_id for one in memory.executions_of(9)] == [names[1]]
    assert memory.corrected_by(names[1]) == names[0]
    assert memory.corrected_by(names[2]) is None
