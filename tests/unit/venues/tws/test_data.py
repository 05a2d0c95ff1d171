"""What is read: accounts, positions, contracts, market data, depth, ticks, bars."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest

from bot_v2.venues.tws.bars import BarMaker, read_duration
from bot_v2.venues.tws.hours import Hours, NewYorkSessions, told_hours
from bot_v2.venues.tws.listings import AAPL
from bot_v2.venues.tws.order_terms import read_moment
from bot_v2.venues.tws.venue import TwsVenue
from tests.unit.venues.tws.client import Client

D = Decimal
OPTION = 700_000_101


def test_account_values_are_told_and_follow(venue: TwsVenue, client: Client) -> None:
    """At once, with an end; again when holdings change; not after the subscription has ended."""
    client.send("reqAccountUpdates", subscribe=True, account=venue.accounts[0])
    assert client.heard[-1].name == "accountDownloadEnd"
    values = {one.text("tag"): one.text("value") for one in client.all("updateAccountValue")}
    assert values["NetLiquidation"] == "1000000.00"
    assert values["BuyingPower"] == "4000000.00"
    client.forget()
    client.place(orderType="MKT", lmtPrice=None)
    assert client.last("updatePortfolio").text("position") == "10"
    assert client.all("updateAccountValue")
    client.send("reqAccountUpdates", subscribe=False, account=venue.accounts[0])
    client.forget()
    client.place(orderType="MKT", lmtPrice=None)
    assert client.all("updatePortfolio") == []


def test_the_summary_tells_what_is_asked_for(client: Client) -> None:
    """Some tags; with the ledger also every currency."""
    euros = {"conId": 12087792, "exchange": "IDEALPRO", "totalQuantity": D(20_000)}
    client.place(orderType="MKT", lmtPrice=None, **euros)
    client.forget()
    client.send("reqAccountSummary", reqId=3, group="All", tags="NetLiquidation,$LEDGER:ALL")
    told = {(one.text("tag"), one.text("currency")): one.text("value") for one in client.heard[:-1]}
    assert client.heard[-1].name == "accountSummaryEnd"
    assert told[("CashBalance", "EUR")] == "20000.00"
    assert ("NetLiquidation", "USD") in told
    assert ("BuyingPower", "USD") not in told
    base = D(told[("CashBalance", "BASE")])
    assert abs(base - 1_000_000) < 20


def test_positions_are_told_until_they_are_flat(client: Client) -> None:
    """A position that was closed is told once more, as zero."""
    client.send("reqPositions")
    assert [one.name for one in client.heard] == ["positionEnd"]
    client.place(orderType="MKT", lmtPrice=None)
    assert client.last("position").text("position") == "10"
    client.place(action="SELL", orderType="MKT", lmtPrice=None, totalQuantity=D(15))
    assert client.last("position").text("position") == "-5"
    client.place(orderType="MKT", lmtPrice=None, totalQuantity=D(5))
    assert client.last("position").text("position") == "0"
    client.send("reqPositionsMulti", reqId=4, account="")
    assert client.heard[-1].name == "positionMultiEnd"


def test_option_costs_are_of_the_whole_contract(client: Client) -> None:
    """The average cost of a hundred shares, as the broker tells it."""
    client.place(conId=OPTION, orderType="MKT", lmtPrice=None, totalQuantity=D(1))
    price = client.last("execDetails").number("price")
    assert price is not None
    client.send("reqPositions")
    assert client.last("position").number("avgCost") == price * 100


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"symbol": "AAPL", "secType": "STK", "exchange": "SMART", "currency": "USD"}, ["AAPL"]),
        ({"conId": 265598}, ["AAPL"]),
        ({"symbol": "BHP", "secType": "STK"}, ["BHP", "BHP"]),
        ({"symbol": "BHP", "secType": "STK", "currency": "AUD"}, ["BHP"]),
        ({"symbol": "ES", "secType": "FUT", "exchange": "CME"}, ["ESH8", "ESM8"]),
        (
            {"symbol": "ES", "secType": "FUT", "lastTradeDateOrContractMonth": "202806"},
            ["ESM8"],
        ),
        ({"localSymbol": "ESM8", "secType": "FUT"}, ["ESM8"]),
        ({"symbol": "EUR", "secType": "CASH", "currency": "USD"}, ["EUR.USD"]),
        (
            {
                "symbol": "AAPL",
                "secType": "OPT",
                "lastTradeDateOrContractMonth": "20280121",
                "strike": D("172.5"),
                "right": "CALL",
            },
            ["AAPL  280121C00172500"],
        ),
        ({"secIdType": "ISIN", "secId": "US0378331005"}, ["AAPL"]),
        ({"conId": 265598, "exchange": "CME"}, []),
        ({"symbol": "NOPE", "secType": "STK"}, []),
    ],
)
def test_contracts_are_found_by_what_is_said(
    client: Client, asked: dict[str, object], found: list[str]
) -> None:
    """What is left out fits anything; what fits nothing is 200, without an end."""
    client.send("reqContractDetails", reqId=8, **asked)
    told = [one.text("localSymbol") for one in client.all("contractDetails")]
    assert told == found
    assert client.codes(8) == ([] if found else [200])
    assert bool(client.all("contractDetailsEnd")) is bool(found)


def test_contract_details_say_what_orders_need(client: Client) -> None:
    """Steps, sizes, hours, identifiers; the time and zone with the last day."""
    client.send("reqContractDetails", reqId=1, conId=OPTION)
    told = client.last("contractDetails")
    assert told.text("lastTradeDateOrContractMonth") == "20280121-16:00:00-US/Eastern"
    assert told.text("minTick") == "0.05"
    assert told.text("multiplier") == "100"
    assert told.text("underConId") == "265598"
    client.send("reqMarketRule", marketRuleId=told.text("marketRuleIds").split(",")[0])
    steps = [one.text("increment") for one in client.last("marketRule").rows("increments")]
    assert steps == ["0.05", "0.1"]
    client.send("reqMatchingSymbols", reqId=2, pattern="aap")
    (sample,) = client.last("symbolSamples").rows("contracts")
    assert sample.text("symbol") == "AAPL"
    assert [one.text("secType") for one in sample.rows("derivativeSecTypes")] == ["OPT"]


def test_option_chains_are_told_by_exchange(client: Client) -> None:
    """Expirations and strikes of the options on a contract; of an unknown one: 200."""
    asked = {"underlyingSymbol": "AAPL", "underlyingSecType": "STK", "underlyingConId": 265598}
    client.send("reqSecDefOptParams", reqId=6, **asked)
    told = client.all("securityDefinitionOptionParameter")
    assert {one.text("exchange") for one in told} >= {"SMART", "CBOE"}
    assert [one.text("date") for one in told[0].rows("expirations")] == ["20280121", "20280616"]
    assert [one.number("strike") for one in told[0].rows("strikes")][3] == D("172.5")
    assert client.heard[-1].name == "securityDefinitionOptionParameterEnd"
    client.send("reqSecDefOptParams", reqId=7, underlyingSymbol="X", underlyingConId=1)
    assert client.codes(7) == [200]


def test_a_snapshot_has_an_end(client: Client) -> None:
    """Parameters, kind of data, prices with sizes, volume; then nothing more."""
    client.send("reqMktData", reqId=5, conId=265598, snapshot=True)
    names = [one.name for one in client.heard]
    assert names[:2] == ["tickReqParams", "marketDataType"]
    assert names[-1] == "tickSnapshotEnd"
    types = {one.text("tickType"): one.text("price") for one in client.all("tickPrice")}
    assert (types["1"], types["2"]) == ("170.49", "170.51")
    assert set(types) == {"1", "2", "4", "6", "7", "9", "14"}
    client.forget()
    client.venue.set_market("AAPL", D(171), D("171.1"), D(10))
    assert client.heard == []


def test_quotes_are_told_as_they_change(venue: TwsVenue, client: Client) -> None:
    """Only what changed; after the cancel nothing."""
    client.send("reqMktData", reqId=5, conId=265598)
    client.forget()
    venue.set_market("AAPL", D(171), D("171.1"), D(10))
    told = {one.text("tickType"): one.text("price") for one in client.all("tickPrice")}
    assert told["1"] == "171"
    assert told["4"] == "171"
    assert "9" not in told
    client.send("cancelMktData", reqId=5)
    client.forget()
    venue.set_market("AAPL", D(172), D("172.1"), D(10))
    assert client.heard == []


@pytest.mark.parametrize(("version", "code"), [(178, 10089), (160, 354)])
def test_market_data_have_to_be_subscribed(venue: TwsVenue, version: int, code: int) -> None:
    """Live ones are refused; delayed ones are told where they are asked for, with a warning."""
    venue.scripts.entitle("AAPL", "delayed")
    client = Client(venue, version=version)
    client.send("reqMktData", reqId=5, conId=265598)
    assert client.codes(5) == [code]
    assert client.all("tickPrice") == []
    client.send("reqMarketDataType", type=3)
    client.send("reqMktData", reqId=6, conId=265598)
    assert client.codes(6) == [10167]
    assert client.last("marketDataType").text("type") == "3"
    types = {one.text("tickType") for one in client.all("tickPrice")}
    assert types == {"66", "67", "68", "72", "73", "75", "76"}
    client.send("reqMktDepth", reqId=7, conId=265598, rows=5)
    assert client.codes(7) == [10092]
    client.send("reqTickByTickData", reqId=8, conId=265598, tickType="Last")
    assert client.codes(8) == [10189]


def test_an_old_server_tells_whole_sizes(venue: TwsVenue) -> None:
    """Before fractions could be told, a size is a whole number."""
    client = Client(venue, version=157)
    client.send("reqMktData", reqId=5, conId=265598, snapshot=True)
    sizes = [one.text("size") for one in client.all("tickPrice") + client.all("tickSize")]
    assert all(size.isdigit() for size in sizes)


def test_depth_follows_the_book(venue: TwsVenue, client: Client) -> None:
    """Rows are inserted, updated and deleted, by side; smart depth names who offers."""
    client.send("reqMktDepth", reqId=4, conId=265598, rows=3)
    rows = client.all("updateMktDepth")
    assert [(one.text("side"), one.text("position")) for one in rows] == [
        (side, str(place)) for side in "01" for place in range(3)
    ]
    assert {one.text("operation") for one in rows} == {"0"}
    client.forget()
    venue.set_market("AAPL", D(171), D("171.1"), D(10))
    told = [(one.text("side"), one.text("operation")) for one in client.all("updateMktDepth")]
    assert told == [("0", "2"), ("0", "2"), ("0", "1"), ("1", "2"), ("1", "2"), ("1", "1")]
    client.send("reqMktDepth", reqId=6, conId=265598, rows=1, isSmartDepth=True)
    assert client.last("updateMktDepthL2").text("marketMaker") == "ISLAND"
    client.send("cancelMktDepth", reqId=4)
    client.send("cancelMktDepth", reqId=6)
    client.forget()
    venue.set_market("AAPL", D(172), D("172.1"), D(10))
    assert client.heard == []


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("Last", {"type": "1", "price": "171", "size": "10"}),
        ("AllLast", {"type": "2", "price": "171"}),
        ("BidAsk", {"type": "3", "bid": "171", "ask": "171.1", "askSize": "10"}),
        ("MidPoint", {"type": "4", "mid": "171.05"}),
    ],
)
def test_ticks_are_told_one_by_one(
    venue: TwsVenue, client: Client, kind: str, told: dict[str, str]
) -> None:
    """Trades, quotes or mid prices, as they happen."""
    client.send("reqTickByTickData", reqId=4, conId=265598, tickType=kind)
    client.forget()
    venue.set_market("AAPL", D(171), D("171.1"), D(10))
    (tick,) = client.all("tickByTick")
    assert {name: tick.text(name).rstrip("0") for name in told} == {
        name: text.rstrip("0") for name, text in told.items()
    }
    client.send("cancelTickByTickData", reqId=4)
    client.forget()
    venue.set_market("AAPL", D(172), D("172.1"), D(10))
    assert client.heard == []


def bars(client: Client, **asked: object) -> list[dict[str, str]]:
    """Ask for bars, and return them as texts."""
    terms: dict[str, object] = {
        "conId": 265598,
        "barSize": "1 hour",
        "duration": "1 D",
        "whatToShow": "TRADES",
        **asked,
    }
    client.send("reqHistoricalData", reqId=3, **terms)
    if not client.all("historicalData"):
        return []
    names = ("date", "open", "high", "low", "close", "volume")
    rows = client.last("historicalData").rows("bars")
    return [{name: one.text(name) for name in names} for one in rows]


def test_bars_are_the_same_each_time(client: Client) -> None:
    """Asked for again, or as longer ones: the same prices, and each opens where the last closed."""
    asked = {"endDateTime": "20261001-00:00:00"}
    hours = bars(client, **asked)
    assert hours == bars(client, **asked)
    assert len(hours) == 24
    assert all(one["close"] == two["open"] for one, two in pairwise(hours))
    (day,) = bars(client, **asked, barSize="1 day")
    assert (day["date"], day["open"], day["close"]) == (
        "20260930",
        hours[0]["open"],
        hours[-1]["close"],
    )
    assert bars(client, **asked, formatDate=2)[0]["date"] == "1790726400"


def test_a_bar_that_forms_is_told_as_it_changes(venue: TwsVenue, client: Client) -> None:
    """Each trade moves the last bar, until it is wanted no more."""
    last = bars(client, keepUpToDate=True)[-1]
    venue.set_market("AAPL", D(300), D(301), D(7))
    told = client.last("historicalDataUpdate")
    assert (told.text("close"), told.text("high")) == ("300", "300")
    assert told.text("open") == last["open"]
    client.send("cancelHistoricalData", reqId=3)
    client.forget()
    venue.set_market("AAPL", D(301), D(302), D(7))
    assert client.heard == []


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"barSize": "7 mins"}, 321),
        ({"duration": "1 fortnight"}, 321),
        ({"whatToShow": "GOSSIP"}, 321),
        ({"duration": "1 Y", "barSize": "1 secs"}, 162),
        ({"conId": 12087792}, 162),
        ({"endDateTime": "20991001-00:00:00"}, 162),
        ({"conId": 1}, 200),
    ],
)
def test_bars_that_there_are_not_say_so(
    client: Client, asked: dict[str, object], code: int
) -> None:
    """Unknown sizes, too many of them, trades of a pair, the future: a code to the request."""
    assert bars(client, **asked) == []
    assert client.codes(3) == [code]


def test_history_is_paced_where_that_is_watched(venue: TwsVenue, client: Client) -> None:
    """The 61st request in ten minutes is refused, and later ones are served."""
    venue.scripts.watch_history_pace()
    for _ in range(60):
        bars(client)
    assert client.codes(3) == []
    bars(client)
    assert client.codes(3) == [162]
    venue.advance(601)
    client.forget()
    assert bars(client)
    assert client.codes(3) == []


def test_the_time_is_told(venue: TwsVenue, client: Client) -> None:
    """In seconds, of the venue's clock."""
    venue.advance(1000)
    client.send("reqCurrentTime")
    told = client.last("currentTime").whole("time")
    assert told == int(venue.state.clock().timestamp())


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("20261121 12:00:00 UTC", datetime(2026, 11, 21, 12, tzinfo=UTC)),
        ("20261121-12:00:00", datetime(2026, 11, 21, 12, tzinfo=UTC)),
        ("20261121 12:00:00 US/Eastern", datetime(2026, 11, 21, 17, tzinfo=UTC)),
        ("20260721 12:00:00", datetime(2026, 7, 21, 16, tzinfo=UTC)),
        ("20261121 12:00:00 Nowhere/Else", None),
        ("20261321 12:00:00", None),
        ("soon", None),
        ("", None),
    ],
)
def test_moments_have_a_zone(text: str, moment: datetime | None) -> None:
    """That which is named, UTC with a hyphen, New York without."""
    assert read_moment(text) == moment


def test_new_york_trades_on_weekdays() -> None:
    """From 9:30 to 16:00, in summer and in winter; a Saturday is closed."""
    sessions = NewYorkSessions()
    friday = datetime(2026, 11, 20, 14, 30, tzinfo=UTC)
    assert sessions.is_open(friday)
    assert not sessions.is_open(friday - timedelta(seconds=1))
    assert sessions.session_end(friday) == datetime(2026, 11, 20, 21, tzinfo=UTC)
    assert sessions.next_open(friday) == datetime(2026, 11, 23, 14, 30, tzinfo=UTC)
    assert sessions.is_open(datetime(2026, 7, 1, 13, 30, tzinfo=UTC))
    trading, liquid = told_hours(Hours.NEW_YORK, friday)
    assert liquid.startswith("20261120:0930-20261120:1600;20261121:CLOSED;20261122:CLOSED")
    assert trading.startswith("20261120:0400-20261120:2000")


def test_orders_out_of_hours_wait_with_a_warning() -> None:
    """399 with the order's terms, PreSubmitted; at the opening it is Submitted, or trades."""
    now = [datetime(2026, 11, 21, 12, tzinfo=UTC)]
    venue = TwsVenue(hours=Hours.NEW_YORK, clock=lambda: now[0])
    client = Client(venue)
    resting, market = client.place(), client.place(orderType="MKT", lmtPrice=None)
    assert client.codes(resting) == [399]
    assert client.statuses(resting) == client.statuses(market) == ["PreSubmitted"]
    now[0] = datetime(2026, 11, 23, 14, 31, tzinfo=UTC)
    venue.advance(0)
    venue.set_market("AAPL", D(170), D("170.1"), D(100))
    assert client.statuses(market)[-1] == "Filled"
    assert client.statuses(resting)[-1] == "Submitted"


def test_durations_are_read() -> None:
    """A count and a unit."""
    assert read_duration("2 W") == timedelta(days=14)
    assert read_duration("0 D") is None
    one = BarMaker(1).bar(AAPL, datetime(2026, 1, 1, tzinfo=UTC), timedelta(hours=1))
    other = BarMaker(2).bar(AAPL, datetime(2026, 1, 1, tzinfo=UTC), timedelta(hours=1))
    assert one != other
