"""Calls of a venue without a socket, signed as its clients sign."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from coinbase.jwt_generator import build_rest_jwt

from bot_v2.venues.coinbase.exchange_venue import CoinbaseExchangeVenue
from bot_v2.venues.coinbase.keys import ApiKey
from bot_v2.venues.coinbase.venue import CoinbaseVenue
from bot_v2.venues.requests import ApiRequest
from bot_v2.venues.venue import Venue

HOST = "api.coinbase.com"
API = "/api/v3/brokerage"
START = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def send(
    venue: Venue, method: str, target: str, headers: dict[str, str], content: bytes
) -> tuple[int, Any]:
    """Return the status and the decoded body of an answer; a text stays one."""
    path, _, query = target.partition("?")
    served = venue.answer(
        ApiRequest(
            method=method,
            path=path,
            target=target,
            host=HOST,
            query=tuple(parse_qsl(query)),
            headers=headers,
            content=content,
        )
    )
    assert served is not None
    if served.content_type.startswith("text/"):
        return served.status, served.content.decode()
    return served.status, json.loads(served.content)


def call(
    venue: CoinbaseVenue,
    method: str,
    target: str,
    body: object = None,
    key: ApiKey | None = None,
) -> tuple[int, Any]:
    """Call Advanced Trade, signed by the official client's own generator."""
    signer = key or venue.api_key
    path = API + target.partition("?")[0]
    token = build_rest_jwt(f"{method} {HOST}{path}", signer.name, signer.secret)
    content = b"{}" if body is None else json.dumps(body).encode()
    return send(venue, method, API + target, {"authorization": f"Bearer {token}"}, content)


def read(venue: CoinbaseVenue, target: str) -> Any:
    """Return what a read of Advanced Trade says; it has to succeed."""
    status, said = call(venue, "GET", target)
    assert status == 200, said
    return said


def place(venue: CoinbaseVenue, client_order_id: str, **terms: Any) -> Any:
    """Place an order, in BTC-USD, and to buy, unless the terms say otherwise."""
    body = {"client_order_id": client_order_id, "product_id": "BTC-USD", "side": "BUY", **terms}
    status, said = call(venue, "POST", "/orders", body)
    assert status == 200, said
    return said


def limit(size: str = "0.1", price: str = "50000", **more: Any) -> dict[str, Any]:
    """Return the configuration of a GTC limit order; unless said otherwise it waits."""
    return {"limit_limit_gtc": {"base_size": size, "limit_price": price, **more}}


def order_of(venue: CoinbaseVenue, placed: Any) -> Any:
    """Return how an order stands that was placed."""
    assert placed["success"], placed
    return read(venue, f"/orders/historical/{placed['success_response']['order_id']}")["order"]


def exchange_call(
    venue: CoinbaseExchangeVenue,
    method: str,
    target: str,
    body: object = None,
    *,
    at_s: float | None = None,
    changed: Mapping[str, str] | None = None,
) -> tuple[int, Any]:
    """Call the Exchange API; `changed` spoils one of its headers."""
    key = venue.api_key
    content = b"" if body is None else json.dumps(body).encode()
    stamp = str(datetime.now(UTC).timestamp() if at_s is None else at_s)
    message = f"{stamp}{method}{target}".encode() + content
    digest = hmac.new(base64.b64decode(key.secret), message, hashlib.sha256).digest()
    headers = {
        "cb-access-key": key.key,
        "cb-access-sign": base64.b64encode(digest).decode(),
        "cb-access-timestamp": stamp,
        "cb-access-passphrase": key.passphrase,
    }
    headers |= {f"cb-access-{name}": value for name, value in (changed or {}).items()}
    return send(venue, method, target, headers, content)
