"""A process that submits at full speed is killed: nothing is lost, and nothing placed twice."""

from __future__ import annotations

import logging
import multiprocessing
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from bot_v2.features.brokerages.core.errors import Outcome
from bot_v2.orchestration.journal.journal import Scope
from bot_v2.orchestration.journal.records import (
    Entry,
    Intent,
    IntentState,
    JournalOwnershipError,
    Phase,
)
from bot_v2.orchestration.journal.schema import OPEN
from bot_v2.orchestration.journal.sql_journal import SqlJournal
from bot_v2.orchestration.journal.upkeep import check_integrity
from bot_v2.orchestration.order_executor import OrderExecutor
from tests.integration.orchestration.far_account import FarAccount, FarBrokerage
from tests.integration.orchestration.killed_submitter import (
    AT_THE_BROKER,
    BOTS,
    SETTINGS,
    Life,
    Step,
    id_of,
    live,
)
from tests.unit.orchestration.journal.test_journals import NOW, SCOPE, intent

KILLS = 20
NIGHTLY_KILLS = 200
PATIENCE_S = 120.0
NO_ONE: list[int] = []


@pytest.fixture(scope="module")
def processes() -> Any:
    """What makes processes quickly: where it can, it forks one that has everything imported."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([live.__module__, "sqlalchemy.dialects.sqlite", "psycopg"])
    return context


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A store of each kind, empty."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'orders.sqlite'}"
    made: str = request.getfixturevalue("postgres_url")
    return made


def lives(kills: int, chance: random.Random) -> Iterator[tuple[Step, int]]:
    """Yield where each process dies: at any moment, and at each of the steps by turns."""
    chosen = [step for step in Step if step is not Step.ANY]
    for number in range(kills):
        if number % 2:
            yield Step.ANY, chance.randrange(1, 200)
        else:
            yield chosen[number // 2 % len(chosen)], chance.randrange(1, 25)


class Killer:
    """Kills processes that trade in an account, and keeps what has to be true afterwards.

    Args:
        processes: makes processes.
        url: the journal that they share, one after the other.
        journal: the journal's class.
    """

    def __init__(self, processes: Any, url: str, journal: type[SqlJournal] = SqlJournal) -> None:
        """Open the account."""
        self._processes = processes
        self._url = url
        self._journal = journal
        self.account = FarAccount()
        self._resumes = NO_ONE
        self._timers: list[threading.Timer] = []
        self._chance = random.Random(20260302)
        self.submitted: set[str] = set()
        self.lives = 0

    def kill(self, step: Step, count: int) -> None:
        """Let a process trade, and kill it."""
        self.lives += 1
        life = Life(
            number=self.lives,
            url=self._url,
            address=self.account.address,
            step=step,
            count=count,
            resumes=self._resumes,
            journal=self._journal,
        )
        process = self._processes.Process(target=live, args=(life,), daemon=True)
        told_before = len(self.account.told)
        started = self._lie_in_wait(process, step, count)
        process.start()
        started.set()
        process.join(PATIENCE_S)
        code = process.exitcode
        process.kill()
        process.join()
        for timer in self._timers:
            timer.join()
        self._timers.clear()
        process.close()
        assert code == -getattr(signal, "SIGKILL", signal.SIGTERM), f"{step}: it ended with {code}"
        self.account.wait_until_left()
        told = [name for name, _ in self.account.told[told_before:]]
        own = [name for name in told if name.startswith(f"life{self.lives}bot")]
        counted = Counter(name.partition("n")[0] for name in own)
        self._resumes = [counted[f"life{self.lives}bot{bot}"] for bot in range(BOTS)]
        self.submitted.update(
            id_of(self.lives, bot, number + 1)
            for bot in range(BOTS)
            for number in range(self._resumes[bot] + 1)
        )

    def _lie_in_wait(self, process: Any, step: Step, count: int) -> threading.Event:
        """Kill from here, where it is for the broker, or for chance, to do; once it has begun."""
        started = threading.Event()
        waited_for = AT_THE_BROKER.get(step, "call" if step is Step.ANY else None)
        left = iter(range(count, 0, -1))
        counting = threading.Lock()
        delay_s = self._chance.uniform(0, 0.004)

        def on_call(reached: str) -> None:
            if reached != waited_for:
                return
            with counting:
                if next(left, None) != 1:
                    return
            started.wait()
            if step is Step.ANY:
                # From another thread, so that its call is answered meanwhile.
                self._timers.append(threading.Timer(delay_s, process.kill))
                self._timers[-1].start()
            else:
                process.kill()
                wait([process.sentinel])

        self.account.on_call = on_call
        return started

    def check(self) -> str:
        """Recover for the last time; compare everything with the broker's truth."""
        broker = FarBrokerage(self.account.address)
        with closing(SqlJournal(self._url)) as journal:
            executor = OrderExecutor(broker, journal, settings=SETTINGS)
            report = executor.recover()
            deadline = time.monotonic() + PATIENCE_S
            while _claims(journal) and time.monotonic() < deadline:
                # PostgreSQL may not have heard yet that a process is gone.
                threading.Event().wait(0.02)
                report = executor.recover()
            assert _claims(journal) == 0
            assert check_integrity(journal) == []
            assert report.unsettled == ()
            assert report.differences == ()
            assert report.failed_reads == ()
            assert report.foreign_orders == ()
            self._check_orders(executor, broker)
            scope = Scope(broker=broker.name, account_id=broker.get_account_id())
            booked = [fill.trade_id for fill in journal.list_fills(scope)]
            assert sorted(booked) == sorted(fill.trade_id for fill in broker.list_fills())
        broker.disconnect()
        return (
            f"{self.lives} kills, {self.account.placed.total()} orders, {len(self.account.told)} "
            f"answers, {self.account.found_out} found out by recovery"
        )

    def _check_orders(self, executor: OrderExecutor, broker: FarBrokerage) -> None:
        twice = {name: count for name, count in self.account.placed.items() if count > 1}
        assert twice == {}
        placed = {order.client_order_id or "": order for order in broker.list_orders()}
        assert placed.keys() <= self.submitted
        for name in sorted(self.submitted):
            state, order = executor.find(name), placed.get(name)
            if order is not None:
                assert state is not None, f"{name} is not in the journal"
                assert (state.phase, state.order_id) == (Phase.ENDED, order.order_id)
            elif state is not None:
                assert state.phase in (Phase.REJECTED, Phase.NOT_SENT, Phase.ABSENT), name
        for name, result in dict(self.account.told).items():
            if result.success:
                assert placed[name].order_id == result.order_id
            elif result.error is not None and result.error.outcome is not Outcome.UNKNOWN:
                assert name not in placed, f"{name} was said not to be placed: {result.error}"


def _claims(journal: SqlJournal) -> int:
    with journal.transaction() as connection:
        return len(connection.execute(select(OPEN.c.owner)).all())


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """What is killed on purpose is not news."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


def kill_often(processes: Any, url: str, seed: str) -> None:
    """Kill processes one after the other, and check what they leave."""
    started = time.perf_counter()
    killer = Killer(processes, url)
    for step, count in lives(KILLS, random.Random(seed)):
        killer.kill(step, count)
    shown = killer.check()
    print(f"{url.partition(':')[0]}: {shown}, {time.perf_counter() - started:.1f} s")
    assert len(killer.account.told) > 5 * KILLS
    assert killer.account.found_out > KILLS // 4


@pytest.mark.uncovered
def test_nothing_is_lost_or_placed_twice(processes: Any, url: str) -> None:
    """After each kill the next process finds out what became of every order, by itself."""
    kill_often(processes, url, "every change")


@pytest.mark.nightly
@pytest.mark.uncovered
@pytest.mark.parametrize("night", range(NIGHTLY_KILLS // KILLS))
def test_nothing_is_lost_or_placed_twice_in_many_kills(
    processes: Any, url: str, night: int
) -> None:
    """As above, again and again, with other deaths each time."""
    kill_often(processes, url, f"night {night}")


class LateJournal(SqlJournal):
    """Writes intents down with their outcome: too late for what is killed in between."""

    def __init__(self, url: str) -> None:
        """Nothing waits."""
        super().__init__(url)
        self._waiting: dict[str, Intent] = {}

    def open_intent(self, intent: Intent) -> IntentState | None:
        """Write nothing yet."""
        known = self.find(intent.intent_id)
        if known is None:
            self._waiting[intent.intent_id] = intent
        return known

    def append(self, intent_id: str, entry: Entry) -> IntentState:
        """Write the intent, and then the entry."""
        if (waiting := self._waiting.pop(intent_id, None)) is not None:
            super().open_intent(waiting)
        return super().append(intent_id, entry)


@pytest.mark.uncovered
def test_a_journal_that_is_written_too_late_is_found(processes: Any, tmp_path: Path) -> None:
    """The kills find an executor that writes an intent down after it was sent."""
    killer = Killer(processes, f"sqlite:///{tmp_path / 'orders.sqlite'}", LateJournal)
    killer.kill(Step.PLACED, 10)
    with pytest.raises(AssertionError):
        killer.check()
    # The bot submits again what it was not told of, and the journal knows nothing of it.
    killer.kill(Step.PLACED, 10)
    assert [name for name, count in killer.account.placed.items() if count > 1]


def test_in_postgresql_what_a_living_process_has_is_its_own(postgres_url: str) -> None:
    """Two processes share a journal; one takes over from the other only when that one is gone."""
    with closing(SqlJournal(postgres_url, owner="first")) as first:
        second = SqlJournal(postgres_url, owner="second")
        first.open_intent(intent("one"))
        assert second.open_intent(intent("one")) is not None
        assert second.take_over(SCOPE) == 0
        with pytest.raises(JournalOwnershipError):
            second.append(intent("one").intent_id, Entry(phase=Phase.ABSENT, at=NOW))
        first.close()
        deadline = time.monotonic() + 30
        while second.take_over(SCOPE) == 0 and time.monotonic() < deadline:
            threading.Event().wait(0.05)
        assert [state.intent for state in second.list_open(SCOPE)] == [intent("one")]
        second.close()
