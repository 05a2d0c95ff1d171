"""Brokers of the desk, reached by name: settings, credentials and the vendor's wire together."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bot_v2.orchestration.configuration.named_brokerage import create_named_brokerage
from bot_v2.orchestration.configuration.names import is_secret_name
from bot_v2.orchestration.credentials import file_store
from bot_v2.venues.catalogue import OpenVenue, open_venue
from tests.integration.cli.conftest import Run
from tests.unit.orchestration.credentials.kit import CHEAP


@pytest.fixture
def settings(environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for settings, and credentials in a file that costs little."""
    monkeypatch.setattr(file_store, "DEFAULT_COST", CHEAP)
    environment["BOT_V2_CONFIG"] = str(tmp_path / "settings")
    environment["BOT_V2_CREDENTIAL_STORES"] = "file"
    environment["BOT_V2_PASSPHRASE"] = "a made-up passphrase"
    return tmp_path / "settings"


@pytest.fixture
def opened(request: pytest.FixtureRequest) -> Iterator[OpenVenue]:
    """A venue that listens."""
    made = open_venue(request.param, 7)
    made.venue.start()
    yield made
    made.venue.close()


def split(opened: OpenVenue, prefix: str) -> tuple[dict[str, Any], dict[str, str]]:
    """Return what a venue says has to be set: settings, and credentials."""
    said = {
        name.removeprefix(f"{prefix}_").lower(): value
        for name, value in opened.environment().items()
    }
    secrets = {name: value for name, value in said.items() if is_secret_name(name)}
    return {name: value for name, value in said.items() if name not in secrets}, secrets


@pytest.mark.parametrize(
    ("opened", "kind", "prefix"),
    [("alpaca", "alpaca", "ALPACA"), ("coinbase", "coinbase", "COINBASE")],
    indirect=["opened"],
)
def test_a_broker_is_reached_by_its_name_with_what_was_kept(
    opened: OpenVenue,
    kind: str,
    prefix: str,
    quick: Run,
    settings: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The vendor's SDK signs with the kept key, and the key is in no file and no output."""
    own, secrets = split(opened, prefix)
    settings.mkdir()
    entry = {"type": kind, **own}
    if "paper_trading" in own:
        entry["paper_trading"] = True
    document = {"default_broker": "main", "brokers": {"main": entry}}
    (settings / "brokers.json").write_text(json.dumps(document))
    for number, (field, value) in enumerate(secrets.items()):
        file = settings.parent / f"secret{number}"
        file.write_text(value)
        assert quick("credentials", "set", "main", "--from", f"{field}={file}").code == 0
        file.unlink()
    ran = quick("balances", "--json")
    assert ran.code == 0, ran.err
    assert ran.json
    ran = quick("credentials", "status", "--json")
    assert {row["field"]: row["last_used_at"] is not None for row in ran.json} == dict.fromkeys(
        secrets, True
    )
    everything = b"".join(one.read_bytes() for one in settings.parent.rglob("*") if one.is_file())
    # What a key is called may be told; what it signs with may not.
    signing = max(secrets.values(), key=len)
    assert signing.encode() not in everything
    assert signing not in ran.out + ran.err
    ran = quick("credentials", "delete", "main")
    refused = quick("balances")
    assert (ran.code, refused.code) == (0, 2)
    assert prefix in refused.err
    assert "bot-v2 credentials set main" in refused.err


@pytest.mark.parametrize("opened", ["tws"], indirect=True)
def test_a_broker_that_needs_no_key_is_asked_for_none(
    opened: OpenVenue, quick: Run, settings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its settings are enough, and no store of credentials is looked into."""
    own, secrets = split(opened, "IBKR")
    assert secrets == {}
    settings.mkdir()
    entry = {"type": "ibkr", "credentials": None, **own}
    (settings / "brokers.json").write_text(json.dumps({"brokers": {"tws": entry}}))
    environ = {"BOT_V2_CONFIG": str(settings), "BOT_V2_CREDENTIAL_STORES": "file"}
    broker = create_named_brokerage("TWS", environ=environ)
    assert broker.connect() is True
    try:
        assert broker.get_account_id() == own["account_id"]
    finally:
        broker.disconnect()
    assert [one.name for one in settings.iterdir()] == ["brokers.json"]
    assert "IBKR_PORT" not in os.environ
