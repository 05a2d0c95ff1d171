"""What Coinbase's errors mean to a caller: the table, and the law of outcomes. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from bot_v2.features.brokerages.coinbase import order_wire, wire
from bot_v2.features.brokerages.coinbase.decoding import MalformedError, decode
from bot_v2.features.brokerages.coinbase.error_table import ROWS, Place, Row
from bot_v2.features.brokerages.core.errors import (
    AuthenticationError,
    BrokerageError,
    BrokerAPIError,
    BrokerUnavailableError,
    InvalidSymbolError,
    ModifyRejectedError,
    OrderNotFoundError,
    OrderOutcomeUnknownError,
    OrderRejectedError,
    Outcome,
    PermissionDeniedError,
    RateLimitError,
)
from bot_v2.features.brokerages.http.calls import Call, Reply

NAME: Final = "coinbase"

_BY_WORD: Final = {(row.place, row.word): row for row in ROWS}
_BY_PART: Final = {
    place: tuple(row for row in ROWS if row.place is place)
    for place in (Place.EXCHANGE, Place.STREAM)
}
"""Where a part of what is said is enough, and the first row that fits decides."""

_OF_ORDERS: Final = frozenset(
    {
        "get_order",
        "get_order_by_client_id",
        "cancel_order",
        "modify_order",
        "list_fills",
        "stream_orders",
    }
)
"""The operations in which what is not found is an order."""

_BY_STATUS: Final[dict[int, type[BrokerageError]]] = {
    # What a read makes of a status whose body no table knows.
    401: AuthenticationError,
    403: PermissionDeniedError,
    429: RateLimitError,
}

MESSAGE_MAX: Final = 300
"""How much of a body that is not Coinbase's is told, in characters."""


def row_of(place: Place, words: Iterable[str]) -> Row | None:
    """Return the row of the first word that the table knows. None: it knows none of them."""
    for word in words:
        known = word.strip().upper()
        if place in _BY_PART:
            found = next((row for row in _BY_PART[place] if row.word in known), None)
        else:
            bare = known.removeprefix("PREVIEW_") if place is Place.PLACEMENT else known
            found = _BY_WORD.get((place, bare))
        if found is not None:
            return found
    return None


def error_of_words(
    place: Place, words: Iterable[str], message: str, call: Call, reply: Reply | None = None
) -> BrokerageError:
    """Return the error that some native words mean.

    Args:
        place: where they were said.
        words: codes and messages, the most telling first.
        message: what a person is told.
        call: what was asked.
        reply: the reply that says it. None: it was said without a reply of its own.
    """
    said = [word for word in words if word]
    row = row_of(place, said)
    status = reply.status if reply else None
    is_write = _is_write(call, reply)
    context = call.context()
    context["http_status"] = status
    context["retry_after_s"] = reply.retry_after_s if reply else None
    context["code"] = said[0] if row is None and said else (row.word if row else None)
    # A server that failed cannot vouch for what it did, whatever it says.
    is_refusal = row is not None and row.effect is Outcome.REJECTED and (status or 0) < 500
    if is_write and not is_refusal:
        return OrderOutcomeUnknownError(message, **context)
    if is_write:
        context["outcome"] = Outcome.REJECTED
    else:
        context.setdefault("outcome", None)
    kind = _kind_of(row, status, call) if row else _kind_of_status(status)
    if issubclass(kind, OrderRejectedError):
        return kind(message, reason=message, **context)
    return kind(message, **context)


def _is_write(call: Call, reply: Reply | None) -> bool:
    return call.can_have_effect(reply.request.method if reply else "POST")


def _kind_of(row: Row, status: int | None, call: Call) -> type[BrokerageError]:
    if row.effect is None or (status or 0) >= 500:
        return BrokerUnavailableError
    if row.kind is OrderNotFoundError and call.operation not in _OF_ORDERS:
        return InvalidSymbolError if call.symbol is not None else BrokerAPIError
    if row.word == "ORDER ALREADY DONE" and call.operation == "modify_order":
        return ModifyRejectedError
    return row.kind


def _kind_of_status(status: int | None) -> type[BrokerageError]:
    if status is not None and status >= 500:
        return BrokerUnavailableError
    return _BY_STATUS.get(status or 0, BrokerAPIError)


def error_of_reply(reply: Reply, call: Call, place: Place) -> BrokerageError:
    """Return what a reply that is no success means."""
    words, message = _words_of(reply.body)
    if not words:
        # The documented 401 is a bare word; anything else without JSON is not Coinbase speaking.
        text = reply.body[:MESSAGE_MAX].decode("utf-8", "replace").strip()
        words = [text] if reply.status == 401 and text.upper() == "UNAUTHORIZED" else []
        message = text if words else f"HTTP {reply.status} without Coinbase's error"
    return error_of_words(place, words, message or f"HTTP {reply.status}", call, reply)


def _words_of(body: bytes) -> tuple[list[str], str]:
    """Return the codes and messages of an error, and what to tell a person."""
    try:
        native = decode(body, wire.ApiError)
    except MalformedError:
        return [], ""
    first = native.errors[0] if native.errors else wire.ApiErrorItem()
    told = (native.message, native.error_details, native.error_description, first.message)
    words = [word for word in (native.error, first.id, *told) if word]
    message = next((word for word in told if word), "") or native.error or first.id
    return words, message


def error_of_failure(
    failure: order_wire.OrderFailure | None, call: Call, reply: Reply
) -> BrokerageError:
    """Return what a placement means that was refused with a 200."""
    failure = failure or order_wire.OrderFailure()
    reasons = (failure.new_order_failure_reason, failure.error, failure.preview_failure_reason)
    said = [reason for reason in reasons if reason and not reason.startswith("UNKNOWN_")]
    words = [*said, failure.message, *reasons]
    message = failure.message or failure.error_details or " ".join(said) or "refused, without why"
    return error_of_words(Place.PLACEMENT, words, message, call, reply)


def error_of_cancel(result: order_wire.CancelResult, call: Call, reply: Reply) -> BrokerageError:
    """Return what a cancel means that was refused with a 200."""
    reason = result.failure_reason
    return error_of_words(Place.CANCEL, [reason], f"the cancel is refused: {reason}", call, reply)


def error_of_edit(native: order_wire.EditReply, call: Call, reply: Reply) -> BrokerageError:
    """Return what a change means that was refused with a 200."""
    listed = native.errors if isinstance(native.errors, list) else [native.errors]
    failures = [failure for failure in (*listed, native.error_response) if failure]
    words = [
        word
        for failure in failures
        for word in (failure.edit_failure_reason, failure.edit_order_failure_reason)
        if word and not word.startswith("UNKNOWN_")
    ]
    message = f"the change is refused: {', '.join(words) or 'without a reason'}"
    error = error_of_words(Place.EDIT, words, message, call, reply)
    previews = [failure.preview_failure_reason for failure in failures]
    if isinstance(error, OrderOutcomeUnknownError) and row_of(Place.PLACEMENT, previews):
        # What the preview of the change refused was not changed.
        context = call.context()
        context["code"] = next(word for word in previews if row_of(Place.PLACEMENT, [word]))
        context["http_status"] = reply.status
        context["outcome"] = Outcome.REJECTED
        return ModifyRejectedError(f"the change is refused: {context['code']}", **context)
    return error


def error_of_malformed(error: Exception, reply: Reply, call: Call) -> BrokerageError:
    """Return what a reply that is not as documented means; a success that cannot be read, too."""
    context = call.context()
    context["http_status"] = reply.status
    message = f"Coinbase's reply is not as documented: {error}"
    if _is_write(call, reply):
        return OrderOutcomeUnknownError(message, **context)
    context.setdefault("outcome", None)
    return BrokerAPIError(message, **context)
