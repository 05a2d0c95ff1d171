"""Trading sessions: when a market is open, by an exchange's own calendar."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class TradingCalendar(Protocol):
    """Tells when a market is open. All moments are aware UTC datetimes.

    A session contains its opening moment and not its closing one.
    """

    def is_open(self, moment: datetime) -> bool:
        """Return whether the market trades at that moment."""
        ...

    def session_end(self, moment: datetime) -> datetime | None:
        """Return the end of the session that the moment is in, else of the next one.

        None: sessions never end.
        """
        ...

    def next_open(self, moment: datetime) -> datetime | None:
        """Return the first opening after the moment. None: it never closes."""
        ...

    def next_close(self, moment: datetime) -> datetime | None:
        """Return the first close after the moment. None: it never closes."""
        ...


class AlwaysOpen:
    """A market that never closes, as those of crypto assets."""

    def is_open(self, moment: datetime) -> bool:  # noqa: ARG002 - the same at any moment
        """Return True."""
        return True

    def session_end(self, moment: datetime) -> None:
        """Return None: the session never ends."""

    def next_open(self, moment: datetime) -> None:
        """Return None: it is open."""

    def next_close(self, moment: datetime) -> None:
        """Return None: it never closes."""
