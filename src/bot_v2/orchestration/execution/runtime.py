"""What the executor takes from the world: time, waiting, chance, and one-at-a-time."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Hashable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta
from typing import Protocol

from bot_v2.shared.types import Clock


class Runtime(Protocol):
    """Time, waiting, chance and locks; a test gives its own, in which no time passes."""

    def clock(self) -> datetime:
        """Return the present moment, in UTC."""
        ...

    def elapsed(self) -> timedelta:
        """Return how long it is since some moment; setting the clock does not change it."""
        ...

    def wait(self, seconds: float) -> None:
        """Let some seconds pass."""
        ...

    def jitter(self) -> float:
        """Return a number between 0 and 1, by chance."""
        ...

    def guard(self, key: Hashable) -> AbstractContextManager[None]:
        """Let one thread at a time do what goes by a key."""
        ...

    def try_guard(self, key: Hashable) -> AbstractContextManager[bool]:
        """As `guard`, but give False at once where another thread is at it."""
        ...


class _Held:
    __slots__ = ("lock", "users")

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.users = 0


class ThreadRuntime:
    """The real world.

    Args:
        clock: the present moment.
    """

    def __init__(self, clock: Clock) -> None:
        """Take the time from a clock; nothing is locked."""
        self.clock = clock
        self._random = random.Random()
        self._never = threading.Event()
        self._lock = threading.Lock()
        self._held: dict[Hashable, _Held] = {}

    def elapsed(self) -> timedelta:
        """Return how long it is since some moment; setting the clock does not change it."""
        return timedelta(seconds=time.monotonic())

    def wait(self, seconds: float) -> None:
        """Let some seconds pass."""
        self._never.wait(seconds)

    def jitter(self) -> float:
        """Return a number between 0 and 1, by chance."""
        return self._random.random()

    @contextmanager
    def guard(self, key: Hashable) -> Iterator[None]:
        """Let one thread at a time do what goes by a key."""
        with self._entered(key, blocking=True):
            yield

    @contextmanager
    def try_guard(self, key: Hashable) -> Iterator[bool]:
        """As `guard`, but give False at once where another thread is at it."""
        with self._entered(key, blocking=False) as entered:
            yield entered

    @contextmanager
    def _entered(self, key: Hashable, *, blocking: bool) -> Iterator[bool]:
        with self._lock:
            held = self._held.setdefault(key, _Held())
            held.users += 1
        entered = False
        try:
            entered = held.lock.acquire(blocking=blocking)
            yield entered
        finally:
            if entered:
                held.lock.release()
            with self._lock:
                held.users -= 1
                if not held.users:
                    del self._held[key]


def fresh_from(runtime: Runtime, sent_by: datetime, lag: timedelta) -> timedelta:
    """Return from when on reads show what was sent, by `Runtime.elapsed`.

    Only what was sent by an earlier process is counted by the clock, and then at most the lag is
    waited for from now on: what comes after is time that passes, whatever the clock is set to.

    Args:
        runtime: the present moment.
        sent_by: the latest moment at which it can have left.
        lag: how long the broker may not show it.
    """
    rest = sent_by + lag - runtime.clock()
    return runtime.elapsed() + min(max(rest, timedelta(0)), lag)
