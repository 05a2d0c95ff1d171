"""The adapter as it is, the simulator as it is, and a front between them that meddles."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal

import attrs
import pytest

from bot_v2.features.brokerages.coinbase.adapter import CoinbaseBrokerage
from bot_v2.features.brokerages.coinbase.settings import read_settings
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
from bot_v2.venues.coinbase.keys import ApiKey
from bot_v2.venues.coinbase.venue import CoinbaseVenue
from tests.integration.coinbase.faults.front import Front
from tests.integration.coinbase.faults.stream_front import StreamFront

TIMEOUT_S = 0.6
"""How long the adapter waits here, in seconds."""

BOUNDS = HttpSettings(
    total_timeout_s=TIMEOUT_S,
    read_budget_s=2 * TIMEOUT_S,
    retry_wait_initial_s=0.01,
    retry_wait_max_s=0.02,
)

CONNECT_ATTEMPTS = 5

SILENCE_S = 2.5
"""How long the adapter takes a silent stream, in seconds; it has a heartbeat of one."""

SYMBOL = "BTC-USD"
PERPETUAL = "BTC-USDC-PERP"
REF = "catalogue-1"

RESTING = OrderRequest(
    symbol=SYMBOL,
    side=OrderSide.BUY,
    type=OrderType.LIMIT,
    quantity=Decimal("0.01"),
    price=Decimal(50_000),
    client_order_id=REF,
)
"""An order below the market, which rests."""

TAKING = attrs.evolve(RESTING, type=OrderType.MARKET, price=None)
"""One that is filled at once."""


def utc_now() -> datetime:
    """Return the present moment."""
    return datetime.now(UTC)


def place(broker: CoinbaseBrokerage, request: OrderRequest = RESTING) -> str:
    """Place an order, and return its id."""
    order_id = broker.place_order(request).order_id
    assert order_id
    return order_id


def connect(broker: CoinbaseBrokerage) -> None:
    """Connect, and read the products; on a busy machine that can take longer than a test waits."""
    for attempt in range(CONNECT_ATTEMPTS):
        try:
            broker.connect()
            broker.get_products()
        except TimeoutError:
            if attempt == CONNECT_ATTEMPTS - 1:
                raise
        else:
            return


@attrs.define
class Bench:
    """What a test of the catalogue has at hand."""

    venue: CoinbaseVenue
    """The simulator."""
    front: Front
    """What stands before it."""
    stream_front: StreamFront
    """What stands before its streams."""
    closing: list[Callable[[], None]] = attrs.field(factory=list)
    """What is to be done at the end."""
    orders_max: int = 1
    """How many orders the simulator may receive: one, unless the test places others."""

    def open(
        self,
        *,
        key: ApiKey | None = None,
        direct: bool = False,
        bounds: HttpSettings = BOUNDS,
        tls: ssl.SSLContext | None = None,
        clock: Callable[[], datetime] = utc_now,
        base: str = "",
        **given: object,
    ) -> CoinbaseBrokerage:
        """Return a connected brokerage, through the front or directly."""
        signer = key or self.venue.api_key
        settings = {
            "cdp_api_key": signer.name,
            "cdp_private_key": signer.secret,
            "api_base": base or (self.venue.url if direct else self.front.url),
            "timeout_s": bounds.total_timeout_s,
            "ws_url": self.stream_front.url,
            "stream_silence_s": SILENCE_S,
            **given,
        }
        transport = HttpTransport(bounds, tls=tls)
        broker = CoinbaseBrokerage(read_settings(settings, {}), clock=clock, transport=transport)
        self.closing += [broker.disconnect, transport.close]
        connect(broker)
        return broker

    def place_unknown(self, broker: CoinbaseBrokerage, request: OrderRequest = RESTING) -> None:
        """Place an order whose outcome has to be unknown."""
        with pytest.raises(OrderOutcomeUnknownError) as caught:
            broker.place_order(request)
        assert caught.value.client_order_id == request.client_order_id
        assert caught.value.operation == "place_order"

    def is_absent(self, broker: CoinbaseBrokerage, ref: str = REF) -> bool:
        """Return whether the broker says that it has no such order; a failure is no such word."""
        try:
            broker.get_order_by_client_id(ref)
        except OrderNotFoundError:
            return True
        return False

    def the_order(self, broker: CoinbaseBrokerage, ref: str = REF) -> Order:
        """Return the one order, found by its client id, that the simulator has received."""
        order = broker.get_order_by_client_id(ref)
        assert [one.order_id for one in self.venue.orders_received()] == [order.order_id]
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
    with (
        CoinbaseVenue(page_max=2) as venue,
        Front(venue.port) as front,
        StreamFront(venue.stream_url) as stream_front,
    ):
        made = Bench(venue, front, stream_front)
        yield made
        venue.clear_faults()
        for close in made.closing:
            close()
        received = venue.orders_received()
        assert len(received) <= made.orders_max
        refs = [one.client_order_id for one in received]
        assert len(refs) == len(set(refs))


@pytest.fixture
def broker(bench: Bench) -> CoinbaseBrokerage:
    """A connected brokerage, through the front."""
    return bench.open()
