"""The broker's own client, in an environment of its own, on the simulated TWS.

It is found in the environment of the benchmarks' peers (`make bench` makes it), or by
IBAPI_PYTHON, which names the Python of an environment that has `ibapi`. Any generation will do.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bot_v2.venues.tws.venue import TwsVenue

ROOT = Path(__file__).resolve().parents[4]
SCRIPTS = "Scripts" if os.name == "nt" else "bin"
SESSION = Path(__file__).with_name("ibapi_session.py")
TIMEOUT_S = 120


def python_with_ibapi() -> str | None:
    """Return the Python of an environment that has the client. None: there is none."""
    candidates = [
        os.environ.get("IBAPI_PYTHON"),
        sys.executable,
        str(ROOT / ".venv-peers" / SCRIPTS / "python"),
    ]
    for python in candidates:
        if python and Path(python).exists():
            found = subprocess.run(
                [python, "-c", "import ibapi.client"], capture_output=True, check=False
            )
            if found.returncode == 0:
                return python
    return None


PYTHON = python_with_ibapi()


@pytest.mark.skipif(PYTHON is None, reason="ibapi is in no environment that is known: see above")
def test_the_official_client_trades_and_returns(venue: TwsVenue) -> None:
    """Connect, contract, order, partial fills, cancel, reconnect: all is as it was left."""
    done = subprocess.run(
        [str(PYTHON), str(SESSION), "127.0.0.1", str(venue.port), venue.admin_url],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert 157 <= told["version"] <= 178
    assert told["name"] == "APPLE INC"
    assert len(told["executions"]) == 2
    assert told["executions_again"] == told["executions"]
    assert told["open"][-1] == told["second"]
    assert told["completed"] == ["Cancelled"]
    assert told["positions"] == [["AAPL", 50.0]]
    assert told["next_id"] == told["second"] + 1
    assert [one.client_order_id for one in venue.orders_received()] == ["from-ibapi"] * 2
