"""The demonstration: orders placed, filled, cancelled and left to work in a synthetic market."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import attrs

from bot_v2.cli.order_terms import sentence_for
from bot_v2.cli.output import as_text
from bot_v2.features.brokerages.core.decimals import EXACT, Rounding
from bot_v2.features.brokerages.core.increments import quantize_price
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.order_status import ENDED_STATUSES
from bot_v2.features.brokerages.core.order_terms import OrderSide, OrderType, StopLoss, TakeProfit

if TYPE_CHECKING:
    from bot_v2.features.brokerages.core.orders import Order
    from bot_v2.features.brokerages.paper.adapter import PaperBrokerage

SYMBOL: Final = "BTC-USD"
"""What the demonstration trades."""

EVENTS: Final = 400
"""How many events of the market it lets happen, a quote and a trade for each second."""

Say = Callable[[str], None]
"""Prints a line for a person."""


@attrs.define
class Scenario:
    """Places the orders of the demonstration, and remembers which."""

    broker: PaperBrokerage
    """The brokerage, connected."""
    say: Say
    """Tells what happens."""
    placed: list[str] = attrs.field(factory=list)
    """The client order ids of the orders placed, oldest first."""

    def run(self) -> None:
        """Place orders, let the market move, cancel one, and let the market move on."""
        self._look_around()
        self._place(quantity=Decimal("0.25"))
        self._let_market_move(20)
        low = self._price_away(Decimal("-0.0005"))
        self._place(quantity=Decimal("0.10"), type=OrderType.LIMIT, price=low)
        self._place(
            quantity=Decimal("0.05"),
            take_profit=TakeProfit(price=self._price_away(Decimal("0.0010"))),
            stop_loss=StopLoss(stop_price=self._price_away(Decimal("-0.0010"))),
        )
        far = self._place(
            quantity=Decimal("0.20"), type=OrderType.LIMIT, price=self._price_away(Decimal("-0.10"))
        )
        self._cancel(far.order_id)
        self._let_market_move(EVENTS)
        self._place(
            side=OrderSide.SELL,
            quantity=Decimal("0.10"),
            type=OrderType.TRAILING_STOP,
            trail_amount=Decimal("15.00"),
        )
        self._let_market_move(EVENTS)
        self._cancel_what_waits()

    def _look_around(self) -> None:
        broker = self.broker
        status = broker.get_market_status(SYMBOL)
        quote = broker.get_quote(SYMBOL)
        self.say(f"connected: {broker.name}, account {broker.get_account_id()}")
        for balance in broker.list_balances():
            self.say(f"balance: {as_text(balance.total)} {balance.asset}")
        self.say(
            f"{SYMBOL}: {'open' if status.is_open else 'closed'}, "
            f"bid {as_text(quote.bid)}, ask {as_text(quote.ask)}"
        )

    def _price_away(self, part: Decimal) -> Decimal:
        """Return a price that is some part away from the market's, on the product's grid."""
        price = self.broker.get_price(SYMBOL)
        away = EXACT.multiply(price, EXACT.add(Decimal(1), part))
        return quantize_price(self.broker.get_product(SYMBOL), away, Rounding.HALF_EVEN)

    def _place(
        self,
        *,
        quantity: Decimal,
        side: OrderSide = OrderSide.BUY,
        type: OrderType = OrderType.MARKET,
        price: Decimal | None = None,
        trail_amount: Decimal | None = None,
        take_profit: TakeProfit | None = None,
        stop_loss: StopLoss | None = None,
    ) -> Order:
        request = OrderRequest(
            symbol=SYMBOL,
            side=side,
            quantity=quantity,
            type=type,
            price=price,
            trail_amount=trail_amount,
            take_profit=take_profit,
            stop_loss=stop_loss,
            client_order_id=f"demo-{len(self.placed) + 1}",
        )
        result = self.broker.place_order(request)
        self.placed.append(result.client_order_id)
        order = self.broker.get_order_by_client_id(result.client_order_id)
        self.say(f"placed {order.client_order_id}: {sentence_for(request)} -> {order.status.value}")
        return order

    def _cancel(self, order_id: str) -> None:
        first, again = self.broker.cancel_order(order_id), self.broker.cancel_order(order_id)
        order = self.broker.get_order(order_id)
        self.say(
            f"cancelled {order.client_order_id}: {first}; a second time: {again} -> "
            f"{order.status.value}"
        )

    def _cancel_what_waits(self) -> None:
        for order in self.broker.list_orders():
            if order.status not in ENDED_STATUSES and order.client_order_id in self.placed:
                self._cancel(order.order_id)

    def _let_market_move(self, events: int) -> None:
        before = {order.order_id: order for order in self.broker.list_orders()}
        for _ in range(events):
            self.broker.advance()
        self.say(f"the market moves: {SYMBOL} at {as_text(self.broker.get_price(SYMBOL))}")
        for order in reversed(self.broker.list_orders()):
            known = before.get(order.order_id)
            if known is None or (known.status, known.filled_quantity) != (
                order.status,
                order.filled_quantity,
            ):
                name = order.client_order_id or order.order_id
                self.say(f"  {name}: {order.status.value}, {as_text(order.filled_quantity)} filled")
