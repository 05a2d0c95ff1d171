"""Option chains: the contracts on an underlying, with what the chain says of each."""

from __future__ import annotations

from decimal import Decimal

import attrs

from bot_v2.features.brokerages.core.fields import Model, require
from bot_v2.features.brokerages.core.products import MarketType, Product


@attrs.frozen(kw_only=True, weakref_slot=False, repr=False)
class OptionContract(Model):
    """One contract of an option chain, with what the chain says of it."""

    product: Product
    """The contract itself."""
    bid: Decimal | None = None
    """The best bid, in quote currency per unit. None: no bid, or not said."""
    ask: Decimal | None = None
    """The best ask, in quote currency per unit. None: no ask, or not said."""
    last: Decimal | None = None
    """The latest trade's price. None: never traded, or not said."""
    open_interest: Decimal | None = None
    """Open contracts. None: the broker does not say."""
    implied_volatility: Decimal | None = None
    """Per year, as a fraction (0.25 is 25 %). None: the broker does not say."""
    delta: Decimal | None = None
    """Change of the option's price per unit of the underlying's. None: not said."""
    gamma: Decimal | None = None
    """Change of delta per unit of the underlying's price. None: not said."""
    theta: Decimal | None = None
    """Change of the option's price per day. None: not said."""
    vega: Decimal | None = None
    """Change of the option's price per 0.01 of volatility. None: not said."""

    def _check_sense(self) -> None:
        if self.product.market_type is not MarketType.OPTION:
            raise require(self, "product", "a Product of market_type OPTION")
