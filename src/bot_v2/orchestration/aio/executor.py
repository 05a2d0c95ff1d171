"""What AsyncBrokerage needs of an executor with a journal."""

from __future__ import annotations

from typing import Protocol

from bot_v2.features.brokerages.core.errors import OrderOutcomeUnknownError
from bot_v2.features.brokerages.core.order_changes import OrderModification
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.orders import OrderResult


class JournalledWrites(Protocol):
    """Writes down what it is about to send before it sends it; raises for nothing a broker does.

    The order executor fits.
    """

    def submit(self, request: OrderRequest) -> OrderResult:
        """Place an order, and return what came of it."""
        ...

    def modify(self, order_id: str, modification: OrderModification) -> OrderResult:
        """Change a live order, and return what came of it."""
        ...

    def close_position(self, symbol: str) -> OrderResult:
        """Place the order that closes a position, and return what came of it."""
        ...


def value_of(result: OrderResult) -> OrderResult:
    """Return a success; raise a failure, as the methods of a brokerage do.

    Raises:
        BrokerageError: what the result says.
    """
    if result.success:
        return result
    raise result.error or OrderOutcomeUnknownError(
        "a failure without a reason", client_order_id=result.client_order_id
    )
