"""Bars and what they fill on the way; brackets and pairs."""

from __future__ import annotations

from decimal import Decimal as D

import pytest

from bot_v2.features.brokerages.core import interfaces as api
from bot_v2.simulation.account import AccountKind
from bot_v2.simulation.events import candle_path
from tests.unit.simulation.markets import BUY, MINUTE, SELL, START, Bench, request

FILLED, OPEN = api.OrderStatus.FILLED, api.OrderStatus.OPEN
CANCELLED, PARTLY = api.OrderStatus.CANCELLED, api.OrderStatus.PARTIALLY_FILLED


@pytest.mark.parametrize(
    ("bar", "path"),
    [
        ("100 104 90 95", "100 104 90 95"),
        ("100 110 97 95", "100 97 110 97"),
        ("100 105 95 101", "100 105 95 101"),
    ],
)
def test_a_bar_goes_to_the_nearer_extreme_first(bar: str, path: str) -> None:
    """At equal distance the high comes first; open and close are where they are."""
    first, high, low, last = (D(text) for text in bar.split())
    candle = api.Candle(
        symbol="BTC-USD",
        open_time=START,
        interval=MINUTE,
        open=first,
        high=high,
        low=low,
        close=max(last, low),
    )
    assert candle_path(candle) == tuple(D(text) for text in path.split())


def test_a_market_order_waits_for_the_next_bar_s_volume() -> None:
    """What a bar's volume cannot fill meets the open of the next bar."""
    bench = Bench(participation_rate=D("0.1"))
    bench.bar("100 101 99 100", "50")
    order = bench.place(BUY, "8")
    assert (order.filled_quantity, order.average_fill_price) == (D(5), D(100))
    bench.bar("110 111 109 110", "50")
    done = bench.order(order)
    assert (done.status, done.average_fill_price) == (FILLED, D("103.75"))
    assert bench.place(BUY, "9").filled_quantity == 2


def test_a_bar_fills_limits_at_their_price_and_stops_on_the_way() -> None:
    """Orders are met in the order in which the price passes them."""
    bench = Bench(balances={"USD": D(1000), "BTC": D(9)})
    bench.bar("100 100 100 100")
    stop = bench.place(SELL, "1", stop_price="95")
    buy = bench.place(BUY, "1", price="97")
    sell = bench.place(SELL, "1", price="103")
    bench.bar("100 104 90 92")
    fills = [(fill.order_id, fill.price) for fill in bench.engine.list_fills()]
    assert fills == [
        (sell.order_id, D(103)),
        (buy.order_id, D(97)),
        (stop.order_id, D(95)),
    ]


def test_a_gap_fills_a_stop_at_the_open() -> None:
    """A bar that opens beyond a stop fills it where it opens: that is what a stop risks."""
    bench = Bench(balances={"BTC": D(9)})
    bench.bar("100 100 100 100")
    order = bench.place(SELL, "1", stop_price="95")
    bench.bar("91 93 90 92")
    assert bench.order(order).average_fill_price == D(91)


def test_a_bar_s_volume_is_shared() -> None:
    """Two orders cannot both have the same volume, and a stop still is triggered without any."""
    bench = Bench(balances={"USD": D(1000), "BTC": D(9)})
    bench.bar("100 100 100 100")
    first, second = bench.place(BUY, "3", price="98"), bench.place(BUY, "3", price="97")
    stop = bench.place(SELL, "1", stop_price="96")
    bench.bar("100 101 95 96", "4")
    assert bench.order(first).status is FILLED
    assert bench.order(second).filled_quantity == 1
    assert bench.order(stop).status is OPEN
    bench.bar("99 99 99 99", "4")
    assert bench.order(stop).average_fill_price == D(99)


def test_a_trail_follows_a_bar_s_way() -> None:
    """The trigger rises with the high and is met on the way down."""
    bench = Bench(balances={"BTC": D(9)})
    bench.bar("100 100 100 100")
    order = bench.place(SELL, "1", trail_amount="5")
    bench.bar("100 104 90 91")
    assert bench.order(order).average_fill_price == D(99)


def test_an_order_does_not_see_the_part_of_a_bar_before_it() -> None:
    """Who arrived after a bar had opened meets its close, not its low."""
    bench = Bench()
    bench.bar("100 100 100 100")
    bench.clock.advance(30)
    order = bench.place(BUY, "1", price="95")
    engine, opened = bench.engine, bench.clock() - MINUTE / 2
    bench.clock.advance(30)
    candle = api.Candle(
        symbol="BTC-USD",
        open_time=opened,
        interval=MINUTE,
        open=D(100),
        high=D(100),
        low=D(90),
        close=D(96),
    )
    engine.on_market(candle)
    assert bench.order(order).status is OPEN
    bench.bar("96 96 94 95")
    assert bench.order(order).status is FILLED


def test_a_bar_that_still_changes_is_refused() -> None:
    """Its volume would be traded twice."""
    bench = Bench()
    with pytest.raises(api.InvalidFieldError, match="complete"):
        bench.engine.on_market(
            api.Candle(
                symbol="BTC-USD",
                open_time=START,
                interval=MINUTE,
                open=D(1),
                high=D(1),
                low=D(1),
                close=D(1),
                complete=False,
            )
        )


def exits_of(bench: Bench, parent: api.Order) -> list[api.Order]:
    """The exits of a bracket, oldest first: profit, then stop."""
    orders = bench.engine.list_orders()
    return [one for one in reversed(orders) if one.parent_order_id == parent.order_id]


def bracket(bench: Bench, quantity: str, **terms: object) -> api.Order:
    """Place a purchase with both exits: a profit at 110, a stop at 90."""
    return bench.place(
        BUY,
        quantity,
        take_profit=api.TakeProfit(price=D(110)),
        stop_loss=api.StopLoss(stop_price=D(90)),
        **terms,
    )


def test_exits_come_to_life_with_the_parent_s_fill() -> None:
    """Nothing before a fill; then exits as large as what is filled, which share one hold."""
    bench = Bench()
    bench.quote("99", "101", "2")
    parent = bracket(bench, "5", price="100")
    assert exits_of(bench, parent) == []
    bench.quote("98", "100", "2")
    profit, stop = exits_of(bench, parent)
    assert [(one.quantity, one.status, one.side) for one in (profit, stop)] == [
        (D(2), OPEN, SELL)
    ] * 2
    assert (profit.price, stop.stop_price) == (D(110), D(90))
    assert profit.group_id == stop.group_id
    assert profit.group_id is not None
    bench.quote("98", "100", "9")
    assert [one.quantity for one in exits_of(bench, parent)] == [5, 5]
    assert bench.hold("BTC") == 5
    bench.engine.verify()


@pytest.mark.parametrize(("bid", "filled", "price"), [("111", 0, "110"), ("89", 1, "89")])
def test_one_exit_cancels_the_other(bid: str, filled: int, price: str) -> None:
    """The market that reaches one exit ends both."""
    bench = Bench()
    bench.quote("99", "100")
    exits = exits_of(bench, bracket(bench, "5"))
    bench.quote(bid, str(D(bid) + 1))
    ended = [bench.order(one) for one in exits]
    assert ended[filled].average_fill_price == D(price)
    assert ended[1 - filled].status is CANCELLED
    assert ended[1 - filled].status_reason == "other_order_of_group_filled"
    assert bench.hold("BTC") == 0
    assert bench.total("BTC") == 0


def test_a_partly_filled_exit_shrinks_the_other() -> None:
    """What the profit took is not there to be stopped any more."""
    bench = Bench()
    bench.quote("99", "100")
    profit, stop = exits_of(bench, bracket(bench, "5"))
    bench.quote("111", "112", "2")
    assert bench.order(profit).filled_quantity == 2
    assert bench.order(stop).quantity == 3
    bench.quote("89", "90", "9")
    assert bench.order(stop).filled_quantity == 3
    assert bench.order(profit).status is CANCELLED
    assert bench.total("BTC") == 0


def test_a_short_bracket_buys_back() -> None:
    """The exits of a short sale buy, and need no margin."""
    bench = Bench(kind=AccountKind.MARGIN)
    bench.quote("100", "101", symbol="ACME")
    parent = bench.place(
        SELL,
        "5",
        symbol="ACME",
        position_effect=api.PositionEffect.OPEN,
        take_profit=api.TakeProfit(price=D(90)),
        stop_loss=api.StopLoss(stop_price=D(110), price=D(115)),
    )
    profit, stop = exits_of(bench, parent)
    assert (profit.side, stop.type) == (BUY, api.OrderType.STOP_LIMIT)
    assert bench.hold() == 0
    bench.quote("111", "112", symbol="ACME")
    assert bench.order(stop).average_fill_price == D(112)
    assert bench.order(profit).status is CANCELLED
    assert bench.engine.list_positions() == []


def test_a_bar_can_fill_the_entry_and_its_stop() -> None:
    """The way of the bar decides, not luck: entry at 97, and the stop further down."""
    bench = Bench()
    bench.bar("100 100 100 100")
    parent = bracket(bench, "5", price="97")
    bench.bar("100 101 85 88")
    profit, stop = exits_of(bench, parent)
    assert stop.average_fill_price == D(90)
    assert profit.status is CANCELLED


def pair(bench: Bench, **stop: str) -> tuple[api.Order, api.Order]:
    """Place a sale at 110 and a protective stop as a pair."""
    terms = stop or {"stop_price": "90"}
    return bench.engine.place_oco(
        request(SELL, "5", price="110"),
        request(SELL, "5", **terms),
        client_order_ids=("profit", "stop"),
    )


def test_a_fill_of_one_of_a_pair_cancels_the_other() -> None:
    """Any fill, a partial one too; both sell the same coins, which are set aside once."""
    bench = Bench(balances={"BTC": D(5)})
    bench.quote("99", "101")
    profit, stop = pair(bench)
    assert bench.hold("BTC") == 5
    bench.quote("110", "111", "2")
    assert bench.order(profit).status is PARTLY
    assert bench.order(stop).status is CANCELLED
    assert bench.hold("BTC") == 3


def test_cancelling_one_of_a_pair_leaves_the_other() -> None:
    """The other lives on, and what it needs stays set aside."""
    bench = Bench(balances={"BTC": D(5)})
    bench.quote("99", "101")
    profit, stop = pair(bench)
    assert bench.engine.cancel(profit.order_id)
    assert bench.order(stop).status is OPEN
    assert bench.hold("BTC") == 5
    bench.quote("89", "91")
    assert bench.order(stop).status is FILLED


def test_a_pair_is_taken_whole_or_not_at_all() -> None:
    """Where the second is refused, the first leaves no trace."""
    bench = Bench(balances={"BTC": D(5)})
    bench.quote("99", "101")
    before = bench.engine.snapshot()
    with pytest.raises(api.InvalidFieldError):
        pair(bench, stop_price="90.001")
    with pytest.raises(api.InsufficientFundsError):
        bench.engine.place_oco(
            api.OrderRequest(
                symbol="BTC-USD",
                side=SELL,
                quantity=D(5),
                type=api.OrderType.LIMIT,
                price=D(110),
            ),
            api.OrderRequest(
                symbol="BTC-USD",
                side=SELL,
                quantity=D(6),
                type=api.OrderType.STOP,
                stop_price=D(90),
            ),
            client_order_ids=("a", "b"),
        )
    assert bench.engine.snapshot() == before
