"""What the brokerage asks for, and what it makes of the answers."""

from __future__ import annotations

import logging
from datetime import date, timedelta
from decimal import Decimal as D
from typing import Any

import attrs
import pytest

from bot_v2.features.brokerages.alpaca import instruments
from bot_v2.features.brokerages.alpaca.base import utc_now
from bot_v2.features.brokerages.core.interfaces import (
    AuthenticationError,
    BrokerAPIError,
    BrokerUnavailableError,
    CancelRejectedError,
    ConnectionError,
    DuplicateOrderError,
    InsufficientFundsError,
    InvalidFieldError,
    InvalidRequestError,
    InvalidSymbolError,
    MarketDataUnavailableError,
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
from bot_v2.features.brokerages.core.order_terms import Leg
from tests.unit.alpaca.natives import (
    ACCOUNT,
    ACCOUNT_ID,
    COIN,
    COINS,
    CONTRACT,
    FILL,
    NOT_FOUND,
    NOW,
    OPTION,
    OPTION_SYMBOL,
    ORDER,
    ORDER_ID,
    POSITION,
    SNAPSHOT,
    STOCK,
    STOCK_ID,
    Sent,
    brokerage,
    unconnected,
)

REQUEST = OrderRequest(
    symbol="ACME",
    side=OrderSide.BUY,
    type=OrderType.LIMIT,
    quantity=D("10.50"),
    price=D("107.00"),
    client_order_id="mine-1",
)
NEW = "POST /v2/orders"
THE_ORDER = f"/v2/orders/{ORDER_ID}"
MINUTE = timedelta(minutes=1)


# Placing.


def test_an_order_is_one_request_with_plain_texts() -> None:
    """Its reply gives the id and the order, and nothing else is read."""
    broker, transport = brokerage({NEW: ORDER})
    broker.get_product("ACME")
    transport.sent.clear()
    result = broker.place_order(REQUEST)
    assert (result.success, result.order_id, result.client_order_id) == (True, ORDER_ID, "mine-1")
    assert result.order is not None
    assert str(result.order.quantity) == "10.50"
    (sent,) = transport.sent
    assert sent.call.is_write
    assert sent.headers["APCA-API-KEY-ID"].startswith("PK")
    assert sent.body == {
        "symbol": "ACME",
        "side": "buy",
        "type": "limit",
        "time_in_force": "day",
        "client_order_id": "mine-1",
        "qty": "10.50",
        "limit_price": "107.00",
    }


def test_a_small_number_is_sent_without_an_exponent() -> None:
    """`str` of it would be 1E-8."""
    broker, transport = brokerage({NEW: {**ORDER, "symbol": "XYZ/USD", "asset_class": "crypto"}})
    broker.place_order(attrs.evolve(REQUEST, symbol="XYZ-USD", quantity=D("1E+1"), price=D("0.5")))
    assert transport.sent[-1].body["qty"] == "10"
    assert transport.sent[-1].body["time_in_force"] == "gtc"


def test_an_id_is_made_where_none_is_given() -> None:
    """By the injected source, and it is reported back."""
    broker, transport = brokerage({NEW: {**ORDER, "client_order_id": "made-id"}})
    result = broker.place_order(attrs.evolve(REQUEST, client_order_id=None))
    assert result.client_order_id == transport.sent[-1].body["client_order_id"] == "made-id"


@pytest.mark.parametrize("answer", [b"", b"<html>", {}, {"id": ""}, [], {"id": 7}])
def test_a_reply_that_proves_nothing_leaves_the_outcome_unknown(answer: Any) -> None:
    """A success without an id is none, and the error names the id to look for."""
    broker, _ = brokerage({NEW: answer})
    with pytest.raises(OrderOutcomeUnknownError) as caught:
        broker.place_order(REQUEST)
    assert caught.value.client_order_id == "mine-1"
    assert caught.value.account_id == ACCOUNT_ID


@pytest.mark.parametrize("odd", [{"qty": "many"}, {"filled_qty": "NaN"}, {"status": None}])
def test_an_order_that_cannot_be_read_was_taken_if_it_has_an_id(odd: dict[str, Any]) -> None:
    """Its id is proof; what it is like can be read later."""
    broker, _ = brokerage({NEW: {**ORDER, **odd}})
    result = broker.place_order(REQUEST)
    assert (result.success, result.order_id, result.order) == (True, ORDER_ID, None)


def test_a_rejected_order_in_a_success_is_a_refusal() -> None:
    """The status is 200, and the order did not come to be."""
    broker, _ = brokerage({NEW: {**ORDER, "status": "rejected"}})
    with pytest.raises(OrderRejectedError) as caught:
        broker.place_order(REQUEST)
    assert (caught.value.outcome, caught.value.order_id) == (Outcome.REJECTED, ORDER_ID)


@pytest.mark.parametrize(
    ("status", "body", "kind", "outcome"),
    [
        (
            422,
            {"code": 40010001, "message": "client_order_id must be unique"},
            DuplicateOrderError,
            "rejected",
        ),
        (
            403,
            {"code": 40310000, "message": "insufficient buying power"},
            InsufficientFundsError,
            "rejected",
        ),
        (403, {"code": 40310100, "message": "trade denied"}, OrderRejectedError, "rejected"),
        (422, {"code": 42210000, "message": "what"}, OrderRejectedError, "rejected"),
        (
            504,
            {"code": 40010001, "message": "client_order_id must be unique"},
            OrderOutcomeUnknownError,
            "unknown",
        ),
        (504, b"<html>Gateway Time-out</html>", OrderOutcomeUnknownError, "unknown"),
        (400, b"<html>", OrderOutcomeUnknownError, "unknown"),
        (418, {"message": "short and stout"}, OrderOutcomeUnknownError, "unknown"),
    ],
)
def test_a_refusal_is_known_or_the_outcome_is_unknown(
    status: int, body: Any, kind: type[Exception], outcome: str
) -> None:
    """A server that failed cannot vouch for what it did, whatever it says."""
    broker, transport = brokerage({NEW: (status, body)})
    with pytest.raises(kind) as caught:
        broker.place_order(REQUEST)
    assert getattr(caught.value, "outcome", None) == outcome
    assert transport.count("POST", "/v2/orders") == 1


def test_funds_are_told_as_far_as_the_broker_tells_them() -> None:
    """What was needed, and what there was."""
    told = {"code": 40310000, "message": "insufficient buying power", "buying_power": "176.28",
            "cost_basis": "486.4"}  # fmt: skip
    broker, _ = brokerage({NEW: (403, told)})
    with pytest.raises(InsufficientFundsError) as caught:
        broker.place_order(REQUEST)
    assert (caught.value.required, caught.value.available) == (D("486.4"), D("176.28"))
    broker, _ = brokerage({NEW: (403, {**told, "cost_basis": "lots"})})
    with pytest.raises(InsufficientFundsError) as caught:
        broker.place_order(REQUEST)
    assert caught.value.required is None


def test_a_product_that_cannot_be_read_keeps_an_order_from_leaving() -> None:
    """The read before the write failed: the order was not sent."""
    broker, transport = brokerage({"GET /v2/assets/ACME": (500, {"message": "no"})})
    with pytest.raises(BrokerUnavailableError) as caught:
        broker.place_order(REQUEST)
    assert caught.value.outcome is Outcome.NOT_SENT
    assert not transport.count("POST", "/v2/orders")


@pytest.mark.parametrize(
    "changes",
    [
        {"account_id": "another"},
        {"client_order_id": "with space"},
        {"price": D("107.001")},
        {"quantity": D("0.0000000001")},
        {"post_only": True},
        {"reduce_only": True},
        {"time_in_force": TimeInForce.GTC},
        {"broker_options": {"anything": "1"}},
        {"symbol": "@nothing"},
        {"symbol": "XYZ-USD", "time_in_force": TimeInForce.DAY},
        {"symbol": "XYZ-USD", "position_effect": PositionEffect.OPEN},
        {"symbol": OPTION_SYMBOL, "quantity": D(1), "time_in_force": TimeInForce.GTC},
        {"extended_hours": True, "quantity": D(1), "time_in_force": TimeInForce.GTC},
    ],
)
def test_what_alpaca_does_not_take_is_not_sent(changes: dict[str, Any]) -> None:
    """It is refused by name, before anything leaves."""
    broker, transport = brokerage({NEW: ORDER})
    with pytest.raises(InvalidRequestError) as caught:
        broker.place_order(attrs.evolve(REQUEST, **changes))
    assert caught.value.outcome is Outcome.NOT_SENT
    assert not transport.count("POST", "/v2/orders")


def test_several_legs_are_one_order() -> None:
    """Each leg by the broker's symbol, and the legs come back as they were asked for."""
    legs = (
        Leg(symbol=OPTION_SYMBOL, side=OrderSide.BUY, position_effect=PositionEffect.OPEN),
        Leg(
            symbol="@ACME260417C00160000",
            side=OrderSide.SELL,
            ratio=D(2),
            position_effect=PositionEffect.OPEN,
        ),
    )
    other = {**CONTRACT, "symbol": "ACME260417C00160000", "strike_price": "160"}
    taken = {
        **ORDER,
        "symbol": "",
        "asset_class": "",
        "side": "",
        "order_class": "mleg",
        "qty": "1",
        "legs": [
            {**ORDER, "id": "l1", "symbol": OPTION, "asset_class": "us_option", "side": "buy",
             "position_intent": "buy_to_open", "ratio_qty": "1"},
            {**ORDER, "id": "l2", "symbol": "ACME260417C00160000", "asset_class": "us_option",
             "side": "sell", "position_intent": "sell_to_open", "ratio_qty": "2"},
        ],
    }  # fmt: skip
    broker, transport = brokerage(
        {NEW: taken, "GET /v2/options/contracts/ACME260417C00160000": other}
    )
    request = attrs.evolve(REQUEST, legs=legs, quantity=D(1), price=D("-1.25"))
    order = broker.place_order(request).order
    assert order is not None
    assert (order.symbol, order.side) == ("ACME", None)
    assert order.legs == (legs[0], attrs.evolve(legs[1], symbol="ACME-20260417-160-C"))
    body = transport.sent[-1].body
    assert (body["order_class"], body["limit_price"], body["qty"]) == ("mleg", "-1.25", "1")
    assert body["legs"][1] == {
        "symbol": "ACME260417C00160000",
        "side": "sell",
        "ratio_qty": "2",
        "position_intent": "sell_to_open",
    }
    assert "symbol" not in body
    for changes in ({"side": OrderSide.SELL}, {"legs": legs[:1]}, {"extended_hours": True}):
        with pytest.raises(UnsupportedOperationError):
            broker.place_order(attrs.evolve(request, **changes))
    stock = Leg(symbol="ACME", side=OrderSide.BUY)
    with pytest.raises(InvalidRequestError, match="no option"):
        broker.place_order(attrs.evolve(request, legs=(legs[0], stock)))


# Two orders of which one cancels the other.

PROFIT = attrs.evolve(REQUEST, side=OrderSide.SELL, quantity=D(5), price=D(120))
STOP = attrs.evolve(
    PROFIT, type=OrderType.STOP_LIMIT, price=D(89), stop_price=D(90), client_order_id=None
)
PAIR = {
    **ORDER,
    "order_class": "oco",
    "limit_price": "120",
    "legs": [
        {
            **ORDER,
            "id": "stop-leg",
            "client_order_id": "theirs",
            "order_class": "oco",
            "type": "stop_limit",
            "limit_price": "89",
            "stop_price": "90",
            "status": "held",
        }
    ],
}


@pytest.mark.parametrize("is_turned", [False, True])
def test_a_pair_is_one_write_and_its_results_come_in_order(is_turned: bool) -> None:
    """Whichever of the two is given first."""
    broker, transport = brokerage({NEW: PAIR})
    pair = (STOP, PROFIT) if is_turned else (PROFIT, STOP)
    results = broker.place_oco(*pair)
    limit, stop = reversed(results) if is_turned else results
    assert (limit.order_id, limit.client_order_id) == (ORDER_ID, "mine-1")
    assert (stop.order_id, stop.client_order_id) == ("stop-leg", "theirs")
    assert limit.order
    assert stop.order
    assert limit.order.group_id == stop.order.group_id == ORDER_ID
    assert stop.order.parent_order_id is None
    body = transport.sent[-1].body
    assert body["order_class"] == "oco"
    assert body["take_profit"] == {"limit_price": "120"}
    assert body["stop_loss"] == {"stop_price": "90", "limit_price": "89"}
    assert "limit_price" not in body
    assert transport.count("POST", "/v2/orders") == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"side": OrderSide.BUY},
        {"quantity": D(4)},
        {"client_order_id": "its-own"},
        {"time_in_force": TimeInForce.GTC},
        {"type": OrderType.LIMIT, "stop_price": None},
        {"symbol": "XYZ-USD"},
        {"account_id": "another"},
    ],
)
def test_a_pair_that_cannot_be_linked_is_not_sent(changes: dict[str, Any]) -> None:
    """Both are exits of one position, or neither leaves."""
    broker, transport = brokerage({NEW: PAIR})
    with pytest.raises(InvalidRequestError):
        broker.place_oco(PROFIT, attrs.evolve(STOP, **changes))
    assert not transport.count("POST", "/v2/orders")


def test_a_pair_of_crypto_or_for_an_auction_is_not_sent() -> None:
    """Alpaca links orders of stocks, DAY or GTC."""
    broker, transport = brokerage({NEW: PAIR})
    for changes in ({"symbol": "XYZ-USD"}, {"time_in_force": TimeInForce.IOC}):
        with pytest.raises(UnsupportedOperationError):
            broker.place_oco(attrs.evolve(PROFIT, **changes), attrs.evolve(STOP, **changes))
    assert not transport.count("POST", "/v2/orders")


def test_a_pair_without_its_second_has_an_unknown_outcome() -> None:
    """The reply does not show what was asked for."""
    broker, _ = brokerage({NEW: {**PAIR, "legs": None}})
    with pytest.raises(OrderOutcomeUnknownError):
        broker.place_oco(PROFIT, STOP)


# Cancelling.


def test_a_cancel_that_is_taken_is_true() -> None:
    """Its reply has no body, and it has limits of its own."""
    broker, transport = brokerage({f"DELETE {THE_ORDER}": (204, b"")})
    assert broker.cancel_order(ORDER_ID) is True
    assert transport.sent[-1].call.endpoint == "cancels"


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("filled", False),
        ("canceled", False),
        ("replaced", False),
        ("pending_cancel", True),
    ],
)
def test_a_refused_cancel_is_looked_into(status: str, expected: bool) -> None:
    """One code says that the order has ended, and that a cancel is on its way."""
    refused = (422, {"code": 42210000, "message": "order is not cancelable"})
    order = {**ORDER, "status": status, "filled_qty": "10.50", "filled_avg_price": "1"}
    broker, _ = brokerage({f"DELETE {THE_ORDER}": refused, f"GET {THE_ORDER}": order})
    assert broker.cancel_order(ORDER_ID) is expected


def test_an_order_that_lives_on_is_a_rejected_cancel() -> None:
    """So is one that cannot be looked at; one that never was is not found."""
    refused = (422, {"code": 42210000, "message": "order is pending replace"})
    broker, transport = brokerage({f"DELETE {THE_ORDER}": refused})
    with pytest.raises(CancelRejectedError):
        broker.cancel_order(ORDER_ID)
    transport.answers[f"GET {THE_ORDER}"] = (500, {})
    with pytest.raises(CancelRejectedError) as caught:
        broker.cancel_order(ORDER_ID)
    assert isinstance(caught.value.__cause__, BrokerUnavailableError)
    transport.answers[f"GET {THE_ORDER}"] = NOT_FOUND
    with pytest.raises(OrderNotFoundError) as missing:
        broker.cancel_order(ORDER_ID)
    assert missing.value.outcome is Outcome.REJECTED
    transport.answers[f"DELETE {THE_ORDER}"] = NOT_FOUND
    with pytest.raises(OrderNotFoundError):
        broker.cancel_order(ORDER_ID)
    with pytest.raises(InvalidFieldError):
        broker.cancel_order(" ")


# Replacing.


def test_a_change_makes_a_new_order_under_a_new_id() -> None:
    """The result names it, and the old one is named in it."""
    new = {**ORDER, "id": "new-1", "client_order_id": "made-id", "replaces": ORDER_ID}
    broker, transport = brokerage({f"PATCH {THE_ORDER}": new})
    result = broker.modify_order(ORDER_ID, OrderModification(price=D("105.5"), quantity=D(3)))
    assert (result.order_id, result.client_order_id) == ("new-1", "made-id")
    assert result.order
    assert result.order.replaces == ORDER_ID
    assert transport.sent[-1].body == {
        "client_order_id": "made-id",
        "qty": "3",
        "limit_price": "105.5",
    }


def test_changes_of_every_kind_are_sent_by_the_brokers_names() -> None:
    """A trail has one name, whether it is an amount or a share."""
    broker, transport = brokerage({f"PATCH {THE_ORDER}": ORDER})
    broker.modify_order(
        ORDER_ID,
        OrderModification(
            trail_percent=D("1.5"), time_in_force=TimeInForce.GTC, client_order_id="mine-2"
        ),
    )
    assert transport.sent[-1].body == {
        "client_order_id": "mine-2",
        "trail": "1.5",
        "time_in_force": "gtc",
    }
    broker.modify_order(ORDER_ID, OrderModification(stop_price=D("90.01")))
    assert transport.sent[-1].body["stop_price"] == "90.01"
    broker.modify_order(ORDER_ID, OrderModification(stop_price=D(90), price=D(89)))


def test_a_change_that_cannot_be_is_not_sent() -> None:
    """Off the grid, with an end of its own, or of an order that never was."""
    broker, transport = brokerage({f"PATCH {THE_ORDER}": ORDER})
    changes: tuple[tuple[str, OrderModification, type[Exception]], ...] = (
        (ORDER_ID, OrderModification(price=D("105.001")), InvalidFieldError),
        (ORDER_ID, OrderModification(time_in_force=TimeInForce.GTD), UnsupportedOperationError),
        (
            ORDER_ID,
            OrderModification(trail_amount=D(1), trail_percent=D(1)),
            InvalidRequestError,
        ),
        ("never-was", OrderModification(price=D(105)), OrderNotFoundError),
    )
    for order_id, change, kind in changes:
        with pytest.raises(kind) as caught:
            broker.modify_order(order_id, change)
        assert getattr(caught.value, "outcome", None) is Outcome.NOT_SENT
    assert not any(one.method == "PATCH" for one in transport.sent)


def test_a_refused_change_is_a_rejected_modification() -> None:
    """The order lives on as it was."""
    refused = (422, {"code": 42210000, "message": "order in replaced status cannot be changed"})
    broker, _ = brokerage({f"PATCH {THE_ORDER}": refused})
    with pytest.raises(ModifyRejectedError):
        broker.modify_order(ORDER_ID, OrderModification(price=D(105)))
    several = {**ORDER, "order_class": "mleg", "legs": [{**ORDER, "symbol": OPTION}]}
    broker, _ = brokerage({f"PATCH {THE_ORDER}": refused, f"GET {THE_ORDER}": several})
    with pytest.raises(ModifyRejectedError):
        broker.modify_order(ORDER_ID, OrderModification(price=D("0.001")))


# Closing.


def test_a_position_is_closed_by_the_broker() -> None:
    """By the asset's id, which names one thing; the order is the broker's own."""
    closing = {**ORDER, "side": "sell", "client_order_id": "theirs"}
    broker, transport = brokerage({f"DELETE /v2/positions/{STOCK_ID}": closing})
    result = broker.close_position("ACME")
    assert (result.order_id, result.client_order_id) == (ORDER_ID, "theirs")
    assert transport.sent[-1].raw == b""


def test_what_is_not_held_cannot_be_closed() -> None:
    """Neither when we see that, nor when the broker says so."""
    broker, transport = brokerage({"GET /v2/positions": []})
    with pytest.raises(InvalidRequestError) as caught:
        broker.close_position("ACME")
    assert caught.value.outcome is Outcome.NOT_SENT
    assert not any(one.method == "DELETE" for one in transport.sent)
    broker, _ = brokerage({f"DELETE /v2/positions/{STOCK_ID}": NOT_FOUND})
    with pytest.raises(InvalidRequestError) as caught:
        broker.close_position("ACME")
    assert caught.value.outcome is Outcome.REJECTED


# Orders.


def test_orders_are_read_page_by_page_and_each_once() -> None:
    """The broker leaves out the moment that is asked until, at which there may be more."""
    moments = ["2026-03-04T15:00:03Z", "2026-03-04T15:00:02Z", "2026-03-04T15:00:02Z",
               "2026-03-04T15:00:01Z"]  # fmt: skip
    stored = [
        {**ORDER, "id": f"o{index}", "submitted_at": when} for index, when in enumerate(moments)
    ]
    asked: list[dict[str, str]] = []

    def answer(sent: Sent) -> object:
        asked.append(sent.query)
        until = sent.query.get("until")
        listed = [one for one in stored if until is None or one["submitted_at"] < until]
        return listed[: int(sent.query["limit"])]

    broker, _ = brokerage({"GET /v2/orders": answer}, page_size=3)
    assert [one.order_id for one in broker.list_orders()] == ["o0", "o1", "o2", "o3"]
    assert asked[0]["status"] == "open"
    assert asked[0]["nested"] == "true"
    assert any(one["status"] == "all" and "after" in one for one in asked)


def test_a_list_that_does_not_end_is_an_error() -> None:
    """Neither the same page again nor more pages than are read is an answer."""
    broker, _ = brokerage({}, page_size=1)
    with pytest.raises(BrokerAPIError, match="of one moment"):
        broker.list_orders()

    seconds = iter(range(59, 0, -1))

    def endless(_: Sent) -> object:
        second = next(seconds)
        when = f"2026-03-04T15:00:{second:02d}Z"
        return [{**ORDER, "id": f"o{second}", "submitted_at": when}]

    broker, _ = brokerage({"GET /v2/orders": endless}, page_size=1, page_max=2)
    with pytest.raises(BrokerAPIError, match="ALPACA_PAGE_MAX"):
        broker.list_orders()


def test_orders_of_one_status_are_kept() -> None:
    """Exactly that one."""
    listed = [ORDER, {**ORDER, "id": "o2", "status": "held"}, {**ORDER, "id": "o3", "status": "x"}]
    broker, _ = brokerage({"GET /v2/orders": listed})
    assert [one.order_id for one in broker.list_orders(OrderStatus.UNKNOWN)] == ["o3"]


def test_an_order_is_found_by_our_id() -> None:
    """By the broker's own look-up; another order that comes is none."""
    path = "GET /v2/orders:by_client_order_id"
    broker, transport = brokerage({path: ORDER})
    assert broker.get_order_by_client_id("mine-1").order_id == ORDER_ID
    assert transport.sent[-1].query == {"client_order_id": "mine-1"}
    with pytest.raises(BrokerAPIError, match="another order"):
        broker.get_order_by_client_id("mine-2")
    transport.answers[path] = NOT_FOUND
    with pytest.raises(OrderNotFoundError):
        broker.get_order_by_client_id("mine-1")
    with pytest.raises(InvalidFieldError):
        broker.get_order_by_client_id("")


def test_an_exit_tells_what_it_belongs_to() -> None:
    """Alone it does not, so its family is read."""
    exit_order = {**ORDER, "id": "exit", "order_class": "bracket", "side": "sell"}
    entry = {**ORDER, "order_class": "bracket", "legs": [exit_order]}
    broker, transport = brokerage({"GET /v2/orders": [entry], "GET /v2/orders/exit": exit_order})
    order = broker.get_order("exit")
    assert (order.parent_order_id, order.group_id) == (ORDER_ID, ORDER_ID)
    asked = transport.sent[-1].query
    assert (asked["symbols"], asked["status"]) == ("ACME", "all")
    transport.answers["GET /v2/orders"] = []
    assert broker.get_order("exit").group_id is None
    transport.answers["GET /v2/orders/exit"] = {**exit_order, "submitted_at": None}
    assert broker.get_order("exit").group_id is None
    listed = brokerage({"GET /v2/orders": [exit_order, entry]})[0].list_orders()
    assert {one.group_id for one in listed} == {ORDER_ID}


def test_another_order_than_was_asked_for_is_none() -> None:
    """The broker answers with an order of another id."""
    broker, _ = brokerage({f"GET {THE_ORDER}": {**ORDER, "id": "other"}})
    with pytest.raises(BrokerAPIError):
        broker.get_order(ORDER_ID)


def test_executions_are_listed_once_oldest_first() -> None:
    """Over pages, whose token is the last one's id."""
    fills = [
        {**FILL, "id": f"2026::{index}", "transaction_time": f"2026-03-04T15:00:0{index}Z"}
        for index in (1, 2, 3)
    ]

    def answer(sent: Sent) -> object:
        token = sent.query.get("page_token")
        first = 0 if token is None else [one["id"] for one in fills].index(token) + 1
        return fills[first : first + 2]

    broker, transport = brokerage({"GET /v2/account/activities/FILL": answer}, page_size=2)
    listed = broker.list_fills()
    assert [one.trade_id for one in listed] == ["1", "2", "3"]
    assert listed[0].side is OrderSide.SELL
    assert broker.list_fills(NOW) == []
    assert transport.sent[-1].query["after"].startswith("2026-03-04T15:06:06.999999")
    with pytest.raises(InvalidFieldError):
        broker.list_fills(NOW.replace(tzinfo=None))


def test_an_execution_of_a_coin_is_known_by_the_list_of_pairs() -> None:
    """Where its symbol is written like a ticker."""
    told = [{**FILL, "symbol": "XYZUSD"}, {**FILL, "id": "b::2", "symbol": "NOTUSD"},
            {**FILL, "id": "b::3", "symbol": OPTION}]  # fmt: skip
    broker, _ = brokerage({"GET /v2/account/activities/FILL": told})
    assert [one.symbol for one in broker.list_fills()] == ["XYZ-USD", "NOTUSD", OPTION_SYMBOL]


# The account.


def test_cash_and_coins_are_balances() -> None:
    """Coins are told as positions; each pair's coin is one balance."""
    broker, _ = brokerage({})
    cash, coins = broker.list_balances()
    assert (cash.asset, cash.total, cash.available) == ("USD", D("1000.10"), None)
    assert (coins.asset, coins.total, coins.available, coins.hold) == (
        "XYZ",
        D("2.5"),
        D(2),
        D("0.5"),
    )
    assert broker.get_balance("USD") == cash
    assert broker.get_balance("XYZ") == coins
    assert broker.get_balance("ACME").total == 0
    with pytest.raises(InvalidFieldError):
        broker.get_balance("")


def test_a_coin_of_two_pairs_is_one_balance() -> None:
    """Their quantities are added."""
    other = {**COINS, "symbol": "XYZUSDC", "qty": "1", "qty_available": "1"}
    broker, _ = brokerage({"GET /v2/positions": [COINS, other]})
    balance = broker.get_balance("XYZ")
    assert (balance.total, balance.available, balance.hold) == (D("3.5"), D(3), D("0.5"))


def test_an_account_without_cash_is_malformed() -> None:
    """None is not zero."""
    broker, _ = brokerage({"GET /v2/account": {**ACCOUNT, "cash": None}})
    with pytest.raises(BrokerAPIError):
        broker.list_balances()


def test_totals_and_margin_are_those_of_the_account() -> None:
    """Digit for digit; what is worked out is exact or rounded by name."""
    broker, _ = brokerage({})
    summary = broker.get_account()
    assert (summary.equity, summary.cash, summary.buying_power) == (
        D("5000.5"), D("1000.10"), D("2000.2"))  # fmt: skip
    assert summary.utilization == D("0.250000")
    margin = broker.get_margin()
    assert (margin.initial_margin, margin.maintenance_margin, margin.excess) == (
        D("1250.125"), D(700), D("4300.5"))  # fmt: skip


def test_the_margin_of_an_order_is_estimated_and_nothing_is_placed() -> None:
    """Half of what a purchase of a marginable stock costs."""
    broker, transport = brokerage({"GET /v2/stocks/snapshots": {"ACME": SNAPSHOT}})
    margin = broker.get_order_margin(attrs.evolve(REQUEST, quantity=D(2), price=D(100)))
    assert margin.initial_margin == D("1350.125")
    assert margin.maintenance_margin == D(760)
    assert margin.buying_power == D("1800.2")
    market = attrs.evolve(REQUEST, type=OrderType.MARKET, price=None, quantity=D(1))
    assert (
        broker.get_order_margin(market).initial_margin == D("1250.125") + D("107.1") * D("1.03") / 2
    )
    sale = attrs.evolve(REQUEST, side=OrderSide.SELL, quantity=D(5), price=D(100))
    assert broker.get_order_margin(sale).initial_margin == D("1250.125")
    short = {**POSITION, "side": "short", "qty": "-5"}
    transport.answers["GET /v2/positions"] = [short]
    cover = attrs.evolve(REQUEST, quantity=D(5), price=D(100))
    assert broker.get_order_margin(cover).initial_margin == D("1250.125")
    assert not any(one.method != "GET" for one in transport.sent)
    legs = (Leg(symbol=OPTION_SYMBOL, side=OrderSide.BUY),)
    with pytest.raises(InvalidRequestError):
        broker.get_order_margin(attrs.evolve(REQUEST, legs=legs))


def test_positions_are_long_or_short() -> None:
    """A short one's quantity is told below zero, and is above it here."""
    short = {**POSITION, "qty": "-5", "side": "short", "market_value": "-600.0"}
    broker, _ = brokerage({"GET /v2/positions": [short, COINS, {**POSITION, "qty": "0"}]})
    first, second = broker.list_positions()
    assert (first.side, first.quantity, first.market_value) == (
        PositionSide.SHORT,
        D(5),
        D("-600.0"),
    )
    assert second.symbol == "XYZ-USD"
    assert broker.get_position("XYZUSD") == second
    assert broker.get_position(OPTION_SYMBOL) is None
    broker, _ = brokerage({"GET /v2/positions": [{**POSITION, "side": "sideways"}]})
    with pytest.raises(BrokerAPIError):
        broker.list_positions()


# The session.


def test_connecting_binds_the_account() -> None:
    """Twice is harmless; without it nothing is sent."""
    broker, transport = unconnected({})
    with pytest.raises(ConnectionError) as caught:
        broker.list_orders()
    assert caught.value.outcome is Outcome.NOT_SENT
    assert not transport.sent
    assert broker.connect()
    assert broker.connect()
    assert transport.count("GET", "/v2/account") == 1
    assert broker.get_account_id() == ACCOUNT_ID
    broker.disconnect()
    broker.disconnect()
    assert not broker.is_connected()
    assert "PK" not in repr(broker)


@pytest.mark.parametrize(
    ("key", "paper", "words"),
    [
        ("AKLIVE00000000000000", True, "ALPACA_PAPER_TRADING=false"),
        ("PKPAPER0000000000000", False, "ALPACA_PAPER_TRADING=true"),
        ("CK000000000000000000", True, "not both"),
        ("PKPAPER0000000000000", True, r"^request is not authorized \["),
    ],
)
def test_a_key_of_the_other_environment_is_named(key: str, paper: bool, words: str) -> None:
    """By its first letters, once the broker refuses it; the rest of it is not shown."""
    refused = (401, {"code": 40110000, "message": "request is not authorized"})
    broker, _ = unconnected({"GET /v2/account": refused}, api_key=key, paper_trading=paper)
    with pytest.raises(AuthenticationError, match=words) as caught:
        broker.connect()
    assert key not in str(caught.value)
    assert not broker.is_connected()


def test_a_refused_key_ends_the_session() -> None:
    """And an answer brings it back to life."""
    broker, transport = brokerage({})
    good = transport.answers["GET /v2/account"]
    transport.answers["GET /v2/account"] = (403, {"message": "forbidden."})
    with pytest.raises(AuthenticationError):
        broker.get_account()
    assert not broker.is_connected()
    transport.answers["GET /v2/account"] = good
    broker.get_account()
    assert broker.is_connected()


def test_health_also_tells_what_the_account_may_not_do(caplog: pytest.LogCaptureFixture) -> None:
    """Blocked, marked as a day trader's, or without short sales: it is said and logged."""
    blocked = {**ACCOUNT, "status": "ACCOUNT_UPDATED", "trading_blocked": True,
               "pattern_day_trader": True, "shorting_enabled": False}  # fmt: skip
    broker, transport = unconnected({"GET /v2/account": blocked})
    with caplog.at_level(logging.WARNING):
        broker.connect()
    assert "trading is blocked" in caplog.text
    health = broker.check_health()
    assert health.api_responsive
    assert health.error_message
    for words in ("ACCOUNT_UPDATED", "trading is blocked", "day trader", "short sales"):
        assert words in health.error_message
    assert len(broker.list_restrictions()) == 4
    transport.answers["GET /v2/account"] = ACCOUNT
    assert broker.check_health().error_message is None
    transport.answers["GET /v2/account"] = (500, b"")
    health = broker.check_health()
    assert not health.api_responsive
    assert health.error_message


# Products.


def test_products_are_stocks_and_pairs() -> None:
    """Read anew each time, and remembered for what follows."""
    broker, transport = brokerage({})
    stock, coin = broker.get_products()
    transport.sent.clear()
    assert broker.get_product("ACME") == stock
    assert stock.size_increment == D("0.000000001")
    assert (coin.symbol, coin.base_currency, coin.price_increment) == ("XYZ-USD", "XYZ", D("0.5"))
    assert not transport.sent


def test_a_product_is_found_by_each_of_its_names() -> None:
    """Canonical, the broker's own, or after an @."""
    broker, transport = brokerage({})
    for name in ("XYZ-USD", "XYZ/USD", "@XYZ/USD", "XYZUSD", "@XYZUSD"):
        assert broker.get_product(name).symbol == "XYZ-USD"
    for name in (OPTION_SYMBOL, OPTION, f"@{OPTION}"):
        assert broker.get_product(name).symbol == OPTION_SYMBOL
    transport.sent.clear()
    assert broker.get_product(OPTION_SYMBOL).multiplier == 100
    assert not transport.sent
    for odd in ("NOSUCH", "@no-such", "A-B-C-D", "@", "NOSUCH/USD", "ACME-20260417-1.0005-C"):
        with pytest.raises(InvalidSymbolError):
            broker.get_product(odd)
    with pytest.raises(InvalidFieldError):
        broker.get_product("")


def test_one_name_of_two_things_is_ambiguous() -> None:
    """A ticker that is also a pair without its stroke."""
    stock = {**STOCK, "symbol": "XYZUSD"}
    broker, _ = brokerage({"GET /v2/assets/XYZUSD": stock})
    with pytest.raises(InvalidSymbolError) as caught:
        broker.get_product("XYZUSD")
    assert set(caught.value.candidates) == {"XYZUSD", "XYZ-USD"}
    assert broker.get_product("XYZ/USD").symbol == "XYZ-USD"


def test_an_asset_that_answers_to_another_code_is_not_the_one() -> None:
    """Alpaca also finds assets by ids and by codes that are no symbols."""
    broker, _ = brokerage({"GET /v2/assets/037000000": STOCK})
    with pytest.raises(InvalidSymbolError):
        broker.get_product("037000000")


def test_two_assets_of_one_name_are_told_apart() -> None:
    """The second goes by the broker's name; a third that is the same is left out."""
    listed = [STOCK, {**STOCK, "id": "other"}, {**STOCK, "id": "third"}]
    broker, _ = brokerage(
        {"GET /v2/assets": lambda sent: listed if sent.query["asset_class"] == "us_equity" else []}
    )
    assert [one.symbol for one in broker.get_products()] == ["ACME", "@ACME"]


# The market.


def test_a_price_is_the_latest_trade_else_the_mid() -> None:
    """Of the feed that the settings name."""
    broker, transport = brokerage({"GET /v2/stocks/snapshots": {"ACME": SNAPSHOT}})
    assert str(broker.get_price("ACME")) == "107.1"
    assert transport.sent[-1].query == {"symbols": "ACME", "feed": "iex"}
    assert transport.sent[-1].host == "data.alpaca.markets"
    assert transport.sent[-1].call.endpoint == "data"
    quotes = {"latestQuote": SNAPSHOT["latestQuote"]}
    transport.answers["GET /v2/stocks/snapshots"] = {"ACME": quotes}
    assert broker.get_price("ACME") == D("107.10")
    half = {"latestQuote": {"t": "2026-03-04T15:06:01Z", "bp": 0, "ap": 107}}
    nothings: list[dict[str, Any]] = [{"ACME": {}}, {}, {"ACME": None}, {"ACME": half}]
    for nothing in nothings:
        transport.answers["GET /v2/stocks/snapshots"] = nothing
        with pytest.raises(MarketDataUnavailableError):
            broker.get_price("ACME")


def test_a_late_price_is_told_only_where_it_is_allowed() -> None:
    """Options are late by default, and stocks by one feed."""
    answers = {"GET /v1beta1/options/snapshots": {"snapshots": {OPTION: SNAPSHOT}}}
    broker, _ = brokerage(answers)
    with pytest.raises(MarketDataUnavailableError, match="ALPACA_ALLOW_DELAYED"):
        broker.get_price(OPTION_SYMBOL)
    assert broker.get_quote(OPTION_SYMBOL).delayed
    broker, _ = brokerage(answers, allow_delayed=True)
    assert broker.get_price(OPTION_SYMBOL) == D("107.1")
    broker, _ = brokerage(answers, options_feed="opra")
    assert broker.get_price(OPTION_SYMBOL) == D("107.1")
    assert not broker.get_quote(OPTION_SYMBOL).delayed


def test_a_quote_has_the_best_prices_and_the_latest_trade() -> None:
    """A price of nought is none."""
    broker, transport = brokerage({"GET /v2/stocks/snapshots": {"ACME": SNAPSHOT}})
    quote = broker.get_quote("ACME")
    assert (quote.bid, quote.ask, quote.bid_size, quote.last) == (
        D("107.05"), D("107.15"), D(2), D("107.1"))  # fmt: skip
    transport.answers["GET /v2/stocks/snapshots"] = {
        "ACME": {"latestTrade": SNAPSHOT["latestTrade"]}
    }
    assert broker.get_quote("ACME").bid is None
    transport.answers["GET /v2/stocks/snapshots"] = {"ACME": {}}
    with pytest.raises(MarketDataUnavailableError):
        broker.get_quote("ACME")


def test_books_are_the_best_prices_or_those_of_crypto() -> None:
    """Level 2 is crypto's alone, level 3 nobody's."""
    book = {
        "t": "2026-03-04T15:06:01Z",
        "b": [{"p": 1.5, "s": 2}, {"p": 1.6, "s": 1}, {"p": 1.4, "s": 0}],
        "a": [{"p": 1.8, "s": 2}, {"p": 1.7, "s": 1}],
    }
    path = "GET /v1beta3/crypto/us/latest/orderbooks"
    broker, transport = brokerage(
        {path: {"orderbooks": {"XYZ/USD": book}}, "GET /v2/stocks/snapshots": {"ACME": SNAPSHOT}}
    )
    whole = broker.get_orderbook("XYZ-USD", 2)
    assert [one.price for one in whole.bids] == [D("1.6"), D("1.5")]
    assert [one.price for one in whole.asks] == [D("1.7"), D("1.8")]
    assert len(broker.get_orderbook("XYZ-USD").bids) == 1
    assert broker.get_orderbook("ACME").asks[0].size == 4
    transport.answers["GET /v2/stocks/snapshots"] = {}
    assert broker.get_orderbook("ACME").bids == ()
    for symbol, level, kind in (
        ("ACME", 2, UnsupportedOperationError),
        ("ACME", 3, UnsupportedOperationError),
        ("ACME", 4, InvalidRequestError),
    ):
        with pytest.raises(kind):
            broker.get_orderbook(symbol, level)
    transport.answers[path] = {"orderbooks": {}}
    with pytest.raises(BrokerAPIError):
        broker.get_orderbook("XYZ-USD")


def test_trades_are_the_latest_newest_first() -> None:
    """Page by page until there are enough; nothing that changed hands is no trade."""
    pages = {
        None: ([{"t": "2026-03-04T15:00:02Z", "p": 2, "s": 1, "i": 1, "tks": "B"},
                {"t": "2026-03-04T15:00:01Z", "p": 2, "s": 0}], "next"),
        "next": ([{"t": "2026-03-04T15:00:00Z", "p": 3.10, "s": 1}], None),
    }  # fmt: skip

    def answer(sent: Sent) -> object:
        listed, token = pages[sent.query.get("page_token")]
        return {"trades": {"XYZ/USD": listed}, "next_page_token": token}

    broker, transport = brokerage({"GET /v1beta3/crypto/us/trades": answer})
    first, second = broker.list_trades("XYZ-USD", 5)
    assert (first.side, first.trade_id, second.price) == (OrderSide.BUY, "1", D("3.10"))
    assert transport.sent[-1].query["sort"] == "desc"
    assert broker.list_trades("XYZ-USD", 1) == [first]
    with pytest.raises(InvalidFieldError):
        broker.list_trades("XYZ-USD", 0)
    bad = {"trades": {"XYZ/USD": [{"t": "2026-03-04T15:00:00Z", "p": 1}]}}
    transport.answers["GET /v1beta3/crypto/us/trades"] = bad
    with pytest.raises(BrokerAPIError):
        broker.list_trades("XYZ-USD")


def test_candles_are_those_that_open_in_the_span() -> None:
    """All pages, adjusted as the settings say; the last one may not be complete."""
    bars = [
        {"t": f"2026-03-04T15:0{minute}:00Z", "o": 1, "h": 3, "l": 1, "c": 2.50, "v": 7}
        for minute in (4, 5, 6, 7)
    ]

    def answer(sent: Sent) -> object:
        if "page_token" in sent.query:
            return {"bars": {"ACME": bars[2:]}, "next_page_token": None}
        return {"bars": {"ACME": bars[:2]}, "next_page_token": "more"}

    broker, transport = brokerage({"GET /v2/stocks/bars": answer}, adjustment="split")
    start = NOW.replace(minute=4, second=0)
    candles = broker.list_candles("ACME", MINUTE, start, start + 3 * MINUTE)
    assert [one.open_time.minute for one in candles] == [4, 5, 6]
    assert [one.complete for one in candles] == [True, True, False]
    assert candles[0].close == D("2.50")
    asked = transport.sent[0 if transport.sent[0].path.endswith("bars") else 1].query
    assert (asked["timeframe"], asked["adjustment"], asked["feed"]) == ("1Min", "split", "iex")
    assert broker.list_candles("ACME", MINUTE, start, start) == []
    with pytest.raises(InvalidFieldError):
        broker.list_candles("ACME", timedelta(seconds=1), start, start + MINUTE)
    with pytest.raises(InvalidFieldError):
        broker.list_candles("ACME", MINUTE, start.replace(tzinfo=None), start)


def test_a_list_whose_page_comes_again_is_an_error() -> None:
    """So is one with more pages than are read."""
    again = {"bars": {"ACME": []}, "next_page_token": "same"}
    broker, _ = brokerage({"GET /v2/stocks/bars": again})
    with pytest.raises(BrokerAPIError, match="comes again"):
        broker.list_candles("ACME", MINUTE, NOW - MINUTE, NOW)
    broker, _ = brokerage({"GET /v2/stocks/bars": again}, page_max=1)
    with pytest.raises(BrokerAPIError, match="ALPACA_PAGE_MAX"):
        broker.list_candles("ACME", MINUTE, NOW - MINUTE, NOW)


def test_a_chain_has_contracts_with_prices_and_greeks() -> None:
    """Of one expiry or of all; what the market does not tell is None."""
    priced = {**SNAPSHOT, "impliedVolatility": 0.2537, "greeks": {"delta": 0.75, "vega": 0.01}}
    other = {**CONTRACT, "symbol": "ACME260417P00100000", "type": "put", "strike_price": "100"}
    broker, transport = brokerage(
        {
            "GET /v2/options/contracts": {"option_contracts": [CONTRACT, other]},
            "GET /v1beta1/options/snapshots/ACME": {"snapshots": {OPTION: priced}},
        }
    )
    first, second = broker.list_option_contracts("ACME")
    assert first.product.symbol == OPTION_SYMBOL
    assert (first.bid, first.implied_volatility, first.delta) == (
        D("107.05"),
        D("0.2537"),
        D("0.75"),
    )
    assert (second.bid, second.delta, second.open_interest) == (None, None, D(41))
    span = transport.sent[-2].query
    assert span["expiration_date_gte"] == "2026-03-04"
    assert span["expiration_date_lte"] > "2036"
    broker.list_option_contracts("ACME", date(2026, 4, 17))
    assert transport.sent[-1].query["expiration_date_gte"] == "2026-04-17"
    transport.answers["GET /v2/options/contracts"] = {"option_contracts": None}
    assert broker.list_option_contracts("ACME") == []
    transport.answers["GET /v2/options/contracts"] = {
        "option_contracts": [{**CONTRACT, "type": "x"}]
    }
    with pytest.raises(BrokerAPIError):
        broker.list_option_contracts("ACME")


def test_products_are_found_by_what_people_call_them() -> None:
    """The symbol itself first, then what begins with it, then what holds it."""
    broker, _ = brokerage({})
    assert [one.symbol for one in broker.list_symbol_matches("acme")] == ["ACME"]
    assert [one.symbol for one in broker.list_symbol_matches("anvil")] == ["ACME"]
    assert [one.symbol for one in broker.list_symbol_matches("x")] == ["XYZ-USD"]
    assert broker.list_symbol_matches("zzz") == []
    with pytest.raises(InvalidFieldError):
        broker.list_symbol_matches(" ")


def test_the_stock_market_has_hours_and_crypto_has_none() -> None:
    """As the broker's clock tells, in UTC."""
    clock = {
        "timestamp": "2026-03-04T10:06:07.4514209-05:00",
        "is_open": True,
        "next_open": "2026-03-05T09:30:00-05:00",
        "next_close": "2026-03-04T16:00:00-05:00",
    }
    broker, _ = brokerage({"GET /v2/clock": clock})
    status = broker.get_market_status("ACME")
    assert status.is_open
    assert status.next_open is not None
    assert status.next_open.isoformat() == "2026-03-05T14:30:00+00:00"
    assert broker.get_market_status("XYZ-USD").is_open
    assert COIN["symbol"] == "XYZ/USD"


def test_what_an_order_ties_up_follows_its_value() -> None:
    """Orders by value tie up their value; what is not marginable, or cheap, is paid in full."""
    broker, _ = brokerage({"GET /v2/stocks/snapshots": {"ACME": SNAPSHOT}})
    spend = attrs.evolve(REQUEST, type=OrderType.MARKET, price=None, quantity=None, notional=D(100))
    assert broker.get_order_margin(spend).buying_power == D("1900.2")
    cheap = attrs.evolve(REQUEST, quantity=D(100), price=D("1.00"))
    margin = broker.get_order_margin(cheap)
    assert (margin.initial_margin, margin.maintenance_margin) == (D("1350.125"), D(800))
    coins = attrs.evolve(REQUEST, symbol="XYZ-USD", quantity=D(1), price=D(10))
    assert broker.get_order_margin(coins).initial_margin == D("1260.125")


@pytest.mark.parametrize(
    "changes",
    [
        {"quantity": None, "notional": D(10)},
        {"quantity": D("0.5"), "time_in_force": TimeInForce.OPG},
        {"symbol": OPTION_SYMBOL, "quantity": D(1), "take_profit": TakeProfit(price=D(300))},
        {
            "stop_loss": StopLoss(stop_price=D(1)),
            "time_in_force": TimeInForce.IOC,
            "quantity": D(1),
        },
        {"type": OrderType.STOP, "price": None, "stop_price": D(1), "symbol": "XYZ-USD"},
        {
            "type": OrderType.TRAILING_STOP,
            "price": None,
            "trail_amount": D(1),
            "quantity": D(1),
            "symbol": OPTION_SYMBOL,
        },
    ],
)
def test_what_goes_together_is_what_alpaca_documents(changes: dict[str, Any]) -> None:
    """A sum, a fraction, an exit or a type, each where it is taken, and nowhere else."""
    broker, transport = brokerage({NEW: ORDER})
    with pytest.raises(UnsupportedOperationError) as caught:
        broker.place_order(attrs.evolve(REQUEST, **changes))
    assert caught.value.outcome is Outcome.NOT_SENT
    assert not transport.count("POST", "/v2/orders")


def test_a_sum_and_a_whole_share_with_exits_are_taken() -> None:
    """What is refused elsewhere is sent here."""
    broker, transport = brokerage({NEW: ORDER})
    broker.place_order(
        attrs.evolve(REQUEST, type=OrderType.MARKET, price=None, quantity=None, notional=D("10.5"))
    )
    assert transport.sent[-1].body["notional"] == "10.5"
    broker.place_order(
        attrs.evolve(REQUEST, quantity=D(1), take_profit=TakeProfit(price=D(300)),
                     position_effect=PositionEffect.OPEN)
    )  # fmt: skip
    assert transport.sent[-1].body["order_class"] == "oto"
    assert transport.sent[-1].body["position_intent"] == "buy_to_open"


def test_a_replacement_is_for_what_is_left() -> None:
    """The broker would make it for the whole once more."""
    part = {**ORDER, "filled_qty": "4", "filled_avg_price": "107", "status": "partially_filled"}
    broker, transport = brokerage({f"GET {THE_ORDER}": part, f"PATCH {THE_ORDER}": ORDER})
    broker.modify_order(ORDER_ID, OrderModification(price=D("105.5")))
    assert transport.sent[-1].body["qty"] == "6.50"
    broker.modify_order(ORDER_ID, OrderModification(quantity=D(9)))
    assert transport.sent[-1].body["qty"] == "5"
    with pytest.raises(InvalidRequestError, match="filled already"):
        broker.modify_order(ORDER_ID, OrderModification(quantity=D(4)))


def test_products_are_forgotten_in_time_and_when_there_are_too_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Then they are asked for again."""
    broker, transport = brokerage({}, products_lifetime_s=0)
    broker.get_product("ACME")
    broker.get_product("ACME")
    assert transport.count("GET", "/v2/assets/ACME") == 2
    monkeypatch.setattr(instruments, "REMEMBERED_MAX", 1)
    broker, transport = brokerage({})
    for _ in range(2):
        broker.get_product("ACME")
        broker.get_product(OPTION_SYMBOL)
    assert transport.count("GET", "/v2/assets/ACME") == 2


def test_the_history_and_the_clock_are_told() -> None:
    """As they are set; without a clock it is the system's."""
    broker, _ = brokerage({}, history_days=7)
    assert broker.order_history.days == 7
    assert utc_now().tzinfo is not None
