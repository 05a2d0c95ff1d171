"""Exits are watched over the wire of each simulated broker, as each of them tells of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from decimal import Decimal as D
from typing import Any

import attrs
import pytest

from bot_v2.features.brokerages.alpaca.adapter import AlpacaBrokerage
from bot_v2.features.brokerages.alpaca.settings import read_settings as alpaca_settings
from bot_v2.features.brokerages.coinbase.factory import class_for
from bot_v2.features.brokerages.coinbase.settings import read_settings as coinbase_settings
from bot_v2.features.brokerages.core.interfaces import (
    LIVE_STATUSES,
    IBrokerage,
    Order,
    OrderRequest,
    OrderSide,
    OrderStatus,
    OrderType,
    StopLoss,
    TakeProfit,
    UnsupportedOperationError,
)
from bot_v2.features.brokerages.core.order_terms import TimeInForce
from bot_v2.features.brokerages.http.transport import HttpTransport
from bot_v2.features.brokerages.ibkr.adapter import IbkrBrokerage
from bot_v2.features.brokerages.ibkr.settings import read_settings as ibkr_settings
from bot_v2.orchestration.execution.events import EventKind, ExecutionEvent
from bot_v2.orchestration.execution.settings import ExecutorSettings, ExitPolicy
from bot_v2.orchestration.journal.memory_journal import MemoryJournal
from bot_v2.orchestration.order_executor import OrderExecutor
from bot_v2.testing.schedules.world import World
from bot_v2.testing.waiting import wait_until
from bot_v2.venues.alpaca.venue import AlpacaVenue
from bot_v2.venues.coinbase.venue import CoinbaseVenue
from bot_v2.venues.tws.venue import TwsVenue

GRACE_S = 10.0
QUANTITY = D(4)
PATIENCE_S = 20.0


@attrs.define
class Broker:
    """A simulated broker, and the executor over its adapter; no virtual second takes a real one."""

    venue: Any
    connect: Callable[[], IBrokerage]
    symbol: str
    takes_stops: bool = True
    journal: MemoryJournal = attrs.field(factory=MemoryJournal)
    world: World = attrs.field(factory=lambda: World(0))
    events: list[ExecutionEvent] = attrs.field(factory=list)

    def start(self, policy: ExitPolicy = ExitPolicy.CLOSE_POSITION) -> OrderExecutor:
        """Return an executor with a session of its own, as another process would have it."""
        self.broker = self.connect()
        settings = ExecutorSettings(exit_policy=policy, exit_grace_s=GRACE_S)
        return OrderExecutor(
            self.broker,
            self.journal,
            settings=settings,
            runtime=self.world,
            on_event=self.events.append,
        )

    broker: IBrokerage = attrs.field(init=False)

    def enter(self, executor: OrderExecutor) -> str:
        """Buy with a stop and a profit, and return the entry once its exits live."""
        request = OrderRequest(
            symbol=self.symbol,
            side=OrderSide.BUY,
            quantity=QUANTITY,
            type=OrderType.LIMIT,
            price=D(151),
            time_in_force=TimeInForce.GTC,
            client_order_id="one",
            take_profit=TakeProfit(price=D(250)),
            stop_loss=StopLoss(stop_price=D(100)),
        )
        result = executor.submit(request)
        assert result.success, result
        entry = result.order_id or ""
        wait_until(
            lambda: self.broker.get_order(entry).status,
            lambda status: status is OrderStatus.FILLED,
            PATIENCE_S,
            "a filled entry",
        )
        return entry

    def exits(self, entry: str) -> list[Order]:
        """Return the exits that live."""
        return [
            order
            for order in self.broker.list_orders()
            if order.parent_order_id == entry and order.status in LIVE_STATUSES
        ]

    def look(self, executor: OrderExecutor, times: int = 4) -> None:
        """Reconcile as often as an alarm and its repair take."""
        for _ in range(times):
            report = executor.reconcile()
            assert report.failed_reads == ()
            assert report.foreign_orders == ()
            self.world.advance_to(self.world.now + timedelta(seconds=GRACE_S))

    @property
    def told(self) -> list[ExecutionEvent]:
        """The alarms that were told, and the repairs that had no effect."""
        return [event for event in self.events if event.kind is EventKind.EXIT_ALARM]

    def is_watched(self, executor: OrderExecutor) -> bool:
        """Whether the entry is watched."""
        watch = self.journal.find(executor._context.watch_id("one"))
        return watch is not None and not watch.is_final


@contextmanager
def alpaca() -> Iterator[Broker]:
    """Alpaca's stocks."""
    with (
        AlpacaVenue(rate_limit=None, has_fees=False) as venue,
        closing(HttpTransport()) as transport,
    ):
        made: list[AlpacaBrokerage] = []

        def connect() -> IBrokerage:
            given = {
                "api_key": venue.api_key.key,
                "secret_key": venue.api_key.secret,
                "api_base": venue.url,
                "data_base": venue.url,
                "allow_delayed": True,
            }
            made.append(AlpacaBrokerage(alpaca_settings(given, {}), transport=transport))
            made[-1].connect()
            return made[-1]

        yield Broker(venue, connect, "AAPL")
        for broker in made:
            broker.disconnect()


@contextmanager
def coinbase() -> Iterator[Broker]:
    """Coinbase's perpetuals, which have one order for both exits."""
    with CoinbaseVenue() as venue, closing(HttpTransport()) as transport:
        made: list[Any] = []

        def connect() -> IBrokerage:
            given = {
                "cdp_api_key": venue.api_key.name,
                "cdp_private_key": venue.api_key.secret,
                "enable_derivatives": True,
                "api_base": venue.url,
            }
            settings = coinbase_settings(given, {})
            made.append(class_for(settings)(settings, transport=transport))
            made[-1].connect()
            broker: IBrokerage = made[-1]
            return broker

        yield Broker(venue, connect, "BTC-USDC-PERP", takes_stops=False)
        for broker in made:
            broker.disconnect()


@contextmanager
def ibkr() -> Iterator[Broker]:
    """Stocks at TWS, where a client alone changes its orders: the next process is the same one."""
    with TwsVenue() as venue:
        made: list[IbkrBrokerage] = []

        def connect() -> IBrokerage:
            for gone in made:
                gone.disconnect()
            given = {
                "port": venue.port,
                "client_id": 1,
                "environment": "simulator",
                "timeout_s": 10.0,
                "requests_per_s": 100_000,
            }
            made.append(IbkrBrokerage(ibkr_settings(given, {})))
            made[-1].connect()
            return made[-1]

        yield Broker(venue, connect, "AAPL")
        for broker in made:
            broker.disconnect()


@pytest.fixture(params=[alpaca, coinbase, ibkr], ids=lambda open_: open_.__name__)
def broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    """Each simulated broker, with a market at 150."""
    with request.param() as made:
        made.venue.set_market(made.symbol, D(150), D("150.1"), D(1000))
        yield made


def test_exits_that_work_are_left_alone(broker: Broker) -> None:
    """However the broker tells of them, also to a new session: no alarm, and an end."""
    executor = broker.start()
    entry = broker.enter(executor)
    broker.look(executor)
    executor = broker.start()
    executor.recover()
    broker.look(executor)
    assert broker.told == []
    assert broker.is_watched(executor)
    assert broker.exits(entry)
    broker.venue.set_market(broker.symbol, D(251), D(252), D(1000))
    wait_until(
        lambda: broker.broker.get_position(broker.symbol),
        lambda position: position is None,
        PATIENCE_S,
        "no position",
    )
    broker.look(executor)
    assert broker.told == []
    assert not broker.is_watched(executor)


@pytest.mark.parametrize("policy", [ExitPolicy.CLOSE_POSITION, ExitPolicy.REPLACE_STOP])
def test_a_stop_that_ends_early_is_mended(broker: Broker, policy: ExitPolicy) -> None:
    """The broker's stop is cancelled: it is told once, and the position closed or covered."""
    executor = broker.start(policy)
    entry = broker.enter(executor)
    broker.look(executor, 1)
    (stop,) = (order for order in broker.exits(entry) if order.stop_price is not None)
    broker.broker.cancel_order(stop.order_id)
    broker.look(executor, 5)
    (told, *failed) = broker.told
    assert told.alarm is not None
    assert told.alarm.order_ids == (stop.order_id,)
    position = broker.broker.get_position(broker.symbol)
    live = [each for each in broker.broker.list_orders() if each.status in LIVE_STATUSES]
    if policy is ExitPolicy.CLOSE_POSITION:
        assert (position, live) == (None, [])
        assert failed == []
        return
    assert position is not None
    if not broker.takes_stops:
        # A broker with stop-limits alone says so, once, and the position stays as it is.
        assert [type(event.error) for event in failed] == [UnsupportedOperationError]
        assert live == []
    else:
        assert failed == []
        assert [(each.stop_price, each.quantity) for each in live] == [(D(100), QUANTITY)]


def test_a_new_session_finds_the_exits(broker: Broker) -> None:
    """A process that dies before it has looked leaves exits that the next one takes for its own."""
    entry = broker.enter(broker.start())
    executor = broker.start()
    executor.recover()
    broker.look(executor)
    assert broker.told == []
    (stop,) = (order for order in broker.exits(entry) if order.stop_price is not None)
    broker.broker.cancel_order(stop.order_id)
    broker.look(executor, 5)
    assert [event.alarm is not None for event in broker.told] == [True]
    assert broker.broker.get_position(broker.symbol) is None
