"""Changes of live orders."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import attrs

from bot_v2.features.brokerages.core.decimals import EXACT
from bot_v2.features.brokerages.core.errors import (
    InvalidFieldError,
    ModifyRejectedError,
)
from bot_v2.features.brokerages.core.increments import check_order_request
from bot_v2.features.brokerages.core.order_changes import OrderModification
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.order_status import OrderStatus
from bot_v2.features.brokerages.core.order_terms import OrderType, TimeInForce
from bot_v2.simulation.acceptance import Acceptance
from bot_v2.simulation.desk import Desk, is_live
from bot_v2.simulation.execution import Execution
from bot_v2.simulation.funds import Funds
from bot_v2.simulation.instruments import Instrument
from bot_v2.simulation.matching import Matcher
from bot_v2.simulation.records import OrderRecord

ZERO: Final = Decimal(0)

_LASTING: Final = frozenset({TimeInForce.GTC, TimeInForce.DAY, TimeInForce.GTD})
"""What an order that waits can be changed to."""

_TERMS: Final = ("price", "stop_price", "trail_amount", "trail_percent")
"""What can change of the prices, where the order has it already."""


class Modification:
    """Changes live orders: all that was asked for, or nothing."""

    def __init__(
        self,
        desk: Desk,
        funds: Funds,
        execution: Execution,
        matcher: Matcher,
        acceptance: Acceptance,
    ) -> None:
        """Work on the orders of a desk."""
        self._desk = desk
        self._funds = funds
        self._execution = execution
        self._matcher = matcher
        self._acceptance = acceptance

    def apply(self, record: OrderRecord, change: OrderModification) -> None:
        """Change an order, and let it meet the market on its new terms.

        It keeps its place among its equals only if nothing but its quantity changed, to less.

        Raises:
            ModifyRejectedError, InsufficientFundsError: it stays as it was (REJECTED).
            InvalidFieldError: the change makes no sense (NOT_SENT).
        """
        instrument = self._desk.instruments[record.symbol]
        self._check(record, change)
        changed = self._changed(instrument, record, change)
        self._check_funds(instrument, record, changed)
        keeps_place = (
            all(getattr(changed, name) == getattr(record, name) for name in _TERMS)
            and record.quantity is not None
            and changed.quantity is not None
            and changed.quantity <= record.quantity
        )
        requeue = not keeps_place and record.arrived_at is not None
        if requeue:
            self._desk.dequeue(instrument, record)
        for name in (*_TERMS, "quantity", "time_in_force", "expires_at"):
            setattr(record, name, getattr(changed, name))
        self._execution.rehold(instrument, record)
        self._desk.touch(record)
        if requeue:
            self._matcher.arrive(record)

    def _check(self, record: OrderRecord, change: OrderModification) -> None:
        if not is_live(record) or record.status is OrderStatus.PENDING_CANCEL:
            raise self._rejection(record, f"the order is {record.status}")
        if change.client_order_id is not None:
            raise InvalidFieldError(
                "OrderModification.client_order_id",
                change.client_order_id,
                "None: the order is changed in place, and keeps its id",
            )
        if record.quantity is None and change.quantity is not None:
            raise self._rejection(record, "it was ordered by value, and has no quantity to change")
        if change.quantity is not None and change.quantity <= record.filled_quantity:
            raise self._rejection(
                record, f"{record.filled_quantity} are filled: cancel the rest instead"
            )
        for name in _TERMS:
            if getattr(change, name) is not None and getattr(record, name) is None:
                raise InvalidFieldError(
                    f"OrderModification.{name}",
                    getattr(change, name),
                    f"None: the {record.type.name} order has none",
                )
        if change.stop_price is not None and record.type is OrderType.TRAILING_STOP:
            raise InvalidFieldError(
                "OrderModification.stop_price", change.stop_price, "None: the stop trails the price"
            )
        if record.triggered and (change.stop_price or change.trail_amount or change.trail_percent):
            raise self._rejection(record, "its stop has been triggered")
        if change.time_in_force is not None and change.time_in_force not in _LASTING:
            raise self._rejection(record, f"it waits, and cannot become {change.time_in_force}")

    def _changed(
        self, instrument: Instrument, record: OrderRecord, change: OrderModification
    ) -> OrderRecord:
        """Return the order as it would be, checked as a new request would be."""
        asked = {
            name: value
            for name in (*_TERMS, "quantity", "time_in_force", "expires_at")
            if (value := getattr(change, name)) is not None
        }
        changed = attrs.evolve(record, **asked)
        # A change of the end makes the order GTD, and a change from GTD takes its end away.
        if change.expires_at is not None and change.time_in_force is None:
            changed.time_in_force = TimeInForce.GTD
        if changed.time_in_force is TimeInForce.GTC:
            changed.expires_at = None
        gtd = changed.time_in_force is TimeInForce.GTD
        trails = record.type is OrderType.TRAILING_STOP
        request = OrderRequest(
            symbol=record.symbol,
            side=record.side,
            quantity=changed.quantity,
            notional=record.notional if changed.quantity is None else None,
            type=record.type,
            price=changed.price,
            stop_price=None if trails else changed.stop_price,
            trail_amount=changed.trail_amount,
            trail_percent=changed.trail_percent,
            time_in_force=changed.time_in_force,
            expires_at=changed.expires_at if gtd else None,
            post_only=record.post_only,
        )
        check_order_request(instrument.product, request)
        if change.time_in_force is not None or change.expires_at is not None:
            self._acceptance.set_expiry(changed)
        if trails and not record.triggered and record.arrived_at is not None:
            self._matcher.restart_trail(instrument, changed)
        would_take = self._matcher.would_take(instrument, changed)
        if record.post_only and change.price is not None and would_take:
            raise self._rejection(record, "a post-only order would take liquidity at once")
        return changed

    def _check_funds(
        self, instrument: Instrument, record: OrderRecord, changed: OrderRecord
    ) -> None:
        found = self._execution.hold_for(instrument, changed)
        if found is None:
            return
        asset, amount, quantity = found
        more = EXACT.subtract(amount, record.hold)
        short = self._funds.shortfall(instrument, changed, quantity, asset, more)
        if short is not None:
            raise self._funds.refusal(record, asset, short)

    def _rejection(self, record: OrderRecord, why: str) -> ModifyRejectedError:
        return ModifyRejectedError(
            f"the order is not modified: {why}",
            order_id=record.order_id,
            client_order_id=record.client_order_id,
            symbol=record.symbol,
        )
