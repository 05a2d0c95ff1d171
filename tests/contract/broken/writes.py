"""Broken writes: what happens when something goes wrong on the way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import attrs

from bot_v2.features.brokerages.core.errors import (
    AuthenticationError,
    BrokerageError,
    ConnectionError,
    InvalidRequestError,
    ModifyRejectedError,
    OrderNotFoundError,
    OrderOutcomeUnknownError,
    OrderRejectedError,
    Outcome,
    RateLimitError,
    TimeoutError,
)
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.order_status import OrderStatus
from bot_v2.features.brokerages.core.order_terms import PositionEffect
from bot_v2.features.brokerages.core.orders import OrderResult
from bot_v2.simulation.clock import utc_now
from tests.contract.broken.alterations import forged, on_error, retried
from tests.contract.broken.entry import Around, Broken
from tests.contract.broken.healthy import ACME, MARGIN, PAPER

UNKNOWN: Final = OrderOutcomeUnknownError
MADE_UP: Final = OrderResult(success=True, order_id="made-up", client_order_id="made-up")


def _unknown_as(answer: Callable[[BrokerageError], object]) -> Around:
    return on_error(UNKNOWN, answer)


def _retried_anew(_: Any, real: Any, request: OrderRequest) -> Any:
    try:
        return real(request)
    except UNKNOWN:
        return real(attrs.evolve(request, client_order_id=None))


def _retried_if(kind: type[BrokerageError]) -> Around:
    def instead(_: Any, real: Any, *args: Any) -> Any:
        try:
            return real(*args)
        except kind:
            return real(*args)

    return instead


def _gives_up(broker: Any, real: Any, request: OrderRequest) -> Any:
    try:
        return real(request)
    except UNKNOWN:
        broker.disconnect()
        raise


def _suffixed(broker: Any, real: Any, request: OrderRequest) -> Any:
    """Make the caller's id unique, so that no order is ever refused as a duplicate."""
    broker.sent = getattr(broker, "sent", 0) + 1
    changed = attrs.evolve(request, client_order_id=f"{request.client_order_id}-{broker.sent}")
    return forged(real(changed), client_order_id=request.client_order_id)


def _remembers(broker: Any, real: Any, request: OrderRequest) -> Any:
    result = real(request)
    broker.__dict__.setdefault("mine", set()).add(result.order_id)
    return result


def _answered_only(broker: Any, real: Any, status: Any = None) -> Any:
    return [one for one in real(status) if one.order_id in getattr(broker, "mine", ())]


def _since_connect(broker: Any, real: Any, status: Any = None) -> Any:
    return [one for one in real(status) if one.timestamp >= broker.began]


def _notes_begin(broker: Any, real: Any) -> Any:
    broker.began = utc_now()
    return real()


def _notes_absent(broker: Any, real: Any, status: Any = None) -> Any:
    orders = real(status)
    broker.listed = {order.order_id for order in orders}
    return orders


def _gone_if_not_listed(broker: Any, real: Any, order_id: str) -> Any:
    if order_id not in getattr(broker, "listed", {order_id}):
        raise OrderNotFoundError("it was not in the list", order_id=order_id)
    return real(order_id)


def _logs_in_and_repeats(broker: Any, real: Any, request: OrderRequest) -> Any:
    try:
        return real(request)
    except AuthenticationError:
        broker.connect()
        real(attrs.evolve(request, client_order_id=None))
        return real(request)


def _believed_cancelled(broker: Any, real: Any, order_id: str) -> Any:
    try:
        return real(order_id)
    except UNKNOWN:
        broker.__dict__.setdefault("believed", set()).add(order_id)
        raise


def _as_believed(broker: Any, real: Any, order_id: str) -> Any:
    order = real(order_id)
    believed = order_id in getattr(broker, "believed", ())
    return forged(order, status=OrderStatus.CANCELLED) if believed else order


def _never_cancelled(broker: Any, real: Any, order_id: str) -> Any:
    order = real(order_id)
    believed = order_id in getattr(broker, "believed", ())
    return forged(order, status=OrderStatus.OPEN) if believed else order


def _one_by_one(broker: Any, _: Any, one: OrderRequest, other: OrderRequest) -> Any:
    changed = attrs.evolve(other, position_effect=PositionEffect.OPEN)
    return broker.place_order(one), broker.place_order(changed)


BROKEN: Final = (
    Broken(
        name="a retried POST",
        fault="A placement that was not answered is sent again under its id.",
        on=PAPER,
        alter={"place_order": retried},
        caught_by={
            "BC-W010": "OrderOutcomeUnknownError from place_order at drop_after_accept",
            "BC-W020": "OrderOutcomeUnknownError from place_order at drop_before_accept",
            "BC-W180": "at most one request and one order at drop_after_accept",
        },
        catalogue=("T04", "T13"),
    ),
    Broken(
        name="a retried POST on the wire",
        fault="A placement whose answer cannot be read is sent again.",
        on=ACME,
        alter={"place_order": retried},
        caught_by={
            "BC-W070": "OrderOutcomeUnknownError from place_order at malformed",
            "BC-W080": "OrderOutcomeUnknownError from place_order at empty",
            "BC-W090": "OrderOutcomeUnknownError from place_order at truncated",
        },
        catalogue=("T08", "T13"),
    ),
    Broken(
        name="retried under a new id",
        fault="A placement that was not answered is sent again under another id.",
        on=PAPER,
        alter={"place_order": _retried_anew},
        caught_by={
            "BC-W010": "OrderOutcomeUnknownError from place_order at drop_after_accept",
            "BC-W030": "OrderOutcomeUnknownError from place_order at reset_after",
            "BC-W050": "OrderOutcomeUnknownError from place_order at server_error",
            "BC-W130": "OrderOutcomeUnknownError from place_order at drop_after_accept",
        },
        catalogue=("T04", "T09"),
    ),
    Broken(
        name="a timeout is a rejection",
        fault="A placement that was not answered is said to be rejected.",
        on=PAPER,
        alter={"place_order": _unknown_as(lambda _: OrderRejectedError("no answer"))},
        caught_by={
            "BC-W010": "OrderOutcomeUnknownError from place_order at drop_after_accept",
            "BC-W020": "OrderOutcomeUnknownError from place_order at drop_before_accept",
            "BC-W030": "OrderOutcomeUnknownError from place_order at reset_after",
            "BC-W050": "OrderOutcomeUnknownError from place_order at server_error",
            "BC-W060": "OrderOutcomeUnknownError from place_order at unavailable",
        },
        catalogue=("T04", "T05", "T07", "T09", "T10"),
    ),
    Broken(
        name="a timeout was not sent",
        fault="A placement that was not answered is said not to have left.",
        on=PAPER,
        alter={
            "place_order": _unknown_as(
                lambda _: ConnectionError("no answer", outcome=Outcome.NOT_SENT)
            )
        },
        caught_by={
            "BC-W010": "OrderOutcomeUnknownError from place_order at drop_after_accept",
            "BC-W020": "OrderOutcomeUnknownError from place_order at drop_before_accept",
            "BC-W130": "OrderOutcomeUnknownError from place_order at drop_after_accept",
        },
        catalogue=("T04", "T05"),
    ),
    Broken(
        name="a timeout without an outcome",
        fault="A placement that was not answered is a TimeoutError that says no outcome.",
        on=PAPER,
        alter={"place_order": _unknown_as(lambda _: TimeoutError("no answer"))},
        caught_by={
            "BC-W110": "an outcome at drop_after_accept",
            "BC-W010": "OrderOutcomeUnknownError from place_order at drop_after_accept",
        },
        catalogue=("T04",),
    ),
    Broken(
        name="a timeout is a success",
        fault="A placement that was not answered is taken for placed, under an id made up.",
        on=PAPER,
        alter={"place_order": _unknown_as(lambda _: MADE_UP)},
        caught_by={
            "BC-W020": "OrderOutcomeUnknownError from place_order at drop_before_accept",
            "BC-W150": "OrderOutcomeUnknownError from place_order at drop_after_accept",
            "BC-W120": "OrderOutcomeUnknownError from place_order at drop_after_accept",
        },
        catalogue=("T05", "P13"),
    ),
    Broken(
        name="garbage is a rejection",
        fault="A placement whose answer cannot be read is said to be rejected.",
        on=ACME,
        alter={"place_order": _unknown_as(lambda _: OrderRejectedError("garbage"))},
        caught_by={
            "BC-W070": "OrderOutcomeUnknownError from place_order at malformed",
            "BC-W080": "OrderOutcomeUnknownError from place_order at empty",
            "BC-W090": "OrderOutcomeUnknownError from place_order at truncated",
        },
        catalogue=("T08", "P08"),
    ),
    Broken(
        name="not sent is unknown",
        fault="A placement that provably never left is said to be of unknown outcome.",
        on=PAPER,
        alter={"place_order": on_error(ConnectionError, lambda _: UNKNOWN("no connection"))},
        caught_by={"BC-W040": "ConnectionError from place_order at reset_before"},
        catalogue=("T01", "T02"),
    ),
    Broken(
        name="a 429 repeated",
        fault="A placement that the broker refused for too many calls is sent again.",
        on=PAPER,
        alter={"place_order": _retried_if(RateLimitError)},
        caught_by={"BC-W100": "RateLimitError or OrderOutcomeUnknownError from place_order"},
        catalogue=("V06",),
    ),
    Broken(
        name="a 429 without an outcome",
        fault="The RateLimitError of a placement does not say whether it took effect.",
        on=PAPER,
        alter={"place_order": on_error(RateLimitError, lambda _: RateLimitError("slow down"))},
        caught_by={"BC-W100": "an outcome without effect", "BC-W110": "an outcome at rate_limit"},
        catalogue=("V06", "T11"),
    ),
    Broken(
        name="unknown without an id",
        fault="An error of unknown outcome does not name the order to look for.",
        on=PAPER,
        alter={"place_order": _unknown_as(lambda _: UNKNOWN("no answer"))},
        caught_by={
            "BC-W120": "the error's client_order_id to be",
            "BC-W150": "the broker on the error",
        },
        catalogue=("T04",),
    ),
    Broken(
        name="only what was answered",
        fault="list_orders() has the orders whose placement was answered, and no others.",
        on=PAPER,
        alter={"place_order": _remembers, "list_orders": _answered_only},
        caught_by={"BC-W130": "one order within"},
        catalogue=("T04", "T06"),
    ),
    Broken(
        name="an id made unique",
        fault="Each sending gets its own client order id, so that no duplicate is refused.",
        on=PAPER,
        alter={"place_order": _suffixed},
        caught_by={
            "BC-W140": "the number of orders at the venue to be 1",
            "BC-K060": "DuplicateOrderError, as declared",
            "BC-K080": "the number of orders at the venue to be 1",
        },
        catalogue=("S01",),
    ),
    Broken(
        name="gives up",
        fault="After an unknown outcome the session is ended.",
        on=PAPER,
        alter={"place_order": _gives_up},
        caught_by={"BC-W160": "Unexpected ConnectionError: not connected"},
    ),
    Broken(
        name="logs in and repeats",
        fault="A placement refused for a dead session is sent two times after the login.",
        on=PAPER,
        alter={"place_order": _logs_in_and_repeats},
        caught_by={"BC-W170": "1 orders at the venue"},
        catalogue=("V01",),
    ),
    Broken(
        name="orders since the connect",
        fault="list_orders() leaves out orders that are older than our own clock's session.",
        on=PAPER,
        alter={"connect": _notes_begin, "list_orders": _since_connect},
        caught_by={"BC-W190": "the order in list_orders"},
        catalogue=("V07",),
    ),
    Broken(
        name="absent for ever",
        fault="An order that one list did not have is never found again.",
        on=PAPER,
        alter={"list_orders": _notes_absent, "get_order": _gone_if_not_listed},
        caught_by={"BC-W200": "the order to be found once reads caught up"},
        catalogue=("S08", "V12"),
    ),
    Broken(
        name="a lost cancel is False",
        fault="A cancel that was not answered returns False.",
        on=PAPER,
        alter={"cancel_order": _unknown_as(lambda _: False)},
        caught_by={
            "BC-X010": "OrderOutcomeUnknownError from cancel_order at drop_after_accept",
            "BC-X020": "OrderOutcomeUnknownError from cancel_order at drop_before_accept",
            "BC-X040": "OrderOutcomeUnknownError from cancel_order at drop_before_accept",
            "BC-X060": "OrderOutcomeUnknownError from cancel_order at drop_after_accept",
        },
        catalogue=("S07",),
    ),
    Broken(
        name="a lost cancel is not found",
        fault="A cancel that was not answered is OrderNotFoundError.",
        on=PAPER,
        alter={"cancel_order": _unknown_as(lambda _: OrderNotFoundError("no answer"))},
        caught_by={
            "BC-X010": "OrderOutcomeUnknownError from cancel_order at drop_after_accept",
            "BC-X040": "OrderOutcomeUnknownError from cancel_order at drop_before_accept",
        },
        catalogue=("S07",),
    ),
    Broken(
        name="a retried cancel",
        fault="A cancel that was not answered is sent again.",
        on=PAPER,
        alter={"cancel_order": retried},
        caught_by={
            "BC-X010": "OrderOutcomeUnknownError from cancel_order at drop_after_accept",
            "BC-X040": "OrderOutcomeUnknownError from cancel_order at drop_before_accept",
        },
        catalogue=("S07", "T13"),
    ),
    Broken(
        name="a cancel believed",
        fault="An order whose cancel was not answered is told as cancelled.",
        on=PAPER,
        alter={"cancel_order": _believed_cancelled, "get_order": _as_believed},
        caught_by={"BC-X020": "a live order"},
        catalogue=("S07",),
    ),
    Broken(
        name="a cancel disbelieved",
        fault="An order whose cancel was not answered is told as alive for ever.",
        on=PAPER,
        alter={"cancel_order": _believed_cancelled, "get_order": _never_cancelled},
        caught_by={"BC-X060": "the order to be CANCELLED"},
        catalogue=("S06", "S07"),
    ),
    Broken(
        name="a cancel without a connection is False",
        fault="A cancel that never left returns False.",
        on=PAPER,
        alter={"cancel_order": on_error(ConnectionError, lambda _: False)},
        caught_by={"BC-X030": "ConnectionError from cancel_order at reset_before"},
        catalogue=("T01", "T02"),
    ),
    Broken(
        name="a cancel too many is True",
        fault="A cancel that was refused for too many calls returns True.",
        on=PAPER,
        alter={"cancel_order": on_error(RateLimitError, lambda _: True)},
        caught_by={"BC-X050": "RateLimitError or OrderOutcomeUnknownError from cancel_order"},
        catalogue=("V06",),
    ),
    Broken(
        name="a close repeated",
        fault="A close that was not answered is sent again.",
        on=PAPER,
        alter={"close_position": retried},
        caught_by={"BC-X070": "OrderOutcomeUnknownError from close_position at drop_after_accept"},
        catalogue=("T04",),
    ),
    Broken(
        name="a failed reading is flat",
        fault="A close whose reading of the position fails says that there is none.",
        on=PAPER,
        alter={"close_position": on_error(ConnectionError, lambda _: InvalidRequestError("flat"))},
        caught_by={"BC-X080": "ConnectionError from close_position without a connection"},
        catalogue=("V12",),
    ),
    Broken(
        name="a lost change is a refusal",
        fault="A modification that was not answered is said to be rejected.",
        on=PAPER,
        alter={"modify_order": _unknown_as(lambda _: ModifyRejectedError("no answer"))},
        caught_by={"BC-X090": "OrderOutcomeUnknownError from modify_order at drop_after_accept"},
        catalogue=("S05",),
    ),
    Broken(
        name="a pair one by one",
        fault="place_oco() sends two orders that know nothing of each other.",
        on=MARGIN,
        alter={"place_oco": _one_by_one},
        caught_by={
            "BC-OO010": "a group_id; saw Order(",
            "BC-OO020": "the order to be CANCELLED",
            "BC-OO030": "no new order; saw {",
            "BC-OO040": "exactly one request of place_oco at the venue",
            "BC-X100": "OrderOutcomeUnknownError from place_oco at drop_after_accept",
        },
        catalogue=("S13", "P12"),
    ),
)
