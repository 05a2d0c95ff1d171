"""Streams of quotes and orders in which something fails, is lost, or cannot be told."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from decimal import Decimal

import attrs
import pytest

from bot_v2.features.brokerages.core.interfaces import (
    BrokerageError,
    InvalidSymbolError,
    Leg,
    OrderEvent,
    OrderSide,
    OrderStatus,
    QuoteEvent,
    RateLimitError,
    StreamGap,
)
from bot_v2.features.brokerages.ibkr import streams
from bot_v2.features.brokerages.ibkr.adapter import IbkrBrokerage
from bot_v2.features.brokerages.ibkr.pace import Pace
from bot_v2.testing.streams import Listener, listening
from tests.integration.ibkr.conftest import RESTING, SYMBOL, TAKING, Bench, place
from tests.integration.ibkr.front import ERROR, OPEN_ORDER, Message, put

D = Decimal
WAIT_S = 10.0
OTHER = "MSFT"
ASK_QUOTES, END_QUOTES = "1", "2"
PRICE = D("120.5")
SPREAD = (
    Leg(symbol="AAPL-20280121-170-C", side=OrderSide.BUY),
    Leg(symbol="AAPL-20280121-180-C", side=OrderSide.SELL),
)


def wait_gap(listener: Listener, part: str) -> StreamGap:
    """Return the gap that says something."""
    gap: StreamGap = listener.wait_for(
        lambda one: isinstance(one, StreamGap) and part in one.reason, WAIT_S, f"a gap: {part}"
    )
    return gap


def wait_bid(listener: Listener, bid: int) -> None:
    """Wait for a quote."""
    listener.wait_for(
        lambda one: isinstance(one, QuoteEvent) and one.quote.bid == bid, WAIT_S, f"a bid of {bid}"
    )


def wait_until(is_so: Callable[[], bool]) -> None:
    """Wait until something is so."""
    end = time.monotonic() + WAIT_S
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.005)


def subscriptions(bench: Bench) -> int:
    """How many streams of quotes were asked for on the latest connection, and not ended."""
    asked = [one[2] for one in bench.front.sent if one[0] == ASK_QUOTES]
    ended = [one[2] for one in bench.front.sent if one[0] == END_QUOTES]
    return len(asked) - len(ended)


def request_of(bench: Bench, place: int = -1) -> str:
    """Return the number under which quotes were asked for."""
    return [one[2] for one in bench.front.sent if one[0] == ASK_QUOTES][place]


def test_quotes_that_end(bench: Bench, broker: IbkrBrokerage) -> None:
    """That TWS tells no more of a product is told; it is asked to end it all the same."""
    with listening(broker.stream_quotes([SYMBOL])) as listener:
        wait_until(lambda: subscriptions(bench) == 1)
        bench.front.say(ERROR, 2, request_of(bench), 10197, "competing session", "")
        assert SYMBOL in wait_gap(listener, "competing session").reason
        bench.venue.set_market(SYMBOL, D(150), D(151), D(10))
        wait_bid(listener, 150)
    wait_until(lambda: subscriptions(bench) == 0)


def test_quotes_in_a_flood(bench: Bench, broker: IbkrBrokerage) -> None:
    """That a message was one too many is told to who listens: it may have been theirs."""
    with listening(broker.stream_quotes([SYMBOL])) as listener:
        wait_until(lambda: subscriptions(bench) == 1)
        bench.front.say(ERROR, 2, -1, 100, "Max rate of messages per second", "")
        wait_gap(listener, "Max rate")
    wait_until(lambda: subscriptions(bench) == 0)


def test_quotes_after_a_drop(bench: Bench, broker: IbkrBrokerage) -> None:
    """A connection that drops is opened by itself, and each product's quotes go on."""
    with listening(broker.stream_quotes([SYMBOL, OTHER])) as listener:
        wait_until(lambda: subscriptions(bench) == 2)
        bench.front.cut()
        wait_gap(listener, "ended")
        wait_until(lambda: bench.front.count(ASK_QUOTES) == 4)
        for symbol, bid in ((SYMBOL, 151), (OTHER, 401)):
            bench.venue.set_market(symbol, D(bid), D(bid + 1), D(10))
            wait_bid(listener, bid)
    assert not broker._session.streams


def test_two_listeners_of_a_product(bench: Bench, broker: IbkrBrokerage) -> None:
    """A listener that leaves ends its own quotes, and those of nobody else."""
    with listening(broker.stream_quotes([SYMBOL])) as stays:
        with listening(broker.stream_quotes([SYMBOL])) as leaves:
            wait_until(lambda: subscriptions(bench) == 2)
            bench.venue.set_market(SYMBOL, D(150), D(151), D(10))
            wait_bid(leaves, 150)
        assert leaves.has_ended(WAIT_S)
        wait_until(lambda: subscriptions(bench) == 1)
        bench.venue.set_market(SYMBOL, D(152), D(153), D(10))
        wait_bid(stays, 152)


def test_quotes_of_what_there_is_not(bench: Bench, broker: IbkrBrokerage) -> None:
    """A stream of which one product is not known is not opened, and leaves nothing open."""
    with (
        pytest.raises(InvalidSymbolError),
        broker.stream_quotes([SYMBOL, "ZZZZ"]),
    ):
        pytest.fail("the stream is open")
    assert subscriptions(bench) == 0


def test_quotes_that_there_is_no_room_for(bench: Bench) -> None:
    """A stream of which a part could not be asked for in time ends the part that was."""
    broker = bench.open()
    broker.get_product(OTHER)
    core = broker._link.core
    assert core is not None
    core.gateway._pace = Pace(1, period_s=WAIT_S)
    with pytest.raises(RateLimitError), broker.stream_quotes([SYMBOL, OTHER]):
        pytest.fail("the stream is open")
    wait_until(lambda: bench.front.count(END_QUOTES) == 1)
    assert subscriptions(bench) == 0
    assert not core.hub.feeds
    assert not core.hub.quotes


def test_an_order_that_cannot_be_told(bench: Bench, broker: IbkrBrokerage) -> None:
    """An event that makes no sense is told as a gap, and the stream goes on."""
    order_id = place(broker)
    with listening(broker.stream_orders()) as listener:
        bench.front.on_coming(OPEN_ORDER, put(16, "NaN"))
        bench.venue.fill(order_id, D(1), PRICE)
        wait_gap(listener, "could not be told")
        bench.front.coming.clear()
        bench.venue.fill(order_id, D(3), PRICE)
        listener.wait_for(
            lambda one: isinstance(one, OrderEvent) and one.order.status is OrderStatus.FILLED,
            WAIT_S,
            "the end",
        )


def test_a_combination_that_cannot_be_told(bench: Bench, broker: IbkrBrokerage) -> None:
    """An event with a side that no table knows is told as a gap, and never left out."""

    def with_odd_leg(message: Message) -> Sequence[Message]:
        return put(message.index("SELL"), "SLONG")(message)

    order_id = place(broker, attrs.evolve(RESTING, price=D("0.5"), legs=SPREAD))
    with listening(broker.stream_orders()) as listener:
        bench.front.on_coming(OPEN_ORDER, with_odd_leg, times=9)
        bench.venue.fill(order_id, D(1), D("0.5"))
        wait_gap(listener, "could not be told")


def test_many_orders(bench: Bench, broker: IbkrBrokerage, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was told of the orders that changed last is remembered: it is not told again."""
    monkeypatch.setattr(streams, "EMITTED_MAX", 2)
    bench.orders_max = 3
    with listening(broker.stream_orders()) as listener:
        first = place(broker)
        place(broker, attrs.evolve(TAKING, client_order_id="second"))
        bench.venue.fill(first, D(1), PRICE)
        last = place(broker, attrs.evolve(TAKING, client_order_id="third"))
        listener.wait_for(
            lambda one: (
                isinstance(one, OrderEvent)
                and one.order.order_id == last
                and one.order.status is OrderStatus.FILLED
            ),
            WAIT_S,
            "the last order",
        )
        listener.drain(0.2)
        seen = len(listener.seen)
        assert broker.get_order(first).filled_quantity == 1
        assert listener.drain(0.2)[seen:] == []


def test_streams_that_a_session_ends(bench: Bench, broker: IbkrBrokerage) -> None:
    """Streams end with their session, and closing them afterwards is harmless."""
    with (
        listening(broker.stream_orders()) as orders,
        listening(broker.stream_quotes([SYMBOL])) as quotes,
    ):
        broker.disconnect()
        assert orders.has_ended(WAIT_S)
        assert quotes.has_ended(WAIT_S)
    with pytest.raises(BrokerageError), broker.stream_orders():
        pytest.fail("the stream is open")
