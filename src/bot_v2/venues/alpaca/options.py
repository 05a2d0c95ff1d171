"""The option contracts that the venue lists: made for the day on which it opens.

Premiums and greeks are those of Black and Scholes with one volatility for all, so that they fit
each other; nothing of a real market is in them.
"""

from __future__ import annotations

import math
from calendar import month_abbr
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Final

import attrs

from bot_v2.features.brokerages.core.decimals import EXACT, Rounding, divide, round_to_places
from bot_v2.features.brokerages.core.products import MarketType, OptionRight, PriceBand, Product
from bot_v2.features.brokerages.core.symbols import OptionSymbol, format_symbol
from bot_v2.venues.alpaca.hours import is_trading_day
from bot_v2.venues.alpaca.listings import AssetClass, Listing

D = Decimal

VOLATILITY: Final = 0.3
RATE: Final = 0.04
DAYS_PER_YEAR: Final = 365

SIZE: Final = 100
"""Shares in a contract."""

OPTION_PRICES: Final = (
    PriceBand(lower_price=D(0), price_increment=D("0.01")),
    PriceBand(lower_price=D(3), price_increment=D("0.05")),
)
STRIKES: Final = (D("0.9"), D("0.95"), D(1), D("1.05"), D("1.1"))
"""The strikes, in terms of the share's first price."""

MONTHS_AHEAD: Final = (1, 2, 12)
FRIDAY: Final = 4


@attrs.frozen
class Greeks:
    """How a premium moves. Numbers of a model, and no money."""

    delta: float
    """With the share."""
    gamma: float
    """Delta, with the share."""
    theta: float
    """In a day."""
    vega: float
    """With a point of volatility."""
    rho: float
    """With a point of interest."""


def list_options(shares: Iterable[Listing], opened_on: date) -> list[Listing]:
    """Return the contracts on some shares; the first expiration is over already."""
    expiries = [_expired_before(opened_on), *_expiries(opened_on)]
    return [
        _option(share, expiry, strike, right, opened_on)
        for share in shares
        for expiry in expiries
        for strike in strikes_of(share)
        for right in OptionRight
    ]


def strikes_of(share: Listing) -> list[Decimal]:
    """Return the strikes of the contracts on a share, lowest first."""
    return [
        round_to_places(EXACT.multiply(share.price, part), 0, Rounding.DOWN) for part in STRIKES
    ]


def occ_symbol(root: str, expiry: date, right: OptionRight, strike: Decimal) -> str:
    """Return the symbol of a contract as the OCC writes it, without the spaces."""
    thousandths = int(EXACT.multiply(strike, D(1000)))
    return f"{root}{expiry:%y%m%d}{right.name[0]}{thousandths:08}"


def premium(share: Decimal, strike: Decimal, right: OptionRight, days: int) -> Decimal:
    """Return the premium of a contract, in whole cents and at least one."""
    worth = _black_scholes(float(share), float(strike), right, days)
    return max(round_to_places(D(repr(round(worth, 2))), 2, Rounding.HALF_EVEN), D("0.01"))


def greeks(share: Decimal, strike: Decimal, right: OptionRight, days: int) -> Greeks:
    """Return how a premium moves."""
    years, spot, exercise = max(days, 1) / DAYS_PER_YEAR, float(share), float(strike)
    first, second = _distances(spot, exercise, years)
    discount = math.exp(-RATE * years)
    sign = 1 if right is OptionRight.CALL else -1
    density = math.exp(-first * first / 2) / math.sqrt(2 * math.pi)
    decay = -spot * density * VOLATILITY / (2 * math.sqrt(years))
    carry = sign * RATE * exercise * discount * _normal(sign * second)
    return Greeks(
        delta=sign * _normal(sign * first),
        gamma=density / (spot * VOLATILITY * math.sqrt(years)),
        theta=(decay - carry) / DAYS_PER_YEAR,
        vega=spot * density * math.sqrt(years) / 100,
        rho=sign * exercise * years * discount * _normal(sign * second) / 100,
    )


def open_interest(listing: Listing) -> str:
    """Return how many contracts are open, by the strike's distance from the share's price."""
    strike = listing.product.strike or D(1)
    return str(int(divide(strike, D(10), 0, Rounding.DOWN)) * 7 + 12)


def _option(
    share: Listing, expiry: date, strike: Decimal, right: OptionRight, opened_on: date
) -> Listing:
    is_over = expiry < opened_on
    days = (expiry - opened_on).days
    named = f"{month_abbr[expiry.month]} {expiry:%d %Y} {strike} {right.value.title()}"
    symbol = OptionSymbol(root=share.symbol, expiry=expiry, strike=strike, right=right)
    return Listing(
        symbol=occ_symbol(share.symbol, expiry, right, strike),
        asset_class=AssetClass.US_OPTION,
        name=f"{share.symbol} {named}",
        exchange="",
        price=premium(share.price, strike, right, days),
        is_active=not is_over,
        is_tradable=not is_over,
        is_marginable=False,
        is_fractionable=False,
        underlying=share.symbol,
        product=Product(
            symbol=format_symbol(symbol),
            market_type=MarketType.OPTION,
            quote_currency="USD",
            price_bands=OPTION_PRICES,
            size_increment=D(1),
            min_order_size=D(1),
            multiplier=D(SIZE),
            expiry=expiry,
            strike=strike,
            right=right,
            underlying=share.symbol,
            tradeable=not is_over,
        ),
    )


def _expiries(opened_on: date) -> Iterator[date]:
    for ahead in MONTHS_AHEAD:
        months = opened_on.month - 1 + ahead
        yield _third_friday(opened_on.year + months // 12, months % 12 + 1)


def _expired_before(opened_on: date) -> date:
    months = opened_on.month - 3
    return _third_friday(opened_on.year + months // 12, months % 12 + 1)


def _third_friday(year: int, month: int) -> date:
    first = date(year, month, 1)
    day = first + timedelta(days=(FRIDAY - first.weekday()) % 7 + 14)
    return day if is_trading_day(day) else day - timedelta(days=1)


def _black_scholes(spot: float, strike: float, right: OptionRight, days: int) -> float:
    sign = 1 if right is OptionRight.CALL else -1
    if days <= 0:
        return max(sign * (spot - strike), 0)
    years = days / DAYS_PER_YEAR
    first, second = _distances(spot, strike, years)
    discounted = strike * math.exp(-RATE * years)
    return sign * (spot * _normal(sign * first) - discounted * _normal(sign * second))


def _distances(spot: float, strike: float, years: float) -> tuple[float, float]:
    spread = VOLATILITY * math.sqrt(years)
    first = (math.log(spot / strike) + (RATE + VOLATILITY**2 / 2) * years) / spread
    return first, first - spread


def _normal(value: float) -> float:
    return (1 + math.erf(value / math.sqrt(2))) / 2
