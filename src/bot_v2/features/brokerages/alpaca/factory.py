"""Makes an Alpaca brokerage from settings: the entry point `alpaca`."""

from __future__ import annotations

from collections.abc import Mapping

from bot_v2.features.brokerages.alpaca.adapter import AlpacaBrokerage
from bot_v2.features.brokerages.alpaca.settings import read_settings


def create_alpaca(given: Mapping[str, object], environ: Mapping[str, str]) -> AlpacaBrokerage:
    """Return an Alpaca brokerage; nothing is sent before `connect`.

    Args:
        given: settings by name, such as `api_key`.
        environ: settings by the same names in capitals after `ALPACA_`.

    Raises:
        InvalidFieldError: a credential is missing, or a setting makes no sense.
    """
    return AlpacaBrokerage(read_settings(given, environ))
