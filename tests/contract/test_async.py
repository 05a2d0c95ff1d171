"""The contract suite on AsyncBrokerage, driven through a loop: over paper, and over a wire."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from bot_v2.features.brokerages.core.interfaces import IBrokerage
from bot_v2.features.brokerages.paper.adapter import PaperBrokerage
from bot_v2.features.brokerages.paper.factory import create_paper
from bot_v2.features.brokerages.paper.venue import PaperVenue
from bot_v2.orchestration.async_brokerage import AsyncBrokerage
from bot_v2.testing.suite import BrokerageContract
from tests.contract import test_coinbase
from tests.contract.async_twin import AsyncTwin, LoopThread, loop_thread


@pytest.fixture(scope="module")
def thread() -> Iterator[LoopThread]:
    """One loop for all cards."""
    with loop_thread() as made:
        yield made


@pytest.fixture
def twin(thread: LoopThread) -> Iterator[Callable[[IBrokerage], AsyncTwin]]:
    """Wraps a brokerage for asyncio, and that for the suite; closed after the card."""
    made: list[AsyncTwin] = []

    def wrap(broker: IBrokerage) -> AsyncTwin:
        made.append(AsyncTwin(AsyncBrokerage(broker), thread))
        return made[-1]

    yield wrap
    for one in made:
        assert thread.wait(one.under_test.aclose()) == []


class TestAsyncPaper(BrokerageContract):
    """Over the paper brokerage."""

    @pytest.fixture
    def paper(self) -> PaperBrokerage:
        """The account."""
        made = create_paper({}, {})
        assert isinstance(made, PaperBrokerage)
        return made

    @pytest.fixture
    def brokerage(
        self, paper: PaperBrokerage, twin: Callable[[IBrokerage], AsyncTwin]
    ) -> AsyncTwin:
        """The account behind a loop, not yet connected."""
        return twin(paper)

    @pytest.fixture
    def venue(self, paper: PaperBrokerage) -> PaperVenue:
        """The exchange behind it."""
        return PaperVenue(paper)

    @pytest.fixture
    def reopen_brokerage(
        self, paper: PaperBrokerage, twin: Callable[[IBrokerage], AsyncTwin]
    ) -> Callable[[], AsyncTwin]:
        """Another session of the same account."""
        return lambda: twin(paper.another())


@pytest.mark.nightly
@pytest.mark.uncovered
class TestAsyncOverAWire(test_coinbase.TestSpot):
    """Over the wire of a simulator."""

    @pytest.fixture
    def brokerage(
        self,
        reopen_brokerage: Callable[[], IBrokerage],
        twin: Callable[[IBrokerage], AsyncTwin],
    ) -> AsyncTwin:
        """A session of the account behind a loop, not yet connected."""
        return twin(reopen_brokerage())
