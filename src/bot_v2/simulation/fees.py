"""What trading costs: fee models, and the arithmetic of a least charge per order.

A model says what one execution costs; the least charge applies to an order as a whole, however many
executions fill it: the first one pays up to it, the later ones pay what goes beyond it.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final, Protocol

import attrs

from bot_v2.features.brokerages.core.account_summary import FeeRates
from bot_v2.features.brokerages.core.decimals import EXACT
from bot_v2.features.brokerages.core.fields import check_fields, require_not_negative
from bot_v2.features.brokerages.core.fills import Liquidity
from bot_v2.features.brokerages.core.products import Product

ZERO: Final = Decimal(0)


class FeeModel(Protocol):
    """What an execution costs, in the currency that its value is in."""

    def fee(
        self, product: Product, quantity: Decimal, value: Decimal, liquidity: Liquidity
    ) -> Decimal:
        """Return the charge of an execution before the least charge; negative is a rebate.

        Args:
            product: what was traded.
            quantity: how much, in order units, above zero.
            value: quantity x price x multiplier, never negative.
            liquidity: whether the order waited in the book.
        """
        ...

    def minimum(self, product: Product) -> Decimal:
        """Return the least charge of an order that executes, zero or more."""
        ...

    def rates(self, product: Product) -> FeeRates:
        """Return the model as rates, for people and for `get_fees`."""
        ...


@attrs.frozen(weakref_slot=False)
class NoFees:
    """Trading is free."""

    def fee(
        self,
        product: Product,  # noqa: ARG002 - every product is free
        quantity: Decimal,  # noqa: ARG002 - however much
        value: Decimal,  # noqa: ARG002 - whatever it is worth
        liquidity: Liquidity,  # noqa: ARG002 - either way
    ) -> Decimal:
        """Return zero."""
        return ZERO

    def minimum(self, product: Product) -> Decimal:  # noqa: ARG002 - every product is free
        """Return zero."""
        return ZERO

    def rates(self, product: Product) -> FeeRates:  # noqa: ARG002 - every product is free
        """Return rates of zero."""
        return FeeRates(maker=ZERO, taker=ZERO)


@attrs.frozen(kw_only=True, weakref_slot=False)
class MakerTakerFees:
    """A fraction of the value, by whether the order waited in the book."""

    maker: Decimal
    """Charge of an order that waited: 0.001 is 10 bps; negative is a rebate."""
    taker: Decimal
    """Charge of an order that did not wait."""
    least: Decimal = ZERO
    """Least charge of an order, in the currency of its value."""

    def __attrs_post_init__(self) -> None:
        check_fields(self)
        require_not_negative(self, "taker", "least")

    def fee(
        self,
        product: Product,  # noqa: ARG002 - one rate for all products
        quantity: Decimal,  # noqa: ARG002 - the value decides
        value: Decimal,
        liquidity: Liquidity,
    ) -> Decimal:
        """Return the fraction of the value."""
        return EXACT.multiply(value, self.maker if liquidity is Liquidity.MAKER else self.taker)

    def minimum(self, product: Product) -> Decimal:  # noqa: ARG002 - one for all products
        """Return the least charge."""
        return self.least

    def rates(self, product: Product) -> FeeRates:
        """Return both fractions, and the least charge where there is one."""
        return FeeRates(
            maker=self.maker,
            taker=self.taker,
            currency=fee_currency(product) if self.least else None,
            minimum=self.least or None,
        )


@attrs.frozen(kw_only=True, weakref_slot=False)
class PerUnitFees:
    """A charge per share or contract."""

    per_unit: Decimal
    """Charge per order unit, in the currency of the value."""
    least: Decimal = ZERO
    """Least charge of an order."""
    maximum_rate: Decimal | None = None
    """Most that an execution costs, as a fraction of its value. None: no such cap."""

    def __attrs_post_init__(self) -> None:
        check_fields(self)
        require_not_negative(self, "per_unit", "least", "maximum_rate")

    def fee(
        self,
        product: Product,  # noqa: ARG002 - one charge for all products
        quantity: Decimal,
        value: Decimal,
        liquidity: Liquidity,  # noqa: ARG002 - the same either way
    ) -> Decimal:
        """Return the charge for the quantity, capped by the value where there is a cap."""
        charge = EXACT.multiply(quantity, self.per_unit)
        if self.maximum_rate is None:
            return charge
        return min(charge, EXACT.multiply(value, self.maximum_rate))

    def minimum(self, product: Product) -> Decimal:  # noqa: ARG002 - one for all products
        """Return the least charge."""
        return self.least

    def rates(self, product: Product) -> FeeRates:
        """Return the charge per unit, and the least charge where there is one."""
        return FeeRates(
            currency=fee_currency(product), per_unit=self.per_unit, minimum=self.least or None
        )


def fee_currency(product: Product) -> str:
    """Return the currency that a product's value, profit and fees are in."""
    if product.settle_currency is not None:
        return product.settle_currency
    if product.inverse and product.base_currency is not None:
        return product.base_currency
    return product.quote_currency


def charge(model: FeeModel, product: Product, before_minimum: Decimal, charged: Decimal) -> Decimal:
    """Return what is still to be charged, given an order's fees so far without the least charge."""
    minimum = model.minimum(product)
    due = before_minimum if before_minimum >= minimum else minimum
    return EXACT.subtract(due, charged) if charged else due


def worst_fee(model: FeeModel, product: Product, quantity: Decimal, value: Decimal) -> Decimal:
    """Return the most that executing the quantity at up to the value costs before the minimum."""
    maker = model.fee(product, quantity, value, Liquidity.MAKER)
    taker = model.fee(product, quantity, value, Liquidity.TAKER)
    return max(maker, taker, ZERO)
