"""Finds what is listed, by any of its names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bot_v2.venues.alpaca.listings import Listing
from bot_v2.venues.ids import seeded_uuid


class Catalogue:
    """What is listed.

    Args:
        listings: all of it.
        seed: what the ids of assets are drawn from.
    """

    def __init__(self, listings: Iterable[Listing], seed: int) -> None:
        """List it."""
        self.listings: Sequence[Listing] = tuple(listings)
        """All of it."""
        self._ids = {one.symbol: seeded_uuid(seed, "asset", one.symbol) for one in self.listings}
        self._by_symbol = {one.product.symbol: one for one in self.listings}
        self._by_name: dict[str, Listing] = {}
        for one in self.listings:
            for name in (one.symbol, one.position_symbol, self._ids[one.symbol]):
                self._by_name[name] = one

    def find(self, name: str) -> Listing | None:
        """Return what has a symbol of Alpaca's, with or without a slash, or an asset's id."""
        return self._by_name.get(name)

    def of(self, symbol: str) -> Listing:
        """Return what has a canonical symbol."""
        return self._by_symbol[symbol]

    def asset_id(self, listing: Listing) -> str:
        """Return the id of an asset."""
        return self._ids[listing.symbol]

    def canonical_symbols(self) -> dict[str, str]:
        """Return the canonical symbol of each name."""
        return {name: one.product.symbol for name, one in self._by_name.items()}
