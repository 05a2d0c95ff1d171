"""What is awaited, what is cancelled, and what is kept."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from datetime import timedelta
from decimal import Decimal
from typing import Any, TypeAlias

import pytest

from bot_v2.features.brokerages.core.errors import (
    BrokerageError,
    BrokerUnavailableError,
    ConnectionError,
    InvalidFieldError,
    InvalidRequestError,
    OrderOutcomeUnknownError,
    OrderRejectedError,
    Outcome,
    UnsupportedOperationError,
)
from bot_v2.features.brokerages.core.interfaces import OrderRequest, OrderResult
from bot_v2.features.brokerages.core.order_changes import OrderModification
from bot_v2.orchestration.aio import writes
from bot_v2.orchestration.aio.calls import AsyncSettings
from bot_v2.orchestration.aio.lanes import ThreadLane
from bot_v2.orchestration.async_brokerage import AsyncBrokerage, WriteRecord, WriteState
from tests.unit.orchestration.aio.scripted import (
    NOW,
    PATIENCE_S,
    Gate,
    Scripted,
    request,
    run_in,
    taken,
    until,
)

Scenario: TypeAlias = Callable[[Coroutine[Any, Any, None]], None]


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Scenario:
    """Runs a coroutine in a loop of each kind that is installed."""
    if request.param == "uvloop":
        pytest.importorskip("uvloop")
    return lambda coroutine: run_in(request.param, coroutine)


@pytest.fixture
def scripted() -> Scripted:
    """What is wrapped."""
    return Scripted()


@pytest.fixture
def told() -> list[WriteRecord]:
    """What `on_outcome` was called with."""
    return []


@pytest.fixture
def broker(scripted: Scripted, told: list[WriteRecord]) -> AsyncBrokerage:
    """The brokerage under test, with one thread for writes."""
    return AsyncBrokerage(
        scripted,
        settings=AsyncSettings(read_threads=2, write_threads=1),
        on_outcome=told.append,
        clock=lambda: NOW,
    )


async def cancelled(task: asyncio.Task[Any]) -> None:
    """Cancel a task, and see that it ends so."""
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_results_and_errors_are_the_brokerages(
    run: Scenario, broker: AsyncBrokerage, scripted: Scripted
) -> None:
    """A coroutine returns what the method returns, and raises what it raises."""
    refusal = OrderRejectedError("no")

    async def scenario() -> None:
        assert await broker.connect()
        assert await broker.get_price("BTC-USD") == Decimal("7.5")
        assert await broker.place_order(request()) == taken(request())
        assert await broker.cancel_order("1") is False

        def refuse() -> None:
            raise refusal

        scripted.on_place = refuse
        with pytest.raises(OrderRejectedError) as caught:
            await broker.place_order(request())
        assert caught.value is refusal
        assert broker.list_unheard() == []

    run(scenario())


def test_a_write_that_waits_is_withdrawn(
    run: Scenario, broker: AsyncBrokerage, scripted: Scripted, told: list[WriteRecord]
) -> None:
    """Cancelled while it waits for a thread, an order is not sent, and that is known."""
    gate = Gate()
    scripted.on_place = gate

    async def scenario() -> None:
        first = asyncio.create_task(broker.place_order(request("first")))
        await gate.entered()
        second = asyncio.create_task(broker.place_order(request("second")))
        await asyncio.sleep(0)
        (under_way, waiting) = broker.list_unheard()
        assert (under_way.state, waiting.state) == (WriteState.UNDER_WAY, WriteState.WAITING)
        await cancelled(second)
        gate.open()
        await first
        with pytest.raises(BrokerageError, match="nothing was sent") as caught:
            await broker.get_outcome("second")
        assert caught.value.outcome is Outcome.NOT_SENT
        assert caught.value.client_order_id == "second"

    run(scenario())
    assert [one.client_order_id for one in scripted.placed] == ["first"]
    assert told == []


def test_a_write_under_way_goes_on(
    run: Scenario,
    broker: AsyncBrokerage,
    scripted: Scripted,
    told: list[WriteRecord],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Cancelled under way, an order is placed, and what came of it is kept and told."""
    gate = Gate()
    scripted.on_place = gate

    async def scenario() -> None:
        placing = asyncio.create_task(broker.place_order(request()))
        await gate.entered()
        await cancelled(placing)
        (unheard,) = broker.list_unheard()
        assert unheard.state is WriteState.UNDER_WAY
        assert unheard.client_order_ids == ("mine",)
        assert unheard.asked_at == NOW
        asking = asyncio.create_task(broker.get_outcome("mine"))
        await asyncio.sleep(0)
        assert not asking.done()
        gate.open()
        assert await asking == taken(request())
        assert broker.list_unheard() == []
        assert await broker.get_outcome("mine") == taken(request())
        await until(lambda: bool(told))

    run(scenario())
    assert [(one.client_order_ids, one.result) for one in told] == [(("mine",), taken(request()))]
    assert "place_order mine ended with nobody waiting: accepted" in caplog.text


def test_an_unknown_outcome_is_kept_as_such(
    run: Scenario, broker: AsyncBrokerage, scripted: Scripted, told: list[WriteRecord]
) -> None:
    """A cancelled placement whose outcome is unknown says so when it is asked after."""
    gate = Gate()

    def fail() -> None:
        gate()
        raise OrderOutcomeUnknownError("who knows")

    scripted.on_place = fail

    async def scenario() -> None:
        placing = asyncio.create_task(broker.place_order(request()))
        await gate.entered()
        await cancelled(placing)
        gate.open()
        await until(lambda: bool(told))
        assert [one.state for one in broker.list_unheard()] == [WriteState.ENDED]
        with pytest.raises(OrderOutcomeUnknownError, match="who knows"):
            await broker.get_outcome("mine")
        assert broker.list_unheard() == []

    run(scenario())


def test_a_cancellation_that_comes_last_loses_nothing(
    run: Scenario, broker: AsyncBrokerage, told: list[WriteRecord]
) -> None:
    """An order that was placed before the cancellation, and not yet told of, is told of."""

    async def scenario() -> None:
        placing = asyncio.create_task(broker.place_order(request()))
        await asyncio.sleep(0)
        # The loop is held up until the write has ended: its result cannot have been delivered.
        pause = threading.Event()
        while broker.list_unheard()[0].state is not WriteState.ENDED:
            pause.wait(0.001)
        await cancelled(placing)
        assert [one.result for one in told] == [taken(request())]
        assert await broker.get_outcome("mine") == taken(request())

    run(scenario())


def test_a_loop_that_ends_loses_nothing(
    run: Scenario, broker: AsyncBrokerage, scripted: Scripted, told: list[WriteRecord]
) -> None:
    """An order whose loop is closed while it is under way is still placed, and told of."""
    gate = Gate()
    scripted.on_place = gate
    left: list[asyncio.Task[Any]] = []

    async def ends_early() -> None:
        left.append(asyncio.create_task(broker.place_order(request())))
        await gate.entered()

    async def asks_later() -> None:
        await until(lambda: bool(told))
        assert await broker.get_outcome("mine") == taken(request())

    run(ends_early())
    assert left[0].cancelled()
    gate.open()
    run(asks_later())


def test_cancels_are_kept_too(
    run: Scenario, broker: AsyncBrokerage, scripted: Scripted, told: list[WriteRecord]
) -> None:
    """A cancelled cancel is listed under its order until somebody has taken note of it."""
    gate = Gate()
    scripted.on_place = gate

    async def scenario() -> None:
        cancelling = asyncio.create_task(broker.cancel_order("77"))
        await gate.entered()
        await cancelled(cancelling)
        gate.open()
        await until(lambda: bool(told))
        (record,) = broker.list_unheard()
        assert (record.operation, record.order_id, record.result) == ("cancel_order", "77", False)
        broker.forget_outcome(record)
        assert broker.list_unheard() == []
        broker.forget_outcome(record)

    run(scenario())


def test_the_outcome_that_says_most_counts(
    run: Scenario, broker: AsyncBrokerage, scripted: Scripted
) -> None:
    """Of several placements under one id, one that was taken counts before one that was not."""

    async def scenario() -> None:
        await broker.place_order(request())

        def refuse() -> None:
            raise OrderRejectedError("a duplicate")

        scripted.on_place = refuse
        with pytest.raises(OrderRejectedError):
            await broker.place_order(request())
        assert await broker.get_outcome("mine") == taken(request())
        with pytest.raises(InvalidRequestError, match="no write under that"):
            await broker.get_outcome("another")

    run(scenario())


def test_who_listens_may_fail(
    run: Scenario, scripted: Scripted, caplog: pytest.LogCaptureFixture
) -> None:
    """An `on_outcome` that raises is logged, and the outcome is kept."""
    gate = Gate()
    scripted.on_place = gate

    def listen(record: WriteRecord) -> None:
        raise RuntimeError("the listener is broken")

    broker = AsyncBrokerage(scripted, on_outcome=listen)

    async def scenario() -> None:
        placing = asyncio.create_task(broker.place_order(request()))
        await gate.entered()
        await cancelled(placing)
        gate.open()
        assert await broker.get_outcome("mine") == taken(request())
        assert await broker.aclose() == []
        await until(lambda: "the listener is broken" in caplog.text)

    run(scenario())


def test_reads_that_hang_hold_up_nothing_else(
    run: Scenario, broker: AsyncBrokerage, scripted: Scripted
) -> None:
    """While every thread for reads hangs, orders are placed and the session is looked after."""
    gate = Gate()
    scripted.on_read = gate

    async def scenario() -> None:
        reads = [asyncio.create_task(broker.get_price("BTC-USD")) for _ in range(3)]
        await gate.entered()
        await gate.entered()
        assert (await broker.place_order(request())).success
        assert (await broker.check_health()).connected
        assert await broker.is_connected()
        # The third waits for a thread: cancelled, it is not made at all.
        await cancelled(reads[2])
        # The first is under way: its wait ends at once, and what comes of it is of no use.
        await cancelled(reads[0])
        gate.open()
        assert await reads[1] == Decimal("7.5")

    run(scenario())


def test_an_order_has_its_id_before_it_is_sent(
    run: Scenario, broker: AsyncBrokerage, scripted: Scripted
) -> None:
    """A request without a client id gets one here, so that what comes of it can be found."""

    async def scenario() -> None:
        result = await broker.place_order(request(None))
        assert result.client_order_id == scripted.placed[0].client_order_id
        assert len(result.client_order_id) == 18
        assert await broker.get_outcome(result.client_order_id) == result

    run(scenario())


def test_ids_are_made_as_told(run: Scenario, scripted: Scripted) -> None:
    """An id source that is given makes the ids, of pairs of orders too."""
    ids = iter(["a", "b"])
    broker = AsyncBrokerage(scripted, ids=lambda: next(ids))

    async def scenario() -> None:
        first, second = await broker.place_oco(request(None), request(None))
        assert (first.client_order_id, second.client_order_id) == ("a", "b")
        assert await broker.get_outcome("b") == (first, second)

    run(scenario())


class Executor:
    """Writes down what it does, and answers as told."""

    def __init__(self, error: BrokerageError | None = None) -> None:
        self.journal: list[object] = []
        self._error = error

    def submit(self, request: OrderRequest) -> OrderResult:
        """Write the order down."""
        return self._answer(request.client_order_id)

    def modify(self, order_id: str, modification: OrderModification) -> OrderResult:
        """Write the change down."""
        return self._answer(order_id)

    def close_position(self, symbol: str) -> OrderResult:
        """Write the close down."""
        return self._answer(symbol)

    def _answer(self, what: str | None) -> OrderResult:
        self.journal.append(what)
        if self._error is not None:
            return OrderResult(success=False, client_order_id="x", error=self._error)
        return OrderResult(success=True, client_order_id="x", order_id="9")


MODIFICATION = OrderModification(price=Decimal(2))


def test_an_executor_writes_down_first(run: Scenario, scripted: Scripted) -> None:
    """With an executor, orders are placed, changed and closed through it, and not beside it."""
    executor = Executor()
    broker = AsyncBrokerage(scripted, executor=executor)

    async def scenario() -> None:
        assert (await broker.place_order(request())).order_id == "9"
        assert (await broker.modify_order("3", MODIFICATION)).order_id == "9"
        assert (await broker.close_position("BTC-USD")).order_id == "9"
        assert executor.journal == ["mine", "3", "BTC-USD"]
        assert scripted.placed == []

    run(scenario())


def test_an_executors_failures_are_raised(run: Scenario, scripted: Scripted) -> None:
    """What an executor returns as a failure is raised, as the contract of the methods wants it."""
    broker = AsyncBrokerage(scripted, executor=Executor(OrderOutcomeUnknownError("who knows")))

    async def scenario() -> None:
        for write in (
            broker.place_order(request()),
            broker.modify_order("3", MODIFICATION),
            broker.close_position("BTC-USD"),
        ):
            with pytest.raises(OrderOutcomeUnknownError):
                await write

    run(scenario())


def test_optional_operations_pass_through(
    run: Scenario, broker: AsyncBrokerage, scripted: Scripted
) -> None:
    """What is declared is called; what is not raises, and nothing is called."""

    async def scenario() -> None:
        assert (await broker.modify_order("3", MODIFICATION)).order_id == "3"
        assert await broker.login_url() == "https://example.org/login"
        await broker.complete_login({"code": "1"})
        assert scripted.logins == ["code"]
        assert await broker.list_accounts() == []
        other = await broker.for_account("B")
        assert isinstance(other, AsyncBrokerage)
        assert await other.get_price("BTC-USD") == Decimal("7.5")
        await other.aclose()
        now = NOW
        for absent in (
            broker.get_order_by_client_id("1"),
            broker.list_fills(),
            broker.get_account(),
            broker.get_margin(),
            broker.get_order_margin(request()),
            broker.preview_order(request()),
            broker.get_quote("BTC-USD"),
            broker.list_trades("BTC-USD"),
            broker.list_candles("BTC-USD", timedelta(hours=1), now, now),
            broker.list_option_contracts("AAPL"),
            broker.list_symbol_matches("bit"),
            broker.get_market_status("BTC-USD"),
            broker.list_holdings(),
            broker.get_fees("BTC-USD"),
        ):
            with pytest.raises(UnsupportedOperationError, match="does not declare"):
                await absent
        with pytest.raises(UnsupportedOperationError, match="does not declare OrderStream"):
            broker.stream_orders()

    run(scenario())


def test_closing_waits_for_writes(
    run: Scenario, broker: AsyncBrokerage, scripted: Scripted
) -> None:
    """An order under way ends before the session does; then no call is taken any more."""
    gate = Gate()
    scripted.on_place = gate

    async def scenario() -> None:
        placing = asyncio.create_task(broker.place_order(request()))
        await gate.entered()
        closing = asyncio.create_task(broker.aclose())
        await asyncio.sleep(0.01)
        assert scripted.disconnects == 0
        with pytest.raises(ConnectionError) as caught:
            await broker.place_order(request())
        assert caught.value.outcome is Outcome.NOT_SENT
        gate.open()
        assert (await placing).success
        assert await closing == []
        assert scripted.disconnects == 1
        assert await broker.aclose() == []
        assert scripted.disconnects == 1
        assert not await broker.is_connected()
        assert not (await broker.check_health()).connected
        with pytest.raises(ConnectionError):
            await broker.get_price("BTC-USD")

    run(scenario())


def test_closing_tells_what_it_did_not_wait_for(
    run: Scenario, broker: AsyncBrokerage, scripted: Scripted
) -> None:
    """A write that outlasts the time for it is returned, and goes on."""
    gate = Gate()
    scripted.on_place = gate

    async def scenario() -> None:
        placing = asyncio.create_task(broker.place_order(request()))
        await gate.entered()
        (left,) = await broker.aclose(timeout_s=0.01)
        assert (left.client_order_ids, left.state) == (("mine",), WriteState.UNDER_WAY)
        assert scripted.disconnects == 1
        gate.open()
        assert (await placing).success

    run(scenario())


def test_closing_does_not_wait_for_ever(
    run: Scenario, broker: AsyncBrokerage, scripted: Scripted, caplog: pytest.LogCaptureFixture
) -> None:
    """A brokerage that does not disconnect holds nobody up beyond the time for it."""
    gate = Gate()
    scripted.on_disconnect = gate

    async def scenario() -> None:
        await broker.aclose(timeout_s=0.01)
        assert "scripted does not disconnect" in caplog.text
        gate.open()

    run(scenario())


def test_a_block_connects_and_closes(
    run: Scenario, broker: AsyncBrokerage, scripted: Scripted
) -> None:
    """`async with` connects, and leaves nothing open."""

    async def scenario() -> None:
        async with broker as entered:
            assert entered is broker
            assert scripted.connects == 1
        assert scripted.disconnects == 1

    run(scenario())


def test_a_block_that_cannot_connect_is_closed(
    run: Scenario, broker: AsyncBrokerage, scripted: Scripted
) -> None:
    """Where connecting fails the error is raised, and no thread is left."""

    def refuse() -> bool:
        raise ConnectionError("unreachable", outcome=None)

    scripted.on_connect = refuse

    async def scenario() -> None:
        with pytest.raises(ConnectionError, match="unreachable"):
            async with broker:
                raise AssertionError
        assert not await broker.is_connected()

    run(scenario())


def test_what_is_declared_is_the_brokerages(broker: AsyncBrokerage, scripted: Scripted) -> None:
    """Name, capabilities and the rest are those of the brokerage."""
    assert broker.name == "scripted"
    assert broker.capabilities == scripted.capabilities
    assert broker.native is None
    assert repr(broker) == "AsyncBrokerage('scripted')"


def test_old_writes_are_forgotten_and_unheard_ones_stay(
    run: Scenario, broker: AsyncBrokerage, scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The latest writes are remembered, and all of which nobody has heard."""
    monkeypatch.setattr(writes, "HEARD_MAX", 3)
    monkeypatch.setattr(writes, "_TRIM_EVERY", 1)
    broker = AsyncBrokerage(scripted)
    gate = Gate()

    async def scenario() -> None:
        scripted.on_place = gate
        placing = asyncio.create_task(broker.place_order(request("unheard")))
        await gate.entered()
        await cancelled(placing)
        gate.open()
        for number in range(20):
            await broker.place_order(request(str(number)))
        assert [one.client_order_ids for one in broker.list_unheard()] == [("unheard",)]
        assert await broker.get_outcome("19") == taken(request("19"))
        with pytest.raises(InvalidRequestError):
            await broker.get_outcome("0")

    run(scenario())


def test_what_nobody_asks_for_gives_way_in_the_end(
    scripted: Scripted, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Outcomes that nobody ever asks for are bounded; one that gives way is logged whole."""
    monkeypatch.setattr(writes, "HEARD_MAX", 0)
    monkeypatch.setattr(writes, "UNHEARD_MAX", 1)
    monkeypatch.setattr(writes, "_TRIM_EVERY", 1)
    ledger = writes.WriteLedger(lambda: NOW)
    for number in range(3):
        subject = writes.WriteSubject(operation="place_order", client_order_ids=(str(number),))
        write = ledger.open(subject)
        write.run(lambda: True)
        write.abandon()
    assert [one.subject.client_order_ids for one in ledger.unheard()] == [("2",)]
    assert "nobody asked what came of" in caplog.text


def test_a_write_that_is_not_over_has_no_value() -> None:
    """What came of a write is not told before it is over."""
    ledger = writes.WriteLedger(lambda: NOW)
    write = ledger.open(writes.WriteSubject(operation="cancel_order", order_id="1"))
    with pytest.raises(InvalidRequestError, match="not over"):
        write.value()


def test_threads_are_bounded_and_end(run: Scenario) -> None:
    """A lane has no more threads than it may, and none when it has had nothing to do."""
    lane = ThreadLane("test", 2, idle_s=0.01)
    gate = Gate()

    async def scenario() -> None:
        done: list[int] = []

        def call(number: int) -> None:
            gate()
            done.append(number)

        for number in range(5):
            lane.submit(lambda number=number: call(number))  # type: ignore[misc] # a default binds the number now
        await gate.entered()
        await gate.entered()
        assert lane.thread_count == 2
        gate.open()
        await until(lambda: sorted(done) == [0, 1, 2, 3, 4])
        await until(lambda: lane.thread_count == 0)
        lane.submit(lambda: done.append(5))
        await until(lambda: done[-1] == 5)
        lane.close()
        with pytest.raises(ConnectionError):
            lane.submit(lambda: None)
        await until(lambda: lane.thread_count == 0)

    run(scenario())


def test_what_is_withdrawn_does_not_pile_up() -> None:
    """While every thread hangs, calls that are given up take no room; what has begun stays."""
    lane = ThreadLane("test", 1)
    begun, gate = threading.Event(), threading.Event()

    def hang() -> None:
        begun.set()
        gate.wait(PATIENCE_S)

    under_way = lane.submit(hang)
    assert begun.wait(PATIENCE_S)
    tickets = [lane.submit(hang) for _ in range(5)]
    assert lane.waiting_count == 5
    assert [ticket.withdraw() for ticket in tickets] == [True] * 5
    assert [ticket.withdraw() for ticket in (*tickets, under_way)] == [False] * 6
    assert lane.waiting_count == 0
    gate.set()
    lane.close()


def test_a_free_thread_is_used_again() -> None:
    """A call takes a thread that is free before another is started."""
    lane = ThreadLane("test", 8, idle_s=PATIENCE_S)
    done = threading.Event()
    lane.submit(done.set)
    assert done.wait(PATIENCE_S)
    pause = threading.Event()
    for _ in range(5):
        while not lane.idle_count:
            pause.wait(0.001)
        done.clear()
        lane.submit(done.set)
        assert done.wait(PATIENCE_S)
    assert lane.thread_count == 1
    lane.close()


def test_a_process_without_threads_says_so(
    run: Scenario, broker: AsyncBrokerage, scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no thread can be started, nothing is sent, and the error says so."""

    class NoThread:
        def __init__(self, **_: object) -> None:
            """Promise nothing."""

        def start(self) -> None:
            """Fail as an exhausted process does."""
            raise RuntimeError("can't start new thread")

    async def scenario() -> None:
        with monkeypatch.context() as patch:
            patch.setattr(threading, "Thread", NoThread)
            with pytest.raises(BrokerUnavailableError) as caught:
                await broker.place_order(request())
        assert caught.value.outcome is Outcome.NOT_SENT
        assert broker.list_unheard() == []
        gate = Gate()
        scripted.on_read = gate
        reading = asyncio.create_task(broker.get_price("BTC-USD"))
        await gate.entered()
        with monkeypatch.context() as patch:
            # One thread there is: the call waits for it.
            patch.setattr(threading, "Thread", NoThread)
            another = asyncio.create_task(broker.get_price("BTC-USD"))
            await asyncio.sleep(0)
        gate.open()
        assert await reading == await another
        await broker.aclose()

    run(scenario())
    assert scripted.placed == []


@pytest.mark.parametrize("name", ["read_threads", "write_threads", "stream_queue_max"])
def test_bounds_are_checked(name: str) -> None:
    """A bound below one is refused, by its name."""
    with pytest.raises(InvalidFieldError, match=f"AsyncSettings.{name}"):
        AsyncSettings(**{name: 0})


def test_a_lane_has_a_thread() -> None:
    """A lane without a thread would take calls and never make them."""
    with pytest.raises(InvalidFieldError):
        ThreadLane("test", 0)
