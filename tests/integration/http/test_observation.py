"""What is told of an exchange: to whoever counts, and to the log, without a secret."""

from __future__ import annotations

import logging
import traceback
from typing import Any

import pytest

from bot_v2.features.brokerages.core.errors import OrderOutcomeUnknownError
from bot_v2.features.brokerages.http.metrics import ExchangeRecord
from bot_v2.features.brokerages.http.quotas import Quota, Quotas
from bot_v2.features.brokerages.http.transport import HttpTransport
from tests.integration.http.calls import READ, WRITE
from tests.integration.http.conftest import QUICK
from tests.integration.http.wire_server import WireServer, reply, reset

SECRET = "s3cr3t-value"


class Counter:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.seen: list[ExchangeRecord] = []

    def exchange_ended(self, exchange: ExchangeRecord) -> None:
        """Keep it."""
        self.seen.append(exchange)


class Broken:
    """Fails at what it is told."""

    def exchange_ended(self, exchange: ExchangeRecord) -> None:
        """Fail."""
        raise RuntimeError("disk full")


def test_each_exchange_is_told_once() -> None:
    """The record says how it went, with every attempt of a read."""
    counter = Counter()
    quotas = Quotas({"": [Quota(100)]}, scope="t")
    transport = HttpTransport(QUICK, observer=counter, quotas=quotas)
    with WireServer(reply(b"", 503), reply(b"[1]"), reset()) as server:
        transport.send(READ, "GET", server.url)
        with pytest.raises(OrderOutcomeUnknownError):
            transport.send(WRITE, "POST", server.url, body=b"{}")
    with pytest.raises(OSError, match="not take the connection"):
        transport.send(WRITE, "POST", server.url, body=b"{}")
    transport.close()
    first, second, broken, refused = counter.seen
    assert (first.status, first.attempt, first.reused_connection, first.error) == (
        503,
        1,
        False,
        None,
    )
    assert (second.status, second.attempt, second.reused_connection) == (200, 2, True)
    assert (second.received_bytes, second.sent_bytes, second.is_write) == (3, 0, False)
    assert (second.broker, second.operation, second.method) == ("acme", "list_orders", "GET")
    assert (second.host, second.endpoint) == ("127.0.0.1", "")
    assert 0 < second.elapsed_s < 1
    assert 0 <= second.held_s < 0.1
    assert (broken.status, broken.error, broken.began) == (None, "OrderOutcomeUnknownError", True)
    assert (broken.is_write, broken.sent_bytes) == (True, 2)
    assert (refused.error, refused.began, refused.reused_connection) == (
        "ConnectionError",
        False,
        None,
    )


def test_an_observer_that_fails_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """A write's reply reaches the caller, whatever a metrics hook does."""
    transport = HttpTransport(QUICK, observer=Broken())
    with WireServer(reply()) as server:
        assert transport.send(WRITE, "POST", server.url).status == 200
    assert "observer" in caplog.text
    transport.close()


HIDING: list[dict[str, Any]] = [
    {"headers": {"Authorization": f"Bearer {SECRET}"}},
    {"headers": {"CB-ACCESS-SIGN": SECRET, "APCA-API-SECRET-KEY": SECRET, "Cookie": SECRET}},
    {"query": {"api_key": SECRET, "signature": SECRET, "symbol": "BTC-USD"}},
    {"body": f'{{"password": "{SECRET}", "pin":"{SECRET}"}}'.encode()},
    {"body": f"access_token={SECRET}&symbol=BTC-USD".encode()},
    {"body": b"\xff" + SECRET.encode()},
]


@pytest.mark.parametrize("given", HIDING)
@pytest.mark.parametrize("breaks", [False, True])
def test_no_secret_is_logged_or_raised(
    caplog: pytest.LogCaptureFixture, given: dict[str, Any], breaks: bool
) -> None:
    """The log of everything, and the trace of an error, show no secret sent or received."""
    caplog.set_level(logging.DEBUG)
    transport = HttpTransport(QUICK)
    handed = reply(
        f'{{"token": "{SECRET}", "left": 1}}'.encode(), headers=[f"Set-Cookie: {SECRET}"]
    )
    with WireServer(reset() if breaks else handed) as server:
        trace = ""
        try:
            repr(transport.send(WRITE, "POST", f"{server.url}/orders", **given))
        except OrderOutcomeUnknownError as error:
            trace = "".join(traceback.format_exception(error))
        assert breaks is bool(trace)
    transport.close()
    said = [record.getMessage() for record in caplog.records] + [trace]
    assert SECRET not in "".join(said)
    ours = [record for record in caplog.records if record.name.startswith("bot_v2")]
    assert "acme place_order: POST" in ours[0].getMessage()
    assert breaks or '"left": 1' in ours[0].getMessage()
    assert [record.name for record in caplog.records] == [ours[0].name]


def test_nothing_is_logged_unless_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    """An exchange that goes well is no news."""
    caplog.set_level(logging.INFO)
    transport = HttpTransport(QUICK)
    with WireServer(reply()) as server:
        transport.send(WRITE, "POST", server.url)
    assert caplog.records == []
    transport.close()
