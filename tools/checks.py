"""Run every check of a change, in order, and say how long each took against its budget.

    python tools/checks.py                 what `make test` runs
    python tools/checks.py nightly         what `make test-nightly` runs
    python tools/checks.py types tests     only these parts

A part that fails does not stop the next, so that one run shows everything. The budgets are for two
cores; a part that goes over is marked, and is not a failure, as machines differ.
"""

from __future__ import annotations

import io
import os
import re
import shlex
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTEST_ARGS = tuple(shlex.split(os.environ.get("PYTEST_ARGS", "")))
PYTEST_NO_TESTS = 5
CORES = os.cpu_count() or 1
# Twice as many as there are cores, since many tests wait for sockets. The tests of one class or
# module stay together: they share a venue.
IN_PROCESSES = ("-n", str(min(2 * CORES, 8)), "--dist", "loadscope")
LINT_IMPORTS = (
    "from importlinter.cli import lint_imports_command; lint_imports_command(['--no-logo'])"
)
CLOSING_LINE = re.compile(r"=* ?(?:no tests ran|\d+ (?:passed|failed|errors?|skipped)\b.*) in ")
COUNT = re.compile(r"(\d+) (passed|failed|errors?|skipped|xfailed|xpassed)\b")


def module(name: str, *arguments: str) -> tuple[str, ...]:
    """Return the command that runs a Python module in this environment."""
    return (sys.executable, "-m", name, *arguments)


def pytest(selection: str, *, covered: bool) -> tuple[str, ...]:
    """Return the command that runs the tests of a selection of markers."""
    arguments = ("pytest", "-q", "-m", selection, *IN_PROCESSES, *PYTEST_ARGS)
    return module("coverage", "run", "-m", *arguments) if covered else module(*arguments)


@dataclass(frozen=True)
class Part:
    """One check: its commands, and the seconds that it may take on two cores."""

    name: str
    budget_s: int
    commands: tuple[tuple[str, ...], ...]
    runs_tests: bool = False
    may_be_empty: bool = False
    environment: dict[str, str] = field(default_factory=dict)


@dataclass
class Outcome:
    """How a part went."""

    part: Part
    seconds: float = 0.0
    failed: bool = False
    counts: Counter[str] = field(default_factory=Counter)
    closing_line: str = ""


PARTS = (
    Part("lint", 10, (module("ruff", "check", "."),)),
    Part("format", 5, (module("ruff", "format", "--check", "."),)),
    Part("types", 60, (module("mypy"),)),
    Part(
        "public types",
        60,
        (module("basedpyright", "--warnings", "--pythonpath", sys.executable),),
    ),
    Part("imports", 15, ((sys.executable, "-c", LINT_IMPORTS),)),
    Part(
        "tests",
        390,
        (module("coverage", "erase"), pytest("not nightly and not uncovered", covered=True)),
        runs_tests=True,
    ),
    Part(
        "tests without coverage",
        200,
        (pytest("uncovered and not nightly", covered=False),),
        runs_tests=True,
        may_be_empty=True,
    ),
    Part("coverage", 20, ((sys.executable, "tools/check_coverage.py"),)),
)

NIGHTLY = (
    Part(
        "a million schedules",
        2400,
        (module("bot_v2.testing.schedules.campaign", "--count", "1000000", "--jobs", str(CORES)),),
    ),
    Part(
        "nightly tests",
        3600,
        (pytest("nightly or not nightly", covered=False),),
        runs_tests=True,
        environment={"HYPOTHESIS_PROFILE": "nightly"},
    ),
)


def run(command: tuple[str, ...], environment: dict[str, str]) -> tuple[int, str]:
    """Run a command, show its output as it comes, and return its exit code and its output."""
    lines: list[str] = []
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONIOENCODING": "utf-8", **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            lines.append(line)
    return process.returncode, "".join(lines)


def run_part(part: Part) -> Outcome:
    """Run the commands of a part until one fails."""
    print(f"\n== {part.name}", flush=True)
    outcome = Outcome(part)
    started = time.perf_counter()
    for command in part.commands:
        code, output = run(command, part.environment)
        if part.runs_tests:
            read_closing_line(output, outcome)
        if code == PYTEST_NO_TESTS and part.may_be_empty:
            code = 0
        if code:
            outcome.failed = True
            break
    outcome.seconds = time.perf_counter() - started
    return outcome


def read_closing_line(output: str, outcome: Outcome) -> None:
    """Keep pytest's own closing line and what it counted."""
    for line in reversed(output.splitlines()):
        if CLOSING_LINE.match(line):
            outcome.closing_line = line
            for count, word in COUNT.findall(line):
                outcome.counts["failed" if word.startswith("error") else word] += int(count)
            return


def report(outcomes: list[Outcome]) -> None:
    """Print the table of seconds and budgets, and pytest's closing lines."""
    print(f"\n{'part':<24}{'seconds':>9}{'budget':>9}  result")
    for outcome in outcomes:
        over = "  over its budget" if outcome.seconds > outcome.part.budget_s else ""
        result = ("FAILED" if outcome.failed else "ok") + over
        print(f"{outcome.part.name:<24}{outcome.seconds:>9.1f}{outcome.part.budget_s:>9}  {result}")
    seconds = sum(outcome.seconds for outcome in outcomes)
    budget = sum(outcome.part.budget_s for outcome in outcomes)
    print(f"{'all':<24}{seconds:>9.1f}{budget:>9}")
    for outcome in outcomes:
        if outcome.closing_line:
            print(f"{outcome.part.name}: {outcome.closing_line.strip('= ')}")
    counts = sum((outcome.counts for outcome in outcomes), Counter[str]())
    if any(outcome.part.runs_tests for outcome in outcomes):
        passed = counts["passed"] + counts["xfailed"]
        failed = counts["failed"] + counts["xpassed"]
        print(f"tests: {passed} passed, {failed} failed, {counts['skipped']} skipped")


def chosen(names: list[str]) -> tuple[Part, ...]:
    """Return the parts that the command line names; all but the nightly ones when it names none."""
    if not names:
        return PARTS
    if names == ["nightly"]:
        return NIGHTLY
    known = {part.name: part for part in (*PARTS, *NIGHTLY)}
    if unknown := [name for name in names if name not in known]:
        sys.exit(f"no such part: {', '.join(unknown)}. There are: {', '.join(known)}")
    return tuple(known[name] for name in names)


def main(arguments: list[str]) -> int:
    """Run the chosen parts and report; 1 when any of them failed."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    outcomes = [run_part(part) for part in chosen(arguments)]
    report(outcomes)
    return int(any(outcome.failed for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
