"""What is known of orders, so that each change is told once, however often and late it arrives."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from bot_v2.features.brokerages.core.errors import InvalidFieldError
from bot_v2.features.brokerages.core.events import OrderEvent
from bot_v2.features.brokerages.core.fills import Fill
from bot_v2.features.brokerages.core.order_reports import order_after_report
from bot_v2.features.brokerages.core.order_status import ENDED_STATUSES
from bot_v2.features.brokerages.core.orders import Order

ENDED_MAX: Final = 10_000
"""How many orders are remembered after their end, against late and repeated reports."""

FILLS_MAX: Final = 10_000
"""How many executions are remembered, against repeated ones."""


class KnownOrders:
    """Makes events of reports: by core's rules, and none of a report that changes nothing.

    For one thread. Orders that have ended are forgotten in time, the first that ended first.

    Args:
        ended_max: how many of them are remembered.
    """

    def __init__(self, ended_max: int = ENDED_MAX) -> None:
        """Know nothing."""
        self._live: dict[str, Order] = {}
        self._ended: dict[str, Order] = {}
        self._ended_max = ended_max
        self._fills: dict[tuple[str, str, str], None] = {}

    def get(self, order_id: str) -> Order | None:
        """Return an order as it is known. None: nothing is."""
        return self._live.get(order_id) or self._ended.get(order_id)

    def live_ids(self) -> list[str]:
        """Return the ids of the orders that have not ended, as far as is known."""
        return list(self._live)

    def learn(self, orders: Iterable[Order]) -> None:
        """Take orders for known, without a word."""
        for order in orders:
            self._keep(order)

    def report(self, reported: Order, fill: Fill | None = None) -> Iterator[OrderEvent]:
        """Yield the event of a report; nothing where neither order nor execution is news.

        Raises:
            InvalidFieldError: the report and what is known cannot both be true.
        """
        known = self.get(reported.order_id)
        order = reported if known is None else order_after_report(known, reported)
        is_new_fill = fill is not None and self._is_new(fill)
        if order == known and not is_new_fill:
            return
        self._keep(order)
        yield OrderEvent(order=order, fill=fill if is_new_fill else None)

    def report_all(self, orders: Iterable[Order]) -> Iterator[OrderEvent]:
        """Yield what a whole reading has for news, oldest first of orders that come newest first.

        A report that contradicts what is known takes its place: it was read as a whole.
        """
        for order in reversed(list(orders)):
            try:
                yield from self.report(order)
            except InvalidFieldError:
                self._keep(order)
                yield OrderEvent(order=order)

    def _is_new(self, fill: Fill) -> bool:
        key = (fill.symbol, fill.order_id, fill.trade_id)
        if key in self._fills:
            return False
        self._fills[key] = None
        if len(self._fills) > FILLS_MAX:
            del self._fills[next(iter(self._fills))]
        return True

    def _keep(self, order: Order) -> None:
        self._live.pop(order.order_id, None)
        self._ended.pop(order.order_id, None)
        if order.status not in ENDED_STATUSES:
            self._live[order.order_id] = order
            return
        self._ended[order.order_id] = order
        if len(self._ended) > self._ended_max:
            del self._ended[next(iter(self._ended))]
