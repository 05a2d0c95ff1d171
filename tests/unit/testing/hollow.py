"""A brokerage and a venue that do nothing: no card may take them for the real thing."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from bot_v2.features.brokerages.core.capabilities import Capability, methods_of
from bot_v2.features.brokerages.core.products import MarketType, Product
from bot_v2.simulation.faults import Fault
from bot_v2.simulation.received import ReceivedOrder
from bot_v2.testing.operations import METHODS

PRODUCT = Product(
    symbol="BTC-USD",
    market_type=MarketType.SPOT,
    quote_currency="USD",
    base_currency="BTC",
    size_increment=Decimal("0.01"),
    min_order_size=Decimal("0.01"),
    max_order_size=Decimal(1000),
    min_notional=Decimal(1),
    price_increment=Decimal("0.01"),
)


class HollowBrokerage:
    """Has every method there is; each returns the same thing, whatever it is asked."""

    environment = "simulator"
    capabilities = frozenset(Capability)
    unsupported = frozenset({"list_positions"})

    def __init__(self, answer: object) -> None:
        """Choose the answer."""
        self._answer = answer

    def get_product(self, symbol: str) -> Product:
        """Return the only product, so that the cards come as far as they can."""
        return PRODUCT

    def get_products(self) -> list[Product]:
        """Return the only product."""
        return [PRODUCT]

    def __getattr__(self, name: str) -> Any:
        """Answer every method of the contract and of the capabilities."""
        known = {*METHODS, *(method for each in Capability for method in methods_of(each))}
        if name not in known:
            raise AttributeError(name)

        def method(*_: object, **__: object) -> object:
            if isinstance(self._answer, Exception):
                raise self._answer
            return self._answer

        return method


class HollowVenue:
    """Can do everything, and does nothing."""

    has_wire = True
    faults = frozenset(Fault)

    def inject(self, fault: Fault, operation: str | None = None, times: int = 1) -> None:
        """Do nothing."""

    def clear_faults(self) -> None:
        """Do nothing."""

    def orders_received(self) -> list[ReceivedOrder]:
        """Return none."""
        return []

    def requests_received(self, operation: str) -> int:
        """Return none."""
        return 0

    def set_market(self, symbol: str, bid: Decimal, ask: Decimal, size: Decimal) -> None:
        """Do nothing."""

    def fill(self, order_id: str, quantity: Decimal, price: Decimal) -> None:
        """Do nothing."""

    def late_fill(self, order_id: str, quantity: Decimal, price: Decimal) -> None:
        """Do nothing."""

    def advance(self, seconds: float) -> None:
        """Do nothing."""
