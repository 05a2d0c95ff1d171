"""How many requests may leave: counted before they are sent, by class of endpoints."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final
from urllib.parse import urlsplit

import attrs
from limits import RateLimitItem, RateLimitItemPerSecond
from limits.errors import ConfigurationError, StorageError
from limits.storage import storage_from_string
from limits.strategies import MovingWindowRateLimiter

from bot_v2.features.brokerages.core.errors import InvalidFieldError, MissingDependencyError
from bot_v2.features.brokerages.http.quota_window import ProcessStorage

_LOGGER: Final = logging.getLogger(__name__)

STORAGE_TIMEOUT_S: Final = 1.0
"""How long a shared storage may take to connect, and to answer, in seconds."""

SHORTEST_HOLD_S: Final = 0.001
"""The least to wait before asking again, so that two clocks that differ a little do not spin."""

ALONE_S: Final = 10.0
"""How long a storage that failed is left alone, in seconds."""

SHARED_SCHEMES: Final = frozenset({"redis", "rediss", "redis+unix"})
"""Storages that several processes can share."""


@attrs.frozen
class Quota:
    """At most `amount` requests in any `per_s` seconds."""

    amount: int
    """How many."""
    per_s: int = 1
    """In how many seconds; a whole number."""

    def __attrs_post_init__(self) -> None:
        """Refuse what is no quota."""
        for name in ("amount", "per_s"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise InvalidFieldError(f"Quota.{name}", value, "a whole number from 1")


class QuotaExhaustedError(Exception):
    """No request may leave within the time that there is.

    Attributes:
        wait_s: when one may, in seconds from now.
    """

    def __init__(self, endpoint: str, wait_s: float) -> None:
        """Say which quota, and how long it holds."""
        super().__init__(f"the quota of {endpoint or 'all endpoints'} is used up")
        self.wait_s = wait_s


class Quotas:
    """Holds requests back so that a broker's limits are kept. Safe between threads.

    Each class of endpoints has windows of its own. Give cancels a class of their own, so that
    nothing else can use up what they need.

    Args:
        table: the quotas by class of endpoints; a class without any, and the default class where
            the table has none, is not held back. A class that is not in the table is refused.
        scope: whose quotas these are: the broker's name, and the key's or the account's where it
            counts by those. Processes that share a storage share what has the same scope.
        storage_url: where to count, as `limits` reads it: `redis://HOST:PORT/0`. None: in this
            process. Where it cannot be reached, this process counts alone, and logs it.
        now: the seconds of a clock that never goes back.
        wait: waits that many seconds.

    Raises:
        InvalidFieldError: the URL names no storage that can be shared.
        MissingDependencyError: the storage's client is not installed.
    """

    def __init__(
        self,
        table: Mapping[str, Sequence[Quota]],
        *,
        scope: str,
        storage_url: str | None = None,
        now: Callable[[], float] = time.monotonic,
        wait: Callable[[float], object] | None = None,
    ) -> None:
        """Prepare; a shared storage is not connected to yet."""
        self._table: dict[str, tuple[RateLimitItem, ...]] = {
            endpoint: tuple(RateLimitItemPerSecond(one.amount, one.per_s) for one in quotas)
            for endpoint, quotas in {"": (), **table}.items()
        }
        self._scope = scope
        self._now = now
        self._wait = wait or threading.Event().wait
        self._held: dict[str, float] = {}
        self._own = MovingWindowRateLimiter(ProcessStorage(now))
        self._alone_until = -math.inf
        self._shared = None if storage_url is None else _shared_limiter(storage_url)

    def take(self, endpoint: str, budget_s: float) -> float:
        """Wait until one more request may leave, count it, and return the seconds waited.

        Args:
            endpoint: the class of endpoints.
            budget_s: how long to wait at most, in seconds.

        Raises:
            QuotaExhaustedError: it would take longer; nothing was counted.
            InvalidFieldError: there is no such class.
        """
        items = self._table.get(endpoint)
        if items is None:
            accepted = ", ".join(name for name in self._table if name)
            raise InvalidFieldError("Call.endpoint", endpoint, f"one of {accepted}")
        if not items and endpoint not in self._held:
            return 0.0
        started = self._now()
        while (wait_s := self._take_now(endpoint, items)) > 0:
            if self._now() - started + wait_s > budget_s:
                raise QuotaExhaustedError(endpoint, wait_s)
            self._wait(wait_s)
        return self._now() - started

    def hold(self, endpoint: str, seconds: float) -> None:
        """Let nothing of a class leave for some seconds: the broker asked for it."""
        self._held[endpoint] = max(self._held.get(endpoint, 0.0), self._now() + seconds)

    def _take_now(self, endpoint: str, items: tuple[RateLimitItem, ...]) -> float:
        """Count one request and return 0; or count none, and return how long to wait."""
        held_s = self._held.get(endpoint, 0.0) - self._now()
        if held_s > 0:
            return max(held_s, SHORTEST_HOLD_S)
        if self._shared is not None and self._now() >= self._alone_until:
            try:
                return self._count(self._shared, time.time, endpoint, items)
            except StorageError as error:
                self._alone_until = self._now() + ALONE_S
                _LOGGER.warning(
                    "the storage of quotas cannot be reached: this process counts alone for "
                    "%.0f s (%s)",
                    ALONE_S,
                    type(error.storage_error).__name__,
                )
        return self._count(self._own, self._now, endpoint, items)

    def _count(
        self,
        limiter: MovingWindowRateLimiter,
        now: Callable[[], float],
        endpoint: str,
        items: tuple[RateLimitItem, ...],
    ) -> float:
        # A request is counted in all of its windows or in none. Where two threads race between
        # the look and the count, one too many may be counted, which errs on the safe side.
        for item in items if len(items) > 1 else ():
            if not limiter.test(item, self._scope, endpoint):
                return self._wait_s(limiter, now, item, endpoint)
        for item in items:
            if not limiter.hit(item, self._scope, endpoint):
                return self._wait_s(limiter, now, item, endpoint)
        return 0.0

    def _wait_s(
        self,
        limiter: MovingWindowRateLimiter,
        now: Callable[[], float],
        item: RateLimitItem,
        endpoint: str,
    ) -> float:
        """Return when the oldest request leaves the window, in seconds from now."""
        reset = limiter.get_window_stats(item, self._scope, endpoint).reset_time
        return max(reset - now(), SHORTEST_HOLD_S)


def _shared_limiter(url: str) -> MovingWindowRateLimiter:
    scheme = urlsplit(url).scheme
    accepted = "redis://HOST:PORT/DB or rediss://HOST:PORT/DB"
    if scheme not in SHARED_SCHEMES:
        raise InvalidFieldError("Quotas.storage_url", f"{scheme}://…", accepted)
    try:
        storage = storage_from_string(
            url,
            wrap_exceptions=True,
            socket_timeout=STORAGE_TIMEOUT_S,
            socket_connect_timeout=STORAGE_TIMEOUT_S,
        )
    except ConfigurationError as error:
        raise MissingDependencyError(
            "quotas in Redis need its client: pip install 'bot-v2[redis]'", extra="redis"
        ) from error
    return MovingWindowRateLimiter(storage)
