"""What is said on the streams, and what is made of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from bot_v2.features.brokerages.alpaca.order_mapping import order_from_native
from bot_v2.features.brokerages.alpaca.order_stream import OrderTalk
from bot_v2.features.brokerages.alpaca.order_wire import Order as NativeOrder
from bot_v2.features.brokerages.alpaca.quote_stream import QuoteTalk
from bot_v2.features.brokerages.core.events import OrderEvent, QuoteEvent, StreamGap
from bot_v2.features.brokerages.core.interfaces import (
    AuthenticationError,
    BrokerageError,
    BrokerUnavailableError,
    ConnectionError,
    InvalidRequestError,
    Order,
    OrderStatus,
    PermissionDeniedError,
)
from bot_v2.features.brokerages.core.secret import Secret
from bot_v2.features.brokerages.http.calls import Call
from bot_v2.features.brokerages.streaming.orders import KnownOrders
from tests.unit.alpaca.natives import NOW, OPTION, OPTION_SYMBOL, ORDER, brokerage

D = Decimal
CREDENTIALS = (Secret("the-key"), Secret("the-secret"))
CALL = Call(broker="alpaca", operation="stream_orders")


class Account:
    """Orders that a talk reads, and a clock that it goes by."""

    def __init__(self, *, is_first: bool = True) -> None:
        self.orders: list[Order] = []
        self.reads = 0
        self.now_s = 100.0
        self.sent: list[Any] = []
        self.talk = OrderTalk(
            CALL,
            CREDENTIALS,
            "a",
            self.read,
            KnownOrders(),
            is_first=is_first,
            silence_s=5.0,
            clock=lambda: NOW,
            monotonic=lambda: self.now_s,
        )

    def read(self) -> list[Order]:
        """Return the orders, and count."""
        self.reads += 1
        return list(self.orders)

    def hear(self, message: Any) -> list[Any]:
        """Return what a message tells."""
        raw = message if isinstance(message, bytes) else json.dumps(message).encode()
        return list(self.talk.hear(raw))

    def begin(self) -> None:
        """Log in and listen."""
        self.talk.begin(self.sent.append)
        self.hear({"stream": "authorization", "data": {"status": "authorized"}})
        self.hear({"stream": "listening", "data": {"streams": ["trade_updates"]}})


def order(**changes: Any) -> Order:
    """Return an order as it is read."""
    native = json.dumps({**ORDER, **changes}).encode()
    return order_from_native(msgspec.json.decode(native, type=NativeOrder), "a")


def update(event: str, **changes: Any) -> dict[str, Any]:
    """Return a message about an order."""
    names = ("price", "qty", "execution_id")
    more: dict[str, Any] = {name: changes.pop(name) for name in names if name in changes}
    data: dict[str, Any] = {
        "event": event,
        "timestamp": "2026-03-04T15:00:01Z",
        "order": {**ORDER, **changes},
        **more,
    }
    return {"stream": "trade_updates", "data": data}


FILL = update(
    "fill", status="filled", filled_qty="10.50", filled_avg_price="107.00", price="107.00",
    execution_id="e-1",
)  # fmt: skip
FILL["data"]["qty"] = "10.50"


def test_logging_in_listening_and_reading_make_it_ready() -> None:
    """In this order; what is read first is no news."""
    account = Account()
    account.orders = [order()]
    account.talk.begin(account.sent.append)
    assert json.loads(account.sent[0]) == {
        "action": "authenticate",
        "data": {"key_id": "the-key", "secret_key": "the-secret"},
    }
    assert list(account.talk.tick()) == []
    assert account.hear({"stream": "authorization", "data": {"status": "authorized"}}) == []
    assert json.loads(account.sent[1])["data"] == {"streams": ["trade_updates"]}
    assert account.hear({"stream": "listening", "data": {"streams": ["trade_updates"]}}) == []
    assert account.talk.is_ready is bool(account.reads)
    assert list(account.talk.tick()) == []
    assert account.talk.is_ready
    assert account.reads == 1
    assert list(account.talk.tick()) == []
    assert account.reads == 1


def test_a_later_connection_tells_what_changed_meanwhile() -> None:
    """It was read, and nobody else would tell it."""
    account = Account(is_first=False)
    account.orders = [order(status="canceled")]
    account.begin()
    (event,) = account.talk.tick()
    assert isinstance(event, OrderEvent)
    assert event.order.status is OrderStatus.CANCELLED


def test_an_execution_is_an_event_once() -> None:
    """With its price, quantity and id; a repetition is none."""
    account = Account()
    account.begin()
    list(account.talk.tick())
    (event,) = account.hear(FILL)
    assert event.order.status is OrderStatus.FILLED
    assert event.fill is not None
    assert (event.fill.trade_id, event.fill.quantity, event.fill.price) == (
        "e-1", D("10.50"), D("107.00"))  # fmt: skip
    assert str(event.fill.price) == "107.00"
    assert account.hear(FILL) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"event": "new"},
        {"event": "fill"},
        {"event": "fill", "price": "1", "qty": "1"},
        {"event": "canceled", "status": "canceled"},
    ],
)
def test_what_is_no_execution_or_told_in_part_is_an_event_of_the_order(
    changes: dict[str, Any],
) -> None:
    """Its execution is found by reading."""
    account = Account()
    account.begin()
    list(account.talk.tick())
    (event,) = account.hear(update(**changes))
    assert event.fill is None


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"{",
        b"\xff",
        {"stream": "trade_updates", "data": {"event": "new"}},
        update("new", symbol=None),
        update("fill", price="1", execution_id="e", side="sideways", filled_qty="1") | {},
        {"stream": "listening", "data": {"streams": []}},
        {"stream": "trade_updates", "data": {**FILL["data"], "qty": "-1"}},
    ],
)
def test_what_cannot_be_read_is_a_gap_and_the_orders_are_read(message: Any) -> None:
    """The stream goes on."""
    account = Account()
    account.begin()
    list(account.talk.tick())
    if isinstance(message, dict) and "sideways" in json.dumps(message):
        message["data"]["qty"] = "1"
    (gap,) = account.hear(message)
    assert isinstance(gap, StreamGap)
    assert gap.missed == 1
    account.orders = [order(status="expired")]
    (event,) = account.talk.tick()
    assert isinstance(event, OrderEvent)
    assert event.order.status is OrderStatus.EXPIRED
    assert account.talk.is_ready


def test_silence_is_looked_into() -> None:
    """Where nothing changed it was a quiet time; else the connection is mute, and of no use."""
    account = Account()
    account.begin()
    list(account.talk.tick())
    account.now_s += 6
    assert list(account.talk.tick()) == []
    assert account.reads == 2
    account.orders = [order(status="filled", filled_qty="10.50")]
    account.now_s += 3
    assert list(account.talk.tick()) == []
    account.now_s += 3
    gap, event = account.talk.tick()
    assert isinstance(gap, StreamGap)
    assert isinstance(event, OrderEvent)
    with pytest.raises(ConnectionError):
        list(account.talk.tick())


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ({"stream": "authorization", "data": {"status": "unauthorized"}}, AuthenticationError),
        (
            {"stream": "authorization", "data": {"status": "unauthorized", "message": "no"}},
            AuthenticationError,
        ),
        ({"action": "error", "data": {"error_message": "internal"}}, BrokerUnavailableError),
    ],
)
def test_a_refusal_ends_the_connection(message: Any, kind: type[BrokerageError]) -> None:
    """With an error that says why."""
    account = Account()
    account.talk.begin(account.sent.append)
    with pytest.raises(kind):
        account.hear(message)


def test_words_that_nobody_knows_are_passed_over() -> None:
    """A stream that was not asked for."""
    account = Account()
    assert account.hear({"stream": "account_updates", "data": {}}) == []


# Best prices.


def quotes(*, is_packed: bool = False) -> tuple[QuoteTalk, list[Any]]:
    """Return a talk, and what it sends."""
    symbols = {"ACME": "ACME", OPTION: OPTION_SYMBOL}
    talk = QuoteTalk(
        CALL, CREDENTIALS, symbols, is_packed=is_packed, is_delayed=is_packed, clock=lambda: NOW
    )
    sent: list[Any] = []
    talk.begin(sent.append)
    return talk, sent


QUOTE = {
    "T": "q", "S": "ACME", "bp": 107.10, "bs": 2, "ap": 0, "as": 0, "t": "2026-03-04T15:00:00Z",
}  # fmt: skip


def test_prices_come_once_they_are_subscribed_to() -> None:
    """As JSON, with the digits that were printed."""
    talk, sent = quotes()
    assert json.loads(sent[0]) == {"action": "auth", "key": "the-key", "secret": "the-secret"}
    assert list(talk.hear(b'[{"T": "success", "msg": "connected"}]')) == []
    assert list(talk.hear(b'[{"T": "success", "msg": "authenticated"}]')) == []
    assert json.loads(sent[1]) == {"action": "subscribe", "quotes": ["ACME", OPTION]}
    assert talk.is_ready == (len(sent) > 2)
    told = {"T": "subscription", "quotes": ["ACME", OPTION]}
    (event,) = talk.hear(json.dumps([told, QUOTE, {**QUOTE, "S": "OTHER"}]).encode())
    assert talk.is_ready
    assert talk.tick() == ()
    assert isinstance(event, QuoteEvent)
    assert (event.quote.symbol, str(event.quote.bid), event.quote.ask) == ("ACME", "107.1", None)


def test_options_come_in_messagepack() -> None:
    """Both ways."""
    talk, sent = quotes(is_packed=True)
    assert msgspec.msgpack.decode(sent[0])["action"] == "auth"
    when = datetime(2026, 3, 4, 15, tzinfo=UTC)
    message = msgspec.msgpack.encode([{**QUOTE, "S": OPTION, "bp": 1.05, "t": when}])
    (event,) = talk.hear(message)
    assert isinstance(event, QuoteEvent)
    assert (event.quote.symbol, event.quote.bid) == (OPTION_SYMBOL, D("1.05"))
    assert event.quote.delayed
    assert event.quote.timestamp == when


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (402, AuthenticationError),
        (405, InvalidRequestError),
        (406, BrokerUnavailableError),
        (409, PermissionDeniedError),
        (500, BrokerUnavailableError),
        (499, ConnectionError),
    ],
)
def test_an_error_of_the_stream_is_typed(code: int, kind: type[BrokerageError]) -> None:
    """By its code."""
    talk, _ = quotes()
    with pytest.raises(kind) as caught:
        list(talk.hear(json.dumps([{"T": "error", "code": code, "msg": "m"}]).encode()))
    assert caught.value.code == str(code)


def test_what_harms_nothing_is_passed_over() -> None:
    """Credentials that were given twice, and channels that nobody asked for."""
    talk, _ = quotes()
    assert list(talk.hear(b'[{"T": "error", "code": 403, "msg": "already"}, {"T": "b"}]')) == []


def test_a_symbol_that_is_not_given_is_an_error() -> None:
    """The subscription does not have it."""
    talk, _ = quotes()
    with pytest.raises(InvalidRequestError, match=OPTION):
        list(talk.hear(b'[{"T": "subscription", "quotes": ["ACME"]}]'))


@pytest.mark.parametrize(
    "message",
    [
        b"[",
        b"{}",
        json.dumps([{**QUOTE, "t": None}]).encode(),
        json.dumps([{**QUOTE, "bp": "NaN"}]).encode(),
        json.dumps([{**QUOTE, "t": "2026-03-04T15:00:00"}]).encode(),
    ],
)
def test_prices_that_cannot_be_read_are_a_gap(message: bytes) -> None:
    """The stream goes on."""
    talk, _ = quotes()
    (gap,) = talk.hear(message)
    assert isinstance(gap, StreamGap)


def test_a_stream_is_of_one_market() -> None:
    """Each market has a stream of its own, at an address of its own."""
    broker, _ = brokerage({})
    with pytest.raises(InvalidRequestError, match="one market"):
        broker.stream_quotes(["ACME", "XYZ-USD"])
    with pytest.raises(InvalidRequestError):
        broker.stream_quotes([])
    assert broker._stream_path("us_equity") == "/v2/iex"
    assert broker._stream_path("crypto") == "/v1beta3/crypto/us"
    assert broker._stream_path("us_option") == "/v1beta1/indicative"
    broker.stream_quotes([OPTION_SYMBOL])
    broker.stream_orders()


def test_the_credentials_of_a_stream_are_not_shown() -> None:
    """Neither by the talk nor by its errors."""
    account = Account()
    assert "the-secret" not in repr(account.talk)
    account.talk.begin(account.sent.append)
    with pytest.raises(AuthenticationError) as caught:
        account.hear({"stream": "authorization", "data": {"status": "unauthorized"}})
    assert "the-secret" not in str(caught.value)
