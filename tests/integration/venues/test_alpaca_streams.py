"""The wire of Alpaca's streams: frames, errors, limits and faults, without a client of Alpaca's."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from decimal import Decimal
from typing import Any

import msgspec
import pytest
import urllib3
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.sync.connection import Connection

from bot_v2.simulation.faults import Fault
from bot_v2.venues.alpaca.venue import AlpacaVenue

D = Decimal
TIMEOUT_S = 20.0

Open = Callable[..., Connection]


@pytest.fixture
def alpaca() -> Iterator[AlpacaVenue]:
    """Alpaca on this machine."""
    with AlpacaVenue() as venue:
        yield venue


@pytest.fixture
def dial(alpaca: AlpacaVenue) -> Iterator[Open]:
    """Opens connections; all of them end with the test."""
    with ExitStack() as stack:

        def open_one(path: str, **headers: str) -> Connection:
            return stack.enter_context(
                connect(f"{alpaca.stream_url}{path}", additional_headers=headers, close_timeout=0.5)
            )

        yield open_one


def hear(socket: Connection) -> Any:
    """Return the next message."""
    return json.loads(socket.recv(timeout=TIMEOUT_S))


def say(socket: Connection, **message: object) -> Any:
    """Say something; return what is said next."""
    socket.send(json.dumps(message))
    return hear(socket)


def known(alpaca: AlpacaVenue, socket: Connection) -> Any:
    """Say who is there, on a stream of market data."""
    assert hear(socket) == [{"T": "success", "msg": "connected"}]
    return say(socket, action="auth", key=alpaca.api_key.key, secret=alpaca.api_key.secret)


def listen(alpaca: AlpacaVenue, dial: Open) -> Connection:
    """Return a connection that listens to trade updates."""
    socket = dial("/stream")
    key = {"key_id": alpaca.api_key.key, "secret_key": alpaca.api_key.secret}
    said = say(socket, action="authenticate", data=key)
    assert said["data"] == {"status": "authorized", "action": "authenticate"}
    said = say(socket, action="listen", data={"streams": ["trade_updates", "weather"]})
    assert said == {"stream": "listening", "data": {"streams": ["trade_updates"]}}
    return socket


def order(alpaca: AlpacaVenue, **terms: str) -> Any:
    """Place an order that waits."""
    key = alpaca.api_key
    body = {
        "symbol": "AAPL",
        "qty": "10",
        "side": "buy",
        "type": "limit",
        "limit_price": "150",
        "time_in_force": "day",
        **terms,
    }
    with urllib3.PoolManager() as pool:
        said = pool.request(
            "POST",
            f"{alpaca.url}/v2/orders",
            json=body,
            headers={"APCA-API-KEY-ID": key.key, "APCA-API-SECRET-KEY": key.secret},
            timeout=TIMEOUT_S,
        )
    assert said.status == 200, said.data
    return said.json()


def test_the_paper_stream_sends_binary_frames(alpaca: AlpacaVenue, dial: Open) -> None:
    """Of JSON; the live one sends text."""
    socket = listen(alpaca, dial)
    order(alpaca)
    frame = socket.recv(timeout=TIMEOUT_S)
    assert isinstance(frame, bytes)
    assert json.loads(frame)["stream"] == "trade_updates"
    with AlpacaVenue(is_paper=False) as live, connect(f"{live.stream_url}/stream") as other:
        other.send('{"action":"listen","data":{"streams":["trade_updates"]}}')
        frame = other.recv(timeout=TIMEOUT_S)
        assert isinstance(frame, str)
        assert json.loads(frame)["data"] == {"status": "unauthorized", "action": "listen"}


def test_a_stranger_hears_no_orders(alpaca: AlpacaVenue, dial: Open) -> None:
    """He is told so, and the connection stays."""
    socket = dial("/stream")
    key = {"key_id": alpaca.foreign_api_key.key, "secret_key": alpaca.foreign_api_key.secret}
    said = say(socket, action="authenticate", data=key)
    assert said["data"]["status"] == "unauthorized"
    assert say(socket, action="listen", data={"streams": ["trade_updates"]})["data"] == {
        "status": "unauthorized",
        "action": "listen",
    }
    socket.send("what?")
    assert hear(socket)["data"]["status"] == "unauthorized"


def test_trade_updates_in_messagepack(alpaca: AlpacaVenue, dial: Open) -> None:
    """For who asks for it when he connects."""
    socket = dial("/stream", **{"Content-Type": "application/msgpack"})
    key = {"key_id": alpaca.api_key.key, "secret_key": alpaca.api_key.secret}
    socket.send(msgspec.msgpack.encode({"action": "authenticate", "data": key}))
    said = socket.recv(timeout=TIMEOUT_S)
    assert isinstance(said, bytes)
    assert msgspec.msgpack.decode(said)["data"]["status"] == "authorized"


def test_faults_befall_trade_updates(alpaca: AlpacaVenue, dial: Open) -> None:
    """Told twice, told in the other order, not told at all."""
    socket = listen(alpaca, dial)
    alpaca.inject(Fault.DUPLICATE_EVENT)
    order(alpaca)
    events = [hear(socket)["data"]["event"] for _ in range(4)]
    assert events == ["pending_new", "pending_new", "new", "new"]
    alpaca.clear_faults()
    alpaca.inject(Fault.REORDER_EVENTS, "stream_orders")
    order(alpaca)
    assert [hear(socket)["data"]["event"] for _ in range(2)] == ["new", "pending_new"]
    alpaca.inject(Fault.MUTE_STREAM)
    order(alpaca)
    # Whoever is answered now was told before what there was to tell.
    assert socket.ping().wait(TIMEOUT_S)
    alpaca.clear_faults()
    placed = order(alpaca)
    assert hear(socket)["data"]["order"]["id"] == placed["id"]


def test_a_coins_position_is_told_less_its_fee(alpaca: AlpacaVenue, dial: Open) -> None:
    """As it is held after the fill."""
    socket = listen(alpaca, dial)
    order(alpaca, symbol="BTC/USD", qty="0.1", limit_price="61000", time_in_force="gtc")
    told = [hear(socket)["data"] for _ in range(3)][2]
    assert (told["event"], told["qty"], told["position_qty"]) == ("fill", "0.1", "0.09975")


def test_exits_and_legs_are_told(alpaca: AlpacaVenue, dial: Open) -> None:
    """The entry has its held exits with it; an exit that comes to life is new."""
    socket = listen(alpaca, dial)
    key = alpaca.api_key
    body = {
        "symbol": "AAPL",
        "qty": "10",
        "side": "buy",
        "type": "market",
        "time_in_force": "day",
        "order_class": "bracket",
        "take_profit": {"limit_price": "250"},
        "stop_loss": {"stop_price": "140"},
    }
    with urllib3.PoolManager() as pool:
        pool.request(
            "POST",
            f"{alpaca.url}/v2/orders",
            json=body,
            headers={"APCA-API-KEY-ID": key.key, "APCA-API-SECRET-KEY": key.secret},
            timeout=TIMEOUT_S,
        )
    told = [hear(socket)["data"] for _ in range(4)]
    assert [one["event"] for one in told] == ["pending_new", "new", "fill", "new"]
    assert [len(one["order"]["legs"] or ()) for one in told] == [2, 2, 2, 0]
    assert told[3]["order"]["limit_price"] == "250"


# Market data


def test_prices_in_json(alpaca: AlpacaVenue, dial: Open) -> None:
    """Messages are lists; what is subscribed to is told, sorted by channel."""
    socket = dial("/v2/iex")
    assert known(alpaca, socket) == [{"T": "success", "msg": "authenticated"}]
    said = say(socket, action="subscribe", quotes=["AAPL"], trades=["*"])
    assert said[0]["T"] == "subscription"
    assert (said[0]["quotes"], said[0]["trades"], said[0]["bars"]) == (["AAPL"], ["*"], [])
    alpaca.set_market("SPY", D(600), D(601), D(5))
    assert {name: hear(socket)[0][name] for name in ("T",)} == {"T": "t"}
    said = say(socket, action="unsubscribe", trades=["*"])
    assert (said[0]["quotes"], said[0]["trades"]) == (["AAPL"], [])
    alpaca.set_market("AAPL", D("190.1"), D("190.2"), D(5))
    quote = hear(socket)[0]
    assert (quote["T"], quote["S"], quote["bp"], quote["ap"]) == ("q", "AAPL", 190.1, 190.2)


def test_a_minute_is_told_before_the_next_one_trades(alpaca: AlpacaVenue, dial: Open) -> None:
    """Its bar has its own trades alone."""
    socket = dial("/v2/iex")
    known(alpaca, socket)
    say(socket, action="subscribe", bars=["AAPL"])
    alpaca.set_market("AAPL", D(190), D(191), D(5))
    # Past the minute without a word of it: the next trade tells that it is over.
    alpaca.state.clock.advance(60)
    alpaca.set_market("AAPL", D(200), D(201), D(5))
    bar = hear(socket)[0]
    assert (bar["T"], bar["S"], bar["c"], bar["v"]) == ("b", "AAPL", 190, 5)


def test_a_book_is_told_whole(alpaca: AlpacaVenue, dial: Open) -> None:
    """At first, and at each change, and says so."""
    socket = dial("/v1beta3/crypto/us")
    known(alpaca, socket)
    say(socket, action="subscribe", orderbooks=["BTC/USD"])
    first = hear(socket)[0]
    assert (first["T"], first["r"], len(first["b"])) == ("o", True, 25)
    alpaca.set_market("BTC/USD", D(60100), D(60110), D(3))
    assert hear(socket)[0]["b"] == [{"p": 60100, "s": 3}]


@pytest.mark.parametrize(
    ("path", "code"), [("/v2/sip", 409), ("/v1beta1/opra", 412), ("/v1beta1/indicative", 412)]
)
def test_what_is_not_open_to_everybody(
    alpaca: AlpacaVenue, dial: Open, path: str, code: int
) -> None:
    """A feed that is paid for; options in JSON. The connection ends."""
    socket = dial(path)
    assert known(alpaca, socket)[0]["code"] == code
    with pytest.raises(ConnectionClosed):
        socket.recv(timeout=TIMEOUT_S)


def test_a_feed_that_is_paid_for_is_open_to_who_paid() -> None:
    """With the subscription."""
    with AlpacaVenue(has_sip=True) as venue, connect(f"{venue.stream_url}/v2/sip") as socket:
        assert known(venue, socket)[0]["msg"] == "authenticated"


def test_errors_have_codes(alpaca: AlpacaVenue, dial: Open) -> None:
    """For each mistake; only a wrong key, and a second connection, end the connection."""
    socket = dial("/v2/iex")
    hear(socket)
    assert say(socket, action="subscribe", quotes=["AAPL"])[0]["code"] == 401
    assert say(socket, action="dance")[0]["code"] == 401
    key = alpaca.api_key
    assert say(socket, action="auth", key=key.key, secret=key.secret)[0]["T"] == "success"
    assert say(socket, action="auth", key=key.key, secret=key.secret)[0]["code"] == 403
    assert say(socket, action="subscribe", orderbooks=["AAPL"])[0]["code"] == 410
    assert say(socket, action="subscribe", quotes="AAPL")[0]["code"] == 400
    assert say(socket, action="dance")[0]["code"] == 400
    socket.send("what?")
    assert hear(socket)[0]["code"] == 400
    second = dial("/v2/iex")
    assert known(alpaca, second)[0]["code"] == 406
    with pytest.raises(ConnectionClosed):
        second.recv(timeout=TIMEOUT_S)
    stranger = dial("/v1beta3/crypto/us")
    hear(stranger)
    assert say(stranger, action="auth", key="PK", secret="no")[0]["code"] == 402
    with pytest.raises(ConnectionClosed):
        stranger.recv(timeout=TIMEOUT_S)


def test_a_connection_that_ended_makes_room(alpaca: AlpacaVenue) -> None:
    """One for each endpoint at a time; headers can say who is there."""
    headers = {
        "APCA-API-KEY-ID": alpaca.api_key.key,
        "APCA-API-SECRET-KEY": alpaca.api_key.secret,
    }
    url = f"{alpaca.stream_url}/v2/iex"
    with connect(url, additional_headers=headers) as socket:
        assert [hear(socket)[0]["msg"] for _ in range(2)] == ["connected", "authenticated"]
    said = ""
    while said != "authenticated":
        # The venue sees a moment later that the first one is gone.
        with connect(url, additional_headers=headers) as socket:
            said = [hear(socket)[0]["msg"] for _ in range(2)][1]
            assert said in ("authenticated", "connection limit exceeded")
