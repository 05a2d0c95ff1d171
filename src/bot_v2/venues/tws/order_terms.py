"""What a client asks of an order, checked as the broker checks it, in the engine's words.

Not simulated, and therefore refused: conditions, algorithms, scale and hedge orders, cash quantity,
and order types beyond those of `ORDER_TYPES`. Taken, told back and without effect: display size,
hidden, all or none, sweep to fill, the trigger method, and the first stop of a trailing order,
which is worked out from the market instead.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bot_v2.features.brokerages.core.decimals import EXACT
from bot_v2.features.brokerages.core.increments import price_increment_at
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.order_terms import (
    OrderSide,
    OrderType,
    PositionEffect,
    TimeInForce,
)
from bot_v2.features.brokerages.core.products import Product
from bot_v2.venues.tws.codes import (
    CASH_QUANTITY,
    OFF_TICK,
    ORDER_TYPE,
    VALIDATING,
    RefusalError,
)
from bot_v2.venues.tws.hours import CLOSES, NEW_YORK, OPENS, next_at
from bot_v2.venues.tws.listings import Listing
from bot_v2.venues.tws.schema import Message

ORDER_TYPES: Final = {
    "MKT": OrderType.MARKET,
    "LMT": OrderType.LIMIT,
    "STP": OrderType.STOP,
    "STP LMT": OrderType.STOP_LIMIT,
    "TRAIL": OrderType.TRAILING_STOP,
    "MOC": OrderType.MARKET,
    "LOC": OrderType.LIMIT,
}
"""The order types that are simulated."""

AT_CLOSE: Final = frozenset({"MOC", "LOC"})
TIMES: Final = {
    "": TimeInForce.DAY,
    "DAY": TimeInForce.DAY,
    "GTC": TimeInForce.GTC,
    "IOC": TimeInForce.IOC,
    "FOK": TimeInForce.FOK,
    "GTD": TimeInForce.GTD,
    "OPG": TimeInForce.IOC,
}
"""How long orders work; an order for an auction meets the market when the auction is held."""

PRICED: Final = frozenset({"LMT", "STP LMT", "LOC"})
STOPPED: Final = frozenset({"STP", "STP LMT"})
WAITING: Final = frozenset({"STP", "STP LMT", "TRAIL"})
"""The order types that wait for a trigger."""

SIDES: Final = {"BUY": OrderSide.BUY, "SELL": OrderSide.SELL, "SSHORT": OrderSide.SELL}

_REFUSED: Final = ("algoStrategy", "hedgeType", "scaleTable")
_MOMENT = re.compile(r"(\d{8})[ -]+(\d\d:\d\d(?::\d\d)?)(?:[ ]+(\S+))?", re.ASCII)
WHERE: Final = "placeOrder"


def invalid(reason: str) -> RefusalError:
    """Return the refusal of an order that cannot be read as one."""
    return RefusalError(VALIDATING, where=WHERE, reason=reason)


def check_terms(asked: Message) -> None:
    """Check what can be told without the contract.

    Raises:
        RefusalError: it is no order, or one that is not simulated.
    """
    kind = asked.text("orderType").upper()
    if kind not in ORDER_TYPES:
        raise RefusalError(ORDER_TYPE)
    if asked.text("tif").upper() not in TIMES:
        raise invalid(f"Invalid time in force:{asked.text('tif')}")
    if asked.text("action").upper() not in SIDES:
        raise invalid(f"Invalid order action:{asked.text('action')}")
    if (asked.number("cashQty") or 0) > 0:
        raise RefusalError(CASH_QUANTITY)
    if (asked.number("totalQuantity") or 0) <= 0:
        raise invalid("The order size cannot be zero.")
    if asked.rows("conditions") or any(asked.text(name) for name in _REFUSED):
        raise invalid("Conditions, algorithms, scale and hedge orders are not simulated")
    if kind in PRICED and asked.number("lmtPrice") is None:
        raise invalid("Limit price is missing")
    if kind in STOPPED and asked.number("auxPrice") is None:
        raise invalid("Stop price is missing")
    if kind == "TRAIL" and (_trail(asked) == (None, None)):
        raise invalid("Trailing amount or percent is missing")
    if asked.text("tif").upper() == "GTD" and read_moment(asked.text("goodTillDate")) is None:
        raise invalid("Good till date is missing")


def check_steps(asked: Message, product: Product) -> None:
    """Check an order against the steps of its contract.

    Raises:
        RefusalError: a price or the quantity is on no step.
    """
    kind = asked.text("orderType").upper()
    prices = []
    if kind in PRICED:
        prices.append(asked.number("lmtPrice"))
    if kind in STOPPED:
        prices.append(asked.number("auxPrice"))
    for price in prices:
        step = None if price is None else price_increment_at(product, price)
        if price is not None and step is not None and EXACT.remainder(price, step):
            raise RefusalError(OFF_TICK)
    quantity, size = asked.number("totalQuantity"), product.size_increment
    if quantity is not None and size is not None and EXACT.remainder(quantity, size):
        raise invalid("The size value does not conform to the minimum size increment")
    if quantity is not None and quantity < (product.min_order_size or 0):
        raise invalid("The size value is below the minimum order size")


def due_time(asked: Message, now: datetime) -> datetime | None:
    """Return when an order reaches the market. None: at once."""
    if asked.text("orderType").upper() in AT_CLOSE:
        return next_at(CLOSES, now)
    if asked.text("tif").upper() == "OPG":
        return next_at(OPENS, now)
    after = read_moment(asked.text("goodAfterTime"))
    return after if after is not None and after > now else None


def engine_request(asked: Message, listing: Listing, quantity: Decimal) -> OrderRequest:
    """Return an order for the engine.

    Every sale may open a position: the broker tells short sales by what the account holds.
    """
    kind = asked.text("orderType").upper()
    side, held = SIDES[asked.text("action").upper()], asked.text("tif").upper()
    amount, percent = _trail(asked)
    trails = kind == "TRAIL"
    until = TimeInForce.IOC if kind in AT_CLOSE else TIMES[held]
    return OrderRequest(
        symbol=listing.product.symbol,
        side=side,
        quantity=quantity,
        type=ORDER_TYPES[kind],
        price=asked.number("lmtPrice") if kind in PRICED else None,
        stop_price=asked.number("auxPrice") if kind in STOPPED else None,
        trail_amount=amount if trails else None,
        trail_percent=percent if trails else None,
        time_in_force=until,
        expires_at=read_moment(asked.text("goodTillDate")) if held == "GTD" else None,
        position_effect=PositionEffect.OPEN if side is OrderSide.SELL else None,
        extended_hours=asked.flag("outsideRth"),
    )


def _trail(asked: Message) -> tuple[Decimal | None, Decimal | None]:
    """Return the trail as an amount or as a percentage, whichever is given."""
    percent = asked.number("trailingPercent")
    if percent:
        return None, percent
    amount = asked.number("auxPrice")
    return (amount, None) if amount else (None, None)


def read_moment(text: str) -> datetime | None:
    """Return a moment as orders name it: with a zone after it, or in UTC with a hyphen inside.

    None: the text names none. Without zone and hyphen it is in New York.
    """
    found = _MOMENT.fullmatch(text.strip())
    if found is None:
        return None
    day, clock, zone = found.groups()
    layout = "%Y%m%d %H:%M:%S" if clock.count(":") == 2 else "%Y%m%d %H:%M"
    try:
        moment = datetime.strptime(f"{day} {clock}", layout).replace(tzinfo=UTC)
        if zone is not None:
            return moment.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    except (ValueError, ZoneInfoNotFoundError):
        return None
    is_utc = text.strip()[8] == "-"
    return moment if is_utc else moment.replace(tzinfo=NEW_YORK).astimezone(UTC)
