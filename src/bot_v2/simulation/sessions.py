"""Trading sessions: when a market is open, by an exchange's own calendar."""

from __future__ import annotations

import warnings
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from typing import Any, Protocol, TypeAlias

from bot_v2.features.brokerages.core.errors import InvalidFieldError, MissingDependencyError
from bot_v2.simulation.clock import require_utc


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


_Span: TypeAlias = tuple[datetime, datetime]


class ExchangeCalendar:
    """The sessions of an exchange, by its ISO 10383 code: holidays, early closes, lunch breaks.

    The schedule is read once, at construction; after that nothing of pandas is touched. A lunch
    break is time out of the market, not the end of a session: orders for the day outlive it.
    """

    def __init__(self, code: str, *, start: date | None = None, end: date | None = None) -> None:
        """Read the schedule of an exchange.

        Args:
            code: the exchange's code, such as XNYS, or a name that exchange_calendars knows.
            start: the first day to know. None: about twenty years ago.
            end: the last day to know. None: about a year ahead.

        Raises:
            MissingDependencyError: exchange_calendars is not installed.
            InvalidFieldError: the code is unknown, or there are no sessions between those days.
        """
        self.code = code
        sessions, spans = _read_schedule(code, start, end)
        self._opens = [opened for opened, _ in spans]
        self._closes = [closed for _, closed in spans]
        self._session_ends = [closed for _, closed in sessions]

    def __repr__(self) -> str:
        return f"ExchangeCalendar({self.code!r})"

    def is_open(self, moment: datetime) -> bool:
        """Return whether the exchange trades at that moment; it does not during a lunch break.

        Raises:
            InvalidFieldError: the moment is no aware UTC datetime, or the schedule ends before.
        """
        self._check(moment)
        return moment < self._closes[bisect_right(self._opens, moment) - 1]

    def session_end(self, moment: datetime) -> datetime:
        """Return the end of the session that the moment is in, else of the next one.

        Raises:
            InvalidFieldError: the moment is no aware UTC datetime, or the schedule ends before.
        """
        return self._first_after(self._session_ends, moment)

    def next_open(self, moment: datetime) -> datetime:
        """Return the first opening after the moment; the end of a lunch break is one.

        Raises:
            InvalidFieldError: the moment is no aware UTC datetime, or the schedule ends before.
        """
        return self._first_after(self._opens, moment)

    def next_close(self, moment: datetime) -> datetime:
        """Return the first close after the moment; the start of a lunch break is one.

        Raises:
            InvalidFieldError: the moment is no aware UTC datetime, or the schedule ends before.
        """
        return self._first_after(self._closes, moment)

    def _first_after(self, moments: list[datetime], moment: datetime) -> datetime:
        self._check(moment)
        found = bisect_right(moments, moment)
        if found == len(moments):
            raise self._beyond(moment)
        return moments[found]

    def _check(self, moment: datetime) -> None:
        require_utc("ExchangeCalendar.moment", moment)
        if not self._opens[0] <= moment < self._closes[-1]:
            raise self._beyond(moment)

    def _beyond(self, moment: datetime) -> InvalidFieldError:
        return InvalidFieldError(
            "ExchangeCalendar.moment",
            moment,
            f"a moment that the schedule of {self.code} covers, which is known from "
            f"{self._opens[0].isoformat()} to {self._closes[-1].isoformat()}; "
            "give start= and end= for more",
            outcome=None,
        )


def _read_schedule(
    code: str, start: date | None, end: date | None
) -> tuple[list[_Span], list[_Span]]:
    """Return the sessions, and the spans of trading in them, which a lunch break cuts in two."""
    try:
        import exchange_calendars
    except ImportError as error:
        raise MissingDependencyError(
            "the sessions of exchanges need exchange_calendars: pip install 'bot-v2[sessions]'",
            extra="sessions",
        ) from error
    try:
        with warnings.catch_warnings():
            # How exchange_calendars uses pandas is between those two.
            warnings.simplefilter("ignore", DeprecationWarning)
            calendar = exchange_calendars.get_calendar(code, start=start, end=end)
    except (exchange_calendars.errors.CalendarError, ValueError, TypeError) as error:
        raise InvalidFieldError(
            "ExchangeCalendar.code",
            code,
            f"an exchange whose sessions exchange_calendars knows for those days, "
            f"such as XNYS: {error}",
        ) from error
    sessions: list[_Span] = []
    spans: list[_Span] = []
    columns = (calendar.opens, calendar.break_starts, calendar.break_ends, calendar.closes)
    for opened, paused, resumed, closed in zip(*map(_moments, columns), strict=True):
        if opened is None or closed is None:
            raise InvalidFieldError("ExchangeCalendar.code", code, "sessions that open and close")
        sessions.append((opened, closed))
        if paused is None or resumed is None:
            spans.append((opened, closed))
        else:
            spans += [(opened, paused), (resumed, closed)]
    return sessions, spans


def _moments(column: Iterable[Any]) -> Iterator[datetime | None]:
    """Turn a column of pandas timestamps into datetimes; what is not a time, into None."""
    for stamp in column:
        # NaT is the one moment that is not equal to itself.
        yield stamp.to_pydatetime().astimezone(UTC) if stamp == stamp else None  # noqa: PLR0124 - see above
