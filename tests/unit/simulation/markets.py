"""Products, engines and requests for the tests of the simulation."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal as D
from typing import Any

from bot_v2.features.brokerages.core import interfaces as api
from bot_v2.simulation.account import AccountKind, AccountSettings
from bot_v2.simulation.clock import ManualClock
from bot_v2.simulation.engine import MatchingEngine

START = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
BUY, SELL = api.OrderSide.BUY, api.OrderSide.SELL

BTC = api.Product(
    symbol="BTC-USD",
    market_type=api.MarketType.SPOT,
    base_currency="BTC",
    quote_currency="USD",
    price_increment=D("0.01"),
    size_increment=D("0.001"),
)
SHARE = api.Product(
    symbol="ACME",
    market_type=api.MarketType.EQUITY,
    quote_currency="USD",
    price_increment=D("0.01"),
    size_increment=D(1),
)
FUTURE = api.Product(
    symbol="CL-20270319",
    market_type=api.MarketType.FUTURES,
    quote_currency="USD",
    multiplier=D(10),
    price_increment=D("0.01"),
    size_increment=D(1),
)
INVERSE = api.Product(
    symbol="BTC-USD-PERP",
    market_type=api.MarketType.PERPETUAL,
    base_currency="BTC",
    quote_currency="USD",
    settle_currency="BTC",
    multiplier=D(100),
    inverse=True,
    size_increment=D(1),
)


class Bench:
    """An engine on a clock that stands still, and short ways to use it."""

    def __init__(
        self,
        *,
        kind: AccountKind = AccountKind.CASH,
        products: tuple[api.Product, ...] = (BTC, SHARE, FUTURE),
        balances: dict[str, D] | None = None,
        **options: Any,
    ) -> None:
        """Open an account with 100,000 USD, unless balances are given."""
        self.clock = ManualClock(START)
        self.account = AccountSettings(kind=kind, initial_balances=balances or {"USD": D(100_000)})
        self.products = products
        self.engine = MatchingEngine(
            account=self.account, products=products, clock=self.clock, **options
        )
        self.placed = 0

    def quote(
        self,
        bid: str,
        ask: str,
        size: str | None = None,
        *,
        symbol: str = "BTC-USD",
        last: str | None = None,
    ) -> None:
        """Put a size on offer on both sides; None: without limit."""
        self.engine.on_market(
            api.Quote(
                symbol=symbol,
                timestamp=self.clock(),
                bid=D(bid),
                ask=D(ask),
                bid_size=None if size is None else D(size),
                ask_size=None if size is None else D(size),
                last=None if last is None else D(last),
            )
        )

    def trade(self, price: str, size: str = "1000", symbol: str = "BTC-USD", **more: Any) -> None:
        """Let the market trade."""
        self.engine.on_market(
            api.Trade(symbol=symbol, price=D(price), size=D(size), timestamp=self.clock(), **more)
        )

    def bar(
        self,
        prices: str,
        volume: str | None = None,
        symbol: str = "BTC-USD",
        interval: timedelta = MINUTE,
    ) -> None:
        """Let a bar pass that opens now: `prices` are open, high, low and close."""
        opened = self.clock()
        self.clock.advance(interval)
        first, high, low, last = (D(text) for text in prices.split())
        self.engine.on_market(
            api.Candle(
                symbol=symbol,
                open_time=opened,
                interval=interval,
                open=first,
                high=high,
                low=low,
                close=last,
                volume=None if volume is None else D(volume),
            )
        )

    def place(self, side: api.OrderSide, quantity: str | None = None, **terms: Any) -> api.Order:
        """Place an order under a new client id."""
        self.placed += 1
        wanted = request(side, quantity, **terms)
        return self.engine.place(wanted, client_order_id=f"c-{self.placed}")

    def order(self, order: api.Order) -> api.Order:
        """Return an order as it is now."""
        return self.engine.get_order(order.order_id)

    def total(self, asset: str = "USD") -> D:
        """Return what the account has of an asset."""
        return self.engine.get_balance(asset).total

    def hold(self, asset: str = "USD") -> D:
        """Return what is set aside of an asset."""
        hold = self.engine.get_balance(asset).hold
        assert hold is not None
        return hold


def request(
    side: api.OrderSide, quantity: str | None = None, symbol: str = "BTC-USD", **terms: Any
) -> api.OrderRequest:
    """Return a request; prices and sizes may be given as text."""
    exact: dict[str, Any] = {
        name: D(value) if isinstance(value, str) and name in _DECIMALS else value
        for name, value in terms.items()
    }
    if "type" not in exact:
        has = (exact.get("price") is not None, exact.get("stop_price") is not None)
        exact["type"] = _TYPES[has]
        if exact.get("trail_amount") is not None or exact.get("trail_percent") is not None:
            exact["type"] = api.OrderType.TRAILING_STOP
    return api.OrderRequest(
        symbol=symbol, side=side, quantity=None if quantity is None else D(quantity), **exact
    )


_DECIMALS = frozenset({"price", "stop_price", "trail_amount", "trail_percent", "notional"})
_TYPES = {
    (False, False): api.OrderType.MARKET,
    (True, False): api.OrderType.LIMIT,
    (False, True): api.OrderType.STOP,
    (True, True): api.OrderType.STOP_LIMIT,
}
