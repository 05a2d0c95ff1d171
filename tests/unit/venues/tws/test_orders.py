"""Orders: their way from the client's message to its end, and what is told on the way."""

from __future__ import annotations

from decimal import Decimal

import pytest

from bot_v2.venues.tws.listings import ALL_LISTINGS, stock
from bot_v2.venues.tws.reporter import FillOrder
from bot_v2.venues.tws.schema import UNSET_DOUBLE, Message
from bot_v2.venues.tws.venue import TwsVenue
from tests.unit.venues.tws.client import Client

D = Decimal


def names(heard: list[Message]) -> list[str]:
    """What was heard of orders, in order; account values and positions left out."""
    orders = ("openOrder", "orderStatus", "execDetails", "commissionReport", "error")
    return [one.name for one in heard if one.name in orders]


def test_a_limit_order_rests(venue: TwsVenue, client: Client) -> None:
    """The order, then its status; the venue counts one placement under its reference."""
    order = client.place(orderRef="mine")
    assert names(client.heard) == ["openOrder", "orderStatus"]
    assert client.statuses(order) == ["Submitted"]
    told = client.last("openOrder")
    assert told.text("lmtPrice") == "150"
    assert told.text("orderRef") == "mine"
    assert told.text("right") == "?"
    assert told.text("deltaNeutralOrderType") == "None"
    (received,) = venue.orders_received()
    assert (received.order_id, received.client_order_id, received.symbol) == (
        client.perm_id(order),
        "mine",
        "AAPL",
    )


@pytest.mark.parametrize("price", ["0.00012345678901234", "123456789.123456789"])
def test_prices_cross_the_venue_exactly(price: str) -> None:
    """From the order to its echo, its execution and its mean price, no digit is lost."""
    listing = stock(991, "EXACT", price, "EXACT DIGITS", step="0.00000000000000001")
    venue = TwsVenue(listings=(*ALL_LISTINGS, listing), balances={"USD": D(10) ** 12})
    venue.set_market("EXACT", D(price), D(price) * 2, D(5))
    client = Client(venue)
    order = client.place(conId=991, lmtPrice=D(price), totalQuantity=D(5))
    assert client.last("openOrder").text("lmtPrice") == price
    venue.fill(client.perm_id(order), D(2), D(price))
    venue.fill(client.perm_id(order), D(3), D(price))
    assert [one.text("price") for one in client.all("execDetails")] == [price, price]
    assert client.status(order).text("avgFillPrice") == price
    assert client.status(order).text("lastFillPrice") == price
    client.send("reqPositions")
    assert client.last("position").text("avgCost") == price
    client.send("reqMktData", reqId=9, conId=991, snapshot=True)
    assert client.all("tickPrice")[0].text("price") == price


def test_a_fill_is_told_in_the_usual_order(venue: TwsVenue, client: Client) -> None:
    """The execution, the order, its status, the commission; the same for each part."""
    order = client.place()
    for part, status in (("4", "Submitted"), ("6", "Filled")):
        client.forget()
        venue.fill(str(venue.tickets.by_key(1, order).perm_id), D(part), D("149.9"))  # type: ignore[union-attr] # it was placed just now
        assert names(client.heard) == [
            "execDetails",
            "openOrder",
            "orderStatus",
            "commissionReport",
        ]
        assert client.statuses(order) == [status]
    execution, report = client.last("execDetails"), client.last("commissionReport")
    assert execution.text("side") == "BOT"
    assert execution.text("cumQty") == "10"
    assert execution.text("reqId") == "-1"
    assert execution.text("execId") == report.text("execId")
    assert report.text("realizedPNL") == UNSET_DOUBLE


@pytest.mark.parametrize(
    ("order", "told"),
    [
        (FillOrder.STATUS_FIRST, ["openOrder", "orderStatus"]),
        (
            FillOrder.COMMISSION_FIRST,
            ["commissionReport", "execDetails", "openOrder", "orderStatus"],
        ),
    ],
)
def test_a_fill_can_be_told_in_another_order(
    venue: TwsVenue, client: Client, order: FillOrder, told: list[str]
) -> None:
    """The status first, with the execution a moment later; or the commission before it."""
    venue.scripts.order_fills(order.value)
    placed = client.place()
    client.forget()
    venue.fill(str(venue.tickets.live()[0].perm_id), D(10), D(150))
    assert names(client.heard) == told
    assert client.statuses(placed) == ["Filled"]


def test_a_closing_fill_tells_its_profit(venue: TwsVenue, client: Client) -> None:
    """What was sold for more than it cost, less the commission; what opened tells none."""
    client.place(orderType="MKT", lmtPrice=None)
    bought = client.last("execDetails").number("price")
    client.place(action="SELL", orderType="MKT", lmtPrice=None, totalQuantity=D(4))
    sold = client.last("execDetails").number("price")
    assert bought is not None
    assert sold is not None
    assert client.last("commissionReport").number("realizedPNL") == (sold - bought) * 4 - 1


def test_a_cancel_is_told_with_its_code(client: Client) -> None:
    """The status, then 202."""
    order = client.place()
    client.forget()
    client.send("cancelOrder", orderId=order)
    assert names(client.heard) == ["orderStatus", "error"]
    assert client.statuses(order) == ["Cancelled"]
    assert client.codes(order) == [202]


def test_cancels_that_come_too_late_say_why(venue: TwsVenue, client: Client) -> None:
    """Of a filled order 10148, of a cancelled one 161, of none 10147; of one that is gone 135."""
    filled = client.place(orderType="MKT", lmtPrice=None)
    cancelled = client.place()
    client.send("cancelOrder", orderId=cancelled)
    client.forget()
    assert [
        client.send("cancelOrder", orderId=one)[-1].text("code") for one in (filled, cancelled, 900)
    ] == ["10148", "161", "10147"]
    venue.tickets.forget_ids()
    assert client.send("cancelOrder", orderId=filled)[-1].text("code") == "135"


def test_every_order_is_cancelled_at_once(venue: TwsVenue, client: Client) -> None:
    """Those of every client; each is told to its own."""
    other = Client(venue, 2)
    mine, theirs = client.place(), other.place()
    client.send("reqGlobalCancel")
    assert client.statuses(mine)[-1] == "Cancelled"
    assert other.statuses(theirs)[-1] == "Cancelled"
    assert 202 in client.codes(mine)


def test_an_order_is_changed_in_place(venue: TwsVenue, client: Client) -> None:
    """The same id again: the order has its new terms and its permanent id; nothing new is made."""
    order = client.place()
    perm_id = client.perm_id(order)
    client.place(orderId=order, lmtPrice=D("151.5"), totalQuantity=D(12))
    assert client.perm_id(order) == perm_id
    told = client.last("openOrder")
    assert (told.text("lmtPrice"), told.text("totalQuantity")) == ("151.5", "12")
    assert len(venue.orders_received()) == 1
    assert venue.requests_received("modify_order") == 1


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"action": "SELL"}, 105),
        ({"conId": 272093}, 105),
        ({"orderType": "MKT", "lmtPrice": None}, 329),
        ({"lmtPrice": D("150.001")}, 110),
    ],
)
def test_changes_that_cannot_be_made_leave_the_order(
    client: Client, changes: dict[str, object], code: int
) -> None:
    """Another side, contract or type, or a price on no step: the code, and the order lives on."""
    order = client.place()
    client.place(orderId=order, **changes)
    assert client.codes(order) == [code]
    client.forget()
    client.send("reqOpenOrders")
    assert client.last("openOrder").text("lmtPrice") == "150"


def test_a_change_that_the_account_cannot_pay_leaves_the_order(client: Client) -> None:
    """201, and right after it the order as it was."""
    order = client.place()
    client.forget()
    client.place(orderId=order, totalQuantity=D(1_000_000))
    assert names(client.heard) == ["error", "openOrder", "orderStatus"]
    assert client.codes(order) == [201]
    assert client.status(order).text("status") == "Submitted"
    assert client.status(order).text("remaining") == "10"


def test_used_ids_are_refused(client: Client) -> None:
    """104 for a filled order, 103 for a cancelled one."""
    filled, cancelled = client.place(orderType="MKT", lmtPrice=None), client.place()
    client.send("cancelOrder", orderId=cancelled)
    client.forget()
    client.place(orderId=filled)
    client.place(orderId=cancelled)
    assert (client.codes(filled), client.codes(cancelled)) == ([104], [103])


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"lmtPrice": D("150.123")}, 110),
        ({"orderType": "STP", "auxPrice": D("150.123")}, 110),
        ({"conId": 1}, 200),
        ({"conId": 0, "symbol": "BHP", "secType": "STK"}, 200),
        ({"orderType": "PEG MID"}, 387),
        ({"tif": "GTX"}, 321),
        ({"totalQuantity": D(0)}, 321),
        ({"totalQuantity": D("0.00001")}, 321),
        ({"action": "HOLD"}, 321),
        ({"lmtPrice": UNSET_DOUBLE}, 321),
        ({"account": "U999"}, 321),
        ({"cashQty": D(100)}, 10244),
        ({"parentId": 77}, 10006),
        ({"algoStrategy": "Vwap"}, 321),
    ],
)
def test_orders_that_are_no_orders_are_refused(
    venue: TwsVenue, client: Client, changes: dict[str, object], code: int
) -> None:
    """The code alone is told, and nothing was placed."""
    order = client.place(**changes)
    assert client.codes(order) == [code]
    assert client.all("openOrder") == []
    assert venue.orders_received() == []


def test_an_order_that_cannot_be_paid_is_rejected(venue: TwsVenue, client: Client) -> None:
    """201, then the order and its status as Inactive; it has ended, and is no placement."""
    order = client.place(totalQuantity=D(10_000_000))
    assert names(client.heard) == ["error", "openOrder", "orderStatus"]
    assert client.codes(order) == [201]
    assert client.statuses(order) == ["Inactive"]
    assert venue.orders_received() == []
    client.send("reqCompletedOrders")
    assert client.last("completedOrder").text("status") == "Inactive"


def test_an_immediate_order_ends_quietly(client: Client) -> None:
    """Nothing to take: PendingCancel and Cancelled without a code; all or nothing: Inactive."""
    now = client.place(tif="IOC")
    assert client.statuses(now)[-2:] == ["PendingCancel", "Cancelled"]
    assert client.codes(now) == []
    whole = client.place(tif="FOK", lmtPrice=D(171), totalQuantity=D(100_000))
    assert client.statuses(whole)[-1] == "Inactive"
    part = client.place(tif="IOC", lmtPrice=D("170.51"), totalQuantity=D(5_000))
    assert client.status(part).number("filled") == D("1378.299")
    assert client.status(part).text("status") == "Cancelled"


def test_stops_wait_for_their_trigger(venue: TwsVenue, client: Client) -> None:
    """PreSubmitted until the market reaches them; then they trade."""
    stop = client.place(orderType="STP", auxPrice=D(180))
    limit = client.place(orderType="STP LMT", auxPrice=D(180), lmtPrice=D(185))
    trail = client.place(action="SELL", orderType="TRAIL", auxPrice=D(5))
    percent = client.place(action="SELL", orderType="TRAIL", trailingPercent=D(50))
    for order in (stop, limit, trail, percent):
        assert client.status(order).text("status") == "PreSubmitted"
        assert client.status(order).text("whyHeld") == "trigger"
    trailing = [one for one in client.all("openOrder") if one.text("orderType") == "TRAIL"]
    assert trailing[0].text("trailStopPrice") == "165.49"
    venue.set_market("AAPL", D(181), D("181.1"), D(1_000))
    assert client.statuses(stop)[-1] == client.statuses(limit)[-1] == "Filled"
    venue.set_market("AAPL", D(175), D("175.1"), D(1_000))
    assert client.statuses(trail)[-1] == "Filled"
    assert client.statuses(percent)[-1] == "PreSubmitted"


def test_orders_end_with_their_time(venue: TwsVenue, client: Client) -> None:
    """DAY with the day, GTD at its moment, GTC not; an ended one is Cancelled with 202."""
    day, gtc = client.place(), client.place(tif="GTC")
    gtd = client.place(tif="GTD", goodTillDate="20380101 12:00:00 UTC")
    venue.advance(86_400)
    assert client.statuses(day)[-1] == "Cancelled"
    assert 202 in client.codes(day)
    venue.advance(86_400 * 366 * 30)
    assert client.statuses(gtd)[-1] == "Cancelled"
    assert client.statuses(gtc)[-1] == "Submitted"


def test_orders_for_an_auction_wait_for_it(venue: TwsVenue, client: Client) -> None:
    """On the open and on the close: PreSubmitted, then traded or cancelled at once."""
    opening = client.place(orderType="MKT", tif="OPG", lmtPrice=None)
    closing = client.place(orderType="MOC", lmtPrice=None)
    limit = client.place(orderType="LOC", lmtPrice=D(1))
    later = client.place(goodAfterTime="20990101 12:00:00 UTC")
    for order in (opening, closing, limit, later):
        assert client.statuses(order) == ["PreSubmitted"]
    venue.advance(86_400 * 4)
    assert client.statuses(opening)[-1] == client.statuses(closing)[-1] == "Filled"
    assert client.statuses(limit)[-1] == "Cancelled"
    assert client.statuses(later) == ["PreSubmitted"]


def bracket(client: Client, price: str = "165", **changes: object) -> tuple[int, int, int]:
    """Place an entry with both exits; the last one lets all three go."""
    parent = client.place(lmtPrice=D(price), transmit=False, **changes)
    profit = client.place(
        action="SELL", lmtPrice=D(180), parentId=parent, transmit=False, **changes
    )
    stop = client.place(action="SELL", orderType="STP", auxPrice=D(160), parentId=parent, **changes)
    return parent, profit, stop


def test_nothing_is_told_of_an_order_before_it_leaves(venue: TwsVenue, client: Client) -> None:
    """Without transmit nothing is heard, read or counted; the same id with it lets it go."""
    order = client.place(transmit=False)
    client.send("reqAllOpenOrders")
    assert names(client.heard) == []
    assert venue.orders_received() == []
    client.place(orderId=order)
    assert client.statuses(order) == ["Submitted"]


def test_a_bracket_lives_one_after_the_other(venue: TwsVenue, client: Client) -> None:
    """The exits wait for the entry and work once it is filled; one that fills ends the other."""
    parent, profit, stop = bracket(client)
    first = [one.text("orderId") for one in client.all("openOrder")]
    assert first == [str(parent), str(profit), str(stop)]
    assert client.status(profit).text("whyHeld") == "child"
    assert client.status(stop).text("whyHeld") == "child,trigger"
    group = {one.text("ocaGroup") for one in client.all("openOrder")}
    assert group == {"", client.perm_id(parent)}
    venue.set_market("AAPL", D("164.9"), D(165), D(100))
    assert client.statuses(parent)[-1] == "Filled"
    assert client.status(profit).text("status") == "Submitted"
    assert client.status(stop).text("whyHeld") == "trigger"
    venue.set_market("AAPL", D(181), D("181.1"), D(100))
    assert client.statuses(profit)[-1] == "Filled"
    assert client.statuses(stop)[-1] == "Cancelled"
    assert venue.state.accounts[venue.accounts[0]].standing().positions == ()


def test_a_part_of_an_exit_is_taken_off_the_other(venue: TwsVenue, client: Client) -> None:
    """Four of ten sold with profit: the stop protects the six that are left."""
    parent, profit, stop = bracket(client)
    venue.fill(client.perm_id(parent), D(10), D(165))
    venue.fill(client.perm_id(profit), D(4), D(180))
    assert client.status(stop).text("remaining") == "6"
    assert client.status(stop).text("status") == "PreSubmitted"


@pytest.mark.parametrize("filled", [0, 4])
def test_exits_end_with_their_entry(venue: TwsVenue, client: Client, filled: int) -> None:
    """An entry that is cancelled before it is whole takes its exits with it."""
    parent, profit, stop = bracket(client)
    if filled:
        venue.fill(client.perm_id(parent), D(filled), D(165))
    client.send("cancelOrder", orderId=parent)
    for order in (parent, profit, stop):
        assert client.statuses(order)[-1] == "Cancelled"


def test_a_group_is_cancelled_by_its_first_trade(venue: TwsVenue, client: Client) -> None:
    """Type 1: any fill of one ends the others; another group is left alone."""
    one = client.place(ocaGroup="g", ocaType=1)
    two = client.place(ocaGroup="g", ocaType=1, lmtPrice=D(149))
    other = client.place(ocaGroup="h", ocaType=1)
    venue.fill(client.perm_id(one), D(1), D(150))
    assert client.statuses(two)[-1] == "Cancelled"
    assert client.statuses(one)[-1] == client.statuses(other)[-1] == "Submitted"


def test_a_group_can_shrink_instead(venue: TwsVenue, client: Client) -> None:
    """Type 2: what one trades is taken off the others."""
    one = client.place(ocaGroup="g", ocaType=2)
    two = client.place(ocaGroup="g", ocaType=2, lmtPrice=D(149))
    venue.fill(client.perm_id(one), D(3), D(150))
    assert client.status(two).text("remaining") == "7"
    venue.fill(client.perm_id(one), D(7), D(150))
    assert client.statuses(two)[-1] == "Cancelled"


def test_an_execution_is_corrected(venue: TwsVenue, client: Client) -> None:
    """The same id but for its last part, with what it should have been; the order follows."""
    order = client.place()
    venue.fill(client.perm_id(order), D(10), D(150))
    first = client.last("execDetails").text("execId")
    venue.scripts.correct(first, D(8), D("149.5"))
    fixed = client.last("execDetails")
    assert fixed.text("execId") == f"{first[:-2]}02"
    assert (fixed.text("shares"), fixed.text("price")) == ("8", "149.5")
    assert client.status(order).text("filled") == "8"


def test_a_late_fill_is_told(venue: TwsVenue, client: Client) -> None:
    """After the cancel: the execution comes, and counts."""
    order = client.place()
    client.send("cancelOrder", orderId=order)
    client.forget()
    venue.late_fill(client.venue.orders_received()[0].order_id, D(4), D(150))
    assert client.last("execDetails").text("shares") == "4"
    assert client.status(order).text("filled") == "4"
    assert client.status(order).text("status") == "Cancelled"


def test_what_an_order_would_cost_is_told(client: Client) -> None:
    """Margin and commission, without an order."""
    client.place(whatIf=True, totalQuantity=D(100))
    (told,) = client.all("openOrder")
    assert told.flag("whatIf")
    assert told.number("initMarginChange") == D("3751")
    assert told.number("commission") == D(1)
    client.forget()
    client.send("reqAllOpenOrders")
    assert client.all("openOrder") == []


LEGS = [
    {"conId": 700000101, "ratio": 1, "action": "BUY", "exchange": "SMART"},
    {"conId": 700000103, "ratio": 2, "action": "SELL", "exchange": "SMART"},
]


def combo(client: Client, **changes: object) -> int:
    """Place a combination of two options."""
    terms: dict[str, object] = {"conId": 0, "symbol": "AAPL", "secType": "BAG", "currency": "USD"}
    return client.place(**{**terms, "comboLegs": LEGS, "totalQuantity": D(2), **changes})


def test_a_combination_trades_leg_by_leg(venue: TwsVenue, client: Client) -> None:
    """One execution of the whole at the net price, one of each leg; commissions for the legs."""
    order = combo(client, orderType="MKT", lmtPrice=None)
    assert client.statuses(order)[-1] == "Filled"
    kinds = [(one.text("secType"), one.text("shares")) for one in client.all("execDetails")]
    assert kinds == [("BAG", "2"), ("OPT", "2"), ("OPT", "4")]
    whole, first, second = (one.number("price") for one in client.all("execDetails"))
    assert first is not None
    assert second is not None
    assert whole == first - 2 * second
    assert len(client.all("commissionReport")) == 2
    ids = [one.text("execId").split(".")[2] for one in client.all("execDetails")]
    assert ids == ["01", "02", "03"]


def test_a_combination_waits_for_its_price(venue: TwsVenue, client: Client) -> None:
    """Its legs have to add up to its limit; a net price can be below zero."""
    order = combo(client, lmtPrice=D(-10))
    assert client.statuses(order) == ["Submitted"]
    venue.set_market("AAPL-20280121-165-C", D(13), D("13.1"), D(100))
    assert client.statuses(order)[-1] == "Filled"
    assert client.last("orderStatus").number("avgFillPrice") == D("14.8") - 26


def test_a_combination_is_filled_at_will(venue: TwsVenue, client: Client) -> None:
    """At the net price that is asked for, in parts; what is left can be cancelled."""
    order = combo(client, lmtPrice=D(-100))
    venue.fill(client.perm_id(order), D(1), D("-7.5"))
    status = client.status(order)
    assert (status.text("filled"), status.number("avgFillPrice")) == ("1", D("-7.5"))
    client.send("cancelOrder", orderId=order)
    assert client.statuses(order)[-1] == "Cancelled"


def test_a_combination_without_legs_is_refused(client: Client) -> None:
    """And one with a leg that nobody knows."""
    order = combo(client, comboLegs=[])
    unknown = combo(client, comboLegs=[{**LEGS[0], "conId": 5}, LEGS[1]])
    assert (client.codes(order), client.codes(unknown)) == ([321], [200])


def test_several_accounts_are_traded_apart() -> None:
    """The account has to be named; each has its own orders, cash and positions."""
    venue = TwsVenue(accounts=("DU1", "DU2"))
    client = Client(venue)
    nameless = client.place()
    assert client.codes(nameless) == [435]
    client.place(account="DU2", orderType="MKT", lmtPrice=None)
    assert client.last("execDetails").text("account") == "DU2"
    client.send("reqPositions")
    assert [one.text("account") for one in client.all("position")] == ["DU2"]


def test_orders_are_read_by_their_owner_and_by_all(venue: TwsVenue, client: Client) -> None:
    """Open orders of the client, or of everyone; ended ones without the client's ids."""
    other = Client(venue, 2)
    mine, theirs = client.place(orderRef="a"), other.place(orderRef="b")
    client.forget()
    client.send("reqOpenOrders")
    assert [one.text("orderRef") for one in client.all("openOrder")] == ["a"]
    client.forget()
    client.send("reqAllOpenOrders")
    assert [one.text("orderRef") for one in client.all("openOrder")] == ["a", "b"]
    assert client.heard[-1].name == "openOrderEnd"
    other.send("cancelOrder", orderId=theirs)
    client.send("cancelOrder", orderId=mine)
    client.forget()
    client.send("reqCompletedOrders", apiOnly=True)
    told = [
        (one.text("orderRef"), one.text("completedStatus")) for one in client.all("completedOrder")
    ]
    assert told == [("a", "Cancelled by Trader"), ("b", "Cancelled by Trader")]
    assert client.heard[-1].name == "completedOrdersEnd"


def test_executions_are_filtered_and_kept_for_the_day(venue: TwsVenue, client: Client) -> None:
    """By symbol, side and time; yesterday's are gone."""
    client.place(orderType="MKT", lmtPrice=None)
    client.place(conId=272093, orderType="MKT", lmtPrice=None)

    def told(**asked: object) -> list[str]:
        client.forget()
        client.send("reqExecutions", reqId=5, **asked)
        assert client.heard[-1].name in ("commissionReport", "execDetailsEnd")
        return [one.text("symbol") for one in client.all("execDetails")]

    assert told() == ["AAPL", "MSFT"]
    assert told(symbol="MSFT", side="BUY") == ["MSFT"]
    assert told(side="SELL") == []
    assert told(clientId=9) == []
    assert told(time="20990101-00:00:00") == []
    venue.advance(86_400 * 2)
    assert told() == []
    venue.scripts.withhold_execution_end()
    client.forget()
    client.send("reqExecutions", reqId=6)
    assert client.heard == []


def test_a_client_that_returns_is_told_its_orders_first(venue: TwsVenue) -> None:
    """Those that live, and the end of them, before its accounts and its next id."""
    client = Client(venue)
    order = client.place()
    client.leave()
    back = Client(venue)
    assert [one.name for one in back.heard][:5] == [
        "openOrder",
        "orderStatus",
        "openOrderEnd",
        "managedAccounts",
        "nextValidId",
    ]
    assert back.next_id == order + 1
    assert back.all("openOrder")[0].text("orderId") == str(order)


def test_margin_of_orders_that_never_were_is_free(client: Client) -> None:
    """An order that was refused holds nothing back from the next one."""
    client.place(totalQuantity=D(10_000_000))
    fits = client.place(totalQuantity=D(20_000))
    assert client.statuses(fits) == ["Submitted"]
