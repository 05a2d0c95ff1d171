"""What is asked for, in Alpaca's words. Pure; the other way is in `order_mapping`."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from bot_v2.features.brokerages.alpaca.decoding import MalformedError
from bot_v2.features.brokerages.alpaca.order_mapping import (
    MULTI_LEG,
    OCO,
    TIMES_IN_FORCE,
    TYPES,
)
from bot_v2.features.brokerages.core.decimals import decimal_to_text
from bot_v2.features.brokerages.core.order_changes import OrderModification
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.order_terms import OrderSide, PositionEffect, TimeInForce
from bot_v2.features.brokerages.core.products import MarketType

NATIVE_TYPES: Final = {kind: native for native, kind in TYPES.items()}
NATIVE_TIMES: Final = {kind: native for native, kind in TIMES_IN_FORCE.items()}

DEFAULT_TIMES: Final[dict[MarketType, TimeInForce]] = {
    MarketType.EQUITY: TimeInForce.DAY,
    MarketType.OPTION: TimeInForce.DAY,
    MarketType.SPOT: TimeInForce.GTC,
}
"""What an order works for where the request does not say."""


def time_in_force_of(request: OrderRequest, market_type: MarketType) -> TimeInForce:
    """Return how long an order is to work; for the day where nothing is said, crypto for ever."""
    return request.time_in_force or DEFAULT_TIMES.get(market_type, TimeInForce.DAY)


def order_to_native(
    request: OrderRequest, native_symbol: str, market_type: MarketType, client_order_id: str
) -> dict[str, object]:
    """Return the body that places an order; what is not asked for is not sent."""
    body: dict[str, object] = {
        "symbol": native_symbol,
        "side": request.side.value,
        "type": NATIVE_TYPES[request.type],
        "time_in_force": NATIVE_TIMES[time_in_force_of(request, market_type)],
        "client_order_id": client_order_id,
    }
    _put(body, "qty", request.quantity)
    _put(body, "notional", request.notional)
    _put(body, "limit_price", request.price)
    _put(body, "stop_price", request.stop_price)
    _put(body, "trail_price", request.trail_amount)
    _put(body, "trail_percent", request.trail_percent)
    if request.extended_hours:
        body["extended_hours"] = True
    if request.position_effect is not None:
        body["position_intent"] = intent_of(request.side, request.position_effect)
    profit, stop = request.take_profit, request.stop_loss
    if profit is not None or stop is not None:
        body["order_class"] = "oto" if profit is None or stop is None else "bracket"
    if profit is not None:
        body["take_profit"] = {"limit_price": decimal_to_text(profit.price)}
    if stop is not None:
        body["stop_loss"] = _stop_loss(stop.stop_price, stop.price)
    return body


def legs_to_native(
    request: OrderRequest, natives: tuple[str, ...], client_order_id: str
) -> dict[str, object]:
    """Return the body that places a multi-leg order: its price is what the whole costs."""
    body: dict[str, object] = {
        "order_class": MULTI_LEG,
        "type": NATIVE_TYPES[request.type],
        "time_in_force": NATIVE_TIMES[time_in_force_of(request, MarketType.OPTION)],
        "client_order_id": client_order_id,
    }
    _put(body, "qty", request.quantity)
    _put(body, "limit_price", request.price)
    legs: list[dict[str, str]] = []
    for leg, native in zip(request.legs, natives, strict=True):
        told = {
            "symbol": native,
            "side": leg.side.value,
            "ratio_qty": decimal_to_text(leg.ratio),
        }
        if leg.position_effect is not None:
            told["position_intent"] = intent_of(leg.side, leg.position_effect)
        legs.append(told)
    body["legs"] = legs
    return body


def oco_to_native(
    profit: OrderRequest, stop: OrderRequest, native_symbol: str, client_order_id: str
) -> dict[str, object]:
    """Return the body that places a limit order and a stop, of which one cancels the other."""
    body = order_to_native(profit, native_symbol, MarketType.EQUITY, client_order_id)
    limit = body.pop("limit_price")
    body["order_class"] = OCO
    body["take_profit"] = {"limit_price": limit}
    trigger = stop.stop_price
    if trigger is None:
        raise MalformedError("the stop has no trigger")
    body["stop_loss"] = _stop_loss(trigger, stop.price)
    return body


def _stop_loss(trigger: Decimal, price: Decimal | None) -> dict[str, object]:
    told: dict[str, object] = {"stop_price": decimal_to_text(trigger)}
    _put(told, "limit_price", price)
    return told


def change_to_native(
    change: OrderModification, quantity: Decimal | None, client_order_id: str
) -> dict[str, object]:
    """Return the body that replaces an order; what is not asked for stays as it is.

    Args:
        change: what is asked for.
        quantity: what the new order is to be for. None: as the old one.
        client_order_id: the new order's.
    """
    body: dict[str, object] = {"client_order_id": client_order_id}
    _put(body, "qty", quantity)
    _put(body, "limit_price", change.price)
    _put(body, "stop_price", change.stop_price)
    trail = change.trail_amount if change.trail_amount is not None else change.trail_percent
    _put(body, "trail", trail)
    if change.time_in_force is not None:
        body["time_in_force"] = NATIVE_TIMES[change.time_in_force]
    return body


def intent_of(side: OrderSide, effect: PositionEffect) -> str:
    """Return Alpaca's word for a side and its effect, such as `sell_to_open`."""
    return f"{side.value}_to_{effect.value}"


def _put(body: dict[str, object], name: str, value: Decimal | None) -> None:
    if value is not None:
        body[name] = decimal_to_text(value)
