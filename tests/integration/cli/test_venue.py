"""`bot-v2 venue`: a simulated broker in a process of its own, reached by what it says to export."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
import urllib3

from tests.integration.cli.conftest import Run
from tests.integration.cli.test_interrupt import PROGRAM


@contextmanager
def running(
    environment: dict[str, str], *words: str
) -> Iterator[tuple[Any, subprocess.Popen[str]]]:
    """Open a venue in a process of its own, and read what it prints."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "venue", *words, "--json"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        try:
            assert process.stdout is not None
            lines = []
            for line in process.stdout:
                lines.append(line)
                if line == "}\n":
                    break
            yield json.loads("".join(lines)), process
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("name", "path"),
    [("coinbase", "/api/v3/brokerage/time"), ("coinbase-exchange", "/time")],
)
def test_a_venue_answers_where_it_says(environment: dict[str, str], name: str, path: str) -> None:
    """The API and the controls are where the printed addresses say, and see the same requests."""
    with running(environment, name) as (said, _):
        assert said["market"] == "synthetic, seed 7: no real market"
        assert said["environment"]["COINBASE_API_BASE"] == said["url"]
        with urllib3.PoolManager() as pool:
            assert pool.request("GET", said["url"] + path, timeout=5, retries=False).status == 200
            log = pool.request("GET", said["controls_url"] + "/requests", timeout=5, retries=False)
        assert [one["target"] for one in log.json()["requests"]] == [path]


def test_a_socket_answers_where_it_says(environment: dict[str, str]) -> None:
    """The socket of TWS is where the printed settings say, and its controls make it act."""
    with running(environment, "tws") as (said, _):
        exported = said["environment"]
        address = (exported["IBKR_HOST"], int(exported["IBKR_PORT"]))
        assert said["url"] == "{}:{}".format(*address)
        assert exported["IBKR_ACCOUNT_ID"] == "DU1000001"
        with socket.create_connection(address, timeout=20) as client:
            client.sendall(b"API\0\0\0\0\x09v157..178")
            assert client.recv(100)[4:].startswith(b"178\0")
        with urllib3.PoolManager() as pool:
            acts = pool.request("GET", said["controls_url"] + "/actions", timeout=20).json()
            body = {"action": "reset", "rolls_back_ids": True}
            done = pool.request("POST", said["controls_url"] + "/actions", json=body, timeout=20)
            unknown = pool.request(
                "POST", said["controls_url"] + "/actions", json={"action": "dance"}, timeout=20
            )
        assert "lose_link" in acts["actions"]
        assert (done.status, unknown.status) == (200, 400)


def test_tls_is_spoken_with_the_certificate_that_is_named(environment: dict[str, str]) -> None:
    """A client that trusts that file, and no other, verifies the venue."""
    with running(environment, "coinbase", "--tls", "--still") as (said, _):
        assert said["market"] == "rests"
        address = urlsplit(said["secure_url"])
        trusting = urllib3.HTTPSConnectionPool(
            address.hostname or "", address.port, ca_certs=said["certificate_file"]
        )
        with trusting:
            answer = trusting.request("GET", "/api/v3/brokerage/time", timeout=5, retries=False)
        assert answer.status == 200


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signal for one process")
def test_ctrl_c_closes_the_venue(environment: dict[str, str]) -> None:
    """Exit code 130, one line, no traceback, and nothing listens any more."""
    with running(environment, "coinbase") as (said, process):
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
        assert process.returncode == 130
        assert "Traceback" not in errors
        with urllib3.PoolManager() as pool, pytest.raises(urllib3.exceptions.HTTPError):
            pool.request("GET", said["url"], timeout=5, retries=False)


def test_a_port_that_is_taken_is_said(environment: dict[str, str], command: Run) -> None:
    """One line, exit code 2."""
    with running(environment, "coinbase") as (said, _):
        port = str(urlsplit(said["url"]).port)
        ran = command("venue", "coinbase-exchange", "--port", port)
    assert ran.code == 2
    assert "cannot listen" in ran.err


def test_an_unknown_venue_is_said(quick: Run) -> None:
    """With the names of those that there are."""
    ran = quick("venue", "mtgox")
    assert ran.code == 2
    assert "one of alpaca, coinbase, coinbase-exchange, tws" in ran.err
