"""What trades cost: fixed commissions of the magnitude that the broker charges."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from bot_v2.features.brokerages.core.account_summary import FeeRates
from bot_v2.features.brokerages.core.fills import Liquidity
from bot_v2.features.brokerages.core.products import MarketType, Product
from bot_v2.simulation.fees import FeeModel, MakerTakerFees, PerUnitFees

D = Decimal

SHARES: Final = PerUnitFees(per_unit=D("0.005"), least=D(1), maximum_rate=D("0.01"))
OPTIONS: Final = PerUnitFees(per_unit=D("0.65"), least=D(1))
FUTURES: Final = PerUnitFees(per_unit=D("2.25"))
PAIRS: Final = MakerTakerFees(maker=D("0.00002"), taker=D("0.00002"), least=D(2))

_BY_KIND: Final[dict[MarketType, FeeModel]] = {
    MarketType.EQUITY: SHARES,
    MarketType.OPTION: OPTIONS,
    MarketType.FUTURES: FUTURES,
    MarketType.FOREX: PAIRS,
}


class Commissions:
    """Charges each kind of product as the broker does."""

    def fee(
        self, product: Product, quantity: Decimal, value: Decimal, liquidity: Liquidity
    ) -> Decimal:
        """Return what an execution costs."""
        return _BY_KIND[product.market_type].fee(product, quantity, value, liquidity)

    def minimum(self, product: Product) -> Decimal:
        """Return the least charge of an order."""
        return _BY_KIND[product.market_type].minimum(product)

    def rates(self, product: Product) -> FeeRates:
        """Return what trading a product costs."""
        return _BY_KIND[product.market_type].rates(product)
