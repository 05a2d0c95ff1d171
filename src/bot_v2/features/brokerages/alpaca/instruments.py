"""The broker's instruments: asked for one by one, or read as a list, and remembered for a while."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

import attrs

from bot_v2.features.brokerages.alpaca.symbols import (
    CRYPTO,
    EQUITY,
    QUOTES,
    class_of,
    natives_of,
)
from bot_v2.features.brokerages.core.errors import InvalidFieldError, InvalidSymbolError
from bot_v2.features.brokerages.core.products import Product
from bot_v2.features.brokerages.http.calls import Call

Lookup: TypeAlias = Callable[[Call, str, str], Product | None]
"""Asks the broker for one instrument: the call, the class, and the native symbol."""

REMEMBERED_MAX: Final = 50_000
"""How many instruments are remembered: more than there are stocks and a few chains of options."""


@attrs.frozen
class Known:
    """An instrument as of one reading."""

    product: Product | None
    """None: the broker said that there is none."""
    read_at: float
    """When it was read, in seconds of a clock that never goes back."""


class Instruments:
    """Finds products by what they are called. Safe between threads.

    Alpaca lists more than ten thousand stocks and a million options: an instrument is asked for
    when it is first named. The few crypto pairs are read as a list.

    Args:
        look_up: asks for one stock or option.
        list_crypto: reads all crypto pairs.
        lifetime_s: how long an answer is trusted, in seconds.
        monotonic: the seconds of a clock that never goes back.
    """

    def __init__(
        self,
        look_up: Lookup,
        list_crypto: Callable[[Call], Sequence[Product]],
        lifetime_s: float,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start empty."""
        self._look_up = look_up
        self._list_crypto = list_crypto
        self._lifetime_s = lifetime_s
        self._monotonic = monotonic
        self._known: dict[tuple[str, str], Known] = {}
        self._crypto_read_at: float | None = None

    def remember(self, products: Sequence[Product]) -> None:
        """Keep what a list has told."""
        read_at = self._monotonic()
        for product in products:
            known = Known(product, read_at)
            kind, native = class_and_native(product)
            self._keep((kind, native), known)
            if kind == CRYPTO:
                # Positions name a pair without the stroke.
                self._keep((kind, native.replace("/", "")), known)

    def find(self, call: Call, symbol: str) -> Product:
        """Return the product that a symbol means.

        Raises:
            InvalidSymbolError: none or several.
        """
        if type(symbol) is not str or not symbol:
            raise InvalidFieldError("symbol", symbol, "a symbol: a str that is not empty")
        found = {
            product.symbol: product
            for kind, native in natives_of(symbol)
            if (product := self._of(call, kind, native)) is not None
        }
        if not found:
            raise InvalidSymbolError(f"no instrument is called {symbol!r}", symbol=symbol)
        if len(found) > 1:
            names = tuple(found)
            raise InvalidSymbolError(
                f"{symbol!r} could mean {' or '.join(names)}",
                symbol=symbol,
                candidates=names,
            )
        return next(iter(found.values()))

    def class_of(self, call: Call, native: str) -> str:
        """Return the class of a symbol that is told without one."""
        told = class_of(native)
        if told == EQUITY and native.endswith(QUOTES):
            # Crypto is also written without the stroke, and then looks like a ticker.
            return CRYPTO if self._of(call, CRYPTO, native) is not None else EQUITY
        return told

    def _of(self, call: Call, kind: str, native: str) -> Product | None:
        known = self._known.get((kind, native))
        if known is not None and not self._is_old(known.read_at):
            return known.product
        if kind == CRYPTO:
            if self._crypto_read_at is None or self._is_old(self._crypto_read_at):
                self.remember(self._list_crypto(call))
                self._crypto_read_at = self._monotonic()
            known = self._known.get((kind, native))
            return None if known is None or self._is_old(known.read_at) else known.product
        product = self._look_up(call, kind, native)
        self._keep((kind, native), Known(product, self._monotonic()))
        return product

    def _is_old(self, read_at: float) -> bool:
        return self._monotonic() - read_at > self._lifetime_s

    def _keep(self, key: tuple[str, str], known: Known) -> None:
        if len(self._known) >= REMEMBERED_MAX:
            self._known = {}
            self._crypto_read_at = None
        self._known[key] = known


def class_and_native(product: Product) -> tuple[str, str]:
    """Return Alpaca's class and symbol of a product."""
    return str(product.metadata["asset_class"]), str(product.metadata["native_symbol"])


def asset_id_of(product: Product) -> str:
    """Return Alpaca's id of a product."""
    return str(product.metadata["asset_id"])
