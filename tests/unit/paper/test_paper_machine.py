"""Whatever is done to a paper account, the money is conserved, and the file tells the same.

After each step an independent tally of the fills is held against the account: cash, holdings, order
quantities, limits. Reopening from the file at any point must show what was in memory.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from bot_v2.features.brokerages.core.decimals import EXACT
from bot_v2.features.brokerages.core.errors import BrokerageError, InvalidRequestError, Outcome
from bot_v2.features.brokerages.core.order_changes import OrderModification
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.order_status import ENDED_STATUSES, OrderStatus
from bot_v2.features.brokerages.core.order_terms import (
    OrderSide,
    OrderType,
    PositionEffect,
    StopLoss,
    TakeProfit,
    TimeInForce,
)
from bot_v2.features.brokerages.core.orders import Order
from bot_v2.features.brokerages.paper.adapter import PaperBrokerage
from bot_v2.features.brokerages.paper.settings import Durability, PaperSettings
from bot_v2.features.brokerages.paper.venue import PaperVenue
from bot_v2.simulation.account import AccountKind
from bot_v2.simulation.clock import ManualClock
from bot_v2.simulation.fees import MakerTakerFees, PerUnitFees
from tests.unit.paper.still_feed import COIN, SHARE, START, StillFeed

INITIAL = Decimal(50_000)
ZERO = Decimal(0)
SYMBOLS = (COIN.symbol, SHARE.symbol)
ASSETS = {COIN.symbol: "BTC", SHARE.symbol: SHARE.symbol}

symbols = st.sampled_from(SYMBOLS)
sides = st.sampled_from(OrderSide)
prices = st.integers(8_000, 12_000).map(lambda cents: Decimal(cents) / 100)
offsets = st.integers(1, 1_000).map(lambda cents: Decimal(cents) / 100)
sizes = st.integers(1, 40)
waiting_times = st.sampled_from([TimeInForce.GTC, TimeInForce.DAY, TimeInForce.GTD])
times = st.sampled_from([None, *TimeInForce]).filter(
    lambda time: time not in (TimeInForce.OPG, TimeInForce.CLS, TimeInForce.OTHER)
)
effects = st.sampled_from([None, PositionEffect.OPEN, None, PositionEffect.CLOSE])
fee_models = st.sampled_from(
    [
        None,
        MakerTakerFees(maker=Decimal("-0.0001"), taker=Decimal("0.00123")),
        PerUnitFees(per_unit=Decimal("0.0035"), least=Decimal("0.35")),
    ]
)


class PaperMachine(RuleBasedStateMachine):
    """An account, what is done to it, and a tally of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="bot-v2-machine-"))
        self.path = self.folder / "account.sqlite"
        self.clock = ManualClock(START)
        self.made = 0
        self.ended: dict[str, tuple[OrderStatus, Decimal]] = {}
        self.late: set[str] = set()
        self.fills_seen = 0
        self.opened: list[PaperBrokerage] = []

    @initialize(
        kind=st.sampled_from(AccountKind),
        fees=fee_models,
        latency_s=st.sampled_from([0.0, 0.0, 2.0]),
    )
    def open_account(self, kind: AccountKind, fees: Any, latency_s: float) -> None:
        """A new account in a file, in a market of two products."""
        settings = PaperSettings(
            initial_balance=INITIAL,
            account_kind=kind,
            account_file=self.path,
            durability=Durability.PROCESS,
            latency_s=latency_s,
        )
        self.settings, self.fees = settings, fees
        self.connect()
        for symbol in SYMBOLS:
            self.venue.set_market(symbol, Decimal(100), Decimal(101), Decimal(50))

    def connect(self) -> None:
        """Open the file."""
        self.broker = PaperBrokerage(
            self.settings,
            feed=StillFeed(),
            clock=self.clock,
            ids=self.next_id,
            fees=self.fees,
        )
        self.opened.append(self.broker)
        self.venue = PaperVenue(self.broker)
        # Stale reads are another test's; here every step would pay for them.
        self.broker.session.link.keeps_previous = False
        self.broker.connect()

    def next_id(self) -> str:
        """A client order id."""
        self.made += 1
        return f"c{self.made}"

    def attempt(self, act: Callable[[], object]) -> None:
        """Do something that the account may refuse; a refusal changes nothing."""
        before = self.everything()
        refusal = None
        try:
            act()
        except BrokerageError as error:
            refusal = error
        if refusal is not None:
            assert refusal.outcome in (Outcome.REJECTED, Outcome.NOT_SENT), refusal
            assert self.everything() == before

    def place(self, **terms: Any) -> None:
        """Place an order, if it can be said at all."""
        if terms.get("time_in_force") is TimeInForce.GTD:
            terms["expires_at"] = self.clock() + timedelta(seconds=90)
        try:
            request = OrderRequest(**terms)
        except InvalidRequestError:
            return
        self.attempt(lambda: self.broker.place_order(request))

    @rule(symbol=symbols, side=sides, size=sizes, time=times, effect=effects, reduce=st.booleans())
    def place_market(
        self, symbol: str, side: OrderSide, size: int, time: Any, effect: Any, reduce: bool
    ) -> None:
        """An order at the market."""
        self.place(
            symbol=symbol,
            side=side,
            quantity=Decimal(size),
            time_in_force=time,
            position_effect=effect,
            reduce_only=reduce,
        )

    @rule(symbol=symbols, side=sides, cents=st.integers(1, 300_000), effect=effects)
    def place_notional(self, symbol: str, side: OrderSide, cents: int, effect: Any) -> None:
        """An order of some value."""
        notional = Decimal(cents) / 100
        self.place(symbol=symbol, side=side, notional=notional, position_effect=effect)

    @rule(
        symbol=symbols,
        side=sides,
        size=sizes,
        price=prices,
        time=times,
        effect=effects,
        post_only=st.booleans(),
    )
    def place_limit(
        self,
        symbol: str,
        side: OrderSide,
        size: int,
        price: Decimal,
        time: Any,
        effect: Any,
        post_only: bool,
    ) -> None:
        """An order with a limit."""
        self.place(
            symbol=symbol,
            side=side,
            quantity=Decimal(size),
            type=OrderType.LIMIT,
            price=price,
            time_in_force=time,
            position_effect=effect,
            post_only=post_only,
        )

    @rule(
        symbol=symbols,
        side=sides,
        size=sizes,
        stop=prices,
        limit=st.none() | prices,
        effect=effects,
        time=waiting_times,
    )
    def place_stop(
        self,
        symbol: str,
        side: OrderSide,
        size: int,
        stop: Decimal,
        limit: Decimal | None,
        effect: Any,
        time: Any,
    ) -> None:
        """An order that waits for its trigger."""
        self.place(
            symbol=symbol,
            side=side,
            quantity=Decimal(size),
            type=OrderType.STOP if limit is None else OrderType.STOP_LIMIT,
            stop_price=stop,
            price=limit,
            position_effect=effect,
            time_in_force=time,
        )

    @rule(symbol=symbols, side=sides, size=sizes, by_percent=st.booleans(), trail=offsets)
    def place_trailing(
        self, symbol: str, side: OrderSide, size: int, by_percent: bool, trail: Decimal
    ) -> None:
        """An order whose trigger follows the market."""
        name = "trail_percent" if by_percent else "trail_amount"
        self.place(
            symbol=symbol,
            side=side,
            quantity=Decimal(size),
            type=OrderType.TRAILING_STOP,
            **{name: trail},
        )

    @rule(symbol=symbols, size=sizes, price=prices, profit=offsets, loss=offsets)
    def place_bracket(
        self, symbol: str, size: int, price: Decimal, profit: Decimal, loss: Decimal
    ) -> None:
        """An entry with both its exits."""
        self.place(
            symbol=symbol,
            side=OrderSide.BUY,
            quantity=Decimal(size),
            type=OrderType.LIMIT,
            price=price,
            take_profit=TakeProfit(price=price + profit),
            stop_loss=StopLoss(stop_price=price - loss),
        )

    @rule(symbol=symbols, size=sizes, high=prices, low=prices)
    def place_oco(self, symbol: str, size: int, high: Decimal, low: Decimal) -> None:
        """A target and a stop, of which one cancels the other."""
        terms: dict[str, Any] = {
            "symbol": symbol,
            "side": OrderSide.SELL,
            "quantity": Decimal(size),
        }
        target = OrderRequest(**terms, type=OrderType.LIMIT, price=high)
        stop = OrderRequest(**terms, type=OrderType.STOP, stop_price=low)
        self.attempt(lambda: self.broker.place_oco(target, stop))

    @rule(symbol=symbols)
    def close(self, symbol: str) -> None:
        """Get out of a position."""
        self.attempt(lambda: self.broker.close_position(symbol))

    @precondition(lambda self: self.fills_seen or self.made)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        """Cancel any order: it ends, or had ended."""
        order = self.pick(data)
        if order is None:
            return
        had_ended = order.status in ENDED_STATUSES
        assert self.broker.cancel_order(order.order_id) is not had_ended

    @rule(data=st.data(), size=st.none() | sizes, price=st.none() | prices, stop=st.none() | prices)
    def modify(
        self, data: st.DataObject, size: int | None, price: Decimal | None, stop: Decimal | None
    ) -> None:
        """Change any order, as far as it can be changed."""
        order = self.pick(data)
        if order is None or (size, price, stop) == (None, None, None):
            return
        quantity = None if size is None else Decimal(size)
        change = OrderModification(quantity=quantity, price=price, stop_price=stop)
        self.attempt(lambda: self.broker.modify_order(order.order_id, change))

    @rule(symbol=symbols, bid=prices, spread=st.integers(0, 200), size=st.integers(0, 30))
    def move_market(self, symbol: str, bid: Decimal, spread: int, size: int) -> None:
        """New best prices, with some size or none."""
        self.venue.set_market(symbol, bid, bid + Decimal(spread) / 100, Decimal(size))

    @rule(seconds=st.sampled_from([0.5, 5.0, 100.0, 40_000.0]))
    def pass_time(self, seconds: float) -> None:
        """Orders arrive and expire."""
        self.clock.advance(seconds)

    @rule(data=st.data())
    def fill_late(self, data: st.DataObject) -> None:
        """A fill from before the end of an order is reported after it."""
        ended = [
            order
            for order in self.broker.list_orders()
            if order.status in (OrderStatus.CANCELLED, OrderStatus.EXPIRED)
            and order.type is OrderType.LIMIT
            and order.remaining_quantity
        ]
        if not ended:
            return
        order = data.draw(st.sampled_from(ended))
        assert order.price is not None
        price = order.price
        try:
            self.venue.late_fill(order.order_id, Decimal(1), price)
        except InvalidRequestError:
            return
        self.late.add(order.order_id)

    @rule()
    def reopen(self) -> None:
        """Another process opens the file: it finds what was in memory."""
        before = self.everything()
        self.broker.disconnect()
        self.connect()
        assert self.everything() == before
        self.broker.native.engine.verify()

    def pick(self, data: st.DataObject) -> Order | None:
        """Any order."""
        orders = self.broker.list_orders()
        return data.draw(st.sampled_from(orders)) if orders else None

    def everything(self) -> list[object]:
        """What the account is, but for the prices that it is valued at."""
        positions = [
            attrs.evolve(each, current_price=None, unrealized_pnl=None, market_value=None)
            for each in self.broker.list_positions()
        ]
        return [
            self.broker.list_orders(),
            self.broker.list_fills(),
            sorted(self.broker.list_balances(), key=lambda balance: balance.asset),
            sorted(positions, key=lambda position: position.symbol),
        ]

    @invariant()
    def money_is_conserved(self) -> None:
        """Cash and holdings are what the fills made of the money that there was, exactly."""
        if not self.opened:
            return
        amounts = {"USD": INITIAL, "BTC": ZERO, SHARE.symbol: ZERO}
        for fill in self.broker.list_fills():
            signed = fill.quantity if fill.side is OrderSide.BUY else EXACT.minus(fill.quantity)
            asset = ASSETS[fill.symbol]
            amounts[asset] = EXACT.add(amounts[asset], signed)
            cost = EXACT.add(EXACT.multiply(signed, fill.price), fill.fee or ZERO)
            amounts["USD"] = EXACT.subtract(amounts["USD"], cost)
        for balance in self.broker.list_balances():
            assert balance.available is not None
            assert balance.hold is not None
            assert balance.total == EXACT.add(balance.available, balance.hold)
        assert self.broker.get_balance("USD").total == amounts["USD"]
        assert self.broker.get_balance("BTC").total == amounts["BTC"]
        held = self.broker.get_position(SHARE.symbol)
        size = ZERO if held is None else held.quantity
        assert size == abs(amounts[SHARE.symbol])
        self.broker.native.engine.verify()

    @invariant()
    def fills_keep_limits_and_quantities(self) -> None:
        """No fill is worse than the limit that was in force, nor more than was ordered."""
        if not self.opened:
            return
        orders = {order.order_id: order for order in self.broker.list_orders()}
        filled = dict.fromkeys(orders, ZERO)
        fills = self.broker.list_fills()
        for fill in fills:
            filled[fill.order_id] = EXACT.add(filled[fill.order_id], fill.quantity)
        for fill in fills[self.fills_seen :]:
            limit = orders[fill.order_id].price
            if limit is not None and fill.side is OrderSide.BUY:
                assert fill.price <= limit
            elif limit is not None:
                assert fill.price >= limit
        self.fills_seen = len(fills)
        for order in orders.values():
            assert order.filled_quantity == filled[order.order_id]
            assert order.quantity is None or order.filled_quantity <= order.quantity

    @invariant()
    def an_end_is_an_end(self) -> None:
        """An order that has ended stays as it ended, but for what was reported late."""
        if not self.opened:
            return
        for order in self.broker.list_orders():
            known = self.ended.get(order.order_id)
            if known is not None and order.order_id not in self.late:
                assert (order.status, order.filled_quantity) == known
            if known is not None:
                assert order.status in ENDED_STATUSES
            if order.status in ENDED_STATUSES:
                self.ended[order.order_id] = (order.status, order.filled_quantity)
        self.late.clear()

    def teardown(self) -> None:
        """Let go of the file."""
        for broker in self.opened:
            broker.disconnect()
        shutil.rmtree(self.folder)


TestPaperMachine = pytest.mark.uncovered(PaperMachine.TestCase)
