"""The contract suite on what a manager gives out: a view of one of its brokerages, over paper."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from bot_v2.features.brokerages.core.interfaces import IBrokerage
from bot_v2.features.brokerages.paper.adapter import PaperBrokerage
from bot_v2.features.brokerages.paper.factory import create_paper
from bot_v2.features.brokerages.paper.venue import PaperVenue
from bot_v2.orchestration.multi_broker import MultiBrokerManager
from bot_v2.testing.suite import BrokerageContract


@pytest.fixture
def paper() -> PaperBrokerage:
    """The brokerage that the manager pools."""
    made = create_paper({}, {})
    assert isinstance(made, PaperBrokerage)
    return made


@pytest.fixture
def manager(paper: PaperBrokerage) -> Iterator[MultiBrokerManager]:
    """A manager of two, the one under test not the default."""
    with MultiBrokerManager() as made:
        made.add("another", create_paper({}, {}))
        made.add("looked-at", paper)
        yield made


@pytest.mark.uncovered
class TestBrokerView(BrokerageContract):
    """A view keeps the contract."""

    @pytest.fixture
    def brokerage(self, manager: MultiBrokerManager) -> IBrokerage:
        """A view, of a session that is not yet connected."""
        return manager.broker("looked-at")

    @pytest.fixture
    def venue(self, paper: PaperBrokerage) -> PaperVenue:
        """The exchange behind it."""
        return PaperVenue(paper)

    @pytest.fixture
    def reopen_brokerage(
        self, manager: MultiBrokerManager, paper: PaperBrokerage
    ) -> Callable[[], IBrokerage]:
        """A view of another session of the same account."""

        def reopen() -> IBrokerage:
            name = f"session-{len(manager.names)}"
            manager.add(name, paper.another())
            return manager.broker(name)

        return reopen
