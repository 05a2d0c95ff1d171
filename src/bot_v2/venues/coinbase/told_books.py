"""Books as they were told last, and what has changed of them since."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import TypeAlias

from bot_v2.features.brokerages.core.errors import MarketDataUnavailableError
from bot_v2.features.brokerages.core.orderbook import PriceLevel
from bot_v2.venues.state import VenueState

Levels: TypeAlias = dict[tuple[bool, Decimal], Decimal]
"""The size at each price, by whether it is of the bids; in changes, zero: the price is gone."""


class ToldBooks:
    """The books of some products. Its methods want the venue's lock held.

    Args:
        state: the venue.
        symbols: the products.
    """

    def __init__(self, state: VenueState, symbols: Iterable[str]) -> None:
        """Take the books as they are for told."""
        self._state = state
        self._told = {symbol: self._levels(symbol) for symbol in symbols}

    def told(self, symbol: str) -> Levels:
        """Return a whole book, as it was told last."""
        return self._told[symbol]

    def changes(self, symbol: str) -> Levels:
        """Return what has changed of a book, which is told from now on."""
        before, now = self._told[symbol], self._levels(symbol)
        self._told[symbol] = now
        gone = dict.fromkeys(before.keys() - now.keys(), Decimal(0))
        return {**gone, **{key: size for key, size in now.items() if before.get(key) != size}}

    def _levels(self, symbol: str) -> Levels:
        try:
            book = self._state.book(symbol)
        except MarketDataUnavailableError:
            return {}
        return {**_side(book.bids, is_bid=True), **_side(book.asks, is_bid=False)}


def _side(levels: Sequence[PriceLevel], *, is_bid: bool) -> Levels:
    return {(is_bid, level.price): level.size for level in levels}
