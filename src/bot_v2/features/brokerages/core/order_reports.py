"""What a broker reports of an order, booked on the evidence and in any order of arrival."""

from __future__ import annotations

from decimal import Decimal

import attrs

from bot_v2.features.brokerages.core.fields import require
from bot_v2.features.brokerages.core.order_status import ENDED_STATUSES, OrderStatus
from bot_v2.features.brokerages.core.orders import Order


def order_after_report(known: Order, reported: Order) -> Order:
    """Return the order after a report about it, whichever of the two is the newer.

    Reports arrive late, twice and out of order. What was filled only grows: a smaller cumulative
    quantity is an older report, never a subtraction (a bust or a correction has a message of its
    own). An ended order does not come back to life by a late report, but a fill that arrives
    after the end is booked: a CANCELLED order whose late fills complete it is FILLED.

    Raises:
        InvalidFieldError: the report is of another order.
    """
    if reported.order_id != known.order_id:
        raise require(reported, "order_id", f"{known.order_id!r}: the order that is known")
    newer, older = (reported, known) if _is_newer(reported, known) else (known, reported)
    most = max(newer, older, key=lambda order: order.filled_quantity)
    # A report from before a reduction knows fills that the reduced quantity does not cover yet.
    covered = newer.quantity is None or newer.quantity >= most.filled_quantity
    quantity = newer.quantity if covered else most.quantity
    status = _status_after(newer, older, quantity, most.filled_quantity)
    return attrs.evolve(
        newer,
        quantity=quantity,
        status=status,
        native_status=newer.native_status if status is newer.status else older.native_status,
        filled_quantity=most.filled_quantity,
        average_fill_price=most.average_fill_price,
        fees=most.fees if most.fees is not None else newer.fees,
        replaced_by=newer.replaced_by or older.replaced_by,
    )


def _is_newer(reported: Order, known: Order) -> bool:
    if reported.updated_at is not None and known.updated_at is not None:
        if reported.updated_at != known.updated_at:
            return reported.updated_at > known.updated_at
    elif reported.filled_quantity != known.filled_quantity:
        return reported.filled_quantity > known.filled_quantity
    return True


def _status_after(
    newer: Order, older: Order, quantity: Decimal | None, filled: Decimal
) -> OrderStatus:
    ended = [order.status for order in (newer, older) if order.status in ENDED_STATUSES]
    if ended:
        # The evidence of a complete fill outweighs any word about how the order ended.
        complete = quantity is not None and filled >= quantity
        return OrderStatus.FILLED if complete or OrderStatus.FILLED in ended else ended[0]
    # An acknowledgement is not undone by a report from before it.
    live = older.status if newer.status is OrderStatus.PENDING else newer.status
    if filled > 0 and live in (OrderStatus.PENDING, OrderStatus.OPEN):
        return OrderStatus.PARTIALLY_FILLED
    return live
