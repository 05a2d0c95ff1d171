"""Where quotas are counted within one process.

`limits` comes with a storage in memory; it starts a thread at nearly each request to forget what
is over. This one forgets while it counts.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from limits.storage import MovingWindowSupport, Storage


class ProcessStorage(Storage, MovingWindowSupport):
    """Counts requests of moving windows. Safe between threads.

    Args:
        now: the seconds of a clock that never goes back.
    """

    STORAGE_SCHEME = None

    def __init__(self, now: Callable[[], float]) -> None:
        """Begin with nothing counted."""
        super().__init__()
        self._now = now
        self._lock = threading.Lock()
        self._taken: dict[str, deque[float]] = {}

    @property
    def base_exceptions(self) -> type[Exception]:
        """What this storage fails with: nothing of its own."""
        return RuntimeError

    def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Count requests, if the window has room for all of them."""
        with self._lock:
            window = self._window(key, expiry)
            if len(window) + amount > limit:
                return False
            window.extend([self._now()] * amount)
            return True

    def get_moving_window(
        self,
        key: str,
        limit: int,  # noqa: ARG002 - the interface has it
        expiry: int,
    ) -> tuple[float, int]:
        """Return when the window began, by the clock, and how many requests it holds."""
        with self._lock:
            window = self._window(key, expiry)
            return (window[0] if window else self._now()), len(window)

    def _window(self, key: str, expiry: int) -> deque[float]:
        window = self._taken.setdefault(key, deque())
        over = self._now() - expiry
        while window and window[0] <= over:
            window.popleft()
        return window

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Count in a window that has no bound; `limits` asks it of every storage."""
        with self._lock:
            window = self._window(key, expiry)
            window.extend([self._now()] * amount)
            return len(window)

    def get(self, key: str) -> int:
        """Return how many requests are counted under a key."""
        return len(self._taken.get(key, ()))

    def get_expiry(self, key: str) -> float:
        """Return when a key's latest request was counted, by the clock."""
        window = self._taken.get(key)
        return window[-1] if window else self._now()

    def check(self) -> bool:
        """Return whether the storage works: it always does."""
        return True

    def reset(self) -> int:
        """Forget everything; return how many keys there were."""
        with self._lock:
            count = len(self._taken)
            self._taken.clear()
            return count

    def clear(self, key: str) -> None:
        """Forget what is counted under a key."""
        self._taken.pop(key, None)
