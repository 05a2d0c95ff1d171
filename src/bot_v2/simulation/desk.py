"""Every order of the account, and what the step that is under way has changed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

from bot_v2.features.brokerages.core.errors import OrderNotFoundError
from bot_v2.features.brokerages.core.events import OrderEvent
from bot_v2.features.brokerages.core.fills import Fill
from bot_v2.features.brokerages.core.order_status import (
    ENDED_STATUSES,
    OrderStatus,
    may_follow,
)
from bot_v2.features.brokerages.core.order_terms import OrderType
from bot_v2.features.brokerages.core.orders import Order
from bot_v2.shared.types import IdSource
from bot_v2.simulation.accounting import Accounting
from bot_v2.simulation.instruments import Instrument
from bot_v2.simulation.journal import Counters, EngineChange, EngineJournal
from bot_v2.simulation.records import ZERO, FillRecord, MarkRecord, OrderRecord
from bot_v2.simulation.views import fill_from_record, order_from_record

Listener = Callable[[OrderEvent], None]

FIRST_NUMBER_WIDTH: Final = 6


class Desk:
    """Keeps orders and fills, moves orders from status to status, and commits each step."""

    def __init__(
        self,
        accounting: Accounting,
        instruments: dict[str, Instrument],
        ids: IdSource | None,
        journal: EngineJournal | None,
        now: datetime,
    ) -> None:
        """Start without orders."""
        self.accounting = accounting
        self.instruments = instruments
        self.now = now
        self.counters = Counters()
        self.orders: dict[str, OrderRecord] = {}
        self.by_client: dict[str, OrderRecord] = {}
        self.live: dict[str, OrderRecord] = {}
        self.groups: dict[str, list[OrderRecord]] = {}
        self.exits: dict[str, list[OrderRecord]] = {}
        self.fills: list[FillRecord] = []
        self.marked: dict[str, Instrument] = {}
        self.listeners: list[Listener] = []
        self._ids = ids
        self._journal = journal
        self._account_id = accounting.settings.account_id
        self._changed: dict[str, OrderRecord] = {}
        self._events: list[OrderEvent] = []
        self.must_store = False
        self._fills_done = 0
        self._transfers_done = 0

    # Orders

    def find(self, order_id: str) -> OrderRecord:
        """Return an order.

        Raises:
            OrderNotFoundError: there is none of that id.
        """
        record = self.orders.get(order_id)
        if record is None:
            raise OrderNotFoundError(f"there is no order {order_id!r}", order_id=order_id)
        return record

    def add(self, record: OrderRecord) -> None:
        """Take in a new order."""
        self.orders[record.order_id] = record
        if record.client_order_id is not None:
            self.by_client[record.client_order_id] = record
        self.live[record.order_id] = record
        self.index_ties(record)

    def drop(self, record: OrderRecord) -> None:
        """Forget the newest order again: it was not taken after all."""
        instrument = self.instruments[record.symbol]
        self.accounting.set_hold(instrument, record, record.hold_asset, ZERO)
        del self.orders[record.order_id], self.live[record.order_id]
        if record.client_order_id is not None:
            del self.by_client[record.client_order_id]
        self._forget(self.groups, record.group_id, record)
        self._forget(self.exits, record.parent_order_id, record)
        self.counters.orders -= 1

    def index_ties(self, record: OrderRecord) -> None:
        """Note which pair an order is one of, and which order it is an exit of."""
        if record.group_id is not None:
            self.groups.setdefault(record.group_id, []).append(record)
        if record.parent_order_id is not None:
            self.exits.setdefault(record.parent_order_id, []).append(record)

    def next_order(self) -> tuple[str, int]:
        """Return the id and the number of a new order."""
        self.counters.orders += 1
        number = self.counters.orders
        made = self._ids() if self._ids is not None else f"o-{number:0{FIRST_NUMBER_WIDTH}}"
        return made, number

    def next_trade(self) -> str:
        """Return the id of a new execution."""
        self.counters.trades += 1
        if self._ids is not None:
            return self._ids()
        return f"t-{self.counters.trades:0{FIRST_NUMBER_WIDTH}}"

    def next_group(self) -> str:
        """Return the id of a new pair."""
        self.counters.groups += 1
        return f"g-{self.counters.groups:0{FIRST_NUMBER_WIDTH}}"

    def next_transaction(self, what: str) -> str:
        """Return the name of a transaction that is no execution."""
        self.counters.transactions += 1
        return f"{what}-{self.counters.transactions}"

    def enqueue(self, instrument: Instrument, record: OrderRecord) -> None:
        """Let an order wait where it belongs, behind its equals."""
        queue, price = instrument.queue_of(record)
        if record.type is OrderType.TRAILING_STOP and not record.triggered:
            instrument.trails(record.side).add(record)
        if price is not None:
            self.counters.priorities += 1
            record.priority = self.counters.priorities
            queue.add(price, record)

    def dequeue(self, instrument: Instrument, record: OrderRecord) -> None:
        """Take an order out of wherever it waits."""
        if record.type is OrderType.TRAILING_STOP and not record.triggered:
            instrument.trails(record.side).leave(record)
        if record.priority:
            instrument.queue_of(record)[0].leave(record)

    # Statuses

    def set_status(
        self, record: OrderRecord, status: OrderStatus, fill: FillRecord | None = None
    ) -> None:
        """Move an order on, and say by which fill, if by one.

        Raises:
            RuntimeError: the status may not follow; the engine would be wrong to go on.
        """
        if not may_follow(record.status, status):
            raise RuntimeError(f"{record.order_id}: {status} may not follow {record.status}")
        record.status = status
        self.touch(record, fill)

    def end(
        self,
        record: OrderRecord,
        status: OrderStatus,
        reason: str | None = None,
        fill: FillRecord | None = None,
    ) -> None:
        """End a live order: it leaves its queue, and nothing is set aside for it any more."""
        instrument = self.instruments[record.symbol]
        self.dequeue(instrument, record)
        if record.hold:
            self.accounting.set_hold(instrument, record, record.hold_asset, ZERO)
        record.due_at = record.cancel_at = None
        if reason is not None:
            record.status_reason = reason
        del self.live[record.order_id]
        self._forget(self.groups, record.group_id, record)
        self._forget(self.exits, record.parent_order_id, record)
        self.set_status(record, status, fill)

    def _forget(
        self, ties: dict[str, list[OrderRecord]], key: str | None, record: OrderRecord
    ) -> None:
        if key is None or key not in ties:
            return
        ties[key] = [other for other in ties[key] if other is not record]
        if not ties[key]:
            del ties[key]

    # The step that is under way

    def touch(self, record: OrderRecord, fill: FillRecord | None = None) -> None:
        """Note that an order changed, and by which fill."""
        record.updated_at = self.now
        self._changed[record.order_id] = record
        if self.listeners:
            shown = None if fill is None else self.show_fill(fill)
            self._events.append(OrderEvent(order=self.show(record), fill=shown))

    def note(self, record: OrderRecord) -> None:
        """Note that a record is to be stored; nothing changed that anyone is told of."""
        self._changed[record.order_id] = record

    @property
    def is_changed(self) -> bool:
        """Whether the step has changed anything that has to be stored."""
        return bool(
            self.must_store
            or self._changed
            or self._fills_done != len(self.fills)
            or self._transfers_done != len(self.accounting.ledger)
        )

    def commit(self) -> None:
        """Store the step. Where nothing changed, nothing is stored."""
        if not self.is_changed:
            return
        self.counters.steps += 1
        accounting = self.accounting
        if self._journal is not None:
            done = self._transfers_done
            self._journal.commit(
                EngineChange(
                    step=self.counters.steps,
                    moment=self.now,
                    orders=list(self._changed.values()),
                    fills=self.fills[self._fills_done :],
                    entries=list(accounting.ledger.entries(done)),
                    balances=accounting.ledger.changed_balances(done),
                    positions=list(accounting.changed_positions.values()),
                    marks=self._take_marks(),
                    counters=self.counters,
                )
            )
        self.settle()

    def tell(self) -> None:
        """Tell the listeners what was committed."""
        events, self._events = self._events, []
        for event in events:
            for listener in tuple(self.listeners):
                listener(event)

    def settle(self) -> None:
        """Take everything that there is for stored."""
        self.must_store = False
        self._changed.clear()
        self.accounting.changed_positions.clear()
        self._fills_done = len(self.fills)
        self._transfers_done = len(self.accounting.ledger)

    def _take_marks(self) -> list[MarkRecord]:
        marks = [instrument.mark_record() for instrument in self.marked.values()]
        self.marked.clear()
        return marks

    # What is shown

    def show(self, record: OrderRecord) -> Order:
        """Return an order as it is now."""
        instrument = self.instruments[record.symbol]
        fee_currency = self.accounting.fee_currency(instrument, record.side)
        return order_from_record(record, self._account_id, fee_currency)

    def show_fill(self, fill: FillRecord) -> Fill:
        """Return an execution."""
        instrument = self.instruments[fill.symbol]
        fee_currency = self.accounting.fee_currency(instrument, fill.side)
        order = self.orders[fill.order_id]
        return fill_from_record(fill, order, self._account_id, fee_currency)


def is_live(record: OrderRecord) -> bool:
    """Return whether an order has not ended."""
    return record.status not in ENDED_STATUSES
