"""The venue's refusals: what the engine raises, by status and code of the README."""

from __future__ import annotations

from bot_v2.features.brokerages.core.interfaces import (
    BrokerageError,
    CancelRejectedError,
    DuplicateOrderError,
    InsufficientFundsError,
    InvalidRequestError,
    InvalidSymbolError,
    MarketClosedError,
    MarketDataUnavailableError,
    ModifyRejectedError,
    OrderNotFoundError,
    OrderRejectedError,
)


class RefusedError(Exception):
    """The venue answers with an error."""

    def __init__(self, status: int, code: str, message: str, **facts: object) -> None:
        """State the answer."""
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.facts = facts

    def body(self) -> dict[str, object]:
        """The body of the answer."""
        return {"error": {"code": self.code, "message": self.message, **self.facts}}


# In this order: the first class that fits decides.
CODES: tuple[tuple[type[BrokerageError], int, str], ...] = (
    (InvalidSymbolError, 404, "unknown_instrument"),
    (InsufficientFundsError, 422, "insufficient_funds"),
    (DuplicateOrderError, 409, "duplicate_ref"),
    (OrderNotFoundError, 404, "unknown_order"),
    (OrderRejectedError, 422, "refused"),
    (MarketClosedError, 422, "market_closed"),
    (MarketDataUnavailableError, 404, "no_market"),
    (CancelRejectedError, 409, "order_ended"),
    (ModifyRejectedError, 409, "not_changed"),
    (InvalidRequestError, 400, "bad_request"),
)


def refusal_of(error: BrokerageError) -> RefusedError:
    """Return the answer to what the engine refused."""
    message = error.message or type(error).__name__
    for kind, status, code in CODES:
        if isinstance(error, kind):
            if isinstance(error, InsufficientFundsError):
                facts = {"required": error.required, "available": error.available}
                return RefusedError(status, code, message, **facts)
            return RefusedError(status, code, message)
    return RefusedError(500, "internal", message)
