"""Faults of whoever runs a bot: ids, processes, disks, clocks and signals that come twice."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from decimal import Decimal as D
from pathlib import Path
from typing import Any

import attrs
import pytest

from bot_v2.features.brokerages.core.interfaces import (
    InsufficientFundsError,
    InvalidFieldError,
    MissingDependencyError,
    OrderOutcomeUnknownError,
    OrderRequest,
    OrderSide,
    Outcome,
)
from bot_v2.orchestration.execution.risk_gate import OpenGate
from bot_v2.orchestration.execution.runtime import ThreadRuntime
from bot_v2.orchestration.journal import stores
from bot_v2.orchestration.journal.memory_journal import MemoryJournal
from bot_v2.orchestration.journal.records import OrderJournalError, Phase
from bot_v2.orchestration.journal.sql_journal import SqlJournal
from bot_v2.orchestration.journal.upkeep import check_integrity
from bot_v2.orchestration.order_executor import OrderExecutor
from tests.unit.orchestration.execution.desk import SYMBOL, Desk, buy, rest
from tests.unit.orchestration.execution.faults.meddling import (
    blind,
    declare,
    later,
    lose_answer,
    once,
    raising,
)
from tests.unit.orchestration.execution.test_order_executor import FullDisk

THREADS = 8


@pytest.fixture
def desk() -> Desk:
    """An executor over the paper brokerage, on virtual time."""
    return Desk()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a journal is."""
    return tmp_path / "orders.sqlite"


def at_once(work: Callable[[int], Any]) -> list[Any]:
    """Return what threads that start together come to."""
    start, results = threading.Barrier(THREADS), []

    def run(number: int) -> None:
        start.wait()
        results.append(work(number))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def threaded(desk: Desk, gate: Any = None) -> OrderExecutor:
    """An executor for real threads."""
    return OrderExecutor(
        desk.broker,
        MemoryJournal(),
        settings=desk.settings,
        gate=gate,
        runtime=ThreadRuntime(desk.world.clock),
    )


def test_o02_an_order_for_another_account_is_not_sent(desk: Desk) -> None:
    """O02: A request that names an account is sent to that one alone."""
    result = desk.executor.submit(buy(account_id="B-2"))
    assert isinstance(result.error, InvalidFieldError)
    assert result.error.field == "OrderRequest.account_id"
    assert desk.executor.submit(buy(account_id="paper")).success


def test_o03_two_processes_on_one_journal(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """O03: A second process is refused the file, and with it any order, while the first lives."""
    monkeypatch.setattr(stores, "BUSY_S", 0.01)
    url = f"sqlite:///{path}"
    with closing(SqlJournal(url)), pytest.raises(OrderJournalError, match="locked"):
        SqlJournal(url)


def test_o04_a_signal_that_comes_twice(desk: Desk) -> None:
    """O04: Threads that submit one signal under one id make one order, and hear the same of it."""
    executor = threaded(desk)
    results = at_once(lambda number: executor.submit(buy(client_order_id="signal-1")))
    assert {result.order_id for result in results} == {"o-000001"}
    assert len(desk.venue.orders_received()) == 1


class Limit(OpenGate):
    """A gate that lets some orders be under way at a time."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.held: set[str] = set()
        self.lock = threading.Lock()

    def reserve(self, request: OrderRequest) -> None:
        """Let an order pass while there is room."""
        with self.lock:
            if len(self.held) >= self.most:
                raise InsufficientFundsError("there are too many orders")
            self.held.add(request.client_order_id or "")

    def hold(self, request: OrderRequest) -> None:
        """Count an order."""
        self.held.add(request.client_order_id or "")

    def release(self, request: OrderRequest, order: object) -> None:
        """Count it no more."""
        self.held.discard(request.client_order_id or "")


def test_o05_o07_the_gate_is_asked_before_each_order(desk: Desk) -> None:
    """O05, O07: Many signals at once cannot pass a limit together; what it refuses is not sent."""
    executor = threaded(desk, Limit(3))
    results = at_once(lambda number: executor.submit(rest(client_order_id=f"s-{number}")))
    assert sum(result.success for result in results) == 3
    assert len(desk.venue.orders_received()) == 3
    refused = [result.error for result in results if result.error is not None]
    assert {error.outcome for error in refused} == {Outcome.NOT_SENT}


def test_o07_what_nobody_knows_of_holds_its_risk(desk: Desk) -> None:
    """O07: An order whose outcome is unknown counts towards the limit until it is settled."""
    executor = OrderExecutor(
        desk.broker, MemoryJournal(), settings=desk.settings, gate=Limit(1), runtime=desk.world
    )
    lose_answer(desk)
    with blind(desk):
        assert isinstance(executor.submit(buy()).error, OrderOutcomeUnknownError)
        assert isinstance(executor.submit(buy()).error, InsufficientFundsError)
    executor.reconcile()
    assert executor.submit(buy()).success


@pytest.mark.parametrize("writes", [0, 1, 2])
def test_o08_a_full_disk(writes: int) -> None:
    """O08: Nothing is sent that cannot be written down, not even a second time."""
    desk = Desk(journal=FullDisk(writes))
    results = [desk.executor.submit(buy(client_order_id=name)) for name in ("one", "two")]
    sent = [result.success for result in results]
    assert sent == [writes > 0, False]
    assert len(desk.venue.orders_received()) == sum(sent)


def test_o09_a_torn_journal_is_an_error(path: Path, desk: Desk) -> None:
    """O09: What was damaged is found, is never read as absent, and stops the order under its id."""
    with closing(SqlJournal(f"sqlite:///{path}")) as journal:
        Desk(journal=journal).executor.submit(buy(client_order_id="one"))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE journal_intents SET payload = substr(payload, 1, 100)")
        connection.commit()
    with closing(SqlJournal(f"sqlite:///{path}")) as journal:
        assert check_integrity(journal) == ["intent 'paper/paper/one' is not what was written"]
        desk = Desk(journal=journal)
        result = desk.executor.submit(buy(client_order_id="one"))
        assert isinstance(result.error, OrderJournalError)
        assert desk.venue.requests_received("place_order") == 0


@pytest.mark.parametrize(
    "url", ["postgresql+none://bot:hunter2@db/orders", "mysql://bot:hunter2@db/orders", "hunter2"]
)
def test_o10_a_journals_address_is_not_told(url: str) -> None:
    """O10: A URL that cannot be used is not repeated, as it may hold a password."""
    with pytest.raises((OrderJournalError, MissingDependencyError)) as raised:
        SqlJournal(url)
    assert "hunter2" not in f"{raised.value!r} {raised.value}"


def test_o11_a_journal_of_another_version_is_not_touched(path: Path) -> None:
    """O11: A program that does not know the journal's version does not open it."""
    SqlJournal(f"sqlite:///{path}").close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE journal_facts SET value = '2'")
        connection.commit()
    with pytest.raises(OrderJournalError, match="schema version 2; this is version 1"):
        SqlJournal(f"sqlite:///{path}")


@pytest.mark.parametrize("jump", [timedelta(hours=1), timedelta(hours=-1)], ids=str)
def test_o12_a_clock_that_jumps_proves_nothing(desk: Desk, jump: timedelta) -> None:
    """O12: What is waited for is time that passes: a clock that is set does not bring it about."""
    lag = attrs.evolve(desk.broker.idempotency, visibility_lag_s=10.0)
    declare(desk, idempotency=lag)
    request = buy(client_order_id="one")
    real = desk.broker.place_order
    # It arrives eight seconds after the send; the clock is set a moment after it.
    later(desk, 8, lambda: real(request))
    later(desk, 1, lambda: desk.world.set_clock(jump))
    lost = OrderOutcomeUnknownError("there was no answer")
    once(desk, "place_order", raising(lost))
    result = desk.executor.submit(request)
    assert (result.success, result.order_id) == (True, "o-000001")
    state = desk.executor.find("one")
    assert state is not None
    assert state.phase is Phase.ENDED


def test_o13_a_stop_of_new_risk_leaves_the_rest_to_be_finished(desk: Desk) -> None:
    """O13: What is under way is found out and can be cancelled while new orders are refused."""
    gate = Limit(1)
    executor = OrderExecutor(
        desk.broker, MemoryJournal(), settings=desk.settings, gate=gate, runtime=desk.world
    )
    lose_answer(desk)
    with blind(desk):
        assert not executor.submit(rest(client_order_id="one")).success
    gate.most = 0
    assert isinstance(executor.submit(buy()).error, InsufficientFundsError)
    (settled,) = executor.reconcile().settled
    assert executor.cancel(settled.order_id or "").success
    executor.reconcile()
    assert executor.list_open() == []
    assert gate.held == set()


@pytest.mark.parametrize("quantity", [D("NaN"), D("-1"), D(0), D("Infinity"), 0.1, "1"], ids=str)
def test_o14_a_quantity_that_is_none_makes_no_request(quantity: Any) -> None:
    """O14: A request with a senseless or inexact quantity cannot be made, let alone submitted."""
    with pytest.raises(InvalidFieldError):
        OrderRequest(symbol=SYMBOL, side=OrderSide.BUY, quantity=quantity)
