"""What decides whether an order may be sent at all, and holds its risk until it is settled."""

from __future__ import annotations

from typing import Protocol

from bot_v2.features.brokerages.core.order_changes import OrderModification
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.orders import Order


class RiskGate(Protocol):
    """Asked before an order is journalled. Called from many threads: to reserve is one step."""

    def prepare(self, request: OrderRequest) -> OrderRequest:
        """Return what is to be sent: the request, or the request with what the limits add to it.

        Raises:
            BrokerageError: it must not be sent.
        """
        ...

    def reserve(self, request: OrderRequest) -> None:
        """Reserve the risk of an order that is about to be sent.

        Raises:
            BrokerageError: it must not be sent; nothing is reserved.
        """
        ...

    def reserve_change(self, request: OrderRequest | None, modification: OrderModification) -> None:
        """Reserve what a change adds to the risk of a live order.

        Args:
            request: the order as it was placed. None: it was not placed here.
            modification: how it is to change.

        Raises:
            BrokerageError: it must not be changed so; what is held stays as it was.
        """
        ...

    def hold(self, request: OrderRequest) -> None:
        """Reserve the risk of an order that was sent before this process began; never refuses."""
        ...

    def release(self, request: OrderRequest, order: Order | None) -> None:
        """Give the risk of an order back: it has ended, or never was.

        Args:
            request: as it was reserved, with its client id.
            order: what became of it. None: it is known that there is none.
        """
        ...


class OpenGate:
    """Lets every order pass, and counts nothing."""

    def prepare(self, request: OrderRequest) -> OrderRequest:
        """Leave it as it is."""
        return request

    def reserve_change(self, request: OrderRequest | None, modification: OrderModification) -> None:
        """Let it pass."""

    def reserve(self, request: OrderRequest) -> None:
        """Let it pass."""

    def hold(self, request: OrderRequest) -> None:
        """Count nothing."""

    def release(self, request: OrderRequest, order: Order | None) -> None:
        """Count nothing."""
