"""What decides whether an order may be sent at all, and holds its risk until it is settled."""

from __future__ import annotations

from typing import Protocol

from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.orders import Order


class RiskGate(Protocol):
    """Asked before an order is journalled. Called from many threads: to reserve is one step."""

    def reserve(self, request: OrderRequest) -> None:
        """Reserve the risk of an order that is about to be sent.

        Raises:
            BrokerageError: it must not be sent; nothing is reserved.
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

    def reserve(self, request: OrderRequest) -> None:
        """Let it pass."""

    def hold(self, request: OrderRequest) -> None:
        """Count nothing."""

    def release(self, request: OrderRequest, order: Order | None) -> None:
        """Count nothing."""
