"""The brokers' own candles are read, and go through a file without losing a digit."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from bot_v2.simulation.default_products import product_for_symbol
from bot_v2.simulation.feeds.csv_feed import CsvFeed
from tests.payload_candles import (
    ONE_CONTRACT,
    RECORDINGS,
    Recording,
    read_all,
    read_candles,
    write_csv,
)


@pytest.fixture(params=RECORDINGS, ids=lambda recording: f"{recording.path} {recording.symbol}")
def recording(request: pytest.FixtureRequest) -> Recording:
    """A recording that lies beside the project."""
    known: Recording = request.param
    if not known.exists:
        pytest.skip("the brokers' payloads do not lie beside the project")
    return known


def test_a_recording_is_a_feed(recording: Recording, tmp_path: Path) -> None:
    """Written as CSV and read as a feed, each candle is the same to the last digit."""
    candles = read_candles(recording)
    assert candles
    assert all(before.open_time < after.open_time for before, after in pairwise(candles))
    feed = CsvFeed(
        write_csv(tmp_path / "bars.csv", candles),
        interval=recording.interval,
        products=[product_for_symbol(recording.symbol, multiplier=ONE_CONTRACT)],
    )
    read = list(feed.events())
    assert read == candles
    assert list(map(str, read)) == list(map(str, candles))


def test_what_is_read(capsys: pytest.CaptureFixture[str]) -> None:
    """At least twelve payloads of at least six brokers are read; the test prints them."""
    read = read_all()
    if not read:
        pytest.skip("the brokers' payloads do not lie beside the project")
    with capsys.disabled():
        print()
        for recording, candles in read.items():
            first, last = candles[0], candles[-1]
            print(
                f"{recording.broker:15} {recording.symbol:22} {len(candles):3} x "
                f"{recording.interval}  {first.open_time:%Y-%m-%d %H:%M} to "
                f"{last.open_time:%Y-%m-%d %H:%M}  {first.open} -> {last.close}"
            )
    assert len({recording.path for recording in read}) >= 12
    assert len({recording.broker for recording in read}) >= 6
