"""Opens a file of prices by its suffix."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import timedelta
from pathlib import Path

from bot_v2.features.brokerages.core.errors import InvalidFieldError
from bot_v2.features.brokerages.core.products import Product
from bot_v2.simulation.feeds.csv_feed import CsvFeed
from bot_v2.simulation.feeds.parquet_feed import Floats, ParquetFeed
from bot_v2.simulation.feeds.table_feed import TableFeed

SUFFIXES = (".csv", ".parquet")


def open_feed(
    path: Path | str,
    *,
    symbol: str | None = None,
    interval: timedelta | None = None,
    zone: str | None = None,
    products: Iterable[Product] = (),
    ignore: Collection[str] = (),
    floats: Floats | str = Floats.REFUSE,
) -> TableFeed:
    """Return the feed of a file: `.csv` or `.parquet`, in small or capital letters.

    Args:
        path: the file.
        symbol: what the file is about, where no column says it. None: the file's name before its
            suffix.
        interval: how long a bar is. None: the shortest time between two bars of a symbol.
        zone: the time zone of times that state none. None: such times are refused.
        products: the products, where more is known of them than their symbol.
        ignore: columns, as the file spells them, that shall not be read.
        floats: what to do with numbers that a Parquet file stores as binary floats.

    Raises:
        MissingDependencyError: the file is a Parquet file, and pyarrow is not installed.
        InvalidFieldError: the file or an argument will not do.
        InvalidSymbolError: the symbol is not canonical.
    """
    path = Path(path)
    match path.suffix.lower():
        case ".csv":
            return CsvFeed(
                path,
                symbol=symbol,
                interval=interval,
                zone=zone,
                products=products,
                ignore=ignore,
            )
        case ".parquet":
            return ParquetFeed(
                path,
                symbol=symbol,
                interval=interval,
                zone=zone,
                products=products,
                ignore=ignore,
                floats=floats,
            )
        case _:
            raise InvalidFieldError("path", str(path), f"a file named {' or '.join(SUFFIXES)}")
