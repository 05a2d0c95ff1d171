"""What an account holds."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import attrs

from bot_v2.features.brokerages.core.fields import (
    EMPTY,
    FrozenMapping,
    Model,
    freeze,
)


class PositionSide(StrEnum):
    """Whether a position gains when the price rises or when it falls."""

    LONG = "long"
    SHORT = "short"


@attrs.frozen(kw_only=True, weakref_slot=False, repr=False)
class Balance(Model):
    """What an account holds of one asset."""

    asset: str
    """The currency or coin."""
    total: Decimal
    """All of it, in units of the asset; negative is a debt."""
    available: Decimal | None = None
    """What can be used now. None: the broker does not say."""
    hold: Decimal | None = None
    """What is set aside for orders. None: the broker does not say."""
    wallet: str = ""
    """The compartment of the account where the broker has several; empty: the only one."""
    metadata: FrozenMapping = attrs.field(default=EMPTY, converter=freeze, eq=False)
    """The native extras that the adapter documents."""


@attrs.frozen(kw_only=True, weakref_slot=False, repr=False)
class Position(Model):
    """An exposure. Unique by (symbol, side, bucket)."""

    symbol: str
    """Canonical, or `@native`."""
    quantity: Decimal
    """How much, in order units; always above zero: a flat position is no position."""
    side: PositionSide
    """Long or short."""
    account_id: str
    """The account that it is in."""
    bucket: str = ""
    """The product type or hedge side where the broker keeps several; empty: the only one."""
    entry_price: Decimal | None = None
    """The mean price of entry, in quote currency per unit. None: not said."""
    current_price: Decimal | None = None
    """The price that it is valued at. None: not said."""
    unrealized_pnl: Decimal | None = None
    """Profit if closed at the current price, in settlement currency. None: not said."""
    market_value: Decimal | None = None
    """What it is worth, in quote currency; negative when short. None: not said."""
    metadata: FrozenMapping = attrs.field(default=EMPTY, converter=freeze, eq=False)
    """The native extras that the adapter documents."""

    _positive = ("quantity",)
