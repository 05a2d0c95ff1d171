"""What Advanced Trade v3 sends of orders: the fields that are needed, as text."""

from __future__ import annotations

from decimal import Decimal

from bot_v2.features.brokerages.coinbase.decoding import Moment, Wire


class Terms(Wire):
    """The terms of an order, whatever its configuration is called."""

    base_size: Decimal | None = None
    quote_size: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    stop_trigger_price: Decimal | None = None
    end_time: Moment | None = None


class Order(Wire):
    """An order."""

    order_id: str
    product_id: str
    side: str
    status: str
    client_order_id: str | None = None
    order_configuration: dict[str, Terms | None] | None = None
    time_in_force: str = ""
    created_time: Moment | None = None
    last_update_time: Moment | None = None
    filled_size: Decimal | None = None
    average_filled_price: Decimal | None = None
    total_fees: Decimal | None = None
    pending_cancel: bool = False
    order_type: str = ""
    reject_reason: str = ""
    reject_message: str = ""
    cancel_message: str = ""
    leverage: str | None = None
    margin_type: str | None = None
    originating_order_id: str | None = None
    attached_order_id: str | None = None


class OrdersPage(Wire):
    """A page of orders."""

    orders: list[Order]
    has_next: bool = False
    cursor: str = ""


class OneOrder(Wire):
    """One order."""

    order: Order


class Fill(Wire):
    """An execution, or what undid or corrected one."""

    entry_id: str
    trade_id: str
    order_id: str
    trade_time: str
    price: str
    size: str
    product_id: str
    side: str
    trade_type: str = ""
    commission: str = ""
    liquidity_indicator: str = ""
    size_in_quote: bool = False


class FillsPage(Wire):
    """A page of executions."""

    fills: list[Fill]
    cursor: str = ""


class OrderTaken(Wire):
    """What is told of an order that was taken."""

    order_id: str
    product_id: str = ""
    side: str = ""
    client_order_id: str = ""
    attached_order_id: str | None = None


class OrderFailure(Wire):
    """Why an order was not taken."""

    error: str = ""
    message: str = ""
    error_details: str = ""
    preview_failure_reason: str = ""
    new_order_failure_reason: str = ""


class OrderReply(Wire):
    """The answer to a placement, which is 200 also where it was refused."""

    success: bool
    success_response: OrderTaken | None = None
    error_response: OrderFailure | None = None
    failure_reason: str = ""
    order_id: str = ""


class CancelResult(Wire):
    """What became of one cancel."""

    success: bool
    order_id: str
    failure_reason: str = ""


class CancelReply(Wire):
    """The answer to a batch of cancels."""

    results: list[CancelResult]


class EditFailure(Wire):
    """Why an order was not changed."""

    edit_failure_reason: str = ""
    edit_order_failure_reason: str = ""
    preview_failure_reason: str = ""
    error_details: str = ""


class EditReply(Wire):
    """The answer to a change."""

    success: bool
    errors: list[EditFailure] | EditFailure | None = None
    error_response: EditFailure | None = None


class Preview(Wire):
    """What an order would be and cost."""

    order_total: str = ""
    commission_total: str = ""
    errs: list[str] = []  # noqa: RUF012 - msgspec copies an empty default
    warning: list[str] = []  # noqa: RUF012 - msgspec copies an empty default
