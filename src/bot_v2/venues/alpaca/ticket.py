"""Orders as Alpaca knows them.

Most are one of the engine's. Some wait outside it: exits that are held until their entry is
filled, orders for an auction, and orders of several legs until all legs can be had. One that was
replaced is over, and the engine's order goes on under the id of what replaced it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

import attrs

from bot_v2.features.brokerages.core.fills import Fill
from bot_v2.features.brokerages.core.order_status import OrderStatus
from bot_v2.features.brokerages.core.orders import Order
from bot_v2.venues.alpaca.terms import Terms

ZERO: Final = Decimal(0)
MEAN_PLACES: Final = 9
INSTANT: Final = timedelta(microseconds=1)

ACCEPTED: Final = "accepted"
PENDING_NEW: Final = "pending_new"
PENDING_CANCEL: Final = "pending_cancel"
NEW: Final = "new"
HELD: Final = "held"
CANCELED: Final = "canceled"
EXPIRED: Final = "expired"
REJECTED: Final = "rejected"
REPLACED: Final = "replaced"
FILLED: Final = "filled"
PARTIALLY_FILLED: Final = "partially_filled"

WORDS: Final = {
    # the engine's status: Alpaca's
    OrderStatus.PENDING: PENDING_NEW,
    OrderStatus.OPEN: NEW,
    OrderStatus.PARTIALLY_FILLED: PARTIALLY_FILLED,
    OrderStatus.PENDING_CANCEL: PENDING_CANCEL,
    OrderStatus.FILLED: FILLED,
    OrderStatus.CANCELLED: CANCELED,
    OrderStatus.EXPIRED: EXPIRED,
    OrderStatus.REJECTED: REJECTED,
}

ENDED: Final = frozenset({FILLED, CANCELED, EXPIRED, REJECTED, REPLACED})
"""Statuses in which an order is over: it is listed as closed."""

STAMPS: Final = {
    # status: the field of its time
    FILLED: "filled_at",
    CANCELED: "canceled_at",
    EXPIRED: "expired_at",
    REJECTED: "failed_at",
    REPLACED: "replaced_at",
}


@attrs.define(kw_only=True, eq=False)
class Ticket:
    """An order."""

    order_id: str
    """Alpaca's id."""
    client_order_id: str
    """The caller's id, or one that was made for it."""
    terms: Terms
    """What was asked for."""
    submitted_at: datetime
    """When it was taken; no two have the same."""
    number: int
    """1 for the first."""
    leg: str | None = None
    """The engine's id of it. None: it waits outside the engine."""
    state: str = ""
    """Its status, where the engine does not decide it; empty: it does."""
    shown: str = ""
    """The status that a test made it show; empty: none."""
    frozen: Order | None = None
    """The engine's order as it was when it was replaced. None: it was not."""
    filled_before: Decimal = ZERO
    """What the engine's order had filled before it went on under this id."""
    value_before: Decimal = ZERO
    """What that was worth."""
    waits_until: datetime | None = None
    """When the market opens that it waits for. None: it waits for none."""
    parent: Ticket | None = None
    """What it is an exit or a leg of. None: of nothing."""
    children: list[Ticket] = attrs.field(factory=list)
    """Its exits or legs."""
    replaces: str | None = None
    """The id of what it took the place of. None: of nothing."""
    replaced_by: str | None = None
    """The id of what took its place. None: nothing did."""
    updated_at: datetime
    """When it last changed."""
    times: dict[str, datetime] = attrs.field(factory=dict)
    """When it reached its statuses, by the names of the fields."""
    told: str = ""
    """The status that streams told last; empty: none."""

    @property
    def is_mleg(self) -> bool:
        """Whether it has legs that trade."""
        return self.terms.order_class == "mleg" and self.terms.listing is None

    @property
    def symbol(self) -> str:
        """Alpaca's symbol of what it trades; empty: it has several legs."""
        return "" if self.terms.listing is None else self.terms.listing.symbol


@attrs.frozen(kw_only=True)
class Progress:
    """How far an order has come."""

    status: str
    """In Alpaca's word."""
    filled: Decimal
    """How much was filled under this id."""
    average: Decimal | None
    """At which mean price. None: nothing was."""
    order: Order | None
    """The engine's order. None: it is not in the engine."""


@attrs.frozen(kw_only=True)
class News:
    """What became of an order."""

    event: str
    """What happened, in Alpaca's word."""
    ticket: Ticket
    """The order."""
    order: Order | None = None
    """The engine's order at that moment. None: as it is."""
    fill: Fill | None = None
    """The execution. None: it was none."""
    status: str = ""
    """The status that the order had at that moment; empty: the one that it has."""
