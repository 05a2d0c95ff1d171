"""Settings are read from arguments and the environment, and wrong ones are named at once."""

from __future__ import annotations

from typing import Any

import pytest

from bot_v2.features.brokerages.coinbase.adapter import CoinbaseBrokerage
from bot_v2.features.brokerages.coinbase.exchange_adapter import CoinbaseExchangeBrokerage
from bot_v2.features.brokerages.coinbase.factory import create_coinbase
from bot_v2.features.brokerages.coinbase.settings import ApiMode, read_settings
from bot_v2.features.brokerages.core.interfaces import InvalidFieldError
from tests.unit.coinbase.natives import CREDENTIALS, ED25519

EXCHANGE = {"api_key": "k", "api_secret": "c2VjcmV0", "api_passphrase": "p"}


@pytest.mark.parametrize(
    ("given", "mode", "base", "environment"),
    [
        (CREDENTIALS, ApiMode.ADVANCED, "https://api.coinbase.com", "live"),
        (
            {**EXCHANGE, "sandbox": True},
            ApiMode.EXCHANGE,
            "https://api-public.sandbox.exchange.coinbase.com",
            "sandbox",
        ),
        (
            {**EXCHANGE, "api_mode": "exchange"},
            ApiMode.EXCHANGE,
            "https://api.exchange.coinbase.com",
            "live",
        ),
        (
            {**CREDENTIALS, "api_base": "http://127.0.0.1:8080/"},
            ApiMode.ADVANCED,
            "http://127.0.0.1:8080",
            "simulator",
        ),
        (
            {**CREDENTIALS, "api_base": "https://gateway.example", "sandbox": "1"}
            | {"api_mode": "advanced"},
            ApiMode.ADVANCED,
            "https://gateway.example",
            "live",
        ),
    ],
)
def test_the_address_decides_what_is_talked_to(
    given: dict[str, Any], mode: ApiMode, base: str, environment: str
) -> None:
    """Anything but this machine and the broker's own sandbox counts as real money."""
    settings = read_settings(given, {})
    assert (settings.mode, settings.api_base) == (mode, base)
    assert settings.environment == environment


def test_the_environment_gives_what_arguments_do_not() -> None:
    """Names are in capitals after COINBASE_."""
    settings = read_settings(
        {"history_days": 7},
        {
            "COINBASE_CDP_API_KEY": "name",
            "COINBASE_CDP_PRIVATE_KEY": ED25519,
            "COINBASE_ENABLE_DERIVATIVES": "true",
            "COINBASE_HISTORY_DAYS": "9",
        },
    )
    assert settings.enable_derivatives
    assert settings.history_days == 7
    assert ED25519 not in repr(settings)


def test_the_names_of_the_vendors_sdk_are_taken_too() -> None:
    """It calls the same two credentials API key and API secret."""
    settings = read_settings({"api_key": "name", "api_secret": ED25519}, {})
    assert settings.api_secret.reveal() == ED25519


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({}, "COINBASE_CDP_API_KEY"),
        ({"cdp_api_key": "k"}, "COINBASE_CDP_PRIVATE_KEY"),
        ({"cdp_private_key": ED25519}, "COINBASE_CDP_API_KEY"),
        ({"api_key": "k"}, "COINBASE_API_SECRET"),
        ({"api_mode": "exchange", "api_key": "k", "api_secret": "s"}, "COINBASE_API_PASSPHRASE"),
        ({"sandbox": True}, "COINBASE_API_KEY"),
        ({**CREDENTIALS, "api_base": "http://gateway.example"}, "COINBASE_API_BASE"),
        ({**CREDENTIALS, "api_base": "ftp://x"}, "COINBASE_API_BASE"),
        ({**CREDENTIALS, "api_mode": "pro"}, "COINBASE_API_MODE"),
        ({**EXCHANGE, "api_mode": "exchange", "enable_derivatives": True}, "ENABLE_DERIVATIVES"),
        ({**CREDENTIALS, "history_days": 0}, "COINBASE_HISTORY_DAYS"),
        ({**CREDENTIALS, "timeout_s": 0}, "COINBASE_TIMEOUT_S"),
        ({**CREDENTIALS, "no_such": 1}, "no_such"),
        ({"cdp_api_key": "k", "cdp_private_key": "nonsense!"}, "COINBASE_CDP_PRIVATE_KEY"),
        ({**EXCHANGE, "sandbox": True, "api_secret": "!"}, "COINBASE_API_SECRET"),
    ],
)
def test_what_is_missing_or_wrong_is_named_at_construction(
    given: dict[str, Any], named: str
) -> None:
    """Never at the first order; and no value of a credential is shown."""
    with pytest.raises(InvalidFieldError, match=named) as caught:
        create_coinbase(given, {})
    assert "nonsense!" not in str(caught.value)


def test_the_mode_decides_the_brokerage() -> None:
    """Nothing is sent before connect."""
    assert isinstance(create_coinbase(CREDENTIALS, {}), CoinbaseBrokerage)
    exchange = create_coinbase({**EXCHANGE, "api_mode": "exchange"}, {})
    assert isinstance(exchange, CoinbaseExchangeBrokerage)
    assert not exchange.is_connected()
    assert "c2VjcmV0" not in repr(exchange)


@pytest.mark.parametrize(
    ("given", "market", "orders"),
    [
        (
            CREDENTIALS,
            "wss://advanced-trade-ws.coinbase.com",
            "wss://advanced-trade-ws-user.coinbase.com",
        ),
        (
            {**EXCHANGE, "sandbox": True},
            "wss://ws-feed-public.sandbox.exchange.coinbase.com",
            "wss://ws-feed-public.sandbox.exchange.coinbase.com",
        ),
        ({**CREDENTIALS, "ws_url": "wss://other"}, "wss://other", "wss://other"),
        (
            {**CREDENTIALS, "api_base": "http://localhost:80/"},
            "ws://localhost:80",
            "ws://localhost:80",
        ),
        (
            {**CREDENTIALS, "api_base": "https://127.0.0.1:8443"},
            "wss://127.0.0.1:8443",
            "wss://127.0.0.1:8443",
        ),
    ],
)
def test_streams_are_where_the_api_is(given: dict[str, Any], market: str, orders: str) -> None:
    """Of a simulator at its own address: the real market is never mixed with a simulated one."""
    settings = read_settings(given, {})
    assert (settings.ws_url, settings.ws_user_url) == (market, orders)


@pytest.mark.parametrize(
    "address", ["https://host", "ws://elsewhere.example", "wss://", "wss://user@host", "host"]
)
def test_streams_are_reached_by_wss(address: str) -> None:
    """In the clear only on this machine; with nothing secret in the address."""
    with pytest.raises(InvalidFieldError, match="COINBASE_WS_URL"):
        read_settings({**CREDENTIALS, "ws_url": address}, {})


@pytest.mark.parametrize("name", ["stream_silence_s", "stream_audit_s"])
def test_streams_are_watched(name: str) -> None:
    """The watch over streams cannot be switched off."""
    with pytest.raises(InvalidFieldError, match=f"COINBASE_{name.upper()}"):
        read_settings({**CREDENTIALS, name: 0}, {})
    assert getattr(read_settings({**CREDENTIALS, name: "7.5"}, {}), name) == 7.5
