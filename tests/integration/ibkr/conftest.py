"""The adapter as it is, the simulator as it is, and a front between them that meddles."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal

import attrs
import pytest

from bot_v2.features.brokerages.core.interfaces import (
    BrokerageError,
    Order,
    OrderNotFoundError,
    OrderOutcomeUnknownError,
    OrderRequest,
    OrderSide,
    OrderType,
    Outcome,
)
from bot_v2.features.brokerages.ibkr.adapter import IbkrBrokerage
from bot_v2.features.brokerages.ibkr.settings import read_settings
from bot_v2.venues.tws.venue import TwsVenue
from tests.integration.ibkr.front import PLACE, Front

TIMEOUT_S = 0.6
"""How long the adapter waits here, in seconds."""

SYMBOL = "AAPL"
REF = "catalogue-1"

RESTING = OrderRequest(
    symbol=SYMBOL,
    side=OrderSide.BUY,
    type=OrderType.LIMIT,
    quantity=Decimal(4),
    price=Decimal("120.5"),
    client_order_id=REF,
)
"""An order below the market, which rests."""

TAKING = attrs.evolve(RESTING, type=OrderType.MARKET, price=None)
"""One that is filled at once."""


def place(broker: IbkrBrokerage, request: OrderRequest = RESTING) -> str:
    """Place an order, and return its id once all is told that is said of it at once."""
    order_id = broker.place_order(request).order_id
    assert order_id
    assert broker.check_health().api_responsive
    return order_id


@attrs.define
class Bench:
    """What a test of the catalogue has at hand."""

    venue: TwsVenue
    """The simulator."""
    front: Front
    """What stands before it."""
    closing: list[Callable[[], None]] = attrs.field(factory=list)
    """What is to be done at the end."""
    orders_max: int = 1
    """How many orders the simulator may receive: one, unless the test places others."""

    def open(self, *, direct: bool = False, **given: object) -> IbkrBrokerage:
        """Return a connected brokerage, through the front or directly."""
        broker = self.make(direct=direct, **given)
        broker.connect()
        broker.get_product(SYMBOL)
        return broker

    def make(self, *, direct: bool = False, **given: object) -> IbkrBrokerage:
        """Return a brokerage that is not connected."""
        settings = {
            "port": self.venue.port if direct else self.front.port,
            "environment": "simulator",
            "timeout_s": TIMEOUT_S,
            "depth_quiet_s": 0.25,
            **given,
        }
        broker = IbkrBrokerage(read_settings(settings, {}))
        self.closing.append(broker.disconnect)
        return broker

    def place_unknown(self, broker: IbkrBrokerage, request: OrderRequest = RESTING) -> None:
        """Place an order whose outcome has to be unknown."""
        with pytest.raises(OrderOutcomeUnknownError) as caught:
            broker.place_order(request)
        assert caught.value.client_order_id == request.client_order_id
        assert caught.value.operation == "place_order"

    def place_unknown_or_unsent(self, broker: IbkrBrokerage) -> None:
        """Place an order that cannot arrive: it is unknown, or was provably not sent."""
        with pytest.raises(BrokerageError) as caught:
            broker.place_order(RESTING)
        assert caught.value.outcome in (Outcome.UNKNOWN, Outcome.NOT_SENT)

    def is_absent(self, broker: IbkrBrokerage, ref: str = REF) -> bool:
        """Return whether the broker says that it has no such order; a failure is no such word."""
        try:
            broker.get_order_by_client_id(ref)
        except OrderNotFoundError:
            return True
        return False

    def the_order(self, broker: IbkrBrokerage, ref: str = REF) -> Order:
        """Return the one order, found by its client id, that the simulator has received."""
        order = broker.get_order_by_client_id(ref)
        assert [one.order_id for one in self.venue.orders_received()] == [order.order_id]
        return order

    @property
    def placements(self) -> int:
        """How many orders left the adapter and came as far as the front."""
        return self.front.count(PLACE)


@pytest.fixture
def bench() -> Iterator[Bench]:
    """The simulator and the front; at the end no order may have been placed twice."""
    with TwsVenue() as venue, Front(venue.port) as front:
        made = Bench(venue, front)
        yield made
        venue.clear_faults()
        for close in made.closing:
            close()
        received = venue.orders_received()
        assert len(received) <= made.orders_max
        refs = [one.client_order_id for one in received if one.client_order_id]
        assert len(refs) == len(set(refs))


@pytest.fixture
def broker(bench: Bench) -> IbkrBrokerage:
    """A connected brokerage, through the front."""
    return bench.open()
