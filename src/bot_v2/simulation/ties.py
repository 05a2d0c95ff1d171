"""Orders tied to others: the exits of a bracket, and pairs of which one cancels the other.

The first fill of an order with exits brings them to life, sized to what is filled; each later fill
makes them larger. Both exits share a group: what one of them fills is taken off the other. In a
pair that was placed as such, any fill of one cancels the other.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from bot_v2.features.brokerages.core.decimals import EXACT
from bot_v2.features.brokerages.core.order_status import OrderStatus
from bot_v2.features.brokerages.core.order_terms import (
    OrderSide,
    OrderType,
    PositionEffect,
    TimeInForce,
)
from bot_v2.simulation.desk import Desk, is_live
from bot_v2.simulation.execution import Execution
from bot_v2.simulation.records import OrderRecord

OTHER_FILLED: Final = "other_order_of_group_filled"

_KEPT: Final = frozenset({TimeInForce.GTC, TimeInForce.DAY, TimeInForce.GTD})
"""What exits take over of their parent's time in force; of any other they take GTC."""

_OPPOSITE: Final = {OrderSide.BUY: OrderSide.SELL, OrderSide.SELL: OrderSide.BUY}


class Ties:
    """Does to tied orders what a fill means for them."""

    def __init__(self, desk: Desk, execution: Execution) -> None:
        """Work on the orders of a desk."""
        self._desk = desk
        self._execution = execution

    def after_fill(self, record: OrderRecord, quantity: Decimal) -> list[OrderRecord]:
        """Shrink or cancel the other of a pair, and size exits; return the exits that are new."""
        if record.group_id is not None:
            self._shrink_others(record, quantity)
        if record.take_profit_price is None and record.stop_loss_price is None:
            return []
        exits = self._desk.exits.get(record.order_id, [])
        if not exits:
            return self._make_exits(record, quantity)
        for one in tuple(exits):
            one.quantity = EXACT.add(one.quantity or Decimal(0), quantity)
            self._desk.touch(one)
        self._rehold(tuple(exits))
        return []

    def _shrink_others(self, record: OrderRecord, quantity: Decimal) -> None:
        others = [
            one
            for one in self._desk.groups.get(record.group_id or "", ())
            if one is not record and is_live(one)
        ]
        for other in others:
            rest = EXACT.subtract(other.quantity or Decimal(0), quantity)
            if other.parent_order_id is None or rest <= other.filled_quantity:
                self._desk.end(other, OrderStatus.CANCELLED, OTHER_FILLED)
            else:
                other.quantity = rest
                self._desk.touch(other)
        self._rehold((*others, record))

    def rehold_group(self, group_id: str | None) -> None:
        """Set aside anew for what is left of a group."""
        if group_id is not None:
            self._rehold(tuple(self._desk.groups.get(group_id, ())))

    def _rehold(self, records: tuple[OrderRecord, ...]) -> None:
        # The older of a pair carries the hold, and the newer what goes beyond it.
        for record in sorted(records, key=lambda one: one.number):
            instrument = self._desk.instruments[record.symbol]
            self._execution.rehold_or_end(instrument, record)

    def _make_exits(self, parent: OrderRecord, quantity: Decimal) -> list[OrderRecord]:
        made = []
        both = parent.take_profit_price is not None and parent.stop_loss_price is not None
        group = self._desk.next_group() if both else None
        if parent.take_profit_price is not None:
            profit = self._make_exit(parent, quantity, OrderType.LIMIT, group)
            profit.price = parent.take_profit_price
            made.append(profit)
        if parent.stop_loss_price is not None:
            kind = OrderType.STOP if parent.stop_loss_limit is None else OrderType.STOP_LIMIT
            stop = self._make_exit(parent, quantity, kind, group)
            stop.stop_price, stop.price = parent.stop_loss_price, parent.stop_loss_limit
            made.append(stop)
        for one in made:
            self._desk.add(one)
            self._desk.touch(one)
        self._rehold(tuple(made))
        return [one for one in made if is_live(one)]

    def _make_exit(
        self, parent: OrderRecord, quantity: Decimal, kind: OrderType, group: str | None
    ) -> OrderRecord:
        order_id, number = self._desk.next_order()
        keeps = parent.time_in_force in _KEPT
        return OrderRecord(
            order_id=order_id,
            client_order_id=None,
            number=number,
            symbol=parent.symbol,
            side=_OPPOSITE[parent.side],
            type=kind,
            time_in_force=parent.time_in_force if keeps else TimeInForce.GTC,
            status=OrderStatus.OPEN,
            created_at=self._desk.now,
            updated_at=self._desk.now,
            quantity=quantity,
            expires_at=parent.expires_at if keeps else None,
            position_effect=PositionEffect.CLOSE,
            reduce_only=True,
            extended_hours=parent.extended_hours,
            parent_order_id=parent.order_id,
            group_id=group,
        )
