"""Faults of the catalogue on the way to Alpaca and back: T01 to T20."""

from __future__ import annotations

import _thread
import json
import math
import signal
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import attrs
import pytest
from websockets.sync.server import ServerConnection

from bot_v2.features.brokerages.alpaca.adapter import AlpacaBrokerage
from bot_v2.features.brokerages.alpaca.settings import read_settings
from bot_v2.features.brokerages.core.events import OrderEvent, StreamGap
from bot_v2.features.brokerages.core.interfaces import (
    BrokerageError,
    BrokerAPIError,
    ConnectionError,
    OrderOutcomeUnknownError,
    OrderStatus,
    Outcome,
    TimeoutError,
)
from bot_v2.features.brokerages.http.settings import HttpSettings
from bot_v2.simulation.faults import Fault
from bot_v2.testing.streams import listening
from bot_v2.venues.alpaca.venue import AlpacaVenue
from tests.integration.alpaca.faults.conftest import (
    BOUNDS,
    REF,
    RESTING,
    SYMBOL,
    TAKING,
    TIMEOUT_S,
    Bench,
    place,
)
from tests.integration.alpaca.faults.relay import Relay
from tests.integration.coinbase.faults.front import Front
from tests.integration.http.certificates import write_certificate
from tests.integration.http.wire_server import Received, WireServer, drip, reply, reset
from tests.integration.streaming.scripted import ScriptedServer, cut

AUTHORIZED = {"stream": "authorization", "data": {"status": "authorized"}}
LISTENING = {"stream": "listening", "data": {"streams": ["trade_updates"]}}
PAGE = b"<html><body>A proxy speaks</body></html>"
LONG_S = 20.0
"""How long an event may take on a busy machine, in seconds."""


def serving(folder: Path, tls: ssl.SSLContext) -> Path:
    """Make a certificate, have a server show it from now on, and return what to trust."""
    folder.mkdir()
    ca_file, key_file = write_certificate(folder)
    tls.load_cert_chain(ca_file, key_file)
    return ca_file


def refused_unsent(broker: AlpacaBrokerage) -> BrokerageError:
    """Return the error of a placement that did not leave."""
    with pytest.raises(BrokerageError) as caught:
        broker.place_order(RESTING)
    assert caught.value.outcome is Outcome.NOT_SENT
    assert caught.value.client_order_id == REF
    return caught.value


def test_t01_dns_failure(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """T01: a name that cannot be resolved proves that nothing was sent, and nothing of absence."""
    broker = bench.open(base=f"http://localhost:{bench.front.port}")
    bench.front.cut()
    with monkeypatch.context() as broken:

        def fail(*args: object, **kwargs: object) -> None:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        broken.setattr(socket, "getaddrinfo", fail)
        assert isinstance(refused_unsent(broker), ConnectionError)
        with pytest.raises(ConnectionError):
            broker.get_order_by_client_id(REF)
    assert bench.placements == 0
    # The same id may leave again, and this time it does.
    assert place(broker) == bench.the_order(broker).order_id


def test_t02_connect_refused(bench: Bench) -> None:
    """T02: a connection that is refused proves that nothing was sent; the health says so."""
    broker = bench.open(direct=True)
    bench.venue.inject(Fault.RESET_BEFORE)
    assert isinstance(refused_unsent(broker), ConnectionError)
    health = broker.check_health()
    assert not health.api_responsive
    assert "does not take the connection" in str(health.error_message)
    bench.venue.clear_faults()
    assert broker.place_order(RESTING).success


def test_t02_tls_failure(bench: Bench, tmp_path: Path) -> None:
    """T02: a certificate that is not to be trusted is told nothing, and is not asked again."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trusted = ssl.create_default_context(cafile=str(serving(tmp_path / "trusted", server)))
    with Front(bench.venue.port, tls=server) as front:
        broker = bench.open(base=front.url, tls=trusted)
        serving(tmp_path / "strange", server)
        front.cut()
        connections = front.connections
        assert "certificate" in str(refused_unsent(broker))
        assert front.connections == connections + 1
        assert front.count("POST", "/orders") == 0


def test_t03_all_connections_busy(bench: Bench) -> None:
    """T03: where no connection is free in time, the order is not sent, and the error is local."""
    broker = bench.open(bounds=attrs.evolve(BOUNDS, connections_max=1, connect_timeout_s=0.1))
    arrived, over = threading.Event(), threading.Event()

    def hold(connection: socket.socket, received: Received) -> bool:
        arrived.set()
        over.wait(10)
        return False

    bench.front.answer("GET", "/positions", hold)
    # Once it is let go, it asks again, as reads do.
    other = threading.Thread(target=broker.list_positions)
    other.start()
    assert arrived.wait(10)
    error = refused_unsent(broker)
    over.set()
    other.join()
    assert isinstance(error, TimeoutError)
    assert "busy" in str(error)
    assert bench.placements == 0


def test_t04_read_timeout_after_acceptance(bench: Bench, broker: AlpacaBrokerage) -> None:
    """T04: an order that was taken without an answer is unknown, is found, and is one order."""
    bench.venue.inject(Fault.DROP_AFTER_ACCEPT, "place_order")
    bench.place_unknown(broker)
    assert bench.placements == 1
    assert bench.the_order(broker).status is OrderStatus.OPEN


def test_t05_read_timeout_never_arrived(bench: Bench, broker: AlpacaBrokerage) -> None:
    """T05: an order that never arrived is unknown, then absent, and may be sent under its id."""
    bench.venue.inject(Fault.DROP_BEFORE_ACCEPT, "place_order")
    bench.place_unknown(broker)
    assert bench.placements == 1
    assert bench.is_absent(broker)
    assert place(broker) == bench.the_order(broker).order_id


def test_t06_late_arrival(bench: Bench, broker: AlpacaBrokerage) -> None:
    """T06: an order that arrives after a probe is tied by its id, and makes no second one.

    The declared lag tells a caller how long a probe proves nothing.
    """
    late: list[Received] = []

    def keep(connection: socket.socket, received: Received) -> bool:
        late.append(received)
        bench.front.over.wait(2 * TIMEOUT_S)
        return False

    bench.front.answer("POST", "/orders", keep)
    bench.place_unknown(broker)
    assert bench.is_absent(broker)
    assert broker.idempotency.visibility_lag_s > 0
    sent_again = broker.place_order(RESTING)
    status, body = bench.front.forward(late[0])
    assert (status, b"must be unique" in body) == (422, True)
    assert bench.the_order(broker).order_id == sent_again.order_id


def test_t07_reset_in_the_answer(bench: Bench, broker: AlpacaBrokerage) -> None:
    """T07: a connection that is reset during the answer leaves the outcome unknown."""
    bench.front.answer(
        "POST", "/orders", bench.front.after_effect(reset(b"HTTP/1.1 200 OK\r\nContent-Le"))
    )
    bench.place_unknown(broker)
    assert bench.placements == 1
    assert bench.the_order(broker).client_order_id == REF


@pytest.mark.parametrize("fault", [Fault.TRUNCATED, Fault.EMPTY, Fault.MALFORMED])
def test_t08_a_body_that_is_none(bench: Bench, fault: Fault) -> None:
    """T08: a 200 with half a body, none, or a page is no success and no refusal."""
    broker = bench.open(direct=True)
    bench.venue.inject(fault, "place_order")
    bench.place_unknown(broker)
    assert bench.venue.requests_received("place_order") == 1
    found = bench.the_order(broker)
    bench.venue.inject(fault, "get_order", times=BOUNDS.read_attempts)
    with pytest.raises(BrokerageError) as caught:
        broker.get_order(found.order_id)
    assert isinstance(caught.value, BrokerAPIError | ConnectionError)
    assert caught.value.outcome is None


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_t09_gateway_error_after_acceptance(
    bench: Bench, broker: AlpacaBrokerage, status: int
) -> None:
    """T09: a gateway's error says nothing of the order that was taken; nothing is sent again."""
    bench.front.answer("POST", "/orders", bench.front.after_effect(reply(PAGE, status)))
    bench.place_unknown(broker)
    assert bench.placements == 1
    assert bench.the_order(broker).client_order_id == REF


@pytest.mark.parametrize("status", [502, 503, 504])
def test_t10_gateway_error_before_acceptance(
    bench: Bench, broker: AlpacaBrokerage, status: int
) -> None:
    """T10: the same error without an order behind it is told as unknown, and resolves to absent."""
    bench.front.answer("POST", "/orders", reply(PAGE, status))
    bench.place_unknown(broker)
    assert bench.placements == 1
    assert bench.is_absent(broker)


@pytest.mark.parametrize("status", [403, 429])
def test_t11_a_page_of_a_proxy(bench: Bench, broker: AlpacaBrokerage, status: int) -> None:
    """T11: a refusal in words that are not Alpaca's is not Alpaca's refusal."""
    bench.front.answer("POST", "/orders", bench.front.after_effect(reply(PAGE, status)))
    with pytest.raises(OrderOutcomeUnknownError) as caught:
        broker.place_order(RESTING)
    assert caught.value.http_status == status
    assert bench.placements == 1
    assert bench.the_order(broker).client_order_id == REF


def test_t12_a_redirect_is_not_followed(bench: Bench, broker: AlpacaBrokerage) -> None:
    """T12: an order with credentials is not sent where a redirect points; the error says so."""
    with WireServer(reply()) as elsewhere:
        moved = reply(b"", 307, [f"Location: {elsewhere.url}/v2/orders"])
        bench.front.answer("POST", "/orders", moved)
        with pytest.raises(OrderOutcomeUnknownError, match="correct the address"):
            broker.place_order(RESTING)
        assert elsewhere.received == []
    assert bench.placements == 1
    assert bench.is_absent(broker)


def test_t13_closed_while_idle(bench: Bench, broker: AlpacaBrokerage) -> None:
    """T13: a connection that the other side closed while it was idle is noticed before sending."""
    connections = bench.front.connections
    bench.front.cut()
    time.sleep(0.05)
    assert broker.place_order(RESTING).success
    assert bench.front.connections == connections + 1
    assert bench.placements == 1


def test_t13_closed_at_the_request(bench: Bench, broker: AlpacaBrokerage) -> None:
    """T13: a kept connection that ends when an order arrives is not replaced behind our back."""

    def hang_up(connection: socket.socket, received: Received) -> bool:
        return False

    bench.front.answer("POST", "/orders", hang_up)
    bench.place_unknown(broker)
    assert bench.placements == 1
    assert bench.is_absent(broker)


def test_t14_slow_drip(bench: Bench, broker: AlpacaBrokerage) -> None:
    """T14: an answer that drips is cut off at the deadline of the whole call, unknown."""
    content = b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + b" " * 5000
    slow = drip(content, TIMEOUT_S / 20, bench.front.over)
    bench.front.answer("POST", "/orders", bench.front.after_effect(slow))
    start = time.monotonic()
    bench.place_unknown(broker)
    assert TIMEOUT_S * 0.9 < time.monotonic() - start < TIMEOUT_S * 5
    assert bench.the_order(broker).client_order_id == REF


def test_t15_no_timeout_configured(bench: Bench) -> None:
    """T15: who configures nothing has every wait bounded; and the bound that is set is kept."""
    given = bench.settings()
    assert 0 < read_settings(given, {}).timeout_s < 60
    for field in attrs.fields(HttpSettings):
        if field.name.endswith(("timeout_s", "budget_s", "hold_s")):
            assert 0 < getattr(HttpSettings(), field.name) < math.inf
    # Without a transport of the test's: its own has to keep the bound.
    broker = AlpacaBrokerage(read_settings({**given, "timeout_s": TIMEOUT_S}, {}))
    bench.closing.append(broker.disconnect)
    broker.connect()
    broker.get_product(SYMBOL)
    bench.front.answer("POST", "/orders", bench.front.hang())
    start = time.monotonic()
    bench.place_unknown(broker)
    assert time.monotonic() - start < TIMEOUT_S * 5


def test_t15_the_vendors_client_is_bounded_too(bench: Bench, broker: AlpacaBrokerage) -> None:
    """T15: the vendor's client, which has no timeout and repeats, does neither over our transport.

    It posts once, also where it would post again.
    """
    bench.front.answer("POST", "/orders", bench.front.after_effect(reply(PAGE, 504)))
    client = broker.native
    with pytest.raises(Exception, match="504"):
        client.post("/orders", {
            "symbol": SYMBOL, "qty": "10", "side": "buy", "type": "limit", "limit_price": "150",
            "time_in_force": "day", "client_order_id": REF,
        })  # fmt: skip
    assert bench.placements == 1
    assert str(client.get_order_by_client_id(REF).qty) == "10"
    bench.front.answer(
        "GET", "/account", bench.front.hang(), bench.front.hang(), bench.front.hang()
    )
    start = time.monotonic()
    with pytest.raises(TimeoutError):
        client.get_account()
    assert time.monotonic() - start < TIMEOUT_S * 10


def test_t16_a_stream_that_says_nothing(bench: Bench) -> None:
    """T16: a connection that is open and mute is found out by reading the orders, and replaced."""
    broker = bench.open(stream_silence_s=0.3)
    order_id = place(broker)
    with listening(broker.stream_orders()) as listener:
        bench.venue.inject(Fault.MUTE_STREAM, "stream_orders", times=1000)
        bench.venue.fill(order_id, Decimal(10), Decimal(150))
        listener.wait_for(lambda one: isinstance(one, StreamGap), LONG_S, "a gap")
        listener.wait_for(
            lambda one: isinstance(one, OrderEvent) and one.order.status is OrderStatus.FILLED,
            LONG_S,
            "the fill that nobody told",
        )
        bench.venue.clear_faults()


def test_t17_a_storm_of_reconnections() -> None:
    """T17: a stream that breaks off again and again is opened again, after longer and longer."""
    opened: list[float] = []

    def break_off(connection: ServerConnection) -> None:
        opened.append(time.monotonic())
        connection.recv()
        connection.send(json.dumps(AUTHORIZED).encode())
        connection.recv()
        connection.send(json.dumps(LISTENING).encode())
        if len(opened) > 1:
            cut(connection)

    with AlpacaVenue(rate_limit=None) as venue, ScriptedServer(break_off) as server:
        given = {
            "api_key": venue.api_key.key,
            "secret_key": venue.api_key.secret,
            "api_base": venue.url,
            "ws_url": server.url,
        }
        broker = AlpacaBrokerage(read_settings(given, {}))
        broker.connect()
        with listening(broker.stream_orders()):
            server.wait_until(lambda: len(opened) >= 4, LONG_S)
        broker.disconnect()
    waits = [after - before for before, after in pairwise(opened)]
    # Each wait is at least half of a bound that doubles from half a second.
    assert all(wait > 0.25 * 2**count * 0.9 for count, wait in enumerate(waits[:3]))


def test_t18_a_stream_drops_while_an_order_is_on_its_way(bench: Bench) -> None:
    """T18: what happened while a stream was gone is read and told before it is live again."""
    relay = Relay(bench.venue.port)
    broker = bench.open(ws_url=f"ws://127.0.0.1:{relay.port}/stream")
    try:
        with listening(broker.stream_orders()) as listener:
            relay.cut()
            order_id = place(broker)
            bench.venue.fill(order_id, Decimal(10), Decimal(150))
            event = listener.wait_for(
                lambda one: (
                    isinstance(one, OrderEvent)
                    and (one.order.order_id, one.order.status) == (order_id, OrderStatus.FILLED)
                ),
                LONG_S,
                "the fill",
            )
            assert event.order.filled_quantity == RESTING.quantity
            told = [
                one.order.filled_quantity
                for one in listener.seen
                if isinstance(one, OrderEvent) and one.order.order_id == order_id
            ]
        assert any(isinstance(one, StreamGap) for one in listener.seen)
        assert told == sorted(told)
    finally:
        relay.close()


def place_and_linger(broker: AlpacaBrokerage) -> None:
    """Place an order; an interrupt that comes with the answer may be felt a moment later."""
    broker.place_order(RESTING)
    time.sleep(TIMEOUT_S)


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Ctrl-C interrupts, though a shell may have started the tests with it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_t19_interrupted_during_the_write(bench: Bench, broker: AlpacaBrokerage) -> None:
    """T19: Ctrl-C while an order is on its way stops the caller; the order is found, once."""

    def interrupt(connection: socket.socket, received: Received) -> bool:
        status, body = bench.front.forward(received)
        _thread.interrupt_main()
        return reply(body, status)(connection, received)

    bench.front.answer("POST", "/orders", interrupt)
    with pytest.raises(KeyboardInterrupt):
        place_and_linger(broker)
    assert bench.placements == 1
    # A connection that was left in the middle of an answer is not used again.
    assert bench.the_order(broker).client_order_id == REF


def test_t20_a_crash_between_sending_and_the_answer(bench: Bench) -> None:
    """T20: a new session finds by its client id what a session sent that is no more."""
    dead = bench.open()
    bench.venue.inject(Fault.DROP_AFTER_ACCEPT, "place_order")
    bench.place_unknown(dead, TAKING)
    dead.disconnect()
    assert bench.the_order(bench.open()).filled_quantity == TAKING.quantity
    assert bench.placements == 1
