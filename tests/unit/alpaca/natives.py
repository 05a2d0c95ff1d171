"""Bodies in Alpaca's form, made up for these tests, and a transport that answers with them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeAlias
from urllib.parse import parse_qsl, unquote, urlsplit

from bot_v2.features.brokerages.alpaca.adapter import AlpacaBrokerage
from bot_v2.features.brokerages.alpaca.settings import read_settings
from bot_v2.features.brokerages.http.calls import Call, Reply, Request

NOW = datetime(2026, 3, 4, 15, 6, 7, tzinfo=UTC)
ACCOUNT_ID = "11111111-0000-4000-8000-00000000aaaa"
STOCK_ID = "22222222-0000-4000-8000-00000000aaaa"
COIN_ID = "33333333-0000-4000-8000-00000000aaaa"
OPTION_ID = "44444444-0000-4000-8000-00000000aaaa"
ORDER_ID = "55555555-0000-4000-8000-00000000aaaa"
OPTION = "ACME260417C00152500"
OPTION_SYMBOL = "ACME-20260417-152.5-C"

ACCOUNT: dict[str, Any] = {
    "id": ACCOUNT_ID,
    "account_number": "PA0000000001",
    "status": "ACTIVE",
    "currency": "USD",
    "cash": "1000.10",
    "equity": "5000.5",
    "buying_power": "2000.2",
    "initial_margin": "1250.125",
    "maintenance_margin": "700",
    "multiplier": "2",
    "shorting_enabled": True,
}

STOCK: dict[str, Any] = {
    "id": STOCK_ID,
    "class": "us_equity",
    "exchange": "NASDAQ",
    "symbol": "ACME",
    "name": "Acme Anvils Inc",
    "status": "active",
    "tradable": True,
    "marginable": True,
    "shortable": True,
    "easy_to_borrow": True,
    "fractionable": True,
    "maintenance_margin_requirement": 30,
}

COIN: dict[str, Any] = {
    "id": COIN_ID,
    "class": "crypto",
    "exchange": "CRYPTO",
    "symbol": "XYZ/USD",
    "name": "Xyz / US Dollar",
    "status": "active",
    "tradable": True,
    "fractionable": True,
    "min_order_size": "0.0001",
    "min_trade_increment": "0.0001",
    "price_increment": "0.5",
}

CONTRACT: dict[str, Any] = {
    "id": OPTION_ID,
    "symbol": OPTION,
    "name": "ACME Apr 17 2026 152.5 Call",
    "status": "active",
    "tradable": True,
    "expiration_date": "2026-04-17",
    "root_symbol": "ACME",
    "underlying_symbol": "ACME",
    "type": "call",
    "style": "american",
    "strike_price": "152.5",
    "size": "100",
    "open_interest": "41",
}

ORDER: dict[str, Any] = {
    "id": ORDER_ID,
    "client_order_id": "mine-1",
    "created_at": "2026-03-04T15:00:00.1Z",
    "updated_at": "2026-03-04T15:00:02.25Z",
    "submitted_at": "2026-03-04T15:00:00.123456789Z",
    "filled_at": None,
    "replaced_by": None,
    "replaces": None,
    "asset_id": STOCK_ID,
    "symbol": "ACME",
    "asset_class": "us_equity",
    "notional": None,
    "qty": "10.50",
    "filled_qty": "0",
    "filled_avg_price": None,
    "order_class": "",
    "order_type": "limit",
    "type": "limit",
    "side": "buy",
    "time_in_force": "day",
    "limit_price": "107.00",
    "stop_price": None,
    "status": "new",
    "extended_hours": False,
    "legs": None,
    "trail_percent": None,
    "trail_price": None,
    "hwm": None,
}

POSITION: dict[str, Any] = {
    "asset_id": STOCK_ID,
    "symbol": "ACME",
    "asset_class": "us_equity",
    "avg_entry_price": "100.25",
    "qty": "5",
    "qty_available": "4",
    "side": "long",
    "market_value": "600.0",
    "unrealized_pl": "98.75",
    "current_price": "120.0",
}

COINS: dict[str, Any] = {
    **POSITION,
    "asset_id": COIN_ID,
    "symbol": "XYZUSD",
    "asset_class": "crypto",
    "qty": "2.5",
    "qty_available": "2",
}

FILL: dict[str, Any] = {
    "activity_type": "FILL",
    "id": "20260304100000000::66666666-0000-4000-8000-00000000aaaa",
    "price": "1.63",
    "qty": "1.5",
    "side": "sell_short",
    "symbol": "ACME",
    "transaction_time": "2026-03-04T15:00:00.5Z",
    "order_id": ORDER_ID,
    "type": "fill",
}

SNAPSHOT: dict[str, Any] = {
    "latestTrade": {"t": "2026-03-04T15:06:00Z", "p": 107.10, "s": 3, "i": 71},
    "latestQuote": {
        "t": "2026-03-04T15:06:01Z",
        "bp": 107.05,
        "bs": 2,
        "ap": 107.15,
        "as": 4,
    },
}


class Sent:
    """A request that was sent."""

    def __init__(self, call: Call, request: Request) -> None:
        """Take it apart."""
        parts = urlsplit(request.url)
        self.call = call
        self.method = request.method
        self.host = parts.netloc
        self.path = unquote(parts.path)
        self.query = dict(parse_qsl(parts.query))
        self.headers = request.headers
        self.raw = request.body or b""

    @property
    def body(self) -> dict[str, Any]:
        """The body, read."""
        read: dict[str, Any] = json.loads(self.raw)
        return read


Answer: TypeAlias = Any
"""A body, or bytes, or a status with one of them, or a function of what was sent."""


class FakeTransport:
    """Answers by method and path, and keeps what was sent."""

    def __init__(self, answers: Mapping[str, Answer]) -> None:
        """Take the answers."""
        self.answers = dict(answers)
        self.sent: list[Sent] = []

    def send(
        self,
        call: Call,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        timeout_s: float | None = None,
    ) -> Reply:
        """Answer."""
        assert timeout_s
        request = Request(method=method, url=url, headers=headers or {}, body=body)
        sent = Sent(call, request)
        self.sent.append(sent)
        answer = self.answers.get(f"{method} {sent.path}", NOT_FOUND)
        if callable(answer):
            answer = answer(sent)
        status, content = answer if isinstance(answer, tuple) else (200, answer)
        raw = content if isinstance(content, bytes) else json.dumps(content).encode()
        return Reply(
            status=status,
            reason="",
            headers={},
            body=raw,
            elapsed_s=0.001,
            request_id=None,
            retry_after_s=None,
            request=request,
        )

    def close(self) -> None:
        """Nothing is open."""

    def count(self, method: str, path: str) -> int:
        """Return how often that was sent."""
        return sum(one.method == method and one.path == path for one in self.sent)


NOT_FOUND: Answer = (404, {"code": 40410000, "message": "not found"})


ASSETS = (STOCK, COIN)


def assets(sent: Sent) -> object:
    """Answer the list of assets of a class."""
    return [STOCK] if sent.query["asset_class"] == "us_equity" else [COIN]


ANSWERS: dict[str, Answer] = {
    "GET /v2/account": ACCOUNT,
    "GET /v2/assets": assets,
    "GET /v2/assets/ACME": STOCK,
    f"GET /v2/options/contracts/{OPTION}": CONTRACT,
    "GET /v2/orders": [ORDER],
    f"GET /v2/orders/{ORDER_ID}": ORDER,
    "GET /v2/positions": [POSITION, COINS],
}

CREDENTIALS = {"api_key": "PKMADEUP0000000000AA", "secret_key": "made-up-secret"}


def unconnected(
    answers: Mapping[str, Answer], *, clock: Callable[[], datetime] = lambda: NOW, **given: object
) -> tuple[AlpacaBrokerage, FakeTransport]:
    """Return a brokerage that is not connected, and what answers it."""
    transport: Any = FakeTransport({**ANSWERS, **answers})
    settings = read_settings({**CREDENTIALS, **given}, {})
    broker = AlpacaBrokerage(settings, clock=clock, ids=lambda: "made-id", transport=transport)
    return broker, transport


def brokerage(
    answers: Mapping[str, Answer], *, clock: Callable[[], datetime] = lambda: NOW, **given: object
) -> tuple[AlpacaBrokerage, FakeTransport]:
    """Return a connected brokerage, and what answers it."""
    broker, transport = unconnected(answers, clock=clock, **given)
    broker.connect()
    transport.sent.clear()
    return broker, transport
