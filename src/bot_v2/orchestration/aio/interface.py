"""IAsyncBrokerage: the 18 methods of a brokerage as coroutines."""

from __future__ import annotations

from decimal import Decimal
from typing import Protocol

from bot_v2.features.brokerages.core.accounts import Balance, Position
from bot_v2.features.brokerages.core.health import BrokerHealth
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.order_status import OrderStatus
from bot_v2.features.brokerages.core.orderbook import Orderbook
from bot_v2.features.brokerages.core.orders import Order, OrderResult
from bot_v2.features.brokerages.core.products import Product


class IAsyncBrokerage(Protocol):
    """A brokerage account for asyncio: what `IBrokerage` promises, awaited.

    The parameters, results and errors are those of `IBrokerage`. To cancel a write that has begun
    ends the wait, never the write.
    """

    async def connect(self) -> bool:
        """Start the session; return True. Twice is harmless; it never prompts or prints."""
        ...

    async def disconnect(self) -> None:
        """End the session. Twice is harmless."""
        ...

    async def is_connected(self) -> bool:
        """Return whether the session is not known to be dead; does no I/O."""
        ...

    async def check_health(self) -> BrokerHealth:
        """Ask the broker for a sign of life; never raises, and keeps its timeout."""
        ...

    async def get_account_id(self) -> str:
        """Return the account that this brokerage is bound to; stable across sessions."""
        ...

    async def list_balances(self) -> list[Balance]:
        """Return what the account holds, by asset and wallet."""
        ...

    async def get_balance(self, asset: str) -> Balance:
        """Return one asset's balance; zero where a complete read shows that there is none."""
        ...

    async def get_products(self) -> list[Product]:
        """Return everything that can be traded."""
        ...

    async def get_product(self, symbol: str) -> Product:
        """Return one product."""
        ...

    async def get_price(self, symbol: str) -> Decimal:
        """Return the latest trade's price, else the mid, in quote currency per unit."""
        ...

    async def get_orderbook(self, symbol: str, level: int = 1) -> Orderbook:
        """Return the book: level 1 best bid and ask, 2 aggregated, 3 single orders."""
        ...

    async def place_order(self, order_request: OrderRequest) -> OrderResult:
        """Send one order, once; success means that the broker took it and gave an id."""
        ...

    async def cancel_order(self, order_id: str) -> bool:
        """Cancel a live order: True when accepted or pending, False when it had already ended."""
        ...

    async def get_order(self, order_id: str) -> Order:
        """Return an order that the broker still knows."""
        ...

    async def list_orders(self, status: OrderStatus | None = None) -> list[Order]:
        """Return every live order, and those that ended in the adapter's window, newest first."""
        ...

    async def list_positions(self) -> list[Position]:
        """Return all exposure but cash and the spot assets that are kept as balances."""
        ...

    async def get_position(self, symbol: str) -> Position | None:
        """Return one position; None when flat."""
        ...

    async def close_position(self, symbol: str) -> OrderResult:
        """Send the order that closes a position; `close_guard` says what keeps it from turning."""
        ...
