"""Faults of the catalogue in the life of orders: S01 to S20."""

from __future__ import annotations

import socket
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import attrs
import pytest

from bot_v2.features.brokerages.alpaca.adapter import AlpacaBrokerage
from bot_v2.features.brokerages.alpaca.settings import read_settings
from bot_v2.features.brokerages.core.interfaces import (
    ENDED_STATUSES,
    BrokerageError,
    CloseGuard,
    DuplicateOrderError,
    IdempotencyScope,
    InvalidRequestError,
    InvalidSymbolError,
    OrderModification,
    OrderNotFoundError,
    OrderOutcomeUnknownError,
    OrderRequest,
    OrderSide,
    OrderStatus,
    OrderType,
    Outcome,
    PositionEffect,
    StopLoss,
    TakeProfit,
    TimeInForce,
    UnsupportedOperationError,
)
from bot_v2.features.brokerages.core.order_terms import Leg
from bot_v2.simulation.faults import Fault
from bot_v2.venues.alpaca.venue import AlpacaVenue
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


def test_s01_a_resend_is_refused_and_is_evidence(bench: Bench, broker: AlpacaBrokerage) -> None:
    """S01: the same id again is refused as a duplicate, which is evidence of the first order."""
    first = place(broker)
    with pytest.raises(DuplicateOrderError) as caught:
        broker.place_order(RESTING)
    assert caught.value.outcome is Outcome.REJECTED
    assert bench.the_order(broker).order_id == first


def test_s02_the_same_id_after_a_fill(bench: Bench, broker: AlpacaBrokerage) -> None:
    """S02: an id makes one order ever: also after its order was filled."""
    first = place(broker, TAKING)
    assert broker.get_order(first).status is OrderStatus.FILLED
    with pytest.raises(DuplicateOrderError):
        broker.place_order(TAKING)
    assert broker.idempotency.scope is IdempotencyScope.FOREVER
    assert sum(fill.quantity for fill in broker.list_fills()) == TAKING.quantity


def test_s04_a_change_makes_a_new_order(bench: Bench, broker: AlpacaBrokerage) -> None:
    """S04: a change makes a new order, each names the other, and fills of both are booked."""
    bench.orders_max = 2
    old = place(broker)
    bench.venue.fill(old, D(1), D(150))
    new = broker.modify_order(old, OrderModification(price=D(151))).order_id
    assert new
    assert new != old
    bench.venue.fill(new, D(2), D(151))
    before, after = broker.get_order(old), broker.get_order(new)
    assert (before.status, before.replaced_by, before.filled_quantity) == (
        OrderStatus.REPLACED, new, D(1))  # fmt: skip
    assert (after.replaces, after.filled_quantity, after.remaining_quantity) == (old, D(2), D(7))
    assert {fill.order_id for fill in broker.list_fills()} == {old, new}
    assert broker.cancel_order(old) is False


def test_s05_a_change_races_a_fill(bench: Bench, broker: AlpacaBrokerage) -> None:
    """S05: a change that meets a filled order changes nothing, and says so."""
    order_id = place(broker)

    def fill_first(connection: socket.socket, received: Received) -> bool:
        bench.venue.fill(order_id, D(10), D(150))
        status, body = bench.front.forward(received)
        return reply(body, status)(connection, received)

    bench.front.answer("PATCH", order_id, fill_first)
    with pytest.raises(BrokerageError) as caught:
        broker.modify_order(order_id, OrderModification(quantity=D(5)))
    assert caught.value.outcome is Outcome.REJECTED
    order = bench.the_order(broker)
    assert (order.quantity, order.filled_quantity) == (RESTING.quantity, D(10))


def test_s05_what_was_filled_is_not_bought_again(bench: Bench, broker: AlpacaBrokerage) -> None:
    """S05: a replacement is for the rest: Alpaca would give it the whole quantity once more."""
    bench.orders_max = 2
    order_id = place(broker)
    bench.venue.fill(order_id, D(4), D(150))
    new = broker.modify_order(order_id, OrderModification(price=D(151)))
    assert new.order
    assert new.order.quantity == 6
    bench.venue.fill(str(new.order_id), D(2), D(151))
    with pytest.raises(InvalidRequestError, match="filled already"):
        broker.modify_order(str(new.order_id), OrderModification(quantity=D(2)))


def test_s05_a_change_without_an_answer(bench: Bench, broker: AlpacaBrokerage) -> None:
    """S05: a change that gets no answer is unknown; it is sent once, and reading shows it."""
    bench.orders_max = 2
    order_id = place(broker)
    bench.venue.inject(Fault.DROP_AFTER_ACCEPT, "modify_order")
    with pytest.raises(OrderOutcomeUnknownError) as caught:
        broker.modify_order(order_id, OrderModification(quantity=D(5), client_order_id="new-1"))
    assert caught.value.client_order_id == "new-1"
    assert bench.front.count("PATCH", order_id) == 1
    assert broker.get_order_by_client_id("new-1").quantity == 5


def test_s06_a_cancel_comes_too_late(bench: Bench, broker: AlpacaBrokerage) -> None:
    """S06: a cancel that finds its order filled is no failure; one of no order is an error."""
    order_id = place(broker)
    bench.venue.fill(order_id, D(10), D(150))
    assert broker.cancel_order(order_id) is False
    assert bench.the_order(broker).status is OrderStatus.FILLED
    with pytest.raises(OrderNotFoundError):
        broker.cancel_order("0f0f0f0f-0000-4000-8000-000000000000")


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (Fault.DROP_AFTER_ACCEPT, OrderStatus.CANCELLED),
        (Fault.DROP_BEFORE_ACCEPT, OrderStatus.OPEN),
    ],
)
def test_s07_a_cancel_times_out(
    bench: Bench, broker: AlpacaBrokerage, fault: Fault, status: OrderStatus
) -> None:
    """S07: a cancel without an answer is unknown; the order is what a read says that it is."""
    order_id = place(broker)
    bench.venue.inject(fault, "cancel_order")
    with pytest.raises(OrderOutcomeUnknownError) as caught:
        broker.cancel_order(order_id)
    assert caught.value.order_id == order_id
    assert bench.front.count("DELETE", order_id) == 1
    assert bench.the_order(broker).status is status


def test_s08_not_found_right_after_the_placement(bench: Bench, broker: AlpacaBrokerage) -> None:
    """S08: reads that lag behind say "not found" of an order that is; the lag is declared."""
    bench.venue.inject(Fault.STALE_READ)
    order_id = place(broker)
    with pytest.raises(OrderNotFoundError):
        broker.get_order(order_id)
    assert bench.is_absent(broker)
    assert broker.idempotency.visibility_lag_s > 0
    bench.venue.clear_faults()
    assert bench.the_order(broker).order_id == order_id


def test_s09_a_fast_fill_is_not_lost(bench: Bench, broker: AlpacaBrokerage) -> None:
    """S09: an order that was filled before anybody looked is found without being open."""
    broker.place_order(TAKING)
    assert broker.list_orders(OrderStatus.OPEN) == []
    order = bench.the_order(broker)
    assert (order.status, order.filled_quantity) == (OrderStatus.FILLED, TAKING.quantity)
    assert [one.order_id for one in broker.list_orders()] == [order.order_id]


def test_s10_a_partial_fill_and_then_a_cancel(bench: Bench, broker: AlpacaBrokerage) -> None:
    """S10: what was filled before a cancel stays, in the order, its fills and the position."""
    order_id = place(broker)
    bench.venue.fill(order_id, D(4), D(150))
    assert broker.cancel_order(order_id)
    order = bench.the_order(broker)
    assert (order.status, order.filled_quantity) == (OrderStatus.CANCELLED, D(4))
    assert sum(fill.quantity for fill in broker.list_fills()) == 4
    position = broker.get_position(SYMBOL)
    assert position is not None
    assert position.quantity == 4


def test_s11_more_is_filled_than_was_asked(bench: Bench, broker: AlpacaBrokerage) -> None:
    """S11: an order of which more was filled than ordered is told as it is, alone and in a list."""
    order_id = place(broker, TAKING)
    bench.front.edit("GET", order_id, lambda said: {**said, "filled_qty": "10.001"})
    order = broker.get_order(order_id)
    assert (order.filled_quantity, order.overfilled_quantity) == (D("10.001"), D("0.001"))
    assert (order.status, order.remaining_quantity) == (OrderStatus.FILLED, D(0))
    bench.front.edit(
        "GET", "/orders", lambda said: [{**one, "filled_qty": "10.001"} for one in said], 2
    )
    assert [one.filled_quantity for one in broker.list_orders()] == [D("10.001")]
    # What was executed and what is held are read by themselves, and stay the truth.
    assert sum(fill.quantity for fill in broker.list_fills()) == TAKING.quantity


BRACKET = attrs.evolve(
    TAKING, take_profit=TakeProfit(price=D(300)), stop_loss=StopLoss(stop_price=D(100))
)


def test_s12_a_bracket_shows_its_exits(bench: Bench, broker: AlpacaBrokerage) -> None:
    """S12: once its entry is filled a bracket shows whether its exits work, by parent and group."""
    entry = place(broker, BRACKET)
    exits = [order for order in broker.list_orders() if order.parent_order_id == entry]
    assert len(exits) == 2
    assert {(one.side, one.status) for one in exits} == {(OrderSide.SELL, OrderStatus.OPEN)}
    assert {order.group_id for order in broker.list_orders()} == {entry}
    # Each exit also says so when it is read alone.
    assert {broker.get_order(one.order_id).parent_order_id for one in exits} == {entry}


def test_s13_one_exit_cancels_the_other(bench: Bench, broker: AlpacaBrokerage) -> None:
    """S13: of two linked exits one is filled and the other cancelled; both tell their group."""
    bench.orders_max = 3
    broker.place_order(attrs.evolve(TAKING, client_order_id="catalogue-buy"))
    profit = attrs.evolve(RESTING, side=OrderSide.SELL, price=D(300))
    stop = attrs.evolve(
        profit, type=OrderType.STOP, price=None, stop_price=D(100), client_order_id=None
    )
    limit, other = broker.place_oco(profit, stop)
    bench.venue.fill(str(limit.order_id), D(10), D(300))
    first, second = (broker.get_order(str(one.order_id)) for one in (limit, other))
    assert (first.status, second.status) == (OrderStatus.FILLED, OrderStatus.CANCELLED)
    assert first.group_id == second.group_id == limit.order_id
    assert broker.get_position(SYMBOL) is None


def test_s14_a_close_cannot_cross_zero(bench: Bench, broker: AlpacaBrokerage) -> None:
    """S14: a position is closed by the broker's own size, also when it shrank before."""
    bench.orders_max = 3
    assert broker.close_guard is CloseGuard.ATOMIC
    broker.place_order(TAKING)
    other = bench.open(direct=True)

    def shrink_first(connection: socket.socket, received: Received) -> bool:
        sale = attrs.evolve(TAKING, side=OrderSide.SELL, quantity=D(4), client_order_id="other")
        other.place_order(sale)
        status, body = bench.front.forward(received)
        return reply(body, status)(connection, received)

    asset_id = str(broker.get_product(SYMBOL).metadata["asset_id"])
    bench.front.answer("DELETE", asset_id, shrink_first)
    broker.close_position(SYMBOL)
    assert broker.get_position(SYMBOL) is None


def test_s15_a_combination_is_one_order(bench: Bench, broker: AlpacaBrokerage) -> None:
    """S15: an order of several legs is one order with one quantity; its legs are told with it."""
    first, second = [
        one.product.symbol
        for one in bench.open(bounds=PATIENT).list_option_contracts(SYMBOL)
        if one.product.right == "call"
    ][:2]
    legs = (
        Leg(symbol=first, side=OrderSide.BUY, position_effect=PositionEffect.OPEN),
        Leg(symbol=second, side=OrderSide.SELL, position_effect=PositionEffect.OPEN),
    )
    asked = attrs.evolve(RESTING, quantity=D(1), price=D("0.01"), legs=legs)
    order = broker.get_order(place(broker, asked))
    assert (order.symbol, order.legs, order.quantity) == (SYMBOL, legs, D(1))
    assert [one.order_id for one in broker.list_orders()] == [order.order_id]


UNSUPPORTED: tuple[OrderRequest, ...] = (
    attrs.evolve(RESTING, reduce_only=True),
    attrs.evolve(RESTING, post_only=True),
    attrs.evolve(RESTING, symbol="BTC-USD", time_in_force=TimeInForce.DAY),
    attrs.evolve(TAKING, extended_hours=True),
    attrs.evolve(RESTING, quantity=D("1.5"), time_in_force=TimeInForce.GTC),
    attrs.evolve(RESTING, quantity=None, notional=D(100)),
    attrs.evolve(BRACKET, quantity=D("1.5")),
    attrs.evolve(BRACKET, symbol="BTC-USD"),
)


@pytest.mark.parametrize("asked", UNSUPPORTED, ids=range(len(UNSUPPORTED)))
def test_s16_what_there_is_not_is_not_sent(
    bench: Bench, broker: AlpacaBrokerage, asked: OrderRequest
) -> None:
    """S16: a type, a time or a flag that Alpaca has not is refused here, and never weakened."""
    with pytest.raises(UnsupportedOperationError) as caught:
        broker.place_order(asked)
    assert caught.value.outcome is Outcome.NOT_SENT
    assert bench.placements == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"price": D("150.001")},
        {"price": D("0.99999")},
        {"quantity": D("0.0000000001")},
        {"symbol": "BTC-USD", "quantity": D("0.00000000001")},
    ],
)
def test_s17_off_the_steps_and_below_the_least(
    bench: Bench, broker: AlpacaBrokerage, wrong: dict[str, Any]
) -> None:
    """S17: a price off the tick and a size that is too small are refused unsent."""
    with pytest.raises(InvalidRequestError) as caught:
        broker.place_order(attrs.evolve(RESTING, **wrong))
    assert caught.value.outcome is Outcome.NOT_SENT
    assert bench.placements == 0


@pytest.mark.parametrize(
    ("native", "status"),
    [
        ("rejected", OrderStatus.REJECTED),
        ("accepted", OrderStatus.OPEN),
        ("pending_new", OrderStatus.PENDING),
        ("held", OrderStatus.OPEN),
        ("suspended", OrderStatus.OPEN),
        ("stopped", OrderStatus.OPEN),
        ("done_for_day", OrderStatus.OPEN),
        ("calculated", OrderStatus.OPEN),
        ("accepted_for_bidding", OrderStatus.OPEN),
        ("pending_replace", OrderStatus.OPEN),
        ("pending_cancel", OrderStatus.PENDING_CANCEL),
        ("expired", OrderStatus.EXPIRED),
    ],
)
def test_s18_a_status_after_the_acceptance(
    bench: Bench, broker: AlpacaBrokerage, native: str, status: OrderStatus
) -> None:
    """S18: an order that is rejected after it was taken has ended; one that waits lives."""
    order_id = place(broker)
    bench.front.edit("GET", order_id, lambda said: {**said, "status": native})
    order = broker.get_order(order_id)
    assert (order.status, order.native_status) == (status, native)
    assert (order.status in ENDED_STATUSES) is (native in ("rejected", "expired"))


def test_s19_an_order_of_the_day_expires_by_the_venue() -> None:
    """S19: an order of the day has expired when the venue says so, after the session's end."""
    open_at = datetime(2026, 11, 18, 16, 0, tzinfo=UTC)
    with AlpacaVenue(
        rate_limit=None, protects=False, always_open=False, clock=lambda: open_at
    ) as venue:
        given = {
            "api_key": venue.api_key.key,
            "secret_key": venue.api_key.secret,
            "api_base": venue.url,
            "data_base": venue.url,
        }
        broker = AlpacaBrokerage(read_settings(given, {}), clock=lambda: open_at)
        broker.connect()
        order_id = place(broker)
        assert broker.get_market_status(SYMBOL).is_open
        assert broker.get_order(order_id).status is OrderStatus.OPEN
        venue.advance(8 * 3600)
        assert not broker.get_market_status(SYMBOL).is_open
        assert broker.get_order(order_id).status is OrderStatus.EXPIRED
        assert broker.cancel_order(order_id) is False
        broker.disconnect()


def test_s20_an_asset_that_is_gone(bench: Bench, broker: AlpacaBrokerage) -> None:
    """S20: an order in a stock that was renamed or delisted is read, and no new one is placed."""
    order_id = place(broker)
    # A new session has not seen the stock before.
    broker = bench.open(products_lifetime_s=0)
    gone = b'{"code": 40410000, "message": "asset not found for AAPL"}'
    bench.front.answer("GET", f"/assets/{SYMBOL}", reply(gone, 404))
    assert broker.get_order(order_id).symbol == SYMBOL
    with pytest.raises(InvalidSymbolError) as caught:
        broker.place_order(attrs.evolve(RESTING, client_order_id="catalogue-2"))
    assert caught.value.outcome is Outcome.NOT_SENT
    assert bench.the_order(broker, REF).order_id == order_id
