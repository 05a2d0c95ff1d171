"""The proof of the executor: seeded schedules break no promise, and find each seeded bug."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from bot_v2.testing.schedules import campaign
from bot_v2.testing.schedules.campaign import (
    LEAST_AUTOMATIC,
    main,
    run_range,
    run_seeds,
    shrink,
    verdict_of,
)
from bot_v2.testing.schedules.run import Run
from bot_v2.testing.schedules.schedule import Act, schedule_of
from bot_v2.testing.schedules.turns import GreenletTurns, ThreadTurns, Turns, best_turns
from bot_v2.testing.schedules.verdict import Breach
from bot_v2.testing.schedules.world import EndlessRunError, World
from tests.unit.orchestration.execution.broken_executors import BUGS, Bug, bug_rows

ROOT = Path(__file__).resolve().parents[4]
SEEDS = range(400)
MOST_SEEDS = 1500


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """What goes wrong is scheduled: warnings of it are not news."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


def test_no_promise_is_broken() -> None:
    """No order is duplicated, no fill lost, no end false, and nearly all is found out alone."""
    totals = run_seeds(SEEDS)
    print(totals.describe())
    assert totals.breaches == {}, totals.failed
    assert totals.schedules == len(SEEDS)
    assert totals.asked > 200
    assert totals.crashes > 50
    assert totals.automatic >= LEAST_AUTOMATIC


class Stretch:
    """Some of the 20,000 schedules of every change; two processes share the classes below."""

    part = 0

    @pytest.mark.uncovered
    @pytest.mark.parametrize("first", range(0, 5000, 1000))
    def test_no_promise_is_broken(self, first: int) -> None:
        """No order is duplicated, no fill lost, no end false, in a thousand schedules."""
        totals = run_range(self.part * 5000 + first, 1000)
        assert totals.breaches == {}, totals.failed
        assert totals.schedules == 1000
        assert totals.asked > 500
        assert totals.automatic >= LEAST_AUTOMATIC


class TestFirstStretch(Stretch):
    part = 0


class TestSecondStretch(Stretch):
    part = 1


class TestThirdStretch(Stretch):
    part = 2


class TestFourthStretch(Stretch):
    part = 3


def test_the_command_line_runs_and_replays(capsys: pytest.CaptureFixture[str]) -> None:
    """A range is run, its figures are printed, and one seed is replayed step by step."""
    assert main(["--first", "10", "--count", "5"]) == 0
    assert "schedules 5, orders" in capsys.readouterr().out
    assert main(["--seed", "12"]) == 0
    assert "journal open_intent: before" in capsys.readouterr().out


def test_the_command_line_says_how_long_it_took_and_when_it_stopped(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Several processes share the seeds; none are begun when the time is over."""
    assert main(["--count", "1000", "--jobs", "2"]) == 0
    shown = capsys.readouterr().out
    assert "schedules 1000, orders" in shown
    assert "s in 2 process(es) on" in shown
    assert main(["--count", "1000", "--within", "0"]) == 0
    assert "schedules 0, orders 0" in capsys.readouterr().out


def test_too_many_questions_for_a_person_fail(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A campaign fails where less is found out without a person than was promised."""
    monkeypatch.setattr(campaign, "LEAST_AUTOMATIC", 100.1)
    assert main(["--count", "5"]) == 1
    assert "found out without a person" in capsys.readouterr().out


def test_the_command_line_shrinks_what_fails(capsys: pytest.CaptureFixture[str]) -> None:
    """A seed that breaks a promise is shown as the smallest schedule that does."""
    bug = next(each for each in BUGS if each.breaks.__name__ == "retry_on_unknown")
    with bug.breaks():
        seed = next(seed for seed in SEEDS if verdict_of(schedule_of(seed)).breaches)
        assert main(["--first", str(seed), "--count", "1"]) == 1
        assert f"seeds that broke a promise: [{seed}]" in capsys.readouterr().out
        assert main(["--seed", str(seed)]) == 1
    assert "duplicated order" in capsys.readouterr().out


def test_the_page_shows_each_bug() -> None:
    """docs/executor.md has a row for each seeded bug, and no other."""
    text = (ROOT / "docs" / "executor.md").read_text(encoding="utf-8")
    table = text.partition("| mistake | breaks one of |\n|---|---|\n")[2]
    assert table.splitlines() == bug_rows()


@pytest.mark.parametrize("turns", [ThreadTurns, GreenletTurns])
def test_a_seed_is_always_the_same_run(turns: type[Turns]) -> None:
    """Each step of a schedule repeats, in threads and without, with crashes too."""
    seeds = [seed for seed in range(60) if len(schedule_of(seed).bots) > 1][:10]
    for seed in seeds:
        traces = []
        for each in (ThreadTurns(), turns()):
            run = Run(schedule_of(seed), turns=each)
            run.play()
            traces.append(run.world.trace)
        assert traces[0] == traces[1]


def test_without_greenlet_tasks_have_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tasks take turns in threads where greenlet is absent, or something follows the threads."""
    monkeypatch.setattr("sys.gettrace", lambda: None)
    assert isinstance(best_turns(), GreenletTurns)
    monkeypatch.setitem(sys.modules, "greenlet", None)
    assert isinstance(best_turns(), ThreadTurns)
    monkeypatch.undo()
    monkeypatch.setattr("sys.gettrace", lambda: print)
    assert isinstance(best_turns(), ThreadTurns)


@pytest.mark.parametrize("turns", [ThreadTurns, GreenletTurns])
def test_tasks_that_wait_for_each_other_end(turns: type[Turns]) -> None:
    """Where every task waits for another, the run ends with an error, and no task goes on."""
    world = World(seed=1, turns=turns())
    came_back = []

    def work(first: str, second: str) -> None:
        with world.guard(first):
            world.wait(1.0)
            with world.guard(second):
                came_back.append(first)

    with pytest.raises(EndlessRunError, match="every task waits"):
        world.run([partial(work, "a", "b"), partial(work, "b", "a")])
    assert came_back == []


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.breaks.__name__)
def test_each_bug_is_found(bug: Bug) -> None:
    """A mistake in the executor breaks a promise in some schedule, and the promise it should."""
    for seed in range(bug.first, bug.first + MOST_SEEDS):
        with bug.breaks():
            found = {breach for breach, _ in verdict_of(schedule_of(seed)).breaches}
        if found & bug.finds:
            print(f"{bug.name} Found by seed {seed}: {sorted(found)}")
            return
    pytest.fail(f"{MOST_SEEDS} schedules did not find it: {bug.name}")


def test_a_failing_schedule_is_shrunk() -> None:
    """What is left of a schedule still fails, and nothing of it can be left out."""
    bug = next(each for each in BUGS if each.breaks.__name__ == "unknown_is_rejected")
    with bug.breaks():
        seed = next(seed for seed in SEEDS if verdict_of(schedule_of(seed)).breaches)
        small = shrink(schedule_of(seed))
        assert Breach.FALSE_END in {breach for breach, _ in verdict_of(small).breaches}
    assert {step.act for steps in small.bots for step in steps} == {Act.SUBMIT}
    assert len(small.writes) == 1
    assert (small.journal, small.crashes) == ({}, ())
