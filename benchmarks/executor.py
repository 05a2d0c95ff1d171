"""The order executor over the paper brokerage: what it adds to a placement, and a journal's cost.

The CPU that the executor adds in memory is the median over rounds of a round's difference to the
bare adapter, both on accounts of their own. Syncs are counted at the database's door: a commit that
wrote something syncs the log once (SQLite in WAL mode at synchronous = FULL, which is checked;
PostgreSQL at synchronous_commit = on), one that wrote nothing does not. Throughput and latencies
are those of concurrent submitters, each with orders of its own.
"""

from __future__ import annotations

import gc
import os
import sqlite3
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from decimal import Decimal
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter, thread_time
from typing import Any, TypeVar

import attrs
from sqlalchemy import Engine, event

from bot_v2.features.brokerages.core.interfaces import OrderRequest, OrderSide
from bot_v2.features.brokerages.core.orders import OrderResult
from bot_v2.features.brokerages.paper.adapter import PaperBrokerage
from bot_v2.features.brokerages.paper.settings import PaperSettings
from bot_v2.features.brokerages.paper.venue import PaperVenue
from bot_v2.orchestration.journal.journal import OrderJournal
from bot_v2.orchestration.journal.memory_journal import MemoryJournal
from bot_v2.orchestration.journal.sql_journal import SqlJournal
from bot_v2.orchestration.order_executor import OrderExecutor
from tests.integration.orchestration.postgres_server import (
    NoServerError,
    database,
    postgres_server,
)

ROUNDS = 15
ORDERS = 500
COUNTED = 50
JOURNALED = 400
THREADS = (1, 8)
CPU_BOUND_US = 60.0
SYNC_BOUND = 1.0
SIZE = Decimal(10) ** 9


_Broker = TypeVar("_Broker", bound=PaperBrokerage)


class WatchedBrokerage(PaperBrokerage):
    """Says when it is about to send."""

    on_send: Callable[[], object]

    def place_order(self, order_request: OrderRequest) -> OrderResult:
        """Say so, and place it."""
        self.on_send()
        return super().place_order(order_request)


def new_broker(kind: type[_Broker]) -> _Broker:
    """Return an account in memory, with much money, in a market that fills everything."""
    broker = kind(PaperSettings(initial_balance=Decimal(10) ** 12))
    broker.connect()
    venue = PaperVenue(broker)
    # A venue remembers what was before each write, for stale reads: that is not measured here.
    broker.session.link.keeps_previous = False
    venue.set_market("BTC-USD", Decimal("59999.00"), Decimal("60000.00"), SIZE)
    return broker


def requests(prefix: str, count: int) -> list[OrderRequest]:
    """Return orders that are all different."""
    return [
        OrderRequest(
            symbol="BTC-USD",
            side=OrderSide.BUY,
            quantity=Decimal("0.1"),
            client_order_id=f"{prefix}{number}",
        )
        for number in range(count)
    ]


def cpu_us(place: Callable[[OrderRequest], OrderResult], orders: list[OrderRequest]) -> float:
    """Return the CPU of one placement, in microseconds."""
    gc.collect()
    started = thread_time()
    results = [place(order) for order in orders]
    spent = thread_time() - started
    assert all(result.success for result in results)
    return spent / len(orders) * 1e6


def cpu_in_memory() -> tuple[float, float]:
    """Return the CPU of the bare adapter, and what the executor adds, in microseconds."""
    bare, executor = (
        new_broker(PaperBrokerage),
        OrderExecutor(new_broker(PaperBrokerage), MemoryJournal()),
    )
    pairs = []
    for number in range(ROUNDS + 1):
        alone = cpu_us(bare.place_order, requests(f"bare{number}n", ORDERS))
        pairs.append((alone, cpu_us(executor.submit, requests(f"round{number}n", ORDERS)) - alone))
    # The first round warms up.
    return median(pair[0] for pair in pairs[1:]), median(pair[1] for pair in pairs[1:])


@attrs.define
class Syncs:
    """The commits that wrote something, before each send and after it."""

    count: int = 0
    before: list[int] = attrs.field(factory=list)
    after: list[int] = attrs.field(factory=list)


@contextmanager
def counted(syncs: Syncs) -> Iterator[None]:
    """Count the commits that write, of every engine."""
    changes_before = 0

    def begin(connection: Any) -> None:
        nonlocal changes_before
        raw = connection.connection.dbapi_connection
        if isinstance(raw, sqlite3.Connection):
            changes_before = raw.total_changes
            modes = [raw.execute(f"PRAGMA {name}").fetchone()[0] for name in MODES]
            assert modes == ["wal", 2], modes

    def commit(connection: Any) -> None:
        raw = connection.connection.dbapi_connection
        if isinstance(raw, sqlite3.Connection):
            syncs.count += raw.total_changes != changes_before
            return
        cursor = raw.cursor()
        cursor.execute("SELECT pg_current_xact_id_if_assigned() IS NOT NULL")
        syncs.count += cursor.fetchone()[0]
        cursor.execute("SHOW synchronous_commit")
        assert cursor.fetchone()[0] == "on"

    event.listen(Engine, "begin", begin)
    event.listen(Engine, "commit", commit)
    try:
        yield
    finally:
        event.remove(Engine, "begin", begin)
        event.remove(Engine, "commit", commit)


MODES = ("journal_mode", "synchronous")


def syncs_of_a_submit(journal: OrderJournal) -> Syncs:
    """Return how often a submit syncs before its send, and after."""
    broker, syncs = new_broker(WatchedBrokerage), Syncs()

    def on_send() -> None:
        syncs.before.append(syncs.count)
        syncs.count = 0

    broker.on_send = on_send
    executor = OrderExecutor(broker, journal)
    with counted(syncs):
        for order in requests("counted", COUNTED):
            syncs.count = 0
            assert executor.submit(order).success
            syncs.after.append(syncs.count)
    return syncs


@attrs.frozen
class Pace:
    """What concurrent submitters got done."""

    per_second: float
    median_ms: float
    p99_ms: float


def pace(journal: OrderJournal, threads: int) -> Pace:
    """Submit from some threads at once."""
    executor = OrderExecutor(new_broker(PaperBrokerage), journal)
    each = JOURNALED // threads
    latencies: list[float] = []
    ready = threading.Barrier(threads + 1)

    def live(thread: int) -> None:
        orders = requests(f"of{threads}thread{thread}n", each)
        own = []
        ready.wait()
        for order in orders:
            started = perf_counter()
            assert executor.submit(order).success
            own.append(perf_counter() - started)
        latencies.extend(own)

    bots = [threading.Thread(target=live, args=(thread,)) for thread in range(threads)]
    for bot in bots:
        bot.start()
    ready.wait()
    started = perf_counter()
    for bot in bots:
        bot.join()
    seconds = perf_counter() - started
    assert len(latencies) == each * threads
    return Pace(
        len(latencies) / seconds, median(latencies) * 1e3, quantiles(latencies, n=100)[98] * 1e3
    )


def bare_pairs(path: Path) -> float:
    """Commit two rows, one after the other, as a submit must; return how many pairs per second."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for pragma in ("locking_mode = EXCLUSIVE", "journal_mode = WAL", "synchronous = FULL"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("CREATE TABLE rows (place INTEGER PRIMARY KEY, text TEXT)")
        started = perf_counter()
        for _ in range(2 * JOURNALED):
            connection.execute("INSERT INTO rows (text) VALUES (?)", ("x" * 600,))
        return JOURNALED / (perf_counter() - started)


@contextmanager
def stores() -> Iterator[dict[str, Callable[[], SqlJournal]]]:
    """Give what makes an empty journal of each kind; a missing PostgreSQL is said."""
    with ExitStack() as held:
        folder = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="bot-v2-executor-")))
        numbers = iter(range(1000))
        made = {"SQLite": lambda: SqlJournal(f"sqlite:///{folder / f'{next(numbers)}.sqlite'}")}
        try:
            server = held.enter_context(postgres_server())
            urls = iter(
                [
                    held.enter_context(database(server, f"journal{n}"))
                    for n in range(len(THREADS) + 1)
                ]
            )
            made["PostgreSQL"] = lambda: SqlJournal(next(urls))
        except NoServerError as error:
            print(f"without PostgreSQL: {error}")
        yield made


def main() -> int:
    """Print the tables; 1 when a bound is broken."""
    bare_us, over_us = cpu_in_memory()
    print(
        f"Python {sys.version.split()[0]}, SQLite {sqlite3.sqlite_version}, {os.cpu_count()} cores"
    )
    print(f"{'CPU of a placement, bare adapter':<44}{bare_us:>8.1f} us")
    print(
        f"{'what the executor adds, in memory':<44}{over_us:>8.1f} us  at most {CPU_BOUND_US:.0f}"
    )
    broken = over_us > CPU_BOUND_US
    with stores() as made:
        print(f"\n{'syncs of a submit':<24}{'before the send':>16}{'after it':>10}")
        for name, make in made.items():
            with closing(make()) as journal:
                syncs = syncs_of_a_submit(journal)
            broken |= max(syncs.before) > SYNC_BOUND
            print(f"{name:<24}{max(syncs.before):>16}{max(syncs.after):>10}   at most 1 before")
        print(f"\n{'submits':<24}{'per second':>12}{'median ms':>11}{'p99 ms':>9}")
        for name, make in made.items():
            for threads in THREADS:
                with closing(make()) as journal:
                    got = pace(journal, threads)
                label = f"{name}, {threads} thread{'s' if threads > 1 else ''}"
                print(
                    f"{label:<24}{got.per_second:>12,.0f}{got.median_ms:>11.2f}{got.p99_ms:>9.2f}"
                )
        with tempfile.TemporaryDirectory(prefix="bot-v2-executor-") as folder:
            pairs = bare_pairs(Path(folder) / "bare.sqlite")
        print(f"{'bare SQLite, 2 commits':<24}{pairs:>12,.0f}")
    print(f"bounds: {'BROKEN' if broken else 'kept'}")
    return int(broken)


if __name__ == "__main__":
    sys.exit(main())
