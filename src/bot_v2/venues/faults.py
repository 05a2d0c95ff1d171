"""The faults that a venue was told to commit, and when each ends."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection
from typing import Final

from bot_v2.features.brokerages.core.errors import InvalidFieldError
from bot_v2.simulation.faults import Fault

LASTING: Final = frozenset(
    {
        Fault.RESET_BEFORE,
        Fault.STALE_READ,
        Fault.CLOCK_SKEW,
        Fault.MUTE_STREAM,
        Fault.DUPLICATE_EVENT,
    }
)
"""Faults that last until they are cleared. A refused connection is one of them: a listener that is
closed cannot know which request it kept out."""

ON_STREAMS: Final = frozenset({Fault.REORDER_EVENTS})
"""Faults that befall the next event of a stream, and no request."""

ON_REQUESTS: Final = frozenset(Fault) - LASTING - ON_STREAMS
"""Faults that befall the next request of an operation."""

WITHOUT_EFFECT: Final = frozenset(
    {Fault.DROP_BEFORE_ACCEPT, Fault.RATE_LIMIT, Fault.UNAVAILABLE, Fault.SESSION_EXPIRED}
)
"""Faults that keep a request from having its effect."""


class FaultPlan:
    """What is still to go wrong. Safe between threads."""

    def __init__(self) -> None:
        """Start with nothing."""
        self._lock = threading.Lock()
        self._pending: list[tuple[Fault, str | None]] = []
        self._lasting: set[Fault] = set()
        self._received: Counter[str] = Counter()
        self._clearings = 0

    def add(self, fault: Fault, operation: str | None, times: int) -> None:
        """Plan a fault.

        Raises:
            InvalidFieldError: `times` is below one.
        """
        if times < 1:
            raise InvalidFieldError("times", times, "one or more")
        with self._lock:
            if fault in LASTING:
                self._lasting.add(fault)
            else:
                self._pending.extend([(fault, operation)] * times)

    def clear(self) -> None:
        """Forget everything that is planned."""
        with self._lock:
            self._pending.clear()
            self._lasting.clear()
            self._clearings += 1

    def take(self, operations: Collection[str], among: Collection[Fault]) -> Fault | None:
        """Return the next fault for something that serves some operations; it counts as done.

        Args:
            operations: the operations that the request or event may be part of.
            among: the faults that could befall it.
        """
        with self._lock:
            for index, (fault, wanted) in enumerate(self._pending):
                if fault in among and (wanted is None or wanted in operations):
                    del self._pending[index]
                    return fault
        return None

    def lasts(self, fault: Fault) -> bool:
        """Whether a lasting fault is on."""
        with self._lock:
            return fault in self._lasting

    @property
    def clearings(self) -> int:
        """How often the faults were cleared: what hangs lets go when this changes."""
        with self._lock:
            return self._clearings

    def as_data(self) -> dict[str, object]:
        """Return what is planned, as JSON can hold it."""
        with self._lock:
            return {
                "pending": [
                    {"fault": fault.value, "operation": operation}
                    for fault, operation in self._pending
                ],
                "lasting": sorted(fault.value for fault in self._lasting),
            }

    def count(self, operations: Collection[str]) -> None:
        """Note that a request arrived."""
        with self._lock:
            self._received.update(operations)

    def received(self, operation: str) -> int:
        """Return how many requests of an operation arrived, with or without effect."""
        with self._lock:
            return self._received[operation]
