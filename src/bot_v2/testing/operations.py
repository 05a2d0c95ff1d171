"""The calls that the checks make of every brokerage, with arguments that are valid for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, TypeAlias

from bot_v2.features.brokerages.core.accounts import Balance, Position
from bot_v2.features.brokerages.core.capabilities import Capability, capabilities_of
from bot_v2.features.brokerages.core.declarations import spot_as_positions_of, unsupported_of
from bot_v2.features.brokerages.core.health import BrokerHealth
from bot_v2.features.brokerages.core.orderbook import Orderbook
from bot_v2.features.brokerages.core.orders import Order
from bot_v2.features.brokerages.core.products import MarketType, Product
from bot_v2.testing.context import CheckContext

Call: TypeAlias = Callable[[], object]

METHODS: Final = (
    "connect",
    "disconnect",
    "is_connected",
    "check_health",
    "get_account_id",
    "list_balances",
    "get_balance",
    "get_products",
    "get_product",
    "get_price",
    "get_orderbook",
    "place_order",
    "cancel_order",
    "get_order",
    "list_orders",
    "list_positions",
    "get_position",
    "close_position",
)
"""The 18, in the order of the contract."""

WRITES: Final = ("place_order", "cancel_order", "close_position")
"""Those of the 18 that can have an effect at the broker."""

LIST_METHODS: Final[Mapping[str, type]] = {
    # method: what its list holds
    "list_balances": Balance,
    "get_products": Product,
    "list_orders": Order,
    "list_positions": Position,
}
"""Those of the 18 that return a list."""

ONE_METHODS: Final[Mapping[str, type]] = {
    # method: what it returns
    "get_account_id": str,
    "get_balance": Balance,
    "get_product": Product,
    "get_orderbook": Orderbook,
    "get_order": Order,
    "check_health": BrokerHealth,
}
"""Those of the 18 that return one thing, always of the same type."""

NO_CONNECTION: Final = frozenset({"connect", "disconnect", "is_connected", "check_health"})
"""Those of the 18 that may be used without a session."""


def keeps_as_balance(context: CheckContext) -> bool:
    """Return whether the traded product is kept as a balance, so that it has no position."""
    is_spot = context.market.product.market_type is MarketType.SPOT
    return is_spot and not spot_as_positions_of(context.broker)


def reads_of(context: CheckContext, order_id: str) -> dict[str, Call]:
    """Return the reads that this brokerage supports, by name.

    Args:
        context: the brokerage, connected.
        order_id: an order that it has.
    """
    broker, symbol = context.broker, context.symbol
    product = context.market.product
    reads: dict[str, Call] = {
        "get_account_id": broker.get_account_id,
        "list_balances": broker.list_balances,
        "get_balance": lambda: broker.get_balance(product.quote_currency),
        "get_products": broker.get_products,
        "get_product": lambda: broker.get_product(symbol),
        "get_price": lambda: broker.get_price(symbol),
        "get_orderbook": lambda: broker.get_orderbook(symbol),
        "get_order": lambda: broker.get_order(order_id),
        "list_orders": broker.list_orders,
        "list_positions": broker.list_positions,
        "get_position": lambda: broker.get_position(symbol),
    }
    if keeps_as_balance(context):
        del reads["get_position"]
    declared = unsupported_of(broker)
    return {name: call for name, call in reads.items() if name not in declared}


def remote_reads_of(context: CheckContext, order_id: str) -> dict[str, Call]:
    """Return the reads that have to ask the broker: what is cached or bound is left out."""
    local = {"get_account_id", "get_products", "get_product"}
    reads = reads_of(context, order_id)
    return {name: call for name, call in reads.items() if name not in local}


_CAPABILITY_READS: Final[Mapping[Capability, tuple[str, bool]]] = {
    # capability: its read, whether that is of a symbol
    Capability.FILLS: ("list_fills", False),
    Capability.ACCOUNT_SUMMARY: ("get_account", False),
    Capability.MARGIN: ("get_margin", False),
    Capability.QUOTES: ("get_quote", True),
    Capability.TRADES: ("list_trades", True),
    Capability.MARKET_STATUS: ("get_market_status", True),
    Capability.HOLDINGS: ("list_holdings", False),
    Capability.ACCOUNTS: ("list_accounts", False),
    Capability.FEES: ("get_fees", True),
}


def capability_reads_of(context: CheckContext) -> dict[str, Call]:
    """Return the reads of declared capabilities whose arguments suit every broker, by name."""
    declared = capabilities_of(context.broker)
    reads: dict[str, Call] = {}
    for capability, (name, of_symbol) in _CAPABILITY_READS.items():
        if capability in declared:
            method = getattr(context.broker, name)
            reads[name] = partial(method, context.symbol) if of_symbol else method
    return reads
