"""A bot as its author writes it: two imports of ours, and nothing that the checkers cannot see.

It is checked, never run: `mypy --strict` and pyright must both be content with every line.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from bot_v2.features.brokerages.core.interfaces import (
    ENDED_STATUSES,
    BrokerageError,
    BrokerConnectionError,
    ConnectionError,
    DuplicateOrderError,
    IBrokerage,
    InsufficientFundsError,
    LoginRequiredError,
    MarketDataUnavailableError,
    Order,
    OrderNotFoundError,
    OrderOutcomeUnknownError,
    OrderRejectedError,
    OrderRequest,
    OrderSide,
    OrderStatus,
    OrderType,
    Outcome,
    Position,
    PositionSide,
    Product,
    RateLimitError,
    Rounding,
    SupportsAccountSummary,
    SupportsCandles,
    SupportsFills,
    SupportsMargin,
    SupportsOrderLookup,
    SupportsOrderStream,
    TimeInForce,
    quantize_price,
    quantize_quantity,
    supports,
)
from bot_v2.orchestration.broker_factory import create_brokerage

log = logging.getLogger(__name__)


class Bot:
    """Keeps a long position of a fixed value in each product, entered by limit orders."""

    def __init__(self, broker: IBrokerage, target: Decimal, now: Callable[[], datetime]) -> None:
        self.broker = broker
        self.target = target
        self.now = now
        self.working: dict[str, str] = {}

    def start(self) -> bool:
        """Connect, and say why not."""
        try:
            connected: bool = self.broker.connect()
        except LoginRequiredError as error:
            log.error("log in at %s and bring back %s", error.login_url, ", ".join(error.fields))
            return False
        except (ConnectionError, BrokerConnectionError) as error:
            log.error("%s does not answer: %s", error.broker, error.message)
            return False
        health = self.broker.check_health()
        if health.latency_s is not None and health.latency_s > 1:
            log.warning("account %s is slow", self.broker.get_account_id())
        return connected and health.api_responsive and self.broker.is_connected()

    def funds(self) -> Decimal:
        """What can be spent now, as far as the broker says it."""
        if supports(self.broker, SupportsMargin):
            buying_power = self.broker.get_margin().buying_power
            if buying_power is not None:
                return buying_power
        if supports(self.broker, SupportsAccountSummary):
            return self.broker.get_account().cash or Decimal(0)
        usd = self.broker.get_balance("USD")
        return usd.total if usd.available is None else usd.available

    def entry(self, product: Product) -> OrderRequest | None:
        """The order that is missing in a product. None: nothing is to be done."""
        position: Position | None = self.broker.get_position(product.symbol)
        if position is not None and position.side is PositionSide.LONG:
            return None
        try:
            book = self.broker.get_orderbook(product.symbol, level=2)
            price = book.bids[0].price if book.bids else self.broker.get_price(product.symbol)
        except MarketDataUnavailableError:
            return None
        limit = quantize_price(product, price, Rounding.FLOOR)
        quantity = quantize_quantity(product, self.target / limit, Rounding.DOWN)
        if quantity * limit > self.funds():
            return None
        return OrderRequest(
            symbol=product.symbol,
            side=OrderSide.BUY,
            quantity=quantity,
            type=OrderType.LIMIT,
            price=limit,
            time_in_force=TimeInForce.GTC,
            post_only=True,
        )

    def enter(self, request: OrderRequest) -> Outcome | None:
        """Place one order. None: it is in the market; else what became of the attempt."""
        try:
            result = self.broker.place_order(request)
        except InsufficientFundsError as error:
            missing = (error.required or Decimal(0)) - (error.available or Decimal(0))
            log.warning("short of %s for %s", missing, request.symbol)
            return error.outcome
        except OrderRejectedError as error:
            log.warning("refused: %s", error.reason)
            return error.outcome
        except RateLimitError as error:
            pause: float = error.retry_after_s or 1.0
            log.info("%s asks for %.1f s", error.broker, pause)
            return error.outcome
        except (OrderOutcomeUnknownError, DuplicateOrderError) as error:
            found = self.find(error.client_order_id)
            return error.outcome if found is None else None
        if result.order_id is not None:
            self.working[request.symbol] = result.order_id
        return None

    def find(self, client_order_id: str | None) -> Order | None:
        """Look for an order whose outcome is not known."""
        if client_order_id is None or not supports(self.broker, SupportsOrderLookup):
            return None
        try:
            return self.broker.get_order_by_client_id(client_order_id)
        except OrderNotFoundError:
            return None

    def tidy(self, patience: timedelta) -> list[str]:
        """Cancel what has waited too long, and return what was cancelled."""
        cancelled: list[str] = []
        for order in self.broker.list_orders(OrderStatus.OPEN):
            age = timedelta(0) if order.timestamp is None else self.now() - order.timestamp
            if age > patience and self.broker.cancel_order(order.order_id):
                cancelled.append(order.order_id)
        for symbol, order_id in list(self.working.items()):
            if self.broker.get_order(order_id).status in ENDED_STATUSES:
                del self.working[symbol]
        return cancelled

    def report(self) -> Mapping[str, Decimal]:
        """What the account holds, by asset and symbol."""
        held = {balance.asset: balance.total for balance in self.broker.list_balances()}
        held |= {position.symbol: position.quantity for position in self.broker.list_positions()}
        if supports(self.broker, SupportsFills):
            fees = [fill.fee for fill in self.broker.list_fills(since=self.now())]
            held["fees"] = sum((fee for fee in fees if fee is not None), Decimal(0))
        return held

    def watch(self, symbol: str) -> Decimal | None:
        """The highest close of the day, then every fill as it comes."""
        highest: Decimal | None = None
        if supports(self.broker, SupportsCandles):
            end = self.now()
            candles = self.broker.list_candles(symbol, timedelta(hours=1), end - timedelta(1), end)
            highest = max((candle.close for candle in candles), default=None)
        if supports(self.broker, SupportsOrderStream):
            with self.broker.stream_orders() as events:
                for event in events:
                    log.info("%s", event)
        return highest

    def stop(self) -> None:
        """Close what is open, and leave."""
        for position in self.broker.list_positions():
            try:
                self.broker.close_position(position.symbol)
            except BrokerageError as error:
                log.error("%s: %s", error.operation, error)
        self.broker.disconnect()


def main() -> None:
    """Trade on paper."""
    broker = create_brokerage("paper", {"initial_balance": Decimal(10_000)})
    bot = Bot(broker, target=Decimal(1_000), now=lambda: datetime.now(UTC))
    if not bot.start():
        return
    for product in broker.get_products():
        request = bot.entry(broker.get_product(product.symbol))
        if request is not None and bot.enter(request) is Outcome.UNKNOWN:
            break
    bot.tidy(timedelta(minutes=5))
    for name, amount in bot.report().items():
        log.info("%s: %s", name, amount)
    bot.stop()
