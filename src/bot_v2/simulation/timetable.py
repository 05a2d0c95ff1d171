"""What happens by itself at a moment: orders arrive, cancels arrive, orders expire."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from heapq import heapify, heappop, heappush
from itertools import count
from typing import Final

from bot_v2.simulation.desk import is_live
from bot_v2.simulation.records import OrderRecord

SPARE: Final = 64
"""How many entries that mean nothing any more are kept before they are swept out."""


class Due(StrEnum):
    """What becomes due."""

    ARRIVAL = "arrival"
    """The order reaches the market."""
    CANCEL = "cancel"
    """The cancel reaches the market."""
    EXPIRY = "expiry"
    """The order's time is over."""


class Timetable:
    """A heap of moments with lazy deletion; the order itself says whether an entry still holds."""

    def __init__(self) -> None:
        """Start empty."""
        self._heap: list[tuple[datetime, int, Due, OrderRecord]] = []
        self._numbers = count()
        self._swept_at = SPARE

    def add(self, moment: datetime, due: Due, record: OrderRecord) -> None:
        """Note what becomes due for an order, and when."""
        heappush(self._heap, (moment, next(self._numbers), due, record))
        if len(self._heap) > self._swept_at:
            self._heap = [entry for entry in self._heap if _holds(*entry)]
            heapify(self._heap)
            self._swept_at = 2 * len(self._heap) + SPARE

    def add_all(self, record: OrderRecord) -> None:
        """Note all that is ahead of a live order."""
        if record.due_at is not None:
            self.add(record.due_at, Due.ARRIVAL, record)
        if record.cancel_at is not None:
            self.add(record.cancel_at, Due.CANCEL, record)
        if record.expires_at is not None:
            self.add(record.expires_at, Due.EXPIRY, record)

    def pop_until(self, moment: datetime) -> tuple[datetime, Due, OrderRecord] | None:
        """Return the first thing due at or before a moment, and strike it out. None: nothing is."""
        heap = self._heap
        while heap and heap[0][0] <= moment:
            when, number, due, record = heappop(heap)
            if _holds(when, number, due, record):
                return when, due, record
        return None


def _holds(moment: datetime, _: int, due: Due, record: OrderRecord) -> bool:
    if not is_live(record):
        return False
    if due is Due.ARRIVAL:
        return record.due_at == moment
    if due is Due.CANCEL:
        return record.cancel_at == moment
    return record.expires_at == moment
