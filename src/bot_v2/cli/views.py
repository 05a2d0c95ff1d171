"""How each model looks as a table: headings, and what stands under them."""

from __future__ import annotations

from typing import Final

from bot_v2.cli.output import Column, Output
from bot_v2.features.brokerages.core.orderbook import Orderbook
from bot_v2.features.brokerages.core.orders import Order

PRODUCTS: Final[tuple[Column, ...]] = (
    ("symbol", lambda product: product.symbol),
    ("market", lambda product: product.market_type),
    ("quote", lambda product: product.quote_currency),
    ("price step", lambda product: product.price_increment),
    ("size step", lambda product: product.size_increment),
    ("least size", lambda product: product.min_order_size),
    ("least value", lambda product: product.min_notional),
    ("tradeable", lambda product: product.tradeable),
    ("name", lambda product: product.name),
)

ORDERS: Final[tuple[Column, ...]] = (
    ("order id", lambda order: order.order_id),
    ("client order id", lambda order: order.client_order_id),
    ("time", lambda order: order.timestamp),
    ("symbol", lambda order: order.symbol),
    ("side", lambda order: order.side),
    ("type", lambda order: order.type),
    ("quantity", lambda order: order.quantity if order.quantity is not None else order.notional),
    ("price", lambda order: order.price),
    ("stop", lambda order: order.stop_price),
    ("tif", lambda order: order.time_in_force),
    ("status", lambda order: order.status),
    ("filled", lambda order: order.filled_quantity),
    ("average", lambda order: order.average_fill_price),
)

ORDERS_IN_SHORT: Final[tuple[Column, ...]] = (
    ("order", lambda order: order.order_id),
    ("client id", lambda order: order.client_order_id),
    ("side", lambda order: order.side),
    ("type", lambda order: order.type),
    ("quantity", lambda order: order.quantity if order.quantity is not None else order.notional),
    ("price", lambda order: order.price if order.price is not None else order.stop_price),
    ("status", lambda order: order.status),
    ("filled", lambda order: order.filled_quantity),
)
"""Orders in 80 columns of text; the price is the limit or, where there is none, the trigger."""

FILLS: Final[tuple[Column, ...]] = (
    ("trade", lambda fill: fill.trade_id),
    ("order", lambda fill: fill.order_id),
    ("symbol", lambda fill: fill.symbol),
    ("side", lambda fill: fill.side),
    ("quantity", lambda fill: fill.quantity),
    ("price", lambda fill: fill.price),
    ("fee", lambda fill: fill.fee),
    ("liquidity", lambda fill: fill.liquidity),
)

POSITIONS: Final[tuple[Column, ...]] = (
    ("symbol", lambda position: position.symbol),
    ("bucket", lambda position: position.bucket or None),
    ("side", lambda position: position.side),
    ("quantity", lambda position: position.quantity),
    ("entry", lambda position: position.entry_price),
    ("current", lambda position: position.current_price),
    ("value", lambda position: position.market_value),
    ("unrealized", lambda position: position.unrealized_pnl),
)

BALANCES: Final[tuple[Column, ...]] = (
    ("asset", lambda balance: balance.asset),
    ("wallet", lambda balance: balance.wallet or None),
    ("total", lambda balance: balance.total),
    ("available", lambda balance: balance.available),
    ("on hold", lambda balance: balance.hold),
)

LEVELS: Final[tuple[Column, ...]] = (
    ("side", lambda row: row[0]),
    ("price", lambda row: row[1].price),
    ("size", lambda row: row[1].size),
)


def show_order(output: Output, order: Order) -> None:
    """Print all that is known of one order."""
    output.facts(
        f"order {order.order_id}",
        [
            ("client order id", order.client_order_id),
            ("status", order.status),
            ("native status", order.native_status),
            ("reason", order.status_reason),
            ("symbol", order.symbol),
            ("side", order.side),
            ("type", order.type),
            ("quantity", order.quantity),
            ("notional", order.notional),
            ("price", order.price),
            ("stop price", order.stop_price),
            ("time in force", order.time_in_force),
            ("expires at", order.expires_at),
            ("filled", order.filled_quantity),
            ("average price", order.average_fill_price),
            *((f"fee in {fee.currency}", fee.amount) for fee in order.fees or ()),
            ("placed", order.timestamp),
            ("updated", order.updated_at),
            ("replaces", order.replaces),
            ("replaced by", order.replaced_by),
            ("parent order", order.parent_order_id),
            ("group", order.group_id),
            ("account", order.account_id),
        ],
    )


def show_book(output: Output, book: Orderbook, depth: int) -> None:
    """Print a book as it hangs: asks from above, bids below, the best in the middle."""
    asks = [("ask", level) for level in book.asks[:depth]]
    bids = [("bid", level) for level in book.bids[:depth]]
    output.table(book.symbol, LEVELS, [*reversed(asks), *bids], "the book is empty")
