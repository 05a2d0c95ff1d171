"""Streams of the Exchange API, over the adapter and the simulator as they are."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import attrs
import pytest

from bot_v2.features.brokerages.coinbase.exchange_adapter import CoinbaseExchangeBrokerage
from bot_v2.features.brokerages.coinbase.settings import read_settings
from bot_v2.features.brokerages.core.interfaces import (
    AuthenticationError,
    ConnectionError,
    InvalidFieldError,
    InvalidRequestError,
    Liquidity,
    OrderEvent,
    OrderRequest,
    OrderSide,
    OrderStatus,
    OrderType,
    QuoteEvent,
    StreamGap,
)
from bot_v2.features.brokerages.streaming import orders as audit
from bot_v2.testing.streams import Listener, listening
from bot_v2.venues.coinbase.exchange_venue import CoinbaseExchangeVenue
from tests.integration.coinbase.faults.stream_front import StreamFront

D = Decimal
PATIENCE_S = 20.0
SYMBOL = "BTC-USD"
RESTING = OrderRequest(
    symbol=SYMBOL,
    side=OrderSide.BUY,
    type=OrderType.LIMIT,
    quantity=D("0.01"),
    price=D(50_000),
)


@attrs.frozen
class Stand:
    """What a test has at hand."""

    venue: CoinbaseExchangeVenue
    front: StreamFront
    broker: CoinbaseExchangeBrokerage

    @contextmanager
    def orders(self) -> Iterator[Listener]:
        """Listen to orders."""
        with listening(self.broker.stream_orders()) as listener:
            yield listener

    def place(self, **changes: Any) -> str:
        """Place an order, and return its id."""
        order_id = self.broker.place_order(attrs.evolve(RESTING, **changes)).order_id
        assert order_id
        return order_id


@pytest.fixture
def stand(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stand]:
    """The adapter, connected, on the simulator with a relay before its feed."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    with CoinbaseExchangeVenue() as venue, StreamFront(venue.stream_url) as front:
        given = {
            "api_mode": "exchange",
            "api_key": venue.api_key.key,
            "api_secret": venue.api_key.secret,
            "api_passphrase": venue.api_key.passphrase,
            "api_base": venue.url,
            "ws_url": front.url,
            "stream_silence_s": 2.5,
            "stream_audit_s": 0.3,
        }
        broker = CoinbaseExchangeBrokerage(read_settings(given, {}))
        broker.connect()
        yield Stand(venue, front, broker)
        broker.disconnect()


def order_in(listener: Listener, fits: Callable[[OrderEvent], bool]) -> OrderEvent:
    """Return the next event of an order that fits."""
    event: OrderEvent = listener.wait_for(
        lambda one: isinstance(one, OrderEvent) and fits(one), PATIENCE_S, "an order"
    )
    return event


def gap_in(listener: Listener) -> StreamGap:
    """Return the next gap."""
    gap: StreamGap = listener.wait_for(lambda one: isinstance(one, StreamGap), PATIENCE_S, "a gap")
    return gap


def test_a_life_is_told_with_its_executions(stand: Stand) -> None:
    """Each execution under the id that list_fills has, with side and liquidity."""
    with stand.orders() as listener:
        order_id = stand.place()
        order_in(listener, lambda one: one.order.status is OrderStatus.OPEN)
        stand.venue.fill(order_id, D("0.004"), D(50_000))
        event = order_in(listener, lambda one: one.fill is not None)
        assert event.fill is not None
        (listed,) = stand.broker.list_fills()
        told = attrs.evolve(event.fill, fee=listed.fee, fee_currency=listed.fee_currency)
        assert attrs.evolve(told, timestamp=listed.timestamp) == listed
        assert event.fill.liquidity is Liquidity.MAKER
        assert event.order == stand.broker.get_order(order_id)
        assert stand.broker.cancel_order(order_id)
        order_in(listener, lambda one: one.order.status is OrderStatus.CANCELLED)


def test_an_order_that_the_broker_forgets_is_told_as_cancelled(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An order without a fill that is in no list any more was cancelled, also without a word."""
    monkeypatch.setattr(audit, "ABSENCE_S", 0.2)
    with stand.orders() as listener:
        order_id = stand.place()
        order_in(listener, lambda one: one.order.status is OrderStatus.OPEN)
        stand.front.is_down = True
        stand.front.cut()
        gap_in(listener)
        stand.broker.cancel_order(order_id)
        with stand.venue.state.lock:
            # What the broker does with orders that were cancelled without a fill.
            stand.venue.forget(order_id)
        stand.front.is_down = False
        event = order_in(listener, lambda one: one.order.status is OrderStatus.CANCELLED)
    assert event.order.status_reason == "the broker does not know it any more"


def test_what_a_lost_connection_missed_is_told_after_it(stand: Stand) -> None:
    """A gap first; then what was placed and filled meanwhile, once."""
    with stand.orders() as listener:
        stand.front.is_down = True
        stand.front.cut()
        gap_in(listener)
        order_id = stand.place()
        stand.venue.fill(order_id, D("0.01"), D(50_000))
        stand.front.is_down = False
        order_in(listener, lambda one: one.order.status is OrderStatus.FILLED)
        listener.drain(0.3)
    assert sum(isinstance(one, OrderEvent) for one in listener.seen) == 1


def test_a_message_that_is_left_out_is_made_up_for(stand: Stand) -> None:
    """These messages have no numbers of their own: the audit finds what they would have told."""
    stand.front.meddle = lambda one: [] if one["type"] in ("received", "open") else [one]
    with stand.orders() as listener:
        order_id = stand.place()
        order_in(listener, lambda one: one.order.order_id == order_id)


def test_what_cannot_be_read_is_a_gap(stand: Stand) -> None:
    """Garbage, and an order that nobody knows: the stream goes on."""
    with stand.orders() as listener:
        stand.front.say("garbage", {"type": "open", "product_id": SYMBOL, "order_id": "never"})
        assert "cannot be read" in gap_in(listener).reason
        order_id = stand.place()
        order_in(listener, lambda one: one.order.order_id == order_id)


def test_silence_and_refusals_are_noticed(stand: Stand) -> None:
    """A feed that says nothing is a gap; one that refuses at the beginning is an error."""
    with listening(stand.broker.stream_quotes([SYMBOL])) as listener:
        stand.front.is_mute = True
        stand.venue.set_market(SYMBOL, D(61_000), D(61_001), D(1))
        assert "nothing was said" in gap_in(listener).reason
        stand.front.is_mute = False
        listener.wait_for(
            lambda one: isinstance(one, QuoteEvent) and one.quote.bid == 61_000,
            PATIENCE_S,
            "the new bid",
        )
    refusal = {"type": "error", "message": "Authentication Failed", "reason": "{}"}
    stand.front.meddle = lambda one: [refusal] if one["type"] == "subscriptions" else [one]
    with pytest.raises(AuthenticationError, match="Authentication Failed"):
        stand.broker.stream_orders().__enter__()


def test_streams_of_orders_share_a_connection(stand: Stand) -> None:
    """Both hear everything; the connection ends with the second of them."""
    with stand.orders() as one:
        with stand.orders() as other:
            order_id = stand.place()
            for listener in (one, other):
                order_in(listener, lambda event: event.order.order_id == order_id)
            assert len(stand.front.attempts) == 1
        assert stand.broker.cancel_order(order_id)
        order_in(one, lambda event: event.order.status is OrderStatus.CANCELLED)
    with stand.orders() as listener:
        order_id = stand.place()
        order_in(listener, lambda event: event.order.order_id == order_id)
    assert len(stand.front.attempts) == 2


def test_streams_want_a_session_and_symbols(stand: Stand) -> None:
    """They are refused before anything is opened; a disconnect ends those that are open."""
    wrongs: tuple[Sequence[str], ...] = ((), SYMBOL)
    for wrong in wrongs:
        with pytest.raises(InvalidFieldError, match="symbols"):
            stand.broker.stream_quotes(wrong)
    with stand.orders() as listener:
        stand.broker.disconnect()
        assert listener.has_ended(PATIENCE_S)
    for ask in (stand.broker.stream_orders, lambda: stand.broker.stream_quotes([SYMBOL])):
        with pytest.raises(ConnectionError, match="not connected"):
            ask()
    assert len(stand.front.attempts) == 1


def test_there_are_no_more_streams_than_allowed(stand: Stand) -> None:
    """One more than sixteen is refused, and makes room when another ends."""
    with stand.orders() as first:
        opened = [stand.broker.stream_orders() for _ in range(15)]
        for stream in opened:
            stream.__enter__()
        with pytest.raises(InvalidRequestError, match="16 streams are open"):
            stand.broker.stream_orders().__enter__()
        for stream in opened:
            stream.__exit__(None, None, None)
        with stand.orders() as listener:
            order_id = stand.place()
            for one in (first, listener):
                order_in(one, lambda event: event.order.order_id == order_id)
    deadline = time.monotonic() + PATIENCE_S
    while stand.front._open and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not stand.front._open
