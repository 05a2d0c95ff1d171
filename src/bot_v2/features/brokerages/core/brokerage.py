"""IBrokerage: the 18 methods that every brokerage has."""

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


class IBrokerage(Protocol):
    """A brokerage account, bound to one account id. A class that has these methods is one.

    Any method may raise a BrokerageError; a failed write says in `outcome` whether it took effect.
    Methods can be called from many threads, also inside a running event loop.
    """

    def connect(self) -> bool:
        """Start the session; return True. Twice is harmless; it never prompts or prints.

        Raises:
            AuthenticationError: the credentials are refused; LoginRequiredError: a human is needed.
            InvalidRequestError: the login has several accounts and none is chosen.
            ConnectionError, TimeoutError: the broker cannot be reached.
        """
        ...

    def disconnect(self) -> None:
        """End the session. Twice is harmless."""
        ...

    def is_connected(self) -> bool:
        """Return whether the session is not known to be dead; does no I/O."""
        ...

    def check_health(self) -> BrokerHealth:
        """Ask the broker for a sign of life; never raises, and keeps its timeout."""
        ...

    def get_account_id(self) -> str:
        """Return the account that this brokerage is bound to; stable across sessions."""
        ...

    def list_balances(self) -> list[Balance]:
        """Return what the account holds, by asset and wallet."""
        ...

    def get_balance(self, asset: str) -> Balance:
        """Return one asset's balance; zero where a complete read shows that there is none."""
        ...

    def get_products(self) -> list[Product]:
        """Return everything that can be traded."""
        ...

    def get_product(self, symbol: str) -> Product:
        """Return one product.

        Raises:
            InvalidSymbolError: there is none of that symbol, or more than one.
        """
        ...

    def get_price(self, symbol: str) -> Decimal:
        """Return the latest trade's price, else the mid, in quote currency per unit.

        Raises:
            MarketDataUnavailableError: there is neither.
        """
        ...

    def get_orderbook(self, symbol: str, level: int = 1) -> Orderbook:
        """Return the book: level 1 best bid and ask, 2 aggregated, 3 single orders.

        Raises:
            UnsupportedOperationError: the level is listed in `unsupported`.
            MarketDataUnavailableError: there is no book now.
        """
        ...

    def place_order(self, order_request: OrderRequest) -> OrderResult:
        """Send one order, once; success means that the broker took it and gave an id.

        Raises:
            InvalidRequestError: it cannot be sent as asked (NOT_SENT).
            OrderRejectedError, InsufficientFundsError: the broker refuses it (REJECTED).
            DuplicateOrderError: an order under that client id exists; this made nothing.
            OrderOutcomeUnknownError: it may be placed (UNKNOWN): look before sending again.
        """
        ...

    def cancel_order(self, order_id: str) -> bool:
        """Cancel a live order: True when accepted or pending, False when it had already ended.

        Raises:
            OrderNotFoundError: there is no such order.
            CancelRejectedError: the order lives on.
            OrderOutcomeUnknownError: it may be cancelled.
        """
        ...

    def get_order(self, order_id: str) -> Order:
        """Return an order that the broker still knows.

        Raises:
            OrderNotFoundError: it knows none of that id.
        """
        ...

    def list_orders(self, status: OrderStatus | None = None) -> list[Order]:
        """Return every live order, and those that ended in the adapter's window, newest first.

        Args:
            status: only those in exactly this status. None: all.
        """
        ...

    def list_positions(self) -> list[Position]:
        """Return all exposure but cash and the spot assets that are kept as balances."""
        ...

    def get_position(self, symbol: str) -> Position | None:
        """Return one position; None when flat.

        Raises:
            AmbiguousPositionError: the symbol has several buckets.
            UnsupportedOperationError: the product is kept as a balance: use get_balance.
        """
        ...

    def close_position(self, symbol: str) -> OrderResult:
        """Send the order that closes a position; `close_guard` says what keeps it from turning.

        Raises:
            InvalidRequestError: there is no position (NOT_SENT).
            Whatever place_order raises.
        """
        ...
