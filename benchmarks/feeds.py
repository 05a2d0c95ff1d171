"""How fast price feeds are read: rows per second of a file of 100,000 bars, and of a walk.

Beside them: what the standard library's CSV reader alone takes for the same file, and the most
memory that one reading holds at once, which must not grow with the file.
"""

from __future__ import annotations

import csv
import tempfile
import tracemalloc
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import islice
from pathlib import Path
from time import perf_counter

from bot_v2.simulation.default_products import product_for_symbol
from bot_v2.simulation.feeds.csv_feed import CsvFeed
from bot_v2.simulation.feeds.parquet_feed import ParquetFeed
from bot_v2.simulation.feeds.synthetic import SyntheticWalk

ROWS = 100_000
RUNS = 3
MEMORY_BOUND_MIB = 1.0
START = datetime(2024, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HEADER = ["time", "open", "high", "low", "close", "volume"]


def rows() -> Iterable[list[str]]:
    """The bars: cents that differ from row to row."""
    for index in range(ROWS):
        cents = 10_000 + index * 7 % 5_000
        prices = [f"{(cents + change) / 100:.2f}" for change in (0, 25, -25, 10)]
        yield [(START + index * MINUTE).isoformat(), *prices, str(index % 977 + 1)]


def write_csv(path: Path) -> Path:
    """Write the bars as text."""
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([HEADER, *rows()])
    return path


def write_parquet(path: Path) -> Path | None:
    """Write the bars as Parquet, all of it text; None without pyarrow."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        return None
    columns = dict(zip(HEADER, map(list, zip(*rows(), strict=True)), strict=True))
    pyarrow.parquet.write_table(pyarrow.table(columns), path)
    return path


def count(events: Iterable[object]) -> int:
    """How many there are."""
    return sum(1 for _ in events)


def read_plainly(path: Path) -> int:
    """Split the file into cells and do nothing with them."""
    with path.open(encoding="utf-8", newline="") as file:
        return count(csv.reader(file)) - 1


def rate(read: Callable[[], int]) -> float:
    """Rows per second of the best of some runs; a run that loses a row is no run."""
    best = float("inf")
    for _ in range(RUNS):
        started = perf_counter()
        assert read() == ROWS
        best = min(best, perf_counter() - started)
    return ROWS / best


def peak_mib(read: Callable[[], int]) -> float:
    """The most memory that Python held for one reading at once, in MiB."""
    tracemalloc.start()
    read()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak / 2**20


def walk() -> int:
    """Take the events of a synthetic market."""
    coin = product_for_symbol("BTC-USD", price_increment=Decimal("0.01"))
    source = SyntheticWalk([coin], seed=1, start=START, prices={"BTC-USD": Decimal(60_000)})
    return count(islice(source.events(), ROWS))


def main() -> bool:
    """Print the table; True when a reading held more memory than it should."""
    with tempfile.TemporaryDirectory() as folder:
        path = write_csv(Path(folder) / "BTC-USD.csv")
        parquet = write_parquet(Path(folder) / "BTC-USD.parquet")

        def read_csv() -> int:
            return count(CsvFeed(path, interval=MINUTE).events())

        measured = {
            "csv.reader alone": lambda: read_plainly(path),
            "CsvFeed, interval given": read_csv,
            "CsvFeed, interval inferred": lambda: count(CsvFeed(path).events()),
            "SyntheticWalk (events)": walk,
        }
        if parquet is not None:
            measured["ParquetFeed, interval given"] = lambda: count(
                ParquetFeed(parquet, interval=MINUTE).events()
            )
        for name, read in measured.items():
            print(f"{name:28} {rate(read):>12,.0f} rows/s")
        peak = peak_mib(read_csv)
    print(f"{'memory of CsvFeed at once':28} {peak:>12.2f} MiB (bound {MEMORY_BOUND_MIB})")
    return peak > MEMORY_BOUND_MIB


if __name__ == "__main__":
    raise SystemExit(main())
