"""A brokerage whose health and sessions are whatever a test says."""

from __future__ import annotations

import threading
from collections.abc import Callable
from decimal import Decimal
from typing import NoReturn

from bot_v2.features.brokerages.core.interfaces import (
    Balance,
    BrokerHealth,
    Order,
    Orderbook,
    OrderRequest,
    OrderResult,
    OrderStatus,
    Position,
    Product,
    UnsupportedOperationError,
)


def health(
    connected: bool = True, responsive: bool = True, latency_s: float | None = 0.25
) -> BrokerHealth:
    """The answer of a check, healthy unless it is told otherwise."""
    is_healthy = connected and responsive
    return BrokerHealth(
        connected=connected,
        api_responsive=responsive,
        last_check_timestamp=1_700_000_000.0,
        error_message=None if is_healthy else "made to fail",
        latency_s=latency_s if responsive else None,
    )


HEALTHY = health()
DEGRADED = health(responsive=False)
DOWN = health(connected=False, responsive=False)


class FakeBrokerage:
    """Answers checks and connects as it is told, and counts both; it trades nothing."""

    def __init__(
        self,
        name: str = "fake",
        check: Callable[[], BrokerHealth] = lambda: HEALTHY,
        connect: Callable[[], bool] = lambda: True,
    ) -> None:
        self.name = name
        self.check = check
        self.on_connect = connect
        self.checks = 0
        self.connects = 0
        self.most_at_once = 0
        self._at_once = 0
        self._counting = threading.Lock()

    def check_health(self) -> BrokerHealth:
        """Count, and answer as told."""
        with self._counting:
            self.checks += 1
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            return self.check()
        finally:
            with self._counting:
                self._at_once -= 1

    def connect(self) -> bool:
        """Count, and do as told."""
        with self._counting:
            self.connects += 1
        return self.on_connect()

    def disconnect(self) -> None:
        """Nothing is to be ended."""

    def is_connected(self) -> bool:
        """Never known to be dead."""
        return True

    def get_account_id(self) -> str:
        """The only account."""
        return "FAKE-1"

    def list_balances(self) -> list[Balance]:
        """Refuse."""
        _refuse()

    def get_balance(self, asset: str) -> Balance:
        """Refuse."""
        _refuse()

    def get_products(self) -> list[Product]:
        """Refuse."""
        _refuse()

    def get_product(self, symbol: str) -> Product:
        """Refuse."""
        _refuse()

    def get_price(self, symbol: str) -> Decimal:
        """Refuse."""
        _refuse()

    def get_orderbook(self, symbol: str, level: int = 1) -> Orderbook:
        """Refuse."""
        _refuse()

    def place_order(self, order_request: OrderRequest) -> OrderResult:
        """Refuse."""
        _refuse()

    def cancel_order(self, order_id: str) -> bool:
        """Refuse."""
        _refuse()

    def get_order(self, order_id: str) -> Order:
        """Refuse."""
        _refuse()

    def list_orders(self, status: OrderStatus | None = None) -> list[Order]:
        """Refuse."""
        _refuse()

    def list_positions(self) -> list[Position]:
        """Refuse."""
        _refuse()

    def get_position(self, symbol: str) -> Position | None:
        """Refuse."""
        _refuse()

    def close_position(self, symbol: str) -> OrderResult:
        """Refuse."""
        _refuse()


def _refuse() -> NoReturn:
    raise UnsupportedOperationError("the fake brokerage trades nothing", broker="fake")
