"""What the venue knows: the engine, what it showed before the latest write, and the event log."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from decimal import Decimal

import attrs

from bot_v2.features.brokerages.core.interfaces import (
    AccountSummary,
    Balance,
    Fill,
    Order,
    OrderEvent,
    Position,
    Product,
)
from bot_v2.simulation.account import AccountSettings
from bot_v2.simulation.clock import utc_now
from bot_v2.simulation.engine import MatchingEngine
from bot_v2.simulation.fees import FeeModel

ACCOUNT = "ACME-1"


@attrs.frozen
class View:
    """The account as a read shows it."""

    orders: list[Order]
    fills: list[Fill]
    balances: list[Balance]
    positions: list[Position]
    account: AccountSummary


class VenueState:
    """One account. Every method wants the lock held.

    Args:
        products: what can be traded.
        cash: what the account starts with, in USD.
        fees: what trading costs.
    """

    def __init__(self, products: Iterable[Product], cash: Decimal, fees: FeeModel) -> None:
        """Open the account."""
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        """Tells when the event log grew."""
        self.products = {product.symbol: product for product in products}
        self.placed: list[Order] = []
        """The placements that took effect, oldest first."""
        self.events: list[OrderEvent | None] = []
        """The event log; its first has the number 1. None: the venue has lost it."""
        self.is_mute = False
        """True: events are lost."""
        self._ahead = timedelta(0)
        settings = AccountSettings(account_id=ACCOUNT, initial_balances={"USD": cash})
        self.engine = MatchingEngine(
            account=settings, products=self.products.values(), clock=self.now, fees=fees
        )
        self.engine.subscribe(self._log)
        self._before = self.view()

    def now(self) -> datetime:
        """Return the venue's time."""
        return utc_now() + self._ahead

    def pass_time(self, seconds: float) -> None:
        """Move the venue's time on."""
        self._ahead += timedelta(seconds=seconds)
        self.engine.on_time()

    def view(self) -> View:
        """Return the account as it is."""
        engine = self.engine
        return View(
            engine.list_orders(),
            engine.list_fills(),
            engine.list_balances(),
            engine.list_positions(),
            engine.get_account(),
        )

    def view_before(self) -> View:
        """Return the account as it was before the latest write."""
        return self._before

    def write(self, action: Callable[[MatchingEngine], Order]) -> Order:
        """Let a write take effect."""
        self._before = self.view()
        self.engine.on_time()
        return action(self.engine)

    def _log(self, event: OrderEvent) -> None:
        self.events.append(None if self.is_mute else event)
        self.changed.notify_all()
