"""Numbers and moments as Alpaca prints them."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Final

from bot_v2.features.brokerages.core.decimals import EXACT, Rounding, decimal_to_text, divide
from bot_v2.venues.alpaca.hours import EASTERN

RATIO_PLACES: Final = 16
"""Decimal places of a ratio, such as a profit in percent."""

_MOMENT: Final = re.compile(r"(.+?)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)", re.ASCII)


def plain(value: Decimal) -> str:
    """Return a number without zeros at its end: `0.10` is `0.1`, and `1E+2` is `100`."""
    return decimal_to_text(value.normalize(EXACT)) if value else "0"


def plain_or_none(value: Decimal | None) -> str | None:
    """Return a number without zeros at its end; None where there is none."""
    return None if value is None else plain(value)


def ratio(part: Decimal, whole: Decimal) -> Decimal:
    """Return a part over a whole; zero over nothing."""
    return divide(part, whole, RATIO_PLACES, Rounding.HALF_EVEN) if whole else Decimal(0)


def moment_text(moment: datetime, skew: timedelta = timedelta(0)) -> str:
    """Return a moment as RFC 3339, in UTC; zeros at the end of the fraction are left out."""
    told = moment + skew
    fraction = f"{told:.%f}".rstrip("0")
    return f"{told:%Y-%m-%dT%H:%M:%S}{fraction if fraction != '.' else ''}Z"


def moment_or_none(moment: datetime | None, skew: timedelta = timedelta(0)) -> str | None:
    """Return a moment as RFC 3339; None where there is none."""
    return None if moment is None else moment_text(moment, skew)


def eastern_text(moment: datetime) -> str:
    """Return a moment with New York's offset, as the clock tells it."""
    return moment.astimezone(EASTERN).isoformat()


def moment_from_text(text: str) -> datetime:
    """Return the moment that a text of RFC 3339 names; finer than a microsecond is cut.

    A date is its midnight in UTC.

    Raises:
        ValueError: it is neither.
    """
    # A plus in a query that nobody encoded arrives as a space.
    cleaned = text.strip().replace(" ", "+") if "T" in text else text.strip()
    found = _MOMENT.fullmatch(cleaned)
    if found is None:
        return datetime.combine(date.fromisoformat(cleaned), datetime.min.time(), tzinfo=UTC)
    whole, fraction, zone = found.groups()
    moment = datetime.fromisoformat(f"{whole}.{(fraction or '0')[:6]:<06}{zone}")
    return moment.astimezone(UTC)
