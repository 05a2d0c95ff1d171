# ruff: noqa: D102 - the methods are those of IBrokerage, which says what they are
"""A brokerage of a few lines for the tests of the command line, and a way to run the latter."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import attrs
import pytest

from bot_v2.cli.app import main
from bot_v2.features.brokerages.core.interfaces import (
    Balance,
    BrokerHealth,
    Capability,
    InvalidRequestError,
    InvalidSymbolError,
    MarketType,
    Order,
    Orderbook,
    OrderNotFoundError,
    OrderRequest,
    OrderResult,
    OrderSide,
    OrderStatus,
    OrderType,
    Position,
    PositionSide,
    PriceLevel,
    Product,
    TimeInForce,
)

NOW = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)
D = Decimal


class FakeBrokerage:
    """Takes every order, fills none, and fails where a test says so."""

    name = "fake"

    def __init__(self) -> None:
        self.placed: list[OrderRequest] = []
        self.orders: list[Order] = []
        self.cancelled: list[str] = []
        self.closed: list[str] = []
        self.connections = 0
        self.disconnections = 0
        self.failures: dict[str, BaseException] = {}
        self.settings: dict[str, object] = {}
        self.reports_failure: OrderResult | None = None
        self.with_order = True

    def _may_fail(self, method: str) -> None:
        if method in self.failures:
            raise self.failures[method]

    def connect(self) -> bool:
        self._may_fail("connect")
        self.connections += 1
        return True

    def disconnect(self) -> None:
        self.disconnections += 1
        self._may_fail("disconnect")

    def is_connected(self) -> bool:
        return self.connections > self.disconnections

    def check_health(self) -> BrokerHealth:
        wrong = self.failures.get("check_health")
        return BrokerHealth(
            connected=self.is_connected(),
            api_responsive=wrong is None,
            last_check_timestamp=NOW.timestamp(),
            error_message=None if wrong is None else str(wrong),
            latency_s=0.012 if wrong is None else None,
        )

    def get_account_id(self) -> str:
        return "acc-1"

    def list_balances(self) -> list[Balance]:
        self._may_fail("list_balances")
        return [Balance(asset="USD", total=D("1000.10"), available=D("900.10"), hold=D("100.00"))]

    def get_balance(self, asset: str) -> Balance:
        return next(
            (one for one in self.list_balances() if one.asset == asset),
            Balance(asset=asset, total=D(0)),
        )

    def get_products(self) -> list[Product]:
        return [
            Product(
                symbol=symbol,
                market_type=MarketType.SPOT,
                quote_currency="USD",
                price_increment=D("0.01"),
            )
            for symbol in ("BTC-USD", "NSE:RELIANCE")
        ]

    def get_product(self, symbol: str) -> Product:
        for product in self.get_products():
            if product.symbol == symbol:
                return product
        raise InvalidSymbolError("no such product", symbol=symbol)

    def get_price(self, symbol: str) -> Decimal:
        self._may_fail("get_price")
        return D("64000.10")

    def get_orderbook(self, symbol: str, level: int = 1) -> Orderbook:
        return Orderbook(
            symbol=symbol,
            bids=tuple(PriceLevel(D(100 - n), D("1.50")) for n in range(level)),
            asks=tuple(PriceLevel(D(101 + n), D("2.50")) for n in range(level)),
            timestamp=NOW,
        )

    def place_order(self, order_request: OrderRequest) -> OrderResult:
        self.placed.append(order_request)
        self._may_fail("place_order")
        if self.reports_failure is not None:
            return self.reports_failure
        order = Order(
            order_id=f"o-{len(self.placed)}",
            client_order_id=order_request.client_order_id,
            symbol=order_request.symbol,
            side=order_request.side,
            type=order_request.type,
            quantity=order_request.quantity,
            notional=order_request.notional,
            price=order_request.price,
            status=OrderStatus.OPEN,
            filled_quantity=D(0),
            time_in_force=order_request.time_in_force or TimeInForce.GTC,
            account_id="acc-1",
            timestamp=NOW,
        )
        self.orders.insert(0, order)
        return OrderResult(
            success=True,
            client_order_id=order.client_order_id or "",
            order_id=order.order_id,
            order=order if self.with_order else None,
        )

    def cancel_order(self, order_id: str) -> bool:
        self.cancelled.append(order_id)
        self._may_fail("cancel_order")
        return self.get_order(order_id).status is OrderStatus.OPEN

    def get_order(self, order_id: str) -> Order:
        for order in self.orders:
            if order.order_id == order_id:
                return order
        raise OrderNotFoundError("no such order", order_id=order_id)

    def list_orders(self, status: OrderStatus | None = None) -> list[Order]:
        return [order for order in self.orders if status in (None, order.status)]

    def list_positions(self) -> list[Position]:
        return [
            Position(
                symbol="BTC-USD",
                quantity=D("0.50"),
                side=PositionSide.LONG,
                account_id="acc-1",
                entry_price=D("60000.00"),
            )
        ]

    def get_position(self, symbol: str) -> Position | None:
        return next((one for one in self.list_positions() if one.symbol == symbol), None)

    def close_position(self, symbol: str) -> OrderResult:
        self.closed.append(symbol)
        self._may_fail("close_position")
        if self.get_position(symbol) is None:
            raise InvalidRequestError("there is no position", symbol=symbol)
        return OrderResult(success=True, client_order_id="c-close", order_id="o-close")


class SandboxBrokerage(FakeBrokerage):
    """The same, and says that no real money moves."""

    name = "sandbox"
    environment = "sandbox"


class LookupBrokerage(SandboxBrokerage):
    """The same, and finds orders by the caller's id, also those that it does not list."""

    name = "lookup"
    capabilities = frozenset({Capability.ORDER_LOOKUP})

    def get_order_by_client_id(self, client_order_id: str) -> Order:
        for order in self.orders:
            if order.client_order_id == client_order_id:
                return order
        raise OrderNotFoundError("no such order", client_order_id=client_order_id)

    def list_orders(self, status: OrderStatus | None = None) -> list[Order]:
        return []


@attrs.frozen
class Ran:
    """How a command went."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed, read as one JSON document; decimals stay text."""
        return json.loads(self.out)

    @property
    def error(self) -> Any:
        """What it printed to stderr, read as one JSON document."""
        return json.loads(self.err)


@attrs.frozen
class Shell:
    """Runs commands as a shell would, in this process."""

    capture: pytest.CaptureFixture[str]
    fake: FakeBrokerage
    sandbox: SandboxBrokerage
    lookup: LookupBrokerage
    type_in: Callable[[str | None], None]

    def run(self, *words: str) -> Ran:
        """Run `bot-v2` with some words."""
        self.capture.readouterr()
        code = main(list(words))
        printed = self.capture.readouterr()
        return Ran(code, printed.out, printed.err)


def an_order(**changes: Any) -> Order:
    """Return a live limit order to buy 2 BTC, with changes."""
    fields: dict[str, Any] = {
        "order_id": "o-1",
        "symbol": "BTC-USD",
        "side": OrderSide.BUY,
        "type": OrderType.LIMIT,
        "quantity": D(2),
        "price": D("100.50"),
        "status": OrderStatus.OPEN,
        "filled_quantity": D(0),
        "time_in_force": TimeInForce.GTC,
        "account_id": "acc-1",
        "client_order_id": "c-1",
        "timestamp": NOW,
    }
    return Order(**{**fields, **changes})
