"""Journal records as exact text, and the checksums over them."""

from __future__ import annotations

import hashlib
import json
from typing import TypeVar

from bot_v2.features.brokerages.core.errors import InvalidFieldError
from bot_v2.orchestration.journal.records import OrderJournalError
from bot_v2.orchestration.model_json import from_json, to_json

_T = TypeVar("_T")


def record_to_text(record: object) -> str:
    """Return a record as JSON, in which no money is a number."""
    return to_json(record)


def record_from_text(text: str, kind: type[_T], where: str) -> _T:
    """Return the record that was written.

    Args:
        text: what the journal holds.
        kind: the record's class.
        where: which row it is, for the error.

    Raises:
        OrderJournalError: it cannot be read as one.
    """
    try:
        return from_json(text, kind)
    except InvalidFieldError as error:
        raise OrderJournalError(f"{where} cannot be read: {error.message}") from error


def checksum_of(before: str, *parts: str) -> str:
    """Return the checksum of some texts and of the checksum before them."""
    content = json.dumps([before, *parts])
    return hashlib.sha256(content.encode()).hexdigest()
