"""Calls of the simulated Alpaca without a socket."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

from bot_v2.venues.alpaca.dialect import ApiKey
from bot_v2.venues.alpaca.venue import AlpacaVenue
from bot_v2.venues.dispatch import Served
from bot_v2.venues.requests import ApiRequest

SATURDAY = datetime(2026, 3, 7, 15, 0, tzinfo=UTC)
MONDAY_MORNING = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
"""Ten o'clock in New York: the session is on."""
MONDAY_NIGHT = datetime(2026, 3, 2, 23, 0, tzinfo=UTC)
"""Six in the evening in New York: after hours."""


class StoppedClock:
    """A clock that a test sets."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        """Return the moment that was set; each call is a little later, as on a real clock."""
        self.now += timedelta(microseconds=1)
        return self.now


def served(
    venue: AlpacaVenue,
    method: str,
    target: str,
    body: object = None,
    key: ApiKey | None = None,
) -> Served:
    """Call the venue; return what it would send."""
    who = key or venue.api_key
    path, _, query = target.partition("?")
    found = venue.answer(
        ApiRequest(
            method=method,
            path=path,
            target=target,
            host="paper-api.alpaca.markets",
            query=tuple(parse_qsl(query)),
            headers={"apca-api-key-id": who.key, "apca-api-secret-key": who.secret},
            content=b"" if body is None else json.dumps(body).encode(),
        )
    )
    assert found is not None
    return found


def call(venue: AlpacaVenue, method: str, target: str, body: object = None) -> tuple[int, Any]:
    """Call the venue; return the status and the decoded body, None of an empty one."""
    found = served(venue, method, target, body)
    return found.status, json.loads(found.content) if found.content else None


def read(venue: AlpacaVenue, target: str) -> Any:
    """Return what a read says; it has to succeed."""
    status, said = call(venue, "GET", target)
    assert status == 200, said
    return said


def terms(**changed: Any) -> dict[str, Any]:
    """Return a placement: to buy ten shares at a price far below the market, for the day."""
    said = {
        "symbol": "AAPL",
        "qty": "10",
        "side": "buy",
        "type": "limit",
        "limit_price": "150",
        "time_in_force": "day",
        **changed,
    }
    return {name: value for name, value in said.items() if value is not None}


def market(**changed: Any) -> dict[str, Any]:
    """Return a placement of a market order for ten shares."""
    return terms(type="market", limit_price=None, **changed)


def place(venue: AlpacaVenue, body: dict[str, Any]) -> Any:
    """Place an order that has to be taken; return it as the answer tells it."""
    status, said = call(venue, "POST", "/v2/orders", body)
    assert status == 200, said
    return said


def order(venue: AlpacaVenue, order_id: str) -> Any:
    """Return how an order stands."""
    return read(venue, f"/v2/orders/{order_id}")


def refusal(venue: AlpacaVenue, body: dict[str, Any]) -> tuple[int, int, str]:
    """Return the status, the code and the message with which a placement is refused."""
    status, said = call(venue, "POST", "/v2/orders", body)
    assert status >= 400, said
    return status, said["code"], said["message"]


def contract(venue: AlpacaVenue, right: str = "call", place_: int = 0) -> str:
    """Return an option contract on AAPL of the first expiration; lower strikes come first."""
    target = f"/v2/options/contracts?underlying_symbols=AAPL&type={right}&limit=5"
    listed = read(venue, f"{target}&expiration_date_lte=2099-01-01")["option_contracts"]
    return str(listed[place_]["symbol"])
