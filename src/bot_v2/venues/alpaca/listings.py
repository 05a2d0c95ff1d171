"""What the venue lists: assets in Alpaca's words and in the engine's.

Steps and flags are of the kind that the real assets have; prices and names are made up.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Final

import attrs

from bot_v2.features.brokerages.core.products import MarketType, PriceBand, Product

D = Decimal


class AssetClass(StrEnum):
    """What kind of asset it is."""

    US_EQUITY = "us_equity"
    CRYPTO = "crypto"
    US_OPTION = "us_option"


@attrs.frozen(kw_only=True)
class Listing:
    """An asset."""

    symbol: str
    """Alpaca's symbol."""
    asset_class: AssetClass
    """What kind it is."""
    name: str
    """What people call it."""
    exchange: str
    """Where it trades; empty: an option."""
    product: Product
    """The product, for the engine."""
    price: Decimal
    """Where it starts, in quote currency."""
    is_active: bool = True
    """False: listed no longer."""
    is_tradable: bool = True
    """Whether orders are taken."""
    is_marginable: bool = True
    """Whether it can be bought with borrowed money."""
    is_shortable: bool = True
    """Whether it can be sold short."""
    is_fractionable: bool = True
    """Whether parts of a unit can be ordered."""
    underlying: str = ""
    """The share that an option is on; empty: no option."""

    @property
    def position_symbol(self) -> str:
        """The symbol as positions have it: without the slash of a pair."""
        return self.symbol.replace("/", "")

    @property
    def base(self) -> str:
        """The coin of a pair; of anything else its symbol."""
        return self.product.base_currency or self.symbol

    @property
    def is_crypto(self) -> bool:
        """Whether it is a pair."""
        return self.asset_class is AssetClass.CRYPTO

    @property
    def is_option(self) -> bool:
        """Whether it is an option."""
        return self.asset_class is AssetClass.US_OPTION


# https://docs.alpaca.markets/docs/orders-at-alpaca#sub-penny-increments-for-limit-orders
SHARE_PRICES: Final = (
    PriceBand(lower_price=D(0), price_increment=D("0.0001")),
    PriceBand(lower_price=D(1), price_increment=D("0.01")),
)
SMALLEST_SHARE: Final = D("0.000000001")


def _share(
    symbol: str,
    name: str,
    exchange: str,
    price: str,
    *,
    is_active: bool = True,
    is_tradable: bool = True,
    is_shortable: bool = True,
    is_fractionable: bool = True,
) -> Listing:
    return Listing(
        symbol=symbol,
        asset_class=AssetClass.US_EQUITY,
        name=name,
        exchange=exchange,
        price=D(price),
        is_active=is_active,
        is_tradable=is_tradable,
        is_shortable=is_shortable,
        is_fractionable=is_fractionable,
        product=Product(
            symbol=symbol,
            market_type=MarketType.EQUITY,
            quote_currency="USD",
            price_bands=SHARE_PRICES,
            size_increment=SMALLEST_SHARE if is_fractionable else D(1),
            tradeable=is_tradable,
        ),
    )


def _pair(base: str, quote: str, price: str, tick: str, step: str) -> Listing:
    symbol = f"{base}/{quote}"
    return Listing(
        symbol=symbol,
        asset_class=AssetClass.CRYPTO,
        name=f"{base} / {quote}",
        exchange="CRYPTO",
        price=D(price),
        is_marginable=False,
        is_shortable=False,
        product=Product(
            symbol=f"{base}-{quote}",
            market_type=MarketType.SPOT,
            base_currency=base,
            quote_currency=quote,
            price_increment=D(tick),
            size_increment=D(step),
            min_order_size=D(step),
        ),
    )


SHARES: Final = (
    # symbol, name, exchange, first price
    _share("AAPL", "Apple Inc. Common Stock", "NASDAQ", "200.00"),
    _share("MSFT", "Microsoft Corporation Common Stock", "NASDAQ", "400.00"),
    _share("SPY", "SPDR S&P 500 ETF Trust", "ARCA", "600.00"),
    _share("F", "Ford Motor Company Common Stock", "NYSE", "11.00"),
    _share("BRK.B", "Berkshire Hathaway Inc. Class B", "NYSE", "480.00", is_shortable=False),
    _share("PENY", "A penny stock", "NASDAQ", "0.4500", is_fractionable=False),
    _share("HALT", "A stock of which no orders are taken", "NYSE", "5.00", is_tradable=False),
    _share("GONE", "A stock that was delisted", "OTC", "1.00", is_active=False, is_tradable=False),
)
"""Shares and funds."""

PAIRS: Final = (
    # base, quote, first price, price step, size step and smallest size
    _pair("BTC", "USD", "60000.00", "0.01", "0.000000001"),
    _pair("ETH", "USD", "3000.00", "0.01", "0.000000001"),
    _pair("SOL", "USD", "150.00", "0.001", "0.000000001"),
    _pair("DOGE", "USD", "0.150000", "0.000001", "0.000000001"),
    _pair("USDT", "USD", "1.0000", "0.0001", "0.000000001"),
    _pair("BTC", "USDT", "60000.00", "0.01", "0.000000001"),
    _pair("ETH", "BTC", "0.050000", "0.000001", "0.000000001"),
)
"""Coins."""

OPTIONABLE: Final = ("AAPL", "SPY")
"""The shares that options are listed on."""
