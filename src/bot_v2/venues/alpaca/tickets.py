"""The book of orders as Alpaca knows them: what there is, and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal

import attrs

from bot_v2.features.brokerages.core.decimals import EXACT, Rounding, divide
from bot_v2.features.brokerages.core.errors import OrderNotFoundError
from bot_v2.features.brokerages.core.events import OrderEvent
from bot_v2.features.brokerages.core.fills import Fill
from bot_v2.features.brokerages.core.market_data import Trade
from bot_v2.features.brokerages.core.order_status import ENDED_STATUSES
from bot_v2.features.brokerages.core.orders import Order
from bot_v2.venues.account import VenueAccount
from bot_v2.venues.alpaca.ticket import (
    ACCEPTED,
    ENDED,
    FILLED,
    HELD,
    INSTANT,
    MEAN_PLACES,
    NEW,
    PARTIALLY_FILLED,
    PENDING_NEW,
    STAMPS,
    WORDS,
    ZERO,
    News,
    Progress,
    Ticket,
)
from bot_v2.venues.state import VenueState


class TicketBook:
    """Every order of the venue. Its methods want the venue's lock held.

    Args:
        state: the venue.
        account: its account.
    """

    def __init__(self, state: VenueState, account: VenueAccount) -> None:
        """Start without orders, and hear of every change."""
        self._state = state
        self._account = account
        self._tickets: dict[str, Ticket] = {}
        self._by_client: dict[str, Ticket] = {}
        self._by_leg: dict[str, Ticket] = {}
        self._open: dict[str, Ticket] = {}
        self._owners: dict[str, Ticket] = {}
        self._before: dict[str, Ticket | None] = {}
        self._last = state.clock() - timedelta(days=1)
        self._numbers = 0
        self._late: dict[str, Ticket] = {}
        self._listeners: list[Callable[[News], None]] = []
        state.listen(self)

    def subscribe(self, listener: Callable[[News], None]) -> None:
        """Tell someone of everything that becomes of orders; it is called with the lock held."""
        self._listeners.append(listener)

    def tell(
        self,
        event: str,
        ticket: Ticket,
        order: Order | None = None,
        fill: Fill | None = None,
        status: str = "",
    ) -> None:
        """Tell what became of an order."""
        news = News(event=event, ticket=ticket, order=order, fill=fill, status=status)
        for listener in self._listeners:
            listener(news)

    # What there is

    def next_moment(self) -> datetime:
        """Return the present moment, or one that is later than any that was returned before."""
        self._last = max(self._state.clock(), self._last + INSTANT)
        return self._last

    def next_number(self) -> int:
        """Return the number of the next order."""
        self._numbers += 1
        return self._numbers

    def add(self, ticket: Ticket) -> None:
        """Keep an order."""
        self._before.setdefault(ticket.order_id, None)
        self._tickets[ticket.order_id] = ticket
        self._by_client[ticket.client_order_id] = ticket
        self._open[ticket.order_id] = ticket
        if ticket.leg is not None:
            self._by_leg[ticket.leg] = ticket

    def assign(self, ticket: Ticket, leg: str) -> None:
        """Let one of the engine's orders go on as an order."""
        ticket.leg, ticket.state = leg, ""
        self._by_leg[leg] = ticket

    def remember(self) -> None:
        """Keep the open orders as they are, for stale reads: a write is about to happen."""
        self._before = {
            order_id: attrs.evolve(ticket, times=dict(ticket.times))
            for order_id, ticket in self._open.items()
        }

    def get(self, order_id: str) -> Ticket | None:
        """Return an order as reads show it. None: there is none."""
        ticket = self._tickets.get(order_id)
        return None if ticket is None else self._as_shown(ticket)

    def live(self, order_id: str) -> Ticket | None:
        """Return an order as it is, to change it. None: there is none."""
        return self._tickets.get(order_id)

    def by_client_id(self, client_order_id: str) -> Ticket | None:
        """Return the order that was placed under an id, as reads show it. None: none was."""
        ticket = self._by_client.get(client_order_id)
        return None if ticket is None else self._as_shown(ticket)

    def has_client_id(self, client_order_id: str) -> bool:
        """Whether an order was placed under an id."""
        return client_order_id in self._by_client

    def by_leg(self, leg: str) -> Ticket | None:
        """Return the order that the engine's goes on as. None: as none."""
        return self._by_leg.get(leg)

    def owner_of(self, trade_id: str) -> Ticket | None:
        """Return the order that an execution filled. None: of none."""
        return self._owners.get(trade_id)

    def newest_first(self) -> Iterator[Ticket]:
        """Yield every order, as reads show it."""
        for ticket in sorted(self._tickets.values(), key=lambda one: one.number, reverse=True):
            shown = self._as_shown(ticket)
            if shown is not None:
                yield shown

    def open(self) -> list[Ticket]:
        """Return the orders that are not over, as they are, oldest first."""
        return list(self._open.values())

    def _as_shown(self, ticket: Ticket) -> Ticket | None:
        if not self._account.is_stale:
            return ticket
        return self._before.get(ticket.order_id, ticket)

    # How far they have come

    def progress(self, ticket: Ticket, order: Order | None = None) -> Progress:
        """Return how far an order has come; `order` is the engine's at an earlier moment."""
        if ticket.is_mleg:
            return self._progress_of_legs(ticket)
        found = order or ticket.frozen or self._order(ticket)
        if found is None:
            status = ticket.shown or ticket.state
            return Progress(status=status, filled=ZERO, average=None, order=None)
        filled = EXACT.subtract(found.filled_quantity, ticket.filled_before)
        average = found.average_fill_price if filled else None
        if average is not None and ticket.filled_before:
            whole = EXACT.multiply(found.filled_quantity, found.average_fill_price or ZERO)
            mine = EXACT.subtract(whole, ticket.value_before)
            average = divide(mine, filled, MEAN_PLACES, Rounding.HALF_EVEN)
        status = ticket.shown or ticket.state or self._status(ticket, found, filled)
        return Progress(status=status, filled=filled, average=average, order=found)

    def _progress_of_legs(self, ticket: Ticket) -> Progress:
        """Count units of the whole by the leg that is filled least; the price is net."""
        status = ticket.shown or ticket.state
        net, filled = ZERO, None
        for child, leg in zip(ticket.children, ticket.terms.legs, strict=True):
            mine = self.progress(child)
            units = divide(mine.filled, leg.ratio, 0, Rounding.DOWN)
            filled = units if filled is None else min(filled, units)
            paid = EXACT.multiply(mine.average or ZERO, leg.ratio)
            net = EXACT.add(net, paid if leg.side == "buy" else paid.copy_negate())
        done = filled or ZERO
        return Progress(status=status, filled=done, average=net if done else None, order=None)

    def _order(self, ticket: Ticket) -> Order | None:
        if ticket.leg is None:
            return None
        try:
            return self._account.order(ticket.leg)
        except OrderNotFoundError:
            return None

    def _status(self, ticket: Ticket, order: Order, filled: Decimal) -> str:
        word = WORDS[order.status]
        if word == PARTIALLY_FILLED and not filled:
            word = NEW
        if word != NEW:
            return word
        if ticket.waits_until is not None and self._state.clock() < ticket.waits_until:
            return ACCEPTED
        return HELD if self._is_held(ticket) else NEW

    def _is_held(self, ticket: Ticket) -> bool:
        """Whether it is the stop beside a take-profit that works: only one of them is sent out."""
        parent = ticket.parent
        if parent is None or ticket.terms.stop_price is None:
            return False
        beside = [parent] if parent.terms.order_class == "oco" else parent.children
        return any(one is not ticket and one.leg is not None and not one.state for one in beside)

    # What happens to them

    def end(self, ticket: Ticket, state: str) -> None:
        """End an order that is not in the engine, or is not to go on in it."""
        ticket.state = ticket.told = state
        self.stamp(ticket, state, self._state.clock())
        self.tell("fill" if state == FILLED else state, ticket)

    def stamp(self, ticket: Ticket, status: str, moment: datetime) -> None:
        """Note when an order reached a status."""
        ticket.updated_at = moment
        if status in STAMPS:
            ticket.times.setdefault(STAMPS[status], moment)
        if status in ENDED:
            self._open.pop(ticket.order_id, None)

    def show(self, ticket: Ticket, status: str) -> None:
        """Let an order show a status, as a test wants it; empty: the one that it has."""
        ticket.shown = status
        ticket.told = self.progress(ticket).status
        self.stamp(ticket, ticket.told, self._state.clock())
        self.tell(ticket.told, ticket)

    def attribute(self, trade_id: str, ticket: Ticket) -> None:
        """Note which order an execution filled."""
        self._owners.setdefault(trade_id, ticket)

    def orders_changed(self, account: VenueAccount, events: list[OrderEvent]) -> None:  # noqa: ARG002 - there is one account
        """Note what became of orders, and tell it."""
        for event in events:
            ticket = self._by_leg.get(event.order.order_id)
            if ticket is not None:
                self._change(ticket, event)

    def expect_fill_of(self, ticket: Ticket) -> None:
        """Count the next execution of the engine's order for an order that was replaced."""
        self._late[ticket.leg or ""] = ticket

    def _fill_late(self, ticket: Ticket, fill: Fill) -> None:
        frozen = ticket.frozen
        if frozen is None:
            return
        filled = EXACT.add(frozen.filled_quantity, fill.quantity)
        paid = EXACT.multiply(frozen.filled_quantity, frozen.average_fill_price or ZERO)
        whole = EXACT.add(paid, EXACT.multiply(fill.quantity, fill.price))
        mean = divide(whole, filled, MEAN_PLACES, Rounding.HALF_EVEN)
        ticket.frozen = attrs.evolve(frozen, filled_quantity=filled, average_fill_price=mean)
        ticket.updated_at = fill.timestamp
        self.attribute(fill.trade_id, ticket)
        self.tell("partial_fill", ticket, fill=fill)

    def _change(self, ticket: Ticket, event: OrderEvent) -> None:
        order, fill = event.order, event.fill
        if fill is not None and order.order_id in self._late:
            self._fill_late(self._late.pop(order.order_id), fill)
            return
        if fill is not None:
            self.attribute(fill.trade_id, ticket)
            if ticket.shown not in ENDED:
                ticket.shown = ""
        moment = order.updated_at or self._state.clock()
        self.stamp(ticket, ticket.shown or WORDS[order.status], moment)
        if order.status in ENDED_STATUSES:
            ticket.waits_until = None
        status = self.progress(ticket, order).status
        # Of what nobody tells: exits on their way, and steps that leave the status as it is.
        untold = {ticket.told, HELD, PARTIALLY_FILLED, FILLED}
        if ticket.parent is not None:
            untold.add(PENDING_NEW)
        elif not ticket.told and status not in (ACCEPTED, PENDING_NEW):
            self.tell(PENDING_NEW, ticket, order, status=PENDING_NEW)
            if status != NEW:
                self.tell(NEW, ticket, order, status=NEW)
        if fill is not None and fill.corrects is None:
            self.tell("fill" if status == FILLED else "partial_fill", ticket, order, fill)
        elif status not in untold:
            self.tell(status, ticket, order)
        ticket.told = status

    def traded(self, trades: list[Trade]) -> None:
        """Need not know."""

    def books_changed(self, symbols: set[str]) -> None:
        """Need not know."""
