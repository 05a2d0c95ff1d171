"""What the executor takes from the world: time, waiting, chance, and one-at-a-time."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Hashable
from contextlib import AbstractContextManager
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

    def guard(self, key: Hashable) -> AbstractContextManager[object]:
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

    def guard(self, key: Hashable) -> AbstractContextManager[object]:
        """Let one thread at a time do what goes by a key."""
        return _Entry(self, key, blocking=True)

    def try_guard(self, key: Hashable) -> AbstractContextManager[bool]:
        """As `guard`, but give False at once where another thread is at it."""
        return _Entry(self, key, blocking=False)

    def enter(self, key: Hashable, *, blocking: bool) -> threading.RLock | None:
        """Return the lock of a key, taken. None: another thread has it."""
        with self._lock:
            held = self._held.get(key)
            if held is None:
                held = self._held[key] = _Held()
            held.users += 1
        if held.lock.acquire(blocking=blocking):
            return held.lock
        self._forget(key)
        return None

    def leave(self, key: Hashable, lock: threading.RLock) -> None:
        """Let go of a key."""
        lock.release()
        self._forget(key)

    def _forget(self, key: Hashable) -> None:
        with self._lock:
            held = self._held[key]
            held.users -= 1
            if not held.users:
                del self._held[key]


class _Entry:
    """What a guard gives: a class, since it is entered in each submit, and a generator is slow."""

    __slots__ = ("_blocking", "_key", "_lock", "_runtime")

    def __init__(self, runtime: ThreadRuntime, key: Hashable, *, blocking: bool) -> None:
        self._runtime = runtime
        self._key = key
        self._blocking = blocking
        self._lock: threading.RLock | None = None

    def __enter__(self) -> bool:
        self._lock = self._runtime.enter(self._key, blocking=self._blocking)
        return self._lock is not None

    def __exit__(self, *_: object) -> None:
        if self._lock is not None:
            self._runtime.leave(self._key, self._lock)


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
