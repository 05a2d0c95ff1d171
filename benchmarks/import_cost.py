"""What a bot pays to import the contract: time against `import attrs`, memory against bare Python.

Each run is a fresh interpreter; the programs take turns, so that a busy machine disturbs all of
them alike; compiled bytecode is there for all of them, as it is where packages are installed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

RUNS = 40
RATIO_BOUND, RATIO_GOAL = 2.0, 1.5
MIB_BOUND = 7.0
MIB = 2**20

PROGRAMS = {
    "bare Python": "pass",
    "import attrs": "import attrs",
    "import IBrokerage": ("from bot_v2.features.brokerages.core.interfaces import IBrokerage"),
}

# Prints the seconds that the import took, and the bytes of memory that are resident after it.
MEASURE = """
import sys
from time import perf_counter
started = perf_counter()
{program}
seconds = perf_counter() - started
try:
    with open("/proc/self/statm") as statm:
        import os
        resident = int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
except OSError:
    try:
        import resource
        resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    except ImportError:
        resident = 0
print(seconds, resident)
"""


@dataclass(frozen=True)
class Cost:
    """The medians of one program."""

    milliseconds: float
    resident: float

    @classmethod
    def of(cls, runs: Sequence[tuple[float, int]]) -> Cost:
        """The medians of some runs."""
        return cls(median(run[0] for run in runs) * 1e3, median(run[1] for run in runs))


def run(program: str, bytecode: str) -> tuple[float, int]:
    """Run a program in a fresh interpreter; return its seconds and its resident bytes."""
    # -I: the environment's settings, such as one that forbids bytecode, do not reach it.
    command = [sys.executable, "-I", "-X", f"pycache_prefix={bytecode}", "-c"]
    done = subprocess.run(
        [*command, MEASURE.format(program=program)],
        cwd=os.path.expanduser("~"),
        capture_output=True,
        text=True,
        check=True,
    )
    seconds, resident = done.stdout.split()
    return float(seconds), int(resident)


def measure(runs: int = RUNS) -> dict[str, Cost]:
    """Measure every program `runs` times, in turns."""
    with tempfile.TemporaryDirectory(prefix="bot-v2-bytecode-") as bytecode:
        for program in PROGRAMS.values():
            run(program, bytecode)
        seen: dict[str, list[tuple[float, int]]] = {name: [] for name in PROGRAMS}
        for _ in range(runs):
            for name, program in PROGRAMS.items():
                seen[name].append(run(program, bytecode))
    return {name: Cost.of(results) for name, results in seen.items()}


def main() -> int:
    """Print the table; 1 when a bound is broken."""
    costs = measure()
    bare, attrs, ours = (costs[name] for name in PROGRAMS)
    print(f"medians of {RUNS} fresh interpreters each, in turns, Python {sys.version.split()[0]}")
    print(f"{'program':<20}{'ms':>8}{'x attrs':>10}{'MiB over bare':>16}")
    for name, cost in costs.items():
        ratio = cost.milliseconds / attrs.milliseconds
        over = (cost.resident - bare.resident) / MIB
        print(f"{name:<20}{cost.milliseconds:>8.1f}{ratio:>10.2f}{over:>16.2f}")
    ratio = ours.milliseconds / attrs.milliseconds
    over = (ours.resident - bare.resident) / MIB
    kept = ratio <= RATIO_BOUND and over <= MIB_BOUND
    goal = "reached" if ratio <= RATIO_GOAL else "not reached"
    print(
        f"bounds {RATIO_BOUND:.1f}x and {MIB_BOUND:.1f} MiB: {'kept' if kept else 'BROKEN'}; "
        f"goal {RATIO_GOAL:.1f}x: {goal}"
    )
    return int(not kept)
