"""Answers of the Trading API, made here after the schemas that Alpaca documents."""

from __future__ import annotations

import json
import random
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

ORDERS = 1_000
SYMBOLS = ("AAPL", "SPY", "TSLA", "MSFT", "BRK.B")
START = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)
STATUSES = ("filled", "filled", "new", "canceled")

ACCOUNT = b'{"id":"00000000-0000-4000-8000-000000000000","status":"ACTIVE","currency":"USD"}'
ASSET = (
    b'{"id":"00000000-0000-4000-8000-000000000001","class":"us_equity","exchange":"NASDAQ",'
    b'"symbol":"AAPL","name":"Apple","status":"active","tradable":true,"fractionable":true}'
)


def _moment(number: int) -> str:
    moment = START + timedelta(seconds=37 * number, microseconds=947_031 * number % 1_000_000)
    return moment.isoformat().replace("+00:00", "Z")


def _id(source: random.Random) -> str:
    return str(uuid.UUID(int=source.getrandbits(128), version=4))


def order(source: random.Random, number: int) -> dict[str, Any]:
    """An order as the reference describes it: two limit orders to one at the market."""
    quantity = source.randrange(1, 5_000)
    price = f"{source.randrange(100, 90_000) / 100:.2f}"
    status = STATUSES[number % len(STATUSES)]
    is_filled, is_limit = status == "filled", number % 3 != 0
    return {
        "id": _id(source),
        "client_order_id": _id(source),
        "created_at": _moment(number),
        "updated_at": _moment(number + 3),
        "submitted_at": _moment(number),
        "filled_at": _moment(number + 3) if is_filled else None,
        "expired_at": None,
        "canceled_at": _moment(number + 3) if status == "canceled" else None,
        "failed_at": None,
        "replaced_at": None,
        "replaced_by": None,
        "replaces": None,
        "asset_id": _id(source),
        "symbol": SYMBOLS[number % len(SYMBOLS)],
        "asset_class": "us_equity",
        "notional": None,
        "qty": str(quantity),
        "filled_qty": str(quantity) if is_filled else "0",
        "filled_avg_price": price if is_filled else None,
        "order_class": "",
        "order_type": "limit" if is_limit else "market",
        "type": "limit" if is_limit else "market",
        "side": "buy" if number % 2 else "sell",
        "position_intent": "buy_to_open" if number % 2 else "sell_to_close",
        "time_in_force": "day",
        "limit_price": price if is_limit else None,
        "stop_price": None,
        "status": status,
        "extended_hours": False,
        "legs": None,
        "trail_percent": None,
        "trail_price": None,
        "hwm": None,
        "subtag": None,
        "source": None,
        "expires_at": _moment(number + 9),
    }


def orders_page() -> bytes:
    """A list of orders."""
    source = random.Random(1)
    page = [order(source, number) for number in range(ORDERS)]
    return json.dumps(page, separators=(",", ":")).encode()


def placed() -> bytes:
    """The answer to a placement."""
    taken = order(random.Random(2), 2)
    return json.dumps({**taken, "symbol": "AAPL"}, separators=(",", ":")).encode()
