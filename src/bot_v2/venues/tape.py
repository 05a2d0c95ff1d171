"""The trades that a venue's market made: a seeded past, then what happens."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from bot_v2.features.brokerages.core.decimals import EXACT, Rounding
from bot_v2.features.brokerages.core.increments import quantize_price, quantize_quantity
from bot_v2.features.brokerages.core.market_data import Trade
from bot_v2.features.brokerages.core.order_terms import OrderSide
from bot_v2.features.brokerages.core.products import Product

PAST_TRADES: Final = 40
"""How many trades each product has when the venue opens."""

KEPT_MAX: Final = 5_000
"""How many trades of a product are kept: the newest."""

_GAP: Final = timedelta(seconds=13)
_BPS: Final = Decimal("0.0001")
_ZERO: Final = Decimal(0)


def draw(seed: int, *parts: object) -> int:
    """Return a number below 2**64 that the seed and the parts alone decide."""
    text = "/".join(str(part) for part in (seed, *parts))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


class Tape:
    """The trades of each product, newest last. Numbered from 1 in each product.

    Args:
        products: what is traded.
        prices: where each product starts, by symbol.
        seed: what the past is drawn from.
        opened_at: when the past ends.
    """

    def __init__(
        self,
        products: Iterable[Product],
        prices: dict[str, Decimal],
        seed: int,
        opened_at: datetime,
    ) -> None:
        """Know the products; the past of each is made when it is first asked for."""
        self._products = {product.symbol: product for product in products}
        self._prices = prices
        self._seed = seed
        self._opened_at = opened_at
        self._trades: dict[str, deque[Trade]] = {}
        self._counts: dict[str, int] = {}

    def _of(self, symbol: str) -> deque[Trade]:
        if symbol not in self._trades:
            self._trades[symbol], self._counts[symbol] = deque(maxlen=KEPT_MAX), 0
            self._make_past(self._products[symbol])
        return self._trades[symbol]

    def _make_past(self, product: Product) -> None:
        symbol = product.symbol
        for place in range(PAST_TRADES, 0, -1):
            number = draw(self._seed, "past", symbol, place)
            offset = EXACT.multiply(_BPS, Decimal(number % 11 - 5))
            price = EXACT.multiply(self._prices[symbol], EXACT.add(Decimal(1), offset))
            self.add(
                symbol,
                quantize_price(product, price, Rounding.HALF_EVEN),
                _size(product, number),
                self._opened_at - place * _GAP,
                OrderSide.BUY if number % 2 else OrderSide.SELL,
            )

    def add(
        self, symbol: str, price: Decimal, size: Decimal, moment: datetime, side: OrderSide
    ) -> Trade:
        """Print a trade; `side` is the side that took liquidity."""
        trades = self._of(symbol)
        self._counts[symbol] += 1
        trade = Trade(
            symbol=symbol,
            price=price,
            size=size,
            timestamp=moment,
            trade_id=str(self._counts[symbol]),
            side=side,
        )
        trades.append(trade)
        return trade

    def trades(self, symbol: str) -> list[Trade]:
        """Return the trades of a product, newest first."""
        return list(reversed(self._of(symbol)))

    def last(self, symbol: str) -> Trade:
        """Return the newest trade of a product."""
        return self._of(symbol)[-1]

    def since(self, symbol: str, moment: datetime) -> list[Trade]:
        """Return the trades of a product at or after a moment, newest first."""
        return [trade for trade in self.trades(symbol) if trade.timestamp >= moment]

    def volume(self, symbol: str, since: datetime) -> Decimal:
        """Return what was traded of a product since a moment."""
        total = _ZERO
        for trade in self.since(symbol, since):
            total = EXACT.add(total, trade.size)
        return total


def _size(product: Product, number: int) -> Decimal:
    step = product.size_increment or Decimal("0.00000001")
    whole = EXACT.multiply(step, Decimal(1 + number % 997))
    least = product.min_order_size or step
    return max(quantize_quantity(product, whole, Rounding.DOWN), least)
