"""Products of one engine that keep different hours, exits that share, and fees paid in kind."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from bot_v2.features.brokerages.core.decimals import Rounding, divide
from bot_v2.features.brokerages.core.errors import MarketClosedError
from bot_v2.features.brokerages.core.fields import FrozenMapping
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.order_status import OrderStatus
from bot_v2.features.brokerages.core.order_terms import OrderSide, OrderType, TimeInForce
from bot_v2.features.brokerages.core.orderbook import Orderbook, PriceLevel
from bot_v2.features.brokerages.core.orders import Fee
from bot_v2.features.brokerages.core.products import MarketType
from bot_v2.simulation.account import AccountKind, AccountSettings
from bot_v2.simulation.default_products import product_for_symbol
from bot_v2.simulation.engine import MatchingEngine
from bot_v2.simulation.fees import MakerTakerFees

D = Decimal
START = datetime(2026, 3, 2, 20, tzinfo=UTC)
SHARE, COIN = "AAPL", "BTC-USD"


class Sessions:
    """A session from one hour of the day to another."""

    def __init__(self, opens: int, closes: int) -> None:
        self.opens, self.closes = opens, closes

    def is_open(self, moment: datetime) -> bool:
        """Return whether it is on."""
        return self.opens <= moment.hour < self.closes

    def session_end(self, moment: datetime) -> datetime:
        """Return its end."""
        return self.next_close(moment)

    def next_open(self, moment: datetime) -> datetime:
        """Return its next start."""
        return self._next(self.opens, moment)

    def next_close(self, moment: datetime) -> datetime:
        """Return its next end."""
        return self._next(self.closes, moment)

    def _next(self, hour: int, moment: datetime) -> datetime:
        found = moment.replace(hour=hour, minute=0)
        return found if found > moment else found + timedelta(days=1)


class Bench:
    """An engine that trades a share from 9 to 16, in extended hours to 22, and a coin always."""

    def __init__(self) -> None:
        self.now = START
        self.engine = MatchingEngine(
            account=AccountSettings(
                kind=AccountKind.MARGIN,
                initial_balances=FrozenMapping({"USD": D(100_000)}),
            ),
            products=[product_for_symbol(SHARE), product_for_symbol(COIN)],
            clock=lambda: self.now,
            fees=MakerTakerFees(maker=D("0.001"), taker=D("0.002")),
            fees_in_kind=True,
            calendar=Sessions(9, 16),
            extended_calendar=Sessions(9, 22),
            always_open=frozenset({MarketType.SPOT}),
        )
        self.show()
        self._count = 0

    def show(self) -> None:
        """Let both products be on offer at 100."""
        level = (PriceLevel(D(100), D(1000)),)
        for symbol in (SHARE, COIN):
            self.engine.on_market(
                Orderbook(symbol=symbol, bids=level, asks=level, timestamp=self.now)
            )

    def place(self, symbol: str, **terms: object) -> str:
        """Place an order to buy ten at the market, unless said otherwise."""
        self._count += 1
        asked = {"side": OrderSide.BUY, "quantity": D(10), **terms}
        request = OrderRequest(symbol=symbol, **asked)  # type: ignore[arg-type]  # checked by it
        return self.engine.place(request, client_order_id=str(self._count)).order_id

    def status(self, order_id: str) -> OrderStatus:
        """Return an order's status."""
        return self.engine.get_order(order_id).status


def limit(**terms: object) -> dict[str, object]:
    """Return the terms of a limit order at the market."""
    return {"type": OrderType.LIMIT, "price": D(100), **terms}


def test_some_products_never_close() -> None:
    """Out of the session the coin trades at once, and the share waits for it."""
    bench = Bench()
    share, coin = bench.place(SHARE), bench.place(COIN)
    assert (bench.status(share), bench.status(coin)) == (OrderStatus.OPEN, OrderStatus.FILLED)
    assert bench.engine.get_market_status(COIN).is_open
    assert not bench.engine.get_market_status(SHARE).is_open
    with pytest.raises(MarketClosedError):
        bench.place(SHARE, time_in_force=TimeInForce.IOC)
    assert bench.place(COIN, time_in_force=TimeInForce.IOC)
    bench.now = START.replace(hour=10) + timedelta(days=1)
    bench.show()
    assert bench.status(share) is OrderStatus.FILLED


def test_extended_hours_end() -> None:
    """An order that asks for them trades in them alone, and a day's ends with them."""
    bench = Bench()
    assert bench.status(bench.place(SHARE, **limit(extended_hours=True))) is OrderStatus.FILLED
    day = bench.place(
        SHARE, **limit(price=D(90), extended_hours=True, time_in_force=TimeInForce.DAY)
    )
    usual = bench.place(SHARE, **limit(price=D(90), time_in_force=TimeInForce.DAY))
    coin = bench.place(COIN, **limit(price=D(90), time_in_force=TimeInForce.DAY))
    bench.now = START.replace(hour=23)
    late = bench.place(SHARE, **limit(extended_hours=True))
    assert bench.status(day) is OrderStatus.EXPIRED
    assert bench.status(late) is OrderStatus.OPEN
    assert bench.status(coin) is OrderStatus.OPEN
    bench.now = START + timedelta(days=1)
    bench.engine.on_time()
    assert (bench.status(usual), bench.status(coin)) == (OrderStatus.EXPIRED,) * 2


def test_exits_share_their_quantity() -> None:
    """What one fills is taken off the other; exits of nothing end each other at once."""
    for exits_of, expected in (("entry", OrderStatus.OPEN), (None, OrderStatus.CANCELLED)):
        bench = Bench()
        bench.place(COIN)
        held = bench.engine.get_balance("BTC").total
        sell = {"symbol": COIN, "side": OrderSide.SELL, "quantity": held}
        profit, stop = bench.engine.place_oco(
            OrderRequest(type=OrderType.LIMIT, price=D(200), **sell),  # type: ignore[arg-type]  # checked by it
            OrderRequest(type=OrderType.STOP, stop_price=D(50), **sell),  # type: ignore[arg-type]  # checked by it
            client_order_ids=("profit", "stop"),
            exits_of=exits_of,
        )
        bench.engine.fill(profit.order_id, D(4), D(200))
        assert bench.status(stop.order_id) is expected
        if exits_of:
            assert bench.engine.get_order(stop.order_id).quantity == held - 4
            bench.engine.cancel(stop.order_id)
        bench.engine.verify()


def test_a_fee_in_kind_is_taken_out_of_what_is_bought() -> None:
    """The position is what is left; a sale costs money; shares cost money either way."""
    bench = Bench()
    bought = bench.engine.get_order(bench.place(COIN))
    assert bought.filled_quantity == 10
    assert bought.fees == (Fee(currency="BTC", amount=D("0.020")),)
    position = bench.engine.get_position(COIN)
    assert position is not None
    assert position.quantity == D("9.98")
    assert bench.engine.get_balance("USD").total == D(99_000)
    fill = bench.engine.list_fills()[0]
    assert (fill.fee, fill.fee_currency) == (D("0.020"), "BTC")
    sold = bench.place(COIN, side=OrderSide.SELL, quantity=D("9.98"))
    assert bench.engine.get_order(sold).fees == (Fee(currency="USD", amount=D("1.99600")),)
    assert bench.engine.get_position(COIN) is None
    share = bench.place(SHARE, **limit(extended_hours=True))
    assert bench.engine.get_order(share).fees == (Fee(currency="USD", amount=D("2.000")),)
    bench.engine.verify()


def test_a_fee_in_kind_is_given_back() -> None:
    """When an execution is busted or corrected; the books still add up."""
    bench = Bench()
    bench.place(COIN)
    trade = bench.engine.list_fills()[0].trade_id
    bench.engine.correct_fill(trade, quantity=D(5), price=D(100))
    assert bench.engine.get_balance("BTC").total == D("4.99")
    position = bench.engine.get_position(COIN)
    assert position is not None
    assert position.entry_price == divide(D(500), D("4.99"), 12, Rounding.HALF_EVEN)
    bench.engine.verify()
    bench.engine.bust_fill(bench.engine.list_fills()[-1].trade_id)
    assert bench.engine.get_balance("BTC").total == 0
    assert bench.engine.get_balance("USD").total == D(100_000)
    bench.engine.verify()


def test_what_is_paid_in_kind_needs_no_money_for_it() -> None:
    """The whole balance buys coins: nothing is kept for a fee."""
    engine = MatchingEngine(
        account=AccountSettings(initial_balances=FrozenMapping({"USD": D(1000)})),
        products=[product_for_symbol(COIN)],
        clock=lambda: START,
        fees=MakerTakerFees(maker=D("0.001"), taker=D("0.002")),
        fees_in_kind=True,
    )
    level = (PriceLevel(D(100), D(1000)),)
    engine.on_market(Orderbook(symbol=COIN, bids=level, asks=level, timestamp=START))
    request = OrderRequest(symbol=COIN, side=OrderSide.BUY, quantity=D(10))
    engine.place(request, client_order_id="all")
    assert engine.get_balance("USD").total == 0
    assert engine.get_balance("BTC").total == D("9.98")
    engine.verify()
