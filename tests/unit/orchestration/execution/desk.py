"""An executor over the paper brokerage, on virtual time, and what it did."""

from __future__ import annotations

from decimal import Decimal as D
from typing import Any

from bot_v2.features.brokerages.core.interfaces import OrderRequest, OrderSide, OrderType
from bot_v2.features.brokerages.paper.adapter import PaperBrokerage
from bot_v2.features.brokerages.paper.settings import PaperSettings
from bot_v2.features.brokerages.paper.venue import PaperVenue
from bot_v2.orchestration.execution.events import EventKind, ExecutionEvent
from bot_v2.orchestration.execution.settings import ExecutorSettings
from bot_v2.orchestration.journal.journal import OrderJournal
from bot_v2.orchestration.journal.memory_journal import MemoryJournal
from bot_v2.orchestration.order_executor import OrderExecutor
from bot_v2.simulation.feeds.feed import PriceFeed
from bot_v2.testing.schedules.run import HoldingGate
from bot_v2.testing.schedules.world import START, World

SYMBOL = "BTC-USD"


class Desk:
    """What a test of the executor needs at hand."""

    def __init__(
        self,
        settings: ExecutorSettings | None = None,
        journal: OrderJournal | None = None,
        account: PaperSettings | None = None,
        feed: PriceFeed | None = None,
    ) -> None:
        self.world = World(0)
        self.broker = PaperBrokerage(account, feed=feed, clock=self.world.clock)
        self.broker.connect()
        self.venue = PaperVenue(self.broker)
        for product in self.broker.get_products():
            if feed is not None or product.symbol == SYMBOL:
                self.venue.set_market(product.symbol, D(99), D(100), D(1000))
        self.gate = HoldingGate()
        self.events: list[ExecutionEvent] = []
        self.journal = journal or MemoryJournal()
        self.settings = settings or ExecutorSettings()
        self.executor = self.start()

    def start(self) -> OrderExecutor:
        """Return an executor as another process would have it: only the journal is the same."""
        self.gate = HoldingGate()
        self.executor = OrderExecutor(
            self.broker,
            self.journal,
            settings=self.settings,
            gate=self.gate,
            on_event=self.events.append,
            runtime=self.world,
        )
        return self.executor

    @property
    def kinds(self) -> list[EventKind]:
        """The kinds of the events so far."""
        return [event.kind for event in self.events]

    @property
    def waited(self) -> float:
        """How many seconds went by."""
        return (self.world.now - START).total_seconds()


def buy(quantity: str = "0.1", **terms: Any) -> OrderRequest:
    """A market order."""
    return OrderRequest(symbol=SYMBOL, side=OrderSide.BUY, quantity=D(quantity), **terms)


def rest(price: str = "50", **terms: Any) -> OrderRequest:
    """A limit order that the market does not reach."""
    return buy(type=OrderType.LIMIT, price=D(price), **terms)
