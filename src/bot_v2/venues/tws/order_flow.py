"""The way of an order: held back, in the market, filled, ended; and what its client is told."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Final, Protocol

from bot_v2.features.brokerages.core.decimals import EXACT
from bot_v2.features.brokerages.core.errors import (
    BrokerageError,
    InvalidRequestError,
    OrderNotFoundError,
)
from bot_v2.features.brokerages.core.events import OrderEvent
from bot_v2.features.brokerages.core.fills import Fill
from bot_v2.features.brokerages.core.order_changes import OrderModification
from bot_v2.features.brokerages.core.order_status import OrderStatus
from bot_v2.features.brokerages.core.orders import Order
from bot_v2.simulation.engine import MatchingEngine
from bot_v2.simulation.received import ReceivedOrder
from bot_v2.venues.account import VenueAccount
from bot_v2.venues.tws.codes import ORDER_MESSAGE
from bot_v2.venues.tws.executions import Executions
from bot_v2.venues.tws.order_terms import WAITING, due_time, engine_request
from bot_v2.venues.tws.reporter import Reporter
from bot_v2.venues.tws.state import TwsState
from bot_v2.venues.tws.tickets import (
    CANCELLED,
    FILLED,
    INACTIVE,
    PENDING_CANCEL,
    PENDING_SUBMIT,
    PRE_SUBMITTED,
    SUBMITTED,
    Held,
    Ticket,
    TicketBook,
)

BY_TRADER: Final = "Cancelled by Trader"
BY_SYSTEM: Final = "Cancelled by System:"

_STATUSES: Final = {
    OrderStatus.PENDING: PENDING_SUBMIT,
    OrderStatus.OPEN: SUBMITTED,
    OrderStatus.PARTIALLY_FILLED: SUBMITTED,
    OrderStatus.PENDING_CANCEL: PENDING_CANCEL,
    OrderStatus.FILLED: FILLED,
    OrderStatus.CANCELLED: CANCELLED,
    OrderStatus.EXPIRED: CANCELLED,
    OrderStatus.REJECTED: INACTIVE,
}


class Combinations(Protocol):
    """What trades combinations, leg by leg."""

    def submit(self, ticket: Ticket) -> None:
        """Bring a combination to the market."""
        ...

    def heard(self, ticket: Ticket, fill: Fill | None) -> None:
        """Take in that a leg was filled."""
        ...

    def fill(self, ticket: Ticket, units: Decimal, price: Decimal) -> None:
        """Fill part of a combination at a price, whatever the market says."""
        ...


class Follower(Protocol):
    """Who does to other orders what a change of one means for them."""

    def after_change(self, ticket: Ticket, traded: Decimal | None) -> None:
        """Take in that an order changed, and how much of it was traded. None: nothing was."""
        ...


class OrderFlow:
    """Moves orders on. Everything but `orders_changed` wants to be called within a step.

    Args:
        state: the venue.
        tickets: the orders.
        reporter: tells the clients.
        executions: makes the broker's executions of the engine's fills.
    """

    def __init__(
        self, state: TwsState, tickets: TicketBook, reporter: Reporter, executions: Executions
    ) -> None:
        """Move nothing yet."""
        self.combinations: Combinations
        """What trades combinations."""
        self.followers: list[Follower] = []
        """Who follows each change."""
        self.traded: Callable[[str], None] = lambda _: None
        """Is told of each account whose holdings changed."""
        self._state = state
        self._tickets = tickets
        self._reporter = reporter
        self._executions = executions

    def engine_of(self, ticket: Ticket) -> MatchingEngine:
        """Return the engine that an order is traded by."""
        return self._state.accounts[ticket.account].engine

    # Into the market

    def submit(self, ticket: Ticket, *, is_due: bool = False) -> None:
        """Bring an order to the market, or hold it back for what it waits for.

        Args:
            ticket: the order.
            is_due: the time that it waited for has come.
        """
        parent = ticket.parent
        kind = ticket.text("orderType").upper()
        due = None if is_due else due_time(ticket.view.request, self._state.clock())
        if parent is not None and parent.is_live:
            why = "child,trigger" if kind in WAITING else "child"
            self._hold(ticket, Held.PARENT, PRE_SUBMITTED, why)
        elif parent is not None and parent.view.status != FILLED:
            self.end(ticket, CANCELLED, BY_SYSTEM)
        elif due is not None:
            ticket.due = due
            self._hold(ticket, Held.TIME, PRE_SUBMITTED, "")
        elif self._reporter.is_cut_off:
            self._hold(ticket, Held.LINK, PENDING_SUBMIT, "")
        elif ticket.listing is None:
            self.receive(ticket)
            ticket.held = None
            self.combinations.submit(ticket)
        else:
            self._enter(ticket)

    def receive(self, ticket: Ticket) -> None:
        """Count an order as one that took effect."""
        if ticket.is_received:
            return
        ticket.is_received = True
        listing = ticket.listing
        self._state.received.append(
            ReceivedOrder(
                order_id=str(ticket.perm_id),
                client_order_id=ticket.text("orderRef") or None,
                symbol=ticket.text("symbol") if listing is None else listing.product.symbol,
            )
        )

    def _hold(self, ticket: Ticket, held: Held, status: str, why: str) -> None:
        self.receive(ticket)
        ticket.held = held
        self._tickets.change(ticket, status=status, why_held=why)
        # Put off, so that the parent, which the engine tells of, is told first.
        is_local = held is Held.LINK
        self._state.follow_with(lambda: self._reporter.status(ticket, locally=is_local))

    def _enter(self, ticket: Ticket) -> None:
        listing = ticket.listing
        if listing is None:
            raise InvalidRequestError("a combination is traded leg by leg")
        engine = self.engine_of(ticket)
        try:
            wanted = engine_request(ticket.view.request, listing, ticket.view.quantity)
            order = engine.place(wanted, client_order_id=str(ticket.perm_id))
        except BrokerageError as error:
            self.reject(ticket, error.message)
            return
        self.receive(ticket)
        self._tickets.enter(ticket, order.order_id)
        status = engine.get_market_status(listing.product.symbol)
        if not status.is_open and not status.halted and status.next_open is not None:
            self._warn_closed(ticket, status.next_open)

    def _warn_closed(self, ticket: Ticket, opens: datetime) -> None:
        name = ticket.text("symbol")
        reason = (
            f"{ticket.text('action')} {ticket.view.quantity:f} {name}\nWarning: Your order will "
            f"not be placed at the exchange until {opens:%Y-%m-%d %H:%M:%S} UTC."
        )
        self._state.follow_with(lambda: self._reporter.warned(ticket, ORDER_MESSAGE, reason))

    # Out of it

    def cancel(self, ticket: Ticket, ending: str = BY_TRADER) -> None:
        """Cancel an order that lives."""
        if ticket.engine_id:
            self._tickets.change(ticket, ending=ending)
            self.engine_of(ticket).cancel(ticket.engine_id)
        else:
            self.end(ticket, CANCELLED, ending)

    def end(self, ticket: Ticket, status: str, ending: str) -> None:
        """End an order that the engine does not have."""
        was_sent = ticket.held is not Held.NOT_TRANSMITTED
        self._tickets.change(
            ticket, status=status, why_held="", ending=ending, ended_at=self._state.clock()
        )
        if was_sent:
            self._state.follow_with(lambda: self._reporter.cancelled(ticket))
        self._follow(ticket, None)

    def reject(self, ticket: Ticket, reason: str) -> None:
        """Refuse an order that was taken in."""
        self._tickets.change(
            ticket,
            status=INACTIVE,
            why_held="",
            ending=f"Rejected by System:{reason}",
            ended_at=self._state.clock(),
        )
        self._state.follow_with(lambda: self._reporter.rejected(ticket, reason))
        self._follow(ticket, None)

    def reduce(self, ticket: Ticket, by: Decimal) -> None:
        """Lower the quantity of an order that lives; cancel it where nothing would be left."""
        quantity = EXACT.subtract(ticket.view.quantity, by)
        if quantity <= ticket.view.filled:
            self.cancel(ticket, BY_SYSTEM)
        elif not ticket.engine_id:
            self._tickets.change(ticket, quantity=quantity)
            self._state.follow_with(lambda: self._reporter.status(ticket))
        else:
            self.engine_of(ticket).modify(ticket.engine_id, OrderModification(quantity=quantity))

    def fill(self, ticket: Ticket, quantity: Decimal, price: Decimal) -> None:
        """Fill part of an order at a price, whatever the market says.

        Raises:
            InvalidRequestError: it is not in the market.
            InvalidFieldError: more than is left of it, or a price worse than its limit.
        """
        if ticket.listing is None and ticket.is_live:
            self.combinations.fill(ticket, quantity, price)
        elif not ticket.engine_id:
            raise InvalidRequestError(f"order {ticket.perm_id} is not in the market")
        else:
            self.engine_of(ticket).fill(ticket.engine_id, quantity, price)

    def late_fill(self, ticket: Ticket, quantity: Decimal, price: Decimal) -> None:
        """Report a fill of an order that has ended: it happened before its end.

        Raises:
            OrderNotFoundError: it was never in the market.
        """
        if not ticket.engine_id:
            raise OrderNotFoundError(f"order {ticket.perm_id} was never in the market")
        self.engine_of(ticket).late_fill(ticket.engine_id, quantity, price)

    # What the clock and the servers bring

    def tick(self) -> None:
        """Let what waits for a time happen."""
        now = self._state.clock()
        for ticket in self._tickets.live():
            if ticket.held is Held.TIME and ticket.due is not None and ticket.due <= now:
                self.submit(ticket, is_due=True)
            elif not ticket.held and ticket.view.status == PRE_SUBMITTED:
                self._open(ticket)

    def _open(self, ticket: Ticket) -> None:
        """Tell that an order that waited for the session is in the market now."""
        listing = ticket.listing
        if listing is None or ticket.text("orderType").upper() in WAITING:
            return
        if self.engine_of(ticket).get_market_status(listing.product.symbol).is_open:
            self._tickets.change(ticket, status=SUBMITTED)
            self._state.follow_with(lambda: self._reporter.status(ticket))

    def reconnect(self) -> None:
        """Bring to the market what waited for the broker's servers."""
        for ticket in self._tickets.live():
            if ticket.held is Held.LINK:
                self.submit(ticket)

    # What the engine tells

    def orders_changed(self, account: VenueAccount, events: list[OrderEvent]) -> None:
        """Take in what happened to the engine's orders."""
        for event in events:
            ticket = self._tickets.by_engine(event.order.order_id)
            if ticket is None:
                continue
            if ticket.listing is None:
                self.combinations.heard(ticket, event.fill)
            else:
                self._heard(ticket, event.order, event.fill)
        if any(event.fill is not None for event in events):
            self.traded(account.name)

    def _heard(self, ticket: Ticket, order: Order, fill: Fill | None) -> None:
        self._change(ticket, order, fill)
        if fill is not None and ticket.listing is not None:
            view = ticket.view
            made = self._executions.of_fill(ticket, ticket.listing, fill, view.filled, view.average)
            if fill.corrects is None:
                self._reporter.filled(ticket, [made])
            else:
                self._reporter.corrected(ticket, made)
        elif order.status is OrderStatus.REJECTED:
            self._reporter.rejected(ticket, order.status_reason or "")
        elif ticket.view.status == CANCELLED:
            immediate = ticket.text("tif").upper() in ("IOC", "OPG")
            self._reporter.cancelled(ticket, quietly=immediate)
        elif order.status is not OrderStatus.PENDING:
            self._reporter.status(ticket)
        self._follow(ticket, None if fill is None or fill.corrects else fill.quantity)

    def _change(self, ticket: Ticket, order: Order, fill: Fill | None) -> None:
        status, why = self._status_of(ticket, order)
        view = ticket.view
        ending, ended_at = view.ending, view.ended_at
        if status in (FILLED, CANCELLED, INACTIVE):
            ended_at = ended_at or self._state.clock()
            if status == FILLED:
                ending = f"Filled Size: {order.filled_quantity:f}"
            ending = ending or BY_SYSTEM
        self._tickets.change(
            ticket,
            status=status,
            why_held=why,
            quantity=order.quantity or view.quantity,
            filled=order.filled_quantity,
            average=view.average if fill is None else self._executions.average_of(ticket, fill),
            last_price=view.last_price if fill is None else fill.price,
            stop_price=order.stop_price if ticket.text("orderType") == "TRAIL" else None,
            ended_at=ended_at,
            ending=ending,
        )

    def _status_of(self, ticket: Ticket, order: Order) -> tuple[str, str]:
        """Return the broker's word for an order's status, and why it is held."""
        status = _STATUSES[order.status]
        kind = ticket.text("orderType").upper()
        if order.status is OrderStatus.OPEN:
            if kind in WAITING:
                return PRE_SUBMITTED, "trigger"
            symbol = order.symbol
            if not self.engine_of(ticket).get_market_status(symbol).is_open:
                return PRE_SUBMITTED, ""
        unfilled = status == CANCELLED and not order.filled_quantity
        if unfilled and ticket.text("tif").upper() == "FOK":
            return INACTIVE, ""
        return status, ""

    def _follow(self, ticket: Ticket, traded: Decimal | None) -> None:
        for follower in self.followers:
            follower.after_change(ticket, traded)
