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
        prepare: what is done before a contestant's turn, by name; not counted.
    """
    costs: dict[str, list[Cost]] = {name: [] for name in runs}
    for run in runs.values():
        run()
    for number in range(rounds):
        for name in list(runs)[:: -1 if number % 2 else 1]:
            run = runs[name]
            if prepare and name in prepare:
                prepare[name]()
            gc.collect()
            wall, cpu = time.perf_counter(), time.thread_time()
            for _ in range(times):
                kept = run()
            cpu, wall = time.thread_time() - cpu, time.perf_counter() - wall
            del kept
            costs[name].append(Cost(wall / times, cpu / times))
    return costs


def cost_of(costs: Costs, name: str, part: str = "wall") -> float:
    """Return the median cost of a contestant, in seconds."""
    return median(getattr(one, part) for one in costs[name])


def ratio(costs: Costs, name: str, to: str, part: str = "wall") -> float:
    """Return the median over the rounds of how often one costs another."""
    pairs = zip(costs[name], costs[to], strict=True)
    return median(getattr(one, part) / getattr(other, part) for one, other in pairs)
