"""What the venue lists: the products in Coinbase's words and in the engine's.

Sizes and steps are of the magnitude that the real products have; the prices are made up.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Final

import attrs

from bot_v2.features.brokerages.core.products import MarketType, Product

D = Decimal

SPOT: Final = "spot"
INTX: Final = "intx"
CFM: Final = "cfm"

FIAT: Final = frozenset({"USD", "EUR", "GBP"})
NAMES: Final = {
    "BTC": "Bitcoin",
    "ETH": "Ethereum",
    "SOL": "Solana",
    "LTC": "Litecoin",
    "DOGE": "Dogecoin",
    "USD": "US Dollar",
    "USDC": "USDC",
}


@attrs.frozen(kw_only=True)
class Listing:
    """A product."""

    product_id: str
    """Coinbase's id."""
    product: Product
    """The product, for the engine."""
    account: str
    """The account that trades it: SPOT, INTX or CFM."""
    price: Decimal
    """Where it starts, in quote currency."""
    quote_max: Decimal
    """The largest value of an order, in quote currency."""

    @property
    def base(self) -> str:
        """The coin; of a contract, what it is on."""
        return self.product.base_currency or self.product.symbol.partition("-")[0]

    @property
    def quote(self) -> str:
        """The currency of the price."""
        return self.product.quote_currency

    @property
    def is_contract(self) -> bool:
        """Whether it is a future or a perpetual."""
        return self.account != SPOT


def _spot(base: str, quote: str, price: str, tick: str, step: str, largest: str) -> Listing:
    symbol = f"{base}-{quote}"
    return Listing(
        product_id=symbol,
        account=SPOT,
        price=D(price),
        quote_max=D(150_000_000),
        product=Product(
            symbol=symbol,
            market_type=MarketType.SPOT,
            base_currency=base,
            quote_currency=quote,
            price_increment=D(tick),
            size_increment=D(step),
            min_order_size=D(step),
            max_order_size=D(largest),
            min_notional=D(1) if quote != "BTC" else D("0.000016"),
        ),
    )


def _perpetual(base: str, price: str, tick: str, step: str, largest: str) -> Listing:
    return Listing(
        product_id=f"{base}-PERP-INTX",
        account=INTX,
        price=D(price),
        quote_max=D(50_000_000),
        product=Product(
            symbol=f"{base}-USDC-PERP",
            market_type=MarketType.PERPETUAL,
            base_currency=base,
            quote_currency="USDC",
            settle_currency="USDC",
            price_increment=D(tick),
            size_increment=D(step),
            min_order_size=D(step),
            max_order_size=D(largest),
            min_notional=D(10),
        ),
    )


SPOT_LISTINGS: Final = (
    # base, quote, first price, price step, size step and smallest size, largest size
    _spot("BTC", "USD", "60000.00", "0.01", "0.00000001", "3400"),
    _spot("ETH", "USD", "3000.00", "0.01", "0.00000001", "43000"),
    _spot("SOL", "USD", "150.00", "0.01", "0.00000001", "250000"),
    _spot("LTC", "USD", "80.00", "0.01", "0.00000001", "150000"),
    _spot("DOGE", "USD", "0.15000", "0.00001", "0.1", "50000000"),
    _spot("BTC", "USDC", "60000.00", "0.01", "0.00000001", "3400"),
    _spot("ETH", "BTC", "0.05000", "0.00001", "0.00000001", "43000"),
)
"""Coins against money and coins."""

INTX_LISTINGS: Final = (
    # base, first price, price step, size step and smallest size, largest size
    _perpetual("BTC", "60000.0", "0.1", "0.0001", "3000"),
    _perpetual("ETH", "3000.00", "0.01", "0.0001", "50000"),
)
"""Perpetual futures of Coinbase International Exchange, settled in USDC."""

CFM_LISTINGS: Final = (
    Listing(
        product_id="BIT-29DEC28-CDE",
        account=CFM,
        price=D(60_000),
        quote_max=D(100_000_000),
        product=Product(
            symbol="BIT-20281229",
            market_type=MarketType.FUTURES,
            quote_currency="USD",
            settle_currency="USD",
            price_increment=D(5),
            size_increment=D(1),
            min_order_size=D(1),
            max_order_size=D(100_000),
            multiplier=D("0.01"),
            expiry=date(2028, 12, 29),
            underlying="BTC",
        ),
    ),
)
"""A US future of Coinbase Derivatives: a hundredth of a bitcoin."""

ALL_LISTINGS: Final = (*SPOT_LISTINGS, *INTX_LISTINGS, *CFM_LISTINGS)
