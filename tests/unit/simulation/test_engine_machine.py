"""Whatever is done to an engine, in whatever order: what must always hold, holds."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal as D
from typing import Any

import attrs
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bot_v2.features.brokerages.core import interfaces as api
from bot_v2.simulation.account import AccountKind, AccountSettings
from bot_v2.simulation.clock import ManualClock
from bot_v2.simulation.engine import MatchingEngine
from bot_v2.simulation.fees import FeeModel, MakerTakerFees, NoFees, PerUnitFees
from bot_v2.simulation.ledger import ACCOUNTS
from bot_v2.simulation.slippage import NoSlippage, PercentSlippage, SlippageModel, VolumeSlippage
from tests.unit.simulation.markets import BTC, FUTURE, SHARE, START

PRODUCTS = (BTC, SHARE, FUTURE)
SIDES = st.sampled_from(api.OrderSide)
PRICES = st.integers(80, 120).map(D)
QUANTITIES = st.integers(1, 40).map(D)
SIZES = st.none() | st.integers(1, 30).map(D)
SYMBOLS = st.sampled_from([product.symbol for product in PRODUCTS])
LASTING = (api.TimeInForce.GTC, api.TimeInForce.DAY)
TIMES = st.sampled_from([None, *LASTING, api.TimeInForce.IOC, api.TimeInForce.FOK])
REFUSED = (
    api.InvalidRequestError,
    api.OrderRejectedError,
    api.InsufficientFundsError,
    api.MarketClosedError,
    api.ModifyRejectedError,
)
FEES: tuple[FeeModel, ...] = (
    NoFees(),
    MakerTakerFees(maker=D("-0.0001"), taker=D("0.0013")),
    MakerTakerFees(maker=D("0.001"), taker=D("0.002"), least=D(5)),
    PerUnitFees(per_unit=D("0.35"), least=D(1), maximum_rate=D("0.01")),
)
SLIPPAGE: tuple[SlippageModel, ...] = (
    NoSlippage(),
    PercentSlippage(bps=D(7)),
    VolumeSlippage(bps=D(30)),
)


@st.composite
def requests(draw: st.DrawFn) -> api.OrderRequest:
    """Any request that can be constructed of some kinds and terms."""
    side = draw(SIDES)
    kind = draw(st.sampled_from([one for one in api.OrderType if one != api.OrderType.OTHER]))
    terms: dict[str, Any] = {"type": kind, "time_in_force": draw(TIMES)}
    if kind in (api.OrderType.LIMIT, api.OrderType.STOP_LIMIT):
        terms["price"] = draw(PRICES)
    if kind in (api.OrderType.STOP, api.OrderType.STOP_LIMIT):
        terms["stop_price"] = draw(PRICES)
    if kind is api.OrderType.TRAILING_STOP:
        name = draw(st.sampled_from(["trail_amount", "trail_percent"]))
        terms[name] = draw(st.integers(1, 9).map(D))
    if kind is api.OrderType.LIMIT and terms["time_in_force"] in (None, *LASTING):
        terms["post_only"] = draw(st.booleans())
    terms["reduce_only"] = draw(st.sampled_from([False, False, False, True]))
    if draw(st.integers(0, 3)) == 0:
        up, down = api.TakeProfit(price=D(125)), api.TakeProfit(price=D(75))
        terms["take_profit"] = up if side is api.OrderSide.BUY else down
    if draw(st.integers(0, 3)) == 0:
        stop = D(78) if side is api.OrderSide.BUY else D(122)
        terms["stop_loss"] = api.StopLoss(stop_price=stop)
    if draw(st.integers(0, 4)) == 0:
        terms["notional"] = draw(st.integers(50, 4000).map(D))
    else:
        terms["quantity"] = draw(QUANTITIES)
    terms["position_effect"] = draw(st.sampled_from([None, None, *api.PositionEffect]))
    return api.OrderRequest(symbol=draw(SYMBOLS), side=side, **terms)


def no_worse(fill: api.Fill, limit: D) -> bool:
    """Whether a fill's price is within a limit."""
    return fill.price <= limit if fill.side is api.OrderSide.BUY else fill.price >= limit


class EngineMachine(RuleBasedStateMachine):
    """Orders, markets, fills on demand and corrections, in any order."""

    @initialize(
        kind=st.sampled_from(AccountKind),
        fees=st.sampled_from(FEES),
        slippage=st.sampled_from(SLIPPAGE),
        latency_s=st.sampled_from([0.0, 0.0, 0.5]),
        opening=st.integers(0, 20).map(D),
    )
    def open(
        self,
        kind: AccountKind,
        fees: FeeModel,
        slippage: SlippageModel,
        latency_s: float,
        opening: D,
    ) -> None:
        """Open an account that can afford some orders, and not all."""
        self.clock = ManualClock(START)
        self.options: dict[str, Any] = {
            "account": AccountSettings(
                kind=kind, initial_balances={"USD": D(5000), "BTC": opening}
            ),
            "products": PRODUCTS,
            "clock": self.clock,
            "fees": fees,
            "slippage": slippage,
            "latency_s": latency_s,
        }
        self.engine = MatchingEngine(**self.options)
        self.is_cash = kind is AccountKind.CASH
        self.forced = False
        self.count = 0
        self.ended: dict[str, api.OrderStatus] = {}
        self.unsubscribe = self.engine.subscribe(self._hear)
        self.evidence: set[str] = set()
        for product in PRODUCTS:
            self.quote(product.symbol, D(99), 2, None, last=False)

    def _hear(self, event: api.OrderEvent) -> None:
        order = event.order
        before = self.ended.get(order.order_id)
        if before is not None and order.order_id not in self.evidence:
            assert order.status is before, f"{order.order_id} was {before} and is {order.status}"
        fill = event.fill
        if fill is not None and order.price is not None and order.order_id not in self.evidence:
            assert no_worse(fill, order.price), f"{fill} is worse than {order.price}"
        if order.status in api.ENDED_STATUSES:
            self.ended[order.order_id] = order.status

    def _live(self, number: int) -> api.Order | None:
        live = [one for one in self.engine.list_orders() if one.status in api.LIVE_STATUSES]
        return live[number % len(live)] if live else None

    @rule(request=requests())
    def place(self, request: api.OrderRequest) -> None:
        """Place an order."""
        self.count += 1
        before = self.engine.snapshot()
        try:
            order = self.engine.place(request, client_order_id=f"c-{self.count}")
        except REFUSED:
            # What became due first is a step of its own, and is not undone.
            if before.counters.steps == self.engine.snapshot().counters.steps:
                assert self.engine.snapshot() == before
            return
        assert order.client_order_id == f"c-{self.count}"

    @rule(first=requests(), second=requests())
    def place_pair(self, first: api.OrderRequest, second: api.OrderRequest) -> None:
        """Place two orders that cancel each other."""
        self.count += 2
        ids = (f"c-{self.count - 1}", f"c-{self.count}")
        before = self.engine.snapshot()
        try:
            self.engine.place_oco(first, second, client_order_ids=ids)
        except REFUSED:
            if before.counters.steps == self.engine.snapshot().counters.steps:
                assert self.engine.snapshot() == before

    @rule(number=st.integers(0, 50))
    def cancel(self, number: int) -> None:
        """Cancel an order that lives."""
        order = self._live(number)
        if order is not None:
            assert self.engine.cancel(order.order_id) in (True, False)

    @rule(number=st.integers(0, 50), price=PRICES, quantity=QUANTITIES)
    def modify(self, number: int, price: D, quantity: D) -> None:
        """Change a live limit order."""
        order = self._live(number)
        if order is None:
            return
        change = api.OrderModification(
            price=price if order.price is not None else None, quantity=quantity
        )
        try:
            self.engine.modify(order.order_id, change)
        except REFUSED:
            return

    @rule(symbol=SYMBOLS, bid=PRICES, spread=st.integers(0, 5), size=SIZES, last=st.booleans())
    def quote(self, symbol: str, bid: D, spread: int, size: D | None, last: bool) -> None:
        """Change the best prices."""
        self.engine.on_market(
            api.Quote(
                symbol=symbol,
                timestamp=self.clock(),
                bid=bid,
                ask=bid + spread,
                bid_size=size,
                ask_size=size,
                last=bid if last else None,
            )
        )

    @rule(symbol=SYMBOLS, middle=PRICES, sizes=st.lists(QUANTITIES, min_size=2, max_size=6))
    def book(self, symbol: str, middle: D, sizes: list[D]) -> None:
        """Change the book: several levels on both sides."""
        levels = [(D(number // 2 + 1), size) for number, size in enumerate(sizes)]
        self.engine.on_market(
            api.Orderbook(
                symbol=symbol,
                bids=tuple(api.PriceLevel(middle - far, size) for far, size in levels[::2]),
                asks=tuple(api.PriceLevel(middle + far, size) for far, size in levels[1::2]),
                timestamp=self.clock(),
            )
        )

    @rule(symbol=SYMBOLS, price=PRICES, size=QUANTITIES, side=st.none() | SIDES)
    def trade(self, symbol: str, price: D, size: D, side: api.OrderSide | None) -> None:
        """Let others trade."""
        self.engine.on_market(
            api.Trade(symbol=symbol, price=price, size=size, timestamp=self.clock(), side=side)
        )

    @rule(symbol=SYMBOLS, prices=st.lists(PRICES, min_size=4, max_size=4), volume=SIZES)
    def candle(self, symbol: str, prices: list[D], volume: D | None) -> None:
        """Let a minute pass."""
        opened = self.clock()
        self.clock.advance(60)
        self.engine.on_market(
            api.Candle(
                symbol=symbol,
                open_time=opened,
                interval=timedelta(minutes=1),
                open=prices[0],
                high=max(prices),
                low=min(prices),
                close=prices[1],
                volume=volume,
            )
        )

    @rule(seconds=st.sampled_from([0.25, 1, 3600, 90_000]))
    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.advance(seconds)
        self.engine.on_time()

    @rule(symbol=SYMBOLS, halted=st.booleans())
    def halt(self, symbol: str, halted: bool) -> None:
        """Suspend trading, or take it up again."""
        (self.engine.halt if halted else self.engine.resume)(symbol)

    @rule(number=st.integers(0, 50), quantity=QUANTITIES, price=PRICES)
    def fill(self, number: int, quantity: D, price: D) -> None:
        """Fill an order whatever the market says."""
        order = self._live(number)
        if order is not None:
            try:
                self.engine.fill(order.order_id, quantity, price)
            except REFUSED:
                return

    @rule(number=st.integers(0, 50), quantity=QUANTITIES, price=PRICES)
    def late_fill(self, number: int, quantity: D, price: D) -> None:
        """Report a fill of an order that has ended."""
        orders = self.engine.list_orders()
        if orders:
            order = orders[number % len(orders)]
            self.evidence.add(order.order_id)
            try:
                self.engine.late_fill(order.order_id, quantity, price)
            except REFUSED:
                self.evidence.discard(order.order_id)
                return
            self.forced = True

    @rule(number=st.integers(0, 50), quantity=QUANTITIES, price=PRICES, bust=st.booleans())
    def correct(self, number: int, quantity: D, price: D, bust: bool) -> None:
        """Correct or bust an execution."""
        fills = self.engine.list_fills()
        if not fills:
            return
        fill = fills[number % len(fills)]
        limit = self.engine.get_order(fill.order_id).price
        self.evidence.add(fill.order_id)
        try:
            if bust:
                self.engine.bust_fill(fill.trade_id)
            elif limit is None or no_worse(attrs.evolve(fill, price=price), limit):
                self.engine.correct_fill(fill.trade_id, quantity=quantity, price=price)
            else:
                return
        except REFUSED:
            return
        self.forced = True

    @precondition(lambda self: hasattr(self, "engine"))
    @rule(ratio=st.sampled_from([D(2), D("0.5"), D("0.25"), D("1.5")]))
    def split(self, ratio: D) -> None:
        """Split the share."""
        try:
            self.engine.split("ACME", ratio)
        except api.MarketDataUnavailableError:
            return

    @rule()
    def reopen(self) -> None:
        """Rebuild the engine from its state: what comes back is the same."""
        state = self.engine.snapshot()
        self.unsubscribe()
        self.engine = MatchingEngine.restore(state, **self.options)
        assert self.engine.snapshot() == state
        self.unsubscribe = self.engine.subscribe(self._hear)

    @invariant()
    @precondition(lambda self: hasattr(self, "engine"))
    def money_is_conserved(self) -> None:
        """Entries sum to zero and to the balances, and each asset to zero over all accounts."""
        self.engine.verify()
        sums: dict[str, D] = {}
        for record in self.engine.snapshot().balances:
            assert record.account in ACCOUNTS
            sums[record.asset] = sums.get(record.asset, D(0)) + record.amount
        assert not any(sums.values()), sums

    @invariant()
    @precondition(lambda self: hasattr(self, "engine"))
    def balances_add_up(self) -> None:
        """total == available + hold; a cash account never has less than nothing available."""
        for balance in self.engine.list_balances():
            assert balance.available is not None
            assert balance.hold is not None
            assert balance.total == balance.available + balance.hold
            assert balance.hold >= 0
            if self.is_cash and not self.forced:
                assert balance.available >= 0, balance
        live = [one for one in self.engine.list_orders() if one.status in api.LIVE_STATUSES]
        if not live:
            assert all(balance.hold == 0 for balance in self.engine.list_balances())

    @invariant()
    @precondition(lambda self: hasattr(self, "engine"))
    def fills_respect_their_orders(self) -> None:
        """An order is its fills: never more than it asked for, nor dearer than its value."""
        filled: dict[str, D] = {}
        for fill in self.engine.list_fills():
            if not self.forced:
                filled[fill.order_id] = filled.get(fill.order_id, D(0)) + fill.quantity
        for order_id, quantity in filled.items():
            order = self.engine.get_order(order_id)
            assert order.filled_quantity == quantity
            assert order.quantity is None or quantity <= order.quantity
            if order.notional is not None and order.average_fill_price is not None:
                multiplier = self.engine.get_product(order.symbol).multiplier
                assert quantity * order.average_fill_price * multiplier <= order.notional + D(
                    "0.001"
                )

    def teardown(self) -> None:
        """Cancel everything: nothing is set aside any more."""
        if not hasattr(self, "engine"):
            return
        while live := [one for one in self.engine.list_orders() if one.status in api.LIVE_STATUSES]:
            for order in live:  # what fills before its cancel arrives brings exits to life
                self.engine.cancel(order.order_id)
            self.clock.advance(1)
            self.engine.on_time()
        assert all(balance.hold == 0 for balance in self.engine.list_balances())
        self.engine.verify()


TestEngine = pytest.mark.uncovered(EngineMachine.TestCase)
