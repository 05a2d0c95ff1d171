"""Market data, assets, contracts, clock and calendar."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from bot_v2.features.brokerages.core.symbols import is_canonical
from bot_v2.simulation.faults import Fault
from bot_v2.venues.alpaca.bars import Timeframe, timeframe_from_text
from bot_v2.venues.alpaca.venue import AlpacaVenue
from bot_v2.venues.requests import ApiRequest
from tests.unit.venues.alpaca_calls import (
    MONDAY_MORNING,
    StoppedClock,
    call,
    contract,
    market,
    place,
    read,
    served,
    terms,
)

D = Decimal


@pytest.fixture
def monday() -> AlpacaVenue:
    """Alpaca on a Monday morning."""
    return AlpacaVenue(clock=StoppedClock(MONDAY_MORNING))


# Pages


@pytest.mark.parametrize("sort", ["asc", "desc"])
@pytest.mark.parametrize(
    ("path", "query"),
    [
        (
            "/v2/stocks/bars",
            "symbols=SPY,AAPL&timeframe=1Day&start=2026-02-16&end=2026-02-28",
        ),
        ("/v2/stocks/trades", "symbols=SPY,AAPL&start=2026-03-01"),
        ("/v2/stocks/quotes", "symbols=SPY,AAPL&start=2026-03-01"),
        (
            "/v1beta3/crypto/us/bars",
            "symbols=BTC/USD,ETH/USD&timeframe=6Hour&start=2026-02-26&end=2026-02-28",
        ),
        ("/v1beta3/crypto/us/trades", "symbols=BTC/USD&start=2026-03-01"),
    ],
)
def test_pages_are_the_whole(path: str, query: str, sort: str) -> None:
    """Page by page it is what one page has, in the same order, with nothing twice."""
    whole_venue = AlpacaVenue(clock=lambda: MONDAY_MORNING)
    whole = read(whole_venue, f"{path}?{query}&sort={sort}")
    what = path.rpartition("/")[2]
    assert whole["next_page_token"] is None
    found: dict[str, list[Any]] = {}
    token, pages = "", 0
    while True:
        page = read(whole_venue, f"{path}?{query}&sort={sort}&limit=7{token}")
        assert sum(len(items) for items in page[what].values()) <= 7
        for symbol, items in page[what].items():
            found.setdefault(symbol, []).extend(items)
        pages += 1
        if page["next_page_token"] is None:
            break
        token = f"&page_token={page['next_page_token']}"
    assert found == whole[what]
    assert pages > 1


def test_trades_of_one_moment_are_told_once_each(monday: AlpacaVenue) -> None:
    """A page may end between them."""
    stopped = AlpacaVenue(clock=lambda: MONDAY_MORNING)
    for price in range(100, 106):
        stopped.set_market("AAPL", D(price), D(price), D(1))
    target = "/v2/stocks/AAPL/trades?start=2026-03-02T15:00:00Z&limit=4"
    first = read(stopped, target)
    second = read(stopped, f"{target}&page_token={first['next_page_token']}")
    assert [one["p"] for one in first["trades"] + second["trades"]] == list(range(100, 106))
    assert (second["symbol"], second["next_page_token"]) == ("AAPL", None)


def test_bars_are_made_when_they_are_asked_for(monday: AlpacaVenue) -> None:
    """A page of ten years' minutes takes no longer than any other."""
    said = read(
        monday, "/v2/stocks/AAPL/bars?timeframe=1Min&start=2016-01-01&end=2026-01-01&limit=5"
    )
    assert [one["t"] for one in said["bars"]][:2] == [
        "2016-01-04T09:00:00Z",
        "2016-01-04T09:01:00Z",
    ]
    assert said["next_page_token"]


# Bars


@pytest.mark.parametrize(
    ("text", "timeframe"),
    [
        ("1Min", Timeframe(1, "min")),
        ("15T", Timeframe(15, "min")),
        ("4Hour", Timeframe(4, "hour")),
        ("1H", Timeframe(1, "hour")),
        ("Day", Timeframe(1, "day")),
        ("1D", Timeframe(1, "day")),
        ("1Week", Timeframe(1, "week")),
        ("3Month", Timeframe(3, "month")),
        ("12M", Timeframe(12, "month")),
    ],
)
def test_timeframes_are_read(text: str, timeframe: Timeframe) -> None:
    """In all of their spellings."""
    assert timeframe_from_text(text) == timeframe


@pytest.mark.parametrize("text", ["60Min", "24Hour", "2Day", "5Month", "0Min", "", "1Year"])
def test_timeframes_that_there_are_not(monday: AlpacaVenue, text: str) -> None:
    """Are refused with 400."""
    with pytest.raises(ValueError):
        timeframe_from_text(text)
    assert call(monday, "GET", f"/v2/stocks/bars?symbols=AAPL&timeframe={text}")[0] == 400


def test_bars_fit_each_other(monday: AlpacaVenue) -> None:
    """A bar closes where the next one opens; its highest price is its highest."""
    query = "timeframe=1Hour&start=2026-02-27T15:00:00Z&end=2026-02-27T20:00:00Z"
    bars = read(monday, f"/v2/stocks/AAPL/bars?{query}")["bars"]
    assert len(bars) == 6
    for before, after in pairwise(bars):
        assert before["c"] == after["o"]
    for bar in bars:
        assert bar["l"] <= min(bar["o"], bar["c"]) <= max(bar["o"], bar["c"]) <= bar["h"]
        assert bar["l"] <= bar["vw"] <= bar["h"]
    again = AlpacaVenue(clock=StoppedClock(MONDAY_MORNING))
    assert read(again, f"/v2/stocks/AAPL/bars?{query}")["bars"] == bars


def test_days_are_new_yorks_and_weekends_have_none(monday: AlpacaVenue) -> None:
    """A day's bar starts at midnight there; coins have bars at weekends, too."""
    query = "timeframe=1Day&start=2026-02-26&end=2026-03-02"
    shares = read(monday, f"/v2/stocks/AAPL/bars?{query}")["bars"]
    assert [one["t"] for one in shares] == ["2026-02-26T05:00:00Z", "2026-02-27T05:00:00Z"]
    coins = read(monday, f"/v1beta3/crypto/us/bars?symbols=BTC/USD&{query}")["bars"]["BTC/USD"]
    assert len(coins) == 4
    weeks = "timeframe=1Week&start=2026-02-01&end=2026-02-28"
    assert len(read(monday, f"/v2/stocks/AAPL/bars?{weeks}")["bars"]) == 4
    months = "timeframe=3Month&start=2025-01-01&end=2025-12-31"
    assert [one["t"][:7] for one in read(monday, f"/v2/stocks/AAPL/bars?{months}")["bars"]] == [
        "2025-01",
        "2025-04",
        "2025-07",
        "2025-10",
    ]


def test_minutes_are_in_the_extended_session(monday: AlpacaVenue) -> None:
    """From four to twenty o'clock in New York; an option's in its session."""
    day = "timeframe=1Min&start=2026-02-27T00:00:00-05:00&end=2026-02-27T23:59:00-05:00"
    shares = read(monday, f"/v2/stocks/AAPL/bars?{day}")["bars"]
    assert (shares[0]["t"], shares[-1]["t"]) == ("2026-02-27T09:00:00Z", "2026-02-28T00:59:00Z")
    name = contract(monday)
    options = read(monday, f"/v1beta1/options/bars?symbols={name}&{day}")["bars"][name]
    assert (len(options), options[0]["t"]) == (390, "2026-02-27T14:30:00Z")


# What is latest


def test_the_latest_is_what_the_market_did_last(alpaca: AlpacaVenue) -> None:
    """Quotes of the book, trades of the tape; of one symbol, and of several."""
    alpaca.set_market("AAPL", D("190.10"), D("190.20"), D(300))
    quote = read(alpaca, "/v2/stocks/AAPL/quotes/latest")
    assert quote["symbol"] == "AAPL"
    assert {name: quote["quote"][name] for name in ("bp", "ap", "bs", "as")} == {
        "bp": 190.1,
        "ap": 190.2,
        "bs": 300,
        "as": 300,
    }
    trades = read(alpaca, "/v2/stocks/trades/latest?symbols=AAPL,NOPE,GONE")["trades"]
    assert list(trades) == ["AAPL"]
    assert (trades["AAPL"]["p"], trades["AAPL"]["s"]) == (190.1, 300)
    assert call(alpaca, "GET", "/v2/stocks/NOPE/trades/latest")[0] == 404
    assert read(alpaca, "/v2/stocks/AAPL/bars/latest")["bar"]["c"] > 0


def test_numbers_keep_all_of_their_digits(alpaca: AlpacaVenue) -> None:
    """They are JSON numbers, and none of them went through a float."""
    alpaca.set_market("BTC/USD", D("60123.45"), D("60123.46"), D("0.123456789"))
    content = served(alpaca, "GET", "/v1beta3/crypto/us/latest/quotes?symbols=BTC/USD").content
    assert b'"bp":60123.45,"bs":0.123456789' in content


def test_books_are_those_of_coins(alpaca: AlpacaVenue) -> None:
    """Best first, on both sides."""
    said = read(alpaca, "/v1beta3/crypto/us/latest/orderbooks?symbols=BTC/USD")
    book = said["orderbooks"]["BTC/USD"]
    bids, asks = [one["p"] for one in book["b"]], [one["p"] for one in book["a"]]
    assert bids == sorted(bids, reverse=True)
    assert asks == sorted(asks)
    assert bids[0] < asks[0]


def test_prices_of_coins_are_for_everybody(alpaca: AlpacaVenue) -> None:
    """Those of shares and options are not: 403 without a key."""

    def status(path: str, symbols: str) -> int:
        found = alpaca.answer(
            ApiRequest(
                method="GET",
                path=path,
                target=f"{path}?symbols={symbols}",
                host="data.alpaca.markets",
                query=(("symbols", symbols),),
            )
        )
        assert found is not None
        return found.status

    assert status("/v1beta3/crypto/us/latest/quotes", "BTC/USD") == 200
    assert status("/v2/stocks/quotes/latest", "AAPL") == 403


def test_snapshots_have_everything(alpaca: AlpacaVenue) -> None:
    """Of shares bare, of coins and options within `snapshots`."""
    parts = {"latestTrade", "latestQuote", "minuteBar", "dailyBar", "prevDailyBar"}
    shares = read(alpaca, "/v2/stocks/snapshots?symbols=AAPL,SPY,NOPE")
    assert set(shares) == {"AAPL", "SPY"}
    assert set(shares["AAPL"]) == parts
    assert set(read(alpaca, "/v2/stocks/AAPL/snapshot")) == {*parts, "symbol"}
    coins = read(alpaca, "/v1beta3/crypto/us/snapshots?symbols=BTC/USD")["snapshots"]
    assert set(coins["BTC/USD"]) == parts
    name = contract(alpaca)
    option = read(alpaca, f"/v1beta1/options/snapshots?symbols={name}")["snapshots"][name]
    assert set(option) == {*parts, "greeks", "impliedVolatility"}


def test_a_chain_is_filtered_and_paged(alpaca: AlpacaVenue) -> None:
    """By right, strike and expiration; greeks have the sign of their right."""
    base = "/v1beta1/options/snapshots/AAPL?limit=1000"
    whole = read(alpaca, base)["snapshots"]
    calls = read(alpaca, f"{base}&type=call")["snapshots"]
    puts = read(alpaca, f"{base}&type=put")["snapshots"]
    assert {**calls, **puts} == whole
    assert all(0 < one["greeks"]["delta"] < 1 for one in calls.values())
    assert all(-1 < one["greeks"]["delta"] < 0 for one in puts.values())
    strikes = read(alpaca, f"{base}&strike_price_gte=200&strike_price_lte=200")["snapshots"]
    assert len(strikes) == len(whole) // 5
    first = sorted(whole)[0]
    expiry = datetime.strptime(first[4:10], "%y%m%d").replace(tzinfo=UTC).date()
    one_day = read(alpaca, f"{base}&expiration_date={expiry}")["snapshots"]
    assert len(one_day) == 10
    seen: list[str] = []
    token = ""
    while True:
        page = read(alpaca, f"/v1beta1/options/snapshots/AAPL?limit=7{token}")
        seen += page["snapshots"]
        if page["next_page_token"] is None:
            break
        token = f"&page_token={page['next_page_token']}"
    assert seen == sorted(whole)


def test_calls_and_puts_are_worth_what_they_should(alpaca: AlpacaVenue) -> None:
    """A call less a put of one strike is the share less what the strike is worth now."""
    contracts = read(alpaca, "/v2/options/contracts?underlying_symbols=AAPL&limit=100")
    assert contracts["option_contracts"] == []
    low_call, low_put = contract(alpaca, "call", 0), contract(alpaca, "put", 0)
    quotes = read(alpaca, f"/v1beta1/options/quotes/latest?symbols={low_call},{low_put}")
    middle = {name: (one["bp"] + one["ap"]) / 2 for name, one in quotes["quotes"].items()}
    assert middle[low_call] - middle[low_put] == pytest.approx(20, abs=1)


# Feeds


def test_recent_data_of_all_exchanges_is_paid_for(monday: AlpacaVenue) -> None:
    """Older data is not; other feeds are free; a feed that there is none of is refused."""
    bars = "/v2/stocks/bars?symbols=AAPL&timeframe=1Day&start=2026-02-01"
    status, said = call(monday, "GET", f"{bars}&feed=sip")
    assert (status, said["message"]) == (
        403,
        "subscription does not permit querying recent SIP data",
    )
    assert read(monday, f"{bars}&feed=sip&end=2026-02-27")["bars"]["AAPL"]
    assert read(monday, f"{bars}&feed=iex")["bars"]["AAPL"]
    assert call(monday, "GET", f"{bars}&feed=nyse")[0] == 400
    name = contract(monday)
    latest = f"/v1beta1/options/quotes/latest?symbols={name}"
    assert call(monday, "GET", f"{latest}&feed=opra")[0] == 403
    assert call(monday, "GET", f"{latest}&feed=indicative")[0] == 200
    paid = AlpacaVenue(has_sip=True)
    assert call(paid, "GET", "/v2/stocks/quotes/latest?symbols=AAPL&feed=sip")[0] == 200


@pytest.mark.parametrize(
    "target",
    [
        "/v2/stocks/bars?timeframe=1Day",
        "/v2/stocks/bars?symbols=AAPL",
        "/v2/stocks/bars?symbols=AA/PL&timeframe=1Day",
        "/v2/stocks/bars?symbols=AAPL&timeframe=1Day&adjustment=magic",
        "/v2/stocks/bars?symbols=AAPL&timeframe=1Day&start=soon",
        "/v2/stocks/bars?symbols=AAPL&timeframe=1Day&start=2026-02-02&end=2026-02-01",
        "/v2/stocks/bars?symbols=AAPL&timeframe=1Day&limit=10001",
        "/v2/stocks/bars?symbols=AAPL&timeframe=1Day&page_token=!",
        "/v2/stocks/bars?symbols=AAPL&timeframe=1Day&sort=up",
        "/v1beta3/crypto/us/latest/quotes?symbols=BTCUSD",
        "/v1beta1/options/quotes/latest?symbols=AAPL",
    ],
)
def test_what_cannot_be_read_is_refused(monday: AlpacaVenue, target: str) -> None:
    """With 400 and a message, without a code."""
    status, said = call(monday, "GET", target)
    assert status == 400
    assert list(said) == ["message"]


# Assets and contracts


def test_every_asset_has_a_canonical_name(alpaca: AlpacaVenue) -> None:
    """Each of Alpaca's names leads to one; ids and names without a slash, too."""
    names = alpaca.native_symbols()
    assert all(is_canonical(symbol) for symbol in names.values())
    assert names["BTC/USD"] == names["BTCUSD"] == "BTC-USD"
    assert names["BRK.B"] == "BRK.B"
    name = contract(alpaca)
    root, day, right = name[:4], name[4:10], name[10]
    strike = int(name[11:]) // 1000
    assert names[name] == f"{root}-20{day}-{strike}-{right}"


def test_assets_are_listed_by_class_and_status(alpaca: AlpacaVenue) -> None:
    """Shares unless asked otherwise; one by its symbol or its id."""
    shares = read(alpaca, "/v2/assets")
    assert {one["class"] for one in shares} == {"us_equity"}
    active = read(alpaca, "/v2/assets?status=active")
    assert {one["symbol"] for one in shares} - {one["symbol"] for one in active} == {"GONE"}
    assert {one["exchange"] for one in read(alpaca, "/v2/assets?exchange=NYSE")} == {"NYSE"}
    coins = read(alpaca, "/v2/assets?asset_class=crypto")
    assert all(one["min_trade_increment"] for one in coins)
    one = read(alpaca, f"/v2/assets/{coins[0]['id']}")
    assert one == coins[0] == read(alpaca, "/v2/assets/BTCUSD")
    status, said = call(alpaca, "GET", "/v2/assets/NOPE")
    assert (status, said["code"], said["message"]) == (404, 40410000, "asset not found for NOPE")
    assert call(alpaca, "GET", "/v2/assets?asset_class=bonds")[0] == 422


def test_contracts_are_filtered_and_paged(monday: AlpacaVenue) -> None:
    """Those to the next weekend unless asked otherwise; each of them can be read alone."""
    base = "/v2/options/contracts?expiration_date_lte=2099-01-01"
    assert read(monday, "/v2/options/contracts")["option_contracts"] == []
    whole = read(monday, f"{base}&limit=1000")["option_contracts"]
    aapl = read(monday, f"{base}&underlying_symbols=AAPL&limit=1000")["option_contracts"]
    assert {one["underlying_symbol"] for one in whole} == {"AAPL", "SPY"}
    assert len(aapl) == len(whole) // 2
    puts = read(monday, f"{base}&type=put&root_symbol=SPY&limit=1000")["option_contracts"]
    assert {(one["type"], one["root_symbol"]) for one in puts} == {("put", "SPY")}
    some = read(monday, f"{base}&strike_price_gte=200&strike_price_lte=210&limit=1000")
    assert {one["strike_price"] for one in some["option_contracts"]} == {"200", "210"}
    day = aapl[0]["expiration_date"]
    exact = read(monday, f"/v2/options/contracts?expiration_date={day}&limit=1000")
    assert {one["expiration_date"] for one in exact["option_contracts"]} == {day}
    seen, token = [], ""
    while True:
        page = read(monday, f"{base}&limit=17{token}")
        seen += page["option_contracts"]
        if page["next_page_token"] is None:
            break
        token = f"&page_token={page['next_page_token']}"
    assert seen == whole
    assert read(monday, f"/v2/options/contracts/{whole[0]['symbol']}") == whole[0]
    assert read(monday, f"/v2/options/contracts/{whole[0]['id']}") == whole[0]
    assert call(monday, "GET", "/v2/options/contracts/AAPL")[0] == 404
    assert call(monday, "GET", f"{base}&expiration_date_gte=soon")[0] == 422


# Clock and calendar


def test_the_clock_is_new_yorks(monday: AlpacaVenue) -> None:
    """With its offset; the next opening and close are ahead."""
    said = read(monday, "/v2/clock")
    assert said["timestamp"].endswith("-05:00")
    assert said["next_open"] == "2026-03-03T09:30:00-05:00"
    assert said["next_close"] == "2026-03-02T16:00:00-05:00"
    monday.inject(Fault.CLOCK_SKEW)
    moment = datetime.fromisoformat(read(monday, "/v2/clock")["timestamp"])
    assert MONDAY_MORNING - moment > timedelta(minutes=4)


def test_the_calendar_knows_early_closes(monday: AlpacaVenue) -> None:
    """One entry for each trading day, with the extended session and the day of settlement."""
    said = read(monday, "/v2/calendar?start=2026-11-25&end=2026-11-30")
    assert [(one["date"], one["close"]) for one in said] == [
        ("2026-11-25", "16:00"),
        ("2026-11-27", "13:00"),
        ("2026-11-30", "16:00"),
    ]
    assert said[0]["settlement_date"] == "2026-11-27"
    assert (said[1]["session_open"], said[1]["session_close"]) == ("0400", "1700")
    assert call(monday, "GET", "/v2/calendar?start=soon")[0] == 422


# The controls


def test_a_status_can_be_set_from_outside(alpaca: AlpacaVenue) -> None:
    """Among the controls over HTTP there is one for it."""
    taken = place(alpaca, terms(symbol="F", qty="1", limit_price="9"))
    alpaca.actions()["show_status"]({"order_id": taken["id"], "status": "done_for_day"})
    assert read(alpaca, f"/v2/orders/{taken['id']}")["status"] == "done_for_day"


def test_a_gateway_that_gives_up_answers_in_html(alpaca: AlpacaVenue) -> None:
    """504, as what stands before the API says it; the order is there."""
    alpaca.inject(Fault.SERVER_ERROR, "place_order")
    found = served(alpaca, "POST", "/v2/orders", market(client_order_id="lost"))
    assert found.status == 504
    with pytest.raises(json.JSONDecodeError):
        json.loads(found.content)
    target = "/v2/orders:by_client_order_id?client_order_id=lost"
    assert read(alpaca, target)["status"] == "filled"


def test_the_latest_bar_is_the_last_one_before_a_long_weekend() -> None:
    """On the Tuesday morning after a holiday it is Friday evening's."""
    tuesday = datetime(2026, 2, 17, 8, 30, tzinfo=UTC)
    alpaca = AlpacaVenue(clock=StoppedClock(tuesday))
    assert read(alpaca, "/v2/stocks/AAPL/bars/latest")["bar"]["t"] == "2026-02-14T00:59:00Z"
    coin = read(alpaca, "/v1beta3/crypto/us/latest/bars?symbols=BTC/USD")["bars"]["BTC/USD"]
    assert coin["t"] == "2026-02-17T08:30:00Z"
