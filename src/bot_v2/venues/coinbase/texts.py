"""Numbers and moments as Coinbase prints them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

from bot_v2.features.brokerages.core.decimals import EXACT, Rounding, decimal_to_text, divide

BALANCE_PLACES: Final = 16
"""Decimal places of a balance of a coin."""

MEAN_PLACES: Final = 16
"""Decimal places of a mean price, before zeros at the end are left out."""

_MOMENT: Final = re.compile(r"(.+?)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)", re.ASCII)


def plain(value: Decimal) -> str:
    """Return a number without zeros at its end: `0.10` is `0.1`, and `1E+2` is `100`."""
    return decimal_to_text(value.normalize(EXACT)) if value else "0"


def padded(value: Decimal, places: int) -> str:
    """Return a number with so many decimal places, or with more where it has digits there."""
    value = value.normalize(EXACT)
    if int(value.as_tuple().exponent) > -places:
        value = value.quantize(Decimal(1).scaleb(-places), context=EXACT)
    return decimal_to_text(value)


def mean(total: Decimal, by: Decimal) -> Decimal:
    """Return a quotient to as many places as a mean price is printed with; zero over nothing."""
    return divide(total, by, MEAN_PLACES, Rounding.HALF_EVEN) if by else Decimal(0)


def moment_text(moment: datetime, skew: timedelta = timedelta(0)) -> str:
    """Return a moment as RFC 3339, to the microsecond."""
    return f"{moment + skew:%Y-%m-%dT%H:%M:%S.%f}Z"


def moment_from_text(text: str) -> datetime:
    """Return the moment that a text of RFC 3339 names; finer than a microsecond is cut.

    Raises:
        ValueError: it is none.
    """
    found = _MOMENT.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no RFC 3339 timestamp")
    whole, fraction, zone = found.groups()
    moment = datetime.fromisoformat(f"{whole}.{(fraction or '0')[:6]:<06}{zone}")
    return moment.astimezone(UTC)
