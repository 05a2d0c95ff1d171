"""How many requests a venue takes of a caller: token buckets, off until they are asked for."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final, TypeAlias

import attrs

from bot_v2.features.brokerages.core.errors import InvalidFieldError
from bot_v2.shared.types import Clock
from bot_v2.venues.requests import ApiRequest, Endpoint, RefusedError

PUBLIC: Final = "public"
"""The class of requests that nobody has to say who they are for."""

PRIVATE: Final = "private"
"""The class of all others."""

Classify: TypeAlias = "Callable[[Endpoint, ApiRequest], tuple[str, str]]"
"""Returns the class of a request, and by whom it is counted."""


@attrs.frozen
class RateLimit:
    """How fast one caller may ask."""

    per_s: float
    """How many requests a second, in the long run."""
    burst: int
    """How many at once, after a rest."""

    def __attrs_post_init__(self) -> None:
        """Refuse what would let nobody in, or everybody."""
        per_s, burst = self.per_s, self.burst
        if type(per_s) not in (int, float) or not 0 < per_s < math.inf:
            raise InvalidFieldError("RateLimit.per_s", per_s, "a number above zero")
        if type(burst) is not int or burst < 1:
            raise InvalidFieldError("RateLimit.burst", burst, "a whole number from 1")


@attrs.define
class _Bucket:
    tokens: float
    filled_at: datetime


class RateLimiter:
    """Counts requests by class and caller. Safe between threads.

    A bucket starts full, is filled at the limit's rate, and loses a token with each request; a
    request that finds none is refused and costs nothing.

    Args:
        clock: the venue's: moving it on fills the buckets.
        classify: tells the class of a request, and by whom it is counted.
    """

    def __init__(self, clock: Clock, classify: Classify) -> None:
        """Let everybody in."""
        self._clock = clock
        self._classify = classify
        self._lock = threading.Lock()
        self._limits: dict[str, RateLimit] = {}
        self._buckets: dict[tuple[str, str], _Bucket] = {}

    def set(self, limits: Mapping[str, RateLimit]) -> None:
        """Limit some classes of requests from now on, and no others; all buckets are full."""
        with self._lock:
            self._limits = dict(limits)
            self._buckets.clear()

    def as_data(self) -> dict[str, object]:
        """Return the limits, as JSON can hold them."""
        with self._lock:
            return {
                name: {"per_s": limit.per_s, "burst": limit.burst}
                for name, limit in self._limits.items()
            }

    def charge(self, endpoint: Endpoint, request: ApiRequest) -> None:
        """Count a request.

        Raises:
            RefusedError: there were too many: 429.
        """
        if not self._limits:
            return
        name, caller = self._classify(endpoint, request)
        with self._lock:
            limit = self._limits.get(name)
            is_admitted = limit is None or self._take(limit, (name, caller))
        if not is_admitted:
            raise RefusedError(endpoint.dialect.rate_limited())

    def _take(self, limit: RateLimit, key: tuple[str, str]) -> bool:
        now = self._clock()
        bucket = self._buckets.setdefault(key, _Bucket(limit.burst, now))
        rest_s = max((now - bucket.filled_at).total_seconds(), 0.0)
        bucket.tokens = min(limit.burst, bucket.tokens + rest_s * limit.per_s)
        bucket.filled_at = now
        if bucket.tokens < 1:
            return False
        bucket.tokens -= 1
        return True


def by_class(endpoint: Endpoint) -> str:
    """Return the class of an endpoint where a broker has these two alone."""
    return PUBLIC if endpoint.is_public else PRIVATE
