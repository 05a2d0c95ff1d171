"""Orders as Coinbase knows them: each is one of the engine's, or the two exits of a bracket."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from decimal import Decimal

import attrs

from bot_v2.features.brokerages.core.decimals import EXACT
from bot_v2.features.brokerages.core.errors import BrokerageError
from bot_v2.features.brokerages.core.events import OrderEvent
from bot_v2.features.brokerages.core.fills import Fill
from bot_v2.features.brokerages.core.market_data import Trade
from bot_v2.features.brokerages.core.order_changes import OrderModification
from bot_v2.features.brokerages.core.order_status import LIVE_STATUSES, OrderStatus
from bot_v2.features.brokerages.core.order_terms import OrderSide, OrderType
from bot_v2.features.brokerages.core.orders import Order
from bot_v2.venues.account import VenueAccount
from bot_v2.venues.coinbase.configurations import STOP_LIMIT, Terms
from bot_v2.venues.requests import Record
from bot_v2.venues.state import VenueState

ZERO = Decimal(0)


@attrs.define(kw_only=True, eq=False)
class Ticket:
    """An order, as it was placed."""

    order_id: str
    """Coinbase's id."""
    client_order_id: str
    """The caller's id; empty for an attached order."""
    terms: Terms
    """What was asked for."""
    account: VenueAccount
    """The account that it is in."""
    placed_at: datetime
    """When it was taken."""
    number: int
    """1 for the first."""
    legs: list[str]
    """The engine's ids of what it is made of; empty while an attached order waits."""
    configuration: Record
    """The configuration as it is told; an edit changes it."""
    leverage: str = ""
    """What was asked for; empty: nothing was."""
    margin_type: str = ""
    """What was asked for; empty: nothing was."""
    attached: Ticket | None = None
    """The bracket that its fills bring to life. None: none."""
    originating_order_id: str = ""
    """The order that it is attached to; empty: none."""
    edits: list[Record] = attrs.field(factory=list)
    """Its former terms, oldest first."""
    has_triggered: bool = False
    """Whether its stop was reached."""


@attrs.frozen(kw_only=True)
class Progress:
    """How far an order has come."""

    status: OrderStatus
    """Where it is in its life."""
    filled: Decimal
    """How much was filled, in order units."""
    value: Decimal
    """What that was worth, in quote currency."""
    fees: Decimal
    """What was charged."""
    fills: tuple[Fill, ...]
    """The executions, oldest first."""
    size: Decimal | None
    """How much it is for, in order units. None: by value, and not known yet."""
    updated_at: datetime
    """When it last changed."""
    reason: str
    """Why it ended; empty: not said."""


class TicketBook:
    """Every order of the venue. Its methods want the venue's lock held.

    Args:
        state: the venue.
    """

    def __init__(self, state: VenueState) -> None:
        """Start without orders, and hear of every change."""
        self._state = state
        self._tickets: dict[str, Ticket] = {}
        self._by_client: dict[str, Ticket] = {}
        self._by_leg: dict[str, Ticket] = {}
        self._waiting: dict[str, Ticket] = {}
        self._stops: list[Ticket] = []
        state.listen(self)

    def __len__(self) -> int:
        """How many there are, attached ones included."""
        return len(self._tickets)

    def add(self, ticket: Ticket) -> None:
        """Keep an order."""
        self._tickets[ticket.order_id] = ticket
        if ticket.client_order_id:
            self._by_client[ticket.client_order_id] = ticket
        for leg in ticket.legs:
            self._by_leg[leg] = ticket
        if ticket.terms.shape.order_type == STOP_LIMIT:
            self._stops.append(ticket)

    def await_exits(self, ticket: Ticket, attached: Ticket) -> None:
        """Keep an attached order, which its parent's first fill brings to life."""
        ticket.attached = attached
        self._tickets[attached.order_id] = attached
        self._waiting[ticket.legs[0]] = attached

    def adopt(self, attached: Ticket, leg: str) -> None:
        """Make one of the engine's orders part of an attached order."""
        if leg not in attached.legs:
            attached.legs.append(leg)
            self._by_leg[leg] = attached

    def by_client_id(self, client_order_id: str) -> Ticket | None:
        """Return the order that was placed under an id. None: none was."""
        return self._by_client.get(client_order_id)

    def by_leg(self, leg: str) -> Ticket | None:
        """Return the order that one of the engine's is part of. None: of none."""
        return self._by_leg.get(leg)

    def get(self, order_id: str) -> Ticket | None:
        """Return an order that shows. None: there is none, or not as reads show it now."""
        ticket = self._tickets.get(order_id)
        return ticket if ticket is not None and self._shows(ticket) else None

    def newest_first(self) -> Iterator[Ticket]:
        """Yield every order that shows."""
        for ticket in reversed(list(self._tickets.values())):
            if self._shows(ticket):
                yield ticket

    def _shows(self, ticket: Ticket) -> bool:
        if not ticket.legs:
            return False
        return not ticket.account.is_stale or bool(self._legs(ticket))

    def _legs(self, ticket: Ticket) -> list[Order]:
        if not ticket.account.is_stale:
            return [ticket.account.engine.get_order(leg) for leg in ticket.legs]
        wanted = set(ticket.legs)
        return [order for order in ticket.account.orders() if order.order_id in wanted]

    def progress(self, ticket: Ticket) -> Progress:
        """Return how far an order has come, as reads show it."""
        legs = self._legs(ticket)
        mine = [fill for leg in ticket.legs for fill in ticket.account.fills_of(leg)]
        multiplier = ticket.terms.listing.product.multiplier
        filled = value = fees = ZERO
        for fill in mine:
            filled = EXACT.add(filled, fill.quantity)
            worth = EXACT.multiply(EXACT.multiply(fill.quantity, fill.price), multiplier)
            value = EXACT.add(value, worth)
            fees = EXACT.add(fees, fill.fee or ZERO)
        size = self._size(ticket, legs)
        times = [order.updated_at for order in legs if order.updated_at is not None]
        return Progress(
            status=_status(legs, filled, size),
            filled=filled,
            value=value,
            fees=fees,
            fills=tuple(sorted(mine, key=lambda fill: fill.timestamp)),
            size=size,
            updated_at=max(times, default=ticket.placed_at),
            reason=legs[0].status_reason or "",
        )

    def _size(self, ticket: Ticket, legs: list[Order]) -> Decimal | None:
        if len(legs) == 1:
            return legs[0].quantity
        if ticket.originating_order_id:
            # The exits of a bracket grow with what their parent fills, and shrink by each other.
            return max((order.quantity or ZERO for order in legs), default=ZERO)
        return ticket.terms.base_size

    # What the venue tells

    def orders_changed(self, account: VenueAccount, events: list[OrderEvent]) -> None:  # noqa: ARG002 - ids are the venue's, whatever the account
        """Tie the exits that came to life to the order that they are attached as."""
        for event in events:
            attached = self._waiting.get(event.order.parent_order_id or "")
            if attached is not None:
                self.adopt(attached, event.order.order_id)

    def traded(self, trades: list[Trade]) -> None:
        """Need not know: stops go by what is on offer."""

    def books_changed(self, symbols: set[str]) -> None:
        """Note which stops were reached; one that waited for its price gets its own limit then."""
        for ticket in self._stops:
            if ticket.terms.listing.product.symbol in symbols:
                order = ticket.account.engine.get_order(ticket.legs[0])
                ticket.has_triggered = order.filled_quantity > 0 or (
                    order.status in LIVE_STATUSES and self._is_reached(ticket)
                )
        triggered = [ticket for ticket in self._stops if ticket.has_triggered]
        self._stops = [ticket for ticket in self._stops if not ticket.has_triggered]
        for ticket in triggered:
            _set_own_limit(ticket)

    def _is_reached(self, ticket: Ticket) -> bool:
        quote, stop = (
            self._state.quote(ticket.terms.listing.product.symbol),
            ticket.terms.stop_price,
        )
        if stop is None:
            return False
        is_buy = ticket.terms.side is OrderSide.BUY
        price = quote.ask if is_buy else quote.bid
        if price is None:
            return False
        waits_above = is_buy is not ticket.terms.waits_for_return
        return price >= stop if waits_above else price <= stop


def _set_own_limit(ticket: Ticket) -> None:
    terms, engine = ticket.terms, ticket.account.engine
    if terms.first_price == terms.limit_price:
        return
    order = engine.get_order(ticket.legs[0])
    if order.status in LIVE_STATUSES:
        # What the account cannot pay for stays at the trigger's price.
        with suppress(BrokerageError):
            engine.modify(order.order_id, OrderModification(price=terms.limit_price))


def _status(legs: list[Order], filled: Decimal, size: Decimal | None) -> OrderStatus:
    if len(legs) == 1:
        return legs[0].status
    live = [order.status for order in legs if order.status in LIVE_STATUSES]
    if live:
        return OrderStatus.PARTIALLY_FILLED if filled else live[0]
    if any(order.status is OrderStatus.FILLED for order in legs) or filled == size:
        return OrderStatus.FILLED
    return legs[0].status


def leg_for(ticket: Ticket, price: Decimal) -> str:
    """Return the engine's id of the part that trades at a price: of a bracket, either exit."""
    engine = ticket.account.engine
    for leg in ticket.legs:
        order = engine.get_order(leg)
        if order.type is not OrderType.LIMIT or len(ticket.legs) == 1:
            continue
        if order.price == price:
            return leg
    return ticket.legs[0] if len(ticket.legs) == 1 else ticket.legs[-1]
