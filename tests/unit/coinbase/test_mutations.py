"""Whatever Coinbase sends, nothing but typed errors comes out."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import attrs
import pytest

from bot_v2.features.brokerages.core.interfaces import BrokerageError
from tests.unit.coinbase.natives import (
    API,
    BREAKDOWN,
    EXCHANGE_ACCOUNT,
    EXCHANGE_ORDER,
    EXCHANGE_PRODUCT,
    FILL,
    NOW,
    ORDER,
    PERMISSIONS,
    PERPETUAL,
    PERPETUALS,
    PORTFOLIO,
    SPOT,
    STANDING,
    brokerage,
    exchange,
)
from tests.unit.coinbase.test_adapter import POSITION, REQUEST

SMALL = 20_000
NIGHTLY = 1_000_000

CONTRACT = attrs.evolve(REQUEST, symbol="ETH-USDC-PERP", quantity=Decimal(1))
MINUTE = timedelta(minutes=1)
BOOK = {
    "pricebook": {
        "product_id": "BTC-USD",
        "bids": [{"price": "9.5", "size": "1"}],
        "asks": [{"price": "9.6", "size": "2"}],
        "time": "2026-03-04T05:00:00Z",
    },
    "last": "9.5",
}
TRADE = {
    "trade_id": "1",
    "product_id": "BTC-USD",
    "price": "9.5",
    "size": "1",
    "time": "2026-03-04T05:00:00Z",
}
ACCOUNT = {
    "uuid": "u",
    "currency": "USD",
    "available_balance": {"value": "1.5", "currency": "USD"},
    "hold": {"value": "2", "currency": "USD"},
}
CANDLE = {"start": "60", "low": "1", "high": "4", "open": "2", "close": "3", "volume": "5"}
TAKEN = {"success": True, "success_response": {"order_id": "o", "product_id": "BTC-USD"}}
REFUSED = {"success": False, "error_response": {"error": "INSUFFICIENT_FUND", "message": "m"}}
ADVANCED_READS: dict[str, tuple[object, Callable[[Any], object]]] = {
    # the path: its body, and the call that reads it
    f"GET {API}/key_permissions": (PERMISSIONS, lambda broker: broker.check_health()),
    f"GET {API}/products": ({"products": [SPOT, PERPETUAL]}, lambda broker: broker.get_products()),
    f"GET {API}/accounts": (
        {"accounts": [ACCOUNT], "has_next": False, "cursor": ""},
        lambda broker: broker.list_balances(),
    ),
    f"GET {API}/product_book": (BOOK, lambda broker: broker.get_quote("BTC-USD")),
    f"GET {API}/products/BTC-USD/ticker": (
        {"trades": [TRADE], "best_bid": "9", "best_ask": ""},
        lambda broker: (broker.get_price("BTC-USD"), broker.list_trades("BTC-USD")),
    ),
    f"GET {API}/products/BTC-USD/candles": (
        {"candles": [CANDLE]},
        lambda broker: broker.list_candles("BTC-USD", MINUTE, NOW - MINUTE, NOW),
    ),
    f"GET {API}/orders/historical/batch": (
        {"orders": [ORDER], "has_next": False, "cursor": ""},
        lambda broker: broker.list_orders(),
    ),
    f"GET {API}/orders/historical/{ORDER['order_id']}": (
        {"order": ORDER},
        lambda broker: broker.get_order(ORDER["order_id"]),
    ),
    f"GET {API}/orders/historical/fills": (
        {"fills": [FILL], "cursor": ""},
        lambda broker: broker.list_fills(),
    ),
    f"GET {API}/transaction_summary": (
        {"fee_tier": {"maker_fee_rate": "0.004", "taker_fee_rate": "0.006"}},
        lambda broker: broker.get_fees("BTC-USD"),
    ),
    f"GET {API}/portfolios/{PORTFOLIO}": (BREAKDOWN, lambda broker: broker.get_account()),
    f"POST {API}/orders/batch_cancel": (
        {"results": [{"success": True, "order_id": ORDER["order_id"], "failure_reason": ""}]},
        lambda broker: broker.cancel_order(ORDER["order_id"]),
    ),
}

PERPETUAL_READS: dict[str, tuple[object, Callable[[Any], object]]] = {
    f"GET {API}/intx/portfolio/{PERPETUALS}": (
        STANDING,
        lambda broker: (broker.get_account(), broker.get_margin()),
    ),
    f"POST {API}/orders/preview": (
        {"order_total": "5", "commission_total": "0.1", "order_margin_total": "2.5", "errs": []},
        lambda broker: (broker.get_order_margin(CONTRACT), broker.preview_order(CONTRACT)),
    ),
    f"GET {API}/intx/positions/{PERPETUALS}": (
        {"positions": [POSITION]},
        lambda broker: broker.list_positions(),
    ),
    f"GET {API}/products": (
        {"products": [SPOT, PERPETUAL]},
        lambda broker: broker.get_products(),
    ),
}

EXCHANGE_READS: dict[str, tuple[object, Callable[[Any], object]]] = {
    "GET /accounts": ([EXCHANGE_ACCOUNT], lambda broker: broker.list_balances()),
    "GET /products": ([EXCHANGE_PRODUCT], lambda broker: broker.get_products()),
    "GET /orders/e0": (EXCHANGE_ORDER, lambda broker: broker.get_order("e0")),
    "GET /orders": ([EXCHANGE_ORDER], lambda broker: broker.list_orders()),
    "GET /products/BTC-USD/book": (
        {"bids": [["9", "1", 2]], "asks": [["10", "1", 2]], "sequence": 7},
        lambda broker: broker.get_orderbook("BTC-USD"),
    ),
    "GET /products/BTC-USD/candles": (
        [[60, 1.5, 4, 2, 3, 5.25]],
        lambda broker: broker.list_candles("BTC-USD", MINUTE, NOW - MINUTE, NOW),
    ),
    "DELETE /orders/e0": ("e0", lambda broker: broker.cancel_order("e0")),
}

ODD: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1.5,
    "",
    "NaN",
    "1_000",
    "-0",
    "1e9999",
    "1e-9999",
    "9" * 60,
    "\u0000",
    "ÄÖÜ",
    "2026-99-99",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59-23:59",
    [],
    {},
    [[]],
    {"a": {}},
)


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    if isinstance(value, dict):
        for name in value:
            yield from _paths(value[name], (*path, name))
    elif isinstance(value, list):
        for index, member in enumerate(value):
            yield from _paths(member, (*path, index))


def mutated(body: object, chance: random.Random) -> bytes:
    """Return a body of which something is changed, gone, doubled or broken off."""
    value = json.loads(json.dumps(body))
    for _ in range(chance.randint(1, 3)):
        path = chance.choice(list(_paths(value)))
        if not path:
            value = value if chance.random() < 0.9 else copy.deepcopy(chance.choice(ODD))
            continue
        holder = value
        for step in path[:-1]:
            holder = holder[step]
        kind = chance.random()
        if kind < 0.2:
            del holder[path[-1]]
        elif kind < 0.3 and isinstance(holder, list):
            holder.append(copy.deepcopy(holder[path[-1]]))
        else:
            holder[path[-1]] = copy.deepcopy(chance.choice(ODD))
    raw = json.dumps(value, ensure_ascii=chance.random() < 0.5).encode()
    if chance.random() < 0.1:
        raw = raw[: chance.randrange(len(raw) + 1)]
    if chance.random() < 0.1 and raw:
        index = chance.randrange(len(raw))
        raw = raw[:index] + bytes([chance.randrange(256)]) + raw[index + 1 :]
    return raw


def _attempt(call: Callable[[], object], raw: bytes) -> bool:
    """Make a call; True: it was answered. Anything but a BrokerageError fails the test."""
    try:
        call()
    except BrokerageError:
        return False
    except Exception as error:
        raise AssertionError(f"{type(error).__name__} for {raw!r}") from error
    return True


def _mutate(times: int, seed: int) -> tuple[int, int]:
    chance = random.Random(seed)
    advanced, wire_a = brokerage({})
    other, wire_b = exchange({})
    listed = {f"GET {API}/products": {"products": [SPOT, PERPETUAL]}}
    perpetuals, wire_c = brokerage(listed, enable_derivatives=True)
    tables = (
        (advanced, wire_a, ADVANCED_READS),
        (other, wire_b, EXCHANGE_READS),
        (perpetuals, wire_c, PERPETUAL_READS),
    )
    good: dict[str, Any] = {
        path: body for _, _, table in tables for path, (body, _) in table.items()
    }
    for _, transport, table in tables:
        transport.answers |= {path: good[path] for path in table}
    answered = 0
    for count in range(times):
        broker, transport, table = tables[count % 3]
        path = chance.choice(list(table))
        raw = mutated(good[path], chance)
        status = chance.choice((200, 200, 200, 200, 200, 200, 400, 401, 404, 500))
        transport.answers[path] = (status, raw)
        if status == 401:
            transport.answers[f"GET {API}/time"] = transport.answers["GET /time"] = (200, raw)
        answered += _attempt(partial(table[path][1], broker), raw)
        transport.answers[path] = good[path]
        transport.sent.clear()
        if "/products" in path:
            broker.get_products()
    return answered, times - answered


@pytest.mark.uncovered
def test_a_mutated_body_is_a_typed_error_or_an_answer() -> None:
    """Fields are taken away, exchanged and doubled, and bodies break off: a small run."""
    answered, refused = _mutate(SMALL, seed=11)
    assert answered > SMALL // 20
    assert refused > SMALL // 20


@pytest.mark.nightly
@pytest.mark.uncovered
@pytest.mark.parametrize("part", range(10))
def test_a_million_mutated_bodies_are_typed_errors_or_answers(part: int) -> None:
    """The same, in ten parts of a hundred thousand."""
    _mutate(NIGHTLY // 10, seed=1000 + part)


def test_whatever_a_write_is_answered_with_its_outcome_is_told() -> None:
    """No mutation of a reply to a placement gives an error without an outcome."""
    chance = random.Random(5)
    broker, transport = brokerage({})
    for _ in range(2_000):
        raw = mutated(chance.choice((TAKEN, REFUSED)), chance)
        transport.answers[f"POST {API}/orders"] = (chance.choice((200, 200, 400, 500)), raw)
        try:
            result = broker.place_order(REQUEST)
        except BrokerageError as error:
            told: object = error.outcome
        else:
            told = result.order_id
        assert told, raw
