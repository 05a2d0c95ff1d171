"""Mistakes of a bot: every marked line is an error, and no other line is."""

from __future__ import annotations

from decimal import Decimal

from bot_v2.features.brokerages.core.interfaces import (
    IBrokerage,
    InsufficientFundsError,
    OrderRequest,
    OrderSide,
    OrderStatus,
    PriceLevel,
    SupportsFills,
    SupportsMargin,
    supports,
)

BUY = OrderSide.BUY
ONE = Decimal(1)


def float_price() -> OrderRequest:
    """A price is a float."""
    return OrderRequest(symbol="A", side=BUY, quantity=ONE, price=1.5)  # expect-error


def integer_quantity() -> OrderRequest:
    """A quantity is an int."""
    return OrderRequest(symbol="A", side=BUY, quantity=1)  # expect-error


def side_as_text() -> OrderRequest:
    """A side is text."""
    return OrderRequest(symbol="A", side="buy", quantity=ONE)  # expect-error


def type_as_text() -> OrderRequest:
    """An order type is text."""
    return OrderRequest(symbol="A", side=BUY, quantity=ONE, type="limit")  # expect-error


def no_side() -> OrderRequest:
    """A side is missing."""
    return OrderRequest(symbol="A", quantity=ONE)  # expect-error


def positional() -> OrderRequest:
    """A request is built by position, where quantity and notional are easily mistaken."""
    return OrderRequest("A", BUY, ONE)  # expect-error


def changed(request: OrderRequest) -> None:
    """A request is changed after it was checked."""
    request.quantity = Decimal(2)  # expect-error


def unknown_field() -> OrderRequest:
    """A field's name is another library's."""
    return OrderRequest(symbol="A", side=BUY, qty=ONE)  # expect-error


def flat_position(broker: IBrokerage) -> Decimal:
    """A flat position is not thought of."""
    return broker.get_position("A").quantity  # expect-error


def unknown_available(broker: IBrokerage) -> Decimal:
    """A broker that does not say is not thought of."""
    return broker.get_balance("USD").available + Decimal(1)  # expect-error


def float_arithmetic(broker: IBrokerage) -> Decimal:
    """Exact and inexact numbers are mixed."""
    return broker.get_price("A") * 1.01  # expect-error


def status_as_text(broker: IBrokerage) -> int:
    """A filter is text."""
    return len(broker.list_orders("open"))  # expect-error


def status_that_is_none(broker: IBrokerage) -> int:
    """A status does not exist."""
    return len(broker.list_orders(OrderStatus.CANCELED))  # expect-error


def margin_unasked(broker: IBrokerage) -> object:
    """A capability is used without asking for it."""
    return broker.get_margin()  # expect-error


def margin_asked_wrongly(broker: IBrokerage) -> object:
    """Another capability was asked for."""
    if supports(broker, SupportsFills):
        return broker.get_margin()  # expect-error
    return None


def capability_by_name(broker: IBrokerage) -> bool:
    """A capability is asked for by its name."""
    return supports(broker, "margin")  # expect-error


def margin_afterwards(broker: IBrokerage) -> object:
    """A narrowed type is used outside the branch that narrowed it."""
    if not supports(broker, SupportsMargin):
        return broker.get_margin()  # expect-error
    return None


def funds_that_are_unknown(error: InsufficientFundsError) -> Decimal:
    """What the broker did not say is counted with."""
    return error.required  # expect-error


def level_that_changes(level: PriceLevel) -> None:
    """A book is changed."""
    level.size = Decimal(0)  # expect-error


def no_such_argument(broker: IBrokerage) -> object:
    """A wider question is asked of one of the 18."""
    return broker.list_orders(symbol="A")  # expect-error


def result_as_order(broker: IBrokerage, request: OrderRequest) -> OrderStatus:
    """The result is taken for the order."""
    return broker.place_order(request).status  # expect-error


def not_a_brokerage() -> IBrokerage:
    """Something else is given for a brokerage."""
    return object()  # expect-error
