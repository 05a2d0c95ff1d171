"""What follows a step: exits come to life, auctions are held, and legs trade together.

An exit works from the moment when its entry is filled as a whole, as Alpaca documents; if the
entry ends before that, so do its exits, whatever was filled of it. When one order of a group is
cancelled, so is what is left of the group.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import attrs

from bot_v2.features.brokerages.core.decimals import EXACT
from bot_v2.features.brokerages.core.errors import BrokerageError, MarketDataUnavailableError
from bot_v2.features.brokerages.core.market_data import Quote
from bot_v2.features.brokerages.core.order_status import LIVE_STATUSES
from bot_v2.venues.account import VenueAccount
from bot_v2.venues.alpaca.hours import MarketHours
from bot_v2.venues.alpaca.placing import request_of
from bot_v2.venues.alpaca.terms import AUCTIONS, LegTerms, Terms
from bot_v2.venues.alpaca.ticket import (
    ACCEPTED,
    CANCELED,
    ENDED,
    EXPIRED,
    FILLED,
    HELD,
    NEW,
    PARTIALLY_FILLED,
    PENDING_CANCEL,
    REJECTED,
    REPLACED,
    Ticket,
)
from bot_v2.venues.alpaca.tickets import TicketBook
from bot_v2.venues.state import VenueState

ZERO: Final = Decimal(0)


class Following:
    """Acts after each step. Its methods want the venue's lock held.

    Args:
        state: the venue.
        account: its account.
        tickets: its orders.
        hours: when the market is open.
    """

    def __init__(
        self, state: VenueState, account: VenueAccount, tickets: TicketBook, hours: MarketHours
    ) -> None:
        """Follow every step of one venue."""
        self._state = state
        self._account = account
        self._tickets = tickets
        self._hours = hours
        state.follow(self.act)

    def act(self) -> bool:
        """Do what is due now; return whether anything was."""
        done = False
        for ticket in self._tickets.open():
            if ticket.state == HELD and ticket.parent is not None:
                done = self._serve_exit(ticket, ticket.parent) or done
            elif ticket.state == ACCEPTED and ticket.terms.time_in_force in AUCTIONS:
                done = self._hold_auction(ticket) or done
            elif ticket.is_mleg and ticket.state in (ACCEPTED, NEW):
                done = self._trade_legs(ticket) or done
            elif ticket.is_mleg and ticket.state == PARTIALLY_FILLED:
                done = self._complete(ticket) or done
        return self._end_groups() or done

    # Exits

    def _serve_exit(self, ticket: Ticket, parent: Ticket) -> bool:
        status = self._status(parent)
        if status == FILLED:
            self._bring_to_life(parent)
            return True
        if status in ENDED and status != REPLACED:
            self._tickets.end(ticket, EXPIRED if status == EXPIRED else CANCELED)
            return True
        return False

    def _bring_to_life(self, parent: Ticket) -> None:
        waiting = [one for one in parent.children if one.state == HELD]
        filled = self._tickets.progress(parent).filled
        now = self._state.clock()
        requests = []
        for one in waiting:
            one.terms = attrs.evolve(one.terms, qty=filled)
            requests.append(request_of(one.terms, now))
        engine = self._account.engine
        names = [one.order_id for one in waiting]
        try:
            if len(waiting) == 1:
                legs = [engine.place(requests[0], client_order_id=names[0])]
            else:
                pair = engine.place_oco(
                    requests[0],
                    requests[1],
                    client_order_ids=(names[0], names[1]),
                    exits_of=parent.order_id,
                )
                legs = list(pair)
        except BrokerageError:
            for one in waiting:
                self._tickets.end(one, REJECTED)
            return
        for one, leg in zip(waiting, legs, strict=True):
            self._tickets.assign(one, leg.order_id)

    # Groups

    def _end_groups(self) -> bool:
        done = False
        for ticket in self._tickets.open():
            if not ticket.terms.is_complex or self._status(ticket) == PENDING_CANCEL:
                continue
            group = _group_of(ticket)
            if any(one is not ticket and self._was_cancelled(one) for one in group):
                done = self._cancel(ticket) or done
        return done

    def _was_cancelled(self, ticket: Ticket) -> bool:
        return self._status(ticket) == CANCELED

    def _cancel(self, ticket: Ticket) -> bool:
        if ticket.leg is not None and not ticket.state:
            return self._account.engine.cancel(ticket.leg)
        self._tickets.end(ticket, CANCELED)
        return True

    def _status(self, ticket: Ticket) -> str:
        return self._tickets.progress(ticket).status

    # Auctions

    def _hold_auction(self, ticket: Ticket) -> bool:
        listing = ticket.terms.listing
        due = ticket.waits_until
        if due is None or listing is None or self._state.clock() < due:
            return False
        engine, symbol = self._account.engine, listing.product.symbol
        ticket.waits_until = None
        try:
            request = request_of(ticket.terms, self._state.clock())
            order = engine.place(request, client_order_id=ticket.order_id)
        except BrokerageError:
            self._tickets.end(ticket, REJECTED)
            return True
        self._tickets.assign(ticket, order.order_id)
        order = engine.get_order(order.order_id)
        price = self._state.tape.last(symbol).price
        if order.status in LIVE_STATUSES and _takes(ticket.terms, price):
            rest = order.remaining_quantity
            if rest:
                engine.fill(order.order_id, rest, price)
        # What the auction did not fill is over.
        engine.cancel(order.order_id)
        return True

    # Several legs

    def _trade_legs(self, ticket: Ticket) -> bool:
        now = self._state.clock()
        if not self._hours.regular.is_open(now):
            if ticket.state == NEW and now >= self._hours.published.next_close(ticket.submitted_at):
                return self._end_all(ticket, EXPIRED)
            return False
        done = False
        if ticket.state == ACCEPTED:
            for one in (ticket, *ticket.children):
                one.state, one.waits_until = NEW, None
            done = True
        net = self._net(ticket.terms)
        limit = ticket.terms.limit_price
        if net is None or (limit is not None and net > limit):
            return done
        return self._execute(ticket)

    def _net(self, terms: Terms) -> Decimal | None:
        """Return what one unit costs now. None: not all of it can be had."""
        net = ZERO
        for leg in terms.legs:
            paid = self._offer(leg, terms.qty or ZERO)
            if paid is None:
                return None
            paid = EXACT.multiply(paid, leg.ratio)
            net = EXACT.add(net, paid if leg.side == "buy" else paid.copy_negate())
        return net

    def _offer(self, leg: LegTerms, units: Decimal) -> Decimal | None:
        try:
            quote: Quote = self._state.quote(leg.listing.product.symbol)
        except MarketDataUnavailableError:
            return None
        buys = leg.side == "buy"
        price, size = (quote.ask, quote.ask_size) if buys else (quote.bid, quote.bid_size)
        wanted = EXACT.multiply(units, leg.ratio)
        return price if price is not None and size is not None and size >= wanted else None

    def _execute(self, ticket: Ticket) -> bool:
        now = self._state.clock()
        # What is bought covers what is sold.
        ordered = sorted(ticket.children, key=lambda one: one.terms.side)
        for child in ordered:
            try:
                order = self._account.engine.place(
                    request_of(child.terms, now), client_order_id=child.order_id
                )
            except BrokerageError:
                return self._end_all(ticket, REJECTED)
            self._tickets.assign(child, order.order_id)
        ticket.state = PARTIALLY_FILLED
        self._complete(ticket)
        return True

    def _complete(self, ticket: Ticket) -> bool:
        if any(self._status(child) != FILLED for child in ticket.children):
            return False
        self._tickets.end(ticket, FILLED)
        return True

    def _end_all(self, ticket: Ticket, state: str) -> bool:
        for one in (ticket, *ticket.children):
            if one.leg is None:
                self._tickets.end(one, state)
        return True


def _group_of(ticket: Ticket) -> list[Ticket]:
    """Return the orders of which one's end by a cancel ends the others: exits, and legs."""
    parent = ticket.parent
    if parent is None:
        return ticket.children if ticket.is_mleg or ticket.terms.order_class == "oco" else []
    if parent.is_mleg or parent.terms.order_class == "oco":
        return [parent, *parent.children]
    return parent.children


def _takes(terms: Terms, price: Decimal) -> bool:
    if terms.limit_price is None:
        return True
    return price <= terms.limit_price if terms.side == "buy" else price >= terms.limit_price
