"""What can be traded, and in which steps."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from enum import StrEnum

import attrs

from bot_v2.features.brokerages.core.fields import (
    EMPTY,
    FrozenMapping,
    Model,
    freeze,
    require,
)

ONE = Decimal(1)


class MarketType(StrEnum):
    """The kind of instrument. A product's kind comes from here, never from its symbol's shape."""

    SPOT = "spot"
    FUTURES = "futures"
    PERPETUAL = "perpetual"
    EQUITY = "equity"
    OPTION = "option"
    FOREX = "forex"
    OTHER = "other"
    """Read from a broker, and none of the above; the native text is in the metadata."""


class OptionRight(StrEnum):
    """Whether an option is the right to buy or to sell."""

    CALL = "call"
    PUT = "put"


@attrs.frozen(kw_only=True, weakref_slot=False, repr=False)
class PriceBand(Model):
    """A price increment that applies from a price upwards."""

    lower_price: Decimal
    """The lowest price of the band, in quote currency per unit; inclusive."""
    price_increment: Decimal
    """The step between valid prices in the band, in quote currency."""

    _positive = ("price_increment",)


@attrs.frozen(kw_only=True, weakref_slot=False, repr=False)
class Product(Model):
    """An instrument, with the sizes and prices that the broker accepts for it."""

    symbol: str
    """Canonical, or `@native` where the grammar cannot name it uniquely."""
    market_type: MarketType
    """The kind of instrument."""
    quote_currency: str
    """The currency that prices are in."""
    base_currency: str | None = None
    """What one unit is of. None: a unit is no currency (a share, a contract)."""
    settle_currency: str | None = None
    """The currency that profit and loss are paid in. None: the quote currency, or not said."""
    min_order_size: Decimal | None = None
    """The smallest quantity of an order, in order units. None: the broker does not say."""
    max_order_size: Decimal | None = None
    """The largest quantity of an order, in order units. None: the broker does not say."""
    min_notional: Decimal | None = None
    """The smallest value of an order, in quote currency. None: the broker does not say."""
    price_increment: Decimal | None = None
    """The step between valid prices. None: the broker does not say, or `price_bands` do."""
    price_bands: tuple[PriceBand, ...] = ()
    """Steps that depend on the price, lowest band first; they override `price_increment`."""
    size_increment: Decimal | None = None
    """The step between valid quantities, in order units. None: the broker does not say."""
    lot_size: Decimal = ONE
    """Units of the underlying in one order unit where the exchange trades in lots."""
    multiplier: Decimal = ONE
    """Value of one unit at a price of one: value = quantity x price x multiplier."""
    inverse: bool = False
    """True: a contract worth a fixed amount of quote currency, settled in the base currency."""
    expiry: date | None = None
    """The expiration date at the exchange. None: it does not expire."""
    strike: Decimal | None = None
    """The strike price of an option, in quote currency. None: no option."""
    right: OptionRight | None = None
    """Call or put. None: no option."""
    underlying: str | None = None
    """The symbol that a derivative derives from. None: no derivative, or not said."""
    tradeable: bool = True
    """False: listed, but orders are refused now."""
    name: str | None = None
    """The broker's name for people. None: it gives none."""
    metadata: FrozenMapping = attrs.field(default=EMPTY, converter=freeze, eq=False)
    """The native extras that the adapter documents."""

    _positive = (
        "min_order_size",
        "max_order_size",
        "price_increment",
        "size_increment",
        "lot_size",
        "multiplier",
    )
    _not_negative = ("min_notional",)

    def _check_sense(self) -> None:
        smallest, largest = self.min_order_size, self.max_order_size
        if smallest is not None and largest is not None and smallest > largest:
            raise require(self, "max_order_size", f"at least min_order_size ({smallest})")
        floors = [band.lower_price for band in self.price_bands]
        if floors != sorted(set(floors)):
            raise require(self, "price_bands", "bands of rising lower_price, lowest first")
        if self.market_type is MarketType.OPTION:
            for name in ("expiry", "strike", "right"):
                if getattr(self, name) is None:
                    raise require(self, name, "a value: an option has an expiry, strike and right")
