"""Placements when something goes wrong: the outcome is told, and nothing is sent twice."""

from __future__ import annotations

from bot_v2.features.brokerages.core.capabilities import Capability, capabilities_of
from bot_v2.features.brokerages.core.declarations import idempotency_of
from bot_v2.features.brokerages.core.errors import (
    AuthenticationError,
    BrokerageError,
    ConnectionError,
    DuplicateOrderError,
    OrderOutcomeUnknownError,
    Outcome,
    RateLimitError,
)
from bot_v2.features.brokerages.core.idempotency import DuplicateBehaviour, IdempotencyScope
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.orders import Order
from bot_v2.simulation.faults import Fault
from bot_v2.testing.cards import Section, card
from bot_v2.testing.context import CheckContext
from bot_v2.testing.violation import expect, expect_equal, expect_error
from bot_v2.testing.waiting import wait_until

NO_EFFECT = (Outcome.NOT_SENT, Outcome.REJECTED)

_ON_CALLS = (
    # every fault of a call, and of none that lasts or is of a stream
    Fault.RESET_BEFORE,
    Fault.DROP_AFTER_ACCEPT,
    Fault.DROP_BEFORE_ACCEPT,
    Fault.RESET_AFTER,
    Fault.RATE_LIMIT,
    Fault.SERVER_ERROR,
    Fault.UNAVAILABLE,
    Fault.MALFORMED,
    Fault.EMPTY,
    Fault.TRUNCATED,
)


def _fail(
    ctx: CheckContext,
    fault: Fault,
    *accepted: type[BrokerageError],
    request: OrderRequest | None = None,
    outcome: Outcome | tuple[Outcome, ...] | None = None,
) -> BrokerageError:
    """Place an order while a fault is committed, and return the error."""
    asked = request or ctx.request()
    with ctx.fault(fault, "place_order"):
        return expect_error(
            lambda: ctx.broker.place_order(asked),
            *accepted,
            outcome=outcome,
            when=f"place_order at {fault.value}",
        )


def _expect_unknown_and_one(ctx: CheckContext, fault: Fault, made: int) -> None:
    """Place at a fault: the outcome is UNKNOWN, one request arrived, and `made` orders exist."""
    request = ctx.request()
    taken = len(ctx.venue.orders_received())
    with ctx.one_arrives("place_order"):
        _fail(ctx, fault, OrderOutcomeUnknownError, request=request)
    orders = len(ctx.venue.orders_received()) - taken
    expect_equal(orders, made, "the number of orders at the venue")


_UNKNOWN = (
    # the card, what it says, the fault, how many orders it leaves, how it is looked at, its numbers
    (
        "BC-W010",
        "A placement that is never answered is UNKNOWN, and is not repeated.",
        Fault.DROP_AFTER_ACCEPT,
        1,
        "The venue takes the order and says nothing: one request arrived, one order is there.",
        ("T04", "T14", "T15"),
    ),
    (
        "BC-W020",
        "A placement that was lost on the way is UNKNOWN all the same, and is not repeated.",
        Fault.DROP_BEFORE_ACCEPT,
        0,
        "The venue gets the request, does nothing and says nothing: the caller cannot know.",
        ("T05", "V09"),
    ),
    (
        "BC-W030",
        "A placement whose connection is reset during the response is UNKNOWN.",
        Fault.RESET_AFTER,
        1,
        "The venue takes the order and resets: one request arrived, one order is there.",
        ("T07", "T13"),
    ),
    (
        "BC-W050",
        "A 5xx to a placement is UNKNOWN, and is not repeated.",
        Fault.SERVER_ERROR,
        1,
        "The venue takes the order and answers 5xx: one request arrived, one order is there.",
        ("T09",),
    ),
    (
        "BC-W060",
        "A 503 to a placement is UNKNOWN: a reader cannot tell it from one with an effect.",
        Fault.UNAVAILABLE,
        0,
        "The venue answers 503 and does nothing: one request arrived, no order is there.",
        ("T10",),
    ),
    (
        "BC-W070",
        "A body that is not the broker's is UNKNOWN.",
        Fault.MALFORMED,
        1,
        "The venue takes the order and answers with another body.",
        ("T08", "P08"),
    ),
    (
        "BC-W080",
        "An empty body is UNKNOWN: a success without an id is none.",
        Fault.EMPTY,
        1,
        "The venue takes the order and answers with nothing.",
        ("T08", "P13"),
    ),
    (
        "BC-W090",
        "A body that ends in the middle is UNKNOWN.",
        Fault.TRUNCATED,
        1,
        "The venue takes the order and answers with half of it.",
        ("T08",),
    ),
)


def _unknown_card(
    card_id: str, sentence: str, fault: Fault, made: int, method: str, catalogue: tuple[str, ...]
) -> None:
    def check(ctx: CheckContext) -> None:
        _expect_unknown_and_one(ctx, fault, made)

    check.__doc__ = method
    card(card_id, sentence, Section.OUTCOME, faults=(fault,), catalogue=catalogue)(check)


for _row in _UNKNOWN:
    _unknown_card(*_row)


@card(
    "BC-W040",
    "A placement that provably never left is ConnectionError, NOT_SENT.",
    Section.OUTCOME,
    faults=(Fault.RESET_BEFORE,),
    catalogue=("T01", "T02"),
)
def _reset_before(ctx: CheckContext) -> None:
    """The connection fails before a byte leaves: nothing arrives, and the error proves it."""
    taken = len(ctx.venue.orders_received())
    with ctx.nothing_arrives("place_order"):
        _fail(ctx, Fault.RESET_BEFORE, ConnectionError, outcome=Outcome.NOT_SENT)
    expect_equal(len(ctx.venue.orders_received()), taken, "the number of orders at the venue")


@card(
    "BC-W100",
    "A 429 is a refusal only where the broker documents it; it is never repeated.",
    Section.OUTCOME,
    faults=(Fault.RATE_LIMIT,),
    catalogue=("T11", "V06"),
)
def _rate_limit(ctx: CheckContext) -> None:
    """RateLimitError without effect, or OrderOutcomeUnknownError; at most one request arrived."""
    before = ctx.venue.requests_received("place_order")
    taken = len(ctx.venue.orders_received())
    error = _fail(ctx, Fault.RATE_LIMIT, RateLimitError, OrderOutcomeUnknownError)
    arrived = ctx.venue.requests_received("place_order") - before
    expect(arrived <= 1, "at most one request at the venue", arrived)
    expect_equal(len(ctx.venue.orders_received()), taken, "the number of orders at the venue")
    if isinstance(error, RateLimitError):
        expect(error.outcome in NO_EFFECT, "an outcome without effect", error)


@card(
    "BC-W110",
    "Every error of a placement says its outcome.",
    Section.OUTCOME,
    needs_venue=True,
    catalogue=("T04", "T05", "T07", "T08", "T09", "T10", "T11"),
)
def _always_outcome(ctx: CheckContext) -> None:
    """Each fault that the venue can commit is committed; no error leaves the outcome open."""
    for fault in _ON_CALLS:
        if fault in ctx.venue.faults:
            error = _fail(ctx, fault, BrokerageError)
            expect(isinstance(error.outcome, Outcome), f"an outcome at {fault.value}", error)


@card(
    "BC-W120",
    "An UNKNOWN placement names the id to look for.",
    Section.EVIDENCE,
    faults=(Fault.DROP_AFTER_ACCEPT,),
    replayable=False,
)
def _names_id(ctx: CheckContext) -> None:
    """The error has the request's client id, and where the caller gave none, the one made."""
    request = ctx.request()
    error = _fail(ctx, Fault.DROP_AFTER_ACCEPT, OrderOutcomeUnknownError, request=request)
    expect_equal(error.client_order_id, request.client_order_id, "the error's client_order_id")
    bare = ctx.request(client_order_id=None)
    error = _fail(ctx, Fault.DROP_AFTER_ACCEPT, OrderOutcomeUnknownError, request=bare)
    arrived = ctx.venue.orders_received()[-1].client_order_id
    if arrived is not None:
        expect_equal(error.client_order_id, arrived, "the error's client_order_id")


@card(
    "BC-W130",
    "An order of UNKNOWN outcome is found by its client id.",
    Section.EVIDENCE,
    faults=(Fault.DROP_AFTER_ACCEPT,),
    catalogue=("T04", "T06"),
)
def _found(ctx: CheckContext) -> None:
    """After a dropped answer it is looked up, or searched in list_orders(): there is one."""
    if idempotency_of(ctx.broker).scope is IdempotencyScope.NONE:
        ctx.skip("the broker keeps no id of ours")
    request = ctx.request()
    _fail(ctx, Fault.DROP_AFTER_ACCEPT, OrderOutcomeUnknownError, request=request)
    wanted = str(request.client_order_id)

    def search() -> list[Order]:
        orders = ctx.broker.list_orders()
        return [order for order in orders if order.client_order_id == wanted]

    found = wait_until(search, lambda some: len(some) == 1, ctx.profile.settle_s, "one order")
    ctx.placed.append(found[0].order_id)
    if Capability.ORDER_LOOKUP in capabilities_of(ctx.broker):
        looked_up = ctx.untyped.get_order_by_client_id(wanted)
        expect_equal(looked_up.order_id, found[0].order_id, "the order that is looked up")


@card(
    "BC-W140",
    "Resending under the same id is as safe as the profile declares.",
    Section.IDEMPOTENCY,
    faults=(Fault.DROP_AFTER_ACCEPT,),
    catalogue=("S01",),
)
def _resend(ctx: CheckContext) -> None:
    """After a dropped answer the request is placed again: no second order where the id protects."""
    profile = idempotency_of(ctx.broker)
    if profile.on_duplicate is DuplicateBehaviour.ACCEPTS:
        ctx.skip("the profile declares that a duplicate makes a second order")
    request = ctx.request()
    taken = len(ctx.venue.orders_received())
    _fail(ctx, Fault.DROP_AFTER_ACCEPT, OrderOutcomeUnknownError, request=request)
    try:
        ctx.place(request)
    except DuplicateOrderError as error:
        expect_equal(error.outcome, Outcome.REJECTED, "the outcome of a duplicate")
    expect_equal(len(ctx.venue.orders_received()) - taken, 1, "the number of orders at the venue")


@card(
    "BC-W150",
    "A failed write says where it failed.",
    Section.ERRORS,
    faults=(Fault.DROP_AFTER_ACCEPT,),
)
def _context(ctx: CheckContext) -> None:
    """Broker, operation, account, symbol and client id are on the error."""
    request = ctx.request()
    error = _fail(ctx, Fault.DROP_AFTER_ACCEPT, OrderOutcomeUnknownError, request=request)
    expect(bool(error.broker), "the broker on the error", error)
    expect_equal(error.operation, "place_order", "the error's operation")
    expect_equal(error.account_id, ctx.broker.get_account_id(), "the error's account_id")
    expect_equal(error.symbol, request.symbol, "the error's symbol")


@card(
    "BC-W160",
    "After a failed placement the brokerage is of use again, without a new connect.",
    Section.OUTCOME,
    needs_venue=True,
)
def _usable(ctx: CheckContext) -> None:
    """After each fault of a call, once it is over, an order is placed and read."""
    for fault in _ON_CALLS:
        if fault in ctx.venue.faults:
            _fail(ctx, fault, BrokerageError)
            order_id = ctx.place_resting()
            expect_equal(ctx.broker.get_order(order_id).order_id, order_id, "the next order")


@card(
    "BC-W170",
    "A placement on a session that ended has no effect that is not told.",
    Section.OUTCOME,
    faults=(Fault.SESSION_EXPIRED,),
    catalogue=("V01",),
)
def _session(ctx: CheckContext) -> None:
    """It is refused without effect, or UNKNOWN; or the session was renewed and it is there."""
    request = ctx.request()
    taken = len(ctx.venue.orders_received())
    with ctx.fault(Fault.SESSION_EXPIRED, "place_order"):
        try:
            ctx.place(request)
            expected = 1
        except AuthenticationError as error:
            expect(error.outcome in NO_EFFECT, "an outcome without effect", error)
            expected = 0
        except OrderOutcomeUnknownError:
            expected = len(ctx.venue.orders_received()) - taken
    made = len(ctx.venue.orders_received()) - taken
    expect(made == expected <= 1, f"{expected} orders at the venue", made)
    ctx.broker.connect()
    ctx.place_resting()


@card(
    "BC-W180",
    "Many failed placements make no order more than once.",
    Section.ONE_WRITE,
    needs_venue=True,
    catalogue=("T13",),
)
def _counted(ctx: CheckContext) -> None:
    """Through every fault, the venue has at most one request and one order per call."""
    for fault in _ON_CALLS:
        if fault not in ctx.venue.faults:
            continue
        before = ctx.venue.requests_received("place_order"), len(ctx.venue.orders_received())
        _fail(ctx, fault, BrokerageError)
        after = ctx.venue.requests_received("place_order"), len(ctx.venue.orders_received())
        more = (after[0] - before[0], after[1] - before[1])
        expect(max(more) <= 1, f"at most one request and one order at {fault.value}", more)


@card(
    "BC-W190",
    "A clock that is off changes no order.",
    Section.TIME,
    faults=(Fault.CLOCK_SKEW,),
    catalogue=("V07", "P15"),
)
def _skew(ctx: CheckContext) -> None:
    """With the venue's clock minutes away, an order is placed, read, listed and cancelled."""
    _ = ctx.symbol
    with ctx.fault(Fault.CLOCK_SKEW, None):
        request = ctx.request()
        order_id = ctx.id_of(ctx.place(request))
        order = ctx.await_order(order_id, lambda _: True, "found")
        expect_equal(
            order.client_order_id or request.client_order_id, request.client_order_id, "id"
        )
        wait_until(
            ctx.broker.list_orders,
            lambda orders: order_id in {one.order_id for one in orders},
            ctx.profile.settle_s,
            "the order in list_orders()",
        )
        expect(ctx.broker.cancel_order(order_id) is True, "True from the cancel", False)


@card(
    "BC-W200",
    "A stale read makes no order out of nothing, and none vanish for good.",
    Section.EVIDENCE,
    faults=(Fault.STALE_READ,),
    catalogue=("S08", "V12"),
)
def _stale(ctx: CheckContext) -> None:
    """Reads lag behind: the new order is absent or right; once they caught up, it is there."""
    ctx.place_resting()
    with ctx.fault(Fault.STALE_READ, None):
        request = ctx.request()
        order_id = ctx.id_of(ctx.place(request))
        listed = {order.order_id: order for order in ctx.broker.list_orders()}
        told = listed.get(order_id)
        expect(told is None or told.price == request.price, "the order, or its absence", told)
    ctx.await_order(order_id, lambda _: True, "found once reads caught up")
