"""The life of an order: its statuses, and a table of what may follow what."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class OrderStatus(StrEnum):
    """Where an order is in its life."""

    PENDING = "pending"
    """Sent, not yet acknowledged."""
    OPEN = "open"
    """Acknowledged and not ended, whatever it waits for."""
    PARTIALLY_FILLED = "partially_filled"
    """Part of it is filled, and the rest works."""
    PENDING_CANCEL = "pending_cancel"
    """The cancel was accepted, and has not taken effect: it can still fill."""
    FILLED = "filled"
    """All of it is filled."""
    CANCELLED = "cancelled"
    """Ended by request; part of it may be filled."""
    EXPIRED = "expired"
    """Ended by time; part of it may be filled."""
    REJECTED = "rejected"
    """Ended by the broker's refusal."""
    REPLACED = "replaced"
    """Ended because another order took its place: see `replaced_by`."""
    UNKNOWN = "unknown"
    """A native status that no table knows; its text is in `native_status`. Never an end."""


ENDED_STATUSES: Final = frozenset(
    {
        OrderStatus.FILLED,
        OrderStatus.CANCELLED,
        OrderStatus.EXPIRED,
        OrderStatus.REJECTED,
        OrderStatus.REPLACED,
    }
)
"""An order in one of these does not trade again."""

LIVE_STATUSES: Final = frozenset(OrderStatus) - ENDED_STATUSES
"""An order in one of these may still trade. UNKNOWN is among them: never taken for an end."""

_WORKING_NEXT: Final = frozenset(
    {OrderStatus.PARTIALLY_FILLED, OrderStatus.PENDING_CANCEL, *ENDED_STATUSES}
)

TRANSITIONS: Final[dict[OrderStatus, frozenset[OrderStatus]]] = {
    # status: what may follow it, in an engine that we own
    OrderStatus.PENDING: _WORKING_NEXT | {OrderStatus.OPEN},
    OrderStatus.OPEN: _WORKING_NEXT,
    # A cancel can be refused or overtaken: the order goes back to working.
    OrderStatus.PENDING_CANCEL: _WORKING_NEXT | {OrderStatus.OPEN},
    OrderStatus.PARTIALLY_FILLED: _WORKING_NEXT - {OrderStatus.REJECTED},
    OrderStatus.UNKNOWN: frozenset(OrderStatus),
    **{status: frozenset[OrderStatus]() for status in ENDED_STATUSES},
}
"""What may follow what. In our own engine an ended order stays ended.

A broker's reports are another matter: what they say late is booked on the evidence, see
`order_reports.order_after_report`.
"""


def may_follow(old: OrderStatus, new: OrderStatus) -> bool:
    """Return whether an order in `old` may next be in `new` in an engine that we own.

    The same status again is always allowed: a partial fill follows a partial fill.
    """
    return (old is new and old not in ENDED_STATUSES) or new in TRANSITIONS[old]
