"""Contestants in turns: what each costs, and how that compares within a round."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping
from statistics import median
from typing import TypeAlias

import attrs

Run: TypeAlias = Callable[[], object]


@attrs.frozen
class Cost:
    """What one run took, in seconds."""

    wall: float
    cpu: float

    def of(self, part: str) -> float:
        """Return one of the two by its name."""
        return {"wall": self.wall, "cpu": self.cpu}[part]


Costs: TypeAlias = Mapping[str, list[Cost]]


def measure(
    runs: Mapping[str, Run],
    rounds: int,
    *,
    times: int = 1,
    prepare: Mapping[str, Callable[[], None]] | None = None,
) -> Costs:
    """Return what each run cost in each round.

    Args:
        runs: the contestants, by name.
        rounds: how often each has its turn.
        times: how often it runs in a turn; the cost is of one.
        prepare: what is done before a contestant is measured, by name; not counted.
    """
    costs: dict[str, list[Cost]] = {name: [] for name in runs}
    for run in runs.values():
        run()
    for number in range(rounds):
        for name in list(runs)[:: -1 if number % 2 else 1]:
            run = runs[name]
            gc.collect()
            # A collection walks the whole heap: what is then in the processor's caches is not what
            # a program that reads one page after another has there.
            run()
            if prepare and name in prepare:
                prepare[name]()
            costs[name].append(_spent(run, times))
    return costs


def _spent(run: Run, times: int) -> Cost:
    wall, cpu = time.perf_counter(), time.thread_time()
    made = [run() for _ in range(times)]
    cpu, wall = time.thread_time() - cpu, time.perf_counter() - wall
    # What was made is let go only now: to free it is not part of making it.
    assert len(made) == times
    return Cost(wall / times, cpu / times)


def cost_of(costs: Costs, name: str, part: str = "wall") -> float:
    """Return the median cost of a contestant, in seconds."""
    return median(one.of(part) for one in costs[name])


def ratio(costs: Costs, name: str, to: str, part: str = "wall") -> float:
    """Return the median over the rounds of how often one costs another."""
    pairs = zip(costs[name], costs[to], strict=True)
    return median(one.of(part) / other.of(part) for one, other in pairs)
