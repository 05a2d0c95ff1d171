"""What the made-up broker's answers mean, row by row: where a table is silent, nothing is known."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from decimal import Decimal

import pytest
from acme_brokerage.client import AcmeClient
from acme_brokerage.errors import REFUSALS, TROUBLE, Call, error_of_reply
from acme_brokerage.wire import Fields, MalformedError, MaybeSentError, NotSentError, Reply, decode

from bot_v2.features.brokerages.core.interfaces import (
    BrokerAPIError,
    BrokerUnavailableError,
    InsufficientFundsError,
    OrderOutcomeUnknownError,
    Outcome,
    RateLimitError,
)

READ = Call(operation="get_order", order_id="7")
WRITE = Call(operation="place_order", is_write=True, client_order_id="mine")


def reply(status: int, code: str, **facts: object) -> Reply:
    """An error of Acme's."""
    error = {"code": code, "message": "no", **facts}
    return Reply(status, None, json.dumps({"error": error}).encode())


@pytest.mark.parametrize("code", REFUSALS)
def test_a_documented_refusal_of_a_write_is_rejected(code: str) -> None:
    """It is known that nothing was done, and the broker's code is kept."""
    error = error_of_reply(reply(400, code), WRITE)
    assert isinstance(error, REFUSALS[code])
    assert error.outcome is Outcome.REJECTED
    assert (error.code, error.client_order_id) == (code, "mine")


@pytest.mark.parametrize("code", [*TROUBLE, "a_code_of_tomorrow"])
def test_anything_else_leaves_a_write_unknown(code: str) -> None:
    """A 5xx, or a code that no table has, proves nothing about a write."""
    error = error_of_reply(reply(422, code), WRITE)
    assert type(error) is OrderOutcomeUnknownError
    assert error.code == code


@pytest.mark.parametrize(("code", "kind"), [*REFUSALS.items(), *TROUBLE.items()])
def test_a_read_that_fails_has_no_outcome(code: str, kind: type[Exception]) -> None:
    """The same codes on a read say what is wrong, and nothing about effects."""
    error = error_of_reply(reply(400, code), READ)
    assert isinstance(error, kind)
    assert error.outcome is None


def test_an_unknown_code_on_a_read_is_said_as_it_is() -> None:
    """A code that no table has is a BrokerAPIError that carries it."""
    error = error_of_reply(reply(418, "teapot"), READ)
    assert type(error) is BrokerAPIError
    assert (error.code, error.http_status) == ("teapot", 418)


@pytest.mark.parametrize("status", [403, 429, 502])
def test_a_proxys_page_is_no_answer_of_the_broker(status: int) -> None:
    """HTML instead of the documented error leaves a write unknown, whatever its status."""
    page = Reply(status, 3.0, b"<html>blocked</html>")
    assert type(error_of_reply(page, WRITE)) is OrderOutcomeUnknownError
    kind = BrokerUnavailableError if status >= 500 else BrokerAPIError
    assert type(error_of_reply(page, READ)) is kind


def test_what_is_missing_is_told_exactly() -> None:
    """The amounts of a refusal are as exact as any other money."""
    facts = b'"code": "insufficient_funds", "message": "no", "required": 0.30000000000000004'
    body = b'{"error": {' + facts + b"}}"
    error = error_of_reply(Reply(422, None, body), WRITE)
    assert isinstance(error, InsufficientFundsError)
    assert error.required == Decimal("0.30000000000000004")
    assert error.available is None


def test_the_wait_that_the_broker_asks_for_is_told() -> None:
    """Retry-After reaches the caller."""
    limited = Reply(429, 7.0, reply(429, "rate_limited").body)
    error = error_of_reply(limited, WRITE)
    assert isinstance(error, RateLimitError)
    assert error.retry_after_s == 7.0


@pytest.mark.parametrize("text", ["NaN", "Infinity", '{"a": -Infinity}', "{", ""])
def test_what_is_no_exact_json_is_refused(text: str) -> None:
    """Python's own decoder would take NaN and infinity."""
    with pytest.raises(ValueError):
        decode(text.encode())


@pytest.mark.parametrize("value", ['"1.5"', "true", "null", "[1]"])
def test_a_number_is_a_number(value: str) -> None:
    """Text, a flag or nothing in the place of a number is malformed, never converted."""
    fields = Fields(decode(f'{{"size": {value}}}'.encode()))
    with pytest.raises(MalformedError, match="size"):
        fields.decimal("size")


def test_a_refused_connection_proves_that_nothing_left() -> None:
    """Nobody listens: not a byte was sent."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    client = AcmeClient(f"http://127.0.0.1:{port}", timeout_s=0.5)
    with pytest.raises(NotSentError) as caught:
        client.call("POST", "/v1/orders", headers={}, body={})
    assert isinstance(caught.value.__cause__, ConnectionRefusedError)


class Scripted:
    """A server that answers each connection with some bytes, and counts the requests."""

    def __init__(self, answers: list[bytes]) -> None:
        self.requests = 0
        self._answers = answers
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        for answer in self._answers:
            connection, _ = self._server.accept()
            with connection:
                connection.recv(65_536)
                self.requests += 1
                connection.sendall(answer)

    def close(self) -> None:
        """Wait for the end, and stop listening."""
        self._thread.join(5)
        self._server.close()


def test_a_connection_that_the_broker_closed_is_not_written_to() -> None:
    """A server closed the idle connection: the next write goes over a new one, once."""
    ok = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
    server = Scripted([ok, ok])
    client = AcmeClient(server.url, timeout_s=2.0)
    for _ in range(2):
        assert client.call("POST", "/v1/orders", headers={}, body={}).body == b"{}"
        # The end of the connection is on its way: it is there before the next call looks.
        threading.Event().wait(0.05)
    client.close()
    server.close()
    assert server.requests == 2


@pytest.mark.parametrize(
    "answer",
    [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{}", b"garbage\r\n\r\n"],
    ids=["nothing", "less than promised", "no HTTP"],
)
def test_a_broken_answer_is_asked_for_once(answer: bytes) -> None:
    """A write whose answer breaks off is never sent again by itself."""
    server = Scripted([answer])
    client = AcmeClient(server.url, timeout_s=2.0)
    with pytest.raises(MaybeSentError) as caught:
        client.call("POST", "/v1/orders", headers={}, body={})
    assert isinstance(caught.value.__cause__, OSError | http.client.HTTPException)
    client.close()
    server.close()
    assert server.requests == 1
