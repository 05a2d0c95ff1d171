"""Prices, books, bars, hours, balances and moments."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from bot_v2.features.brokerages.core.interfaces import PositionSide, PriceLevel
from bot_v2.features.brokerages.ibkr import account_mapping
from bot_v2.features.brokerages.ibkr import market_mapping as mapping
from bot_v2.features.brokerages.ibkr.moments import (
    day_from_native,
    moment_from_native,
    moment_to_native,
    zone_of,
)
from bot_v2.features.brokerages.ibkr.wire import (
    BarRow,
    ContractRow,
    MalformedError,
    MarginRow,
    PositionRow,
    ValueRow,
)
from tests.unit.ibkr.natives import details_row, fields_of

D = Decimal
NOW = datetime(2026, 7, 10, 14, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def ticker(*ticks: tuple[int, str, str]) -> mapping.Ticker:
    """Return a ticker that was told some prices."""
    made = mapping.Ticker()
    for kind, price, size in ticks:
        made.take_price(
            fields_of("tickPrice", reqId=1, tickType=kind, price=D(price), size=D(size))
        )
    return made


def test_a_quote() -> None:
    """Bid, ask and last keep their digits; other ticks are passed over."""
    made = ticker((1, "0.00012345678901234", "3"), (2, "2", "4"), (4, "1.5", "1"), (6, "9", "0"))
    made.take_size(fields_of("tickSize", reqId=1, tickType=3, size=D("5.5")))
    made.take_size(fields_of("tickSize", reqId=1, tickType=8, size=D(1000)))
    quote = made.quote("AAPL", NOW)
    assert (quote.bid, quote.ask, quote.last) == (D("0.00012345678901234"), D(2), D("1.5"))
    assert (quote.bid_size, quote.ask_size) == (D(3), D("5.5"))
    assert (quote.timestamp, quote.delayed) == (NOW, False)
    assert mapping.price_of(quote) == D("1.5")


def test_no_price() -> None:
    """A price of minus one with nothing behind it is none; with something it is a price."""
    quote = ticker((1, "-1", "0"), (2, "-1", "5"), (4, "-1", "0")).quote("CL", NOW)
    assert (quote.bid, quote.ask, quote.last) == (None, D(-1), None)
    assert mapping.price_of(quote) is None
    assert not mapping.Ticker().has_any


def test_the_mid_is_exact() -> None:
    """Without a trade the price is the mid of both sides."""
    quote = ticker((1, "1.1", "1"), (2, "1.2", "1")).quote("AAPL", NOW)
    assert mapping.price_of(quote) == D("1.15")


def test_delayed_prices() -> None:
    """Delayed prices say so, and are dated by their latest trade where that is told."""
    made = ticker((66, "1", "1"), (67, "2", "1"))
    assert made.quote("AAPL", NOW).timestamp == NOW
    made.take_text(fields_of("tickString", reqId=1, tickType=88, value="1783690000"))
    quote = made.quote("AAPL", NOW)
    assert quote.delayed
    assert quote.timestamp == datetime.fromtimestamp(1783690000, UTC)


def depth(*rows: tuple[int, int, int, str, str]) -> mapping.Depth:
    """Return a book that was told some rows: place, operation, side, price, size."""
    made = mapping.Depth()
    for place, operation, side, price, size in rows:
        fields = fields_of(
            "updateMktDepthL2",
            reqId=1,
            position=place,
            marketMaker="ARCA",
            operation=operation,
            side=side,
            price=D(price),
            size=D(size),
        )
        made.take(fields, has_maker=True)
    return made


def test_a_book() -> None:
    """Rows are inserted, changed and removed; what is at one price is added up."""
    book = depth(
        (0, 0, 1, "10", "1"),
        (1, 0, 1, "10", "2"),
        (2, 0, 1, "9", "4"),
        (0, 0, 0, "11", "1"),
        (1, 0, 0, "12", "1"),
        (1, 1, 0, "13", "5"),
        (2, 2, 1, "0", "0"),
    ).book("AAPL")
    assert book.bids == (PriceLevel(D(10), D(3)),)
    assert book.asks == (PriceLevel(D(11), D(1)), PriceLevel(D(13), D(5)))


def test_a_book_with_a_hole() -> None:
    """A row beyond the next one is an error."""
    with pytest.raises(MalformedError):
        depth((1, 0, 1, "10", "1"))


def bar(date: str, volume: str = "5") -> BarRow:
    """Return a bar."""
    return BarRow(
        date=date, open="1", high="2.00000000000000001", low="1", close="2", volume=volume
    )


def test_candles() -> None:
    """A bar is a candle with its digits; one whose time has not passed is not complete."""
    start = NOW - MINUTE
    candle = mapping.candle_from_native(bar(str(int(start.timestamp()))), "AAPL", MINUTE, NOW)
    assert (candle.open_time, candle.high, candle.complete) == (
        start,
        D("2.00000000000000001"),
        True,
    )
    forming = mapping.candle_from_native(bar(str(int(NOW.timestamp())), "-1"), "X", MINUTE, NOW)
    assert (forming.complete, forming.volume) == (False, None)
    daily = mapping.candle_from_native(bar("20260709"), "AAPL", timedelta(days=1), NOW)
    assert daily.open_time == datetime(2026, 7, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (timedelta(seconds=1), "30 S"),
        (timedelta(hours=1), "3600 S"),
        (timedelta(days=1), "86400 S"),
        (timedelta(days=1, seconds=1), "2 D"),
        (timedelta(days=28), "28 D"),
    ],
)
def test_spans(span: timedelta, text: str) -> None:
    """A span is asked for in seconds up to a day, in days beyond, and never too short."""
    assert mapping.duration_to_native(span) == text


HOURS = "20260709:0930-20260709:1600;20260710:0930-20260710:1600;20260711:CLOSED;" + (
    "20260713:0930-20260713:1600"
)
ROUND = ";".join(f"202607{day:02}:0000-202607{day:02}:2359" for day in range(9, 14))


@pytest.mark.parametrize(
    ("hours", "now", "is_open", "opens", "closes"),
    [
        (HOURS, "2026-07-10T14:00", True, "2026-07-13T13:30", "2026-07-10T20:00"),
        (HOURS, "2026-07-10T13:00", False, "2026-07-10T13:30", "2026-07-10T20:00"),
        (HOURS, "2026-07-10T20:00", False, "2026-07-13T13:30", "2026-07-13T20:00"),
        (HOURS, "2026-07-13T14:00", True, None, "2026-07-13T20:00"),
        (HOURS, "2026-07-14T14:00", False, None, None),
        (ROUND, "2026-07-10T14:00", True, None, None),
    ],
)
def test_hours(hours: str, now: str, is_open: bool, opens: str | None, closes: str | None) -> None:
    """A market is open in its sessions, in its own zone; sessions that meet are one."""

    def at(text: str | None) -> datetime | None:
        return None if text is None else datetime.fromisoformat(text).replace(tzinfo=UTC)

    details = details_row(liquidHours=hours, timeZoneId="US/Eastern")
    status = mapping.market_status(details, "AAPL", at(now) or NOW)
    assert (status.is_open, status.next_open, status.next_close) == (is_open, at(opens), at(closes))


def test_no_hours() -> None:
    """Hours that are not told, or are none, are an error, and not a closed market."""
    for hours in ("", "20260709:930-20260709:1600"):
        with pytest.raises(MalformedError):
            mapping.market_status(details_row(liquidHours=hours), "AAPL", NOW)


MOMENTS = [
    ("20260710 10:00:00 US/Eastern", None, NOW),
    ("20260710  10:00:00 EST", None, NOW),
    ("20260710 16:00:00 MET", None, NOW),
    ("20260710 10:00 US/Eastern", None, NOW),
    ("20260710-14:00:00", None, NOW),
    ("20260710 23:00:00", "Asia/Tokyo", NOW),
    ("20260710  23:00:00", "Asia/Tokyo", NOW),
]


@pytest.mark.parametrize(("text", "zone", "moment"), MOMENTS)
def test_moments(text: str, zone: str | None, moment: datetime) -> None:
    """A moment is UTC, from its own zone, from a hyphen inside, or from the zone that is set."""
    assert moment_from_native(text, None if zone is None else ZoneInfo(zone)) == moment


@pytest.mark.parametrize(
    "text", ["", "yesterday", "20261310-10:00:00", "20260710 10:00:00 Nowhere/X"]
)
def test_no_moment(text: str) -> None:
    """What is no moment, or in an unknown zone, is an error."""
    with pytest.raises(MalformedError):
        moment_from_native(text, None)
    with pytest.raises(MalformedError):
        moment_from_native("20260710 10:00:00", None)


def test_moments_return() -> None:
    """A moment that is sent is the one that is read."""
    assert moment_from_native(moment_to_native(NOW), None) == NOW
    assert day_from_native("202607") is None
    with pytest.raises(MalformedError):
        day_from_native("20260731"[:6] + "99")
    assert str(zone_of("EST (Eastern Standard Time)")) == "America/New_York"


VALUES = [
    ValueRow(account="DU1", tag="NetLiquidation", text="1000.10", currency="USD"),
    ValueRow(account="DU1", tag="NetLiquidation", text="900", currency="BASE"),
    ValueRow(account="DU1", tag="TotalCashValue", text="500.05", currency="USD"),
    ValueRow(account="DU1", tag="InitMarginReq", text="100.01", currency="USD"),
    ValueRow(account="DU1", tag="MaintMarginReq", text="90", currency="USD"),
    ValueRow(account="DU1", tag="ExcessLiquidity", text="910.10", currency="USD"),
    ValueRow(account="DU1", tag="BuyingPower", text="4000", currency="USD"),
    ValueRow(account="DU1", tag="CashBalance", text="500.05", currency="USD"),
    ValueRow(account="DU1", tag="CashBalance", text="-7.123456789012345678", currency="EUR"),
    ValueRow(account="DU1", tag="CashBalance", text="492.9", currency="BASE"),
    ValueRow(account="DU1", tag="AccountType", text="INDIVIDUAL", currency=""),
]


def test_balances_and_totals() -> None:
    """Cash by currency and the account's totals are told to the last digit."""
    balances = {one.asset: one.total for one in account_mapping.balances_from_native(VALUES)}
    assert balances == {"USD": D("500.05"), "EUR": D("-7.123456789012345678")}
    summary = account_mapping.summary_from_native(VALUES, "DU1")
    assert (summary.currency, summary.equity, summary.cash) == ("USD", D("1000.10"), D("500.05"))
    assert summary.utilization == D("0.100000")
    margin = account_mapping.margin_from_native(VALUES)
    assert (margin.initial_margin, margin.maintenance_margin) == (D("100.01"), D(90))
    assert (margin.excess, margin.buying_power) == (D("910.10"), D(4000))
    with pytest.raises(MalformedError):
        account_mapping.summary_from_native(VALUES[2:], "DU1")


def test_the_margin_of_an_order() -> None:
    """What an order would need is told, and what would be left."""
    row = MarginRow(
        initial_after="4398.700000000012",
        maintenance_after="4000",
        equity_after="10000.5",
        commission="",
        commission_currency="",
        warning="",
    )
    margin = account_mapping.margin_of_order(row, "USD")
    assert (margin.initial_margin, margin.excess) == (D("4398.700000000012"), D("6000.5"))


def test_positions() -> None:
    """A position has its side, and its cost by unit of price; a flat one is none."""

    def position(quantity: str, cost: str, multiplier: int = 1) -> object:
        row = PositionRow(
            account="DU1",
            contract=ContractRow(con_id=1),
            quantity=quantity,
            average_cost=cost,
        )
        made = account_mapping.position_from_native(row, D(multiplier), lambda _: "X")
        return made and (made.side, made.quantity, made.entry_price)

    assert position("3", "120.123456789012345678") == (
        PositionSide.LONG,
        D(3),
        D("120.123456789012345678"),
    )
    assert position("-2.5", "260012.5", 50) == (PositionSide.SHORT, D("2.5"), D("5200.25"))
    assert position("1", "1", 3) == (PositionSide.LONG, D(1), None)
    assert position("0", "0") is None
