"""The catalogue of faults, as far as it is of the executor: what is tested, and where.

`python -m tests.unit.orchestration.execution.faults.catalogue` writes docs/faults.md anew.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from bot_v2.features.brokerages.core.idempotency import DuplicateBehaviour, IdempotencyScope
from bot_v2.testing.schedules.schedule import Act, Fate, Schedule
from tests.integration.alpaca.faults import catalogue as alpaca
from tests.integration.coinbase.faults import catalogue as coinbase
from tests.integration.ibkr.faults import catalogue as ibkr

ROOT: Final = Path(__file__).resolve().parents[5]
DOCUMENT: Final = ROOT / "docs" / "faults.md"

FOLDERS: Final = ("tests/unit/orchestration", "tests/integration/orchestration")
"""Where tests of the executor, its journal and its gates are."""

OPERATOR: Final = {
    # The catalogue's last part: whoever runs a bot.
    "O01": "live keys in a paper configuration",
    "O02": "an order for another account",
    "O03": "two processes on one account",
    "O04": "a signal that comes twice",
    "O05": "a loop that goes on ordering",
    "O06": "a risk guard that keeps positions from being closed",
    "O07": "signals that together pass a limit",
    "O08": "a full disk",
    "O09": "a torn or changed journal",
    "O10": "a secret in a log, an error or a file",
    "O11": "a journal of another version",
    "O12": "a clock that jumps, a machine that was asleep",
    "O13": "a kill switch while orders are under way",
    "O14": "NaN, fractions and negative numbers from the bot",
}

NAMES: Final = {**coinbase.NAMES, **OPERATOR}
"""Every number of the catalogue."""

BROKERS: Final[dict[str, Callable[[], dict[str, list[tuple[str, str]]]]]] = {
    "Coinbase": coinbase.tests_by_number,
    "Alpaca": alpaca.tests_by_number,
    "Interactive Brokers": ibkr.tests_by_number,
}

BELOW: Final = "it is below IBrokerage: the executor sees an outcome, whatever made it"
STREAMS: Final = "streams are kept by the adapter; of a gap that it tells, `take_event` reconciles"
SESSIONS: Final = "sessions and tokens are the adapter's; the executor sees V01"

NOT_HERE: Final = {
    # why a fault does not reach the executor
    "T12": BELOW,
    "T13": BELOW,
    "T16": STREAMS,
    "T17": STREAMS,
    "P09": "the executor reads no books",
    "P12": "the executor sends one order at a time, and no batches",
    "P15": "models hold aware UTC moments and nothing else; clocks that differ are V07",
    "P16": "models hold order units and quote currency; converting is the adapter's mapping",
    "P18": "the executor reads no candles",
    "S15": "a combination is one order to the executor: its state is what the broker says of it",
    "V02": "an adapter whose login is dead raises LoginRequiredError; to the executor that is V01",
    "V03": SESSIONS,
    "V10": "what a brokerage can do is declared by it; the executor asks for nothing else",
    "O01": "the executor is given a connected brokerage; the command line asks before it writes to "
    "a live one, and the journal keeps accounts apart (V13)",
}

GATE: Final = "tests/unit/orchestration/risk/test_gate.py"
EXITS: Final = "tests/unit/orchestration/execution/test_exit_watch.py"

ELSEWHERE: Final[dict[str, tuple[str, ...]]] = {
    # tests that do not carry a number in their names
    "S12": (
        f"{EXITS}::test_what_is_wrong_is_told_once_and_sends_nothing",
        f"{EXITS}::test_the_policy_leaves_nothing_without_a_stop",
        f"{EXITS}::test_the_policy_is_applied_within_its_bound",
        f"{EXITS}::test_a_close_never_takes_more_than_the_position",
    ),
    "O06": (f"{GATE}::test_the_kill_switch_lets_exits_pass_alone",),
    "S13": (
        f"{EXITS}::test_a_pair_that_is_adopted_is_watched",
        f"{EXITS}::test_a_fill_after_the_end_takes_the_watch_up_again",
        f"{EXITS}::test_an_excess_that_turned_nothing_is_told_and_not_traded",
    ),
}


def _any_fate(*fates: Fate) -> Callable[[Schedule], bool]:
    return lambda schedule: bool(set(fates) & set(schedule.writes.values()))


def _any_act(*acts: Act) -> Callable[[Schedule], bool]:
    return lambda schedule: any(step.act in acts for bot in schedule.bots for step in bot)


def _crashes(schedule: Schedule) -> bool:
    return bool(schedule.crashes)


SCHEDULED: Final[dict[str, Callable[[Schedule], bool]]] = {
    # what in a schedule is this fault
    "T01": _any_fate(Fate.NOT_SENT),
    "T02": _any_fate(Fate.NOT_SENT),
    "T03": _any_fate(Fate.HELD_BACK),
    "T04": _any_fate(Fate.ANSWER_LOST),
    "T05": _any_fate(Fate.LOST),
    "T06": _any_fate(Fate.LATE),
    "T07": _any_fate(Fate.ANSWER_LOST),
    "T08": _any_fate(Fate.GARBLED),
    "T09": _any_fate(Fate.ANSWER_LOST),
    "T10": _any_fate(Fate.LOST),
    "T11": _any_fate(Fate.SILENT),
    "T20": _crashes,
    "P08": _any_fate(Fate.MISTAKEN),
    "P10": lambda schedule: bool(schedule.reads),
    "P19": lambda schedule: schedule.stale_from is not None,
    "S01": lambda schedule: schedule.on_duplicate is DuplicateBehaviour.REJECTS,
    "S02": lambda schedule: schedule.scope is IdempotencyScope.WHILE_OPEN,
    "S03": lambda schedule: schedule.scope is IdempotencyScope.NONE,
    "S05": _any_act(Act.MODIFY),
    "S06": _any_act(Act.CANCEL),
    "S07": lambda schedule: _any_act(Act.CANCEL)(schedule) and _any_fate(Fate.LOST)(schedule),
    "S08": lambda schedule: schedule.lag_s > 0,
    "S09": lambda schedule: not schedule.has_lookup,
    "V06": _any_fate(Fate.HELD_BACK),
    "V13": _any_act(Act.PERSON),
    "O04": _any_act(Act.AGAIN),
    "O08": lambda schedule: bool(schedule.journal),
}
"""The faults that seeded schedules are made of."""

_NUMBERS: Final = re.compile(r"test_((?:[tpsvo]\d\d_)+)")
_NUMBERED: Final = re.compile(r"^[TPSVO]\d\d(?:, [TPSVO]\d\d)*: ")


def _tests_in(path: Path) -> Iterator[tuple[str, str]]:
    """Yield each test of a module: its name and its sentence."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            yield node.name, (ast.get_docstring(node) or "").partition("\n")[0]


def tests_by_number() -> dict[str, list[tuple[str, str]]]:
    """Return the executor's tests of each number, as their name and their sentence."""
    found: dict[str, list[tuple[str, str]]] = {}
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("test_*.py")):
            for name, told in _tests_in(path):
                numbered = _NUMBERS.match(name)
                for number in (numbered[1].upper().split("_")[:-1]) if numbered else ():
                    found.setdefault(number, []).append((name, told))
    for number, places in ELSEWHERE.items():
        for place in places:
            module, _, name = place.partition("::")
            found.setdefault(number, []).append((name, dict(_tests_in(ROOT / module))[name]))
    return found


def adapters_by_number() -> dict[str, dict[str, int]]:
    """Return how many tests of each number each adapter has."""
    counts: dict[str, dict[str, int]] = {number: {} for number in NAMES}
    for broker, tests in BROKERS.items():
        for number, listed in tests().items():
            counts[number][broker] = len(listed)
    return counts


def document() -> str:
    """Return the page of the catalogue."""
    tests, adapters = tests_by_number(), adapters_by_number()
    lines = [
        "# Faults",
        "",
        "What can go wrong between a bot and its broker, by the numbers of the catalogue of",
        "faults (T: transport, P: protocol, S: the life of orders, V: the venue and the session,",
        "O: whoever runs the bot), and what the order executor makes of it. Each sentence is a",
        "test under `tests/unit/orchestration` or `tests/integration/orchestration`. The last",
        "columns say whether the seeded schedules of `bot_v2.testing.schedules` are made of the",
        "fault, too, and how many tests of it each adapter has over its simulator:",
        "[Coinbase](coinbase_faults.md), [Alpaca](alpaca_faults.md),",
        "[Interactive Brokers](ibkr_faults.md).",
        "",
        "| Number | Fault | What the executor does | Schedules | Adapters |",
        "| --- | --- | --- | --- | --- |",
    ]
    for number, name in NAMES.items():
        sentences = [_NUMBERED.sub("", told) for _, told in tests.get(number, [])]
        said = " ".join(sentences) or f"Does not reach it: {NOT_HERE[number]}."
        scheduled = "yes" if number in SCHEDULED else ""
        counted = ", ".join(f"{broker} {count}" for broker, count in adapters[number].items())
        lines.append(f"| {number} | {name} | {said} | {scheduled} | {counted} |")
    reached = len(set(NAMES) - set(NOT_HERE))
    lines += [
        "",
        f"{len(NAMES)} numbers: {reached} are tested on the executor, {len(NOT_HERE)} do not reach "
        "it.",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    DOCUMENT.write_text(document(), encoding="utf-8")
