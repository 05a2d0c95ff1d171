"""The market of a venue: books of several levels, still or moved by a synthetic walk."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Final

from bot_v2.features.brokerages.core.decimals import EXACT, Rounding
from bot_v2.features.brokerages.core.increments import price_increment_at, quantize_quantity
from bot_v2.features.brokerages.core.market_data import Quote, Trade
from bot_v2.features.brokerages.core.orderbook import Orderbook, PriceLevel
from bot_v2.features.brokerages.core.products import Product
from bot_v2.simulation.feeds.pump import FeedPump
from bot_v2.simulation.feeds.synthetic import SyntheticWalk
from bot_v2.venues.state import VenueState
from bot_v2.venues.tape import draw

LEVELS: Final = 25
"""How many prices a book has on each side."""

STEP_S: Final = 0.5
"""How often the market is asked whether it moved, in seconds."""

_CENT: Final = Decimal("0.01")
_NEAREST: Final = Decimal("0.0001")
_BETWEEN: Final = Decimal("0.0002")


def ladder(
    product: Product,
    bid: Decimal,
    ask: Decimal,
    size: Decimal,
    moment: datetime,
    seed: int,
    levels: int = LEVELS,
) -> Orderbook:
    """Return a book around a best bid and ask; deeper levels are larger."""
    step = price_increment_at(product, bid) or _CENT
    gap = _on_step(EXACT.multiply(bid, _BETWEEN), step)
    return Orderbook(
        symbol=product.symbol,
        bids=_side(product, bid, gap.copy_negate(), size, seed, "bid", levels),
        asks=_side(product, ask, gap, size, seed, "ask", levels),
        timestamp=moment,
    )


def opening_book(
    product: Product,
    price: Decimal,
    value: Decimal,
    moment: datetime,
    seed: int,
    levels: int = LEVELS,
) -> Orderbook:
    """Return the book that a product opens with, around a price.

    Args:
        product: the product.
        price: the price, in quote currency per unit.
        value: what the best levels are worth, in quote currency.
        moment: the book's time.
        seed: what the sizes are drawn from.
        levels: how many prices each side has.
    """
    step = price_increment_at(product, price) or _CENT
    half = _on_step(EXACT.multiply(price, _NEAREST), step)
    bid = EXACT.subtract(_on_step(price, step), half)
    unit = EXACT.multiply(price, product.multiplier)
    size = _tradeable(product, (value / unit).quantize(Decimal("0.00000001")))
    return ladder(product, bid, EXACT.add(EXACT.add(bid, half), half), size, moment, seed, levels)


def _side(
    product: Product,
    best: Decimal,
    gap: Decimal,
    size: Decimal,
    seed: int,
    side: str,
    count: int,
) -> tuple[PriceLevel, ...]:
    levels = []
    for place in range(count):
        price = EXACT.add(best, EXACT.multiply(gap, Decimal(place)))
        if price <= 0:
            break
        part = Decimal(80 + draw(seed, side, product.symbol, place, best) % 41 + 10 * place)
        wanted = EXACT.multiply(EXACT.multiply(size, part), _CENT)
        levels.append(PriceLevel(price, _tradeable(product, wanted)))
    return tuple(levels)


def _on_step(value: Decimal, step: Decimal) -> Decimal:
    whole = EXACT.multiply(EXACT.divide_int(value, step), step)
    return max(whole, step)


def _tradeable(product: Product, size: Decimal) -> Decimal:
    smallest = max(product.size_increment or Decimal(0), product.min_order_size or Decimal(0))
    return max(quantize_quantity(product, size, Rounding.DOWN), smallest or Decimal(1))


class MovingMarket:
    """Moves a venue's market by a synthetic walk, in a thread of its own.

    Args:
        state: the venue.
        products: what moves.
        prices: where each starts, by symbol.
        seed: which walk it is.
    """

    def __init__(
        self,
        state: VenueState,
        products: Iterable[Product],
        prices: Mapping[str, Decimal],
        seed: int,
    ) -> None:
        """Describe the walk; nothing moves yet."""
        walk = SyntheticWalk(
            products, seed=seed, start=state.clock(), prices=prices, clock=state.clock
        )
        self._state = state
        self._seed = seed
        self._pump = FeedPump(walk, state.clock)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="venue-market", daemon=True)
        self.description = walk.description
        """What moves the market."""

    def start(self) -> None:
        """Move the market from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Let the market rest."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(STEP_S):
            self.move()

    def move(self) -> None:
        """Let the market do what it did until now."""
        events = [self._said(event) for event in self._pump.due()]
        self._state.show([event for event in events if event is not None])

    def _said(self, event: object) -> Orderbook | Trade | None:
        if isinstance(event, Trade):
            return event
        if not isinstance(event, Quote) or event.bid is None or event.ask is None:
            return None
        product = self._state.product(event.symbol)
        size = event.bid_size or product.min_order_size or Decimal(1)
        return ladder(product, event.bid, event.ask, size, event.timestamp, self._seed)
