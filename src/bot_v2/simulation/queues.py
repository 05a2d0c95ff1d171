"""Orders that wait for a price, best price first and oldest first at the same price."""

from __future__ import annotations

from decimal import Decimal
from heapq import heapify, heappop, heappush
from typing import Final

from bot_v2.simulation.records import OrderRecord

SPARE: Final = 64
"""How many dead entries a queue may keep before it looks whether they are most of it."""


class PriceQueue:
    """A heap with lazy deletion: who left is dropped where it is met, so leaving costs nothing.

    An entry lives as long as its number is the order's `priority`. Once most entries are dead they
    are swept out together, so a queue never holds more than about twice what lives in it.
    """

    __slots__ = ("_descending", "_heap", "_live")

    def __init__(self, *, descending: bool) -> None:
        """Start empty; `descending` puts the highest price first."""
        self._descending = descending
        self._heap: list[tuple[Decimal, int, OrderRecord]] = []
        self._live = 0

    def __len__(self) -> int:
        """How many orders wait."""
        return self._live

    def add(self, price: Decimal, record: OrderRecord) -> None:
        """Let an order wait at a price; its `priority` is its place among its equals."""
        key = price.copy_negate() if self._descending else price
        heappush(self._heap, (key, record.priority, record))
        self._live += 1

    def leave(self, record: OrderRecord) -> None:
        """Take an order out, wherever it is."""
        record.priority = 0
        self._live -= 1
        if len(self._heap) > 2 * self._live + SPARE:
            self._heap = [entry for entry in self._heap if entry[1] == entry[2].priority]
            heapify(self._heap)

    def first(self) -> OrderRecord | None:
        """Return the first order without taking it out. None: nobody waits."""
        heap = self._heap
        while heap:
            _, priority, record = heap[0]
            if record.priority == priority:
                return record
            heappop(heap)
        return None

    def first_price(self) -> Decimal | None:
        """Return the price of the first order. None: nobody waits."""
        if self.first() is None:
            return None
        key = self._heap[0][0]
        return key.copy_negate() if self._descending else key

    def records(self) -> list[OrderRecord]:
        """Return everyone who waits, in no order."""
        return [record for _, priority, record in self._heap if record.priority == priority]
