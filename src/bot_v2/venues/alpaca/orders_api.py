"""Orders of the Trading API: place, list, get, replace, cancel.

Source: https://docs.alpaca.markets/reference/postorder and the pages beside it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from bot_v2.venues.account import VenueAccount
from bot_v2.venues.alpaca.dialect import (
    NOT_FOUND,
    bad_parameter,
    query_moment,
    refused,
    unprocessable,
)
from bot_v2.venues.alpaca.order_records import OrderWriter
from bot_v2.venues.alpaca.placing import Placing
from bot_v2.venues.alpaca.replacing import Replacing
from bot_v2.venues.alpaca.texts import moment_from_text
from bot_v2.venues.alpaca.ticket import CANCELED, ENDED, PENDING_CANCEL, Ticket
from bot_v2.venues.alpaca.tickets import TicketBook
from bot_v2.venues.requests import ApiAnswer, ApiRequest, Record
from bot_v2.venues.state import VenueState

LIMIT: Final = 50
LIMIT_MAX: Final = 500

NO_CONTENT: Final = ApiAnswer(204, "")


class OrdersApi:
    """Orders.

    Args:
        state: the venue.
        account: its account.
        tickets: its orders.
        placing: takes orders.
        replacing: replaces them.
        writer: puts them into words.
        page_max: how many a list has at most.
    """

    def __init__(
        self,
        state: VenueState,
        account: VenueAccount,
        tickets: TicketBook,
        placing: Placing,
        replacing: Replacing,
        writer: OrderWriter,
        page_max: int,
    ) -> None:
        """Serve one account."""
        self._state = state
        self._account = account
        self._tickets = tickets
        self._placing = placing
        self._replacing = replacing
        self._writer = writer
        self._page_max = page_max

    def place(self, request: ApiRequest) -> Record:
        """Place an order."""
        body = request.body()

        def act() -> Ticket:
            self._tickets.remember()
            return self._placing.place(body)

        return self._writer.write_taken(self._state.write(act))

    def list_orders(self, request: ApiRequest) -> list[Record]:
        """List orders: open ones, unless others are asked for."""
        wanted = request.value("status") or "open"
        if wanted not in ("open", "closed", "all"):
            raise bad_parameter("invalid status")
        direction = request.value("direction") or "desc"
        if direction not in ("asc", "desc"):
            raise bad_parameter("invalid direction")
        nested = (request.value("nested") or "").lower() == "true"
        symbols = _symbols(request)
        side = request.value("side")
        after = query_moment(request, "after", moment_from_text)
        until = query_moment(request, "until", moment_from_text)
        found = [
            ticket
            for ticket in self._tickets.newest_first()
            if _is_between(ticket.submitted_at, after, until)
            and self._is_told(ticket, nested=nested)
            and self._is_wanted(ticket, wanted)
            and (not symbols or _is_one_of(ticket, symbols))
            and side in (None, ticket.terms.side)
        ]
        if direction == "asc":
            found.reverse()
        return [self._writer.write(one, nested=nested) for one in found[: self._limit(request)]]

    def _is_told(self, ticket: Ticket, *, nested: bool) -> bool:
        """Whether it is in the list itself: exits are inside their entry where that is wanted."""
        if ticket.parent is None:
            return True
        return not nested and not ticket.parent.is_mleg

    def _is_wanted(self, ticket: Ticket, wanted: str) -> bool:
        if wanted == "all":
            return True
        is_over = self._tickets.progress(ticket).status in ENDED
        return is_over is (wanted == "closed")

    def _limit(self, request: ApiRequest) -> int:
        text = request.value("limit")
        if text is None:
            return min(LIMIT, self._page_max)
        if not text.isdecimal() or not 1 <= int(text) <= LIMIT_MAX:
            raise bad_parameter(f"limit must be between 1 and {LIMIT_MAX}")
        return min(int(text), self._page_max)

    def get(self, request: ApiRequest) -> Record:
        """Get one order by Alpaca's id."""
        order_id = request.arguments["order_id"]
        ticket = self._tickets.get(order_id)
        if ticket is None:
            raise _not_found(order_id)
        return self._writer.write(ticket, nested=_is_nested(request))

    def get_by_client_id(self, request: ApiRequest) -> Record:
        """Get one order by the caller's id."""
        given = request.value("client_order_id")
        if given is None:
            raise bad_parameter("client_order_id is required")
        ticket = self._tickets.by_client_id(given)
        if ticket is None:
            raise _not_found(given)
        return self._writer.write(ticket)

    def replace(self, request: ApiRequest) -> Record:
        """Replace an order by one with other terms; it has another id."""
        order_id, body = request.arguments["order_id"], request.body()

        def act() -> Ticket:
            self._tickets.remember()
            ticket = self._tickets.live(order_id)
            if ticket is None:
                raise _not_found(order_id)
            return self._replacing.replace(ticket, body)

        return self._writer.write_taken(self._state.write(act))

    def cancel(self, request: ApiRequest) -> ApiAnswer:
        """Cancel one order."""
        order_id = request.arguments["order_id"]

        def act() -> None:
            self._tickets.remember()
            ticket = self._tickets.live(order_id)
            if ticket is None:
                raise _not_found(order_id)
            self._cancel(ticket)

        self._state.write(act)
        return NO_CONTENT

    def cancel_all(self, request: ApiRequest) -> ApiAnswer:  # noqa: ARG002 - there is nothing to ask
        """Cancel every open order; each has a status of its own."""

        def act() -> list[str]:
            self._tickets.remember()
            done = []
            for ticket in reversed(self._tickets.open()):
                if self._tickets.progress(ticket).status not in ENDED:
                    self._cancel(ticket)
                    done.append(ticket.order_id)
            return done

        ended = self._state.write(act)
        return ApiAnswer(207, [{"id": order_id, "status": 200} for order_id in ended])

    def _cancel(self, ticket: Ticket) -> None:
        status = self._tickets.progress(ticket).status
        if status in ENDED:
            raise unprocessable(f'order is already in "{status}" state')
        if status == PENDING_CANCEL:
            raise unprocessable("order pending cancel")
        if ticket.parent is not None and ticket.parent.is_mleg:
            raise unprocessable("cannot cancel a leg of a multi-leg order")
        if ticket.leg is not None and not ticket.state:
            self._account.engine.cancel(ticket.leg)
        else:
            self._tickets.end(ticket, CANCELED)


def _not_found(name: str) -> Exception:
    return refused(404, NOT_FOUND, f"order not found for {name}")


def _is_nested(request: ApiRequest) -> bool:
    return (request.value("nested") or "true").lower() == "true"


def _symbols(request: ApiRequest) -> set[str]:
    given = (request.value("symbols") or "").split(",")
    return {one.strip().replace("/", "") for one in given if one.strip()}


def _is_one_of(ticket: Ticket, symbols: set[str]) -> bool:
    mine = {ticket.symbol, *(leg.listing.symbol for leg in ticket.terms.legs)}
    return any(symbol.replace("/", "") in symbols for symbol in mine)


def _is_between(moment: datetime, after: datetime | None, until: datetime | None) -> bool:
    return (after is None or moment > after) and (until is None or moment < until)
