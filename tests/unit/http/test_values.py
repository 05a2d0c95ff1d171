"""Settings, calls, requests and passages."""

from __future__ import annotations

import builtins
import http.client
from typing import Any

import attrs
import pytest
from urllib3.exceptions import ProtocolError

from bot_v2.features.brokerages.core.errors import InvalidFieldError, Outcome
from bot_v2.features.brokerages.http.calls import Call, Request
from bot_v2.features.brokerages.http.connections import (
    PlainConnection,
    TlsConnection,
    connection_class,
)
from bot_v2.features.brokerages.http.failures import error_of_failure
from bot_v2.features.brokerages.http.passage import Passage
from bot_v2.features.brokerages.http.pools import Origin
from bot_v2.features.brokerages.http.proxies import proxy_for
from bot_v2.features.brokerages.http.settings import HttpSettings

CALL = Call(broker="acme", operation="place_order")
NUMBERS = [
    field.name
    for field in attrs.fields(HttpSettings)
    if isinstance(getattr(HttpSettings(), field.name), int | float)
]


def settings(name: str, value: Any) -> HttpSettings:
    """The defaults, but for one."""
    given: dict[str, Any] = {name: value}
    return HttpSettings(**given)


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", [-1, float("inf"), float("nan"), True])
def test_a_bound_that_is_none_is_refused(name: str, value: Any) -> None:
    """Every number of the settings bounds something."""
    with pytest.raises(InvalidFieldError, match=name):
        settings(name, value)


@pytest.mark.parametrize("name", sorted(set(NUMBERS) - {"write_hold_s"}))
def test_nothing_may_take_no_time_at_all(name: str) -> None:
    """Zero would forbid every request."""
    with pytest.raises(InvalidFieldError, match="more than zero"):
        settings(name, 0)


def test_a_write_need_not_be_held_back() -> None:
    """Zero means to refuse at once."""
    assert HttpSettings(write_hold_s=0).write_hold_s == 0


@pytest.mark.parametrize(
    ("is_write", "method", "has_effect"),
    [
        (None, "GET", False),
        (None, "HEAD", False),
        (None, "OPTIONS", False),
        (None, "POST", True),
        (None, "DELETE", True),
        (None, "PURGE", True),
        (True, "GET", True),
        (False, "POST", False),
    ],
)
def test_the_method_decides_unless_the_call_does(
    is_write: bool | None, method: str, has_effect: bool
) -> None:
    """What nobody vouches for is a write."""
    assert attrs.evolve(CALL, is_write=is_write).can_have_effect(method) is has_effect


def test_a_call_before_a_write_says_so_in_its_errors() -> None:
    """Only then does the context speak of an outcome."""
    assert "outcome" not in CALL.context()
    assert attrs.evolve(CALL, before_write=True).context()["outcome"] is Outcome.NOT_SENT


def test_a_request_shows_nothing_of_itself() -> None:
    """The repr of a request is for logs."""
    request = Request(
        method="POST",
        url="https://u:hidden@h/p?token=hidden",
        headers={"Authorization": "hidden"},
        body=b"hidden",
    )
    assert repr(request) == "<Request POST https://h/p?token=***>"


def test_a_passage_that_is_over_begins_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """No byte leaves after the deadline; one that began stays so."""
    moment = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: moment[0])
    early = Passage(timeout_s=1, connect_s=5, read_s=0.5)
    assert (early.next_connect_s(), early.next_read_s()) == (1, 0.5)
    early.begin()
    late = Passage(timeout_s=1, connect_s=5, read_s=0.5)
    moment[0] += 1
    for refused in (late.begin, late.left_s, late.next_connect_s, late.next_read_s):
        with pytest.raises(builtins.TimeoutError):
            refused()
    assert not late.began
    early.begin()
    assert early.began
    assert early.elapsed_s == 1


@pytest.mark.parametrize(
    ("origin", "text"),
    [
        (Origin("https", "h", 443), "https://h"),
        (Origin("http", "h", 443), "http://h:443"),
        (Origin("http", "::1", 80), "http://[::1]"),
    ],
)
def test_an_origin_is_written_without_what_goes_without_saying(origin: Origin, text: str) -> None:
    """As a forwarding proxy is told it."""
    assert str(origin) == text


def test_a_proxy_is_kept_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    """The password is wrapped from the moment it is read."""
    monkeypatch.setenv("HTTPS_PROXY", "http://u:hidden@proxy.example:3128")
    monkeypatch.delenv("https_proxy", raising=False)
    monkeypatch.setenv("NO_PROXY", "inside.example,other.example:8443")
    monkeypatch.delenv("no_proxy", raising=False)
    proxy = proxy_for("https", "outside.example", 443)
    assert proxy is not None
    assert "hidden" not in repr(proxy)
    assert proxy.headers["Proxy-Authorization"].startswith("Basic ")
    assert proxy_for("https", "api.inside.example", 443) is None
    assert proxy_for("https", "other.example", 8443) is None
    assert proxy_for("https", "other.example", 443) is not None


def test_connections_are_ours_unless_somebody_replaced_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A recorder that patches urllib3 is respected."""
    assert connection_class(tls=True) is TlsConnection
    assert connection_class(tls=False) is PlainConnection

    class Recorder(PlainConnection):
        pass

    monkeypatch.setattr("urllib3.connectionpool.HTTPConnectionPool.ConnectionCls", Recorder)
    monkeypatch.setattr("urllib3.connectionpool.HTTPSConnectionPool.ConnectionCls", Recorder)
    assert connection_class(tls=True) is Recorder
    assert connection_class(tls=False) is Recorder


@pytest.mark.parametrize("tls", [False, True])
def test_a_connection_sends_nothing_outside_of_an_exchange(tls: bool) -> None:
    """A connection never opens by itself in the middle of a request."""
    connection = connection_class(tls=tls)("127.0.0.1", 9)
    with pytest.raises(http.client.NotConnected):
        connection.request("POST", "/orders", body=b"{}")


@pytest.mark.parametrize("error", [ProtocolError("odd"), KeyError("odd"), AssertionError()])
def test_whatever_breaks_after_a_byte_left_is_unknown(error: Exception) -> None:
    """An error of a kind nobody foresaw says nothing of a write."""
    request = Request(method="POST", url="http://h/", headers={}, body=None)
    raised = error_of_failure(error, CALL, request, is_write=True, began=True)
    assert raised.outcome is Outcome.UNKNOWN
    raised = error_of_failure(error, CALL, request, is_write=True, began=False)
    assert raised.outcome is Outcome.NOT_SENT
