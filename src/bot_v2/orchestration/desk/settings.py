"""How the brokerages of a desk are read and watched."""

from __future__ import annotations

import attrs

from bot_v2.features.brokerages.core.errors import InvalidFieldError
from bot_v2.orchestration.health_watch import ReconnectPolicy


@attrs.frozen(kw_only=True)
class DeskSettings:
    """How long answers are waited for and kept, and how brokerages are watched; in seconds.

    Raises:
        InvalidFieldError: a number is out of its range.
    """

    read_timeout_s: float = 10.0
    """How long a read waits for a brokerage before it counts as missing."""
    session_timeout_s: float = 30.0
    """How long connecting or disconnecting waits for one."""
    read_threads: int = 4
    """How many reads of one brokerage are under way at once."""
    margin_cache_s: float = 5.0
    """How long a margin is kept; 0: not at all."""
    products_cache_s: float = 3600.0
    """How long a product is kept; 0: not at all."""
    fees_cache_s: float = 3600.0
    """How long a product's fees are kept; 0: not at all."""
    watch_interval_s: float | None = 30.0
    """How often each brokerage is checked. None: none is watched, and none reconnected."""
    watch_timeout_s: float = 10.0
    """How long a check may take before the brokerage counts as not answering."""
    reconnect: ReconnectPolicy = attrs.Factory(ReconnectPolicy)
    """How a brokerage that is down is connected again."""

    def __attrs_post_init__(self) -> None:
        for name in ("read_timeout_s", "session_timeout_s", "watch_timeout_s"):
            self._require(name, getattr(self, name) > 0, "seconds above zero")
        for name in ("margin_cache_s", "products_cache_s", "fees_cache_s"):
            self._require(name, getattr(self, name) >= 0, "seconds, 0 or more")
        self._require("read_threads", self.read_threads >= 1, "1 or more")
        interval = self.watch_interval_s
        self._require("watch_interval_s", interval is None or interval > 0, "seconds, or None")

    def _require(self, name: str, fits: bool, accepted: str) -> None:
        if not fits:
            raise InvalidFieldError(f"DeskSettings.{name}", getattr(self, name), accepted)
