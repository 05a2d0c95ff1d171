"""Orders as clients ask for them: placed, changed, cancelled, read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Final

from bot_v2.features.brokerages.core.errors import BrokerageError
from bot_v2.features.brokerages.core.order_changes import OrderModification
from bot_v2.venues.tws.codes import (
    AMBIGUOUS_CONTRACT,
    CANCEL_ENDED,
    CANCEL_UNKNOWN,
    DUPLICATE_ID,
    MODIFY_FILLED,
    MODIFY_MISMATCH,
    MODIFY_TYPE,
    NO_ACCOUNT,
    NO_CONTRACT,
    NO_PARENT,
    NO_SUCH_ORDER,
    NOT_ALLOWED,
    NOT_CANCELLABLE,
    ORDER_TYPE,
    UNKNOWN_CONTRACT,
    RefusalError,
)
from bot_v2.venues.tws.combos import TYPES as COMBO_TYPES
from bot_v2.venues.tws.contract_book import ContractBook
from bot_v2.venues.tws.gateway import Request, fixed
from bot_v2.venues.tws.listings import Listing
from bot_v2.venues.tws.order_flow import OrderFlow
from bot_v2.venues.tws.order_groups import OrderGroups
from bot_v2.venues.tws.order_terms import check_steps, check_terms, engine_request, invalid
from bot_v2.venues.tws.preview import say_margin
from bot_v2.venues.tws.reporter import Reporter
from bot_v2.venues.tws.schema import Message
from bot_v2.venues.tws.session import Session
from bot_v2.venues.tws.state import TwsState
from bot_v2.venues.tws.tickets import FILLED, ComboLeg, Held, Ticket, TicketBook, View

_PLACES: Final = ("place_order", "close_position")
_CHANGES: Final = ("modify_order",)
_PREVIEWS: Final = ("get_order_margin", "preview_order")


class OrderApi:
    """Takes orders.

    Args:
        state: the venue.
        tickets: the orders.
        contracts: what can be traded.
        flow: moves orders on.
        groups: knows which orders leave together.
        reporter: tells the clients.
        accounts: the accounts of the login.
    """

    def __init__(
        self,
        state: TwsState,
        tickets: TicketBook,
        contracts: ContractBook,
        flow: OrderFlow,
        groups: OrderGroups,
        reporter: Reporter,
        accounts: Sequence[str],
    ) -> None:
        """Have given no id yet."""
        self.forbidden: set[str] = set()
        """What the account may not trade, by symbol."""
        self._state = state
        self._tickets = tickets
        self._contracts = contracts
        self._flow = flow
        self._groups = groups
        self._reporter = reporter
        self._accounts = tuple(accounts)
        self._next_ids: defaultdict[int, int] = defaultdict(lambda: 1)
        self._used: set[tuple[int, int]] = set()

    def requests(self) -> list[Request]:
        """Return what can be asked."""
        return [
            Request("placeOrder", self.place, self._operations_of, is_read=False),
            Request("cancelOrder", self.cancel, fixed("cancel_order"), is_read=False),
            Request("reqGlobalCancel", self.cancel_all, fixed("cancel_all"), is_read=False),
            Request("reqIds", self.give_id, fixed("")),
        ]

    def next_id(self, client_id: int) -> int:
        """Return the first order id that a client may use."""
        return self._next_ids[client_id]

    def forget_ids(self) -> None:
        """Count order ids from the first again, as after a reset of the ids."""
        self._next_ids.clear()
        self._used.clear()
        self._tickets.forget_ids()

    def give_id(self, session: Session, _: Message) -> None:
        """Tell the first order id that the client may use."""
        session.say("nextValidId", orderId=self.next_id(session.client_id or 0))

    # Placing

    def place(self, session: Session, asked: Message) -> None:
        """Take an order, or the change of one."""
        client_id, order_id = session.client_id or 0, asked.whole("orderId") or 0
        if asked.flag("whatIf"):
            listing, _ = self._checked(asked)
            say_margin(self._state, session, asked, listing, self._account_of(asked))
            return
        ticket = self._tickets.by_key(client_id, order_id)
        act: Callable[[], None]
        if ticket is not None and ticket.is_live:
            live = ticket

            def act() -> None:
                self._change(live, asked)

        elif ticket is not None and ticket.view.status == FILLED:
            raise RefusalError(MODIFY_FILLED)
        elif (client_id, order_id) in self._used:
            raise RefusalError(DUPLICATE_ID)
        else:

            def act() -> None:
                self._take(client_id, order_id, asked)

        self._state.write(act)

    def _operations_of(self, session: Session, asked: Message) -> tuple[str, ...]:
        if asked.flag("whatIf"):
            return _PREVIEWS
        ticket = self._tickets.by_key(session.client_id or 0, asked.whole("orderId") or 0)
        return _CHANGES if ticket is not None and ticket.is_live else _PLACES

    def _take(self, client_id: int, order_id: int, asked: Message) -> None:
        listing, legs = self._checked(asked)
        parent = self._parent_of(client_id, asked)
        account = self._account_of(asked)
        ticket = self._tickets.add(
            client_id=client_id,
            order_id=order_id,
            account=account,
            listing=listing,
            legs=legs,
            parent=parent,
            view=View(request=asked, quantity=asked.number("totalQuantity") or Decimal(0)),
            held=Held.NOT_TRANSMITTED,
        )
        self._used.add((client_id, order_id))
        self._next_ids[client_id] = max(self._next_ids[client_id], order_id + 1)
        if asked.flag("transmit"):
            self._transmit(ticket)

    def _transmit(self, ticket: Ticket) -> None:
        for one in self._groups.family_of(ticket):
            one.held = None
            self._flow.submit(one)

    def _checked(self, asked: Message) -> tuple[Listing | None, tuple[ComboLeg, ...]]:
        """Return what is ordered: a contract, or the legs of a combination.

        Raises:
            RefusalError: it cannot be ordered so.
        """
        check_terms(asked)
        if asked.text("secType") == "BAG":
            if asked.text("orderType").upper() not in COMBO_TYPES:
                raise RefusalError(ORDER_TYPE)
            return None, self._legs_of(asked)
        found = self._contracts.find(asked)
        if not found:
            raise RefusalError(NO_CONTRACT, reason=UNKNOWN_CONTRACT)
        if len(found) > 1:
            reason = AMBIGUOUS_CONTRACT.format(symbol=asked.text("symbol"))
            raise RefusalError(NO_CONTRACT, reason=reason)
        if found[0].product.symbol in self.forbidden or not found[0].product.tradeable:
            raise RefusalError(NOT_ALLOWED)
        check_steps(asked, found[0].product)
        return found[0], ()

    def _legs_of(self, asked: Message) -> tuple[ComboLeg, ...]:
        legs = []
        for row in asked.rows("comboLegs"):
            listing = self._contracts.by_id(row.whole("conId") or 0)
            ratio = row.number("ratio")
            if listing is None or not ratio or ratio < 0:
                raise RefusalError(NO_CONTRACT, reason=UNKNOWN_CONTRACT)
            legs.append(ComboLeg(listing, ratio, buys=row.text("action").upper() == "BUY"))
        if len(legs) < 2:
            raise invalid("Security type 'BAG' requires combo leg details.")
        return tuple(legs)

    def _parent_of(self, client_id: int, asked: Message) -> Ticket | None:
        parent_id = asked.whole("parentId") or 0
        if not parent_id:
            return None
        parent = self._tickets.by_key(client_id, parent_id)
        if parent is None:
            raise RefusalError(NO_PARENT)
        return parent

    def _account_of(self, asked: Message) -> str:
        account = asked.text("account")
        if account in self._accounts:
            return account
        if account:
            raise invalid(f"Invalid account code '{account}'.")
        if len(self._accounts) > 1:
            raise RefusalError(NO_ACCOUNT)
        return self._accounts[0]

    # Changing

    def _change(self, ticket: Ticket, asked: Message) -> None:
        listing, legs = self._checked(asked)
        if listing is not ticket.listing or legs != ticket.legs:
            raise RefusalError(MODIFY_MISMATCH)
        if asked.text("action").upper() != ticket.text("action").upper():
            raise RefusalError(MODIFY_MISMATCH)
        if asked.text("orderType").upper() != ticket.text("orderType").upper():
            raise RefusalError(MODIFY_TYPE)
        if ticket.engine_id:
            self._modify(ticket, asked)
            return
        self._tickets.change(
            ticket, request=asked, quantity=asked.number("totalQuantity") or Decimal(0)
        )
        if ticket.held is not Held.NOT_TRANSMITTED:
            self._state.follow_with(lambda: self._reporter.status(ticket))
        elif asked.flag("transmit"):
            self._transmit(ticket)

    def _modify(self, ticket: Ticket, asked: Message) -> None:
        listing = ticket.listing
        if listing is None:
            return
        old = engine_request(ticket.view.request, listing, ticket.view.quantity)
        quantity = asked.number("totalQuantity") or Decimal(0)
        new = engine_request(asked, listing, quantity)
        changes = {
            name: getattr(new, name)
            for name in ("quantity", "price", "stop_price", "trail_amount", "trail_percent")
            if getattr(new, name) != getattr(old, name)
        }
        if new.time_in_force is not old.time_in_force or new.expires_at != old.expires_at:
            changes["time_in_force"] = new.time_in_force
            changes["expires_at"] = new.expires_at
        before = ticket.view.request
        self._tickets.change(ticket, request=asked)
        if not changes:
            self._state.follow_with(lambda: self._reporter.status(ticket))
            return
        try:
            engine = self._flow.engine_of(ticket)
            engine.modify(ticket.engine_id, OrderModification(**changes))
        except BrokerageError as error:
            # The order lives on as it was, and its client is told so after the error.
            reason = error.message
            self._tickets.change(ticket, request=before)
            self._state.follow_with(lambda: self._reporter.rejected(ticket, reason))

    # Cancelling

    def cancel(self, session: Session, asked: Message) -> None:
        """Cancel an order of the client."""
        client_id, order_id = session.client_id or 0, asked.whole("orderId") or 0
        ticket = self._tickets.by_key(client_id, order_id)
        if ticket is None:
            given = order_id < self.next_id(client_id)
            raise RefusalError(NO_SUCH_ORDER if given else CANCEL_UNKNOWN, order_id=order_id)
        if ticket.view.status == FILLED:
            raise RefusalError(CANCEL_ENDED, order_id=order_id, state=FILLED)
        if not ticket.is_live:
            raise RefusalError(NOT_CANCELLABLE, perm_id=ticket.perm_id)
        self._state.write(lambda: self._flow.cancel(ticket))

    def cancel_all(self, _: Session, __: Message) -> None:
        """Cancel every order of every client."""

        def act() -> None:
            for ticket in self._tickets.live():
                if ticket.is_live:
                    self._flow.cancel(ticket)

        self._state.write(act)
