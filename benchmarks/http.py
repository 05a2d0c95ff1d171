"""One order sent over the loopback, and one TLS connection opened anew: ours, and by requests.

All contestants take turns in each round, in the other order every other round; what is printed is
the median of a round's cost, and of the ratios within a round. CPU is that of the client's thread.
"""

from __future__ import annotations

import gc
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any, TypeAlias

import certifi
import requests

from benchmarks._loopback import BODY, LAST_PATH, loopback_server
from bot_v2.features.brokerages.http.calls import Call
from bot_v2.features.brokerages.http.requests_session import RequestsSession
from bot_v2.features.brokerages.http.settings import HttpSettings
from bot_v2.features.brokerages.http.transport import HttpTransport
from tests.integration.http.certificates import write_certificate

ROUNDS = 15
ORDERS = 100
RECONNECTS = 10
CALL = Call(broker="acme", operation="place_order", is_write=True, symbol="BTC-USD")
HEADERS = {"Authorization": "Bearer " + "x" * 400, "Content-Type": "application/json"}
ORDER: dict[str, Any] = {
    "client_order_id": "0000-00000-000000",
    "product_id": "BTC-USD",
    "side": "BUY",
    "order_configuration": {
        "limit_limit_gtc": {"base_size": "0.001", "limit_price": "10000.00", "post_only": False}
    },
}
# How often the CPU of requests has to be ours at least.
ORDER_BOUND = 2.0
RECONNECT_BOUND = 10.0

Send: TypeAlias = Callable[[], object]
OURS = "HttpTransport"


def placing(url: str) -> dict[str, Send]:
    """The ways to place one order."""
    transport = HttpTransport()
    ours = RequestsSession(transport, broker="acme", decode_json=lambda reply: reply)
    theirs = requests.Session()
    body = json.dumps(ORDER).encode()

    def by_transport() -> bytes:
        return transport.send(CALL, "POST", url, headers=HEADERS, body=body).body

    def by_our_session() -> bytes:
        with ours.calling(CALL):
            response = ours.request("POST", url, json=ORDER, headers=HEADERS)
        response.raise_for_status()
        handed_on: Any = response.json()
        content: bytes = handed_on.body
        return content

    def by_requests() -> bytes:
        return theirs.post(url, json=ORDER, headers=HEADERS, timeout=10).content

    def as_an_sdk() -> bytes:
        # As alpaca-py does it: a text to see whether it is empty, and the decoded body.
        response = theirs.request(
            "POST", url, json=ORDER, headers=HEADERS, allow_redirects=False, timeout=10
        )
        response.raise_for_status()
        assert response.text != ""
        assert response.json()["success"]
        return response.content

    return {
        OURS: by_transport,
        "RequestsSession (ours)": by_our_session,
        "requests.Session": by_requests,
        "requests.Session in an SDK": as_an_sdk,
    }


def reconnecting(url: str, ca_file: Path) -> dict[str, Send]:
    """The ways to open a connection again that the other side has closed."""
    transport = HttpTransport(HttpSettings(ca_file=str(ca_file)))
    theirs = requests.Session()
    last = url + LAST_PATH.decode().strip()
    return {
        OURS: lambda: transport.send(CALL, "GET", last).body,
        "requests.Session": lambda: theirs.get(last, timeout=10, verify=str(ca_file)).content,
    }


def measure(ways: dict[str, Send], times: int) -> dict[str, list[tuple[float, float]]]:
    """Wall and CPU of one sending, in microseconds, for each way and round."""
    costs: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for send in ways.values():
        assert send() == BODY
    for number in range(ROUNDS):
        for name in list(ways)[:: -1 if number % 2 else 1]:
            send = ways[name]
            gc.collect()
            wall, cpu = time.perf_counter(), time.thread_time()
            for _ in range(times):
                send()
            cpu, wall = time.thread_time() - cpu, time.perf_counter() - wall
            costs[name].append((wall / times * 1e6, cpu / times * 1e6))
    return costs


def report(title: str, costs: dict[str, list[tuple[float, float]]]) -> float:
    """Print the table; return how often the CPU of requests is ours."""
    print(f"\n{title:<36}{'wall us':>9}{'CPU us':>9}{'x wall':>9}{'x CPU':>9}")
    ratios: dict[str, float] = {}
    for name, rounds in costs.items():
        walls = [theirs[0] / ours[0] for theirs, ours in zip(rounds, costs[OURS], strict=True)]
        cpus = [theirs[1] / ours[1] for theirs, ours in zip(rounds, costs[OURS], strict=True)]
        wall, cpu = (median(one[part] for one in rounds) for part in (0, 1))
        ratios[name] = median(cpus)
        print(f"{name:<36}{wall:>9.0f}{cpu:>9.0f}{median(walls):>9.2f}{ratios[name]:>9.2f}")
    return ratios["requests.Session"]


def main() -> bool:
    """Print the tables; True when a bound is broken."""
    with tempfile.TemporaryDirectory() as folder:
        certificate, key = write_certificate(Path(folder))
        trusted = Path(folder) / "trusted.pem"
        everybody = Path(certifi.where()).read_bytes()
        trusted.write_bytes(everybody + certificate.read_bytes())
        with loopback_server() as url:
            order = report("one order, keep-alive", measure(placing(url), ORDERS))
        with loopback_server(certificate, key) as url:
            again = report(
                "one TLS connection opened again", measure(reconnecting(url, trusted), RECONNECTS)
            )
    print(f"\nPython {sys.version.split()[0]}, {ROUNDS} rounds, medians; x: against {OURS}")
    print(f"bounds: x CPU of requests.Session at least {ORDER_BOUND} and {RECONNECT_BOUND}")
    return order < ORDER_BOUND or again < RECONNECT_BOUND


if __name__ == "__main__":
    sys.exit(main())
