"""A desk whose broker mistreats exits, and at each of whose steps the process can die."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal as D
from typing import Any

import attrs

from bot_v2.features.brokerages.core.interfaces import (
    BrokerUnavailableError,
    MarketType,
    Order,
    OrderModification,
    OrderNotFoundError,
    OrderRequest,
    OrderResult,
    OrderSide,
    OrderStatus,
    OrderType,
    Outcome,
    Position,
    Product,
    StopLoss,
    TakeProfit,
    UnsupportedOperationError,
)
from bot_v2.features.brokerages.core.order_terms import TimeInForce
from bot_v2.features.brokerages.paper.settings import PaperSettings
from bot_v2.orchestration.execution.events import EventKind, ExecutionEvent, ExitAlarm
from bot_v2.orchestration.execution.report import ReconciliationReport
from bot_v2.orchestration.execution.settings import ExecutorSettings, ExitPolicy
from bot_v2.orchestration.journal.journal import OrderJournal
from bot_v2.orchestration.journal.memory_journal import MemoryJournal
from bot_v2.orchestration.journal.records import Entry, Intent, IntentState, OrderJournalError
from bot_v2.orchestration.order_executor import OrderExecutor
from bot_v2.simulation.account import AccountKind
from bot_v2.simulation.market import MarketEvent
from bot_v2.testing.schedules.run import HoldingGate
from bot_v2.testing.schedules.venue import PRODUCT
from tests.unit.orchestration.execution.desk import Desk

GRACE_S = 10.0
QUANTITY = D(30)
SYMBOL = PRODUCT.symbol
SPOT = "BTC-USD"


class SilentFeed:
    """A market of which only the test speaks: in perpetuals, which can be sold short, and spot."""

    description = "silence"
    is_synthetic = True
    products = (
        PRODUCT,
        Product(
            symbol=SPOT,
            market_type=MarketType.SPOT,
            base_currency="BTC",
            quote_currency="USD",
            price_increment=D("0.01"),
            size_increment=D("0.00000001"),
        ),
    )

    def events(self) -> Iterator[MarketEvent]:
        """Yield nothing."""
        return iter(())


def buy(quantity: str = "30", **terms: Any) -> OrderRequest:
    """A market order."""
    return OrderRequest(symbol=SYMBOL, side=OrderSide.BUY, quantity=D(quantity), **terms)


def rest(price: str = "50", **terms: Any) -> OrderRequest:
    """A limit order that the market does not reach."""
    return buy(type=OrderType.LIMIT, price=D(price), **terms)


class OddBrokerage:
    """Passes on to a paper brokerage; exits are dropped, refused, hidden or changed as told."""

    def __init__(self, inner: Any, step: Callable[[str], None]) -> None:
        self.inner = inner
        self.step = step
        self.drops_stop = False
        self.refuses_stop = False
        self.keeps_balances = False
        self.takes_guard = True
        self.is_terse = False
        self.lists_only = False
        self.groups: dict[str, str] = {}
        self.stale_position: Position | None = None
        self.hidden: set[str] = set()
        self.failing: set[str] = set()
        self.extra: dict[str, Order] = {}
        self.parents: dict[str, str] = {}
        self.placed: list[OrderRequest] = []
        self.behind: Callable[[], timedelta] = timedelta
        self.now: Callable[[], datetime] = lambda: datetime.max.replace(tzinfo=UTC)
        self.history: list[tuple[datetime, list[Order], Position | None]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    @property
    def spot_as_positions(self) -> bool:
        """Whether spot products are positions."""
        return not self.keeps_balances

    def _fails(self, name: str) -> None:
        self.step(name)
        if name in self.failing:
            raise BrokerUnavailableError("no answer to reads", outcome=None)

    def place_order(self, request: OrderRequest) -> OrderResult:
        """Place, and lose the stop where it is told to."""
        self.step("place_order: about to leave")
        self.placed.append(request)
        if request.reduce_only and not self.takes_guard:
            raise UnsupportedOperationError("no reduce-only", outcome=Outcome.NOT_SENT)
        takes = attrs.evolve(request, stop_loss=None) if self._loses(request) else request
        result: OrderResult = self._done(lambda: self.inner.place_order(takes), request.symbol)
        if takes is not request and self.refuses_stop and request.stop_loss is not None:
            self.extra["x-1"] = stop_of(
                result.order_id or "", OrderStatus.REJECTED, status_reason="no stops today"
            )
        self.step("place_order: was done")
        return attrs.evolve(result, order=None) if self.is_terse else result

    def _loses(self, request: OrderRequest) -> bool:
        return request.stop_loss is not None and (self.drops_stop or self.refuses_stop)

    def cancel_order(self, order_id: str) -> bool:
        """Cancel."""
        self.step("cancel_order: about to leave")
        done: bool = self._done(lambda: self.inner.cancel_order(order_id))
        self.step("cancel_order: was done")
        return done

    def modify_order(self, order_id: str, modification: OrderModification) -> OrderResult:
        """Change."""
        self.step("modify_order: about to leave")
        done: OrderResult = self._done(lambda: self.inner.modify_order(order_id, modification))
        self.step("modify_order: was done")
        return done

    def _done(self, write: Callable[[], Any], symbol: str = SYMBOL) -> Any:
        try:
            return write()
        finally:
            if self.history:
                self.remember(symbol)

    def remember(self, symbol: str) -> None:
        """Keep what there is at this moment, for reads that are behind."""
        position = self.inner.get_position(symbol)
        self.history.append((self.now(), self.inner.list_orders(), position))

    def _seen(self) -> tuple[list[Order], Position | None] | None:
        """Return what reads show that are behind. None: they are not."""
        behind = self.behind()
        if not behind:
            return None
        until = self.now() - behind
        seen = [each for each in self.history if each[0] <= until]
        return (seen[-1][1], seen[-1][2]) if seen else ([], None)

    def _show(self, order: Order) -> Order:
        return attrs.evolve(
            order,
            parent_order_id=self.parents.get(order.order_id, order.parent_order_id),
            group_id=self.groups.get(order.order_id, order.group_id),
        )

    def list_orders(self, status: OrderStatus | None = None) -> list[Order]:
        """List what is not hidden."""
        self._fails("list_orders")
        seen = self._seen()
        orders = self.inner.list_orders(status) if seen is None else seen[0]
        listed = [self._show(order) for order in orders]
        return [
            *(each for each in listed if each.order_id not in self.hidden),
            *self.extra.values(),
        ]

    def get_order(self, order_id: str) -> Order:
        """Show one."""
        self._fails("get_order")
        if order_id in self.extra:
            return self.extra[order_id]
        if self.lists_only and order_id in self.hidden:
            raise OrderNotFoundError("there is no such order", order_id=order_id)
        seen = self._seen()
        if seen is None:
            return self._show(self.inner.get_order(order_id))
        for order in seen[0]:
            if order.order_id == order_id:
                return self._show(order)
        raise OrderNotFoundError("there is no such order", order_id=order_id)

    def get_position(self, symbol: str) -> Any:
        """Show the position, unless it is kept as a balance."""
        self._fails("get_position")
        if self.keeps_balances:
            raise UnsupportedOperationError("see get_balance")
        seen = self._seen()
        if seen is not None:
            return seen[1]
        return self.stale_position or self.inner.get_position(symbol)

    def list_positions(self) -> Any:
        """Show positions, unless they are kept as balances."""
        self._fails("list_positions")
        return [] if self.keeps_balances else self.inner.list_positions()

    def get_balance(self, asset: str) -> Any:
        """Show a balance."""
        self._fails("get_balance")
        return self.inner.get_balance(asset)


class SteppingJournal(MemoryJournal):
    """A journal that outlives the process, and at each of whose writes the process can die."""

    def __init__(self) -> None:
        super().__init__()
        self.step: Callable[[str], None] = lambda name: None
        self.is_full = False

    def _write(self, name: str) -> None:
        self.step(name)
        if self.is_full:
            raise OrderJournalError("the disk is full")

    def open_intent(self, intent: Intent) -> IntentState | None:
        """Write, in two steps."""
        self._write("open_intent: before")
        done = super().open_intent(intent)
        self.step("open_intent: after")
        return done

    def append(self, intent_id: str, entry: Entry) -> IntentState:
        """Write, in two steps."""
        self._write("append: before")
        done = super().append(intent_id, entry)
        self.step("append: after")
        return done


def stop_of(entry_id: str, status: OrderStatus, **changes: Any) -> Order:
    """A stop as an exit of an entry."""
    terms: dict[str, Any] = {
        "order_id": "x-1",
        "symbol": SYMBOL,
        "type": OrderType.STOP,
        "status": status,
        "filled_quantity": D(0),
        "time_in_force": TimeInForce.GTC,
        "account_id": "paper",
        "side": OrderSide.SELL,
        "quantity": QUANTITY,
        "stop_price": D(80),
        "parent_order_id": entry_id,
    }
    return Order(**{**terms, **changes})


class WatchDesk(Desk):
    """What a test of the watch needs at hand."""

    def __init__(
        self,
        policy: ExitPolicy = ExitPolicy.ALARM_ONLY,
        journal: OrderJournal | None = None,
        symbol: str = SYMBOL,
        **settings: Any,
    ) -> None:
        self.symbol = symbol
        self.odd: OddBrokerage | None = None
        self.disk = SteppingJournal()
        super().__init__(
            ExecutorSettings(exit_policy=policy, exit_grace_s=GRACE_S, **settings),
            journal or self.disk,
            PaperSettings(account_kind=AccountKind.MARGIN),
            SilentFeed(),
        )
        self.disk.step = self.world.step
        self.odd = OddBrokerage(self.broker, self.world.step)
        self.start()

    @property
    def bad(self) -> OddBrokerage:
        """The broker, as the executor has it."""
        assert self.odd is not None
        return self.odd

    def start(self) -> OrderExecutor:
        """Return an executor as another process would have it."""
        self.gate = HoldingGate()
        broker: Any = self.odd or self.broker
        self.executor = OrderExecutor(
            broker,
            self.journal,
            settings=self.settings,
            gate=self.gate,
            on_event=self.events.append,
            runtime=self.world,
        )
        return self.executor

    def enter(self, **terms: Any) -> str:
        """Buy with exits, at the market; return the entry's order id."""
        exits = {
            "symbol": self.symbol,
            "side": OrderSide.BUY,
            "quantity": QUANTITY,
            "take_profit": TakeProfit(price=D(120)),
            "stop_loss": StopLoss(stop_price=D(80)),
            "client_order_id": "one",
        }
        result = self.executor.submit(OrderRequest(**{**exits, **terms}))
        assert result.success, result
        return result.order_id or ""

    def exits(self) -> tuple[Order, Order]:
        """Return the profit and the stop that the venue has."""
        tied = [each for each in self.broker.list_orders() if each.parent_order_id is not None]
        profit = next(each for each in tied if each.stop_price is None)
        return profit, self.stop()

    def stop(self) -> Order:
        """Return the stop that the venue made."""
        tied = [each for each in self.broker.list_orders() if each.parent_order_id is not None]
        return next(each for each in tied if each.stop_price is not None)

    def pass_time(self, seconds: float) -> None:
        """Let time pass, for the venue as well."""
        self.world.advance_to(self.world.now + timedelta(seconds=seconds))

    def look(self, after_s: float = 0.0) -> ReconciliationReport:
        """Reconcile after some seconds."""
        self.pass_time(after_s)
        return self.executor.reconcile()

    def confirm(self, times: int = 3) -> ReconciliationReport:
        """Reconcile as often as alarms and repairs take."""
        report = self.look()
        for _ in range(times):
            report = self.look(GRACE_S)
        return report

    @property
    def alarms(self) -> list[ExitAlarm]:
        """The alarms that were told."""
        return [event.alarm for event in self.told() if event.alarm is not None]

    def told(self, kind: EventKind = EventKind.EXIT_ALARM) -> list[ExecutionEvent]:
        """The events of a kind."""
        return [event for event in self.events if event.kind is kind]

    @property
    def position(self) -> D:
        """The signed position at the venue."""
        held = self.broker.get_position(self.symbol)
        if held is None:
            return D(0)
        return held.quantity if held.side.value == "long" else -held.quantity

    @property
    def sent(self) -> list[OrderRequest]:
        """What reached the broker beside the entry."""
        return [each for each in self.bad.placed if each.client_order_id != "one"]

    @property
    def live(self) -> list[Order]:
        """The orders that live at the venue."""
        ended = {OrderStatus.FILLED, OrderStatus.CANCELLED, OrderStatus.REJECTED}
        return [each for each in self.broker.list_orders() if each.status not in ended]

    def is_watched(self) -> bool:
        """Whether the journal holds a watch that is not over."""
        watch = self.journal.find(self.executor._context.watch_id("one"))
        return watch is not None and not watch.is_final


def raiser(error: Exception) -> Any:
    """Return a method that always fails."""

    def fail(argument: object = None) -> Any:
        raise error

    return fail
