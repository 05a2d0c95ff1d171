"""Alpaca's orders and executions as ours. Pure; the other way is in `order_to_native`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC
from decimal import Decimal
from functools import cache, lru_cache
from typing import Final

import attrs

from bot_v2.features.brokerages.alpaca import order_wire, stream_wire
from bot_v2.features.brokerages.alpaca.decoding import ZERO, MalformedError, in_utc
from bot_v2.features.brokerages.alpaca.symbols import (
    EQUITY,
    REMEMBERED_MAX,
    option_of,
    symbol_from_native,
)
from bot_v2.features.brokerages.core.construct import partial
from bot_v2.features.brokerages.core.fields import FrozenMapping
from bot_v2.features.brokerages.core.fills import Fill
from bot_v2.features.brokerages.core.order_status import OrderStatus
from bot_v2.features.brokerages.core.order_terms import (
    Leg,
    OrderSide,
    OrderType,
    PositionEffect,
    TimeInForce,
)
from bot_v2.features.brokerages.core.orders import Order
from bot_v2.shared.types import MetadataValue

SIDES: Final[dict[str | None, OrderSide]] = {
    "buy": OrderSide.BUY,
    "sell": OrderSide.SELL,
    # How executions call a sale of what is not held.
    "sell_short": OrderSide.SELL,
}

STATUSES: Final[dict[str, OrderStatus]] = {
    "pending_new": OrderStatus.PENDING,
    "accepted": OrderStatus.OPEN,
    "accepted_for_bidding": OrderStatus.OPEN,
    "new": OrderStatus.OPEN,
    "held": OrderStatus.OPEN,
    "stopped": OrderStatus.OPEN,
    "suspended": OrderStatus.OPEN,
    "pending_review": OrderStatus.OPEN,
    "pending_replace": OrderStatus.OPEN,
    # Done for the day only: what works until cancelled goes on the next day, and what works for
    # the day will be told as expired.
    "done_for_day": OrderStatus.OPEN,
    "calculated": OrderStatus.OPEN,
    "partially_filled": OrderStatus.PARTIALLY_FILLED,
    "pending_cancel": OrderStatus.PENDING_CANCEL,
    "filled": OrderStatus.FILLED,
    "canceled": OrderStatus.CANCELLED,
    "expired": OrderStatus.EXPIRED,
    "rejected": OrderStatus.REJECTED,
    "replaced": OrderStatus.REPLACED,
}
"""What each native status means; any other is UNKNOWN, with its text kept."""

TYPES: Final[dict[str | None, OrderType]] = {
    "market": OrderType.MARKET,
    "limit": OrderType.LIMIT,
    "stop": OrderType.STOP,
    "stop_limit": OrderType.STOP_LIMIT,
    "trailing_stop": OrderType.TRAILING_STOP,
}

TIMES_IN_FORCE: Final[dict[str, TimeInForce]] = {
    "day": TimeInForce.DAY,
    "gtc": TimeInForce.GTC,
    "ioc": TimeInForce.IOC,
    "fok": TimeInForce.FOK,
    "opg": TimeInForce.OPG,
    "cls": TimeInForce.CLS,
    "gtd": TimeInForce.GTD,
}


INTENTS: Final[dict[str | None, PositionEffect]] = {
    "buy_to_open": PositionEffect.OPEN,
    "buy_to_close": PositionEffect.CLOSE,
    "sell_to_open": PositionEffect.OPEN,
    "sell_to_close": PositionEffect.CLOSE,
}

SIMPLE: Final = frozenset({None, "", "simple"})
"""How Alpaca calls the class of an order that stands alone."""
MULTI_LEG: Final = "mleg"
OCO: Final = "oco"
FILLS: Final = frozenset({"fill", "partial_fill"})
"""The events of the stream that are executions."""
GROUPED: Final = frozenset({"bracket", "oto", OCO})
"""The classes of orders whose legs are orders of their own."""


def order_from_native(
    native: order_wire.Order,
    account_id: str,
    parent_id: str | None = None,
    group_id: str | None = None,
) -> Order:
    """Return an order; a word that no table has becomes OTHER or UNKNOWN, with the word kept.

    Args:
        native: what was read.
        account_id: the account that it is in.
        parent_id: the order whose fill brings it to life. None: none does.
        group_id: what its siblings share. None: it has none, or its own legs say so.
    """
    words = _words_of(
        native.status,
        native.type,
        native.time_in_force,
        native.side,
        native.symbol,
        native.asset_class,
        native.order_class,
        native.position_intent,
    )
    filled = native.filled_qty
    if filled is None:
        filled = ZERO
    taken, updated = native.submitted_at, native.updated_at
    if taken is not None and taken.tzinfo is not UTC:
        taken = in_utc(taken)
    if updated is not None and updated.tzinfo is not UTC:
        updated = in_utc(updated)
    # What most orders tell: not more than fifteen keywords, see `construct.partial`.
    order = words.order(
        order_id=native.id,
        client_order_id=native.client_order_id or None,
        symbol=words.symbol or _whole(native),
        side=words.side,
        status=_status_with(filled, native) if filled and words.is_unfilled else words.status,
        native_status=native.status,
        quantity=native.qty,
        price=native.limit_price,
        stop_price=native.stop_price,
        filled_quantity=filled,
        average_fill_price=native.filled_avg_price if filled else None,
        timestamp=taken,
        updated_at=updated,
        position_effect=words.position_effect,
        account_id=account_id,
    )
    tells_more = (
        words.tells_more
        or group_id
        or native.notional
        or native.replaces
        or native.replaced_by
        or native.extended_hours
    )
    return _with_the_rest(order, native, parent_id, group_id) if tells_more else order


@attrs.frozen
class Words:
    """What the words of an order mean, which are the same ones for many orders."""

    order: Callable[..., Order]
    """Makes an order of its type and time in force."""
    symbol: str | None
    """The canonical symbol. None: the order names none."""
    side: OrderSide | None
    status: OrderStatus
    is_unfilled: bool
    """Whether it cannot be of an order of which something was filled."""
    position_effect: PositionEffect | None
    tells_more: bool
    """Whether an order of these words has extras, or may have legs."""


@lru_cache(maxsize=REMEMBERED_MAX)
def _words_of(
    status: str,
    native_type: str | None,
    native_time: str,
    side: str | None,
    symbol: str | None,
    asset_class: str | None,
    order_class: str | None,
    intent: str | None,
) -> Words:
    kind = TYPES.get(native_type, OrderType.OTHER)
    time_in_force = TIMES_IN_FORCE.get(native_time, TimeInForce.OTHER)
    means = STATUSES.get(status, OrderStatus.UNKNOWN)
    is_other = kind is OrderType.OTHER or time_in_force is TimeInForce.OTHER
    return Words(
        order=_maker_of(kind, time_in_force),
        symbol=symbol_from_native(symbol, asset_class or "") if symbol else None,
        side=SIDES.get(side),
        status=means,
        is_unfilled=means in (OrderStatus.OPEN, OrderStatus.PENDING),
        position_effect=INTENTS.get(intent),
        tells_more=is_other or kind is OrderType.TRAILING_STOP or order_class not in SIMPLE,
    )


@cache
def _maker_of(kind: OrderType, time_in_force: TimeInForce) -> Callable[..., Order]:
    return partial(Order, type=kind, time_in_force=time_in_force)


def _status_with(filled: Decimal, native: order_wire.Order) -> OrderStatus:
    """Return the status of an order of which something was filled, although it does not say so."""
    # Only "calculated" and "done_for_day" can be filled as a whole: nothing of it trades again.
    return OrderStatus.FILLED if filled == native.qty else OrderStatus.PARTIALLY_FILLED


def _whole(native: order_wire.Order) -> str:
    """Return what a multi-leg order is named by: what its legs derive from.

    Raises:
        MalformedError: it has no such legs.
    """
    underlying = underlying_of(native.legs or [])
    if underlying is None:
        raise MalformedError(f"the order {native.id} names no symbol")
    return symbol_from_native(underlying, EQUITY)


def _with_the_rest(
    order: Order, native: order_wire.Order, parent_id: str | None, group_id: str | None
) -> Order:
    """Return an order with what few orders tell."""
    legs: tuple[Leg, ...] = ()
    if native.legs and native.order_class == MULTI_LEG:
        legs = tuple(leg_from_native(one) for one in native.legs)
    elif native.legs and group_id is None:
        group_id = native.id
    return attrs.evolve(
        order,
        notional=native.notional if native.qty is None else None,
        replaces=native.replaces,
        replaced_by=native.replaced_by,
        parent_order_id=parent_id,
        group_id=group_id,
        legs=legs,
        metadata=_extras_of(native, order),
    )


def orders_from_natives(natives: Iterable[order_wire.Order], account_id: str) -> list[Order]:
    """Return orders, each followed by those of its legs that are orders of their own."""
    orders: list[Order] = []
    for native in natives:
        orders.append(order_from_native(native, account_id))
        if native.legs and native.order_class != MULTI_LEG:
            # The two of an OCO stand side by side; what a bracket holds waits for its entry.
            parent = None if native.order_class == OCO else native.id
            orders += [order_from_native(leg, account_id, parent, native.id) for leg in native.legs]
    return orders


def leg_from_native(native: order_wire.Order) -> Leg:
    """Return a leg of a multi-leg order.

    Raises:
        MalformedError: it has no symbol or no side.
    """
    side = SIDES.get(native.side or (native.position_intent or "").partition("_")[0])
    if side is None or not native.symbol:
        raise MalformedError(f"a leg of {native.symbol!r} with side {native.side!r}")
    return Leg(
        symbol=symbol_from_native(native.symbol, native.asset_class or ""),
        side=side,
        ratio=Decimal(1) if native.ratio_qty is None else native.ratio_qty,
        position_effect=INTENTS.get(native.position_intent),
    )


def underlying_of(legs: list[order_wire.Order]) -> str | None:
    """Return what the first leg that is an option derives from. None: none is one."""
    for leg in legs:
        try:
            return option_of(leg.symbol or "").root
        except ValueError:
            continue
    return None


def _extras_of(native: order_wire.Order, order: Order) -> FrozenMapping:
    extras: dict[str, MetadataValue] = {
        "order_class": None if native.order_class in SIMPLE else native.order_class,
        "type": native.type if order.type is OrderType.OTHER else None,
        "time_in_force": native.time_in_force if order.time_in_force is TimeInForce.OTHER else None,
        "trail_price": native.trail_price,
        "trail_percent": native.trail_percent,
        "high_water_mark": native.hwm,
        "extended_hours": native.extended_hours or None,
    }
    return FrozenMapping({name: value for name, value in extras.items() if value is not None})


# What was filled.


def trade_id_of(activity_id: str) -> str:
    """Return the id of an execution: activities put the moment before it."""
    return activity_id.rpartition("::")[2]


def fill_from_native(native: order_wire.Activity, asset_class: str, account_id: str) -> Fill:
    """Return an execution.

    Raises:
        MalformedError: its side is neither.
    """
    return Fill(
        trade_id=trade_id_of(native.id),
        order_id=native.order_id,
        symbol=symbol_from_native(native.symbol, asset_class),
        side=_side_of(native.side),
        quantity=native.qty,
        price=native.price,
        timestamp=in_utc(native.transaction_time),
        account_id=account_id,
    )


def fill_from_update(native: stream_wire.TradeUpdate, account_id: str) -> Fill | None:
    """Return the execution that changed an order. None: it was not one, or is told in part.

    Raises:
        MalformedError: its side is neither.
    """
    price, quantity, moment = native.price, native.qty, native.timestamp
    if native.event not in FILLS or price is None or quantity is None or moment is None:
        return None
    order = native.order
    if not native.execution_id or not order.symbol:
        return None
    return Fill(
        trade_id=native.execution_id,
        order_id=order.id,
        client_order_id=order.client_order_id or None,
        symbol=symbol_from_native(order.symbol, order.asset_class or ""),
        side=_side_of(order.side),
        quantity=quantity,
        price=price,
        timestamp=in_utc(moment),
        account_id=account_id,
    )


def _side_of(native: str | None) -> OrderSide:
    side = SIDES.get(native)
    if side is None:
        raise MalformedError(f"side is {native!r}, not one of {', '.join(map(str, SIDES))}")
    return side


def is_alone(native: order_wire.Order) -> bool:
    """Return whether an order of a group was read without the one that it belongs to."""
    return native.order_class in GROUPED and not native.legs
