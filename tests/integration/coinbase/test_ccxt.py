"""ccxt, unmodified but for its address, on the simulators; skipped where it is not installed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from bot_v2.venues.coinbase.exchange_venue import CoinbaseExchangeVenue
from bot_v2.venues.coinbase.venue import CoinbaseVenue

ccxt: Any = pytest.importorskip("ccxt", reason="ccxt is no requirement of the project's")

SYMBOL = "BTC/USD"
PERPETUAL = "BTC/USDC:USDC"
NO_SUCH = "00000000-0000-4000-8000-000000000000"


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests may sit behind a proxy."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def venue() -> Iterator[CoinbaseVenue]:
    """Advanced Trade on this machine."""
    with CoinbaseVenue() as venue:
        yield venue


@pytest.fixture(params=["api_key", "ed25519_api_key"])
def advanced(venue: CoinbaseVenue, request: pytest.FixtureRequest) -> Iterator[Any]:
    """The client of Advanced Trade, with either kind of key."""
    key = getattr(venue, request.param)
    client = ccxt.coinbase({"apiKey": key.name, "secret": key.secret, "enableRateLimit": False})
    client.urls["api"]["rest"] = venue.url
    yield client
    client.session.close()


@pytest.fixture
def exchange() -> Iterator[Any]:
    """The client of the Exchange API."""
    with CoinbaseExchangeVenue() as venue:
        key = venue.api_key
        client = ccxt.coinbaseexchange(
            {
                "apiKey": key.key,
                "secret": key.secret,
                "password": key.passphrase,
                "enableRateLimit": False,
            }
        )
        client.urls["api"] = dict.fromkeys(client.urls["api"], venue.url)
        yield client
        client.session.close()


def read_the_market(client: Any) -> None:
    """Ask for everything that ccxt knows of a market."""
    assert abs(client.fetch_time() - client.milliseconds()) < 5_000
    market = client.load_markets()[SYMBOL]
    assert (market["base"], market["quote"], market["precision"]["price"]) == ("BTC", "USD", 0.01)
    ticker = client.fetch_ticker(SYMBOL)
    assert ticker["last"] > 0
    assert SYMBOL in client.fetch_tickers()
    book = client.fetch_order_book(SYMBOL)
    assert book["bids"][0][0] < book["asks"][0][0]
    assert client.fetch_trades(SYMBOL, limit=3)[-1]["price"] > 0
    times = [one[0] for one in client.fetch_ohlcv(SYMBOL, "1m", limit=3)]
    assert times == sorted(times)
    assert {"BTC", "USD"} <= set(client.fetch_currencies())


def trade(client: Any) -> None:
    """Place, find, cancel and fill orders."""
    assert client.fetch_balance()["USD"]["free"] == 1_000_000
    assert {one["code"] for one in client.fetch_accounts()} >= {"BTC", "USD"}
    resting = client.create_order(SYMBOL, "limit", "buy", 0.01, 50_000)["id"]
    order = client.fetch_order(resting, SYMBOL)
    assert (order["status"], order["price"], order["amount"]) == ("open", 50_000, 0.01)
    assert [one["id"] for one in client.fetch_open_orders(SYMBOL)] == [resting]
    client.cancel_order(resting, SYMBOL)
    assert client.fetch_order(resting, SYMBOL)["status"] == "canceled"
    taken = client.create_order(SYMBOL, "market", "buy", 0.01, 60_100)["id"]
    filled = client.fetch_order(taken, SYMBOL)
    assert filled["status"] == "closed"
    assert 0.009 < filled["filled"] <= 0.01
    assert float(filled["fee"]["cost"]) > 0
    trades = client.fetch_my_trades(SYMBOL)
    assert sum(one["amount"] for one in trades) == pytest.approx(filled["filled"])
    assert {one["id"] for one in client.fetch_closed_orders(SYMBOL)} >= {taken}
    killed = client.create_order(SYMBOL, "limit", "buy", 0.001, 61_000, {"timeInForce": "FOK"})
    assert client.fetch_order(killed["id"], SYMBOL)["status"] == "closed"
    with pytest.raises(ccxt.InsufficientFunds):
        client.create_order(SYMBOL, "limit", "buy", 1_000, 50_000)
    with pytest.raises(ccxt.ExchangeError):
        client.create_order(SYMBOL, "limit", "buy", 0.01, 70_000, {"postOnly": True})
    with pytest.raises(ccxt.ExchangeError):
        client.fetch_order(NO_SUCH, SYMBOL)


def test_advanced_trade_is_read(advanced: Any) -> None:
    """ccxt reads the market of Advanced Trade."""
    read_the_market(advanced)
    assert advanced.fetch_bids_asks([SYMBOL])[SYMBOL]["bid"] > 0
    assert advanced.fetch_trading_fees()[SYMBOL]["taker"] == 0.008


def test_advanced_trade_is_traded(advanced: Any) -> None:
    """ccxt trades on Advanced Trade, changes orders, and buys by cost."""
    trade(advanced)
    order_id = advanced.create_order(SYMBOL, "limit", "buy", 0.01, 50_000)["id"]
    advanced.edit_order(order_id, SYMBOL, "limit", "buy", 0.02, 50_100)
    changed = advanced.fetch_order(order_id, SYMBOL)
    assert (changed["price"], changed["amount"]) == (50_100, 0.02)
    advanced.cancel_orders([order_id], SYMBOL)
    assert {one["id"] for one in advanced.fetch_canceled_orders(SYMBOL)} >= {order_id}
    spent = advanced.create_market_buy_order_with_cost(SYMBOL, 100)["id"]
    assert advanced.fetch_order(spent, SYMBOL)["cost"] == pytest.approx(100, rel=0.01)
    stop = advanced.create_order(SYMBOL, "limit", "sell", 0.001, 40_000, {"stopLossPrice": 41_000})[
        "id"
    ]
    assert advanced.fetch_order(stop, SYMBOL)["triggerPrice"] == 41_000


def test_a_perpetual_is_traded(advanced: Any, venue: CoinbaseVenue) -> None:
    """ccxt opens a perpetual position, and closes it."""
    advanced.load_markets()
    opened = advanced.create_order(PERPETUAL, "market", "buy", 0.01)["id"]
    assert advanced.fetch_order(opened, PERPETUAL)["filled"] == 0.01
    closed = advanced.close_position(PERPETUAL, params={"clientOrderId": "ccxt-close"})["id"]
    order = advanced.fetch_order(closed, PERPETUAL)
    assert (order["side"], order["filled"]) == ("sell", 0.01)
    assert len(venue.orders_received()) == 2


def test_the_exchange_api_is_read(exchange: Any) -> None:
    """ccxt reads the market of the Exchange API."""
    read_the_market(exchange)
    assert exchange.fetch_trading_fees()[SYMBOL]["taker"] == 0.006


def test_the_exchange_api_is_traded(exchange: Any) -> None:
    """ccxt trades on the Exchange API, with stops and a cancel of everything."""
    trade(exchange)
    stop = exchange.create_order(SYMBOL, "limit", "sell", 0.001, 40_000, {"stopPrice": 41_000})
    assert exchange.fetch_order(stop["id"], SYMBOL)["triggerPrice"] == 41_000
    exchange.cancel_all_orders(SYMBOL)
    assert exchange.fetch_open_orders(SYMBOL) == []
    with pytest.raises(ccxt.OrderNotFound):
        exchange.cancel_order(NO_SUCH, SYMBOL)


def test_the_streams_are_heard(venue: CoinbaseVenue) -> None:
    """ccxt.pro hears prices, books, trades and orders."""
    pro = pytest.importorskip("ccxt.pro", reason="ccxt.pro needs aiohttp")
    key = venue.api_key

    async def listen() -> tuple[Any, ...]:
        client = pro.coinbase({"apiKey": key.name, "secret": key.secret, "enableRateLimit": False})
        client.urls["api"]["rest"] = venue.url
        client.urls["api"]["ws"] = venue.stream_url
        try:
            ticker = await client.watch_ticker(SYMBOL)
            tickers = await client.watch_tickers([SYMBOL, "ETH/USD"])
            book = await client.watch_order_book(SYMBOL)
            trades = await client.watch_trades(SYMBOL)
            hearing = asyncio.ensure_future(client.watch_orders(SYMBOL))
            while venue.requests_received("stream_orders") == 0:
                await asyncio.sleep(0.01)
            placed = await client.create_order(SYMBOL, "limit", "buy", 0.01, 50_000)
            orders = await hearing
        finally:
            await client.close()
        return ticker, tickers, book, trades, placed, orders

    ticker, tickers, book, trades, placed, orders = asyncio.run(asyncio.wait_for(listen(), 20))
    assert ticker["bid"] < ticker["ask"]
    assert set(tickers) <= {SYMBOL, "ETH/USD"}
    assert book["bids"][0][0] < book["asks"][0][0]
    assert trades[-1]["price"] > 0
    assert [one["id"] for one in orders] == [placed["id"]]
