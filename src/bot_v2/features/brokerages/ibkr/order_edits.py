"""Cancelling and changing orders that live. Runs in the loop of the connection."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from bot_v2.features.brokerages.core.errors import (
    CancelRejectedError,
    ErrorContext,
    ModifyRejectedError,
    OrderNotFoundError,
    Outcome,
    UnsupportedOperationError,
)
from bot_v2.features.brokerages.core.increments import check_order_request
from bot_v2.features.brokerages.core.order_changes import OrderModification
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.order_status import ENDED_STATUSES, OrderStatus
from bot_v2.features.brokerages.core.order_terms import OrderType, TimeInForce
from bot_v2.features.brokerages.core.orders import Order, OrderResult
from bot_v2.features.brokerages.ibkr.errors import NativeError
from bot_v2.features.brokerages.ibkr.order_mapping import ENDS, change_to_native
from bot_v2.features.brokerages.ibkr.order_reads import (
    not_found,
    one_order,
    orders_of,
    read_ended,
    read_live,
)
from bot_v2.features.brokerages.ibkr.order_writes import Change
from bot_v2.features.brokerages.ibkr.sending import order_of_write, send_one
from bot_v2.features.brokerages.ibkr.session import Attempt
from bot_v2.features.brokerages.ibkr.wire import OrderRow
from bot_v2.shared.types import Clock

_OF_ANOTHER: Final = (
    "the order was placed by client id {}, and TWS lets nobody else cancel or change it: "
    "set IBKR_CLIENT_ID to that"
)


async def living(attempt: Attempt, perm_id: int, account_id: str) -> OrderRow | None:
    """Return an order of this client that lives, as far as is known. None: it has ended.

    Raises:
        OrderNotFoundError: there is none of that id.
        CancelRejectedError: another client placed it.
    """
    context = attempt.call.context()
    context["outcome"] = Outcome.NOT_SENT
    memory = attempt.gateway.inbox.memory
    row, status = memory.rows.get(perm_id), memory.statuses.get(perm_id)
    native = "" if row is None else row.status if status is None else status.status
    if row is None or native in ENDS:
        row = (await read_live(attempt)).orders.get(perm_id)
    if row is None:
        ended = (await read_ended(attempt)).get(perm_id)
        if ended is None or ended.account != account_id:
            raise not_found(attempt.call)
        return None
    if row.account != account_id:
        raise not_found(attempt.call)
    if row.client_id != attempt.gateway.settings.client_id:
        raise CancelRejectedError(_OF_ANOTHER.format(row.client_id), **context)
    return row


async def why_not_cancelled(
    attempt: Attempt, perm_id: int, account_id: str, refusal: NativeError, clock: Clock
) -> bool:
    """Find out what became of an order of which TWS says that it cannot be cancelled.

    Raises:
        OrderNotFoundError: there is none.
        CancelRejectedError: it lives on.
    """
    context: ErrorContext = attempt.call.context()
    context["outcome"] = Outcome.REJECTED
    context["code"] = str(refusal.code)
    order = await one_order(attempt, perm_id, account_id, clock)
    if order is None:
        raise OrderNotFoundError(refusal.text, **context)
    if order.status in ENDED_STATUSES:
        return False
    if order.status is OrderStatus.PENDING_CANCEL:
        return True
    raise CancelRejectedError(refusal.text, **context)


async def modify(
    attempt: Attempt, perm_id: int, account_id: str, change: OrderModification, clock: Clock
) -> OrderResult:
    """Send an order that lives again, with other terms.

    Raises:
        OrderNotFoundError: there is none of that id.
        ModifyRejectedError: it has ended, another client placed it, or TWS refuses.
        InvalidFieldError: with these terms it makes no sense, or does not fit the product.
    """
    context = attempt.call.context()
    context["outcome"] = Outcome.NOT_SENT
    live = await read_live(attempt)
    row = live.orders.get(perm_id)
    if row is None or row.account != account_id:
        ended = (await read_ended(attempt)).get(perm_id)
        if ended is None or ended.account != account_id:
            raise not_found(attempt.call)
        raise ModifyRejectedError(f"the order is {ended.status}", **context)
    if row.client_id != attempt.gateway.settings.client_id:
        raise ModifyRejectedError(_OF_ANOTHER.format(row.client_id), **context)
    (order,) = await orders_of(attempt, [row], live.statuses, account_id, clock)
    await _check_change(attempt, order, change)
    fields = change_to_native(row, change)
    native = attempt.gateway.inbox.native[perm_id]
    write = Change(row.order_id, fields)
    await send_one(attempt, write, lambda client: client.change(row.order_id, native, fields))
    return OrderResult(
        success=True,
        order_id=order.order_id,
        client_order_id=order.client_order_id or order.order_id,
        order=order_of_write(attempt, write, clock),
    )


async def _check_change(attempt: Attempt, order: Order, change: OrderModification) -> None:
    """Check the order as it would be.

    Raises:
        InvalidFieldError: it makes no sense, or does not fit the product.
        UnsupportedOperationError: it is of a type that is not known here.
    """
    if order.type is OrderType.OTHER or order.side is None:
        raise UnsupportedOperationError(
            "an order of a type that is not known here cannot be changed",
            **attempt.call.context(),
        )
    time = change.time_in_force or order.time_in_force
    is_dated = time is TimeInForce.GTD
    trails = order.type is OrderType.TRAILING_STOP
    percent = change.trail_percent or order.metadata.get("trail_percent")
    amount = change.trail_amount or order.metadata.get("trail_amount")
    is_percent = isinstance(percent, Decimal) and change.trail_amount is None
    asked = OrderRequest(
        symbol=order.symbol,
        side=order.side,
        quantity=change.quantity or order.quantity,
        type=order.type,
        price=change.price if change.price is not None else order.price,
        stop_price=change.stop_price
        if change.stop_price is not None or trails
        else order.stop_price,
        trail_percent=percent if trails and is_percent and isinstance(percent, Decimal) else None,
        trail_amount=amount if trails and not is_percent and isinstance(amount, Decimal) else None,
        time_in_force=time,
        expires_at=(change.expires_at or order.expires_at) if is_dated else change.expires_at,
    )
    if not order.legs:
        instrument = await attempt.instruments.find(order.symbol, attempt.deadline)
        check_order_request(instrument.product, asked)
