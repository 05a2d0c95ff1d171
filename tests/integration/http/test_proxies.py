"""Proxies, as the environment names them."""

from __future__ import annotations

import base64
import select
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

import attrs
import pytest

from bot_v2.features.brokerages.core.errors import ConnectionError, InvalidFieldError, Outcome
from bot_v2.features.brokerages.http.transport import HttpTransport
from tests.integration.http.calls import READ, WRITE
from tests.integration.http.conftest import QUICK, Authority
from tests.integration.http.wire_server import Received, WireServer, raw, reply

CREDENTIALS = base64.b64encode(b"user:p@ss").decode()


def tunnel(connection: socket.socket, received: Received) -> bool:
    """Answer a CONNECT, and pass on what comes, either way."""
    host, _, port = received.target.rpartition(":")
    with socket.create_connection((host, int(port)), 5) as far:
        connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with suppress(OSError):
            while True:
                ready, _, _ = select.select([connection, far], [], [], 5)
                if not ready:
                    return False
                for one in ready:
                    content = one.recv(65_536)
                    if not content:
                        return False
                    (far if one is connection else connection).sendall(content)
    return False


@pytest.fixture
def trusting(authority: Authority) -> Iterator[HttpTransport]:
    """A transport that trusts the tests' authority."""
    transport = HttpTransport(QUICK, tls=authority.client)
    yield transport
    transport.close()


def test_tls_goes_through_a_tunnel(
    trusting: HttpTransport, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proxy sees whom we talk to and its own password, and nothing of the request."""
    with WireServer(reply(), tls=authority.server) as broker, WireServer(tunnel) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://user:p%40ss@127.0.0.1:{proxy.port}")
        for _ in range(2):
            answer = trusting.send(WRITE, "POST", f"{broker.url}/orders", body=b"{}")
            assert answer.status == 200
        assert [(one.method, one.target) for one in proxy.received] == [
            ("CONNECT", f"127.0.0.1:{broker.port}")
        ]
        assert proxy.received[0].headers["proxy-authorization"] == f"Basic {CREDENTIALS}"
        assert [one.target for one in broker.received] == ["/orders", "/orders"]
        assert "proxy-authorization" not in broker.received[0].headers
        trusting.close()


def test_tls_goes_through_a_proxy_that_speaks_tls(
    trusting: HttpTransport, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy may be talked to by TLS, and is verified as well."""
    with (
        WireServer(reply(), tls=authority.server) as broker,
        WireServer(tunnel, tls=authority.server) as proxy,
    ):
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        assert trusting.send(WRITE, "POST", broker.url).status == 200
        assert len(proxy.received) == 1
        trusting.close()


def test_plain_requests_are_forwarded(
    transport: HttpTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without TLS the proxy is told the whole address."""
    with WireServer(reply()) as proxy:
        monkeypatch.setenv("http_proxy", f"user:p%40ss@127.0.0.1:{proxy.port}")
        assert transport.send(WRITE, "POST", "http://broker.example:8080/orders?a=1").status == 200
        (received,) = proxy.received
        assert received.target == "http://broker.example:8080/orders?a=1"
        assert received.headers["host"] == "broker.example:8080"
        assert received.headers["proxy-authorization"] == f"Basic {CREDENTIALS}"


def test_plain_requests_are_forwarded_by_tls(
    trusting: HttpTransport, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ALL_PROXY counts where nothing names the scheme."""
    with WireServer(reply(), tls=authority.server) as proxy:
        monkeypatch.setenv("ALL_PROXY", proxy.url)
        assert trusting.send(WRITE, "POST", "http://broker.example/orders").status == 200
        assert proxy.received[0].target == "http://broker.example/orders"


@pytest.mark.parametrize("status", [403, 407, 502])
def test_t02_a_proxy_that_refuses(
    trusting: HttpTransport, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    """An order is not sent where the proxy makes no tunnel; the password is not shown."""
    refusal = raw(f"HTTP/1.1 {status} No\r\n\r\n".encode())
    with WireServer(refusal) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://user:hidden@127.0.0.1:{proxy.port}")
        with pytest.raises(ConnectionError) as caught:
            trusting.send(WRITE, "POST", "https://broker.example/orders")
    assert caught.value.outcome is Outcome.NOT_SENT
    assert "hidden" not in f"{caught.value!s}{caught.value.__cause__!r}"
    assert [one.method for one in proxy.received] == ["CONNECT"]


def test_t04_a_proxy_that_hangs(trusting: HttpTransport, monkeypatch: pytest.MonkeyPatch) -> None:
    """An order is not sent where the proxy does not answer in time."""
    with WireServer() as proxy:
        proxy.answers.append(proxy.hang())
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        with pytest.raises(OSError, match="in time") as caught:
            trusting.send(WRITE, "POST", "https://broker.example/orders")
    assert getattr(caught.value, "outcome", None) is Outcome.NOT_SENT


def test_what_no_proxy_names_is_reached_directly(
    transport: HttpTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NO_PROXY takes hosts out."""
    with WireServer(reply()) as broker:
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        monkeypatch.setenv("NO_PROXY", "example.com,127.0.0.1")
        assert transport.send(WRITE, "POST", broker.url).status == 200


@pytest.mark.parametrize("address", ["socks5://u:hidden@127.0.0.1:9", "http://u:hidden@:x"])
def test_a_proxy_that_cannot_be_used_is_named(
    transport: HttpTransport, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    """SOCKS is refused by the variable's name, and no password is shown."""
    monkeypatch.setenv("HTTP_PROXY", address)
    with pytest.raises(InvalidFieldError, match="HTTP_PROXY") as caught:
        transport.send(READ, "GET", "http://broker.example/")
    assert "hidden" not in str(caught.value)


def test_a_tunnel_is_made_for_each_connection_only(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Threads that share a transport each have a tunnel of their own."""
    transport = HttpTransport(attrs.evolve(QUICK, connections_max=2), tls=authority.client)
    with WireServer(reply(), tls=authority.server) as broker, WireServer(tunnel) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        threads = [
            threading.Thread(target=transport.send, args=(WRITE, "POST", broker.url))
            for _ in range(6)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(broker.received) == 6
        assert 1 <= len(proxy.received) <= 2
        transport.close()
