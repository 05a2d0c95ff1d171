"""Alpaca's symbols and ours. Pure: the text and the asset class say it all.

us_equity   AAPL, BRK.B              AAPL, BRK.B
crypto      BTC/USD; also BTCUSD     BTC-USD
us_option   AAPL270115C00152500      AAPL-20270115-152.5-C
"""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Final

from bot_v2.features.brokerages.core.decimals import EXACT, rescale
from bot_v2.features.brokerages.core.errors import InvalidFieldError, InvalidSymbolError
from bot_v2.features.brokerages.core.products import OptionRight
from bot_v2.features.brokerages.core.symbols import (
    EquitySymbol,
    OptionSymbol,
    PairSymbol,
    parse_symbol,
)

EQUITY: Final = "us_equity"
OPTION: Final = "us_option"
CRYPTO: Final = "crypto"

QUOTES: Final = ("USDT", "USDC", "USD", "BTC")
"""What crypto is paid in: where a pair is written without a stroke, its end tells."""

REMEMBERED_MAX: Final = 16384
"""How many symbols' names are remembered: more than a day's trading has."""

_OCC: Final = re.compile(r"([A-Z0-9.]{1,6})([0-9]{2})([0-9]{2})([0-9]{2})([CP])([0-9]{8})")
_RIGHTS: Final = {"C": OptionRight.CALL, "P": OptionRight.PUT}
_LETTERS: Final = {right: letter for letter, right in _RIGHTS.items()}
_STRIKE_PLACES: Final = 3
_CENTURY: Final = 2000


@lru_cache(maxsize=REMEMBERED_MAX)
def symbol_from_native(native: str, asset_class: str) -> str:
    """Return the canonical symbol; `@native` for what the grammar cannot name.

    Args:
        native: Alpaca's symbol.
        asset_class: Alpaca's class; empty where it does not say: the symbol's form decides then.
    """
    kind = asset_class or class_of(native)
    try:
        if kind == CRYPTO:
            return str(_pair_of(native))
        if kind == OPTION:
            return str(option_of(native))
        if kind == EQUITY:
            # An option's symbol is a valid ticker, too: only the class can tell them apart.
            symbol = EquitySymbol(ticker=native)
            return str(symbol)
    except (InvalidFieldError, ValueError):
        pass
    return f"@{native}"


def class_of(native: str) -> str:
    """Return the class that a symbol's form tells."""
    if "/" in native:
        return CRYPTO
    return OPTION if _OCC.fullmatch(native) else EQUITY


def _pair_of(native: str) -> PairSymbol:
    base, stroke, quote = native.partition("/")
    if not stroke:
        quote = next((one for one in QUOTES if native.endswith(one)), "")
        base = native.removesuffix(quote)
    return PairSymbol(base=base, quote=quote)


def option_of(native: str) -> OptionSymbol:
    """Return the terms of an option's symbol.

    Raises:
        ValueError: it is none.
    """
    found = _OCC.fullmatch(native)
    if found is None:
        raise ValueError(f"{native!r} is no option's symbol")
    root, year, month, day, letter, strike = found.groups()
    return OptionSymbol(
        root=root,
        expiry=date(_CENTURY + int(year), int(month), int(day)),
        strike=rescale(Decimal(strike), -_STRIKE_PLACES),
        right=_RIGHTS[letter],
    )


def natives_of(symbol: str) -> tuple[tuple[str, str], ...]:
    """Return the readings of what a user typed, each as (class, native); empty: there is none.

    A reading is a question to ask the broker; the form alone decides nothing.
    """
    if symbol.startswith("@"):
        native = symbol[1:]
        return ((EQUITY, native), *_unhidden(native)) if native else ()
    return tuple(dict.fromkeys((*_canonical(symbol), *_unhidden(symbol))))


def _unhidden(native: str) -> tuple[tuple[str, str], ...]:
    """Return what a native symbol may be beside a ticker."""
    if _OCC.fullmatch(native):
        return ((OPTION, native),)
    has_quote = any(native.endswith(quote) and native != quote for quote in QUOTES)
    return ((CRYPTO, native),) if has_quote and "-" not in native else ()


def _canonical(symbol: str) -> tuple[tuple[str, str], ...]:
    try:
        parsed = parse_symbol(symbol)
    except InvalidSymbolError:
        return ()
    if isinstance(parsed, PairSymbol):
        return ((CRYPTO, f"{parsed.base}/{parsed.quote}"),)
    if isinstance(parsed, OptionSymbol) and parsed.exchange is None:
        native = native_of_option(parsed)
        return ((OPTION, native),) if native else ()
    if isinstance(parsed, EquitySymbol) and parsed.exchange is None:
        return ((EQUITY, parsed.ticker),)
    return ()


def native_of_option(option: OptionSymbol) -> str | None:
    """Return an option's native symbol. None: its strike cannot be written in one."""
    thousandths = EXACT.multiply(option.strike, Decimal(10**_STRIKE_PLACES))
    if thousandths != thousandths.to_integral_value():
        return None
    day = option.expiry.strftime("%y%m%d")
    native = f"{option.root}{day}{_LETTERS[option.right]}{int(thousandths):08d}"
    return native if _OCC.fullmatch(native) else None
