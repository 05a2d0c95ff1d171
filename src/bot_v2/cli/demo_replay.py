"""A strategy that trades a user's own prices: a crossing of two moving averages, limit entries.

For each product, the mean of the last FAST prices is compared with that of the last SLOW:

- when it crosses from below, and there is no position, a limit order to buy is placed at the
  latest price, for SHARE of the account's cash;
- when it crosses from above, an entry that still waits is cancelled, and the position is closed
  at the market.

It shows how a bot uses a brokerage. It is not meant to make money.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import attrs

from bot_v2.cli.order_terms import sentence_for
from bot_v2.features.brokerages.core.decimals import EXACT, Rounding, divide
from bot_v2.features.brokerages.core.errors import BrokerageError
from bot_v2.features.brokerages.core.increments import quantize_price, quantize_quantity
from bot_v2.features.brokerages.core.market_data import Candle, Quote, Trade
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.order_status import ENDED_STATUSES
from bot_v2.features.brokerages.core.order_terms import OrderSide, OrderType
from bot_v2.features.brokerages.core.products import Product

if TYPE_CHECKING:
    from bot_v2.features.brokerages.paper.adapter import PaperBrokerage
    from bot_v2.simulation.market import MarketEvent

FAST: Final = 5
"""How many prices the fast average is of."""

SLOW: Final = 20
"""How many prices the slow average is of."""

SHARE: Final = Decimal("0.25")
"""The part of the cash that an entry costs at most."""

HALF: Final = Decimal("0.5")

SIZE_PLACES: Final = 8
"""How finely an entry is sized where the product states no step."""


@attrs.define
class CrossingAverages:
    """Whether the fast average of a product's prices is above the slow one, and since when."""

    prices: deque[Decimal] = attrs.field(factory=lambda: deque(maxlen=SLOW))
    """The latest prices, oldest first."""
    is_above: bool | None = None
    """Whether the fast average is above the slow one. None: there are too few prices."""

    def add(self, price: Decimal) -> bool | None:
        """Take a price; return True or False where the averages cross, None where they do not."""
        self.prices.append(price)
        if len(self.prices) < SLOW:
            return None
        listed = list(self.prices)
        # The means are compared without dividing: cross-multiplied sums are exact.
        fast = EXACT.multiply(_sum(listed[-FAST:]), Decimal(SLOW))
        slow = EXACT.multiply(_sum(listed), Decimal(FAST))
        was_above, self.is_above = self.is_above, fast > slow
        crossed = was_above is not None and was_above is not self.is_above
        return self.is_above if crossed else None


def _sum(prices: list[Decimal]) -> Decimal:
    total = Decimal(0)
    for price in prices:
        total = EXACT.add(total, price)
    return total


@attrs.define
class Replay:
    """Lets a feed happen, and trades it."""

    broker: PaperBrokerage
    """The brokerage, connected; its market moves only by `advance`."""
    say: Callable[[str], None]
    """Tells what happens."""
    placed: list[str] = attrs.field(factory=list)
    """The client order ids of the orders placed, oldest first."""
    _averages: dict[str, CrossingAverages] = attrs.field(factory=dict)
    _entries: dict[str, str] = attrs.field(factory=dict)

    def run(self) -> None:
        """Go through the feed to its end.

        Raises:
            InvalidFieldError: the feed has something that is no price; names the line.
        """
        while (event := self.broker.advance()) is not None:
            price = _price_of(event)
            if price is None:
                continue
            averages = self._averages.setdefault(event.symbol, CrossingAverages())
            crossed = averages.add(price)
            if crossed is True:
                self._enter(event.symbol, price)
            elif crossed is False:
                self._leave(event.symbol)
        self.say("the feed has ended")

    def _enter(self, symbol: str, price: Decimal) -> None:
        if self.broker.get_position(symbol) is not None or self._waits(symbol):
            return
        product = self.broker.get_product(symbol)
        limit = quantize_price(product, price, Rounding.DOWN)
        quantity = self._size(product, limit)
        if quantity <= 0:
            self.say(f"  {symbol}: too little cash for an entry")
            return
        request = OrderRequest(
            symbol=symbol,
            side=OrderSide.BUY,
            quantity=quantity,
            type=OrderType.LIMIT,
            price=limit,
        )
        entry = self._place(request)
        if entry is not None:
            self._entries[symbol] = entry

    def _size(self, product: Product, limit: Decimal) -> Decimal:
        """Return what SHARE of the cash buys, rounded down to what can be ordered."""
        cash = self.broker.get_balance(product.quote_currency).available or Decimal(0)
        unit = EXACT.multiply(limit, product.multiplier)
        raw = divide(EXACT.multiply(cash, SHARE), unit, SIZE_PLACES, Rounding.DOWN)
        quantity = quantize_quantity(product, raw, Rounding.DOWN)
        least = product.min_order_size
        return Decimal(0) if least is not None and quantity < least else quantity

    def _leave(self, symbol: str) -> None:
        if self._waits(symbol):
            self.broker.cancel_order(self._entries[symbol])
        position = self.broker.get_position(symbol)
        if position is not None:
            request = OrderRequest(symbol=symbol, side=OrderSide.SELL, quantity=position.quantity)
            self._place(request)

    def _waits(self, symbol: str) -> bool:
        entry = self._entries.get(symbol)
        return entry is not None and self.broker.get_order(entry).status not in ENDED_STATUSES

    def _place(self, request: OrderRequest) -> str | None:
        named = attrs.evolve(request, client_order_id=f"replay-{len(self.placed) + 1}")
        try:
            result = self.broker.place_order(named)
        except BrokerageError as error:
            self.say(f"refused: {sentence_for(named)}: {error.message}")
            return None
        self.placed.append(result.client_order_id)
        self.say(f"placed {result.client_order_id}: {sentence_for(named)}")
        return result.order_id


def _price_of(event: MarketEvent) -> Decimal | None:
    """Return the price that an event ends at, of a quote the mid. None: it has none."""
    match event:
        case Candle():
            return event.close
        case Trade():
            return event.price
        case Quote(last=None, bid=Decimal() as bid, ask=Decimal() as ask):
            return EXACT.multiply(EXACT.add(bid, ask), HALF)
        case Quote():
            return event.last
        case _:
            return None
