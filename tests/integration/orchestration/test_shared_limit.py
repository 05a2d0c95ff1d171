"""One limit, four processes of 32 bots: judged by the account, it is never exceeded, and used."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Iterator
from contextlib import closing, nullcontext
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bot_v2.features.brokerages.core.order_terms import OrderSide
from bot_v2.orchestration.order_executor import OrderExecutor
from bot_v2.orchestration.risk.sql_store import SqlReservations
from tests.integration.orchestration.far_account import FarBrokerage
from tests.integration.orchestration.limited_bots import (
    AT_THE_BROKER,
    BEFORE_INTENT,
    UNITS,
    Shift,
    WatchedAccount,
    die_holding,
    executing,
    order,
    work,
)

PROCESSES = 4
BOTS = 32
WANTED = 4
PATIENCE_S = 60.0

pytestmark = pytest.mark.uncovered


@pytest.fixture(scope="module")
def processes() -> Any:
    """What makes processes quickly: where it can, it forks one that has everything imported."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([work.__module__, "sqlalchemy.dialects.sqlite", "psycopg"])
    return context


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A store of each kind, empty."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'risk.sqlite'}"
    else:
        yield request.getfixturevalue("postgres_url")


def shifts(account: WatchedAccount, store: str, folder: Path, wanted: int = WANTED) -> list[Shift]:
    """What each process does; in SQLite each has a journal of its own."""
    return [
        Shift(
            number=number,
            address=account.address,
            journal=store
            if store.startswith("postgresql")
            else f"sqlite:///{folder / f'orders{number}.sqlite'}",
            store=store,
            folder=folder,
            bots=BOTS,
            wanted=wanted,
        )
        for number in range(PROCESSES)
    ]


def test_the_limit_is_never_exceeded_and_is_used(
    processes: Any, store: str, tmp_path: Path
) -> None:
    """Whatever the bots of all processes do at once, the account never holds more than allowed."""
    account = WatchedAccount()
    ready = processes.Barrier(PROCESSES)
    started = time.monotonic()
    running = [
        processes.Process(target=work, args=(shift, ready), daemon=True)
        for shift in shifts(account, store, tmp_path)
    ]
    for process in running:
        process.start()
    for process in running:
        process.join(PATIENCE_S)
    assert [process.exitcode for process in running] == [0] * PROCESSES
    took_s = time.monotonic() - started
    print(f"{store[:8]}: {account.tallies}, most {account.most}, {took_s:.1f} s")
    assert account.most == UNITS
    assert account.least >= 0
    assert account.tallies["bought"] == account.tallies["sold"] >= WANTED * PROCESSES
    assert account.exposed() == (Decimal(0), Decimal(0))


def is_held(store: str, name: str) -> bool:
    """Whether the reservation of an order is held."""
    with closing(SqlReservations(store)) as opened, opened.turn() as book:
        return name in {each.client_order_id for each in book.list_held()}


def kill_holding(processes: Any, shift: Shift, how: str) -> None:
    """Let a process hold one unit, and kill it."""
    process = processes.Process(target=die_holding, args=(shift, how), daemon=True)
    process.start()
    deadline = time.monotonic() + PATIENCE_S
    wanted = {BEFORE_INTENT: 0, AT_THE_BROKER: 1}[how]
    name = f"p{shift.number}held"
    while not is_held(shift.store, name) and time.monotonic() < deadline:
        threading.Event().wait(0.02)
    account = FarBrokerage(shift.address)
    while len(account.list_orders()) < wanted and time.monotonic() < deadline:
        threading.Event().wait(0.02)
    assert process.is_alive()
    process.kill()
    process.join()


@pytest.mark.parametrize("how", [BEFORE_INTENT, AT_THE_BROKER])
def test_what_a_killed_process_holds_is_held_until_its_end_is_known(
    processes: Any, store: str, tmp_path: Path, how: str
) -> None:
    """Others cannot use it while nobody knows; the next process of its journal gives it back."""
    account = WatchedAccount()
    dead, other = shifts(account, store, tmp_path)[:2]
    kill_holding(processes, dead, how)
    name = f"p{dead.number}held"
    assert is_held(store, name)

    broker = FarBrokerage(account.address)
    shares_journal = dead.journal == other.journal
    with executing(other, broker) as beside:
        units = [order(OrderSide.BUY, f"unit{number}") for number in range(UNITS)]
        bought = [beside.submit(unit).success for unit in units]
        # In PostgreSQL the other has the journal of the dead as well, and can look into it.
        is_known = shares_journal and how == BEFORE_INTENT
        assert sum(bought) == (UNITS if is_known else UNITS - 1)
        assert is_held(store, name) is not is_known
        with nullcontext(beside) if shares_journal else executing(dead, broker) as after:
            give_back(after, store, name, how)
        assert beside.submit(order(OrderSide.BUY, "unit")).success is not is_known
    assert account.most == UNITS


def give_back(after: OrderExecutor, store: str, name: str, how: str) -> None:
    """Let the process that has the journal now find out what the dead one left, and end it."""
    deadline = time.monotonic() + PATIENCE_S
    assert after.recover().unsettled == ()
    if how == AT_THE_BROKER:
        assert is_held(store, name), "the order lives"
        state = after.find(name)
        assert state is not None
        assert after.cancel(state.order_id or "").success
    while is_held(store, name) and time.monotonic() < deadline:
        # PostgreSQL may not have heard yet that the process is gone.
        after.reconcile()
    assert not is_held(store, name)
