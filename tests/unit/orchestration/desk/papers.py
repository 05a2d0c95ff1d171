"""A desk of paper accounts, with a journal; and accounts that fail as a test says."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import attrs

from bot_v2.features.brokerages.core.errors import (
    BrokerageError,
    OrderOutcomeUnknownError,
    OrderRejectedError,
    Outcome,
)
from bot_v2.features.brokerages.core.fills import Fill
from bot_v2.features.brokerages.core.interfaces import (
    Order,
    OrderRequest,
    OrderResult,
    OrderSide,
    OrderStatus,
    Product,
)
from bot_v2.features.brokerages.paper.adapter import PaperBrokerage
from bot_v2.features.brokerages.paper.settings import PaperSettings
from bot_v2.orchestration.desk.executors import Trading
from bot_v2.orchestration.desk.routing import Route
from bot_v2.orchestration.desk.saga_store import SagaStore, sagas_beside
from bot_v2.orchestration.desk.settings import DeskSettings
from bot_v2.orchestration.execution.settings import ExecutorSettings
from bot_v2.orchestration.journal.journal import OrderJournal
from bot_v2.orchestration.journal.memory_journal import MemoryJournal
from bot_v2.orchestration.multi_broker import MultiBrokerManager

D = Decimal
WAIT_S = 20.0
EXECUTOR = ExecutorSettings(
    probe_delays_s=(0.001,), resolve_timeout_s=0.05, max_retries=1, retry_delay_s=0.001
)


class PaperAccount(PaperBrokerage):
    """A paper account that can fail at a placement."""

    def __init__(self, balance: str = "100000", terms: dict[str, Any] | None = None) -> None:
        super().__init__(PaperSettings(initial_balance=D(balance)))
        self.terms = terms or {}
        self.error: BrokerageError | None = None
        self.is_blind = False
        self.placed = 0
        self.unlisted: set[str] = set()

    def get_product(self, symbol: str) -> Product:
        """The product, with the terms of the test."""
        return attrs.evolve(super().get_product(symbol), **self.terms)

    def place_order(self, order_request: OrderRequest) -> OrderResult:
        """Place it, or fail as told; an unknown outcome is one of an order that was placed."""
        if isinstance(self.error, OrderOutcomeUnknownError):
            self.placed += 1
            super().place_order(order_request)
            raise self.error
        if self.error is not None:
            raise self.error
        self.placed += 1
        return super().place_order(order_request)

    def list_orders(self, status: OrderStatus | None = None) -> list[Order]:
        """The orders, unless nobody can look."""
        if self.is_blind:
            raise BrokerageError("nothing can be seen")
        return super().list_orders(status)

    def list_fills(self, since: datetime | None = None) -> list[Fill]:
        """The executions, unless nobody can look."""
        if self.is_blind:
            raise BrokerageError("nothing can be seen")
        return super().list_fills(since)

    def get_order_by_client_id(self, client_order_id: str) -> Order:
        """The order, unless nobody can look."""
        if self.is_blind:
            raise BrokerageError("nothing can be seen")
        return super().get_order_by_client_id(client_order_id)


REFUSED = OrderRejectedError("not today", outcome=Outcome.REJECTED)
UNKNOWN = OrderOutcomeUnknownError("the answer was lost")


def desk(
    *,
    journal: OrderJournal | None = None,
    sagas: SagaStore | None = None,
    routes: Sequence[Route] = (),
    **accounts: PaperAccount,
) -> MultiBrokerManager:
    """A desk of some accounts, connected."""
    kept = journal or MemoryJournal()
    trading = Trading(
        journal=kept,
        sagas=sagas or sagas_beside(kept),
        executor=EXECUTOR,
        routes=tuple(routes),
    )
    settings = DeskSettings(watch_interval_s=None, read_timeout_s=WAIT_S)
    made = MultiBrokerManager(settings, trading=trading)
    for name, account in accounts.items():
        made.add(name, account)
    assert made.connect_all() == ()
    return made


def buy(quantity: str | None = "1", **terms: Any) -> OrderRequest:
    """An order for bitcoin."""
    given: dict[str, Any] = {
        "symbol": "BTC-USD",
        "side": OrderSide.BUY,
        "quantity": None if quantity is None else D(quantity),
    }
    return OrderRequest(**{**given, **terms})
