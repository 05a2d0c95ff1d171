"""The venue's state: what a step brings about in other orders happens right after it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import TypeVar

from bot_v2.simulation.engine import MatchingEngine
from bot_v2.venues.clock import VenueClock
from bot_v2.venues.faults import FaultPlan
from bot_v2.venues.state import VenueState

_T = TypeVar("_T")


class TwsState(VenueState):
    """Accounts that share a market, and what follows from each step.

    A fill may bring children of the order to life or cancel others of its group. That cannot happen
    while the step that caused it is still told; it is put off until just after.
    """

    def __init__(
        self,
        engines: Mapping[str, MatchingEngine],
        prices: Mapping[str, Decimal],
        clock: VenueClock,
        plan: FaultPlan,
        seed: int,
    ) -> None:
        """Open the accounts; see `VenueState`."""
        super().__init__(engines, prices, clock, plan, seed, shares_products=True)
        self.before_write: Callable[[], None] = lambda: None
        """Is called before each write of a client."""
        self._later: deque[Callable[[], None]] = deque()
        self._is_following = False

    def follow_with(self, action: Callable[[], None]) -> None:
        """Have something done once the step that is under way has been told."""
        self._later.append(action)

    def write(self, action: Callable[[], _T]) -> _T:
        """Let a caller's write take effect, then what follows from it."""
        with self.lock:
            self.before_write()
            try:
                return super().write(action)
            finally:
                self._follow()

    def step(self, action: Callable[[], _T]) -> _T:
        """Let something else happen, then what follows from it."""
        with self.lock:
            try:
                return super().step(action)
            finally:
                self._follow()

    def _follow(self) -> None:
        if self._is_following:
            return
        self._is_following = True
        try:
            while self._later:
                super().step(self._later.popleft())
        finally:
            self._is_following = False
