"""Several brokerages read at once, and a thousand accounts watched, on one core.

The brokerages answer after 50 ms, which they spend waiting. Reading eight of them takes turns with
reading one without the manager. The thousand are checked each second; what counts is how many
checks there are, how far apart one account's are, and what that costs.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from itertools import pairwise
from statistics import median, quantiles

from benchmarks._rounds import Run, cost_of, measure, ratio
from bot_v2.features.brokerages.core.interfaces import BrokerHealth, Position, PositionSide
from bot_v2.orchestration.desk.settings import DeskSettings
from bot_v2.orchestration.health_monitor import HealthMonitor, Watch
from bot_v2.orchestration.multi_broker import MultiBrokerManager
from tests.unit.orchestration.fake_brokerage import FakeBrokerage

ANSWER_S = 0.05
BROKERS = 8
POSITIONS = 50
ROUNDS = 31
# What reading eight at once may take, in answers of one.
READ_BOUND = 1.05

ACCOUNTS = 1_000
INTERVAL_S = 1.0
WATCHED_S = 15.0
# How many checks there have to be of those that are due, and how much of a core they may take.
CHECKS_BOUND = 0.99
CORE_BOUND = 1.0
# How far apart two checks of an account may be, in intervals, in 99 of 100 cases. Chance moves each
# by a tenth.
GAP_BOUND = 1.5


class Waiting(FakeBrokerage):
    """Answers after a while."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.checked_at: list[float] = []
        self._never = threading.Event()
        self._positions = [
            Position(
                symbol=f"S{number}",
                quantity=Decimal(number + 1),
                side=PositionSide.LONG,
                account_id=name,
            )
            for number in range(POSITIONS)
        ]

    def list_positions(self) -> list[Position]:
        """Wait, and answer."""
        self._never.wait(ANSWER_S)
        return self._positions

    def check_health(self) -> BrokerHealth:
        """Wait, and be well."""
        self.checked_at.append(time.monotonic())
        self._never.wait(ANSWER_S)
        return BrokerHealth(connected=True, api_responsive=True, last_check_timestamp=time.time())


@contextmanager
def one_core() -> Iterator[str]:
    """Keep the process on one core, where the system can."""
    if not hasattr(os, "sched_setaffinity"):
        yield "any core"
        return
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        yield "one core"
    finally:
        os.sched_setaffinity(0, allowed)


def bare_threads() -> None:
    """What the machine allows: eight threads that wait as long as an answer takes, and no more."""
    never = threading.Event()
    threads = [threading.Thread(target=never.wait, args=(ANSWER_S,)) for _ in range(BROKERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def reading() -> bool:
    """Print what reading eight brokerages takes; True when it is too long."""
    alone = Waiting("alone")
    with MultiBrokerManager(DeskSettings(watch_interval_s=None)) as manager:
        for number in range(BROKERS):
            manager.add(f"b{number}", Waiting(f"b{number}"))

        def all_at_once() -> int:
            found = manager.read_positions()
            assert not found.missing
            assert len(found.positions) == BROKERS * POSITIONS
            assert found.exposures[0].long_quantity == BROKERS
            return len(found.exposures)

        runs: dict[str, Run] = {
            "one, without the manager": alone.list_positions,
            "eight bare threads": bare_threads,
            "eight, at once": all_at_once,
        }
        costs = measure(runs, ROUNDS)
    print(f"\n{'positions, ' + str(POSITIONS) + ' each':<32}{'wall ms':>9}{'CPU ms':>9}")
    for name in runs:
        wall, cpu = (cost_of(costs, name, part) * 1e3 for part in ("wall", "cpu"))
        print(f"{name:<32}{wall:>9.2f}{cpu:>9.2f}")
    took = cost_of(costs, "eight, at once") / ANSWER_S
    beside = ratio(costs, "eight, at once", "eight bare threads")
    print(f"in answers of {ANSWER_S * 1e3:.0f} ms: {took:.3f} (at most {READ_BOUND});", end=" ")
    print(f"beside bare threads: {beside:.3f}")
    return took > READ_BOUND


def watching() -> bool:
    """Print what watching a thousand accounts takes; True when a bound is broken."""
    accounts = [Waiting(f"a{number}") for number in range(ACCOUNTS)]
    watches = [Watch(account, interval_s=INTERVAL_S, timeout_s=5.0) for account in accounts]
    with one_core() as where:
        monitor = HealthMonitor(watches)
        cpu, wall = time.process_time(), time.monotonic()
        with monitor:
            threading.Event().wait(WATCHED_S)
            cpu, wall = time.process_time() - cpu, time.monotonic() - wall
            healthy = sum(report.state == "healthy" for report in monitor.snapshot().values())
    checks = sum(len(account.checked_at) for account in accounts)
    gaps = [
        later - earlier for account in accounts for earlier, later in pairwise(account.checked_at)
    ]
    far = quantiles(gaps, n=100)[98] / INTERVAL_S
    kept = checks / (ACCOUNTS * wall / INTERVAL_S)
    print(f"\n{ACCOUNTS} accounts checked each {INTERVAL_S:g} s for {wall:.1f} s, on {where}")
    print(f"{'healthy':<32}{healthy:>9}")
    print(f"{'checks per second':<32}{checks / wall:>9.0f}  of those due {kept:.3f}", end=" ")
    print(f"(at least {CHECKS_BOUND})")
    print(f"{'part of a core':<32}{cpu / wall:>9.2f}  (at most {CORE_BOUND})")
    print(f"{'between checks, median s':<32}{median(gaps):>9.2f}")
    print(f"{'between checks, 99 of 100, s':<32}{far:>9.2f}  (at most {GAP_BOUND})")
    return healthy < ACCOUNTS or kept < CHECKS_BOUND or cpu / wall > CORE_BOUND or far > GAP_BOUND


def main() -> bool:
    """Print the tables; True when a bound is broken."""
    slow, late = reading(), watching()
    print(f"\nPython {sys.version.split()[0]}, {ROUNDS} rounds, medians")
    return slow or late


if __name__ == "__main__":
    sys.exit(main())
