"""Whatever Alpaca sends, nothing but typed errors comes out."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from bot_v2.features.brokerages.core.interfaces import BrokerageError
from tests.unit.alpaca.natives import (
    ACCOUNT,
    COINS,
    CONTRACT,
    FILL,
    NOW,
    OPTION,
    ORDER,
    ORDER_ID,
    POSITION,
    SNAPSHOT,
    STOCK,
    brokerage,
)
from tests.unit.alpaca.test_adapter import REQUEST
from tests.unit.coinbase.test_mutations import _attempt, mutated

SMALL = 20_000
NIGHTLY = 1_000_000

MINUTE = timedelta(minutes=1)
BAR = {"t": "2026-03-04T15:05:00Z", "o": 1.5, "h": 4, "l": 1, "c": 3, "v": 5}
BOOK = {"t": "2026-03-04T15:05:00Z", "b": [{"p": 9, "s": 1}], "a": [{"p": 10, "s": 2}]}
CLOCK = {
    "timestamp": "2026-03-04T10:06:07-05:00",
    "is_open": True,
    "next_open": "2026-03-05T09:30:00-05:00",
    "next_close": "2026-03-04T16:00:00-05:00",
}
REFUSED = {"code": 40310000, "message": "insufficient buying power", "cost_basis": "1"}

READS: dict[str, tuple[object, Callable[[Any], object]]] = {
    # the path: its body, and the call that reads it
    "GET /v2/account": (
        ACCOUNT,
        lambda broker: (broker.check_health(), broker.get_account(), broker.get_margin()),
    ),
    "GET /v2/assets/ACME": (STOCK, lambda broker: broker.get_product("ACME")),
    "GET /v2/positions": ([POSITION, COINS], lambda broker: broker.list_positions()),
    "GET /v2/orders": (
        [ORDER, {**ORDER, "id": "b", "order_class": "bracket", "legs": [{**ORDER, "id": "c"}]}],
        lambda broker: broker.list_orders(),
    ),
    f"GET /v2/orders/{ORDER_ID}": (ORDER, lambda broker: broker.get_order(ORDER_ID)),
    "GET /v2/account/activities/FILL": ([FILL], lambda broker: broker.list_fills()),
    "GET /v2/stocks/snapshots": (
        {"ACME": SNAPSHOT},
        lambda broker: (broker.get_quote("ACME"), broker.get_orderbook("ACME")),
    ),
    "GET /v2/stocks/bars": (
        {"bars": {"ACME": [BAR]}, "next_page_token": None},
        lambda broker: broker.list_candles("ACME", MINUTE, NOW - 9 * MINUTE, NOW),
    ),
    "GET /v2/stocks/trades": (
        {"trades": {"ACME": [SNAPSHOT["latestTrade"]]}, "next_page_token": None},
        lambda broker: broker.list_trades("ACME"),
    ),
    "GET /v1beta3/crypto/us/latest/orderbooks": (
        {"orderbooks": {"XYZ/USD": BOOK}},
        lambda broker: broker.get_orderbook("XYZ-USD", 2),
    ),
    "GET /v2/options/contracts": (
        {"option_contracts": [CONTRACT], "next_page_token": None},
        lambda broker: broker.list_option_contracts("ACME"),
    ),
    "GET /v1beta1/options/snapshots/ACME": (
        {"snapshots": {OPTION: {**SNAPSHOT, "greeks": {"delta": 0.5}}}},
        lambda broker: broker.list_option_contracts("ACME"),
    ),
    "GET /v2/clock": (CLOCK, lambda broker: broker.get_market_status("ACME")),
    f"DELETE /v2/orders/{ORDER_ID}": ("", lambda broker: broker.cancel_order(ORDER_ID)),
}


def _mutate(times: int, seed: int) -> tuple[int, int]:
    chance = random.Random(seed)
    # Products are not remembered, so that each reading counts.
    broker, transport = brokerage({}, products_lifetime_s=0)
    good = {path: body for path, (body, _) in READS.items()}
    transport.answers |= good
    answered = 0
    for _ in range(times):
        path = chance.choice(list(READS))
        raw = mutated(good[path], chance)
        status = chance.choice((200, 200, 200, 200, 200, 204, 400, 401, 404, 500))
        transport.answers[path] = (status, raw)
        answered += _attempt(partial(READS[path][1], broker), raw)
        transport.answers[path] = good[path]
        transport.sent.clear()
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
        raw = mutated(chance.choice((ORDER, REFUSED)), chance)
        transport.answers["POST /v2/orders"] = (chance.choice((200, 200, 403, 422, 500)), raw)
        try:
            result = broker.place_order(REQUEST)
        except BrokerageError as error:
            told: object = error.outcome
        else:
            told = result.order_id
        assert told, raw
