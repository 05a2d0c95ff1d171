"""Each order type, with each time in force, against liquidity that is enough, short or absent."""

from __future__ import annotations

from decimal import Decimal as D
from typing import Any

import pytest

from bot_v2.features.brokerages.core import interfaces as api
from bot_v2.simulation.account import AccountKind
from tests.unit.simulation.markets import BUY, SELL, Bench

FILLED, OPEN = api.OrderStatus.FILLED, api.OrderStatus.OPEN
PARTLY, CANCELLED = api.OrderStatus.PARTIALLY_FILLED, api.OrderStatus.CANCELLED
GTC, DAY, IOC, FOK = (
    api.TimeInForce.GTC,
    api.TimeInForce.DAY,
    api.TimeInForce.IOC,
    api.TimeInForce.FOK,
)

# Against a book of 99/101 with a size of 5 on each side: the terms, what is filled at once, and
# the status after that.
TIF = "time_in_force"

AT_ONCE: dict[str, tuple[dict[str, Any], str, api.OrderStatus]] = {
    "market": ({"quantity": "5"}, "5", FILLED),
    "market, too large": ({"quantity": "8"}, "5", PARTLY),
    "market DAY, too large": ({"quantity": "8", TIF: DAY}, "5", PARTLY),
    "market IOC, too large": ({"quantity": "8", TIF: IOC}, "5", CANCELLED),
    "market FOK": ({"quantity": "5", TIF: FOK}, "5", FILLED),
    "market FOK, too large": ({"quantity": "8", TIF: FOK}, "0", CANCELLED),
    "limit that crosses": ({"quantity": "5", "price": "102"}, "5", FILLED),
    "limit that crosses, too large": ({"quantity": "8", "price": "102"}, "5", PARTLY),
    "limit that waits": ({"quantity": "5", "price": "100"}, "0", OPEN),
    "IOC that waits": ({"quantity": "5", "price": "100", TIF: IOC}, "0", CANCELLED),
    "IOC, too large": ({"quantity": "8", "price": "101", TIF: IOC}, "5", CANCELLED),
    "FOK, too large": ({"quantity": "8", "price": "101", TIF: FOK}, "0", CANCELLED),
    "limit FOK": ({"quantity": "3", "price": "101", TIF: FOK}, "3", FILLED),
    "stop that waits": ({"quantity": "5", "stop_price": "103"}, "0", OPEN),
    "stop reached already": ({"quantity": "5", "stop_price": "101"}, "5", FILLED),
    "stop reached, too large": ({"quantity": "8", "stop_price": "101"}, "5", PARTLY),
    "stop limit that waits": ({"quantity": "5", "stop_price": "103", "price": "104"}, "0", OPEN),
    "stop limit reached": ({"quantity": "5", "stop_price": "101", "price": "101"}, "5", FILLED),
    "stop limit, below": ({"quantity": "5", "stop_price": "101", "price": "100"}, "0", OPEN),
    "trailing stop": ({"quantity": "5", "trail_amount": "2"}, "0", OPEN),
    "post-only": ({"quantity": "5", "price": "100", "post_only": True}, "0", OPEN),
    "notional": ({"notional": "300"}, "2.970", FILLED),
    "notional limit that waits": ({"notional": "300", "price": "100"}, "0", OPEN),
    "notional IOC, too large": ({"notional": "900", TIF: IOC}, "5", CANCELLED),
    "notional FOK, too large": ({"notional": "900", TIF: FOK}, "0", CANCELLED),
}  # fmt: skip


@pytest.mark.parametrize("case", AT_ONCE)
def test_what_is_filled_at_once(case: str) -> None:
    """An order takes what is on offer within its limit; its time in force says the rest."""
    terms, filled, status = AT_ONCE[case]
    bench = Bench()
    bench.quote("99", "101", "5")
    order = bench.place(BUY, **terms)
    assert order.filled_quantity == D(filled)
    assert order.status is status
    if order.filled_quantity:
        assert order.average_fill_price == D(101)
    bench.engine.verify()


@pytest.mark.parametrize(
    ("terms", "filled", "status"),
    [
        ({"quantity": "5"}, "5", FILLED),
        ({"quantity": "8"}, "5", PARTLY),
        ({"quantity": "5", "price": "98"}, "5", FILLED),
        ({"quantity": "5", "price": "100"}, "0", OPEN),
        ({"quantity": "5", "stop_price": "97"}, "0", OPEN),
        ({"quantity": "5", "stop_price": "99"}, "5", FILLED),
        ({"quantity": "8", "price": "99", "time_in_force": FOK}, "0", CANCELLED),
        ({"notional": "300"}, "3.030", FILLED),
    ],
)
def test_sales_mirror_purchases(
    terms: dict[str, Any], filled: str, status: api.OrderStatus
) -> None:
    """A sale takes the bids as a purchase takes the asks."""
    bench = Bench(balances={"BTC": D(10)})
    bench.quote("99", "101", "5")
    order = bench.place(SELL, **terms)
    assert (order.filled_quantity, order.status) == (D(filled), status)


def test_an_order_takes_level_after_level() -> None:
    """A market order walks the book, and its mean price is exact."""
    bench = Bench()
    level = api.PriceLevel
    bench.engine.on_market(
        api.Orderbook(
            symbol="BTC-USD",
            bids=(level(D(99), D(1)),),
            asks=(level(D(101), D(1)), level(D(102), D(2)), level(D(105), D(9))),
            timestamp=bench.clock(),
        )
    )
    order = bench.place(BUY, "4")
    assert order.average_fill_price == D("102.5")
    assert [fill.price for fill in bench.engine.list_fills()] == [D(101), D(102), D(105)]
    left = bench.engine.get_orderbook("BTC-USD", 2)
    assert left.asks == (level(D(105), D(8)),)


def test_what_was_taken_is_gone_until_the_next_event() -> None:
    """Two orders cannot have the same offer."""
    bench = Bench()
    bench.quote("99", "101", "5")
    bench.place(BUY, "4")
    second = bench.place(BUY, "4")
    assert second.filled_quantity == 1
    bench.quote("99", "103", "2")
    assert bench.order(second).filled_quantity == 3
    bench.quote("99", "101", "5")
    assert bench.order(second).status is FILLED
    assert bench.order(second).average_fill_price == D("102")


def test_a_waiting_limit_fills_at_its_own_price_as_maker() -> None:
    """The market that crosses a limit fills it at the limit, not at the better price."""
    bench = Bench()
    bench.quote("99", "101")
    order = bench.place(BUY, "2", price="100")
    bench.quote("90", "95")
    fill = bench.engine.list_fills()[0]
    assert bench.order(order).status is FILLED
    assert (fill.price, fill.liquidity) == (D(100), api.Liquidity.MAKER)


def test_an_arriving_limit_fills_at_the_market_as_taker() -> None:
    """A limit that crosses on arrival gets the market's better price."""
    bench = Bench()
    bench.quote("99", "101")
    bench.place(BUY, "2", price="110")
    fill = bench.engine.list_fills()[0]
    assert (fill.price, fill.liquidity) == (D(101), api.Liquidity.TAKER)


def test_better_prices_and_older_orders_come_first() -> None:
    """Scarce liquidity goes to the best limit, and among equals to the oldest."""
    bench = Bench()
    bench.quote("99", "101")
    low, old, new = (bench.place(BUY, "2", price=price) for price in ("97", "98", "98"))
    bench.trade("96", "3")
    assert [bench.order(one).filled_quantity for one in (low, old, new)] == [0, 2, 1]


def test_a_touch_fills() -> None:
    """A trade at a waiting limit's price fills it, as far as its size goes."""
    bench = Bench()
    bench.quote("99", "101")
    order = bench.place(BUY, "5", price="98")
    bench.trade("98", "2")
    assert bench.order(order).filled_quantity == 2


def test_a_buyer_that_takes_does_not_fill_waiting_purchases() -> None:
    """A trade whose side is told fills only those whom that side met."""
    bench = Bench(balances={"USD": D(1000), "BTC": D(5)})
    bench.quote("99", "101")
    buy, sell = bench.place(BUY, "1", price="100"), bench.place(SELL, "1", price="100.5")
    bench.trade("100", "9", side=BUY)
    assert bench.order(buy).filled_quantity == 0
    bench.trade("100.5", "9", side=BUY)
    assert bench.order(sell).status is FILLED


def test_post_only_is_refused_where_it_would_take() -> None:
    """A post-only order that crosses is no order at all."""
    bench = Bench()
    bench.quote("99", "101")
    with pytest.raises(api.OrderRejectedError) as refused:
        bench.place(BUY, "1", price="101", post_only=True)
    assert refused.value.reason == "post_only_would_take"
    assert bench.engine.list_orders() == []


def test_stops_are_triggered_by_trades_where_there_are_any() -> None:
    """Once trades are heard of, quotes alone trigger nothing."""
    bench = Bench()
    bench.quote("99", "101", last="100")
    order = bench.place(BUY, "1", stop_price="105")
    bench.quote("106", "108")
    assert bench.order(order).status is OPEN
    bench.trade("105")
    done = bench.order(order)
    assert (done.status, done.average_fill_price) == (FILLED, D(108))


def test_stops_are_triggered_by_quotes_where_there_are_no_trades() -> None:
    """A sell stop looks at the bid, a buy stop at the ask."""
    bench = Bench(balances={"USD": D(1000), "BTC": D(5)})
    bench.quote("99", "101")
    down, up = bench.place(SELL, "1", stop_price="98"), bench.place(BUY, "1", stop_price="103")
    bench.quote("98", "102")
    assert bench.order(down).status is FILLED
    assert bench.order(up).status is OPEN
    bench.quote("97", "103")
    assert bench.order(up).average_fill_price == D(103)


def test_a_triggered_stop_limit_waits_at_its_limit() -> None:
    """The limit holds where the market has run past it, and is met when the market comes back."""
    bench = Bench(balances={"USD": D(1000), "BTC": D(5)})
    bench.quote("99", "101")
    order = bench.place(SELL, "1", stop_price="98", price="97")
    bench.quote("95", "96")
    assert bench.order(order).status is OPEN
    bench.quote("97", "98")
    assert bench.order(order).average_fill_price == D(97)


@pytest.mark.parametrize(
    ("terms", "stops"),
    [
        ({"trail_amount": "2"}, ["98", "98", "103", "103"]),
        ({"trail_percent": "10"}, ["90", "90", "94.5", "94.5"]),
    ],
)
def test_a_trailing_stop_follows_one_way(terms: dict[str, str], stops: list[str]) -> None:
    """The trigger of a sale rises with the price and never falls."""
    bench = Bench(balances={"BTC": D(5)})
    bench.trade("100")
    order = bench.place(SELL, "1", **terms)
    seen = [order.stop_price]
    for price in ("99", "105", "104"):
        bench.trade(price)
        seen.append(bench.order(order).stop_price)
    assert seen == [D(stop) for stop in stops]
    bench.trade("90")
    assert bench.order(order).average_fill_price == D(90)


def test_a_trailing_purchase_follows_down() -> None:
    """The trigger of a purchase falls with the price, and is on the grid, never nearer."""
    bench = Bench()
    bench.trade("100")
    order = bench.place(BUY, "1", trail_percent="0.333")
    assert order.stop_price == D("100.34")
    bench.trade("90.01")
    assert bench.order(order).stop_price == D("90.31")
    bench.trade("90.31")
    assert bench.order(order).status is FILLED


def test_a_notional_order_spends_no_more_than_its_value() -> None:
    """Its quantity is rounded down to the step at each price, and told once it is complete."""
    bench = Bench()
    bench.quote("99", "101", "2")
    order = bench.place(BUY, notional="500")
    assert (order.quantity, order.filled_quantity, order.status) == (None, D(2), PARTLY)
    bench.quote("99", "103", "9")
    done = bench.order(order)
    assert done.status is FILLED
    assert done.filled_quantity == done.quantity == D("4.893")
    assert 202 + D("2.893") * 103 <= 500
    assert bench.hold() == 0


def test_reduce_only_never_turns_a_position() -> None:
    """It is refused where there is nothing to reduce, and ends once nothing is left."""
    bench = Bench(kind=AccountKind.MARGIN)
    bench.quote("99", "101", symbol="ACME")
    with pytest.raises(api.OrderRejectedError) as refused:
        bench.place(SELL, "5", symbol="ACME", reduce_only=True)
    assert refused.value.reason == "nothing_to_reduce"
    bench.place(BUY, "3", symbol="ACME")
    order = bench.place(SELL, "5", symbol="ACME", price="105", reduce_only=True)
    bench.quote("106", "107", symbol="ACME")
    done = bench.order(order)
    assert done.filled_quantity == 3
    bench.quote("106", "107", symbol="ACME")
    assert bench.order(order).status is CANCELLED
    assert bench.engine.get_position("ACME") is None


def test_a_client_id_is_used_once() -> None:
    """The same id again makes nothing, whatever the order."""
    bench = Bench()
    bench.quote("99", "101")
    order = bench.place(BUY, "1")
    assert order.client_order_id is not None
    for quantity in ("1", "2"):
        with pytest.raises(api.DuplicateOrderError) as refused:
            bench.engine.place(
                api.OrderRequest(symbol="BTC-USD", side=BUY, quantity=D(quantity)),
                client_order_id=order.client_order_id,
            )
        assert refused.value.order_id == order.order_id
    assert len(bench.engine.list_orders()) == 1


@pytest.mark.parametrize(
    ("terms", "error"),
    [
        ({"time_in_force": api.TimeInForce.OPG}, api.UnsupportedOperationError),
        ({"time_in_force": api.TimeInForce.CLS}, api.UnsupportedOperationError),
        ({"account_id": "another"}, api.InvalidFieldError),
        ({"broker_options": {"tag": "x"}}, api.InvalidFieldError),
        ({"legs": (api.Leg(symbol="ACME", side=BUY),)}, api.UnsupportedOperationError),
        ({"price": "100.001"}, api.InvalidFieldError),
        ({"symbol": "NONE-USD"}, api.InvalidSymbolError),
        ({"symbol": "CL-20270319"}, api.OrderRejectedError),
        ({"symbol": "ACME"}, api.OrderRejectedError),
    ],
)
def test_what_is_refused_leaves_no_trace(
    terms: dict[str, Any], error: type[api.BrokerageError]
) -> None:
    """A request that cannot be traded as asked makes no order and sets nothing aside."""
    bench = Bench()
    bench.quote("99", "101")
    before = bench.engine.snapshot()
    with pytest.raises(error):
        bench.place(BUY, "1", **terms)
    assert bench.engine.snapshot() == before


def test_a_cancel_says_whether_it_was_accepted() -> None:
    """True for a live order, False for one that had ended, an error where there is none."""
    bench = Bench()
    bench.quote("99", "101")
    order = bench.place(BUY, "1", price="100")
    assert bench.hold() == 100
    assert bench.engine.cancel(order.order_id)
    assert not bench.engine.cancel(order.order_id)
    assert bench.order(order).status is CANCELLED
    assert bench.hold() == 0
    with pytest.raises(api.OrderNotFoundError):
        bench.engine.cancel("o-999")


def test_lists_are_newest_first_and_filtered_exactly() -> None:
    """Orders come newest first, fills oldest first."""
    bench = Bench()
    bench.quote("99", "101")
    first, second = bench.place(BUY, "1", price="100"), bench.place(BUY, "1")
    third = bench.place(BUY, "1", price="98")
    ids = [order.order_id for order in bench.engine.list_orders()]
    assert ids == [third.order_id, second.order_id, first.order_id]
    live = [order.order_id for order in bench.engine.list_orders(OPEN)]
    assert live == [third.order_id, first.order_id]
    assert bench.engine.list_orders(FILLED) == [second]
    bench.clock.advance(1)
    assert bench.engine.list_fills(since=bench.clock()) == []
    assert len(bench.engine.list_fills()) == 1
    assert first.client_order_id is not None
    assert bench.engine.get_order_by_client_id(first.client_order_id) == first
