"""Cancels, closes and other writes when something goes wrong."""

from __future__ import annotations

from bot_v2.features.brokerages.core.capabilities import Capability
from bot_v2.features.brokerages.core.errors import (
    BrokerageError,
    ConnectionError,
    OrderOutcomeUnknownError,
    Outcome,
    RateLimitError,
)
from bot_v2.features.brokerages.core.order_changes import OrderModification
from bot_v2.features.brokerages.core.order_status import LIVE_STATUSES, OrderStatus
from bot_v2.features.brokerages.core.order_terms import OrderSide, OrderType
from bot_v2.simulation.faults import Fault
from bot_v2.testing.cards import Section, card
from bot_v2.testing.context import CheckContext
from bot_v2.testing.operations import keeps_as_balance
from bot_v2.testing.violation import expect, expect_equal, expect_error

_UNKNOWN_FAULTS = (
    Fault.DROP_BEFORE_ACCEPT,
    Fault.RESET_AFTER,
    Fault.SERVER_ERROR,
    Fault.UNAVAILABLE,
    Fault.MALFORMED,
    Fault.EMPTY,
    Fault.TRUNCATED,
)


def _fail_cancel(
    ctx: CheckContext, order_id: str, fault: Fault, *accepted: type[BrokerageError]
) -> BrokerageError:
    with ctx.fault(fault, "cancel_order"):
        return expect_error(
            lambda: ctx.broker.cancel_order(order_id),
            *accepted,
            when=f"cancel_order at {fault.value}",
        )


@card(
    "BC-X010",
    "A cancel that is never answered is UNKNOWN, and is not repeated.",
    Section.OUTCOME,
    faults=(Fault.DROP_AFTER_ACCEPT,),
    catalogue=("S07",),
)
def _dropped(ctx: CheckContext) -> None:
    """It takes effect and is not answered: neither True nor False is returned."""
    order_id = ctx.place_resting()
    with ctx.one_arrives("cancel_order"):
        error = _fail_cancel(ctx, order_id, Fault.DROP_AFTER_ACCEPT, OrderOutcomeUnknownError)
    expect_equal(error.order_id, order_id, "the error's order_id")
    expect_equal(error.operation, "cancel_order", "the error's operation")


@card(
    "BC-X020",
    "A cancel that was lost is UNKNOWN, and the order is not taken for cancelled.",
    Section.OUTCOME,
    faults=(Fault.DROP_BEFORE_ACCEPT,),
    catalogue=("S07",),
)
def _lost(ctx: CheckContext) -> None:
    """It has no effect and is not answered: the order is read back alive, and is cancelled then."""
    order_id = ctx.place_resting()
    _fail_cancel(ctx, order_id, Fault.DROP_BEFORE_ACCEPT, OrderOutcomeUnknownError)
    status = ctx.broker.get_order(order_id).status
    expect(status in LIVE_STATUSES, "a live order", status)
    expect(ctx.broker.cancel_order(order_id) is True, "True from the next cancel", False)


@card(
    "BC-X030",
    "A cancel that provably never left is ConnectionError, NOT_SENT.",
    Section.OUTCOME,
    faults=(Fault.RESET_BEFORE,),
    catalogue=("T01", "T02"),
)
def _never_left(ctx: CheckContext) -> None:
    """The connection fails before a byte leaves: the order lives, and the error proves why."""
    order_id = ctx.place_resting()
    with ctx.nothing_arrives("cancel_order"):
        error = _fail_cancel(ctx, order_id, Fault.RESET_BEFORE, ConnectionError)
    expect_equal(error.outcome, Outcome.NOT_SENT, "the outcome")
    status = ctx.broker.get_order(order_id).status
    expect(status in LIVE_STATUSES, "a live order", status)


@card(
    "BC-X040",
    "A cancel whose answer says nothing is UNKNOWN, and is sent once.",
    Section.OUTCOME,
    needs_venue=True,
    catalogue=("S07", "T07", "T08", "T09", "T10"),
)
def _says_nothing(ctx: CheckContext) -> None:
    """Reset, 5xx, and every body that is not the broker's, as far as the venue can commit them."""
    for fault in _UNKNOWN_FAULTS:
        if fault in ctx.venue.faults:
            order_id = ctx.place_resting()
            with ctx.one_arrives("cancel_order"):
                _fail_cancel(ctx, order_id, fault, OrderOutcomeUnknownError)


@card(
    "BC-X050",
    "A 429 to a cancel leaves the order as it was, or UNKNOWN.",
    Section.OUTCOME,
    faults=(Fault.RATE_LIMIT,),
    catalogue=("V06",),
)
def _rate_limit(ctx: CheckContext) -> None:
    """RateLimitError that is REJECTED or NOT_SENT, or OrderOutcomeUnknownError."""
    order_id = ctx.place_resting()
    error = _fail_cancel(ctx, order_id, Fault.RATE_LIMIT, RateLimitError, OrderOutcomeUnknownError)
    expect(error.outcome is not None, "an outcome", error)
    status = ctx.broker.get_order(order_id).status
    expect(status in LIVE_STATUSES, "a live order", status)


@card(
    "BC-X060",
    "After a cancel of UNKNOWN outcome the order tells the truth.",
    Section.EVIDENCE,
    faults=(Fault.DROP_AFTER_ACCEPT,),
    catalogue=("S06", "S07"),
)
def _truth(ctx: CheckContext) -> None:
    """It is read: CANCELLED; and a second cancel returns False."""
    order_id = ctx.place_resting()
    _fail_cancel(ctx, order_id, Fault.DROP_AFTER_ACCEPT, OrderOutcomeUnknownError)
    ctx.await_status(order_id, OrderStatus.CANCELLED)
    returned: object = ctx.broker.cancel_order(order_id)
    expect(returned is False, "False from the second cancel", returned)


def _require_position(ctx: CheckContext) -> None:
    if keeps_as_balance(ctx):
        ctx.skip("the traded product is kept as a balance")
    ctx.trade()


@card(
    "BC-X070",
    "A close that is never answered is UNKNOWN, and is not repeated.",
    Section.OUTCOME,
    faults=(Fault.DROP_AFTER_ACCEPT,),
    catalogue=("T04",),
)
def _close(ctx: CheckContext) -> None:
    """The closing order takes effect and is not answered: there is one, and we are not short."""
    _require_position(ctx)
    operation = _closing_operation(ctx)
    taken = len(ctx.venue.orders_received())
    with ctx.fault(Fault.DROP_AFTER_ACCEPT, operation):
        expect_error(
            lambda: ctx.broker.close_position(ctx.symbol),
            OrderOutcomeUnknownError,
            when="close_position at drop_after_accept",
        )
    expect_equal(len(ctx.venue.orders_received()) - taken, 1, "the number of closing orders")
    position = ctx.broker.get_position(ctx.symbol)
    expect(position is None or position.side.value == "long", "no short position", position)


def _closing_operation(ctx: CheckContext) -> str:
    """Return how a close is named at the venue: a call of its own, or an order."""
    before = ctx.venue.requests_received("close_position")
    ctx.placed.append(ctx.id_of(ctx.broker.close_position(ctx.symbol)))
    own = ctx.venue.requests_received("close_position") > before
    ctx.await_end(ctx.placed[-1])
    ctx.trade()
    return "close_position" if own else "place_order"


@card(
    "BC-X080",
    "A close whose reading of the position fails sends nothing.",
    Section.FAILED_READ,
    faults=(Fault.RESET_BEFORE,),
    catalogue=("V12",),
)
def _close_unread(ctx: CheckContext) -> None:
    """Every request fails before it leaves: a typed error, and the position as it was."""
    _require_position(ctx)
    held = ctx.broker.get_position(ctx.symbol)
    taken = len(ctx.venue.orders_received())
    with ctx.fault(Fault.RESET_BEFORE, None, times=100):
        expect_error(
            lambda: ctx.broker.close_position(ctx.symbol),
            ConnectionError,
            outcome=Outcome.NOT_SENT,
            when="close_position without a connection",
        )
    expect_equal(len(ctx.venue.orders_received()), taken, "the number of orders")
    after = ctx.broker.get_position(ctx.symbol)
    expect_equal(after and after.quantity, held and held.quantity, "the position's quantity")


@card(
    "BC-X090",
    "A modification that is never answered is UNKNOWN, and is not repeated.",
    Section.OUTCOME,
    capabilities=(Capability.ORDER_MODIFICATION,),
    faults=(Fault.DROP_AFTER_ACCEPT,),
    catalogue=("T04", "S05"),
)
def _modify(ctx: CheckContext) -> None:
    """It takes effect and is not answered."""
    order_id = ctx.place_resting()
    lower = ctx.market.scaled(ctx.market.resting_price(), "0.9")
    change = OrderModification(price=lower)
    with ctx.one_arrives("modify_order"), ctx.fault(Fault.DROP_AFTER_ACCEPT, "modify_order"):
        expect_error(
            lambda: ctx.untyped.modify_order(order_id, change),
            OrderOutcomeUnknownError,
            when="modify_order at drop_after_accept",
        )


@card(
    "BC-X100",
    "A pair of orders that is never answered is UNKNOWN as one write.",
    Section.ONE_WRITE,
    capabilities=(Capability.OCO,),
    faults=(Fault.DROP_AFTER_ACCEPT,),
    catalogue=("P12",),
)
def _oco(ctx: CheckContext) -> None:
    """Both take effect and nothing is answered: one error, two orders."""
    ctx.trade()
    first = ctx.request(side=OrderSide.SELL, quantity=ctx.market.unit)
    bid, _ = ctx.market.best()
    second = ctx.request(
        side=OrderSide.SELL,
        quantity=ctx.market.unit,
        type=OrderType.STOP,
        stop_price=ctx.market.scaled(bid, "0.8"),
        client_order_id=None,
    )
    taken = len(ctx.venue.orders_received())
    with ctx.fault(Fault.DROP_AFTER_ACCEPT, "place_oco"):
        expect_error(
            lambda: ctx.untyped.place_oco(first, second),
            OrderOutcomeUnknownError,
            when="place_oco at drop_after_accept",
        )
    made = len(ctx.venue.orders_received()) - taken
    expect(made == 2, "two orders at the venue", made)
