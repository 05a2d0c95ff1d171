"""Makes a Coinbase brokerage from settings: the entry point `coinbase`."""

from __future__ import annotations

from collections.abc import Mapping

from bot_v2.features.brokerages.coinbase.adapter import CoinbaseBrokerage
from bot_v2.features.brokerages.coinbase.exchange_adapter import CoinbaseExchangeBrokerage
from bot_v2.features.brokerages.coinbase.perpetuals import CoinbasePerpetualsBrokerage
from bot_v2.features.brokerages.coinbase.settings import ApiMode, CoinbaseSettings, read_settings


def create_coinbase(
    given: Mapping[str, object], environ: Mapping[str, str]
) -> CoinbaseBrokerage | CoinbaseExchangeBrokerage:
    """Return a Coinbase brokerage; nothing is sent before `connect`.

    Args:
        given: settings by name, such as `cdp_api_key`.
        environ: settings by the same names in capitals after `COINBASE_`.

    Raises:
        InvalidFieldError: a credential is missing or cannot be read, or a setting makes no sense.
    """
    settings = read_settings(given, environ)
    return class_for(settings)(settings)


def class_for(
    settings: CoinbaseSettings,
) -> type[CoinbaseBrokerage | CoinbaseExchangeBrokerage]:
    """Return the class of the brokerage that some settings ask for."""
    if settings.mode is ApiMode.EXCHANGE:
        return CoinbaseExchangeBrokerage
    return CoinbasePerpetualsBrokerage if settings.enable_derivatives else CoinbaseBrokerage
