"""Faults of the catalogue in the life of orders: S01 to S20."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import attrs
import pytest

from bot_v2.features.brokerages.core.interfaces import (
    ENDED_STATUSES,
    LIVE_STATUSES,
    CloseGuard,
    InvalidFieldError,
    InvalidRequestError,
    Leg,
    ModifyRejectedError,
    OrderModification,
    OrderNotFoundError,
    OrderOutcomeUnknownError,
    OrderRejectedError,
    OrderRequest,
    OrderSide,
    OrderStatus,
    OrderType,
    Outcome,
    PositionEffect,
    PositionSide,
    StopLoss,
    TakeProfit,
    TimeInForce,
    UnsupportedOperationError,
)
from bot_v2.features.brokerages.ibkr.adapter import IbkrBrokerage
from bot_v2.simulation.faults import Fault
from tests.integration.ibkr.conftest import REF, RESTING, SYMBOL, TAKING, Bench, place
from tests.integration.ibkr.front import (
    CANCEL,
    ERROR,
    OPEN_ORDER,
    PLACE,
    Message,
    put,
    swallow,
)

D = Decimal
PRICE = D("120.5")
SPREAD = (
    Leg(symbol="AAPL-20280121-170-C", side=OrderSide.BUY),
    Leg(symbol="AAPL-20280121-180-C", side=OrderSide.SELL),
)


def test_s01_the_same_id_again(bench: Bench, broker: IbkrBrokerage) -> None:
    """S01: an id is a label: the same id again makes a second order, and the profile says so."""
    first = place(broker)
    bench.orders_max = 1
    assert broker.idempotency.on_duplicate.value == "accepts"
    assert broker.idempotency.scope.value == "tag_only"
    assert bench.the_order(broker).order_id == first


def test_s02_the_same_id_after_a_fill(bench: Bench, broker: IbkrBrokerage) -> None:
    """S02: an order that was filled is still found by its id, so that nobody sends it again."""
    order_id = place(broker, TAKING)
    assert bench.the_order(broker).order_id == order_id


def test_s03_found_by_what_it_is(bench: Bench, broker: IbkrBrokerage) -> None:
    """S03: an order of unknown outcome is found by its label, by order, list and fills alike."""
    bench.venue.inject(Fault.DROP_AFTER_ACCEPT, "place_order")
    bench.place_unknown(broker, TAKING)
    order = bench.the_order(broker)
    assert {fill.client_order_id for fill in broker.list_fills()} == {REF}
    assert {fill.order_id for fill in broker.list_fills()} == {order.order_id}


def test_s04_a_change_keeps_the_id(bench: Bench, broker: IbkrBrokerage) -> None:
    """S04: a changed order keeps its id, and with it what was filled before and after."""
    order_id = place(broker)
    bench.venue.fill(order_id, D(1), PRICE)
    result = broker.modify_order(order_id, OrderModification(price=D(121)))
    assert result.order_id == order_id
    bench.venue.fill(order_id, D(2), D(121))
    order = bench.the_order(broker)
    assert (order.price, order.filled_quantity) == (D(121), D(3))
    assert {fill.order_id for fill in broker.list_fills()} == {order_id}


def test_s05_a_change_races_a_fill(bench: Bench, broker: IbkrBrokerage) -> None:
    """S05: a change of an order that is filled meanwhile is refused, and undoes nothing."""
    order_id = place(broker)

    def fill_first(message: Message) -> Sequence[Message]:
        bench.venue.fill(order_id, D(4), PRICE)
        return [message]

    bench.front.on_going(PLACE, fill_first)
    with pytest.raises(ModifyRejectedError) as caught:
        broker.modify_order(order_id, OrderModification(price=D(119)))
    assert caught.value.outcome is Outcome.REJECTED
    assert bench.the_order(broker).status is OrderStatus.FILLED


def test_s05_a_change_without_an_answer(bench: Bench, broker: IbkrBrokerage) -> None:
    """S05: a change that gets no answer is unknown; it is sent once, and reading shows it."""
    order_id = place(broker)
    bench.venue.inject(Fault.DROP_AFTER_ACCEPT, "modify_order")
    with pytest.raises(OrderOutcomeUnknownError):
        broker.modify_order(order_id, OrderModification(price=D(119)))
    assert bench.placements == 2
    assert bench.the_order(broker).price == 119


def test_s06_a_cancel_comes_too_late(bench: Bench, broker: IbkrBrokerage) -> None:
    """S06: a cancel that finds its order filled is no failure; one of no order is an error."""
    order_id = place(broker)

    def fill_first(message: Message) -> Sequence[Message]:
        bench.venue.fill(order_id, D(4), PRICE)
        return [message]

    bench.front.on_going(CANCEL, fill_first)
    assert broker.cancel_order(order_id) is False
    assert bench.the_order(broker).status is OrderStatus.FILLED
    with pytest.raises(OrderNotFoundError):
        broker.cancel_order("123456789")


def test_s07_a_cancel_times_out(bench: Bench, broker: IbkrBrokerage) -> None:
    """S07: a cancel without an answer is unknown; the order is what a read says that it is."""
    order_id = place(broker)
    bench.front.on_going(CANCEL, swallow)
    with pytest.raises(OrderOutcomeUnknownError) as caught:
        broker.cancel_order(order_id)
    assert caught.value.order_id == order_id
    assert bench.the_order(broker).status is OrderStatus.OPEN
    assert broker.cancel_order(order_id) is True


def test_s08_reads_that_lag(bench: Bench, broker: IbkrBrokerage) -> None:
    """S08: an order may be absent from reads for a while, which is declared."""
    bench.venue.inject(Fault.STALE_READ)
    order_id = place(broker)
    assert bench.is_absent(broker)
    assert broker.idempotency.visibility_lag_s > 0
    bench.venue.clear_faults()
    assert bench.the_order(broker).order_id == order_id


def test_s09_a_fast_fill(bench: Bench, broker: IbkrBrokerage) -> None:
    """S09: an order that was filled before anybody looked is found without being open."""
    order_id = place(broker, TAKING)
    broker.disconnect()
    other = bench.open()
    order = other.get_order(order_id)
    assert (order.status, order.filled_quantity) == (OrderStatus.FILLED, D(4))
    assert order.average_fill_price == other.list_fills()[0].price


def test_s10_a_part_and_then_the_end(bench: Bench, broker: IbkrBrokerage) -> None:
    """S10: what was filled before a cancel stays, in the order, its fills and the position."""
    order_id = place(broker)
    bench.venue.fill(order_id, D(1), PRICE)
    assert broker.cancel_order(order_id)
    order = bench.the_order(broker)
    assert (order.status, order.filled_quantity) == (OrderStatus.CANCELLED, D(1))
    assert order.average_fill_price == PRICE
    position = broker.get_position(SYMBOL)
    assert position is not None
    assert position.quantity == 1


def test_s11_more_than_was_asked(bench: Bench, broker: IbkrBrokerage) -> None:
    """S11: an order that is told to be filled beyond its quantity is told with what was filled."""
    order_id = place(broker)
    bench.venue.fill(order_id, D(4), PRICE)
    bench.venue.late_fill(order_id, D(1), PRICE)
    order = broker.get_order(order_id)
    assert order.status is OrderStatus.FILLED
    assert order.quantity == 4
    assert order.filled_quantity == 5
    assert order.overfilled_quantity == 1


def test_s12_a_bracket_with_an_exit_that_is_refused(bench: Bench, broker: IbkrBrokerage) -> None:
    """S12: a bracket of which an exit is refused names the entry that lives, and is no success."""
    bench.orders_max = 3
    asked = attrs.evolve(
        RESTING, take_profit=TakeProfit(price=D(200)), stop_loss=StopLoss(stop_price=D(100))
    )
    sent: list[Message] = []

    def spoil_the_second(message: Message) -> Sequence[Message]:
        sent.append(message)
        return put(16, "NIL" if len(sent) == 2 else message[16])(message)

    bench.front.on_going(PLACE, spoil_the_second, times=3)
    with pytest.raises(OrderOutcomeUnknownError) as caught:
        broker.place_order(asked)
    assert caught.value.order_id == broker.get_order_by_client_id(REF).order_id


def test_s12_an_exit_shows_whether_it_works(bench: Bench, broker: IbkrBrokerage) -> None:
    """S12: the exits of a bracket name its entry, and live once that is filled."""
    bench.orders_max = 3
    entry = place(
        broker,
        attrs.evolve(
            RESTING, take_profit=TakeProfit(price=D(200)), stop_loss=StopLoss(stop_price=D(100))
        ),
    )
    bench.venue.set_market(SYMBOL, D(120), PRICE, D(1000))
    exits = [one for one in broker.list_orders() if one.parent_order_id == entry]
    assert {one.type for one in exits} == {OrderType.LIMIT, OrderType.STOP}
    assert all(one.status in LIVE_STATUSES for one in exits)
    assert broker.get_order(entry).status is OrderStatus.FILLED


def test_s13_one_of_a_pair_cancels_the_other(bench: Bench, broker: IbkrBrokerage) -> None:
    """S13: a fill of one order of a pair cancels the other, at the broker's."""
    bench.orders_max = 3
    place(broker, TAKING)
    sale: dict[str, Any] = {"symbol": SYMBOL, "side": OrderSide.SELL, "quantity": D(4)}
    profit = OrderRequest(**sale, type=OrderType.LIMIT, price=D(200))
    stop = OrderRequest(**sale, type=OrderType.STOP, stop_price=D(100))
    first, second = broker.place_oco(profit, stop)
    assert first.order_id
    assert second.order_id
    bench.venue.set_market(SYMBOL, D(201), D(202), D(1000))
    assert broker.get_order(first.order_id).status is OrderStatus.FILLED
    assert broker.get_order(second.order_id).status is OrderStatus.CANCELLED


def test_s14_a_close_goes_to_zero(bench: Bench, broker: IbkrBrokerage) -> None:
    """S14: a close is for what is held, less what other orders would close: it does not turn."""
    bench.orders_max = 3
    place(broker, TAKING)
    place(
        broker,
        attrs.evolve(
            RESTING, side=OrderSide.SELL, quantity=D(3), price=D(300), client_order_id="s"
        ),
    )
    result = broker.close_position(SYMBOL)
    assert result.order is not None
    assert (result.order.side, result.order.quantity) == (OrderSide.SELL, D(1))
    position = broker.get_position(SYMBOL)
    assert position is not None
    assert (position.side, position.quantity) == (PositionSide.LONG, D(3))
    with pytest.raises(InvalidRequestError) as caught:
        broker.close_position(SYMBOL)
    assert caught.value.outcome is Outcome.NOT_SENT
    assert broker.close_guard is CloseGuard.BEST_EFFORT


def test_s15_a_combination_in_part(bench: Bench, broker: IbkrBrokerage) -> None:
    """S15: a combination is filled as far as it is told as a whole; its legs are the fills."""
    bench.venue.set_market(SPREAD[1].symbol, D(1), D("1.2"), D(100))
    bench.venue.set_market(SPREAD[0].symbol, D(5), D("5.2"), D(100))
    order_id = place(broker, attrs.evolve(RESTING, price=D(4), legs=SPREAD))
    bench.venue.fill(order_id, D(1), D(4))
    order = bench.the_order(broker)
    assert (order.status, order.filled_quantity) == (OrderStatus.PARTIALLY_FILLED, D(1))
    assert (order.symbol, order.legs) == (SYMBOL, SPREAD)
    fills = broker.list_fills()
    assert {fill.symbol for fill in fills} == {leg.symbol for leg in SPREAD}
    assert {fill.price for fill in fills} == {D("5.1"), D("1.1")}
    bench.venue.fill(order_id, D(3), D(4))
    assert bench.the_order(broker).status is OrderStatus.FILLED


REFUSED: dict[str, dict[str, Any]] = {
    "post_only": {"post_only": True},
    "reduce_only": {"reduce_only": True},
    "notional": {"quantity": None, "notional": D(100), "type": OrderType.MARKET, "price": None},
    "position_effect": {"position_effect": PositionEffect.OPEN},
    "FOK market": {"type": OrderType.MARKET, "price": None, "time_in_force": TimeInForce.FOK},
    "IOC stop": {
        "type": OrderType.STOP,
        "price": None,
        "stop_price": D(200),
        "time_in_force": TimeInForce.IOC,
    },
    "extended market": {"type": OrderType.MARKET, "price": None, "extended_hours": True},
    "one leg": {"legs": SPREAD[:1]},
    "options": {"broker_options": {"anything": 1}},
}


@pytest.mark.parametrize("name", REFUSED)
def test_s16_what_there_is_not(bench: Bench, broker: IbkrBrokerage, name: str) -> None:
    """S16: a type, a time or a flag that is not taken is refused here, and never weakened."""
    asked = attrs.evolve(RESTING, **REFUSED[name])
    with pytest.raises((UnsupportedOperationError, InvalidFieldError)) as caught:
        broker.place_order(asked)
    assert caught.value.outcome is Outcome.NOT_SENT
    assert bench.placements == 0


def test_s17_off_the_tick(bench: Bench, broker: IbkrBrokerage) -> None:
    """S17: a price off the tick is refused unsent; where it is sent, TWS's refusal is one."""
    with pytest.raises(InvalidFieldError) as caught:
        broker.place_order(attrs.evolve(RESTING, price=D("120.505")))
    assert caught.value.outcome is Outcome.NOT_SENT
    assert bench.placements == 0
    bench.front.on_going(PLACE, put(19, "120.505"))
    with pytest.raises(InvalidRequestError) as refused:
        broker.place_order(RESTING)
    assert (refused.value.outcome, refused.value.code) == (Outcome.REJECTED, "110")
    assert bench.is_absent(broker)


def test_s18_refused_after_it_was_taken(bench: Bench, broker: IbkrBrokerage) -> None:
    """S18: an order that is refused by words after it was taken in has ended, and says why."""
    with pytest.raises(OrderRejectedError) as caught:
        broker.place_order(attrs.evolve(TAKING, quantity=D(100_000_000)))
    assert caught.value.outcome is Outcome.REJECTED
    (order,) = broker.list_orders()
    assert order.status is OrderStatus.REJECTED
    assert order.status_reason


def test_s18_a_warning_is_no_end(bench: Bench, broker: IbkrBrokerage) -> None:
    """S18: a warning about an order (399, 2109, 10349 and the like) ends nothing."""

    def and_warnings(message: Message) -> Sequence[Message]:
        codes = ("399", "2109", "10349", "2161", "404")
        return [*([ERROR, "2", message[1], code, "be warned", ""] for code in codes), message]

    bench.front.on_coming(OPEN_ORDER, and_warnings, times=2)
    order_id = place(broker)
    bench.front.say(ERROR, 2, bench.front.sent[-1][1], 399, "be warned", "")
    assert bench.the_order(broker).status is OrderStatus.OPEN
    assert broker.modify_order(order_id, OrderModification(price=D(121))).success
    assert bench.the_order(broker).status is OrderStatus.OPEN


def test_s19_expiry(bench: Bench, broker: IbkrBrokerage) -> None:
    """S19: an order has expired when the broker ended it at its time, and not before."""
    ends = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    order_id = place(broker, attrs.evolve(RESTING, time_in_force=TimeInForce.GTD, expires_at=ends))
    order = broker.get_order(order_id)
    assert (order.status, order.expires_at) == (OrderStatus.OPEN, ends)
    bench.venue.advance(7200)
    order = broker.get_order(order_id)
    assert order.status is OrderStatus.EXPIRED
    assert order.status in ENDED_STATUSES


def test_s19_a_dated_order_that_is_cancelled(bench: Bench, broker: IbkrBrokerage) -> None:
    """S19: an order that is cancelled before its time is CANCELLED."""
    ends = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    order_id = place(broker, attrs.evolve(RESTING, time_in_force=TimeInForce.GTD, expires_at=ends))
    assert broker.cancel_order(order_id)
    assert bench.the_order(broker).status is OrderStatus.CANCELLED


def test_s20_a_contract_that_is_gone(bench: Bench, broker: IbkrBrokerage) -> None:
    """S20: an order in a contract that TWS knows no more is read, under the contract's id."""
    order_id = place(broker, attrs.evolve(RESTING, symbol="AAPL-20280121-170-C", price=D("0.05")))
    broker.disconnect()
    other = bench.make()
    other.connect()
    bench.front.on_coming("10", swallow)
    bench.front.on_coming(
        "52", lambda one: [[ERROR, "2", one[2], "200", "No security definition", ""]]
    )
    assert other.get_order(order_id).symbol == "@700000105"
