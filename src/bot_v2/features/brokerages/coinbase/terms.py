"""What Coinbase does not take is refused here, by name, before anything is sent."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from decimal import Decimal
from typing import Final, TypeAlias

from bot_v2.features.brokerages.coinbase.order_mapping import (
    BRACKETS,
    CONFIGURATIONS,
    STOP_TRIGGER,
    time_in_force_of,
)
from bot_v2.features.brokerages.core.decimals import decimal_or_none
from bot_v2.features.brokerages.core.errors import InvalidFieldError, UnsupportedOperationError
from bot_v2.features.brokerages.core.order_changes import OrderModification
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.order_terms import OrderSide, OrderType, TimeInForce
from bot_v2.features.brokerages.http.calls import Call

Refusals: TypeAlias = Mapping[str, tuple[Callable[[OrderRequest], bool], str]]
"""By field: whether a request asks for what there is not, and what is taken instead."""

MARGIN_TYPES: Final = ("CROSS", "ISOLATED")

ADVANCED_OPTIONS: Final = (STOP_TRIGGER, "leverage", "margin_type")
"""The broker options of Advanced Trade."""

_NEVER: Final[Refusals] = {
    # Neither API has these.
    "position_effect": (lambda asked: asked.position_effect is not None, "None"),
    "reduce_only": (lambda asked: asked.reduce_only, "False"),
    "extended_hours": (lambda asked: asked.extended_hours, "False: the market never closes"),
    "legs": (lambda asked: bool(asked.legs), "no legs"),
}


def _is_untaken_notional(asked: OrderRequest) -> bool:
    is_purchase = asked.type is OrderType.MARKET and asked.side is OrderSide.BUY
    return asked.notional is not None and not is_purchase


def _is_half_bracket(asked: OrderRequest) -> bool:
    return (asked.take_profit is None) != (asked.stop_loss is None)


def _is_odd_stop_loss(asked: OrderRequest) -> bool:
    return asked.stop_loss is not None and asked.stop_loss.price is not None


def _is_odd_bracket(asked: OrderRequest) -> bool:
    kind = (asked.type, time_in_force_of(asked))
    entries = ((OrderType.LIMIT, TimeInForce.GTC), (OrderType.MARKET, TimeInForce.IOC))
    return asked.take_profit is not None and kind not in entries


ADVANCED: Final[Refusals] = {
    "type": (
        lambda asked: asked.type not in {kind for kind, _ in CONFIGURATIONS},
        "MARKET, LIMIT or STOP_LIMIT",
    ),
    "time_in_force": (
        lambda asked: (asked.type, time_in_force_of(asked)) not in CONFIGURATIONS,
        "MARKET IOC; LIMIT GTC, GTD, IOC or FOK; STOP_LIMIT GTC or GTD",
    ),
    "notional": (_is_untaken_notional, "None: only a market order to buy is sized so"),
    "take_profit": (_is_half_bracket, "take_profit and stop_loss together"),
    "stop_loss": (_is_odd_stop_loss, "a stop_loss without a price: its exit is a market order"),
    "stop_loss.entry": (_is_odd_bracket, "exits of a LIMIT GTC or a MARKET IOC order only"),
    **_NEVER,
}

EXCHANGE_KINDS: Final = frozenset(
    {
        (OrderType.MARKET, TimeInForce.IOC),
        (OrderType.LIMIT, TimeInForce.GTC),
        (OrderType.LIMIT, TimeInForce.IOC),
        (OrderType.LIMIT, TimeInForce.FOK),
        (OrderType.STOP_LIMIT, TimeInForce.GTC),
    }
)

EXCHANGE: Final[Refusals] = {
    "type": (
        lambda asked: asked.type not in {kind for kind, _ in EXCHANGE_KINDS},
        "MARKET, LIMIT or STOP_LIMIT",
    ),
    "time_in_force": (
        lambda asked: (asked.type, time_in_force_of(asked)) not in EXCHANGE_KINDS,
        "MARKET IOC; LIMIT GTC, IOC or FOK; STOP_LIMIT GTC",
    ),
    "notional": (
        lambda asked: asked.notional is not None and asked.type is not OrderType.MARKET,
        "None: only a market order is sized so",
    ),
    "take_profit": (lambda asked: asked.take_profit is not None, "None"),
    "stop_loss": (lambda asked: asked.stop_loss is not None, "None"),
    **_NEVER,
}


def refuse_unsupported(
    request: OrderRequest, refusals: Refusals, options: Collection[str], call: Call
) -> None:
    """Refuse what the API has no word for.

    Raises:
        UnsupportedOperationError: names the field, and what is taken.
        InvalidFieldError: an option is none, or makes no sense.
    """
    for name, (is_asked, accepted) in refusals.items():
        field = name.partition(".")[0]
        if is_asked(request):
            value = getattr(request, field)
            raise UnsupportedOperationError(
                f"Coinbase takes no {field}={value!r} here; accepted: {accepted}",
                **call.context(),
            )
    for name in request.broker_options:
        if name not in options:
            accepted = ", ".join(options) or "no options"
            raise InvalidFieldError("OrderRequest.broker_options", name, accepted, **call.context())
    _check_options(request, call)


def _check_options(request: OrderRequest, call: Call) -> None:
    options = request.broker_options
    for name in (STOP_TRIGGER, "leverage"):
        value = options.get(name)
        if value is not None and not _is_positive(value):
            raise _refusal(name, value, "a number above zero, as a Decimal or as text", call)
    margin_type = options.get("margin_type")
    if margin_type is not None and margin_type not in MARGIN_TYPES:
        raise _refusal("margin_type", margin_type, " or ".join(MARGIN_TYPES), call)
    if STOP_TRIGGER in options:
        is_bracket = request.type is OrderType.LIMIT and time_in_force_of(request) in BRACKETS
        if not is_bracket or request.post_only or request.take_profit is not None:
            accepted = "on a LIMIT order, GTC or GTD, that is neither post_only nor a bracket"
            raise _refusal(STOP_TRIGGER, options[STOP_TRIGGER], accepted, call)


def _is_positive(value: object) -> bool:
    try:
        number = value if isinstance(value, Decimal) else decimal_or_none(str(value))
    except InvalidFieldError:
        return False
    return number is not None and number.is_finite() and number > 0


def _refusal(name: str, value: object, accepted: str, call: Call) -> InvalidFieldError:
    field = f"OrderRequest.broker_options[{name!r}]"
    return InvalidFieldError(field, value, accepted, **call.context())


UNCHANGEABLE: Final = (
    "stop_price",
    "trail_amount",
    "trail_percent",
    "time_in_force",
    "expires_at",
    "client_order_id",
)


def refuse_unsupported_change(change: OrderModification, call: Call) -> None:
    """Refuse a change that the API has no word for.

    Raises:
        UnsupportedOperationError: names the field.
    """
    for name in UNCHANGEABLE:
        if getattr(change, name) is not None:
            raise UnsupportedOperationError(
                f"Coinbase cannot change {name}; accepted: price, quantity", **call.context()
            )
