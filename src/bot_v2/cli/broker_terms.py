"""What the brokers that come with bot_v2 ask for, so that it can be asked for in turn."""

from __future__ import annotations

from typing import Final

import attrs


@attrs.frozen(kw_only=True)
class BrokerTerms:
    """What one type of brokerage asks for."""

    secrets: tuple[str, ...] = ()
    """The names of its credentials."""
    note: str
    """What a person has to know of them."""
    others: tuple[tuple[str, str], ...] = ()
    """Other variables that are worth naming in a sample, and what they are."""


TERMS: Final[dict[str, BrokerTerms]] = {
    "paper": BrokerTerms(
        note="the simulated account: no credentials",
        others=(("PAPER_INITIAL_BALANCE", "what a new account starts with"),),
    ),
    "coinbase": BrokerTerms(
        secrets=("cdp_api_key", "cdp_private_key"),
        note="Coinbase Advanced Trade; the Exchange API takes api_key, api_secret, api_passphrase",
        others=(
            ("COINBASE_API_MODE", "advanced or exchange"),
            ("COINBASE_SANDBOX", "true: the test system of the Exchange API"),
        ),
    ),
    "alpaca": BrokerTerms(
        secrets=("api_key", "secret_key"),
        note="Alpaca: each account, paper or live, has keys of its own",
        others=(("ALPACA_PAPER_TRADING", "false: real money"),),
    ),
    "ibkr": BrokerTerms(
        note="Interactive Brokers: TWS or IB Gateway is logged in by hand, and no key is needed",
        others=(
            ("IBKR_HOST", "where TWS or IB Gateway runs"),
            ("IBKR_PORT", "7497 or 4002 (paper), 7496 or 4001 (live)"),
            ("IBKR_ACCOUNT_ID", "which account, where the login has several"),
        ),
    ),
}
"""The types that are known here; one that another package brings is asked for by its settings."""


def secrets_of(kind: str) -> tuple[str, ...] | None:
    """Return the credentials of a type. None: they are not known here."""
    terms = TERMS.get({"simulation": "paper"}.get(kind, kind))
    return None if terms is None else terms.secrets
