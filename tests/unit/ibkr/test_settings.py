"""What the brokerage is told."""

from __future__ import annotations

from typing import Any

import pytest

from bot_v2.features.brokerages.core.interfaces import Environment, InvalidFieldError
from bot_v2.features.brokerages.ibkr.factory import create_ibkr
from bot_v2.features.brokerages.ibkr.settings import IbkrSettings, accepts_account, read_settings


def test_what_nobody_sets() -> None:
    """Who sets nothing talks to a TWS on this machine, with a paper login."""
    assert read_settings({}, {}) == IbkrSettings()
    assert read_settings({}, {}).environment is Environment.PAPER


def test_names_of_the_environment() -> None:
    """Each setting has a name in the environment, and an argument comes first."""
    environ = {
        "IBKR_HOST": "tws.example",
        "IBKR_PORT": "4001",
        "IBKR_CLIENT_ID": "17",
        "IBKR_ACCOUNT_ID": "U1234567",
    }
    settings = read_settings({"client_id": 18}, environ)
    told = (settings.host, settings.port, settings.client_id, settings.account_id)
    assert told == ("tws.example", 4001, 18, "U1234567")
    assert settings.environment is Environment.LIVE


ENVIRONMENTS = [
    # port, what is said, the account: what it is
    (7497, None, None, Environment.PAPER),
    (4002, None, "DU1", Environment.PAPER),
    (7496, None, None, Environment.LIVE),
    (4001, None, "U1", Environment.LIVE),
    (4004, None, "DU1", Environment.PAPER),
    (4003, None, "U1", Environment.LIVE),
    (4003, None, None, Environment.LIVE),
    (4003, "paper", None, Environment.PAPER),
    (5555, "simulator", "DU1", Environment.SIMULATOR),
    (7497, "paper", None, Environment.PAPER),
]


@pytest.mark.parametrize(("port", "said", "account", "environment"), ENVIRONMENTS)
def test_environments(
    port: int, said: str | None, account: str | None, environment: Environment
) -> None:
    """The port says what the login is for; of another one, what is said, or the account."""
    given = {"port": port, "environment": said, "account_id": account}
    settings = read_settings({name: one for name, one in given.items() if one is not None}, {})
    assert settings.environment is environment
    assert create_ibkr(dict(given), {}).environment is environment


REFUSED: list[dict[str, Any]] = [
    {"port": 7497, "account_id": "U1"},
    {"port": 7496, "account_id": "DU1"},
    {"port": 4003, "environment": "live", "account_id": "DU1"},
    {"port": 7497, "environment": "live"},
    {"port": 7496, "environment": "simulator"},
    {"port": 5555, "environment": "sandbox"},
    {"port": 0},
    {"port": 70_000},
    {"client_id": -1},
    {"timeout_s": 0.0},
    {"connect_timeout_s": 0.0},
    {"requests_per_s": 0},
    {"time_zone": "Nowhere/X"},
    {"misspelt": 1},
]


@pytest.mark.parametrize("given", REFUSED)
def test_what_makes_no_sense(given: dict[str, Any]) -> None:
    """A setting that makes no sense, or does not fit another one, is refused by name."""
    with pytest.raises(InvalidFieldError) as caught:
        read_settings(given, {})
    assert caught.value.accepted


@pytest.mark.parametrize("account", ["DU1", "DF1", "D"])
def test_paper_accounts(account: str) -> None:
    """The id of a paper account begins with a D."""
    assert accepts_account(Environment.PAPER, account)
    assert accepts_account(Environment.SIMULATOR, account)
    assert not accepts_account(Environment.LIVE, account)
    assert accepts_account(Environment.LIVE, f"U{account}")
