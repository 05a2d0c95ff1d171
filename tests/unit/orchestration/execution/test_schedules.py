"""The proof of the executor: seeded schedules break no promise, and find each seeded bug."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot_v2.testing.schedules.campaign import main, run_range, run_seeds, shrink, verdict_of
from bot_v2.testing.schedules.run import Run
from bot_v2.testing.schedules.schedule import Act, schedule_of
from bot_v2.testing.schedules.verdict import Breach
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
    assert totals.automatic >= 95.0


@pytest.mark.nightly
@pytest.mark.uncovered
def test_no_promise_is_broken_in_a_million_schedules() -> None:
    """As above, at the length that a night allows."""
    cores = os.cpu_count() or 1
    started = time.perf_counter()
    totals = run_range(0, 1_000_000, cores)
    print(totals.describe(), f"{time.perf_counter() - started:.0f} s on {cores} cores", sep="\n")
    assert totals.breaches == {}, totals.failed
    assert totals.automatic >= 95.0


def test_the_command_line_runs_and_replays(capsys: pytest.CaptureFixture[str]) -> None:
    """A range is run, its figures are printed, and one seed is replayed step by step."""
    assert main(["--first", "10", "--count", "5"]) == 0
    assert "schedules 5, orders" in capsys.readouterr().out
    assert main(["--seed", "12"]) == 0
    assert "journal open_intent: before" in capsys.readouterr().out


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


def test_a_seed_is_always_the_same_run() -> None:
    """Each step of a schedule repeats, with concurrent submitters and crashes too."""
    seeds = [seed for seed in range(60) if len(schedule_of(seed).bots) > 1][:10]
    for seed in seeds:
        traces = []
        for _ in range(2):
            run = Run(schedule_of(seed))
            run.play()
            traces.append(run.world.trace)
        assert traces[0] == traces[1]


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.breaks.__name__)
def test_each_bug_is_found(bug: Bug) -> None:
    """A mistake in the executor breaks a promise in some schedule, and the promise it should."""
    for seed in range(MOST_SEEDS):
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
