"""Advanced Trade's orders and fills and ours, in both directions. Pure."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import Final

import attrs

from bot_v2.features.brokerages.coinbase import order_wire
from bot_v2.features.brokerages.coinbase.decoding import (
    ZERO,
    MalformedError,
    in_utc,
    moment,
    number,
    number_or_none,
)
from bot_v2.features.brokerages.coinbase.mapping import Names
from bot_v2.features.brokerages.core.construct import partial
from bot_v2.features.brokerages.core.decimals import Rounding, decimal_to_text, divide
from bot_v2.features.brokerages.core.fields import FrozenMapping
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
    is_other: bool
    """Whether one of the two is a word that we do not have."""
    order: Callable[..., Order]
    """Makes an order of this form."""


@cache
def form_of(kind: OrderType, time_in_force: TimeInForce) -> Form:
    """Return a form."""
    is_other = kind is OrderType.OTHER or time_in_force is TimeInForce.OTHER
    return Form(
        kind, time_in_force, is_other, partial(Order, type=kind, time_in_force=time_in_force)
    )


FORMS: Final[dict[str, Form]] = {
    "market_market_ioc": form_of(OrderType.MARKET, TimeInForce.IOC),
    "market_market_fok": form_of(OrderType.MARKET, TimeInForce.FOK),
    "sor_limit_ioc": form_of(OrderType.LIMIT, TimeInForce.IOC),
    "limit_limit_gtc": form_of(OrderType.LIMIT, TimeInForce.GTC),
    "limit_limit_gtd": form_of(OrderType.LIMIT, TimeInForce.GTD),
    "limit_limit_fok": form_of(OrderType.LIMIT, TimeInForce.FOK),
    "stop_limit_stop_limit_gtc": form_of(OrderType.STOP_LIMIT, TimeInForce.GTC),
    "stop_limit_stop_limit_gtd": form_of(OrderType.STOP_LIMIT, TimeInForce.GTD),
    # A limit with a stop beside it is no type of ours: the configuration's name is kept.
    "trigger_bracket_gtc": form_of(OrderType.OTHER, TimeInForce.GTC),
    "trigger_bracket_gtd": form_of(OrderType.OTHER, TimeInForce.GTD),
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
    filled = native.filled_size or ZERO
    symbol, currency = names.named(native.product_id)
    fee = native.total_fees
    created, updated = native.created_time, native.last_update_time
    if created and (created.tzinfo is not UTC or created.year == 1):
        created = in_utc(created)
    if updated and (updated.tzinfo is not UTC or updated.year == 1):
        updated = in_utc(updated)
    # What most orders tell: not more than fifteen keywords, see `construct.partial`.
    order = form.order(
        order_id=native.order_id,
        client_order_id=native.client_order_id or None,
        symbol=symbol,
        side=SIDES.get(native.side),
        status=_ENDED.get(native.status) or _status_of(native, filled),
        native_status=native.status,
        status_reason=(native.reject_message or native.cancel_message or None)
        if native.reject_reason in _UNSAID
        else native.reject_message or native.reject_reason,
        quantity=terms.base_size or None,
        price=terms.limit_price,
        filled_quantity=filled,
        average_fill_price=native.average_filled_price or None if filled else None,
        fees=None if fee is None or currency is None else (_fee(currency=currency, amount=fee),),
        timestamp=created,
        updated_at=updated,
        account_id=account_id,
    )
    tells_more = (
        native.originating_order_id
        or native.attached_order_id
        or terms.quote_size
        or terms.stop_price
        or terms.stop_trigger_price
        or terms.end_time
        or native.leverage
        or (native.margin_type and native.margin_type != _NO_MARGIN)
        or form.is_other
    )
    return _with_the_rest(order, native, name, terms) if tells_more else order


_fee: Final = partial(Fee)
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
    return form_of(kind, TIMES_IN_FORCE.get(native.time_in_force, TimeInForce.OTHER))


_ENDED: Final = {
    native: status for native, status in STATUSES.items() if status not in LIVE_STATUSES
}


def _status_of(native: order_wire.Order, filled: Decimal) -> OrderStatus:
    status = STATUSES.get(native.status, OrderStatus.UNKNOWN)
    if native.pending_cancel and status is not OrderStatus.UNKNOWN:
        return OrderStatus.PENDING_CANCEL
    return status_from_native(native.status, filled)


def status_from_native(native: str, filled: Decimal) -> OrderStatus:
    """Return what a status means of an order of which something may be filled."""
    status = STATUSES.get(native, OrderStatus.UNKNOWN)
    return OrderStatus.PARTIALLY_FILLED if status is OrderStatus.OPEN and filled else status


def _with_the_rest(
    order: Order, native: order_wire.Order, name: str, terms: order_wire.Terms
) -> Order:
    """Return an order with what few orders tell."""
    parent = native.originating_order_id or None
    return attrs.evolve(
        order,
        notional=None if order.quantity is not None else terms.quote_size or None,
        stop_price=terms.stop_price or terms.stop_trigger_price,
        expires_at=in_utc(terms.end_time),
        parent_order_id=parent,
        group_id=parent or (native.order_id if native.attached_order_id else None),
        metadata=_extras_of(native, name, order),
    )


def _extras_of(native: order_wire.Order, name: str, order: Order) -> FrozenMapping:
    extras: dict[str, MetadataValue] = {}
    if order.type is OrderType.OTHER:
        extras["configuration"] = name or native.order_type
    if order.time_in_force is TimeInForce.OTHER:
        extras["time_in_force"] = native.time_in_force
    if native.leverage:
        extras["leverage"] = native.leverage
    if native.margin_type and native.margin_type != _NO_MARGIN:
        extras["margin_type"] = native.margin_type
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
