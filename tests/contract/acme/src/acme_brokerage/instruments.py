"""The list of instruments: read once in a while, swapped as a whole."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

import attrs

from bot_v2.features.brokerages.core.interfaces import Product, resolve_symbol


@attrs.frozen
class Catalog:
    """The instruments as of one reading."""

    products: Mapping[str, Product]
    """By canonical symbol, in the broker's order."""
    symbols: Mapping[str, str]
    """The canonical symbol of each of Acme's codes."""
    codes: Mapping[str, str]
    """Acme's code of each canonical symbol."""
    read_at: float
    """When it was read, by the monotonic clock."""


def catalog_of(products: Sequence[tuple[str, Product]], read_at: float) -> Catalog:
    """Return a catalog of Acme's codes and their products."""
    return Catalog(
        products={product.symbol: product for _, product in products},
        symbols={code: product.symbol for code, product in products},
        codes={product.symbol: code for code, product in products},
        read_at=read_at,
    )


class Instruments:
    """The catalog, read again when it is older than its lifetime.

    Args:
        read: reads all instruments from the broker, with their codes.
        lifetime_s: how long a reading is trusted, in seconds.
        monotonic: a clock that never goes back, in seconds.
    """

    def __init__(
        self,
        read: Callable[[str], Sequence[tuple[str, Product]]],
        lifetime_s: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start empty: the first use reads."""
        self._read = read
        self._lifetime_s = lifetime_s
        self._monotonic = monotonic
        self._catalog: Catalog | None = None

    def refresh(self, operation: str) -> Catalog:
        """Read the catalog, on behalf of an operation."""
        catalog = catalog_of(self._read(operation), self._monotonic())
        self._catalog = catalog
        return catalog

    def current(self, operation: str) -> Catalog:
        """Return the catalog, read anew if it is too old."""
        catalog = self._catalog
        if catalog is None or self._monotonic() - catalog.read_at > self._lifetime_s:
            return self.refresh(operation)
        return catalog

    def find(self, operation: str, symbol: str) -> tuple[Product, str]:
        """Return the product that a symbol means, and Acme's code of it.

        Raises:
            InvalidSymbolError: none or several.
        """
        catalog = self.current(operation)
        canonical = resolve_symbol(symbol, catalog.products, catalog.symbols)
        return catalog.products[canonical], catalog.codes[canonical]

    def symbol_of(self, code: str) -> str:
        """Return the canonical symbol of a code; `@code` for one that is not listed any more."""
        catalog = self._catalog
        return f"@{code}" if catalog is None else catalog.symbols.get(code, f"@{code}")
