"""Vendors' SDKs, unmodified, on our session in place of theirs."""

from __future__ import annotations

import importlib
import json
import logging
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from bot_v2.features.brokerages.core.errors import OrderOutcomeUnknownError, OrderRejectedError
from bot_v2.features.brokerages.http.calls import Call, Reply
from bot_v2.features.brokerages.http.requests_session import RequestsSession
from bot_v2.features.brokerages.http.transport import HttpTransport
from tests.integration.http.conftest import QUICK, Authority
from tests.integration.http.wire_server import WireServer, reply, reset

PLACE = Call(broker="acme", operation="place_order", is_write=True, client_order_id="c-1")
ACCOUNTS = json.dumps(
    {
        "accounts": [
            {
                "uuid": "u-1",
                "currency": "BTC",
                "available_balance": {"value": "1.10", "currency": "BTC"},
            }
        ],
        "has_next": False,
    }
).encode()
CREATED = json.dumps(
    {"success": True, "success_response": {"order_id": "o-1", "client_order_id": "c-1"}}
).encode()


def coinbase_client(server: WireServer, session: RequestsSession) -> Any:
    """The official client, on a server of ours and on our session."""
    rest = importlib.import_module("coinbase.rest")
    secret = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    client = rest.RESTClient(
        api_key="organizations/o/apiKeys/k",
        api_secret=secret.decode(),
        base_url=f"127.0.0.1:{server.port}",
    )
    client.session = session
    return client


def test_coinbase_reads_and_writes(authority: Authority) -> None:
    """Its models are filled, its signature is sent, and one connection is used."""
    transport = HttpTransport(QUICK, tls=authority.client)
    with WireServer(reply(ACCOUNTS), reply(CREATED), tls=authority.server) as server:
        client = coinbase_client(server, RequestsSession(transport, broker="acme"))
        account = client.get_accounts(limit=5).accounts[0]
        assert account.available_balance["value"] == "1.10"
        made = client.limit_order_gtc_buy("c-1", "BTC-USD", base_size="0.1", limit_price="10")
        assert made["success_response"]["order_id"] == "o-1"
        get, post = server.received
        assert (get.method, get.body) == ("GET", b"")
        assert get.target == "/api/v3/brokerage/accounts?limit=5"
        assert json.loads(post.body)["order_configuration"]["limit_limit_gtc"] == {
            "base_size": "0.1",
            "limit_price": "10",
            "post_only": False,
        }
        assert post.headers["authorization"].startswith("Bearer ey")
        assert post.headers["user-agent"].startswith("coinbase-advanced-py/")
        assert server.connections == 1
    transport.close()


def test_coinbase_hands_on_the_reply(authority: Authority) -> None:
    """An adapter that asks for the path gets the bytes, and decodes them itself."""
    transport = HttpTransport(QUICK, tls=authority.client)
    session = RequestsSession(transport, broker="acme", decode_json=lambda got: got)
    with WireServer(reply(ACCOUNTS), tls=authority.server) as server:
        got = coinbase_client(server, session).get("/api/v3/brokerage/accounts")
    assert isinstance(got, Reply)
    assert got.body == ACCOUNTS
    transport.close()


def test_coinbase_raises_its_own_error_with_our_response(
    authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    """Without a look at the reply first, the SDK does what it does."""
    transport = HttpTransport(QUICK, tls=authority.client)
    session = RequestsSession(transport, broker="acme")
    with WireServer(reply(b'{"error":"x"}', 401), tls=authority.server) as server:
        client = coinbase_client(server, session)
        with caplog.at_level(logging.CRITICAL), pytest.raises(OSError, match="401") as caught:
            client.get_accounts()
    response: Any = getattr(caught.value, "response", None)
    assert response.content == b'{"error":"x"}'
    transport.close()


def test_coinbase_is_spared_a_reply_that_the_adapter_refused(authority: Authority) -> None:
    """What the adapter raises for a reply passes through the SDK."""

    def refuse(got: Reply, call: Call) -> None:
        if not got.is_success:
            context = call.context()
            context["http_status"] = got.status
            raise OrderRejectedError("refused", **context)

    transport = HttpTransport(QUICK, tls=authority.client)
    session = RequestsSession(transport, broker="acme", on_reply=refuse)
    with WireServer(reply(b"{}", 400), tls=authority.server) as server:
        client = coinbase_client(server, session)
        with session.calling(PLACE), pytest.raises(OrderRejectedError) as caught:
            client.market_order_buy("c-1", "BTC-USD", quote_size="10")
    assert (caught.value.http_status, caught.value.client_order_id) == (400, "c-1")
    transport.close()


def test_coinbase_passes_on_what_we_do_not_know(authority: Authority) -> None:
    """A broken connection reaches the caller as an unknown outcome, and the order left once."""
    transport = HttpTransport(QUICK, tls=authority.client)
    session = RequestsSession(transport, broker="acme")
    with WireServer(reset(), tls=authority.server) as server:
        client = coinbase_client(server, session)
        with session.calling(PLACE), pytest.raises(OrderOutcomeUnknownError):
            client.market_order_buy("c-1", "BTC-USD", quote_size="10")
        assert len(server.received) == 1
    transport.close()


def alpaca_client(server: WireServer, session: RequestsSession, retries: int) -> Any:
    """The other official client, set to send again at once."""
    pytest.importorskip("alpaca")
    module = importlib.import_module("alpaca.trading.client")
    client = module.TradingClient("key", "secret", url_override=server.url)
    client._session = session
    client._retry, client._retry_wait = retries, 0
    return client


def alpaca_session(transport: HttpTransport) -> RequestsSession:
    """A session that raises what this SDK catches."""
    http_error = vars(importlib.import_module("alpaca.common.rest"))["HTTPError"]
    return RequestsSession(transport, broker="acme", status_error=http_error)


def test_alpaca_reads(transport: HttpTransport) -> None:
    """Its models are filled from our response."""
    pytest.importorskip("alpaca")
    clock = (
        b'{"timestamp":"2026-01-01T00:00:00Z","is_open":true,'
        b'"next_open":"2026-01-01T00:00:00Z","next_close":"2026-01-01T00:00:00Z"}'
    )
    with WireServer(reply(clock)) as server:
        client = alpaca_client(server, alpaca_session(transport), 3)
        assert client.get_clock().is_open is True
        assert server.received[0].headers["apca-api-key-id"] == "key"


def test_t09_alpaca_sends_an_order_again_and_is_stopped(transport: HttpTransport) -> None:
    """Its four tries after a 504 become one order, and an outcome that is unknown."""
    pytest.importorskip("alpaca")
    session = alpaca_session(transport)
    with WireServer(reply(b"", 504)) as server:
        client = alpaca_client(server, session, 3)
        with session.calling(PLACE), pytest.raises(OrderOutcomeUnknownError):
            client.post("/orders", {"symbol": "AAPL"})
        assert len(server.received) == 1


def test_alpaca_raises_its_own_error(transport: HttpTransport) -> None:
    """A refusal becomes the SDK's error, with our response behind it."""
    pytest.importorskip("alpaca")
    refusal = b'{"code": 40310000, "message": "insufficient"}'
    with WireServer(reply(refusal, 403)) as server:
        client = alpaca_client(server, alpaca_session(transport), 3)
        with pytest.raises(Exception, match="insufficient") as caught:
            client.post("/orders", {"symbol": "AAPL"})
    error: Any = caught.value
    assert (error.status_code, error.code) == (403, 40310000)
