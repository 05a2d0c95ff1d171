"""Placements: what becomes of a body that asks for an order."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import attrs

from bot_v2.features.brokerages.core.errors import MarketClosedError
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.order_terms import (
    OrderSide,
    OrderType,
    PositionEffect,
    TimeInForce,
)
from bot_v2.shared.types import IdSource
from bot_v2.simulation.received import ReceivedOrder
from bot_v2.venues.account import VenueAccount
from bot_v2.venues.alpaca.auctions import auction_at
from bot_v2.venues.alpaca.bodies import client_order_id
from bot_v2.venues.alpaca.catalogue import Catalogue
from bot_v2.venues.alpaca.checks import Checks
from bot_v2.venues.alpaca.dialect import bad_parameter, unprocessable
from bot_v2.venues.alpaca.hours import MarketHours
from bot_v2.venues.alpaca.listings import Listing
from bot_v2.venues.alpaca.terms import AUCTIONS, Exit, Terms, read_terms
from bot_v2.venues.alpaca.ticket import ACCEPTED, HELD, NEW, Ticket
from bot_v2.venues.alpaca.tickets import TicketBook
from bot_v2.venues.state import VenueState

LASTS: Final = timedelta(days=90)
"""How long an order lasts that is good until it is cancelled (the page of order lifecycles)."""

OPPOSITE: Final = {"buy": "sell", "sell": "buy"}


class Placing:
    """Takes orders. Its methods want the venue's lock held, and to run inside a write.

    Args:
        state: the venue.
        account: its account.
        tickets: its orders.
        checks: judges them.
        catalogue: what is listed.
        hours: when the market is open.
        ids: makes the ids of orders.
    """

    def __init__(
        self,
        state: VenueState,
        account: VenueAccount,
        tickets: TicketBook,
        checks: Checks,
        catalogue: Catalogue,
        hours: MarketHours,
        ids: IdSource,
    ) -> None:
        """Take orders for one account."""
        self._state = state
        self._account = account
        self._tickets = tickets
        self._checks = checks
        self._find = catalogue.find
        self._hours = hours
        self._ids = ids

    def place(self, body: Mapping[str, Any]) -> Ticket:
        """Take an order, or raise why it is not taken.

        Raises:
            RefusedError: 403 or 422.
        """
        self._checks.check_account()
        terms = read_terms(body, self._find)
        given = client_order_id(body)
        if given is not None and self._tickets.has_client_id(given):
            raise bad_parameter("client_order_id must be unique")
        if terms.legs:
            self._checks.check_legs(terms)
            ticket = self._place_legs(terms, given)
        else:
            ticket = self._place_one(terms, given)
        first = terms.legs[0].listing if terms.legs else terms.listing
        symbol = "" if first is None else first.product.symbol
        # One request places both of a pair; the second has no name from outside.
        pair = ticket.children if terms.order_class == "oco" else []
        self._state.received += [
            ReceivedOrder(order_id=ticket.order_id, client_order_id=given, symbol=symbol),
            *(
                ReceivedOrder(order_id=one.order_id, client_order_id=None, symbol=symbol)
                for one in pair
            ),
        ]
        return ticket

    def _place_one(self, terms: Terms, given: str | None) -> Ticket:
        listing = terms.listing
        if listing is None:
            raise unprocessable("symbol is required")
        intent = self._checks.intent(terms, listing)
        if terms.order_class == "oco":
            terms = _with_target(terms)
        self._checks.check(terms, listing, intent)
        if listing.is_option and terms.type == "market" and not self._is_open(listing):
            raise unprocessable("options market orders are only allowed during market hours")
        ticket = self._ticket(attrs.evolve(terms, intent=intent), given)
        if terms.time_in_force in AUCTIONS:
            ticket.state = ACCEPTED
            ticket.waits_until = auction_at(terms.time_in_force, self._hours, self._state.clock())
        elif terms.order_class == "oco":
            self._place_oco(ticket)
        else:
            ticket.leg = self._send(ticket, listing)
        self._tickets.add(ticket)
        self._hold_exits(ticket)
        if ticket.state:
            ticket.told = ticket.state
            self._tickets.tell(ticket.state, ticket)
        return ticket

    def _place_oco(self, ticket: Ticket) -> None:
        stop = ticket.terms.stop_loss
        if stop is None:
            raise unprocessable("oco orders require stop_loss.stop_price")
        child = self._child(ticket, stop)
        now = self._state.clock()
        pair = self._account.engine.place_oco(
            request_of(ticket.terms, now),
            request_of(child.terms, now),
            client_order_ids=(ticket.order_id, child.order_id),
            exits_of=ticket.order_id,
        )
        ticket.leg, child.leg = pair[0].order_id, pair[1].order_id
        self._tickets.add(child)

    def _send(self, ticket: Ticket, listing: Listing) -> str:
        """Let an order reach the engine; return the engine's id of it."""
        now = self._state.clock()
        try:
            request = request_of(ticket.terms, now)
            order = self._account.engine.place(request, client_order_id=ticket.order_id)
        except MarketClosedError as error:
            # How orders that cannot wait are refused out of hours is not documented.
            raise unprocessable(
                f"{ticket.terms.time_in_force} orders are only allowed during market hours"
            ) from error
        if not self._is_open(listing) and not self._works_in_extended_hours(ticket.terms):
            ticket.waits_until = self._hours.regular.next_open(now)
        return order.order_id

    def _is_open(self, listing: Listing) -> bool:
        return listing.is_crypto or self._hours.regular.is_open(self._state.clock())

    def _works_in_extended_hours(self, terms: Terms) -> bool:
        return terms.extended_hours and self._hours.extended.is_open(self._state.clock())

    def _hold_exits(self, ticket: Ticket) -> None:
        """Make the exits of an order; they are held until it is filled."""
        if ticket.terms.order_class not in ("bracket", "oto"):
            return
        for found in (ticket.terms.take_profit, ticket.terms.stop_loss):
            if found is not None:
                self._tickets.add(self._child(ticket, found))

    def _child(self, parent: Ticket, found: Exit) -> Ticket:
        terms = parent.terms
        is_oco = terms.order_class == "oco"
        side = terms.side if is_oco else OPPOSITE[terms.side]
        child_terms = attrs.evolve(
            terms,
            side=side,
            type=found.type,
            notional=None,
            limit_price=found.limit_price,
            stop_price=found.stop_price,
            trail_price=None,
            trail_percent=None,
            take_profit=None,
            stop_loss=None,
            extended_hours=False,
            intent=f"{side}_to_close",
        )
        child = self._ticket(child_terms, None)
        child.parent, child.state = parent, "" if is_oco else HELD
        parent.children.append(child)
        return child

    def _place_legs(self, terms: Terms, given: str | None) -> Ticket:
        parent = self._ticket(terms, given)
        is_open = self._hours.regular.is_open(self._state.clock())
        state = NEW if is_open else ACCEPTED
        parent.state = state
        if not is_open:
            parent.waits_until = self._hours.regular.next_open(self._state.clock())
        self._tickets.add(parent)
        for leg in terms.legs:
            qty = (terms.qty or Decimal(0)) * leg.ratio
            child_terms = Terms(
                listing=leg.listing,
                side=leg.side,
                type="market",
                time_in_force=terms.time_in_force,
                qty=qty,
                order_class="mleg",
                intent=leg.intent,
            )
            child = self._ticket(child_terms, None)
            child.parent, child.state = parent, state
            parent.children.append(child)
            self._tickets.add(child)
        parent.told = state
        self._tickets.tell(state, parent)
        return parent

    def _ticket(self, terms: Terms, given: str | None) -> Ticket:
        moment = self._tickets.next_moment()
        return Ticket(
            order_id=self._ids(),
            client_order_id=given or self._ids(),
            terms=terms,
            submitted_at=moment,
            updated_at=moment,
            number=self._tickets.next_number(),
        )


TYPES: Final = {
    "market": OrderType.MARKET,
    "limit": OrderType.LIMIT,
    "stop": OrderType.STOP,
    "stop_limit": OrderType.STOP_LIMIT,
    "trailing_stop": OrderType.TRAILING_STOP,
}
TIMES: Final = {
    "day": TimeInForce.DAY,
    "gtc": TimeInForce.GTD,
    "ioc": TimeInForce.IOC,
    "fok": TimeInForce.FOK,
}


def request_of(terms: Terms, now: datetime) -> OrderRequest:
    """Return what the engine is asked for; an order for an auction is good until it is held."""
    listing = terms.listing
    if listing is None:
        raise unprocessable("symbol is required")
    time = TIMES.get(terms.time_in_force, TimeInForce.GTD)
    return OrderRequest(
        symbol=listing.product.symbol,
        side=OrderSide(terms.side),
        quantity=terms.qty,
        notional=terms.notional,
        type=TYPES[terms.type],
        price=terms.limit_price,
        stop_price=terms.stop_price,
        trail_amount=terms.trail_price,
        trail_percent=terms.trail_percent,
        time_in_force=time,
        expires_at=now + LASTS if time is TimeInForce.GTD else None,
        position_effect=PositionEffect.OPEN if terms.intent == "sell_to_open" else None,
        extended_hours=terms.extended_hours,
    )


def _with_target(terms: Terms) -> Terms:
    """Return an OCO with its limit where orders have it: a caller may name it as an exit."""
    if terms.limit_price is None and terms.take_profit is not None:
        terms = attrs.evolve(terms, limit_price=terms.take_profit.limit_price)
    stop = None if terms.stop_loss is None else terms.stop_loss.stop_price
    up, limit = terms.side == "sell", terms.limit_price
    if stop is not None and limit is not None and (limit > stop) is not up:
        sign = ">" if up else "<"
        raise unprocessable(f"take_profit.limit_price must be {sign} stop_loss.stop_price")
    return attrs.evolve(terms, take_profit=None)
