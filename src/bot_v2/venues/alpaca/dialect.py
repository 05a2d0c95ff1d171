"""How Alpaca lets callers in, counts their calls, and says no.

Sources: https://docs.alpaca.markets/docs/getting-started-with-trading-api (headers),
https://docs.alpaca.markets/us/docs/options-trading-overview#error-responses (statuses and codes;
"message strings can change without notice"), https://docs.alpaca.markets/docs/usage-limits (429
and the headers of the rate limit). What is not documented there is answered as the live API has
been quoted to answer in public bug reports.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import datetime
from typing import Final

import attrs

from bot_v2.features.brokerages.core.errors import (
    BrokerageError,
    InsufficientFundsError,
    InvalidSymbolError,
    MarketDataUnavailableError,
    OrderNotFoundError,
)
from bot_v2.shared.types import Clock
from bot_v2.venues.alpaca.texts import plain_or_none
from bot_v2.venues.ids import seeded_bytes, seeded_uuid
from bot_v2.venues.requests import ApiAnswer, ApiRequest, Endpoint, Record, RefusedError

BAD_PARAMETER: Final = 40010001
FORBIDDEN: Final = 40310000
DAY_TRADE: Final = 40310100
NOT_FOUND: Final = 40410000
UNPROCESSABLE: Final = 42210000
TOO_MANY: Final = 42910000

RATE_LIMIT: Final = 200
"""How many calls an account may make in a minute."""

GATEWAY_TIMEOUT: Final = (
    "<html>\r\n<head><title>504 Gateway Time-out</title></head>\r\n<body>\r\n"
    "<center><h1>504 Gateway Time-out</h1></center>\r\n</body>\r\n</html>\r\n"
)


@attrs.frozen(kw_only=True)
class ApiKey:
    """A key of the Trading API."""

    key: str
    """What the header APCA-API-KEY-ID holds: PK… of a paper account, AK… of a live one."""
    secret: str = attrs.field(repr=False)
    """What the header APCA-API-SECRET-KEY holds."""


def make_key(seed: int, *, is_paper: bool) -> ApiKey:
    """Return the key of an account, paper or live."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
    name = "paper" if is_paper else "live"
    drawn = "".join(letters[byte % 32] for byte in seeded_bytes(seed, "key", name))
    secret = seeded_bytes(seed, "secret", name).hex()
    return ApiKey(key=f"{'PK' if is_paper else 'AK'}{drawn[:24]}", secret=secret[:44])


def said(status: int, code: int | None, message: str, **more: object) -> ApiAnswer:
    """Return an error's answer."""
    named: Record = {} if code is None else {"code": code}
    return ApiAnswer(status, {**named, "message": message, **more})


def refused(status: int, code: int | None, message: str, **more: object) -> RefusedError:
    """Return an error's answer, to be raised."""
    return RefusedError(said(status, code, message, **more))


def forbidden(message: str, **more: object) -> RefusedError:
    """Return the refusal of what the account may not do, or cannot pay."""
    return refused(403, FORBIDDEN, message, **more)


def unprocessable(message: str, **more: object) -> RefusedError:
    """Return the refusal of what makes no sense."""
    return refused(422, UNPROCESSABLE, message, **more)


def bad_parameter(message: str) -> RefusedError:
    """Return the refusal of a parameter that is missing or cannot be read."""
    return refused(422, BAD_PARAMETER, message)


class CallCounter:
    """Counts the calls of each minute.

    Args:
        limit: how many there may be. None: any number.
        clock: the caller's time.
    """

    def __init__(self, limit: int | None, clock: Clock) -> None:
        """Start with none."""
        self._limit = limit
        self._clock = clock
        self._minute = 0
        self._calls = 0

    def count(self) -> bool:
        """Count a call; return whether it may be answered."""
        minute = int(self._clock().timestamp()) // 60
        if minute != self._minute:
            self._minute, self._calls = minute, 0
        self._calls += 1
        return self._limit is None or self._calls <= self._limit

    def headers(self) -> dict[str, str]:
        """Return the headers that tell where the caller stands."""
        limit = RATE_LIMIT if self._limit is None else self._limit
        return {
            "x-ratelimit-limit": str(limit),
            "x-ratelimit-remaining": str(max(limit - self._calls, 0)),
            "x-ratelimit-reset": str((self._minute + 1) * 60),
        }


class AlpacaDialect:
    """Alpaca's manners on one of its hosts.

    Args:
        keys: the keys that open it.
        refusal: the answer to anybody else.
        calls: counts the calls.
        seed: what the requests' ids are drawn from.
    """

    def __init__(
        self, keys: tuple[ApiKey, ...], refusal: ApiAnswer, calls: CallCounter, seed: int
    ) -> None:
        """Let in who holds a key."""
        self._keys = keys
        self._refusal = refusal
        self._calls = calls
        self._seed = seed
        self._requests = 0

    def serving(self, answer: Callable[[ApiRequest], object]) -> Callable[[ApiRequest], object]:
        """Return an endpoint's answer with the headers that every answer has.

        A call above the limit is refused, before it has an effect.
        """

        def serve(request: ApiRequest) -> object:
            if not self._calls.count():
                raise RefusedError(self._with_headers(self.rate_limited()))
            try:
                found = answer(request)
            except RefusedError as error:
                raise RefusedError(self._with_headers(error.answer)) from error
            except BrokerageError as error:
                raise RefusedError(self._with_headers(self.refusal_of(error))) from error
            return self._with_headers(
                found if isinstance(found, ApiAnswer) else ApiAnswer(200, found)
            )

        return serve

    def _with_headers(self, answer: ApiAnswer) -> ApiAnswer:
        self._requests += 1
        number = seeded_uuid(self._seed, "request", self._requests).replace("-", "")
        headers = {"x-request-id": number, **self._calls.headers(), **answer.headers}
        return attrs.evolve(answer, headers=headers)

    def admit(self, endpoint: Endpoint, request: ApiRequest) -> None:  # noqa: ARG002 - a key may do everything
        """Refuse who does not hold a key.

        Raises:
            RefusedError: 401 or 403.
        """
        key = request.headers.get("apca-api-key-id", "")
        secret = request.headers.get("apca-api-secret-key", "")
        if not self.knows(key, secret):
            raise RefusedError(self._with_headers(self._refusal))

    def knows(self, key: str, secret: str) -> bool:
        """Return whether a key and its secret open this host."""
        return any(_same(one.key, key) and _same(one.secret, secret) for one in self._keys)

    def refusal_of(self, error: BrokerageError) -> ApiAnswer:
        """Return the answer to what the engine refused and the endpoint did not foresee."""
        if isinstance(error, InsufficientFundsError):
            return said(
                403,
                FORBIDDEN,
                "insufficient buying power",
                buying_power=plain_or_none(error.available),
                cost_basis=plain_or_none(error.required),
            )
        if isinstance(error, OrderNotFoundError):
            return said(404, NOT_FOUND, "order not found")
        if isinstance(error, InvalidSymbolError | MarketDataUnavailableError):
            return said(404, NOT_FOUND, error.message or "not found")
        return said(422, UNPROCESSABLE, error.message or "unprocessable")

    def bad_request(self, message: str) -> ApiAnswer:
        """Return the answer to a request that cannot be understood."""
        return self._with_headers(said(422, BAD_PARAMETER, message))

    def session_expired(self) -> ApiAnswer:
        """Return the answer to who is not let in any more."""
        return self._with_headers(self._refusal)

    def rate_limited(self) -> ApiAnswer:
        """Return the answer to too many requests."""
        return said(429, TOO_MANY, "rate limit exceeded")

    def unavailable(self) -> ApiAnswer:
        """Return the answer of a broker that does not serve now."""
        return self._with_headers(said(503, 50310000, "service unavailable"))

    def broken(self) -> ApiAnswer:
        """Return what the proxy before the API says when it waited too long."""
        return ApiAnswer(504, GATEWAY_TIMEOUT)


UNAUTHORIZED: Final = said(401, None, "unauthorized.")
"""What the Trading API says to a key that it does not know, of the other environment included."""

DATA_FORBIDDEN: Final = said(403, None, "forbidden.")
"""What the market data API says to a key that it does not know."""


def _same(one: str, other: str) -> bool:
    return secrets.compare_digest(one.encode(), other.encode())


def query_moment(
    request: ApiRequest, name: str, read: Callable[[str], datetime]
) -> datetime | None:
    """Return a moment that a query names. None: it names none.

    Raises:
        RefusedError: 422, it cannot be read.
    """
    text = request.value(name)
    if text is None:
        return None
    try:
        return read(text)
    except ValueError as error:
        raise bad_parameter(f"Invalid format for parameter {name}: {text}") from error
