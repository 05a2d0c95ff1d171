"""One transport, many threads."""

from __future__ import annotations

import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import attrs

from bot_v2.features.brokerages.http.quotas import Quota, Quotas
from bot_v2.features.brokerages.http.transport import HttpTransport
from tests.integration.http.calls import READ, WRITE
from tests.integration.http.conftest import QUICK
from tests.integration.http.wire_server import Received, WireServer, reply, reset


def echo(connection: socket.socket, received: Received) -> bool:
    """Answer a request with its own body."""
    return reply(received.body)(connection, received)


def test_each_thread_gets_its_own_reply() -> None:
    """Replies are never mixed up, and connections stay within their bound."""
    transport = HttpTransport(attrs.evolve(QUICK, connections_max=4))
    with WireServer(echo) as server, ThreadPoolExecutor(12) as threads:

        def send(number: int) -> bool:
            body = b"%d" % number * 50
            return transport.send(WRITE, "POST", server.url, body=body).body == body

        assert all(threads.map(send, range(300)))
        assert server.connections <= 4
        assert len(server.received) == 300
        transport.close()


def test_failures_of_others_leave_a_thread_alone() -> None:
    """Where some connections break, every write is sent at most once, and every read answered."""
    transport = HttpTransport(attrs.evolve(QUICK, connections_max=4))
    answers = [reset() if number % 5 == 0 else reply() for number in range(200)]
    with WireServer(*answers) as server, ThreadPoolExecutor(8) as threads:

        def send(number: int) -> str:
            target = f"{server.url}/{number}"
            try:
                transport.send(WRITE, "POST", target)
            except OSError:
                return "not sent"
            except Exception as error:  # noqa: BLE001 - its class is what is looked at
                return type(error).__name__
            return "sent"

        said = list(threads.map(send, range(150)))
        arrived = [one.target for one in server.received]
        assert len(arrived) == len(set(arrived)) == 150
        assert set(said) == {"sent", "OrderOutcomeUnknownError"}
        transport.close()


def test_threads_share_a_quota() -> None:
    """Together they stay within it."""
    transport = HttpTransport(QUICK, quotas=Quotas({"": [Quota(5, per_s=60)]}, scope="t"))
    refused = []
    with WireServer(reply()) as server:

        def send() -> None:
            try:
                transport.send(READ, "GET", server.url, timeout_s=0.5)
            except Exception as error:  # noqa: BLE001 - its class is what is looked at
                refused.append(type(error).__name__)

        threads = [threading.Thread(target=send) for _ in range(9)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(server.received) == 5
    assert refused == ["RateLimitError"] * 4
    transport.close()
