"""What Alpaca allows an account: flags that it sets, and configurations that the owner sets.

Source: https://docs.alpaca.markets/reference/getaccount-1 and .../reference/getaccountconfig-1
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import attrs

from bot_v2.venues.alpaca.dialect import BAD_PARAMETER, refused
from bot_v2.venues.requests import Record

CHECKS: Final = ("both", "entry", "exit")
EMAILS: Final = ("all", "none")
MULTIPLIERS: Final = ("1", "2", "4")
OPTION_LEVEL_MAX: Final = 3

SWITCHES: Final = (
    "suspend_trade",
    "no_shorting",
    "fractional_trading",
    "ptp_no_exception_entry",
    "disable_overnight_trading",
)


@attrs.define(kw_only=True)
class Standing:
    """The account's flags. A test changes them as Alpaca would."""

    status: str = "ACTIVE"
    """The account's status."""
    crypto_status: str = "ACTIVE"
    """The same for coins; orders for coins need ACTIVE."""
    account_blocked: bool = False
    """True: the owner may do nothing."""
    trading_blocked: bool = False
    """True: no orders are taken."""
    transfers_blocked: bool = False
    """True: no money moves in or out."""
    shorting_enabled: bool = True
    """Whether shares can be sold short."""
    multiplier: int = 2
    """What buying power is of the excess: 1, 2, or 4 by day."""
    options_approved_level: int = OPTION_LEVEL_MAX
    """What the account may do with options: 0 nothing, 3 spreads."""
    pdt_rule: bool = False
    """True: the rule for pattern day traders holds, as until June 2026; its fields are told."""
    pattern_day_trader: bool = False
    """Whether the account is one."""
    daytrade_count: int | None = None
    """How many day trades the last five days had. None: they are counted."""


@attrs.define(kw_only=True)
class Configurations:
    """What the owner has set."""

    suspend_trade: bool = False
    """True: no new orders are taken."""
    no_shorting: bool = False
    """True: nothing is sold short."""
    fractional_trading: bool = True
    """Whether parts of a share can be ordered."""
    ptp_no_exception_entry: bool = False
    """Whether partnerships are traded that withhold tax."""
    disable_overnight_trading: bool = False
    """Whether the overnight session is left out."""
    dtbp_check: str = "entry"
    """When day trading buying power is checked."""
    pdt_check: str = "entry"
    """When day trades are counted."""
    trade_confirm_email: str = "all"
    """Which confirmations are mailed."""
    max_margin_multiplier: str = "4"
    """How much is borrowed at most."""
    max_options_trading_level: int | None = None
    """The owner's own limit for options. None: none."""

    def as_record(self, *, with_pdt: bool) -> Record:
        """Return them as they are told."""
        said: Record = attrs.asdict(self)
        if not with_pdt:
            del said["dtbp_check"], said["pdt_check"]
        return said

    def change(self, body: Mapping[str, Any]) -> None:
        """Change what a request names.

        Raises:
            RefusedError: a value that is not accepted; then nothing is changed.
        """
        allowed: dict[str, tuple[object, ...]] = {
            **dict.fromkeys(SWITCHES, (True, False)),
            "dtbp_check": CHECKS,
            "pdt_check": CHECKS,
            "trade_confirm_email": EMAILS,
            "max_margin_multiplier": MULTIPLIERS,
            "max_options_trading_level": (None, *range(OPTION_LEVEL_MAX + 1)),
        }
        # A client may send what it does not know as null.
        changes = {
            name: body[name]
            for name, accepted in allowed.items()
            if name in body and (body[name] is not None or None in accepted)
        }
        for name, value in changes.items():
            if value not in allowed[name]:
                raise refused(422, BAD_PARAMETER, f"{name} value is invalid")
        for name, value in changes.items():
            setattr(self, name, value)
