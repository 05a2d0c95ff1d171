"""Faults of the catalogue in what TWS says: P01 to P19."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import attrs
import pytest

from bot_v2.features.brokerages.core.interfaces import (
    BrokerageError,
    BrokerAPIError,
    OrderEvent,
    OrderOutcomeUnknownError,
    OrderRejectedError,
    OrderSide,
    OrderStatus,
    Outcome,
    StopLoss,
    StreamGap,
    TakeProfit,
    TimeoutError,
    order_after_report,
)
from bot_v2.features.brokerages.ibkr.adapter import IbkrBrokerage
from bot_v2.simulation.faults import Fault
from bot_v2.testing.streams import Listener, listening
from tests.integration.ibkr.conftest import REF, RESTING, SYMBOL, TAKING, Bench, place
from tests.integration.ibkr.front import (
    ERROR,
    EXECUTION,
    OPEN_ORDER,
    STATUS,
    Message,
    put,
    swallow,
)

D = Decimal
WAIT_S = 10.0
PRICE = D("120.5")

OPEN_ORDERS_END = "53"
POSITION, DEPTH = "71", "13"


def wait_filled(listener: Listener, quantity: Decimal) -> OrderEvent:
    """Return the event in which so much of an order is filled."""
    event: OrderEvent = listener.wait_for(
        lambda one: isinstance(one, OrderEvent) and one.order.filled_quantity == quantity,
        WAIT_S,
        f"{quantity} filled",
    )
    return event


def is_second(one: object) -> bool:
    """Whether an event brings the execution of three."""
    return isinstance(one, OrderEvent) and one.fill is not None and one.fill.quantity == 3


def test_p01_an_execution_that_is_told_twice(bench: Bench, broker: IbkrBrokerage) -> None:
    """P01: an execution that is told twice is one fill, in the stream and in the list."""
    order_id = place(broker)
    with listening(broker.stream_orders()) as listener:
        bench.venue.inject(Fault.DUPLICATE_EVENT)
        bench.venue.fill(order_id, D(1), PRICE)
        bench.venue.fill(order_id, D(3), PRICE)
        wait_filled(listener, D(4))
        listener.drain(0.2)
        told = [
            one.fill.trade_id for one in listener.seen if isinstance(one, OrderEvent) and one.fill
        ]
    assert len(told) == len(set(told)) == 2
    assert sum(fill.quantity for fill in broker.list_fills()) == 4


def test_p02_a_fill_before_the_answer(bench: Bench, broker: IbkrBrokerage) -> None:
    """P02: an order of which the fill is told before the order itself is placed, and filled."""
    result = broker.place_order(TAKING)
    order = bench.the_order(broker)
    assert (result.order_id, order.status) == (order.order_id, OrderStatus.FILLED)


@pytest.mark.parametrize("first", ["execution-first", "status-first", "commission-first"])
def test_p02_whatever_comes_first(bench: Bench, broker: IbkrBrokerage, first: str) -> None:
    """P02: execution, status and commission come in any order, and come to the same."""
    bench.venue.scripts.order_fills(first)
    order_id = place(broker)
    with listening(broker.stream_orders()) as listener:
        bench.venue.fill(order_id, D(1), PRICE)
        bench.venue.fill(order_id, D(3), D("120.4"))
        wait_filled(listener, D(4))
        if not any(is_second(one) for one in listener.seen):
            listener.wait_for(is_second, WAIT_S, "the second execution")
    fills = broker.list_fills()
    assert [(one.quantity, one.price) for one in fills] == [(D(1), PRICE), (D(3), D("120.4"))]
    assert all(one.fee is not None and one.fee_currency == "USD" for one in fills)
    assert bench.the_order(broker).average_fill_price == D("120.425")


def test_p03_a_fill_after_the_cancel(bench: Bench, broker: IbkrBrokerage) -> None:
    """P03: a fill that is told after the cancel counts: in the order, and among the fills."""
    order_id = place(broker)
    assert broker.cancel_order(order_id)
    bench.venue.late_fill(order_id, D(1), PRICE)
    order = bench.the_order(broker)
    assert (order.status, order.filled_quantity) == (OrderStatus.CANCELLED, D(1))
    assert [fill.quantity for fill in broker.list_fills()] == [D(1)]


def test_p04_a_fill_that_is_left_out(bench: Bench, broker: IbkrBrokerage) -> None:
    """P04: a fill of which nothing was told is in the order, and in the list of fills."""
    order_id = place(broker)
    bench.venue.inject(Fault.MUTE_STREAM)
    bench.venue.fill(order_id, D(1), PRICE)
    bench.venue.clear_faults()
    assert bench.the_order(broker).filled_quantity == 1
    assert [fill.quantity for fill in broker.list_fills()] == [D(1)]


def test_p05_out_of_order(bench: Bench, broker: IbkrBrokerage) -> None:
    """P05: what was filled never falls in a stream, in whatever order it was told."""
    order_id = place(broker)
    with listening(broker.stream_orders()) as listener:
        for _ in range(4):
            bench.venue.inject(Fault.REORDER_EVENTS, "stream_orders")
            bench.venue.fill(order_id, D(1), PRICE)
        wait_filled(listener, D(4))
        listener.drain(0.2)
        orders = [one.order for one in listener.seen if isinstance(one, OrderEvent)]
    booked = orders[0]
    for order in orders[1:]:
        booked = order_after_report(booked, order)
    filled = [order.filled_quantity for order in orders]
    assert filled == sorted(filled)
    assert booked.status is OrderStatus.FILLED


def test_p06_a_correction(bench: Bench, broker: IbkrBrokerage) -> None:
    """P06: what corrects an execution says which one, and both are told."""
    order_id = place(broker)
    bench.venue.fill(order_id, D(2), PRICE)
    (first,) = broker.list_fills()
    bench.venue.scripts.correct(first.trade_id, D(2), D("120.25"))
    fills = {fill.trade_id: fill for fill in broker.list_fills()}
    corrected = next(fill for fill in fills.values() if fill.corrects)
    assert (corrected.corrects, corrected.price) == (first.trade_id, D("120.25"))
    assert fills[first.trade_id].price == PRICE


def test_p07_an_unknown_status(bench: Bench, broker: IbkrBrokerage) -> None:
    """P07: a status that no table has is UNKNOWN with its text, and the order does not go away."""
    order_id = place(broker)
    bench.front.on_coming(STATUS, put(2, "Sleeping"))
    order = broker.get_order(order_id)
    assert (order.status, order.native_status) == (OrderStatus.UNKNOWN, "Sleeping")
    assert bench.the_order(broker).status is OrderStatus.OPEN


def test_p07_an_unknown_type(bench: Bench, broker: IbkrBrokerage) -> None:
    """P07: an order of a type that no table has is listed, with its text."""
    order_id = place(broker)
    bench.front.on_coming(OPEN_ORDER, put(15, "SNAP MID"))
    order = broker.get_order(order_id)
    assert (order.type.value, order.metadata["native_type"]) == ("other", "SNAP MID")


def test_p08_what_cannot_be_parsed(bench: Bench, broker: IbkrBrokerage) -> None:
    """P08: what cannot be parsed is an error of that read, and the next one is as good as ever."""
    order_id = place(broker)
    bench.front.on_coming(OPEN_ORDER, lambda message: [message[:20]])
    with pytest.raises(BrokerAPIError):
        broker.get_order(order_id)
    assert broker.get_order(order_id).order_id == order_id


def test_p08_a_stream_survives(bench: Bench, broker: IbkrBrokerage) -> None:
    """P08: an event that cannot be parsed does not end a stream."""
    order_id = place(broker)
    with listening(broker.stream_orders()) as listener:
        bench.front.on_coming(EXECUTION, lambda message: [message[:9]])
        bench.venue.fill(order_id, D(1), PRICE)
        wait_filled(listener, D(1))


def test_p09_a_book_with_a_gap(bench: Bench, broker: IbkrBrokerage) -> None:
    """P09: a book of which a row is missing is an error, and not a book."""
    bench.front.on_coming(DEPTH, swallow)
    with pytest.raises(BrokerAPIError):
        broker.get_orderbook(SYMBOL, 2)
    assert broker.get_orderbook(SYMBOL, 2).bids


def test_p10_the_answer_to_an_earlier_question(bench: Bench, broker: IbkrBrokerage) -> None:
    """P10: an answer that comes too late is not taken for the answer to the next question."""
    held: list[Message] = []

    def hold(message: Message) -> Sequence[Message]:
        held.append(message)
        return []

    bench.front.on_coming(OPEN_ORDERS_END, hold)
    with pytest.raises(TimeoutError):
        broker.list_orders()
    order_id = place(bench.open(direct=True, client_id=2))
    passage = bench.front.passages[-1]
    listed: list[str] = []

    def answer_the_first(message: Message) -> Sequence[Message]:
        # The end of the first answer comes just as the second question is asked.
        passage.say(held[0])
        return [message]

    bench.front.on_going("16", answer_the_first)
    listed = [order.order_id for order in broker.list_orders()]
    assert listed == [order_id]


def test_p11_an_order_and_its_refusal(bench: Bench, broker: IbkrBrokerage) -> None:
    """P11: an order that comes with its refusal is a refusal, and is told so by its status."""
    rejected = "Order rejected - reason:no"
    bench.front.on_coming(OPEN_ORDER, lambda one: [[ERROR, "2", one[1], "201", rejected, ""], one])
    with pytest.raises(OrderRejectedError) as caught:
        broker.place_order(RESTING)
    assert caught.value.outcome is Outcome.REJECTED
    assert caught.value.reason


def test_p12_a_part_of_a_bracket(bench: Bench, broker: IbkrBrokerage) -> None:
    """P12: a bracket of which a part is not told of is unknown as a whole, and names what is."""
    bench.orders_max = 3
    asked = attrs.evolve(
        RESTING, take_profit=TakeProfit(price=D(200)), stop_loss=StopLoss(stop_price=D(100))
    )
    lost: list[str] = []

    def lose_the_last(message: Message) -> Sequence[Message]:
        lost.append(message[1])
        return [] if len(set(lost)) == 3 else [message]

    bench.front.on_coming(OPEN_ORDER, lose_the_last, times=3)
    bench.front.on_coming(STATUS, lambda one: [] if len(set(lost)) == 3 else [one], times=3)
    with pytest.raises(OrderOutcomeUnknownError) as caught:
        broker.place_order(asked)
    entry = broker.get_order_by_client_id(REF)
    assert caught.value.order_id == entry.order_id


def test_p13_an_order_without_its_id(bench: Bench, broker: IbkrBrokerage) -> None:
    """P13: an order that is told without its permanent id is no success."""
    bench.front.on_coming(OPEN_ORDER, put(25, "0"))
    bench.front.on_coming(STATUS, put(6, "0"))
    bench.place_unknown(broker)
    assert bench.the_order(broker).client_order_id == REF


@pytest.mark.parametrize("text", ["NaN", "Infinity", "12O.5", "1_0"])
def test_p14_what_is_no_number(bench: Bench, broker: IbkrBrokerage, text: str) -> None:
    """P14: a text that is no finite number is an error, and never a price."""
    order_id = place(broker)
    bench.front.on_coming(OPEN_ORDER, put(16, text))
    with pytest.raises(BrokerAPIError):
        broker.get_order(order_id)


@pytest.mark.parametrize("text", ["0.00012345678901234", "123456789.123456789", "1.2E-7"])
def test_p14_every_digit(bench: Bench, broker: IbkrBrokerage, text: str) -> None:
    """P14: a number keeps its digits, more of them than a float has, and in any notation."""
    order_id = place(broker)
    bench.front.on_coming(OPEN_ORDER, put(16, text))
    assert broker.get_order(order_id).price == D(text)
    bench.front.on_coming(POSITION, lambda message: [put(16, text)(message)[0]])
    bench.venue.fill(order_id, D(4), PRICE)
    position = broker.get_position(SYMBOL)
    assert position is not None
    assert position.entry_price == D(text)
    bench.front.on_coming(EXECUTION, put(20, text))
    assert [fill.price for fill in broker.list_fills()] == [D(text)]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("20260710 09:30:01 US/Eastern", datetime(2026, 7, 10, 13, 30, 1, tzinfo=UTC)),
        ("20260110 09:30:01 US/Eastern", datetime(2026, 1, 10, 14, 30, 1, tzinfo=UTC)),
        ("20260710-09:30:01", datetime(2026, 7, 10, 9, 30, 1, tzinfo=UTC)),
        ("20260710 22:30:01 Japan", datetime(2026, 7, 10, 13, 30, 1, tzinfo=UTC)),
    ],
)
def test_p15_moments(bench: Bench, broker: IbkrBrokerage, text: str, moment: datetime) -> None:
    """P15: moments are UTC, whatever the zone in which they are told."""
    place(broker, TAKING)
    bench.front.on_coming(EXECUTION, put(15, text))
    assert [fill.timestamp for fill in broker.list_fills()] == [moment]


def test_p15_a_moment_without_a_zone(bench: Bench, broker: IbkrBrokerage) -> None:
    """P15: a moment whose zone would have to be guessed is an error, unless the zone is set."""
    place(broker, TAKING)
    bench.front.on_coming(EXECUTION, put(15, "20260710 09:30:01"))
    with pytest.raises(BrokerAPIError, match="IBKR_TIME_ZONE"):
        broker.list_fills()
    other = bench.open(client_id=2, time_zone="Asia/Tokyo")
    bench.front.on_coming(EXECUTION, put(15, "20260710 09:30:01"))
    (fill,) = other.list_fills()
    assert fill.timestamp == datetime(2026, 7, 10, 0, 30, 1, tzinfo=UTC)


def test_p16_units(bench: Bench, broker: IbkrBrokerage) -> None:
    """P16: an option is ordered in contracts and priced by share; its cost is told by contract."""
    symbol = "AAPL-20280121-170-C"
    product = broker.get_product(symbol)
    order = broker.get_order(place(broker, attrs.evolve(TAKING, symbol=symbol)))
    position = broker.get_position(symbol)
    assert position is not None
    assert (product.multiplier, position.quantity) == (D(100), D(4))
    assert position.entry_price == order.average_fill_price


def test_p17_a_field_that_is_gone(bench: Bench, broker: IbkrBrokerage) -> None:
    """P17: an order that lacks what it cannot be without is an error, and no half order."""
    order_id = place(broker)
    bench.front.on_coming(OPEN_ORDER, lambda message: [message[:40]])
    with pytest.raises(BrokerageError):
        broker.list_orders()
    assert bench.the_order(broker).order_id == order_id


def test_p18_the_forming_candle(bench: Bench, broker: IbkrBrokerage) -> None:
    """P18: the forming candle says so, and pages that overlap give each candle once."""
    now = datetime.now(UTC)
    candles = broker.list_candles(SYMBOL, timedelta(minutes=1), now - timedelta(hours=30), now)
    opens = [one.open_time for one in candles]
    assert opens == sorted(set(opens))
    assert len(opens) > 1500
    assert [one.complete for one in candles[-2:]] == [True, False]


def test_p19_a_read_that_is_older_than_the_stream(bench: Bench, broker: IbkrBrokerage) -> None:
    """P19: a read that lags behind tells an older state, and takes nothing back from a stream."""
    order_id = place(broker)
    with listening(broker.stream_orders()) as listener:
        bench.venue.fill(order_id, D(1), PRICE)
        event = wait_filled(listener, D(1))
        assert broker.check_health().api_responsive
        bench.front.on_coming(STATUS, put(3, "0"))
        assert broker.get_order(order_id).filled_quantity == 0
        listener.drain(0.2)
        filled = [one.order.filled_quantity for one in listener.seen if isinstance(one, OrderEvent)]
    assert event.order.side is OrderSide.BUY
    assert filled == sorted(filled)
    assert not [one for one in listener.seen if isinstance(one, StreamGap)]


def test_p19_the_end_is_told_whole(bench: Bench, broker: IbkrBrokerage) -> None:
    """P19: an order that ends between two questions is told as it ended."""
    order_id = place(broker)

    def fill_now(message: Message) -> Sequence[Message]:
        bench.venue.fill(order_id, D(4), PRICE)
        return [message]

    bench.front.on_coming(OPEN_ORDERS_END, fill_now)
    assert [order.status for order in broker.list_orders()] == [OrderStatus.FILLED]
