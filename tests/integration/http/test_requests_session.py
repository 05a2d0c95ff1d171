"""The transport in the shape of a requests session."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import attrs
import pytest

from bot_v2.features.brokerages.core.errors import (
    ConnectionError,
    OrderOutcomeUnknownError,
    OrderRejectedError,
    Outcome,
    UnsupportedOperationError,
)
from bot_v2.features.brokerages.http.calls import Call, Reply
from bot_v2.features.brokerages.http.requests_session import RequestsSession
from bot_v2.features.brokerages.http.session_response import HttpStatusError, SessionResponse
from bot_v2.features.brokerages.http.transport import HttpTransport
from tests.integration.http.calls import READ, WRITE
from tests.integration.http.wire_server import WireServer, reply, reset

PLACE = attrs.evolve(WRITE, is_write=True)


@pytest.fixture
def session(transport: HttpTransport) -> RequestsSession:
    """A session that is quick to give up."""
    return RequestsSession(transport, broker="acme")


@pytest.fixture
def server() -> Iterator[WireServer]:
    """A server that agrees to everything."""
    with WireServer(reply(b'{"a": 1}')) as made:
        yield made


def test_a_request_is_encoded_as_requests_does(
    session: RequestsSession, server: WireServer
) -> None:
    """Fields of queries and forms, JSON and bodies arrive as an SDK expects."""
    session.headers["X-Session"] = "s"
    session.get(server.url, params={"a": [1, 2], "b": None, "c": "x y"})
    session.get(f"{server.url}/?z=1", params="a=%20")
    session.get(server.url, params=b"b=1")
    session.get(server.url, params=[("a", 1), ("a", 2)])
    session.post(server.url, json={"price": "1.10", "é": None})
    session.post(server.url, data={"a": "1 2", "b": None})
    session.put(server.url, data="plain é", headers={"Content-Type": "text/plain"})
    session.patch(server.url, data=b"\x00")
    session.delete(server.url, json=[])
    targets = [one.target for one in server.received]
    assert targets[:4] == ["/?a=1&a=2&c=x+y", "/?z=1&a=%20", "/?b=1", "/?a=1&a=2"]
    sent = [(one.method, one.headers.get("content-type"), one.body) for one in server.received[4:]]
    assert sent == [
        ("POST", "application/json", b'{"price": "1.10", "\\u00e9": null}'),
        ("POST", "application/x-www-form-urlencoded", b"a=1+2"),
        ("PUT", "text/plain", "plain é".encode()),
        ("PATCH", None, b"\x00"),
        ("DELETE", "application/json", b"[]"),
    ]
    assert {one.headers["x-session"] for one in server.received} == {"s"}


def test_an_empty_object_in_a_get_is_left_out(session: RequestsSession, server: WireServer) -> None:
    """A body that says nothing is not sent where a body has no meaning."""
    session.get(server.url, json={})
    session.head(server.url)
    session.options(server.url)
    assert [(one.method, one.body) for one in server.received] == [
        ("GET", b""),
        ("HEAD", b""),
        ("OPTIONS", b""),
    ]


def test_a_header_of_the_session_can_be_taken_away(
    session: RequestsSession, server: WireServer
) -> None:
    """None as a value means without."""
    session.headers["X-Session"] = "s"
    session.get(server.url, headers={"X-Session": None})
    assert "x-session" not in server.received[0].headers


def test_a_response_has_the_shape(session: RequestsSession) -> None:
    """What SDKs look at is there."""
    latin = reply("é".encode("latin-1"), headers=['Content-Type: text/plain; charset="latin-1"'])
    strange = reply(b"x", headers=["Content-Type: text/plain; charset=klingon"])
    with WireServer(latin, strange) as server, session:
        response = session.get(f"{server.url}/a", params={"b": "1"})
        assert response.status_code == 200
        assert response.ok
        assert bool(response)
        assert response.content == b"\xe9"
        assert response.text == "é"
        assert response.reason == "Because"
        assert response.headers["content-LENGTH"] == "1"
        assert response.url == f"{server.url}/a?b=1"
        assert (response.request.method, response.request.url) == ("GET", response.url)
        assert response.elapsed.total_seconds() > 0
        assert repr(response) == "<Response [200]>"
        response.raise_for_status()
        response.close()
        assert session.get(server.url).text == "x"


def test_numbers_keep_their_digits(session: RequestsSession) -> None:
    """JSON's numbers never become floats, and the bytes stay as they came."""
    body = b'{"price": 123456789.123456789, "size": 1e-8, "count": 3}'
    with WireServer(reply(body)) as server:
        response = session.get(server.url)
    decoded = response.json()
    assert decoded == {
        "price": Decimal("123456789.123456789"),
        "size": Decimal("1E-8"),
        "count": 3,
    }
    assert type(decoded["price"]) is Decimal
    assert response.content == response.reply.body == body


def test_an_adapter_may_have_the_reply_handed_on(transport: HttpTransport) -> None:
    """An SDK that hands on what it gets gives the adapter the bytes."""
    session = RequestsSession(transport, broker="acme", decode_json=lambda got: got)
    with WireServer(reply(b"[1]")) as server:
        handed_on = session.get(server.url).json()
    assert isinstance(handed_on, Reply)
    assert handed_on.body == b"[1]"


def test_what_is_no_json_is_a_value_error(session: RequestsSession) -> None:
    """An HTML page does not decode."""
    with WireServer(reply(b"<html>")) as server, pytest.raises(ValueError, match="Expecting"):
        session.get(server.url).json()


@pytest.mark.parametrize(("status", "whose"), [(404, "Client"), (500, "Server")])
def test_a_status_can_be_raised(session: RequestsSession, status: int, whose: str) -> None:
    """raise_for_status raises what the session was given for it; the query stays hidden."""
    with WireServer(reply(b"no", status)) as server:
        response = session.post(f"{server.url}/x?token=hidden")
    assert not response.ok
    assert not response
    with pytest.raises(HttpStatusError, match=f"{status} {whose} Error") as caught:
        response.raise_for_status()
    assert caught.value.response is response
    assert "hidden" not in str(caught.value)


def test_an_sdk_may_have_its_own_error_for_a_status(transport: HttpTransport) -> None:
    """The class that an SDK catches is given to the session."""

    class TheirError(OSError):
        def __init__(self, message: str, response: SessionResponse) -> None:
            super().__init__(message)
            self.response = response

    session = RequestsSession(transport, broker="acme", status_error=TheirError)
    with WireServer(reply(b"no", 404)) as server, pytest.raises(TheirError) as caught:
        session.get(server.url).raise_for_status()
    assert caught.value.response.content == b"no"


def test_an_adapter_may_look_at_a_reply_first(transport: HttpTransport) -> None:
    """What it raises goes past the SDK, with the call that the reply belongs to."""

    def refuse(got: Reply, call: Call) -> None:
        raise OrderRejectedError(got.body.decode(), **call.context())

    session = RequestsSession(transport, broker="acme", on_reply=refuse)
    with (
        WireServer(reply(b"too small", 400)) as server,
        session.calling(PLACE),
        pytest.raises(OrderRejectedError) as caught,
    ):
        session.post(server.url)
    assert caught.value.client_order_id == "c-1"


def test_a_call_says_what_its_requests_are_for(session: RequestsSession) -> None:
    """The errors of what an SDK sends carry the call of the adapter."""
    with WireServer(reset()) as server:
        with session.calling(PLACE), pytest.raises(OrderOutcomeUnknownError) as caught:
            session.post(server.url)
        assert (caught.value.operation, caught.value.symbol) == ("place_order", "BTC-USD")
        with session.calling(READ), pytest.raises(ConnectionError) as lost:
            session.get(server.url)
        assert lost.value.operation == "list_orders"
        with pytest.raises(OrderOutcomeUnknownError) as stray:
            session.post(server.url)
        assert (stray.value.broker, stray.value.operation) == ("acme", "post")


def test_one_write_leaves_per_call(session: RequestsSession) -> None:
    """T09: an SDK that sends an order again after a 504 is stopped, and the outcome is unknown."""
    with WireServer(reply(b"", 504)) as server:
        with session.calling(PLACE):
            assert session.post(server.url).status_code == 504
            with pytest.raises(OrderOutcomeUnknownError, match="second POST") as caught:
                session.post(server.url)
        assert caught.value.client_order_id == "c-1"
        assert len(server.received) == 1
        with session.calling(PLACE):
            session.post(server.url)
        assert len(server.received) == 2


def test_one_write_leaves_per_call_whose_first_try_is_unknown(session: RequestsSession) -> None:
    """An SDK that sends an order again after a broken connection is stopped."""
    with WireServer(reset()) as server, session.calling(PLACE):
        for _ in range(2):
            with pytest.raises(OrderOutcomeUnknownError):
                session.post(server.url)
        assert len(server.received) == 1


def test_a_write_that_did_not_leave_may_be_tried_again(session: RequestsSession) -> None:
    """What provably did not leave uses up nothing."""
    with WireServer(reply()) as server, session.calling(PLACE):
        with pytest.raises(ConnectionError) as caught:
            session.post("http://127.0.0.1:1/")
        assert caught.value.outcome is Outcome.NOT_SENT
        assert session.post(server.url).ok


def test_a_read_before_the_write_may_be_repeated(session: RequestsSession) -> None:
    """A read within a write's call is repeated; when it fails, the write was not sent."""
    with WireServer(reset(), reply(), reset()) as server, session.calling(PLACE):
        assert session.get(server.url).ok
        with pytest.raises(ConnectionError) as caught:
            session.get(server.url)
        assert caught.value.outcome is Outcome.NOT_SENT


def test_a_read_after_the_write_leaves_it_unknown(session: RequestsSession) -> None:
    """A read that fails once the write left does not prove that nothing left."""
    with WireServer(reply(), reset()) as server, session.calling(PLACE):
        session.post(server.url)
        with pytest.raises(OrderOutcomeUnknownError, match="after the write") as caught:
            session.get(server.url)
        assert [one.method for one in server.received] == ["POST", "GET", "GET", "GET"]
        assert caught.value.client_order_id == "c-1"
        with pytest.raises(OrderOutcomeUnknownError):
            session.get("http://127.0.0.1:1/")


def test_a_call_holds_for_its_session_and_its_thread(
    session: RequestsSession, transport: HttpTransport
) -> None:
    """Another session, and another thread, know nothing of the call."""
    other = RequestsSession(transport, broker="other")
    seen: list[Any] = []

    def post(by: RequestsSession, url: str) -> None:
        try:
            by.post(url)
        except OrderOutcomeUnknownError as error:
            seen.append((error.broker, error.operation))

    with WireServer(reset()) as server, session.calling(PLACE):
        post(other, server.url)
        thread = threading.Thread(target=post, args=(session, server.url))
        thread.start()
        thread.join()
        post(session, server.url)
    assert seen == [("other", "post"), ("acme", "post"), ("acme", "place_order")]


@pytest.mark.parametrize(
    "option",
    [
        {"verify": False},
        {"verify": "/ca.pem"},
        {"auth": ("a", "b")},
        {"files": {"a": b""}},
        {"cookies": {"a": "b"}},
        {"stream": True},
        {"proxies": {"http": "x"}},
        {"cert": "c"},
        {"whatever": 1},
    ],
)
def test_an_option_that_would_not_be_followed_is_refused(
    session: RequestsSession, server: WireServer, option: dict[str, Any]
) -> None:
    """Nothing is silently left out."""
    with pytest.raises(UnsupportedOperationError, match=next(iter(option))):
        session.get(server.url, **option)
    assert server.received == []


def test_an_option_that_asks_for_nothing_is_let_pass(
    session: RequestsSession, server: WireServer
) -> None:
    """SDKs spell out defaults."""
    assert session.get(
        server.url, verify=True, auth=None, stream=False, proxies={}, allow_redirects=True
    ).ok
    with pytest.raises(UnsupportedOperationError, match="parse_float"):
        session.get(server.url).json(parse_float=float)


@pytest.mark.parametrize(
    ("given", "expected"), [(None, 7.0), (3, 3.0), ((1.0, 2.0), 3.0), ((None, None), 7.0)]
)
def test_a_time_out_is_always_there(
    transport: HttpTransport, monkeypatch: pytest.MonkeyPatch, given: Any, expected: float
) -> None:
    """An SDK that names no time-out gets the session's."""
    seen = []
    real = transport.send

    def send(*arguments: Any, **options: Any) -> Reply:
        seen.append(options["timeout_s"])
        return real(*arguments, **options)

    monkeypatch.setattr(transport, "send", send)
    session = RequestsSession(transport, broker="acme", timeout_s=7.0)
    with WireServer(reply()) as server:
        session.get(server.url, timeout=given)
    assert seen == [expected]


def test_a_float_that_is_no_number_is_not_sent(
    session: RequestsSession, server: WireServer
) -> None:
    """NaN is not JSON."""
    with pytest.raises(ValueError, match="JSON compliant"):
        session.post(server.url, json={"price": float("nan")})
    assert server.received == []
    assert json.loads(session.post(server.url, json={}).content) == {"a": 1}
