"""TWS's orders and ours, in both directions. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Final, TypeAlias
from zoneinfo import ZoneInfo

import attrs

from bot_v2.features.brokerages.core.decimals import decimal_to_text
from bot_v2.features.brokerages.core.order_changes import OrderModification
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.order_status import OrderStatus
from bot_v2.features.brokerages.core.order_terms import Leg, OrderSide, OrderType, TimeInForce
from bot_v2.features.brokerages.core.orders import Order
from bot_v2.features.brokerages.ibkr.moments import moment_from_native, moment_to_native
from bot_v2.features.brokerages.ibkr.wire import (
    ContractRow,
    MalformedError,
    OrderRow,
    StatusRow,
    number,
    number_or_none,
)
from bot_v2.shared.types import MetadataValue

Names: TypeAlias = Callable[[ContractRow], str]
"""Returns the symbol of a contract."""

ZERO: Final = Decimal(0)

SIDES: Final = {"BUY": OrderSide.BUY, "SELL": OrderSide.SELL, "SSHORT": OrderSide.SELL}
NATIVE_SIDES: Final = {OrderSide.BUY: "BUY", OrderSide.SELL: "SELL"}
OPPOSITE: Final = {OrderSide.BUY: OrderSide.SELL, OrderSide.SELL: OrderSide.BUY}

TYPES: Final = {
    "MKT": OrderType.MARKET,
    "LMT": OrderType.LIMIT,
    "STP": OrderType.STOP,
    "STP LMT": OrderType.STOP_LIMIT,
    "TRAIL": OrderType.TRAILING_STOP,
    "MOC": OrderType.MARKET,
    "LOC": OrderType.LIMIT,
}
NATIVE_TYPES: Final = {
    OrderType.MARKET: "MKT",
    OrderType.LIMIT: "LMT",
    OrderType.STOP: "STP",
    OrderType.STOP_LIMIT: "STP LMT",
    OrderType.TRAILING_STOP: "TRAIL",
}
AT_CLOSE: Final = {OrderType.MARKET: "MOC", OrderType.LIMIT: "LOC"}
"""What an order at the close is called: there it is a type, and no time in force."""

TIMES: Final = {
    "DAY": TimeInForce.DAY,
    "GTC": TimeInForce.GTC,
    "IOC": TimeInForce.IOC,
    "FOK": TimeInForce.FOK,
    "GTD": TimeInForce.GTD,
    "OPG": TimeInForce.OPG,
}
NATIVE_TIMES: Final = {time: native for native, time in TIMES.items()}

DEFAULT_TIME: Final = TimeInForce.DAY
"""What an order works for where the request does not say; TWS's own default."""

STATUSES: Final = {
    "ApiPending": OrderStatus.PENDING,
    "PendingSubmit": OrderStatus.PENDING,
    "PreSubmitted": OrderStatus.OPEN,
    "Submitted": OrderStatus.OPEN,
    "PendingCancel": OrderStatus.PENDING_CANCEL,
    "Filled": OrderStatus.FILLED,
    "ApiCancelled": OrderStatus.CANCELLED,
    "Cancelled": OrderStatus.CANCELLED,
    "Inactive": OrderStatus.REJECTED,
}
"""What each native status means; any other is UNKNOWN, with its text kept."""

ENDS: Final = frozenset({"Filled", "Cancelled", "ApiCancelled", "Inactive"})
"""The native statuses of orders that have ended, for all that TWS says."""

PRICED: Final = frozenset({"LMT", "STP LMT", "LOC"})
STOPPED: Final = frozenset({"STP", "STP LMT"})
TRAILING: Final = "TRAIL"
IMMEDIATE: Final = frozenset({"IOC", "FOK", "OPG"})

_REJECTION: Final = "reject"
_BY_SYSTEM: Final = "by system"

GROUP_CANCELS: Final = 1
"""The type of group in which a fill of one order cancels the others."""


@attrs.frozen(kw_only=True)
class Known:
    """What is known of an order beside its own row."""

    names: Names
    """The symbols of contracts."""
    zone: ZoneInfo | None
    """The zone of moments that name none."""
    now: datetime
    """The present moment: an order that was good till before has expired, not been cancelled."""
    status: StatusRow | None = None
    """How far it is. None: the row says it, or nothing does."""
    average: Decimal | None = None
    """The mean price by its executions. None: not known."""
    parent: int = 0
    """The permanent id of the order that it waits for; 0: of none."""


def order_from_native(row: OrderRow, known: Known) -> Order:
    """Return an order.

    Raises:
        MalformedError: it lacks what an order cannot be without.
    """
    if not row.perm_id:
        raise MalformedError("an order without a permanent id")
    filled, average = _filled(row, known)
    # Zero is none: a completed order can come without the quantity that was asked for.
    quantity = number_or_none(row.quantity) or None
    if quantity is not None and row.oca_group:
        # What is taken off an order of a group can leave it smaller than what it had filled.
        quantity = max(quantity, filled)
    kind, time = _form(row)
    native = known.status.status if known.status is not None else row.status
    status = status_of(row, native, filled, quantity, known)
    if status is OrderStatus.FILLED:
        quantity = quantity or filled or None
    good_till = row.good_till if time is TimeInForce.GTD else ""
    return Order(
        order_id=str(row.perm_id),
        client_order_id=row.order_ref or None,
        symbol=known.names(row.contract),
        side=SIDES.get(row.action),
        type=kind,
        quantity=quantity,
        price=number_or_none(row.price) if row.type in PRICED else None,
        stop_price=_stop_of(row),
        time_in_force=time,
        status=status,
        filled_quantity=max(filled, quantity or ZERO) if status is OrderStatus.FILLED else filled,
        average_fill_price=average if filled or status is OrderStatus.FILLED else None,
        updated_at=_moment_or_none(row.completed_time, known.zone),
        expires_at=_moment_or_none(good_till, known.zone),
        parent_order_id=str(known.parent) if known.parent else None,
        group_id=row.oca_group or None,
        legs=tuple(
            Leg(
                symbol=known.names(ContractRow(con_id=leg.con_id)),
                side=SIDES[leg.action],
                ratio=number(leg.ratio),
            )
            for leg in row.contract.legs
        ),
        native_status=native,
        status_reason=row.completed_status.strip() or None,
        account_id=row.account,
        metadata=_extras(row, kind, time),
    )


def status_of(
    row: OrderRow, native: str, filled: Decimal, quantity: Decimal | None, known: Known
) -> OrderStatus:
    """Return the status of an order whose native one is told."""
    status = STATUSES.get(native, OrderStatus.UNKNOWN)
    said = row.completed_status.lower()
    if status is OrderStatus.REJECTED:
        # "Inactive" is said of what was refused, and of what ended at once without a fill.
        ended_itself = _REJECTION not in said and (filled or said or row.tif in IMMEDIATE)
        status = OrderStatus.CANCELLED if ended_itself else status
    if status is OrderStatus.CANCELLED:
        if quantity is not None and filled >= quantity:
            return OrderStatus.FILLED
        return OrderStatus.EXPIRED if _has_expired(row, known) else status
    if status is OrderStatus.OPEN and filled:
        return OrderStatus.PARTIALLY_FILLED
    return status


def _has_expired(row: OrderRow, known: Known) -> bool:
    """Whether an order that was ended by the broker was good till then."""
    if row.tif != "GTD" or not row.good_till:
        return False
    said = row.completed_status.lower()
    if said and _BY_SYSTEM not in said:
        return False
    ended = moment_from_native(row.completed_time, known.zone) if row.completed_time else known.now
    return ended >= moment_from_native(row.good_till, known.zone)


def _filled(row: OrderRow, known: Known) -> tuple[Decimal, Decimal | None]:
    """Return how much of an order was filled, and at what mean price."""
    if known.status is not None:
        filled = number(known.status.filled)
        average = number_or_none(known.status.average)
        return filled, (average or known.average) if filled else None
    filled = number_or_none(row.filled) or ZERO
    return filled, known.average if filled else None


def _form(row: OrderRow) -> tuple[OrderType, TimeInForce]:
    kind = TYPES.get(row.type, OrderType.OTHER)
    time = TIMES.get(row.tif, TimeInForce.OTHER)
    if row.type in AT_CLOSE.values() and time is TimeInForce.DAY:
        time = TimeInForce.CLS
    return kind, time


def _stop_of(row: OrderRow) -> Decimal | None:
    if row.type in STOPPED:
        return number_or_none(row.aux_price)
    return number_or_none(row.trail_stop) if row.type == TRAILING else None


def _extras(row: OrderRow, kind: OrderType, time: TimeInForce) -> Mapping[str, MetadataValue]:
    extras: dict[str, MetadataValue] = {}
    if kind is OrderType.OTHER:
        extras["native_type"] = row.type
    if time is TimeInForce.OTHER:
        extras["native_time_in_force"] = row.tif
    if row.type == TRAILING:
        percent = number_or_none(row.trail_percent)
        extras["trail_percent" if percent else "trail_amount"] = percent or number_or_none(
            row.aux_price
        )
    if row.outside_rth:
        extras["extended_hours"] = True
    return extras


def _moment_or_none(text: str, zone: ZoneInfo | None) -> datetime | None:
    return moment_from_native(text, zone) if text else None


def time_in_force_of(request: OrderRequest) -> TimeInForce:
    """Return how long an order is to work."""
    return request.time_in_force or DEFAULT_TIME


def order_to_native(request: OrderRequest, ref: str, account: str) -> dict[str, object]:
    """Return the fields of an order; numbers are texts, in plain digits."""
    time = time_in_force_of(request)
    fields: dict[str, object] = {
        "action": NATIVE_SIDES[request.side],
        "totalQuantity": _plain(request.quantity),
        "orderType": NATIVE_TYPES[request.type],
        "tif": NATIVE_TIMES.get(time, "DAY"),
        "orderRef": ref,
        "account": account,
        "outsideRth": request.extended_hours,
    }
    if time is TimeInForce.CLS:
        fields["orderType"] = AT_CLOSE[request.type]
    if request.price is not None:
        fields["lmtPrice"] = _plain(request.price)
    if request.stop_price is not None:
        fields["auxPrice"] = _plain(request.stop_price)
    if request.trail_amount is not None:
        fields["auxPrice"] = _plain(request.trail_amount)
    if request.trail_percent is not None:
        fields["trailingPercent"] = _plain(request.trail_percent)
    if request.expires_at is not None:
        fields["goodTillDate"] = moment_to_native(request.expires_at)
    return fields


def exits_to_native(request: OrderRequest, account: str) -> list[dict[str, object]]:
    """Return the fields of the exits of a bracket, the profitable one first."""
    common: dict[str, object] = {
        "action": NATIVE_SIDES[OPPOSITE[request.side]],
        "totalQuantity": _plain(request.quantity),
        # An exit outlives the session in which the entry fills.
        "tif": "GTC",
        "account": account,
        "outsideRth": request.extended_hours,
    }
    exits: list[dict[str, object]] = []
    if request.take_profit is not None:
        price = _plain(request.take_profit.price)
        exits.append({**common, "orderType": "LMT", "lmtPrice": price})
    stop = request.stop_loss
    if stop is not None:
        fields = {**common, "orderType": "STP", "auxPrice": _plain(stop.stop_price)}
        if stop.price is not None:
            fields |= {"orderType": "STP LMT", "lmtPrice": _plain(stop.price)}
        exits.append(fields)
    return exits


def change_to_native(row: OrderRow, change: OrderModification) -> dict[str, object]:
    """Return the fields that a change of an order changes."""
    fields: dict[str, object] = {}
    if change.quantity is not None:
        fields["totalQuantity"] = _plain(change.quantity)
    if change.price is not None:
        fields["lmtPrice"] = _plain(change.price)
    if change.stop_price is not None:
        fields["auxPrice"] = _plain(change.stop_price)
    if change.trail_amount is not None:
        fields["auxPrice"] = _plain(change.trail_amount)
    if change.trail_percent is not None:
        fields["trailingPercent"] = _plain(change.trail_percent)
    if change.time_in_force is not None:
        fields["tif"] = NATIVE_TIMES[change.time_in_force]
        if change.time_in_force is not TimeInForce.GTD:
            fields["goodTillDate"] = ""
    if change.expires_at is not None:
        fields["goodTillDate"] = moment_to_native(change.expires_at)
    if row.type == TRAILING:
        # The stop as it stands is the broker's business: told back, it would start the trail anew.
        fields["trailStopPrice"] = ""
    return fields


def has_terms(row: OrderRow, fields: Mapping[str, object]) -> bool:
    """Whether an order has the terms that a change asked for."""
    told = {
        "totalQuantity": row.quantity,
        "lmtPrice": row.price,
        "auxPrice": row.aux_price,
        "trailingPercent": row.trail_percent,
    }
    for name, text in told.items():
        if name in fields and number_or_none(text) != number_or_none(str(fields[name])):
            return False
    return "tif" not in fields or row.tif == fields["tif"]


def _plain(value: Decimal | None) -> str:
    return "" if value is None else decimal_to_text(value)
