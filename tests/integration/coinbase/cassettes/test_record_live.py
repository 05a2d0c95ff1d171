"""`pytest --record-live coinbase` records on the sandbox, or does not record."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bot_v2.features.brokerages.core.errors import InvalidFieldError
from bot_v2.testing.live_guard import EnvironmentRefusedError
from bot_v2.venues.coinbase.keys import ecdsa_key, exchange_key
from tests.integration.coinbase.cassettes.stands import (
    EXCHANGE,
    FOLDER,
    SPOT,
    Account,
    sandbox_settings,
)

ROOT = Path(__file__).parents[4]
KEY = exchange_key(1)
ECDSA = ecdsa_key(1)

SANDBOX = {
    "COINBASE_SANDBOX": "true",
    "COINBASE_API_KEY": KEY.key,
    "COINBASE_API_SECRET": KEY.secret,
    "COINBASE_API_PASSPHRASE": KEY.passphrase,
}
PROBLEM = "the suite places orders"


def test_the_sandbox_is_recorded() -> None:
    """With the sandbox's credentials and nothing else the sandbox is what is recorded."""
    settings = sandbox_settings(EXCHANGE, SANDBOX)
    assert settings.environment == "sandbox"
    assert settings.api_base == "https://api-public.sandbox.exchange.coinbase.com"


@pytest.mark.parametrize(
    ("account", "environ"),
    [
        (EXCHANGE, {**SANDBOX, "COINBASE_SANDBOX": "false"}),
        (EXCHANGE, {**SANDBOX, "COINBASE_API_BASE": "https://api.exchange.coinbase.com"}),
        (EXCHANGE, {**SANDBOX, "COINBASE_API_BASE": "https://elsewhere.example"}),
        (EXCHANGE, {**SANDBOX, "COINBASE_API_BASE": "http://127.0.0.1:9"}),
        (SPOT, {"COINBASE_CDP_API_KEY": ECDSA.name, "COINBASE_CDP_PRIVATE_KEY": ECDSA.secret}),
    ],
)
def test_anything_else_is_refused(account: Account, environ: dict[str, str]) -> None:
    """Real money, a simulator and any other address are refused before a call."""
    with pytest.raises(EnvironmentRefusedError, match=PROBLEM):
        sandbox_settings(account, environ)


@pytest.mark.parametrize("missing", [name for name in SANDBOX if name != "COINBASE_SANDBOX"])
def test_half_the_credentials_are_named(missing: str) -> None:
    """A credential that is not there is named, and nothing is recorded."""
    environ = {name: value for name, value in SANDBOX.items() if name != missing}
    with pytest.raises(InvalidFieldError, match=missing):
        sandbox_settings(EXCHANGE, environ)


def test_the_option_refuses_and_keeps_what_there_is() -> None:
    """Asked to record with real credentials, pytest refuses, and no cassette is touched."""
    before = {path: path.stat().st_mtime_ns for path in FOLDER.rglob("*.yaml")}
    environ = {name: value for name, value in os.environ.items() if "COINBASE" not in name}
    real = {**SANDBOX, "COINBASE_SANDBOX": "false"}
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "--record-live", "coinbase", "-q", "-x"),
            *("-p", "no:cacheprovider"),
            str(Path(__file__).parent),
        ],
        cwd=ROOT,
        env={**environ, **real},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1, done.stdout
    assert "EnvironmentRefusedError" in done.stdout
    assert {path: path.stat().st_mtime_ns for path in FOLDER.rglob("*.yaml")} == before
