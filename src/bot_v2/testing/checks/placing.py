"""What happens when an order is placed, and is taken."""

from __future__ import annotations

import attrs

from bot_v2.features.brokerages.core.declarations import idempotency_of
from bot_v2.features.brokerages.core.errors import BrokerageError, UnsupportedOperationError
from bot_v2.features.brokerages.core.idempotency import IdempotencyScope
from bot_v2.features.brokerages.core.order_status import (
    ENDED_STATUSES,
    LIVE_STATUSES,
    OrderStatus,
)
from bot_v2.features.brokerages.core.order_terms import OrderSide, OrderType, TimeInForce
from bot_v2.testing.cards import Section, card
from bot_v2.testing.context import CheckContext
from bot_v2.testing.operations import keeps_as_balance
from bot_v2.testing.violation import expect, expect_equal


@card("BC-O010", "A taken order has success=True and an order id.", Section.MEANING)
def _taken(ctx: CheckContext) -> None:
    """A limit order away from the market is placed; the result has an id and no error."""
    result = ctx.place()
    expect(result.success is True, "success=True", result)
    expect(isinstance(result.order_id, str) and bool(result.order_id), "an order id", result)
    expect(result.error is None, "no error", result)


@card("BC-O020", "What the broker has is what was asked.", Section.NO_SILENT_CHANGE)
def _terms(ctx: CheckContext) -> None:
    """Symbol, side, type, quantity and price of the order read back are those of the request."""
    request = ctx.request()
    order = ctx.broker.get_order(ctx.id_of(ctx.place(request)))
    for name in ("symbol", "side", "type", "quantity", "price", "stop_price"):
        expect_equal(getattr(order, name), getattr(request, name), f"the order's {name}")


@card("BC-O030", "The caller's id is reported back.", Section.IDEMPOTENCY)
def _client_id(ctx: CheckContext) -> None:
    """The result has the id of the request, as has the order where the broker keeps ids."""
    request = ctx.request()
    result = ctx.place(request)
    expect_equal(result.client_order_id, request.client_order_id, "the result's client_order_id")
    if idempotency_of(ctx.broker).scope is not IdempotencyScope.NONE:
        order = ctx.broker.get_order(ctx.id_of(result))
        expect_equal(order.client_order_id, request.client_order_id, "the order's client_order_id")


@card(
    "BC-O040",
    "An id is made where the caller gives none, and is reported back.",
    Section.IDEMPOTENCY,
    replayable=False,
)
def _client_id_made(ctx: CheckContext) -> None:
    """Two orders without ids get two different ones that fit the declared profile."""
    profile = idempotency_of(ctx.broker)
    made = []
    for _ in range(2):
        result = ctx.place(ctx.request(client_order_id=None))
        profile.check_id(result.client_order_id)
        made.append(result.client_order_id)
        if profile.scope is not IdempotencyScope.NONE:
            order = ctx.broker.get_order(ctx.id_of(result))
            expect_equal(order.client_order_id, made[-1], "the order's client_order_id")
    expect(made[0] != made[1], "two different ids", made)


@card("BC-O050", "A request is not changed by placing it.", Section.NO_SILENT_CHANGE)
def _request_kept(ctx: CheckContext) -> None:
    """The request equals a copy made before, and is placed again under another id."""
    request = ctx.request(client_order_id=None)
    copy = attrs.evolve(request)
    ctx.place(request)
    expect_equal(request, copy, "the request after placing")
    ctx.place(request)


@card("BC-O060", "A market order trades at the market.", Section.MEANING, needs_venue=True)
def _market_order(ctx: CheckContext) -> None:
    """It is filled in full, at a price that the book showed, and not one that it did not."""
    _, ask = ctx.market.best()
    order = ctx.trade()
    expect_equal(order.filled_quantity, ctx.market.quantity, "the filled quantity")
    price = order.average_fill_price
    top = ctx.market.scaled(ask, "1.05")
    expect(price is None or ask <= price <= top, f"an average price of {ask}", order)


@card("BC-O070", "One call sends one placement.", Section.ONE_WRITE, needs_venue=True)
def _one_write(ctx: CheckContext) -> None:
    """One request reaches the venue, and one order takes effect there."""
    request = ctx.request()
    taken = len(ctx.venue.orders_received())
    with ctx.one_arrives("place_order"):
        ctx.place(request)
    more = len(ctx.venue.orders_received()) - taken
    expect(more == 1, "one order at the venue", more)


@card(
    "BC-O080",
    "What reaches the broker is the order that the result names.",
    Section.NO_SILENT_CHANGE,
    needs_venue=True,
)
def _arrived(ctx: CheckContext) -> None:
    """Order id, client id and symbol at the venue are those of result and request."""
    request = ctx.request()
    result = ctx.place(request)
    arrived = ctx.venue.orders_received()[-1]
    expect_equal(arrived.order_id, result.order_id, "the venue's order id")
    expect_equal(arrived.symbol, request.symbol, "the venue's symbol")
    if idempotency_of(ctx.broker).scope is not IdempotencyScope.NONE:
        expect_equal(arrived.client_order_id, request.client_order_id, "the venue's client id")


@card(
    "BC-O090",
    "With warm caches nothing is read before the order leaves.",
    Section.MEANING,
    needs_venue=True,
)
def _no_extra_reads(ctx: CheckContext) -> None:
    """After a first order, a second one asks for no product, price or account."""
    ctx.place()
    request = ctx.request()
    reads = ("get_products", "get_product", "get_price", "get_orderbook", "list_balances")
    with ctx.nothing_arrives(*reads, "get_order", "list_orders"):
        ctx.place(request)


@card("BC-O100", "An order id is unique.", Section.MEANING)
def _unique(ctx: CheckContext) -> None:
    """Five orders have five ids."""
    ids = [ctx.id_of(ctx.place()) for _ in range(5)]
    expect(len(set(ids)) == 5, "five different ids", ids)


@card("BC-O110", "The order of a result is the order that it names.", Section.MODELS)
def _result_order(ctx: CheckContext) -> None:
    """Where the result has an order, its ids and terms are those of result and request."""
    request = ctx.request()
    result = ctx.place(request)
    if result.order is None:
        ctx.skip("the reply to a placement tells no order")
    expect_equal(result.order.order_id, result.order_id, "the order's id")
    for name in ("symbol", "side", "type", "quantity", "price"):
        expect_equal(getattr(result.order, name), getattr(request, name), f"the order's {name}")


@card(
    "BC-O120",
    "A limit order is filled at its limit or better.",
    Section.NO_SILENT_CHANGE,
    needs_venue=True,
)
def _limit_kept(ctx: CheckContext) -> None:
    """A crossing limit order to buy and one to sell are filled; neither is worse than its limit."""
    for side in (OrderSide.BUY, OrderSide.SELL):
        price = ctx.market.crossing_price(side)
        order = ctx.await_status(
            ctx.id_of(ctx.place(ctx.request(side=side, price=price))), OrderStatus.FILLED
        )
        paid = order.average_fill_price
        better = paid is None or (paid <= price if side is OrderSide.BUY else paid >= price)
        expect(better, f"{price} or better for a {side.name}", order)


@card("BC-O130", "The default time in force is shown on the order.", Section.MODELS)
def _default_tif(ctx: CheckContext) -> None:
    """An order placed without one is read back with one, and not with OTHER."""
    order = ctx.broker.get_order(ctx.place_resting(time_in_force=None))
    known = isinstance(order.time_in_force, TimeInForce)
    expect(known and order.time_in_force is not TimeInForce.OTHER, "a time in force", order)


@card(
    "BC-O140",
    "The time in force that is asked for is the one that works.",
    Section.NO_SILENT_CHANGE,
)
def _asked_tif(ctx: CheckContext) -> None:
    """GTC and DAY are placed; each is refused as unsupported, or read back as asked."""
    taken = []
    for wanted in (TimeInForce.GTC, TimeInForce.DAY):
        try:
            order_id = ctx.place_resting(time_in_force=wanted)
        except UnsupportedOperationError:
            continue
        taken.append(wanted)
        expect_equal(ctx.broker.get_order(order_id).time_in_force, wanted, "the time in force")
    expect(bool(taken), "GTC or DAY to be taken", "both refused")


@card("BC-O150", "A taken order says nothing of its later fate.", Section.MEANING)
def _fate(ctx: CheckContext) -> None:
    """An IOC order away from the market is a success, and ends without a fill."""
    request = ctx.request(time_in_force=TimeInForce.IOC)
    order = ctx.await_end(ctx.id_of(ctx.place_optional(request, "IOC")))
    expect(order.filled_quantity == 0, "no fill", order)
    fitting = (OrderStatus.CANCELLED, OrderStatus.EXPIRED)
    expect(order.status in fitting, "CANCELLED or EXPIRED", order)


@card(
    "BC-O160",
    "An IOC order fills what it can at once, and the rest ends.",
    Section.NO_SILENT_CHANGE,
    needs_venue=True,
)
def _ioc_part(ctx: CheckContext) -> None:
    """Less than it wants is on offer: it ends with that much filled."""
    unit, price = ctx.market.unit, ctx.market.crossing_price()
    bid, ask = ctx.market.best()
    ctx.market.set(bid, ask, unit)
    request = ctx.request(price=price, time_in_force=TimeInForce.IOC)
    order = ctx.await_end(ctx.id_of(ctx.place_optional(request, "IOC")))
    expect_equal(order.filled_quantity, unit, "the filled quantity")
    expect(order.status is not OrderStatus.FILLED, "an end that is not FILLED", order)


@card(
    "BC-O170",
    "A FOK order fills in full, or not at all.",
    Section.NO_SILENT_CHANGE,
    needs_venue=True,
)
def _fok(ctx: CheckContext) -> None:
    """Less than it wants is on offer: it ends without a fill, or is refused."""
    unit, price = ctx.market.unit, ctx.market.crossing_price()
    bid, ask = ctx.market.best()
    ctx.market.set(bid, ask, unit)
    request = ctx.request(price=price, time_in_force=TimeInForce.FOK)
    try:
        result = ctx.place_optional(request, "FOK")
    except BrokerageError as error:
        expect(error.outcome is not None, "a refusal with an outcome", error)
        return
    order = ctx.await_end(ctx.id_of(result))
    expect(order.filled_quantity == 0, "no fill", order)


@card(
    "BC-O180",
    "A post-only order takes no liquidity.",
    Section.NO_SILENT_CHANGE,
    needs_venue=True,
)
def _post_only(ctx: CheckContext) -> None:
    """One that would trade at once is refused, or ends without a fill."""
    request = ctx.request(price=ctx.market.crossing_price(), post_only=True)
    try:
        result = ctx.place_optional(request, "post_only")
    except BrokerageError as error:
        expect(error.outcome is not None, "a refusal with an outcome", error)
        return
    order = ctx.broker.get_order(ctx.id_of(result))
    expect(order.filled_quantity == 0, "no fill", order)


@card("BC-O190", "A reduce-only order opens nothing.", Section.NO_SILENT_CHANGE, needs_venue=True)
def _reduce_only(ctx: CheckContext) -> None:
    """On a flat account one to buy is refused, or ends without a fill."""
    if not keeps_as_balance(ctx) and ctx.broker.get_position(ctx.symbol) is not None:
        ctx.skip("the account has a position in the traded product")
    request = ctx.request(price=ctx.market.crossing_price(), reduce_only=True)
    try:
        result = ctx.place_optional(request, "reduce_only")
    except BrokerageError as error:
        expect(error.outcome is not None, "a refusal with an outcome", error)
        return
    order = ctx.await_end(ctx.id_of(result))
    expect(order.filled_quantity == 0, "no fill", order)


@card("BC-O200", "A stop order waits for its trigger.", Section.NO_SILENT_CHANGE, needs_venue=True)
def _stop(ctx: CheckContext) -> None:
    """A stop to buy above the market rests with its trigger, and trades once it is reached."""
    bid, ask = ctx.market.best()
    trigger = ctx.market.scaled(ask, "1.2")
    request = ctx.request(type=OrderType.STOP, stop_price=trigger)
    order_id = ctx.id_of(ctx.place_optional(request, "STOP"))
    order = ctx.broker.get_order(order_id)
    expect(order.status in LIVE_STATUSES and order.filled_quantity == 0, "a waiting order", order)
    expect_equal(order.stop_price, trigger, "the trigger")
    ctx.market.set(ctx.market.scaled(bid, "1.3"))
    ctx.await_status(order_id, OrderStatus.FILLED)


@card("BC-O210", "A stop-limit order keeps its limit.", Section.NO_SILENT_CHANGE, needs_venue=True)
def _stop_limit(ctx: CheckContext) -> None:
    """Once triggered through its limit it rests; it is not filled at a worse price."""
    bid, ask = ctx.market.best()
    trigger = ctx.market.scaled(ask, "1.2")
    limit = ctx.market.scaled(ask, "1.21")
    request = ctx.request(type=OrderType.STOP_LIMIT, stop_price=trigger, price=limit)
    order_id = ctx.id_of(ctx.place_optional(request, "STOP_LIMIT"))
    ctx.market.set(ctx.market.scaled(bid, "1.5"))
    order = ctx.broker.get_order(order_id)
    expect_equal(order.price, limit, "the limit")
    expect(order.filled_quantity == 0, "no fill above the limit", order)
    expect(order.status not in ENDED_STATUSES, "an order that works", order)


@card("BC-O220", "An order is stamped in order: taken, then changed.", Section.TIME)
def _stamps(ctx: CheckContext) -> None:
    """updated_at is not before timestamp, of a live order and after its cancel."""
    order_id = ctx.place_resting()
    ctx.broker.cancel_order(order_id)
    order = ctx.await_end(order_id)
    if order.timestamp is None or order.updated_at is None:
        ctx.skip("the broker does not say when")
    expect(order.updated_at >= order.timestamp, "updated_at at or after timestamp", order)
