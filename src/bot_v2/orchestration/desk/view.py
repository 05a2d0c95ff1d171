"""One brokerage of a desk, as an IBrokerage: a session of its own over the one that is pooled."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from decimal import Decimal
from functools import wraps
from types import TracebackType
from typing import Any, Final

from bot_v2.features.brokerages.core.accounts import Balance, Position
from bot_v2.features.brokerages.core.brokerage import IBrokerage
from bot_v2.features.brokerages.core.capabilities import capabilities_of, methods_of
from bot_v2.features.brokerages.core.errors import ConnectionError, Outcome
from bot_v2.features.brokerages.core.health import BrokerHealth
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.order_status import OrderStatus
from bot_v2.features.brokerages.core.orderbook import Orderbook
from bot_v2.features.brokerages.core.orders import Order, OrderResult
from bot_v2.features.brokerages.core.products import Product
from bot_v2.shared.types import Clock

DECLARATIONS: Final = frozenset(
    {
        "name",
        "environment",
        "capabilities",
        "unsupported",
        "idempotency",
        "order_history",
        "close_guard",
        "balance_identity",
        "spot_as_positions",
        "native",
        "contract_profile",
    }
)
"""What a brokerage may say of itself, and its view then says too."""

_WITHOUT_SESSION: Final = frozenset({"login_url", "complete_login"})
"""What is called to get a session."""


class BrokerView:
    """A brokerage as one user of the desk sees it.

    `connect` sees to it that the pooled session lives; `disconnect` ends this view, its streams
    included, and leaves the session to the others. What the brokerage declares, the view has.

    Args:
        name: what it is called in the desk.
        broker: the brokerage.
        is_member: whether it still belongs to the desk.
        clock: the present moment.
    """

    def __init__(
        self, name: str, broker: IBrokerage, is_member: Callable[[], bool], clock: Clock
    ) -> None:
        """Look at a brokerage."""
        self._view_name = name
        self._broker = broker
        self._is_member = is_member
        self._clock = clock
        self._is_closed = False
        self._streams: dict[_ViewedStream, None] = {}
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"BrokerView({self._view_name!r})"

    def __getattr__(self, name: str) -> Any:
        if name in DECLARATIONS:
            return getattr(self._broker, name)
        if not any(name in methods_of(one) for one in capabilities_of(self._broker)):
            raise AttributeError(f"{self!r} has no {name}")
        method = getattr(self._broker, name)

        @wraps(method)
        def call(*given: Any, **named: Any) -> Any:
            if name not in _WITHOUT_SESSION:
                self._check_open(name)
            result = method(*given, **named)
            return _ViewedStream(result, self) if name.startswith("stream_") else result

        return call

    # The session.

    def connect(self) -> bool:
        """Start the session; return True. Twice is harmless; it never prompts or prints."""
        self._check_member("connect")
        connected = self._broker.connect()
        self._is_closed = False
        return connected

    def disconnect(self) -> None:
        """End this view and its streams; the pooled session lives on. Twice is harmless."""
        self._is_closed = True
        with self._lock:
            streams = list(self._streams)
        for stream in streams:
            stream.close()

    def is_connected(self) -> bool:
        """Return whether the session is not known to be dead; does no I/O."""
        return not self._is_closed and self._is_member() and self._broker.is_connected()

    def check_health(self) -> BrokerHealth:
        """Ask the broker for a sign of life; never raises, and keeps its timeout."""
        if not self._is_closed and self._is_member():
            return self._broker.check_health()
        return BrokerHealth(
            connected=False,
            api_responsive=False,
            last_check_timestamp=self._clock().timestamp(),
            error_message=f"this view of {self._view_name} is not connected",
        )

    def get_account_id(self) -> str:
        """Return the account that this brokerage is bound to; stable across sessions."""
        return self._open("get_account_id").get_account_id()

    # The account.

    def list_balances(self) -> list[Balance]:
        """Return what the account holds, by asset and wallet."""
        return self._open("list_balances").list_balances()

    def get_balance(self, asset: str) -> Balance:
        """Return one asset's balance; zero where a complete read shows that there is none."""
        return self._open("get_balance").get_balance(asset)

    def list_positions(self) -> list[Position]:
        """Return all exposure but cash and the spot assets that are kept as balances."""
        return self._open("list_positions").list_positions()

    def get_position(self, symbol: str) -> Position | None:
        """Return one position; None when flat."""
        return self._open("get_position").get_position(symbol)

    # The market.

    def get_products(self) -> list[Product]:
        """Return everything that can be traded."""
        return self._open("get_products").get_products()

    def get_product(self, symbol: str) -> Product:
        """Return one product."""
        return self._open("get_product").get_product(symbol)

    def get_price(self, symbol: str) -> Decimal:
        """Return the latest trade's price, else the mid, in quote currency per unit."""
        return self._open("get_price").get_price(symbol)

    def get_orderbook(self, symbol: str, level: int = 1) -> Orderbook:
        """Return the book: level 1 best bid and ask, 2 aggregated, 3 single orders."""
        return self._open("get_orderbook").get_orderbook(symbol, level)

    # Orders.

    def place_order(self, order_request: OrderRequest) -> OrderResult:
        """Send one order, once; success means that the broker took it and gave an id."""
        return self._open("place_order").place_order(order_request)

    def cancel_order(self, order_id: str) -> bool:
        """Cancel a live order: True when accepted or pending, False when it had already ended."""
        return self._open("cancel_order").cancel_order(order_id)

    def get_order(self, order_id: str) -> Order:
        """Return an order that the broker still knows."""
        return self._open("get_order").get_order(order_id)

    def list_orders(self, status: OrderStatus | None = None) -> list[Order]:
        """Return every live order, and those that ended in the adapter's window, newest first."""
        return self._open("list_orders").list_orders(status)

    def close_position(self, symbol: str) -> OrderResult:
        """Send the order that closes a position; `close_guard` says what keeps it from turning."""
        return self._open("close_position").close_position(symbol)

    # What keeps it closed.

    def keep(self, stream: _ViewedStream) -> None:
        """Close a stream when the view is closed."""
        with self._lock:
            self._streams[stream] = None

    def forget(self, stream: _ViewedStream) -> None:
        """Leave a stream to whoever closed it."""
        with self._lock:
            self._streams.pop(stream, None)

    def _open(self, operation: str) -> IBrokerage:
        self._check_open(operation)
        return self._broker

    def _check_open(self, operation: str) -> None:
        self._check_member(operation)
        if self._is_closed:
            raise self._refusal(operation, "was disconnected: connect it")

    def _check_member(self, operation: str) -> None:
        if not self._is_member():
            raise self._refusal(operation, "was removed from the desk")

    def _refusal(self, operation: str, why: str) -> ConnectionError:
        return ConnectionError(
            f"{self._view_name} {why}",
            broker=self._view_name,
            operation=operation,
            outcome=Outcome.NOT_SENT,
        )


class _ViewedStream:
    """A stream of the brokerage that ends with the view."""

    def __init__(self, stream: AbstractContextManager[Iterator[Any]], view: BrokerView) -> None:
        self._stream = stream
        self._view = view
        self._is_over = False
        self._lock = threading.Lock()

    def __enter__(self) -> Iterator[Any]:
        events = self._stream.__enter__()
        self._view.keep(self)
        return events

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._end():
            self._stream.__exit__(kind, error, traceback)

    def close(self) -> None:
        """Close it from outside: its iterator ends."""
        if self._end():
            # The session may be gone, and with it the stream: what is left to do is done.
            with suppress(Exception):
                self._stream.__exit__(None, None, None)

    def _end(self) -> bool:
        self._view.forget(self)
        with self._lock:
            is_first, self._is_over = not self._is_over, True
        return is_first
