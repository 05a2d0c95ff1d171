"""Faults of streams: what was missed is said, what changed meanwhile is told, and told once."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from bot_v2.features.brokerages.coinbase.adapter import CoinbaseBrokerage
from bot_v2.features.brokerages.core.interfaces import (
    AuthenticationError,
    OrderEvent,
    OrderStatus,
    QuoteEvent,
    StreamGap,
)
from bot_v2.testing.streams import Listener
from tests.integration.coinbase.faults.conftest import (
    RESTING,
    SILENCE_S,
    SYMBOL,
    Bench,
    place,
    utc_now,
)

D = Decimal
PRICE = D(50_000)
PATIENCE_S = 20.0
QUIET_S = 0.3

FILLED, CANCELLED = OrderStatus.FILLED, OrderStatus.CANCELLED


@contextmanager
def orders(broker: CoinbaseBrokerage) -> Iterator[Listener]:
    """Listen to orders."""
    with broker.stream_orders() as events:
        yield Listener(events)


@contextmanager
def quotes(broker: CoinbaseBrokerage) -> Iterator[Listener]:
    """Listen to best prices."""
    with broker.stream_quotes([SYMBOL]) as events:
        yield Listener(events)


def gap_in(listener: Listener) -> StreamGap:
    """Return the next gap."""
    gap: StreamGap = listener.wait_for(
        lambda event: isinstance(event, StreamGap), PATIENCE_S, "a gap"
    )
    return gap


def order_in(listener: Listener, fits: Callable[[OrderEvent], bool]) -> OrderEvent:
    """Return the next event of an order that fits."""
    event: OrderEvent = listener.wait_for(
        lambda one: isinstance(one, OrderEvent) and fits(one), PATIENCE_S, "an order"
    )
    return event


def has_filled(quantity: str) -> Callable[[OrderEvent], bool]:
    """Return what accepts an order of which so much is filled."""
    return lambda event: event.order.filled_quantity == D(quantity)


def bid_in(listener: Listener, bid: int) -> QuoteEvent:
    """Return the next quote with a bid."""
    event: QuoteEvent = listener.wait_for(
        lambda one: isinstance(one, QuoteEvent) and one.quote.bid == bid, PATIENCE_S, f"{bid}"
    )
    return event


def filled_in(listener: Listener) -> list[Decimal]:
    """Return what was filled, as each event of an order told it."""
    listener.drain(QUIET_S)
    return [one.order.filled_quantity for one in listener.seen if isinstance(one, OrderEvent)]


def is_of(channel: str) -> Callable[[Any], bool]:
    """Return what accepts a message of a channel that tells a change."""
    return lambda one: one.get("channel") == channel and one["events"][0].get("type") == "update"


def once(fits: Callable[[Any], bool], made: Callable[[Any], list[Any]]) -> Callable[[Any], Any]:
    """Return what meddles with the first message that fits."""
    count = itertools.count()

    def meddle(message: Any) -> list[Any]:
        return made(message) if fits(message) and next(count) == 0 else [message]

    return meddle


def test_t16_a_silent_stream_is_a_gap(bench: Bench, broker: CoinbaseBrokerage) -> None:
    """T16: A stream on which nothing comes is a gap, and what it did not say is told after it."""
    order_id = place(broker)
    with orders(broker) as listener:
        bench.stream_front.is_mute = True
        began = time.monotonic()
        bench.venue.fill(order_id, D("0.004"), PRICE)
        assert "nothing was said" in gap_in(listener).reason
        # The silence counts from the last message, which came before it was made mute.
        assert time.monotonic() - began >= SILENCE_S / 2
        bench.stream_front.is_mute = False
        event = order_in(listener, has_filled("0.004"))
    assert event.order.order_id == order_id
    assert len(bench.stream_front.attempts) >= 2


def test_t16_silent_prices_are_a_gap(bench: Bench, broker: CoinbaseBrokerage) -> None:
    """T16: Prices that stop are a gap; afterwards they are those of the market."""
    with quotes(broker) as listener:
        bench.stream_front.is_mute = True
        bench.venue.set_market(SYMBOL, D(61_000), D(61_001), D(1))
        gap_in(listener)
        bench.stream_front.is_mute = False
        bid_in(listener, 61_000)


def test_t17_attempts_are_spaced(bench: Bench, broker: CoinbaseBrokerage) -> None:
    """T17: While the broker takes no connection, each attempt waits longer than the one before."""
    with orders(broker) as listener:
        bench.stream_front.is_down = True
        bench.stream_front.cut()
        gap_in(listener)
        deadline = time.monotonic() + PATIENCE_S
        while len(bench.stream_front.attempts) < 4 and time.monotonic() < deadline:
            time.sleep(0.02)
        waits = [b - a for a, b in itertools.pairwise(bench.stream_front.attempts[1:4])]
        # Half a second, doubled, less at most a half.
        assert waits[0] >= 0.5
        assert waits[1] >= 1.0
        bench.stream_front.is_down = False
        place(broker)
        order_in(listener, lambda event: event.order.client_order_id == RESTING.client_order_id)
    assert sum(isinstance(one, StreamGap) for one in listener.seen) == 1


def test_t18_a_drop_while_an_order_is_on_its_way(bench: Bench, broker: CoinbaseBrokerage) -> None:
    """T18: What was placed and filled while the stream was lost is told after the gap, once."""
    with orders(broker) as listener:
        bench.stream_front.is_down = True
        bench.stream_front.cut()
        gap_in(listener)
        order_id = place(broker)
        bench.venue.fill(order_id, D("0.01"), PRICE)
        bench.stream_front.is_down = False
        order_in(listener, lambda event: event.order.status is FILLED)
        assert filled_in(listener) == [D("0.01")]


def test_p01_a_message_that_comes_twice(bench: Bench, broker: CoinbaseBrokerage) -> None:
    """P01: A message that a stream repeats, under a number of its own, is one event."""
    order_id = place(broker)
    front = bench.stream_front
    front.meddle, front.renumber = (lambda message: [message, message]), True
    with orders(broker) as listener:
        bench.venue.fill(order_id, D("0.004"), PRICE)
        bench.venue.fill(order_id, D("0.006"), PRICE)
        order_in(listener, has_filled("0.010"))
        assert filled_in(listener) == [D("0.004"), D("0.01")]


def test_p03_a_fill_that_is_told_after_the_cancel(bench: Bench, broker: CoinbaseBrokerage) -> None:
    """P03: A fill that a stream tells after the end is an event, and the order stays ended."""
    order_id = place(broker)
    with orders(broker) as listener:
        broker.cancel_order(order_id)
        order_in(listener, lambda event: event.order.status is CANCELLED)
        bench.venue.late_fill(order_id, D("0.004"), PRICE)
        event = order_in(listener, has_filled("0.004"))
    assert event.order.status is CANCELLED


def test_p04_a_fill_that_a_healthy_stream_leaves_out(bench: Bench) -> None:
    """P04: A change that a stream leaves out without a sign is found by the audit."""
    broker = bench.open(stream_audit_s=0.2)
    order_id = place(broker)
    front = bench.stream_front
    front.meddle, front.renumber = once(is_of("user"), lambda _: []), True
    with orders(broker) as listener:
        bench.venue.fill(order_id, D("0.004"), PRICE)
        order_in(listener, has_filled("0.004"))
        listener.drain(QUIET_S)
    assert not any(isinstance(one, StreamGap) for one in listener.seen)


def test_p05_quantities_that_come_out_of_order(bench: Bench, broker: CoinbaseBrokerage) -> None:
    """P05: What a stream says was filled never falls, whatever order its messages come in."""
    order_id = place(broker)
    held: list[Any] = []

    def swap(message: Any) -> list[Any]:
        if is_of("user")(message) and not held:
            held.append(message)
            return []
        return [message, *([held[0]] if is_of("user")(message) and len(held) == 1 else [])]

    bench.stream_front.meddle, bench.stream_front.renumber = swap, True
    with orders(broker) as listener:
        bench.venue.fill(order_id, D("0.004"), PRICE)
        bench.venue.fill(order_id, D("0.003"), PRICE)
        order_in(listener, has_filled("0.007"))
        assert filled_in(listener) == [D("0.007")]


def test_p07_an_unknown_status_on_a_stream(bench: Bench, broker: CoinbaseBrokerage) -> None:
    """P07: A word that nobody has seen is UNKNOWN with the word kept; the stream goes on."""
    order_id = place(broker)

    def rename(message: Any) -> list[Any]:
        message["events"][0]["orders"][0]["status"] = "NEW_WORD"
        message["events"][0]["orders"][0]["new_field"] = {"a": [1]}
        return [message]

    bench.stream_front.meddle = once(is_of("user"), rename)
    with orders(broker) as listener:
        bench.venue.fill(order_id, D("0.004"), PRICE)
        event = order_in(listener, has_filled("0.004"))
        assert (event.order.status, event.order.native_status) == (OrderStatus.UNKNOWN, "NEW_WORD")
        bench.venue.fill(order_id, D("0.006"), PRICE)
        assert order_in(listener, has_filled("0.010")).order.status is FILLED


@pytest.mark.parametrize("garbage", ["{", "null", '{"channel": 5}', "\N{BOMB}"])
def test_p08_what_cannot_be_parsed_on_a_stream(
    bench: Bench, broker: CoinbaseBrokerage, garbage: str
) -> None:
    """P08: A message that cannot be read is a gap; what it may have told is read, and told."""
    order_id = place(broker)
    bench.stream_front.meddle = once(is_of("user"), lambda _: [garbage])
    with orders(broker) as listener:
        bench.venue.fill(order_id, D("0.004"), PRICE)
        assert "cannot be read" in gap_in(listener).reason
        order_in(listener, has_filled("0.004"))
        bench.venue.fill(order_id, D("0.006"), PRICE)
        order_in(listener, has_filled("0.010"))
    assert len(bench.stream_front.attempts) == 1


def test_p09_a_gap_in_the_sequence_of_a_book(bench: Bench, broker: CoinbaseBrokerage) -> None:
    """P09: A message of a book that is missing is a gap, and the book is taken anew."""
    lost = once(is_of("l2_data"), lambda _: [])
    bench.stream_front.meddle = lost
    with quotes(broker) as listener:
        bench.venue.set_market(SYMBOL, D(61_000), D(61_001), D(1))
        assert "1 messages are missing" in gap_in(listener).reason
        bid_in(listener, 61_000)
        bench.venue.set_market(SYMBOL, D(62_000), D(62_001), D(2))
        quote = bid_in(listener, 62_000).quote
    assert (quote.ask, quote.bid_size, quote.ask_size) == (D(62_001), D(2), D(2))
    assert len(bench.stream_front.attempts) == 2


def test_p09_a_gap_in_the_sequence_of_orders(bench: Bench, broker: CoinbaseBrokerage) -> None:
    """P09: A message of orders that is missing is a gap that says how many; they are read."""
    order_id = place(broker)
    bench.stream_front.meddle = once(is_of("user"), lambda _: [])
    with orders(broker) as listener:
        bench.venue.fill(order_id, D("0.004"), PRICE)
        assert gap_in(listener).missed == 1
        order_in(listener, has_filled("0.004"))
    assert len(bench.stream_front.attempts) == 1


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1_000", "x"])
def test_p14_numbers_that_are_none_on_a_stream(
    bench: Bench, broker: CoinbaseBrokerage, number: str
) -> None:
    """P14: A message with a number that is none is a gap, never a number."""
    order_id = place(broker)

    def spoil(message: Any) -> list[Any]:
        message["events"][0]["orders"][0]["cumulative_quantity"] = number
        return [message]

    bench.stream_front.meddle = once(is_of("user"), spoil)
    with orders(broker) as listener:
        bench.venue.fill(order_id, D("0.004"), PRICE)
        gap_in(listener)
        order_in(listener, has_filled("0.004"))


def test_p19_a_message_that_is_older_than_what_is_known(
    bench: Bench, broker: CoinbaseBrokerage
) -> None:
    """P19: A snapshot from before an order's end does not bring it back."""
    order_id = place(broker)
    old: list[Any] = []

    def keep(message: Any) -> list[Any]:
        if message.get("channel") == "user" and message["events"][0]["type"] == "snapshot":
            old.append(message)
        return [message]

    bench.stream_front.meddle, bench.stream_front.renumber = keep, True
    with orders(broker) as listener:
        broker.cancel_order(order_id)
        order_in(listener, lambda event: event.order.status is CANCELLED)
        bench.stream_front.say(*({**one, "sequence_num": 10_000} for one in old))
        listener.drain(QUIET_S)
    told = [one.order.status for one in listener.seen if isinstance(one, OrderEvent)]
    assert told[-1] is CANCELLED


def test_v01_a_session_that_expires_on_a_stream(bench: Bench, broker: CoinbaseBrokerage) -> None:
    """V01: A stream that is told that its token has expired connects again with a fresh one."""
    with orders(broker) as listener:
        bench.stream_front.say({"type": "error", "message": "authentication failure"})
        assert "authentication failure" in gap_in(listener).reason
        place(broker)
        order_in(listener, lambda event: event.order.client_order_id == RESTING.client_order_id)
    tokens = [one["jwt"] for one in bench.stream_front.asked if one["channel"] == "user"]
    assert len(tokens) == len(set(tokens)) == 2


def test_v01_a_token_that_is_refused_from_the_beginning(bench: Bench) -> None:
    """V01: A stream that the broker refuses to begin with is an AuthenticationError."""
    broker = bench.open()

    def refuse(message: Any) -> list[Any]:
        said = {"type": "error", "message": "authentication failure"}
        return [said] if message.get("channel") == "user" else [message]

    bench.stream_front.meddle = refuse
    with pytest.raises(AuthenticationError, match="authentication failure"), orders(broker):
        pass
    assert len(bench.stream_front.attempts) == 1


def test_v07_a_stream_is_signed_by_the_broker_s_time(bench: Bench) -> None:
    """V07: Where the clocks differ, the tokens of streams are dated by the broker's."""

    def late() -> datetime:
        return utc_now() - timedelta(minutes=10)

    broker = bench.open(clock=late)
    with orders(broker) as listener:
        place(broker)
        order_in(listener, lambda event: event.order.client_order_id == RESTING.client_order_id)


def test_p17_a_field_that_was_renamed_on_a_stream(bench: Bench, broker: CoinbaseBrokerage) -> None:
    """P17: A message without an order's id is a gap, and the stream goes on."""
    order_id = place(broker)

    def rename(message: Any) -> list[Any]:
        text = json.dumps(message).replace('"order_id"', '"orderId"')
        return [text]

    bench.stream_front.meddle = once(is_of("user"), rename)
    with orders(broker) as listener:
        bench.venue.fill(order_id, D("0.004"), PRICE)
        gap_in(listener)
        order_in(listener, has_filled("0.004"))
