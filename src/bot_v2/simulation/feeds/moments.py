"""Times of price files: exact, and never guessed.

A time is ISO 8601 with its zone (`2024-01-02T14:30:00Z`, `…+05:30`), or Unix time as a number. A
number is in the one unit, of seconds, milliseconds, microseconds and nanoseconds, that puts it
between the years 1990 and 2100; one that no unit puts there is refused, so that `20240102` is
not taken for a moment in 1970. A time without a zone is refused unless the caller names the zone.
What is finer than a microsecond is cut: a datetime has no place for it.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from bot_v2.features.brokerages.core.decimals import EXACT, Rounding, round_to_places
from bot_v2.features.brokerages.core.errors import InvalidFieldError

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_UNIX = re.compile(r"[0-9]{9,20}(?:\.[0-9]{1,9})?", re.ASCII)
_FIRST_S: Final = Decimal(631152000)  # 1990-01-01
_END_S: Final = Decimal(4102444800)  # 2100-01-01
_PLACES_BY_UNIT: Final = {"s": 0, "ms": 3, "us": 6, "ns": 9}

ACCEPTED: Final = (
    "ISO 8601 with a zone, such as 2024-01-02T14:30:00Z, or Unix time in s, ms, us or ns "
    "between 1990 and 2100"
)


def zone_of(name: str | None) -> tzinfo | None:
    """Return the time zone of that name, such as America/New_York. None for None.

    Raises:
        InvalidFieldError: no zone has that name.
    """
    if name is None:
        return None
    try:
        return UTC if name == "UTC" else ZoneInfo(name)
    except (OSError, ValueError, LookupError) as error:
        raise InvalidFieldError("zone", name, "a time zone, such as America/New_York") from error


def moment_from_text(text: str, zone: tzinfo | None = None) -> datetime:
    """Return the moment that a text names, in UTC.

    Args:
        text: ISO 8601, or Unix time.
        zone: the zone of a time that states none. None: such a time is refused.

    Raises:
        InvalidFieldError: the text is no time, has no zone, or is one that its zone's clocks
            skip or show twice.
    """
    if _UNIX.fullmatch(text) is not None:
        return moment_from_unix(Decimal(text), text)
    if text.isdecimal():  # a date written in digits alone, and other numbers out of range
        raise InvalidFieldError("time", text, ACCEPTED, outcome=None)
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError) as error:
        raise InvalidFieldError("time", text, ACCEPTED, outcome=None) from error
    return moment_in_utc(moment, text, zone)


def moment_in_utc(moment: datetime, shown: object, zone: tzinfo | None = None) -> datetime:
    """Return a moment in UTC, read by `zone` where it states none.

    Raises:
        InvalidFieldError: it has no zone, or its zone's clocks skip it or show it twice.
    """
    if moment.tzinfo is not None:
        return moment.astimezone(UTC)
    if zone is None:
        raise InvalidFieldError("time", shown, f"{ACCEPTED}; or zone= given", outcome=None)
    local = moment.replace(tzinfo=zone)
    if local.utcoffset() != local.replace(fold=1).utcoffset():
        raise InvalidFieldError(
            "time", shown, f"a time that the clocks of {zone} show once", outcome=None
        )
    return local.astimezone(UTC)


def moment_from_unix(number: Decimal, shown: object) -> datetime:
    """Return the moment of a Unix time, in the unit that puts it between 1990 and 2100.

    Raises:
        InvalidFieldError: no unit does.
    """
    for places in _PLACES_BY_UNIT.values():
        seconds = number.scaleb(-places, EXACT)
        if _FIRST_S <= seconds < _END_S:
            microseconds = round_to_places(seconds.scaleb(6, EXACT), 0, Rounding.FLOOR)
            return EPOCH + timedelta(microseconds=int(microseconds))
    raise InvalidFieldError("time", shown, ACCEPTED, outcome=None)
