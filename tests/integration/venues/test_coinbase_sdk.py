"""The official client, unpatched, on the simulated Advanced Trade: only its addresses are given."""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
import requests
from coinbase.rest import RESTClient
from coinbase.websocket import WSClient, WSUserClient

from bot_v2.features.brokerages.coinbase.adapter import CoinbaseBrokerage
from bot_v2.features.brokerages.coinbase.settings import read_settings
from bot_v2.features.brokerages.http.requests_session import RequestsSession
from bot_v2.features.brokerages.http.settings import HttpSettings
from bot_v2.features.brokerages.http.transport import HttpTransport
from bot_v2.venues.certificates import ThrowawayTls
from bot_v2.venues.coinbase.keys import ApiKey
from bot_v2.venues.coinbase.venue import CoinbaseVenue

D = Decimal
TIMEOUT_S = 5.0


def client_of(venue: CoinbaseVenue, key: ApiKey) -> RESTClient:
    """Return the official client; it builds https addresses only."""
    return RESTClient(
        api_key=key.name, api_secret=key.secret, base_url=venue.secure_authority, timeout=5
    )


@pytest.mark.parametrize("kind", ["api_key", "ed25519_api_key"])
def test_the_official_client_trades(venue: CoinbaseVenue, kind: str) -> None:
    """Accounts, products, create, get, cancel and fills, with either kind of key."""
    client = client_of(venue, getattr(venue, kind))
    accounts = client.get_accounts(limit=1)
    assert accounts.accounts[0].currency == "USD"
    assert accounts.has_next is True
    assert client.get_accounts(cursor=accounts.cursor).accounts[0].currency == "USDC"
    products = client.get_products(product_type="SPOT", product_ids=["BTC-USD", "ETH-USD"])
    assert [one.product_id for one in products.products] == ["BTC-USD", "ETH-USD"]

    placed = client.limit_order_gtc_buy("mine", "BTC-USD", "0.1", "50000")
    order_id = placed.success_response["order_id"]
    order = client.get_order(order_id).order
    assert (order.status, order.client_order_id) == ("OPEN", "mine")
    assert order.order_configuration.limit_limit_gtc.limit_price == "50000"
    results = client.cancel_orders([order_id]).results
    assert [one.success for one in results] == [True]
    assert client.get_order(order_id).order.status == "CANCELLED"

    bought = client.market_order_buy("market", "BTC-USD", quote_size="1000")
    fills = client.get_fills(order_ids=[bought.success_response["order_id"]]).fills
    assert sum(D(one.size) for one in fills) > 0
    listed = client.list_orders(product_ids=["BTC-USD"], limit=1)
    assert [one.client_order_id for one in listed.orders] == ["market"]
    rest = client.list_orders(product_ids=["BTC-USD"], cursor=listed.cursor)
    assert [one.client_order_id for one in rest.orders] == ["mine"]
    assert [one.order_id for one in venue.orders_received()] == [
        order_id,
        bought.success_response["order_id"],
    ]


def test_the_official_client_reads_the_rest(venue: CoinbaseVenue) -> None:
    """Prices, books, trades, candles, fees, portfolios, perpetuals and futures."""
    client = client_of(venue, venue.api_key)
    assert D(client.get_product("BTC-USD").price) > 0
    assert client.get_public_product("BTC-USD").product_id == "BTC-USD"
    assert client.get_best_bid_ask(["BTC-USD"]).pricebooks[0].product_id == "BTC-USD"
    assert len(client.get_product_book("BTC-USD", limit=3).pricebook.bids) == 3
    assert len(client.get_market_trades("BTC-USD", 4).trades) == 4
    now = int(time.time())
    candles = client.get_candles("BTC-USD", str(now - 3600), str(now), "FIVE_MINUTE").candles
    assert len(candles) in (12, 13)
    assert abs(int(client.get_unix_time().epoch_seconds) - now) < 60
    assert client.get_transaction_summary().fee_tier["taker_fee_rate"] == "0.008"
    assert client.get_api_key_permissions().can_trade is True
    portfolio = client.get_portfolios("INTX").portfolios[0].uuid
    client.market_order_buy("perp", "BTC-PERP-INTX", base_size="0.5")
    position = client.get_perps_position(portfolio, "BTC-PERP-INTX").position
    assert position.net_size == "0.5"
    assert client.list_perps_positions(portfolio).positions[0].symbol == "BTC-PERP-INTX"
    assert client.get_perps_portfolio_summary(portfolio).portfolios[0].portfolio_uuid == portfolio
    assert client.get_perps_portfolio_balances(portfolio).portfolio_balances[0].balances
    closed = client.close_position("close", "BTC-PERP-INTX")
    assert closed.success is True
    assert client.list_perps_positions(portfolio).positions == []
    client.market_order_sell("future", "BIT-29DEC28-CDE", base_size="3")
    assert client.list_futures_positions().positions[0].number_of_contracts == "3"
    assert client.get_futures_balance_summary().balance_summary.cfm_usd_balance["currency"] == "USD"


def test_the_official_client_places_every_kind(venue: CoinbaseVenue) -> None:
    """Each of its helpers makes an order, and each of its previews finds nothing wrong."""
    client = client_of(venue, venue.api_key)
    end, up = "2099-01-01T00:00:00Z", "STOP_DIRECTION_STOP_UP"
    product = "BTC-USD"
    placed = [
        client.market_order_buy("1", product, base_size="0.1"),
        client.limit_order_ioc_buy("2", product, "0.1", "61000"),
        client.limit_order_gtc_buy("3", product, "0.1", "50000", post_only=True),
        client.limit_order_gtd_buy("4", product, "0.1", "50000", end),
        client.limit_order_fok_buy("5", product, "0.1", "61000"),
        client.stop_limit_order_gtc_buy("6", product, "0.1", "66000", "65000", up),
        client.stop_limit_order_gtd_buy("7", product, "0.1", "66000", "65000", end, up),
        client.trigger_bracket_order_gtc_sell("8", product, "0.01", "65000", "55000"),
        client.trigger_bracket_order_gtd_sell("9", product, "0.01", "65000", "55000", end),
    ]
    assert [one.success for one in placed] == [True] * 9
    previews = [
        client.preview_market_order_buy(product, quote_size="100"),
        client.preview_limit_order_gtc_buy(product, "0.1", "50000"),
        client.preview_stop_limit_order_gtc_buy(product, "0.1", "66000", "65000", up),
    ]
    assert [one.errs for one in previews] == [[], [], []]
    edited = client.edit_order(placed[2].success_response["order_id"], size="0.2", price="51000")
    assert (edited.success, edited.errors) == (True, [])


def test_a_refusal_is_told_as_the_official_client_expects_it(venue: CoinbaseVenue) -> None:
    """Inside a 200 for an order, as an HTTP error for a read and for a key that may not."""
    client = client_of(venue, venue.api_key)
    refused = client.limit_order_gtc_buy("a", "BTC-USD", "100", "50000")
    assert refused.success is False
    assert refused.error_response["error"] == "INSUFFICIENT_FUND"
    with pytest.raises(requests.HTTPError) as missing:
        client.get_order("never")
    assert _status_of(missing.value) == 404
    viewer = client_of(venue, venue.view_only_api_key)
    with pytest.raises(requests.HTTPError, match="Missing Required Scopes"):
        viewer.limit_order_gtc_buy("b", "BTC-USD", "0.1", "50000")
    stranger = client_of(venue, CoinbaseVenue(seed=99).api_key)
    with pytest.raises(requests.HTTPError) as unknown:
        stranger.get_accounts()
    assert _status_of(unknown.value) == 401


def _status_of(error: requests.HTTPError) -> int:
    assert error.response is not None
    return error.response.status_code


class Heard:
    """What a WebSocket client heard."""

    def __init__(self) -> None:
        self.messages: list[Any] = []
        self._changed = threading.Condition()

    def __call__(self, text: str) -> None:
        """Note a message."""
        with self._changed:
            self.messages.append(json.loads(text))
            self._changed.notify_all()

    def wait_for(self, fits: Callable[[Any], bool]) -> Any:
        """Return the first message that fits."""
        with self._changed:
            found = self._changed.wait_for(
                lambda: [one for one in self.messages if fits(one)], TIMEOUT_S
            )
        assert found, self.messages[-3:]
        return found[0]


def _of(channel: str, kind: str) -> Callable[[Any], bool]:
    return lambda one: one["channel"] == channel and one["events"][0].get("type") == kind


@pytest.fixture
def market(venue: CoinbaseVenue) -> Iterator[tuple[WSClient, Heard]]:
    """The official client of market data, connected."""
    heard = Heard()
    key = venue.api_key
    client = WSClient(
        api_key=key.name,
        api_secret=key.secret,
        base_url=venue.stream_url,
        on_message=heard,
        retry=False,
    )
    client.open()
    yield client, heard
    client.close()


def test_the_official_stream_of_books(venue: CoinbaseVenue, market: tuple[WSClient, Heard]) -> None:
    """A snapshot, then what changed; put together they are the book that the venue has."""
    client, heard = market
    client.level2(product_ids=["BTC-USD"])
    snapshot = heard.wait_for(_of("l2_data", "snapshot"))
    levels = {
        (one["side"], one["price_level"]): one["new_quantity"]
        for one in snapshot["events"][0]["updates"]
    }
    venue.set_market("BTC-USD", D(60100), D(60110), D(3))
    update = heard.wait_for(_of("l2_data", "update"))
    for one in update["events"][0]["updates"]:
        key = (one["side"], one["price_level"])
        if one["new_quantity"] == "0":
            del levels[key]
        else:
            levels[key] = one["new_quantity"]
    assert levels == {("bid", "60100"): "3", ("offer", "60110"): "3"}
    numbers = [one["sequence_num"] for one in heard.messages]
    assert numbers == list(range(len(numbers)))


def test_the_official_stream_of_prices(
    venue: CoinbaseVenue, market: tuple[WSClient, Heard]
) -> None:
    """Tickers, trades, heartbeats, and what is subscribed to."""
    client, heard = market
    client.subscribe(["BTC-USD"], ["ticker", "market_trades", "heartbeats"])
    heard.wait_for(_of("ticker", "snapshot"))
    heard.wait_for(_of("market_trades", "snapshot"))
    venue.set_market("BTC-USD", D(60100), D(60110), D(3))
    ticker = heard.wait_for(_of("ticker", "update"))["events"][0]["tickers"][0]
    assert (ticker["best_bid"], ticker["best_ask"], ticker["price"]) == ("60100", "60110", "60100")
    trade = heard.wait_for(_of("market_trades", "update"))["events"][0]["trades"][0]
    assert (trade["price"], trade["size"]) == ("60100", "3")
    beat = heard.wait_for(lambda one: one["channel"] == "heartbeats")
    assert beat["events"][0]["heartbeat_counter"] == 1
    client.ticker_unsubscribe(product_ids=["BTC-USD"])
    told = {"market_trades": ["BTC-USD"], "heartbeats": ["BTC-USD"]}
    heard.wait_for(
        lambda one: one["channel"] == "subscriptions" and one["events"][0]["subscriptions"] == told
    )


def test_the_official_stream_of_orders(venue: CoinbaseVenue) -> None:
    """The live orders at first; then each step of an order's life, the last one filled."""
    key, heard = venue.api_key, Heard()
    rest = client_of(venue, key)
    rest.limit_order_gtc_buy("before", "BTC-USD", "0.1", "40000")
    client = WSUserClient(
        api_key=key.name,
        api_secret=key.secret,
        base_url=venue.stream_url,
        on_message=heard,
        retry=False,
    )
    client.open()
    client.user(product_ids=["BTC-USD"])
    snapshot = heard.wait_for(_of("user", "snapshot"))
    assert [one["client_order_id"] for one in snapshot["events"][0]["orders"]] == ["before"]
    order_id = rest.limit_order_gtc_buy("mine", "BTC-USD", "0.1", "50000").success_response[
        "order_id"
    ]
    venue.fill(order_id, D("0.04"), D(50000))
    venue.fill(order_id, D("0.06"), D(50000))

    def is_filled(one: Any) -> bool:
        return _of("user", "update")(one) and one["events"][0]["orders"][0]["status"] == "FILLED"

    heard.wait_for(is_filled)
    client.close()
    told = [one["events"][0]["orders"][0] for one in heard.messages if _of("user", "update")(one)]
    seen = [one["cumulative_quantity"] for one in told if one["order_id"] == order_id]
    assert list(dict.fromkeys(seen)) == ["0", "0.04", "0.1"]
    assert told[-1]["leaves_quantity"] == "0"


def test_a_stranger_hears_no_orders(venue: CoinbaseVenue) -> None:
    """A subscription signed with a key that does not exist is refused, and says so."""
    key, heard = CoinbaseVenue(seed=99).api_key, Heard()
    client = WSUserClient(
        api_key=key.name,
        api_secret=key.secret,
        base_url=venue.stream_url,
        on_message=heard,
        retry=False,
    )
    client.open()
    client.user(product_ids=["BTC-USD"])
    refusal = heard.wait_for(lambda one: one.get("type") == "error")
    client.close()
    assert refusal["message"] == "authentication failure"
    assert [one for one in heard.messages if one.get("channel") == "user"] == []


def test_the_official_stream_of_candles_and_products(
    venue: CoinbaseVenue, market: tuple[WSClient, Heard]
) -> None:
    """The candle of five minutes that forms, once a second, and what the products are."""
    client, heard = market
    client.candles(product_ids=["BTC-USD"])
    client.status(product_ids=["BTC-USD", "BTC-PERP-INTX"])
    for kind in ("snapshot", "update"):
        (candle,) = heard.wait_for(_of("candles", kind))["events"][0]["candles"]
        assert candle["product_id"] == "BTC-USD"
        assert int(candle["start"]) % 300 == 0
        assert D(candle["low"]) <= D(candle["open"]) <= D(candle["high"])
        assert D(candle["low"]) <= D(candle["close"]) <= D(candle["high"])
        listed = client_of(venue, venue.api_key).get_candles(
            "BTC-USD", candle["start"], candle["start"], "FIVE_MINUTE"
        )
        assert listed.candles[0].open == candle["open"]
    products = heard.wait_for(_of("status", "snapshot"))["events"][0]["products"]
    assert [(one["id"], one["product_type"], one["status"]) for one in products] == [
        ("BTC-USD", "SPOT", "online"),
        ("BTC-PERP-INTX", "FUTURE", "online"),
    ]


def test_the_official_stream_of_what_futures_are_held_with(venue: CoinbaseVenue) -> None:
    """How the account stands, and again when a future was traded; as the REST API says it."""
    key, heard = venue.api_key, Heard()
    client = WSUserClient(
        api_key=key.name,
        api_secret=key.secret,
        base_url=venue.stream_url,
        on_message=heard,
        retry=False,
    )
    client.open()
    client.futures_balance_summary()
    channel = "futures_balance_summary"
    first = heard.wait_for(_of(channel, "snapshot"))["events"][0]["fcm_balance_summary"]
    rest = client_of(venue, key)
    rest.market_order_buy("future", "BIT-29DEC28-CDE", base_size="3")
    margin = rest.get_futures_balance_summary().balance_summary["initial_margin"]["value"]

    def has_margin(one: Any) -> bool:
        is_update = _of(channel, "update")(one)
        return is_update and one["events"][0]["fcm_balance_summary"]["initial_margin"] == margin

    told = heard.wait_for(has_margin)["events"][0]["fcm_balance_summary"]
    client.close()
    assert D(first["initial_margin"]) == 0 < D(told["initial_margin"])
    summary = rest.get_futures_balance_summary().balance_summary
    for name in ("futures_buying_power", "cfm_usd_balance", "initial_margin", "available_margin"):
        assert told[name] == summary[name]["value"]
    window = told["intraday_margin_window_measure"]
    assert window["margin_window_type"] == "FCM_MARGIN_WINDOW_TYPE_INTRADAY"
    assert window["initial_margin"] == told["initial_margin"]


def test_live_orders_come_by_fifties(venue: CoinbaseVenue) -> None:
    """A message that is not full is the last of those that tell what is live."""
    key, heard = venue.api_key, Heard()
    rest = client_of(venue, key)
    for number in range(53):
        rest.limit_order_gtc_buy(f"n{number}", "BTC-USD", "0.0001", "40000")
    client = WSUserClient(
        api_key=key.name,
        api_secret=key.secret,
        base_url=venue.stream_url,
        on_message=heard,
        retry=False,
    )
    client.open()
    client.user(product_ids=[])
    heard.wait_for(
        lambda one: _of("user", "snapshot")(one) and len(one["events"][0]["orders"]) < 50
    )
    client.close()
    snapshots = [one["events"][0]["orders"] for one in heard.messages if one["channel"] == "user"]
    assert [len(orders) for orders in snapshots] == [50, 3]


def test_a_brokerage_gives_the_official_client(venue: CoinbaseVenue, tls: ThrowawayTls) -> None:
    """With the brokerage's credentials and over its transport: no session of its own is opened."""
    given = {
        "cdp_api_key": venue.api_key.name,
        "cdp_private_key": venue.api_key.secret,
        "api_base": f"https://{venue.secure_authority}",
    }
    context = ssl.create_default_context(cafile=tls.certificate_file)
    transport = HttpTransport(HttpSettings(user_agent="ours"), tls=context)
    broker = CoinbaseBrokerage(read_settings(given, {}), transport=transport)
    broker.connect()
    client = broker.native
    assert isinstance(client, RESTClient)
    assert isinstance(client.session, RequestsSession)
    assert client.get_portfolios().portfolios[0].uuid == broker.get_account_id()
    placed = client.limit_order_gtc_buy("native", "BTC-USD", "0.1", "50000")
    order = broker.get_order(placed.success_response["order_id"])
    assert order.client_order_id == "native"
    broker.disconnect()
    transport.close()
