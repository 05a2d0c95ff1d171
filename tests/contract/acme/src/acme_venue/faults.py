"""The faults that the venue was told to commit, and when each ends."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection

from bot_v2.simulation.faults import Fault

LASTING = frozenset(
    {
        Fault.RESET_BEFORE,
        Fault.STALE_READ,
        Fault.CLOCK_SKEW,
        Fault.MUTE_STREAM,
        Fault.DUPLICATE_EVENT,
        Fault.REORDER_EVENTS,
    }
)
"""Faults that last until they are cleared. A refused connection is one of them: a listener that is
closed cannot know which request it kept out."""


class FaultPlan:
    """What is still to go wrong. Safe between threads."""

    def __init__(self) -> None:
        """Start with nothing."""
        self._lock = threading.Lock()
        self._pending: list[tuple[Fault, str | None]] = []
        self._lasting: set[Fault] = set()
        self._received: Counter[str] = Counter()
        self.cleared = threading.Event()
        """Set when faults are cleared: what hangs lets go."""

    def add(self, fault: Fault, operation: str | None, times: int) -> None:
        """Plan a fault."""
        with self._lock:
            self.cleared.clear()
            if fault in LASTING:
                self._lasting.add(fault)
            else:
                self._pending.extend([(fault, operation)] * times)

    def clear(self) -> None:
        """Forget everything that is planned."""
        with self._lock:
            self._pending.clear()
            self._lasting.clear()
            self.cleared.set()

    def take(self, operations: Collection[str], *, any_operation: bool = True) -> Fault | None:
        """Return the next fault for a request that serves some operations, and count it as done.

        Args:
            operations: the operations that the request may be part of.
            any_operation: whether faults that name no operation concern it.
        """
        with self._lock:
            for index, (fault, wanted) in enumerate(self._pending):
                if wanted in operations or (wanted is None and any_operation):
                    del self._pending[index]
                    return fault
        return None

    def awaits(self, *faults: Fault) -> bool:
        """Whether one of these is still to come."""
        with self._lock:
            return any(fault in faults for fault, _ in self._pending)

    def lasts(self, fault: Fault) -> bool:
        """Whether a lasting fault is on."""
        with self._lock:
            return fault in self._lasting

    def count(self, operations: Collection[str]) -> None:
        """Note that a request arrived."""
        with self._lock:
            self._received.update(operations)

    def received(self, operation: str) -> int:
        """Return how many requests of an operation arrived."""
        with self._lock:
            return self._received[operation]
