"""The matching engine in memory: orders per second, memory kept per order, and cost by open orders.

The bounds: at least 10,000 market orders per second, at most 1.5 KiB kept per order, and the cost
of an order at 100,000 open orders at most twice that at 1,000.
"""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from statistics import median
from time import perf_counter

from bot_v2.features.brokerages.core.market_data import Quote
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.order_terms import OrderSide, OrderType
from bot_v2.features.brokerages.core.products import MarketType, Product
from bot_v2.simulation.account import AccountSettings
from bot_v2.simulation.engine import MatchingEngine
from bot_v2.simulation.fees import MakerTakerFees

ORDERS = 20_000
RUNS = 3
BATCH = 2_000
OPEN_ORDERS = (1_000, 10_000, 100_000)
LEAST_RATE = 10_000
MOST_BYTES = 1_536
MOST_GROWTH = 2.0

PRODUCT = Product(
    symbol="BTC-USD",
    market_type=MarketType.SPOT,
    base_currency="BTC",
    quote_currency="USD",
    price_increment=Decimal("0.01"),
    size_increment=Decimal("0.0001"),
)


def now() -> datetime:
    """Return the present moment; a new object each time, as a real clock does."""
    return datetime.now(UTC)


def new_engine() -> MatchingEngine:
    """Return an engine with much money, maker and taker fees, and a market of 100.00 to 101.00."""
    engine = MatchingEngine(
        account=AccountSettings(initial_balances={"USD": Decimal(10**15)}),
        products=[PRODUCT],
        clock=now,
        fees=MakerTakerFees(maker=Decimal("0.001"), taker=Decimal("0.002")),
    )
    hear(engine, "100.00", "101.00")
    return engine


def hear(engine: MatchingEngine, bid: str, ask: str) -> None:
    """Let the market quote, without limit of size."""
    engine.on_market(Quote(symbol="BTC-USD", timestamp=now(), bid=Decimal(bid), ask=Decimal(ask)))


def market_order() -> OrderRequest:
    """Return a new request, as a bot makes one for each order."""
    return OrderRequest(symbol="BTC-USD", side=OrderSide.BUY, quantity=Decimal("0.5"))


def limit_order(number: int) -> OrderRequest:
    """Return a purchase below the market, at one of 9,000 prices."""
    price = Decimal(100 + number * 7_919 % 9_000).scaleb(-2)
    return OrderRequest(
        symbol="BTC-USD",
        side=OrderSide.BUY,
        quantity=Decimal("0.5"),
        type=OrderType.LIMIT,
        price=price,
    )


def place_market_orders(engine: MatchingEngine, count: int) -> None:
    """Place market orders under ids of 18 characters; all are filled."""
    for number in range(count):
        engine.place(market_order(), client_order_id=f"order-{number:012}")


def orders_per_second() -> float:
    """Requests made, orders placed, filled and shown in a second, best of some runs."""
    best = 0.0
    for _ in range(RUNS):
        engine = new_engine()
        gc.collect()
        started = perf_counter()
        place_market_orders(engine, ORDERS)
        best = max(best, ORDERS / (perf_counter() - started))
        assert len(engine.list_fills()) == ORDERS
        engine.verify()
    return best


def bytes_per_order() -> float:
    """What an order that was filled at once keeps of memory: order, ids, fill and entries."""
    engine = new_engine()
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    place_market_orders(engine, ORDERS)
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return (after - before) / ORDERS


def microseconds(count: int, action: Callable[[int], object]) -> float:
    """The median of some runs of what an action costs, in microseconds."""
    costs = []
    for run in range(RUNS):
        gc.collect()
        started = perf_counter()
        for number in range(count):
            action(run * count + number)
        costs.append((perf_counter() - started) / count * 1e6)
    return median(costs)


def costs_at(open_orders: int) -> dict[str, float]:
    """What things cost, in microseconds, while so many orders wait."""
    engine = new_engine()
    for number in range(open_orders):
        engine.place(limit_order(number), client_order_id=f"open-{number}")

    def place_and_cancel(number: int) -> None:
        order = engine.place(limit_order(number), client_order_id=f"passing-{number}")
        assert engine.cancel(order.order_id)

    def place_market(number: int) -> None:
        engine.place(market_order(), client_order_id=f"market-{number}")

    def place_limit(number: int) -> None:
        engine.place(limit_order(number), client_order_id=f"more-{number}")

    def quote(number: int) -> None:
        hear(engine, f"{99 + number % 2}.00", "101.00")

    return {
        "market order": microseconds(BATCH, place_market),
        "limit order": microseconds(BATCH // RUNS, place_limit),
        "limit order and cancel": microseconds(BATCH, place_and_cancel),
        "quote that fills nothing": microseconds(BATCH, quote),
    }


def main() -> int:
    """Print the figures; 1 when a bound is broken."""
    rate, kept = orders_per_second(), bytes_per_order()
    print(f"{'market orders per second':<34}{rate:>12,.0f}   at least {LEAST_RATE:,}")
    print(f"{'bytes kept per order':<34}{kept:>12,.0f}   at most {MOST_BYTES:,}")
    curve = {count: costs_at(count) for count in OPEN_ORDERS}
    print(f"\n{'microseconds, by open orders':<34}" + "".join(f"{n:>12,}" for n in OPEN_ORDERS))
    growth = 0.0
    for name in curve[OPEN_ORDERS[0]]:
        costs = [curve[count][name] for count in OPEN_ORDERS]
        growth = max(growth, costs[-1] / costs[0])
        print(f"{name:<34}" + "".join(f"{cost:>12.1f}" for cost in costs))
    print(f"{'most growth of any':<34}{growth:>12.2f}   at most {MOST_GROWTH}")
    return int(rate < LEAST_RATE or kept > MOST_BYTES or growth > MOST_GROWTH)
