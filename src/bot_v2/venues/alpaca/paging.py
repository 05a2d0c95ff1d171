"""Pages of market data: what a request is about, and the tokens that lead from page to page."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, time
from typing import Final

import attrs

from bot_v2.venues.alpaca.dialect import refused
from bot_v2.venues.alpaca.hours import EASTERN
from bot_v2.venues.alpaca.listings import Listing
from bot_v2.venues.alpaca.texts import moment_from_text
from bot_v2.venues.requests import ApiRequest, Record, RefusedError

LIMIT: Final = 1_000
LIMIT_MAX: Final = 10_000

Dated = tuple[datetime, Record]

EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)


@attrs.frozen
class Place:
    """Where a page ends."""

    symbol: str
    """The symbol of its last item."""
    moment: datetime
    """The moment of it."""
    count: int
    """How many items of that symbol and moment were told by then."""

    def as_token(self) -> str:
        """Return what leads to the page after."""
        text = f"{self.symbol}|{self.moment.isoformat()}|{self.count}"
        return base64.b64encode(text.encode()).decode()


@attrs.frozen
class Interval:
    """What a request is about."""

    start: datetime
    """The first moment."""
    end: datetime
    """The last moment."""
    limit: int
    """How many items a page has."""
    token: Place | None
    """Where the page before ended. None: this is the first."""
    ascending: bool
    """Oldest first."""


Reader = Callable[[Listing, Interval], Iterable[Dated]]


def bad(message: str) -> RefusedError:
    """Return the refusal of a request for data: it has no code."""
    return refused(400, None, message)


def read_interval(request: ApiRequest, now: datetime, page_max: int) -> Interval:
    """Return what a request is about; from today's midnight in New York, unless it says so.

    Raises:
        RefusedError: 400, it cannot be read.
    """
    start, end = _moment(request, "start"), _moment(request, "end")
    if start is None:
        today = now.astimezone(EASTERN).date()
        start = datetime.combine(today, time(), tzinfo=EASTERN).astimezone(UTC)
    end = now if end is None else end
    if end < start:
        raise bad("end should not be before start")
    sort = request.value("sort") or "asc"
    if sort not in ("asc", "desc"):
        raise bad(f"invalid sort: {sort}")
    limit = read_limit(request, LIMIT, LIMIT_MAX, page_max)
    return Interval(start, end, limit, read_token(request), sort == "asc")


def read_limit(request: ApiRequest, usual: int, most: int, page_max: int) -> int:
    """Return how many items a page is to have.

    Raises:
        RefusedError: 400, it is no number, or too large.
    """
    text = request.value("limit")
    if text is None:
        return min(usual, page_max)
    if not text.isdecimal() or not 1 <= int(text) <= most:
        raise bad(f"invalid limit: {text}")
    return min(int(text), page_max)


def read_token(request: ApiRequest) -> Place | None:
    """Return where the page before ended. None: there was none.

    Raises:
        RefusedError: 400, it cannot be read.
    """
    text = request.value("page_token")
    if text is None:
        return None
    try:
        # A plus in a query that nobody encoded arrives as a space.
        decoded = base64.b64decode(text.replace(" ", "+"), validate=True).decode()
        symbol, moment, count = decoded.split("|")
        return Place(symbol, datetime.fromisoformat(moment), int(count))
    except (binascii.Error, ValueError) as error:
        raise bad(f"invalid page_token: {text}") from error


def after(read: Reader, listing: Listing, interval: Interval) -> Iterator[tuple[Place, Record]]:
    """Yield what is still to be told of a symbol, in the order that is asked for."""
    token = interval.token
    if token is not None and token.symbol != listing.symbol:
        token = None
    if token is not None and interval.ascending:
        interval = attrs.evolve(interval, start=max(interval.start, token.moment))
    elif token is not None:
        interval = attrs.evolve(interval, end=min(interval.end, token.moment))
    items = read(listing, interval)
    if not interval.ascending:
        items = reversed(list(items))
    moment, count = EARLIEST, 0
    for at, record in items:
        moment, count = at, count + 1 if at == moment else 1
        if token is None or at != token.moment or count > token.count:
            yield Place(listing.symbol, at, count), record


def _moment(request: ApiRequest, name: str) -> datetime | None:
    text = request.value(name)
    if text is None:
        return None
    try:
        return moment_from_text(text)
    except ValueError as error:
        raise bad(
            f"Invalid format for parameter {name}: "
            f"error parsing '{text}' as RFC3339 or 2006-01-02 time"
        ) from error
