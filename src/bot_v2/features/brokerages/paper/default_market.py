"""The market that there is when no feed is given: synthetic, and it says so."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Final

from bot_v2.features.brokerages.core.decimals import EXACT
from bot_v2.features.brokerages.core.errors import InvalidFieldError
from bot_v2.features.brokerages.core.products import MarketType, Product
from bot_v2.shared.types import Clock
from bot_v2.simulation.feeds.synthetic import SyntheticWalk, WalkState
from bot_v2.simulation.records import MarkRecord

CENT: Final = Decimal("0.01")
SATOSHI: Final = Decimal("0.00000001")
PIP_TENTH: Final = Decimal("0.00001")
MILLIONTH: Final = Decimal("0.000001")
_HALF: Final = Decimal("0.5")


def _pair(base: str, quote: str, kind: MarketType, price_step: Decimal, size: Decimal) -> Product:
    return Product(
        symbol=f"{base}-{quote}",
        market_type=kind,
        base_currency=base,
        quote_currency=quote,
        price_increment=price_step,
        size_increment=size,
        min_order_size=size,
    )


def _share(ticker: str, name: str) -> Product:
    return Product(
        symbol=ticker,
        market_type=MarketType.EQUITY,
        quote_currency="USD",
        price_increment=CENT,
        size_increment=MILLIONTH,
        min_order_size=MILLIONTH,
        name=name,
    )


PRODUCTS: Final[tuple[tuple[Product, Decimal], ...]] = (
    # product, the price that a new market starts at
    (_pair("BTC", "USD", MarketType.SPOT, CENT, SATOSHI), Decimal("60000.00")),
    (_pair("ETH", "USD", MarketType.SPOT, CENT, SATOSHI), Decimal("3000.00")),
    (_share("AAPL", "Apple Inc."), Decimal("200.00")),
    (_share("SPY", "SPDR S&P 500 ETF Trust"), Decimal("500.00")),
    (_pair("EUR", "USD", MarketType.FOREX, PIP_TENTH, Decimal(1)), Decimal("1.10000")),
)
"""What the synthetic market trades."""


def synthetic_market(
    *,
    seed: int,
    symbols: tuple[str, ...],
    start: datetime,
    clock: Clock | None,
    marks: Iterable[MarkRecord],
    steps: int,
) -> SyntheticWalk:
    """Return the synthetic market, from its beginning or from where an account last saw it.

    Args:
        seed: which market it is.
        symbols: the products that it trades. Empty: all of PRODUCTS.
        start: when it begins or goes on.
        clock: tells how far it has to catch up. None: it is replayed, and never has to.
        marks: the prices that the account last saw.
        steps: how much has happened to the account: a market that goes on does not repeat itself.

    Raises:
        InvalidFieldError: a symbol is none of PRODUCTS.
    """
    known = {product.symbol: product for product, _ in PRODUCTS}
    for symbol in symbols:
        if symbol not in known:
            raise InvalidFieldError("PAPER_SYMBOLS", symbol, f"any of {', '.join(known)}")
    products = tuple(known[symbol] for symbol in symbols) or tuple(known.values())
    prices = {product.symbol: price for product, price in PRODUCTS}
    seen = {mark.symbol: price for mark in marks if (price := _price_of(mark)) is not None}
    prices.update({symbol: price for symbol, price in seen.items() if symbol in prices})
    state = None
    if steps:
        state = WalkState(
            seed=seed,
            steps=steps,
            moment=start,
            prices=tuple((product.symbol, prices[product.symbol]) for product in products),
        )
    return SyntheticWalk(products, seed=seed, start=start, prices=prices, clock=clock, state=state)


def _price_of(mark: MarkRecord) -> Decimal | None:
    if mark.bid is not None and mark.ask is not None:
        return EXACT.multiply(EXACT.add(mark.bid, mark.ask), _HALF)
    return mark.last
