"""The guard of tests/unit/conftest.py refuses the network and nothing else."""

from __future__ import annotations

import asyncio
import http.client
import socket

import pytest


def test_opening_a_socket_ends_the_test() -> None:
    """A TCP socket is refused when it is made, with a sentence that says what to do."""
    with pytest.raises(pytest.fail.Exception, match="open a socket"):
        socket.socket(socket.AF_INET, socket.SOCK_STREAM)


def test_the_default_family_is_refused_too() -> None:
    """A socket made without naming its family is an internet socket."""
    with pytest.raises(pytest.fail.Exception, match="open a socket"):
        socket.socket()


def test_looking_up_a_name_ends_the_test() -> None:
    """An HTTP client is stopped at the look-up, and `except Exception` does not hide it."""
    connection = http.client.HTTPConnection("broker.invalid")
    with pytest.raises(pytest.fail.Exception, match=r"look up 'broker\.invalid'"):
        connection.connect()


def test_an_event_loop_still_runs() -> None:
    """asyncio wakes itself through a pair of sockets, which stays allowed."""
    assert asyncio.run(asyncio.sleep(0, result="done")) == "done"


def test_a_pair_of_sockets_still_talks() -> None:
    """What is written at one end of a pair is read at the other."""
    left, right = socket.socketpair()
    with left, right:
        left.sendall(b"ping")
        assert right.recv(4) == b"ping"
