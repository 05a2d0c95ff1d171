"""The handle that a simulated venue gives to the contract suite."""

from __future__ import annotations

from decimal import Decimal
from typing import Protocol

from bot_v2.simulation.faults import Fault
from bot_v2.simulation.received import ReceivedOrder

__all__ = ["ReceivedOrder", "VenueControl"]


class VenueControl(Protocol):
    """What a simulated venue lets a test do to it. A class that has these fits; nothing to inherit.

    Operations are named after the methods of IBrokerage and of the capabilities.
    """

    @property
    def has_wire(self) -> bool:
        """True: requests cross a socket. False: the venue runs in the adapter's process."""
        ...

    @property
    def faults(self) -> frozenset[Fault]:
        """The faults that this venue can commit."""
        ...

    def inject(self, fault: Fault, operation: str | None = None, times: int = 1) -> None:
        """Commit a fault in the next `times` calls of an operation; None: of any."""
        ...

    def clear_faults(self) -> None:
        """Behave again: faults that are still to come are forgotten, lasting ones end."""
        ...

    def orders_received(self) -> list[ReceivedOrder]:
        """Return the placements that took effect at the venue, oldest first."""
        ...

    def requests_received(self, operation: str) -> int:
        """Return how many requests of an operation arrived, with or without effect."""
        ...

    def set_market(self, symbol: str, bid: Decimal, ask: Decimal, size: Decimal) -> None:
        """Put `size` on offer at the bid and at the ask; resting orders that cross are filled."""
        ...

    def fill(self, order_id: str, quantity: Decimal, price: Decimal) -> None:
        """Fill part of a resting order now, whatever the market says."""
        ...

    def late_fill(self, order_id: str, quantity: Decimal, price: Decimal) -> None:
        """Report a fill of an order that has ended: it happened before its end."""
        ...

    def advance(self, seconds: float) -> None:
        """Move the venue's clock on; orders expire as they would."""
        ...
