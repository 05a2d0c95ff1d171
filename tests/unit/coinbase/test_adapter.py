"""What the brokerages ask for, and what they make of the answers."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal as D
from typing import Any

import attrs
import pytest

from bot_v2.features.brokerages.core.interfaces import (
    AuthenticationError,
    BrokerAPIError,
    CancelRejectedError,
    ConnectionError,
    InsufficientFundsError,
    InvalidFieldError,
    InvalidRequestError,
    InvalidSymbolError,
    MarketDataUnavailableError,
    MissingDependencyError,
    ModifyRejectedError,
    OrderModification,
    OrderNotFoundError,
    OrderOutcomeUnknownError,
    OrderRequest,
    OrderSide,
    OrderStatus,
    OrderType,
    Outcome,
    PermissionDeniedError,
    UnsupportedOperationError,
)
from tests.unit.coinbase.natives import (
    ANSWERS,
    API,
    EXCHANGE_ORDER,
    FILL,
    NOW,
    ORDER,
    PERMISSIONS,
    PERPETUAL,
    PERPETUALS,
    PORTFOLIO,
    SPOT,
    FakeTransport,
    Sent,
    brokerage,
    exchange,
)

TRADE = {
    "trade_id": "1",
    "product_id": "BTC-USD",
    "price": "9.5",
    "size": "1",
    "time": "2026-03-04T05:00:00Z",
}
CANDLE = {"start": "60", "low": "1", "high": "4", "open": "2", "close": "3", "volume": "5"}
ID = ORDER["order_id"]
ORDERS = f"{API}/orders/historical/batch"
REQUEST = OrderRequest(
    symbol="BTC-USD",
    side=OrderSide.BUY,
    type=OrderType.LIMIT,
    quantity=D("0.5"),
    price=D("41000.10"),
    client_order_id="mine-1",
)
TAKEN = {"success": True, "success_response": {"order_id": "new-1", "client_order_id": "mine-1"}}


# Placing.


def test_an_order_is_one_request_and_is_signed() -> None:
    """Its reply gives the id, and nothing else is read."""
    broker, transport = brokerage({f"POST {API}/orders": TAKEN})
    broker.get_product("BTC-USD")
    transport.sent.clear()
    result = broker.place_order(REQUEST)
    assert (result.success, result.order_id, result.order) == (True, "new-1", None)
    (sent,) = transport.sent
    assert sent.headers["Authorization"].startswith("Bearer ")
    assert sent.call.is_write
    assert sent.body["order_configuration"] == {
        "limit_limit_gtc": {"base_size": "0.5", "limit_price": "41000.10"}
    }


def test_an_id_is_made_where_none_is_given() -> None:
    """By the injected source, and it is reported back."""
    broker, transport = brokerage({f"POST {API}/orders": TAKEN})
    result = broker.place_order(attrs.evolve(REQUEST, client_order_id=None))
    assert result.client_order_id == "made-id"
    assert transport.sent[-1].body["client_order_id"] == "made-id"


@pytest.mark.parametrize(
    "answer",
    [
        {"success": True},
        {"success": True, "success_response": {"order_id": ""}},
        {"success": "yes"},
        b"",
        b"<html>",
        {"success": False},
    ],
)
def test_a_reply_that_proves_nothing_leaves_the_outcome_unknown(answer: Any) -> None:
    """A success without an id is none, and the error names the id to look for."""
    broker, _ = brokerage({f"POST {API}/orders": answer})
    with pytest.raises(OrderOutcomeUnknownError) as caught:
        broker.place_order(REQUEST)
    assert caught.value.client_order_id == "mine-1"
    assert caught.value.account_id == PORTFOLIO


def test_a_refusal_inside_a_success_is_a_refusal() -> None:
    """The status is 200, and there is no order."""
    refused = {"success": False, "error_response": {"error": "INSUFFICIENT_FUND", "message": "m"}}
    broker, _ = brokerage({f"POST {API}/orders": refused})
    with pytest.raises(InsufficientFundsError) as caught:
        broker.place_order(REQUEST)
    assert caught.value.outcome is Outcome.REJECTED


def test_products_that_cannot_be_read_keep_an_order_from_leaving() -> None:
    """The read before the write failed: the order was not sent."""
    broker, transport = brokerage({f"GET {API}/products": (500, {})})
    with pytest.raises(Exception, match="HTTP 500") as caught:
        broker.place_order(REQUEST)
    assert getattr(caught.value, "outcome", None) is Outcome.NOT_SENT
    assert not transport.count("POST", f"{API}/orders")


def test_another_account_is_refused() -> None:
    """The key is bound to one."""
    broker, _ = brokerage({})
    with pytest.raises(InvalidRequestError, match=PORTFOLIO):
        broker.place_order(attrs.evolve(REQUEST, account_id="another"))


# Cancelling.


def _cancel(answer: Any, order: Any = ORDER) -> tuple[Any, FakeTransport]:
    answers = {
        f"POST {API}/orders/batch_cancel": answer,
        f"GET {API}/orders/historical/{ID}": {"order": order} if order else (404, {"error": "x"}),
    }
    return brokerage(answers)


def _result(success: bool, reason: str = "UNKNOWN_CANCEL_FAILURE_REASON") -> Any:
    return {"results": [{"success": success, "failure_reason": reason, "order_id": ID}]}


def test_an_accepted_cancel_is_true_and_reads_nothing() -> None:
    """One request."""
    broker, transport = _cancel(_result(True))
    assert broker.cancel_order(ID) is True
    assert len(transport.sent) == 1


@pytest.mark.parametrize(
    ("status", "expected"),
    [("CANCELLED", False), ("EXPIRED", False), ("FAILED", False), ("CANCEL_QUEUED", True)],
)
def test_a_refused_cancel_is_looked_into(status: str, expected: bool) -> None:
    """One code means both that it ended and that it never was: the order is read once."""
    broker, transport = _cancel(_result(False, "UNKNOWN_CANCEL_ORDER"), {**ORDER, "status": status})
    assert broker.cancel_order(ID) is expected
    assert transport.count("GET", f"{API}/orders/historical/{ID}") == 1


def test_a_refused_cancel_of_a_live_order_is_rejected() -> None:
    """The order lives on."""
    broker, _ = _cancel(_result(False, "COMMANDER_REJECTED_CANCEL_ORDER"))
    with pytest.raises(CancelRejectedError) as caught:
        broker.cancel_order(ID)
    assert caught.value.outcome is Outcome.REJECTED


def test_a_cancel_of_no_order_is_not_found() -> None:
    """Nothing was cancelled."""
    missing = (404, {"error": "NOT_FOUND", "message": "no such order"})
    broker, transport = _cancel(_result(False, "UNKNOWN_CANCEL_ORDER"))
    transport.answers[f"GET {API}/orders/historical/{ID}"] = missing
    with pytest.raises(OrderNotFoundError) as caught:
        broker.cancel_order(ID)
    assert caught.value.outcome is Outcome.REJECTED


@pytest.mark.parametrize(
    "answer",
    [
        _result(False),
        {"results": []},
        {"results": [{"success": True, "order_id": "another", "failure_reason": ""}]},
        (500, {"error": "INTERNAL"}),
    ],
)
def test_a_cancel_that_is_not_answered_for_is_unknown(answer: Any) -> None:
    """A reason that says nothing, no result, another order's result, a 5xx."""
    broker, _ = _cancel(answer)
    with pytest.raises(OrderOutcomeUnknownError):
        broker.cancel_order(ID)


# Changing.

EDIT = f"POST {API}/orders/edit"


def test_a_change_tells_size_and_price_both() -> None:
    """The API reads a size that is left out as zero."""
    broker, transport = brokerage({EDIT: {"success": True, "errors": []}})
    result = broker.modify_order(ID, OrderModification(price=D("40000.00")))
    assert result.order_id == ID
    assert transport.sent[-1].body == {"order_id": ID, "size": "0.5", "price": "40000.00"}


@pytest.mark.parametrize(
    ("order", "change", "kind"),
    [
        ({"status": "CANCELLED"}, {"price": D(1)}, ModifyRejectedError),
        ({}, {"stop_price": D(1)}, UnsupportedOperationError),
        ({}, {"price": D("0.001")}, InvalidFieldError),
        (
            {"order_configuration": {"market_market_ioc": {"base_size": "1"}}},
            {"quantity": D(2)},
            UnsupportedOperationError,
        ),
    ],
)
def test_a_change_that_cannot_be_is_not_sent(
    order: dict[str, Any], change: dict[str, Any], kind: type[Any]
) -> None:
    """It is refused by what is known."""
    answers = {f"GET {API}/orders/historical/{ID}": {"order": {**ORDER, **order}}}
    broker, transport = brokerage(answers)
    with pytest.raises(kind) as caught:
        broker.modify_order(ID, OrderModification(**change))
    assert caught.value.outcome is Outcome.NOT_SENT
    assert not transport.count("POST", f"{API}/orders/edit")


def test_a_change_of_an_order_that_is_not_there_is_not_sent() -> None:
    """The read before it says so."""
    answers = {f"GET {API}/orders/historical/{ID}": (404, {"error": "NOT_FOUND", "message": "m"})}
    broker, _ = brokerage(answers)
    with pytest.raises(OrderNotFoundError) as caught:
        broker.modify_order(ID, OrderModification(price=D(1)))
    assert caught.value.outcome is Outcome.NOT_SENT


# Reading orders and fills.


def test_all_pages_of_both_lists_are_read() -> None:
    """Live orders of any age, and those placed in the window; each once, as it was read last."""
    old = {**ORDER, "order_id": "old", "created_time": "2020-01-01T00:00:00Z"}
    ended = {**ORDER, "order_id": "moved", "status": "CANCELLED"}

    def answer(sent: Sent) -> Any:
        asked = dict(sent.query)
        if "order_status" in asked:
            assert "start_date" not in asked
            return {"orders": [{**ended, "status": "OPEN"}, old], "has_next": False}
        assert asked["start_date"] == "2026-02-02T05:06:07Z"
        if "cursor" not in asked:
            return {"orders": [ORDER], "has_next": True, "cursor": "p2"}
        return {"orders": [ended], "has_next": False, "cursor": "p3"}

    broker, _ = brokerage({f"GET {ORDERS}": answer})
    listed = broker.list_orders()
    assert [order.order_id for order in listed] == [ID, "moved", "old"]
    assert listed[1].status is OrderStatus.CANCELLED
    assert [order.order_id for order in broker.list_orders(OrderStatus.OPEN)] == [ID, "old"]


def test_pages_that_go_round_are_an_error() -> None:
    """An incomplete list is none."""
    broker, _ = brokerage(
        {f"GET {ORDERS}": {"orders": [ORDER], "has_next": True, "cursor": "same"}}
    )
    with pytest.raises(BrokerAPIError, match="comes again"):
        broker.list_orders()


def test_more_pages_than_are_read_name_the_setting() -> None:
    """So that it can be raised."""
    pages = iter(range(10**6))

    def answer(_: Sent) -> Any:
        return {"orders": [], "has_next": True, "cursor": str(next(pages))}

    broker, _ = brokerage({f"GET {ORDERS}": answer}, page_max=3)
    with pytest.raises(BrokerAPIError, match="COINBASE_PAGE_MAX"):
        broker.list_orders()


def test_another_order_than_asked_for_is_an_error() -> None:
    """An answer to another question is no answer."""
    broker, _ = brokerage({f"GET {API}/orders/historical/x": {"order": ORDER}})
    with pytest.raises(BrokerAPIError, match="another order"):
        broker.get_order("x")


@pytest.mark.parametrize("order_id", ["", " ", "..", "."])
def test_an_id_that_would_ask_for_something_else_is_refused(order_id: str) -> None:
    """Before anything is sent."""
    broker, transport = brokerage({})
    with pytest.raises(InvalidFieldError):
        broker.get_order(order_id)
    assert not transport.count("GET", f"{API}/orders/historical/")


def test_an_order_is_found_by_our_id_or_provably_absent() -> None:
    """A complete read of the window shows it, or that there is none."""
    broker, _ = brokerage({})
    assert broker.get_order_by_client_id("mine-1").order_id == ID
    with pytest.raises(OrderNotFoundError, match="30 days"):
        broker.get_order_by_client_id("another")


def test_fills_are_oldest_first_and_since_is_exact() -> None:
    """The broker lists the newest first, and its own filter may give more."""
    earlier = {**FILL, "trade_id": "trade-0", "trade_time": "2026-03-04T04:00:00Z"}
    same_time = {**FILL, "trade_id": "trade-2"}
    answer = {"fills": [same_time, FILL, earlier], "cursor": ""}
    broker, transport = brokerage({f"GET {API}/orders/historical/fills": answer})
    assert [one.trade_id for one in broker.list_fills()] == ["trade-0", "trade-1", "trade-2"]
    since = datetime(2026, 3, 4, 5, 0, tzinfo=UTC)
    assert [one.trade_id for one in broker.list_fills(since)] == ["trade-1", "trade-2"]
    query = dict(transport.sent[-1].query)
    assert query["start_sequence_timestamp"] == "2026-03-04T05:00:00Z"
    with pytest.raises(InvalidFieldError):
        broker.list_fills(since.replace(tzinfo=None))


# The account and the market.


def _account(value: str, hold: str) -> dict[str, Any]:
    amounts = {"available_balance": value, "hold": hold}
    told = {name: {"value": text, "currency": "USD"} for name, text in amounts.items()}
    return {"uuid": "u", "currency": "USD", **told}


@pytest.mark.parametrize(
    "accounts", [[_account("1e9999", "2")], [_account("1e9999", "0"), _account("1", "0")]]
)
def test_numbers_too_far_apart_to_add_are_an_error(accounts: list[Any]) -> None:
    """Within one account, and of several: a sum is exact, or it is none."""
    broker, _ = brokerage({f"GET {API}/accounts": {"accounts": accounts, "has_next": False}})
    with pytest.raises(BrokerAPIError):
        broker.list_balances()


@pytest.mark.parametrize(
    ("ticker", "price"),
    [
        ({"trades": [{**TRADE, "price": "9.50"}], "best_bid": "1", "best_ask": "3"}, "9.50"),
        ({"trades": [], "best_bid": "1", "best_ask": "3.1"}, "2.05"),
        ({"trades": [], "best_bid": "", "best_ask": "3"}, MarketDataUnavailableError),
        ({"trades": [], "best_bid": "9", "best_ask": "1e9999"}, BrokerAPIError),
    ],
)
def test_a_price_is_the_latest_trade_s_or_the_mid(ticker: Any, price: Any) -> None:
    """Where there is neither, that is said."""
    broker, _ = brokerage({f"GET {API}/products/BTC-USD/ticker": ticker})
    if isinstance(price, str):
        assert broker.get_price("BTC-USD") == D(price)
    else:
        with pytest.raises(price):
            broker.get_price("BTC-USD")


def test_candles_are_asked_for_in_spans_and_told_once() -> None:
    """A span has 300 candles at most; what lies outside of [start, end) is left out."""
    start = datetime(2026, 3, 4, tzinfo=UTC)

    def answer(sent: Sent) -> Any:
        asked = dict(sent.query)
        first, last = int(asked["start"]), int(asked["end"])
        assert last - first <= 300 * 60
        # The broker gives the ends of a span, too, and the newest first.
        times = range(last, first - 1, -60)
        return {"candles": [{**CANDLE, "start": str(time)} for time in times]}

    broker, transport = brokerage({f"GET {API}/products/BTC-USD/candles": answer})
    minute = timedelta(minutes=1)
    candles = broker.list_candles("BTC-USD", minute, start, start + 601 * minute)
    assert [one.open_time for one in candles] == [start + n * minute for n in range(601)]
    assert len([one for one in transport.sent if "candles" in one.path]) == 3
    with pytest.raises(InvalidFieldError, match="interval"):
        broker.list_candles("BTC-USD", timedelta(minutes=7), start, start)


# Perpetuals.


@pytest.mark.parametrize("symbol", ["ETH-USDC-PERP", "@ETH-PERP-INTX", "ETH-PERP-INTX"])
def test_a_perpetual_is_refused_with_an_explanation(symbol: str) -> None:
    """Until they are enabled."""
    broker, _ = brokerage({})
    with pytest.raises(InvalidSymbolError, match="COINBASE_ENABLE_DERIVATIVES"):
        broker.place_order(attrs.evolve(REQUEST, symbol=symbol))
    assert broker.list_positions() == []


def _with_perpetuals(answers: dict[str, Any]) -> tuple[Any, FakeTransport]:
    def products(sent: Sent) -> Any:
        future = {**PERPETUAL, "product_id": "BIP-CDE", "product_venue": "FCM"}
        perpetuals = [PERPETUAL, future]
        is_spot = dict(sent.query)["product_type"] == "SPOT"
        return {"products": [SPOT] if is_spot else perpetuals}

    return brokerage({f"GET {API}/products": products, **answers}, enable_derivatives=True)


POSITION = {"symbol": "ETH-PERP-INTX", "net_size": "-2", "position_side": "POSITION_SIDE_SHORT"}


def test_positions_are_those_of_the_perpetuals_portfolio() -> None:
    """And closing one has the broker make the order."""
    answers = {
        f"GET {API}/intx/positions/{PERPETUALS}": {"positions": [POSITION]},
        f"POST {API}/orders/close_position": TAKEN,
    }
    broker, transport = _with_perpetuals(answers)
    (position,) = broker.list_positions()
    assert (position.symbol, position.quantity) == ("ETH-USDC-PERP", D(2))
    assert position.account_id == PORTFOLIO
    assert broker.close_position("ETH-USDC-PERP").order_id == "new-1"
    assert transport.sent[-1].body == {
        "client_order_id": "made-id",
        "product_id": "ETH-PERP-INTX",
    }
    assert [one.symbol for one in broker.get_products()] == ["BTC-USD", "ETH-USDC-PERP"]


def test_a_flat_perpetual_cannot_be_closed() -> None:
    """Nothing is sent."""
    broker, transport = _with_perpetuals(
        {f"GET {API}/intx/positions/{PERPETUALS}": {"positions": []}}
    )
    assert broker.get_position("ETH-USDC-PERP") is None
    with pytest.raises(InvalidRequestError) as caught:
        broker.close_position("ETH-USDC-PERP")
    assert caught.value.outcome is Outcome.NOT_SENT
    assert not transport.count("POST", f"{API}/orders/close_position")


@pytest.mark.parametrize("method", ["get_position", "close_position"])
def test_spot_is_kept_as_a_balance(method: str) -> None:
    """The error says where to look."""
    broker, _ = brokerage({})
    with pytest.raises(UnsupportedOperationError, match=r"get_balance\('BTC'\)"):
        getattr(broker, method)("BTC-USD")


def test_enabled_perpetuals_need_a_portfolio_for_them() -> None:
    """It is said at connect, not at the first order."""
    answers: dict[str, Any] = {f"GET {API}/portfolios": {"portfolios": []}}
    with pytest.raises(InvalidRequestError, match=r"COINBASE_ENABLE_DERIVATIVES.*2026-10-01"):
        brokerage(answers, enable_derivatives=True)


@pytest.mark.parametrize("symbol", ["SOL-USDC-PERP", "SOL-PERP-INTX"])
def test_a_perpetual_that_is_not_listed_may_have_moved(symbol: str) -> None:
    """The error says what Coinbase says of perpetuals; of other products it does not."""
    broker, _ = _with_perpetuals({})
    with pytest.raises(InvalidSymbolError, match=r"not among the perpetuals.*2026-10-01"):
        broker.get_product(symbol)
    with pytest.raises(InvalidSymbolError) as caught:
        broker.get_product("SOL-USD")
    assert "2026" not in str(caught.value)


# The session.


def test_a_key_that_may_not_read_is_refused_at_connect() -> None:
    """With what to do about it."""
    answers = {f"GET {API}/key_permissions": {**PERMISSIONS, "can_view": False}}
    with pytest.raises(PermissionDeniedError, match="view"):
        brokerage(answers)


def test_a_refused_key_ends_the_session_until_it_is_taken_again() -> None:
    """is_connected tells, and a later success tells too."""
    broker, transport = brokerage({f"GET {API}/time": {"iso": NOW.isoformat()}})
    answer = transport.answers[f"GET {ORDERS}"]
    transport.answers[f"GET {ORDERS}"] = (401, b"Unauthorized\n")
    with pytest.raises(AuthenticationError):
        broker.list_orders()
    assert not broker.is_connected()
    transport.answers[f"GET {ORDERS}"] = answer
    broker.list_orders()
    assert broker.is_connected()


def test_a_read_is_signed_again_by_the_brokers_clock() -> None:
    """A clock that is minutes off costs one more request, once."""
    theirs = NOW + timedelta(minutes=5)
    seen: list[str] = []

    def answer(sent: Sent) -> Any:
        seen.append(sent.headers["Authorization"])
        return (401, b"Unauthorized\n") if len(seen) == 1 else ANSWERS[f"GET {ORDERS}"]

    broker, transport = brokerage({f"GET {API}/time": {"iso": theirs.isoformat()}})
    transport.answers[f"GET {ORDERS}"] = answer
    assert broker.list_orders()
    assert transport.count("GET", f"{API}/time") == 1
    assert seen[0] != seen[1]


def test_a_write_is_not_sent_again_for_a_clock() -> None:
    """It was refused; the next one is signed by the right time."""
    theirs = NOW + timedelta(minutes=5)
    broker, transport = brokerage(
        {
            f"GET {API}/time": {"iso": theirs.isoformat()},
            f"POST {API}/orders": (401, b"Unauthorized\n"),
        }
    )
    with pytest.raises(AuthenticationError) as caught:
        broker.place_order(REQUEST)
    assert caught.value.outcome is Outcome.REJECTED
    assert transport.count("POST", f"{API}/orders") == 1


def test_nothing_is_sent_before_connect_or_after_disconnect() -> None:
    """Every kind of call is refused as not sent."""
    broker, transport = brokerage({})
    broker.disconnect()
    calls: list[Any] = [
        broker.list_orders,
        broker.list_balances,
        broker.get_products,
        lambda: broker.get_price("BTC-USD"),
        lambda: broker.place_order(REQUEST),
        lambda: broker.cancel_order(ID),
        lambda: broker.modify_order(ID, OrderModification(price=D(1))),
    ]
    for call in calls:
        with pytest.raises(ConnectionError) as caught:
            call()
        assert caught.value.outcome is Outcome.NOT_SENT
    assert not transport.sent


# The Exchange API.


def test_an_exchange_order_is_told_in_the_reply() -> None:
    """Its id is a UUID: with hyphens at the broker, and without them here."""
    broker, transport = exchange({"POST /orders": EXCHANGE_ORDER})
    ref = "00112233445566778899aabbccddeeff"
    result = broker.place_order(
        attrs.evolve(REQUEST, client_order_id=ref, price=D("10.00"), post_only=True)
    )
    assert result.order is not None
    assert result.order.client_order_id == ref
    assert transport.sent[-1].body == {
        "client_oid": "00112233-4455-6677-8899-aabbccddeeff",
        "product_id": "BTC-USD",
        "side": "buy",
        "type": "limit",
        "size": "0.5",
        "price": "10.00",
        "time_in_force": "GTC",
        "post_only": True,
    }
    with pytest.raises(InvalidFieldError, match="32"):
        broker.place_order(attrs.evolve(REQUEST, client_order_id="abc"))


def test_an_exchange_order_is_looked_up_by_its_uuid() -> None:
    """With hyphens, as it was sent; what is no UUID is no order's, and nobody is asked."""
    path = "GET /orders/client%3A00112233-4455-6677-8899-aabbccddeeff"
    broker, transport = exchange({path: EXCHANGE_ORDER})
    assert broker.get_order_by_client_id("00112233445566778899aabbccddeeff").order_id == "e0"
    sent = len(transport.sent)
    for never in ("abc", "g" * 32, "", "00112233-4455-6677-8899-aabbccddeeff"):
        with pytest.raises(OrderNotFoundError):
            broker.get_order_by_client_id(never)
    assert len(transport.sent) == sent


@pytest.mark.parametrize(
    ("answer", "order", "expected"),
    [
        ('"e0"', None, True),
        ('["e0"]', None, True),
        ((400, {"message": "Order already done"}), None, False),
        ((404, {"message": "order not found"}), {**EXCHANGE_ORDER, "status": "done"}, None),
        (
            (404, {"message": "NotFound"}),
            {**EXCHANGE_ORDER, "status": "done", "done_reason": "canceled"},
            False,
        ),
        ((404, {"message": "NotFound"}), EXCHANGE_ORDER, CancelRejectedError),
        (
            (404, {"message": "NotFound"}),
            (404, {"message": "NotFound"}),
            OrderNotFoundError,
        ),
        ('"another"', None, OrderOutcomeUnknownError),
        ((500, {"message": "Order already done"}), None, OrderOutcomeUnknownError),
    ],
)
def test_an_exchange_cancel_says_what_became_of_the_order(
    answer: Any, order: Any, expected: Any
) -> None:
    """The broker forgets unfilled cancelled orders: what is not found is looked for once."""
    body = answer.encode() if isinstance(answer, str) else answer
    broker, _ = exchange({"DELETE /orders/e0": body, "GET /orders/e0": order})
    if isinstance(expected, bool):
        assert broker.cancel_order("e0") is expected
    else:
        with pytest.raises(expected or CancelRejectedError) as caught:
            broker.cancel_order("e0")
        assert caught.value.outcome is not None


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"status": "pending"}, OrderStatus.PENDING),
        ({"status": "active", "stop": "loss", "stop_price": "9"}, OrderStatus.OPEN),
        ({"status": "open", "filled_size": "0.5"}, OrderStatus.PARTIALLY_FILLED),
        ({"status": "done", "done_reason": "filled", "filled_size": "1"}, OrderStatus.FILLED),
        ({"status": "settled", "filled_size": "1"}, OrderStatus.FILLED),
        ({"status": "done", "done_reason": "canceled"}, OrderStatus.CANCELLED),
        ({"status": "rejected", "reject_reason": "post only"}, OrderStatus.REJECTED),
        ({"status": "done", "done_reason": "of tomorrow"}, OrderStatus.UNKNOWN),
        ({"status": "of tomorrow"}, OrderStatus.UNKNOWN),
    ],
)
def test_an_exchange_status_is_one_of_ours(changes: dict[str, Any], status: OrderStatus) -> None:
    """How it is done says how it ended."""
    native = {**EXCHANGE_ORDER, **changes}
    if native["filled_size"] != "0.00000000":
        native["executed_value"] = "10"
    broker, _ = exchange({"GET /orders/e0": native})
    order = broker.get_order("e0")
    assert order.status is status
    assert order.native_status == changes["status"]
    assert (order.type is OrderType.STOP_LIMIT) is ("stop" in changes)


def test_exchange_balances_are_those_of_the_key_s_profile() -> None:
    """Totals, and zero of what is not held."""
    broker, _ = exchange({})
    assert broker.get_account_id() == "the-profile"
    assert broker.get_balance("USD").total == D(10)
    assert broker.get_balance("BTC").total == 0
    assert broker.list_positions() == []


def test_without_the_vendors_client_it_is_said_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All else works without."""
    broker, _ = brokerage({})
    monkeypatch.setitem(sys.modules, "coinbase.rest", None)
    with pytest.raises(MissingDependencyError, match=r"bot-v2\[coinbase\]") as caught:
        _ = broker.native
    assert caught.value.extra == "coinbase"
