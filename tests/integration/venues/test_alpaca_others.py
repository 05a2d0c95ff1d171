"""Other people's clients, unmodified but for their addresses; skipped where not installed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from bot_v2.venues.alpaca.venue import AlpacaVenue

SYMBOL = "BTC/USD"


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests may sit behind a proxy."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def alpaca() -> Iterator[AlpacaVenue]:
    """Alpaca on this machine."""
    with AlpacaVenue(rate_limit=None) as venue:
        yield venue


@pytest.fixture
def ccxt_client(alpaca: AlpacaVenue) -> Iterator[Any]:
    """The client of ccxt."""
    ccxt: Any = pytest.importorskip("ccxt", reason="ccxt is no requirement of the project's")
    key = alpaca.api_key
    client = ccxt.alpaca({"apiKey": key.key, "secret": key.secret, "enableRateLimit": False})
    client.urls["api"] = dict.fromkeys(client.urls["api"], alpaca.url)
    yield client
    client.session.close()


def test_ccxt_trades(alpaca: AlpacaVenue, ccxt_client: Any) -> None:
    """Markets, prices, orders of either kind, changes, cancels, trades."""
    client = ccxt_client
    assert client.load_markets()[SYMBOL]["active"]
    assert client.fetch_ticker(SYMBOL)["last"] > 0
    book = client.fetch_order_book(SYMBOL)
    assert book["bids"][0][0] < book["asks"][0][0]
    assert len(client.fetch_ohlcv(SYMBOL, "1h", None, 5)) == 5
    assert len(client.fetch_trades(SYMBOL)) == 40
    placed = client.create_order(SYMBOL, "limit", "buy", 0.01, 50000)
    assert client.fetch_order(placed["id"])["status"] == "open"
    changed = client.edit_order(placed["id"], SYMBOL, "limit", "buy", 0.01, 51000)
    assert [one["id"] for one in client.fetch_open_orders()] == [changed["id"]]
    client.cancel_order(changed["id"])
    bought = client.create_order(SYMBOL, "market", "buy", 0.01)
    client.create_order(SYMBOL, "market", "sell", 0.005)
    assert client.fetch_order(bought["id"])["filled"] == 0.01
    assert [one["amount"] for one in client.fetch_my_trades(SYMBOL)] == [0.01, 0.005]
    assert len(alpaca.orders_received()) == 4


def test_ccxt_reads_refusals(ccxt_client: Any) -> None:
    """Each becomes the error that ccxt has for it."""
    ccxt: Any = pytest.importorskip("ccxt")
    with pytest.raises(ccxt.InsufficientFunds):
        ccxt_client.create_order(SYMBOL, "limit", "buy", 10, 50000)
    with pytest.raises(ccxt.InvalidOrder):
        ccxt_client.cancel_order("00000000-0000-4000-8000-000000000000")


def test_ccxt_streams(alpaca: AlpacaVenue) -> None:
    """Books and orders, on the addresses that it knows."""
    pro: Any = pytest.importorskip("ccxt.pro", reason="ccxt is no requirement of the project's")
    key = alpaca.api_key

    async def run() -> tuple[Any, Any]:
        client = pro.alpaca({"apiKey": key.key, "secret": key.secret, "enableRateLimit": False})
        api = client.urls["api"]
        for name in set(api) - {"ws"}:
            api[name] = alpaca.url
        for name, url in api["ws"].items():
            api["ws"][name] = f"{alpaca.stream_url}/{url.split('/', 3)[3]}"
        try:
            book = await asyncio.wait_for(client.watch_order_book(SYMBOL), 20)
            watching = asyncio.ensure_future(client.watch_orders())
            while not alpaca.requests_received("stream_orders"):
                await asyncio.sleep(0.01)
            await client.create_order(SYMBOL, "limit", "buy", 0.01, 50000)
            orders = await asyncio.wait_for(watching, 20)
            return book, orders
        finally:
            await client.close()

    book, orders = asyncio.run(run())
    assert book["bids"][0][0] < book["asks"][0][0]
    assert orders[0]["symbol"] == SYMBOL


def test_the_older_official_client(alpaca: AlpacaVenue, monkeypatch: pytest.MonkeyPatch) -> None:
    """alpaca-trade-api, which many bots still use."""
    old: Any = pytest.importorskip("alpaca_trade_api", reason="it is no requirement")
    monkeypatch.setenv("APCA_API_DATA_URL", alpaca.url)
    key = alpaca.api_key
    client = old.REST(key.key, key.secret, alpaca.url, api_version="v2")
    assert client.get_account().status == "ACTIVE"
    placed = client.submit_order("AAPL", 3, "buy", "limit", "gtc", limit_price=150)
    changed = client.replace_order(placed.id, limit_price=151)
    assert client.get_order(placed.id).replaced_by == changed.id
    client.cancel_all_orders()
    client.submit_order("AAPL", notional=500, side="buy", type="market", time_in_force="day")
    assert float(client.get_position("AAPL").qty) > 2
    client.close_all_positions()
    assert client.list_positions() == []
    assert [one.activity_type for one in client.get_activities()] == ["FILL"] * 2
    assert client.get_latest_quote("AAPL").bp > 0
    assert len(client.get_bars("AAPL", old.TimeFrame.Day, "2026-02-02", "2026-02-06")) == 4
    assert client.get_snapshot("AAPL").daily_bar.c > 0
