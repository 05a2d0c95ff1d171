"""What Alpaca's errors mean to a caller: the table, and the law of outcomes. Pure."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from bot_v2.features.brokerages.alpaca import wire
from bot_v2.features.brokerages.alpaca.decoding import MalformedError, decode
from bot_v2.features.brokerages.alpaca.error_table import ROWS, UNPROCESSABLE_ORDER, Row
from bot_v2.features.brokerages.core.errors import (
    AuthenticationError,
    BrokerageError,
    BrokerAPIError,
    BrokerUnavailableError,
    CancelRejectedError,
    InsufficientFundsError,
    InvalidRequestError,
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

NAME: Final = "alpaca"

SERVER_FAILED: Final = 500

_REFUSED_AS: Final[dict[str, type[BrokerageError]]] = {
    # operation: what a refusal of its own kind is called
    "cancel_order": CancelRejectedError,
    "modify_order": ModifyRejectedError,
    "place_order": OrderRejectedError,
    "place_oco": OrderRejectedError,
    "close_position": OrderRejectedError,
}

_BY_STATUS: Final[dict[int, type[BrokerageError]]] = {
    # What a read makes of a status whose body no row knows.
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: BrokerAPIError,
    429: RateLimitError,
}

MESSAGE_MAX: Final = 300
"""How much of a body that is not Alpaca's is told, in characters."""

_SHOWN_MAX: Final = 2
_ENVIRONMENTS: Final = {"PK": "paper", "AK": "live"}
"""How the ids of keys begin."""


def row_of(code: int | None, message: str) -> Row | None:
    """Return the row of a code and its message. None: the table knows neither."""
    said = message.lower()
    for row in ROWS:
        if row.code in (None, code) and row.words in said:
            return row
    return None


def error_of_reply(reply: Reply, call: Call) -> BrokerageError:
    """Return what a reply that is no success means."""
    try:
        native = decode(reply.body, wire.ApiError)
    except MalformedError:
        # Without JSON it is not Alpaca's API that speaks.
        native = wire.ApiError(message=f"HTTP {reply.status} without Alpaca's error")
        row = None
    else:
        row = row_of(native.code, native.message)
    context = call.context()
    context["http_status"] = reply.status
    context["retry_after_s"] = reply.retry_after_s
    context["code"] = None if native.code is None else str(native.code)
    message = native.message[:MESSAGE_MAX] or f"HTTP {reply.status}"
    is_write = call.can_have_effect(reply.request.method)
    # A server that failed cannot vouch for what it did, whatever it says.
    has_failed = reply.status >= SERVER_FAILED
    if is_write and (row is None or not row.is_refusal or has_failed):
        return OrderOutcomeUnknownError(message, **context)
    if is_write:
        context["outcome"] = Outcome.REJECTED
    else:
        context.setdefault("outcome", None)
    if has_failed:
        return BrokerUnavailableError(message, **context)
    kind = _BY_STATUS.get(reply.status, BrokerAPIError) if row is None else _kind_of(row, call)
    if issubclass(kind, InsufficientFundsError):
        required, available = _funds_of(reply.body)
        return kind(message, required=required, available=available, **context)
    if issubclass(kind, OrderRejectedError):
        return kind(message, reason=message, **context)
    return kind(message, **context)


def _kind_of(row: Row, call: Call) -> type[BrokerageError]:
    """Return what a row means within an operation: the broker has one code for many."""
    kind = row.kind
    is_of_order = call.order_id is not None or call.operation == "get_order_by_client_id"
    if kind is OrderNotFoundError and not is_of_order:
        if call.operation == "close_position":
            return InvalidRequestError
        return InvalidSymbolError if call.symbol is not None else BrokerAPIError
    if kind is OrderRejectedError:
        refused = _REFUSED_AS.get(call.operation)
        if refused is not None:
            return refused
        return InvalidRequestError if row.code == UNPROCESSABLE_ORDER else PermissionDeniedError
    return kind


def _funds_of(body: bytes) -> tuple[Decimal | None, Decimal | None]:
    """Return what was needed and what there was, as far as it is told."""
    try:
        native = decode(body, wire.Funds)
    except MalformedError:
        return None, None
    required = native.cost_basis if native.cost_basis is not None else native.required_qty
    told = (native.available, native.buying_power, native.options_buying_power)
    available = next((one for one in told if one is not None), None)
    return _finite(required), _finite(available)


def _finite(value: Decimal | None) -> Decimal | None:
    return value if value is not None and value.is_finite() else None


def error_of_malformed(error: Exception, reply: Reply, call: Call) -> BrokerageError:
    """Return what a reply that is not as documented means; a success that cannot be read, too."""
    context = call.context()
    context["http_status"] = reply.status
    message = f"Alpaca's reply is not as documented: {error}"
    if call.can_have_effect(reply.request.method):
        return OrderOutcomeUnknownError(message, **context)
    context.setdefault("outcome", None)
    return BrokerAPIError(message, **context)


def wrong_environment(key_id: str, environment: str) -> str | None:
    """Return what to say of a refused key. None: the key and the address go together.

    Args:
        key_id: the key's id: its first letters tell where it was made.
        environment: where it was used: `paper`, `live` or `simulator`.
    """
    made_for = _ENVIRONMENTS.get(key_id[:_SHOWN_MAX])
    if made_for is None:
        return (
            f"the {environment} account refuses the key: a key opens either the paper account "
            "(ALPACA_PAPER_TRADING=true) or the live one (ALPACA_PAPER_TRADING=false), not both"
        )
    if environment in (made_for, "simulator"):
        return None
    needed = "true" if made_for == "paper" else "false"
    return (
        f"the key is one of the {made_for} account ({key_id[:_SHOWN_MAX]}…), and was used on the "
        f"{environment} one: set ALPACA_PAPER_TRADING={needed}, or give a key of the {environment} "
        "account"
    )
