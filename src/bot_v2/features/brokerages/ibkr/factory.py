"""Makes an Interactive Brokers brokerage from settings: the entry point `ibkr`."""

from __future__ import annotations

from collections.abc import Mapping

from bot_v2.features.brokerages.ibkr.adapter import IbkrBrokerage
from bot_v2.features.brokerages.ibkr.settings import read_settings


def create_ibkr(given: Mapping[str, object], environ: Mapping[str, str]) -> IbkrBrokerage:
    """Return an Interactive Brokers brokerage; nothing is opened before `connect`.

    Args:
        given: settings by name, such as `port`.
        environ: settings by the same names in capitals after `IBKR_`.

    Raises:
        InvalidFieldError: a setting makes no sense, or the account does not fit the port.
    """
    return IbkrBrokerage(read_settings(given, environ))
