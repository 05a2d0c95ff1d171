"""What kind of account the engine keeps, and what it starts with."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Final

import attrs

from bot_v2.features.brokerages.core.errors import InvalidFieldError
from bot_v2.features.brokerages.core.fields import (
    EMPTY,
    FrozenMapping,
    check_fields,
    freeze,
    require,
)

ONE: Final = Decimal(1)


class AccountKind(StrEnum):
    """Whether the account can borrow."""

    CASH = "cash"
    """Spends only what it has and sells only what it holds."""
    MARGIN = "margin"
    """Borrows against its equity, sells short and trades futures."""


@attrs.frozen(kw_only=True, weakref_slot=False)
class AccountSettings:
    """The account of an engine, as it is opened."""

    account_id: str = "paper"
    """The id that every order, fill and position carries."""
    kind: AccountKind = AccountKind.CASH
    """Whether it can borrow."""
    currency: str = "USD"
    """The currency in which equity and margin are told."""
    initial_balances: FrozenMapping = attrs.field(default=EMPTY, converter=freeze)
    """What it starts with: an amount (Decimal, zero or more) by asset."""
    initial_margin_rate: Decimal = Decimal("0.5")
    """Margin needed to open, as a fraction of the value (0.5 is 50 %)."""
    maintenance_margin_rate: Decimal = Decimal("0.25")
    """Margin needed to keep, as a fraction of the value; at most the initial rate."""

    def __attrs_post_init__(self) -> None:
        check_fields(self)
        for asset, amount in self.initial_balances.items():
            if not isinstance(amount, Decimal) or not amount.is_finite() or amount < 0:
                raise InvalidFieldError(
                    f"AccountSettings.initial_balances[{asset!r}]",
                    amount,
                    "a finite Decimal, zero or more",
                )
        if not 0 < self.initial_margin_rate <= ONE:
            raise require(self, "initial_margin_rate", "above zero and at most 1")
        if not 0 < self.maintenance_margin_rate <= self.initial_margin_rate:
            raise require(
                self, "maintenance_margin_rate", "above zero and at most the initial margin rate"
            )

    def opening_balances(self) -> dict[str, Decimal]:
        """Return what it starts with, by asset; what is zero is left out."""
        return {
            asset: amount
            for asset, amount in self.initial_balances.items()
            if isinstance(amount, Decimal) and amount > 0
        }
