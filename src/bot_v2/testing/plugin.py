"""The pytest plugin: options and a table at the end. Idle, and light, where no suite is used."""

from __future__ import annotations

import sys
from itertools import chain
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

SUITE = "bot_v2.testing.suite"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the contract suite."""
    group = parser.getgroup("bot-v2", "contract suite of bot-v2")
    group.addoption(
        "--contract-mode",
        choices=("simulator", "cassette", "live"),
        default="simulator",
        help="what the brokerage is checked against (default: simulator)",
    )
    group.addoption(
        "--contract-record",
        action="store_true",
        help="record the traffic of each card into the suite's folder of cassettes",
    )
    group.addoption("--contract-json", metavar="FILE", help="write the conformance as JSON")
    group.addoption("--contract-markdown", metavar="FILE", help="write the conformance as Markdown")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker that carries a card's id."""
    config.addinivalue_line("markers", "contract_card(id): the card of docs/contract.md it tests")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse a suite with an overridden test, or with an exemption that says nothing."""
    if SUITE in sys.modules:
        from bot_v2.testing import collection

        collection.check_items(items)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what became of the cards, and write it where it was asked for."""
    # Where tests run in other processes, this one has their reports and not the suite.
    if SUITE in sys.modules or any(map(_is_of_a_card, chain(*terminalreporter.stats.values()))):
        from bot_v2.testing import collection

        collection.show_conformance(terminalreporter)


def _is_of_a_card(report: object) -> bool:
    return any(name == "contract_card" for name, _ in getattr(report, "user_properties", ()))
