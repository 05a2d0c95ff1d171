"""Many schedules in a row: what they showed together, and the smallest one that breaks a promise.

It ends with 1 where a promise was broken, or too much was left to a person.

python -m bot_v2.testing.schedules.campaign --first 0 --count 1000 --jobs 2
python -m bot_v2.testing.schedules.campaign --seed 4711          one, with its steps
"""

from __future__ import annotations

import argparse
import gc
import logging
import multiprocessing
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Final

import attrs

from bot_v2.orchestration.order_executor import OrderExecutor
from bot_v2.testing.schedules.run import MakeExecutor, Run
from bot_v2.testing.schedules.schedule import Schedule, schedule_of
from bot_v2.testing.schedules.verdict import Breach, Verdict, judge
from bot_v2.testing.schedules.world import EndlessRunError

CHUNK: Final = 500
"""How many schedules a process runs at a stretch."""

LEAST_AUTOMATIC: Final = 95.0
"""The share of the unknown outcomes that has to be found out without a person, in percent."""

COLLECT_AFTER: Final = 20_000
"""After how many new objects garbage is looked for."""


@attrs.define
class Totals:
    """What many runs showed."""

    schedules: int = 0
    orders: int = 0
    crashes: int = 0
    steps: int = 0
    asked: int = 0
    cpu_s: float = 0.0
    """What they took of the processors' time, in seconds."""
    breaches: Counter[Breach] = attrs.field(factory=Counter)
    operator: Counter[str] = attrs.field(factory=Counter)
    failed: list[int] = attrs.field(factory=list)
    """The seeds of the runs that broke a promise."""

    def add(self, seed: int, verdict: Verdict) -> None:
        """Add a run."""
        self.schedules += 1
        self.orders += verdict.orders
        self.crashes += verdict.crashes
        self.steps += verdict.steps
        self.asked += verdict.asked
        self.operator.update(cause_of(note) for note in verdict.operator)
        self.breaches.update(breach for breach, _ in verdict.breaches)
        if verdict.breaches:
            self.failed.append(seed)

    def merge(self, other: Totals) -> None:
        """Add what other runs showed."""
        for name in ("schedules", "orders", "crashes", "steps", "asked", "cpu_s"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.breaches.update(other.breaches)
        self.operator.update(other.operator)
        self.failed.extend(other.failed)

    @property
    def automatic(self) -> float:
        """The share of the unknown outcomes that were found out without a person, in percent."""
        answered = self.asked - self.operator.total()
        return 100.0 * answered / self.asked if self.asked else 100.0

    def describe(self) -> str:
        """Return the figures, a line each."""
        lines = [
            f"schedules {self.schedules}, orders {self.orders}, crashes {self.crashes}, "
            f"steps {self.steps}",
            *(f"{breach.value}: {self.breaches[breach]}" for breach in Breach),
            f"outcome unknown {self.asked}, found out without a person {self.automatic:.2f} %",
            *(f"to a person: {count} because {why}" for why, count in self.operator.most_common()),
        ]
        if self.failed:
            lines.append(f"seeds that broke a promise: {self.failed[:20]}")
        return "\n".join(lines)


def cause_of(note: str) -> str:
    """Return the kind of cause that a note tells, without the names in it."""
    return note.split(":", maxsplit=1)[0] or "nothing was heard"


def verdict_of(schedule: Schedule, make_executor: MakeExecutor = OrderExecutor) -> Verdict:
    """Run a schedule and judge it."""
    run = Run(schedule, make_executor)
    try:
        run.play()
    except EndlessRunError as error:
        return _broken(run, Breach.ENDLESS, error)
    except Exception as error:  # noqa: BLE001 - whatever reaches the bot is what was looked for
        return _broken(run, Breach.RAISED, error)
    return judge(run)


def _broken(run: Run, breach: Breach, error: Exception) -> Verdict:
    return Verdict(
        breaches=((breach, f"{type(error).__name__}: {error}"),),
        asked=0,
        operator=(),
        orders=0,
        crashes=run.crashes,
        steps=run.world.steps,
    )


def run_seeds(seeds: Iterable[int], make_executor: MakeExecutor = OrderExecutor) -> Totals:
    """Run the schedules of some seeds."""
    totals = Totals()
    for seed in seeds:
        totals.add(seed, verdict_of(schedule_of(seed), make_executor))
    return totals


def run_range(first: int, count: int, jobs: int = 1, *, within_s: float | None = None) -> Totals:
    """Run the schedules of many seeds.

    Args:
        first: the first seed.
        count: how many there are.
        jobs: how many processes run them.
        within_s: after so many seconds no more are begun. None: all are run.
    """
    until = None if within_s is None else time.monotonic() + within_s
    totals = Totals()
    chunks = [
        range(start, min(start + CHUNK, first + count))
        for start in range(first, first + count, CHUNK)
    ]
    work = partial(_run_chunk, until)
    if jobs == 1:
        for chunk in chunks:
            totals.merge(work(chunk))
        return totals
    spawned = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=spawned) as pool:
        for each in pool.map(work, chunks):
            totals.merge(each)
    return totals


def _run_chunk(until: float | None, seeds: range) -> Totals:
    if until is not None and time.monotonic() >= until:
        return Totals()
    # What goes wrong is scheduled: warnings of it would hide what was not.
    logging.disable()
    thresholds, started_s = gc.get_threshold(), time.process_time()
    # Each run leaves garbage, and little of it: looking for it less often saves a tenth.
    gc.set_threshold(COLLECT_AFTER, *thresholds[1:])
    try:
        totals = run_seeds(seeds)
        totals.cpu_s = time.process_time() - started_s
        return totals
    finally:
        gc.set_threshold(*thresholds)
        logging.disable(logging.NOTSET)


def shrink(schedule: Schedule, make_executor: MakeExecutor = OrderExecutor) -> Schedule:
    """Return the smallest schedule found that breaks the same promise: nothing can be left out."""
    wanted = {breach for breach, _ in verdict_of(schedule, make_executor).breaches}
    while True:
        for smaller in _smaller(schedule):
            found = {breach for breach, _ in verdict_of(smaller, make_executor).breaches}
            if found & wanted:
                schedule = smaller
                break
        else:
            return schedule


def _smaller(schedule: Schedule) -> Iterator[Schedule]:
    for index, steps in enumerate(schedule.bots):
        before, after = schedule.bots[:index], schedule.bots[index + 1 :]
        if before or after:
            yield attrs.evolve(schedule, bots=(*before, *after))
        for place in range(len(steps)):
            rest = (*steps[:place], *steps[place + 1 :])
            yield attrs.evolve(schedule, bots=(*before, rest, *after))
    for index in range(len(schedule.crashes)):
        crashes = (*schedule.crashes[:index], *schedule.crashes[index + 1 :])
        yield attrs.evolve(schedule, crashes=crashes)
    for number in schedule.writes:
        writes = {key: fate for key, fate in schedule.writes.items() if key != number}
        yield attrs.evolve(schedule, writes=writes)
    for number in schedule.journal:
        journal = {key: fails for key, fails in schedule.journal.items() if key != number}
        yield attrs.evolve(schedule, journal=journal)
    for number in schedule.reads:
        yield attrs.evolve(schedule, reads=schedule.reads - {number})


def main(arguments: list[str]) -> int:
    """Run schedules and print what they showed; 1 where a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--count", type=int, default=1000, help="how many seeds")
    parser.add_argument("--jobs", type=int, default=1, help="how many processes")
    parser.add_argument("--within", type=float, help="begin no more after so many seconds")
    parser.add_argument("--seed", type=int, help="one seed only, shrunk where it breaks a promise")
    asked = parser.parse_args(arguments)
    write = sys.stdout.write
    if asked.seed is not None:
        logging.disable()
        schedule = schedule_of(asked.seed)
        if verdict_of(schedule).breaches:
            schedule = shrink(schedule)
        run = Run(schedule)
        write(f"{schedule}\n")
        try:
            run.play()
        except Exception as error:  # noqa: BLE001 - shown with the steps that led to it
            write(f"{type(error).__name__}: {error}\n")
        write("\n".join(run.world.trace) + "\n")
        verdict = verdict_of(schedule)
        write(f"{verdict}\n")
        return int(bool(verdict.breaches))
    started = time.perf_counter()
    totals = run_range(asked.first, asked.count, asked.jobs, within_s=asked.within)
    took_s = time.perf_counter() - started
    write(f"{totals.describe()}\n{describe_pace(totals, took_s, asked.jobs)}\n")
    return int(bool(totals.failed) or totals.automatic < LEAST_AUTOMATIC)


def describe_pace(totals: Totals, took_s: float, jobs: int) -> str:
    """Return how long runs took, and on what."""
    each, of_cpu = totals.schedules / took_s / jobs, totals.schedules / (totals.cpu_s or 1.0)
    return (
        f"{took_s:.1f} s in {jobs} process(es) on {os.cpu_count()} cores: {each:.0f} schedules per "
        f"second and process, {of_cpu:.0f} per second of CPU"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
