"""What the adapter says on streams, and what it makes of what it hears."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from bot_v2.features.brokerages.core.interfaces import (
    AuthenticationError,
    BrokerageError,
    BrokerAPIError,
    ConnectionError,
    OrderSide,
    OrderStatus,
    OrderType,
    RateLimitError,
)
from tests.unit.coinbase.natives import NOW
from tests.unit.coinbase.talking import (
    BTC,
    ETH,
    PROFILE,
    Broker,
    advanced_orders,
    advanced_quotes,
    events,
    gaps,
    hear,
    numbered,
    order,
    quotes,
    said,
)

D = Decimal
TIME = "2026-03-04T05:06:07.123456Z"


def level(side: str, price: str, size: str) -> dict[str, str]:
    """A price of a book of Advanced Trade."""
    return {"side": side, "price_level": price, "new_quantity": size, "event_time": TIME}


def book(kind: str, product_id: str, *levels: dict[str, str]) -> dict[str, Any]:
    """An event of a book of Advanced Trade."""
    return {"type": kind, "product_id": product_id, "updates": list(levels)}


ALL_BOOKS = {"subscriptions": {"level2": [BTC, ETH], "heartbeats": ["heartbeats"]}}
ALL_ORDERS = {"subscriptions": {"user": ["u"], "heartbeats": ["heartbeats"]}}
UPDATE = {
    "order_id": "o-1",
    "client_order_id": "mine",
    "product_id": BTC,
    "status": "OPEN",
    "order_side": "BUY",
    "order_type": "Limit",
    "time_in_force": "GOOD_UNTIL_CANCELLED",
    "limit_price": "50",
    "cumulative_quantity": "0.4",
    "leaves_quantity": "0.6",
    "avg_price": "49.5",
    "total_fees": "0.1",
    "creation_time": TIME,
}


def update(**changes: Any) -> dict[str, Any]:
    """An event of an order of Advanced Trade."""
    return {"type": "update", "orders": [{**UPDATE, **changes}]}


# Advanced Trade.


def test_subscriptions_are_signed_only_where_they_have_to_be() -> None:
    """Books are public; orders take a token, fresh in each message. Heartbeats come with both."""
    assert said(advanced_quotes()) == [
        {"type": "subscribe", "channel": "level2", "product_ids": [BTC, ETH]},
        {"type": "subscribe", "channel": "heartbeats"},
    ]
    assert said(advanced_orders(Broker())) == [
        {"type": "subscribe", "channel": "user", "jwt": "token"},
        {"type": "subscribe", "channel": "heartbeats", "jwt": "token"},
    ]


def test_a_stream_is_ready_when_everything_is_listed() -> None:
    """One product or one channel less is not everything."""
    talk, make = advanced_quotes(), numbered()
    for listed in ({"level2": [BTC, ETH]}, {"level2": [BTC], "heartbeats": ["heartbeats"]}):
        hear(talk, make("subscriptions", {"subscriptions": listed}))
        assert not talk.is_ready
    hear(talk, make("subscriptions", ALL_BOOKS))
    assert talk.is_ready
    with pytest.raises(BrokerAPIError, match="the subscription has ended"):
        hear(talk, make("subscriptions", {"subscriptions": {"heartbeats": ["heartbeats"]}}))


def test_best_prices_follow_the_book() -> None:
    """Exactly as printed, as of the message, each change once, and nothing of the depths."""
    talk, make = advanced_quotes(), numbered()
    (first,) = quotes(
        hear(
            talk,
            make(
                "l2_data",
                book(
                    "snapshot",
                    BTC,
                    level("bid", "9.50", "1.0"),
                    level("bid", "9.4", "2"),
                    level("offer", "9.60", "3"),
                ),
            ),
        )
    )
    quote = first.quote
    assert (quote.symbol, str(quote.bid), str(quote.bid_size)) == ("BTC-USD", "9.50", "1.0")
    assert (str(quote.ask), quote.ask_size, quote.last) == ("9.60", D(3), None)
    assert quote.timestamp == NOW.replace(microsecond=123456)
    deep = make("l2_data", book("update", BTC, level("bid", "9.3", "7")))
    assert hear(talk, deep) == []
    gone = make("l2_data", book("update", BTC, level("bid", "9.50", "0")))
    (second,) = quotes(hear(talk, gone))
    assert (second.quote.bid, second.quote.bid_size) == (D("9.4"), D(2))
    smaller = make("l2_data", book("update", BTC, level("offer", "9.60", "0.5")))
    (third,) = quotes(hear(talk, smaller))
    assert third.quote.ask_size == D("0.5")
    empty = [level("bid", price, "0") for price in ("9.4", "9.3")]
    (last,) = quotes(hear(talk, make("l2_data", book("update", BTC, *empty))))
    assert (last.quote.bid, last.quote.bid_size, last.quote.ask) == (None, None, D("9.60"))


def test_what_was_not_asked_for_is_passed_over() -> None:
    """Other products, other channels, heartbeats."""
    talk, make = advanced_quotes(), numbered()
    strange = book("snapshot", "DOGE-USD", level("bid", "1", "1"))
    assert hear(talk, make("l2_data", strange)) == []
    beat = {"current_time": "", "heartbeat_counter": 3}
    assert hear(talk, make("heartbeats", beat), make("ticker", {"tickers": []})) == []


@pytest.mark.parametrize(
    "event",
    [
        book("update", BTC, level("bid", "9", "1")),
        book("snapshot", BTC, level("middle", "9", "1")),
        book("snapshot", BTC, level("bid", "NaN", "1")),
        book("snapshot", BTC, level("bid", "9", "x")),
        book("snapshot", BTC, level("bid", "9", "1"), level("offer", "8", "1")),
        {"type": "snapshot"},
        5,
    ],
)
def test_a_book_that_cannot_be_right_ends_the_connection(event: Any) -> None:
    """A change without a book, an unknown side, no number, a crossed book, no book at all."""
    with pytest.raises(BrokerAPIError, match="cannot be read"):
        hear(advanced_quotes(), numbered()("l2_data", event))


def test_a_missing_message_ends_a_connection_of_books() -> None:
    """The next one begins with whole books; a repeated or late message is passed over."""
    talk, make = advanced_quotes(), numbered()
    first = make("l2_data", book("snapshot", BTC, level("bid", "9", "1")))
    change = make("l2_data", book("update", BTC, level("bid", "9", "2")))
    assert len(quotes(hear(talk, first, change, change, first))) == 2
    make("heartbeats", {})
    make("heartbeats", {})
    with pytest.raises(BrokerAPIError, match="2 messages are missing before 4"):
        hear(talk, make("heartbeats", {}))
    with pytest.raises(BrokerAPIError, match="cannot be read"):
        hear(advanced_quotes(), b"\xff")


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("authentication failure", AuthenticationError),
        ("rate limit exceeded", RateLimitError),
        ("something new", BrokerAPIError),
        ("", BrokerAPIError),
    ],
)
def test_errors_are_typed(message: str, kind: type[BrokerageError]) -> None:
    """The table says which; what it does not know is BrokerAPIError, with the words."""
    with pytest.raises(kind) as caught:
        hear(advanced_quotes(), {"type": "error", "message": message})
    assert type(caught.value) is kind
    assert (message or "an error without words") in str(caught.value)
    assert caught.value.outcome is None


def test_orders_are_ready_once_they_were_read() -> None:
    """What is said before is part of what is read; what is read first is no event."""
    broker = Broker()
    broker.orders["o-1"] = order(quantity=D(1), price=D(50))
    talk, make = advanced_orders(broker), numbered()
    assert hear(talk, make("user", update())) == []
    assert broker.reads == []
    assert hear(talk, make("subscriptions", ALL_ORDERS)) == []
    assert broker.reads == ["all"]
    assert talk.is_ready


def ready(broker: Broker) -> tuple[Any, Any]:
    """Return a talk about orders that is ready, and what makes its messages."""
    talk, make = advanced_orders(broker), numbered()
    assert hear(talk, make("subscriptions", ALL_ORDERS)) == []
    assert talk.is_ready
    return talk, make


def test_an_update_is_told_on_what_is_known() -> None:
    """What the stream does not say is as it was read; what it says is exact."""
    broker = Broker()
    broker.orders["o-1"] = order(quantity=D(1), price=D(50), expires_at=NOW, metadata={"a": "b"})
    talk, make = ready(broker)
    (event,) = events(hear(talk, make("user", update())))
    told = event.order
    assert (told.status, told.filled_quantity) == (OrderStatus.PARTIALLY_FILLED, D("0.4"))
    assert (str(told.average_fill_price), told.quantity) == ("49.5", D("1.0"))
    assert told.fees is not None
    assert (told.fees[0].currency, told.fees[0].amount) == ("USD", D("0.1"))
    assert (told.expires_at, dict(told.metadata), told.updated_at) == (NOW, {"a": "b"}, None)
    assert event.fill is None
    assert broker.reads == ["all"]
    (edited,) = events(hear(talk, make("user", update(limit_price="51", leaves_quantity="1.6"))))
    assert (edited.order.price, edited.order.quantity) == (D(51), D("2.0"))
    end = update(status="CANCELLED", leaves_quantity="0", cancel_reason="User requested cancel")
    (ended,) = events(hear(talk, make("user", end)))
    assert ended.order.status is OrderStatus.CANCELLED
    assert (ended.order.quantity, ended.order.status_reason) == (D("2.0"), "User requested cancel")


def test_an_order_that_is_not_known_is_read_for_its_terms() -> None:
    """A market order in money has a notional, which no message tells."""
    broker = Broker()
    talk, make = ready(broker)
    broker.orders["o-1"] = order(type=OrderType.MARKET, notional=D(100))
    message = update(order_type="Market", limit_price="0", leaves_quantity="80")
    (event,) = events(hear(talk, make("user", message)))
    assert (event.order.notional, event.order.quantity, event.order.price) == (D(100), None, None)
    assert event.order.filled_quantity == D("0.4")
    assert broker.reads == ["all", "o-1"]


@pytest.mark.parametrize(
    ("changes", "kind", "quantity"),
    [
        ({}, OrderType.LIMIT, "1.0"),
        ({"order_type": "STOP_LIMIT", "stop_price": "49"}, OrderType.STOP_LIMIT, "1.0"),
        ({"order_type": "Market", "limit_price": "0"}, OrderType.MARKET, None),
        ({"order_type": "Bracket"}, OrderType.OTHER, None),
        ({"status": "FILLED", "leaves_quantity": "0"}, OrderType.LIMIT, "0.4"),
        ({"status": "CANCELLED", "leaves_quantity": "0"}, OrderType.LIMIT, None),
        ({"time_in_force": "NEW", "order_side": "?"}, OrderType.LIMIT, "1.0"),
    ],
)
def test_an_order_that_cannot_be_found_yet_is_told_as_the_message_has_it(
    changes: dict[str, str], kind: OrderType, quantity: str | None
) -> None:
    """It may be too new to be read: what the message leaves open stays open."""
    talk, make = ready(Broker())
    (event,) = events(hear(talk, make("user", update(**changes))))
    told = event.order
    assert told.type is kind
    assert told.quantity == (None if quantity is None else D(quantity))
    assert (told.client_order_id, told.symbol, told.account_id) == ("mine", "BTC-USD", PROFILE)
    assert told.side is (None if "order_side" in changes else OrderSide.BUY)
    assert told.timestamp == NOW.replace(microsecond=123456)
    if kind is OrderType.OTHER:
        assert told.metadata["configuration"] == "Bracket"


def test_an_order_of_a_product_that_is_not_listed() -> None:
    """It is called by the broker's id, and its fees have no currency."""
    talk, make = ready(Broker())
    message = update(product_id="OLD-USD", cumulative_quantity="0", avg_price="0")
    (event,) = events(hear(talk, make("user", message)))
    assert (event.order.symbol, event.order.fees) == ("@OLD-USD", None)
    assert event.order.average_fill_price is None


def test_a_read_that_fails_is_made_up_for() -> None:
    """The message is told as it is, and all orders are read again."""
    broker = Broker()
    talk, make = ready(broker)
    broker.error = ConnectionError("no")
    (event,) = events(hear(talk, make("user", update())))
    assert event.order.notional is None
    assert not broker.audit.is_whole
    broker.error = None
    broker.orders["o-1"] = order(quantity=D(1), price=D(50))
    broker.audit.restart()
    hear(talk, make("heartbeats", {}))
    assert broker.audit.is_whole


@pytest.mark.parametrize(
    "message",
    [
        b"{",
        {"channel": "user", "sequence_num": 1, "events": [update(cumulative_quantity="NaN")]},
        {"channel": "user", "sequence_num": 1, "events": [{"orders": [{"order_id": "o"}]}]},
        {"channel": "user", "sequence_num": 1, "events": [{"orders": 3}]},
        {"channel": "subscriptions", "sequence_num": 1, "events": [3]},
        {"channel": "user", "sequence_num": "one"},
    ],
)
def test_what_cannot_be_read_is_a_gap_of_orders(message: Any) -> None:
    """The stream goes on, and the orders are read as a whole."""
    broker = Broker()
    talk, make = ready(broker)
    broker.orders["o-2"] = order("o-2")
    told = hear(talk, message)
    (gap,) = gaps(told)
    assert "cannot be read" in gap.reason
    assert gap.timestamp == NOW
    assert [one.order.order_id for one in events(told)] == ["o-2"]
    del make


def test_a_missing_message_of_orders_is_a_gap_that_says_how_many() -> None:
    """The message after the gap is heard, and what was missed is read."""
    broker = Broker()
    talk, make = ready(broker)
    broker.orders["o-2"] = order("o-2")
    for _ in range(3):
        make("heartbeats", {})
    told = hear(talk, make("user", update()))
    assert [one.missed for one in gaps(told)] == [3]
    assert [one.order.order_id for one in events(told)] == ["o-1", "o-2"]
