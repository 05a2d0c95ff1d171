"""A venue's clock: the machine's, or a test's, moved on as far as the venue was told."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from typing import Final

from bot_v2.features.brokerages.core.errors import InvalidFieldError
from bot_v2.shared.types import Clock
from bot_v2.simulation.clock import utc_now

SKEW: Final = timedelta(minutes=-5)
"""How far the told times are off while CLOCK_SKEW lasts: behind is the harder way."""


class VenueClock:
    """Returns the venue's present moment. Safe between threads.

    Args:
        base: the clock that it goes by.
    """

    def __init__(self, base: Clock = utc_now) -> None:
        """Go with the base."""
        self._base = base
        self._lock = threading.Lock()
        self._ahead = timedelta(0)

    def __call__(self) -> datetime:
        """Return the present moment of the market: the base's, and what was added."""
        with self._lock:
            return self._base() + self._ahead

    def outside(self) -> datetime:
        """Return the moment of whoever calls the venue: signatures are dated by their clock."""
        return self._base()

    def advance(self, seconds: float) -> None:
        """Move the market's time on.

        Raises:
            InvalidFieldError: the seconds are below zero, or not finite.
        """
        try:
            step = timedelta(seconds=seconds)
        except (OverflowError, ValueError) as error:
            raise InvalidFieldError("seconds", seconds, "finite seconds") from error
        if step < timedelta(0):
            raise InvalidFieldError("seconds", seconds, "zero or more: time does not go back")
        with self._lock:
            self._ahead += step
