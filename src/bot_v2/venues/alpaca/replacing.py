"""Replacements: PATCH of an order makes another one, which takes its place.

Source: https://docs.alpaca.markets/reference/patchorderbyorderid-1. The new order is for the
quantity that is asked for, or for the old one's whole quantity, whatever of it was filled already:
a known habit of the live API (https://github.com/alpacahq/Alpaca-API/issues/165).
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

import attrs

from bot_v2.features.brokerages.core.decimals import EXACT
from bot_v2.features.brokerages.core.errors import (
    InvalidFieldError,
    ModifyRejectedError,
    OrderNotFoundError,
)
from bot_v2.features.brokerages.core.order_changes import OrderModification
from bot_v2.features.brokerages.core.order_terms import TimeInForce
from bot_v2.features.brokerages.core.orders import Order
from bot_v2.shared.types import IdSource
from bot_v2.simulation.received import ReceivedOrder
from bot_v2.venues.account import VenueAccount
from bot_v2.venues.alpaca.bodies import amount, choice, client_order_id, positive, price_on_grid
from bot_v2.venues.alpaca.checks import Checks
from bot_v2.venues.alpaca.dialect import bad_parameter, unprocessable
from bot_v2.venues.alpaca.placing import LASTS
from bot_v2.venues.alpaca.terms import Terms, check_kind
from bot_v2.venues.alpaca.ticket import ENDED, HELD, NEW, PARTIALLY_FILLED, REPLACED, Ticket
from bot_v2.venues.alpaca.tickets import TicketBook
from bot_v2.venues.state import VenueState

ZERO: Final = Decimal(0)

REPLACEABLE: Final = frozenset({NEW, PARTIALLY_FILLED, HELD, "accepted", "done_for_day"})


class Replacing:
    """Replaces orders. Its methods want the venue's lock held, and to run inside a write.

    Args:
        state: the venue.
        account: its account.
        tickets: its orders.
        checks: judges them.
        ids: makes the ids of orders.
    """

    def __init__(
        self,
        state: VenueState,
        account: VenueAccount,
        tickets: TicketBook,
        checks: Checks,
        ids: IdSource,
    ) -> None:
        """Replace orders of one account."""
        self._state = state
        self._account = account
        self._tickets = tickets
        self._checks = checks
        self._ids = ids

    def replace(self, ticket: Ticket, body: Mapping[str, Any]) -> Ticket:
        """Replace an order, or raise why it stays.

        Raises:
            RefusedError: 403 or 422.
        """
        self._checks.check_account()
        progress = self._tickets.progress(ticket)
        if progress.status == REPLACED:
            raise unprocessable("order already replaced")
        if progress.status in ENDED or progress.status not in REPLACEABLE:
            raise unprocessable(f"cannot replace order in {progress.status} status")
        given = client_order_id(body)
        if given is not None and self._tickets.has_client_id(given):
            raise bad_parameter("client_order_id must be unique")
        terms = _changed(ticket.terms, body)
        if terms == ticket.terms:
            raise unprocessable("order parameters are not changed")
        check_kind(terms)
        if progress.order is not None:
            self._modify(ticket, terms, progress.order, progress.filled)
        return self._succeed(ticket, terms, given, progress.order)

    def _modify(self, ticket: Ticket, terms: Terms, order: Order, filled: Decimal) -> None:
        """Change the engine's order, whose quantity counts all that it ever filled."""
        old, quantity = ticket.terms, None
        if terms.qty is not None and order.quantity is not None:
            if terms.qty != old.qty and terms.qty <= filled:
                raise unprocessable("qty must be > filled_qty")
            wanted = EXACT.add(order.filled_quantity, terms.qty)
            quantity = wanted if wanted != order.quantity else None
        changes: dict[str, Any] = {
            "quantity": quantity,
            "price": _new(terms.limit_price, old.limit_price),
            "stop_price": _new(terms.stop_price, old.stop_price),
            "trail_amount": _new(terms.trail_price, old.trail_price),
            "trail_percent": _new(terms.trail_percent, old.trail_percent),
        }
        if terms.time_in_force != old.time_in_force:
            lasts = terms.time_in_force == "gtc"
            changes["time_in_force"] = TimeInForce.GTD if lasts else TimeInForce.DAY
            changes["expires_at"] = self._state.clock() + LASTS if lasts else None
        if all(value is None for value in changes.values()):
            return
        try:
            self._account.engine.modify(order.order_id, OrderModification(**changes))
        except ModifyRejectedError as error:
            raise unprocessable(error.message or "unable to replace order") from error

    def fill_replaced(self, ticket: Ticket, quantity: Decimal, price: Decimal) -> None:
        """Book a fill of an order that was replaced: the old order is filled, not the new one.

        Raises:
            OrderNotFoundError: what goes on in its place is over, too.
        """
        successor = self._tickets.by_leg(ticket.leg or "")
        if successor is None or ticket.frozen is None:
            raise OrderNotFoundError(f"{ticket.order_id} does not go on", order_id=ticket.order_id)
        left = ticket.frozen.remaining_quantity
        if left is None or not 0 < quantity <= left:
            raise InvalidFieldError("quantity", quantity, f"above zero and at most {left}")
        engine, leg = self._account.engine, ticket.leg or ""
        before = engine.get_order(leg)
        # The engine has one order for both: it is for that much more, and has filled it already.
        whole = EXACT.add(before.quantity or ZERO, quantity)
        engine.modify(leg, OrderModification(quantity=whole))
        self._tickets.expect_fill_of(ticket)
        fill = engine.fill(leg, quantity, price)
        value = EXACT.multiply(fill.quantity, fill.price)
        successor.filled_before = EXACT.add(successor.filled_before, fill.quantity)
        successor.value_before = EXACT.add(successor.value_before, value)

    def _succeed(
        self, ticket: Ticket, terms: Terms, given: str | None, order: Order | None
    ) -> Ticket:
        moment = self._tickets.next_moment()
        successor = Ticket(
            order_id=self._ids(),
            client_order_id=given or self._ids(),
            terms=terms,
            submitted_at=moment,
            updated_at=moment,
            number=self._tickets.next_number(),
            state=ticket.state,
            waits_until=ticket.waits_until,
            parent=ticket.parent,
            children=ticket.children,
            replaces=ticket.order_id,
        )
        for child in ticket.children:
            child.parent = successor
        if ticket.parent is not None:
            siblings = ticket.parent.children
            siblings[siblings.index(ticket)] = successor
        if order is not None:
            mean = order.average_fill_price or ZERO
            successor.filled_before = order.filled_quantity
            successor.value_before = EXACT.multiply(order.filled_quantity, mean)
            successor.leg = order.order_id
        ticket.frozen, ticket.replaced_by = order, successor.order_id
        ticket.children = []
        self._tickets.end(ticket, REPLACED)
        self._tickets.add(successor)
        successor.told = self._tickets.progress(successor).status
        self._tickets.tell(successor.told, successor)
        listing = terms.listing
        self._state.received.append(
            ReceivedOrder(
                order_id=successor.order_id,
                client_order_id=given,
                symbol="" if listing is None else listing.product.symbol,
            )
        )
        return successor


def _new(now: Decimal | None, before: Decimal | None) -> Decimal | None:
    return now if now != before else None


def _changed(terms: Terms, body: Mapping[str, Any]) -> Terms:
    listing, changes = terms.listing, dict[str, Any]()
    qty, trail = positive(body, "qty"), positive(body, "trail")
    if qty is not None:
        if terms.qty is None:
            raise unprocessable("qty cannot be changed of a notional order")
        changes["qty"] = qty
    for name in ("limit_price", "stop_price"):
        price = amount(body, name) if listing is None else price_on_grid(body, name, listing)
        if price is None:
            continue
        if getattr(terms, name) is None:
            raise bad_parameter(f"{terms.type} orders must not have {name.replace('_', ' ')}")
        changes[name] = price
    if trail is not None:
        if terms.type != "trailing_stop":
            raise bad_parameter("trail is only valid for trailing stop orders")
        in_money = terms.trail_price is not None
        changes["trail_price" if in_money else "trail_percent"] = trail
    if body.get("time_in_force") not in (None, ""):
        changes["time_in_force"] = choice(body, "time_in_force", ("day", "gtc"))
    return attrs.evolve(terms, **changes)
