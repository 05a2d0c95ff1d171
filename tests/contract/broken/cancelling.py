"""Broken cancels."""

from __future__ import annotations

from typing import Any, Final

import attrs

from bot_v2.features.brokerages.core.errors import OrderNotFoundError
from bot_v2.features.brokerages.core.order_status import LIVE_STATUSES, OrderStatus
from tests.contract.broken.alterations import (
    always,
    forged,
    on_error,
    returned,
    twice,
)
from tests.contract.broken.entry import Broken
from tests.contract.broken.healthy import PAPER


def _true_at_any_end(_: Any, real: Any, order_id: str) -> bool:
    real(order_id)
    return True


def _true_if_filled(broker: Any, real: Any, order_id: str) -> bool:
    accepted: bool = real(order_id)
    return accepted or broker.get_order(order_id).status is OrderStatus.FILLED


def _cancels_all(broker: Any, real: Any, order_id: str) -> Any:
    accepted = real(order_id)
    for order in broker.list_orders():
        if order.status in LIVE_STATUSES:
            broker.session.write("cancel", lambda engine, one=order: engine.cancel(one.order_id))
    return accepted


def _looks_up(broker: Any, real: Any, order_id: str) -> Any:
    return real({order.order_id: order for order in broker.list_orders()}[order_id].order_id)


def _still_held(broker: Any, real: Any, asset: str) -> Any:
    balance = real(asset)
    held = broker.__dict__.setdefault("held", {})
    held[asset] = max(balance.hold, held.get(asset, balance.hold))
    return attrs.evolve(balance, hold=held[asset], available=balance.total - held[asset])


def _sees_hold(broker: Any, real: Any, request: Any) -> Any:
    result = real(request)
    broker.get_balance(broker.get_product(request.symbol).quote_currency)
    return result


def _promises(broker: Any, real: Any, order_id: str) -> bool:
    # The order is looked at, so that an unknown one is refused as ever; nothing is sent.
    order = broker.session.read("get_order", lambda engine: engine.get_order(order_id))
    broker.__dict__.setdefault("promised", set()).add(order_id)
    return order.status in LIVE_STATUSES


def _believes(broker: Any, real: Any, order_id: str) -> Any:
    order = real(order_id)
    if order_id in getattr(broker, "promised", ()) and order.filled_quantity == 0:
        return forged(order, status=OrderStatus.CANCELLED)
    return order


BROKEN: Final = (
    Broken(
        name="cancel says nothing",
        fault="cancel_order() returns None.",
        on=PAPER,
        alter={"cancel_order": returned(lambda _: None)},
        caught_by={
            "BC-C010": "True; saw None",
            "BC-C020": "False; saw None",
            "BC-T030": "bools, one True",
        },
    ),
    Broken(
        name="cancel is always accepted",
        fault="Cancelling an order that was cancelled returns True.",
        on=PAPER,
        alter={"cancel_order": _true_at_any_end},
        caught_by={
            "BC-C020": "False; saw True",
            "BC-C030": "False; saw True",
            "BC-X060": "False from the second cancel",
        },
        catalogue=("S06",),
    ),
    Broken(
        name="a filled order cancelled",
        fault="Cancelling a filled order returns True.",
        on=PAPER,
        alter={"cancel_order": _true_if_filled},
        caught_by={"BC-C030": "False; saw True"},
        catalogue=("S06",),
    ),
    Broken(
        name="an unknown order had ended",
        fault="Cancelling an order that never was returns False.",
        on=PAPER,
        alter={"cancel_order": on_error(OrderNotFoundError, lambda _: False)},
        caught_by={
            "BC-C040": "OrderNotFoundError from cancel_order",
            "BC-C050": "OrderNotFoundError or InvalidRequestError from cancel_order",
        },
        catalogue=("S06",),
    ),
    Broken(
        name="a KeyError of a cancel",
        fault="Cancelling an order that is not in the list raises KeyError.",
        on=PAPER,
        alter={"cancel_order": _looks_up},
        caught_by={
            "BC-C050": "OrderNotFoundError or InvalidRequestError from cancel_order",
            "BC-C040": "OrderNotFoundError from cancel_order",
        },
    ),
    Broken(
        name="cancel takes all",
        fault="A cancel ends every live order.",
        on=PAPER,
        alter={"cancel_order": _cancels_all},
        caught_by={"BC-C060": "a live order", "BC-T080": "a live order"},
        catalogue=("O02",),
    ),
    Broken(
        name="a hold that stays",
        fault="What an order set aside is not given back when it is cancelled.",
        on=PAPER,
        alter={"get_balance": _still_held, "place_order": _sees_hold},
        caught_by={"BC-C070": "a balance of Balance"},
    ),
    Broken(
        name="cancelled twice",
        fault="One call sends two cancels.",
        on=PAPER,
        alter={"cancel_order": twice},
        caught_by={
            "BC-C080": "exactly one request of cancel_order at the venue",
            "BC-C010": "True; saw False",
        },
        catalogue=("T13",),
    ),
    Broken(
        name="a cancel that is not sent",
        fault="A cancel is taken for done, and the order works on at the venue.",
        on=PAPER,
        alter={"cancel_order": _promises, "get_order": _believes},
        caught_by={
            "BC-C090": "no fill; saw Order(",
            "BC-L070": "status and filled quantity to be",
            "BC-C080": "exactly one request of cancel_order at the venue",
        },
        catalogue=("S07",),
    ),
    Broken(
        name="cancel does nothing",
        fault="cancel_order() returns True, and sends nothing.",
        on=PAPER,
        alter={"cancel_order": always(True)},
        caught_by={
            "BC-C010": "the order to be ended",
            "BC-BR040": "the order to be ended",
            "BC-OS020": "CANCELLED within",
            "BC-R070": "the order to be ended",
        },
    ),
)
