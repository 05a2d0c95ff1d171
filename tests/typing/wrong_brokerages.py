"""Brokerages with one wrong signature each: every marked line is an error, and no other line is."""

from __future__ import annotations

from decimal import Decimal

from bot_v2.features.brokerages.core.interfaces import (
    Balance,
    BrokerHealth,
    IBrokerage,
    Order,
    Orderbook,
    OrderRequest,
    OrderResult,
    OrderStatus,
    Position,
    Product,
)


class _Common:
    """The methods that every class below has right."""

    def connect(self) -> bool:
        return True

    def disconnect(self) -> None:
        return None

    def is_connected(self) -> bool:
        return True

    def check_health(self) -> BrokerHealth:
        return BrokerHealth(connected=True, api_responsive=True, last_check_timestamp=0.0)

    def list_balances(self) -> list[Balance]:
        return []

    def get_balance(self, asset: str) -> Balance:
        return Balance(asset=asset, total=Decimal(0))

    def get_products(self) -> list[Product]:
        return []

    def get_product(self, symbol: str) -> Product:
        raise KeyError(symbol)

    def get_order(self, order_id: str) -> Order:
        raise KeyError(order_id)

    def list_positions(self) -> list[Position]:
        return []

    def close_position(self, symbol: str) -> OrderResult:
        return OrderResult(success=True, order_id="1", client_order_id="a")


class _AccountId:
    def get_account_id(self) -> str:
        return "account"


class _Price:
    def get_price(self, symbol: str) -> Decimal:
        return Decimal(1)


class _Book:
    def get_orderbook(self, symbol: str, level: int = 1) -> Orderbook:
        return Orderbook(symbol=symbol, bids=(), asks=())


class _Placing:
    def place_order(self, order_request: OrderRequest) -> OrderResult:
        return OrderResult(success=True, order_id="1", client_order_id="a")


class _Cancelling:
    def cancel_order(self, order_id: str) -> bool:
        return True


class _Orders:
    def list_orders(self, status: OrderStatus | None = None) -> list[Order]:
        return []


class _Positions:
    def get_position(self, symbol: str) -> Position | None:
        return None


class _Right(_Common, _AccountId, _Price, _Book, _Placing, _Cancelling, _Orders, _Positions):
    """All 18, as the contract has them."""


class _NoAccountId(_Common, _Price, _Book, _Placing, _Cancelling, _Orders, _Positions):
    """A method is missing."""


class _FloatPrice(_Common, _AccountId, _Book, _Placing, _Cancelling, _Orders, _Positions):
    """A price is a float."""

    def get_price(self, symbol: str) -> float:
        return 1.0


class _NoLevel(_Common, _AccountId, _Price, _Placing, _Cancelling, _Orders, _Positions):
    """An argument is missing."""

    def get_orderbook(self, symbol: str) -> Orderbook:
        return Orderbook(symbol=symbol, bids=(), asks=())


class _LevelRequired(_Common, _AccountId, _Price, _Placing, _Cancelling, _Orders, _Positions):
    """An argument has lost its default."""

    def get_orderbook(self, symbol: str, level: int) -> Orderbook:
        return Orderbook(symbol=symbol, bids=(), asks=())


class _ExtraArgument(_Common, _AccountId, _Price, _Book, _Cancelling, _Orders, _Positions):
    """A call needs more than the contract gives."""

    def place_order(self, order_request: OrderRequest, dry_run: bool) -> OrderResult:
        return OrderResult(success=True, order_id="1", client_order_id="a")


class _OtherName(_Common, _AccountId, _Price, _Book, _Cancelling, _Orders, _Positions):
    """An argument has another name than the contract's: mypy does not compare names."""

    def place_order(self, request: OrderRequest) -> OrderResult:
        return OrderResult(success=True, order_id="1", client_order_id="a")


class _PlacingAsync(_Common, _AccountId, _Price, _Book, _Cancelling, _Orders, _Positions):
    """A method is a coroutine: it would return before anything was sent."""

    async def place_order(self, order_request: OrderRequest) -> OrderResult:
        return OrderResult(success=True, order_id="1", client_order_id="a")


class _NumericOrderId(_Common, _AccountId, _Price, _Book, _Placing, _Orders, _Positions):
    """An order id is a number."""

    def cancel_order(self, order_id: int) -> bool:
        return True


class _NothingSaid(_Common, _AccountId, _Price, _Book, _Placing, _Orders, _Positions):
    """A cancel does not say what came of it."""

    def cancel_order(self, order_id: str) -> None:
        return None


class _StatusAsNumber(_Common, _AccountId, _Price, _Book, _Placing, _Cancelling, _Positions):
    """A filter is a number, not an OrderStatus."""

    def list_orders(self, status: int | None = None) -> list[Order]:
        return []


class _OrdersAsDicts(_Common, _AccountId, _Price, _Book, _Placing, _Cancelling, _Positions):
    """Orders are whatever the broker sent."""

    def list_orders(self, status: OrderStatus | None = None) -> list[dict[str, str]]:
        return []


class _PositionsAsList(_Common, _AccountId, _Price, _Book, _Placing, _Cancelling, _Orders):
    """One position is a list of them."""

    def get_position(self, symbol: str) -> list[Position]:
        return []


right: IBrokerage = _Right()
no_account_id: IBrokerage = _NoAccountId()  # expect-error
float_price: IBrokerage = _FloatPrice()  # expect-error
no_level: IBrokerage = _NoLevel()  # expect-error
level_required: IBrokerage = _LevelRequired()  # expect-error
extra_argument: IBrokerage = _ExtraArgument()  # expect-error
other_name: IBrokerage = _OtherName()  # expect-error: pyright
placing_async: IBrokerage = _PlacingAsync()  # expect-error
numeric_order_id: IBrokerage = _NumericOrderId()  # expect-error
nothing_said: IBrokerage = _NothingSaid()  # expect-error
status_as_number: IBrokerage = _StatusAsNumber()  # expect-error
orders_as_dicts: IBrokerage = _OrdersAsDicts()  # expect-error
positions_as_list: IBrokerage = _PositionsAsList()  # expect-error
