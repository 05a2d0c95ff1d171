"""What Acme's errors mean: one table, from the API's description, and what it leaves open."""

from __future__ import annotations

import builtins
from decimal import Decimal

import attrs

from acme_brokerage.wire import (
    Fields,
    MalformedError,
    MaybeSentError,
    NotSentError,
    Reply,
    decode,
)
from bot_v2.features.brokerages.core.interfaces import (
    AuthenticationError,
    BrokerageError,
    BrokerAPIError,
    BrokerUnavailableError,
    CancelRejectedError,
    ConnectionError,
    DuplicateOrderError,
    ErrorContext,
    InsufficientFundsError,
    InvalidRequestError,
    InvalidSymbolError,
    MarketClosedError,
    MarketDataUnavailableError,
    ModifyRejectedError,
    OrderNotFoundError,
    OrderOutcomeUnknownError,
    OrderRejectedError,
    Outcome,
    PermissionDeniedError,
    RateLimitError,
    SessionExpiredError,
    TimeoutError,
)

NAME = "acme"

WRITES = frozenset({"place_order", "modify_order", "cancel_order", "close_position"})
"""The operations that can have an effect; a read that one of them needs first has none."""

# Codes that the API documents as answered before anything is done: on a write, a refusal.
REFUSALS: dict[str, type[BrokerageError]] = {
    "bad_request": InvalidRequestError,
    "bad_key": AuthenticationError,
    "session_expired": SessionExpiredError,
    "forbidden": PermissionDeniedError,
    "unknown_instrument": InvalidSymbolError,
    "unknown_order": OrderNotFoundError,
    "duplicate_ref": DuplicateOrderError,
    "order_ended": CancelRejectedError,
    "flat": InvalidRequestError,
    "not_changed": ModifyRejectedError,
    "refused": OrderRejectedError,
    "insufficient_funds": InsufficientFundsError,
    "market_closed": MarketClosedError,
    "rate_limited": RateLimitError,
}

# The same code, where it means something else to the caller.
REFUSALS_BY_OPERATION: dict[tuple[str, str], type[BrokerageError]] = {
    ("modify_order", "order_ended"): ModifyRejectedError,
}

# Codes that say nothing of what was done: on a write, the outcome is unknown.
TROUBLE: dict[str, type[BrokerageError]] = {
    "internal": BrokerUnavailableError,
    "unavailable": BrokerUnavailableError,
    "no_market": MarketDataUnavailableError,
}


@attrs.frozen(kw_only=True)
class Call:
    """What was asked, for an error to say."""

    operation: str
    """The method of the brokerage."""
    is_write: bool = False
    """True: this request can have the effect. False: a read, if only before a write."""
    account_id: str | None = None
    symbol: str | None = None
    order_id: str | None = None
    client_order_id: str | None = None

    def context(self) -> ErrorContext:
        """The facts that every error of this call carries."""
        context = ErrorContext(
            broker=NAME,
            operation=self.operation,
            account_id=self.account_id,
            symbol=self.symbol,
            order_id=self.order_id,
            client_order_id=self.client_order_id,
        )
        if not self.is_write and self.operation in WRITES:
            context["outcome"] = Outcome.NOT_SENT
        return context


def error_of_transport(error: NotSentError | MaybeSentError, call: Call) -> BrokerageError:
    """Return what a call that got no whole reply means."""
    cause = error.__cause__
    late = isinstance(cause, builtins.TimeoutError)
    message = f"Acme {'did not answer in time' if late else 'cannot be reached'}: {cause!r}"
    context = call.context()
    if isinstance(error, MaybeSentError) and call.is_write:
        return OrderOutcomeUnknownError(message, **context)
    if call.is_write:
        context["outcome"] = Outcome.NOT_SENT
    return (TimeoutError if late else ConnectionError)(message, **context)


def error_of_malformed(error: Exception, reply: Reply, call: Call) -> BrokerageError:
    """Return what a reply that is not as documented means; a success that cannot be read, too."""
    context = call.context()
    context["http_status"] = reply.status
    message = f"Acme's reply is not as documented: {error}"
    return (OrderOutcomeUnknownError if call.is_write else BrokerAPIError)(message, **context)


def error_of_reply(reply: Reply, call: Call) -> BrokerageError:
    """Return what a reply that is no success means."""
    context = call.context()
    context["http_status"] = reply.status
    context["retry_after_s"] = reply.retry_after_s
    try:
        native = Fields(decode(reply.body)).nested("error")
        code, message = native.text("code"), native.text("message")
    except ValueError:
        # A proxy or a load balancer answered, not Acme: it knows nothing of what was done.
        message = f"HTTP {reply.status} without Acme's error"
        if call.is_write:
            return OrderOutcomeUnknownError(message, **context)
        return (BrokerUnavailableError if reply.status >= 500 else BrokerAPIError)(
            message, **context
        )
    context["code"] = code
    if code in REFUSALS:
        context.setdefault("outcome", Outcome.REJECTED if call.is_write else None)
        kind = REFUSALS_BY_OPERATION.get((call.operation, code), REFUSALS[code])
        return _refusal(kind, message, native, context)
    if call.is_write:
        return OrderOutcomeUnknownError(message, **context)
    return TROUBLE.get(code, BrokerAPIError)(message, **context)


def _refusal(
    kind: type[BrokerageError], message: str, native: Fields, context: ErrorContext
) -> BrokerageError:
    if issubclass(kind, InsufficientFundsError):
        required, available = _amount(native, "required"), _amount(native, "available")
        return kind(message, required=required, available=available, **context)
    if issubclass(kind, OrderRejectedError):
        return kind(message, reason=message, **context)
    return kind(message, **context)


def _amount(native: Fields, name: str) -> Decimal | None:
    try:
        return native.decimal_or_none(name)
    except MalformedError:
        return None
