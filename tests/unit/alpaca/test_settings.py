"""Settings are read from arguments and the environment, and wrong ones are named at once."""

from __future__ import annotations

from typing import Any

import pytest

from bot_v2.features.brokerages.alpaca.adapter import AlpacaBrokerage
from bot_v2.features.brokerages.alpaca.factory import create_alpaca
from bot_v2.features.brokerages.alpaca.settings import Adjustment, StockFeed, read_settings
from bot_v2.features.brokerages.core.interfaces import InvalidFieldError, MissingDependencyError
from tests.unit.alpaca.natives import CREDENTIALS, brokerage


@pytest.mark.parametrize(
    ("given", "base", "environment"),
    [
        ({}, "https://paper-api.alpaca.markets", "paper"),
        ({"paper_trading": False}, "https://api.alpaca.markets", "live"),
        ({"api_base": "http://127.0.0.1:8080/"}, "http://127.0.0.1:8080", "simulator"),
        ({"api_base": "http://localhost:1/v2"}, "http://localhost:1", "simulator"),
        ({"api_base": "https://elsewhere.example"}, "https://elsewhere.example", "live"),
    ],
)
def test_the_environment_follows_from_the_address(
    given: dict[str, object], base: str, environment: str
) -> None:
    """Paper by default; real money has to be asked for; what is neither counts as real money."""
    settings = read_settings({**CREDENTIALS, **given}, {})
    assert (settings.api_base, settings.environment) == (base, environment)


@pytest.mark.parametrize(
    "secret", ["ALPACA_SECRET_KEY", "ALPACA_API_SECRET", "APCA_API_SECRET_KEY"]
)
@pytest.mark.parametrize("key", ["ALPACA_API_KEY", "APCA_API_KEY_ID"])
def test_credentials_have_several_names(key: str, secret: str) -> None:
    """Those of this project, and those that the vendor's clients read."""
    settings = read_settings({}, {key: "PK1", secret: "hidden"})
    assert settings.api_key.reveal() == "PK1"
    assert settings.secret_key.reveal() == "hidden"
    assert "hidden" not in repr(settings)


@pytest.mark.parametrize("missing", ["api_key", "secret_key"])
def test_a_missing_credential_is_named(missing: str) -> None:
    """By the name that it has in the environment."""
    given = {name: value for name, value in CREDENTIALS.items() if name != missing}
    with pytest.raises(InvalidFieldError, match=f"ALPACA_{missing.upper()}"):
        read_settings(given, {})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("api_base", "https://api.alpaca.markets"),
        ("api_base", "http://elsewhere.example"),
        ("api_base", "ftp://127.0.0.1"),
        ("api_base", "https://user@elsewhere.example"),
        ("data_base", "https://elsewhere.example?x=1"),
        ("ws_url", "https://elsewhere.example"),
        ("ws_url", "ws://elsewhere.example"),
        ("data_ws_base", "wss://"),
        ("data_feed", "rumours"),
        ("adjustment", "some"),
        ("page_size", 0),
        ("page_size", 501),
        ("page_max", 0),
        ("timeout_s", 0),
        ("history_days", -1),
        ("requests_per_min", 0),
        ("stream_silence_s", 0),
        ("paper_trading", "perhaps"),
        ("paper_tradin", "true"),
    ],
)
def test_what_makes_no_sense_is_refused(name: str, value: object) -> None:
    """When the brokerage is made, and with the name of the setting."""
    with pytest.raises(InvalidFieldError):
        read_settings({**CREDENTIALS, name: value}, {})


def test_paper_and_the_live_address_exclude_each_other() -> None:
    """In both directions: neither is what was meant."""
    with pytest.raises(InvalidFieldError, match="ALPACA_PAPER_TRADING=false"):
        read_settings({**CREDENTIALS, "api_base": "https://api.alpaca.markets"}, {})
    given = {"paper_trading": False, "api_base": "https://paper-api.alpaca.markets"}
    with pytest.raises(InvalidFieldError, match="ALPACA_PAPER_TRADING"):
        read_settings({**CREDENTIALS, **given}, {})


def test_the_environment_sets_everything_else() -> None:
    """By the names after ALPACA_."""
    environ = {
        "ALPACA_API_KEY": "k",
        "ALPACA_SECRET_KEY": "s",
        "ALPACA_DATA_FEED": "sip",
        "ALPACA_ADJUSTMENT": "all",
        "ALPACA_PAPER_TRADING": "false",
        "APCA_API_BASE_URL": "https://api.alpaca.markets",
    }
    settings = read_settings({}, environ)
    assert (settings.data_feed, settings.adjustment) == (StockFeed.SIP, Adjustment.ALL)
    assert settings.environment == "live"


def test_the_factory_makes_a_brokerage() -> None:
    """Nothing is sent before it connects; its own transport is closed with it."""
    broker = create_alpaca(CREDENTIALS, {})
    assert isinstance(broker, AlpacaBrokerage)
    assert not broker.is_connected()
    broker.disconnect()


def test_the_vendors_client_is_asked_for_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """It never repeats, and sends over our transport; where it is absent, the extra is named."""
    broker, _ = brokerage({})
    client: Any = broker.native
    assert client._retry == 0
    assert type(client._session).__name__ == "RequestsSession"
    monkeypatch.setitem(__import__("sys").modules, "alpaca.trading.client", None)
    with pytest.raises(MissingDependencyError, match=r"bot-v2\[alpaca\]"):
        _ = broker.native


def test_a_transport_of_its_own_is_opened_once_and_closed() -> None:
    """And opened again after that."""
    broker = create_alpaca({**CREDENTIALS, "api_base": "http://127.0.0.1:9"}, {})
    client = broker._session._client
    first = client._open()
    assert client._open() is first
    client.close()
    client.close()
    assert client._open() is not first
    client.close()
