"""Processes full of bots that trade under one limit, and the account that sees what they do."""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, Final

import attrs

from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.order_status import LIVE_STATUSES
from bot_v2.features.brokerages.core.order_terms import OrderSide, OrderType
from bot_v2.features.brokerages.core.orders import Order, OrderResult
from bot_v2.features.brokerages.paper.venue import PaperVenue
from bot_v2.orchestration.journal.sql_journal import SqlJournal
from bot_v2.orchestration.order_executor import OrderExecutor
from bot_v2.orchestration.risk.desk import RiskDesk
from bot_v2.orchestration.risk.gate import LimitGate
from bot_v2.orchestration.risk.kill_switch import KillSwitch
from bot_v2.orchestration.risk.limits import RiskLimits
from bot_v2.orchestration.risk.sql_store import SqlReservations
from tests.integration.orchestration.far_account import Address, FarAccount, FarBrokerage

SYMBOL: Final = "BTC-USD"
PRICE: Final = Decimal(100)
DEADLINE_S: Final = 40.0
"""When bots stop in any case, in seconds."""

EXITS: Final = 20
"""How often an exit is tried; each is an order of its own."""

UNITS: Final = 10
"""How many units the limit allows."""

RESTING: Final = Decimal(100) - 1
"""A price that the market does not reach."""

BEFORE_INTENT: Final = "admitted, and nothing is written down"
AT_THE_BROKER: Final = "the order rests at the broker"

LIMITS: Final = RiskLimits(max_position_value=PRICE * UNITS, currency="USD")


class WatchedAccount(FarAccount):
    """An account that keeps how far it ever was exposed: what it held and what could be filled."""

    def __init__(self) -> None:
        """Put the price where it stays."""
        super().__init__()
        PaperVenue(self._paper).set_market(SYMBOL, PRICE, PRICE, Decimal(10**9))
        self.most = self.least = Decimal(0)
        """The most that was ever exposed, long and short."""
        self.tallies: Counter[str] = Counter()
        """What the bots counted."""

    def do_list_orders(self) -> list[Order]:
        """Return the orders that live: this broker forgets the others."""
        return [order for order in super().do_list_orders() if order.status in LIVE_STATUSES]

    def do_get_price(self, symbol: str) -> Decimal:
        """Return the price that stays."""
        assert symbol == SYMBOL
        return PRICE

    def do_place_order(self, request: OrderRequest) -> OrderResult:
        """Place an order, and look at what the account is exposed to then."""
        result = super().do_place_order(request)
        with self._placing:
            long, short = self.exposed()
            self.most, self.least = max(self.most, long), min(self.least, short)
        # The reply tells of the fill, so that its reservation is given back at once.
        return attrs.evolve(result, order=self.do_get_order(result.order_id or ""))

    def exposed(self) -> tuple[Decimal, Decimal]:
        """Return the position, once with all live buys and once with all live sells."""
        held = self._paper.get_position(SYMBOL)
        long = short = Decimal(0) if held is None else held.quantity
        for order in self._paper.list_orders():
            if order.status in LIVE_STATUSES:
                rest = order.remaining_quantity or Decimal(0)
                long += rest if order.side is OrderSide.BUY else 0
                short -= rest if order.side is OrderSide.SELL else 0
        return long, short

    def do_tally(self, counted: Counter[str]) -> None:
        """Keep what a process's bots counted."""
        self.tallies.update(counted)


@attrs.frozen(kw_only=True)
class Shift:
    """What one process's bots do."""

    number: int
    """Which process it is."""
    address: Address
    """The account."""
    journal: str
    """This process's journal."""
    store: str
    """Where all processes reserve."""
    folder: Path
    """Where the kill switch would be."""
    bots: int
    """How many there are."""
    wanted: int
    """How many units they buy, and sell again, before they stop."""


@contextmanager
def executing(shift: Shift, broker: FarBrokerage) -> Iterator[OrderExecutor]:
    """Give a process's executor, behind the gate."""
    with (
        closing(SqlJournal(shift.journal)) as journal,
        closing(SqlReservations(shift.store)) as store,
    ):
        switch = KillSwitch(shift.folder / "kill-switch")
        gate = LimitGate(broker, journal, RiskDesk(store), LIMITS, kill_switch=switch)
        yield OrderExecutor(broker, journal, gate=gate)


def order(side: OrderSide, client_order_id: str, price: Decimal = PRICE) -> OrderRequest:
    """Return an order for one unit."""
    return OrderRequest(
        symbol=SYMBOL,
        side=side,
        quantity=Decimal(1),
        type=OrderType.LIMIT,
        price=price,
        client_order_id=client_order_id,
    )


def work(shift: Shift, ready: Any) -> None:
    """Let all bots of a process begin when those of the others do."""
    logging.disable()
    broker = FarBrokerage(shift.address)
    counted: Counter[str] = Counter()
    with executing(shift, broker) as executor:
        executor.recover()
        ready.wait()
        bots = [
            threading.Thread(target=partial(_trade, executor, shift, bot, counted))
            for bot in range(shift.bots)
        ]
        for bot in bots:
            bot.start()
        for bot in bots:
            bot.join()
    broker.ask("tally", counted)


def _trade(executor: OrderExecutor, shift: Shift, bot: int, counted: Counter[str]) -> None:
    """Buy, and sell again what could be bought."""
    pause = threading.Event()
    deadline = time.monotonic() + DEADLINE_S
    for number in itertools.count():
        if counted["bought"] >= shift.wanted or time.monotonic() > deadline:
            return
        name = f"p{shift.number}b{bot}n{number}"
        bought = executor.submit(order(OrderSide.BUY, f"{name}buy"))
        counted.update(["bought" if bought.success else type(bought.error).__name__])
        if not bought.success:
            pause.wait(0.002)
            continue
        for attempt in range(EXITS):
            sold = executor.submit(order(OrderSide.SELL, f"{name}sell{attempt}"))
            counted.update(["sold" if sold.success else "exit refused"])
            if sold.success:
                break
            counted.update([f"{str(sold.error)[:60]}"])


def die_holding(shift: Shift, how: str) -> None:
    """Hold one unit and stay so until killed: with an order that rests, or before its intent."""
    logging.disable()
    broker = FarBrokerage(shift.address)
    if how == BEFORE_INTENT:
        # The order is admitted, and its intent is never written.
        SqlJournal.open_intent = _hang  # type: ignore[method-assign, assignment]  # in this process alone
    with executing(shift, broker) as executor:
        executor.submit(order(OrderSide.BUY, f"p{shift.number}held", RESTING))
        _hang()


def _hang(*_: object) -> None:
    while True:
        threading.Event().wait()
