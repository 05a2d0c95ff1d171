"""Faults of the catalogue in the life of orders: S01 to S20."""

from __future__ import annotations

import socket
from datetime import timedelta
from decimal import Decimal
from typing import Any

import attrs
import pytest

from bot_v2.features.brokerages.coinbase.adapter import CoinbaseBrokerage
from bot_v2.features.brokerages.core.interfaces import (
    ENDED_STATUSES,
    BrokerageError,
    CloseGuard,
    DuplicateOrderError,
    IdempotencyScope,
    InvalidRequestError,
    ModifyRejectedError,
    OrderModification,
    OrderNotFoundError,
    OrderOutcomeUnknownError,
    OrderRequest,
    OrderSide,
    OrderStatus,
    OrderType,
    Outcome,
    StopLoss,
    TakeProfit,
    TimeInForce,
    UnsupportedOperationError,
)
from bot_v2.simulation.faults import Fault
from tests.integration.coinbase.faults.conftest import (
    PERPETUAL,
    REF,
    RESTING,
    SYMBOL,
    TAKING,
    TIMEOUT_S,
    Bench,
    place,
    utc_now,
)
from tests.integration.http.wire_server import Received, reply

D = Decimal
HALF = D("0.005")


def test_s01_a_resend_is_answered_by_the_first(bench: Bench, broker: CoinbaseBrokerage) -> None:
    """S01: the same id again is answered by the order that it made."""
    first = broker.place_order(RESTING)
    assert broker.place_order(RESTING) == first
    assert bench.placements == 2


def test_s01_a_reply_that_says_duplicate(bench: Bench, broker: CoinbaseBrokerage) -> None:
    """S01: a refusal for a used id is evidence of the first order, and it can be read."""
    first = broker.place_order(RESTING)
    refusal = {"error": "DUPLICATE_CLIENT_ORDER_ID"}
    bench.front.edit("POST", "/orders", lambda _: {"success": False, "error_response": refusal})
    with pytest.raises(DuplicateOrderError) as caught:
        broker.place_order(RESTING)
    assert caught.value.outcome is Outcome.REJECTED
    assert bench.the_order(broker).order_id == first.order_id


def test_s02_the_same_id_after_a_fill(bench: Bench, broker: CoinbaseBrokerage) -> None:
    """S02: an id makes one order ever: also after its order was filled."""
    first = place(broker, TAKING)
    assert broker.get_order(first).status is OrderStatus.FILLED
    assert place(broker, TAKING) == first
    assert broker.idempotency.scope is IdempotencyScope.FOREVER
    assert len(broker.list_fills()) == len({fill.trade_id for fill in broker.list_fills()})
    assert sum(fill.quantity for fill in broker.list_fills()) == TAKING.quantity


def test_s04_a_change_keeps_the_id(bench: Bench, broker: CoinbaseBrokerage) -> None:
    """S04: a changed order keeps its id, and with it what was filled before and after."""
    order_id = place(broker)
    bench.venue.fill(order_id, D("0.001"), D(50_000))
    assert broker.modify_order(order_id, OrderModification(price=D(51_000))).order_id == order_id
    bench.venue.fill(order_id, D("0.002"), D(51_000))
    order = bench.the_order(broker)
    assert (order.price, order.filled_quantity) == (D(51_000), D("0.003"))
    assert {fill.order_id for fill in broker.list_fills()} == {order_id}


def test_s05_a_change_races_a_fill(bench: Bench, broker: CoinbaseBrokerage) -> None:
    """S05: a fill that comes between reading an order and changing it cannot be undone by it."""
    order_id = place(broker)

    def fill_first(connection: socket.socket, received: Received) -> bool:
        bench.venue.fill(order_id, D("0.008"), D(50_000))
        status, body = bench.front.forward(received)
        return reply(body, status)(connection, received)

    bench.front.answer("POST", "/edit", fill_first)
    with pytest.raises(ModifyRejectedError) as caught:
        broker.modify_order(order_id, OrderModification(quantity=HALF))
    assert caught.value.outcome is Outcome.REJECTED
    order = bench.the_order(broker)
    assert (order.quantity, order.filled_quantity) == (RESTING.quantity, D("0.008"))


def test_s05_a_change_without_an_answer(bench: Bench, broker: CoinbaseBrokerage) -> None:
    """S05: a change that gets no answer is unknown; it is sent once, and reading shows it."""
    order_id = place(broker)
    bench.venue.inject(Fault.DROP_AFTER_ACCEPT, "modify_order")
    with pytest.raises(OrderOutcomeUnknownError):
        broker.modify_order(order_id, OrderModification(quantity=HALF))
    assert bench.front.count("POST", "/edit") == 1
    assert bench.the_order(broker).quantity == HALF


def test_s06_a_cancel_comes_too_late(bench: Bench, broker: CoinbaseBrokerage) -> None:
    """S06: a cancel that finds its order filled is no failure; one of no order is an error."""
    order_id = place(broker)
    bench.venue.fill(order_id, D("0.01"), D(50_000))
    assert broker.cancel_order(order_id) is False
    assert bench.the_order(broker).status is OrderStatus.FILLED
    with pytest.raises(OrderNotFoundError):
        broker.cancel_order("a-strange-id")


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (Fault.DROP_AFTER_ACCEPT, OrderStatus.CANCELLED),
        (Fault.DROP_BEFORE_ACCEPT, OrderStatus.OPEN),
    ],
)
def test_s07_a_cancel_times_out(
    bench: Bench, broker: CoinbaseBrokerage, fault: Fault, status: OrderStatus
) -> None:
    """S07: a cancel without an answer is unknown; the order is what a read says that it is."""
    order_id = place(broker)
    bench.venue.inject(fault, "cancel_order")
    with pytest.raises(OrderOutcomeUnknownError) as caught:
        broker.cancel_order(order_id)
    assert caught.value.order_id == order_id
    assert bench.front.count("POST", "/batch_cancel") == 1
    assert bench.the_order(broker).status is status


def test_s08_not_found_right_after_the_placement(bench: Bench, broker: CoinbaseBrokerage) -> None:
    """S08: reads that lag behind say "not found" of an order that is; the lag is declared."""
    bench.venue.inject(Fault.STALE_READ)
    order_id = place(broker)
    with pytest.raises(OrderNotFoundError):
        broker.get_order(order_id)
    assert bench.is_absent(broker)
    assert broker.idempotency.visibility_lag_s > 0
    bench.venue.clear_faults()
    assert bench.the_order(broker).order_id == order_id


def test_s09_a_fast_fill_is_not_lost(bench: Bench, broker: CoinbaseBrokerage) -> None:
    """S09: an order that was filled before anybody looked is found without being open."""
    broker.place_order(TAKING)
    assert broker.list_orders(OrderStatus.OPEN) == []
    order = bench.the_order(broker)
    assert (order.status, order.filled_quantity) == (OrderStatus.FILLED, TAKING.quantity)
    assert [one.order_id for one in broker.list_orders()] == [order.order_id]


def test_s10_a_partial_fill_and_then_a_cancel(bench: Bench, broker: CoinbaseBrokerage) -> None:
    """S10: what was filled before a cancel stays, in the order, its fills and the balance."""
    order_id = place(broker)
    bench.venue.fill(order_id, D("0.004"), D(50_000))
    assert broker.cancel_order(order_id)
    order = bench.the_order(broker)
    assert (order.status, order.filled_quantity) == (OrderStatus.CANCELLED, D("0.004"))
    assert sum(fill.quantity for fill in broker.list_fills()) == D("0.004")
    assert broker.get_balance("BTC").total == D("0.004")


def test_s10_the_rest_of_a_market_order(bench: Bench, broker: CoinbaseBrokerage) -> None:
    """S10: a market order that the book cannot fill whole keeps what it got."""
    bench.venue.set_market(SYMBOL, D(59_999), D(60_001), D("0.004"))
    broker.place_order(TAKING)
    order = bench.the_order(broker)
    assert order.status in ENDED_STATUSES
    assert order.filled_quantity == D("0.004")


def test_s11_more_is_filled_than_was_asked(bench: Bench, broker: CoinbaseBrokerage) -> None:
    """S11: an order of which more was filled than ordered is told as it is, alone and in a list.

    Its fills and the balance are those of the broker's books.
    """
    bench.orders_max = 2
    other = place(broker)
    order_id = place(broker, attrs.evolve(TAKING, client_order_id="catalogue-2"))
    bench.venue.late_fill(order_id, D("0.0000001"), D(60_000))
    order = broker.get_order(order_id)
    assert (order.filled_quantity, order.overfilled_quantity) == (D("0.0100001"), D("0.0000001"))
    assert (order.status, order.remaining_quantity) == (OrderStatus.FILLED, D(0))
    assert {one.order_id for one in broker.list_orders()} == {order_id, other}
    assert sum(fill.quantity for fill in broker.list_fills()) == order.filled_quantity
    assert broker.get_balance("BTC").total == order.filled_quantity


def test_s12_a_bracket_shows_its_exit(bench: Bench, broker: CoinbaseBrokerage) -> None:
    """S12: once its entry is filled a bracket shows whether its exit works, by parent and group."""
    bench.orders_max = 2  # the exit is an order of its own
    asked = attrs.evolve(
        TAKING, take_profit=TakeProfit(price=D(70_000)), stop_loss=StopLoss(stop_price=D(40_000))
    )
    entry = broker.place_order(asked)
    (group,) = {order.group_id for order in broker.list_orders()}
    exits = [order for order in broker.list_orders() if order.parent_order_id == entry.order_id]
    assert [(one.side, one.status) for one in exits] == [(OrderSide.SELL, OrderStatus.OPEN)]
    assert group == entry.order_id


def test_s14_a_close_cannot_cross_zero(bench: Bench) -> None:
    """S14: a perpetual position is closed by the broker's own size, also when it shrank before."""
    bench.orders_max = 3
    broker = bench.open(enable_derivatives=True)
    assert broker.close_guard is CloseGuard.ATOMIC
    broker.place_order(attrs.evolve(TAKING, symbol=PERPETUAL))
    other = bench.open(direct=True, enable_derivatives=True)

    def shrink_first(connection: socket.socket, received: Received) -> bool:
        sale = attrs.evolve(TAKING, symbol=PERPETUAL, side=OrderSide.SELL, quantity=D("0.004"))
        other.place_order(attrs.evolve(sale, client_order_id="catalogue-other"))
        status, body = bench.front.forward(received)
        return reply(body, status)(connection, received)

    bench.front.answer("POST", "/close_position", shrink_first)
    broker.close_position(PERPETUAL)
    assert broker.get_position(PERPETUAL) is None


UNSUPPORTED: tuple[OrderRequest, ...] = (
    attrs.evolve(RESTING, type=OrderType.STOP, price=None, stop_price=D(61_000)),
    attrs.evolve(TAKING, time_in_force=TimeInForce.GTC),
    attrs.evolve(RESTING, time_in_force=TimeInForce.DAY),
    attrs.evolve(RESTING, reduce_only=True),
    attrs.evolve(TAKING, side=OrderSide.SELL, quantity=None, notional=D(100)),
    attrs.evolve(RESTING, take_profit=TakeProfit(price=D(70_000))),
)


@pytest.mark.parametrize("asked", UNSUPPORTED, ids=range(len(UNSUPPORTED)))
def test_s16_what_there_is_not_is_not_sent(
    bench: Bench, broker: CoinbaseBrokerage, asked: OrderRequest
) -> None:
    """S16: a type, a time or a flag that Coinbase has not is refused here, and never weakened."""
    with pytest.raises(UnsupportedOperationError) as caught:
        broker.place_order(asked)
    assert caught.value.outcome is Outcome.NOT_SENT
    assert bench.placements == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"price": D("50000.001")},
        {"quantity": D("0.000000001")},
        {"quantity": D("0.00001")},
        {"quantity": D(1_000_000)},
    ],
)
def test_s17_off_the_steps_and_below_the_least(
    bench: Bench, broker: CoinbaseBrokerage, wrong: dict[str, Any]
) -> None:
    """S17: a price off the tick and a size that is too small or too large are refused unsent."""
    with pytest.raises(InvalidRequestError) as caught:
        broker.place_order(attrs.evolve(RESTING, **wrong))
    assert caught.value.outcome is Outcome.NOT_SENT
    assert bench.placements == 0


@pytest.mark.parametrize(
    ("native", "status"),
    [
        ("FAILED", OrderStatus.REJECTED),
        ("QUEUED", OrderStatus.OPEN),
        ("CANCEL_QUEUED", OrderStatus.PENDING_CANCEL),
        ("EDIT_QUEUED", OrderStatus.OPEN),
    ],
)
def test_s18_a_status_after_the_acceptance(
    bench: Bench, broker: CoinbaseBrokerage, native: str, status: OrderStatus
) -> None:
    """S18: an order that fails after it was taken has ended, and says why; one that waits lives."""
    order_id = place(broker)
    told = {"status": native, "reject_message": "risk" if native == "FAILED" else ""}
    bench.front.edit("GET", order_id, lambda said: {"order": {**said["order"], **told}})
    order = broker.get_order(order_id)
    assert (order.status, order.native_status) == (status, native)
    assert order.status_reason == ("risk" if native == "FAILED" else None)
    assert (order.status in ENDED_STATUSES) is (native == "FAILED")


def test_s19_an_order_expires_by_the_venue(bench: Bench, broker: CoinbaseBrokerage) -> None:
    """S19: an order has expired when the venue says so, and not before."""
    asked = attrs.evolve(
        RESTING, time_in_force=TimeInForce.GTD, expires_at=utc_now() + timedelta(minutes=5)
    )
    order_id = place(broker, asked)
    assert broker.get_order(order_id).status is OrderStatus.OPEN
    bench.venue.advance(301)
    assert broker.get_order(order_id).status is OrderStatus.EXPIRED
    assert broker.cancel_order(order_id) is False


def test_s19_a_moment_that_passed_on_the_way(bench: Bench) -> None:
    """S19: an order that expires before it can arrive is refused, and is no order."""
    broker = bench.open(clock=lambda: utc_now() - timedelta(seconds=30))
    asked = attrs.evolve(
        RESTING, time_in_force=TimeInForce.GTD, expires_at=utc_now() - timedelta(seconds=TIMEOUT_S)
    )
    with pytest.raises(BrokerageError) as caught:
        broker.place_order(asked)
    assert caught.value.outcome is Outcome.REJECTED
    assert bench.is_absent(broker, REF)
