from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bot_v2.features.brokerages.core.errors import InvalidFieldError, MissingDependencyError
from bot_v2.features.brokerages.core.market_data import Candle, Trade
from bot_v2.simulation.feeds.csv_feed import CsvFeed
from bot_v2.simulation.feeds.open_feed import open_feed
from bot_v2.simulation.feeds.parquet_feed import BATCH_ROWS, Floats, ParquetFeed

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

NOON = datetime(2024, 1, 2, 12, tzinfo=UTC)
TIMES = [NOON, NOON + timedelta(minutes=1)]
PRICES = [Decimal("100.10"), Decimal("0.00000001")]
MONEY = pa.decimal128(30, 10)


def write(path: Path, **columns: Any) -> Path:
    """Write a Parquet file of some columns."""
    pq.write_table(pa.table(columns), path)
    return path


def trades(feed: ParquetFeed) -> list[tuple[datetime, Decimal, Decimal]]:
    """Time, price and size of each trade of a feed."""
    return [
        (event.timestamp, event.price, event.size)
        for event in feed.events()
        if isinstance(event, Trade)
    ]


@pytest.mark.parametrize(
    "times",
    [
        pa.array(TIMES, pa.timestamp("us", "UTC")),
        pa.array(TIMES, pa.timestamp("ns", "America/New_York")),
        pa.array(TIMES, pa.timestamp("s", "UTC")),
        pa.array([int(time.timestamp()) for time in TIMES], pa.int64()),
        pa.array([int(time.timestamp()) * 10**9 for time in TIMES], pa.uint64()),
        pa.array([time.isoformat() for time in TIMES], pa.string()),
        pa.array([time.isoformat() for time in TIMES]).dictionary_encode(),
    ],
    ids=str,
)
@pytest.mark.parametrize(
    "prices",
    [
        pa.array(PRICES, MONEY),
        pa.array([f"{price:f}" for price in PRICES], pa.large_string()),
    ],
    ids=["decimal", "text"],
)
def test_times_and_numbers_are_read_exactly(tmp_path: Path, times: Any, prices: Any) -> None:
    """Every type that holds times and numbers exactly gives the same trades."""
    path = write(
        tmp_path / "BTC-USD.parquet", time=times, price=prices, size=pa.array([1, 2], pa.int32())
    )
    expected = [(TIMES[0], PRICES[0], Decimal(1)), (TIMES[1], PRICES[1], Decimal(2))]
    assert trades(ParquetFeed(path)) == expected


@pytest.mark.parametrize("kind", [pa.float64(), pa.float32()], ids=str)
def test_floats_are_refused_unless_asked_for(tmp_path: Path, kind: Any) -> None:
    """A float is not the number that was written; the caller may take its shortest decimal."""
    path = write(
        tmp_path / "BTC-USD.parquet",
        time=pa.array(TIMES),
        price=pa.array([0.1, 1234.5], kind),
        size=pa.array([3, 1e-7], kind),
    )
    with pytest.raises(InvalidFieldError, match=r"BTC-USD\.parquet: price is .*floats='shortest'"):
        list(ParquetFeed(path).events())
    assert trades(ParquetFeed(path, floats="shortest")) == [
        (TIMES[0], Decimal("0.1"), Decimal(3)),
        (TIMES[1], Decimal("1234.5"), Decimal("1E-7")),
    ]
    with pytest.raises(InvalidFieldError, match="refuse or shortest"):
        ParquetFeed(path, floats="round")


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), None])
def test_a_float_that_is_no_number_is_refused(tmp_path: Path, bad: float | None) -> None:
    """NaN, infinity and missing values are refused by their row."""
    path = write(
        tmp_path / "BTC-USD.parquet",
        time=pa.array(TIMES),
        price=pa.array([0.1, bad], pa.float64()),
    )
    with pytest.raises(InvalidFieldError, match=r"BTC-USD\.parquet row 2: price"):
        list(ParquetFeed(path, floats=Floats.SHORTEST).events())


@pytest.mark.parametrize(
    ("column", "cells"),
    [
        ("time", pa.array([1.5, 2.5])),
        ("time", pa.array([True, False])),
        ("price", pa.array([True, False])),
        ("price", pa.array(TIMES)),
        ("symbol", pa.array([1.5, 2.5])),
    ],
)
def test_a_column_of_another_type_is_refused(tmp_path: Path, column: str, cells: Any) -> None:
    """A time that is a float, a price that is a time: refused by the file and the column."""
    columns: dict[str, Any] = {"time": pa.array(TIMES), "price": pa.array([1, 2]), column: cells}
    path = write(tmp_path / "BTC-USD.parquet", **columns)
    with pytest.raises(InvalidFieldError, match=rf"BTC-USD\.parquet: {column} is"):
        list(ParquetFeed(path, floats="shortest").events())


def test_times_without_a_zone_need_one(tmp_path: Path) -> None:
    """Naive timestamps and dates are read by the zone that is named, else refused."""
    naive = [time.replace(tzinfo=None) for time in TIMES]
    path = write(tmp_path / "AAPL.parquet", time=pa.array(naive), price=pa.array([1, 2]))
    with pytest.raises(InvalidFieldError, match=r"AAPL\.parquet row 1: time .*or zone= given"):
        ParquetFeed(path)
    (first, _) = ParquetFeed(path, zone="America/New_York").events()
    assert first.symbol == "AAPL"
    days = pa.array([NOON.date(), NOON.date() + timedelta(days=1)], pa.date32())
    bars = {name: pa.array([1, 1]) for name in ("open", "high", "low", "close")}
    daily = ParquetFeed(write(tmp_path / "AAPL.parquet", date=days, **bars), zone="UTC")
    assert daily.interval == timedelta(days=1)


def test_many_rows_are_read_batch_by_batch(tmp_path: Path) -> None:
    """Rows keep their order and their numbers from one batch to the next."""
    count = BATCH_ROWS + 10
    times = [NOON + timedelta(seconds=index) for index in range(count)]
    prices: list[int] = [*range(1, count), 0]
    path = write(tmp_path / "BTC-USD.parquet", time=pa.array(times), price=pa.array(prices))
    events = ParquetFeed(path).events()
    read = [next(events) for _ in range(count - 1)]
    assert [event.timestamp for event in read if not isinstance(event, Candle)] == times[:-1]
    with pytest.raises(InvalidFieldError, match=rf"row {count}: price is Decimal\('0'\)"):
        next(events)


def test_parquet_and_csv_say_the_same(tmp_path: Path) -> None:
    """The same bars in either kind of file make the same events; the suffix tells which it is."""
    rows: Sequence[Sequence[str]] = [
        ("2024-01-02T12:00:00Z", "AAPL", "1.5", "2.50", "1", "2", "7"),
        ("2024-01-02T12:00:00Z", "MSFT", "3", "3", "3", "3", "0"),
        ("2024-01-02T12:05:00Z", "AAPL", "2", "2", "1.25", "1.25", "9"),
    ]
    names = ("time", "symbol", "open", "high", "low", "close", "volume")
    csv_path = tmp_path / "bars.CSV"
    csv_path.write_text("\n".join(",".join(row) for row in (names, *rows)), encoding="utf-8")
    columns = dict(zip(names, zip(*rows, strict=True), strict=True))
    parquet_path = write(
        tmp_path / "bars.Parquet", **{name: pa.array(cells) for name, cells in columns.items()}
    )
    from_csv, from_parquet = open_feed(csv_path), open_feed(parquet_path)
    assert isinstance(from_csv, CsvFeed)
    assert isinstance(from_parquet, ParquetFeed)
    assert list(from_csv.events()) == list(from_parquet.events())
    assert from_csv.products == from_parquet.products
    assert from_csv.interval == from_parquet.interval == timedelta(minutes=5)


def test_what_is_no_parquet_file_is_refused(tmp_path: Path) -> None:
    """Garbage, a missing file and an unknown suffix are refused by their path."""
    path = tmp_path / "BTC-USD.parquet"
    with pytest.raises(InvalidFieldError, match="a Parquet file that can be read"):
        ParquetFeed(path)
    path.write_bytes(b"PAR1 and no more")
    with pytest.raises(InvalidFieldError, match="a Parquet file that can be read"):
        ParquetFeed(path)
    with pytest.raises(InvalidFieldError, match=r"a file named \.csv or \.parquet"):
        open_feed(tmp_path / "BTC-USD.xlsx")


def test_a_missing_package_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without pyarrow the error names the extra that brings it."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'bot-v2\[parquet\]'") as caught:
        open_feed(tmp_path / "BTC-USD.parquet")
    assert caught.value.extra == "parquet"
