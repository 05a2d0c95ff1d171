"""The catalogue is whole: each fault is tested, or does not reach the executor for a reason."""

from __future__ import annotations

from bot_v2.testing.schedules.schedule import schedule_of
from tests.unit.orchestration.execution.faults import catalogue
from tests.unit.orchestration.execution.faults.catalogue import (
    DOCUMENT,
    NAMES,
    NOT_HERE,
    SCHEDULED,
    document,
)

NUMBERS = {
    *(f"T{number:02}" for number in range(1, 21)),
    *(f"P{number:02}" for number in range(1, 20)),
    *(f"S{number:02}" for number in range(1, 21)),
    *(f"V{number:02}" for number in range(1, 15)),
    *(f"O{number:02}" for number in range(1, 15)),
}


def test_every_number_has_a_name() -> None:
    """The catalogue has 87 numbers, and no other."""
    assert set(NAMES) == NUMBERS
    assert len(NUMBERS) == 87


def test_every_fault_is_tested_or_does_not_reach_the_executor() -> None:
    """A fault has a test that names its number, or a reason why there is none; never both."""
    tested = catalogue.tests_by_number()
    assert set(tested) - NUMBERS == set()
    assert NUMBERS - set(tested) - set(NOT_HERE) == set()
    assert set(tested) & set(NOT_HERE) == set()


def test_what_is_below_the_executor_is_tested_there() -> None:
    """A fault that is left to the adapters is tested on one of them."""
    adapters = catalogue.adapters_by_number()
    below = (catalogue.BELOW, catalogue.STREAMS, catalogue.SESSIONS)
    left = [number for number, why in NOT_HERE.items() if why in below]
    assert len(left) >= 5
    assert [number for number in left if not adapters[number]] == []


def test_every_test_says_its_numbers() -> None:
    """The sentence of each numbered test begins with the numbers in its name."""
    elsewhere = {place for places in catalogue.ELSEWHERE.values() for place in places}
    names = {place.partition("::")[2] for place in elsewhere}
    wrong = [
        name
        for number, tests in catalogue.tests_by_number().items()
        for name, told in tests
        if name not in names
        and not (number in told.partition(": ")[0].split(", ") and told.endswith("."))
    ]
    assert wrong == []


def test_schedules_are_made_of_what_is_said() -> None:
    """Each fault that is said to be in the schedules is in some of the first hundred."""
    schedules = [schedule_of(seed) for seed in range(100)]
    assert [number for number, is_in in SCHEDULED.items() if not any(map(is_in, schedules))] == []


def test_the_page_is_the_table() -> None:
    """docs/faults.md is what the tests say.

    `python -m tests.unit.orchestration.execution.faults.catalogue` writes it.
    """
    assert DOCUMENT.read_text(encoding="utf-8") == document()
