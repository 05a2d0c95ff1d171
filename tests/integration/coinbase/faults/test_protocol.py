"""Faults of the catalogue in what Coinbase says: P01 to P19."""

from __future__ import annotations

import json
import socket
import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import attrs
import pytest

from bot_v2.features.brokerages.coinbase.adapter import CoinbaseBrokerage
from bot_v2.features.brokerages.core.interfaces import (
    BrokerAPIError,
    CancelRejectedError,
    Order,
    OrderOutcomeUnknownError,
    OrderRejectedError,
    OrderStatus,
    Outcome,
)
from bot_v2.simulation.faults import Fault
from tests.integration.coinbase.faults.conftest import (
    PERPETUAL,
    REF,
    RESTING,
    SYMBOL,
    TAKING,
    Bench,
    place,
)
from tests.integration.http.wire_server import Received, reply

D = Decimal


def said_of(bench: Bench, broker: CoinbaseBrokerage, order_id: str, **fields: Any) -> Order:
    """Read an order of which the venue says something else than is true."""
    bench.front.edit("GET", order_id, lambda said: {"order": {**said["order"], **fields}})
    return broker.get_order(order_id)


def test_p01_a_fill_that_is_told_twice(bench: Bench, broker: CoinbaseBrokerage) -> None:
    """P01: an execution that a page repeats is one execution, by the venue's id of it."""
    broker.place_order(TAKING)
    bench.front.edit(
        "GET", "/fills", lambda said: {**said, "fills": said["fills"] + said["fills"][:1]}
    )
    told = broker.list_fills()
    assert told == broker.list_fills()
    assert sum(fill.quantity for fill in told) == TAKING.quantity


def test_p02_a_fill_before_its_answer(bench: Bench, broker: CoinbaseBrokerage) -> None:
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


def test_p03_a_fill_after_the_cancel(bench: Bench, broker: CoinbaseBrokerage) -> None:
    """P03: a fill that is told after the cancel counts: in the order, and among the fills."""
    order_id = place(broker)
    assert broker.cancel_order(order_id)
    assert broker.get_order(order_id).status is OrderStatus.CANCELLED
    bench.venue.late_fill(order_id, D("0.004"), D(50_000))
    assert broker.get_order(order_id).filled_quantity == D("0.004")
    assert [fill.quantity for fill in broker.list_fills()] == [D("0.004")]


@pytest.mark.parametrize(
    ("kind", "corrects", "busted"), [("REVERSAL", True, True), ("CORRECTION", True, False)]
)
def test_p06_a_bust_and_a_correction(
    bench: Bench, broker: CoinbaseBrokerage, kind: str, corrects: bool, busted: bool
) -> None:
    """P06: what undoes or corrects an execution says so, and which one."""
    broker.place_order(TAKING)
    (original,) = broker.list_fills()
    bench.front.edit(
        "GET",
        "/fills",
        lambda said: {
            "fills": [{**said["fills"][0], "trade_type": kind, "entry_id": "e-2"}, *said["fills"]]
        },
    )
    told = {fill.trade_id: fill for fill in broker.list_fills()}
    assert told[original.trade_id] == original
    assert (told["e-2"].corrects == original.trade_id) is corrects
    assert told["e-2"].busted is busted


def test_p07_words_that_nobody_knows(bench: Bench, broker: CoinbaseBrokerage) -> None:
    """P07: a status or a field that no table has is kept as it is; the order does not go away."""
    order_id = place(broker)
    told = said_of(bench, broker, order_id, status="PONDERING", a_new_field={"deep": [1]})
    assert (told.status, told.native_status) == (OrderStatus.UNKNOWN, "PONDERING")
    assert (told.order_id, told.quantity) == (order_id, RESTING.quantity)


def test_p07_a_refusal_that_nobody_knows(bench: Bench, broker: CoinbaseBrokerage) -> None:
    """P07: a reason that no table has is no documented refusal: the outcome is unknown."""
    refusal = {"error": "NEWLY_INVENTED", "new_order_failure_reason": "NEWLY_INVENTED"}
    bench.front.edit("POST", "/orders", lambda _: {"success": False, "error_response": refusal})
    bench.place_unknown(broker)
    assert bench.the_order(broker).client_order_id == REF


def test_p08_a_read_that_cannot_be_parsed(bench: Bench, broker: CoinbaseBrokerage) -> None:
    """P08: what cannot be parsed is an error of that read, and the next one is as good as ever."""
    order_id = place(broker)
    bench.front.answer("GET", order_id, reply(b'{"order": {'))
    with pytest.raises(BrokerAPIError, match="not as documented"):
        broker.get_order(order_id)
    assert broker.is_connected()
    assert broker.get_order(order_id).order_id == order_id


def three_orders(bench: Bench, broker: CoinbaseBrokerage) -> list[str]:
    """Place more orders than a page has, and return their ids, newest first."""
    bench.orders_max = 3
    asked = [attrs.evolve(RESTING, client_order_id=f"catalogue-{number}") for number in range(3)]
    return [place(broker, one) for one in asked][::-1]


def test_p10_a_cursor_that_comes_again(bench: Bench, broker: CoinbaseBrokerage) -> None:
    """P10: pages that go round in a circle are an error, and no list."""
    three_orders(bench, broker)
    page = {"orders": [], "sequence": "0", "has_next": True, "cursor": "round"}
    bench.front.answer("GET", "/batch", *[reply(json.dumps(page).encode())] * 2)
    with pytest.raises(BrokerAPIError, match="comes again"):
        broker.list_orders()


def test_p10_more_pages_than_are_read(bench: Bench) -> None:
    """P10: a list that is longer than is read is an error: what is not in it may well exist."""
    broker = bench.open(page_max=1)
    three_orders(bench, broker)
    with pytest.raises(BrokerAPIError, match="COINBASE_PAGE_MAX") as caught:
        broker.get_order_by_client_id("catalogue-0")
    assert caught.value.outcome is None


def test_p10_items_that_move_between_pages(bench: Bench, broker: CoinbaseBrokerage) -> None:
    """P10: an order that moves to the next page while pages are read is listed once."""
    ids = three_orders(bench, broker)
    first: list[Any] = []

    def keep(said: Any) -> Any:
        first.extend(said["orders"])
        return said

    def repeat(said: Any) -> Any:
        return {**said, "orders": [first[-1], *said["orders"]]}

    bench.front.answer("GET", "/batch", bench.front.edited(keep), bench.front.edited(repeat))
    assert [order.order_id for order in broker.list_orders()] == ids


def test_p11_a_refusal_within_a_success(bench: Bench, broker: CoinbaseBrokerage) -> None:
    """P11: a 200 that refuses is a refusal, of the placement and of each cancel in a batch."""
    with pytest.raises(OrderRejectedError) as caught:
        broker.place_order(attrs.evolve(RESTING, price=D(70_000), post_only=True))
    assert (caught.value.http_status, caught.value.outcome) == (200, Outcome.REJECTED)
    order_id = place(broker)
    refused = {"success": False, "failure_reason": "COMMANDER_REJECTED_CANCEL_ORDER"}
    others = [{"success": True, "order_id": "another"}, {**refused, "order_id": order_id}]
    bench.front.answer("POST", "/batch_cancel", reply(json.dumps({"results": others}).encode()))
    with pytest.raises(CancelRejectedError):
        broker.cancel_order(order_id)
    assert broker.get_order(order_id).status is OrderStatus.OPEN


@pytest.mark.parametrize(
    "results", [[], [{"success": True, "failure_reason": "", "order_id": "another"}]]
)
def test_p11_a_batch_without_the_order(
    bench: Bench, broker: CoinbaseBrokerage, results: list[object]
) -> None:
    """P11: a batch of results in which the order is not says nothing of the order."""
    order_id = place(broker)
    bench.front.edit("POST", "/batch_cancel", lambda _: {"results": results})
    with pytest.raises(OrderOutcomeUnknownError):
        broker.cancel_order(order_id)


def test_p12_a_batch_that_fails_whole(bench: Bench, broker: CoinbaseBrokerage) -> None:
    """P12: a batch of cancels that breaks leaves each cancel in it unknown."""
    order_id = place(broker)
    bench.venue.inject(Fault.SERVER_ERROR, "cancel_order")
    with pytest.raises(OrderOutcomeUnknownError) as caught:
        broker.cancel_order(order_id)
    assert caught.value.order_id == order_id
    assert bench.front.count("POST", "/batch_cancel") == 1


@pytest.mark.parametrize("order_id", ["", None])
def test_p13_a_success_without_an_id(
    bench: Bench, broker: CoinbaseBrokerage, order_id: str | None
) -> None:
    """P13: a success that names no order is no success."""
    bench.front.edit(
        "POST", "/orders", lambda _: {"success": True, "success_response": {"order_id": order_id}}
    )
    bench.place_unknown(broker)
    assert bench.the_order(broker).client_order_id == REF


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1,000", "ten", "0x10"])
def test_p14_numbers_that_are_none(bench: Bench, broker: CoinbaseBrokerage, text: str) -> None:
    """P14: a text that is no finite number is an error, and never a quantity."""
    order_id = place(broker)
    with pytest.raises(BrokerAPIError, match="not as documented"):
        said_of(bench, broker, order_id, filled_size=text)


def test_p14_numbers_in_other_forms(bench: Bench, broker: CoinbaseBrokerage) -> None:
    """P14: a number keeps its digits in scientific notation, too; an empty one is missing."""
    order_id = place(broker)
    told = said_of(
        bench, broker, order_id, filled_size="1E-8", average_filled_price="50000.10", total_fees=""
    )
    assert (told.filled_quantity, str(told.average_fill_price)) == (D("0.00000001"), "50000.10")
    assert told.fees is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-08T06:59:59.123456789Z", datetime(2026, 3, 8, 6, 59, 59, 123457, tzinfo=UTC)),
        ("2026-03-08T01:59:59-05:00", datetime(2026, 3, 8, 6, 59, 59, tzinfo=UTC)),
        ("2026-03-08T06:59:59.5Z", datetime(2026, 3, 8, 6, 59, 59, 500000, tzinfo=UTC)),
    ],
)
def test_p15_moments_of_any_precision_and_zone(
    bench: Bench, broker: CoinbaseBrokerage, text: str, expected: datetime
) -> None:
    """P15: moments are UTC, whatever their zone and their digits."""
    told = said_of(bench, broker, place(broker), created_time=text)
    assert told.timestamp == expected
    assert told.timestamp.utcoffset() == timedelta(0)


@pytest.mark.parametrize("text", ["2026-03-08T06:59:59", "1772952000", "1772952000000"])
def test_p15_moments_without_a_zone(bench: Bench, broker: CoinbaseBrokerage, text: str) -> None:
    """P15: a moment whose zone or unit would have to be guessed is an error."""
    order_id = place(broker)
    with pytest.raises(BrokerAPIError, match="created_time"):
        said_of(bench, broker, order_id, created_time=text)


def test_p16_units_go_there_and_back(bench: Bench) -> None:
    """P16: a perpetual's quantity is in coins, a market purchase's value in money; both return."""
    broker = bench.open(enable_derivatives=True)
    bench.orders_max = 2
    asked = attrs.evolve(RESTING, symbol=PERPETUAL, quantity=D("0.0100"))
    order = broker.get_order(place(broker, asked))
    assert (order.symbol, order.quantity, order.price) == (PERPETUAL, D("0.01"), D(50_000))
    assert bench.venue.orders_received()[0].symbol == PERPETUAL
    spend = attrs.evolve(TAKING, quantity=None, notional=D(600), client_order_id="catalogue-2")
    bought = broker.get_order(place(broker, spend))
    assert (bought.quantity, bought.notional) == (None, D(600))
    assert D("0.009") < bought.filled_quantity <= D("0.01")


@pytest.mark.parametrize("field", ["order_id", "product_id", "status"])
def test_p17_a_field_that_was_renamed(bench: Bench, broker: CoinbaseBrokerage, field: str) -> None:
    """P17: an order that lacks what it cannot be without is an error, and no half order."""
    order_id = place(broker)

    def rename(said: Any) -> Any:
        order = dict(said["order"])
        order[f"new_{field}"] = order.pop(field)
        return {"order": order}

    bench.front.edit("GET", order_id, rename)
    with pytest.raises(BrokerAPIError, match="not as documented"):
        broker.get_order(order_id)


def test_p18_candles_that_form_miss_and_overlap(bench: Bench, broker: CoinbaseBrokerage) -> None:
    """P18: the forming candle says so, one that comes twice is there once, a gap is left a gap."""
    day = timedelta(days=1)
    start = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - 4 * day

    def disorder(said: Any) -> Any:
        newest, second, _, fourth, fifth = said["candles"]
        return {"candles": [newest, second, second, fourth, fifth]}

    bench.front.edit("GET", "/candles", disorder)
    told = broker.list_candles(SYMBOL, day, start, start + 10 * day)
    assert [one.open_time for one in told] == [start, *(start + n * day for n in (1, 3, 4))]
    assert [one.complete for one in told] == [True, True, True, False]


def test_p19_a_snapshot_that_is_older(bench: Bench, broker: CoinbaseBrokerage) -> None:
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
    bench.venue.fill(order_id, D("0.004"), D(50_000))
    newer = broker.get_order(order_id)
    go.set()
    reading.join()
    assert (older[0].filled_quantity, newer.filled_quantity) == (D(0), D("0.004"))
    assert broker.get_order(order_id) == newer
