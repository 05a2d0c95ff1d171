"""Bars of real markets, traded through the paper brokerage: the money adds up to the last digit."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path

import attrs
import pytest

from bot_v2.features.brokerages.core.accounts import PositionSide
from bot_v2.features.brokerages.core.decimals import EXACT, Rounding
from bot_v2.features.brokerages.core.errors import BrokerageError
from bot_v2.features.brokerages.core.fills import Fill
from bot_v2.features.brokerages.core.increments import quantize_quantity
from bot_v2.features.brokerages.core.market_data import Candle
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.order_status import ENDED_STATUSES, LIVE_STATUSES
from bot_v2.features.brokerages.core.order_terms import OrderSide, OrderType, TimeInForce
from bot_v2.features.brokerages.core.products import Product
from bot_v2.features.brokerages.paper.adapter import PaperBrokerage
from bot_v2.features.brokerages.paper.settings import Pace, PaperSettings
from bot_v2.simulation.account import AccountKind
from bot_v2.simulation.default_products import product_for_symbol
from bot_v2.simulation.market import MarketEvent
from tests.payload_candles import ONE_CONTRACT, RECORDINGS, Recording, read_candles

START = Decimal(1_000_000)
COMMISSION = Decimal("0.001")
FAST, SLOW = 2, 4
ZERO = Decimal(0)


class CandleFeed:
    """Candles that were recorded."""

    is_synthetic = False

    def __init__(self, recording: Recording, candles: Sequence[Candle]) -> None:
        self.description = recording.path
        self.products = (product_of(recording.symbol),)
        self._candles = candles

    def events(self) -> Iterator[MarketEvent]:
        """Yield them."""
        return iter(self._candles)


def product_of(symbol: str) -> Product:
    """The product of a recording; its payload does not tell a multiplier."""
    try:
        return product_for_symbol(symbol)
    except BrokerageError:
        return product_for_symbol(symbol, multiplier=ONE_CONTRACT)


@attrs.define
class Crossing:
    """Buys when the fast mean crosses above the slow one, with a stop; sells when it falls below.

    Entries are limit orders at the close, exits are a resting stop and a closing market order.
    """

    broker: PaperBrokerage
    """Where it trades."""
    symbol: str
    """What it trades."""
    refused: int = 0
    """How many orders the exchange refused."""
    _closes: deque[Decimal] = attrs.field(factory=lambda: deque(maxlen=SLOW))

    def hear(self, candle: Candle) -> None:
        """Act on a candle that has ended."""
        self._closes.append(candle.close)
        if len(self._closes) < FAST:
            return
        closes = list(self._closes)
        fast = sum(closes[-FAST:], ZERO) * len(closes)
        slow = sum(closes, ZERO) * FAST
        position = self.broker.get_position(self.symbol)
        waiting = [o for o in self.broker.list_orders() if o.status in LIVE_STATUSES]
        if fast >= slow and position is None and not waiting:
            self._enter(candle)
        elif fast < slow:
            for order in waiting:
                self.broker.cancel_order(order.order_id)
            if position is not None and self.broker.get_position(self.symbol) is not None:
                self._try(lambda: self.broker.close_position(self.symbol))
        elif position is not None and not any(o.type is OrderType.STOP for o in waiting):
            self._protect(candle, position.quantity)

    def _enter(self, candle: Candle) -> None:
        product = self.broker.get_product(self.symbol)
        step = product.size_increment or Decimal(1)
        unit = candle.close * product.multiplier
        wanted = quantize_quantity(product, (START / 10) / unit, Rounding.DOWN)
        volume = candle.volume or ZERO
        quantity = min(wanted, quantize_quantity(product, volume, Rounding.DOWN)) or step
        request = OrderRequest(
            symbol=self.symbol,
            side=OrderSide.BUY,
            quantity=max(quantity, step),
            type=OrderType.LIMIT,
            price=candle.close,
            time_in_force=TimeInForce.GTC,
        )
        self._try(lambda: self.broker.place_order(request))

    def _protect(self, candle: Candle, quantity: Decimal) -> None:
        request = OrderRequest(
            symbol=self.symbol,
            side=OrderSide.SELL,
            quantity=quantity,
            type=OrderType.STOP,
            stop_price=candle.low,
            reduce_only=True,
        )
        self._try(lambda: self.broker.place_order(request))

    def _try(self, act: object) -> None:
        assert callable(act)
        try:
            act()
        except BrokerageError as error:
            self.refused += 1
            print(f"  refused: {error.message}")


def trade(recording: Recording, account_file: Path | None = None) -> PaperBrokerage:
    """Replay a recording, and trade it; nothing is sold that was not bought."""
    candles = read_candles(recording)
    product = product_of(recording.symbol)
    broker = PaperBrokerage(
        PaperSettings(
            initial_balance=START,
            currency=product.settle_currency or product.quote_currency,
            commission=COMMISSION,
            account_kind=AccountKind.MARGIN,
            pace=Pace.REPLAY,
            account_file=account_file,
        ),
        feed=CandleFeed(recording, candles),
    )
    broker.connect()
    strategy = Crossing(broker, recording.symbol)
    seen = 1
    for event in broker.replay():
        assert isinstance(event, Candle)
        seen += 1
        strategy.hear(event)
    assert seen == len(candles)
    return broker


def signed(fill: Fill) -> Decimal:
    """What a fill brings of the product."""
    return fill.quantity if fill.side is OrderSide.BUY else -fill.quantity


AVAILABLE = [recording for recording in RECORDINGS if recording.exists]


def test_recordings_are_known() -> None:
    """There are recordings to trade, wherever their payloads are."""
    assert len(RECORDINGS) > 10


@pytest.mark.skipif(not AVAILABLE, reason="no payloads lie beside the project")
@pytest.mark.parametrize("recording", AVAILABLE, ids=lambda recording: recording.path)
def test_a_real_market_is_traded_and_adds_up(recording: Recording, tmp_path: Path) -> None:
    """Cash, positions and equity follow from the fills; the file tells the same as memory."""
    broker = trade(recording)
    product = broker.get_product(recording.symbol)
    orders, fills = broker.list_orders(), broker.list_fills()
    print(f"{recording.path}: {recording.symbol}, candles of {recording.interval}")
    for order in reversed(orders):
        print(
            f"  {order.order_id} {order.side} {order.type} {order.quantity} at {order.price}: "
            f"{order.status}, filled {order.filled_quantity} at {order.average_fill_price}"
        )
    for fill in fills:
        print(
            f"  {fill.trade_id} {fill.timestamp:%Y-%m-%d %H:%M} {fill.side} {fill.quantity} "
            f"at {fill.price}, fee {fill.fee}"
        )
    account = broker.get_account()
    print(f"  final equity {account.equity} {account.currency}")

    broker.native.engine.verify()
    bought, spent = ZERO, ZERO
    for fill in fills:
        bought = EXACT.add(bought, signed(fill))
        value = EXACT.multiply(EXACT.multiply(signed(fill), fill.price), product.multiplier)
        spent = EXACT.add(EXACT.add(spent, value), fill.fee or ZERO)
    position = broker.get_position(recording.symbol)
    held = ZERO if position is None else position.quantity
    assert position is None or position.side is PositionSide.LONG
    assert held == bought
    last = read_candles(recording)[-1].close
    worth = EXACT.multiply(EXACT.multiply(held, last), product.multiplier)
    assert account.equity == EXACT.add(EXACT.subtract(START, spent), worth)
    for order in orders:
        if order.type is OrderType.LIMIT and order.price is not None:
            prices = [fill.price for fill in fills if fill.order_id == order.order_id]
            assert all(price <= order.price for price in prices)

    filed = trade(recording, tmp_path / "account.sqlite")
    assert without_ids(filed) == without_ids(broker)
    filed.disconnect()
    broker.disconnect()


def without_ids(broker: PaperBrokerage) -> list[object]:
    """What an account came to, but for the random client order ids."""
    return [
        [attrs.evolve(order, client_order_id=None) for order in broker.list_orders()],
        [attrs.evolve(fill, client_order_id=None) for fill in broker.list_fills()],
        broker.list_positions(),
        broker.list_balances(),
        broker.get_account(),
    ]


@pytest.mark.skipif(not AVAILABLE, reason="no payloads lie beside the project")
def test_the_strategy_trades_some_of_the_markets() -> None:
    """The accounts above are not all empty: several recordings lead to fills."""
    traded = [recording for recording in AVAILABLE if trade(recording).list_fills()]
    print(f"{len(traded)} of {len(AVAILABLE)} recordings were traded")
    assert len(traded) * 2 >= len(AVAILABLE)
    ended = [o.status in ENDED_STATUSES for r in traded for o in trade(r).list_orders()]
    assert any(ended)
