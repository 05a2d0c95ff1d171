"""AcmeVenue: the server, and the handle by which the contract suite makes it misbehave."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from decimal import Decimal
from types import TracebackType

from acme_venue.faults import FaultPlan
from acme_venue.routes import Routes
from acme_venue.server import AcmeServer
from acme_venue.state import VenueState
from bot_v2.features.brokerages.core.interfaces import (
    InvalidFieldError,
    MarketType,
    Orderbook,
    PriceLevel,
    Product,
)
from bot_v2.simulation.faults import Fault
from bot_v2.simulation.fees import FeeModel, MakerTakerFees
from bot_v2.testing.venue_control import ReceivedOrder

CENT = Decimal("0.01")

PRODUCTS = (
    Product(
        symbol="BTC-USD",
        market_type=MarketType.SPOT,
        base_currency="BTC",
        quote_currency="USD",
        price_increment=CENT,
        size_increment=Decimal("0.0001"),
        min_order_size=Decimal("0.0001"),
        max_order_size=Decimal(1_000_000),
        min_notional=Decimal(5),
    ),
    Product(
        symbol="ETH-USD",
        market_type=MarketType.SPOT,
        base_currency="ETH",
        quote_currency="USD",
        price_increment=CENT,
        size_increment=Decimal("0.001"),
        min_order_size=Decimal("0.001"),
    ),
    Product(
        symbol="AAPL",
        market_type=MarketType.EQUITY,
        quote_currency="USD",
        price_increment=CENT,
        size_increment=Decimal(1),
        min_order_size=Decimal(1),
    ),
)

FEES = MakerTakerFees(maker=Decimal("0.001"), taker=Decimal("0.002"))


class AcmeVenue:
    """Acme on 127.0.0.1, from `start` to `close`; also a context manager.

    Args:
        api_key: the key that it takes.
        products: what can be traded.
        cash: what the account starts with, in USD.
        fees: what trading costs.
        page_size: how many items a page has.
    """

    has_wire = True
    faults = frozenset(Fault)

    def __init__(
        self,
        api_key: str = "acme-key",
        products: Sequence[Product] = PRODUCTS,
        cash: Decimal = Decimal(1_000_000),
        fees: FeeModel = FEES,
        page_size: int = 50,
    ) -> None:
        """Prepare; nothing listens yet."""
        self._plan = FaultPlan()
        self._state = VenueState(products, cash, fees)
        self._routes = Routes(self._state, self._plan, api_key, page_size)
        self._port = 0
        self._server: AcmeServer | None = None

    def start(self) -> None:
        """Listen; on the same port as before, where it did."""
        server = AcmeServer(("127.0.0.1", self._port), self._state, self._plan, self._routes)
        self._server, self._port = server, server.server_port
        # The interval is how long `close` may have to wait.
        threading.Thread(target=server.serve_forever, args=(0.005,), daemon=True).start()

    def close(self) -> None:
        """Stop listening, and cut every connection."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()
            server.cut_connections()

    def __enter__(self) -> AcmeVenue:
        """Listen."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop listening."""
        self.close()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._port}"

    # What the contract suite does to it.

    def inject(self, fault: Fault, operation: str | None = None, times: int = 1) -> None:
        """Commit a fault in the next calls of an operation."""
        if times < 1:
            raise InvalidFieldError("times", times, "one or more")
        self._plan.add(fault, operation, times)
        if fault is Fault.RESET_BEFORE:
            self.close()
        with self._state.lock:
            self._state.is_mute = self._plan.lasts(Fault.MUTE_STREAM)

    def leaves_unanswered(self) -> bool:
        """Whether it is to leave a request without an answer."""
        return self._plan.awaits(Fault.DROP_BEFORE_ACCEPT, Fault.DROP_AFTER_ACCEPT)

    def clear_faults(self) -> None:
        """Behave again."""
        self._plan.clear()
        if self._server is None:
            self.start()
        with self._state.lock:
            self._state.is_mute = False
            self._state.changed.notify_all()

    def orders_received(self) -> list[ReceivedOrder]:
        """Return the placements that took effect."""
        with self._state.lock:
            return [
                ReceivedOrder(
                    order_id=order.order_id,
                    client_order_id=order.client_order_id,
                    symbol=order.symbol,
                )
                for order in self._state.placed
            ]

    def requests_received(self, operation: str) -> int:
        """Return how many requests of an operation arrived."""
        return self._plan.received(operation)

    def set_market(self, symbol: str, bid: Decimal, ask: Decimal, size: Decimal) -> None:
        """Offer a size at the bid and at the ask."""
        with self._state.lock:
            book = Orderbook(
                symbol=symbol,
                bids=(PriceLevel(bid, size),),
                asks=(PriceLevel(ask, size),),
                timestamp=self._state.now(),
            )
            self._state.engine.on_market(book)

    def fill(self, order_id: str, quantity: Decimal, price: Decimal) -> None:
        """Fill part of a resting order now."""
        with self._state.lock:
            self._state.engine.fill(order_id, quantity, price)

    def late_fill(self, order_id: str, quantity: Decimal, price: Decimal) -> None:
        """Report a fill of an order that has ended."""
        with self._state.lock:
            self._state.engine.late_fill(order_id, quantity, price)

    def advance(self, seconds: float) -> None:
        """Move the venue's clock on."""
        with self._state.lock:
            self._state.pass_time(seconds)
