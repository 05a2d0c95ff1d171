"""Broken placements: orders that are changed, and refusals that are none."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

import attrs

from bot_v2.features.brokerages.core.decimals import Rounding
from bot_v2.features.brokerages.core.errors import (
    BrokerageError,
    InsufficientFundsError,
    InvalidRequestError,
    InvalidSymbolError,
    OrderRejectedError,
)
from bot_v2.features.brokerages.core.increments import quantize_price, quantize_quantity
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.order_terms import OrderSide, OrderType, TimeInForce
from bot_v2.features.brokerages.core.orders import OrderResult
from tests.contract.broken.alterations import (
    forged,
    on_error,
    requested,
    returned,
    sent_with,
    told_with,
)
from tests.contract.broken.entry import Broken
from tests.contract.broken.healthy import PAPER


def _reads_first(broker: Any, real: Any, request: OrderRequest) -> Any:
    broker.get_products()
    return real(request)


def _sends_two(_: Any, real: Any, request: OrderRequest) -> Any:
    real(attrs.evolve(request, client_order_id=None))
    return real(request)


def _names_the_last(broker: Any, real: Any, request: OrderRequest) -> Any:
    result = real(request)
    before, broker.before = getattr(broker, "before", "o-0"), result.order_id
    return forged(result, order_id=before, order=None)


def _changes_request(_: Any, real: Any, request: OrderRequest) -> Any:
    result = real(request)
    object.__setattr__(request, "client_order_id", result.client_order_id)
    return result


def _far_limit(request: OrderRequest) -> OrderRequest:
    if request.type is not OrderType.MARKET:
        return request
    return attrs.evolve(request, type=OrderType.LIMIT, price=Decimal("50.00"))


def _worse(order: Any) -> Any:
    if order.average_fill_price is None:
        return order
    factor = Decimal("1.2") if order.side is OrderSide.BUY else Decimal("0.8")
    return forged(order, average_fill_price=order.average_fill_price * factor)


def _other_price(result: Any) -> Any:
    order = forged(result.order, price=Decimal("12.34"))
    return forged(result, order=order)


def _time_in_force(was: TimeInForce, becomes: TimeInForce) -> Any:
    def change(request: OrderRequest) -> OrderRequest:
        end = None if was is TimeInForce.GTD else request.expires_at
        if request.time_in_force is not was:
            return request
        return attrs.evolve(request, time_in_force=becomes, expires_at=end)

    return requested(change)


def _as_type(was: OrderType, becomes: OrderType, **changes: Any) -> Any:
    def change(request: OrderRequest) -> OrderRequest:
        if request.type is not was:
            return request
        return attrs.evolve(request, type=becomes, **changes)

    return requested(change)


def _stamps_swapped(order: Any) -> Any:
    return forged(order, timestamp=order.updated_at, updated_at=order.timestamp)


def _price_rounded(broker: Any, real: Any, request: OrderRequest) -> Any:
    if request.price is None:
        return real(request)
    product = broker.get_product(request.symbol)
    return real(
        attrs.evolve(request, price=quantize_price(product, request.price, Rounding.HALF_EVEN))
    )


def _quantity_rounded(broker: Any, real: Any, request: OrderRequest) -> Any:
    product = broker.get_product(request.symbol)
    whole = quantize_quantity(product, request.quantity or Decimal(0), Rounding.DOWN)
    return real(attrs.evolve(request, quantity=whole))


def _quantity_fitted(broker: Any, real: Any, request: OrderRequest) -> Any:
    """Raise what is too small, and cut what is too large."""
    product = broker.get_product(request.symbol)
    if product.min_order_size is None or product.max_order_size is None:
        return real(request)
    low = product.min_order_size
    if request.price is not None and product.min_notional is not None:
        low = max(
            low,
            quantize_quantity(product, product.min_notional / request.price, Rounding.UP),
        )
    fitted = max(low, min(request.quantity or low, Decimal(1)))
    changed = (
        fitted
        if (request.quantity or low) > product.max_order_size
        else max(low, request.quantity or low)
    )
    return real(attrs.evolve(request, quantity=changed))


def _counts_refusals(broker: Any, real: Any, request: OrderRequest) -> Any:
    try:
        return real(request)
    except BrokerageError:
        broker.refusals = getattr(broker, "refusals", 0) + 1
        raise


def _less_refusals(broker: Any, real: Any) -> Any:
    lost = getattr(broker, "refusals", 0)
    return [attrs.evolve(one, total=one.total - lost) for one in real()]


def _bare(_: BrokerageError) -> InvalidRequestError:
    return InvalidRequestError("")


BROKEN: Final = (
    Broken(
        name="success without an id",
        fault="place_order() returns success with an empty order id.",
        on=PAPER,
        alter={"place_order": told_with(order_id="")},
        caught_by={"BC-O010": "an order id; saw OrderResult("},
        catalogue=("P13",),
    ),
    Broken(
        name="another price",
        fault="An order is placed at half a unit below the price that was asked for.",
        on=PAPER,
        alter={
            "place_order": requested(
                lambda request: attrs.evolve(
                    request, price=request.price and request.price - Decimal("0.5")
                )
            )
        },
        caught_by={
            "BC-O020": "the order's price to be",
            "BC-V110": "price 70.0; saw Decimal('69.5')",
        },
    ),
    Broken(
        name="sides swapped",
        fault="A purchase is told as a sale.",
        on=PAPER,
        alter={"get_order": told_with(side=OrderSide.SELL)},
        caught_by={"BC-O020": "the order's side to be"},
    ),
    Broken(
        name="the caller's id ignored",
        fault="Each call makes a new client order id, whatever the caller gave.",
        on=PAPER,
        alter={"place_order": sent_with(client_order_id=None)},
        caught_by={
            "BC-O030": "the result's client_order_id to be",
            "BC-K060": "DuplicateOrderError, as declared",
            "BC-K080": "the number of orders at the venue to be 1",
            "BC-W140": "the number of orders at the venue to be 1",
        },
        catalogue=("S01",),
    ),
    Broken(
        name="a made id not reported",
        fault="The result says another id than the one that was sent.",
        on=PAPER,
        alter={"place_order": told_with(client_order_id="invented-afterwards")},
        caught_by={
            "BC-O040": "the order's client_order_id to be 'invented-afterwards'",
            "BC-O030": "the result's client_order_id to be",
        },
    ),
    Broken(
        name="the request changed",
        fault="place_order() writes the client order id into the caller's request.",
        on=PAPER,
        alter={"place_order": _changes_request},
        caught_by={"BC-O050": "the request after placing to be OrderRequest"},
    ),
    Broken(
        name="a market order that waits",
        fault="A market order is sent as a limit order far from the market.",
        on=PAPER,
        alter={"place_order": requested(_far_limit)},
        caught_by={"BC-O060": "the order to be FILLED"},
    ),
    Broken(
        name="two placements",
        fault="place_order() sends two orders.",
        on=PAPER,
        alter={"place_order": _sends_two},
        caught_by={"BC-O070": "exactly one request of place_order at the venue"},
        catalogue=("T13",),
    ),
    Broken(
        name="the order before",
        fault="The result names the order that was placed before.",
        on=PAPER,
        alter={"place_order": _names_the_last},
        caught_by={"BC-O080": "the venue's order id to be 'o-0'"},
    ),
    Broken(
        name="products read before each order",
        fault="place_order() reads all products before it sends.",
        on=PAPER,
        alter={"place_order": _reads_first},
        caught_by={"BC-O090": "no request of get_products or"},
    ),
    Broken(
        name="one id for all",
        fault="Every order has the same order id.",
        on=PAPER,
        alter={"place_order": told_with(order_id="the-order")},
        caught_by={
            "BC-O100": "five different ids",
            "BC-T010": "the number of different order ids to be 32",
        },
    ),
    Broken(
        name="the result's order is another",
        fault="The order of the result has another price than was asked for.",
        on=PAPER,
        alter={"place_order": returned(_other_price)},
        caught_by={"BC-O110": "the order's price to be"},
    ),
    Broken(
        name="worse than its limit",
        fault="Fills are told at a fifth worse than they were.",
        on=PAPER,
        alter={"get_order": returned(_worse)},
        caught_by={
            "BC-O120": "105.10 or better for a BUY",
            "BC-O060": "an average price of 100.100",
        },
    ),
    Broken(
        name="no default told",
        fault="The time in force of an order is told as OTHER.",
        on=PAPER,
        alter={"get_order": told_with(time_in_force=TimeInForce.OTHER)},
        caught_by={"BC-O130": "a time in force", "BC-O140": "the time in force to be"},
    ),
    Broken(
        name="DAY becomes GTC",
        fault="A DAY order is sent as good till cancelled.",
        on=PAPER,
        alter={"place_order": _time_in_force(TimeInForce.DAY, TimeInForce.GTC)},
        caught_by={"BC-O140": "the time in force to be"},
        catalogue=("S16",),
    ),
    Broken(
        name="IOC becomes GTC",
        fault="An IOC order is sent as good till cancelled.",
        on=PAPER,
        alter={"place_order": _time_in_force(TimeInForce.IOC, TimeInForce.GTC)},
        caught_by={"BC-O150": "the order to be ended", "BC-O160": "the order to be ended"},
        catalogue=("S16",),
    ),
    Broken(
        name="IOC becomes FOK",
        fault="An IOC order is sent as fill or kill.",
        on=PAPER,
        alter={"place_order": _time_in_force(TimeInForce.IOC, TimeInForce.FOK)},
        caught_by={"BC-O160": "the filled quantity to be"},
        catalogue=("S16",),
    ),
    Broken(
        name="FOK becomes IOC",
        fault="A FOK order is sent as immediate or cancel.",
        on=PAPER,
        alter={"place_order": _time_in_force(TimeInForce.FOK, TimeInForce.IOC)},
        caught_by={"BC-O170": "no fill; saw Order("},
        catalogue=("S16",),
    ),
    Broken(
        name="GTD becomes GTC",
        fault="An order with an end is sent as good till cancelled.",
        on=PAPER,
        alter={"place_order": _time_in_force(TimeInForce.GTD, TimeInForce.GTC)},
        caught_by={"BC-L090": "the order to be EXPIRED"},
        catalogue=("S16", "S19"),
    ),
    Broken(
        name="post-only dropped",
        fault="A post-only order is sent as a plain one.",
        on=PAPER,
        alter={"place_order": sent_with(post_only=False)},
        caught_by={"BC-O180": "no fill; saw Order("},
        catalogue=("S16",),
    ),
    Broken(
        name="reduce-only dropped",
        fault="A reduce-only order is sent as a plain one.",
        on=PAPER,
        alter={"place_order": sent_with(reduce_only=False)},
        caught_by={"BC-O190": "no fill; saw Order("},
        catalogue=("S16",),
    ),
    Broken(
        name="a stop at the market",
        fault="A stop order is sent as a market order.",
        on=PAPER,
        alter={"place_order": _as_type(OrderType.STOP, OrderType.MARKET, stop_price=None)},
        caught_by={"BC-O200": "a waiting order"},
        catalogue=("S16",),
    ),
    Broken(
        name="a stop without its limit",
        fault="A stop-limit order is sent as a stop order.",
        on=PAPER,
        alter={"place_order": _as_type(OrderType.STOP_LIMIT, OrderType.STOP, price=None)},
        caught_by={"BC-O210": "the limit to be"},
        catalogue=("S16",),
    ),
    Broken(
        name="stamps swapped",
        fault="The time of the last change is taken for that of the placement.",
        on=PAPER,
        alter={"get_order": returned(_stamps_swapped)},
        caught_by={"BC-O220": "updated_at at or after timestamp"},
        catalogue=("P15",),
    ),
    Broken(
        name="a price rounded",
        fault="A price off the grid is rounded to it.",
        on=PAPER,
        alter={"place_order": _price_rounded},
        caught_by={"BC-U010": "InvalidRequestError from a price of 70.005 on a grid of 0.01"},
        catalogue=("S17",),
    ),
    Broken(
        name="a quantity rounded",
        fault="A quantity off the grid is rounded to it.",
        on=PAPER,
        alter={"place_order": _quantity_rounded},
        caught_by={"BC-U020": "InvalidRequestError from a quantity of 0.57165 in steps of 0.0001"},
        catalogue=("S17",),
    ),
    Broken(
        name="a quantity made to fit",
        fault="A quantity that is too small is raised, and one that is too large is cut.",
        on=PAPER,
        alter={"place_order": _quantity_fitted},
        caught_by={
            "BC-U030": "InvalidRequestError from a quantity of 0.00005 below 0.0001",
            "BC-U040": "InvalidRequestError from a quantity of 100000.0001 above 100000",
            "BC-U050": "InvalidRequestError from a value of 0.00700 below 5",
        },
        catalogue=("S17",),
    ),
    Broken(
        name="an unknown symbol is a rejection",
        fault="An order for an unknown symbol is said to be rejected by the broker.",
        on=PAPER,
        alter={"place_order": on_error(InvalidSymbolError, lambda _: OrderRejectedError("no"))},
        caught_by={"BC-U060": "InvalidRequestError from an order for an unknown symbol"},
    ),
    Broken(
        name="options ignored",
        fault="An option that the adapter does not know is left out.",
        on=PAPER,
        alter={"place_order": sent_with(broker_options={})},
        caught_by={"BC-U070": "InvalidRequestError from an order with an unknown option"},
        catalogue=("S16",),
    ),
    Broken(
        name="a refusal returned",
        fault="An order that the account cannot pay for is a result, and no error.",
        on=PAPER,
        alter={
            "place_order": on_error(
                InsufficientFundsError,
                lambda error: OrderResult(success=False, client_order_id="none", error=error),
            )
        },
        caught_by={"BC-U080": "InsufficientFundsError or OrderRejectedError from an order that"},
        catalogue=("P11",),
    ),
    Broken(
        name="a refusal as success",
        fault="An order that the broker refused is returned with success.",
        on=PAPER,
        alter={
            "place_order": on_error(
                BrokerageError,
                lambda _: OrderResult(success=True, client_order_id="none", order_id="none"),
            )
        },
        caught_by={
            "BC-U080": "InsufficientFundsError or OrderRejectedError from an order that",
            "BC-U060": "InvalidRequestError from an order for an unknown symbol",
            "BC-W020": "OrderOutcomeUnknownError from place_order at drop_before_accept",
            "BC-W040": "ConnectionError from place_order at reset_before",
        },
        catalogue=("P11", "P13"),
    ),
    Broken(
        name="a generic exception",
        fault="A refusal leaks as the SDK's own exception.",
        on=PAPER,
        alter={"place_order": on_error(BrokerageError, lambda _: RuntimeError("HTTP 400"))},
        caught_by={
            "BC-U060": "InvalidRequestError from an order for an unknown symbol",
            "BC-U080": "InsufficientFundsError or OrderRejectedError from an order that",
            "BC-W010": "OrderOutcomeUnknownError from place_order at drop_after_accept",
        },
    ),
    Broken(
        name="a refusal that says nothing",
        fault="A refused order is an error without message, symbol or operation.",
        on=PAPER,
        alter={"place_order": on_error(BrokerageError, _bare)},
        caught_by={"BC-U090": "a message; saw InvalidRequestError"},
    ),
    Broken(
        name="a refusal that costs",
        fault="Each refused order lessens the balance.",
        on=PAPER,
        alter={"place_order": _counts_refusals, "list_balances": _less_refusals},
        caught_by={"BC-U100": "the balances to be"},
    ),
)
