"""Advanced Trade's orders and fills and ours, in both directions. Pure."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Final

import attrs

from bot_v2.features.brokerages.coinbase import order_wire
from bot_v2.features.brokerages.coinbase.decoding import (
    TRUSTED_MAX,
    MalformedError,
    moment,
    moment_or_none,
    number,
    number_or_none,
    number_or_zero,
    positive_or_none,
)
from bot_v2.features.brokerages.coinbase.mapping import Names
from bot_v2.features.brokerages.core.decimals import Rounding, decimal_to_text, divide
from bot_v2.features.brokerages.core.fields import EMPTY, FrozenMapping
from bot_v2.features.brokerages.core.fills import Fill, Liquidity
from bot_v2.features.brokerages.core.order_changes import OrderPreview
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.order_status import LIVE_STATUSES, OrderStatus
from bot_v2.features.brokerages.core.order_terms import OrderSide, OrderType, TimeInForce
from bot_v2.features.brokerages.core.orders import Fee, Order
from bot_v2.shared.types import MetadataValue

SIDES: Final[dict[str, OrderSide]] = {"BUY": OrderSide.BUY, "SELL": OrderSide.SELL}
NATIVE_SIDES: Final = {side: native for native, side in SIDES.items()}

STATUSES: Final[dict[str, OrderStatus]] = {
    "PENDING": OrderStatus.PENDING,
    "OPEN": OrderStatus.OPEN,
    "QUEUED": OrderStatus.OPEN,
    "EDIT_QUEUED": OrderStatus.OPEN,
    "CANCEL_QUEUED": OrderStatus.PENDING_CANCEL,
    "FILLED": OrderStatus.FILLED,
    "CANCELLED": OrderStatus.CANCELLED,
    "EXPIRED": OrderStatus.EXPIRED,
    "FAILED": OrderStatus.REJECTED,
}
"""What each native status means; any other is UNKNOWN, with its text kept."""


@attrs.frozen
class Form:
    """What a native order configuration is called in our words."""

    type: OrderType
    time_in_force: TimeInForce


FORMS: Final[dict[str, Form]] = {
    "market_market_ioc": Form(OrderType.MARKET, TimeInForce.IOC),
    "market_market_fok": Form(OrderType.MARKET, TimeInForce.FOK),
    "sor_limit_ioc": Form(OrderType.LIMIT, TimeInForce.IOC),
    "limit_limit_gtc": Form(OrderType.LIMIT, TimeInForce.GTC),
    "limit_limit_gtd": Form(OrderType.LIMIT, TimeInForce.GTD),
    "limit_limit_fok": Form(OrderType.LIMIT, TimeInForce.FOK),
    "stop_limit_stop_limit_gtc": Form(OrderType.STOP_LIMIT, TimeInForce.GTC),
    "stop_limit_stop_limit_gtd": Form(OrderType.STOP_LIMIT, TimeInForce.GTD),
    # A limit with a stop beside it is no type of ours: the configuration's name is kept.
    "trigger_bracket_gtc": Form(OrderType.OTHER, TimeInForce.GTC),
    "trigger_bracket_gtd": Form(OrderType.OTHER, TimeInForce.GTD),
}

CONFIGURATIONS: Final[dict[tuple[OrderType, TimeInForce], str]] = {
    (form.type, form.time_in_force): name
    for name, form in FORMS.items()
    if form.type is not OrderType.OTHER and name != "market_market_fok"
}
"""The configuration of each type and time in force that can be asked for."""

DEFAULT_TIMES: Final[dict[OrderType, TimeInForce]] = {
    OrderType.MARKET: TimeInForce.IOC,
    OrderType.LIMIT: TimeInForce.GTC,
    OrderType.STOP_LIMIT: TimeInForce.GTC,
}
"""What an order works for where the request does not say."""

BRACKETS: Final = {TimeInForce.GTC: "trigger_bracket_gtc", TimeInForce.GTD: "trigger_bracket_gtd"}

TIMES_IN_FORCE: Final[dict[str, TimeInForce]] = {
    "GOOD_UNTIL_CANCELLED": TimeInForce.GTC,
    "GOOD_UNTIL_DATE_TIME": TimeInForce.GTD,
    "IMMEDIATE_OR_CANCEL": TimeInForce.IOC,
    "FILL_OR_KILL": TimeInForce.FOK,
}

TYPES: Final[dict[str, OrderType]] = {
    "MARKET": OrderType.MARKET,
    "LIMIT": OrderType.LIMIT,
    "STOP_LIMIT": OrderType.STOP_LIMIT,
}

LIQUIDITIES: Final = {"MAKER": Liquidity.MAKER, "TAKER": Liquidity.TAKER}

STOP_DIRECTIONS: Final = {
    OrderSide.BUY: "STOP_DIRECTION_STOP_UP",
    OrderSide.SELL: "STOP_DIRECTION_STOP_DOWN",
}

STOP_TRIGGER: Final = "stop_trigger_price"
"""The option that makes a limit order an exit with a stop beside it."""

_NO_MARGIN: Final = "UNKNOWN_MARGIN_TYPE"

_UNSAID: Final = frozenset({"", "REJECT_REASON_UNSPECIFIED"})

QUANTITY_PLACES: Final = 18
"""To how many places a quantity is told that the broker tells as a sum: it has no exact one."""


def side_from_native(native: str) -> OrderSide:
    """Return a side.

    Raises:
        MalformedError: it is neither.
    """
    side = SIDES.get(native)
    if side is None:
        raise MalformedError(f"side is {native!r}, not one of {', '.join(SIDES)}")
    return side


def order_from_native(native: order_wire.Order, names: Names, account_id: str) -> Order:
    """Return an order; a word that no table has becomes OTHER or UNKNOWN, with the word kept."""
    name, terms = _configuration_of(native)
    form = FORMS.get(name) or _form_of(native, name)
    filled = number_or_zero(native.filled_size)
    quantity = positive_or_none(terms.base_size)
    limit, stop = terms.limit_price, terms.stop_price or terms.stop_trigger_price
    parent = native.originating_order_id or None
    return Order(
        order_id=native.order_id,
        client_order_id=native.client_order_id or None,
        symbol=names.symbol_of(native.product_id),
        side=SIDES.get(native.side),
        type=form.type,
        status=_status_of(native, filled),
        native_status=native.status,
        status_reason=_reason_of(native),
        quantity=quantity,
        notional=None if quantity is not None else positive_or_none(terms.quote_size),
        price=number(limit) if limit else None,
        stop_price=number(stop) if stop else None,
        time_in_force=form.time_in_force,
        expires_at=moment_or_none(terms.end_time) if terms.end_time else None,
        filled_quantity=filled,
        average_fill_price=positive_or_none(native.average_filled_price) if filled else None,
        fees=_fees_of(native.total_fees, names.quote_of(native.product_id)),
        timestamp=moment_or_none(native.created_time),
        updated_at=moment_or_none(native.last_update_time),
        parent_order_id=parent,
        group_id=parent or (native.order_id if native.attached_order_id else None),
        account_id=account_id,
        metadata=_extras_of(native, name, form),
    )


@lru_cache(maxsize=TRUSTED_MAX)
def _fees_of(text: str, currency: str | None) -> tuple[Fee, ...] | None:
    fee = number_or_none(text)
    return None if fee is None or currency is None else (Fee(currency=currency, amount=fee),)


_NO_TERMS: Final = order_wire.Terms()


def _configuration_of(native: order_wire.Order) -> tuple[str, order_wire.Terms]:
    """Return the name and the terms of the configuration: the one of the native order type."""
    told = native.order_configuration or {}
    if len(told) == 1:
        ((name, terms),) = told.items()
        if terms is not None:
            return name, terms
    given = {name: terms for name, terms in told.items() if terms}
    for name, terms in given.items():
        form = FORMS.get(name)
        if len(given) == 1 or (form and form.type is TYPES.get(native.order_type)):
            return name, terms
    return next(iter(given.items()), ("", _NO_TERMS))


def _form_of(native: order_wire.Order, name: str) -> Form:
    # Without a configuration that we know, the order's own words are all there is.
    kind = OrderType.OTHER if name else TYPES.get(native.order_type, OrderType.OTHER)
    return Form(kind, TIMES_IN_FORCE.get(native.time_in_force, TimeInForce.OTHER))


_WORKING: Final = LIVE_STATUSES - {OrderStatus.UNKNOWN}


def _status_of(native: order_wire.Order, filled: Decimal) -> OrderStatus:
    status = STATUSES.get(native.status, OrderStatus.UNKNOWN)
    if status not in _WORKING:
        return status
    if native.pending_cancel:
        return OrderStatus.PENDING_CANCEL
    return OrderStatus.PARTIALLY_FILLED if status is OrderStatus.OPEN and filled else status


def _reason_of(native: order_wire.Order) -> str | None:
    for word in (native.reject_message, native.reject_reason, native.cancel_message):
        if word not in _UNSAID:
            return word
    return None


def _extras_of(native: order_wire.Order, name: str, form: Form) -> FrozenMapping:
    margin = native.margin_type
    is_named = form.type is not OrderType.OTHER and form.time_in_force is not TimeInForce.OTHER
    if is_named and not native.leverage and (not margin or margin == _NO_MARGIN):
        return EMPTY
    extras: dict[str, MetadataValue] = {}
    if form.type is OrderType.OTHER:
        extras["configuration"] = name or native.order_type
    if form.time_in_force is TimeInForce.OTHER:
        extras["time_in_force"] = native.time_in_force
    if native.leverage:
        extras["leverage"] = native.leverage
    if margin and margin != _NO_MARGIN:
        extras["margin_type"] = margin
    return FrozenMapping(extras)


# What is asked for.


def time_in_force_of(request: OrderRequest) -> TimeInForce:
    """Return how long an order is to work; market orders are IOC where nothing is said."""
    return request.time_in_force or DEFAULT_TIMES[request.type]


def order_to_native(
    request: OrderRequest, product_id: str, client_order_id: str
) -> dict[str, object]:
    """Return the body that places an order; what is not asked for is not sent."""
    options = request.broker_options
    body: dict[str, object] = {
        "client_order_id": client_order_id,
        "product_id": product_id,
        "side": NATIVE_SIDES[request.side],
        "order_configuration": configuration_to_native(request),
    }
    if request.take_profit is not None and request.stop_loss is not None:
        exits = {
            "limit_price": decimal_to_text(request.take_profit.price),
            "stop_trigger_price": decimal_to_text(request.stop_loss.stop_price),
        }
        body["attached_order_configuration"] = {"trigger_bracket_gtc": exits}
    for name in ("leverage", "margin_type"):
        if name in options:
            body[name] = _text_of(options[name])
    return body


def configuration_to_native(request: OrderRequest) -> dict[str, dict[str, object]]:
    """Return the order configuration of a request."""
    time_in_force = time_in_force_of(request)
    trigger = request.broker_options.get(STOP_TRIGGER)
    terms: dict[str, object] = {}
    _put(terms, "base_size", request.quantity)
    _put(terms, "quote_size", request.notional)
    _put(terms, "limit_price", request.price)
    _put(terms, "stop_price", request.stop_price)
    if trigger is not None:
        terms[STOP_TRIGGER] = _text_of(trigger)
        name = BRACKETS[time_in_force]
    else:
        name = CONFIGURATIONS[request.type, time_in_force]
    if request.stop_price is not None:
        terms["stop_direction"] = STOP_DIRECTIONS[request.side]
    if request.post_only:
        terms["post_only"] = True
    if request.expires_at is not None:
        terms["end_time"] = moment_to_native(request.expires_at)
    return {name: terms}


def _put(terms: dict[str, object], name: str, value: Decimal | None) -> None:
    if value is not None:
        terms[name] = decimal_to_text(value)


def _text_of(value: object) -> str:
    return decimal_to_text(value) if isinstance(value, Decimal) else str(value)


def moment_to_native(when: datetime) -> str:
    """Return a moment as Coinbase reads it: RFC 3339 in UTC."""
    return when.isoformat().replace("+00:00", "Z")


def edit_to_native(order_id: str, quantity: Decimal, price: Decimal) -> dict[str, str]:
    """Return the body that changes an order: both have to be told, or the size is read as zero."""
    return {
        "order_id": order_id,
        "size": decimal_to_text(quantity),
        "price": decimal_to_text(price),
    }


# What was filled.


def fill_from_native(native: order_wire.Fill, names: Names, account_id: str) -> Fill:
    """Return an execution, or what undid or corrected one; these have ids of their own."""
    price, size = number(native.price), number(native.size)
    quantity = size
    if native.size_in_quote:
        quantity = divide(size, price, QUANTITY_PLACES, Rounding.HALF_EVEN)
    is_change = native.trade_type in ("REVERSAL", "CORRECTION")
    fee = number_or_none(native.commission)
    return Fill(
        trade_id=native.entry_id if is_change else native.trade_id,
        order_id=native.order_id,
        symbol=names.symbol_of(native.product_id),
        side=side_from_native(native.side),
        quantity=quantity,
        price=price,
        fee=fee,
        fee_currency=None if fee is None else names.quote_of(native.product_id),
        liquidity=LIQUIDITIES.get(native.liquidity_indicator),
        timestamp=moment(native.trade_time),
        account_id=account_id,
        corrects=native.trade_id if is_change else None,
        busted=native.trade_type == "REVERSAL",
    )


def preview_from_native(
    native: order_wire.Preview, request: OrderRequest, native_request: str
) -> OrderPreview:
    """Return what an order would cost."""
    return OrderPreview(
        order_request=request,
        native_request=native_request,
        estimated_value=number_or_none(native.order_total),
        estimated_fee=number_or_none(native.commission_total),
        warnings=tuple(word for word in native.warning if word),
    )
