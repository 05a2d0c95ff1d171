"""What trading costs: nothing for shares and options, a part of the value for coins.

Source: https://docs.alpaca.markets/docs/crypto-fees (the first tier). What regulators charge for
sales of shares and for options is left out.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from bot_v2.features.brokerages.core.account_summary import FeeRates
from bot_v2.features.brokerages.core.fills import Liquidity
from bot_v2.features.brokerages.core.products import MarketType, Product
from bot_v2.simulation.fees import MakerTakerFees, NoFees

MAKER: Final = Decimal("0.0015")
TAKER: Final = Decimal("0.0025")

_COINS: Final = MakerTakerFees(maker=MAKER, taker=TAKER)
_FREE: Final = NoFees()


class AlpacaFees:
    """Fees by the kind of product; it fits FeeModel."""

    def fee(
        self, product: Product, quantity: Decimal, value: Decimal, liquidity: Liquidity
    ) -> Decimal:
        """Return the charge of an execution."""
        return self._model(product).fee(product, quantity, value, liquidity)

    def minimum(self, product: Product) -> Decimal:
        """Return the least charge of an order."""
        return self._model(product).minimum(product)

    def rates(self, product: Product) -> FeeRates:
        """Return both fractions."""
        return self._model(product).rates(product)

    def _model(self, product: Product) -> MakerTakerFees | NoFees:
        return _COINS if product.market_type is MarketType.SPOT else _FREE
