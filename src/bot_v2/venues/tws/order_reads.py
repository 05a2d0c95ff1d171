"""Reading orders and executions: of the client, of everyone, of the day."""

from __future__ import annotations

from typing import Final

from bot_v2.venues.tws.gateway import Request, reads
from bot_v2.venues.tws.hours import day_start
from bot_v2.venues.tws.order_rows import (
    commission_row,
    completed_order_row,
    execution_row,
    open_order_row,
    status_row,
)
from bot_v2.venues.tws.order_terms import read_moment
from bot_v2.venues.tws.schema import Message
from bot_v2.venues.tws.session import Session
from bot_v2.venues.tws.state import TwsState
from bot_v2.venues.tws.tickets import Execution, TicketBook

_ORDERS: Final = "list_orders get_order get_order_by_client_id"


class OrderReads:
    """Tells orders and executions. Ended orders and executions are kept for their day.

    Args:
        state: the venue.
        tickets: the orders.
    """

    def __init__(self, state: TwsState, tickets: TicketBook) -> None:
        """Tell everything, ends included."""
        self.withholds_execution_end = False
        """True: the end of a list of executions is not told, as has been seen of the real one."""
        self._state = state
        self._tickets = tickets

    def requests(self) -> list[Request]:
        """Return what can be asked."""
        return reads(
            {
                "reqOpenOrders": (_ORDERS, self.open_orders),
                "reqAllOpenOrders": (_ORDERS, self.all_open_orders),
                "reqAutoOpenOrders": ("", self.bind),
                "reqCompletedOrders": (_ORDERS, self.completed),
                "reqExecutions": (f"list_fills {_ORDERS}", self.executions),
            }
        )

    def open_orders(self, session: Session, _: Message) -> None:
        """Tell the client's orders that live."""
        self.say_open(session, session.client_id)
        session.say("openOrderEnd")

    def all_open_orders(self, session: Session, _: Message) -> None:
        """Tell everyone's orders that live."""
        self.say_open(session, None)
        session.say("openOrderEnd")

    def bind(self, session: Session, asked: Message) -> None:
        """Take in that a client wants orders that are placed by hand: there are none."""

    def say_open(self, session: Session, client_id: int | None) -> bool:
        """Tell the orders of a client that live; None: everyone's. Return whether there are any."""
        has_any = False
        for ticket, view in self._tickets.shown_live():
            if client_id is None or ticket.client_id == client_id:
                session.say("openOrder", **open_order_row(ticket, view))
                session.say("orderStatus", **status_row(ticket, view))
                has_any = True
        return has_any

    def completed(self, session: Session, _: Message) -> None:
        """Tell the orders that ended today."""
        since = day_start(self._state.clock())
        for ticket, view in self._tickets.shown_ended(since):
            session.say("completedOrder", **completed_order_row(ticket, view))
        session.say("completedOrdersEnd")

    def executions(self, session: Session, asked: Message) -> None:
        """Tell the executions of today that fit what is asked."""
        request_id = asked.whole("reqId")
        since = day_start(self._state.clock())
        after = read_moment(asked.text("time"))
        found = [
            one
            for one in self._tickets.shown_executions(since)
            if _fits(one, asked) and (after is None or one.moment >= after)
        ]
        for one in found:
            session.say("execDetails", reqId=request_id, **execution_row(one))
        if not self.withholds_execution_end:
            session.say("execDetailsEnd", reqId=request_id)
        for one in found:
            if one.commission is not None:
                session.say("commissionReport", **commission_row(one))


def _fits(one: Execution, asked: Message) -> bool:
    row = execution_row(one)
    side = {"BOT": "BUY", "SLD": "SELL"}[str(row["side"])]
    wanted = asked.whole("clientId") or 0
    return (
        wanted in (0, one.ticket.client_id)
        and asked.text("acctCode") in ("", one.ticket.account)
        and asked.text("symbol") in ("", row["symbol"])
        and asked.text("secType") in ("", row["secType"])
        and asked.text("exchange") in ("", row["exchange"])
        and asked.text("side").upper() in ("", side, row["side"])
    )
