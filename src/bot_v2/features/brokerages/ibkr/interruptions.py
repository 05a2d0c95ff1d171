"""When Interactive Brokers has announced not to serve, or to want somebody to log in. Pure.

Sources: https://www.interactivebrokers.co.uk/en/software/systemStatus.php (the schedule of North
America) and https://ibkrguides.com/traderworkstation/auto-restart-considerations.htm (tokens).
Accounts that are served from Europe or Asia have their own hours, which nothing tells here; when
TWS itself restarts each day is a setting of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import attrs

from bot_v2.features.brokerages.core.access import Interruption

ZONE: Final = ZoneInfo("America/New_York")

AHEAD: Final = timedelta(days=1)
"""How far ahead is looked."""


@attrs.frozen(kw_only=True)
class Announced:
    """Something that is announced for some days of each week."""

    days: frozenset[int]
    """The days on which it begins; 0 is Monday."""
    at: time
    """The local time at which it begins."""
    lasts: timedelta | None
    """How long it may take. None: it is a moment."""
    what: str
    """What happens."""


ANNOUNCED: Final = (
    Announced(
        days=frozenset({0, 1, 2, 3, 4, 6}),
        at=time(0, 15),
        lasts=timedelta(minutes=90),
        what="the nightly reset: connections may be cut, orders wait or are refused",
    ),
    Announced(
        days=frozenset({4}),
        at=time(23),
        lasts=timedelta(hours=4),
        what="the weekend's maintenance: nothing can be reached",
    ),
    Announced(
        days=frozenset({6}),
        at=time(1),
        lasts=None,
        what="the week's login ends: somebody has to log in to TWS, with the second factor",
    ),
)


def interruptions_after(now: datetime) -> tuple[Interruption, ...]:
    """Return what is going on, and what begins within a day, the next one first."""
    found = (one for announced in ANNOUNCED for one in _dates_of(announced, now))
    return tuple(sorted(found, key=lambda one: one.starts_at))


def _dates_of(announced: Announced, now: datetime) -> Iterator[Interruption]:
    today = now.astimezone(ZONE).date()
    for days in (-1, 0, 1):
        day = today + timedelta(days=days)
        if day.weekday() not in announced.days:
            continue
        starts_at = datetime.combine(day, announced.at, tzinfo=ZONE).astimezone(UTC)
        ends_at = None if announced.lasts is None else starts_at + announced.lasts
        if (ends_at or starts_at) > now and starts_at <= now + AHEAD:
            yield Interruption(starts_at=starts_at, ends_at=ends_at, what=announced.what)
