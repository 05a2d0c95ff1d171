"""The simulated Exchange API: who is let in, orders, pages, and how it says no."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from bot_v2.venues.coinbase.exchange_venue import CoinbaseExchangeVenue
from tests.unit.venues.callers import exchange_call, send

D = Decimal

MINE = UUID("00112233-4455-6677-8899-aabbccddeeff")


def order(**changed: Any) -> dict[str, Any]:
    """Return a limit order that waits, but for what is changed."""
    return {
        "type": "limit",
        "side": "buy",
        "product_id": "BTC-USD",
        "price": "50000",
        "size": "0.1",
        **changed,
    }


def place(exchange: CoinbaseExchangeVenue, **changed: Any) -> Any:
    """Place an order; it has to be taken."""
    status, said = exchange_call(exchange, "POST", "/orders", order(**changed))
    assert status == 200, said
    return said


SPOILT = (
    ({"key": "someone"}, "Invalid API Key"),
    ({"passphrase": "wrong"}, "Invalid Passphrase"),
    ({"sign": "AAAA"}, "invalid signature"),
    ({"sign": ""}, "CB-ACCESS-SIGN header is required"),
    ({"timestamp": "1"}, "request timestamp expired"),
    ({"timestamp": "NaN"}, "request timestamp expired"),
)


@pytest.mark.parametrize(("changed", "message"), SPOILT)
def test_who_signs_wrongly_is_not_let_in(
    exchange: CoinbaseExchangeVenue, changed: dict[str, str], message: str
) -> None:
    """Key, passphrase, time and signature are checked, and the answer says which was wrong."""
    assert exchange_call(exchange, "GET", "/accounts")[0] == 200
    status, said = exchange_call(exchange, "GET", "/accounts", changed=changed)
    assert (status in (400, 401), said) == (True, {"message": message})


def test_a_signature_covers_time_method_target_and_body(exchange: CoinbaseExchangeVenue) -> None:
    """A request signed half a minute ago, or for another target, is refused."""
    now = datetime.now(UTC).timestamp()
    assert exchange_call(exchange, "GET", "/accounts", at_s=now - 25)[0] == 200
    assert exchange_call(exchange, "GET", "/accounts", at_s=now - 40)[0] == 400
    signed = exchange.request_log()
    assert [one.status for one in signed] == [200, 400]
    status, said = send(exchange, "GET", "/products/BTC-USD", {}, b"")
    assert (status, said["id"]) == (200, "BTC-USD")


def test_an_order_lives_and_dies(exchange: CoinbaseExchangeVenue) -> None:
    """Open, found by either id, cancelled, and then done for ever."""
    placed = place(exchange, client_oid=MINE.hex)
    assert (placed["status"], placed["size"], placed["price"]) == (
        "open",
        "0.10000000",
        "50000.00000000",
    )
    assert placed["client_oid"] == str(MINE)
    for told in (MINE, MINE.hex):
        assert exchange_call(exchange, "GET", f"/orders/client:{told}") == (200, placed)
    assert exchange_call(exchange, "DELETE", f"/orders/{placed['id']}") == (200, placed["id"])
    _, said = exchange_call(exchange, "GET", f"/orders/{placed['id']}")
    assert (said["status"], said["done_reason"], said["settled"]) == ("done", "canceled", False)
    again = exchange_call(exchange, "DELETE", f"/orders/{placed['id']}")
    assert again == (400, {"message": "Order already done"})
    never = exchange_call(exchange, "DELETE", "/orders/never")
    assert never == (404, {"message": "order not found"})


def test_a_used_client_oid_is_taken_again(exchange: CoinbaseExchangeVenue) -> None:
    """It is a tag: a second order is made, and found by it from then on."""
    first, second = (place(exchange, client_oid=str(MINE)) for _ in range(2))
    assert first["id"] != second["id"]
    assert exchange_call(exchange, "GET", f"/orders/client:{MINE}") == (200, second)
    assert exchange_call(exchange, "GET", f"/orders/{first['id']}") == (200, first)
    assert [one.client_order_id for one in exchange.orders_received()] == [MINE.hex] * 2


def test_a_purchase_by_funds_includes_the_fee(exchange: CoinbaseExchangeVenue) -> None:
    """What is spent with the fee is at most the funds, and its fills add up."""
    placed = place(exchange, type="market", price=None, size=None, funds="200")
    assert D(placed["specified_funds"]) == 200
    spent = D(placed["executed_value"]) + D(placed["fill_fees"])
    assert D("199.99") < spent <= 200
    _, fills = exchange_call(exchange, "GET", f"/fills?order_id={placed['id']}")
    assert sum(D(one["size"]) for one in fills) == D(placed["filled_size"])
    assert [one["liquidity"] for one in fills] == ["T"]


KINDS = (
    ({"time_in_force": "GTC", "post_only": True}, "open", "GTC"),
    ({"time_in_force": "GTT", "cancel_after": "hour"}, "open", "GTT"),
    ({"time_in_force": "IOC"}, "done", "IOC"),
    ({"time_in_force": "FOK", "price": "61000"}, "done", "FOK"),
    ({"price": "66000", "stop": "entry", "stop_price": "65000"}, "active", "GTC"),
)


@pytest.mark.parametrize(("changed", "status", "tif"), KINDS)
def test_every_kind_of_order(
    exchange: CoinbaseExchangeVenue, changed: dict[str, Any], status: str, tif: str
) -> None:
    """Each is told as it was asked for."""
    placed = place(exchange, **changed)
    assert (placed["status"], placed["time_in_force"]) == (status, tif)
    assert placed["post_only"] is changed.get("post_only", False)


REFUSALS = (
    ({"client_oid": "mine"}, 400, "Invalid client_oid"),
    ({"client_oid": 7}, 400, "Invalid client_oid"),
    ({"size": "100"}, 400, "Insufficient funds"),
    ({"size": "0.123456789"}, 400, "size too precise"),
    ({"price": "50000.001"}, 400, "price too precise"),
    ({"size": "0.00000001"}, 400, "funds is too small"),
    ({"product_id": "NEVER-USD"}, 404, "Product not found"),
    ({"side": "up"}, 400, "invalid side"),
    ({"price": "70000", "post_only": True}, 400, "Post only mode"),
    ({"time_in_force": "DAY"}, 400, "invalid time_in_force"),
    ({"price": None}, 400, "size and price are required"),
)


@pytest.mark.parametrize(("changed", "status", "message"), REFUSALS)
def test_a_refusal_says_why(
    exchange: CoinbaseExchangeVenue, changed: dict[str, Any], status: int, message: str
) -> None:
    """An HTTP error with a message, and nothing is placed."""
    said = exchange_call(exchange, "POST", "/orders", order(**changed))
    assert said == (status, {"message": message})
    assert exchange.orders_received() == []


def test_lists_come_in_pages_by_their_headers() -> None:
    """CB-AFTER leads to the older page, and is absent from the last one."""
    exchange = CoinbaseExchangeVenue(page_max=2)
    ids = [place(exchange)["id"] for _ in range(5)]
    seen: list[str] = []
    target = "/orders?status=all"
    while True:
        _, said = exchange_call(exchange, "GET", target)
        seen += [one["id"] for one in said]
        if len(said) < 2:
            break
        number = 5 - len(seen) + 1
        target = f"/orders?status=all&after={number}"
    assert seen == ids[::-1]


def test_orders_are_listed_by_status_and_product(exchange: CoinbaseExchangeVenue) -> None:
    """Live ones unless asked otherwise."""
    live = place(exchange)["id"]
    done = place(exchange, time_in_force="IOC")["id"]

    def listed(query: str) -> list[str]:
        _, said = exchange_call(exchange, "GET", f"/orders{query}")
        return [one["id"] for one in said]

    assert listed("") == [live]
    assert listed("?status=done") == [done]
    assert listed("?status=open&status=done") == [done, live]
    assert listed("?status=all&product_id=ETH-USD") == []
    assert exchange_call(exchange, "GET", "/orders?status=gone")[0] == 400
    assert exchange_call(exchange, "GET", "/fills")[0] == 400
    assert exchange_call(exchange, "DELETE", "/orders") == (200, [live])
    assert listed("") == []


def test_the_market_is_told_as_documented(exchange: CoinbaseExchangeVenue) -> None:
    """Books of three levels, a ticker, candles of numbers, and the time as both."""
    for level, size in (("1", 1), ("2", 25), ("3", 25)):
        _, book = exchange_call(exchange, "GET", f"/products/BTC-USD/book?level={level}")
        assert (len(book["bids"]), len(book["asks"])) == (size, size)
    _, ticker = exchange_call(exchange, "GET", "/products/BTC-USD/ticker")
    assert D(ticker["bid"]) < D(ticker["ask"])
    _, candles = exchange_call(exchange, "GET", "/products/BTC-USD/candles?granularity=60")
    assert len(candles) == 300
    assert all(one[1] <= min(one[3], one[4]) and one[2] >= max(one[3], one[4]) for one in candles)
    assert exchange_call(exchange, "GET", "/products/BTC-USD/candles?granularity=61")[0] == 400
    assert exchange_call(exchange, "GET", "/products/NEVER/ticker") == (
        404,
        {"message": "NotFound"},
    )
    _, now = exchange_call(exchange, "GET", "/time")
    assert abs(now["epoch"] - datetime.now(UTC).timestamp()) < 60


def test_accounts_show_what_orders_hold(exchange: CoinbaseExchangeVenue) -> None:
    """Balance is available plus hold, digit for digit."""
    place(exchange)
    _, accounts = exchange_call(exchange, "GET", "/accounts")
    usd = next(one for one in accounts if one["currency"] == "USD")
    assert (D(usd["hold"]), usd["balance"]) == (D(5030), "1000000.0000000000000000")
    assert D(usd["balance"]) == D(usd["available"]) + D(usd["hold"])
    assert exchange_call(exchange, "GET", f"/accounts/{usd['id']}") == (200, usd)
    assert exchange_call(exchange, "GET", "/fees")[1]["taker_fee_rate"] == "0.0060"
    assert exchange_call(exchange, "GET", "/profiles")[1][0]["id"] == exchange.profile_id
