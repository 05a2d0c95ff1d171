"""Records as the core models that everyone else reads."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from bot_v2.features.brokerages.core.decimals import Rounding, divide
from bot_v2.features.brokerages.core.fills import Fill
from bot_v2.features.brokerages.core.orders import Fee, Order
from bot_v2.simulation.accounting import without_zeros
from bot_v2.simulation.records import FillRecord, OrderRecord

PLACES: Final = 12


def mean_price(value: Decimal, quantity: Decimal) -> Decimal:
    """Return value over quantity, rounded half even to 12 places: only ever shown."""
    return without_zeros(divide(value, quantity, PLACES, Rounding.HALF_EVEN))


def order_from_record(record: OrderRecord, account_id: str, fee_currency: str) -> Order:
    """Return an order as it is now."""
    filled = record.filled_quantity
    return Order(
        order_id=record.order_id,
        client_order_id=record.client_order_id,
        symbol=record.symbol,
        side=record.side,
        type=record.type,
        status=record.status,
        time_in_force=record.time_in_force,
        account_id=account_id,
        quantity=record.quantity,
        notional=record.notional,
        price=record.price,
        stop_price=record.stop_price,
        filled_quantity=filled,
        average_fill_price=mean_price(record.filled_value, filled) if filled else None,
        fees=(Fee(currency=fee_currency, amount=record.fees),) if record.fees else (),
        timestamp=record.created_at,
        updated_at=record.updated_at,
        expires_at=record.expires_at,
        position_effect=record.position_effect,
        parent_order_id=record.parent_order_id,
        group_id=record.group_id,
        status_reason=record.status_reason,
    )


def fill_from_record(
    fill: FillRecord, order: OrderRecord, account_id: str, fee_currency: str
) -> Fill:
    """Return an execution."""
    return Fill(
        trade_id=fill.trade_id,
        order_id=fill.order_id,
        client_order_id=order.client_order_id,
        symbol=fill.symbol,
        side=fill.side,
        quantity=fill.quantity,
        price=fill.price,
        fee=fill.fee,
        fee_currency=fee_currency,
        liquidity=fill.liquidity,
        timestamp=fill.timestamp,
        account_id=account_id,
        corrects=fill.corrects,
        busted=fill.busted,
    )
