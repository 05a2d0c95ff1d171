"""Orders per second through the paper brokerage: in memory, and committed one by one to a file.

Beside them a bare SQLite transaction of one row, as the price of durability that nobody can avoid.
"""

from __future__ import annotations

import sqlite3
import sys
import tempfile
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from pathlib import Path
from time import perf_counter

from bot_v2.features.brokerages.core.interfaces import OrderRequest, OrderSide
from bot_v2.features.brokerages.core.order_status import OrderStatus
from bot_v2.features.brokerages.paper.adapter import PaperBrokerage
from bot_v2.features.brokerages.paper.settings import Durability, PaperSettings
from bot_v2.features.brokerages.paper.venue import PaperVenue

ORDERS = 5_000
RUNS = 3
FILE_BOUND = 1_000.0
SIZE = Decimal(1_000_000)


def market_orders(settings: PaperSettings) -> float:
    """Place market orders, buying and selling by turns; return how many per second."""
    broker = PaperBrokerage(settings)
    broker.connect()
    venue = PaperVenue(broker)
    broker.session.link.keeps_previous = False
    venue.set_market("BTC-USD", Decimal("59999.00"), Decimal("60000.00"), SIZE)
    requests = [
        OrderRequest(symbol="BTC-USD", side=side, quantity=Decimal("0.1"))
        for side in (OrderSide.BUY, OrderSide.SELL)
    ]
    started = perf_counter()
    for number in range(ORDERS):
        order = broker.place_order(requests[number % 2]).order
        assert order is not None
        assert order.status is OrderStatus.FILLED
    seconds = perf_counter() - started
    assert len(broker.list_fills()) == ORDERS
    broker.disconnect()
    return ORDERS / seconds


def orders_to_file(durability: Durability, path: Path) -> float:
    """Place market orders in an account file; return how many per second."""
    return market_orders(PaperSettings(account_file=path, durability=durability))


def bare_commits(durability: Durability, path: Path) -> float:
    """Commit one row per transaction, and do nothing else; return how many per second."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("PRAGMA journal_mode = WAL")
    synchronous = "FULL" if durability is Durability.FULL else "NORMAL"
    connection.execute(f"PRAGMA synchronous = {synchronous}")
    connection.execute("CREATE TABLE rows (place INTEGER PRIMARY KEY, text TEXT)")
    started = perf_counter()
    for number in range(ORDERS):
        connection.execute("BEGIN")
        connection.execute("INSERT INTO rows VALUES (?, ?)", (number, "x" * 300))
        connection.execute("COMMIT")
    seconds = perf_counter() - started
    connection.close()
    return ORDERS / seconds


def best(measure: Callable[[Path], float]) -> float:
    """Measure a few times, each in a folder of its own; return the best."""
    results = []
    for _ in range(RUNS):
        with tempfile.TemporaryDirectory(prefix="bot-v2-paper-") as folder:
            results.append(measure(Path(folder) / "account.sqlite"))
    return max(results)


def main() -> int:
    """Print the table; 1 when a bound is broken."""
    rows = {"in memory": best(lambda _: market_orders(PaperSettings()))}
    for durability in Durability:
        rows[f"file, {durability}"] = best(partial(orders_to_file, durability))
        rows[f"bare SQLite, {durability}"] = best(partial(bare_commits, durability))
    print(
        f"{ORDERS} market orders, each placed, filled and committed; one thread, best of {RUNS}, "
        f"Python {sys.version.split()[0]}, SQLite {sqlite3.sqlite_version}"
    )
    print(f"{'account':<24}{'per second':>12}{'x bare commit':>16}")
    for name, rate in rows.items():
        bare = rows.get(name.replace("file", "bare SQLite"), rate)
        print(f"{name:<24}{rate:>12,.0f}{bare / rate:>16.1f}")
    kept = rows[f"file, {Durability.FULL}"] >= FILE_BOUND
    print(f"bound: {FILE_BOUND:,.0f} per second to the file: {'kept' if kept else 'BROKEN'}")
    return int(not kept)
