"""What a test can do to the simulated exchange behind a paper brokerage.

    broker = PaperBrokerage()
    broker.connect()
    venue = PaperVenue(broker)
    venue.inject(Fault.DROP_AFTER_ACCEPT, "place_order")

A bot has no business with it, so the brokerage itself does not offer it. It fits the contract
suite's VenueControl.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from bot_v2.features.brokerages.core.errors import InvalidFieldError
from bot_v2.features.brokerages.core.market_data import Quote
from bot_v2.features.brokerages.paper.adapter import PaperBrokerage
from bot_v2.features.brokerages.paper.link import FAULTS
from bot_v2.features.brokerages.paper.order_checks import resolve
from bot_v2.simulation.engine import MatchingEngine
from bot_v2.simulation.faults import Fault
from bot_v2.simulation.received import ReceivedOrder


class PaperVenue:
    """The controls of one exchange. From its making on, the feed rests: the market is a test's."""

    def __init__(self, broker: PaperBrokerage) -> None:
        """Take control of the exchange behind a brokerage; connect it before using the controls."""
        self._exchange = broker.native
        self._link = broker.session.link
        self._link.keeps_previous = True
        self._exchange.hold_market()

    @property
    def has_wire(self) -> bool:
        """False: the exchange runs in the brokerage's process."""
        return False

    @property
    def faults(self) -> frozenset[Fault]:
        """The faults that the exchange can commit."""
        return FAULTS

    def inject(self, fault: Fault, operation: str | None = None, times: int = 1) -> None:
        """Commit a fault in the next `times` calls of an operation; None: of any.

        Raises:
            InvalidFieldError: the fault needs a wire, or `times` is below one.
        """
        self._link.inject(fault, operation, times)

    def clear_faults(self) -> None:
        """Behave again: faults that are still to come are forgotten, lasting ones end."""
        self._link.clear_faults()

    def orders_received(self) -> list[ReceivedOrder]:
        """Return the placements of the caller that took effect, oldest first."""
        with self._exchange.lock:
            return [
                ReceivedOrder(
                    order_id=order.order_id,
                    client_order_id=order.client_order_id,
                    symbol=order.symbol,
                )
                for order in reversed(self._exchange.engine.list_orders())
                if order.client_order_id is not None
            ]

    def requests_received(self, operation: str) -> int:
        """Return how many requests of an operation arrived, with or without effect."""
        return self._link.requests_received(operation)

    def set_market(self, symbol: str, bid: Decimal, ask: Decimal, size: Decimal) -> None:
        """Put `size` on offer at the bid and at the ask; resting orders that cross are filled.

        Raises:
            InvalidFieldError: the bid is above the ask.
            InvalidSymbolError: there is no such product.
        """
        if bid > ask:
            raise InvalidFieldError("bid", bid, f"at most the ask ({ask})")
        with self._exchange.lock:
            names = {product.symbol for product in self._exchange.engine.products}
            quote = Quote(
                symbol=resolve(symbol, names),
                timestamp=self._exchange.present(),
                bid=bid,
                ask=ask,
                bid_size=size,
                ask_size=size,
            )
            self._exchange.show(quote)

    def fill(self, order_id: str, quantity: Decimal, price: Decimal) -> None:
        """Fill part of a resting order now, whatever the market says."""
        self._act(lambda engine: engine.fill(order_id, quantity, price))

    def late_fill(self, order_id: str, quantity: Decimal, price: Decimal) -> None:
        """Report a fill of an order that has ended: it happened before its end."""
        self._act(lambda engine: engine.late_fill(order_id, quantity, price))

    def advance(self, seconds: float) -> None:
        """Move the exchange's clock on; orders expire as they would."""
        self._exchange.pass_time(seconds)

    def _act(self, action: Callable[[MatchingEngine], object]) -> None:
        with self._exchange.lock:
            action(self._exchange.current())
            self._exchange.tell_quotes()
