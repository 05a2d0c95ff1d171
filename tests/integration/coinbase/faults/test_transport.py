"""Faults of the catalogue on the way to Coinbase and back: T01 to T20."""

from __future__ import annotations

import _thread
import math
import signal
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from bot_v2.features.brokerages.coinbase.adapter import CoinbaseBrokerage
from bot_v2.features.brokerages.coinbase.settings import read_settings
from bot_v2.features.brokerages.core.interfaces import (
    BrokerageError,
    BrokerAPIError,
    ConnectionError,
    OrderOutcomeUnknownError,
    Outcome,
    TimeoutError,
)
from bot_v2.features.brokerages.http.settings import HttpSettings
from bot_v2.simulation.faults import Fault
from tests.integration.coinbase.faults.conftest import (
    BOUNDS,
    REF,
    RESTING,
    SYMBOL,
    TAKING,
    TIMEOUT_S,
    Bench,
    place,
)
from tests.integration.coinbase.faults.front import Front
from tests.integration.http.certificates import write_certificate
from tests.integration.http.wire_server import Received, WireServer, drip, reply, reset

PAGE = b"<html><body>A proxy speaks</body></html>"


def serving(folder: Path, tls: ssl.SSLContext) -> Path:
    """Make a certificate, have a server show it from now on, and return what to trust."""
    folder.mkdir()
    ca_file, key_file = write_certificate(folder)
    tls.load_cert_chain(ca_file, key_file)
    return ca_file


def refused_unsent(broker: CoinbaseBrokerage) -> BrokerageError:
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

    bench.front.answer("GET", "/product_book", hold)
    # Once it is let go, it asks again, as reads do.
    other = threading.Thread(target=broker.get_quote, args=(SYMBOL,))
    other.start()
    assert arrived.wait(10)
    error = refused_unsent(broker)
    over.set()
    other.join()
    assert isinstance(error, TimeoutError)
    assert "busy" in str(error)
    assert bench.placements == 0


def test_t04_read_timeout_after_acceptance(bench: Bench, broker: CoinbaseBrokerage) -> None:
    """T04: an order that was taken without an answer is unknown, is found, and is one order."""
    bench.venue.inject(Fault.DROP_AFTER_ACCEPT, "place_order")
    bench.place_unknown(broker)
    assert bench.placements == 1
    found = bench.the_order(broker)
    assert place(broker) == found.order_id


def test_t05_read_timeout_never_arrived(bench: Bench, broker: CoinbaseBrokerage) -> None:
    """T05: an order that never arrived is unknown, then absent, and may be sent under its id."""
    bench.venue.inject(Fault.DROP_BEFORE_ACCEPT, "place_order")
    bench.place_unknown(broker)
    assert bench.placements == 1
    assert bench.is_absent(broker)
    assert place(broker) == bench.the_order(broker).order_id


def test_t06_late_arrival(bench: Bench, broker: CoinbaseBrokerage) -> None:
    """T06: an order that arrives after a probe is tied by its id, also to one that was sent again.

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
    bench.front.forward(late[0])
    assert bench.the_order(broker).order_id == sent_again.order_id


def test_t07_reset_in_the_answer(bench: Bench, broker: CoinbaseBrokerage) -> None:
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
    bench: Bench, broker: CoinbaseBrokerage, status: int
) -> None:
    """T09: a gateway's error says nothing of the order that was taken; nothing is sent again."""
    bench.front.answer("POST", "/orders", bench.front.after_effect(reply(PAGE, status)))
    bench.place_unknown(broker)
    assert bench.placements == 1
    assert bench.the_order(broker).client_order_id == REF


@pytest.mark.parametrize("status", [502, 503, 504])
def test_t10_gateway_error_before_acceptance(
    bench: Bench, broker: CoinbaseBrokerage, status: int
) -> None:
    """T10: the same error without an order behind it is told as unknown, and resolves to absent."""
    bench.front.answer("POST", "/orders", reply(PAGE, status))
    bench.place_unknown(broker)
    assert bench.placements == 1
    assert bench.is_absent(broker)


@pytest.mark.parametrize("status", [403, 429])
def test_t11_a_page_of_a_proxy(bench: Bench, broker: CoinbaseBrokerage, status: int) -> None:
    """T11: a refusal in words that are not Coinbase's is not Coinbase's refusal."""
    bench.front.answer("POST", "/orders", bench.front.after_effect(reply(PAGE, status)))
    with pytest.raises(OrderOutcomeUnknownError) as caught:
        broker.place_order(RESTING)
    assert caught.value.http_status == status
    assert bench.placements == 1
    assert bench.the_order(broker).client_order_id == REF


def test_t12_a_redirect_is_not_followed(bench: Bench, broker: CoinbaseBrokerage) -> None:
    """T12: a signed order is not sent where a redirect points; the error says what to mend."""
    with WireServer(reply()) as elsewhere:
        moved = reply(b"", 307, [f"Location: {elsewhere.url}/api/v3/brokerage/orders"])
        bench.front.answer("POST", "/orders", moved)
        with pytest.raises(OrderOutcomeUnknownError, match="correct the address"):
            broker.place_order(RESTING)
        assert elsewhere.received == []
    assert bench.placements == 1
    assert bench.is_absent(broker)


def test_t13_closed_while_idle(bench: Bench, broker: CoinbaseBrokerage) -> None:
    """T13: a connection that the other side closed while it was idle is noticed before sending."""
    connections = bench.front.connections
    bench.front.cut()
    time.sleep(0.05)
    assert broker.place_order(RESTING).success
    assert bench.front.connections == connections + 1
    assert bench.placements == 1


def test_t13_closed_at_the_request(bench: Bench, broker: CoinbaseBrokerage) -> None:
    """T13: a kept connection that ends when an order arrives is not replaced behind our back."""

    def hang_up(connection: socket.socket, received: Received) -> bool:
        return False

    bench.front.answer("POST", "/orders", hang_up)
    bench.place_unknown(broker)
    assert bench.placements == 1
    assert bench.is_absent(broker)


def test_t14_slow_drip(bench: Bench, broker: CoinbaseBrokerage) -> None:
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
    key = bench.venue.api_key
    given = {"cdp_api_key": key.name, "cdp_private_key": key.secret, "api_base": bench.front.url}
    assert 0 < read_settings(given, {}).timeout_s < 60
    for field in attrs.fields(HttpSettings):
        if field.name.endswith(("timeout_s", "budget_s", "hold_s")):
            assert 0 < getattr(HttpSettings(), field.name) < math.inf
    # Without a transport of the test's: its own has to keep the bound.
    broker = CoinbaseBrokerage(read_settings({**given, "timeout_s": TIMEOUT_S}, {}))
    bench.closing.append(broker.disconnect)
    broker.connect()
    broker.get_products()
    bench.front.answer("POST", "/orders", bench.front.hang())
    start = time.monotonic()
    bench.place_unknown(broker)
    assert time.monotonic() - start < TIMEOUT_S * 5


def place_and_linger(broker: CoinbaseBrokerage) -> None:
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
def test_t19_interrupted_during_the_write(bench: Bench, broker: CoinbaseBrokerage) -> None:
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
