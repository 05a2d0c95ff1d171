"""A request is written as HTTP or not at all, and a reply is read whole or not at all."""

from __future__ import annotations

import builtins
import gzip
import http.client
import zlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from urllib3.exceptions import DecodeError

from bot_v2.features.brokerages.http.conversation import (
    HEAD_MAX_BYTES,
    WireReply,
    converse,
    request_bytes,
)
from bot_v2.features.brokerages.http.failures import ReplyTooLargeError
from bot_v2.features.brokerages.http.passage import Passage

MOST = 1_000
OK = b"HTTP/1.1 200 OK\r\n"


class FakeSocket:
    """Answers with the parts that it was given, then with the end."""

    def __init__(self, *parts: bytes, refuses: type[OSError] | None = None) -> None:
        """Keep the parts."""
        self._parts = list(parts)
        self._refuses = refuses
        self.sent = b""
        self.timeouts: list[float | None] = []

    def settimeout(self, timeout: float | None, /) -> None:
        """Keep the bound."""
        self.timeouts.append(timeout)

    def sendall(self, data: bytes, /) -> None:
        """Keep what is sent, or refuse it."""
        if self._refuses is not None:
            raise self._refuses
        self.sent += data

    def recv(self, _: int, /) -> bytes:
        """Return the next part."""
        return self._parts.pop(0) if self._parts else b""


def passage(timeout_s: float = 5.0) -> Passage:
    """Return a passage that has just begun."""
    return Passage(timeout_s=timeout_s, connect_s=1.0, read_s=1.0)


def read(*parts: bytes) -> WireReply:
    """Return the reply that some bytes are."""
    sock = FakeSocket(*parts)
    return converse(sock, passage(), "POST", "/orders", "broker", {}, b"{}", MOST)


def test_head_and_body_leave_together() -> None:
    """One write, with the headers in their order, and the length of the body."""
    sock = FakeSocket(OK + b"Content-Length: 0\r\n\r\n")
    way = passage()
    headers = {"Authorization": "Bearer x", "Accept": "application/json"}
    converse(sock, way, "POST", "/orders?a=1", "broker:81", headers, b'{"a":1}', MOST)
    assert sock.sent == (
        b"POST /orders?a=1 HTTP/1.1\r\nHost: broker:81\r\nAuthorization: Bearer x\r\n"
        b'Accept: application/json\r\nContent-Length: 7\r\n\r\n{"a":1}'
    )
    assert way.began
    assert all(timeout is not None and 0 < timeout <= 1 for timeout in sock.timeouts)


@pytest.mark.parametrize(
    ("method", "body", "length"),
    [("GET", None, None), ("DELETE", None, None), ("POST", None, b"0"), ("GET", b"ab", b"2")],
)
def test_a_length_is_told_where_a_body_can_be(
    method: str, body: bytes | None, length: bytes | None
) -> None:
    """A POST without a body says so; a GET without one says nothing."""
    message = request_bytes(method, "/", "broker", {"host": "other"}, body)
    assert message.count(b"ost: ") == 1
    assert (b"Content-Length: " + length in message) if length else (b"Length" not in message)


@pytest.mark.parametrize(
    ("method", "target", "headers"),
    [
        ("PO ST", "/", {}),
        ("", "/", {}),
        ("GET", "/a b", {}),
        ("GET", "/\r\nX: 1", {}),
        ("GET", "/\u00fc", {}),
        ("GET", "/", {"X": "1\r\nY: 2"}),
        ("GET", "/", {"X": "1\nY: 2"}),
        ("GET", "/", {"X": "\0"}),
        ("GET", "/", {"X\r\nY": "1"}),
        ("GET", "/", {"X: Y": "1"}),
        ("GET", "/", {"": "1"}),
        ("GET", "/", {"X": "\u20ac"}),
    ],
)
def test_what_would_arrive_as_something_else_is_not_sent(
    method: str, target: str, headers: dict[str, str]
) -> None:
    """A line break in a header would be a header of its own: nothing of it leaves."""
    sock, way = FakeSocket(OK + b"\r\n"), passage()
    with pytest.raises(ValueError, match=r"not fit|codec"):
        converse(sock, way, method, target, "broker", headers, None, MOST)
    assert not sock.sent
    assert not way.began


def test_a_request_that_is_too_late_does_not_begin() -> None:
    """When the time is over before the first byte, none leaves."""
    sock, way = FakeSocket(OK + b"\r\n"), passage(timeout_s=1e-9)
    with pytest.raises(builtins.TimeoutError):
        converse(sock, way, "POST", "/", "broker", {}, b"", MOST)
    assert not sock.sent
    assert not way.began


def test_the_answer_of_a_server_that_stopped_reading_counts() -> None:
    """A refusal that came before all was sent is read; a reset is no answer."""
    refusal = b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    early = FakeSocket(refusal, refuses=BrokenPipeError)
    answer = converse(early, passage(), "POST", "/", "broker", {}, b"x", MOST)
    assert (answer.status, answer.reason, answer.keeps_alive) == (413, "Too Large", False)
    reset = FakeSocket(refusal, refuses=ConnectionResetError)
    with pytest.raises(ConnectionResetError):
        converse(reset, passage(), "POST", "/", "broker", {}, b"x", MOST)


REPLIES = {
    "length": (OK + b"X-Id: a\r\nContent-Length: 5\r\n\r\nhello", b"hello", True),
    "chunked": (
        OK + b"Transfer-Encoding: chunked\r\n\r\n2;x=1\r\nhe\r\n3\r\nllo\r\n0\r\nT: 1\r\n\r\n",
        b"hello",
        True,
    ),
    "to the end": (OK + b"X-Id: a\r\n\r\nhello", b"hello", False),
    "closing": (OK + b"Connection: close\r\nContent-Length: 5\r\n\r\nhello", b"hello", False),
    "old": (b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", b"hello", False),
    "announced": (
        b"HTTP/1.1 100 Continue\r\nX-No: 1\r\n\r\nHTTP/1.1 103 Early\r\n\r\n"
        + OK
        + b"Content-Length: 5\r\n\r\nhello",
        b"hello",
        True,
    ),
    "gzip": (
        OK
        + b"Content-Encoding: gzip\r\n\r\n"
        + gzip.compress(b"hel", mtime=0)
        + gzip.compress(b"lo", mtime=0)
        + b"\0\0",
        b"hello",
        False,
    ),
    "deflate": (
        OK + b"Content-Encoding: deflate\r\n\r\n" + zlib.compress(b"hello"),
        b"hello",
        False,
    ),
    "bare deflate": (
        OK + b"Content-Encoding: Deflate\r\n\r\n" + zlib.compress(b"hello")[2:-4],
        b"hello",
        False,
    ),
    "other coding": (OK + b"Content-Encoding: br\r\n\r\nhello", b"hello", False),
}


@given(st.sampled_from(sorted(REPLIES)), st.data())
def test_a_reply_is_the_same_however_it_is_cut(name: str, data: st.DataObject) -> None:
    """Where the network cuts a reply changes nothing of what is read."""
    message, body, keeps_alive = REPLIES[name]
    cuts = data.draw(st.lists(st.integers(1, len(message) - 1), max_size=6, unique=True))
    places = [0, *sorted(cuts), len(message)]
    parts = [message[start:end] for start, end in pairwise(places)]
    reply = read(*parts)
    assert (reply.status, reply.reason, reply.body) == (200, "OK", body)
    assert reply.keeps_alive is keeps_alive
    assert "T" not in reply.headers
    assert "X-No" not in reply.headers
    assert reply.headers.get("x-id", "a") == "a"


@given(st.sampled_from(["length", "chunked", "gzip", "deflate"]), st.data())
def test_a_part_of_a_reply_is_no_reply(name: str, data: st.DataObject) -> None:
    """Wherever a reply ends early, it is an error and never a shorter reply."""
    message, _, _ = REPLIES[name]
    # The last two bytes of "gzip" are padding.
    whole = len(message) - 2 if name == "gzip" else len(message)
    cut = message[: data.draw(st.integers(0, whole - 1))]
    try:
        reply = read(cut)
    except (http.client.HTTPException, DecodeError):
        return
    # Without a length, nothing and the first of two members are whole replies.
    assert (name, reply.body) in (("gzip", b""), ("deflate", b""), ("gzip", b"hel"))


def test_the_end_instead_of_a_reply_is_told_apart() -> None:
    """A connection closed without a byte is what an idle one that was closed looks like."""
    with pytest.raises(http.client.RemoteDisconnected):
        read()


@pytest.mark.parametrize(
    "message",
    [
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        OK + b"Content-Length: x\r\n\r\n",
        OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
    ],
)
def test_what_is_no_reply_is_an_error(message: bytes) -> None:
    """Nothing of it is taken for one."""
    with pytest.raises(http.client.HTTPException):
        read(message)


@pytest.mark.parametrize("more", [b"HTTP/1.1 200 OK\r\n\r\n", b"garbage", b"\0"])
def test_a_connection_that_says_more_is_not_used_again(more: bytes) -> None:
    """The reply counts; what follows it would be taken for the next one."""
    reply = read(REPLIES["length"][0] + more)
    assert reply.body == b"hello"
    assert not reply.keeps_alive


def test_a_reply_that_is_too_large_is_not_read() -> None:
    """Neither a long body, nor a small one that unpacks to a long one, nor an endless head."""
    length = str(MOST + 1).encode()
    with pytest.raises(ReplyTooLargeError):
        read(OK + b"Content-Length: " + length + b"\r\n\r\n" + b"x" * (MOST + 1))
    for coding, packed in (
        (b"gzip", gzip.compress(b"x" * (MOST + 1))),
        (b"deflate", zlib.compress(b"x" * (MOST + 1))),
    ):
        with pytest.raises(ReplyTooLargeError):
            read(OK + b"Content-Encoding: " + coding + b"\r\n\r\n" + packed)
    endless = (b"X-%d: %s\r\n" % (number, b"x" * 60_000) for number in range(10))
    with pytest.raises(ReplyTooLargeError, match=str(HEAD_MAX_BYTES)):
        read(OK, *endless)
    assert read(OK + b"Content-Length: 1000\r\n\r\n" + b"x" * MOST).body == b"x" * MOST


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "deflate"])
def test_broken_compression_is_an_error(coding: str) -> None:
    """Bytes that cannot be unpacked are not handed on."""
    with pytest.raises(DecodeError):
        read(OK + f"Content-Encoding: {coding}\r\n\r\n".encode() + b"hello")


def test_a_header_told_twice_is_told_as_one() -> None:
    """Names in any case are one header."""
    reply = read(OK + b"X-A: 1\r\nx-a: 2\r\nContent-Length: 0\r\n\r\n")
    assert reply.headers["X-A"] == "1, 2"
