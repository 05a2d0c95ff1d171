"""Brackets, pairs and orders of several legs."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from bot_v2.venues.alpaca.venue import AlpacaVenue
from tests.unit.venues.alpaca_calls import (
    SATURDAY,
    StoppedClock,
    call,
    contract,
    market,
    order,
    place,
    read,
    refusal,
    terms,
)

D = Decimal

BRACKET = {
    "order_class": "bracket",
    "time_in_force": "gtc",
    "take_profit": {"limit_price": "250"},
    "stop_loss": {"stop_price": "140"},
}


def legs(venue: AlpacaVenue, order_id: str) -> list[tuple[str, str, str]]:
    """Return type, status and quantity of an order's exits."""
    found = order(venue, order_id)["legs"] or []
    return [(one["type"], one["status"], one["qty"]) for one in found]


def test_exits_are_held_until_the_entry_is_filled(alpaca: AlpacaVenue) -> None:
    """As a whole: a partial fill leaves the position without them, as Alpaca does."""
    taken = place(alpaca, terms(**BRACKET))
    assert [one["status"] for one in taken["legs"]] == ["held", "held"]
    alpaca.fill(taken["id"], D(4), D(150))
    assert legs(alpaca, taken["id"]) == [("limit", "held", "10"), ("stop", "held", "10")]
    alpaca.fill(taken["id"], D(6), D(150))
    # The profit is out in the market, the stop waits beside it.
    assert legs(alpaca, taken["id"]) == [("limit", "new", "10"), ("stop", "held", "10")]
    assert read(alpaca, "/v2/positions/AAPL")["qty_available"] == "0"


def test_a_filled_exit_ends_the_other(alpaca: AlpacaVenue) -> None:
    """A part of it takes as much off the other."""
    taken = place(alpaca, market(**BRACKET))
    profit, stop = (one["id"] for one in order(alpaca, taken["id"])["legs"])
    alpaca.fill(profit, D(4), D(250))
    assert legs(alpaca, taken["id"]) == [
        ("limit", "partially_filled", "10"),
        ("stop", "held", "6"),
    ]
    alpaca.fill(profit, D(6), D(250))
    assert [one[1] for one in legs(alpaca, taken["id"])] == ["filled", "canceled"]
    assert read(alpaca, "/v2/positions") == []
    assert order(alpaca, stop)["canceled_at"] is not None


def test_a_stop_with_a_limit_is_an_exit_too(alpaca: AlpacaVenue) -> None:
    """It fires when the market falls to it; the profit is cancelled then."""
    body = market(**BRACKET | {"stop_loss": {"stop_price": "140", "limit_price": "120"}})
    taken = place(alpaca, body)
    alpaca.set_market("AAPL", D(139), D("139.1"), D(1000))
    assert [one[:2] for one in legs(alpaca, taken["id"])] == [
        ("limit", "canceled"),
        ("stop_limit", "filled"),
    ]


def test_cancelling_the_entry_cancels_its_exits(alpaca: AlpacaVenue) -> None:
    """And cancelling one exit cancels the other."""
    waiting = place(alpaca, terms(**BRACKET))
    call(alpaca, "DELETE", f"/v2/orders/{waiting['id']}")
    assert [one[1] for one in legs(alpaca, waiting["id"])] == ["canceled", "canceled"]
    filled = place(alpaca, market(**BRACKET))
    call(alpaca, "DELETE", f"/v2/orders/{order(alpaca, filled['id'])['legs'][1]['id']}")
    assert [one[1] for one in legs(alpaca, filled["id"])] == ["canceled", "canceled"]
    assert read(alpaca, "/v2/orders") == []


def test_an_exit_can_be_refused_and_leaves_the_position_bare(alpaca: AlpacaVenue) -> None:
    """What a bot has to notice: the entry is filled, and nothing protects it."""
    taken = place(alpaca, market(**BRACKET))
    stop = order(alpaca, taken["id"])["legs"][1]["id"]
    alpaca.set_status(stop, "rejected")
    now = order(alpaca, stop)
    assert (now["status"], now["failed_at"] is None) == ("rejected", False)


def test_an_exit_is_replaced_in_its_group(alpaca: AlpacaVenue) -> None:
    """Held or out in the market; the group has the new one."""
    taken = place(alpaca, terms(**BRACKET))
    stop = order(alpaca, taken["id"])["legs"][1]["id"]
    status, moved = call(alpaca, "PATCH", f"/v2/orders/{stop}", {"stop_price": "141"})
    assert status == 200, moved
    alpaca.fill(taken["id"], D(10), D(150))
    found = order(alpaca, taken["id"])["legs"]
    assert [one["id"] for one in found][1] == moved["id"]
    assert (found[1]["stop_price"], found[1]["status"]) == ("141", "held")
    status, profit = call(alpaca, "PATCH", f"/v2/orders/{found[0]['id']}", {"limit_price": "260"})
    assert status == 200, profit
    alpaca.fill(profit["id"], D(10), D(260))
    assert [one[1] for one in legs(alpaca, taken["id"])] == ["filled", "canceled"]


def test_lists_tell_exits_inside_or_beside(alpaca: AlpacaVenue) -> None:
    """Inside their entry where that is asked for."""
    place(alpaca, terms(**BRACKET))
    assert len(read(alpaca, "/v2/orders?status=all")) == 3
    nested = read(alpaca, "/v2/orders?status=all&nested=true")
    assert [len(one["legs"]) for one in nested] == [2]


def test_one_exit_alone(alpaca: AlpacaVenue) -> None:
    """OTO: either of them."""
    body = market(order_class="oto", stop_loss={"stop_price": "140"})
    taken = place(alpaca, body)
    assert legs(alpaca, taken["id"]) == [("stop", "new", "10")]
    status, code, message = refusal(alpaca, market(order_class="oto"))
    assert (status, code) == (422, 40010001)
    assert "either" in message


def test_a_pair_is_for_a_position(alpaca: AlpacaVenue) -> None:
    """OCO: the limit is the order, the stop its leg; one's end is the other's."""
    place(alpaca, market())
    body = {
        **terms(side="sell", limit_price=None, order_class="oco"),
        "take_profit": {"limit_price": "250"},
        "stop_loss": {"stop_price": "140"},
    }
    taken = place(alpaca, body)
    assert taken["limit_price"] == "250"
    assert legs(alpaca, taken["id"]) == [("stop", "held", "10")]
    alpaca.fill(taken["id"], D(3), D(250))
    assert legs(alpaca, taken["id"]) == [("stop", "held", "7")]
    call(alpaca, "DELETE", f"/v2/orders/{taken['id']}")
    assert order(alpaca, taken["id"])["status"] == "canceled"
    assert legs(alpaca, taken["id"])[0][1] == "canceled"
    wrong = {**body, "take_profit": {"limit_price": "130"}}
    assert refusal(alpaca, wrong)[2].endswith("must be > stop_loss.stop_price")


# Orders of several legs


def spread(venue: AlpacaVenue, limit: str | None = None, qty: str = "1") -> dict[str, Any]:
    """Return a call spread: buy the lower strike, sell the higher one."""
    body: dict[str, Any] = {
        "order_class": "mleg",
        "qty": qty,
        "type": "market" if limit is None else "limit",
        "time_in_force": "day",
        "legs": [
            {
                "symbol": contract(venue, "call", 0),
                "side": "buy",
                "ratio_qty": "1",
                "position_intent": "buy_to_open",
            },
            {
                "symbol": contract(venue, "call", 1),
                "side": "sell",
                "ratio_qty": "1",
                "position_intent": "sell_to_open",
            },
        ],
    }
    return body if limit is None else {**body, "limit_price": limit}


def test_legs_trade_together(alpaca: AlpacaVenue) -> None:
    """All or nothing; the price is net, and both positions are there."""
    taken = place(alpaca, spread(alpaca))
    assert (taken["symbol"], taken["side"], taken["asset_class"]) == ("", "", "")
    now = order(alpaca, taken["id"])
    assert (now["status"], now["filled_qty"]) == ("filled", "1")
    paid = [D(one["filled_avg_price"]) for one in now["legs"]]
    assert D(now["filled_avg_price"]) == paid[0] - paid[1] > 0
    assert [one["ratio_qty"] for one in now["legs"]] == ["1", "1"]
    held = {one["symbol"]: one["qty"] for one in read(alpaca, "/v2/positions")}
    assert sorted(held.values()) == ["-1", "1"]
    assert len(alpaca.orders_received()) == 1


def test_legs_wait_for_their_price(alpaca: AlpacaVenue) -> None:
    """Until the net of both is within the limit; a cancel ends all of them."""
    taken = place(alpaca, spread(alpaca, limit="1"))
    assert order(alpaca, taken["id"])["status"] == "new"
    low, high = contract(alpaca, "call", 0), contract(alpaca, "call", 1)
    alpaca.set_market(low, D("5.00"), D("5.05"), D(10))
    assert order(alpaca, taken["id"])["status"] == "filled"
    waiting = place(alpaca, spread(alpaca, limit="-9"))
    status, said = call(
        alpaca, "DELETE", f"/v2/orders/{order(alpaca, waiting['id'])['legs'][0]['id']}"
    )
    assert (status, said["code"]) == (422, 42210000)
    call(alpaca, "DELETE", f"/v2/orders/{waiting['id']}")
    now = order(alpaca, waiting["id"])
    assert [now["status"], *(one["status"] for one in now["legs"])] == ["canceled"] * 3
    assert high


def test_legs_wait_for_enough_of_each(alpaca: AlpacaVenue) -> None:
    """Nothing trades while one of them cannot be had in full."""
    low = contract(alpaca, "call", 0)
    alpaca.set_market(low, D("20.00"), D("20.05"), D(1))
    taken = place(alpaca, spread(alpaca, qty="2"))
    assert order(alpaca, taken["id"])["status"] == "new"
    assert read(alpaca, "/v2/positions") == []
    alpaca.set_market(low, D("20.00"), D("20.05"), D(2))
    assert order(alpaca, taken["id"])["status"] == "filled"


def test_legs_wait_for_the_session() -> None:
    """Options trade in it alone; what does not trade in its day is over with it."""
    alpaca = AlpacaVenue(clock=StoppedClock(SATURDAY), always_open=False)
    first = place(alpaca, spread(alpaca))
    assert first["status"] == "accepted"
    second = place(alpaca, spread(alpaca, limit="-9"))
    alpaca.advance(2 * 86400)
    assert order(alpaca, first["id"])["status"] == "filled"
    assert order(alpaca, second["id"])["status"] == "new"
    alpaca.advance(8 * 3600)
    assert order(alpaca, second["id"])["status"] == "expired"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"symbol": "AAPL"}, "symbol is not allowed for mleg order"),
        ({"legs": []}, "mleg orders must have at least 2 legs and at most 4 legs"),
        ({"time_in_force": "gtc"}, "invalid time in force"),
        ({"limit_price": "1"}, "limit price is only valid for limit orders"),
        ({"type": "limit"}, "limit price is required for limit orders"),
        ({"type": "stop"}, "invalid order type"),
        ({"qty": "1.5"}, "qty must be integer for options trading"),
        ({"qty": "1000000"}, "insufficient options buying power"),
    ],
)
def test_legs_are_refused(alpaca: AlpacaVenue, change: dict[str, Any], message: str) -> None:
    """With the message of each mistake."""
    assert message in refusal(alpaca, {**spread(alpaca), **change})[2]


def test_a_leg_says_what_it_does(alpaca: AlpacaVenue) -> None:
    """A leg without an intent, or with a wrong one, is refused; so are two of one contract."""
    body = spread(alpaca)
    del body["legs"][1]["position_intent"]
    assert refusal(alpaca, body)[2] == "leg.1 position intent is required"
    body["legs"][1]["position_intent"] = "sell_to_close"
    assert "mismatch, inferred: sell_to_open" in refusal(alpaca, body)[2]
    body["legs"][1] = body["legs"][0]
    assert refusal(alpaca, body)[2] == "mleg orders must have different legs"
