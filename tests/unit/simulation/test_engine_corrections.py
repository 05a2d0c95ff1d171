"""Fills on demand, late fills, corrections, busts, splits, and changes of live orders."""

from __future__ import annotations

from decimal import Decimal as D
from typing import Any

import attrs
import pytest

from bot_v2.features.brokerages.core import interfaces as api
from bot_v2.simulation.account import AccountKind
from bot_v2.simulation.fees import MakerTakerFees
from tests.unit.simulation.markets import BUY, SELL, SHARE, Bench

FILLED, OPEN = api.OrderStatus.FILLED, api.OrderStatus.OPEN
CANCELLED, PARTLY = api.OrderStatus.CANCELLED, api.OrderStatus.PARTIALLY_FILLED
FEES = MakerTakerFees(maker=D("0.001"), taker=D("0.002"))
CHANGE = api.OrderModification


def test_a_fill_on_demand_fills_a_live_order() -> None:
    """Whatever the market says, within the order's limit and rest."""
    bench = Bench()
    bench.quote("99", "101")
    order = bench.place(BUY, "3", price="98")
    fill = bench.engine.fill(order.order_id, D(1), D("97.50"))
    assert (fill.order_id, fill.quantity, fill.price) == (order.order_id, D(1), D("97.50"))
    assert bench.order(order).status is PARTLY
    for quantity, price in ((D(3), D(98)), (D(0), D(98)), (D(1), D("98.01"))):
        with pytest.raises(api.InvalidFieldError):
            bench.engine.fill(order.order_id, quantity, price)
    bench.engine.fill(order.order_id, D(2), D(98))
    assert bench.order(order).status is FILLED
    with pytest.raises(api.InvalidRequestError):
        bench.engine.fill(order.order_id, D(1), D(98))


def test_a_fill_on_demand_is_paid_for() -> None:
    """An order without a limit cannot be filled at a price that the account does not have."""
    bench = Bench(balances={"USD": D(200)})
    bench.quote("99", "101")
    order = bench.place(BUY, "1", stop_price="150")
    with pytest.raises(api.InsufficientFundsError):
        bench.engine.fill(order.order_id, D(1), D(201))
    assert bench.order(order) == order


def test_a_late_fill_is_booked_and_the_order_stays_ended() -> None:
    """The money moves; a part leaves it CANCELLED, the whole makes it FILLED."""
    bench = Bench(fees=FEES)
    bench.quote("99", "101")
    order = bench.place(BUY, "3", price="100")
    with pytest.raises(api.InvalidRequestError):
        bench.engine.late_fill(order.order_id, D(1), D(100))
    bench.engine.cancel(order.order_id)
    bench.engine.late_fill(order.order_id, D(1), D(100))
    late = bench.order(order)
    assert (late.status, late.filled_quantity) == (CANCELLED, D(1))
    assert bench.total() == 100_000 - D("100.1")
    assert bench.hold() == 0
    bench.engine.late_fill(order.order_id, D(2), D(100))
    assert bench.order(order).status is FILLED
    with pytest.raises(api.InvalidFieldError):
        bench.engine.late_fill(order.order_id, D(0), D(100))
    bench.engine.verify()


def test_a_late_fill_of_more_than_was_ordered_is_booked() -> None:
    """The position and the money are of what was filled; a bust of the excess leaves it FILLED."""
    bench = Bench(fees=FEES)
    bench.quote("99", "101")
    order = bench.place(BUY, "3", price="100")
    bench.engine.fill(order.order_id, D(3), D(100))
    excess = bench.engine.late_fill(order.order_id, D(2), D(100))
    over = bench.order(order)
    assert (over.status, over.filled_quantity, over.overfilled_quantity) == (FILLED, D(5), D(2))
    assert bench.total("BTC") == D(5)
    bench.engine.verify()
    bench.engine.bust_fill(excess.trade_id)
    assert (bench.order(order).status, bench.order(order).filled_quantity) == (FILLED, D(3))
    assert bench.total("BTC") == D(3)
    bench.engine.verify()


def test_a_bust_moves_everything_back() -> None:
    """Asset, money and fee; the report says which execution it is of."""
    bench = Bench(fees=FEES)
    bench.quote("99", "100")
    order = bench.place(BUY, "2")
    fill = bench.engine.list_fills()[0]
    report = bench.engine.bust_fill(fill.trade_id)
    assert (report.corrects, report.busted, report.quantity) == (fill.trade_id, True, D(2))
    assert (bench.total(), bench.total("BTC")) == (D(100_000), D(0))
    busted = bench.order(order)
    assert (busted.status, busted.filled_quantity, busted.fees) == (CANCELLED, D(0), ())
    assert busted.status_reason == "fill_busted"
    for trade_id in (fill.trade_id, report.trade_id, "t-999"):
        with pytest.raises(api.InvalidRequestError):
            bench.engine.bust_fill(trade_id)
    bench.engine.verify()


def test_a_bust_of_a_live_order_gives_its_rest_more_to_do() -> None:
    """What was taken back is wanted again, and set aside for."""
    bench = Bench()
    bench.quote("99", "100", "1")
    order = bench.place(BUY, "3", price="100")
    assert bench.hold() == 200
    bench.engine.bust_fill(bench.engine.list_fills()[0].trade_id)
    assert bench.hold() == 300
    bench.quote("99", "100", "9")
    assert bench.order(order).filled_quantity == 3


def test_a_correction_takes_the_place_of_an_execution() -> None:
    """The account is as if the corrected one had been made in the first place."""
    bench, other = Bench(fees=FEES), Bench(fees=FEES)
    for one, price in ((bench, "100"), (other, "90")):
        one.quote("80", price)
        one.place(BUY, "2")
    fill = bench.engine.list_fills()[0]
    corrected = bench.engine.correct_fill(fill.trade_id, quantity=D(2), price=D(90))
    assert (corrected.corrects, corrected.busted) == (fill.trade_id, False)
    assert bench.engine.list_balances() == other.engine.list_balances()
    mine, theirs = bench.engine.get_position("BTC-USD"), other.engine.get_position("BTC-USD")
    assert mine is not None
    assert theirs is not None
    assert mine.entry_price == theirs.entry_price == 90
    order = bench.engine.list_orders()[0]
    assert (order.status, order.average_fill_price) == (FILLED, D(90))
    with pytest.raises(api.InvalidFieldError):
        bench.engine.correct_fill(corrected.trade_id, quantity=D(3), price=D(90))
    smaller = bench.engine.correct_fill(corrected.trade_id, quantity=D(1), price=D(90))
    assert smaller.corrects == corrected.trade_id
    assert bench.engine.list_orders()[0].status is CANCELLED


def test_a_bust_after_a_close_keeps_profit_and_loss_whole() -> None:
    """Taking back an entry that was closed since leaves what truly was made."""
    bench = Bench(kind=AccountKind.MARGIN)
    symbol = "CL-20270319"
    for side, price in ((BUY, "100"), (BUY, "110"), (SELL, "120")):
        bench.quote(price, price, symbol=symbol)
        bench.place(side, "1", symbol=symbol)
    bench.engine.bust_fill(bench.engine.list_fills()[0].trade_id)
    assert bench.engine.list_positions() == []
    assert bench.total() == 100_000 + 10 * 10
    bench.engine.verify()


@pytest.mark.parametrize(
    ("ratio", "step", "quantity", "entry", "cash"),
    [
        ("2", "1", "6", "50", "0"),
        ("0.5", "1", "1", "200", "100.0"),
        ("0.5", "0.1", "1.5", "200", "0"),
    ],
)
def test_a_split_changes_the_quantity_and_not_the_cost(
    ratio: str, step: str, quantity: str, entry: str, cash: str
) -> None:
    """What is less than a step is paid out, with its part of the cost."""
    share = attrs.evolve(SHARE, size_increment=D(step))
    bench = Bench(products=(share,))
    bench.quote("100", "100", symbol="ACME", last="100")
    bench.place(BUY, "3", symbol="ACME")
    order = bench.place(BUY, "1", symbol="ACME", price="90")
    before = bench.engine.get_account().equity
    bench.engine.split("ACME", D(ratio))
    position = bench.engine.get_position("ACME")
    assert position is not None
    assert (position.quantity, position.entry_price) == (D(quantity), D(entry))
    assert bench.total() == 100_000 - 300 + D(cash)
    ended = bench.order(order)
    assert (ended.status, ended.status_reason) == (CANCELLED, "split")
    assert bench.engine.get_account().equity == before
    bench.engine.verify()


def test_only_securities_split() -> None:
    """A coin does not, and a ratio is above zero."""
    bench = Bench()
    with pytest.raises(api.UnsupportedOperationError):
        bench.engine.split("BTC-USD", D(2))
    with pytest.raises(api.InvalidFieldError):
        bench.engine.split("ACME", D(0))


def test_a_modified_order_trades_on_its_new_terms() -> None:
    """It keeps its id; a better price can fill it at once, as a taker."""
    bench = Bench()
    bench.quote("99", "101")
    order = bench.place(BUY, "2", price="98")
    changed = bench.engine.modify(order.order_id, CHANGE(price=D("97.50"), quantity=D(3)))
    assert (changed.order_id, changed.price, changed.quantity) == (order.order_id, D("97.50"), D(3))
    assert bench.hold() == D("292.50")
    done = bench.engine.modify(order.order_id, CHANGE(price=D(102)))
    assert (done.status, done.average_fill_price) == (FILLED, D(101))
    with pytest.raises(api.ModifyRejectedError):
        bench.engine.modify(order.order_id, CHANGE(price=D(103)))


def test_only_a_smaller_quantity_keeps_the_place_in_the_queue() -> None:
    """Who asks for more, or changes the price, goes behind its equals."""
    bench = Bench()
    bench.quote("99", "101")
    first, second, third = (bench.place(BUY, "2", price="98") for _ in range(3))
    bench.engine.modify(first.order_id, CHANGE(quantity=D(1)))
    bench.engine.modify(second.order_id, CHANGE(quantity=D(4)))
    bench.trade("98", "1")
    assert [bench.order(one).filled_quantity for one in (first, second, third)] == [1, 0, 0]
    bench.trade("98", "2")
    assert [bench.order(one).filled_quantity for one in (first, second, third)] == [1, 0, 2]


@pytest.mark.parametrize(
    ("terms", "change", "error"),
    [
        ({"price": "98"}, {"quantity": D(1)}, api.ModifyRejectedError),
        ({"price": "98"}, {"stop_price": D(97)}, api.InvalidFieldError),
        ({"price": "98"}, {"price": D("98.001")}, api.InvalidFieldError),
        ({"price": "98"}, {"price": D("2000")}, api.InsufficientFundsError),
        ({"price": "98"}, {"client_order_id": "x", "price": D(97)}, api.InvalidFieldError),
        ({"price": "98"}, {"time_in_force": api.TimeInForce.IOC}, api.ModifyRejectedError),
        ({"price": "98", "post_only": True}, {"price": D(101)}, api.ModifyRejectedError),
        ({"trail_amount": "5"}, {"stop_price": D(97)}, api.InvalidFieldError),
    ],
)
def test_a_refused_change_leaves_the_order_as_it_was(
    terms: dict[str, Any], change: dict[str, Any], error: type[api.BrokerageError]
) -> None:
    """All of a change, or nothing of it."""
    bench = Bench(balances={"USD": D(1000)})
    bench.quote("99", "101")
    order = bench.place(BUY, "4", **terms)
    bench.engine.fill(order.order_id, D(1), D(98))
    before = bench.engine.snapshot()
    with pytest.raises(error):
        bench.engine.modify(order.order_id, CHANGE(**change))
    assert bench.engine.snapshot() == before


def test_stops_trails_and_ends_can_be_changed() -> None:
    """A trail keeps the best price that it has seen; an order can be given an end."""
    bench = Bench(balances={"USD": D(1000), "BTC": D(5)})
    bench.trade("100")
    trail = bench.place(SELL, "1", trail_amount="5")
    bench.trade("110")
    bench.trade("108")
    changed = bench.engine.modify(trail.order_id, CHANGE(trail_amount=D(4)))
    assert changed.stop_price == 106
    stop = bench.place(SELL, "1", stop_price="90")
    assert bench.engine.modify(stop.order_id, CHANGE(stop_price=D(107))).stop_price == 107
    later = bench.clock() + (bench.clock().resolution * 10**6)
    ended = bench.engine.modify(stop.order_id, CHANGE(expires_at=later))
    assert (ended.time_in_force, ended.expires_at) == (api.TimeInForce.GTD, later)
    bench.trade("107")
    assert bench.order(stop).status is FILLED
    bench.trade("106")
    assert bench.order(trail).status is FILLED
