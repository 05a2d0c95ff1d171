"""A process is killed between the legs of an order: each is finished or explained, none twice."""

from __future__ import annotations

import logging
import multiprocessing
import signal
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest

from bot_v2.features.brokerages.core.errors import InvalidRequestError
from bot_v2.orchestration.desk.distribution import DistributedResult, LegStatus
from bot_v2.orchestration.journal.sql_journal import SqlJournal
from tests.integration.orchestration.far_account import FarAccount
from tests.integration.orchestration.killed_distributor import (
    REQUEST,
    SAGA,
    Step,
    Task,
    desk_of,
    distribute,
)

PATIENCE_S = 120.0
NAMES = ("a", "b", "c")
KILLED = -getattr(signal, "SIGKILL", signal.SIGTERM)

AT_A_LEG = (Step.INTENT, Step.PLACED, Step.ANSWERED, Step.SETTLED)
POINTS = [(Step.WRITTEN, 1), *((step, leg) for step in AT_A_LEG for leg in (1, 2, 3))]


@pytest.fixture(scope="module")
def processes() -> Any:
    """What makes processes quickly: where it can, it forks one that has everything imported."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([distribute.__module__, "sqlalchemy.dialects.sqlite"])
    return context


@pytest.fixture
def accounts() -> dict[str, FarAccount]:
    """Three accounts that outlive who trades in them, and place what they get, also twice."""
    return {name: FarAccount() for name in NAMES}


def kill(processes: Any, task: Task, accounts: dict[str, FarAccount]) -> None:
    """Let a process distribute the order, and die at a step."""
    process = processes.Process(target=distribute, args=(task,), daemon=True)
    process.start()
    process.join(PATIENCE_S)
    code = process.exitcode
    process.kill()
    process.join()
    process.close()
    assert code == KILLED, f"{task.step}: it ended with {code}"
    for account in accounts.values():
        account.wait_until_left()


def task_at(step: Step, leg: int, tmp_path: Path, accounts: dict[str, FarAccount]) -> Task:
    """What a process does until it dies."""
    addresses = {name: account.address for name, account in accounts.items()}
    url = f"sqlite:///{tmp_path / 'desk.sqlite'}"
    return Task(url=url, addresses=addresses, step=step, leg=leg)


def placed(accounts: dict[str, FarAccount]) -> list[int]:
    """How many orders there are at each account."""
    return [sum(account.placed.values()) for account in accounts.values()]


@pytest.mark.parametrize(("step", "leg"), POINTS)
def test_each_leg_is_explained_then_finished_and_none_twice(
    processes: Any, tmp_path: Path, accounts: dict[str, FarAccount], step: Step, leg: int
) -> None:
    """Wherever it dies: what was sent is found, what was not is told, and then sent, once."""
    logging.disable()
    task = task_at(step, leg, tmp_path, accounts)
    kill(processes, task, accounts)
    at_death = placed(accounts)
    after = attrs.evolve(task, step=Step.NEVER)
    with closing(SqlJournal(task.url)) as journal, desk_of(after, journal) as manager:
        told = manager.recover()
        assert (told.missing, placed(accounts)) == ((), at_death), "to recover sends nothing"
        for one, count in zip(_only(told.distributions, manager).legs, at_death, strict=True):
            assert (one.status is LegStatus.PLACED) is bool(count)
            assert one.status is not LegStatus.UNKNOWN
            assert one.explanation
        manager.recover(finish=True)
        result = manager.submit_distributed(REQUEST, saga_id=SAGA)
    logging.disable(logging.NOTSET)
    assert max(placed(accounts)) == 1, "nothing is placed twice"
    for one, count in zip(result.legs, placed(accounts), strict=True):
        # What was journalled, and proven not to have been sent, is the bot's to send anew.
        expected = LegStatus.PLACED if count else LegStatus.REFUSED
        assert one.status is expected, one.explanation
    if step is not Step.INTENT:
        assert placed(accounts) == [1, 1, 1]
        assert result.is_complete
    else:
        assert placed(accounts).count(0) == 1
        assert result.quantity_of(LegStatus.PLACED) < Decimal("0.1")


def _only(open_ones: tuple[DistributedResult, ...], manager: Any) -> DistributedResult:
    """Return the distribution; one whose legs were all settled is not open any more."""
    result: DistributedResult = open_ones[0] if open_ones else manager.distributed(SAGA)
    return result


def test_what_was_not_written_down_was_not_sent(
    processes: Any, tmp_path: Path, accounts: dict[str, FarAccount]
) -> None:
    """Killed before the distribution is written down: there is none, and no order."""
    task = task_at(Step.PLANNED, 1, tmp_path, accounts)
    kill(processes, task, accounts)
    after = attrs.evolve(task, step=Step.NEVER)
    with closing(SqlJournal(task.url)) as journal, desk_of(after, journal) as manager:
        assert manager.recover().distributions == ()
        with pytest.raises(InvalidRequestError):
            manager.distributed(SAGA)
    assert placed(accounts) == [0, 0, 0]


def test_a_database_that_is_shared_keeps_them_too(
    postgres_url: str, accounts: dict[str, FarAccount]
) -> None:
    """In PostgreSQL two managers at once send a distribution once, and both tell the same."""
    addresses = {name: account.address for name, account in accounts.items()}
    task = Task(url=postgres_url, addresses=addresses, step=Step.NEVER, leg=1)
    with (
        closing(SqlJournal(task.url)) as first,
        closing(SqlJournal(task.url)) as second,
        desk_of(task, first) as one,
        desk_of(task, second) as other,
    ):
        told = one.submit_distributed(REQUEST, saga_id=SAGA)
        assert told.is_complete
        again = other.submit_distributed(REQUEST, saga_id=SAGA)
        assert [leg.status for leg in again.legs] == [leg.status for leg in told.legs]
        assert other.recover().distributions == ()
    assert placed(accounts) == [1, 1, 1]
