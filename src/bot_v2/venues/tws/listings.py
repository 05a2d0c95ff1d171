"""What the venue lists: contracts in the broker's words, and products in the engine's.

The names and the magnitudes are those of real contracts; prices and contract ids are made up.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Final

import attrs

from bot_v2.features.brokerages.core.decimals import decimal_to_text
from bot_v2.features.brokerages.core.products import MarketType, OptionRight, PriceBand, Product

D = Decimal

SMART: Final = "SMART"
US_ZONE: Final = "US/Eastern"

_US_VENUES: Final = "SMART,AMEX,NYSE,CBOE,ARCA,ISLAND,DRCTEDGE,BEX,BATS,EDGEA,BYX,IEX"
_OPTION_VENUES: Final = "SMART,AMEX,CBOE,PHLX,PSE,ISE,BOX,BATS,NASDAQOM"


@attrs.frozen(kw_only=True)
class Listing:
    """A contract that can be traded."""

    con_id: int
    """Its contract id."""
    sec_type: str
    """STK, FUT, OPT or CASH."""
    symbol: str
    """Its symbol: of an option, the underlying's; of a pair, the base currency."""
    product: Product
    """The product, for the engine."""
    price: Decimal
    """Where it starts, in its currency."""
    exchanges: str
    """Where it can be sent to, the first one by default."""
    primary: str
    """Where it is listed."""
    local_symbol: str
    """What its exchange calls it."""
    trading_class: str
    """Its class."""
    name: str
    """What it is, in words."""
    rule_id: int
    """The rule of its price steps."""
    isin: str = ""
    """Its ISIN. Empty: none is told."""
    stock_type: str = ""
    """COMMON or ETF. Empty: it is no stock."""
    under_con_id: int = 0
    """The contract id of its underlying; 0: none."""

    @property
    def expiry(self) -> str:
        """When it ends, as YYYYMMDD. Empty: never."""
        return "" if self.product.expiry is None else self.product.expiry.strftime("%Y%m%d")

    @property
    def strike(self) -> Decimal:
        """Its strike; 0: none."""
        return self.product.strike or D(0)

    @property
    def right(self) -> str:
        """C, P, or nothing."""
        if self.product.right is None:
            return ""
        return "C" if self.product.right is OptionRight.CALL else "P"

    @property
    def multiplier(self) -> str:
        """How many units it is of. Empty: one, or not said."""
        return "" if self.product.multiplier == 1 else decimal_to_text(self.product.multiplier)

    @property
    def currency(self) -> str:
        """What its price is in."""
        return self.product.quote_currency

    @property
    def exchange(self) -> str:
        """Where it is sent to by default."""
        return self.exchanges.partition(",")[0]

    @property
    def min_tick(self) -> Decimal:
        """Its smallest price step."""
        bands = [band.price_increment for band in self.product.price_bands]
        return min(bands) if bands else self.product.price_increment or D("0.01")

    def held(self) -> dict[str, object]:
        """Return it as executions and positions name it."""
        return {
            "conId": self.con_id,
            "symbol": self.symbol,
            "secType": self.sec_type,
            "lastTradeDateOrContractMonth": self.expiry,
            "strike": self.strike,
            "right": self.right,
            "multiplier": self.multiplier,
            "currency": self.currency,
            "localSymbol": self.local_symbol,
            "tradingClass": self.trading_class,
        }


def stock(
    con_id: int,
    symbol: str,
    price: str,
    name: str,
    *,
    primary: str = "NASDAQ",
    currency: str = "USD",
    listed: str = "",
    isin: str = "",
    step: str = "0.01",
    size: str = "0.0001",
) -> Listing:
    """Return a stock.

    Args:
        con_id: its contract id.
        symbol: its ticker.
        price: where it starts.
        name: what it is.
        primary: where it is listed.
        currency: what it is paid in.
        listed: the exchange in its canonical symbol. Empty: it is listed in the US.
        isin: its ISIN.
        step: its price step.
        size: its size step, and smallest order.
    """
    canonical = symbol.replace(" ", ".")
    us = not listed
    return Listing(
        con_id=con_id,
        sec_type="STK",
        symbol=symbol,
        price=D(price),
        exchanges=_US_VENUES if us else f"SMART,{primary}",
        primary=primary,
        local_symbol=symbol,
        trading_class="NMS" if primary == "NASDAQ" else symbol,
        name=name,
        rule_id=26,
        isin=isin,
        stock_type="ETF" if name.endswith("ETF") else "COMMON",
        product=Product(
            symbol=canonical if us else f"{listed}:{canonical}",
            quote_currency=currency,
            market_type=MarketType.EQUITY,
            price_increment=D(step),
            size_increment=D(size),
            min_order_size=D(size),
        ),
    )


def future(
    con_id: int, root: str, expiry: date, price: str, step: str, multiplier: str, exchange: str
) -> Listing:
    """Return a future in US dollars; its last trading day is its expiration date."""
    month = "FGHJKMNQUVXZ"[expiry.month - 1]
    return Listing(
        con_id=con_id,
        sec_type="FUT",
        symbol=root,
        price=D(price),
        exchanges=exchange,
        primary="",
        local_symbol=f"{root}{month}{expiry.year % 10}",
        trading_class=root,
        name={"ES": "E-mini S&P 500", "CL": "Light Sweet Crude Oil"}.get(root, root),
        rule_id=67 if root == "ES" else 68,
        product=Product(
            symbol=f"{root}-{expiry:%Y%m%d}",
            quote_currency="USD",
            market_type=MarketType.FUTURES,
            price_increment=D(step),
            size_increment=D(1),
            min_order_size=D(1),
            multiplier=D(multiplier),
            expiry=expiry,
            underlying=root,
        ),
    )


def option(
    con_id: int, under: Listing, expiry: date, strike: str, right: OptionRight, price: str
) -> Listing:
    """Return an option on a US stock; a step is a nickel below three dollars, else a dime."""
    letter = "C" if right is OptionRight.CALL else "P"
    thousandths = int(D(strike) * 1000)
    return Listing(
        con_id=con_id,
        sec_type="OPT",
        symbol=under.symbol,
        price=D(price),
        exchanges=_OPTION_VENUES,
        primary="",
        local_symbol=f"{under.symbol:<6}{expiry:%y%m%d}{letter}{thousandths:08d}",
        trading_class=under.symbol,
        name=under.name,
        rule_id=32,
        under_con_id=under.con_id,
        product=Product(
            symbol=f"{under.symbol}-{expiry:%Y%m%d}-{strike}-{letter}",
            quote_currency="USD",
            market_type=MarketType.OPTION,
            price_bands=(
                PriceBand(lower_price=D(0), price_increment=D("0.05")),
                PriceBand(lower_price=D(3), price_increment=D("0.1")),
            ),
            size_increment=D(1),
            min_order_size=D(1),
            multiplier=D(100),
            expiry=expiry,
            strike=D(strike),
            right=right,
            underlying=under.symbol,
        ),
    )


def forex(con_id: int, base: str, quote: str, price: str, step: str, smallest: str) -> Listing:
    """Return a pair of currencies."""
    return Listing(
        con_id=con_id,
        sec_type="CASH",
        symbol=base,
        price=D(price),
        exchanges="IDEALPRO",
        primary="",
        local_symbol=f"{base}.{quote}",
        trading_class=f"{base}.{quote}",
        name=f"{base} against {quote}",
        rule_id=239 if quote != "JPY" else 3063,
        product=Product(
            symbol=f"{base}-{quote}",
            base_currency=base,
            quote_currency=quote,
            market_type=MarketType.FOREX,
            price_increment=D(step),
            size_increment=D(1),
            min_order_size=D(smallest),
        ),
    )


AAPL: Final = stock(265598, "AAPL", "170.5", "APPLE INC", isin="US0378331005")
_MSFT = stock(272093, "MSFT", "410.2", "MICROSOFT CORP", isin="US5949181045")
_SPY = stock(756733, "SPY", "520.1", "SPDR S&P 500 ETF", primary="ARCA", isin="US78462F1030")
_IBM = stock(8314, "IBM", "190.4", "INTL BUSINESS MACHINES CORP", primary="NYSE")
_BRK = stock(72063691, "BRK B", "405.7", "BERKSHIRE HATHAWAY INC-CL B", primary="NYSE")
_BHP_US = stock(4211, "BHP", "58.2", "BHP GROUP LTD-SPON ADR", primary="NYSE")
_BHP_AU = stock(
    4036812,
    "BHP",
    "44.3",
    "BHP GROUP LTD",
    primary="ASX",
    currency="AUD",
    listed="ASX",
    size="1",
)

_EXPIRIES: Final = (date(2028, 1, 21), date(2028, 6, 16))
_STRIKES: Final = ("160", "165", "170", "172.5", "175", "180")


def _options() -> Iterable[Listing]:
    number = 700_000_100
    for expiry in _EXPIRIES:
        for strike in _STRIKES:
            for right in (OptionRight.CALL, OptionRight.PUT):
                number += 1
                inside = D("170.5") - D(strike)
                worth = max(inside if right is OptionRight.CALL else -inside, D(0)) + D("4.2")
                price = worth.quantize(D("0.1"))
                yield option(number, AAPL, expiry, strike, right, str(price))


STOCKS: Final = (AAPL, _MSFT, _SPY, _IBM, _BRK, _BHP_US, _BHP_AU)
FUTURES: Final = (
    future(495512563, "ES", date(2028, 3, 17), "5200.25", "0.25", "50", "CME"),
    future(495512564, "ES", date(2028, 6, 16), "5230.5", "0.25", "50", "CME"),
    future(212921504, "CL", date(2028, 5, 22), "71.35", "0.01", "1000", "NYMEX"),
)
OPTIONS: Final = tuple(_options())
PAIRS: Final = (
    forex(12087792, "EUR", "USD", "1.08445", "0.00005", "1"),
    forex(12087797, "GBP", "USD", "1.2631", "0.00005", "1"),
    forex(15016059, "USD", "JPY", "151.305", "0.005", "1"),
    forex(14433401, "AUD", "USD", "0.65435", "0.00005", "1"),
)

ALL_LISTINGS: Final = (*STOCKS, *FUTURES, *OPTIONS, *PAIRS)
"""Everything that the venue lists where nobody says otherwise."""


def price_steps(listing: Listing) -> list[dict[str, object]]:
    """Return the price steps of a listing, as its rule has them."""
    bands = listing.product.price_bands
    if not bands:
        return [{"lowEdge": D(0), "increment": listing.min_tick}]
    return [{"lowEdge": one.lower_price, "increment": one.price_increment} for one in bands]
