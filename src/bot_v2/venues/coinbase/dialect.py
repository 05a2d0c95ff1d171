"""How Advanced Trade lets callers in, and how it says that it does not serve.

Sources: https://docs.cdp.coinbase.com/coinbase-app/authentication-authorization/api-key-authentication
(the JWT), https://docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis/rest-api (errors); the 401
is plain text, and the 403 is what the official client looks for.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from bot_v2.features.brokerages.core.errors import (
    BrokerageError,
    InvalidRequestError,
    MarketDataUnavailableError,
    OrderNotFoundError,
)
from bot_v2.shared.types import Clock
from bot_v2.venues.coinbase.jwt_check import BadTokenError, JwtCheck
from bot_v2.venues.coinbase.keys import ApiKey
from bot_v2.venues.coinbase.refusals import (
    ORDER_NOT_FOUND,
    PRODUCT_NOT_FOUND,
    HttpError,
    http_answer,
)
from bot_v2.venues.requests import ApiAnswer, ApiRequest, Endpoint, RefusedError

UNAUTHORIZED: Final = "Unauthorized\n"

# In this order: the first class that fits decides.
ANSWERS: Final[tuple[tuple[type[BrokerageError], HttpError, str], ...]] = (
    (OrderNotFoundError, HttpError.NOT_FOUND, ORDER_NOT_FOUND),
    (MarketDataUnavailableError, HttpError.NOT_FOUND, "no market data"),
    (InvalidRequestError, HttpError.INVALID_ARGUMENT, PRODUCT_NOT_FOUND),
)


class AdvancedDialect:
    """Advanced Trade's manners.

    Args:
        check: checks JWTs.
        outside: the clock of whoever calls.
    """

    def __init__(self, check: JwtCheck, outside: Clock) -> None:
        """Let in who holds a key."""
        self._check = check
        self._outside = outside

    def admit(self, endpoint: Endpoint, request: ApiRequest) -> None:
        """Refuse who has no key, or one that may not do this.

        Raises:
            RefusedError: 401 or 403.
        """
        key = self.key_of(request)
        if endpoint.needs not in key.scopes:
            raise RefusedError(http_answer(HttpError.PERMISSION_DENIED, "Missing required scopes"))

    def key_of(self, request: ApiRequest) -> ApiKey:
        """Return the key that a request is signed with.

        Raises:
            RefusedError: 401.
        """
        try:
            return self._check.check_request(
                request.headers.get("authorization"),
                request.method,
                request.host,
                request.path,
                self._outside(),
            )
        except BadTokenError as error:
            raise RefusedError(self.session_expired()) from error

    def stream_key(self, token: str, now: datetime) -> ApiKey | None:
        """Return the key that a subscription is signed with. None: none that exists."""
        try:
            return self._check.check_stream(token, now)
        except BadTokenError:
            return None

    def refusal_of(self, error: BrokerageError) -> ApiAnswer:
        """Return the answer to what the engine refused and the endpoint did not foresee."""
        for kind, name, details in ANSWERS:
            if isinstance(error, kind):
                return http_answer(name, details)
        return self.broken()

    def bad_request(self, message: str) -> ApiAnswer:
        """Return the answer to a request that cannot be understood."""
        return http_answer(HttpError.INVALID_ARGUMENT, message)

    def session_expired(self) -> ApiAnswer:
        """Return the answer to who is not let in."""
        return ApiAnswer(401, UNAUTHORIZED)

    def rate_limited(self) -> ApiAnswer:
        """Return the answer to too many requests."""
        return http_answer(HttpError.RATE_LIMIT_EXCEEDED, "Too many requests")

    def unavailable(self) -> ApiAnswer:
        """Return the answer of a broker that does not serve now."""
        return http_answer(HttpError.UNAVAILABLE, "service unavailable")

    def broken(self) -> ApiAnswer:
        """Return the answer of a broker in which something broke."""
        return http_answer(HttpError.INTERNAL, "internal error")
