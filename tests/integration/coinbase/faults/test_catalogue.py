"""The catalogue is whole: each fault is tested, or does not apply for a reason that holds."""

from __future__ import annotations

from bot_v2.features.brokerages.coinbase.adapter import CoinbaseBrokerage
from bot_v2.features.brokerages.coinbase.exchange_adapter import CoinbaseExchangeBrokerage
from bot_v2.features.brokerages.core.interfaces import Capability
from tests.integration.coinbase.faults import catalogue
from tests.integration.coinbase.faults.catalogue import DOCUMENT, NAMES, NOT_HERE, document

SIZES = {"T": 20, "P": 19, "S": 20, "V": 14}


def test_every_number_is_there() -> None:
    """The catalogue has every fault of the transport, the protocol, orders and the venue."""
    assert list(NAMES) == [
        f"{group}{number:02}" for group, size in SIZES.items() for number in range(1, size + 1)
    ]


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


def test_the_reasons_hold() -> None:
    """What is said not to apply for want of a capability is not declared."""
    absent = {Capability.OCO, Capability.MULTI_LEG}
    for adapter in (CoinbaseBrokerage, CoinbaseExchangeBrokerage):
        assert not absent & adapter.capabilities


def test_the_page_is_the_table() -> None:
    """docs/coinbase_faults.md is what the table and the tests say."""
    assert DOCUMENT.read_text(encoding="utf-8") == document()
