"""Limits over the wire of simulators: what only a broker tells, and spot that is only a balance."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from decimal import Decimal as D
from pathlib import Path
from typing import Any

import pytest

from bot_v2.features.brokerages.core.interfaces import (
    IBrokerage,
    InvalidFieldError,
    OrderRequest,
    OrderSide,
    OrderType,
    PermissionDeniedError,
)
from bot_v2.orchestration.broker_factory import create_brokerage
from bot_v2.orchestration.journal.sql_journal import SqlJournal
from bot_v2.orchestration.order_executor import OrderExecutor
from bot_v2.orchestration.risk.desk import RiskDesk
from bot_v2.orchestration.risk.gate import LimitGate
from bot_v2.orchestration.risk.kill_switch import KillSwitch
from bot_v2.orchestration.risk.limits import risk_limits
from bot_v2.orchestration.risk.sql_store import SqlReservations
from bot_v2.venues.alpaca.venue import AlpacaVenue
from bot_v2.venues.coinbase.venue import CoinbaseVenue


class Floor:
    """Two accounts at two simulated brokers, under limits of their own and one over both."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        stocks = stack.enter_context(AlpacaVenue(rate_limit=None, protects=False, has_fees=False))
        coins = stack.enter_context(CoinbaseVenue())
        stocks.set_market("AAPL", D("199.99"), D("200.00"), D(10**6))
        coins.set_market("BTC-USD", D("99.99"), D("100.00"), D(10**6))
        self.stocks_broker = create_brokerage(
            "alpaca",
            {
                "api_key": stocks.api_key.key,
                "secret_key": stocks.api_key.secret,
                "api_base": stocks.url,
                "data_base": stocks.url,
                "allow_delayed": True,
            },
        )
        self.coins_broker = create_brokerage(
            "coinbase",
            {
                "cdp_api_key": coins.api_key.name,
                "cdp_private_key": coins.api_key.secret,
                "api_base": coins.url,
            },
        )
        store = SqlReservations(f"sqlite:///{folder / 'risk.sqlite'}")
        stack.callback(store.close)
        overall = risk_limits({"allowed_symbols": "AAPL, BTC-USD"})
        self.desk = RiskDesk(store, overall)
        self.switch = KillSwitch(folder / "kill-switch")
        self.folder, self._stack = folder, stack

    def open(self, broker: IBrokerage, name: str, texts: dict[str, object]) -> OrderExecutor:
        """An executor behind a gate."""
        broker.connect()
        self._stack.callback(broker.disconnect)
        journal = SqlJournal(f"sqlite:///{self.folder / name}.sqlite")
        self._stack.callback(journal.close)
        gate = LimitGate(broker, journal, self.desk, risk_limits(texts), kill_switch=self.switch)
        return OrderExecutor(broker, journal, gate=gate)


@pytest.fixture
def floor(tmp_path: Path) -> Iterator[Floor]:
    """Both simulators, open."""
    with ExitStack() as stack:
        yield Floor(tmp_path, stack)


def order(
    symbol: str, quantity: str, side: OrderSide = OrderSide.BUY, **terms: Any
) -> OrderRequest:
    """A limit order."""
    return OrderRequest(
        symbol=symbol, side=side, quantity=D(quantity), type=OrderType.LIMIT, **terms
    )


def test_a_broker_that_tells_everything_is_asked_everything(floor: Floor) -> None:
    """Margin, hours, equity, cash and brackets, over the wire of a broker of stocks."""
    executor = floor.open(
        floor.stocks_broker,
        "stocks",
        {
            "max_position_size": "0.05",
            "max_daily_loss": "0.10",
            "min_cash_balance": "90000",
            "stop_loss_pct": "0.05",
            "margin": "refuse",
            "market_hours": "refuse",
            "allowed_symbols": "AAPL",
        },
    )
    entry = executor.submit(order("AAPL", "10", price=D("200.00"), client_order_id="entry0001"))
    assert entry.error is None
    executor.reconcile()
    (stop,) = [each for each in floor.stocks_broker.list_orders() if each.stop_price is not None]
    assert (stop.side, stop.stop_price) == (OrderSide.SELL, D("190.00"))
    too_much = executor.submit(order("AAPL", "20", price=D("200.00")))
    assert isinstance(too_much.error, InvalidFieldError)
    assert "max_position_size (0.05 of " in str(too_much.error)


def test_spot_that_is_only_a_balance_is_a_position_all_the_same(floor: Floor) -> None:
    """A coin that is held is lowered by selling it, whatever the kill switch says."""
    texts: dict[str, object] = {"max_position_value": "1000", "price_margin": "0"}
    executor = floor.open(floor.coins_broker, "coins", texts)
    assert executor.submit(order("BTC-USD", "4", price=D("100.00"))).error is None
    executor.reconcile()
    refused = executor.submit(order("BTC-USD", "7", price=D("100.00")))
    assert "max_position_value of coinbase" in str(refused.error)
    floor.switch.turn_on("drill")
    stopped = executor.submit(order("BTC-USD", "1", price=D("100.00")))
    assert isinstance(stopped.error, PermissionDeniedError)
    sold = executor.submit(order("BTC-USD", "4", OrderSide.SELL, price=D("99.99")))
    assert sold.error is None
    other = executor.submit(order("ETH-USD", "1", price=D("100.00")))
    assert other.error is not None
    assert "the kill switch is on" in str(other.error)
    floor.switch.turn_off()
    other = executor.submit(order("ETH-USD", "1", price=D("100.00")))
    assert "allowed_symbols of all accounts: AAPL, BTC-USD" in str(other.error)
