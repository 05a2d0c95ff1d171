"""Orders of the simulated Advanced Trade: every configuration, and every way to be refused."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from bot_v2.venues.coinbase.venue import CoinbaseVenue
from tests.unit.venues.callers import call, limit, order_of, place, read

D = Decimal
END = "2099-01-01T00:00:00Z"

CONFIGURATIONS: tuple[tuple[str, dict[str, Any], str, str, str], ...] = (
    # configuration, fields, order_type, time_in_force, status
    ("market_market_ioc", {"base_size": "0.1"}, "MARKET", "IMMEDIATE_OR_CANCEL", "FILLED"),
    ("market_market_ioc", {"quote_size": "100"}, "MARKET", "IMMEDIATE_OR_CANCEL", "FILLED"),
    ("market_market_fok", {"base_size": "0.1"}, "MARKET", "FILL_OR_KILL", "FILLED"),
    (
        "sor_limit_ioc",
        {"base_size": "0.1", "limit_price": "61000"},
        "LIMIT",
        "IMMEDIATE_OR_CANCEL",
        "FILLED",
    ),
    (
        "sor_limit_ioc",
        {"base_size": "0.1", "limit_price": "50000"},
        "LIMIT",
        "IMMEDIATE_OR_CANCEL",
        "CANCELLED",
    ),
    (
        "limit_limit_gtc",
        {"base_size": "0.1", "limit_price": "50000", "post_only": True},
        "LIMIT",
        "GOOD_UNTIL_CANCELLED",
        "OPEN",
    ),
    (
        "limit_limit_gtd",
        {"base_size": "0.1", "limit_price": "50000", "end_time": END},
        "LIMIT",
        "GOOD_UNTIL_DATE_TIME",
        "OPEN",
    ),
    (
        "limit_limit_fok",
        {"base_size": "0.1", "limit_price": "50000"},
        "LIMIT",
        "FILL_OR_KILL",
        "CANCELLED",
    ),
    (
        "stop_limit_stop_limit_gtc",
        {
            "base_size": "0.1",
            "limit_price": "66000",
            "stop_price": "65000",
            "stop_direction": "STOP_DIRECTION_STOP_UP",
        },
        "STOP_LIMIT",
        "GOOD_UNTIL_CANCELLED",
        "OPEN",
    ),
    (
        "stop_limit_stop_limit_gtd",
        {
            "base_size": "0.1",
            "limit_price": "66000",
            "stop_price": "65000",
            "stop_direction": "STOP_DIRECTION_STOP_UP",
            "end_time": END,
        },
        "STOP_LIMIT",
        "GOOD_UNTIL_DATE_TIME",
        "OPEN",
    ),
)


@pytest.mark.parametrize(("kind", "fields", "order_type", "tif", "status"), CONFIGURATIONS)
def test_every_configuration_is_taken(
    venue: CoinbaseVenue, kind: str, fields: dict[str, Any], order_type: str, tif: str, status: str
) -> None:
    """Each is told back as it was sent, with the API's words for what it is and how it stands."""
    order = order_of(venue, place(venue, "a", order_configuration={kind: fields}))
    assert order["order_configuration"] == {kind: fields}
    assert (order["order_type"], order["time_in_force"], order["status"]) == (
        order_type,
        tif,
        status,
    )


def test_a_bracket_is_one_order_with_two_exits(venue: CoinbaseVenue) -> None:
    """When the market reaches its limit, it is filled there, and its stop is gone with it."""
    place(venue, "in", order_configuration={"market_market_ioc": {"base_size": "0.1"}})
    exits = {"base_size": "0.1", "limit_price": "65000", "stop_trigger_price": "55000"}
    placed = place(venue, "out", side="SELL", order_configuration={"trigger_bracket_gtc": exits})
    assert order_of(venue, placed)["status"] == "OPEN"
    venue.set_market("BTC-USD", D(65100), D(65110), D(5))
    order = order_of(venue, placed)
    assert (order["status"], order["filled_size"], order["order_type"]) == (
        "FILLED",
        "0.1",
        "BRACKET",
    )
    assert len(read(venue, "/orders/historical/batch")["orders"]) == 2


def test_a_bracket_protects(venue: CoinbaseVenue) -> None:
    """When the market falls to its trigger, it sells at the market."""
    place(venue, "in", order_configuration={"market_market_ioc": {"base_size": "0.1"}})
    exits = {"base_size": "0.1", "limit_price": "65000", "stop_trigger_price": "55000"}
    placed = place(venue, "out", side="SELL", order_configuration={"trigger_bracket_gtc": exits})
    venue.set_market("BTC-USD", D(54000), D(54010), D(5))
    order = order_of(venue, placed)
    assert (order["status"], order["average_filled_price"]) == ("FILLED", "54000")


def test_an_attached_bracket_lives_with_the_fills_of_its_order(venue: CoinbaseVenue) -> None:
    """Its id is told at once; it shows once the entry is filled, and names it."""
    placed = place(
        venue,
        "in",
        order_configuration=limit("0.1", "59000"),
        attached_order_configuration={
            "trigger_bracket_gtc": {"limit_price": "65000", "stop_trigger_price": "55000"}
        },
    )
    attached = placed["success_response"]["attached_order_id"]
    status, _ = call(venue, "GET", f"/orders/historical/{attached}")
    assert status == 404
    venue.fill(placed["success_response"]["order_id"], D("0.1"), D(59000))
    order = read(venue, f"/orders/historical/{attached}")["order"]
    assert order["originating_order_id"] == placed["order_id"]
    assert (order["side"], order["status"], order["order_type"]) == ("SELL", "OPEN", "BRACKET")
    assert order_of(venue, placed)["attached_order_id"] == attached


def test_an_id_that_was_used_returns_the_order_placed_under_it(venue: CoinbaseVenue) -> None:
    """The second placement makes nothing, whatever it asks for."""
    first = place(venue, "same", order_configuration=limit())
    second = place(venue, "same", side="SELL", order_configuration=limit("0.2", "90000"))
    assert second == first
    assert len(venue.orders_received()) == 1


def test_what_is_spent_includes_the_fee(venue: CoinbaseVenue) -> None:
    """A purchase by quote_size never costs more than that, fees included, and hardly less."""
    config = {"market_market_ioc": {"quote_size": "1000"}}
    order = order_of(venue, place(venue, "a", order_configuration=config))
    total = D(order["total_value_after_fees"])
    assert D("999.99") < total <= D(1000)
    assert total == D(order["filled_value"]) + D(order["total_fees"])
    assert order["size_in_quote"] is True


def test_fills_add_up_to_the_order(venue: CoinbaseVenue) -> None:
    """Size, value and fees of an order are the sums of its executions, digit for digit."""
    config = {"market_market_ioc": {"base_size": "9"}}
    order = order_of(venue, place(venue, "a", order_configuration=config))
    fills = read(venue, f"/orders/historical/fills?order_ids={order['order_id']}")["fills"]
    assert len(fills) == int(order["number_of_fills"]) > 1
    assert sum(D(one["size"]) for one in fills) == D(order["filled_size"])
    assert sum(D(one["commission"]) for one in fills) == D(order["total_fees"])
    value = sum(D(one["size"]) * D(one["price"]) for one in fills)
    assert value == D(order["filled_value"])


REFUSALS: tuple[tuple[dict[str, Any], str, str], ...] = (
    # what is wrong, new_order_failure_reason, preview_failure_reason
    (
        {"order_configuration": limit("100", "50000")},
        "INSUFFICIENT_FUND",
        "PREVIEW_INSUFFICIENT_FUND",
    ),
    (
        {"order_configuration": limit("0.1", "70000", post_only=True)},
        "INVALID_LIMIT_PRICE_POST_ONLY",
        "PREVIEW_INVALID_LIMIT_PRICE_POST_ONLY",
    ),
    (
        {"order_configuration": limit("0.123456789", "50000")},
        "INVALID_SIZE_PRECISION",
        "PREVIEW_INVALID_SIZE_PRECISION",
    ),
    (
        {"order_configuration": limit("0.1", "50000.001")},
        "INVALID_PRICE_PRECISION",
        "PREVIEW_INVALID_PRICE_PRECISION",
    ),
    (
        {"order_configuration": limit("0.00000001", "50000")},
        "UNKNOWN_FAILURE_REASON",
        "PREVIEW_INVALID_QUOTE_SIZE_TOO_SMALL",
    ),
    (
        {"order_configuration": limit("4000", "50000")},
        "UNKNOWN_FAILURE_REASON",
        "PREVIEW_INVALID_BASE_SIZE_TOO_LARGE",
    ),
    (
        {"product_id": "XYZ-USD", "order_configuration": limit()},
        "INVALID_PRODUCT_ID",
        "PREVIEW_INVALID_PRODUCT_ID",
    ),
    ({"side": "LONG", "order_configuration": limit()}, "INVALID_SIDE", "PREVIEW_INVALID_SIDE"),
    (
        {"order_configuration": {"twap_limit_gtd": {}}},
        "UNSUPPORTED_ORDER_CONFIGURATION",
        "PREVIEW_INVALID_ORDER_CONFIG",
    ),
    (
        {"side": "SELL", "order_configuration": {"market_market_ioc": {"quote_size": "10"}}},
        "UNSUPPORTED_ORDER_CONFIGURATION",
        "PREVIEW_INVALID_ORDER_CONFIG",
    ),
    (
        {"order_configuration": {"market_market_ioc": {}}},
        "UNKNOWN_FAILURE_REASON",
        "UNKNOWN_PREVIEW_FAILURE_REASON",
    ),
    (
        {
            "order_configuration": {
                "stop_limit_stop_limit_gtc": {
                    "base_size": "0.1",
                    "limit_price": "60000",
                    "stop_price": "59000",
                    "stop_direction": "STOP_DIRECTION_STOP_UP",
                }
            }
        },
        "UNKNOWN_FAILURE_REASON",
        "PREVIEW_STOP_PRICE_BELOW_LAST_TRADE_PRICE",
    ),
    (
        {
            "order_configuration": {
                "stop_limit_stop_limit_gtc": {
                    "base_size": "0.1",
                    "limit_price": "66000",
                    "stop_price": "65000",
                    "stop_direction": "STOP_DIRECTION_STOP_DOWN",
                }
            }
        },
        "UNKNOWN_FAILURE_REASON",
        "PREVIEW_STOP_PRICE_ABOVE_LAST_TRADE_PRICE",
    ),
    (
        {
            "order_configuration": {
                "stop_limit_stop_limit_gtc": {
                    "base_size": "0.1",
                    "limit_price": "64000",
                    "stop_price": "65000",
                    "stop_direction": "STOP_DIRECTION_STOP_UP",
                }
            }
        },
        "UNKNOWN_FAILURE_REASON",
        "PREVIEW_STOP_PRICE_ABOVE_LIMIT_PRICE",
    ),
)


@pytest.mark.parametrize(("terms", "placing", "preview"), REFUSALS)
def test_a_refusal_is_inside_a_200(
    venue: CoinbaseVenue, terms: dict[str, Any], placing: str, preview: str
) -> None:
    """success is false, the reasons are the API's, there is no id, and nothing was placed."""
    said = place(venue, "a", **terms)
    error = said["error_response"]
    assert (said["success"], said["order_id"]) == (False, "")
    assert (error["new_order_failure_reason"], error["preview_failure_reason"]) == (
        placing,
        preview,
    )
    assert venue.orders_received() == []
    assert read(venue, "/orders/historical/batch")["orders"] == []


def test_a_refused_id_can_be_used_again(venue: CoinbaseVenue) -> None:
    """Nothing was placed under it."""
    assert place(venue, "a", order_configuration=limit("100"))["success"] is False
    assert place(venue, "a", order_configuration=limit())["success"] is True


def test_a_halted_product_takes_no_market_order(venue: CoinbaseVenue) -> None:
    """ORDER_ENTRY_DISABLED, and taken again once it trades again."""
    config = {"market_market_ioc": {"base_size": "0.1"}}
    venue.halt("BTC-USD")
    said = place(venue, "a", order_configuration=config)
    assert said["error_response"]["new_order_failure_reason"] == "ORDER_ENTRY_DISABLED"
    assert read(venue, "/products/BTC-USD")["trading_disabled"] is True


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"client_order_id": "a"},
        {"client_order_id": "", "product_id": "BTC-USD"},
        {"client_order_id": "a", "product_id": "BTC-USD", "side": "BUY"},
        {
            "client_order_id": "a",
            "product_id": "BTC-USD",
            "side": "BUY",
            "order_configuration": {"limit_limit_gtc": {"base_size": "0.1"}},
        },
        {
            "client_order_id": "a",
            "product_id": "BTC-USD",
            "side": "BUY",
            "order_configuration": limit("NaN"),
        },
        {
            "client_order_id": "a",
            "product_id": "BTC-USD",
            "side": "BUY",
            "order_configuration": {"limit_limit_gtc": {"base_size": 0.1, "limit_price": "1"}},
        },
    ],
)
def test_a_placement_that_makes_no_sense_places_nothing(
    venue: CoinbaseVenue, body: dict[str, Any]
) -> None:
    """It is a 400, or a refusal inside a 200; never an order."""
    status, said = call(venue, "POST", "/orders", body)
    assert status == 400 or said["success"] is False
    assert venue.orders_received() == []


def test_each_cancel_has_its_result(venue: CoinbaseVenue) -> None:
    """Taken, repeated, filled, unknown and empty ids are told apart, in the order asked."""
    live = place(venue, "a", order_configuration=limit())["order_id"]
    config = {"market_market_ioc": {"base_size": "0.1"}}
    filled = place(venue, "b", order_configuration=config)["order_id"]
    asked = [live, live, filled, "never", ""]
    _, said = call(venue, "POST", "/orders/batch_cancel", {"order_ids": asked})
    assert [one["order_id"] for one in said["results"]] == asked
    assert [one["failure_reason"] for one in said["results"]] == [
        "UNKNOWN_CANCEL_FAILURE_REASON",
        "DUPLICATE_CANCEL_REQUEST",
        "ORDER_IS_FULLY_FILLED",
        "UNKNOWN_CANCEL_ORDER",
        "INVALID_CANCEL_REQUEST",
    ]
    assert [one["success"] for one in said["results"]] == [True, False, False, False, False]
    again = call(venue, "POST", "/orders/batch_cancel", {"order_ids": [live]})[1]
    assert again["results"][0]["failure_reason"] == "UNKNOWN_CANCEL_ORDER"


def test_more_than_a_hundred_cancels_are_refused(venue: CoinbaseVenue) -> None:
    """As documented, and nothing is cancelled."""
    live = place(venue, "a", order_configuration=limit())
    asked = [live["order_id"], *map(str, range(100))]
    status, _ = call(venue, "POST", "/orders/batch_cancel", {"order_ids": asked})
    assert status == 400
    assert order_of(venue, live)["status"] == "OPEN"


def test_an_edit_keeps_the_id_and_the_history(venue: CoinbaseVenue) -> None:
    """Size and price are the new ones, and what they were is told."""
    placed = place(venue, "a", order_configuration=limit())
    body = {"order_id": placed["order_id"], "size": "0.2", "price": "51000"}
    assert call(venue, "POST", "/orders/edit", body) == (200, {"success": True, "errors": []})
    order = order_of(venue, placed)
    assert order["order_configuration"]["limit_limit_gtc"]["limit_price"] == "51000"
    assert order["edit_history"][0]["price"] == "50000"
    assert order["outstanding_hold_amount"] == "10281.6"


EDITS: tuple[tuple[dict[str, str], str], ...] = (
    ({"size": "0.2"}, "INVALID_EDITED_PRICE"),
    ({"price": "51000"}, "INVALID_EDITED_SIZE"),
    ({"size": "0.1", "price": "50000"}, "EDIT_REQUEST_EQUAL_TO_ORIGINAL_REQUEST"),
    ({"size": "0.05", "price": "50000"}, "CANNOT_EDIT_TO_BELOW_FILLED_SIZE"),
    ({"size": "0.1", "price": "50000.001"}, "INVALID_EDITED_PRICE"),
)


@pytest.mark.parametrize(("change", "reason"), EDITS)
def test_an_edit_that_is_refused_says_why(
    venue: CoinbaseVenue, change: dict[str, str], reason: str
) -> None:
    """The order lives on as it was."""
    placed = place(venue, "a", order_configuration=limit())
    venue.fill(placed["order_id"], D("0.05"), D(50000))
    _, said = call(venue, "POST", "/orders/edit", {"order_id": placed["order_id"], **change})
    assert (said["success"], said["errors"][0]["edit_failure_reason"]) == (False, reason)
    assert order_of(venue, placed)["order_configuration"] == limit()


def test_only_open_limit_orders_are_edited(venue: CoinbaseVenue) -> None:
    """Neither one that is unknown, nor one that ended, nor a market order, nor a future's."""
    asked = {"size": "0.2", "price": "51000"}

    def reason_of(order_id: str) -> str:
        _, said = call(venue, "POST", "/orders/edit", {"order_id": order_id, **asked})
        return str(said["errors"][0]["edit_failure_reason"])

    ended = place(venue, "a", order_configuration=limit())["order_id"]
    call(venue, "POST", "/orders/batch_cancel", {"order_ids": [ended]})
    config = {"market_market_ioc": {"base_size": "0.1"}}
    market = place(venue, "b", order_configuration=config)["order_id"]
    future = place(venue, "c", product_id="BTC-PERP-INTX", order_configuration=limit())
    assert [reason_of(one) for one in ("never", ended, market, future["order_id"])] == [
        "ORDER_NOT_FOUND",
        "ONLY_OPEN_ORDERS_CAN_BE_EDITED",
        "ONLY_LIMIT_ORDER_EDITS_SUPPORTED",
        "CANNOT_EDIT_FUTURES_ORDER",
    ]


def test_a_preview_places_nothing(venue: CoinbaseVenue) -> None:
    """It says what the order would cost, and what would keep it from being taken."""
    body = {"product_id": "BTC-USD", "side": "BUY", "order_configuration": limit()}
    _, said = call(venue, "POST", "/orders/preview", body)
    assert (said["order_total"], said["commission_total"], said["errs"]) == ("5040", "40", [])
    body["order_configuration"] = limit("100")
    _, said = call(venue, "POST", "/orders/preview", body)
    assert said["errs"] == ["PREVIEW_INSUFFICIENT_FUND"]
    assert venue.orders_received() == []


def test_a_stop_tells_when_it_was_triggered(venue: CoinbaseVenue) -> None:
    """It waits, is triggered by the market, and then waits as a limit order."""
    config = {
        "stop_limit_stop_limit_gtc": {
            "base_size": "0.1",
            "limit_price": "65500",
            "stop_price": "65000",
            "stop_direction": "STOP_DIRECTION_STOP_UP",
        }
    }
    placed = place(venue, "a", order_configuration=config)
    assert order_of(venue, placed)["trigger_status"] == "STOP_PENDING"
    venue.set_market("BTC-USD", D(65900), D(66000), D(5))
    order = order_of(venue, placed)
    assert (order["trigger_status"], order["status"]) == ("STOP_TRIGGERED", "OPEN")


def test_orders_expire_by_the_venue_clock(venue: CoinbaseVenue) -> None:
    """A GTD order is EXPIRED once its end has passed."""
    fields = {"base_size": "0.1", "limit_price": "50000", "end_time": END}
    placed = place(venue, "a", order_configuration={"limit_limit_gtd": fields})
    venue.advance(80 * 366 * 86400)
    assert order_of(venue, placed)["status"] == "EXPIRED"


def test_a_late_fill_is_booked_on_an_ended_order(venue: CoinbaseVenue) -> None:
    """The order stays cancelled, and what was filled is told."""
    placed = place(venue, "a", order_configuration=limit())
    call(venue, "POST", "/orders/batch_cancel", {"order_ids": [placed["order_id"]]})
    venue.late_fill(placed["order_id"], D("0.04"), D(50000))
    order = order_of(venue, placed)
    assert (order["status"], order["filled_size"]) == ("CANCELLED", "0.04")


def test_a_position_is_closed_by_a_market_order(venue: CoinbaseVenue) -> None:
    """In part, then the rest; once it is flat, closing is refused."""
    config = {"market_market_ioc": {"base_size": "0.5"}}
    place(venue, "in", product_id="BTC-PERP-INTX", side="SELL", order_configuration=config)
    portfolio = venue.portfolios["intx"]

    def size() -> list[str]:
        said = read(venue, f"/intx/positions/{portfolio}")
        return [one["net_size"] for one in said["positions"]]

    def close(client_order_id: str, **more: str) -> Any:
        body = {"client_order_id": client_order_id, "product_id": "BTC-PERP-INTX", **more}
        return call(venue, "POST", "/orders/close_position", body)[1]

    assert size() == ["-0.5"]
    assert close("c1", size="0.2")["success"] is True
    assert size() == ["-0.3"]
    assert close("c2")["success"] is True
    assert size() == []
    assert close("c3")["success"] is False


RETURNS = (
    # side, direction, trigger, limit, where the trigger is not yet reached, where it is
    ("BUY", "STOP_DOWN", "55000", "56000", "55500", "54900"),
    ("SELL", "STOP_UP", "65000", "64000", "64500", "65100"),
)


def returning(
    venue: CoinbaseVenue, side: str, direction: str, stop: str, limit_price: str
) -> dict[str, Any]:
    """Place a stop that waits for a price to come back."""
    terms = {
        "base_size": "0.3",
        "limit_price": limit_price,
        "stop_price": stop,
        "stop_direction": f"STOP_DIRECTION_{direction}",
    }
    placed: dict[str, Any] = place(
        venue,
        f"{side}-{stop}-{limit_price}",
        side=side,
        order_configuration={"stop_limit_stop_limit_gtc": terms},
    )
    return placed


@pytest.mark.parametrize(("side", "direction", "stop", "limit_price", "before", "after"), RETURNS)
def test_a_stop_waits_for_a_price_to_come_back(
    venue: CoinbaseVenue,
    side: str,
    direction: str,
    stop: str,
    limit_price: str,
    before: str,
    after: str,
) -> None:
    """Nothing trades before the trigger, though the limit would; after it, up to the limit."""
    venue.set_market("BTC-USD", D(59_999), D(60_000), D(1))
    place(venue, "held", order_configuration={"market_market_ioc": {"base_size": "1"}})
    placed = returning(venue, side, direction, stop, limit_price)
    venue.set_market("BTC-USD", D(before), D(before), D("0.1"))
    order = order_of(venue, placed)
    assert (order["status"], order["filled_size"]) == ("OPEN", "0")
    assert order["trigger_status"] == "STOP_PENDING"
    assert order["order_configuration"]["stop_limit_stop_limit_gtc"]["limit_price"] == limit_price
    venue.set_market("BTC-USD", D(after), D(after), D("0.1"))
    order = order_of(venue, placed)
    assert (order["filled_size"], order["trigger_status"]) == ("0.1", "STOP_TRIGGERED")
    # What would not have triggered it now trades: the limit is what counts.
    venue.set_market("BTC-USD", D(before), D(before), D(1))
    order = order_of(venue, placed)
    assert (order["status"], order["filled_size"]) == ("FILLED", "0.3")


def test_a_limit_beyond_the_trigger_is_kept(venue: CoinbaseVenue) -> None:
    """A buy that is triggered at 55,000 and limited at 54,000 waits for the latter."""
    venue.set_market("BTC-USD", D(59_999), D(60_000), D(1))
    placed = returning(venue, "BUY", "STOP_DOWN", "55000", "54000")
    venue.set_market("BTC-USD", D(54_499), D(54_500), D(1))
    order = order_of(venue, placed)
    assert (order["status"], order["trigger_status"]) == ("OPEN", "STOP_TRIGGERED")
    venue.set_market("BTC-USD", D(53_999), D(54_000), D(1))
    assert order_of(venue, placed)["status"] == "FILLED"


@pytest.mark.parametrize(
    ("side", "direction", "stop", "reason"),
    [
        ("BUY", "STOP_DOWN", "61000", "STOP_PRICE_ABOVE_LAST_TRADE_PRICE"),
        ("SELL", "STOP_UP", "59000", "STOP_PRICE_BELOW_LAST_TRADE_PRICE"),
    ],
)
def test_a_trigger_on_the_wrong_side_is_refused(
    venue: CoinbaseVenue, side: str, direction: str, stop: str, reason: str
) -> None:
    """The direction says on which side of the last trade it has to be."""
    venue.set_market("BTC-USD", D(59_999), D(60_000), D(1))
    refused = returning(venue, side, direction, stop, stop)
    assert refused["success"] is False
    assert reason in str(refused["error_response"])
