"""Bodies in Coinbase's form, made up for these tests, and a transport that answers with them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeAlias
from urllib.parse import parse_qsl, urlsplit

from bot_v2.features.brokerages.coinbase.adapter import CoinbaseBrokerage
from bot_v2.features.brokerages.coinbase.exchange_adapter import CoinbaseExchangeBrokerage
from bot_v2.features.brokerages.coinbase.factory import class_for
from bot_v2.features.brokerages.coinbase.settings import read_settings
from bot_v2.features.brokerages.http.calls import Call, Reply, Request

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
API = "/api/v3/brokerage"
PORTFOLIO = "3f9a6f0e-0000-4000-8000-00000000aaaa"
PERPETUALS = "3f9a6f0e-0000-4000-8000-00000000bbbb"

# A key made for these tests alone: thirty-two bytes of an Ed25519 key.
ED25519 = "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA="

STANDING: dict[str, Any] = {
    "portfolios": [
        {
            "portfolio_uuid": PERPETUALS,
            "collateral": "50.5",
            "position_notional": "20.00",
            "portfolio_initial_margin": "0.1",
            "portfolio_im_notional": {"value": "20.00", "currency": "USDC"},
            "portfolio_maintenance_margin": "0.066",
            "portfolio_mm_notional": {"value": "1.4", "currency": "USDC"},
            "liquidation_buffer": "51.35",
            "total_balance": {"value": "52.75", "currency": "USDC"},
        }
    ],
    "summary": {
        "unrealized_pnl": {"value": "2.25", "currency": "USDC"},
        "buying_power": {"value": "32.75", "currency": "USDC"},
        "total_balance": {"value": "52.75", "currency": "USDC"},
        "max_withdrawal_amount": {"value": "30.5", "currency": "USDC"},
    },
}

BREAKDOWN: dict[str, Any] = {
    "breakdown": {
        "portfolio": {"uuid": PORTFOLIO, "name": "Main", "type": "DEFAULT", "deleted": False},
        "portfolio_balances": {
            "total_balance": {"value": "1250.50", "currency": "USD"},
            "total_cash_equivalent_balance": {"value": "1000", "currency": "USD"},
        },
    }
}

SPOT: dict[str, Any] = {
    "product_id": "BTC-USD",
    "price": "60000.5",
    "base_increment": "0.00000001",
    "quote_increment": "0.01",
    "price_increment": "0.01",
    "quote_min_size": "1",
    "base_min_size": "0.00000001",
    "base_max_size": "3400",
    "product_type": "SPOT",
    "product_venue": "CBE",
    "base_currency_id": "BTC",
    "quote_currency_id": "USD",
    "status": "online",
    "display_name": "BTC-USD",
}

PERPETUAL: dict[str, Any] = {
    **SPOT,
    "product_id": "ETH-PERP-INTX",
    "base_increment": "0.0001",
    "base_min_size": "0.0001",
    "product_type": "FUTURE",
    "product_venue": "INTX",
    "base_currency_id": "",
    "quote_currency_id": "USDC",
    "status": "",
    "display_name": "ETH PERP",
    "future_product_details": {
        "contract_code": "ETH",
        "contract_expiry": None,
        "contract_size": "1",
        "contract_root_unit": "ETH",
        "contract_expiry_type": "PERPETUAL",
    },
}

ORDER: dict[str, Any] = {
    "order_id": "0a0a0a0a-0000-4000-8000-000000000001",
    "product_id": "BTC-USD",
    "order_configuration": {
        "limit_limit_gtc": {"base_size": "0.5", "limit_price": "41000.10", "post_only": False}
    },
    "side": "BUY",
    "client_order_id": "mine-1",
    "status": "OPEN",
    "time_in_force": "GOOD_UNTIL_CANCELLED",
    "created_time": "2026-03-04T05:00:00.123456789Z",
    "last_update_time": "2026-03-04T05:00:01Z",
    "filled_size": "0",
    "average_filled_price": "0",
    "fee": "",
    "total_fees": "0",
    "pending_cancel": False,
    "order_type": "LIMIT",
    "reject_reason": "REJECT_REASON_UNSPECIFIED",
    "reject_message": "",
    "cancel_message": "",
    "leverage": "",
}

FILL: dict[str, Any] = {
    "entry_id": "entry-1",
    "trade_id": "trade-1",
    "order_id": ORDER["order_id"],
    "trade_time": "2026-03-04T05:00:02.999999999Z",
    "trade_type": "FILL",
    "price": "41000.10",
    "size": "0.25",
    "commission": "61.50",
    "product_id": "BTC-USD",
    "liquidity_indicator": "MAKER",
    "size_in_quote": False,
    "side": "BUY",
}

PERMISSIONS = {
    "can_view": True,
    "can_trade": True,
    "portfolio_uuid": PORTFOLIO,
    "portfolio_type": "DEFAULT",
}

Answer: TypeAlias = Any
"""A body, a (status, body), or a function of the request that returns either."""


class Sent:
    """A request that was sent."""

    def __init__(self, call: Call, request: Request) -> None:
        """Take it apart."""
        parts = urlsplit(request.url)
        self.call, self.method, self.path = call, request.method, parts.path
        self.query = parse_qsl(parts.query)
        self.headers = dict(request.headers)
        self.body: Any = json.loads(request.body) if request.body else None


class FakeTransport:
    """Answers by method and path; notes what was sent."""

    def __init__(self, answers: Mapping[str, Answer]) -> None:
        """Know the answers: `METHOD /path`, without the query."""
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
        request = Request(method=method, url=url, headers=headers or {}, body=body)
        sent = Sent(call, request)
        self.sent.append(sent)
        answer = self.answers[f"{method} {sent.path}"]
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


ANSWERS: dict[str, Answer] = {
    f"GET {API}/key_permissions": PERMISSIONS,
    f"GET {API}/products": {"products": [SPOT], "num_products": 1},
    f"GET {API}/portfolios": {
        "portfolios": [
            {"uuid": PORTFOLIO, "name": "Main", "type": "DEFAULT", "deleted": False},
            {"uuid": PERPETUALS, "name": "Perps", "type": "INTX", "deleted": False},
        ]
    },
    f"GET {API}/orders/historical/batch": {"orders": [ORDER], "has_next": False, "cursor": ""},
    f"GET {API}/orders/historical/{ORDER['order_id']}": {"order": ORDER},
}

CREDENTIALS = {"cdp_api_key": "organizations/o/apiKeys/k", "cdp_private_key": ED25519}


def brokerage(
    answers: Mapping[str, Answer], *, clock: Callable[[], datetime] = lambda: NOW, **given: object
) -> tuple[CoinbaseBrokerage, FakeTransport]:
    """Return a connected brokerage on Advanced Trade, and what answers it."""
    transport: Any = FakeTransport({**ANSWERS, **answers})
    settings = read_settings({**CREDENTIALS, **given}, {})
    kind = class_for(settings)
    assert issubclass(kind, CoinbaseBrokerage)
    broker = kind(
        settings, clock=clock, ids=lambda: "made-id", nonces=lambda: "n", transport=transport
    )
    broker.connect()
    transport.sent.clear()
    return broker, transport


EXCHANGE_ACCOUNT = {
    "id": "a",
    "currency": "USD",
    "balance": "10.0000000000000000",
    "available": "8",
    "hold": "2.0000000000000000",
    "profile_id": "the-profile",
}

EXCHANGE_PRODUCT = {
    "id": "BTC-USD",
    "base_currency": "BTC",
    "quote_currency": "USD",
    "quote_increment": "0.01",
    "base_increment": "0.00000001",
    "min_market_funds": "1",
    "status": "online",
}

EXCHANGE_ORDER = {
    "id": "e0",
    "price": "10.00000000",
    "size": "1.00000000",
    "product_id": "BTC-USD",
    "side": "buy",
    "type": "limit",
    "time_in_force": "GTC",
    "post_only": True,
    "created_at": "2026-03-04T05:00:00.622052Z",
    "fill_fees": "0.0000000000000000",
    "filled_size": "0.00000000",
    "executed_value": "0.0000000000000000",
    "status": "open",
    "settled": False,
    "client_oid": "00112233-4455-6677-8899-aabbccddeeff",
}


def exchange(answers: Mapping[str, Answer]) -> tuple[CoinbaseExchangeBrokerage, FakeTransport]:
    """Return a connected brokerage on the Exchange API, and what answers it."""
    known: dict[str, Answer] = {
        "GET /accounts": [EXCHANGE_ACCOUNT],
        "GET /products": [EXCHANGE_PRODUCT],
    }
    transport: Any = FakeTransport({**known, **answers})
    given = {
        "api_mode": "exchange",
        "api_key": "key",
        "api_secret": "c2VjcmV0",
        "api_passphrase": "pass",
    }
    broker = CoinbaseExchangeBrokerage(
        read_settings(given, {}), clock=lambda: NOW, transport=transport
    )
    broker.connect()
    transport.sent.clear()
    return broker, transport
