from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from bot_v2.features.brokerages.core.errors import InvalidFieldError, OrderNotFoundError
from bot_v2.simulation.faults import Fault
from bot_v2.venues.alpaca.venue import SHOWABLE, AlpacaVenue
from tests.unit.venues.alpaca_calls import (
    MONDAY_MORNING,
    MONDAY_NIGHT,
    SATURDAY,
    StoppedClock,
    call,
    market,
    order,
    place,
    read,
    refusal,
    terms,
)

D = Decimal
NO_SUCH = "00000000-0000-4000-8000-000000000000"


def test_a_placement_is_told_as_taken_and_not_yet_worked(alpaca: AlpacaVenue) -> None:
    """The answer says pending_new with nothing filled, even where the order is filled by then."""
    taken = place(alpaca, market(client_order_id="mine"))
    assert (taken["status"], taken["filled_qty"], taken["filled_avg_price"]) == (
        "pending_new",
        "0",
        None,
    )
    now = read(alpaca, "/v2/orders:by_client_order_id?client_order_id=mine")
    assert (now["id"], now["status"], now["filled_qty"]) == (taken["id"], "filled", "10")
    assert now["filled_avg_price"] == "200.02"
    assert now["filled_at"] is not None
    assert now["position_intent"] == "buy_to_open"
    assert (now["order_class"], now["legs"], now["asset_class"]) == ("", None, "us_equity")


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({}, {"limit_price": "150", "stop_price": None}),
        ({"type": "stop", "limit_price": None, "stop_price": "250"}, {"stop_price": "250"}),
        (
            {"type": "stop_limit", "limit_price": "251", "stop_price": "250"},
            {"limit_price": "251", "stop_price": "250"},
        ),
        (
            {"type": "trailing_stop", "limit_price": None, "trail_price": "5"},
            {"trail_price": "5", "stop_price": "205.02", "hwm": "200.02"},
        ),
        (
            {"type": "trailing_stop", "limit_price": None, "trail_percent": "10"},
            {"trail_percent": "10", "stop_price": "220.03", "hwm": "200.02"},
        ),
        ({"time_in_force": "gtc"}, {"time_in_force": "gtc"}),
        ({"qty": "0.5"}, {"qty": "0.5"}),
        ({"qty": 3.25}, {"qty": "3.25"}),
        ({"extended_hours": True}, {"extended_hours": True}),
        ({"symbol": "BTC/USD", "qty": "0.01", "limit_price": "40000", "time_in_force": "gtc"}, {}),
        ({"symbol": "BTCUSD", "qty": "0.01", "limit_price": "40000", "time_in_force": "gtc"}, {}),
    ],
)
def test_every_kind_of_order_waits(
    alpaca: AlpacaVenue, changed: dict[str, Any], told: dict[str, Any]
) -> None:
    """What was asked for is told, and the order is new."""
    taken = place(alpaca, terms(**changed))
    now = order(alpaca, taken["id"])
    assert now["status"] == "new"
    assert {name: now[name] for name in told} == told


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        (terms(symbol=None), (422, 40010001, "symbol is required")),
        (terms(symbol="NOPE"), (422, 42210000, 'asset "NOPE" not found')),
        (terms(symbol="HALT"), (422, 42210000, 'asset "HALT" is not tradable')),
        (terms(symbol="GONE"), (422, 40010001, "asset GONE is not active")),
        (terms(qty=None), (422, 40010001, "qty or notional is required")),
        (terms(notional="5"), (422, 40010001, "only one of qty or notional is accepted")),
        (terms(qty="0"), (422, 40010001, "qty must be > 0")),
        (terms(qty="NaN"), (422, 40010001, "invalid qty")),
        (terms(side="hold"), (422, 40010001, "invalid side")),
        (terms(type="magic"), (422, 40010001, "invalid order type")),
        (terms(time_in_force="forever"), (422, 40010001, "invalid time_in_force")),
        (terms(limit_price=None), (422, 40010001, "limit orders require a limit price")),
        (market(stop_price="9"), (422, 40010001, "market orders must not have stop price")),
        (
            terms(limit_price="150.001"),
            (
                422,
                42210000,
                "invalid limit_price 150.001. sub-penny increment does not fulfill "
                "minimum pricing criteria",
            ),
        ),
        (
            terms(type="trailing_stop", limit_price=None),
            (
                422,
                40010001,
                "trailing stop orders must specify one of trail_price or trail_percent",
            ),
        ),
        (
            market(extended_hours=True),
            (422, 42210000, "extended hours order must be DAY or GTC limit orders"),
        ),
        (
            terms(qty="0.5", time_in_force="gtc"),
            (422, 42210000, "fractional orders must be DAY orders"),
        ),
        (terms(symbol="PENY", qty="0.5", limit_price="0.4"), (403, 40310000, "")),
        (market(qty="0.001"), (403, 40310000, "cost basis must be >= minimal amount of order 1")),
        (terms(qty="100000"), (403, 40310000, "insufficient buying power")),
        (
            terms(symbol="BTC/USD", qty="1", limit_price="50000"),
            (422, 40010001, "invalid crypto time_in_force"),
        ),
        (
            {**market(symbol="BTC/USD", qty="0.0001"), "time_in_force": "gtc"},
            (403, 40310000, "cost basis must be >= minimal amount of order 10"),
        ),
        (
            terms(symbol="BTC/USD", qty="1", type="stop", limit_price=None, stop_price="70000"),
            (422, 40010001, "invalid order type for crypto order"),
        ),
        (
            terms(position_intent="buy_to_close"),
            (
                422,
                42210000,
                "position intent mismatch, inferred: buy_to_open, specified: buy_to_close",
            ),
        ),
        (terms(client_order_id="x" * 129), (422, 40010001, "")),
        (terms(take_profit={"limit_price": "200"}), (422, 42210000, "")),
        (
            market(order_class="bracket", take_profit={"limit_price": "250"}),
            (422, 40010001, "bracket orders require take_profit and stop_loss"),
        ),
        (
            market(
                order_class="bracket",
                take_profit={"limit_price": "150"},
                stop_loss={"stop_price": "190"},
            ),
            (422, 42210000, "take_profit.limit_price must be > stop_loss.stop_price"),
        ),
        (
            market(
                order_class="bracket",
                take_profit={"limit_price": "190"},
                stop_loss={"stop_price": "150"},
            ),
            (422, 42210000, "take_profit.limit_price must be >= base_price + 0.01"),
        ),
    ],
)
def test_refusals_have_status_code_and_message(
    alpaca: AlpacaVenue, body: dict[str, Any], answer: tuple[int, int, str]
) -> None:
    """Each with its HTTP status and code; nothing is placed."""
    status, code, message = refusal(alpaca, body)
    assert (status, code) == answer[:2]
    assert answer[2] in message
    assert alpaca.orders_received() == []
    assert read(alpaca, "/v2/orders?status=all") == []


def test_an_id_is_taken_once(alpaca: AlpacaVenue) -> None:
    """Whatever became of the first order."""
    taken = place(alpaca, terms(client_order_id="once"))
    call(alpaca, "DELETE", f"/v2/orders/{taken['id']}")
    assert refusal(alpaca, terms(client_order_id="once")) == (
        422,
        40010001,
        "client_order_id must be unique",
    )
    assert len(alpaca.orders_received()) == 1


def test_a_cancel_says_whether_there_was_anything_to_cancel(alpaca: AlpacaVenue) -> None:
    """204 without a body; 422 where the order has ended; 404 where there is none."""
    taken = place(alpaca, terms())
    assert call(alpaca, "DELETE", f"/v2/orders/{taken['id']}") == (204, None)
    now = order(alpaca, taken["id"])
    assert (now["status"], now["canceled_at"] is None) == ("canceled", False)
    status, said = call(alpaca, "DELETE", f"/v2/orders/{taken['id']}")
    assert (status, said["code"]) == (422, 42210000)
    assert said["message"] == 'order is already in "canceled" state'
    status, said = call(alpaca, "DELETE", f"/v2/orders/{NO_SUCH}")
    assert (status, said["code"]) == (404, 40410000)


def test_all_orders_are_cancelled_at_once(alpaca: AlpacaVenue) -> None:
    """207, with a status for each; newest first."""
    ids = [place(alpaca, terms(limit_price=price))["id"] for price in ("150", "151", "152")]
    status, said = call(alpaca, "DELETE", "/v2/orders")
    assert status == 207
    assert said == [{"id": one, "status": 200} for one in reversed(ids)]
    assert read(alpaca, "/v2/orders") == []


def test_lists_are_filtered_and_paged_by_time(alpaca: AlpacaVenue) -> None:
    """By status, symbol and side; `until` and `after` are exclusive, so pages do not overlap."""
    placed = [place(alpaca, terms(limit_price=str(100 + at))) for at in range(5)]
    place(alpaca, terms(symbol="F", limit_price="9"))
    call(alpaca, "DELETE", f"/v2/orders/{placed[0]['id']}")
    assert [one["limit_price"] for one in read(alpaca, "/v2/orders?symbols=AAPL")] == [
        "104",
        "103",
        "102",
        "101",
    ]
    assert [one["symbol"] for one in read(alpaca, "/v2/orders?symbols=F,BTCUSD")] == ["F"]
    assert read(alpaca, "/v2/orders?side=sell") == []
    closed = read(alpaca, "/v2/orders?status=closed")
    assert [one["id"] for one in closed] == [placed[0]["id"]]
    seen, until = [], ""
    while page := read(alpaca, f"/v2/orders?status=all&limit=2{until}"):
        seen += [one["limit_price"] for one in page]
        until = f"&until={page[-1]['submitted_at']}"
    assert seen == ["9", "104", "103", "102", "101", "100"]
    oldest = read(alpaca, "/v2/orders?status=all&direction=asc&limit=1")[0]
    assert oldest["id"] == placed[0]["id"]
    after = read(alpaca, f"/v2/orders?status=all&after={oldest['submitted_at']}")
    assert len(after) == 5


@pytest.mark.parametrize(
    "query", ["status=some", "limit=0", "limit=501", "direction=up", "after=yesterday"]
)
def test_lists_refuse_what_they_cannot_read(alpaca: AlpacaVenue, query: str) -> None:
    """With 422."""
    status, said = call(alpaca, "GET", f"/v2/orders?{query}")
    assert (status, said["code"]) == (422, 40010001)


def test_orders_placed_at_one_moment_have_times_of_their_own() -> None:
    """Else a page that ends between them would lose one."""
    alpaca = AlpacaVenue(clock=lambda: SATURDAY)
    times = [datetime.fromisoformat(place(alpaca, terms())["submitted_at"]) for _ in range(3)]
    assert times[0] < times[1] < times[2]


# Replacements


def test_a_replacement_is_another_order(alpaca: AlpacaVenue) -> None:
    """The old one is replaced and names the new one, which is for the whole quantity again."""
    old = place(alpaca, terms())
    alpaca.fill(old["id"], D(4), D(150))
    status, new = call(
        alpaca, "PATCH", f"/v2/orders/{old['id']}", {"limit_price": "151", "client_order_id": "n"}
    )
    assert status == 200, new
    assert (new["replaces"], new["status"], new["qty"]) == (old["id"], "pending_new", "10")
    before, now = order(alpaca, old["id"]), order(alpaca, new["id"])
    assert (before["status"], before["replaced_by"], before["filled_qty"]) == (
        "replaced",
        new["id"],
        "4",
    )
    assert (now["status"], now["filled_qty"], now["limit_price"]) == ("new", "0", "151")
    alpaca.fill(new["id"], D(10), D(151))
    now = order(alpaca, new["id"])
    assert (now["status"], now["filled_qty"], now["filled_avg_price"]) == ("filled", "10", "151")
    assert order(alpaca, old["id"])["filled_avg_price"] == "150"
    assert read(alpaca, "/v2/positions/AAPL")["qty"] == "14"
    fills = read(alpaca, "/v2/account/activities/FILL")
    assert [(one["order_id"], one["qty"], one["leaves_qty"]) for one in fills] == [
        (new["id"], "10", "0"),
        (old["id"], "4", "6"),
    ]


def test_a_late_fill_of_a_replaced_order_is_its_own(alpaca: AlpacaVenue) -> None:
    """The old order's filled quantity grows; the new one is untouched."""
    old = place(alpaca, terms())
    _, new = call(alpaca, "PATCH", f"/v2/orders/{old['id']}", {"limit_price": "151"})
    alpaca.late_fill(old["id"], D(3), D(150))
    before, now = order(alpaca, old["id"]), order(alpaca, new["id"])
    assert (before["status"], before["filled_qty"], before["filled_avg_price"]) == (
        "replaced",
        "3",
        "150",
    )
    assert (now["status"], now["filled_qty"], now["qty"]) == ("new", "0", "10")
    alpaca.fill(new["id"], D(10), D(151))
    assert order(alpaca, new["id"])["status"] == "filled"
    with pytest.raises(InvalidFieldError):
        alpaca.late_fill(old["id"], D(8), D(150))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"limit_price": "150"}, "order parameters are not changed"),
        ({}, "order parameters are not changed"),
        ({"stop_price": "140"}, "limit orders must not have stop price"),
        ({"trail": "1"}, "trail is only valid for trailing stop orders"),
        ({"qty": "4"}, "qty must be > filled_qty"),
        ({"time_in_force": "ioc"}, "invalid time_in_force"),
        ({"client_order_id": "mine", "qty": "12"}, "client_order_id must be unique"),
    ],
)
def test_a_replacement_may_be_refused(
    alpaca: AlpacaVenue, change: dict[str, Any], message: str
) -> None:
    """With 422; the order stays as it was."""
    taken = place(alpaca, terms(client_order_id="mine"))
    alpaca.fill(taken["id"], D(4), D(150))
    status, said = call(alpaca, "PATCH", f"/v2/orders/{taken['id']}", change)
    assert (status, said["message"]) == (422, message)
    assert order(alpaca, taken["id"])["status"] == "partially_filled"


def test_what_has_ended_is_not_replaced(alpaca: AlpacaVenue) -> None:
    """Neither a cancelled order, nor one that was replaced already."""
    taken = place(alpaca, terms())
    target = f"/v2/orders/{taken['id']}"
    call(alpaca, "PATCH", target, {"qty": "5"})
    assert call(alpaca, "PATCH", target, {"qty": "6"})[1]["message"] == "order already replaced"
    other = place(alpaca, terms())
    call(alpaca, "DELETE", f"/v2/orders/{other['id']}")
    status, said = call(alpaca, "PATCH", f"/v2/orders/{other['id']}", {"qty": "6"})
    assert (status, said["message"]) == (422, "cannot replace order in canceled status")


# Statuses


@pytest.mark.parametrize("status", sorted(SHOWABLE))
def test_an_order_can_show_every_status(alpaca: AlpacaVenue, status: str) -> None:
    """Those that end it end it in the engine, too; the rest is a show, and ends with a fill."""
    taken = place(alpaca, terms())
    alpaca.set_status(taken["id"], status)
    assert order(alpaca, taken["id"])["status"] == status
    is_over = status in ("canceled", "expired", "rejected")
    listed = read(alpaca, "/v2/orders?status=open")
    assert [one["id"] for one in listed] == ([] if is_over else [taken["id"]])
    if is_over:
        stamp = {"canceled": "canceled_at", "expired": "expired_at", "rejected": "failed_at"}
        assert order(alpaca, taken["id"])[stamp[status]] is not None
    else:
        alpaca.fill(taken["id"], D(10), D(150))
        assert order(alpaca, taken["id"])["status"] == "filled"


def test_a_status_that_fills_decide_is_not_shown(alpaca: AlpacaVenue) -> None:
    """An order is filled by fills, and there is no order of an id that nobody has."""
    taken = place(alpaca, terms())
    with pytest.raises(InvalidFieldError, match="done_for_day"):
        alpaca.set_status(taken["id"], "filled")
    with pytest.raises(OrderNotFoundError):
        alpaca.set_status(NO_SUCH, "held")
    alpaca.set_status(taken["id"], "suspended")
    alpaca.set_status(taken["id"], "")
    assert order(alpaca, taken["id"])["status"] == "new"


def test_orders_and_cancels_can_be_on_their_way() -> None:
    """With latency an order is pending_new at first, and a cancel pending_cancel."""
    alpaca = AlpacaVenue(latency_s=10)
    taken = place(alpaca, terms())
    assert order(alpaca, taken["id"])["status"] == "pending_new"
    alpaca.advance(11)
    assert order(alpaca, taken["id"])["status"] == "new"
    call(alpaca, "DELETE", f"/v2/orders/{taken['id']}")
    assert order(alpaca, taken["id"])["status"] == "pending_cancel"
    status, said = call(alpaca, "DELETE", f"/v2/orders/{taken['id']}")
    assert (status, said["message"]) == (422, "order pending cancel")
    alpaca.advance(11)
    assert order(alpaca, taken["id"])["status"] == "canceled"


def test_stale_reads_show_what_was(alpaca: AlpacaVenue) -> None:
    """A new order is not there yet, a replaced one is still new, a cancelled one open."""
    first = place(alpaca, terms())
    alpaca.inject(Fault.STALE_READ)
    second = place(alpaca, terms(client_order_id="second"))
    assert call(alpaca, "GET", f"/v2/orders/{second['id']}")[0] == 404
    assert call(alpaca, "GET", "/v2/orders:by_client_order_id?client_order_id=second")[0] == 404
    assert [one["id"] for one in read(alpaca, "/v2/orders")] == [first["id"]]
    call(alpaca, "PATCH", f"/v2/orders/{first['id']}", {"qty": "11"})
    now = order(alpaca, first["id"])
    assert (now["status"], now["replaced_by"]) == ("new", None)
    alpaca.clear_faults()
    assert order(alpaca, first["id"])["status"] == "replaced"


# Hours


def venue_at(moment: Any, **options: Any) -> tuple[AlpacaVenue, StoppedClock]:
    """Return a venue that keeps New York's hours, and its clock."""
    clock = StoppedClock(moment)
    return AlpacaVenue(clock=clock, always_open=False, **options), clock


def test_an_order_out_of_hours_is_accepted_and_waits() -> None:
    """It is new when the market opens, and then it trades; coins trade at any time."""
    alpaca, _ = venue_at(SATURDAY)
    assert read(alpaca, "/v2/clock")["is_open"] is False
    taken = place(alpaca, market())
    resting = place(alpaca, terms(limit_price="120"))
    assert (taken["status"], order(alpaca, taken["id"])["status"]) == ("accepted", "accepted")
    coin = place(alpaca, {**market(symbol="BTC/USD", qty="0.01"), "time_in_force": "gtc"})
    assert order(alpaca, coin["id"])["status"] == "filled"
    alpaca.advance(2 * 86400)
    assert order(alpaca, taken["id"])["status"] == "filled"
    assert order(alpaca, resting["id"])["status"] == "new"


def test_a_day_order_ends_with_its_session() -> None:
    """It is expired then, whatever was filled of it."""
    alpaca, _ = venue_at(MONDAY_MORNING)
    taken = place(alpaca, terms())
    alpaca.fill(taken["id"], D(1), D(150))
    lasting = place(alpaca, terms(time_in_force="gtc"))
    alpaca.advance(7 * 3600)
    now = order(alpaca, taken["id"])
    assert (now["status"], now["filled_qty"]) == ("expired", "1")
    assert now["expired_at"].startswith("2026-03-02T21:00:00")
    assert order(alpaca, lasting["id"])["status"] == "new"


def test_an_order_until_cancelled_lasts_ninety_days() -> None:
    """Then it is expired; it says so from the start."""
    alpaca, _ = venue_at(MONDAY_MORNING)
    taken = place(alpaca, terms(time_in_force="gtc"))
    assert order(alpaca, taken["id"])["expires_at"].startswith("2026-05-31")
    alpaca.advance(89 * 86400)
    assert order(alpaca, taken["id"])["status"] == "new"
    alpaca.advance(2 * 86400)
    assert order(alpaca, taken["id"])["status"] == "expired"


def test_extended_hours_are_for_orders_that_ask_for_them() -> None:
    """After hours such a limit order trades, and ends with the extended session."""
    alpaca, _ = venue_at(MONDAY_NIGHT)
    taken = place(alpaca, terms(limit_price="201", extended_hours=True))
    waits = place(alpaca, terms(limit_price="201"))
    assert order(alpaca, taken["id"])["status"] == "filled"
    assert order(alpaca, waits["id"])["status"] == "accepted"
    resting = place(alpaca, terms(limit_price="120", extended_hours=True))
    assert resting["status"] == "pending_new"
    alpaca.advance(3 * 3600)
    assert order(alpaca, resting["id"])["status"] == "expired"
    late = place(alpaca, terms(limit_price="201", extended_hours=True))
    assert order(alpaca, late["id"])["status"] == "accepted"


def test_what_cannot_wait_is_refused_out_of_hours() -> None:
    """IOC and FOK."""
    alpaca, _ = venue_at(SATURDAY)
    for kind in ("ioc", "fok"):
        status, code, message = refusal(alpaca, market(time_in_force=kind))
        assert (status, code) == (422, 42210000)
        assert message == f"{kind} orders are only allowed during market hours"


@pytest.mark.parametrize(
    ("kind", "moment", "limit", "status"),
    [
        ("opg", SATURDAY, None, "filled"),
        ("opg", SATURDAY, "100", "canceled"),
        ("cls", MONDAY_MORNING, None, "filled"),
        ("cls", MONDAY_MORNING, "100", "canceled"),
    ],
)
def test_auctions_fill_at_their_moment(
    kind: str, moment: Any, limit: str | None, status: str
) -> None:
    """Until then the order is accepted; what the auction does not fill is cancelled."""
    alpaca, _ = venue_at(moment)
    body = terms(time_in_force=kind, limit_price=limit) if limit else market(time_in_force=kind)
    taken = place(alpaca, body)
    assert taken["status"] == "accepted"
    alpaca.advance(3600)
    assert order(alpaca, taken["id"])["status"] == "accepted"
    alpaca.advance(2 * 86400)
    assert order(alpaca, taken["id"])["status"] == status


def test_auctions_close_to_orders_before_they_are_held() -> None:
    """In the session it is too late for the opening, and too early for tomorrow's."""
    alpaca, clock = venue_at(MONDAY_MORNING)
    status, code, message = refusal(alpaca, market(time_in_force="opg"))
    assert (status, code) == (403, 40310000)
    assert "7:00pm" in message
    clock.now = MONDAY_NIGHT.replace(day=3, hour=0, minute=30)
    assert place(alpaca, market(time_in_force="opg"))["status"] == "accepted"


def test_a_cancelled_auction_order_is_not_filled() -> None:
    """It waits outside the market, and is gone at once."""
    alpaca, _ = venue_at(SATURDAY)
    taken = place(alpaca, market(time_in_force="opg"))
    assert call(alpaca, "DELETE", f"/v2/orders/{taken['id']}")[0] == 204
    alpaca.advance(3 * 86400)
    assert order(alpaca, taken["id"])["status"] == "canceled"
    assert read(alpaca, "/v2/positions") == []
