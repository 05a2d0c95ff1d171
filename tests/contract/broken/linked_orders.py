"""Broken brackets, trailing stops and other features of orders."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

import attrs

from bot_v2.features.brokerages.core.decimals import Rounding
from bot_v2.features.brokerages.core.errors import UnsupportedOperationError
from bot_v2.features.brokerages.core.increments import quantize_price, quantize_quantity
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.order_status import OrderStatus
from bot_v2.features.brokerages.core.order_terms import OrderType
from tests.contract.broken.alterations import (
    forged,
    requested,
    returned,
    sent_with,
    told_with,
)
from tests.contract.broken.entry import Broken
from tests.contract.broken.healthy import PAPER, RICH


def _at_the_market(request: OrderRequest) -> OrderRequest:
    if request.take_profit is None:
        return request
    return attrs.evolve(
        request, type=OrderType.MARKET, price=None, take_profit=None, stop_loss=None
    )


def _sibling_alive(order: Any) -> Any:
    is_exit = order.group_id is not None or order.parent_order_id is not None
    is_cancelled = is_exit and order.status is OrderStatus.CANCELLED
    return forged(order, status=OrderStatus.OPEN) if is_cancelled else order


def _fixed_stop(broker: Any, real: Any, request: OrderRequest) -> Any:
    """Send a stop where the trail is now, that stays there."""
    if request.type is not OrderType.TRAILING_STOP:
        return real(request)
    bid = broker.get_orderbook(request.symbol).bids[0].price
    trail = request.trail_amount or bid * (request.trail_percent or Decimal(0)) / 100
    stop = quantize_price(broker.get_product(request.symbol), bid - trail, Rounding.DOWN)
    changes: Any = {"trail_amount": None, "trail_percent": None}
    return real(attrs.evolve(request, type=OrderType.STOP, stop_price=stop, **changes))


def _by_quantity(factor: str) -> Any:
    """Send a quantity for a sum, worked out from the price and too large by a factor."""

    def instead(broker: Any, real: Any, request: OrderRequest) -> Any:
        if request.notional is None:
            return real(request)
        price = broker.get_orderbook(request.symbol).asks[0].price
        wanted = request.notional / price * Decimal(factor)
        quantity = quantize_quantity(broker.get_product(request.symbol), wanted, Rounding.UP)
        return real(attrs.evolve(request, notional=None, quantity=quantity))

    return instead


def _at_least(broker: Any, real: Any, request: OrderRequest) -> Any:
    least = broker.get_product(request.symbol).min_notional
    if request.notional is None or least is None:
        return real(request)
    return real(attrs.evolve(request, notional=max(request.notional, least)))


def _whole(request: OrderRequest) -> OrderRequest:
    if request.quantity is None:
        return request
    return attrs.evolve(request, quantity=Decimal(int(request.quantity) + 1))


def _refuses_hours(_: Any, real: Any, request: OrderRequest) -> Any:
    if request.extended_hours:
        raise UnsupportedOperationError("the regular session only")
    return real(request)


BROKEN: Final = (
    Broken(
        name="an entry that does not wait",
        fault="The entry of a bracket is sent as a market order.",
        on=PAPER,
        alter={"place_order": requested(_at_the_market)},
        caught_by={"BC-BR010": "a live entry; saw Order("},
        catalogue=("S16",),
    ),
    Broken(
        name="a bracket without exits",
        fault="The exits of a bracket are never placed.",
        on=PAPER,
        alter={"place_order": sent_with(take_profit=None, stop_loss=None)},
        caught_by={"BC-BR020": "two live exits", "BC-BR030": "two live exits"},
        catalogue=("S12",),
    ),
    Broken(
        name="a sibling left alive",
        fault="The order whose sibling was filled is told as alive.",
        on=PAPER,
        alter={"get_order": returned(_sibling_alive)},
        caught_by={
            "BC-BR030": "the order to be CANCELLED",
            "BC-OO020": "the order to be CANCELLED",
        },
        catalogue=("S13",),
    ),
    Broken(
        name="a trailing stop that does not trail",
        fault="A trailing stop is sent as a plain stop.",
        on=PAPER,
        alter={"place_order": _fixed_stop},
        caught_by={
            "BC-TS010": "the type to be",
            "BC-TS020": "a trigger above 90",
            "BC-TS030": "the order to be FILLED",
        },
        catalogue=("S16",),
    ),
    Broken(
        name="more than the sum",
        fault="A notional order spends a fifth more than its sum.",
        on=PAPER,
        alter={"place_order": _by_quantity("1.2")},
        caught_by={"BC-OF010": "at most 58 spent"},
    ),
    Broken(
        name="all for a sum",
        fault="A notional sale sells twice its sum.",
        on=PAPER,
        alter={"place_order": _by_quantity("2")},
        caught_by={"BC-OF070": "a sale that brings 28", "BC-OF010": "at most 58 spent"},
    ),
    Broken(
        name="neither sum nor quantity",
        fault="A notional order is read back without its sum, and without a quantity.",
        on=PAPER,
        alter={"get_order": told_with(notional=None, quantity=None)},
        caught_by={"BC-OF020": "a notional of 58"},
    ),
    Broken(
        name="whole units only",
        fault="A fraction of a unit is rounded up.",
        on=PAPER,
        alter={"place_order": requested(_whole)},
        caught_by={"BC-OF030": "the quantity to be", "BC-O020": "the order's quantity to be"},
        catalogue=("S17",),
    ),
    Broken(
        name="the regular session only",
        fault="It declares `extended_hours`, and refuses such orders.",
        on=PAPER,
        alter={"place_order": _refuses_hours},
        caught_by={"BC-OF040": "Unexpected UnsupportedOperationError: the regular session only"},
    ),
    Broken(
        name="legs dropped",
        fault="An order of several legs is placed for the underlying alone.",
        on=RICH,
        alter={"place_order": sent_with(legs=())},
        caught_by={"BC-OF050": "the legs to be"},
        catalogue=("S15", "S16"),
    ),
    Broken(
        name="a sum raised",
        fault="A sum below the smallest value is raised to it.",
        on=PAPER,
        alter={"place_order": _at_least},
        caught_by={"BC-OF060": "InvalidRequestError from a notional below 5"},
        catalogue=("S17",),
    ),
)
