"""Clocks: the machine's, and one that moves only when told."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

from bot_v2.features.brokerages.core.errors import InvalidFieldError

_ZERO = timedelta(0)


def utc_now() -> datetime:
    """Return the present moment by the machine's clock, in UTC."""
    return datetime.now(UTC)


def require_utc(field: str, moment: object) -> datetime:
    """Return the moment if it is an aware UTC datetime.

    Raises:
        InvalidFieldError: it is naive, of another zone, or no datetime.
    """
    if isinstance(moment, datetime) and moment.utcoffset() == _ZERO:
        return moment
    raise InvalidFieldError(
        field, moment, "an aware UTC datetime, such as datetime.now(timezone.utc)"
    )


class ManualClock:
    """A clock that stands still until it is moved, and never goes back. Safe between threads."""

    def __init__(self, start: datetime) -> None:
        """Stand at `start`, an aware UTC datetime.

        Raises:
            InvalidFieldError: `start` is not one.
        """
        self._now = require_utc("ManualClock.start", start)
        self._moving = threading.Lock()

    def __call__(self) -> datetime:
        """Return the moment at which the clock stands."""
        return self._now

    def __repr__(self) -> str:
        return f"ManualClock({self._now.isoformat()})"

    def advance(self, seconds: float | timedelta) -> None:
        """Move forward by some seconds, or by a timedelta; zero leaves the clock as it is.

        Raises:
            InvalidFieldError: the step is negative, or not finite.
        """
        try:
            step = seconds if isinstance(seconds, timedelta) else timedelta(seconds=seconds)
        except (TypeError, ValueError, OverflowError) as error:
            raise InvalidFieldError(
                "ManualClock.advance.seconds", seconds, "finite seconds, or a timedelta"
            ) from error
        if step < _ZERO:
            raise InvalidFieldError(
                "ManualClock.advance.seconds", seconds, "zero or more: time does not go back"
            )
        with self._moving:
            self._now += step

    def set(self, moment: datetime) -> None:
        """Move to a moment, which may be the present one.

        Raises:
            InvalidFieldError: the moment is past by this clock, or no aware UTC datetime.
        """
        require_utc("ManualClock.set.moment", moment)
        with self._moving:
            if moment < self._now:
                raise InvalidFieldError(
                    "ManualClock.set.moment",
                    moment,
                    f"{self._now.isoformat()} or later: time does not go back",
                )
            self._now = moment
