"""What is known of orders, so that each change is told once, however often and late it arrives."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from typing import Final

import attrs

from bot_v2.features.brokerages.core.errors import (
    BrokerageError,
    InvalidFieldError,
    OrderNotFoundError,
)
from bot_v2.features.brokerages.core.events import OrderEvent
from bot_v2.features.brokerages.core.fills import Fill
from bot_v2.features.brokerages.core.order_reports import order_after_report
from bot_v2.features.brokerages.core.order_status import ENDED_STATUSES
from bot_v2.features.brokerages.core.orders import Order

ENDED_MAX: Final = 10_000
"""How many orders are remembered after their end, against late and repeated reports."""

NEWS: Final = (
    "status",
    "filled_quantity",
    "quantity",
    "notional",
    "price",
    "stop_price",
    "expires_at",
    "replaced_by",
)
"""What a change of makes an event. One report tells more of an order than another does: that it is
said when, or in other words, is no change of the order."""

RETRY_MIN_S: Final = 1.0
RETRY_MAX_S: Final = 60.0
"""The waits between two readings that fail, in seconds: the first, and the longest."""

ABSENCE_S: Final = 5.0
"""How long an order has to be absent to count as gone, in seconds: a new one may not show yet."""

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
        self._keep(order)
        if known is not None and _terms(order) == _terms(known) and not is_new_fill:
            return
        yield OrderEvent(order=order, fill=fill if is_new_fill else None)

    def report_with(self, reported: Order, fills: Sequence[Fill]) -> Iterator[OrderEvent]:
        """Yield an event for each execution that is news, or the one of a report without any.

        Raises:
            InvalidFieldError: as `report`.
        """
        told = False
        for fill in fills:
            for event in self.report(reported, fill):
                told = True
                yield event
        if not told:
            yield from self.report(reported)

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


def _terms(order: Order) -> tuple[object, ...]:
    return tuple(getattr(order, name) for name in NEWS)


class OrderAudit:
    """Reads the orders as a whole: at the beginning, when some may have been missed, now and then.

    For one thread, across the connections of a stream.

    Args:
        known: what is known, and learns.
        read: reads the orders over HTTP, newest first.
        find: reads one that lived and is not among them; OrderNotFoundError where there is none.
        gone: returns what it means that there is none, after `ABSENCE_S`. None: nothing is known
            to mean that.
        interval_s: how often they are read while nothing is known to be missed, in seconds: a
            stream may leave out what it should say, without a sign.
        monotonic: the seconds of a clock that never goes back.
    """

    def __init__(
        self,
        known: KnownOrders,
        read: Callable[[], Sequence[Order]],
        interval_s: float,
        monotonic: Callable[[], float] = time.monotonic,
        *,
        find: Callable[[str], Order] | None = None,
        gone: Callable[[Order], Order] | None = None,
    ) -> None:
        """Start without having read."""
        self._known = known
        self._read = read
        self._find = find
        self._gone = gone
        self._absent_since: dict[str, float] = {}
        self._interval_s = interval_s
        self._monotonic = monotonic
        self._due_at = 0.0
        self._pause_s = RETRY_MIN_S
        self.has_learnt = False
        """Whether they were ever read."""
        self.is_whole = False
        """Whether nothing is known to be missed."""

    def restart(self) -> None:
        """Note that a new connection begins: whatever was said since the last one was missed."""
        self.is_whole = False
        self._due_at = 0.0
        self._pause_s = RETRY_MIN_S

    def miss(self) -> None:
        """Note that something may have been missed: the orders are read at the next opportunity."""
        if self.is_whole:
            self.is_whole = False
            self._due_at = 0.0

    def due(self) -> Iterator[OrderEvent]:
        """Read the orders if it is time to, and yield what is news; nothing of the first reading.

        Raises:
            BrokerageError: they cannot be read, and never were.
        """
        now = self._monotonic()
        if now < self._due_at:
            return
        try:
            orders = self._read()
        except BrokerageError:
            self._due_at = self._monotonic() + self._pause_s
            self._pause_s = min(2 * self._pause_s, RETRY_MAX_S)
            if not self.has_learnt:
                raise
            return
        self._due_at = self._monotonic() + self._interval_s
        self._pause_s = RETRY_MIN_S
        self.is_whole = True
        if not self.has_learnt:
            self._known.learn(orders)
            self.has_learnt = True
            return
        yield from self._known.report_all(orders)
        yield from self._look_for({order.order_id for order in orders})

    def _look_for(self, listed: Set[str]) -> Iterator[OrderEvent]:
        """Look for what lived, and is in no list of what lives or ended."""
        absent = [order_id for order_id in self._known.live_ids() if order_id not in listed]
        now, since = self._monotonic(), self._absent_since
        self._absent_since = {}
        for order_id in absent:
            known = self._known.get(order_id)
            try:
                if self._find is not None:
                    yield from self._known.report(self._find(order_id))
            except OrderNotFoundError:
                began = since.get(order_id, now)
                if known is not None and self._gone is not None and now - began >= ABSENCE_S:
                    yield from self._known.report(self._gone(known))
                else:
                    self._absent_since[order_id] = began
                    self._due_at = min(self._due_at, now + ABSENCE_S)
            except BrokerageError:
                self.miss()


@attrs.frozen
class OrderDesk:
    """What the talks of one stream of orders have in common, connection after connection."""

    known: KnownOrders
    """What is known of orders."""
    audit: OrderAudit
    """Reads them as a whole."""
    read: Callable[[str], Order]
    """Reads one of them by its id."""
