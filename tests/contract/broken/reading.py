"""Broken reads of orders, and of what becomes of them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from bot_v2.features.brokerages.core.errors import BrokerAPIError, OrderNotFoundError
from bot_v2.features.brokerages.core.order_status import (
    ENDED_STATUSES,
    LIVE_STATUSES,
    OrderStatus,
)
from bot_v2.features.brokerages.core.order_terms import OrderSide, OrderType, TimeInForce
from bot_v2.features.brokerages.core.orders import Order
from tests.contract.broken.alterations import (
    each,
    first,
    forged,
    on_error,
    returned,
)
from tests.contract.broken.entry import Broken
from tests.contract.broken.healthy import ACME, PAPER

ZERO: Final = Decimal(0)


def _guess(error: Any) -> Order:
    return Order(
        order_id=error.order_id or "none",
        symbol="BTC-USD",
        side=OrderSide.BUY,
        type=OrderType.LIMIT,
        status=OrderStatus.CANCELLED,
        filled_quantity=ZERO,
        time_in_force=TimeInForce.GTC,
        account_id="paper",
    )


def _one_page(_: Any, real: Any, status: Any = None) -> Any:
    return first(real(status), 50)


def _filter_ignored(_: Any, real: Any, status: Any = None) -> Any:
    return real()


def _filter_in_groups(_: Any, real: Any, status: Any = None) -> Any:
    group = next((one for one in (LIVE_STATUSES, ENDED_STATUSES) if status in one), None)
    return [order for order in real() if group is None or order.status in group]


def _live_only(_: Any, real: Any, status: Any = None) -> Any:
    return [order for order in real(status) if order.status in LIVE_STATUSES]


def _other_way_round(broker: Any, real: Any, status: Any = None) -> Any:
    broker.reads = getattr(broker, "reads", 0) + 1
    orders = real(status)
    return orders[::-1] if broker.reads % 2 else orders


def _forgets_ended(broker: Any, real: Any, status: Any = None) -> Any:
    told = broker.__dict__.setdefault("told", set())
    orders = [order for order in real(status) if order.order_id not in told]
    told.update(order.order_id for order in orders)
    return orders


def _latest(broker: Any, _: Any, order_id: str) -> Any:
    orders = broker.list_orders()
    if not orders:
        raise OrderNotFoundError("there is no order", order_id=order_id)
    return orders[-1]


def _first_reading(broker: Any, real: Any, order_id: str) -> Any:
    readings = broker.__dict__.setdefault("readings", {})
    if order_id not in readings:
        readings[order_id] = real(order_id)
    return readings[order_id]


def _first_end(broker: Any, real: Any, order_id: str) -> Any:
    ends = broker.__dict__.setdefault("ends", {})
    order = ends.get(order_id) or real(order_id)
    if order.status in ENDED_STATUSES:
        ends[order_id] = order
    return order


def _reopened(broker: Any, real: Any, order_id: str) -> Any:
    order = real(order_id)
    reads = broker.__dict__.setdefault("reads_of", {})
    reads[order_id] = reads.get(order_id, 0) + 1
    is_late = order.status is OrderStatus.CANCELLED and reads[order_id] > 3
    return forged(order, status=OrderStatus.OPEN) if is_late else order


def _as(was: OrderStatus, becomes: OrderStatus) -> Any:
    return returned(lambda order: forged(order, status=becomes) if order.status is was else order)


def _cancelled_empty(order: Order) -> Any:
    if order.status is not OrderStatus.CANCELLED:
        return order
    return forged(order, filled_quantity=ZERO, average_fill_price=None)


def _limit_as_average(order: Order) -> Any:
    return forged(order, average_fill_price=order.price if order.filled_quantity else None)


def _capped(order: Order) -> Any:
    quantity = order.quantity or order.filled_quantity
    return forged(order, filled_quantity=min(quantity, order.filled_quantity))


def _refuses_overfill(order: Order) -> Any:
    if order.overfilled_quantity:
        raise BrokerAPIError("more was filled than ordered")
    return order


def _last_fill_only(broker: Any, real: Any, order_id: str) -> Any:
    order = real(order_id)
    fills = [one.quantity for one in broker.list_fills() if one.order_id == order_id]
    return forged(order, filled_quantity=fills[-1] if fills else ZERO)


def _remaining_for_filled(order: Order) -> Any:
    return forged(order, filled_quantity=order.remaining_quantity)


def _id_per_fill(order: Order) -> Any:
    return forged(order, order_id=f"{order.order_id}-1") if order.filled_quantity else order


def _unknown_without_word(order: Order) -> Any:
    is_open = order.status is OrderStatus.OPEN
    return forged(order, status=OrderStatus.UNKNOWN, native_status=None) if is_open else order


def _remembers(broker: Any, real: Any, request: Any) -> Any:
    result = real(request)
    broker.__dict__.setdefault("mine", set()).add(result.order_id)
    return result


def _own_only(broker: Any, real: Any, status: Any = None) -> Any:
    return [one for one in real(status) if one.order_id in getattr(broker, "mine", ())]


def _own_id_only(broker: Any, real: Any, order_id: str) -> Any:
    order = real(order_id)
    is_mine = order_id in getattr(broker, "mine", ())
    return order if is_mine else forged(order, client_order_id=None)


BROKEN: Final = (
    Broken(
        name="a status guessed",
        fault="get_order() of an order that is not found returns a cancelled one.",
        on=PAPER,
        alter={"get_order": on_error(OrderNotFoundError, _guess)},
        caught_by={"BC-R010": "OrderNotFoundError from get_order"},
        catalogue=("S08", "S09"),
    ),
    Broken(
        name="not found is None",
        fault="get_order() of an order that is not found returns None.",
        on=PAPER,
        alter={"get_order": on_error(OrderNotFoundError, lambda _: None)},
        caught_by={"BC-R010": "OrderNotFoundError from get_order"},
    ),
    Broken(
        name="three live orders",
        fault="list_orders() returns the three newest orders.",
        on=PAPER,
        alter={"list_orders": returned(lambda orders: first(orders, 3))},
        caught_by={
            "BC-R020": "all 5 orders in list_orders",
            "BC-R050": "all 120 orders in list_orders",
        },
        catalogue=("P10",),
    ),
    Broken(
        name="oldest first",
        fault="list_orders() returns the oldest order first.",
        on=PAPER,
        alter={"list_orders": returned(lambda orders: orders[::-1])},
        caught_by={
            "BC-R030": "the order of the list to be",
            "BC-R050": "the order of the list to be",
        },
    ),
    Broken(
        name="a filter ignored",
        fault="list_orders() returns every order, whatever status is asked for.",
        on=PAPER,
        alter={"list_orders": _filter_ignored},
        caught_by={"BC-R040": "only PENDING; saw [Order("},
    ),
    Broken(
        name="a filter in groups",
        fault="list_orders(OPEN) returns every live order, those filled in part among them.",
        on=PAPER,
        alter={"list_orders": _filter_in_groups},
        caught_by={"BC-R040": "only PENDING; saw [Order("},
    ),
    Broken(
        name="the second page ignored",
        fault="list_orders() returns the first page.",
        on=ACME,
        alter={"list_orders": _one_page},
        caught_by={"BC-R050": "all 120 orders in list_orders"},
        catalogue=("P10",),
    ),
    Broken(
        name="an order at the seam",
        fault="The last order of a page is the first of the next one, and is listed twice.",
        on=PAPER,
        alter={"list_orders": returned(lambda orders: orders[:1] + orders)},
        caught_by={"BC-R080": "each id once; saw ['o-000001']", "BC-R050": "each order once"},
        catalogue=("P10",),
    ),
    Broken(
        name="two stories of an order",
        fault="list_orders() does not tell the client order ids that get_order() tells.",
        on=PAPER,
        alter={"list_orders": each(lambda order: forged(order, client_order_id=None))},
        caught_by={"BC-R060": "the order to be"},
    ),
    Broken(
        name="only live orders",
        fault="list_orders() leaves out what has ended.",
        on=PAPER,
        alter={"list_orders": _live_only},
        caught_by={"BC-R070": "all 2 orders in list_orders"},
        catalogue=("S09",),
    ),
    Broken(
        name="orders of this session",
        fault="list_orders() knows the orders that this object placed, and no others.",
        on=ACME,
        alter={"place_order": _remembers, "list_orders": _own_only, "get_order": _own_id_only},
        caught_by={
            "BC-R130": "o-000001 in the other session",
            "BC-R090": "the order in a new session to be",
            "BC-W130": "one order within",
        },
        catalogue=("V13", "T20"),
    ),
    Broken(
        name="an id per fill",
        fault="The order id changes once the order is filled in part.",
        on=PAPER,
        alter={"get_order": returned(_id_per_fill)},
        caught_by={"BC-R100": "the order ids to be"},
        catalogue=("S04",),
    ),
    Broken(
        name="a read that consumes",
        fault="list_orders() returns each order once.",
        on=PAPER,
        alter={"list_orders": _forgets_ended},
        caught_by={"BC-V070": "list_orders() as before, after its list was emptied"},
    ),
    Broken(
        name="an order that turns",
        fault="Every second list_orders() is in the other order.",
        on=PAPER,
        alter={"list_orders": _other_way_round},
        caught_by={"BC-R110": "list_orders() read again to be [Order("},
    ),
    Broken(
        name="another order",
        fault="get_order() returns the oldest order, whatever id is asked for.",
        on=PAPER,
        alter={"get_order": _latest},
        caught_by={"BC-R120": "the order's id to be 'o-000002'"},
    ),
    Broken(
        name="a partial fill hidden",
        fault="An order that was filled in part is told as OPEN.",
        on=PAPER,
        alter={"get_order": _as(OrderStatus.PARTIALLY_FILLED, OrderStatus.OPEN)},
        caught_by={"BC-L010": "PARTIALLY_FILLED"},
        catalogue=("S10",),
    ),
    Broken(
        name="never quite filled",
        fault="An order that was filled is told as filled in part.",
        on=PAPER,
        alter={"get_order": _as(OrderStatus.FILLED, OrderStatus.PARTIALLY_FILLED)},
        caught_by={
            "BC-L020": "the order to be FILLED",
            "BC-L060": "the order to be FILLED",
            "BC-L080": "the order to be FILLED",
        },
    ),
    Broken(
        name="the limit for the average",
        fault="The average price of an order is its limit.",
        on=PAPER,
        alter={"get_order": returned(_limit_as_average)},
        caught_by={"BC-L030": "an average price of 66.50"},
    ),
    Broken(
        name="a partial fill lost at the cancel",
        fault="A cancelled order is told without what was filled.",
        on=PAPER,
        alter={"get_order": returned(_cancelled_empty)},
        caught_by={
            "BC-L040": "the filled quantity to be",
            "BC-L050": "the order to be filled by 0.2858",
        },
        catalogue=("S10",),
    ),
    Broken(
        name="a late fill dropped",
        fault="An order that ended is never looked at again.",
        on=PAPER,
        alter={"get_order": _first_end},
        caught_by={
            "BC-L050": "the order to be filled by 0.2858",
            "BC-L060": "the order to be FILLED",
        },
        catalogue=("P03",),
    ),
    Broken(
        name="an order reopened",
        fault="A cancelled order is told as OPEN after a while.",
        on=PAPER,
        alter={"get_order": _reopened},
        caught_by={"BC-L070": "status and filled quantity to be"},
        catalogue=("P05",),
    ),
    Broken(
        name="the first reading for ever",
        fault="get_order() remembers its first answer.",
        on=PAPER,
        alter={"get_order": _first_reading},
        caught_by={
            "BC-L080": "the order to be FILLED",
            "BC-C010": "the order to be ended",
            "BC-OS110": "the order to be FILLED",
        },
        catalogue=("P04", "P19"),
    ),
    Broken(
        name="only the latest fill",
        fault="The filled quantity is that of the latest fill.",
        on=PAPER,
        alter={"get_order": _last_fill_only},
        caught_by={
            "BC-L100": "the order to be filled by 0.2858",
            "BC-L030": "the order to be filled by 0.2858",
        },
        catalogue=("P05",),
    ),
    Broken(
        name="an overfill cut",
        fault="The filled quantity is at most what was ordered.",
        on=PAPER,
        alter={"get_order": returned(_capped)},
        caught_by={"BC-L120": "the order to be filled by 0.7145"},
        catalogue=("S11",),
    ),
    Broken(
        name="an overfill is an error",
        fault="One order with more filled than ordered keeps list_orders() from telling any.",
        on=PAPER,
        alter={"list_orders": each(_refuses_overfill)},
        caught_by={"BC-L120": "Unexpected BrokerAPIError: "},
        catalogue=("S11", "P17"),
    ),
    Broken(
        name="what remains for what was filled",
        fault="The filled quantity is what remains.",
        on=PAPER,
        alter={"get_order": returned(_remaining_for_filled)},
        caught_by={"BC-L010": "the order to be filled by 0.1429", "BC-O150": "no fill; saw Order("},
    ),
    Broken(
        name="unknown without its word",
        fault="A native status that nobody has seen becomes UNKNOWN, and its text is lost.",
        on=PAPER,
        alter={"list_orders": each(_unknown_without_word)},
        caught_by={"BC-L110": "the broker's word for it"},
        catalogue=("P07",),
    ),
)
