"""Answers of Advanced Trade, made here after the schemas that Coinbase documents."""

from __future__ import annotations

import json
import random
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

ORDERS = 1_000
LEVELS = 500
PRODUCTS = ("BTC-USD", "ETH-USD", "SOL-USD", "LTC-BTC", "DOGE-USDC")
START = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
STATUSES = ("FILLED", "FILLED", "OPEN", "CANCELLED")


def _moment(number: int) -> str:
    moment = START + timedelta(seconds=37 * number, microseconds=947_031 * number % 1_000_000)
    return moment.isoformat().replace("+00:00", "Z")


def _id(source: random.Random) -> str:
    return str(uuid.UUID(int=source.getrandbits(128), version=4))


def order(source: random.Random, number: int) -> dict[str, Any]:
    """An order as `List Orders` describes it: two limit orders to one at the market."""
    size = source.randrange(100_000, 900_000_000)
    price = source.randrange(100, 9_000_000)
    status = STATUSES[number % len(STATUSES)]
    filled = size if status == "FILLED" else 0
    is_limit = number % 3 != 0
    base_size, limit_price = f"{size / 10**8:.8f}", f"{price / 100:.2f}"
    value = f"{filled * price / 10**10:.10f}"
    fee = f"{filled * price / 10**10 * 0.004:.16f}" if filled else "0"
    limit = {"base_size": base_size, "limit_price": limit_price, "post_only": number % 2 == 0}
    return {
        "order_id": _id(source),
        "product_id": PRODUCTS[number % len(PRODUCTS)],
        "user_id": "5b3c9d2e-0000-5000-8000-1f2e3d4c5b6a",
        "order_configuration": (
            {"limit_limit_gtc": limit}
            if is_limit
            else {"market_market_ioc": {"base_size": base_size}}
        ),
        "side": "BUY" if number % 2 else "SELL",
        "client_order_id": _id(source),
        "status": status,
        "time_in_force": "GOOD_UNTIL_CANCELLED" if is_limit else "IMMEDIATE_OR_CANCEL",
        "created_time": _moment(number),
        "completion_percentage": "100" if filled else "0",
        "filled_size": f"{filled / 10**8:.8f}" if filled else "0",
        "average_filled_price": limit_price if filled else "0",
        "fee": "",
        "number_of_fills": "3" if filled else "0",
        "filled_value": value if filled else "0",
        "pending_cancel": False,
        "size_in_quote": False,
        "total_fees": fee,
        "size_inclusive_of_fees": False,
        "total_value_after_fees": value if filled else "0",
        "trigger_status": "INVALID_ORDER_TYPE",
        "order_type": "LIMIT" if is_limit else "MARKET",
        "reject_reason": "REJECT_REASON_UNSPECIFIED",
        "settled": bool(filled),
        "product_type": "SPOT",
        "reject_message": "",
        "cancel_message": "User requested cancel" if status == "CANCELLED" else "",
        "order_placement_source": "RETAIL_ADVANCED",
        "outstanding_hold_amount": "0",
        "is_liquidation": False,
        "last_fill_time": _moment(number + 2) if filled else None,
        "edit_history": [],
        "leverage": "",
        "margin_type": "UNKNOWN_MARGIN_TYPE",
        "retail_portfolio_id": "8a1f0c77-0000-5000-8000-6d5c4b3a2f1e",
        "originating_order_id": "",
        "attached_order_id": "",
        "attached_order_configuration": None,
        "current_pending_replace": None,
        "last_update_time": _moment(number + 3),
    }


def orders_page() -> bytes:
    """A page of orders."""
    source = random.Random(1)
    page = {
        "orders": [order(source, number) for number in range(ORDERS)],
        "sequence": "0",
        "has_next": False,
        "cursor": "",
    }
    return json.dumps(page, separators=(",", ":")).encode()


def product_book() -> bytes:
    """A book of 500 prices on either side."""
    source = random.Random(2)

    def levels(direction: int) -> list[dict[str, str]]:
        prices = (6_000_000 + direction * (1 + 3 * place) for place in range(LEVELS))
        return [
            {"price": f"{price / 100:.2f}", "size": f"{source.randrange(1, 10**9) / 10**8:.8f}"}
            for price in prices
        ]

    book = {
        "product_id": "BTC-USD",
        "bids": levels(-1),
        "asks": levels(1),
        "time": _moment(0),
    }
    told = {"pricebook": book, "last": "60000.00", "mid_market": "60000.00", "spread_bps": "0.003"}
    return json.dumps(told, separators=(",", ":")).encode()


def product(product_id: str) -> dict[str, Any]:
    """A product as `List Products` describes it."""
    base, quote = product_id.split("-")
    return {
        "product_id": product_id,
        "price": "60000",
        "price_percentage_change_24h": "1.25",
        "volume_24h": "12345.6789",
        "volume_percentage_change_24h": "-3.5",
        "base_increment": "0.00000001",
        "quote_increment": "0.01",
        "quote_min_size": "1",
        "quote_max_size": "150000000",
        "base_min_size": "0.00000001",
        "base_max_size": "3400",
        "base_name": base,
        "quote_name": quote,
        "watched": False,
        "is_disabled": False,
        "new": False,
        "status": "online",
        "cancel_only": False,
        "limit_only": False,
        "post_only": False,
        "trading_disabled": False,
        "auction_mode": False,
        "product_type": "SPOT",
        "quote_currency_id": quote,
        "base_currency_id": base,
        "fcm_trading_session_details": None,
        "mid_market_price": "",
        "alias": "",
        "alias_to": [],
        "base_display_symbol": base,
        "quote_display_symbol": quote,
        "view_only": False,
        "price_increment": "0.01",
        "display_name": product_id,
        "product_venue": "CBE",
    }


def products_page() -> bytes:
    """The products that the orders are of."""
    page = {"products": [product(one) for one in PRODUCTS], "num_products": len(PRODUCTS)}
    return json.dumps(page).encode()
