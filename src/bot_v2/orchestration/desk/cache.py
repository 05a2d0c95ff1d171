"""Answers that are kept for a stated time, with the time at which they were asked for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from datetime import datetime
from typing import Any, Generic, TypeVar

import attrs

from bot_v2.shared.types import Clock

_T = TypeVar("_T")


@attrs.frozen
class Kept(Generic[_T]):
    """An answer, and when it was asked for."""

    value: _T
    as_of: datetime
    is_cached: bool
    """True: it was asked for earlier, and kept."""


class ReadCache:
    """What brokerages answered, until it is too old. A failure is not kept. Safe between threads.

    Two threads that want the same at once both ask: neither waits for a call that may hang.

    Args:
        clock: dates the answers.
        monotonic: the time by which they grow old, in seconds.
    """

    def __init__(self, clock: Clock, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Keep nothing yet."""
        self._clock = clock
        self._monotonic = monotonic
        self._kept: dict[tuple[str, Hashable], tuple[float, Kept[Any]]] = {}
        self._lock = threading.Lock()

    def read(
        self, owner: str, key: Hashable, lifetime_s: float, call: Callable[[], _T]
    ) -> Kept[_T]:
        """Return what is kept, or ask and keep it.

        Args:
            owner: the brokerage's name.
            key: what is asked.
            lifetime_s: how old a kept answer may be, in seconds.
            call: asks.
        """
        now = self._monotonic()
        with self._lock:
            found = self._kept.get((owner, key))
        if found is not None and now - found[0] < lifetime_s:
            return attrs.evolve(found[1], is_cached=True)
        as_of = self._clock()
        answer = Kept(value=call(), as_of=as_of, is_cached=False)
        with self._lock:
            self._kept[owner, key] = (now, answer)
        return answer

    def drop(self, owner: str) -> None:
        """Keep nothing of a brokerage any more."""
        with self._lock:
            self._kept = {key: kept for key, kept in self._kept.items() if key[0] != owner}
