"""`pytest --record-live alpaca` records on a paper account, or does not record."""

from __future__ import annotations

import pytest

from bot_v2.features.brokerages.core.errors import InvalidFieldError
from bot_v2.testing.live_guard import EnvironmentRefusedError
from tests.integration.alpaca.cassettes.stands import paper_settings

PAPER = {"ALPACA_API_KEY": "PKMADEUP000000000000", "ALPACA_SECRET_KEY": "made-up"}
PROBLEM = "the suite places orders"


def test_the_paper_account_is_recorded() -> None:
    """With its credentials and nothing else the paper account is what is recorded."""
    settings = paper_settings(PAPER)
    assert settings.environment == "paper"
    assert settings.api_base == "https://paper-api.alpaca.markets"


@pytest.mark.parametrize(
    "environ",
    [
        {**PAPER, "ALPACA_PAPER_TRADING": "false"},
        {**PAPER, "ALPACA_API_BASE": "https://elsewhere.example"},
        {**PAPER, "ALPACA_API_BASE": "http://127.0.0.1:9"},
    ],
)
def test_anything_else_is_refused(environ: dict[str, str]) -> None:
    """Real money, a simulator and any other address are refused before a call."""
    with pytest.raises(EnvironmentRefusedError, match=PROBLEM):
        paper_settings(environ)


@pytest.mark.parametrize("missing", PAPER)
def test_half_the_credentials_are_named(missing: str) -> None:
    """A credential that is not there is named, and nothing is recorded."""
    environ = {name: value for name, value in PAPER.items() if name != missing}
    with pytest.raises(InvalidFieldError, match=missing):
        paper_settings(environ)
