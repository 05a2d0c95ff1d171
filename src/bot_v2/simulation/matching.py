"""Where orders meet the market.

- An order that arrives takes what is on offer, best price first, at the offers' prices (taker);
  a limit order at no worse than its limit. The rest waits, or is cancelled (IOC), or nothing is
  taken at all (FOK).
- A waiting limit order is filled when the market reaches its price, a touch included, at its own
  limit (maker), up to the size on offer there.
- Stops are triggered by trades; by the bid (sells) and the ask (buys) as long as no trade of the
  product has been heard of. A triggered stop is an order that arrives.
- Orders of one account do not trade with each other.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Final

from bot_v2.features.brokerages.core.decimals import EXACT
from bot_v2.features.brokerages.core.fills import Liquidity
from bot_v2.features.brokerages.core.order_status import OrderStatus
from bot_v2.features.brokerages.core.order_terms import OrderSide, OrderType, TimeInForce
from bot_v2.simulation.desk import Desk, is_live
from bot_v2.simulation.execution import (
    BELOW_ONE_STEP,
    NO_FUNDS,
    NOTHING_TO_REDUCE,
    Execution,
    Take,
)
from bot_v2.simulation.instruments import STOPS, Instrument
from bot_v2.simulation.offers import is_within, offered_within, take_within
from bot_v2.simulation.queues import PriceQueue
from bot_v2.simulation.records import OrderRecord
from bot_v2.simulation.ties import Ties
from bot_v2.simulation.timetable import Timetable
from bot_v2.simulation.trails import trail_stop

ZERO: Final = Decimal(0)
SIDES: Final = (OrderSide.BUY, OrderSide.SELL)

NOT_FILLED_AT_ONCE: Final = "not_filled_at_once"
WOULD_TAKE: Final = "post_only_would_take"
MARKET_CLOSED: Final = "market_closed"

Eligible = Callable[[OrderRecord], bool]
Waiter = tuple[PriceQueue, int, OrderRecord]
"""An order that was taken out of its queue for a moment, and its place there."""


class Matcher:
    """Matches the orders of one account with the market."""

    def __init__(
        self,
        desk: Desk,
        execution: Execution,
        ties: Ties,
        timetable: Timetable,
    ) -> None:
        """Match the orders of a desk."""
        self._desk = desk
        self._execution = execution
        self._ties = ties
        self._timetable = timetable
        self.in_session = True
        self.in_extended_session = True
        self._arrivals: deque[OrderRecord] = deque()
        self._moves = 0

    def may_trade(self, instrument: Instrument, record: OrderRecord) -> bool:
        """Return whether an order can be filled now: not while halted, nor out of hours.

        Outside the session only limit orders that ask for it can, in the extended hours.
        """
        if instrument.market.halted:
            return False
        if self.in_session or instrument.always_open:
            return True
        extended = record.extended_hours and record.type is OrderType.LIMIT
        return extended and self.in_extended_session

    # Orders that arrive

    def arrive(self, record: OrderRecord) -> None:
        """Let an order, and the exits that it brings to life, reach the market."""
        self._arrivals.append(record)
        self._let_arrive()

    def arrive_exits(self) -> None:
        """Let the exits reach the market that fills have brought to life."""
        self._let_arrive()

    def _let_arrive(self) -> None:
        while self._arrivals:
            record = self._arrivals.popleft()
            if is_live(record):
                self._arrive(record)

    def _arrive(self, record: OrderRecord) -> None:
        self._moves += 1
        instrument = self._desk.instruments[record.symbol]
        if record.arrived_at is None:
            record.arrived_at = self._desk.now
        record.due_at = None
        if record.status is OrderStatus.PENDING:
            self._desk.set_status(record, OrderStatus.OPEN)
        else:
            self._desk.note(record)
        if not self.may_trade(instrument, record):
            self._rest(instrument, record, MARKET_CLOSED)
        elif record.post_only and self.would_take(instrument, record):
            self._refuse(record, WOULD_TAKE)
        elif record.type in STOPS and not record.triggered:
            self._start_trail(instrument, record)
            if self._is_reached(instrument, record):
                record.triggered = True
                self._match(instrument, record)
            else:
                self._desk.enqueue(instrument, record)
        else:
            self._match(instrument, record)

    def _refuse(self, record: OrderRecord, reason: str) -> None:
        ended = OrderStatus.CANCELLED if record.filled_quantity else OrderStatus.REJECTED
        self._desk.end(record, ended, reason)
        self._ties.rehold_group(record.group_id)

    def would_take(self, instrument: Instrument, record: OrderRecord) -> bool:
        """Return whether an order would be filled at once, were it to arrive now."""
        offers = instrument.market.side_for(record.side)
        return bool(offers) and is_within(record.side, offers[0].price, record.price)

    def _match(self, instrument: Instrument, record: OrderRecord) -> None:
        self.take(instrument, record)
        if is_live(record):
            self._rest(instrument, record, NOT_FILLED_AT_ONCE)

    def _rest(self, instrument: Instrument, record: OrderRecord, reason: str) -> None:
        immediate = record.time_in_force in (TimeInForce.IOC, TimeInForce.FOK)
        waits = record.type in STOPS and not record.triggered
        if immediate and not waits:
            self._desk.end(record, OrderStatus.CANCELLED, reason)
            self._ties.rehold_group(record.group_id)
        else:
            self._desk.enqueue(instrument, record)

    def take(self, instrument: Instrument, record: OrderRecord) -> None:
        """Let an order take what it can of what is on offer now."""
        takes = self._execution.plan(instrument, record)
        if not takes:
            self._end_if_it_wants_nothing(instrument, record)
            return
        if record.time_in_force is TimeInForce.FOK and not self._is_all(instrument, record, takes):
            return
        if record.price is None and not self._execution.can_pay(instrument, record, takes):
            self._refuse(record, NO_FUNDS)
            return
        for take in takes:
            if not is_live(record):
                break
            if take.offer.size is not None:
                take.offer.size = EXACT.subtract(take.offer.size, take.quantity)
            self.fill(instrument, record, take.quantity, take.price, Liquidity.TAKER)

    def _is_all(self, instrument: Instrument, record: OrderRecord, takes: list[Take]) -> bool:
        quantity = spent = ZERO
        for take in takes:
            quantity = EXACT.add(quantity, take.quantity)
            spent = EXACT.add(spent, instrument.value(take.quantity, take.price))
        left = self._execution.remaining(instrument, record, takes[-1].price, spent)
        return left <= 0 if record.quantity is None else left <= quantity

    def _end_if_it_wants_nothing(self, instrument: Instrument, record: OrderRecord) -> None:
        offers = instrument.market.side_for(record.side)
        if not offers or not is_within(record.side, offers[0].price, record.price):
            return
        if self._execution.remaining(instrument, record, offers[0].price) <= 0:
            self._end_satisfied(record)

    def _end_satisfied(self, record: OrderRecord) -> None:
        """End an order that wants nothing more, though its quantity is not filled."""
        self._moves += 1
        if record.quantity is not None:
            self._desk.end(record, OrderStatus.CANCELLED, NOTHING_TO_REDUCE)
        elif record.filled_quantity:
            record.quantity = record.filled_quantity
            self._desk.end(record, OrderStatus.FILLED)
        else:
            self._desk.end(record, OrderStatus.CANCELLED, BELOW_ONE_STEP)
        self._ties.rehold_group(record.group_id)

    def fill(
        self,
        instrument: Instrument,
        record: OrderRecord,
        quantity: Decimal,
        price: Decimal,
        liquidity: Liquidity,
    ) -> None:
        """Book a fill, and do to tied orders what it means for them."""
        self._moves += 1
        self._execution.execute(instrument, record, quantity, price, liquidity)
        self.after_fill(instrument, record, quantity)

    def after_fill(self, instrument: Instrument, record: OrderRecord, quantity: Decimal) -> None:
        """Do what a booked fill means for the rest of the order and for those tied to it."""
        if is_live(record):
            self._execution.rehold_or_end(instrument, record)
        for one in self._ties.after_fill(record, quantity):
            if one.expires_at is not None:
                self._timetable.add_all(one)
            one.arrived_at = record.arrived_at
            self._arrivals.append(one)

    # Orders that wait

    def sweep(self, instrument: Instrument, eligible: Eligible, aside: list[Waiter]) -> None:
        """Fill and trigger everything that the market's prices of this moment reach.

        Args:
            instrument: the product.
            eligible: whether an order takes part.
            aside: takes up those that do not; `put_back` puts them back.
        """
        moves = -1
        while moves != self._moves:
            moves = self._moves
            for side in SIDES:
                self._serve_waiting(instrument, side, eligible, aside)
                self._trigger(instrument, side, eligible, aside)
                self._cross(instrument, side, eligible, aside)
            self._let_arrive()

    def sweep_limits(self, instrument: Instrument) -> None:
        """Fill the waiting limit orders that the market's prices of this moment reach."""
        aside: list[Waiter] = []
        for side in SIDES:
            self._cross(instrument, side, partial(self.may_trade, instrument), aside)
        self.put_back(instrument, aside)
        self._let_arrive()

    def put_back(self, instrument: Instrument, aside: list[Waiter]) -> None:
        """Let those wait again who were set aside, at their old places."""
        for queue, priority, record in aside:
            place, price = instrument.queue_of(record)
            if is_live(record) and not record.priority and place is queue and price is not None:
                record.priority = priority
                queue.add(price, record)

    def _next(
        self,
        queue: PriceQueue,
        eligible: Eligible,
        aside: list[Waiter],
    ) -> OrderRecord | None:
        while (record := queue.first()) is not None and not eligible(record):
            aside.append((queue, record.priority, record))
            queue.leave(record)
        return record

    def _serve_waiting(
        self,
        instrument: Instrument,
        side: OrderSide,
        eligible: Eligible,
        aside: list[Waiter],
    ) -> None:
        queue = instrument.waiting(side)
        while instrument.market.side_for(side):
            record = self._next(queue, eligible, aside)
            if record is None:
                return
            self.take(instrument, record)
            if is_live(record):
                return  # nothing is left on offer for it, nor for those behind it

    def _trigger(
        self,
        instrument: Instrument,
        side: OrderSide,
        eligible: Eligible,
        aside: list[Waiter],
    ) -> None:
        queue = instrument.stops(side)
        while (price := queue.first_price()) is not None:
            if not _reaches(side, trigger_price(instrument, side), price):
                return
            record = self._next(queue, eligible, aside)
            if record is None:
                return
            if not self._is_reached(instrument, record):
                continue
            self._moves += 1
            self._desk.dequeue(instrument, record)
            record.triggered = True
            self._desk.touch(record)
            self._match(instrument, record)

    def _cross(
        self,
        instrument: Instrument,
        side: OrderSide,
        eligible: Eligible,
        aside: list[Waiter],
    ) -> None:
        queue, product = instrument.limits(side), instrument.product
        while offers := instrument.market.side_for(side):
            limit = queue.first_price()
            if limit is None or not is_within(side, offers[0].price, limit):
                return
            record = self._next(queue, eligible, aside)
            if record is None:
                return
            if record.price is None or not is_within(side, offers[0].price, record.price):
                continue
            wanted = self._execution.remaining(instrument, record, record.price)
            if wanted <= 0:
                self._end_satisfied(record)
                continue
            offered = offered_within(product, offers, side, record.price)
            if offered is not None and offered <= 0:
                return  # crumbs of less than a step
            quantity = wanted if offered is None else min(wanted, offered)
            if not self._execution.may_open(instrument, record, quantity):
                self._refuse(record, NO_FUNDS)
                continue
            take_within(offers, quantity)
            self.fill(instrument, record, quantity, record.price, Liquidity.MAKER)

    # Triggers

    def follow(self, instrument: Instrument, eligible: Eligible) -> None:
        """Move the triggers that follow the price, now that the market has moved."""
        for side in SIDES:
            price = trigger_price(instrument, side)
            if price is None:
                continue
            for record in instrument.trails(side).passed_by(side, price, eligible):
                self._move_stop(instrument, record, price)

    def _move_stop(self, instrument: Instrument, record: OrderRecord, extreme: Decimal) -> None:
        stops = instrument.stops(record.side)
        if record.priority:
            stops.leave(record)
        record.stop_price = trail_stop(instrument.product, record, extreme)
        self._desk.counters.priorities += 1
        record.priority = self._desk.counters.priorities
        stops.add(record.stop_price, record)
        self._desk.touch(record)

    def _start_trail(self, instrument: Instrument, record: OrderRecord) -> None:
        price = trigger_price(instrument, record.side)
        fresh = record.type is OrderType.TRAILING_STOP and record.trail_extreme is None
        if fresh and price is not None:
            record.trail_extreme = price
            record.stop_price = trail_stop(instrument.product, record, price)

    def restart_trail(self, instrument: Instrument, record: OrderRecord) -> None:
        """Work out the trigger of a trail anew, from the best price that it has seen."""
        if record.trail_extreme is not None:
            record.stop_price = trail_stop(instrument.product, record, record.trail_extreme)

    def _is_reached(self, instrument: Instrument, record: OrderRecord) -> bool:
        stop = record.stop_price
        return stop is not None and _reaches(
            record.side, trigger_price(instrument, record.side), stop
        )


def trigger_price(instrument: Instrument, side: OrderSide) -> Decimal | None:
    """Return the price that triggers stops of a side: the latest trade, else what it would take."""
    market = instrument.market
    return market.last if market.last is not None else market.heard_for(side)


def _reaches(side: OrderSide, price: Decimal | None, stop: Decimal) -> bool:
    if price is None:
        return False
    return price >= stop if side is OrderSide.BUY else price <= stop
