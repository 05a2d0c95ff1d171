"""The orders as the broker keeps them, and their executions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

import attrs

from bot_v2.features.brokerages.core.decimals import EXACT
from bot_v2.features.brokerages.core.fills import Liquidity
from bot_v2.venues.tws.listings import Listing
from bot_v2.venues.tws.schema import Message

ZERO: Final = Decimal(0)

PENDING_SUBMIT: Final = "PendingSubmit"
PENDING_CANCEL: Final = "PendingCancel"
PRE_SUBMITTED: Final = "PreSubmitted"
SUBMITTED: Final = "Submitted"
CANCELLED: Final = "Cancelled"
FILLED: Final = "Filled"
INACTIVE: Final = "Inactive"

LIVE: Final = frozenset({PENDING_SUBMIT, PENDING_CANCEL, PRE_SUBMITTED, SUBMITTED})
"""The statuses of orders that have not ended."""


class Held(StrEnum):
    """Why an order is not in the market."""

    NOT_TRANSMITTED = "not transmitted"
    """It waits for an order that says transmit."""
    PARENT = "parent"
    """It waits for its parent to fill."""
    TIME = "time"
    """It waits for its time."""
    LINK = "link"
    """It waits for the broker's servers to be reached."""


@attrs.frozen
class ComboLeg:
    """A leg of a combination."""

    listing: Listing
    """The contract."""
    ratio: Decimal
    """How many of it one combination has."""
    buys: bool
    """Whether it is bought when the combination is."""


@attrs.frozen(kw_only=True)
class View:
    """What can be seen of an order at a moment."""

    request: Message
    """The order as it was last placed."""
    quantity: Decimal
    """How much is ordered."""
    status: str = PENDING_SUBMIT
    """Its status, in the broker's word."""
    why_held: str = ""
    """Why it is not in the market. Empty: it is, or nothing is said."""
    filled: Decimal = ZERO
    """How much was filled."""
    average: Decimal = ZERO
    """The mean price of what was filled."""
    last_price: Decimal = ZERO
    """The price of the latest execution."""
    stop_price: Decimal | None = None
    """The trigger of a trail, as it stands. None: it has none."""
    ended_at: datetime | None = None
    """When it ended. None: it lives."""
    ending: str = ""
    """How it ended, in words."""

    @property
    def is_live(self) -> bool:
        """Whether it has not ended."""
        return self.status in LIVE

    @property
    def remaining(self) -> Decimal:
        """How much is still to be filled."""
        return EXACT.subtract(self.quantity, self.filled)


@attrs.define(eq=False, kw_only=True)
class Ticket:
    """An order."""

    perm_id: int
    """Its id for ever."""
    client_id: int
    """The client that placed it."""
    order_id: int
    """The client's id of it: another order may have it later."""
    account: str
    """The account that it is in."""
    listing: Listing | None
    """What is traded. None: a combination."""
    legs: tuple[ComboLeg, ...] = ()
    """The legs of a combination."""
    view: View
    """What can be seen of it; changed through the book alone."""
    held: Held | None = None
    """Why it is not in the market. None: it is, or has ended."""
    due: datetime | None = None
    """When it reaches the market, where it waits for a time."""
    parent: Ticket | None = None
    """The order that it waits for. None: for none."""
    engine_id: str = ""
    """The engine's id of it. Empty: it is not in the engine."""
    is_received: bool = False
    """Whether it took effect, and is counted."""

    @property
    def is_live(self) -> bool:
        """Whether it has not ended."""
        return self.view.is_live

    def text(self, name: str) -> str:
        """Return a field of it as it was placed."""
        return self.view.request.text(name)


@attrs.frozen(kw_only=True)
class Execution:
    """A fill, as the broker tells it."""

    exec_id: str
    """Its id; a correction differs in the last part alone."""
    ticket: Ticket
    """The order."""
    listing: Listing | None
    """What was traded. None: a combination as a whole."""
    moment: datetime
    """When."""
    buys: bool
    """Whether it was bought."""
    shares: Decimal
    """How much."""
    price: Decimal
    """At what price."""
    total: Decimal
    """How much of the order was filled after it."""
    average: Decimal
    """The mean price after it."""
    liquidity: Liquidity | None
    """Whether the order waited. None: not said."""
    commission: Decimal | None = None
    """What was charged. None: nothing is told of it."""
    currency: str = ""
    """The currency of the charge."""
    realized: Decimal | None = None
    """The profit that it made. None: it closed nothing."""


class TicketBook:
    """Every order and execution, and what of them was to be seen before the latest write."""

    def __init__(self, first_perm_id: int, is_stale: Callable[[], bool]) -> None:
        """Start without orders; `is_stale` says whether reads show what was before."""
        self.executions: list[Execution] = []
        """Every execution, oldest first."""
        self._is_stale = is_stale
        self._next_perm_id = first_perm_id
        self._by_perm_id: dict[int, Ticket] = {}
        self._by_key: dict[tuple[int, int], Ticket] = {}
        self._by_engine: dict[str, Ticket] = {}
        self._replaced: dict[Ticket, View | None] = {}
        self._live: dict[Ticket, None] = {}
        self._executions_before = 0

    def remember(self) -> None:
        """Keep what is to be seen, for stale reads: a write is about to happen."""
        self._replaced = {}
        self._executions_before = len(self.executions)

    def add(self, **fields: Any) -> Ticket:
        """Take in a new order; it has its permanent id from now on."""
        ticket = Ticket(perm_id=self._next_perm_id, **fields)
        self._next_perm_id += 1
        self._by_perm_id[ticket.perm_id] = ticket
        self._by_key[(ticket.client_id, ticket.order_id)] = ticket
        self._replaced.setdefault(ticket, None)
        self._live[ticket] = None
        return ticket

    def drop(self, ticket: Ticket) -> None:
        """Forget an order that was not taken after all."""
        self._by_perm_id.pop(ticket.perm_id, None)
        self._live.pop(ticket, None)
        if self._by_key.get((ticket.client_id, ticket.order_id)) is ticket:
            del self._by_key[(ticket.client_id, ticket.order_id)]

    def change(self, ticket: Ticket, **changes: Any) -> None:
        """Change what can be seen of an order."""
        self._replaced.setdefault(ticket, ticket.view)
        ticket.view = attrs.evolve(ticket.view, **changes)
        if not ticket.is_live:
            ticket.held = None
            self._live.pop(ticket, None)

    def enter(self, ticket: Ticket, engine_id: str) -> None:
        """Note that the engine has an order, or a part of it, under an id."""
        self._by_engine[engine_id] = ticket
        ticket.held = None
        if ticket.listing is not None:
            ticket.engine_id = engine_id

    def by_engine(self, engine_id: str) -> Ticket | None:
        """Return the order of one of the engine's ids. None: it is of no client."""
        return self._by_engine.get(engine_id)

    def by_perm_id(self, perm_id: int) -> Ticket | None:
        """Return the order of a permanent id. None: there is none."""
        return self._by_perm_id.get(perm_id)

    def by_key(self, client_id: int, order_id: int) -> Ticket | None:
        """Return the latest order that a client placed under an id. None: there is none."""
        return self._by_key.get((client_id, order_id))

    def live(self) -> list[Ticket]:
        """Return the orders that have not ended, oldest first, whatever can be seen of them."""
        return list(self._live)

    def forget_ids(self) -> None:
        """Let clients use their ids of ended orders again."""
        self._by_key = {key: one for key, one in self._by_key.items() if one.is_live}

    def shown(self, ticket: Ticket) -> View | None:
        """Return what reads see of an order. None: nothing yet."""
        return self._replaced.get(ticket, ticket.view) if self._is_stale() else ticket.view

    def shown_live(self) -> Iterable[tuple[Ticket, View]]:
        """Return the orders that reads see as living, oldest first."""
        tickets: Iterable[Ticket] = (
            self._live if not self._is_stale() else self._by_perm_id.values()
        )
        for ticket in list(tickets):
            view = self.shown(ticket)
            is_sent = ticket.held is not Held.NOT_TRANSMITTED
            if view is not None and view.is_live and is_sent:
                yield ticket, view

    def shown_ended(self, since: datetime) -> Iterable[tuple[Ticket, View]]:
        """Return the orders that reads see as ended since a moment, oldest first."""
        for ticket in self._by_perm_id.values():
            view = self.shown(ticket)
            if view is not None and view.ended_at is not None and view.ended_at >= since:
                yield ticket, view

    def shown_executions(self, since: datetime) -> list[Execution]:
        """Return the executions that reads see, since a moment, oldest first."""
        shown = self.executions[: self._executions_before if self._is_stale() else None]
        return [one for one in shown if one.moment >= since]
