"""The catalogue is whole: each fault is tested, or does not apply for a reason that holds."""

from __future__ import annotations

from tests.integration.alpaca.faults import catalogue
from tests.integration.alpaca.faults.catalogue import DOCUMENT, NOT_HERE, document
from tests.integration.coinbase.faults.catalogue import NAMES


def test_every_fault_is_tested_or_does_not_apply() -> None:
    """A fault has a test that names its number, or a reason why there is none; never both."""
    tested = catalogue.tests_by_number()
    assert set(tested) | set(NOT_HERE) == set(NAMES)
    assert not set(tested) & set(NOT_HERE)


def test_every_test_says_its_number() -> None:
    """The sentence of each test begins with the number in its name."""
    wrong = [
        name
        for number, tests in catalogue.tests_by_number().items()
        for name, told in tests
        if not told.startswith(f"{number}: ") or not told.endswith(".")
    ]
    assert wrong == []


def test_the_page_is_the_table() -> None:
    """docs/alpaca_faults.md is what the table and the tests say."""
    assert DOCUMENT.read_text(encoding="utf-8") == document()
