"""A broker in one process, and brokerages of it in others, which can be killed at any moment.

It protects from nothing: every order that reaches it is placed, also a second one under one id.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from multiprocessing.connection import Client, Connection, Listener
from typing import Any, Final, TypeAlias

import attrs

from bot_v2.features.brokerages.core.accounts import Balance, Position
from bot_v2.features.brokerages.core.capabilities import Capability
from bot_v2.features.brokerages.core.declarations import (
    CloseGuard,
    Environment,
    OrderHistory,
    Retention,
)
from bot_v2.features.brokerages.core.errors import BrokerageError, OrderOutcomeUnknownError
from bot_v2.features.brokerages.core.fills import Fill
from bot_v2.features.brokerages.core.health import BrokerHealth
from bot_v2.features.brokerages.core.idempotency import (
    DuplicateBehaviour,
    IdempotencyProfile,
    IdempotencyScope,
)
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.order_status import OrderStatus
from bot_v2.features.brokerages.core.orderbook import Orderbook
from bot_v2.features.brokerages.core.orders import Order, OrderResult
from bot_v2.features.brokerages.core.products import Product
from bot_v2.features.brokerages.paper.adapter import PaperBrokerage
from bot_v2.features.brokerages.paper.settings import PaperSettings

Address: TypeAlias = Any
"""Where a listener listens: what it is depends on the platform."""

Told: TypeAlias = tuple[str, OrderResult]
"""A client id, and what the bot was told of the order."""


def _shown(client_order_id: str | None) -> str | None:
    return None if client_order_id is None else client_order_id.rpartition("_")[0]


class FarAccount:
    """An account whose truth outlives every process that trades in it."""

    def __init__(self) -> None:
        """Open the account, and serve it."""
        self._paper = PaperBrokerage(PaperSettings(initial_balance=Decimal(10) ** 9))
        self._paper.connect()
        self._placing = threading.Lock()
        self._listener = Listener()
        self._serving: list[threading.Thread] = []
        self.placed: Counter[str] = Counter()
        """How many orders there are under each client id."""
        self.told: list[Told] = []
        """What bots were told, in order."""
        self.found_out = 0
        """How many orders recoveries found out about."""
        self.calls = 0
        """How many calls arrived."""
        self.on_call: Callable[[str], object] = lambda step: None
        """Called at each step of the wire: `call`, `reached` and `placed`."""
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    @property
    def address(self) -> Address:
        """Where it is."""
        return self._listener.address

    def _accept(self) -> None:
        while True:
            connection = self._listener.accept()
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._serving.append(thread)
            thread.start()

    def _serve(self, connection: Connection) -> None:
        with connection:
            while True:
                try:
                    name, arguments = connection.recv()
                except (EOFError, OSError):
                    return
                act = getattr(self, f"do_{name}", None) or getattr(self._paper, name)
                try:
                    reply = act(*arguments)
                except BrokerageError as error:
                    reply = error
                self.calls += 1
                self.on_call("call")
                try:
                    connection.send(reply)
                except OSError:
                    return

    def wait_until_left(self) -> None:
        """Wait until all that a process sent before its death has arrived."""
        for thread in self._serving:
            thread.join()
        self._serving.clear()

    def do_place_order(self, request: OrderRequest) -> OrderResult:
        """Place an order, whatever there is under its id."""
        client_order_id = request.client_order_id or ""
        self.on_call("reached")
        with self._placing:
            number = self.placed[client_order_id]
            unlike_any = attrs.evolve(request, client_order_id=f"{client_order_id}_{number}")
            result = self._paper.place_order(unlike_any)
            self.placed[client_order_id] += 1
            # What became of each fourth order is left to be found out.
            is_told = result.order is not None and self.placed.total() % 4
        self.on_call("placed")
        return OrderResult(
            success=True,
            client_order_id=client_order_id,
            order_id=result.order_id,
            order=self.do_get_order(result.order_id or "") if is_told else None,
        )

    def do_list_orders(self) -> list[Order]:
        """Return every order."""
        orders = self._paper.list_orders()
        return [attrs.evolve(each, client_order_id=_shown(each.client_order_id)) for each in orders]

    def do_get_order(self, order_id: str) -> Order:
        """Return an order."""
        order = self._paper.get_order(order_id)
        return attrs.evolve(order, client_order_id=_shown(order.client_order_id))

    def do_list_fills(self, since: datetime | None) -> list[Fill]:
        """Return executions."""
        fills = self._paper.list_fills(since)
        return [attrs.evolve(each, client_order_id=_shown(each.client_order_id)) for each in fills]

    def do_tell(self, client_order_id: str, result: OrderResult) -> None:
        """Keep what a bot was told."""
        self.told.append((client_order_id, result))

    def do_say_found_out(self, count: int) -> None:
        """Keep how much a recovery found out about."""
        self.found_out += count


class FarBrokerage:
    """One process's brokerage of the account; each thread has a connection of its own.

    Args:
        address: where the account is.
    """

    name: Final = "far"
    environment: Final = Environment.SIMULATOR
    capabilities: Final = frozenset({Capability.FILLS})
    close_guard: Final = CloseGuard.BEST_EFFORT
    spot_as_positions: Final = True
    order_history: Final = OrderHistory(retention=Retention.FOREVER)
    idempotency: Final = IdempotencyProfile(
        scope=IdempotencyScope.TAG_ONLY, on_duplicate=DuplicateBehaviour.ACCEPTS, max_length=48
    )

    def __init__(self, address: Address) -> None:
        """Connect when first asked."""
        self._address = address
        self._own = threading.local()

    def ask(self, name: str, *arguments: object) -> Any:
        """Ask the account something, and return its answer."""
        if not hasattr(self._own, "connection"):
            self._own.connection = Client(self._address)
        self._own.connection.send((name, arguments))
        reply = self._own.connection.recv()
        if isinstance(reply, BrokerageError):
            raise reply
        return reply

    def place_order(self, order_request: OrderRequest) -> OrderResult:
        """Place an order; a connection that is lost leaves its outcome unknown."""
        try:
            result: OrderResult = self.ask("place_order", order_request)
        except OSError as error:
            raise OrderOutcomeUnknownError("the connection was lost") from error
        return result

    def cancel_order(self, order_id: str) -> bool:
        """Cancel an order."""
        return bool(self.ask("cancel_order", order_id))

    def close_position(self, symbol: str) -> OrderResult:
        """Refuse: the executor closes by an order of its own."""
        raise AssertionError("the executor does not close through the broker")

    def get_order(self, order_id: str) -> Order:
        """Return an order."""
        order: Order = self.ask("get_order", order_id)
        return order

    def list_orders(self, status: OrderStatus | None = None) -> list[Order]:
        """Return every order, or those of a status."""
        orders: list[Order] = self.ask("list_orders")
        return [order for order in orders if status in (None, order.status)]

    def list_fills(self, since: datetime | None = None) -> list[Fill]:
        """Return executions."""
        fills: list[Fill] = self.ask("list_fills", since)
        return fills

    def list_positions(self) -> list[Position]:
        """Return what is held."""
        positions: list[Position] = self.ask("list_positions")
        return positions

    def get_position(self, symbol: str) -> Position | None:
        """Return what is held of a product."""
        position: Position | None = self.ask("get_position", symbol)
        return position

    def get_product(self, symbol: str) -> Product:
        """Return a product."""
        product: Product = self.ask("get_product", symbol)
        return product

    def get_products(self) -> list[Product]:
        """Return the products."""
        products: list[Product] = self.ask("get_products")
        return products

    def get_price(self, symbol: str) -> Decimal:
        """Return a price."""
        price: Decimal = self.ask("get_price", symbol)
        return price

    def get_orderbook(self, symbol: str, level: int = 1) -> Orderbook:
        """Return a book."""
        book: Orderbook = self.ask("get_orderbook", symbol, level)
        return book

    def list_balances(self) -> list[Balance]:
        """Return what the account holds."""
        balances: list[Balance] = self.ask("list_balances")
        return balances

    def get_balance(self, asset: str) -> Balance:
        """Return what the account holds of an asset."""
        balance: Balance = self.ask("get_balance", asset)
        return balance

    def connect(self) -> bool:
        """Return True."""
        return True

    def disconnect(self) -> None:
        """Let go of this thread's connection."""
        self._own.connection.close()
        del self._own.connection

    def is_connected(self) -> bool:
        """Return True."""
        return True

    def check_health(self) -> BrokerHealth:
        """Return the account's health."""
        health: BrokerHealth = self.ask("check_health")
        return health

    def get_account_id(self) -> str:
        """Return the one account."""
        return "FAR-1"
