"""Executions of orders, and their corrections."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

import attrs

from bot_v2.features.brokerages.core.fields import Model, require
from bot_v2.features.brokerages.core.order_terms import OrderSide


class Liquidity(StrEnum):
    """Which side of a trade waited in the book."""

    MAKER = "maker"
    TAKER = "taker"


@attrs.frozen(kw_only=True, weakref_slot=False, repr=False)
class Fill(Model):
    """One execution of an order."""

    trade_id: str
    """The broker's id of the execution, unique in the account and symbol."""
    order_id: str
    """The order that was filled."""
    symbol: str
    """Canonical, or `@native`."""
    side: OrderSide
    """Which way the account traded."""
    quantity: Decimal
    """How much was filled, in order units."""
    price: Decimal
    """At what price, in quote currency per unit."""
    timestamp: datetime
    """When it was executed."""
    account_id: str
    """The account that it is in."""
    client_order_id: str | None = None
    """The caller's id of the order. None: not said."""
    fee: Decimal | None = None
    """What was charged; negative is a rebate. None: not said."""
    fee_currency: str | None = None
    """The currency of the fee. None: not said."""
    liquidity: Liquidity | None = None
    """Whether the order waited in the book. None: not said."""
    corrects: str | None = None
    """The trade_id whose place this takes. None: it is no correction."""
    busted: bool = False
    """True: the execution named by `corrects` was cancelled by the broker; nothing replaces it."""

    _positive = ("quantity",)

    def _check_sense(self) -> None:
        if self.busted and self.corrects is None:
            raise require(self, "corrects", "the trade_id of the execution that was cancelled")
