from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot_v2.features.brokerages.core.decimals import decimal_to_text
from bot_v2.features.brokerages.core.errors import InvalidFieldError, InvalidSymbolError
from bot_v2.features.brokerages.core.market_data import Candle, Quote, Trade
from bot_v2.features.brokerages.core.products import MarketType, Product
from bot_v2.simulation.feeds.columns import LEFT_OUT, OPTIONAL, REQUIRED, SPELLINGS
from bot_v2.simulation.feeds.csv_feed import CsvFeed
from bot_v2.simulation.market import event_time

MINUTE = timedelta(minutes=1)
NOON = datetime(2024, 1, 2, 12, tzinfo=UTC)
BARS = (
    "time,open,high,low,close,volume\n"
    "2024-01-02T12:00:00Z,100,101.50,99.9,101,5\n"
    "2024-01-02T12:01:00Z,101,101,100,100.10,0\n"
    "2024-01-02T12:03:00Z,100,102,100,102,7.25\n"
)

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a file, BTC-USD.csv unless another name is given."""

    def write_file(text: str | bytes, name: str = "BTC-USD.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write_file


def test_bars_are_read_exactly(write: Write) -> None:
    """Each row is one candle, its numbers as printed, its symbol the name of the file."""
    feed = CsvFeed(write(BARS))
    first, *_, last = feed.events()
    assert isinstance(first, Candle)
    assert str(first.high) == "101.50"
    assert first == Candle(
        symbol="BTC-USD",
        open_time=NOON,
        interval=MINUTE,
        open=Decimal(100),
        high=Decimal("101.5"),
        low=Decimal("99.9"),
        close=Decimal(101),
        volume=Decimal(5),
    )
    assert event_time(last) == NOON + 4 * MINUTE
    assert not feed.is_synthetic
    assert feed.description == "BTC-USD.csv: bars of BTC-USD, 0:01:00 each"
    assert [product.symbol for product in feed.products] == ["BTC-USD"]


def test_a_feed_can_be_read_again(write: Write) -> None:
    """Each call of events reads the file from its start."""
    feed = CsvFeed(write(BARS))
    assert len(list(feed.events())) == 3
    assert list(feed.events()) == list(feed.events())


def test_the_interval_is_the_shortest_gap(write: Write) -> None:
    """A hole in the file does not make the bars longer; a given interval is taken as it is."""
    assert CsvFeed(write(BARS)).interval == MINUTE
    assert CsvFeed(write(BARS), interval=timedelta(seconds=30)).interval == timedelta(seconds=30)


def test_one_bar_does_not_tell_its_length(write: Write) -> None:
    """With a single bar, the interval has to be given."""
    path = write("\n".join(BARS.splitlines()[:2]))
    with pytest.raises(InvalidFieldError, match="interval is None; accepted: how long a bar"):
        CsvFeed(path)
    assert len(list(CsvFeed(path, interval=MINUTE).events())) == 1


def test_bars_may_be_of_several_symbols(write: Write) -> None:
    """A column of symbols names the product of each row; gaps are those of one symbol."""
    path = write(
        "symbol,time,open,high,low,close\n"
        "AAPL,2024-01-02T12:00:00Z,1,1,1,1\n"
        "MSFT,2024-01-02T12:00:00Z,2,2,2,2\n"
        "AAPL,2024-01-02T12:05:00Z,1,1,1,1\n",
        "bars.csv",
    )
    feed = CsvFeed(path)
    assert [event.symbol for event in feed.events()] == ["AAPL", "MSFT", "AAPL"]
    assert feed.interval == 5 * MINUTE
    assert [product.symbol for product in feed.products] == ["AAPL", "MSFT"]
    with pytest.raises(InvalidFieldError, match="has a column of symbols"):
        CsvFeed(path, symbol="AAPL")


def test_what_is_known_of_a_product_is_kept(write: Write) -> None:
    """A product that is given is used; a broker's own symbol needs one."""
    product = Product(symbol="@XBT", market_type=MarketType.SPOT, quote_currency="USD")
    feed = CsvFeed(write(BARS), symbol="@XBT", products=[product])
    assert feed.products == (product,)
    assert next(feed.events()).symbol == "@XBT"
    with pytest.raises(InvalidFieldError, match=r"BTC-USD\.csv line 2: symbol"):
        CsvFeed(write(BARS), symbol="@XBT")


@pytest.mark.parametrize(
    "header",
    [
        "Date,Open,High,Low,Close,Adj Close,Volume",
        "t,o,h,l,c,vw,v",
        "timestamp,open,high,low,close,Trade Count,vol",
        "Open Time,OPEN,HIGH,LOW,CLOSE,close_time,Volume",
        "﻿time,open,high,low,close,trades,volume",
    ],
)
def test_headers_have_many_spellings(write: Write, header: str) -> None:
    """Capitals, short names, a byte order mark and columns that are not read make no difference."""
    rows = BARS.splitlines()[1:]
    wider = [",".join([*row.split(",")[:5], "null", row.split(",")[5]]) for row in rows]
    expected = list(CsvFeed(write(BARS)).events())
    feed = CsvFeed(write("\r\n".join([header, *wider, "", ""])))
    assert list(feed.events()) == expected


def test_every_column_is_spelt_in_one_way_only() -> None:
    """No spelling stands for two columns, or for one that is left out; every column has one."""
    spellings = [spelling for names in SPELLINGS.values() for spelling in names]
    assert len(spellings) == len(set(spellings))
    assert not LEFT_OUT.intersection(spellings)
    columns = {name for names in (*REQUIRED.values(), *OPTIONAL.values()) for name in names}
    assert columns == set(SPELLINGS)


def test_a_trade_has_a_size(write: Write) -> None:
    """Rows of price and size are trades of the market; two at one moment are two."""
    feed = CsvFeed(
        write("time,price,size\n1704196800,100.5,0.10\n1704196800,100.4,2\n"), symbol="ETH-USD"
    )
    assert list(feed.events()) == [
        Trade(symbol="ETH-USD", timestamp=NOON, price=Decimal("100.5"), size=Decimal("0.1")),
        Trade(symbol="ETH-USD", timestamp=NOON, price=Decimal("100.4"), size=Decimal(2)),
    ]
    assert feed.interval is None


def test_a_price_without_a_size_is_a_quote_on_both_sides(write: Write) -> None:
    """What could be traded at a bare price is not said, so no size is."""
    price = Decimal("100.5")
    assert list(CsvFeed(write("time,price\n1704196800,100.5\n")).events()) == [
        Quote(symbol="BTC-USD", timestamp=NOON, bid=price, ask=price, last=price)
    ]


def test_a_quote_may_have_one_side(write: Write) -> None:
    """An empty cell of a quote means that the side, or its size, is not said."""
    feed = CsvFeed(
        write("time,bid,ask,bid_size,ask_size\n1704196800,99,101,5,\n1704196801,,101,,6\n")
    )
    assert list(feed.events()) == [
        Quote(
            symbol="BTC-USD",
            timestamp=NOON,
            bid=Decimal(99),
            ask=Decimal(101),
            bid_size=Decimal(5),
        ),
        Quote(
            symbol="BTC-USD",
            timestamp=NOON + timedelta(seconds=1),
            ask=Decimal(101),
            ask_size=Decimal(6),
        ),
    ]


@pytest.mark.parametrize(
    ("header", "row", "field", "value"),
    [
        ("time,open,high,low,close", "2024-01-02T12:05:00Z,1,1,1,x", "close", "x"),
        ("time,open,high,low,close", "2024-01-02T12:05:00Z,1,1,1,", "close", ""),
        ("time,open,high,low,close", "2024-01-02T12:05:00Z,1,1,1,NaN", "close", "NaN"),
        ("time,open,high,low,close", '2024-01-02T12:05:00Z,1,1,1,"1,5"', "close", "1,5"),
        ("time,open,high,low,close", "2024-01-02T12:05:00Z,1,0.5,1,1", "high", Decimal("0.5")),
        ("time,open,high,low,close", "2024-01-02T12:05:00Z,1,3,2,3", "low", Decimal(2)),
        ("time,open,high,low,close", "2024-01-02T12:05:00Z,1,1,0,1", "low", Decimal(0)),
        ("time,open,high,low,close", "2024-01-02T12:05:00,1,1,1,1", "time", None),
        ("time,open,high,low,close", "2024-01-02T12:03:59Z,1,1,1,1", "time", None),
        ("time,open,high,low,close", "2024-01-02T12:04:30Z,1,1,1,1", "time", None),
        ("time,open,high,low,close", "2024-01-02T12:04:00Z,1,1,1,1", "time", None),
        ("time,open,high,low,close", "2024-01-02T12:05:00Z,1,1,1", "cells", None),
        ("time,price,size", "2024-01-02T12:05:00Z,1,", "size", ""),
        ("time,price,size", "2024-01-02T12:05:00Z,1,0", "size", Decimal(0)),
        ("time,price,size", "2024-01-02T12:05:00Z,-1,1", "price", Decimal(-1)),
        ("time,price", "2024-01-02T12:05:00Z,0", "price", Decimal(0)),
        ("time,bid,ask", "2024-01-02T12:05:00Z,2,1", "bid", Decimal(2)),
        ("time,bid,ask", "2024-01-02T12:05:00Z,,", "bid", None),
        ("time,bid,ask", "2024-01-02T12:05:00Z,0,1", "bid", Decimal(0)),
        ("time,bid,ask,bid_size", "2024-01-02T12:05:00Z,1,1,-1", "bid_size", Decimal(-1)),
    ],
)
def test_a_bad_row_is_refused_by_its_line(
    write: Write, header: str, row: str, field: str, value: object
) -> None:
    """The rows before a bad one are read; the error names file, line, column and value."""
    good = ["2024-01-02T12:04:00Z", *["1"] * header.count(",")]
    path = write("\n".join([header, ",".join(good), "", row]))
    feed = CsvFeed(path, interval=MINUTE if "open" in header else None)
    events = feed.events()
    next(events)
    with pytest.raises(InvalidFieldError) as caught:
        next(events)
    assert caught.value.field == f"BTC-USD.csv line 4: {field}"
    assert caught.value.accepted
    assert caught.value.outcome is None
    if value is not None:
        assert caught.value.value == value


def test_a_survey_refuses_by_line_too(write: Write) -> None:
    """Rows out of order and symbols that are none are found before the first event."""
    with pytest.raises(InvalidFieldError, match=r"BTC-USD\.csv line 3: time .*oldest row is first"):
        CsvFeed(write("\n".join([BARS.splitlines()[0], *BARS.splitlines()[:0:-1]])))
    with pytest.raises(InvalidFieldError, match=r"x\.csv line 3: symbol is 'btc/usd'"):
        CsvFeed(write("time,price,symbol\n1704196800,1,BTC-USD\n1704196800,1,btc/usd\n", "x.csv"))


def test_daily_bars_may_follow_the_clocks(write: Write) -> None:
    """Bars of a day that open at local midnight are 23 hours apart once a year."""
    text = "date,open,high,low,close\n2024-03-09,1,1,1,1\n2024-03-10,1,1,1,1\n2024-03-11,1,1,1,1\n"
    feed = CsvFeed(write(text), interval=timedelta(days=1), zone="America/New_York")
    times = [event_time(event) for event in feed.events()]
    assert times[1] - times[0] == timedelta(days=1)
    assert times[2] - times[1] == timedelta(hours=23)
    with pytest.raises(InvalidFieldError, match="or zone= given"):
        CsvFeed(write(text))


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "BTC-USD.csv is 'no lines'"),
        ("time,price\n", "BTC-USD.csv is 'no rows'"),
        ("1704196800,1,1,1,1\n", "line 1 is .*columns of bars: time, open, high, low, close"),
        ("time;open;high;low;close\n", "quotes: time, bid, ask"),
        ("time,price,colour\n1704196800,1,red\n", r"line 1: columns is \['colour'\].*ignore="),
        ("time,price,bid\n1704196800,1,1\n", r"columns is \['bid'\]; accepted: for prices"),
        ("time,date,price\n1704196800,1704196800,1\n", r"is \['time', 'date'\]; .*one column of"),
        ('time,price\n1704196800,"1\n', r"line \d is .*; accepted: comma-separated"),
        (b"time,price\n1704196800,\xff\n", r"line 2: price is '\\udcff'"),
    ],
)
def test_a_file_that_is_none_of_prices_is_refused(
    write: Write, text: str | bytes, match: str
) -> None:
    """What cannot be understood is refused, and the error says what would be."""
    with pytest.raises(InvalidFieldError, match=match):
        list(CsvFeed(write(text)).events())


def test_columns_can_be_ignored_by_name(write: Write) -> None:
    """A column that nobody knows is read over when the caller says so, and only then."""
    path = write("time,date,price,colour\n1704196800,2024-01-02,1,red\n")
    assert len(list(CsvFeed(path, ignore=["date", "colour"]).events())) == 1


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """A missing file, or a folder, is refused by its path."""
    for path in (tmp_path / "BTC-USD.csv", tmp_path):
        with pytest.raises(InvalidFieldError, match="a file that can be read"):
            CsvFeed(path)


def test_the_name_of_a_file_may_say_nothing(write: Write) -> None:
    """A file whose name is no symbol needs one; a symbol that is given must be canonical."""
    path = write(BARS, "prices.csv")
    with pytest.raises(InvalidFieldError, match=r"symbol is None; accepted: what prices\.csv is"):
        CsvFeed(path)
    with pytest.raises((InvalidFieldError, InvalidSymbolError), match="btc-usd"):
        CsvFeed(path, symbol="btc-usd")
    assert next(CsvFeed(path, symbol="BTC-USD").events()).symbol == "BTC-USD"


@pytest.mark.parametrize("interval", [timedelta(0), -MINUTE])
def test_an_interval_is_a_length_of_time(write: Write, interval: timedelta) -> None:
    """No bar lasts for zero or less, and ticks have no length."""
    with pytest.raises(InvalidFieldError, match="interval"):
        CsvFeed(write(BARS), interval=interval)
    with pytest.raises(InvalidFieldError, match="None for ticks"):
        CsvFeed(write("time,price\n1704196800,1\n"), interval=MINUTE)


def test_a_file_of_ticks_is_not_read_before_its_time(write: Write) -> None:
    """Where nothing of the whole file has to be known, a bad row is met only when it is reached."""
    path = write("time,price\n1704196800,1\nbad,bad\n")
    events = CsvFeed(path).events()
    assert isinstance(next(events), Quote)
    with pytest.raises(InvalidFieldError, match="line 3: price is 'bad'"):
        next(events)


numbers = st.decimals(
    min_value=Decimal("1e-12"), max_value=Decimal("1e12"), allow_nan=False, allow_infinity=False
)


@given(rows=st.lists(st.tuples(numbers, numbers), min_size=1, max_size=20), data=st.data())
def test_what_is_written_is_read_digit_by_digit(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[Decimal, Decimal]],
    data: st.DataObject,
) -> None:
    """Price and size of each trade come back with the very digits that were written."""
    plain = data.draw(st.booleans())

    def spell(number: Decimal) -> str:
        return decimal_to_text(number) if plain else str(number)

    path = tmp_path_factory.mktemp("feed") / "BTC-USD.csv"
    lines = [
        f"{1704196800 + index},{spell(price)},{spell(size)}"
        for index, (price, size) in enumerate(rows)
    ]
    path.write_text("\n".join(["time,price,size", *lines]), encoding="utf-8")
    read = [event for event in CsvFeed(path).events() if isinstance(event, Trade)]
    assert [(spell(event.price), spell(event.size)) for event in read] == [
        (spell(price), spell(size)) for price, size in rows
    ]
