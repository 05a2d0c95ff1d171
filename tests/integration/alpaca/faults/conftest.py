"""The adapter as it is, the simulator as it is, and a front between them that meddles."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal

import attrs
import pytest

from bot_v2.features.brokerages.alpaca.adapter import AlpacaBrokerage
from bot_v2.features.brokerages.alpaca.settings import read_settings
from bot_v2.features.brokerages.core.interfaces import (
    Order,
    OrderNotFoundError,
    OrderOutcomeUnknownError,
    OrderRequest,
    OrderSide,
    OrderType,
)
from bot_v2.features.brokerages.http.settings import HttpSettings
from bot_v2.features.brokerages.http.transport import HttpTransport
from bot_v2.venues.alpaca.venue import AlpacaVenue
from tests.integration.coinbase.faults.front import Front

TIMEOUT_S = 0.6
"""How long the adapter waits here, in seconds."""

BOUNDS = HttpSettings(
    total_timeout_s=TIMEOUT_S,
    read_budget_s=2 * TIMEOUT_S,
    retry_wait_initial_s=0.01,
    retry_wait_max_s=0.02,
)

PATIENT = attrs.evolve(BOUNDS, total_timeout_s=10.0, read_timeout_s=10.0, read_budget_s=20.0)
"""The same, for what the simulator has much to work out of."""

SYMBOL = "AAPL"
REF = "catalogue-1"

RESTING = OrderRequest(
    symbol=SYMBOL,
    side=OrderSide.BUY,
    type=OrderType.LIMIT,
    quantity=Decimal(10),
    price=Decimal(150),
    client_order_id=REF,
)
"""An order below the market, which rests."""

TAKING = attrs.evolve(RESTING, type=OrderType.MARKET, price=None)
"""One that is filled at once."""


def utc_now() -> datetime:
    """Return the present moment."""
    return datetime.now(UTC)


def place(broker: AlpacaBrokerage, request: OrderRequest = RESTING) -> str:
    """Place an order, and return its id."""
    order_id = broker.place_order(request).order_id
    assert order_id
    return order_id


@attrs.define
class Bench:
    """What a test of the catalogue has at hand."""

    venue: AlpacaVenue
    """The simulator."""
    front: Front
    """What stands before it."""
    closing: list[Callable[[], None]] = attrs.field(factory=list)
    """What is to be done at the end."""
    orders_max: int = 1
    """How many orders the simulator may receive: one, unless the test places others."""

    def open(
        self,
        *,
        direct: bool = False,
        bounds: HttpSettings = BOUNDS,
        tls: ssl.SSLContext | None = None,
        clock: Callable[[], datetime] = utc_now,
        base: str = "",
        **given: object,
    ) -> AlpacaBrokerage:
        """Return a connected brokerage, through the front or directly."""
        settings = {
            **self.settings(),
            "api_base": base or (self.venue.url if direct else self.front.url),
            "timeout_s": bounds.total_timeout_s,
            **given,
        }
        transport = HttpTransport(bounds, tls=tls)
        broker = AlpacaBrokerage(read_settings(settings, {}), clock=clock, transport=transport)
        self.closing += [broker.disconnect, transport.close]
        broker.connect()
        broker.get_product(SYMBOL)
        return broker

    def settings(self) -> dict[str, object]:
        """Return what opens the account, through the front."""
        return {
            "api_key": self.venue.api_key.key,
            "secret_key": self.venue.api_key.secret,
            "api_base": self.front.url,
            "data_base": self.venue.url,
            "ws_url": f"{self.venue.stream_url}/stream",
            "data_ws_base": self.venue.stream_url,
            "page_size": 2,
        }

    def place_unknown(self, broker: AlpacaBrokerage, request: OrderRequest = RESTING) -> None:
        """Place an order whose outcome has to be unknown."""
        with pytest.raises(OrderOutcomeUnknownError) as caught:
            broker.place_order(request)
        assert caught.value.client_order_id == request.client_order_id
        assert caught.value.operation == "place_order"

    def is_absent(self, broker: AlpacaBrokerage, ref: str = REF) -> bool:
        """Return whether the broker says that it has no such order; a failure is no such word."""
        try:
            broker.get_order_by_client_id(ref)
        except OrderNotFoundError:
            return True
        return False

    def the_order(self, broker: AlpacaBrokerage, ref: str = REF) -> Order:
        """Return the one order, found by its client id, that the simulator has received."""
        order = broker.get_order_by_client_id(ref)
        assert [one.client_order_id for one in self.venue.orders_received()] == [ref]
        return order

    @property
    def placements(self) -> int:
        """How many requests to place an order left the adapter and came as far as the front."""
        return self.front.count("POST", "/orders")


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests may sit behind a proxy."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def bench() -> Iterator[Bench]:
    """The simulator and the front; at the end no order may have been placed twice."""
    with AlpacaVenue(rate_limit=None, protects=False) as venue, Front(venue.port) as front:
        made = Bench(venue, front)
        yield made
        venue.clear_faults()
        for close in made.closing:
            close()
        received = venue.orders_received()
        assert len(received) <= made.orders_max
        refs = [one.client_order_id for one in received]
        assert len(refs) == len(set(refs))


@pytest.fixture
def broker(bench: Bench) -> AlpacaBrokerage:
    """A connected brokerage, through the front."""
    return bench.open()
