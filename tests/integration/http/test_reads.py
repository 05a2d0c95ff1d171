"""Reads: asked again within a budget, bounded in time and size, their bytes kept."""

from __future__ import annotations

import gzip
import time
import tracemalloc
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import attrs
import pytest

from bot_v2.features.brokerages.core.errors import (
    ConnectionError,
    InvalidFieldError,
    Outcome,
    RateLimitError,
    TimeoutError,
)
from bot_v2.features.brokerages.http.quotas import Quota, Quotas
from bot_v2.features.brokerages.http.transport import HttpTransport
from tests.integration.http.calls import READ, WRITE
from tests.integration.http.conftest import QUICK, Authority
from tests.integration.http.wire_server import WireServer, drip, raw, reply, reset


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_a_read_is_asked_again_after_a_passing_status(
    transport: HttpTransport, status: int
) -> None:
    """A read is answered by the first attempt that does better."""
    with WireServer(reply(b"", status), reply(b"", status), reply(b"[1]")) as server:
        answer = transport.send(READ, "GET", server.url)
    assert (answer.status, answer.body) == (200, b"[1]")
    assert len(server.received) == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 418, 422])
def test_a_read_is_not_asked_again_after_a_lasting_status(
    transport: HttpTransport, status: int
) -> None:
    """What would be refused again is handed over as it is."""
    with WireServer(reply(b"no", status)) as server:
        assert transport.send(READ, "GET", server.url).status == status
    assert len(server.received) == 1


def test_a_read_is_asked_again_after_a_broken_connection(transport: HttpTransport) -> None:
    """A reset, an early end and no reply at all are asked again."""
    broken = raw(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{")
    with WireServer(reset(), broken, reply(b"[1]")) as server:
        assert transport.send(READ, "GET", server.url).body == b"[1]"
    assert len(server.received) == 3


def test_each_attempt_is_signed_anew() -> None:
    """V07: a signature by time or nonce is made when a request leaves, after it was held back."""
    quotas = Quotas({"": [Quota(1, per_s=1)]}, scope="t")
    transport = HttpTransport(QUICK, quotas=quotas)
    made: list[float] = []

    def sign() -> dict[str, str]:
        made.append(time.monotonic())
        return {"X-Nonce": str(len(made))}

    with WireServer(reply(b"", 503), reply()) as server:
        started = time.monotonic()
        transport.send(READ, "GET", server.url, headers={"X-A": "1"}, sign=sign)
        assert made[1] - started > 0.9
        assert [one.headers["x-nonce"] for one in server.received] == ["1", "2"]
        assert {one.headers["x-a"] for one in server.received} == {"1"}
    transport.close()


def test_a_write_is_signed_once(transport: HttpTransport) -> None:
    """What the signature says stands before what was given."""
    with WireServer(reply()) as server:
        transport.send(
            WRITE, "POST", server.url, headers={"X-Nonce": "0"}, sign=lambda: {"X-Nonce": "7"}
        )
    assert [one.headers["x-nonce"] for one in server.received] == ["7"]


def test_a_read_that_keeps_failing_is_given_up(transport: HttpTransport) -> None:
    """After the last attempt the failure is raised; it says nothing of an outcome."""
    with WireServer(reset()) as server, pytest.raises(ConnectionError) as caught:
        transport.send(READ, "GET", server.url)
    assert (caught.value.outcome, caught.value.operation) == (None, "list_orders")
    assert len(server.received) == QUICK.read_attempts


def test_a_read_that_is_refused_to_the_end_is_handed_over(transport: HttpTransport) -> None:
    """The broker's own words about its trouble reach the adapter."""
    with WireServer(reply(b"maintenance", 503)) as server:
        answer = transport.send(READ, "GET", server.url)
    assert (answer.status, answer.body) == (503, b"maintenance")
    assert len(server.received) == QUICK.read_attempts


def test_a_read_before_a_write_says_that_the_write_was_not_sent(transport: HttpTransport) -> None:
    """A write that needs a read first was not sent where the read fails."""
    call = attrs.evolve(READ, before_write=True)
    with WireServer(reset()) as server, pytest.raises(ConnectionError) as caught:
        transport.send(call, "GET", server.url)
    assert caught.value.outcome is Outcome.NOT_SENT


def test_a_call_may_say_that_a_post_is_a_read(transport: HttpTransport) -> None:
    """A preview is a POST without effect, and may be repeated."""
    call = attrs.evolve(READ, is_write=False)
    with WireServer(reply(b"", 503), reply()) as server:
        assert transport.send(call, "POST", server.url, body=b"{}").status == 200
    assert [one.body for one in server.received] == [b"{}", b"{}"]


def test_a_call_may_say_that_a_get_is_a_write(transport: HttpTransport) -> None:
    """A GET with an effect is sent once."""
    call = attrs.evolve(READ, is_write=True)
    with WireServer(reply(b"", 503)) as server:
        assert transport.send(call, "GET", server.url).status == 503
    assert len(server.received) == 1


def test_v06_a_read_waits_as_long_as_it_is_asked_to(transport: HttpTransport) -> None:
    """Retry-After in seconds is waited for, though it is longer than our own wait."""
    with WireServer(reply(b"", 429, ["Retry-After: 0.3"]), reply()) as server:
        started = time.monotonic()
        assert transport.send(READ, "GET", server.url).status == 200
    assert 0.3 <= time.monotonic() - started < 1
    assert len(server.received) == 2


def test_v06_a_date_is_waited_for() -> None:
    """Retry-After as a date counts from the clock."""
    now = datetime(2026, 5, 1, 12, tzinfo=UTC)
    date = format_datetime(now + timedelta(seconds=1), usegmt=True)
    transport = HttpTransport(QUICK, clock=lambda: now + timedelta(seconds=0.8))
    with WireServer(reply(b"", 503, [f"Retry-After: {date}"]), reply()) as server:
        started = time.monotonic()
        assert transport.send(READ, "GET", server.url).status == 200
    assert 0.2 <= time.monotonic() - started < 1
    transport.close()


def test_v06_a_wait_beyond_the_budget_is_an_error_at_once(transport: HttpTransport) -> None:
    """A read that would have to wait too long says how long, and does not wait."""
    started = time.monotonic()
    too_many = reply(b"", 429, ["Retry-After: 60"])
    with WireServer(too_many) as server, pytest.raises(RateLimitError) as caught:
        transport.send(READ, "GET", server.url)
    assert time.monotonic() - started < 0.5
    assert (caught.value.retry_after_s, caught.value.http_status) == (60.0, 429)
    assert caught.value.outcome is None
    assert len(server.received) == 1


def test_v06_too_many_calls_to_the_end_is_a_rate_limit(transport: HttpTransport) -> None:
    """A 429 that names no time and does not pass is a RateLimitError."""
    with WireServer(reply(b"<html>", 429)) as server, pytest.raises(RateLimitError) as caught:
        transport.send(READ, "GET", server.url)
    assert caught.value.retry_after_s is None
    assert len(server.received) == QUICK.read_attempts


def test_v06_a_broker_that_asks_for_quiet_is_left_alone() -> None:
    """After a 429 with Retry-After, a write of the same class is held back and refused unsent."""
    quotas = Quotas({"orders": [Quota(100)], "cancels": [Quota(100)]}, scope="t")
    transport = HttpTransport(attrs.evolve(QUICK, write_hold_s=0.1), quotas=quotas)
    order = attrs.evolve(WRITE, endpoint="orders")
    with WireServer(reply(b"", 429, ["Retry-After: 30"]), reply()) as server:
        assert transport.send(order, "POST", server.url).status == 429
        with pytest.raises(RateLimitError) as caught:
            transport.send(order, "POST", server.url)
        assert caught.value.outcome is Outcome.NOT_SENT
        assert 29 < (caught.value.retry_after_s or 0) <= 30
        # A cancel has a lane of its own.
        cancel = attrs.evolve(WRITE, endpoint="cancels", operation="cancel_order")
        assert transport.send(cancel, "POST", server.url).status == 200
        assert len(server.received) == 2
    transport.close()


def test_v06_a_write_over_its_quota_is_refused_unsent_or_waits() -> None:
    """A write waits for its quota as long as the settings allow, and is then refused unsent."""
    quotas = Quotas({"orders": [Quota(1, per_s=1)]}, scope="t")
    patient = HttpTransport(attrs.evolve(QUICK, write_hold_s=2.0), quotas=quotas)
    hasty = HttpTransport(attrs.evolve(QUICK, write_hold_s=0.1), quotas=quotas)
    order = attrs.evolve(WRITE, endpoint="orders")
    with WireServer(reply()) as server:
        patient.send(order, "POST", server.url)
        with pytest.raises(RateLimitError) as caught:
            hasty.send(order, "POST", server.url)
        assert caught.value.outcome is Outcome.NOT_SENT
        assert len(server.received) == 1
        started = time.monotonic()
        patient.send(order, "POST", server.url)
        assert 0.5 < time.monotonic() - started < 1.5
    patient.close()
    hasty.close()


def test_t14_time_bounds_a_read_with_all_its_repetitions(transport: HttpTransport) -> None:
    """A time-out given for a read bounds it as a whole, however its bytes drip."""
    with WireServer() as server:
        server.answers.append(drip(b"HTTP/1.1 200 OK\r\n" * 99, 0.05, server.over))
        started = time.monotonic()
        with pytest.raises(TimeoutError):
            transport.send(READ, "GET", server.url, timeout_s=0.5)
        assert time.monotonic() - started < 0.7


def test_a_reply_too_large_is_not_asked_for_again(transport: HttpTransport) -> None:
    """A reply beyond the bound is refused while it is read, and would be as large again."""
    with WireServer(reply(b"x" * 100_001)) as server, pytest.raises(ConnectionError) as caught:
        transport.send(READ, "GET", server.url)
    assert "100000 bytes" in str(caught.value)
    assert len(server.received) == 1


def test_a_bomb_is_not_inflated(transport: HttpTransport) -> None:
    """The bound holds for what a compressed reply becomes."""
    bomb = gzip.compress(b"x" * 50_000_000)
    assert len(bomb) < 100_000
    answer = reply(bomb, headers=["Content-Encoding: gzip"])
    tracemalloc.start()
    with WireServer(answer) as server, pytest.raises(ConnectionError) as caught:
        transport.send(READ, "GET", server.url)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "100000 bytes" in str(caught.value)
    assert peak < 5_000_000


def test_a_reply_of_the_largest_size_is_read(transport: HttpTransport) -> None:
    """The bound itself is allowed."""
    with WireServer(reply(b"x" * 100_000)) as server:
        assert len(transport.send(READ, "GET", server.url).body) == 100_000


def test_bytes_are_kept_as_they_came(transport: HttpTransport) -> None:
    """A reply holds the very bytes, compression undone, with its headers and its id."""
    body = b'{"price":  1.10e-7, "x": "\\u00e9\xc3\xa9"}'
    zipped = reply(gzip.compress(body), headers=["content-encoding: gzip", "X-REQUEST-ID: r-1"])
    with WireServer(zipped) as server:
        answer = transport.send(READ, "GET", server.url)
        assert server.received[0].headers["accept-encoding"] == "gzip, deflate"
    assert answer.body == body
    assert answer.headers["x-request-id"] == "r-1"
    assert answer.request_id == "r-1"
    assert answer.is_success
    assert 0 < answer.elapsed_s < 1
    assert "1.10" not in repr(answer)


def test_a_chunked_reply_is_read_and_its_connection_kept(transport: HttpTransport) -> None:
    """Chunks are put together."""
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[1\r\n1\r\n]\r\n0\r\n\r\n"
    with WireServer(raw(chunked, keep=True)) as server:
        assert [transport.send(READ, "GET", server.url).body for _ in range(2)] == [b"[1]"] * 2
        assert server.connections == 1


def test_a_reply_that_ends_with_its_connection_is_read(transport: HttpTransport) -> None:
    """A reply without a length ends where the connection does, and the next opens another."""
    with WireServer(raw(b"HTTP/1.1 200 OK\r\n\r\n[1]")) as server:
        assert [transport.send(READ, "GET", server.url).body for _ in range(2)] == [b"[1]"] * 2
        assert server.connections == 2


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
def test_a_reply_without_a_body_is_read(transport: HttpTransport, method: str, status: int) -> None:
    """What has no body by its nature is not waited for."""
    with WireServer(raw(f"HTTP/1.1 {status} X\r\n\r\n".encode(), keep=True)) as server:
        answers = [transport.send(READ, method, server.url) for _ in range(2)]
        assert [(one.status, one.body) for one in answers] == [(status, b"")] * 2


def test_an_address_is_sent_as_it_is_written(transport: HttpTransport) -> None:
    """Quoted parts stay quoted, others are quoted, and a sequence repeats its field."""
    with WireServer(reply()) as server:
        query = {"ids": ["a", "b c"], "x": "é&"}
        transport.send(READ, "GET", f"{server.url}/a%2Fb/ü ?q=1#part", query=query)
        transport.send(READ, "GET", server.url)
    assert [one.target for one in server.received] == [
        "/a%2Fb/%C3%BC%20?q=1&ids=a&ids=b+c&x=%C3%A9%26",
        "/",
    ]


def test_what_the_caller_says_of_headers_counts(transport: HttpTransport) -> None:
    """Our own headers stand where the caller has none of that name, in any case."""
    with WireServer(reply()) as server:
        transport.send(READ, "GET", server.url, headers={"user-agent": "sdk", "X-A": "1"})
        transport.send(READ, "GET", server.url)
    named, plain = (one.headers for one in server.received)
    assert (named["user-agent"], named["x-a"], named["accept"]) == ("sdk", "1", "application/json")
    assert plain["user-agent"] == "bot-v2"


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("inf"), float("nan")])
def test_no_request_is_without_a_bound(transport: HttpTransport, seconds: float) -> None:
    """A time-out that is no bound is refused."""
    with pytest.raises(InvalidFieldError, match="timeout_s"):
        transport.send(READ, "GET", "http://127.0.0.1:9", timeout_s=seconds)


def test_a_certificate_that_is_not_trusted_is_not_asked_for_again(
    transport: HttpTransport, authority: Authority
) -> None:
    """A certificate does not become better."""
    with WireServer(reply(), tls=authority.server) as server, pytest.raises(ConnectionError):
        transport.send(READ, "GET", server.url)
    assert server.connections == 1
