"""Whatever comes by a stream, nothing but events, gaps and typed errors comes out."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from bot_v2.features.brokerages.core.interfaces import (
    BrokerageError,
    OrderEvent,
    QuoteEvent,
    StreamGap,
)
from bot_v2.features.brokerages.streaming.feed import Talk
from tests.unit.coinbase.talking import (
    Broker,
    advanced_orders,
    advanced_quotes,
    exchange_orders,
    exchange_quotes,
    order,
)
from tests.unit.coinbase.test_exchange_talks import LISTED, LISTED_USER, MATCH, message
from tests.unit.coinbase.test_mutations import mutated
from tests.unit.coinbase.test_stream_talks import ALL_BOOKS, ALL_ORDERS, book, level, update

SMALL = 6_000
NIGHTLY = 300_000


def _orders_talk(make: Callable[[Broker], Talk[Any]]) -> Talk[Any]:
    broker = Broker()
    broker.orders["o-1"] = order(quantity=Decimal(1), price=Decimal(50))
    return make(broker)


def _advanced(channel: str, *told: Any) -> dict[str, Any]:
    return {"channel": channel, "timestamp": "2026-03-04T05:06:07Z", "events": list(told)}


WHOLE = book("snapshot", "BTC-USD", level("bid", "9.5", "1"), level("offer", "9.6", "2"))
PART = book("update", "BTC-USD", level("bid", "9.4", "3"), level("offer", "9.6", "0"))
SNAPSHOT = {
    "type": "snapshot",
    "product_id": "BTC-USD",
    "bids": [["9", "1"]],
    "asks": [["10", "2"]],
}
CHANGE = {
    "type": "l2update",
    "product_id": "BTC-USD",
    "time": "2026-03-04T05:06:07Z",
    "changes": [["buy", "9", "0"], ["sell", "9.5", "4"]],
}

CASES: list[tuple[Callable[[], Talk[Any]], list[Any]]] = [
    (
        advanced_quotes,
        [
            _advanced("subscriptions", ALL_BOOKS),
            _advanced("l2_data", WHOLE),
            _advanced("l2_data", PART),
        ],
    ),
    (
        lambda: _orders_talk(advanced_orders),
        [_advanced("subscriptions", ALL_ORDERS), _advanced("user", update()), {"type": "error"}],
    ),
    (exchange_quotes, [{"type": "subscriptions", "channels": LISTED}, SNAPSHOT, CHANGE]),
    (
        lambda: _orders_talk(exchange_orders),
        [
            {"type": "subscriptions", "channels": LISTED_USER},
            message("received", size="1", price="50", order_type="limit"),
            MATCH,
            message("done", order_id="o-2", reason="filled"),
        ],
    ),
]


def _run(count: int, seed: int) -> None:
    rng = random.Random(seed)
    for number in range(count):
        make, messages = CASES[number % len(CASES)]
        talk, place = make(), rng.randrange(len(messages))
        try:
            for index, native in enumerate(messages):
                content = json.dumps(native).encode()
                if index == place:
                    content = mutated(native, rng)
                for one in (*talk.hear(content), *talk.tick()):
                    assert isinstance(one, OrderEvent | QuoteEvent | StreamGap)
        except BrokerageError:
            continue


def test_a_mutated_message_is_an_event_a_gap_or_a_typed_error() -> None:
    """Some thousands of messages, each changed somewhere."""
    _run(SMALL, 11)


@pytest.mark.nightly
def test_many_mutated_messages_are_events_gaps_or_typed_errors() -> None:
    """Many more of them."""
    _run(NIGHTLY, 12)
