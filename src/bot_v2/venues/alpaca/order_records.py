"""Orders in Alpaca's words.

Source: https://docs.alpaca.markets/reference/getorderbyorderid
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from bot_v2.features.brokerages.core.decimals import EXACT, Rounding, divide
from bot_v2.features.brokerages.core.orders import Order
from bot_v2.venues.alpaca.catalogue import Catalogue
from bot_v2.venues.alpaca.texts import moment_or_none, moment_text, plain, plain_or_none
from bot_v2.venues.alpaca.ticket import ACCEPTED, HELD, PENDING_NEW, Ticket
from bot_v2.venues.alpaca.tickets import TicketBook
from bot_v2.venues.requests import Record
from bot_v2.venues.state import VenueState

ZERO: Final = Decimal(0)
HUNDRED: Final = Decimal(100)
CENTS: Final = 2
TIMES: Final = ("filled_at", "expired_at", "canceled_at", "failed_at", "replaced_at")


class OrderWriter:
    """Puts orders into words. Its methods want the venue's lock held.

    Args:
        state: the venue.
        tickets: its orders.
        catalogue: what is listed.
    """

    def __init__(self, state: VenueState, tickets: TicketBook, catalogue: Catalogue) -> None:
        """Write for one venue."""
        self._state = state
        self._tickets = tickets
        self._catalogue = catalogue

    def write(self, ticket: Ticket, *, nested: bool = True, order: Order | None = None) -> Record:
        """Return an order as it stands, or as the engine's order stood at an earlier moment.

        Args:
            ticket: the order.
            nested: tell its exits inside it. Legs of one order are always told so.
            order: the engine's order at that moment. None: now.
        """
        progress = self._tickets.progress(ticket, order)
        children = ticket.children if nested or ticket.is_mleg else ()
        legs = [self.write(child) for child in children] or None
        return {
            **self._identity(ticket),
            **self._terms(ticket, progress.order),
            "filled_qty": plain(progress.filled),
            "filled_avg_price": plain_or_none(progress.average),
            "status": progress.status,
            "legs": legs,
        }

    def write_taken(self, ticket: Ticket) -> Record:
        """Return an order as the answer to its placement tells it: taken, and not yet worked."""
        waits = ticket.waits_until is not None or ticket.state == ACCEPTED
        said = self.write(ticket)
        legs = said["legs"]
        if isinstance(legs, list) and not ticket.is_mleg:
            legs = [{**one, "status": HELD} for one in legs]
        return {
            **said,
            "status": ACCEPTED if waits else PENDING_NEW,
            "filled_qty": "0",
            "filled_avg_price": None,
            "filled_at": None,
            "canceled_at": None,
            "failed_at": None,
            "updated_at": said["submitted_at"],
            "legs": legs,
        }

    def _identity(self, ticket: Ticket) -> Record:
        skew = self._state.skew
        return {
            "id": ticket.order_id,
            "client_order_id": ticket.client_order_id,
            "created_at": moment_text(ticket.submitted_at, skew),
            "updated_at": moment_text(max(ticket.updated_at, ticket.submitted_at), skew),
            "submitted_at": moment_text(ticket.submitted_at, skew),
            **{name: moment_or_none(ticket.times.get(name), skew) for name in TIMES},
            "replaced_by": ticket.replaced_by,
            "replaces": ticket.replaces,
        }

    def _terms(self, ticket: Ticket, order: Order | None) -> Record:
        terms, listing = ticket.terms, ticket.terms.listing
        said: Record = {
            "asset_id": "" if listing is None else self._catalogue.asset_id(listing),
            "symbol": ticket.symbol,
            "asset_class": "" if listing is None else listing.asset_class.value,
            "notional": plain_or_none(terms.notional),
            "qty": plain_or_none(self._quantity(ticket, order)),
            "order_class": terms.order_class,
            "order_type": terms.type,
            "type": terms.type,
            "side": terms.side,
            "position_intent": terms.intent,
            "time_in_force": terms.time_in_force,
            "limit_price": plain_or_none(terms.limit_price),
            "stop_price": plain_or_none(_trigger(ticket, order)),
            "extended_hours": terms.extended_hours,
            "trail_percent": plain_or_none(terms.trail_percent),
            "trail_price": plain_or_none(terms.trail_price),
            "hwm": plain_or_none(_high_water_mark(ticket, order)),
            "subtag": None,
            "source": None,
            "expires_at": None if order is None else moment_or_none(order.expires_at),
        }
        if ticket.parent is not None and ticket.parent.is_mleg:
            place = ticket.parent.children.index(ticket)
            said["ratio_qty"] = plain(ticket.parent.terms.legs[place].ratio)
        return said

    def _quantity(self, ticket: Ticket, order: Order | None) -> Decimal | None:
        if ticket.parent is None or order is None or order.quantity is None:
            return ticket.terms.qty
        # An exit shrinks by what the one beside it fills.
        return EXACT.subtract(order.quantity, ticket.filled_before)


def _trigger(ticket: Ticket, order: Order | None) -> Decimal | None:
    return ticket.terms.stop_price if order is None else order.stop_price


def _high_water_mark(ticket: Ticket, order: Order | None) -> Decimal | None:
    """Return the best price that a trailing stop has seen: its trigger is a trail away from it."""
    terms = ticket.terms
    if order is None or order.stop_price is None or terms.type != "trailing_stop":
        return None
    is_sale = terms.side == "sell"
    if terms.trail_price is not None:
        away = terms.trail_price if is_sale else terms.trail_price.copy_negate()
        return EXACT.add(order.stop_price, away)
    percent = terms.trail_percent or ZERO
    rest = EXACT.subtract(HUNDRED, percent) if is_sale else EXACT.add(HUNDRED, percent)
    # The trigger was rounded away from the price.
    back = Rounding.CEILING if is_sale else Rounding.FLOOR
    return divide(EXACT.multiply(order.stop_price, HUNDRED), rest, CENTS, back)
