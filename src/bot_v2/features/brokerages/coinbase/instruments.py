"""The broker's products: read once in a while, swapped as a whole."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import attrs

from bot_v2.features.brokerages.core.errors import InvalidSymbolError
from bot_v2.features.brokerages.core.products import Product
from bot_v2.features.brokerages.core.symbols import resolve_symbol
from bot_v2.features.brokerages.http.calls import Call

PERPETUAL_ENDINGS: Final = ("-PERP", "-PERP-INTX")
"""How a perpetual is called, by us and by the broker."""


@attrs.frozen
class Catalog:
    """The products as of one reading."""

    products: Mapping[str, Product]
    """By canonical symbol, in the broker's order."""
    symbols: Mapping[str, str]
    """The canonical symbol of each of the broker's ids."""
    ids: Mapping[str, str]
    """The broker's id of each canonical symbol."""
    names: Mapping[str, tuple[str, str]]
    """The canonical symbol, and the currency of the prices, of each of the broker's ids."""
    read_at: float
    """When it was read, in seconds of a clock that never goes back."""


def catalog_of(found: Sequence[tuple[str, Product]], read_at: float) -> Catalog:
    """Return a catalog of the broker's ids and products; of two with one name the first has it."""
    products: dict[str, Product] = {}
    symbols: dict[str, str] = {}
    ids: dict[str, str] = {}
    names: dict[str, tuple[str, str]] = {}
    for product_id, product in found:
        named = product
        if product.symbol in products:
            named = attrs.evolve(product, symbol=f"@{product_id}")
        products[named.symbol] = named
        symbols[product_id] = named.symbol
        ids[named.symbol] = product_id
        names[product_id] = (named.symbol, named.quote_currency)
    return Catalog(products, symbols, ids, names, read_at)


class Instruments:
    """The catalog, read again when it is older than its lifetime. Safe between threads.

    Args:
        read: reads all products from the broker, with their ids.
        lifetime_s: how long a reading is trusted, in seconds.
        has_perpetuals: whether perpetuals are among them.
        monotonic: the seconds of a clock that never goes back.
    """

    def __init__(
        self,
        read: Callable[[Call], Sequence[tuple[str, Product]]],
        lifetime_s: float,
        *,
        has_perpetuals: bool,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start empty: the first use reads."""
        self._read = read
        self._lifetime_s = lifetime_s
        self._has_perpetuals = has_perpetuals
        self._monotonic = monotonic
        self._catalog: Catalog | None = None

    def refresh(self, call: Call) -> Catalog:
        """Read the catalog, on behalf of a call."""
        catalog = catalog_of(self._read(call), self._monotonic())
        self._catalog = catalog
        return catalog

    def current(self, call: Call) -> Catalog:
        """Return the catalog, read anew if it is too old."""
        catalog = self._catalog
        if catalog is None or self._monotonic() - catalog.read_at > self._lifetime_s:
            return self.refresh(call)
        return catalog

    def find(self, call: Call, symbol: str) -> tuple[Product, str]:
        """Return the product that a symbol means, and the broker's id of it.

        Raises:
            InvalidSymbolError: none or several; of a perpetual it says how to enable them.
        """
        catalog = self.current(call)
        try:
            canonical = resolve_symbol(symbol, catalog.products, catalog.symbols)
        except InvalidSymbolError as error:
            if self._has_perpetuals or not symbol.endswith(PERPETUAL_ENDINGS):
                raise
            raise InvalidSymbolError(
                f"{symbol!r} is a perpetual, and perpetuals are not enabled: they are traded with "
                "leverage and can lose more than was paid; set COINBASE_ENABLE_DERIVATIVES=true "
                "to enable them (Advanced Trade, with a perpetuals portfolio)",
                symbol=symbol,
            ) from error
        return catalog.products[canonical], catalog.ids[canonical]

    def symbol_of(self, product_id: str) -> str:
        """Return the canonical symbol of an id; `@id` for one that is not listed any more."""
        catalog = self._catalog
        symbol = catalog.symbols.get(product_id) if catalog else None
        return symbol or f"@{product_id}"

    def quote_of(self, product_id: str) -> str | None:
        """Return the currency that prices are in. None: the product is not listed any more."""
        return self.named(product_id)[1]

    def named(self, product_id: str) -> tuple[str, str | None]:
        """Return what `symbol_of` and `quote_of` say, both at once."""
        catalog = self._catalog
        found = catalog.names.get(product_id) if catalog else None
        return found or (f"@{product_id}", None)
