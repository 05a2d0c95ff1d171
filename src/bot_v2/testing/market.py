"""The product that the checks trade: its prices, sizes and steps."""

from __future__ import annotations

from decimal import Decimal

from bot_v2.features.brokerages.core.brokerage import IBrokerage
from bot_v2.features.brokerages.core.decimals import EXACT, Rounding, divide
from bot_v2.features.brokerages.core.errors import MarketDataUnavailableError
from bot_v2.features.brokerages.core.increments import (
    price_increment_at,
    quantize_price,
    quantize_quantity,
)
from bot_v2.features.brokerages.core.order_terms import OrderSide
from bot_v2.features.brokerages.core.products import MarketType, Product
from bot_v2.testing.profile import ContractProfile
from bot_v2.testing.venue_control import VenueControl
from bot_v2.testing.violation import NotApplicable

ANCHOR = Decimal(100)
"""Where a simulated market is put that has no price yet."""

AWAY = {OrderSide.BUY: Decimal("0.7"), OrderSide.SELL: Decimal("1.4")}
"""How far from the market a resting order is, as a factor of the best price of its side."""

THROUGH = {OrderSide.BUY: Decimal("1.05"), OrderSide.SELL: Decimal("0.95")}
"""How far through the market a crossing order is, as a factor of the price that it meets."""

SPREAD = Decimal("1.001")
"""The ask over the bid of a simulated market, before both are put on the grid."""

LEAST_VALUE = Decimal(10)
"""The value of the smallest order that the checks place, where the broker names none."""

TRIED_MAX = 20
"""How many products are tried to find one with a price."""

PARTS = 4
"""Into how many valid orders the quantity of the checks can be cut."""

DIVISION_PLACES = 12


class CheckMarket:
    """One product, found once; with a venue, its market is set up when it is found.

    Args:
        broker: a connected brokerage.
        venue: sets the market. None: the market is as it is.
        profile: what is known of the product.
    """

    def __init__(
        self, broker: IBrokerage, venue: VenueControl | None, profile: ContractProfile
    ) -> None:
        """Find the product, and set its market up."""
        self._broker = broker
        self._venue = venue
        self._profile = profile
        self.product = self._find()
        """The product."""
        anchor = profile.price or self._price_of(self.product) or ANCHOR
        self.unit = self._unit_at(anchor)
        """The smallest quantity that is a valid order, resting or not."""
        self.quantity = profile.quantity or EXACT.multiply(self.unit, Decimal(PARTS))
        """The quantity of an order of the checks."""
        if profile.quantity is not None:
            self.unit = divide(profile.quantity, Decimal(PARTS), DIVISION_PLACES, Rounding.DOWN)
        if venue is not None:
            self.set(anchor)

    @property
    def symbol(self) -> str:
        """The product's symbol."""
        return self.product.symbol

    @property
    def is_cash_like(self) -> bool:
        """Whether a purchase is paid in full at once: spot and equities."""
        return self.product.market_type in (MarketType.SPOT, MarketType.EQUITY)

    def set(self, bid: Decimal, ask: Decimal | None = None, size: Decimal | None = None) -> None:
        """Put the simulated market somewhere; None: a narrow spread, and more than plenty."""
        if self._venue is None:
            raise NotApplicable("needs a simulated venue")
        low = self.on_grid(bid, Rounding.FLOOR)
        high = self.on_grid(EXACT.multiply(low, SPREAD) if ask is None else ask, Rounding.CEILING)
        if high <= low:
            high = low + (price_increment_at(self.product, low) or Decimal("0.01"))
        plenty = EXACT.multiply(self.quantity, Decimal(1000))
        self._venue.set_market(self.symbol, low, high, plenty if size is None else size)

    def best(self) -> tuple[Decimal, Decimal]:
        """Return the best bid and ask."""
        book = self._broker.get_orderbook(self.symbol)
        if not book.bids or not book.asks:
            raise NotApplicable(f"{self.symbol} has no bid or no ask now")
        return book.bids[0].price, book.asks[0].price

    def resting_price(self, side: OrderSide = OrderSide.BUY) -> Decimal:
        """Return a limit well away from the market, on the grid."""
        bid, ask = self.best()
        near = bid if side is OrderSide.BUY else ask
        return self.on_grid(EXACT.multiply(near, AWAY[side]), Rounding.HALF_EVEN)

    def crossing_price(self, side: OrderSide = OrderSide.BUY) -> Decimal:
        """Return a limit that trades at once, on the grid."""
        bid, ask = self.best()
        met = ask if side is OrderSide.BUY else bid
        return self.on_grid(EXACT.multiply(met, THROUGH[side]), Rounding.HALF_EVEN)

    def scaled(self, price: Decimal, factor: str) -> Decimal:
        """Return a price times a factor, on the grid."""
        return self.on_grid(EXACT.multiply(price, Decimal(factor)), Rounding.HALF_EVEN)

    def on_grid(self, price: Decimal, rounding: Rounding) -> Decimal:
        """Return the price on the product's grid."""
        return quantize_price(self.product, price, rounding)

    def _find(self) -> Product:
        if self._profile.symbol is not None:
            return self._broker.get_product(self._profile.symbol)
        tradeable = [product for product in self._broker.get_products() if product.tradeable]
        if self._venue is not None and tradeable:
            return tradeable[0]
        for product in tradeable[:TRIED_MAX]:
            if self._price_of(product) is not None:
                return product
        raise NotApplicable("no tradeable product has a price; name one in contract_profile")

    def _price_of(self, product: Product) -> Decimal | None:
        try:
            return self._broker.get_price(product.symbol)
        except MarketDataUnavailableError:
            return None

    def _unit_at(self, price: Decimal) -> Decimal:
        product = self.product
        lowest = EXACT.multiply(EXACT.multiply(price, AWAY[OrderSide.BUY]), product.multiplier)
        value = max(LEAST_VALUE, EXACT.multiply(product.min_notional or Decimal(0), Decimal(2)))
        by_value = divide(value, lowest, DIVISION_PLACES, Rounding.UP)
        least = max(by_value, product.min_order_size or Decimal(0))
        if product.size_increment is None:
            return Decimal(max(1, int(least) + 1))
        return quantize_quantity(product, least, Rounding.UP)
