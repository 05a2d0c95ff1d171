"""How Advanced Trade says no: HTTP errors, and refusals inside a 200.

The reasons are of the API's own enumerations, NewOrderFailureReason, PreviewFailureReason,
CancelOrderFailureReason and EditOrderFailureReason, of
https://docs.cdp.coinbase.com/api-reference/advanced-trade-api/rest-api/orders/create-order and
the pages beside it. Which of them answers what is documented for some only; where it is not, the
row says so.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import attrs

from bot_v2.features.brokerages.core.errors import (
    BrokerageError,
    InsufficientFundsError,
    InvalidFieldError,
    MarketClosedError,
    OrderRejectedError,
)
from bot_v2.venues.requests import ApiAnswer, Record, RefusedError

NO_FAILURE: Final = "UNKNOWN_FAILURE_REASON"
NO_PREVIEW_FAILURE: Final = "UNKNOWN_PREVIEW_FAILURE_REASON"
NO_CANCEL_FAILURE: Final = "UNKNOWN_CANCEL_FAILURE_REASON"
NO_EDIT_FAILURE: Final = "UNKNOWN_EDIT_ORDER_FAILURE_REASON"


@attrs.frozen
class Refusal:
    """Why an order is not taken, in the API's words."""

    preview: str
    """The reason as a preview has it."""
    placing: str = NO_FAILURE
    """The reason as a placement has it, where there is one."""
    message: str = ""
    """What it says to people."""
    details: str = ""
    """More of it."""

    def error_response(self) -> Record:
        """Return the body's part that says so."""
        named = self.preview if self.placing == NO_FAILURE else self.placing
        # A live refusal names the placing reason as `error`, or UNKNOWN_FAILURE_REASON where only
        # the preview knows better.
        return {
            "error": NO_FAILURE if named == self.preview else self.placing,
            "message": self.message,
            "error_details": self.details,
            "preview_failure_reason": self.preview,
            "new_order_failure_reason": self.placing,
        }


class OrderRefusedError(Exception):
    """An order is refused inside a 200."""

    def __init__(self, refusal: Refusal) -> None:
        """State why."""
        super().__init__(refusal.message or refusal.preview)
        self.refusal = refusal


# Answered so by the live API (quoted in public bug reports).
INSUFFICIENT_FUND: Final = Refusal(
    "PREVIEW_INSUFFICIENT_FUND", "INSUFFICIENT_FUND", "Insufficient balance in source account"
)
POST_ONLY: Final = Refusal(
    "PREVIEW_INVALID_LIMIT_PRICE_POST_ONLY",
    "INVALID_LIMIT_PRICE_POST_ONLY",
    "Invalid limit price for post-only order",
)
STOP_ABOVE_LAST: Final = Refusal("PREVIEW_STOP_PRICE_ABOVE_LAST_TRADE_PRICE")
UNSUPPORTED: Final = Refusal(
    "PREVIEW_INVALID_ORDER_CONFIG",
    "UNSUPPORTED_ORDER_CONFIGURATION",
    "The order configuration was invalid",
)
EMPTY_SIZE: Final = Refusal(
    NO_PREVIEW_FAILURE,
    NO_FAILURE,
    "The order configuration was invalid",
    "Market orders cannot be placed with empty order sizes",
)
# Of the enumeration by their names; that they answer this is not documented otherwise.
STOP_BELOW_LAST: Final = Refusal("PREVIEW_STOP_PRICE_BELOW_LAST_TRADE_PRICE")
STOP_ABOVE_LIMIT: Final = Refusal("PREVIEW_STOP_PRICE_ABOVE_LIMIT_PRICE")
STOP_BELOW_LIMIT: Final = Refusal("PREVIEW_STOP_PRICE_BELOW_LIMIT_PRICE")
SIZE_PRECISION: Final = Refusal("PREVIEW_INVALID_SIZE_PRECISION", "INVALID_SIZE_PRECISION")
PRICE_PRECISION: Final = Refusal("PREVIEW_INVALID_PRICE_PRECISION", "INVALID_PRICE_PRECISION")
QUOTE_PRECISION: Final = Refusal("PREVIEW_INVALID_QUOTE_SIZE_PRECISION", "INVALID_SIZE_PRECISION")
BASE_TOO_SMALL: Final = Refusal("PREVIEW_INVALID_BASE_SIZE_TOO_SMALL")
BASE_TOO_LARGE: Final = Refusal("PREVIEW_INVALID_BASE_SIZE_TOO_LARGE")
QUOTE_TOO_SMALL: Final = Refusal("PREVIEW_INVALID_QUOTE_SIZE_TOO_SMALL")
QUOTE_TOO_LARGE: Final = Refusal("PREVIEW_INVALID_QUOTE_SIZE_TOO_LARGE")
LIMIT_PRICE: Final = Refusal("PREVIEW_INVALID_LIMIT_PRICE", "INVALID_LIMIT_PRICE")
STOP_PRICE: Final = Refusal("PREVIEW_INVALID_STOP_PRICE")
NO_LIQUIDITY: Final = Refusal("PREVIEW_INVALID_NO_LIQUIDITY", "INVALID_NO_LIQUIDITY")
PRODUCT_ID: Final = Refusal("PREVIEW_INVALID_PRODUCT_ID", "INVALID_PRODUCT_ID")
SIDE: Final = Refusal("PREVIEW_INVALID_SIDE", "INVALID_SIDE")
DISABLED: Final = Refusal(NO_PREVIEW_FAILURE, "ORDER_ENTRY_DISABLED", "trading is halted")
INSUFFICIENT_MARGIN: Final = Refusal(
    "PREVIEW_INSUFFICIENT_FUNDS_FOR_FUTURES", "INSUFFICIENT_FUND", "Insufficient balance"
)

_BY_REASON: Final[dict[str, Refusal]] = {
    # the engine's reason: the refusal
    "post_only_would_take": POST_ONLY,
    "no_price": NO_LIQUIDITY,
    "not_tradeable": DISABLED,
    "notional_below_one_step": QUOTE_TOO_SMALL,
    "nothing_to_reduce": Refusal(NO_PREVIEW_FAILURE, NO_FAILURE, "no position to reduce"),
}


def refusal_of(error: BrokerageError, *, is_contract: bool) -> Refusal:
    """Return the refusal for what the engine said."""
    if isinstance(error, InsufficientFundsError):
        return INSUFFICIENT_MARGIN if is_contract else INSUFFICIENT_FUND
    if isinstance(error, MarketClosedError):
        return DISABLED
    if isinstance(error, OrderRejectedError):
        return _BY_REASON.get(error.reason or "", Refusal(NO_PREVIEW_FAILURE))
    if isinstance(error, InvalidFieldError):
        return attrs.evolve(UNSUPPORTED, details=error.message)
    raise error


class HttpError(StrEnum):
    """The `error` of a body that is no 2xx."""

    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    """400: a parameter is missing or wrong (live answer, in public bug reports)."""
    NOT_FOUND = "NOT_FOUND"
    """404: there is no such thing (live answer, in public bug reports)."""
    PERMISSION_DENIED = "PERMISSION_DENIED"
    """403: the key may not do this; "Missing required scopes" (the official client reads it)."""
    INTERNAL = "INTERNAL"
    """500 (gRPC's name for it; the live API gives no more)."""
    UNAVAILABLE = "UNAVAILABLE"
    """503 (gRPC's name for it)."""
    RATE_LIMIT_EXCEEDED = "RATE_LIMIT_EXCEEDED"
    """429 (documented as JSON; live gateways have also answered with an HTML page)."""


STATUSES: Final = {
    HttpError.INVALID_ARGUMENT: 400,
    HttpError.PERMISSION_DENIED: 403,
    HttpError.NOT_FOUND: 404,
    HttpError.RATE_LIMIT_EXCEEDED: 429,
    HttpError.INTERNAL: 500,
    HttpError.UNAVAILABLE: 503,
}


def http_answer(error: HttpError, details: str) -> ApiAnswer:
    """Return an error that is no 2xx."""
    body: Record = {"error": error.value, "error_details": details, "message": details}
    return ApiAnswer(STATUSES[error], body)


def not_found(what: str) -> RefusedError:
    """Return the refusal for what does not exist."""
    return RefusedError(http_answer(HttpError.NOT_FOUND, what))


def invalid(details: str) -> RefusedError:
    """Return the refusal for a parameter that will not do."""
    return RefusedError(http_answer(HttpError.INVALID_ARGUMENT, details))


ORDER_NOT_FOUND: Final = "order with this orderID was not found"
"""What a read of an unknown order says (live answer, in public bug reports)."""

PRODUCT_NOT_FOUND: Final = "valid product_id is required"
"""What a read of an unknown product says."""
