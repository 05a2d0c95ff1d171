"""The contract suite on the paper brokerage: a cash account, a margin account, and a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bot_v2.features.brokerages.paper.adapter import PaperBrokerage
from bot_v2.features.brokerages.paper.factory import create_paper
from bot_v2.features.brokerages.paper.venue import PaperVenue
from bot_v2.testing.profile import ContractProfile
from bot_v2.testing.suite import BrokerageContract


@pytest.fixture
def given() -> dict[str, object]:
    """The settings of the account; each suite overrides them."""
    return {}


@pytest.fixture
def brokerage(given: dict[str, object]) -> PaperBrokerage:
    """A paper account, not yet connected."""
    made = create_paper(given, {})
    assert isinstance(made, PaperBrokerage)
    return made


@pytest.fixture
def venue(brokerage: PaperBrokerage) -> PaperVenue:
    """The exchange behind it."""
    return PaperVenue(brokerage)


@pytest.fixture
def reopen_brokerage(brokerage: PaperBrokerage) -> Callable[[], PaperBrokerage]:
    """Another session of the same account."""
    return brokerage.another


class TestPaper(BrokerageContract):
    """A cash account in memory keeps the contract."""


@pytest.mark.uncovered
class TestPaperOnMargin(BrokerageContract):
    """A margin account that pays commission, and trades a share, keeps the contract."""

    @pytest.fixture
    def contract_profile(self) -> ContractProfile:
        """A product that is no currency."""
        return ContractProfile(symbol="AAPL")

    @pytest.fixture
    def given(self) -> dict[str, object]:
        """Margin, and 10 basis points."""
        return {"account_kind": "margin", "commission": "0.001"}


@pytest.mark.uncovered
class TestPaperInAFile(BrokerageContract):
    """An account in a file keeps the contract."""

    @pytest.fixture
    def given(self, tmp_path: Path) -> dict[str, object]:
        """A new file for each card; nothing here is about a power cut."""
        return {"account_file": str(tmp_path / "paper.sqlite"), "durability": "process"}
