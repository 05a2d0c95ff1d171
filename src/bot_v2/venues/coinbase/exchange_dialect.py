"""How the Exchange API lets callers in, and how it says no.

Sources: https://docs.cdp.coinbase.com/exchange/rest-api/authentication (signature and time),
https://docs.cdp.coinbase.com/exchange/rest-api/requests (errors); the messages are those that the
live API has given to public clients.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Final

from bot_v2.features.brokerages.core.errors import (
    BrokerageError,
    InsufficientFundsError,
    InvalidSymbolError,
    MarketClosedError,
    MarketDataUnavailableError,
    OrderNotFoundError,
    OrderRejectedError,
)
from bot_v2.shared.types import Clock
from bot_v2.venues.coinbase.keys import ExchangeKey
from bot_v2.venues.requests import ApiAnswer, ApiRequest, Endpoint, RefusedError

LIFETIME_S: Final = 30
"""How far a request's timestamp may be from the server's time."""

VERIFY_PATH: Final = "/users/self/verify"
"""What a subscription is signed as a request for."""

# In this order: the first class that fits decides.
ANSWERS: Final[tuple[tuple[type[BrokerageError], int, str], ...]] = (
    (InsufficientFundsError, 400, "Insufficient funds"),
    (InvalidSymbolError, 404, "NotFound"),
    (OrderNotFoundError, 404, "order not found"),
    (MarketDataUnavailableError, 404, "NotFound"),
    (MarketClosedError, 400, "Cancel only mode"),
)
REASONS: Final = {
    # the engine's reason: what the API says
    "post_only_would_take": "Post only mode",
    "not_tradeable": "Trading pair not available",
    "notional_below_one_step": "funds is too small",
}


def said(status: int, message: str) -> ApiAnswer:
    """Return an error's answer."""
    return ApiAnswer(status, {"message": message})


def refused(status: int, message: str) -> RefusedError:
    """Return an error's answer, to be raised."""
    return RefusedError(said(status, message))


class ExchangeDialect:
    """The Exchange API's manners.

    Args:
        key: the key that exists.
        outside: the clock of whoever calls.
    """

    def __init__(self, key: ExchangeKey, outside: Clock) -> None:
        """Let in who holds the key."""
        self._key = key
        self._outside = outside

    def admit(self, endpoint: Endpoint, request: ApiRequest) -> None:  # noqa: ARG002 - the key may do everything
        """Refuse who does not sign with the key, the passphrase and the time.

        Raises:
            RefusedError: 400 or 401.
        """
        given = {
            name: request.headers.get(f"cb-access-{name}", "")
            for name in ("key", "sign", "timestamp", "passphrase")
        }
        for name, value in given.items():
            if not value:
                raise refused(401, f"CB-ACCESS-{name.upper()} header is required")
        status, problem = self._problem(given, request.method, request.target, request.content)
        if problem is not None:
            raise refused(status, problem)

    def feed_problem(self, given: Mapping[str, str]) -> str | None:
        """Return what is wrong with the fields that sign a subscription. None: nothing.

        Source: https://docs.cdp.coinbase.com/exchange/websocket-feed/authentication
        """
        return self._problem(given, "GET", VERIFY_PATH, b"")[1]

    def _problem(
        self, given: Mapping[str, str], method: str, target: str, content: bytes
    ) -> tuple[int, str | None]:
        if not _same(given["key"], self._key.key):
            return 401, "Invalid API Key"
        if not self._is_fresh(given["timestamp"]):
            return 400, "request timestamp expired"
        if not _same(given["passphrase"], self._key.passphrase):
            return 401, "Invalid Passphrase"
        if not _same(
            given["sign"], signature(self._key, given["timestamp"], method, target, content)
        ):
            return 401, "invalid signature"
        return 200, None

    def _is_fresh(self, timestamp: str) -> bool:
        try:
            seconds = Decimal(timestamp)
        except InvalidOperation:
            return False
        now = Decimal(str(self._outside().timestamp()))
        return seconds.is_finite() and abs(now - seconds) <= LIFETIME_S

    def refusal_of(self, error: BrokerageError) -> ApiAnswer:
        """Return the answer to what the engine refused."""
        if isinstance(error, OrderRejectedError):
            return said(400, REASONS.get(error.reason or "", error.reason or "Bad Request"))
        for kind, status, message in ANSWERS:
            if isinstance(error, kind):
                return said(status, message)
        return said(400, error.message or "Bad Request")

    def bad_request(self, message: str) -> ApiAnswer:
        """Return the answer to a request that cannot be understood."""
        return said(400, message)

    def session_expired(self) -> ApiAnswer:
        """Return the answer to who is not let in any more."""
        return said(401, "Invalid API Key")

    def rate_limited(self) -> ApiAnswer:
        """Return the answer to too many requests."""
        return said(429, "Private rate limit exceeded")

    def unavailable(self) -> ApiAnswer:
        """Return the answer of an exchange that does not serve now."""
        return said(503, "Service is under maintenance")

    def broken(self) -> ApiAnswer:
        """Return the answer of an exchange in which something broke."""
        return said(500, "Internal server error")


def signature(key: ExchangeKey, timestamp: str, method: str, target: str, content: bytes) -> str:
    """Return the signature of a request: HMAC-SHA256 of timestamp, method, target and body."""
    message = f"{timestamp}{method}{target}".encode() + content
    digest = hmac.new(base64.b64decode(key.secret), message, hashlib.sha256)
    return base64.b64encode(digest.digest()).decode()


def _same(one: str, other: str) -> bool:
    return secrets.compare_digest(one.encode(), other.encode())
