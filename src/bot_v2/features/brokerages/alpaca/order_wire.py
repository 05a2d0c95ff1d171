"""What the trading API sends of orders: the fields that are needed."""

from __future__ import annotations

from decimal import Decimal

from bot_v2.features.brokerages.alpaca.decoding import Moment, Wire


class Order(Wire, kw_only=True):
    """An order, with its legs where it is asked for them."""

    # In the order in which the broker tells them: that is what the decoder looks for first.
    id: str
    client_order_id: str | None = None
    updated_at: Moment | None = None
    submitted_at: Moment | None = None
    replaced_by: str | None = None
    replaces: str | None = None
    symbol: str | None = None
    asset_class: str | None = None
    notional: Decimal | None = None
    qty: Decimal | None = None
    filled_qty: Decimal | None = None
    filled_avg_price: Decimal | None = None
    order_class: str | None = None
    type: str | None = None
    side: str | None = None
    position_intent: str | None = None
    time_in_force: str = ""
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    status: str
    extended_hours: bool = False
    legs: list[Order] | None = None
    trail_percent: Decimal | None = None
    trail_price: Decimal | None = None
    hwm: Decimal | None = None
    ratio_qty: Decimal | None = None


class Taken(Wire):
    """The least that is told of an order that was taken."""

    id: str
    client_order_id: str = ""


class Activity(Wire):
    """An execution."""

    id: str
    order_id: str
    symbol: str
    side: str
    qty: Decimal
    price: Decimal
    transaction_time: Moment
    activity_type: str = ""
    type: str = ""
