"""What a failed exchange says of a write: not sent with proof alone, unknown in every other case.

The numbers are those of the catalogue of faults.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import attrs
import pytest

from bot_v2.features.brokerages.core.errors import (
    BrokerageError,
    ConnectionError,
    InvalidFieldError,
    InvalidRequestError,
    OrderOutcomeUnknownError,
    Outcome,
    TimeoutError,
)
from bot_v2.features.brokerages.http.connections import PlainConnection
from bot_v2.features.brokerages.http.transport import HttpTransport
from tests.integration.http.calls import READ, WRITE
from tests.integration.http.conftest import QUICK, Authority
from tests.integration.http.wire_server import Answer, WireServer, drip, raw, reply, reset

HEAD = b"HTTP/1.1 200 OK\r\n"
LONG = HEAD + b"Content-Length: 1000\r\n\r\n"


def free_port() -> int:
    """A port of the loopback where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def failure_of(transport: HttpTransport, url: str) -> BrokerageError:
    """Send an order, and return what came of it."""
    with pytest.raises(BrokerageError) as caught:
        transport.send(WRITE, "POST", f"{url}/orders?key=hidden", body=b'{"size": "1"}')
    return caught.value


def assert_not_sent(error: BrokerageError, kind: type[BrokerageError]) -> None:
    """The error proves that nothing left, and carries the call."""
    assert type(error) is kind
    assert error.outcome is Outcome.NOT_SENT
    assert_context(error)


def assert_unknown(error: BrokerageError) -> None:
    """The error leaves the outcome open, and carries the call."""
    assert type(error) is OrderOutcomeUnknownError
    assert_context(error)


def assert_context(error: BrokerageError) -> None:
    """The error says which call it was, and nothing secret."""
    assert (error.broker, error.operation) == ("acme", "place_order")
    assert (error.account_id, error.symbol, error.client_order_id) == ("A1", "BTC-USD", "c-1")
    assert "hidden" not in f"{error!s} {error!r}"


def test_t01_a_name_that_is_not_resolved(
    transport: HttpTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An order is not sent where the broker's name cannot be resolved."""

    def fail(*arguments: object, **options: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    error = failure_of(transport, "http://broker.invalid")
    assert_not_sent(error, ConnectionError)
    assert "name cannot be resolved" in str(error)


def test_t02_a_connection_that_is_refused(transport: HttpTransport) -> None:
    """An order is not sent where the connection is refused."""
    assert_not_sent(failure_of(transport, f"http://127.0.0.1:{free_port()}"), ConnectionError)


def test_t02_a_connection_that_is_not_taken(
    transport: HttpTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An order is not sent where the connection does not open in time."""

    def fail(*arguments: object, **options: object) -> None:
        raise socket.timeout("timed out")  # noqa: UP041 - the name that the library raises it by

    monkeypatch.setattr("urllib3.util.connection.create_connection", fail)
    assert_not_sent(failure_of(transport, "http://127.0.0.1:9"), TimeoutError)


def test_t02_a_certificate_that_nobody_vouches_for(
    transport: HttpTransport, authority: Authority
) -> None:
    """An order is not sent to a server whose certificate is not trusted."""
    with WireServer(reply(), tls=authority.server) as server:
        error = failure_of(transport, server.url)
    assert_not_sent(error, ConnectionError)
    assert "certificate" in str(error)
    assert server.received == []


def test_t02_a_certificate_for_another_name(authority: Authority) -> None:
    """An order is not sent to a server that shows somebody else's certificate."""
    transport = HttpTransport(QUICK, tls=authority.client)
    with WireServer(reply(), tls=authority.server) as server:
        error = failure_of(transport, f"https://127.0.0.2:{server.port}")
    assert_not_sent(error, ConnectionError)
    transport.close()


def test_t02_a_server_that_does_not_speak_tls(authority: Authority) -> None:
    """An order is not sent where the handshake fails."""
    transport = HttpTransport(QUICK, tls=authority.client)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def greet() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"220 mail.example.com ESMTP\r\n")
                connection.recv(65_536)

        thread = threading.Thread(target=greet)
        thread.start()
        error = failure_of(transport, f"https://127.0.0.1:{listener.getsockname()[1]}")
        thread.join()
    assert_not_sent(error, ConnectionError)
    assert "TLS failed" in str(error)
    transport.close()


def test_t03_all_connections_are_busy() -> None:
    """An order is not sent where no connection becomes free in time."""
    settings = attrs.evolve(QUICK, connections_max=1, connect_timeout_s=0.1, read_attempts=1)
    transport = HttpTransport(settings)
    with WireServer() as server:
        server.answers.append(server.hang())

        def wait() -> None:
            with suppress(TimeoutError):
                transport.send(READ, "GET", server.url, timeout_s=1)

        read = threading.Thread(target=wait)
        read.start()
        while not server.received:
            time.sleep(0.01)
        assert_not_sent(failure_of(transport, server.url), TimeoutError)
        read.join()
        assert [one.method for one in server.received] == ["GET"]
    transport.close()


def test_t03_a_slot_is_free_again_after_each_kind_of_end(authority: Authority) -> None:
    """Neither a reply, nor a failure, nor a refused connection uses up a connection for good."""
    transport = HttpTransport(attrs.evolve(QUICK, connections_max=1))
    with WireServer(reply(), reset(), raw(b"junk\r\n\r\n"), reply()) as server:
        transport.send(WRITE, "POST", server.url)
        assert_unknown(failure_of(transport, server.url))
        assert_unknown(failure_of(transport, server.url))
        transport.send(WRITE, "POST", server.url)
    for _ in range(3):
        assert_not_sent(failure_of(transport, server.url), ConnectionError)
    transport.close()


def hang(server: WireServer) -> Answer:
    """Say nothing."""
    return server.hang()


AFTER_SENDING: dict[str, Callable[[WireServer], Answer]] = {
    "T04 no answer": hang,
    "T07 reset at once": lambda _: reset(),
    "T07 reset in the head": lambda _: reset(b"HTTP/1.1 2"),
    "T07 reset in the body": lambda _: reset(LONG + b"{"),
    "T08 closed without a reply": lambda _: raw(b""),
    "T08 a body that ends early": lambda _: raw(LONG + b"{"),
    "T08 a chunk that ends early": lambda _: raw(
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nff\r\n{"
    ),
    "T08 chunks without an end": lambda _: raw(
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"
    ),
    "T08 broken compression": lambda _: raw(
        HEAD + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope"
    ),
    "T08 not HTTP": lambda _: raw(b"220 mail.example.com ESMTP\r\n"),
    "T08 an endless line": lambda _: raw(HEAD + b"X: " + b"x" * 70_000),
    "T08 too large": lambda _: reply(b"x" * 100_001),
    "T14 a head that drips": lambda server: drip(HEAD * 50, 0.05, server.over),
    "T14 a body that drips": lambda server: drip(LONG + b"x" * 1000, 0.02, server.over),
    "T12 a redirect": lambda _: reply(b"", 307, ["Location: https://u:hidden@else.example/x"]),
}


@pytest.mark.parametrize("case", AFTER_SENDING)
def test_what_fails_after_sending_is_unknown(transport: HttpTransport, case: str) -> None:
    """Once a byte left, a write without a whole reply is unknown, and was sent once."""
    with WireServer() as server:
        server.answers.append(AFTER_SENDING[case](server))
        started = time.monotonic()
        error = failure_of(transport, server.url)
        assert_unknown(error)
        assert time.monotonic() - started < QUICK.total_timeout_s + 0.5
        assert len(server.received) == 1
        assert server.connections == 1


def test_t13_a_connection_that_was_closed_meanwhile(transport: HttpTransport) -> None:
    """A connection seen to be closed is not used: the order goes by a new one, once."""
    with WireServer(reply(keep=True)) as server:
        transport.send(READ, "GET", server.url)
        server.cut()
        time.sleep(0.05)
        transport.send(WRITE, "POST", server.url)
        assert [(one.method, one.connection) for one in server.received] == [
            ("GET", 1),
            ("POST", 2),
        ]


def test_t13_a_connection_that_is_closed_as_the_order_leaves(transport: HttpTransport) -> None:
    """An order on a kept connection that the other side gives up is unknown, and not sent again."""
    with WireServer(reply(), raw(b""), reply()) as server:
        transport.send(READ, "GET", server.url)
        assert_unknown(failure_of(transport, server.url))
        assert [(one.method, one.connection) for one in server.received] == [
            ("GET", 1),
            ("POST", 1),
        ]


def test_a_connection_is_kept_and_used_again(transport: HttpTransport) -> None:
    """Requests one after another go by one connection, with whatever status they end."""
    with WireServer(reply(), reply(status=404), reply(b"x" * 50_000), reply(b"")) as server:
        for _ in range(5):
            transport.send(WRITE, "POST", server.url)
        assert server.connections == 1


def test_a_connection_that_lay_idle_is_not_used() -> None:
    """A connection that nobody used for as long as the settings say is replaced."""
    transport = HttpTransport(attrs.evolve(QUICK, idle_max_s=0.05))
    with WireServer(reply()) as server:
        transport.send(WRITE, "POST", server.url)
        time.sleep(0.1)
        transport.send(WRITE, "POST", server.url)
        assert server.connections == 2
    transport.close()


def test_a_refusal_that_comes_before_all_is_sent_is_read(
    transport: HttpTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that answers a large request early, and stops listening, is heard."""
    real = PlainConnection.send

    def send(self: PlainConnection, data: object) -> None:
        real(self, data)
        raise BrokenPipeError

    monkeypatch.setattr(PlainConnection, "send", send)
    with WireServer(reply(b"too large", 413, keep=False)) as server:
        assert transport.send(WRITE, "POST", server.url).status == 413


def test_a_connection_whose_reply_did_not_come_is_not_used_again(
    transport: HttpTransport,
) -> None:
    """A reply that comes late is never taken for that of the next order."""
    with WireServer() as server:

        def late(connection: socket.socket, received: object) -> bool:
            server.over.wait(QUICK.read_timeout_s + 0.1)
            connection.sendall(HEAD + b"Content-Length: 4\r\n\r\nlate")
            return True

        server.answers += [late, reply(b"next")]
        assert_unknown(failure_of(transport, server.url))
        assert transport.send(WRITE, "POST", server.url).body == b"next"
        assert [one.connection for one in server.received] == [1, 2]


def test_time_that_is_over_before_a_byte_left(
    transport: HttpTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An order is not sent when connecting alone took all of the time."""
    with WireServer(reply()) as server:
        real = socket.socket.connect

        def slowly(self: socket.socket, address: tuple[str, int]) -> None:
            real(self, address)
            time.sleep(0.2)

        monkeypatch.setattr(socket.socket, "connect", slowly)
        with pytest.raises(TimeoutError) as caught:
            transport.send(WRITE, "POST", server.url, timeout_s=0.1)
        assert caught.value.outcome is Outcome.NOT_SENT
        monkeypatch.undo()
        assert server.received == []


def test_t15_no_socket_waits_without_a_bound(
    transport: HttpTransport, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each connect, send and read of ours has a time-out, with TLS and without, kept or new."""
    ours = threading.get_ident()
    seen: dict[str, list[float | None]] = {}

    def watch(kind: type[socket.socket], name: str) -> None:
        real = getattr(kind, name)

        def watched(self: socket.socket, *arguments: object, **options: object) -> object:
            if threading.get_ident() == ours:
                seen.setdefault(f"{kind.__name__}.{name}", []).append(self.gettimeout())
            return real(self, *arguments, **options)

        monkeypatch.setattr(kind, name, watched)

    for name in ("connect", "sendall", "recv"):
        watch(socket.socket, name)
    for name in ("do_handshake", "sendall", "recv"):
        watch(ssl.SSLSocket, name)
    trusting = HttpTransport(QUICK, tls=authority.client)
    with WireServer(reply()) as plain, WireServer(reply(), tls=authority.server) as secured:
        for _ in range(2):
            transport.send(WRITE, "POST", plain.url, body=b"{}")
            trusting.send(READ, "GET", secured.url)
    trusting.close()
    assert len(seen) == 6
    for waits in seen.values():
        assert all(wait is not None and 0 < wait <= QUICK.connect_timeout_s for wait in waits)


@pytest.mark.parametrize(
    ("url", "headers"),
    [
        ("http://127.0.0.1:9/a", {"X-Key": "hid\nden"}),
        ("http://127.0.0.1:9/a", {"X-Key": "hidden\N{SNOWMAN}"}),
        ("http://127.0.0.1:9/a\n?key=hidden", {}),
        ("http://user:hidden@127.0.0.1:9/a", {}),
        ("http://127.0.0.1:hidden/a", {}),
        ("ftp://127.0.0.1/hidden", {}),
        ("/orders?key=hidden", {}),
        ("http:///orders?key=hidden", {}),
    ],
)
def test_what_cannot_be_sent_is_refused_and_not_shown(
    transport: HttpTransport, url: str, headers: dict[str, str]
) -> None:
    """A request that is no HTTP is refused unsent; its parts stay hidden."""
    with WireServer(reply()) as server, pytest.raises(InvalidFieldError) as caught:
        transport.send(WRITE, "POST", url.replace(":9", f":{server.port}"), headers=headers)
    assert caught.value.outcome is Outcome.NOT_SENT
    assert caught.value.__cause__ is None
    assert "hid" not in str(caught.value)
    assert server.received == []


def test_a_method_that_is_no_word_is_refused(transport: HttpTransport) -> None:
    """A method cannot smuggle a second line."""
    with WireServer(reply()) as server, pytest.raises(InvalidFieldError):
        transport.send(WRITE, "POST /x HTTP/1.1\r\nHost:", server.url)
    assert server.received == []


def test_t12_a_read_that_is_redirected(transport: HttpTransport) -> None:
    """A redirected read is a mistake in the settings, and is not followed."""
    moved = reply(b"", 301, ["Location: /elsewhere?token=hidden"])
    with WireServer(moved) as server, pytest.raises(InvalidRequestError) as caught:
        transport.send(READ, "GET", server.url)
    assert (caught.value.outcome, caught.value.http_status) == (None, 301)
    assert "/elsewhere" in str(caught.value)
    assert "hidden" not in str(caught.value)
    assert len(server.received) == 1


@pytest.mark.parametrize("status", [200, 201, 400, 403, 404, 422, 429, 500, 502, 503, 504])
def test_a_write_is_answered_by_any_status_and_never_repeated(
    transport: HttpTransport, status: int
) -> None:
    """T09-T11: the adapter gets a write's reply, whatever its status, and it was sent once."""
    page = b"<html>Service unavailable</html>"
    with WireServer(reply(page, status, ["Retry-After: 0"])) as server:
        answer = transport.send(WRITE, "POST", server.url, body=b"{}")
        assert (answer.status, answer.body) == (status, page)
        assert len(server.received) == 1


def test_a_closed_transport_sends_nothing(transport: HttpTransport) -> None:
    """After close, a write is NOT_SENT; closing twice is harmless."""
    with WireServer(reply()) as server:
        transport.send(READ, "GET", server.url)
        transport.close()
        transport.close()
        assert_not_sent(failure_of(transport, server.url), ConnectionError)
        with pytest.raises(ConnectionError) as caught:
            transport.send(READ, "GET", server.url)
        assert caught.value.outcome is None
        assert len(server.received) == 1


def test_close_lets_what_is_under_way_end_and_keeps_no_connection(
    transport: HttpTransport,
) -> None:
    """An exchange that is under way when the transport closes gets its reply."""
    with WireServer() as server:
        answered = threading.Event()

        def later(connection: socket.socket, received: object) -> bool:
            answered.wait(5)
            connection.sendall(HEAD + b"Content-Length: 2\r\n\r\n{}")
            return connection.recv(1) == b""

        server.answers.append(later)
        replies: list[object] = []
        thread = threading.Thread(
            target=lambda: replies.append(transport.send(WRITE, "POST", server.url).status)
        )
        thread.start()
        while not server.received:
            time.sleep(0.01)
        transport.close()
        answered.set()
        thread.join()
        assert replies == [200]
