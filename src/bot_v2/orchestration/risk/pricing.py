"""What an order weighs: its parts, priced at the worst that it can pay, within a stated margin."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

import attrs

from bot_v2.features.brokerages.core.decimals import EXACT, Rounding, divide
from bot_v2.features.brokerages.core.errors import BrokerageError, InvalidRequestError
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.order_terms import OrderSide, OrderType
from bot_v2.features.brokerages.core.orders import Order
from bot_v2.features.brokerages.core.products import MarketType, Product
from bot_v2.orchestration.execution.reading import read
from bot_v2.orchestration.risk.exposure import ASSET, UNWEIGHED, ZERO, Part

if TYPE_CHECKING:
    from bot_v2.features.brokerages.core.brokerage import IBrokerage

ONE: Final = Decimal(1)
PLACES: Final = 18
"""To how many decimal places a quantity is rounded, upwards, that a value comes to."""

_ON_MARGIN: Final = frozenset({MarketType.FUTURES, MarketType.PERPETUAL})
"""What is bought of these takes margin, and no cash."""

_LIMITED: Final = frozenset({OrderType.LIMIT, OrderType.STOP_LIMIT})
"""The types that a price of their own bounds."""


@attrs.frozen(kw_only=True)
class Weight:
    """What an order weighs, and at which prices."""

    parts: tuple[Part, ...]
    """One for each product."""
    unit_values: tuple[Decimal, ...]
    """What one order unit of each part is worth, in the part's currency."""


class Scales:
    """Weighs orders of one account.

    Args:
        broker: the brokerage.
        spot_as_positions: whether it keeps spot assets as positions.
        marks_positions: whether what an order adds to is worth the market's price at least.
        price_margin: by which fraction an order at the market's price may pay more than the latest.
    """

    def __init__(
        self,
        broker: IBrokerage,
        *,
        spot_as_positions: bool,
        marks_positions: bool,
        price_margin: Decimal,
    ) -> None:
        """Weigh nothing yet."""
        self._broker = broker
        self._spot_as_positions = spot_as_positions
        self._marks_positions = marks_positions
        self._markup = EXACT.add(ONE, price_margin)

    def product(self, symbol: str) -> Product:
        """Return a product.

        Raises:
            BrokerageError: it cannot be read.
        """
        return read("get_product", lambda: self._broker.get_product(symbol))

    def price(self, symbol: str) -> Decimal:
        """Return the market's price.

        Raises:
            BrokerageError: there is none, or it cannot be read.
        """
        return read("get_price", lambda: self._broker.get_price(symbol))

    def exposure(self, product: Product) -> str:
        """Return what the position of a product is kept under."""
        is_balance = product.market_type is MarketType.SPOT and not self._spot_as_positions
        return f"{ASSET}{product.base_currency}" if is_balance else product.symbol

    def symbols(self, request: OrderRequest) -> list[str]:
        """Return the canonical symbols of an order: its product's, or those of its legs.

        Raises:
            BrokerageError: a product cannot be read.
        """
        named = [leg.symbol for leg in request.legs] or [request.symbol]
        return [self.product(symbol).symbol for symbol in named]

    def weigh(self, request: OrderRequest) -> Weight:
        """Return what an order weighs.

        Raises:
            BrokerageError: a product or a price cannot be read.
            InvalidRequestError: nobody can say what it comes to.
        """
        if request.legs:
            return self._weigh_legs(request)
        product = self.product(request.symbol)
        return self._weigh_one(product, request, self._bound(product, request))

    def weigh_without_price(self, request: OrderRequest) -> tuple[Part, ...]:
        """Return the parts of an order at the prices that it names itself; values may be missing.

        Raises:
            BrokerageError: a product cannot be read, or the quantity would need a price.
        """
        sides = [(leg.symbol, _leg_side(request.side, leg.side), leg.ratio) for leg in request.legs]
        if request.quantity is None:
            raise InvalidRequestError(
                "only a price says how much a notional order comes to", symbol=request.symbol
            )
        parts = []
        for symbol, side, ratio in sides or [(request.symbol, request.side, ONE)]:
            product = self.product(symbol)
            quantity = EXACT.multiply(request.quantity, ratio)
            own = None if request.legs else request.price
            unit = None if own is None else _unit_value(product, own)
            value = None if unit is None else EXACT.multiply(quantity, unit)
            parts.append(self._part(product, side, quantity, value))
        return tuple(parts)

    def weigh_order(self, order: Order) -> tuple[Part, ...]:
        """Return what is left of a live order that came of no reservation; values may be missing.

        Raises:
            BrokerageError: a product cannot be read.
        """
        whole = order.remaining_quantity
        if order.legs:
            # Which way a combination trades is what its legs say; a sold one is the other way.
            return tuple(
                self._weigh_rest(
                    leg.symbol,
                    _leg_side(order.side or OrderSide.BUY, leg.side),
                    None if whole is None else EXACT.multiply(whole, leg.ratio),
                    None,
                    None,
                )
                for leg in order.legs
            )
        price = order.price or order.stop_price
        sides = [order.side] if order.side is not None else list(OrderSide)
        return tuple(
            self._weigh_rest(order.symbol, side, whole, order.notional, price) for side in sides
        )

    def _weigh_rest(
        self,
        symbol: str,
        side: OrderSide,
        quantity: Decimal | None,
        notional: Decimal | None,
        price: Decimal | None,
    ) -> Part:
        product = self.product(symbol)
        try:
            unit = _unit_value(product, price or self.price(product.symbol))
        except BrokerageError:
            # Positions can be counted without a price, and what needs one says so.
            part = self._part(product, side, quantity or ZERO, notional)
            return part if quantity is not None else attrs.evolve(part, exposure=UNWEIGHED)
        if quantity is None and notional is not None and unit:
            quantity = divide(notional, unit, PLACES, Rounding.UP)
        if quantity is None:
            return attrs.evolve(self._part(product, side, ZERO, None), exposure=UNWEIGHED)
        return self._part(product, side, quantity, notional or EXACT.multiply(quantity, unit))

    def _weigh_one(self, product: Product, request: OrderRequest, price: Decimal) -> Weight:
        unit = _unit_value(product, price)
        quantity = request.quantity
        if quantity is None:
            # The lower the price, the more a notional order comes to.
            low = divide(unit, EXACT.multiply(self._markup, self._markup), PLACES, Rounding.DOWN)
            quantity = divide(request.notional or ZERO, low, PLACES, Rounding.UP)
        value = request.notional
        if value is None:
            value = EXACT.multiply(quantity, unit)
        part = self._part(product, request.side, quantity, value)
        if self._marks_positions:
            # An order below the market adds to a position that is worth the market's price.
            unit = max(unit, _unit_value(product, self.price(product.symbol)))
        return Weight(parts=(part,), unit_values=(unit,))

    def _weigh_legs(self, request: OrderRequest) -> Weight:
        if request.quantity is None:
            raise InvalidRequestError(
                "an order of several legs is weighed by its quantity; accepted: a quantity",
                symbol=request.symbol,
            )
        parts, units = [], []
        for leg in request.legs:
            product = self.product(leg.symbol)
            # The price of the whole says nothing of a leg's: each counts at the market's.
            unit = _unit_value(product, EXACT.multiply(self.price(product.symbol), self._markup))
            quantity = EXACT.multiply(request.quantity, leg.ratio)
            side = _leg_side(request.side, leg.side)
            parts.append(self._part(product, side, quantity, EXACT.multiply(quantity, unit)))
            units.append(unit)
        return Weight(parts=tuple(parts), unit_values=tuple(units))

    def _bound(self, product: Product, request: OrderRequest) -> Decimal:
        """Return the highest price that an order can be filled at, its margin included."""
        own = request.price
        if own is not None and request.side is OrderSide.BUY and request.type in _LIMITED:
            return own
        market = EXACT.multiply(self.price(product.symbol), self._markup)
        trigger = EXACT.multiply(request.stop_price or ZERO, self._markup)
        return max(market, trigger, own or ZERO)

    def _part(
        self, product: Product, side: OrderSide, quantity: Decimal, value: Decimal | None
    ) -> Part:
        return Part(
            symbol=product.symbol,
            exposure=self.exposure(product),
            side=side,
            quantity=quantity,
            value=value,
            currency=product.quote_currency,
            takes_cash=side is OrderSide.BUY and product.market_type not in _ON_MARGIN,
        )


def _unit_value(product: Product, price: Decimal) -> Decimal:
    # A combination can have a price below zero; what it is worth has a size.
    return abs(product.multiplier if product.inverse else EXACT.multiply(price, product.multiplier))


def _leg_side(whole: OrderSide, leg: OrderSide) -> OrderSide:
    return OrderSide.BUY if whole is leg else OrderSide.SELL
