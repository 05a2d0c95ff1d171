"""Retry-After: how long a server asks to wait, in seconds or as a date."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from bot_v2.shared.types import Clock


def retry_after_s(headers: Mapping[str, str], clock: Clock) -> float | None:
    """Return the seconds to wait; never below zero. None: the server does not say, or not clearly.

    Args:
        headers: the reply's, looked up in any case.
        clock: against which a date is read.
    """
    text = headers.get("Retry-After", "").strip()
    if not text:
        return None
    if text.isascii() and text.replace(".", "", 1).isdigit():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max((_aware(moment) - clock()).total_seconds(), 0.0)


def _aware(moment: datetime) -> datetime:
    """Return a moment with its zone; HTTP's dates are in UTC where they do not say."""
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
