"""What the venue says, in Acme's words as the README has them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TypeAlias

from bot_v2.features.brokerages.core.interfaces import (
    AccountSummary,
    Balance,
    Fill,
    MarketType,
    Order,
    Orderbook,
    OrderSide,
    OrderStatus,
    OrderType,
    Position,
    PositionSide,
    Product,
    Quote,
)

Record: TypeAlias = dict[str, object]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ZERO = Decimal(0)

STATE_WORDS = {
    OrderStatus.PENDING: "new",
    OrderStatus.OPEN: "working",
    OrderStatus.PARTIALLY_FILLED: "partial",
    OrderStatus.PENDING_CANCEL: "cancelling",
    OrderStatus.FILLED: "done",
    OrderStatus.CANCELLED: "cancelled",
    OrderStatus.EXPIRED: "expired",
    OrderStatus.REJECTED: "rejected",
    OrderStatus.REPLACED: "replaced",
}
KIND_WORDS = {
    OrderType.MARKET: "MKT",
    OrderType.LIMIT: "LMT",
    OrderType.STOP: "STP",
    OrderType.STOP_LIMIT: "STL",
}
SIDE_WORDS = {OrderSide.BUY: "B", OrderSide.SELL: "S"}


def code_of(product: Product) -> str:
    """Return Acme's code: a pair without its hyphen, a stock's own."""
    return product.symbol.replace("-", "") if product.base_currency else product.symbol


class Speaker:
    """Puts models into Acme's words.

    Args:
        codes: Acme's code of each product.
        skew: how far the venue's clock is off.
    """

    def __init__(self, codes: dict[str, str], skew: timedelta) -> None:
        """Know the codes and the time."""
        self._codes = codes
        self._skew = skew

    def moment(self, moment: datetime | None) -> int | None:
        """Return a moment as microseconds, as the venue's clock has it."""
        if moment is None:
            return None
        return (moment + self._skew - EPOCH) // timedelta(microseconds=1)

    def instrument(self, product: Product) -> Record:
        """Say what can be traded."""
        return {
            "code": code_of(product),
            "kind": "spot" if product.market_type is MarketType.SPOT else "stock",
            "base": product.base_currency,
            "quote": product.quote_currency,
            "tick": product.price_increment,
            "step": product.size_increment,
            "min_size": product.min_order_size,
            "max_size": product.max_order_size,
            "min_value": product.min_notional,
            "tradeable": product.tradeable,
        }

    def order(self, order: Order) -> Record:
        """Say how an order stands."""
        fee = order.fees[0] if order.fees else None
        return {
            "id": order.order_id,
            "ref": order.client_order_id,
            "code": self._codes[order.symbol],
            "side": SIDE_WORDS[order.side or OrderSide.BUY],
            "kind": KIND_WORDS[order.type],
            "size": order.quantity,
            "limit": order.price,
            "stop": order.stop_price,
            "tif": order.time_in_force.name,
            "until_us": self.moment(order.expires_at),
            "state": STATE_WORDS[order.status],
            "filled": order.filled_quantity,
            "average": order.average_fill_price,
            "fee": fee.amount if fee else ZERO,
            "fee_currency": fee.currency if fee else "USD",
            "reason": order.status_reason,
            "created_us": self.moment(order.timestamp),
            "updated_us": self.moment(order.updated_at),
        }

    def fill(self, fill: Fill) -> Record:
        """Say what was executed."""
        return {
            "id": fill.trade_id,
            "order": fill.order_id,
            "ref": fill.client_order_id,
            "code": self._codes[fill.symbol],
            "side": SIDE_WORDS[fill.side],
            "size": fill.quantity,
            "price": fill.price,
            "fee": fill.fee,
            "fee_currency": fill.fee_currency,
            "role": fill.liquidity.value if fill.liquidity else None,
            "time_us": self.moment(fill.timestamp),
            "corrects": fill.corrects,
            "busted": fill.busted,
        }

    def balance(self, balance: Balance) -> Record:
        """Say what is held of an asset."""
        return {
            "asset": balance.asset,
            "total": balance.total,
            "free": balance.total if balance.available is None else balance.available,
            "locked": balance.hold or ZERO,
        }

    def position(self, symbol: str, position: Position | None) -> Record:
        """Say how a product is held; zero is flat."""
        if position is None:
            return {"code": self._codes[symbol], "size": ZERO}
        is_long = position.side is PositionSide.LONG
        return {
            "code": self._codes[symbol],
            "size": position.quantity if is_long else position.quantity.copy_negate(),
            "entry": position.entry_price,
            "mark": position.current_price,
            "profit": position.unrealized_pnl,
            "value": position.market_value,
        }

    def account(self, account: AccountSummary, moment: datetime) -> Record:
        """Say the account's totals."""
        return {
            "account": account.account_id,
            "currency": account.currency,
            "equity": account.equity,
            "cash": account.cash,
            "buying_power": account.buying_power,
            "margin_used": account.margin_used,
            "time_us": self.moment(moment),
        }

    def ticker(self, quote: Quote) -> Record:
        """Say the best prices."""
        return {
            "code": self._codes[quote.symbol],
            "bid": quote.bid,
            "bid_size": quote.bid_size,
            "ask": quote.ask,
            "ask_size": quote.ask_size,
            "last": quote.last,
            "time_us": self.moment(quote.timestamp),
        }

    def book(self, book: Orderbook, depth: int, moment: datetime) -> Record:
        """Say the book, as deep as asked."""
        return {
            "code": self._codes[book.symbol],
            "bids": [(level.price, level.size) for level in book.bids[:depth]],
            "asks": [(level.price, level.size) for level in book.asks[:depth]],
            "time_us": self.moment(book.timestamp or moment),
        }
