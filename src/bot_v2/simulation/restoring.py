"""An engine's state, as a journal stores it: taken from the books, and put back into them."""

from __future__ import annotations

from decimal import Decimal

import attrs

from bot_v2.features.brokerages.core.decimals import EXACT
from bot_v2.features.brokerages.core.order_status import OrderStatus
from bot_v2.simulation.desk import Desk, is_live
from bot_v2.simulation.instruments import NEVER
from bot_v2.simulation.journal import EngineState
from bot_v2.simulation.ledger import Ledger, LedgerError
from bot_v2.simulation.records import ZERO, MarkRecord, OrderRecord
from bot_v2.simulation.timetable import Timetable


def state_of(desk: Desk) -> EngineState:
    """Return copies of all that an engine is rebuilt from."""
    accounting = desk.accounting
    heard = [one for one in desk.instruments.values() if one.market.timestamp or one.market.halted]
    return EngineState(
        orders=[attrs.evolve(record) for record in desk.orders.values()],
        fills=list(desk.fills),
        entries=list(accounting.ledger.entries()),
        balances=accounting.ledger.balances(),
        positions=[attrs.evolve(record) for record in accounting.positions.values()],
        marks=[instrument.mark_record() for instrument in heard],
        counters=attrs.evolve(desk.counters),
    )


def restore_books(state: EngineState, desk: Desk, timetable: Timetable) -> None:
    """Put a state into books that are empty.

    Raises:
        LedgerError: entries, balances, holds and positions do not agree, or a product is missing.
    """
    accounting = desk.accounting
    accounting.ledger = Ledger.restore(state.entries, state.balances)
    accounting.positions = {one.asset: attrs.evolve(one) for one in state.positions}
    desk.counters = attrs.evolve(state.counters)
    desk.fills = list(state.fills)
    for mark in state.marks:
        _restore_mark(desk, mark)
    for record in sorted(state.orders, key=lambda one: one.number):
        _restore_order(desk, attrs.evolve(record), timetable)
    waiting = [record for record in desk.live.values() if record.priority]
    for record in sorted(waiting, key=lambda one: one.priority):
        queue, price = desk.instruments[record.symbol].queue_of(record)
        if price is not None:
            queue.add(price, record)
    if desk.counters.orders != len(desk.orders) or desk.counters.trades != len(desk.fills):
        raise LedgerError(
            f"{desk.counters.orders} orders and {desk.counters.trades} executions were counted; "
            f"there are {len(desk.orders)} and {len(desk.fills)}"
        )
    verify_books(desk)
    desk.settle()


def verify_books(desk: Desk) -> None:
    """Add everything up again that is kept more than once.

    Raises:
        LedgerError: the ledger, the holds, the positions, or an order and its fills do not agree.
    """
    desk.accounting.verify(desk.live.values(), desk.instruments)
    replaced = {fill.corrects for fill in desk.fills if fill.corrects is not None}
    filled: dict[str, Decimal] = {}
    for fill in desk.fills:
        if fill.order_id not in desk.orders:
            raise LedgerError(f"execution {fill.trade_id} is of no order: {fill.order_id}")
        if not fill.busted and fill.trade_id not in replaced:
            before = filled.get(fill.order_id, ZERO)
            filled[fill.order_id] = EXACT.add(before, fill.quantity)
    for record in desk.orders.values():
        told = filled.get(record.order_id, ZERO)
        if record.filled_quantity != told:
            raise LedgerError(
                f"order {record.order_id} is filled by {record.filled_quantity}, "
                f"and its executions sum to {told}"
            )


def _restore_order(desk: Desk, record: OrderRecord, timetable: Timetable) -> None:
    instrument = desk.instruments.get(record.symbol)
    if instrument is None:
        raise LedgerError(f"order {record.order_id} is of {record.symbol}, which is no product")
    desk.now = max(desk.now, record.updated_at)
    desk.orders[record.order_id] = record
    if record.client_order_id is not None:
        desk.by_client[record.client_order_id] = record
    if not is_live(record):
        return
    desk.live[record.order_id] = record
    desk.index_ties(record)
    hold, record.hold = record.hold, ZERO
    desk.accounting.set_hold(instrument, record, record.hold_asset, hold)
    timetable.add_all(record)
    waits = record.trail_amount is not None or record.trail_percent is not None
    arrived = record.status is not OrderStatus.PENDING and record.arrived_at is not None
    if waits and arrived and not record.triggered:
        instrument.trails(record.side).add(record)


def _restore_mark(desk: Desk, mark: MarkRecord) -> None:
    instrument = desk.instruments.get(mark.symbol)
    if instrument is None:
        return  # a product that was only looked at, and is not listed any more
    market = instrument.market
    market.last, market.halted = mark.last, mark.halted
    market.timestamp = None if mark.timestamp == NEVER else mark.timestamp
    # Prices are known again; what was on offer is not, so nothing can be taken of it.
    market.bid, market.ask = mark.bid, mark.ask
    market.quoted = mark.bid is not None or mark.ask is not None
