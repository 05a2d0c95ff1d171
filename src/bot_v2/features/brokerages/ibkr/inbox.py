"""Who waits for what on a connection: each message goes to the question that it answers.

Wants to be used in the loop of the connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final, Protocol

import attrs

from bot_v2.features.brokerages.ibkr import wire
from bot_v2.features.brokerages.ibkr.error_table import (
    CLIENT_ID_IN_USE,
    DATA_LOST,
    LINK_LOST,
    RATE,
    Sense,
    row_of,
)
from bot_v2.features.brokerages.ibkr.errors import LostError, NativeError
from bot_v2.features.brokerages.ibkr.order_memory import OrderMemory
from bot_v2.features.brokerages.ibkr.order_writes import Write
from bot_v2.features.brokerages.ibkr.wire import (
    ContractRow,
    DetailsRow,
    ErrorRow,
    ExecutionRow,
    Fields,
    MalformedError,
    MarginRow,
    NativeOrder,
    OrderRow,
    StatusRow,
)

OPEN_ORDERS: Final = "open_orders"
COMPLETED_ORDERS: Final = "completed_orders"
ACCOUNTS: Final = "accounts"
TIME: Final = "time"


@attrs.define(eq=False)
class Reading:
    """A question, and what came of its answer."""

    done: asyncio.Future[None] = attrs.field(
        factory=lambda: asyncio.get_running_loop().create_future()
    )
    """Is there once the answer is whole."""
    rows: list[Any] = attrs.field(factory=list)
    """What came, in order."""
    orders: dict[int, OrderRow] = attrs.field(factory=dict)
    """The orders that came, by permanent id."""
    statuses: dict[int, StatusRow] = attrs.field(factory=dict)
    """The statuses that came, by permanent id."""

    def end(self) -> None:
        """Take in that the answer is whole."""
        if not self.done.done():
            self.done.set_result(None)

    def fail(self, error: Exception) -> None:
        """Take in that there will be no answer, or a bad one."""
        if not self.done.done():
            self.done.set_exception(error)
            # Who waits may be gone: then nobody will ask for the error.
            self.done.exception()


class Feed(Protocol):
    """Who is told of a contract's market from now on."""

    def on_fields(self, name: str, fields: Fields) -> None:
        """Take in a message."""

    def on_chunk(self) -> None:
        """Take in that what came at once has been told."""

    def fail(self, error: Exception) -> None:
        """Take in that nothing more will come."""


class Listener(Protocol):
    """Who is told of every order, and of the connection."""

    def on_order(self, row: OrderRow) -> None:
        """Take in that an order changed."""

    def on_status(self, row: StatusRow) -> None:
        """Take in that an order's status changed."""

    def on_execution(self, row: ExecutionRow) -> None:
        """Take in an execution."""

    def on_gap(self, reason: str, *, must_resubscribe: bool) -> None:
        """Take in that something may have been missed."""


class Inbox:
    """Gives each message of one connection to who waits for it."""

    def __init__(self, listener: Listener) -> None:
        """Wait for nothing yet."""
        self.memory = OrderMemory()
        """What was told of orders."""
        self.native: dict[int, NativeOrder] = {}
        """The orders that live, as the vendor's client has them, by permanent id."""
        self.reads: dict[int, Reading] = {}
        """The questions that have a number."""
        self.slots: dict[str, Reading] = {}
        """The questions that have none, by what is asked: one of each at a time."""
        self.writes: dict[int, list[Write]] = {}
        """What was sent about orders, by the number of the order on this connection."""
        self.feeds: dict[int, Feed] = {}
        """Who is told of a market, by the number of the subscription."""
        self.is_link_lost = False
        """Whether TWS has lost the broker's servers, by its own word."""
        self.refused: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Fails when TWS will not have this client."""
        self.is_broken = False
        """Whether an answer came that could not be read: the next one is asked for elsewhere."""
        self._listener = listener
        self._heard: set[int] = set()
        self._handlers: dict[str, Callable[[Fields], None]] = {
            "order_status": self._status,
            "execution": self._execution,
            "commission": lambda fields: self.memory.take_commission(
                wire.commission_from_fields(fields)
            ),
            "accounts": self._accounts,
            "time": lambda fields: self._end_slot(TIME, [wire.whole(fields[2])]),
            "open_orders_end": self._open_orders_end,
            "completed_orders_end": lambda _: self._end_slot(COMPLETED_ORDERS),
            "price_rule": self._price_rule,
            "position": lambda fields: self._add(*wire.position_from_fields(fields)),
            "value": lambda fields: self._add(*wire.value_from_fields(fields)),
            "bars": self._bars,
            "option_parameters": lambda fields: self._add(wire.whole(fields[1]), fields),
            "option_parameters_end": lambda fields: self._end(wire.whole(fields[1])),
        }
        ends = ("details_end", "executions_end", "positions_end", "values_end")
        self._handlers |= dict.fromkeys(ends, lambda fields: self._end(wire.whole(fields[2])))

    # What the client tells

    def on_fields(self, name: str, fields: Fields) -> None:
        """Take in a message as it was split."""
        handler = self._handlers.get(name)
        if handler is not None:
            handler(fields)
        elif name in _OF_FEEDS:
            request_id = wire.whole(fields[_OF_FEEDS[name]])
            feed = self.feeds.get(request_id)
            if feed is not None:
                feed.on_fields(name, fields)
                self._heard.add(request_id)

    def on_order(self, order: OrderRow, margin: MarginRow | None, native: NativeOrder) -> None:
        """Take in an order that lives; of one that was not placed, what it would do."""
        for write in self.writes.get(order.order_id, ()):
            write.on_order(order, margin)
        if margin is not None or not order.perm_id:
            return
        self.memory.take_order(order)
        self.native[order.perm_id] = native
        reading = self.slots.get(OPEN_ORDERS)
        if reading is not None:
            reading.orders[order.perm_id] = order
        self._listener.on_order(order)

    def on_completed(self, order: OrderRow) -> None:
        """Take in an order that ended."""
        reading = self.slots.get(COMPLETED_ORDERS)
        if reading is not None:
            reading.orders[order.perm_id] = order

    def on_details(self, request_id: int, details: DetailsRow) -> None:
        """Take in a contract."""
        self._add(request_id, details)

    def on_samples(self, request_id: int, contracts: list[ContractRow]) -> None:
        """Take in what a search found."""
        for contract in contracts:
            self._add(request_id, contract)
        self._end(request_id)

    def on_error(self, error: ErrorRow) -> None:
        """Take in an error, a warning or news."""
        row = row_of(error.code)
        sense = None if row is None else row.sense
        native = NativeError(error.code, error.text)
        if sense is Sense.LINK:
            self._link(error.code, error.text)
        elif error.request_id == wire.NO_REQUEST:
            self._unaddressed(native, sense)
        elif error.request_id in self.reads:
            if sense is not Sense.WARNING:
                self.reads[error.request_id].fail(native)
        elif error.request_id in self.feeds:
            if sense is not Sense.WARNING:
                self.feeds[error.request_id].fail(native)
        else:
            for write in self.writes.get(error.request_id, ()):
                write.on_error(error)

    def on_malformed(self, error: Exception) -> None:
        """Take in that a message could not be read: it may have been an answer to any question.

        More of that answer may follow, and would be taken for a part of the next one.
        """
        self.is_broken = self.is_broken or bool(self.reads or self.slots or self.feeds)
        for reading in (*self.reads.values(), *self.slots.values()):
            reading.fail(MalformedError(str(error)))
        for feed in list(self.feeds.values()):
            feed.fail(MalformedError(str(error)))

    def on_chunk(self) -> None:
        """Take in that what came at once has been told."""
        for writes in self.writes.values():
            for write in writes:
                write.on_chunk()
        heard, self._heard = self._heard, set()
        for request_id in heard:
            feed = self.feeds.get(request_id)
            if feed is not None:
                feed.on_chunk()

    def lose(self) -> None:
        """Take in that the connection ended."""
        lost = LostError()
        for reading in (*self.reads.values(), *self.slots.values()):
            reading.fail(lost)
        for write in [write for writes in self.writes.values() for write in writes]:
            write.fail(lost)
        for feed in list(self.feeds.values()):
            feed.fail(lost)
        if not self.refused.done():
            self.refused.set_exception(lost)
            self.refused.exception()

    # What it comes to

    def _status(self, fields: Fields) -> None:
        row = wire.status_from_fields(fields)
        self.memory.take_status(row)
        for write in self.writes.get(row.order_id, ()):
            write.on_status(row)
        reading = self.slots.get(OPEN_ORDERS)
        if reading is not None:
            reading.statuses[row.perm_id] = row
        self._listener.on_status(row)

    def _execution(self, fields: Fields) -> None:
        request_id, row = wire.execution_from_fields(fields)
        is_new = self.memory.take_execution(row)
        if request_id in self.reads:
            self._add(request_id, row)
        elif is_new:
            self._listener.on_execution(row)

    def _accounts(self, fields: Fields) -> None:
        self._end_slot(ACCOUNTS, [one for one in fields[2].split(",") if one])

    def _open_orders_end(self, fields: Fields) -> None:
        wire.whole(fields[1])
        self._end_slot(OPEN_ORDERS)

    def _price_rule(self, fields: Fields) -> None:
        number, steps = wire.increments_from_fields(fields)
        self._end_slot(rule_slot(number), steps)

    def _bars(self, fields: Fields) -> None:
        request_id, bars = wire.bars_from_fields(fields)
        for bar in bars:
            self._add(request_id, bar)
        self._end(request_id)

    def _add(self, request_id: int, row: Any) -> None:
        reading = self.reads.get(request_id)
        if reading is not None:
            reading.rows.append(row)

    def _end(self, request_id: int) -> None:
        reading = self.reads.get(request_id)
        if reading is not None:
            reading.end()

    def _end_slot(self, name: str, rows: list[Any] | None = None) -> None:
        reading = self.slots.get(name)
        if reading is not None:
            reading.rows.extend(rows or ())
            reading.end()

    def _unaddressed(self, error: NativeError, sense: Sense | None) -> None:
        """Take in an error that belongs to no request, as far as it says."""
        if error.code == CLIENT_ID_IN_USE and not self.refused.done():
            self.refused.set_exception(error)
            self.refused.exception()
        if sense not in (Sense.FAILURE, Sense.REFUSAL):
            return
        concerned = list(self.slots.values())
        if error.code == RATE:
            # Any message may have been the one too many.
            concerned += self.reads.values()
            for feed in list(self.feeds.values()):
                feed.fail(error)
        for reading in concerned:
            reading.fail(error)

    def _link(self, code: int, text: str) -> None:
        self.is_link_lost = code == LINK_LOST
        self._listener.on_gap(text, must_resubscribe=code == DATA_LOST)


_OF_FEEDS: Final = {
    # message: where its number is
    "tick_price": 2,
    "tick_size": 2,
    "tick_text": 2,
    "snapshot_end": 2,
    "depth": 2,
    "depth_by_maker": 2,
}


def rule_slot(number: int) -> str:
    """Return what the question for a rule of price steps is called."""
    return f"price_rule {number}"
