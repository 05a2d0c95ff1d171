"""What goes wrong: the faults of every venue as a socket commits them, links, resets, silence."""

from __future__ import annotations

from decimal import Decimal

import pytest

from bot_v2.features.brokerages.core.errors import (
    InvalidFieldError,
    InvalidRequestError,
    OrderNotFoundError,
)
from bot_v2.simulation.faults import Fault
from bot_v2.venues.tws.frames import split_fields
from bot_v2.venues.tws.venue import FAULTS, TwsVenue
from tests.unit.venues.tws.client import Client

D = Decimal


def test_a_fault_that_a_socket_has_not_is_refused(venue: TwsVenue) -> None:
    """There is no session that could expire; all others can be committed."""
    assert venue.faults == FAULTS
    assert set(Fault) - FAULTS == {Fault.SESSION_EXPIRED}
    with pytest.raises(InvalidFieldError):
        venue.inject(Fault.SESSION_EXPIRED)


@pytest.mark.parametrize(
    ("fault", "made"),
    [
        (Fault.DROP_BEFORE_ACCEPT, 0),
        (Fault.RATE_LIMIT, 0),
        (Fault.UNAVAILABLE, 0),
        (Fault.DROP_AFTER_ACCEPT, 1),
        (Fault.SERVER_ERROR, 1),
        (Fault.RESET_AFTER, 1),
        (Fault.TRUNCATED, 1),
        (Fault.EMPTY, 1),
        (Fault.MALFORMED, 1),
    ],
)
def test_each_fault_does_what_it_says(venue: TwsVenue, fault: Fault, made: int) -> None:
    """The order was made or was not; what is heard of it is not the usual answer."""
    client = Client(venue)
    client.forget()
    venue.inject(fault, "place_order")
    heard = len(client.raw)
    try:
        client.place()
    except ValueError:
        assert fault in (Fault.MALFORMED, Fault.EMPTY)
    assert len(venue.orders_received()) == made
    assert client.all("orderStatus") == []
    said = client.raw[heard:]
    codes = {Fault.RATE_LIMIT: [100], Fault.UNAVAILABLE: [504], Fault.SERVER_ERROR: [322]}
    assert client.codes() == codes.get(fault, [])
    ends = {Fault.RESET_AFTER: [True], Fault.TRUNCATED: [False]}
    assert client.ended == ends.get(fault, [])
    if fault is Fault.MALFORMED:
        assert split_fields(said[0]) == ["5", "?"]
    if fault is Fault.EMPTY:
        assert said == [b""]
    (logged,) = [one for one in venue.request_log() if one.target == "placeOrder"]
    assert logged.fault is fault
    assert "LMT|150" in logged.content.decode()


def test_a_fault_is_of_its_operation(venue: TwsVenue, client: Client) -> None:
    """Other requests are answered; changes and previews are operations of their own."""
    venue.inject(Fault.DROP_BEFORE_ACCEPT, "modify_order")
    order = client.place()
    client.place(orderId=order, lmtPrice=D(140))
    assert client.last("openOrder").text("lmtPrice") == "150"
    client.place(orderId=order, lmtPrice=D(141))
    assert client.last("openOrder").text("lmtPrice") == "141"
    client.place(whatIf=True)
    counts = [venue.requests_received(one) for one in ("place_order", "modify_order")]
    assert counts == [1, 2]
    assert venue.requests_received("get_order_margin") == 1


def test_stale_reads_show_what_was_before(venue: TwsVenue, client: Client) -> None:
    """Orders, executions and positions from before the latest write; events are as ever."""
    first = client.place()
    venue.inject(Fault.STALE_READ)
    client.place(orderType="MKT", lmtPrice=None)
    assert client.all("execDetails")
    client.forget()
    client.send("reqOpenOrders")
    client.send("reqExecutions", reqId=1)
    client.send("reqPositions")
    assert [one.text("orderId") for one in client.all("openOrder")] == [str(first)]
    assert client.all("execDetails") == client.all("position") == []
    client.send("cancelOrder", orderId=first)
    client.forget()
    client.send("reqOpenOrders")
    client.send("reqCompletedOrders")
    assert [one.text("orderId") for one in client.all("openOrder")] == [str(first)]
    assert [one.text("status") for one in client.all("completedOrder")] == ["Filled"]
    venue.clear_faults()
    client.forget()
    client.send("reqOpenOrders")
    assert client.all("openOrder") == []


def test_events_are_lost_doubled_and_turned_round(venue: TwsVenue, client: Client) -> None:
    """What happens by itself; answers to requests are not touched."""
    order = client.place()
    perm_id = client.perm_id(order)
    venue.inject(Fault.MUTE_STREAM)
    client.forget()
    venue.fill(perm_id, D(1), D(150))
    assert client.heard == []
    client.send("reqOpenOrders")
    assert client.last("orderStatus").text("filled") == "1"
    venue.clear_faults()
    venue.inject(Fault.DUPLICATE_EVENT)
    client.forget()
    venue.fill(perm_id, D(1), D(150))
    assert len(client.all("execDetails")) == 2
    venue.clear_faults()
    venue.inject(Fault.REORDER_EVENTS, "stream_orders")
    client.forget()
    venue.fill(perm_id, D(1), D(150))
    names = [one.name for one in client.heard]
    assert names.index("openOrder") < names.index("execDetails")


def test_a_clock_that_is_off_is_told(venue: TwsVenue, client: Client) -> None:
    """The told time is five minutes behind."""
    venue.inject(Fault.CLOCK_SKEW)
    client.send("reqCurrentTime")
    told = client.last("currentTime").whole("time") or 0
    assert int(venue.state.clock().timestamp()) - told == 300


def test_a_lost_link_is_told_and_nothing_else_is(venue: TwsVenue, client: Client) -> None:
    """1100; orders wait, fills and quotes are not heard; 1102 brings what happened."""
    resting = client.place()
    client.send("reqMktData", reqId=90, conId=265598)
    client.forget()
    venue.scripts.lose_link()
    assert client.codes() == [1100]
    venue.fill(client.venue.orders_received()[0].order_id, D(3), D(150))
    venue.set_market("AAPL", D(160), D("160.1"), D(50))
    waiting = client.place(orderType="MKT", lmtPrice=None, totalQuantity=D(1))
    assert client.statuses(waiting) == ["PendingSubmit"]
    assert client.all("execDetails") == client.all("tickPrice") == []
    venue.scripts.restore_link()
    assert client.codes() == [1100, 1102]
    assert client.status(resting).text("filled") == "3"
    assert client.statuses(waiting)[-1] == "Filled"
    venue.set_market("AAPL", D(161), D("161.1"), D(50))
    assert client.all("tickPrice")


def test_lost_data_have_to_be_asked_for_again(venue: TwsVenue, client: Client) -> None:
    """1101: subscriptions are gone."""
    client.send("reqMktData", reqId=90, conId=265598)
    venue.scripts.lose_link()
    venue.scripts.restore_link(keeps_data=False)
    client.forget()
    venue.set_market("AAPL", D(161), D("161.1"), D(50))
    assert client.all("tickPrice") == []


def test_farms_and_codes_are_told_at_will(venue: TwsVenue, client: Client) -> None:
    """2110, the farms, and any code in any words."""
    venue.scripts.break_server_link()
    for state in ("broken", "inactive", "ok"):
        venue.scripts.tell_farms(state)
    venue.scripts.tell(2109, "Order Event Warning: outside regular trading hours", 5)
    assert client.codes() == [2110, 2103, 2105, 2108, 2107, 2104, 2106, 2109]
    with pytest.raises(InvalidFieldError):
        venue.scripts.tell_farms("on fire")


def test_ids_can_roll_back(venue: TwsVenue) -> None:
    """After a reset ids begin with 1 again; orders that live keep theirs until one is reused."""
    client = Client(venue)
    first = client.place()
    client.send("cancelOrder", orderId=first)
    second = client.place()
    client.leave()
    venue.scripts.reset(rolls_back_ids=True)
    back = Client(venue)
    assert back.next_id == 1
    assert [one.text("orderId") for one in back.all("openOrder")] == [str(second)]
    reused = back.place(orderId=first)
    assert back.codes(reused) == []
    assert back.statuses(reused) == ["Submitted"]
    perm_ids = [one.order_id for one in venue.orders_received()]
    assert len(set(perm_ids)) == len(perm_ids) == 3


def test_a_client_is_kept_to_its_rate(venue: TwsVenue) -> None:
    """100 beyond it, and after three times the end."""
    venue.scripts.limit_rate(5)
    client = Client(venue)
    client.forget()
    for _ in range(4):
        client.send("reqCurrentTime")
    assert client.codes() == []
    for _ in range(3):
        client.send("reqCurrentTime")
    assert client.codes() == [100, 100, 100]
    assert client.ended == [False]


def test_a_silent_venue_does_nothing(venue: TwsVenue, client: Client) -> None:
    """What is said to it is lost, until it speaks again."""
    venue.scripts.fall_silent()
    client.place()
    assert venue.orders_received() == []
    assert venue.pace.is_silent
    venue.scripts.speak()
    client.place()
    assert len(venue.orders_received()) == 1


def test_scripts_refuse_what_makes_no_sense(venue: TwsVenue, client: Client) -> None:
    """Unknown orders of words, entitlements, executions and orders; a pace below zero."""
    with pytest.raises(InvalidFieldError):
        venue.scripts.order_fills("backwards")
    with pytest.raises(InvalidFieldError):
        venue.scripts.entitle("AAPL", "everything")
    with pytest.raises(InvalidFieldError):
        venue.scripts.set_pace(piece=-1)
    with pytest.raises(InvalidRequestError):
        venue.scripts.correct("none", D(1), D(1))
    with pytest.raises(OrderNotFoundError):
        venue.fill("4711", D(1), D(1))
    order = client.place(goodAfterTime="20990101 12:00:00 UTC")
    with pytest.raises(InvalidRequestError):
        venue.fill(client.perm_id(order), D(1), D(150))
    with pytest.raises(OrderNotFoundError):
        venue.late_fill(client.perm_id(order), D(1), D(150))


def test_every_script_can_be_reached_by_name(venue: TwsVenue, client: Client) -> None:
    """Over the local controls, with JSON's values; a wrong one is named."""
    order = client.place()
    venue.fill(client.perm_id(order), D(2), D(150))
    execution = client.last("execDetails").text("execId")
    acts = venue.actions()
    client.forget()
    for name, asked in (
        ("lose_link", {}),
        ("restore_link", {"keeps_data": False}),
        ("break_server_link", {}),
        ("tell_farms", {"state": "broken"}),
        ("tell", {"code": 2109, "text": "Warning"}),
        ("correct", {"exec_id": execution, "quantity": "1", "price": "149"}),
    ):
        acts[name](asked)
    assert client.codes() == [1100, 1101, 2110, 2103, 2105, 2109]
    assert client.last("execDetails").text("shares") == "1"
    acts["set_pace"]({"piece": 3, "delay_ms": 5})
    assert (venue.pace.piece, venue.pace.delay_s) == (3, 0.005)
    acts["order_fills"]({"order": "commission-first"})
    acts["withhold_execution_end"]({})
    acts["entitle"]({"symbol": "AAPL", "to": "delayed"})
    acts["watch_history_pace"]({"on": False})
    acts["limit_rate"]({})
    acts["fall_silent"]({})
    acts["speak"]({})
    acts["come_back"]({})
    acts["reset"]({"rolls_back_ids": True, "stays_down": True})
    assert venue.reads.withholds_execution_end
    assert not venue.gateway.is_deaf
    assert venue.orders.next_id(1) == 1
    with pytest.raises(InvalidFieldError):
        acts["limit_rate"]({"per_second": "ten"})
    with pytest.raises(InvalidFieldError):
        acts["restore_link"]({"keeps_data": 1})


def test_what_the_account_may_not_trade_is_refused(venue: TwsVenue, client: Client) -> None:
    """203, and nothing is placed; until it may again."""
    venue.actions()["forbid"]({"symbol": "AAPL"})
    order = client.place()
    assert client.codes(order) == [203]
    assert venue.orders_received() == []
    venue.actions()["forbid"]({"symbol": "AAPL", "on": False})
    assert client.statuses(client.place()) == ["Submitted"]


def test_halted_contracts_do_not_trade(venue: TwsVenue, client: Client) -> None:
    """In any account; once resumed, the next quote fills what waits."""
    venue.halt("AAPL")
    market = client.place(orderType="MKT", lmtPrice=None)
    assert client.codes(market) == [201]
    limit = client.place(lmtPrice=D(171))
    assert client.statuses(limit) == ["PreSubmitted"]
    venue.resume("AAPL")
    venue.set_market("AAPL", D(170), D("170.1"), D(50))
    assert client.statuses(limit)[-1] == "Filled"
