"""A gate over the paper brokerage, and what a test of it needs at hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal as D
from pathlib import Path
from typing import Any, Final

import attrs

from bot_v2.features.brokerages.core.capabilities import Capability
from bot_v2.features.brokerages.core.interfaces import (
    BrokerageError,
    OrderRequest,
    OrderSide,
    OrderType,
)
from bot_v2.features.brokerages.paper.adapter import PaperBrokerage
from bot_v2.features.brokerages.paper.settings import PaperSettings
from bot_v2.features.brokerages.paper.venue import PaperVenue
from bot_v2.orchestration.execution.reading import signed_quantity, sum_exact
from bot_v2.orchestration.journal.memory_journal import MemoryJournal
from bot_v2.orchestration.order_executor import OrderExecutor
from bot_v2.orchestration.risk.desk import RiskDesk
from bot_v2.orchestration.risk.gate import LimitGate
from bot_v2.orchestration.risk.kill_switch import KillSwitch
from bot_v2.orchestration.risk.limits import RiskLimits
from bot_v2.orchestration.risk.settings import GateSettings
from bot_v2.orchestration.risk.store import MemoryReservations, ReservationStore
from bot_v2.simulation.account import AccountKind

SYMBOL: Final = "BTC-USD"
START: Final = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)


class Ticking:
    """A clock that moves a little with each look at it."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        """The moment, which never comes twice."""
        self.now += timedelta(microseconds=1)
        return self.now


class Broker(PaperBrokerage):
    """A paper brokerage whose reads can fail, and whose abilities can be taken away."""

    def __init__(self, clock: Ticking, *, name: str = "paper", lacks: tuple[Capability, ...] = ()):
        kind = AccountKind.MARGIN
        super().__init__(PaperSettings(account_kind=kind, account_id=name), clock=clock)
        self.failing: set[str] = set()
        self.capabilities = super().capabilities - set(lacks)  # type: ignore[misc]  # fewer here
        self.connect()
        self.venue = PaperVenue(self)
        self.market(D(100))

    def market(self, price: D) -> None:
        """Let the price be so, whatever is traded."""
        self.venue.set_market(SYMBOL, price, price, D(10**6))
        self.price = price

    def _read(self, name: str) -> None:
        if name in self.failing:
            raise BrokerageError(f"{name} does not answer")

    def get_price(self, symbol: str) -> D:
        """The market's price."""
        self._read("get_price")
        return self.price if symbol == SYMBOL else super().get_price(symbol)

    def list_positions(self) -> Any:
        """What is held."""
        self._read("list_positions")
        return super().list_positions()

    def list_orders(self, status: Any = None) -> Any:
        """The orders."""
        self._read("list_orders")
        return super().list_orders(status)

    def get_account(self) -> Any:
        """The totals."""
        self._read("get_account")
        told = super().get_account()
        held = sum_exact([signed_quantity(each) for each in super().list_positions()])
        return attrs.evolve(told, equity=(told.cash or D(0)) + held * self.price)


class Bench:
    """An executor behind a gate; everything is in memory, and the clock is the test's."""

    def __init__(
        self,
        folder: Path,
        limits: RiskLimits | None = None,
        overall: RiskLimits | None = None,
        *,
        lacks: tuple[Capability, ...] = (),
        store: ReservationStore | None = None,
        settings: GateSettings | None = None,
    ) -> None:
        self.clock = Ticking()
        self.store = store or MemoryReservations()
        self.desk = RiskDesk(self.store, overall)
        self.switch = KillSwitch(folder / "kill-switch", self.clock)
        self.limits = limits
        self.settings = settings or GateSettings()
        self.broker = Broker(self.clock, lacks=lacks)
        self.journal = MemoryJournal()
        self.gate, self.executor = self.open(self.broker, self.journal)

    def open(
        self, broker: Broker, journal: MemoryJournal, limits: RiskLimits | None = None
    ) -> tuple[LimitGate, OrderExecutor]:
        """A gate, and an executor behind it."""
        gate = LimitGate(
            broker,
            journal,
            self.desk,
            limits or self.limits,
            kill_switch=self.switch,
            settings=self.settings,
            clock=self.clock,
        )
        return gate, OrderExecutor(broker, journal, gate=gate)

    def submit(self, quantity: str, side: OrderSide = OrderSide.BUY, **terms: Any) -> Any:
        """The error of a submit; None where it was taken."""
        return self.executor.submit(order(quantity, side, **terms)).error

    @property
    def held(self) -> list[str]:
        """The orders whose risk is held."""
        with self.store.turn() as book:
            return sorted(each.client_order_id for each in book.list_held())

    def position(self) -> D:
        """What is held of the product, signed."""
        found = PaperBrokerage.get_position(self.broker, SYMBOL)
        if found is None:
            return D(0)
        return found.quantity if found.side.value == "long" else -found.quantity


def order(quantity: str, side: OrderSide = OrderSide.BUY, **terms: Any) -> OrderRequest:
    """A limit order at the market's price, unless it says otherwise."""
    given: dict[str, Any] = {"symbol": SYMBOL, "type": OrderType.LIMIT, "price": D(100), **terms}
    if "notional" not in given:
        given["quantity"] = D(quantity)
    return OrderRequest(side=side, **given)


def market(quantity: str, side: OrderSide = OrderSide.BUY, **terms: Any) -> OrderRequest:
    """A market order."""
    return order(quantity, side, type=OrderType.MARKET, price=None, **terms)
