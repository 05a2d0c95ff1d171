"""Orders that hang together: children of a parent, and groups of which one cancels the others.

The children of a parent come to life once it is filled whole, and end with it otherwise. They are
a group of their own: what one of them trades is taken off the others. In a group that a client
names, the first trade cancels the others (type 1), or is taken off them (types 2 and 3).
"""

from __future__ import annotations

from decimal import Decimal
from functools import partial
from typing import Final

from bot_v2.venues.tws.order_flow import BY_SYSTEM, OrderFlow
from bot_v2.venues.tws.state import TwsState
from bot_v2.venues.tws.tickets import FILLED, Held, Ticket, TicketBook

CANCELS: Final = 1
"""The type of group in which a trade of one order cancels the others."""


class OrderGroups:
    """Does to orders of a group what a change of one means for them.

    Args:
        state: the venue.
        tickets: the orders.
        flow: moves them.
    """

    def __init__(self, state: TwsState, tickets: TicketBook, flow: OrderFlow) -> None:
        """Follow no order yet."""
        self._state = state
        self._tickets = tickets
        self._flow = flow

    def family_of(self, ticket: Ticket) -> list[Ticket]:
        """Return the orders that leave together with one that says transmit, the parent first."""
        parent = ticket.parent
        if parent is None:
            return [ticket]
        waiting = [
            one
            for one in (parent, *self._tickets.live())
            if one.held is Held.NOT_TRANSMITTED and parent in (one, one.parent)
        ]
        others = [one for one in dict.fromkeys(waiting) if one is not ticket]
        return [*others, ticket]

    def after_change(self, ticket: Ticket, traded: Decimal | None) -> None:
        """Take in that an order changed, and how much of it was traded."""
        if not ticket.is_live:
            for child in self._children_of(ticket):
                self._state.follow_with(partial(self._wake, child))
        if traded is not None:
            for other in self._others_of(ticket):
                self._state.follow_with(partial(self._tie, ticket, other, traded))

    def _children_of(self, ticket: Ticket) -> list[Ticket]:
        return [one for one in self._tickets.live() if one.parent is ticket]

    def _wake(self, child: Ticket) -> None:
        parent = child.parent
        if parent is None or child.held is not Held.PARENT:
            return
        if parent.view.status == FILLED:
            self._flow.submit(child)
        else:
            self._flow.cancel(child, BY_SYSTEM)

    def _others_of(self, ticket: Ticket) -> list[Ticket]:
        name = ticket.text("ocaGroup")
        return [
            one
            for one in self._tickets.live()
            if one is not ticket
            and one.account == ticket.account
            and one.held is not Held.NOT_TRANSMITTED
            and (
                (name and one.text("ocaGroup") == name)
                or (ticket.parent is not None and one.parent is ticket.parent)
            )
        ]

    def _tie(self, ticket: Ticket, other: Ticket, traded: Decimal) -> None:
        if not other.is_live:
            return
        if ticket.view.request.whole("ocaType") == CANCELS:
            self._flow.cancel(other, BY_SYSTEM)
        else:
            self._flow.reduce(other, traded)
