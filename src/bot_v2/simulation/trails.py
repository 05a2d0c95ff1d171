"""Triggers that follow the price: at a distance, and in one direction only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Final

from bot_v2.features.brokerages.core.decimals import EXACT, Rounding
from bot_v2.features.brokerages.core.increments import quantize_price
from bot_v2.features.brokerages.core.order_terms import OrderSide
from bot_v2.features.brokerages.core.products import Product
from bot_v2.simulation.records import OrderRecord

PERCENT: Final = Decimal("0.01")


def trail_stop(product: Product, record: OrderRecord, extreme: Decimal) -> Decimal:
    """Return the trigger of a trail that has seen an extreme, on the grid, never nearer to it."""
    if record.trail_amount is not None:
        distance = record.trail_amount
    else:
        percent = EXACT.multiply(record.trail_percent or Decimal(0), PERCENT)
        distance = EXACT.multiply(extreme.copy_abs(), percent)
    if record.side is OrderSide.SELL:
        return quantize_price(product, EXACT.subtract(extreme, distance), Rounding.FLOOR)
    return quantize_price(product, EXACT.add(extreme, distance), Rounding.CEILING)


class TrailSet:
    """The trailing orders of one side. Looked through only when the price passes an extreme."""

    __slots__ = ("_bound", "_records")

    def __init__(self) -> None:
        """Start empty."""
        self._records: dict[str, OrderRecord] = {}
        self._bound: Decimal | None = None

    def __len__(self) -> int:
        """How many orders trail."""
        return len(self._records)

    def add(self, record: OrderRecord) -> None:
        """Let an order trail."""
        first = not self._records
        self._records[record.order_id] = record
        extreme = record.trail_extreme
        if extreme is None or first:
            self._bound = extreme
        elif self._bound is not None:
            worse = min if record.side is OrderSide.SELL else max
            self._bound = worse(self._bound, extreme)

    def leave(self, record: OrderRecord) -> None:
        """Take an order out, if it is in."""
        self._records.pop(record.order_id, None)

    def passed_by(
        self, side: OrderSide, price: Decimal, eligible: Callable[[OrderRecord], bool]
    ) -> Iterator[OrderRecord]:
        """Yield the eligible orders of which the price is a new extreme, and take it for theirs."""
        if not self._records or not _is_beyond(side, price, self._bound):
            return
        bound: Decimal | None = price
        for record in tuple(self._records.values()):
            if not _is_beyond(side, price, record.trail_extreme):
                continue
            if eligible(record):
                record.trail_extreme = price
                yield record
            else:
                bound = self._bound
        self._bound = bound


def _is_beyond(side: OrderSide, price: Decimal, extreme: Decimal | None) -> bool:
    if extreme is None:
        return True
    return price > extreme if side is OrderSide.SELL else price < extreme
