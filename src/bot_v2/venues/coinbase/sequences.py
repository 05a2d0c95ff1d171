"""The numbers of what the Exchange API says of each product, one greater each time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Sequences:
    """Counts by product; books of the API and messages of the feed go by the same numbers.

    Args:
        opened_at: when the venue opened: what is counted from, so that numbers never go back.
    """

    def __init__(self, opened_at: datetime) -> None:
        """Start each product at the same number."""
        self._first = (opened_at - EPOCH) // timedelta(microseconds=1)
        self._counts: dict[str, int] = {}

    def last(self, product_id: str) -> int:
        """Return the number of the latest message."""
        return self._first + self._counts.get(product_id, 0)

    def next(self, product_id: str) -> int:
        """Return the number of one more message."""
        self._counts[product_id] = self._counts.get(product_id, 0) + 1
        return self.last(product_id)
