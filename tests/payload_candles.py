"""Candles of real markets, read from the brokers' own payloads where they lie beside the project.

Each broker spells a candle in its own way; a recording says where the rows of one payload are,
which cell is what, and what they are about. Numbers are taken as printed, never by way of a float.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, TypeAlias

import attrs

from bot_v2.features.brokerages.core.decimals import decimal_from_text
from bot_v2.features.brokerages.core.market_data import Candle
from bot_v2.simulation.feeds.moments import moment_from_text, zone_of

PAYLOADS: Final = Path(__file__).resolve().parents[2] / "shared" / "payloads"

MINUTE: Final = timedelta(minutes=1)
HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)

ONE_CONTRACT: Final = Decimal(1)
"""The multiplier of the options and futures here: their payloads do not tell it."""

Cells: TypeAlias = tuple[str | int, str | int, str | int, str | int, str | int, str | int]
"""Where time, open, high, low, close and volume are in a row: keys, or places in a list."""

LETTERS: Final[Cells] = ("t", "o", "h", "l", "c", "v")
IN_ORDER: Final[Cells] = (0, 1, 2, 3, 4, 5)
AFTER_AVERAGE: Final[Cells] = (0, 1, 2, 3, 4, 6)
BY_START: Final[Cells] = ("start", "open", "high", "low", "close", "volume")
BY_TIME: Final[Cells] = ("time", "open", "high", "low", "close", "volume")
BY_DATETIME: Final[Cells] = ("datetime", "open", "high", "low", "close", "volume")


@attrs.frozen
class Recording:
    """Candles of one product in one payload."""

    path: str
    """The payload, below the folder of payloads."""
    rows: tuple[str, ...]
    """The keys that lead to the list of rows."""
    cells: Cells
    """Where the parts of a candle are."""
    symbol: str
    """The product, by its canonical name."""
    interval: timedelta
    """How long a candle is."""
    zone: str | None = None
    """The zone of its times. None: each states its own."""

    @property
    def broker(self) -> str:
        """Whose payload it is."""
        return self.path.partition("/")[0]

    @property
    def exists(self) -> bool:
        """Whether the payload lies beside the project."""
        return (PAYLOADS / self.path).is_file()


RECORDINGS: Final = (
    Recording(
        "alpaca/go_test_get_bars__rest_test.json",
        ("bars", "AMZN"),
        LETTERS,
        "AMZN",
        15 * MINUTE,
    ),
    Recording(
        "alpaca/go_test_get_crypto_bars__rest_test.json",
        ("bars", "BCH/USD"),
        LETTERS,
        "BCH-USD",
        MINUTE,
    ),
    Recording(
        "alpaca/go_test_get_option_bars__options_test.json",
        ("bars", "AAPL240308C00172500"),
        LETTERS,
        "AAPL-20240308-172.5-C",
        HOUR,
    ),
    Recording(
        "alpaca/go_test_get_multi_bars__rest_test.json", ("bars", "AAPL"), LETTERS, "AAPL", DAY
    ),
    Recording(
        "alpaca/go_test_get_multi_bars__rest_test.json", ("bars", "NIO"), LETTERS, "NIO", DAY
    ),
    Recording(
        "alpaca/get_v2_stocks_symbol_bars__oas_data_200_get_bars_stocks_example_1.json",
        ("bars",),
        LETTERS,
        "AAPL",
        MINUTE,
    ),
    Recording("alpaca/fetch_ohlcv__ccxt.json", ("bars", "BTC/USD"), LETTERS, "BTC-USD", MINUTE),
    Recording("binance/fetch_ohlcv__ccxt.txt", (), IN_ORDER, "ETH-BTC", MINUTE),
    Recording("binance/klines__web_socket_api.txt", ("result",), IN_ORDER, "BNB-BTC", HOUR),
    Recording("coinbase/v3_fetch_ohlcv__ccxt.txt", ("candles",), BY_START, "BTC-USD", MINUTE),
    Recording(
        "coinbase_intx/fetch_ohlcv__ccxt.json", ("aggregations",), BY_START, "BTC-USDC-PERP", DAY
    ),
    Recording(
        "ibkr/get_iserver_marketdata_history__cpapi_oas_200_iserver_history_last_success_example"
        ".json",
        ("data",),
        LETTERS,
        "AAPL",
        DAY,
    ),
    Recording(
        "icici/get_historical_data__readme_1.txt",
        ("Success",),
        BY_DATETIME,
        "NFO:NIFTY-20250227",
        MINUTE,
        "Asia/Kolkata",
    ),
    Recording(
        "icici/get_historical_data__readme_5.txt",
        ("Success",),
        BY_DATETIME,
        "NSE:RELIANCE",
        MINUTE,
        "Asia/Kolkata",
    ),
    Recording(
        "kraken/fetch_ohlcv__ccxt.txt", ("result", "XETHXXBT"), AFTER_AVERAGE, "ETH-BTC", MINUTE
    ),
    Recording(
        "kraken_futures/fetch_ohlcv__ccxt.json", ("candles",), BY_TIME, "LTC-USD-PERP", MINUTE
    ),
    Recording(
        "schwab/get_pricehistory__oas_md_200_single_symbol_criteria_search.json",
        ("candles",),
        BY_DATETIME,
        "AAPL",
        MINUTE,
    ),
    # Months: as long as the shortest, so that no candle ends after the next one opens.
    Recording(
        "schwab/price_history__api_schwabdev.txt", ("candles",), BY_DATETIME, "AAPL", 28 * DAY
    ),
    Recording(
        "zerodha/historical_minute__official.json", ("data", "candles"), IN_ORDER, "NSE:ACC", MINUTE
    ),
    Recording(
        "zerodha/historical_oi__official.json",
        ("data", "candles"),
        IN_ORDER,
        "NFO:NIFTY-20191226",
        MINUTE,
    ),
)
"""The recordings that are known of; `exists` says which are there."""


def read_candles(recording: Recording) -> list[Candle]:
    """Return the candles of a recording, oldest first.

    Raises:
        InvalidFieldError: a cell is not what the recording says.
    """
    rows = _parse((PAYLOADS / recording.path).read_text(encoding="utf-8"))
    for key in recording.rows:
        rows = rows[key]
    candles = [_candle(recording, row) for row in rows]
    return sorted(candles, key=lambda candle: candle.open_time)


def read_all() -> dict[Recording, list[Candle]]:
    """Return the candles of every recording that is there."""
    return {recording: read_candles(recording) for recording in RECORDINGS if recording.exists}


def write_csv(path: Path, candles: Sequence[Candle]) -> Path:
    """Write candles as a CSV file that `CsvFeed` reads, digit by digit."""
    lines = ["time,symbol,open,high,low,close,volume"]
    for candle in candles:
        prices = (candle.open, candle.high, candle.low, candle.close, candle.volume)
        cells = ["" if number is None else str(number) for number in prices]
        lines.append(",".join([candle.open_time.isoformat(), candle.symbol, *cells]))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _candle(recording: Recording, row: Any) -> Candle:
    time, *numbers = (str(row[cell]) for cell in recording.cells)
    opened, high, low, close, volume = map(decimal_from_text, numbers)
    return Candle(
        symbol=recording.symbol,
        open_time=moment_from_text(time, zone_of(recording.zone)),
        interval=recording.interval,
        open=opened,
        high=high,
        low=low,
        close=close,
        volume=volume,
    )


def _parse(text: str) -> Any:
    """Read JSON, also as it is pasted into documentation: comments, commas and Python's words."""
    text = re.sub(r"//[^\n]*", "", text)
    text = re.sub(r",(\s*[\]}])", r"\1", text)
    if '"' not in text:
        text = text.replace("'", '"')
    for python, plain in (("None", "null"), ("True", "true"), ("False", "false")):
        text = re.sub(rf"(:\s*){python}\b", rf"\1{plain}", text)
    return json.loads(text, parse_float=Decimal)
