"""How much worse than the market's price an order fills that takes whatever price there is."""

from __future__ import annotations

from decimal import Decimal
from typing import Final, Protocol

import attrs

from bot_v2.features.brokerages.core.decimals import EXACT, Rounding, divide
from bot_v2.features.brokerages.core.fields import check_fields, require, require_not_negative
from bot_v2.features.brokerages.core.products import Product

ZERO: Final = Decimal(0)
BASIS_POINTS: Final = Decimal("0.0001")
PLACES: Final = 12


class SlippageModel(Protocol):
    """How far a fill is from the market's price, always to the disadvantage of the order.

    It applies to market orders and to triggered stops without a limit. The engine puts the price
    on the product's grid, away from the market.
    """

    def slip(
        self, product: Product, price: Decimal, quantity: Decimal, offered: Decimal | None
    ) -> Decimal:
        """Return how much worse the price is, per unit, zero or more.

        Args:
            product: what is traded.
            price: the market's price.
            quantity: how much is filled there.
            offered: how much was on offer there. None: without limit.
        """
        ...


@attrs.frozen(weakref_slot=False)
class NoSlippage:
    """Orders fill at the market's price."""

    def slip(
        self,
        product: Product,  # noqa: ARG002 - the same for all
        price: Decimal,  # noqa: ARG002 - at any price
        quantity: Decimal,  # noqa: ARG002 - however much
        offered: Decimal | None,  # noqa: ARG002 - whatever is on offer
    ) -> Decimal:
        """Return zero."""
        return ZERO


@attrs.frozen(kw_only=True, weakref_slot=False)
class FixedSlippage:
    """The same amount per unit, whatever the price."""

    amount: Decimal
    """How much worse, in quote currency per unit."""

    def __attrs_post_init__(self) -> None:
        check_fields(self)
        require_not_negative(self, "amount")

    def slip(
        self,
        product: Product,  # noqa: ARG002 - the same for all
        price: Decimal,  # noqa: ARG002 - at any price
        quantity: Decimal,  # noqa: ARG002 - however much
        offered: Decimal | None,  # noqa: ARG002 - whatever is on offer
    ) -> Decimal:
        """Return the amount."""
        return self.amount


@attrs.frozen(kw_only=True, weakref_slot=False)
class PercentSlippage:
    """A fraction of the price."""

    bps: Decimal
    """How much worse, in basis points: 1 is 0.01 %. Below 10,000."""

    def __attrs_post_init__(self) -> None:
        check_fields(self)
        require_not_negative(self, "bps")
        if self.bps >= 10_000:
            raise require(self, "bps", "below 10,000: a sale brings more than nothing")

    def slip(
        self,
        product: Product,  # noqa: ARG002 - the same for all
        price: Decimal,
        quantity: Decimal,  # noqa: ARG002 - however much
        offered: Decimal | None,  # noqa: ARG002 - whatever is on offer
    ) -> Decimal:
        """Return the fraction of the price."""
        return EXACT.multiply(EXACT.multiply(price.copy_abs(), self.bps), BASIS_POINTS)


@attrs.frozen(kw_only=True, weakref_slot=False)
class VolumeSlippage:
    """A fraction of the price that grows with the share of the offer that is taken."""

    bps: Decimal
    """How much worse when all that is on offer is taken, in basis points; less in proportion."""

    def __attrs_post_init__(self) -> None:
        check_fields(self)
        require_not_negative(self, "bps")
        if self.bps >= 10_000:
            raise require(self, "bps", "below 10,000: a sale brings more than nothing")

    def slip(
        self,
        product: Product,  # noqa: ARG002 - the same for all
        price: Decimal,
        quantity: Decimal,
        offered: Decimal | None,
    ) -> Decimal:
        """Return the share of the fraction, rounded up; zero where the offer is without limit."""
        if offered is None or offered <= 0:
            return ZERO
        whole = EXACT.multiply(EXACT.multiply(price.copy_abs(), self.bps), BASIS_POINTS)
        return divide(EXACT.multiply(whole, quantity), offered, PLACES, Rounding.UP)
