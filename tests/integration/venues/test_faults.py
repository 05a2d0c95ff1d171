"""Every fault, as it shows on the wire; and the controls by which it is asked for."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from coinbase.jwt_generator import build_rest_jwt

from bot_v2.simulation.faults import Fault
from bot_v2.venues.coinbase.venue import CoinbaseVenue

D = Decimal
TIMEOUT_S = 0.6
ORDERS = "/api/v3/brokerage/orders"


@pytest.fixture
def connection(venue: CoinbaseVenue) -> Iterator[http.client.HTTPConnection]:
    """A connection without TLS."""
    made = http.client.HTTPConnection("127.0.0.1", venue.port, timeout=TIMEOUT_S)
    yield made
    made.close()


def ask(
    venue: CoinbaseVenue,
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    body: object = None,
) -> http.client.HTTPResponse:
    """Send a signed request, and return the answer as far as its headers."""
    key = venue.api_key
    token = build_rest_jwt(f"{method} api.coinbase.com{path}", key.name, key.secret)
    content = json.dumps(body or {})
    connection.request(method, path, content, {"Authorization": f"Bearer {token}"})
    return connection.getresponse()


def place(
    venue: CoinbaseVenue, connection: http.client.HTTPConnection, name: str = "a"
) -> http.client.HTTPResponse:
    """Place an order that waits."""
    config = {"limit_limit_gtc": {"base_size": "0.1", "limit_price": "50000"}}
    body = {"client_order_id": name, "product_id": "BTC-USD", "side": "BUY"}
    return ask(venue, connection, "POST", ORDERS, {**body, "order_configuration": config})


ANSWERED = (
    # fault, status, whether the body can be read as the API's, orders made
    (Fault.RATE_LIMIT, 429, True, 0),
    (Fault.UNAVAILABLE, 503, True, 0),
    (Fault.SERVER_ERROR, 500, True, 1),
    (Fault.MALFORMED, 200, False, 1),
    (Fault.EMPTY, 200, False, 1),
)


@pytest.mark.parametrize(("fault", "status", "is_json", "made"), ANSWERED)
def test_faults_that_answer(
    venue: CoinbaseVenue,
    connection: http.client.HTTPConnection,
    fault: Fault,
    status: int,
    is_json: bool,
    made: int,
) -> None:
    """The status and body are the fault's; the order exists or not as the fault says."""
    venue.inject(fault, "place_order")
    answer = place(venue, connection)
    content = answer.read()
    assert answer.status == status
    assert (answer.getheader("retry-after") is not None) == (fault is Fault.RATE_LIMIT)
    if is_json:
        assert json.loads(content)["error"]
    else:
        assert not content.startswith(b"{")
    assert len(venue.orders_received()) == made
    assert venue.requests_received("place_order") == 1
    assert place(venue, connection, "b").status == 200


def test_a_truncated_answer_ends_in_the_middle(
    venue: CoinbaseVenue, connection: http.client.HTTPConnection
) -> None:
    """The order exists; the body is shorter than promised, and the connection ends in peace."""
    venue.inject(Fault.TRUNCATED, "place_order")
    with pytest.raises(http.client.IncompleteRead) as cut:
        place(venue, connection).read()
    assert cut.value.partial.startswith(b'{"success":true')
    assert len(venue.orders_received()) == 1


def test_a_reset_answer_is_a_reset(
    venue: CoinbaseVenue, connection: http.client.HTTPConnection
) -> None:
    """The order exists; the other side sees the connection reset, not closed."""
    venue.inject(Fault.RESET_AFTER, "place_order")
    with pytest.raises(ConnectionResetError):
        place(venue, connection).read()
    assert len(venue.orders_received()) == 1


@pytest.mark.parametrize(
    ("fault", "made"), [(Fault.DROP_AFTER_ACCEPT, 1), (Fault.DROP_BEFORE_ACCEPT, 0)]
)
def test_a_dropped_answer_never_comes(
    venue: CoinbaseVenue, connection: http.client.HTTPConnection, fault: Fault, made: int
) -> None:
    """The caller times out; the order exists or not as the fault says."""
    venue.inject(fault, "place_order")
    with pytest.raises(TimeoutError):
        place(venue, connection)
    assert len(venue.orders_received()) == made
    assert venue.requests_received("place_order") == 1
    assert venue.request_log()[-1].status is None


def test_what_hangs_lets_go_when_faults_are_cleared(venue: CoinbaseVenue) -> None:
    """The connection ends without an answer, long before the caller's patience does."""
    venue.inject(Fault.DROP_BEFORE_ACCEPT, "place_order")
    patient = http.client.HTTPConnection("127.0.0.1", venue.port, timeout=20)
    threading.Timer(0.1, venue.clear_faults).start()
    start = time.monotonic()
    with pytest.raises((ConnectionResetError, http.client.RemoteDisconnected)):
        place(venue, patient)
    assert time.monotonic() - start < 5
    patient.close()


def test_a_refused_connection_reaches_nothing(
    venue: CoinbaseVenue, connection: http.client.HTTPConnection
) -> None:
    """Open connections are cut, new ones refused; afterwards the same port answers."""
    assert place(venue, connection).read()
    port = venue.port
    venue.inject(Fault.RESET_BEFORE)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), TIMEOUT_S)
    with pytest.raises(OSError):
        ask(venue, connection, "GET", "/api/v3/brokerage/time")
    venue.clear_faults()
    assert venue.port == port
    connection.close()
    assert ask(venue, connection, "GET", "/api/v3/brokerage/time").status == 200
    assert len(venue.orders_received()) == 1


def test_an_expired_session_ends_with_the_next_connect(
    venue: CoinbaseVenue, connection: http.client.HTTPConnection
) -> None:
    """Every call is a 401 until the call that a connection begins with."""
    venue.inject(Fault.SESSION_EXPIRED, "place_order")
    assert place(venue, connection).status == 401
    connection.close()
    assert place(venue, connection).status == 401
    connection.close()
    assert ask(venue, connection, "GET", "/api/v3/brokerage/key_permissions").status == 200
    connection.close()
    assert place(venue, connection).status == 200
    assert len(venue.orders_received()) == 1


def test_a_fault_befalls_its_operation_alone(
    venue: CoinbaseVenue, connection: http.client.HTTPConnection
) -> None:
    """As often as asked, and no other call."""
    venue.inject(Fault.SERVER_ERROR, "get_order", times=2)
    order_id = json.loads(place(venue, connection).read())["order_id"]
    statuses = []
    for _ in range(3):
        answer = ask(venue, connection, "GET", f"{ORDERS}/historical/{order_id}")
        answer.read()
        statuses.append(answer.status)
    assert statuses == [500, 500, 200]


def control(venue: CoinbaseVenue, method: str, path: str, body: object = None) -> Any:
    """Ask the venue's controls."""
    connection = http.client.HTTPConnection(venue.admin_url.removeprefix("http://"), timeout=5)
    connection.request(method, path, None if body is None else json.dumps(body))
    answer = connection.getresponse()
    assert answer.status == 200
    said = json.loads(answer.read())
    connection.close()
    return said


def test_the_controls_over_http(
    venue: CoinbaseVenue, connection: http.client.HTTPConnection
) -> None:
    """Faults, market, fills, clock and log, all from outside the process."""
    planned = control(venue, "POST", "/faults", {"fault": "server_error", "operation": "get_order"})
    assert planned["pending"] == [{"fault": "server_error", "operation": "get_order"}]
    assert control(venue, "DELETE", "/faults") == {"pending": [], "lasting": []}
    order_id = json.loads(place(venue, connection).read())["order_id"]
    control(venue, "POST", "/fills", {"order_id": order_id, "quantity": "0.1", "price": "50000"})
    book = {"symbol": "BTC-USD", "bid": "61000", "ask": "61010", "size": "2"}
    control(venue, "POST", "/market", book)
    said = ask(venue, connection, "GET", f"{ORDERS}/historical/{order_id}")
    assert json.loads(said.read())["order"]["status"] == "FILLED"
    assert control(venue, "GET", "/orders")["orders"][0]["order_id"] == order_id
    assert control(venue, "GET", "/requests?operation=place_order")["received"] == 1
    logged = control(venue, "GET", "/requests")["requests"]
    assert [one["method"] for one in logged] == ["POST", "GET"]
    assert "Bearer" not in json.dumps(logged)
    before = control(venue, "GET", "/clock")["time"]
    assert control(venue, "POST", "/clock", {"seconds": 3600})["time"] > before


def test_rate_limits_are_set_by_the_controls(
    venue: CoinbaseVenue, connection: http.client.HTTPConnection
) -> None:
    """As documented, or as asked for; what is limited is answered with 429."""
    documented = control(venue, "POST", "/limits", {})
    assert documented["private"] == {"per_s": 30, "burst": 30}
    slow = {"private": {"per_s": 0.01, "burst": 1}}
    assert control(venue, "POST", "/limits", slow) == slow
    statuses = []
    for _ in range(2):
        answer = ask(venue, connection, "GET", f"{ORDERS}/historical/batch")
        answer.read()
        statuses.append(answer.status)
    assert statuses == [200, 429]
    assert control(venue, "GET", "/limits") == slow
    assert control(venue, "DELETE", "/limits") == {}


def test_the_controls_stay_when_the_wire_is_cut(venue: CoinbaseVenue) -> None:
    """A refused connection can be ended by the same means by which it was asked for."""
    control(venue, "POST", "/faults", {"fault": "reset_before"})
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", venue.port), TIMEOUT_S)
    control(venue, "DELETE", "/faults")
    socket.create_connection(("127.0.0.1", venue.port), TIMEOUT_S).close()


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/faults", {"fault": "gremlins"}),
        ("/faults", {"fault": "empty", "times": 0}),
        ("/market", {"symbol": "NEVER", "bid": "1", "ask": "2", "size": "1"}),
        ("/market", {"symbol": "BTC-USD", "bid": 1, "ask": "2", "size": "1"}),
        ("/market", {"symbol": "BTC-USD", "bid": "3", "ask": "2", "size": "1"}),
        ("/fills", {"order_id": "never", "quantity": "1", "price": "1"}),
        ("/clock", {"seconds": -1}),
        ("/limits", {"private": 3}),
        ("/limits", {"private": {"per_s": 0, "burst": 1}}),
        ("/limits", {"private": {"per_s": "1", "burst": 1}}),
        ("/limits", {"never": {"per_s": 1, "burst": 1}}),
    ],
)
def test_a_control_that_makes_no_sense_says_so(
    venue: CoinbaseVenue, path: str, body: dict[str, object]
) -> None:
    """A 400 that says what is wrong; a page of another host's name is not let in."""
    connection = http.client.HTTPConnection(venue.admin_url.removeprefix("http://"))
    connection.request("POST", path, json.dumps(body))
    answer = connection.getresponse()
    assert (answer.status, bool(json.loads(answer.read())["error"])) == (400, True)
    connection.request("POST", path, json.dumps(body), {"Host": "evil.example"})
    assert connection.getresponse().status == 400
    connection.close()
