"""A product for a symbol of which nothing is known but its name."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from bot_v2.features.brokerages.core.errors import InvalidFieldError
from bot_v2.features.brokerages.core.products import MarketType, Product
from bot_v2.features.brokerages.core.symbols import (
    EquitySymbol,
    FutureSymbol,
    NativeSymbol,
    OptionSymbol,
    PairSymbol,
    PerpetualSymbol,
    parse_symbol,
)

SMALLEST_COIN_SIZE: Final = Decimal("0.00000001")
WHOLE_UNIT: Final = Decimal(1)


def product_for_symbol(
    symbol: str,
    *,
    currency: str = "USD",
    price_increment: Decimal | None = None,
    size_increment: Decimal | None = None,
    multiplier: Decimal | None = None,
) -> Product:
    """Return what a canonical symbol says of its product, completed by what the caller knows.

    Args:
        symbol: a canonical symbol; a pair of currencies is taken for a spot one.
        currency: what prices are in where the symbol does not say.
        price_increment: the step between prices. None: not known.
        size_increment: the step between quantities. None: 0.00000001 of a pair or perpetual, one
            whole unit of anything else.
        multiplier: the value of one unit at a price of one. None: one; a future or an option
            must have it, because no symbol tells it.

    Raises:
        InvalidSymbolError: the symbol is not canonical.
        InvalidFieldError: the symbol is the broker's own, or the multiplier is missing.
    """
    parsed = parse_symbol(symbol)
    if isinstance(parsed, NativeSymbol):
        raise InvalidFieldError(
            "symbol", symbol, "a canonical symbol; for a broker's own, give the Product"
        )
    if isinstance(parsed, FutureSymbol | OptionSymbol) and multiplier is None:
        raise InvalidFieldError(
            "multiplier", multiplier, f"the multiplier of {symbol}, or its Product"
        )
    terms: dict[str, Any] = {"quote_currency": currency, **_known(parsed)}
    default_size = SMALLEST_COIN_SIZE if "base_currency" in terms else WHOLE_UNIT
    return Product(
        symbol=symbol,
        price_increment=price_increment,
        size_increment=default_size if size_increment is None else size_increment,
        multiplier=WHOLE_UNIT if multiplier is None else multiplier,
        **terms,
    )


def _known(
    parsed: PairSymbol | PerpetualSymbol | EquitySymbol | FutureSymbol | OptionSymbol,
) -> dict[str, object]:
    """Return the fields of a Product that a symbol tells."""
    match parsed:
        case PairSymbol(base=base, quote=quote):
            return {
                "market_type": MarketType.SPOT,
                "base_currency": base,
                "quote_currency": quote,
            }
        case PerpetualSymbol(base=base, quote=quote):
            return {
                "market_type": MarketType.PERPETUAL,
                "base_currency": base,
                "quote_currency": quote,
                "settle_currency": quote,
            }
        case EquitySymbol():
            return {"market_type": MarketType.EQUITY}
        case FutureSymbol(root=root, expiry=expiry):
            _, hyphen, currency = root.rpartition("-")
            pair = {"quote_currency": currency} if hyphen else {}
            return {"market_type": MarketType.FUTURES, "expiry": expiry, **pair}
        case OptionSymbol(root=root, expiry=expiry, strike=strike, right=right):
            return {
                "market_type": MarketType.OPTION,
                "expiry": expiry,
                "strike": strike,
                "right": right,
                "underlying": root,
            }
