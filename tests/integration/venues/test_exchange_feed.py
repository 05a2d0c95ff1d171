"""The feed of the simulated Exchange API, heard by a client that knows nothing of it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any

import pytest
import urllib3
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from bot_v2.simulation.faults import Fault
from bot_v2.venues import sockets
from bot_v2.venues.coinbase import exchange_feed
from bot_v2.venues.coinbase.exchange_venue import CoinbaseExchangeVenue

D = Decimal
PATIENCE_S = 10.0


@pytest.fixture
def venue(monkeypatch: pytest.MonkeyPatch) -> Iterator[CoinbaseExchangeVenue]:
    """The Exchange API on this machine, with twenty beats a second."""
    monkeypatch.setattr(sockets, "BEAT_S", 0.05)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with CoinbaseExchangeVenue() as venue:
        yield venue


def sign(venue: CoinbaseExchangeVenue, method: str, path: str, body: str = "") -> dict[str, str]:
    """Return what signs a request, by the reference."""
    key, stamp = venue.api_key, str(time.time())
    message = f"{stamp}{method}{path}{body}".encode()
    digest = hmac.new(base64.b64decode(key.secret), message, hashlib.sha256).digest()
    return {
        "key": key.key,
        "passphrase": key.passphrase,
        "timestamp": stamp,
        "signature": base64.b64encode(digest).decode(),
    }


def request(venue: CoinbaseExchangeVenue, method: str, path: str, **fields: object) -> Any:
    """Ask the REST API."""
    body = json.dumps(fields) if fields else ""
    signed = sign(venue, method, path, body)
    headers = {
        "CB-ACCESS-KEY": signed["key"],
        "CB-ACCESS-SIGN": signed["signature"],
        "CB-ACCESS-TIMESTAMP": signed["timestamp"],
        "CB-ACCESS-PASSPHRASE": signed["passphrase"],
    }
    answer = urllib3.request(method, f"{venue.url}{path}", body=body or None, headers=headers)
    assert answer.status == 200, answer.data
    return answer.json()


class Client:
    """A connection, and what came by it."""

    def __init__(self, venue: CoinbaseExchangeVenue) -> None:
        """Connect."""
        self.socket: ClientConnection = connect(venue.stream_url, close_timeout=0.1)
        self.heard: list[Any] = []

    def ask(self, kind: str = "subscribe", **fields: Any) -> None:
        """Send a message."""
        self.socket.send(json.dumps({"type": kind, **fields}))

    def next(self, kind: str, fits: Callable[[Any], bool] = lambda _: True) -> Any:
        """Return the next message of a type that fits."""
        while True:
            message = json.loads(self.socket.recv(timeout=PATIENCE_S))
            self.heard.append(message)
            if message["type"] == kind and fits(message):
                return message


@pytest.fixture
def client(venue: CoinbaseExchangeVenue) -> Iterator[Client]:
    """A client of the feed."""
    made = Client(venue)
    yield made
    made.socket.close()


def test_channels_are_listed_as_they_are_asked_for(
    venue: CoinbaseExchangeVenue, client: Client
) -> None:
    """Products are named for all channels or for one; each answer lists all of them."""
    client.ask(
        product_ids=["ETH-USD"],
        channels=["heartbeat", {"name": "ticker_1000", "product_ids": ["BTC-USD"]}],
    )
    told = client.next("subscriptions")["channels"]
    assert {one["name"]: one["product_ids"] for one in told} == {
        "heartbeat": ["ETH-USD"],
        "ticker_batch": ["BTC-USD", "ETH-USD"],
    }
    client.ask("unsubscribe", channels=["ticker_batch"])
    assert [one["name"] for one in client.next("subscriptions")["channels"]] == ["heartbeat"]
    client.ask("unsubscribe", channels=["ticker"], product_ids=["BTC-USD"])
    assert [one["name"] for one in client.next("subscriptions")["channels"]] == ["heartbeat"]
    assert venue.requests_received("stream_quotes") >= 2


@pytest.mark.parametrize(
    ("message", "error", "reason"),
    [
        ({}, "Failed to subscribe", "No channels provided"),
        ({"channels": ["ticker"]}, "Failed to subscribe", " is not a valid product"),
        (
            {"channels": ["ticker"], "product_ids": ["NO-SUCH"]},
            "Failed to subscribe",
            "NO-SUCH is not a valid product",
        ),
        (
            {"channels": ["nonsense"], "product_ids": ["BTC-USD"]},
            "Failed to subscribe",
            "nonsense is not a valid channel",
        ),
        (
            {"channels": ["level2"], "product_ids": ["BTC-USD"]},
            "Failed to subscribe",
            exchange_feed.UNAUTHENTICATED,
        ),
        (
            {"channels": ["user"], "product_ids": ["BTC-USD"]},
            "Failed to subscribe",
            exchange_feed.UNAUTHENTICATED,
        ),
    ],
)
def test_what_is_refused(
    client: Client, message: Mapping[str, Any], error: str, reason: str
) -> None:
    """The error says what was wrong, and the connection lives on."""
    client.ask(**message)
    told = client.next("error")
    assert (told["message"], told["reason"]) == (error, reason)
    client.ask(channels=["status"])
    assert client.next("subscriptions")


def test_signatures_are_checked(venue: CoinbaseExchangeVenue, client: Client) -> None:
    """Key, passphrase, time and signature have to fit; the reason is the API's own error."""
    good = sign(venue, "GET", "/users/self/verify")
    for name, value, reason in (
        ("key", "another", "Invalid API Key"),
        ("passphrase", "another", "Invalid Passphrase"),
        ("signature", "AAAA", "invalid signature"),
        ("timestamp", "1", "request timestamp expired"),
    ):
        client.ask(channels=["user"], product_ids=["BTC-USD"], **{**good, name: value})
        told = client.next("error")
        assert told["message"] == "Authentication Failed"
        assert json.loads(told["reason"]) == {"message": reason}
    client.ask(channels=["user"], product_ids=["BTC-USD"], **good)
    assert client.next("subscriptions")


def test_what_is_no_message(client: Client) -> None:
    """Garbage and unknown types are told so."""
    client.socket.send("garbage")
    assert client.next("error")["message"] == "Malformed JSON"
    client.ask("dance")
    assert "subscribe or unsubscribe" in client.next("error")["message"]


def test_who_says_nothing_is_left(
    venue: CoinbaseExchangeVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection without a subscription ends."""
    monkeypatch.setattr(exchange_feed, "SUBSCRIBE_WITHIN_S", 0.05)
    with connect(venue.stream_url) as socket, pytest.raises(ConnectionClosed):
        socket.recv(timeout=PATIENCE_S)


def test_prices_trades_and_signs_of_life(venue: CoinbaseExchangeVenue, client: Client) -> None:
    """A ticker and the last trade at first, then each trade, and a heartbeat with its number."""
    channels = ["heartbeat", "ticker", "ticker_batch", "matches", "status"]
    client.ask(product_ids=["BTC-USD"], channels=channels)
    assert client.next("ticker")["product_id"] == "BTC-USD"
    last = client.next("last_match")
    assert {one["id"] for one in client.next("status")["products"]} >= {"BTC-USD", "ETH-BTC"}
    venue.set_market("BTC-USD", D(60100), D(60110), D(3))
    match = client.next("match")
    assert match["trade_id"] == last["trade_id"] + 1
    assert (match["price"], match["size"]) == ("60100.00000000", "3.00000000")
    assert match["side"] == "buy"
    ticker = client.next("ticker")
    assert (ticker["best_bid"], ticker["best_ask"], ticker["price"]) == ("60100", "60110", "60100")
    assert (ticker["trade_id"], ticker["side"]) == (match["trade_id"], "sell")
    beat = client.next("heartbeat", lambda one: one["last_trade_id"] == match["trade_id"])
    assert beat["product_id"] == "BTC-USD"
    # A batch of tickers, and the status, come again after five beats.
    assert client.next("ticker")["trade_id"] == match["trade_id"]
    assert client.next("status")


@pytest.mark.parametrize("channel", ["level2", "level2_batch"])
def test_books_are_a_snapshot_and_what_changed(
    venue: CoinbaseExchangeVenue, client: Client, channel: str
) -> None:
    """Put together they are the book that the venue has; only level2 wants a signature."""
    signed = sign(venue, "GET", "/users/self/verify") if channel == "level2" else {}
    client.ask(product_ids=["BTC-USD"], channels=[channel], **signed)
    snapshot = client.next("snapshot")
    book = {("buy", price): size for price, size in snapshot["bids"]}
    book |= {("sell", price): size for price, size in snapshot["asks"]}
    assert len(book) > 2
    with venue.state.lock:
        venue.set_market("BTC-USD", D(60100), D(60110), D(3))
        venue.set_market("BTC-USD", D(60101), D(60110), D(4))
    for _ in range(1 if channel == "level2_batch" else 2):
        for side, price, size in client.next("l2update")["changes"]:
            if D(size):
                book[side, price] = size
            else:
                book.pop((side, price), None)
    assert book == {
        ("buy", "60101.00000000"): "4.00000000",
        ("sell", "60110.00000000"): "4.00000000",
    }


def test_the_life_of_orders_is_told_to_their_owner(
    venue: CoinbaseExchangeVenue, client: Client
) -> None:
    """Received, open, match, done, in order; with the profile, the fee rate and the client id."""
    signed = sign(venue, "GET", "/users/self/verify")
    client.ask(product_ids=["BTC-USD"], channels=["user"], **signed)
    client.next("subscriptions")
    oid = "11111111-2222-4333-8444-555555555555"
    placed = request(
        venue,
        "POST",
        "/orders",
        product_id="BTC-USD",
        side="buy",
        price="50000",
        size="0.5",
        client_oid=oid,
    )
    received = client.next("received")
    assert (received["order_id"], received["client_oid"]) == (placed["id"], oid)
    assert (received["size"], received["price"], received["order_type"]) == (
        "0.50000000",
        "50000.00000000",
        "limit",
    )
    opened = client.next("open")
    assert (opened["order_id"], opened["remaining_size"]) == (placed["id"], "0.50000000")
    venue.fill(placed["id"], D("0.2"), D(50000))
    match = client.next("match")
    assert (match["maker_order_id"], match["side"], match["size"]) == (
        placed["id"],
        "buy",
        "0.20000000",
    )
    assert match["maker_profile_id"] == match["profile_id"] == venue.profile_id
    (fill,) = request(venue, "GET", "/fills?product_id=BTC-USD")
    assert fill["trade_id"] == match["trade_id"]
    request(venue, "DELETE", f"/orders/{placed['id']}")
    done = client.next("done")
    assert (done["reason"], done["remaining_size"]) == ("canceled", "0.30000000")
    numbers = [one["sequence"] for one in client.heard if "sequence" in one]
    assert numbers == sorted(set(numbers))


def test_market_orders_and_stops_live_shorter_and_longer(
    venue: CoinbaseExchangeVenue, client: Client
) -> None:
    """A market order is never open; a stop is activated first, and received when it triggers."""
    signed = sign(venue, "GET", "/users/self/verify")
    client.ask(product_ids=["BTC-USD"], channels=["user"], **signed)
    client.next("subscriptions")
    bought = request(
        venue, "POST", "/orders", product_id="BTC-USD", side="buy", type="market", funds="100"
    )
    assert client.next("received")["funds"] == "100.00000000"
    match = client.next("match")
    assert (match["taker_order_id"], match["side"]) == (bought["id"], "sell")
    done = client.next("done")
    assert done["reason"] == "filled"
    assert "remaining_size" not in done
    stop = request(
        venue,
        "POST",
        "/orders",
        product_id="BTC-USD",
        side="buy",
        price="66000",
        size="0.1",
        stop="entry",
        stop_price="65000",
    )
    activated = client.next("activate")
    assert (activated["order_id"], activated["stop_type"]) == (stop["id"], "entry")
    assert activated["private"] is True
    venue.set_market("BTC-USD", D(65000), D(65001), D(1))
    assert client.next("received")["order_id"] == stop["id"]
    assert client.next("match")["taker_order_id"] == stop["id"]
    assert client.next("done")["order_id"] == stop["id"]
    assert "open" not in {one["type"] for one in client.heard}


def test_an_order_that_expires_says_why(venue: CoinbaseExchangeVenue, client: Client) -> None:
    """Its owner is told that the time in force ended it."""
    signed = sign(venue, "GET", "/users/self/verify")
    client.ask(product_ids=["BTC-USD"], channels=["user"], **signed)
    terms = {"price": "50000", "size": "0.1", "time_in_force": "GTT", "cancel_after": "min"}
    request(venue, "POST", "/orders", product_id="BTC-USD", side="buy", **terms)
    client.next("open")
    venue.advance(61)
    assert client.next("done")["cancel_reason"] == "101:Time In Force"


def test_the_full_channel_joins_the_book(venue: CoinbaseExchangeVenue, client: Client) -> None:
    """A book of single orders, played on with what comes, is the book that the venue has."""
    signed = sign(venue, "GET", "/users/self/verify")
    client.ask(product_ids=["BTC-USD"], channels=["full"], **signed)
    client.next("subscriptions")
    start = request(venue, "GET", "/products/BTC-USD/book?level=3")
    orders = {name: (price, D(size)) for price, size, name in (*start["bids"], *start["asks"])}
    venue.set_market("BTC-USD", D(60100), D(60110), D(3))
    venue.set_market("BTC-USD", D(60100), D(60111), D(2))
    last = start["sequence"]
    end = request(venue, "GET", "/products/BTC-USD/book?level=3")
    while last < end["sequence"]:
        message = json.loads(client.socket.recv(timeout=PATIENCE_S))
        assert message["sequence"] == last + 1
        last = message["sequence"]
        if message["type"] == "open":
            orders[message["order_id"]] = (message["price"], D(message["remaining_size"]))
        elif message["type"] == "change":
            orders[message["order_id"]] = (message["price"], D(message["new_size"]))
        elif message["type"] == "done":
            del orders[message["order_id"]]
    told = {(D(price), size) for price, size in orders.values()}
    assert told == {(D(60100), D(2)), (D(60111), D(2))}
    assert {name for *_, name in (*end["bids"], *end["asks"])} == set(orders)


def test_faults_befall_the_feed(venue: CoinbaseExchangeVenue, client: Client) -> None:
    """A mute feed says nothing, not even heartbeats; a duplicate comes twice."""
    client.ask(product_ids=["BTC-USD"], channels=["matches"])
    client.next("last_match")
    venue.inject(Fault.MUTE_STREAM)
    venue.set_market("BTC-USD", D(60100), D(60110), D(3))
    # By the same loop: what was to be told before it is answered was told, or kept back.
    request(venue, "GET", "/time")
    venue.clear_faults()
    venue.inject(Fault.DUPLICATE_EVENT)
    venue.set_market("BTC-USD", D(60200), D(60210), D(3))
    first, second = client.next("match"), client.next("match")
    assert first == second
    assert first["price"] == "60200.00000000"
    venue.clear_faults()
    venue.inject(Fault.REORDER_EVENTS, "stream_quotes")
    for bid in (60300, 60400):
        venue.set_market("BTC-USD", D(bid), D(bid + 10), D(3))
    prices = [client.next("match")["price"] for _ in range(2)]
    assert prices == ["60400.00000000", "60300.00000000"]
