"""Reads when something goes wrong: an error that says so, never an answer made up."""

from __future__ import annotations

from functools import partial

from bot_v2.features.brokerages.core.errors import (
    AuthenticationError,
    BrokerageError,
    BrokerUnavailableError,
    ConnectionError,
    RateLimitError,
    TimeoutError,
)
from bot_v2.simulation.faults import Fault
from bot_v2.testing.cards import Section, card
from bot_v2.testing.context import CheckContext
from bot_v2.testing.operations import (
    Call,
    capability_reads_of,
    keeps_as_balance,
    reads_of,
    remote_reads_of,
)
from bot_v2.testing.violation import ContractViolation, expect, expect_equal, expect_error, shown

TIMES = 50
"""How often a fault is committed: more than a transport retries a read."""


def _expect_failure(
    ctx: CheckContext, name: str, call: Call, fault: Fault, *accepted: type[BrokerageError]
) -> BrokerageError | None:
    """Make a read fail; return the error, or None where it was answered without being asked."""
    before = ctx.venue.requests_received(name)
    known = call()
    if ctx.venue.requests_received(name) == before:
        return None
    with ctx.fault(fault, name, TIMES):
        try:
            returned = call()
        except accepted as error:
            expect(error.outcome is None, "no outcome on the error of a read", error)
            return error
        except Exception as error:
            names = " or ".join(kind.__name__ for kind in accepted)
            raise ContractViolation(
                f"Expected {names} from {name} at {fault.value}; saw {shown(error)}."
            ) from error
    raise ContractViolation(
        f"Expected {name} to fail at {fault.value}; it returned {shown(returned)}, "
        f"after {shown(known)} while all was well."
    )


def _expect_all_fail(
    ctx: CheckContext, fault: Fault, *accepted: type[BrokerageError]
) -> list[BrokerageError]:
    """Make every read of the broker fail that asks it, and return the errors."""
    order_id = ctx.place_resting()
    if not keeps_as_balance(ctx):
        ctx.trade()
    reads = {**remote_reads_of(ctx, order_id), **capability_reads_of(ctx)}
    failures = [_expect_failure(ctx, name, call, fault, *accepted) for name, call in reads.items()]
    errors = [error for error in failures if error is not None]
    expect(bool(errors), "reads that ask the venue", "none does")
    return errors


_FAILS = (
    # the card, what it says, the fault, what every read raises, how it is looked at, its numbers
    (
        "BC-F010",
        "A read without a connection is ConnectionError, never an empty answer.",
        Fault.RESET_BEFORE,
        ConnectionError,
        "Every read fails before a byte leaves, as often as it is tried.",
        ("T01", "T02", "V12"),
    ),
    (
        "BC-F030",
        "A 5xx to a read is an error, never an empty answer.",
        Fault.SERVER_ERROR,
        BrokerUnavailableError,
        "Every read gets a 5xx, as often as it is tried: BrokerUnavailableError.",
        ("T09", "V12"),
    ),
    (
        "BC-F040",
        "A 503 to a read is BrokerUnavailableError.",
        Fault.UNAVAILABLE,
        BrokerUnavailableError,
        "Every read gets a 503, as often as it is tried.",
        ("T10", "V08"),
    ),
    (
        "BC-F060",
        "A body that is not the broker's is an error of a read.",
        Fault.MALFORMED,
        BrokerageError,
        "Every read gets another body than documented; none guesses.",
        ("T08", "P08", "P17"),
    ),
    (
        "BC-F070",
        "An empty body is an error of a read, not an empty list.",
        Fault.EMPTY,
        BrokerageError,
        "Every read gets nothing.",
        ("T08", "V12"),
    ),
    (
        "BC-F080",
        "A body that ends in the middle is an error of a read.",
        Fault.TRUNCATED,
        BrokerageError,
        "Every read gets half of its answer; the half is not taken for the whole.",
        ("T08",),
    ),
    (
        "BC-F090",
        "A reset during the response is an error of a read.",
        Fault.RESET_AFTER,
        ConnectionError,
        "Every read loses its connection, as often as it is tried: ConnectionError.",
        ("T07",),
    ),
)


def _fails_card(
    card_id: str,
    sentence: str,
    fault: Fault,
    kind: type[BrokerageError],
    method: str,
    catalogue: tuple[str, ...],
) -> None:
    def check(ctx: CheckContext) -> None:
        _expect_all_fail(ctx, fault, kind)

    check.__doc__ = method
    card(card_id, sentence, Section.FAILED_READ, faults=(fault,), catalogue=catalogue)(check)


for _row in _FAILS:
    _fails_card(*_row)


@card(
    "BC-F020",
    "A read that is never answered is TimeoutError.",
    Section.FAILED_READ,
    faults=(Fault.DROP_BEFORE_ACCEPT,),
    catalogue=("T05", "T14", "T15"),
)
def _timeout(ctx: CheckContext) -> None:
    """list_orders() and get_order() get no answer, as often as they ask."""
    order_id = ctx.place_resting()
    reads = reads_of(ctx, order_id)
    for name in ("list_orders", "get_order"):
        _expect_failure(
            ctx, name, reads[name], Fault.DROP_BEFORE_ACCEPT, TimeoutError, ConnectionError
        )


@card(
    "BC-F050",
    "A 429 to a read is RateLimitError, with the wait that the broker asks for.",
    Section.ERRORS,
    faults=(Fault.RATE_LIMIT,),
    catalogue=("V06",),
)
def _rate_limit(ctx: CheckContext) -> None:
    """Every read gets a 429 with Retry-After; the error says how many seconds, as a number."""
    for error in _expect_all_fail(ctx, Fault.RATE_LIMIT, RateLimitError):
        wait_s = error.retry_after_s
        fits = isinstance(wait_s, int | float) and 0 <= wait_s < float("inf")
        expect(fits, "retry_after_s, in seconds", error)


@card(
    "BC-F100",
    "A failed read of a position does not say that we are flat.",
    Section.FAILED_READ,
    faults=(Fault.SERVER_ERROR,),
    catalogue=("V12",),
)
def _not_flat(ctx: CheckContext) -> None:
    """With a position held every request fails: get_position() raises, it is not None."""
    if keeps_as_balance(ctx):
        ctx.skip("the traded product is kept as a balance")
    ctx.trade()
    with ctx.fault(Fault.SERVER_ERROR, None, TIMES):
        expect_error(
            lambda: ctx.broker.get_position(ctx.symbol),
            BrokerageError,
            when="get_position at server_error",
        )


@card(
    "BC-F110",
    "A failed read of a balance does not say that there is none.",
    Section.FAILED_READ,
    faults=(Fault.SERVER_ERROR,),
    catalogue=("V12",),
)
def _not_zero(ctx: CheckContext) -> None:
    """Every request fails: get_balance() raises, of an asset held and of one not held."""
    currency = ctx.market.product.quote_currency
    with ctx.fault(Fault.SERVER_ERROR, None, TIMES * 2):
        for asset in (currency, ctx.profile.unknown_asset):
            expect_error(
                partial(ctx.broker.get_balance, asset),
                BrokerageError,
                when=f"get_balance({asset!r}) at server_error",
            )


@card(
    "BC-F120",
    "A failed search does not say that there is no order.",
    Section.FAILED_READ,
    faults=(Fault.SERVER_ERROR,),
    catalogue=("T01", "S09"),
)
def _not_not_found(ctx: CheckContext) -> None:
    """Every request fails: get_order() of a live order does not raise OrderNotFoundError."""
    order_id = ctx.place_resting()
    with ctx.fault(Fault.SERVER_ERROR, None, TIMES):
        error = expect_error(
            lambda: ctx.broker.get_order(order_id),
            BrokerageError,
            when="get_order at server_error",
        )
    expect(type(error).__name__ != "OrderNotFoundError", "another error than not found", error)


@card(
    "BC-F130",
    "Reads work again once a fault is over, without a new connect.",
    Section.FAILED_READ,
    faults=(Fault.SERVER_ERROR, Fault.RESET_AFTER),
)
def _recover(ctx: CheckContext) -> None:
    """Every read is made to fail and made again; answers are as before."""
    order_id = ctx.place_resting()
    reads = remote_reads_of(ctx, order_id)
    for fault in (Fault.SERVER_ERROR, Fault.RESET_AFTER):
        for name, call in reads.items():
            before = call()
            _expect_failure(ctx, name, call, fault, BrokerageError)
            expect_equal(call(), before, f"{name} after the fault")


@card(
    "BC-F140",
    "A clock that is off makes no moment naive or local.",
    Section.TIME,
    faults=(Fault.CLOCK_SKEW,),
    catalogue=("V07", "P15"),
)
def _skew(ctx: CheckContext) -> None:
    """With the venue's clock minutes away, moments are aware UTC, or the error is typed."""
    order_id = ctx.place_resting()
    with ctx.fault(Fault.CLOCK_SKEW, None):
        for name, call in remote_reads_of(ctx, order_id).items():
            try:
                call()
            except BrokerageError as error:
                expect(bool(error.message), f"a message from {name}", error)
        for moment in (ctx.broker.get_order(order_id).timestamp,):
            expect(moment is None or moment.utcoffset() is not None, "an aware moment", moment)


@card(
    "BC-F150",
    "A read on a session that ended is an authentication error, or the session is renewed.",
    Section.ERRORS,
    faults=(Fault.SESSION_EXPIRED,),
    catalogue=("V01", "V02"),
)
def _session(ctx: CheckContext) -> None:
    """list_orders() raises SessionExpiredError or a subclass, or returns what is true."""
    order_id = ctx.place_resting()
    with ctx.fault(Fault.SESSION_EXPIRED, "list_orders"):
        try:
            listed = {order.order_id for order in ctx.broker.list_orders()}
        except AuthenticationError as error:
            expect(error.outcome is None, "no outcome on the error of a read", error)
        else:
            expect(order_id in listed, "the order in the list", listed)
    ctx.broker.connect()
    expect_equal(ctx.broker.get_order(order_id).order_id, order_id, "the order after a connect")
