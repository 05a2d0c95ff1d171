"""A market for tests: two products, and nothing happens but what the test does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count

from bot_v2.features.brokerages.core.products import MarketType, Product
from bot_v2.features.brokerages.paper.adapter import PaperBrokerage
from bot_v2.features.brokerages.paper.settings import PaperSettings
from bot_v2.features.brokerages.paper.venue import PaperVenue
from bot_v2.simulation.clock import ManualClock
from bot_v2.simulation.fees import FeeModel
from bot_v2.simulation.market import MarketEvent
from bot_v2.simulation.sessions import TradingCalendar

START = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)

COIN = Product(
    symbol="BTC-USD",
    market_type=MarketType.SPOT,
    base_currency="BTC",
    quote_currency="USD",
    price_increment=Decimal("0.01"),
    size_increment=Decimal("0.0001"),
    min_order_size=Decimal("0.0001"),
)
SHARE = Product(
    symbol="AAPL",
    market_type=MarketType.EQUITY,
    quote_currency="USD",
    price_increment=Decimal("0.01"),
    size_increment=Decimal(1),
)


class StillFeed:
    """A feed of some events, or of none."""

    description = "a still market"
    is_synthetic = True

    def __init__(self, events: Sequence[MarketEvent] = ()) -> None:
        self.products = (COIN, SHARE)
        self._events = events

    def events(self) -> Iterator[MarketEvent]:
        """Yield what there is."""
        return iter(self._events)


class Bench:
    """A connected brokerage in a still market, its venue and its clock."""

    def __init__(
        self,
        settings: PaperSettings | None = None,
        *,
        connect: bool = True,
        fees: FeeModel | None = None,
        calendar: TradingCalendar | None = None,
    ) -> None:
        self.clock = ManualClock(START)
        numbers = count()
        self.broker = PaperBrokerage(
            settings,
            feed=StillFeed(),
            clock=self.clock,
            ids=lambda: f"id{next(numbers)}",
            fees=fees,
            calendar=calendar,
        )
        self.venue = PaperVenue(self.broker)
        if connect:
            self.broker.connect()
            self.set_market("BTC-USD", "100", "101")
            self.set_market("AAPL", "50", "51")

    def set_market(self, symbol: str, bid: str, ask: str, size: str = "1000") -> None:
        """Put a size on offer at a bid and at an ask."""
        self.venue.set_market(symbol, Decimal(bid), Decimal(ask), Decimal(size))
