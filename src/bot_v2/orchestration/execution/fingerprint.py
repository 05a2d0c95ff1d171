"""Whether an order that the broker shows is the one that was to be sent."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from typing import Final

from bot_v2.features.brokerages.core.decimals import EXACT
from bot_v2.features.brokerages.core.fills import Fill
from bot_v2.features.brokerages.core.idempotency import IdempotencyScope
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.order_terms import OrderSide, OrderType
from bot_v2.features.brokerages.core.orders import Order
from bot_v2.orchestration.journal.records import Baseline, Intent

ZERO: Final = Decimal(0)

_TERMS: Final = ("side", "quantity", "notional", "price", "stop_price")
"""What an order shows of its request; what the broker does not say is no difference."""


def difference(intent: Intent, order: Order) -> str | None:
    """Return how an order differs from an intent, for a person. None: in nothing that is said."""
    request = intent.request
    if request is None:
        return None
    if order.symbol != intent.symbol:
        return f"its symbol is {order.symbol}, not {intent.symbol}"
    for name in _TERMS:
        asked, shown = getattr(request, name), getattr(order, name)
        if asked is not None and shown is not None and asked != shown:
            return f"its {name} is {shown}, not {asked}"
    if order.type is not request.type and order.type is not OrderType.OTHER:
        return f"its type is {order.type.value}, not {request.type.value}"
    return None


def same_order_key(request: OrderRequest, symbol: str) -> tuple[object, ...]:
    """Return what two orders have in common that nobody could tell apart without an id."""
    return ("same order", symbol, request.side, request.quantity, request.notional)


def is_tagged(intent: Intent, scope: IdempotencyScope, client_order_id: str | None) -> bool | None:
    """Return whether an id shows that an order is the intent's. None: an id does not tell."""
    if client_order_id is not None:
        return client_order_id == intent.client_order_id
    return None if scope is IdempotencyScope.NONE else False


def looks_the_same(intent: Intent, order: Order, margin: timedelta) -> bool:
    """Return whether an order without an id can be the one that was to be sent.

    Args:
        intent: with the baseline of what there was before.
        order: what the broker shows.
        margin: how far the broker's clock may be off.
    """
    if _was_there_before(intent, order.order_id) or difference(intent, order) is not None:
        return False
    return order.timestamp is None or order.timestamp >= intent.created_at - margin


def fill_looks_the_same(intent: Intent, fill: Fill, margin: timedelta) -> bool:
    """Return whether an execution can be of the order that was to be sent."""
    request = intent.request
    if request is None or _was_there_before(intent, fill.order_id):
        return False
    fits = request.quantity is None or fill.quantity <= request.quantity
    is_late = fill.timestamp >= intent.created_at - margin
    return fits and is_late and (fill.symbol, fill.side) == (intent.symbol, request.side)


def _was_there_before(intent: Intent, order_id: str) -> bool:
    return intent.baseline is not None and order_id in intent.baseline.filled_by_order


def signed(side: OrderSide, quantity: Decimal) -> Decimal:
    """Return a quantity as a change of position: bought above zero, sold below."""
    return quantity if side is OrderSide.BUY else EXACT.minus(quantity)


def expected_position(baseline: Baseline, symbol: str, orders: Iterable[Order]) -> Decimal | None:
    """Return what the position has to be by the fills of all orders. None: nobody can say.

    Args:
        baseline: the position and the orders before.
        symbol: the product.
        orders: all orders that the broker shows now.
    """
    expected = baseline.position
    for order in orders:
        if order.symbol != symbol or expected is None:
            continue
        if order.side is None:
            return None
        before = baseline.filled_by_order.get(order.order_id, ZERO)
        change = EXACT.subtract(order.filled_quantity, before)
        expected = EXACT.add(expected, signed(order.side, change))
    return expected
