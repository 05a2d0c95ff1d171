"""One connection: what it says, what it hears, and how it fails."""

from __future__ import annotations

import http
import logging
import ssl
from collections.abc import Callable

import attrs
import pytest
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection

from bot_v2.features.brokerages.core.interfaces import (
    AuthenticationError,
    BrokerageError,
    BrokerUnavailableError,
    ConnectionError,
    InvalidFieldError,
    MissingDependencyError,
    RateLimitError,
    TimeoutError,
)
from bot_v2.features.brokerages.http.calls import Call
from bot_v2.features.brokerages.http.tls import shared_tls_context
from bot_v2.features.brokerages.streaming.settings import StreamSettings
from bot_v2.features.brokerages.streaming.websocket import WebSocket
from tests.integration.http.conftest import Authority
from tests.integration.http.test_proxies import CREDENTIALS, tunnel
from tests.integration.http.wire_server import WireServer, raw
from tests.integration.streaming.scripted import Script, ScriptedServer, cut

CALL = Call(broker="somebroker", operation="stream_orders", account_id="A-1")
QUICK = StreamSettings(open_timeout_s=5, message_max_bytes=100_000)
PATIENCE_S = 20.0


def connect(
    url: str,
    settings: StreamSettings = QUICK,
    tls: Callable[[], ssl.SSLContext] = shared_tls_context,
    headers: dict[str, str] | None = None,
) -> WebSocket:
    """Open a connection."""
    return WebSocket.open(url, CALL, settings, tls=tls, headers=headers)


def says(*messages: object) -> Script:
    """Return a script that sends messages, lists in pieces, and stays."""

    def script(connection: ServerConnection) -> None:
        for message in messages:
            connection.send(message)  # type: ignore[arg-type]  # a list is one in pieces
        for _ in connection:
            pass

    return script


def test_messages_come_whole_and_in_order() -> None:
    """Text and bytes, in pieces or not, empty too; before an end everything is heard."""

    def script(connection: ServerConnection) -> None:
        for message in ("one", b"two", ["thr", "ee"], "", "é"):
            connection.send(message)
        connection.close(1001, "gone")

    with ScriptedServer(script) as server:
        socket = connect(server.url)
        heard = [socket.receive(PATIENCE_S) for _ in range(5)]
        assert heard == [b"one", b"two", b"three", b"", "é".encode()]
        for _ in range(2):
            with pytest.raises(ConnectionError, match="the other side left: 1001 gone") as caught:
                socket.receive(PATIENCE_S)
            assert caught.value.account_id == "A-1"
        with pytest.raises(ConnectionError):
            socket.send("too late")
        socket.close()
        socket.close()


def test_nothing_in_time_is_no_message() -> None:
    """Waiting ends when it was said to, and the connection lives on."""
    with ScriptedServer(says()) as server:
        socket = connect(server.url)
        assert socket.receive(0.05) is None
        assert socket.receive(0.0) is None
        socket.close()


def test_what_is_said_arrives_with_the_headers() -> None:
    """Text as text, bytes as bytes; the opening carries what it is told to."""
    with ScriptedServer(lambda connection: None) as server:
        server.scripts = [server.hear]
        socket = connect(server.url, headers={"X-Feed": "sip"})
        socket.send("text")
        socket.send(b"bytes")
        socket.close()
        server.wait_until(lambda: len(server.heard) == 2)
        assert server.heard == ["text", b"bytes"]
        assert server.headers[0]["X-Feed"] == "sip"


def test_pings_are_answered_and_sent() -> None:
    """The other side's ping gets its answer; ours gets one, which counts as a sign of life."""
    answered = []

    def script(connection: ServerConnection) -> None:
        answered.append(connection.ping().wait(PATIENCE_S))
        connection.send("done")
        for _ in connection:
            pass

    with ScriptedServer(script) as server:
        socket = connect(server.url)
        assert socket.receive(PATIENCE_S) == b"done"
        assert answered == [True]
        heard_at = socket.heard_at
        socket.ping()
        while socket.heard_at == heard_at:
            assert socket.receive(0.1) is None
        socket.close()


def test_a_cut_is_an_error() -> None:
    """A connection that ends without taking leave is lost."""
    with ScriptedServer(cut) as server:
        socket = connect(server.url)
        with pytest.raises(ConnectionError):
            socket.receive(PATIENCE_S)
        with pytest.raises(ConnectionError):
            socket.ping()
        socket.close()


def test_an_interrupt_ends_the_waiting() -> None:
    """Another thread can end what waits in a connection."""
    with ScriptedServer(says()) as server:
        socket = connect(server.url)
        socket.interrupt()
        with pytest.raises(ConnectionError):
            socket.receive(PATIENCE_S)
        socket.close()
        socket.interrupt()


def test_a_message_that_is_too_large_ends_the_connection() -> None:
    """What no memory was promised for is not taken."""
    with ScriptedServer(says("x" * 200_000)) as server:
        socket = connect(server.url)
        with pytest.raises(ConnectionError, match="broke the protocol"):
            socket.receive(PATIENCE_S)
        socket.close()


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, AuthenticationError),
        (429, RateLimitError),
        (503, BrokerUnavailableError),
        (403, ConnectionError),
        (200, ConnectionError),
        (302, ConnectionError),
    ],
)
def test_an_opening_that_is_refused(status: int, kind: type[BrokerageError]) -> None:
    """The HTTP status says what kind of refusal it is, and Retry-After for how long."""

    def refuse(connection: ServerConnection, request: Request) -> Response:
        answer = connection.respond(http.HTTPStatus(status), "no")
        answer.headers["Retry-After"] = "7"
        return answer

    with ScriptedServer(says(), process_request=refuse) as server:
        with pytest.raises(kind) as caught:
            connect(server.url + "/path?token=hidden")
        assert type(caught.value) is kind
        assert (caught.value.http_status, caught.value.retry_after_s) == (status, 7.0)
        assert "hidden" not in str(caught.value)


def test_what_does_not_speak_the_protocol() -> None:
    """Garbage, an answer by another key, an early end, silence, and nobody at all."""
    switch = b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    cases: list[tuple[bytes, type[BrokerageError]]] = [
        (b"garbage\r\n\r\n", ConnectionError),
        (switch + b"Sec-WebSocket-Accept: wrong\r\n\r\n", ConnectionError),
        (b"HTTP/1.1 101 Swi", ConnectionError),
    ]
    for content, kind in cases:
        with WireServer(raw(content)) as server, pytest.raises(kind):
            connect(server.url.replace("http", "ws"))
    with WireServer() as silent:
        silent.answers = [silent.hang()]
        address = silent.url.replace("http", "ws")
        with pytest.raises(TimeoutError):
            connect(address, attrs.evolve(QUICK, open_timeout_s=0.2))
    with pytest.raises(ConnectionError, match="does not take the connection"):
        connect(f"ws://127.0.0.1:{silent.port}")


def test_tls_is_verified(authority: Authority) -> None:
    """A server that nobody vouches for gets no message; one that is trusted does."""
    with ScriptedServer(says("hello"), tls=authority.server) as server:
        with pytest.raises(ConnectionError, match="not to be trusted"):
            connect(server.url)
        socket = connect(server.url, tls=lambda: authority.client)
        assert socket.receive(PATIENCE_S) == b"hello"
        assert socket.receive(0.05) is None
        socket.interrupt()
        with pytest.raises(ConnectionError):
            socket.receive(PATIENCE_S)
        socket.close()


@pytest.mark.parametrize("proxy_tls", [False, True])
def test_tls_goes_through_a_proxy(
    authority: Authority, monkeypatch: pytest.MonkeyPatch, proxy_tls: bool
) -> None:
    """The proxy of HTTPS is that of `wss`, and sees nothing but whom we talk to."""
    secured = authority.server if proxy_tls else None
    with (
        ScriptedServer(says("hello"), tls=authority.server) as server,
        WireServer(tunnel, tls=secured) as proxy,
    ):
        scheme = "https" if proxy_tls else "http"
        monkeypatch.setenv("HTTPS_PROXY", f"{scheme}://user:p%40ss@127.0.0.1:{proxy.port}")
        socket = connect(server.url, tls=lambda: authority.client)
        assert socket.receive(PATIENCE_S) == b"hello"
        socket.interrupt()
        socket.close()
        (asked,) = proxy.received
        assert (asked.method, asked.target) == ("CONNECT", f"127.0.0.1:{server.port}")
        assert asked.headers["proxy-authorization"] == f"Basic {CREDENTIALS}"


def test_plain_goes_through_a_plain_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """`ws` is tunnelled as well, by the proxy of HTTP; one that speaks TLS is refused for it."""
    with ScriptedServer(says("hello")) as server, WireServer(tunnel) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
        socket = connect(server.url)
        assert socket.receive(PATIENCE_S) == b"hello"
        socket.close()
        monkeypatch.setenv("HTTP_PROXY", f"https://127.0.0.1:{proxy.port}")
        with pytest.raises(InvalidFieldError, match="HTTP_PROXY"):
            connect(server.url)


def test_an_address_that_is_none() -> None:
    """Only ws and wss lead to a WebSocket."""
    for url in ("http://127.0.0.1:1", "wss://", "nonsense"):
        with pytest.raises(InvalidFieldError, match="ws://HOST"):
            connect(url)


def test_nothing_of_it_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """What is sent may be a credential: no log has it, however much is logged."""
    caplog.set_level(logging.DEBUG)
    with ScriptedServer(says("answer")) as server:
        socket = connect(server.url, headers={"Authorization": "Bearer s3cret"})
        socket.send("the-key-is-s3cret")
        assert socket.receive(PATIENCE_S) == b"answer"
        socket.close()
    ours = [one for one in caplog.records if not one.name.startswith("websockets.server")]
    assert not any("s3cret" in one.getMessage() for one in ours)


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever lacks websockets is told what to install."""
    monkeypatch.setitem(__import__("sys").modules, "websockets.client", None)
    with pytest.raises(MissingDependencyError, match=r"bot-v2\[somebroker\]"):
        connect("ws://127.0.0.1:1")
