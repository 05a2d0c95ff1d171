"""Telling clients of their orders, in the order in which the broker's messages come."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Final

from bot_v2.venues.tws.codes import CANCELLED as CODE_CANCELLED
from bot_v2.venues.tws.codes import REJECTED, text_for
from bot_v2.venues.tws.gateway import Gateway
from bot_v2.venues.tws.order_rows import (
    commission_row,
    execution_row,
    open_order_row,
    status_row,
)
from bot_v2.venues.tws.session import NO_REQUEST, Session
from bot_v2.venues.tws.tickets import CANCELLED, PENDING_CANCEL, Execution, Ticket, View

LATE_S: Final = 0.1
"""How long after the status an execution is told where it comes late, in seconds."""


class FillOrder(StrEnum):
    """The order in which the messages of a fill come."""

    EXECUTION_FIRST = "execution-first"
    """The execution, the order, its status, the commission: the usual one."""
    STATUS_FIRST = "status-first"
    """The order and its status; the execution and the commission a moment later."""
    COMMISSION_FIRST = "commission-first"
    """The commission before its execution: a client that wants the other order loses it."""


class Reporter:
    """Tells the client that placed an order what becomes of it. Wants the venue's lock held.

    Args:
        gateway: knows who is connected.
        later: has something done after some seconds.
    """

    def __init__(
        self, gateway: Gateway, later: Callable[[float, Callable[[], None]], None]
    ) -> None:
        """Tell at once, in the usual order."""
        self.fill_order = FillOrder.EXECUTION_FIRST
        """The order in which the messages of a fill come."""
        self.is_cut_off = False
        """True: the broker's servers cannot be reached, and nothing is known of orders."""
        self._gateway = gateway
        self._later = later
        self._kept: list[Callable[[], None]] = []

    def session_of(self, ticket: Ticket) -> Session | None:
        """Return the connection of the client that placed an order. None: it is not connected."""
        return self._gateway.session_of(ticket.client_id)

    def status(self, ticket: Ticket, *, locally: bool = False) -> None:
        """Tell an order and its status; locally: it is known without the broker's servers."""
        self._tell(ticket, lambda one, view: _say_order(one, ticket, view), locally=locally)

    def cancelled(self, ticket: Ticket, *, quietly: bool = False) -> None:
        """Tell that an order was cancelled; quietly: without a code, as of one that never waits."""

        def say(session: Session, view: View) -> None:
            if quietly:
                session.say("orderStatus", **{**status_row(ticket, view), "status": PENDING_CANCEL})
            session.say("orderStatus", **status_row(ticket, view))
            if not quietly and view.status == CANCELLED:
                said = text_for(CODE_CANCELLED, reason="")
                session.fail(ticket.order_id, CODE_CANCELLED, said)

        self._tell(ticket, say)

    def rejected(self, ticket: Ticket, reason: str, code: int = REJECTED) -> None:
        """Tell that an order was refused after it was taken in."""
        said = text_for(REJECTED, reason=reason) if code == REJECTED else text_for(code)

        def say(session: Session, view: View) -> None:
            session.fail(ticket.order_id, code, said)
            _say_order(session, ticket, view)

        self._tell(ticket, say)

    def warned(self, ticket: Ticket, code: int, reason: str) -> None:
        """Tell a warning about an order."""
        self._tell(
            ticket,
            lambda session, _: session.fail(ticket.order_id, code, text_for(code, reason=reason)),
        )

    def filled(self, ticket: Ticket, executions: list[Execution]) -> None:
        """Tell a fill: of a combination, its own execution and those of its legs."""
        order = self.fill_order

        def say(session: Session, view: View) -> None:
            if order is FillOrder.STATUS_FIRST:
                _say_order(session, ticket, view)
                self._later(LATE_S, lambda: self._tell_late(ticket, executions))
                return
            if order is FillOrder.COMMISSION_FIRST:
                _say_commissions(session, executions)
            _say_executions(session, executions)
            _say_order(session, ticket, view)
            if order is FillOrder.EXECUTION_FIRST:
                _say_commissions(session, executions)

        self._tell(ticket, say)

    def corrected(self, ticket: Ticket, execution: Execution) -> None:
        """Tell that an execution was of another quantity or price."""

        def say(session: Session, view: View) -> None:
            _say_executions(session, [execution])
            _say_order(session, ticket, view)
            _say_commissions(session, [execution])

        self._tell(ticket, say)

    def reconnect(self) -> None:
        """Tell what happened while the broker's servers could not be reached."""
        self.is_cut_off = False
        kept, self._kept = self._kept, []
        for tell in kept:
            tell()

    def _tell(
        self, ticket: Ticket, say: Callable[[Session, View], None], *, locally: bool = False
    ) -> None:
        # What is told is the order as it is now, even where it is told later.
        view = ticket.view

        def tell() -> None:
            session = self.session_of(ticket)
            if session is not None:
                say(session, view)

        if self.is_cut_off and not locally:
            self._kept.append(tell)
        else:
            tell()

    def _tell_late(self, ticket: Ticket, executions: list[Execution]) -> None:
        session = self.session_of(ticket)
        if session is not None:
            _say_executions(session, executions)
            _say_commissions(session, executions)


def _say_order(session: Session, ticket: Ticket, view: View) -> None:
    session.say("openOrder", **open_order_row(ticket, view))
    session.say("orderStatus", **status_row(ticket, view))


def _say_executions(session: Session, executions: list[Execution]) -> None:
    for one in executions:
        session.say("execDetails", reqId=NO_REQUEST, **execution_row(one))


def _say_commissions(session: Session, executions: list[Execution]) -> None:
    for one in executions:
        if one.commission is not None:
            session.say("commissionReport", **commission_row(one))
