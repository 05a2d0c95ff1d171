"""The account at a glance: totals, margin, fees, and the accounts of a login."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import attrs

from bot_v2.features.brokerages.core.fields import Model


@attrs.frozen(kw_only=True, weakref_slot=False, repr=False)
class AccountSummary(Model):
    """The account at a glance, in one currency."""

    account_id: str
    """The account."""
    currency: str
    """The currency of every amount here."""
    equity: Decimal | None = None
    """Cash plus the value of all positions. None: not said."""
    cash: Decimal | None = None
    """Settled and unsettled cash; negative is a debt. None: not said."""
    buying_power: Decimal | None = None
    """What new orders may cost, borrowing included. None: not said."""
    margin_used: Decimal | None = None
    """What positions and orders tie up. None: not said."""
    utilization: Decimal | None = None
    """margin_used over equity, as a fraction. None: not said, or no equity."""
    timestamp: datetime | None = None
    """As of when. None: not said."""


@attrs.frozen(kw_only=True, weakref_slot=False, repr=False)
class Margin(Model):
    """The margin of an account, as it is or as an order would make it; in one currency."""

    currency: str
    """The currency of every amount here."""
    initial_margin: Decimal | None = None
    """Needed to open what is open. None: not said."""
    maintenance_margin: Decimal | None = None
    """Needed to keep what is open. None: not said."""
    excess: Decimal | None = None
    """Equity above the maintenance margin; negative is a margin call. None: not said."""
    buying_power: Decimal | None = None
    """What new orders may cost. None: not said."""


@attrs.frozen(kw_only=True, weakref_slot=False, repr=False)
class FeeRates(Model):
    """What the account pays to trade."""

    currency: str | None = None
    """The currency of per_unit and minimum. None: they are not given."""
    maker: Decimal | None = None
    """Fraction of the value when the order waited in the book (0.001 is 10 bps). None: not said."""
    taker: Decimal | None = None
    """Fraction of the value when it did not. None: not said."""
    per_unit: Decimal | None = None
    """Charge per order unit. None: none, or not said."""
    minimum: Decimal | None = None
    """Least charge of an order. None: none, or not said."""


@attrs.frozen(kw_only=True, weakref_slot=False, repr=False)
class AccountRef(Model):
    """One of the accounts that a login can see."""

    account_id: str
    """The broker's id of it."""
    name: str | None = None
    """What people call it. None: no name."""
    currency: str | None = None
    """Its base currency. None: not said."""
