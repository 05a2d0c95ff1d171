"""From the options of `buy` and `sell` to an OrderRequest, and from a request to a sentence."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import attrs

from bot_v2.cli.output import as_text
from bot_v2.cli.values import choice_of, decimal_of, moment_of, pairs_of
from bot_v2.features.brokerages.core.errors import InvalidFieldError
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.order_terms import (
    OrderSide,
    OrderType,
    PositionEffect,
    StopLoss,
    TakeProfit,
    TimeInForce,
)

OPTION_BY_FIELD: Final[dict[str, str]] = {
    # the field that an error names: what was typed for it
    "OrderRequest.symbol": "SYMBOL",
    "OrderRequest.quantity": "QUANTITY",
    "OrderRequest.notional": "--notional",
    "OrderRequest.type": "--type",
    "OrderRequest.price": "--price",
    "OrderRequest.stop_price": "--stop-price",
    "OrderRequest.trail_amount": "--trail-amount",
    "OrderRequest.trail_percent": "--trail-percent",
    "OrderRequest.time_in_force": "--tif",
    "OrderRequest.expires_at": "--expires-at",
    "OrderRequest.client_order_id": "--client-order-id",
    "OrderRequest.position_effect": "--position-effect",
    "OrderRequest.post_only": "--post-only",
    "OrderRequest.reduce_only": "--reduce-only",
    "OrderRequest.extended_hours": "--extended-hours",
    "OrderRequest.take_profit": "--take-profit",
    "OrderRequest.take_profit.price": "--take-profit",
    "OrderRequest.stop_loss": "--stop-loss",
    "OrderRequest.stop_loss.stop_price": "--stop-loss",
    "OrderRequest.broker_options": "--broker-option",
}


@attrs.frozen(kw_only=True)
class OrderTerms:
    """The terms of an order as they were typed; None where they were not."""

    symbol: str
    """What to trade."""
    side: OrderSide
    """Which way."""
    quantity: str | None = None
    """QUANTITY."""
    notional: str | None = None
    """--notional."""
    type: str | None = None
    """--type."""
    price: str | None = None
    """--price."""
    stop_price: str | None = None
    """--stop-price."""
    trail_amount: str | None = None
    """--trail-amount."""
    trail_percent: str | None = None
    """--trail-percent."""
    tif: str | None = None
    """--tif."""
    expires_at: str | None = None
    """--expires-at."""
    client_order_id: str | None = None
    """--client-order-id."""
    position_effect: str | None = None
    """--position-effect."""
    post_only: bool = False
    """--post-only."""
    reduce_only: bool = False
    """--reduce-only."""
    extended_hours: bool = False
    """--extended-hours."""
    take_profit: str | None = None
    """--take-profit."""
    stop_loss: str | None = None
    """--stop-loss."""
    broker_options: tuple[str, ...] = ()
    """--broker-option, each."""


def request_from(terms: OrderTerms) -> OrderRequest:
    """Return the request that the terms make.

    Raises:
        InvalidFieldError: a term is no number, or does not go with the others; names the option.
    """
    target = decimal_of("--take-profit", terms.take_profit)
    stop = decimal_of("--stop-loss", terms.stop_loss)
    price = decimal_of("--price", terms.price)
    stop_price = decimal_of("--stop-price", terms.stop_price)
    trails = terms.trail_amount is not None or terms.trail_percent is not None
    kind = choice_of("--type", terms.type, OrderType) or _type_for(price, stop_price, trails)
    try:
        return OrderRequest(
            symbol=terms.symbol,
            side=terms.side,
            quantity=decimal_of("QUANTITY", terms.quantity),
            notional=decimal_of("--notional", terms.notional),
            type=kind,
            price=price,
            stop_price=stop_price,
            trail_amount=decimal_of("--trail-amount", terms.trail_amount),
            trail_percent=decimal_of("--trail-percent", terms.trail_percent),
            time_in_force=choice_of("--tif", terms.tif, TimeInForce),
            expires_at=moment_of("--expires-at", terms.expires_at),
            client_order_id=terms.client_order_id,
            position_effect=choice_of("--position-effect", terms.position_effect, PositionEffect),
            post_only=terms.post_only,
            reduce_only=terms.reduce_only,
            extended_hours=terms.extended_hours,
            take_profit=None if target is None else TakeProfit(price=target),
            stop_loss=None if stop is None else StopLoss(stop_price=stop),
            broker_options=pairs_of("--broker-option", terms.broker_options),
        )
    except InvalidFieldError as error:
        raise by_option(error) from error


def _type_for(price: Decimal | None, stop_price: Decimal | None, trails: bool) -> OrderType:
    if trails:
        return OrderType.TRAILING_STOP
    if stop_price is not None:
        return OrderType.STOP if price is None else OrderType.STOP_LIMIT
    return OrderType.MARKET if price is None else OrderType.LIMIT


def by_option(error: InvalidFieldError) -> InvalidFieldError:
    """Return the error as one about what was typed, where it is about a field of the request."""
    option = OPTION_BY_FIELD.get(error.field)
    if option is None:
        return error
    value = as_text(error.value) if isinstance(error.value, Decimal) else error.value
    return InvalidFieldError(
        option,
        value,
        error.accepted,
        broker=error.broker,
        operation=error.operation,
        symbol=error.symbol,
        outcome=error.outcome,
    )


def sentence_for(request: OrderRequest) -> str:
    """Return what a request asks for, in one line."""
    amount = (
        as_text(request.quantity)
        if request.quantity is not None
        else f"{as_text(request.notional)} worth of"
    )
    words = [request.side.value.upper(), amount, request.symbol, request.type.value]
    terms: list[tuple[str, object]] = [
        ("at", request.price),
        ("stop", request.stop_price),
        ("trail", request.trail_amount),
        ("trail %", request.trail_percent),
        ("", request.time_in_force),
        ("until", request.expires_at),
        ("take profit", request.take_profit and request.take_profit.price),
        ("stop loss", request.stop_loss and request.stop_loss.stop_price),
        ("", request.position_effect),
        ("", "post-only" if request.post_only else None),
        ("", "reduce-only" if request.reduce_only else None),
        ("", "extended hours" if request.extended_hours else None),
    ]
    words += [f"{name} {as_text(value)}".strip() for name, value in terms if value is not None]
    words += [f"{key}={value}" for key, value in request.broker_options.items()]
    return " ".join(words)
