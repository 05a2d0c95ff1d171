"""What the adapter says on the feed of the Exchange API, and what it makes of what it hears."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from bot_v2.features.brokerages.core.interfaces import (
    AuthenticationError,
    BrokerageError,
    BrokerAPIError,
    ConnectionError,
    InvalidSymbolError,
    OrderSide,
    OrderStatus,
    OrderType,
)
from tests.unit.coinbase.natives import NOW
from tests.unit.coinbase.talking import (
    BTC,
    ETH,
    PROFILE,
    Broker,
    events,
    exchange_orders,
    exchange_quotes,
    gaps,
    hear,
    order,
    quotes,
    said,
)

D = Decimal
TIME = "2026-03-04T05:06:07.123456Z"

LISTED = [
    {"name": "level2", "product_ids": [BTC, ETH]},
    {"name": "heartbeat", "product_ids": [BTC, ETH]},
]
LISTED_USER = [
    {"name": "user", "product_ids": [BTC, ETH]},
    {"name": "heartbeat", "product_ids": [BTC]},
]


def test_the_exchange_is_subscribed_to_in_one_signed_message() -> None:
    """Books with the heartbeats of each product, orders with those of one."""
    books = [{"name": name, "product_ids": sorted([BTC, ETH])} for name in ("level2", "heartbeat")]
    assert said(exchange_quotes()) == [{"type": "subscribe", "channels": books, "jwt": "token"}]
    (message,) = said(exchange_orders(Broker()))
    assert message["channels"] == LISTED_USER


def test_a_stream_of_the_exchange_is_ready_when_everything_is_listed() -> None:
    """A channel or a product less is not everything; less than before is an end."""
    talk = exchange_quotes()
    for channels, is_ready in ((LISTED[:1], False), (LISTED, True)):
        hear(talk, {"type": "subscriptions", "channels": channels})
        assert talk.is_ready is is_ready
    with pytest.raises(BrokerAPIError, match="the subscription has ended"):
        hear(talk, {"type": "subscriptions", "channels": LISTED[:1]})


def test_prices_of_the_exchange_follow_the_book() -> None:
    """A whole book has no time: it is told with the next message that has one."""
    talk = exchange_quotes()
    snapshot = {
        "type": "snapshot",
        "product_id": BTC,
        "bids": [["9.50", "1"], ["9.4", "2"]],
        "asks": [["9.60", "3"]],
    }
    beat = {"type": "heartbeat", "product_id": BTC, "time": TIME, "sequence": 1}
    assert hear(talk, snapshot) == []
    (first,) = quotes(hear(talk, beat))
    assert (str(first.quote.bid), str(first.quote.ask)) == ("9.50", "9.60")
    assert first.quote.timestamp == NOW.replace(microsecond=123456)
    assert hear(talk, beat) == []
    changes = [["buy", "9.50", "0"], ["sell", "9.55", "4"]]
    change = {"type": "l2update", "product_id": BTC, "time": TIME, "changes": changes}
    (second,) = quotes(hear(talk, change))
    assert (second.quote.bid, second.quote.ask, second.quote.ask_size) == (
        D("9.4"),
        D("9.55"),
        D(4),
    )
    (third,) = quotes(hear(exchange_quotes(), {**snapshot, "time": TIME}))
    assert third.quote == first.quote


def test_what_the_exchange_was_not_asked_for_is_passed_over() -> None:
    """Other products and other messages."""
    talk = exchange_quotes()
    strange = {"product_id": "DOGE-USD", "time": TIME}
    assert not hear(
        talk,
        {"type": "snapshot", "bids": [], "asks": [], **strange},
        {"type": "l2update", "changes": [], **strange},
        {"type": "heartbeat", **strange},
        {"type": "heartbeat", "product_id": BTC, "time": TIME},
        {"type": "ticker", "product_id": BTC},
    )


@pytest.mark.parametrize(
    "message",
    [
        b"{",
        {"type": 5},
        {"type": "l2update", "product_id": BTC, "time": TIME, "changes": []},
        {"type": "snapshot", "product_id": BTC, "bids": [["x", "1"]], "asks": []},
        {"type": "snapshot", "product_id": BTC, "bids": [["1"]], "asks": []},
    ],
)
def test_what_cannot_be_read_ends_a_connection_of_books(message: Any) -> None:
    """The next one begins with whole books."""
    with pytest.raises(BrokerAPIError, match="cannot be read"):
        hear(exchange_quotes(), message)


@pytest.mark.parametrize(
    ("message", "reason", "kind"),
    [
        ("Authentication Failed", '{"message":"Invalid API Key"}', AuthenticationError),
        (
            "Failed to subscribe",
            "level2, level3, and full channels now require authentication. u",
            AuthenticationError,
        ),
        ("Failed to subscribe", "X-USD is not a valid product", InvalidSymbolError),
        ("ErrSlowConsume", "", ConnectionError),
        ("Failed to subscribe", "who knows", BrokerAPIError),
    ],
)
def test_errors_of_the_exchange_are_typed(
    message: str, reason: str, kind: type[BrokerageError]
) -> None:
    """The message or the reason says which."""
    with pytest.raises(kind) as caught:
        hear(exchange_quotes(), {"type": "error", "message": message, "reason": reason})
    assert type(caught.value) is kind
    assert message in str(caught.value)


def exchange_ready(broker: Broker) -> Any:
    """Return a talk about orders that is ready."""
    talk = exchange_orders(broker)
    assert hear(talk, {"type": "subscriptions", "channels": LISTED_USER}) == []
    assert talk.is_ready
    return talk


def message(kind: str, **fields: Any) -> dict[str, Any]:
    """A message about an order."""
    return {
        "type": kind,
        "product_id": BTC,
        "order_id": "o-1",
        "profile_id": PROFILE,
        "time": TIME,
        "side": "buy",
        **fields,
    }


MATCH = message(
    "match",
    order_id="",
    trade_id=7,
    maker_order_id="o-1",
    taker_order_id="other",
    maker_profile_id=PROFILE,
    size="0.4",
    price="50",
)


def test_an_order_of_the_exchange_is_read_when_a_message_is_of_it() -> None:
    """Each message is a reason to read; executions come with what was read."""
    broker = Broker()
    talk = exchange_ready(broker)
    broker.orders["o-1"] = order(quantity=D(1), price=D(50))
    (placed,) = events(hear(talk, message("received")))
    assert placed.order == broker.orders["o-1"]
    assert hear(talk, message("open")) == []
    partly: dict[str, Any] = {"status": OrderStatus.PARTIALLY_FILLED, "average_fill_price": D(50)}
    broker.orders["o-1"] = order(quantity=D(1), price=D(50), filled_quantity=D("0.4"), **partly)
    (matched,) = events(hear(talk, MATCH))
    assert matched.fill is not None
    assert (matched.fill.trade_id, matched.fill.quantity, matched.fill.side) == (
        "7",
        D("0.4"),
        OrderSide.BUY,
    )
    assert hear(talk, MATCH) == []
    assert broker.reads == ["all", "o-1", "o-1", "o-1", "o-1"]


def test_messages_that_come_together_are_one_reading() -> None:
    """Two executions of one order are two events of the order as it was read once."""
    broker = Broker()
    talk = exchange_ready(broker)
    partly: dict[str, Any] = {"status": OrderStatus.PARTIALLY_FILLED, "average_fill_price": D(50)}
    broker.orders["o-1"] = order(quantity=D(1), price=D(50), filled_quantity=D("0.8"), **partly)
    for one in (MATCH, {**MATCH, "trade_id": 8}):
        assert list(talk.hear(json.dumps(one).encode())) == []
    told = events(list(talk.tick()))
    assert [one.fill.trade_id for one in told if one.fill] == ["7", "8"]
    assert broker.reads == ["all", "o-1"]


def test_a_trade_with_ourselves_is_of_both_orders() -> None:
    """Of which one bought and the other sold."""
    broker = Broker()
    talk = exchange_ready(broker)
    broker.orders["o-1"] = order("o-1", quantity=D(1))
    broker.orders["o-2"] = order("o-2", quantity=D(1), side=OrderSide.SELL)
    both = {**MATCH, "taker_order_id": "o-2", "taker_profile_id": PROFILE}
    told = events(hear(talk, both))
    assert [(one.fill.order_id, one.fill.side) for one in told if one.fill] == [
        ("o-1", OrderSide.BUY),
        ("o-2", OrderSide.SELL),
    ]


def test_orders_that_the_broker_forgot_or_does_not_find_yet() -> None:
    """The messages alone tell of them: received, open, and cancelled without a fill."""
    broker = Broker()
    talk = exchange_ready(broker)
    terms = {"size": "1.5", "price": "50", "order_type": "limit", "client_oid": "a-b"}
    (received,) = events(hear(talk, message("received", **terms)))
    assert (received.order.status, received.order.quantity) == (OrderStatus.PENDING, D("1.5"))
    assert (received.order.client_order_id, received.order.price) == ("ab", D(50))
    (opened,) = events(hear(talk, message("open", remaining_size="1.5")))
    assert opened.order.status is OrderStatus.OPEN
    assert hear(talk, message("change", new_size="1")) == []
    (done,) = events(hear(talk, message("done", reason="canceled")))
    assert (done.order.status, done.order.status_reason) == (OrderStatus.CANCELLED, "canceled")
    assert hear(talk, message("done", order_id="never", reason="canceled")) == []
    market = {"funds": "100", "order_type": "market", "order_id": "m"}
    (bought,) = events(hear(talk, message("received", **market)))
    assert (bought.order.notional, bought.order.quantity) == (D(100), None)
    (strange,) = events(hear(talk, message("received", order_id="s", order_type="new")))
    assert (strange.order.type, dict(strange.order.metadata)) == (OrderType.OTHER, {"type": "new"})
    partly: dict[str, Any] = {"status": OrderStatus.PARTIALLY_FILLED, "average_fill_price": D(50)}
    broker.orders["f"] = order("f", quantity=D(1), filled_quantity=D("0.4"), **partly)
    hear(talk, message("received", order_id="f"))
    del broker.orders["f"]
    assert hear(talk, message("open", order_id="f")) == []
    (odd,) = events(hear(talk, message("done", order_id="f", reason="new word")))
    assert odd.order.status is OrderStatus.UNKNOWN


def test_messages_of_others_are_passed_over() -> None:
    """Another profile's, one without an order, and whatever came before the first reading."""
    broker = Broker()
    talk = exchange_orders(broker)
    assert hear(talk, message("received")) == []
    talk = exchange_ready(broker)
    other = {**MATCH, "maker_profile_id": "another"}
    assert hear(talk, message("received", profile_id="another"), message("open", order_id="")) == []
    assert hear(talk, other, {"type": "ticker"}) == []
    assert broker.reads == ["all"]


@pytest.mark.parametrize(
    "told",
    [
        b"{",
        message("open", order_id=5),
        {**MATCH, "side": "?"},
        {**MATCH, "size": "NaN"},
        {**MATCH, "price": None},
        {**MATCH, "time": "soon"},
        message("received", size="x"),
        message("received", time="9999-12-31T23:59:59-23:59"),
    ],
)
def test_what_cannot_be_read_is_a_gap_of_the_exchange(told: Any) -> None:
    """The stream goes on, and the orders are read as a whole."""
    broker = Broker()
    talk = exchange_ready(broker)
    broker.reads.clear()
    heard = hear(talk, told)
    assert gaps(heard)
    assert "cannot be read" in gaps(heard)[0].reason
    assert broker.reads[-1] == "all"
    assert broker.audit.is_whole


def test_an_order_that_cannot_be_read_is_a_gap() -> None:
    """Which says of which, and all are read when that is possible again."""
    broker = Broker()
    talk = exchange_ready(broker)
    broker.error = ConnectionError("no route")
    (gap,) = gaps(hear(talk, message("received")))
    assert "o-1 cannot be read: no route" in gap.reason
    assert not talk.is_ready
    broker.error = None
    broker.orders["o-1"] = order(quantity=D(1))
    broker.audit.restart()
    assert [one.order.order_id for one in events(list(talk.tick()))] == ["o-1"]
