"""One product in the engine: what its trades are worth, its market, and the orders that wait."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final

from bot_v2.features.brokerages.core.decimals import EXACT, Rounding, divide
from bot_v2.features.brokerages.core.order_terms import OrderSide, OrderType
from bot_v2.features.brokerages.core.products import MarketType, Product
from bot_v2.simulation.fees import fee_currency
from bot_v2.simulation.offers import Market
from bot_v2.simulation.queues import PriceQueue
from bot_v2.simulation.records import MarkRecord, OrderRecord
from bot_v2.simulation.trails import TrailSet

PLACES: Final = 12
"""Decimal places of what no decimal states exactly: an inverse contract's value, a mean price."""


STOPS: Final = frozenset({OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TRAILING_STOP})
"""Orders that wait for a trigger first."""

NEVER: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""The time of the prices of a product that was halted before it had any."""

ANY_PRICE: Final = Decimal(0)


class Kind(StrEnum):
    """What a trade moves."""

    PAIR = "pair"
    """One currency or coin against another: both are balances."""
    SECURITY = "security"
    """A share or an option against cash."""
    DERIVATIVE = "derivative"
    """A contract against nothing: profit and loss are settled in cash when it is closed."""


def kind_of(product: Product) -> Kind:
    """Return what a trade of a product moves."""
    if product.market_type in (MarketType.FUTURES, MarketType.PERPETUAL) or product.inverse:
        return Kind.DERIVATIVE
    if product.market_type in (MarketType.SPOT, MarketType.FOREX) and product.base_currency:
        return Kind.PAIR
    return Kind.SECURITY


class Instrument:
    """A product with its market and its waiting orders."""

    __slots__ = (
        "always_open",
        "asset",
        "buy_limits",
        "buy_stops",
        "buy_trails",
        "buy_waiting",
        "fee_currency",
        "kind",
        "market",
        "product",
        "sell_limits",
        "sell_stops",
        "sell_trails",
        "sell_waiting",
        "symbol",
    )

    def __init__(self, product: Product, *, always_open: bool = False) -> None:
        """Start without a market and without orders."""
        self.product = product
        self.always_open = always_open
        self.symbol = product.symbol
        self.kind = kind_of(product)
        pair = self.kind is Kind.PAIR and product.base_currency is not None
        self.asset: str = product.base_currency or "" if pair else product.symbol
        self.fee_currency = fee_currency(product)
        self.market = Market()
        self.buy_limits = PriceQueue(descending=True)
        self.sell_limits = PriceQueue(descending=False)
        self.buy_stops = PriceQueue(descending=False)
        self.sell_stops = PriceQueue(descending=True)
        self.buy_trails = TrailSet()
        self.sell_trails = TrailSet()
        # Orders that take any price wait for an offer, at one price: oldest first.
        self.buy_waiting = PriceQueue(descending=False)
        self.sell_waiting = PriceQueue(descending=False)

    def signed_value(self, quantity: Decimal, price: Decimal) -> Decimal:
        """Return what a quantity is worth at a price; the price's rise raises it.

        The profit of a position is its signed value when closed less its signed value when opened.
        For an inverse contract that is minus quantity x multiplier / price, in the base currency,
        rounded half even to 12 places: no decimal states it exactly, so the rounded value is what
        the contract is worth.
        """
        product = self.product
        if product.inverse:
            face = EXACT.multiply(quantity, product.multiplier)
            return divide(face, price, PLACES, Rounding.HALF_EVEN).copy_negate()
        value = EXACT.multiply(quantity, price)
        return value if product.multiplier == 1 else EXACT.multiply(value, product.multiplier)

    def value(self, quantity: Decimal, price: Decimal) -> Decimal:
        """Return the size of what a quantity is worth at a price, in the fee currency."""
        return self.signed_value(quantity, price).copy_abs()

    def limits(self, side: OrderSide) -> PriceQueue:
        """Return the orders of a side that wait with a limit."""
        return self.buy_limits if side is OrderSide.BUY else self.sell_limits

    def stops(self, side: OrderSide) -> PriceQueue:
        """Return the orders of a side that wait for their trigger."""
        return self.buy_stops if side is OrderSide.BUY else self.sell_stops

    def waiting(self, side: OrderSide) -> PriceQueue:
        """Return the orders of a side that wait for an offer at any price."""
        return self.buy_waiting if side is OrderSide.BUY else self.sell_waiting

    def trails(self, side: OrderSide) -> TrailSet:
        """Return the orders of a side whose trigger follows the price."""
        return self.buy_trails if side is OrderSide.BUY else self.sell_trails

    def queue_of(self, record: OrderRecord) -> tuple[PriceQueue, Decimal | None]:
        """Return where an order waits, and at which price. None: it has no price to wait at yet."""
        if record.type in STOPS and not record.triggered:
            return self.stops(record.side), record.stop_price
        if record.price is not None:
            return self.limits(record.side), record.price
        return self.waiting(record.side), ANY_PRICE

    def mark_record(self) -> MarkRecord:
        """Return the latest prices, to be stored."""
        market = self.market
        return MarkRecord(
            symbol=self.symbol,
            timestamp=market.timestamp or NEVER,
            bid=market.bid,
            ask=market.ask,
            last=market.last,
            halted=market.halted,
        )
