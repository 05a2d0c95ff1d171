"""What Alpaca does not take is refused here, by name, before anything is sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final, TypeAlias

from bot_v2.features.brokerages.alpaca.mapping import ONE
from bot_v2.features.brokerages.alpaca.order_to_native import time_in_force_of
from bot_v2.features.brokerages.core.decimals import EXACT
from bot_v2.features.brokerages.core.errors import (
    InvalidFieldError,
    InvalidRequestError,
    UnsupportedOperationError,
)
from bot_v2.features.brokerages.core.order_changes import OrderModification
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.order_status import ENDED_STATUSES
from bot_v2.features.brokerages.core.order_terms import OrderSide, OrderType, TimeInForce
from bot_v2.features.brokerages.core.orders import Order
from bot_v2.features.brokerages.core.products import MarketType
from bot_v2.features.brokerages.http.calls import Call

Refusals: TypeAlias = Mapping[str, tuple[Callable[[OrderRequest, MarketType], bool], str]]
"""By field: whether a request asks for what there is not, and what is taken instead."""

_DAY_OR_GTC: Final = frozenset({TimeInForce.DAY, TimeInForce.GTC})
_DAY: Final = frozenset({TimeInForce.DAY})
_STOCK_TIMES: Final = _DAY_OR_GTC | {
    TimeInForce.OPG,
    TimeInForce.CLS,
    TimeInForce.IOC,
    TimeInForce.FOK,
}
_CRYPTO_TIMES: Final = frozenset({TimeInForce.GTC, TimeInForce.IOC})

TIMES: Final[Mapping[tuple[MarketType, OrderType], frozenset[TimeInForce]]] = {
    # what is traded, the order's type: how long it may work
    (MarketType.EQUITY, OrderType.MARKET): _STOCK_TIMES,
    (MarketType.EQUITY, OrderType.LIMIT): _STOCK_TIMES,
    (MarketType.EQUITY, OrderType.STOP): _DAY_OR_GTC,
    (MarketType.EQUITY, OrderType.STOP_LIMIT): _DAY_OR_GTC,
    (MarketType.EQUITY, OrderType.TRAILING_STOP): _DAY_OR_GTC,
    (MarketType.SPOT, OrderType.MARKET): _CRYPTO_TIMES,
    (MarketType.SPOT, OrderType.LIMIT): _CRYPTO_TIMES,
    (MarketType.SPOT, OrderType.STOP_LIMIT): _CRYPTO_TIMES,
    (MarketType.OPTION, OrderType.MARKET): _DAY,
    (MarketType.OPTION, OrderType.LIMIT): _DAY,
    (MarketType.OPTION, OrderType.STOP): _DAY,
    (MarketType.OPTION, OrderType.STOP_LIMIT): _DAY,
}

LEGS_MAX: Final = 4

_TIMES_ACCEPTED: Final = (
    "stocks: MARKET and LIMIT DAY, GTC, OPG, CLS, IOC or FOK, other types DAY or GTC; crypto: "
    "MARKET, LIMIT and STOP_LIMIT GTC or IOC; options: MARKET, LIMIT, STOP and STOP_LIMIT DAY"
)


def _is_untaken_time(asked: OrderRequest, kind: MarketType) -> bool:
    return time_in_force_of(asked, kind) not in TIMES.get((kind, asked.type), frozenset())


def _is_untaken_type(asked: OrderRequest, kind: MarketType) -> bool:
    return (kind, asked.type) not in TIMES


def _is_untaken_notional(asked: OrderRequest, kind: MarketType) -> bool:
    if asked.notional is None:
        return False
    is_day = kind is MarketType.SPOT or time_in_force_of(asked, kind) is TimeInForce.DAY
    is_taken = kind in (MarketType.EQUITY, MarketType.SPOT) and asked.type is OrderType.MARKET
    return not (is_taken and is_day)


def _is_whole(quantity: Decimal) -> bool:
    return EXACT.remainder(quantity, ONE) == 0


def _is_lasting_fraction(asked: OrderRequest, kind: MarketType) -> bool:
    if kind is not MarketType.EQUITY or asked.quantity is None:
        return False
    return not _is_whole(asked.quantity) and time_in_force_of(asked, kind) is not TimeInForce.DAY


def _is_untaken_night(asked: OrderRequest, kind: MarketType) -> bool:
    is_taken = (
        kind is MarketType.EQUITY
        and asked.type is OrderType.LIMIT
        and time_in_force_of(asked, kind) is TimeInForce.DAY
    )
    return asked.extended_hours and not is_taken


def _has_exits(asked: OrderRequest) -> bool:
    return asked.take_profit is not None or asked.stop_loss is not None


def _is_untaken_exit(asked: OrderRequest, kind: MarketType) -> bool:
    if not _has_exits(asked):
        return False
    is_entry = asked.type in (OrderType.MARKET, OrderType.LIMIT)
    is_long = time_in_force_of(asked, kind) in _DAY_OR_GTC
    is_simple = asked.extended_hours or asked.quantity is None or not _is_whole(asked.quantity)
    return not (kind is MarketType.EQUITY and is_entry and is_long and not is_simple)


REFUSALS: Final[Refusals] = {
    "type": (
        _is_untaken_type,
        "stocks: any; crypto: MARKET, LIMIT or STOP_LIMIT; options: no TRAILING_STOP",
    ),
    "time_in_force": (_is_untaken_time, _TIMES_ACCEPTED),
    "notional": (
        _is_untaken_notional,
        "None: only a market order for stocks (DAY) or crypto is sized so",
    ),
    "quantity": (_is_lasting_fraction, "whole shares: a fraction works for the DAY only"),
    "extended_hours": (_is_untaken_night, "False: only a LIMIT order DAY for stocks can"),
    "position_effect": (
        lambda asked, kind: asked.position_effect is not None and kind is MarketType.SPOT,
        "None: crypto is neither opened nor closed",
    ),
    "take_profit": (
        lambda asked, kind: asked.take_profit is not None and _is_untaken_exit(asked, kind),
        "None, or on a MARKET or LIMIT order DAY or GTC for whole shares, in regular hours",
    ),
    "stop_loss": (
        lambda asked, kind: asked.stop_loss is not None and _is_untaken_exit(asked, kind),
        "None, or on a MARKET or LIMIT order DAY or GTC for whole shares, in regular hours",
    ),
    "post_only": (lambda asked, _: asked.post_only, "False"),
    "reduce_only": (lambda asked, _: asked.reduce_only, "False"),
}
"""What a request for one instrument may not ask for."""

LEG_REFUSALS: Final[Refusals] = {
    "type": (
        lambda asked, _: asked.type not in (OrderType.MARKET, OrderType.LIMIT),
        "MARKET or LIMIT",
    ),
    "time_in_force": (
        lambda asked, _: time_in_force_of(asked, MarketType.OPTION) is not TimeInForce.DAY,
        "DAY",
    ),
    "notional": (lambda asked, _: asked.notional is not None, "None"),
    "side": (
        lambda asked, _: asked.side is not OrderSide.BUY,
        "BUY: each leg has a side of its own; a price below zero is one that is paid to you",
    ),
    "legs": (lambda asked, _: not 2 <= len(asked.legs) <= LEGS_MAX, f"2 to {LEGS_MAX} legs"),
    "extended_hours": (lambda asked, _: asked.extended_hours, "False"),
    "position_effect": (
        lambda asked, _: asked.position_effect is not None,
        "None: each leg has an effect of its own",
    ),
    "take_profit": (lambda asked, _: asked.take_profit is not None, "None"),
    "stop_loss": (lambda asked, _: asked.stop_loss is not None, "None"),
    "post_only": (lambda asked, _: asked.post_only, "False"),
    "reduce_only": (lambda asked, _: asked.reduce_only, "False"),
}
"""What a multi-leg request may not ask for."""


def refuse_unsupported(
    request: OrderRequest, market_type: MarketType, refusals: Refusals, call: Call
) -> None:
    """Refuse what the API has no word for.

    Raises:
        UnsupportedOperationError: names the field, and what is taken.
        InvalidFieldError: an option is given: there are none.
    """
    for name, (is_asked, accepted) in refusals.items():
        if is_asked(request, market_type):
            value = getattr(request, name)
            shown = value if value is not None else time_in_force_of(request, market_type)
            raise UnsupportedOperationError(
                f"Alpaca takes no {name}={shown!r} here; accepted: {accepted}", **call.context()
            )
    for option in request.broker_options:
        field = "OrderRequest.broker_options"
        raise InvalidFieldError(field, option, "no options", **call.context())


def exits_of(
    first: OrderRequest, second: OrderRequest, call: Call
) -> tuple[OrderRequest, OrderRequest]:
    """Return the limit order and the stop of a pair that Alpaca can link.

    Raises:
        UnsupportedOperationError: they are not two exits of one position.
    """
    stops = (OrderType.STOP, OrderType.STOP_LIMIT)
    profit, stop = (first, second) if first.type is OrderType.LIMIT else (second, first)
    checks = (
        (profit.type is OrderType.LIMIT and stop.type in stops, "a LIMIT and a STOP or STOP_LIMIT"),
        (profit.side is stop.side, "two orders of one side"),
        (
            profit.quantity is not None and profit.quantity == stop.quantity,
            "two orders of one quantity",
        ),
        (profit.quantity is not None and _is_whole(profit.quantity), "orders for whole shares"),
        (profit.time_in_force is stop.time_in_force, "two orders of one time in force"),
        (stop.client_order_id is None, "a stop without a client_order_id: Alpaca makes its own"),
        (not _has_exits(profit) and not _has_exits(stop), "orders without exits of their own"),
        (not profit.legs and not stop.legs, "orders of one instrument each"),
    )
    for is_right, accepted in checks:
        if not is_right:
            raise UnsupportedOperationError(
                f"Alpaca cannot link these two; accepted: {accepted}", **call.context()
            )
    return profit, stop


def refuse_unlinkable_time(request: OrderRequest, market_type: MarketType, call: Call) -> None:
    """Refuse a pair of exits that does not work for the day or until cancelled, or not of stocks.

    Raises:
        UnsupportedOperationError: names the field, and what is taken.
    """
    time_in_force = time_in_force_of(request, market_type)
    if market_type is not MarketType.EQUITY or time_in_force not in _DAY_OR_GTC:
        raise UnsupportedOperationError(
            f"Alpaca links no orders of {market_type.name} {time_in_force.name}; accepted: "
            "stocks, DAY or GTC",
            **call.context(),
        )


def refuse_unsupported_change(change: OrderModification, call: Call) -> None:
    """Refuse a change that the API has no word for.

    Raises:
        UnsupportedOperationError: names the field.
    """
    if change.expires_at is not None or change.time_in_force is TimeInForce.GTD:
        raise UnsupportedOperationError(
            "Alpaca has no orders with an end of their own", **call.context()
        )
    if change.trail_amount is not None and change.trail_percent is not None:
        raise InvalidRequestError(
            "trail_amount and trail_percent: a stop trails by one of them", **call.context()
        )


def quantity_to_ask(order: Order, change: OrderModification, call: Call) -> Decimal | None:
    """Return what a replacement is to be for: the new whole without what was filled.

    None: as the order itself, of which nothing was filled.

    Raises:
        InvalidRequestError: so much was filled already.
    """
    whole = change.quantity if change.quantity is not None else order.quantity
    if whole is None or not order.filled_quantity or order.status in ENDED_STATUSES:
        return change.quantity
    if whole <= order.filled_quantity:
        raise InvalidRequestError(
            f"{order.filled_quantity} are filled already; accepted: a quantity above that",
            **call.context(),
        )
    return EXACT.subtract(whole, order.filled_quantity)
