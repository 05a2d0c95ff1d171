"""Faults of the catalogue in what Alpaca says: P01 to P19."""

from __future__ import annotations

import socket
import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import attrs
import pytest

from bot_v2.features.brokerages.alpaca.adapter import AlpacaBrokerage
from bot_v2.features.brokerages.core.events import OrderEvent, StreamGap
from bot_v2.features.brokerages.core.interfaces import (
    BrokerAPIError,
    Order,
    OrderOutcomeUnknownError,
    OrderRejectedError,
    OrderSide,
    OrderStatus,
    OrderType,
    Outcome,
)
from bot_v2.simulation.faults import Fault
from bot_v2.testing.streams import listening
from tests.integration.alpaca.faults.conftest import (
    PATIENT,
    REF,
    RESTING,
    SYMBOL,
    TAKING,
    Bench,
    place,
)
from tests.integration.http.wire_server import Received, reply

D = Decimal
LONG_S = 20.0


def said_of(bench: Bench, broker: AlpacaBrokerage, order_id: str, **fields: Any) -> Order:
    """Read an order of which the venue says something else than is true."""
    bench.front.edit("GET", order_id, lambda said: {**said, **fields})
    return broker.get_order(order_id)


def test_p01_a_fill_that_is_told_twice(bench: Bench, broker: AlpacaBrokerage) -> None:
    """P01: an execution that is told twice is one execution, by the venue's id of it."""
    broker.place_order(TAKING)
    bench.front.edit("GET", "/FILL", lambda said: [*said, *said[:1]])
    told = broker.list_fills()
    assert told == broker.list_fills()
    assert sum(fill.quantity for fill in told) == TAKING.quantity


def test_p01_a_stream_that_repeats_itself(bench: Bench, broker: AlpacaBrokerage) -> None:
    """P01: an execution that the stream repeats is one event, and has the id that reads tell."""
    order_id = place(broker)
    with listening(broker.stream_orders()) as listener:
        bench.venue.inject(Fault.DUPLICATE_EVENT, None)
        bench.venue.fill(order_id, D(10), D(150))
        listener.wait_for(
            lambda one: isinstance(one, OrderEvent) and one.order.status is OrderStatus.FILLED,
            LONG_S,
            "the fill",
        )
        listener.drain(0.2)
    fills = [one.fill for one in listener.seen if isinstance(one, OrderEvent) and one.fill]
    assert [one.trade_id for one in fills] == [one.trade_id for one in broker.list_fills()]


def test_p02_a_fill_before_its_answer(bench: Bench, broker: AlpacaBrokerage) -> None:
    """P02: an order that is filled before it is answered is read so, and the answer fits it."""
    seen: list[Order] = []
    other = bench.open(direct=True)

    def look_first(connection: socket.socket, received: Received) -> bool:
        status, body = bench.front.forward(received)
        seen.append(other.get_order_by_client_id(REF))
        return reply(body, status)(connection, received)

    bench.front.answer("POST", "/orders", look_first)
    result = broker.place_order(TAKING)
    assert [(one.order_id, one.status) for one in seen] == [(result.order_id, OrderStatus.FILLED)]


def test_p03_a_fill_after_the_cancel(bench: Bench, broker: AlpacaBrokerage) -> None:
    """P03: a fill that is told after the cancel counts: in the order, and among the fills."""
    order_id = place(broker)
    assert broker.cancel_order(order_id)
    assert broker.get_order(order_id).status is OrderStatus.CANCELLED
    bench.venue.late_fill(order_id, D(4), D(150))
    assert broker.get_order(order_id).filled_quantity == 4
    assert [fill.quantity for fill in broker.list_fills()] == [D(4)]


def test_p04_a_fill_that_the_stream_leaves_out(bench: Bench) -> None:
    """P04: a fill that a stream leaves out is read after a while of silence, with a gap."""
    broker = bench.open(stream_silence_s=0.3)
    order_id = place(broker)
    with listening(broker.stream_orders()) as listener:
        bench.venue.inject(Fault.MUTE_STREAM, "stream_orders", times=1000)
        bench.venue.fill(order_id, D(10), D(150))
        event = listener.wait_for(
            lambda one: isinstance(one, OrderEvent) and one.order.filled_quantity == 10,
            LONG_S,
            "the fill",
        )
        bench.venue.clear_faults()
    assert event.order.status is OrderStatus.FILLED
    assert any(isinstance(one, StreamGap) for one in listener.seen)


def test_p05_quantities_out_of_order(bench: Bench, broker: AlpacaBrokerage) -> None:
    """P05: filled quantities that come out of order never fall, and end as they are read."""
    order_id = place(broker)
    with listening(broker.stream_orders()) as listener:
        bench.venue.inject(Fault.REORDER_EVENTS, "stream_orders", 1)
        for _ in range(2):
            bench.venue.fill(order_id, D(4), D(150))
        bench.venue.clear_faults()
        listener.wait_for(
            lambda one: isinstance(one, OrderEvent) and one.order.filled_quantity == 8,
            LONG_S,
            "both fills",
        )
    told = [one.order.filled_quantity for one in listener.seen if isinstance(one, OrderEvent)]
    assert told == sorted(told)
    assert broker.get_order(order_id).filled_quantity == 8


def test_p07_words_that_nobody_knows(bench: Bench, broker: AlpacaBrokerage) -> None:
    """P07: a status or a field that no table has is kept as it is; the order does not go away."""
    order_id = place(broker)
    told = said_of(
        bench, broker, order_id, status="pondering", type="new_type", time_in_force="gtx",
        a_new_field={"deep": [1]},
    )  # fmt: skip
    assert (told.status, told.native_status) == (OrderStatus.UNKNOWN, "pondering")
    assert (told.type, told.metadata["type"]) == (OrderType.OTHER, "new_type")
    assert told.metadata["time_in_force"] == "gtx"
    assert (told.order_id, told.quantity) == (order_id, RESTING.quantity)


def test_p07_a_refusal_that_nobody_knows(bench: Bench, broker: AlpacaBrokerage) -> None:
    """P07: a code that no table has is no documented refusal: the outcome is unknown."""
    words = b'{"code": 49990000, "message": "newly invented"}'
    bench.front.answer("POST", "/orders", bench.front.after_effect(reply(words, 422)))
    bench.place_unknown(broker)
    assert bench.the_order(broker).client_order_id == REF


def test_p08_a_read_that_cannot_be_parsed(bench: Bench, broker: AlpacaBrokerage) -> None:
    """P08: what cannot be parsed is an error of that read, and the next one is as good as ever."""
    order_id = place(broker)
    bench.front.answer("GET", order_id, reply(b'{"id": '))
    with pytest.raises(BrokerAPIError, match="not as documented"):
        broker.get_order(order_id)
    assert broker.is_connected()
    assert broker.get_order(order_id).order_id == order_id


def three_orders(bench: Bench, broker: AlpacaBrokerage) -> list[str]:
    """Place more orders than a page has, and return their ids, newest first."""
    bench.orders_max = 3
    asked = [attrs.evolve(RESTING, client_order_id=f"catalogue-{number}") for number in range(3)]
    return [place(broker, one) for one in asked][::-1]


def test_p10_a_page_that_comes_again(bench: Bench, broker: AlpacaBrokerage) -> None:
    """P10: pages that go round in a circle are an error, and no list."""
    three_orders(bench, broker)
    page: list[Any] = []

    def keep(said: Any) -> Any:
        page.extend(said)
        return said

    front = bench.front
    front.answer("GET", "/orders", front.edited(keep), front.edited(lambda _: page))
    with pytest.raises(BrokerAPIError, match="of one moment"):
        broker.list_orders()


def test_p10_more_pages_than_are_read(bench: Bench) -> None:
    """P10: a list that is longer than is read is an error: what is not in it may well exist."""
    broker = bench.open(page_max=1)
    three_orders(bench, broker)
    with pytest.raises(BrokerAPIError, match="ALPACA_PAGE_MAX") as caught:
        broker.list_orders()
    assert caught.value.outcome is None


def test_p10_items_that_move_between_pages(bench: Bench, broker: AlpacaBrokerage) -> None:
    """P10: an order that moves to the next page while pages are read is listed once."""
    ids = three_orders(bench, broker)
    first: list[Any] = []

    def keep(said: Any) -> Any:
        first.extend(said)
        return said

    def repeat(said: Any) -> Any:
        return [first[-1], *[one for one in said if one["id"] != first[-1]["id"]]]

    bench.front.answer("GET", "/orders", bench.front.edited(keep), bench.front.edited(repeat))
    assert [order.order_id for order in broker.list_orders()] == ids


def test_p11_a_refusal_within_a_success(bench: Bench, broker: AlpacaBrokerage) -> None:
    """P11: a 200 with an order that was rejected at once is a refusal."""
    bench.front.edit("POST", "/orders", lambda said: {**said, "status": "rejected"})
    with pytest.raises(OrderRejectedError) as caught:
        broker.place_order(RESTING)
    assert (caught.value.http_status, caught.value.outcome) == (200, Outcome.REJECTED)


def test_p12_a_pair_that_fails_whole(bench: Bench, broker: AlpacaBrokerage) -> None:
    """P12: a pair of orders that is not answered is unknown as one, and is sent once."""
    bench.orders_max = 3
    broker.place_order(attrs.evolve(TAKING, client_order_id="catalogue-buy"))
    profit = attrs.evolve(RESTING, side=OrderSide.SELL, price=D(300))
    stop = attrs.evolve(
        profit, type=OrderType.STOP, price=None, stop_price=D(100), client_order_id=None
    )
    bench.venue.inject(Fault.DROP_AFTER_ACCEPT, "place_oco")
    with pytest.raises(OrderOutcomeUnknownError) as caught:
        broker.place_oco(profit, stop)
    assert caught.value.client_order_id == REF
    assert bench.placements == 2
    order = broker.get_order_by_client_id(REF)
    assert order.group_id == order.order_id


@pytest.mark.parametrize("order_id", ["", None])
def test_p13_a_success_without_an_id(
    bench: Bench, broker: AlpacaBrokerage, order_id: str | None
) -> None:
    """P13: a success that names no order is no success."""
    bench.front.edit("POST", "/orders", lambda said: {**said, "id": order_id})
    bench.place_unknown(broker)
    assert bench.the_order(broker).client_order_id == REF


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "ten", "0x10", "1.5.0"])
def test_p14_numbers_that_are_none(bench: Bench, broker: AlpacaBrokerage, text: str) -> None:
    """P14: a text that is no finite number is an error, and never a quantity."""
    order_id = place(broker)
    with pytest.raises(BrokerAPIError, match="not as documented"):
        said_of(bench, broker, order_id, filled_qty=text)


def test_p14_numbers_in_other_forms(bench: Bench, broker: AlpacaBrokerage) -> None:
    """P14: a number keeps its digits in scientific notation, too; an empty one is missing."""
    order_id = place(broker)
    told = said_of(
        bench, broker, order_id, filled_qty="1E-8", filled_avg_price="150.10", stop_price=""
    )
    assert (told.filled_quantity, str(told.average_fill_price)) == (D("0.00000001"), "150.10")
    assert told.stop_price is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-08T06:59:59.123456489Z", datetime(2026, 3, 8, 6, 59, 59, 123456, tzinfo=UTC)),
        ("2026-03-08T01:59:59-05:00", datetime(2026, 3, 8, 6, 59, 59, tzinfo=UTC)),
        ("2026-03-08T06:59:59.5Z", datetime(2026, 3, 8, 6, 59, 59, 500000, tzinfo=UTC)),
    ],
)
def test_p15_moments_of_any_precision_and_zone(
    bench: Bench, broker: AlpacaBrokerage, text: str, expected: datetime
) -> None:
    """P15: moments are UTC, whatever their zone and their digits."""
    told = said_of(bench, broker, place(broker), submitted_at=text)
    assert told.timestamp == expected
    assert told.timestamp.utcoffset() == timedelta(0)


@pytest.mark.parametrize("text", ["2026-03-08T06:59:59", "1772952000", 1772952000000])
def test_p15_moments_without_a_zone(bench: Bench, broker: AlpacaBrokerage, text: object) -> None:
    """P15: a moment whose zone or unit would have to be guessed is an error."""
    order_id = place(broker)
    with pytest.raises(BrokerAPIError, match="not as documented"):
        said_of(bench, broker, order_id, submitted_at=text)


def test_p16_units_go_there_and_back(bench: Bench, broker: AlpacaBrokerage) -> None:
    """P16: shares, coins, contracts of a hundred and sums of money are told as they were asked."""
    bench.orders_max = 2
    spend = attrs.evolve(TAKING, quantity=None, notional=D("600.50"))
    bought = broker.get_order(place(broker, spend))
    assert (bought.quantity, bought.notional) == (None, D("600.50"))
    coins = attrs.evolve(
        RESTING, symbol="BTC-USD", quantity=D("0.0123"), price=D(20_000), client_order_id="c-2"
    )
    order = broker.get_order(place(broker, coins))
    assert (order.symbol, order.quantity) == ("BTC-USD", D("0.0123"))
    contract = bench.open(bounds=PATIENT).list_option_contracts(SYMBOL)[0].product
    assert contract.multiplier == 100


@pytest.mark.parametrize("field", ["id", "symbol", "status"])
def test_p17_a_field_that_was_renamed(bench: Bench, broker: AlpacaBrokerage, field: str) -> None:
    """P17: an order that lacks what it cannot be without is an error, and no half order."""
    order_id = place(broker)

    def rename(said: Any) -> Any:
        order = dict(said)
        order[f"new_{field}"] = order.pop(field)
        return order

    bench.front.edit("GET", order_id, rename)
    with pytest.raises(BrokerAPIError, match="not as documented"):
        broker.get_order(order_id)


def test_p18_candles_that_form_miss_and_overlap(bench: Bench) -> None:
    """P18: the forming candle says so, one that comes twice is there once, a gap is left a gap."""
    broker = bench.open(data_base=bench.front.url)
    hour = timedelta(hours=1)
    start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - 4 * hour

    def disorder(said: Any) -> Any:
        bars = said["bars"]["BTC/USD"]
        oldest, second, _, fourth, *rest = bars
        return {"bars": {"BTC/USD": [second, oldest, second, fourth, *rest]}}

    bench.front.edit("GET", "/bars", disorder)
    told = broker.list_candles("BTC-USD", hour, start, start + 10 * hour)
    assert [one.open_time for one in told][:3] == [start, *(start + n * hour for n in (1, 3))]
    assert [one.complete for one in told][:3] == [True, True, True]
    assert not told[-1].complete


def test_p19_a_snapshot_that_is_older(bench: Bench, broker: AlpacaBrokerage) -> None:
    """P19: of two reads that cross, each tells its own state: nothing is kept that could be mixed.

    What a caller compares by is in the order: when it was last updated.
    """
    order_id = place(broker)
    go, arrived = threading.Event(), threading.Event()

    def answer_late(connection: socket.socket, received: Received) -> bool:
        status, body = bench.front.forward(received)
        arrived.set()
        go.wait(5)
        return reply(body, status)(connection, received)

    bench.front.answer("GET", order_id, answer_late)
    older: list[Order] = []
    reading = threading.Thread(target=lambda: older.append(broker.get_order(order_id)))
    reading.start()
    assert arrived.wait(5)
    bench.venue.fill(order_id, D(4), D(150))
    newer = bench.open(direct=True).get_order(order_id)
    go.set()
    reading.join()
    assert (older[0].filled_quantity, newer.filled_quantity) == (D(0), D(4))
    assert broker.get_order(order_id) == newer
