"""Moments as TWS writes and reads them. Pure."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bot_v2.features.brokerages.ibkr.wire import MalformedError

_MOMENT: Final = re.compile(r"(\d{8})(?P<gap>-|[ ]+)(\d\d:\d\d(?::\d\d)?)(?:[ ]+(\S.*))?", re.ASCII)
_DAY: Final = re.compile(r"\d{8}", re.ASCII)

_ZONES: Final = {
    # what TWS calls a zone: its name in the data base of zones, where that is another
    "EST": "America/New_York",
    "EST5EDT": "America/New_York",
    "CST": "America/Chicago",
    "MST": "America/Denver",
    "PST": "America/Los_Angeles",
    "GMT": "UTC",
    "BST": "Europe/London",
    "MET": "Europe/Berlin",
    "CET": "Europe/Berlin",
    "JST": "Asia/Tokyo",
    "Central European Standard Time": "Europe/Berlin",
    "Eastern Standard Time": "America/New_York",
}


def zone_of(name: str) -> ZoneInfo:
    """Return the zone that TWS names.

    Raises:
        MalformedError: there is none of that name.
    """
    # Some are told with their name in full behind them: `EST (Eastern Standard Time)`.
    bare = name.partition("(")[0].strip()
    try:
        return ZoneInfo(_ZONES.get(bare, bare))
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise MalformedError(f"{name!r} is no known time zone") from error


def moment_from_native(text: str, default: ZoneInfo | None) -> datetime:
    """Return a moment: with a zone behind it, or with a hyphen inside, which stands for UTC.

    Args:
        text: as TWS tells it.
        default: the zone where the text names none. None: such a text is an error.

    Raises:
        MalformedError: it is no moment, or one in an unknown zone.
    """
    found = _MOMENT.fullmatch(text.strip())
    if found is None:
        raise MalformedError(f"{text!r} is no moment")
    day, clock, name = found[1], found[3], found[4]
    layout = "%Y%m%d %H:%M:%S" if clock.count(":") == 2 else "%Y%m%d %H:%M"
    try:
        moment = datetime.strptime(f"{day} {clock}", layout).replace(tzinfo=UTC)
    except ValueError as error:
        raise MalformedError(f"{text!r} is no moment") from error
    if name is not None:
        return moment.replace(tzinfo=zone_of(name)).astimezone(UTC)
    if found["gap"] == "-":
        return moment
    if default is None:
        raise MalformedError(f"{text!r} names no time zone: set IBKR_TIME_ZONE to that of TWS")
    return moment.replace(tzinfo=default).astimezone(UTC)


def moment_to_native(moment: datetime) -> str:
    """Return a moment as orders and requests name it: in UTC, to the second."""
    return f"{moment.astimezone(UTC):%Y%m%d-%H:%M:%S}"


def day_from_native(text: str) -> date | None:
    """Return a day; None where a month alone is told, or nothing.

    Raises:
        MalformedError: eight digits that are no day.
    """
    if _DAY.fullmatch(text) is None:
        return None
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError as error:
        raise MalformedError(f"{text!r} is no day") from error
