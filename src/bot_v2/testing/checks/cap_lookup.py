"""Finding an order by the caller's own id."""

from __future__ import annotations

from bot_v2.features.brokerages.core.capabilities import Capability
from bot_v2.features.brokerages.core.errors import BrokerageError, OrderNotFoundError
from bot_v2.simulation.faults import Fault
from bot_v2.testing.cards import Section, card
from bot_v2.testing.context import CheckContext
from bot_v2.testing.violation import expect, expect_equal, expect_error

LOOKUP = (Capability.ORDER_LOOKUP,)


@card("BC-LK010", "An order is found by its client id.", Section.EVIDENCE, capabilities=LOOKUP)
def _found(ctx: CheckContext) -> None:
    """The order equals the one that get_order() returns."""
    request = ctx.request()
    order_id = ctx.id_of(ctx.place(request))
    order = ctx.untyped.get_order_by_client_id(request.client_order_id)
    expect_equal(order, ctx.broker.get_order(order_id), "the order that is looked up")


@card(
    "BC-LK020",
    "A client id that no order has is OrderNotFoundError.",
    Section.EVIDENCE,
    capabilities=LOOKUP,
)
def _unknown(ctx: CheckContext) -> None:
    """An id that was made and never used is looked up."""
    unused = ctx.make_id()
    expect_error(
        lambda: ctx.untyped.get_order_by_client_id(unused),
        OrderNotFoundError,
        when="get_order_by_client_id of an unused id",
    )


@card(
    "BC-LK030",
    "An ended order is found by its client id, too.",
    Section.EVIDENCE,
    capabilities=LOOKUP,
    catalogue=("S09",),
)
def _ended(ctx: CheckContext) -> None:
    """An order is cancelled and then looked up."""
    request = ctx.request()
    order_id = ctx.id_of(ctx.place(request))
    ctx.broker.cancel_order(order_id)
    ctx.await_end(order_id)
    order = ctx.untyped.get_order_by_client_id(request.client_order_id)
    expect_equal(order.order_id, order_id, "the order that is looked up")


@card(
    "BC-LK040",
    "A failed look-up does not say that there is no order.",
    Section.FAILED_READ,
    capabilities=LOOKUP,
    faults=(Fault.SERVER_ERROR,),
    catalogue=("S09", "V12"),
)
def _failed(ctx: CheckContext) -> None:
    """Every request fails: the error is another than OrderNotFoundError."""
    request = ctx.request()
    ctx.place(request)
    with ctx.fault(Fault.SERVER_ERROR, None, times=50):
        error = expect_error(
            lambda: ctx.untyped.get_order_by_client_id(request.client_order_id),
            BrokerageError,
            when="get_order_by_client_id at server_error",
        )
    expect(not isinstance(error, OrderNotFoundError), "another error than not found", error)
