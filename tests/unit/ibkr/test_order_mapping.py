"""Orders and executions, from TWS and to it."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot_v2.features.brokerages.core.interfaces import (
    Leg,
    Liquidity,
    OrderModification,
    OrderRequest,
    OrderSide,
    OrderStatus,
    OrderType,
    StopLoss,
    TakeProfit,
    TimeInForce,
)
from bot_v2.features.brokerages.ibkr import execution_mapping
from bot_v2.features.brokerages.ibkr import order_mapping as mapping
from bot_v2.features.brokerages.ibkr.order_memory import OrderMemory
from bot_v2.features.brokerages.ibkr.wire import (
    CommissionRow,
    ContractRow,
    ExecutionRow,
    MalformedError,
    OrderRow,
    StatusRow,
)
from tests.unit.ibkr.natives import order_row

D = Decimal
NOW = datetime(2026, 7, 10, 14, tzinfo=UTC)


def name(contract: ContractRow) -> str:
    """Return the symbol of a contract."""
    return contract.symbol or f"@{contract.con_id}"


def known(**changes: Any) -> mapping.Known:
    """Return what is known beside an order's row."""
    return attrs.evolve(mapping.Known(names=name, zone=None, now=NOW), **changes)


def status(native: str = "Submitted", filled: str = "0", average: str = "0") -> StatusRow:
    """Return how far an order is."""
    return StatusRow(
        order_id=7,
        status=native,
        filled=filled,
        remaining="",
        average=average,
        perm_id=900_000_001,
        client_id=1,
        why_held="",
    )


def ended(**changes: str) -> OrderRow:
    """Return an order that ended."""
    row = order_row()
    told = {"status": "Cancelled", "completed_status": "Cancelled by Trader"}
    for field, value in {**told, **changes}.items():
        setattr(row, field, value)
    return row


FORMS = [
    # native type and time: ours
    ("MKT", "DAY", OrderType.MARKET, TimeInForce.DAY),
    ("LMT", "GTC", OrderType.LIMIT, TimeInForce.GTC),
    ("LMT", "IOC", OrderType.LIMIT, TimeInForce.IOC),
    ("LMT", "FOK", OrderType.LIMIT, TimeInForce.FOK),
    ("LMT", "OPG", OrderType.LIMIT, TimeInForce.OPG),
    ("STP", "DAY", OrderType.STOP, TimeInForce.DAY),
    ("STP LMT", "GTC", OrderType.STOP_LIMIT, TimeInForce.GTC),
    ("TRAIL", "GTC", OrderType.TRAILING_STOP, TimeInForce.GTC),
    ("MOC", "DAY", OrderType.MARKET, TimeInForce.CLS),
    ("LOC", "DAY", OrderType.LIMIT, TimeInForce.CLS),
    ("REL", "DTC", OrderType.OTHER, TimeInForce.OTHER),
]


@pytest.mark.parametrize(("native", "time", "kind", "ours"), FORMS)
def test_types_and_times(native: str, time: str, kind: OrderType, ours: TimeInForce) -> None:
    """Each native type and time in force is ours, or OTHER with its text."""
    row = order_row(orderType=native, tif=time, auxPrice=D("99.5"))
    order = mapping.order_from_native(row, known(status=status()))
    assert (order.type, order.time_in_force) == (kind, ours)
    assert order.price == (D("120.5") if native in ("LMT", "STP LMT", "LOC") else None)
    assert order.stop_price == (D("99.5") if native in ("STP", "STP LMT") else None)
    if kind is OrderType.OTHER:
        assert order.metadata == {"native_type": "REL", "native_time_in_force": "DTC"}


STATUSES = [
    # native status, filled: ours
    ("ApiPending", "0", OrderStatus.PENDING),
    ("PendingSubmit", "0", OrderStatus.PENDING),
    ("PreSubmitted", "0", OrderStatus.OPEN),
    ("Submitted", "0", OrderStatus.OPEN),
    ("Submitted", "4", OrderStatus.PARTIALLY_FILLED),
    ("PreSubmitted", "4", OrderStatus.PARTIALLY_FILLED),
    ("PendingCancel", "4", OrderStatus.PENDING_CANCEL),
    ("Cancelled", "4", OrderStatus.CANCELLED),
    ("ApiCancelled", "0", OrderStatus.CANCELLED),
    ("Cancelled", "10", OrderStatus.FILLED),
    ("Filled", "10", OrderStatus.FILLED),
    ("Inactive", "0", OrderStatus.REJECTED),
    ("Inactive", "4", OrderStatus.CANCELLED),
    ("Sleeping", "4", OrderStatus.UNKNOWN),
]


@pytest.mark.parametrize(("native", "filled", "ours"), STATUSES)
def test_statuses(native: str, filled: str, ours: OrderStatus) -> None:
    """Each native status is ours, by how much was filled; an unknown one is UNKNOWN."""
    order = mapping.order_from_native(
        order_row(), known(status=status(native, filled, "120.25" if filled != "0" else "0"))
    )
    assert (order.status, order.native_status) == (ours, native)
    assert order.filled_quantity == D(filled)
    assert order.average_fill_price == (D("120.25") if filled != "0" else None)


ENDS = [
    # native status, words, time in force, good till: ours
    ("Cancelled", "Cancelled by Trader", "DAY", "", OrderStatus.CANCELLED),
    ("Cancelled", "Cancelled by System:", "GTD", "20260710-13:00:00", OrderStatus.EXPIRED),
    ("Cancelled", "Cancelled by System:", "GTD", "20260710-15:00:00", OrderStatus.CANCELLED),
    ("Cancelled", "Cancelled by Trader", "GTD", "20260710-13:00:00", OrderStatus.CANCELLED),
    ("Inactive", "Rejected by System:no funds", "DAY", "", OrderStatus.REJECTED),
    ("Inactive", "Cancelled by System:", "FOK", "", OrderStatus.CANCELLED),
    ("Filled", "Filled Size: 10", "DAY", "", OrderStatus.FILLED),
]


@pytest.mark.parametrize(("native", "words", "tif", "till", "ours"), ENDS)
def test_ends(native: str, words: str, tif: str, till: str, ours: OrderStatus) -> None:
    """How an order ended is told by its status, the words beside it, and its own end."""
    row = ended(status=native, completed_status=words, tif=tif, good_till=till)
    row.completed_time = "20260710-14:00:00"
    row.filled = "10" if native == "Filled" else "0"
    order = mapping.order_from_native(row, known(average=D(5)))
    assert order.status is ours
    assert order.status_reason == words
    assert order.updated_at == NOW
    assert order.average_fill_price == (D(5) if native == "Filled" else None)


@pytest.mark.parametrize("native", ["Filled", "Cancelled"])
def test_more_filled_than_ordered(native: str) -> None:
    """What was filled beyond the order is told as it is."""
    row = order_row()
    order = mapping.order_from_native(row, known(status=status(native, "12", "120.25")))
    assert (order.status, order.quantity) == (OrderStatus.FILLED, D(10))
    assert (order.filled_quantity, order.overfilled_quantity) == (D(12), D(2))


def test_more_filled_than_what_a_group_left() -> None:
    """An order that its group made smaller than its fills has no fills beyond it."""
    row = order_row(ocaGroup="one")
    order = mapping.order_from_native(row, known(status=status("Cancelled", "12", "120.25")))
    assert (order.quantity, order.overfilled_quantity) == (D(12), D(0))


@pytest.mark.parametrize(
    ("native", "filled", "quantity", "ours"),
    [
        ("Filled", "10", D(10), OrderStatus.FILLED),
        ("Cancelled", "0", None, OrderStatus.CANCELLED),
        ("Cancelled", "4", None, OrderStatus.CANCELLED),
    ],
)
def test_a_quantity_of_zero(
    native: str, filled: str, quantity: D | None, ours: OrderStatus
) -> None:
    """A completed order that lacks its quantity is not taken for one of nothing, or for filled."""
    row = ended(status=native, completed_status="", quantity="0", filled=filled)
    order = mapping.order_from_native(row, known(average=D(5)))
    assert (order.status, order.quantity, order.filled_quantity) == (ours, quantity, D(filled))


def test_what_an_order_cannot_be_without() -> None:
    """An order without a permanent id, or with a number that is none, is an error."""
    with pytest.raises(MalformedError):
        mapping.order_from_native(order_row(permId=0), known())
    row = order_row()
    row.quantity = "many"
    with pytest.raises(MalformedError):
        mapping.order_from_native(row, known())


def test_a_trail_tells_its_distance() -> None:
    """A trailing stop tells its trigger as it stands, and by how much it follows."""
    row = order_row(orderType="TRAIL", auxPrice=D("2.5"), trailStopPrice=D("98.75"))
    order = mapping.order_from_native(row, known(status=status()))
    assert (order.stop_price, order.metadata["trail_amount"]) == (D("98.75"), D("2.5"))
    row = order_row(orderType="TRAIL", trailingPercent=D(5))
    order = mapping.order_from_native(row, known(status=status()))
    assert (order.stop_price, order.metadata["trail_percent"]) == (None, D(5))


def test_parents_groups_and_legs() -> None:
    """What an order hangs together with is told by permanent ids, groups and symbols."""
    legs = [
        {"conId": 1, "ratio": 1, "action": "BUY", "exchange": "SMART"},
        {"conId": 2, "ratio": 2, "action": "SELL", "exchange": "SMART"},
    ]
    row = order_row(secType="BAG", comboLegs=legs, ocaGroup="pair")
    order = mapping.order_from_native(row, known(status=status(), parent=12))
    assert (order.parent_order_id, order.group_id) == ("12", "pair")
    assert order.legs == (
        Leg(symbol="@1", side=OrderSide.BUY),
        Leg(symbol="@2", side=OrderSide.SELL, ratio=D(2)),
    )


amounts = st.decimals(
    min_value=D("0.00000001"), max_value=D(10**12), places=8, allow_nan=False, allow_infinity=False
)


@given(quantity=amounts, price=amounts, stop=amounts)
def test_numbers_leave_in_plain_digits(quantity: Decimal, price: Decimal, stop: Decimal) -> None:
    """Whatever the exponent of a number, it leaves in plain digits, and is the same number."""
    asked = OrderRequest(
        symbol="AAPL",
        side=OrderSide.SELL,
        type=OrderType.STOP_LIMIT,
        quantity=quantity.normalize(),
        price=price.normalize(),
        stop_price=stop.normalize(),
    )
    fields = mapping.order_to_native(asked, "ref", "DU1")
    for field, number in (("totalQuantity", quantity), ("lmtPrice", price), ("auxPrice", stop)):
        text = fields[field]
        assert isinstance(text, str)
        assert not set(text.lower()) & set("e+")
        assert D(text) == number


def request(**changes: Any) -> OrderRequest:
    """Return a request."""
    terms: dict[str, Any] = {"symbol": "AAPL", "side": OrderSide.BUY, "quantity": D(1)}
    return OrderRequest(**{**terms, **changes})


SENT = [
    (request(), {"orderType": "MKT", "tif": "DAY", "action": "BUY", "totalQuantity": "1"}),
    (
        request(type=OrderType.LIMIT, price=D(5), time_in_force=TimeInForce.GTC),
        {"orderType": "LMT", "lmtPrice": "5", "tif": "GTC"},
    ),
    (request(time_in_force=TimeInForce.CLS), {"orderType": "MOC", "tif": "DAY"}),
    (
        request(type=OrderType.LIMIT, price=D(5), time_in_force=TimeInForce.CLS),
        {"orderType": "LOC", "tif": "DAY"},
    ),
    (request(time_in_force=TimeInForce.OPG), {"orderType": "MKT", "tif": "OPG"}),
    (request(type=OrderType.STOP, stop_price=D(5)), {"orderType": "STP", "auxPrice": "5"}),
    (
        request(type=OrderType.TRAILING_STOP, trail_amount=D("0.5")),
        {"orderType": "TRAIL", "auxPrice": "0.5"},
    ),
    (
        request(type=OrderType.TRAILING_STOP, trail_percent=D("2.5")),
        {"orderType": "TRAIL", "trailingPercent": "2.5"},
    ),
    (
        request(
            type=OrderType.LIMIT,
            price=D(5),
            time_in_force=TimeInForce.GTD,
            expires_at=NOW,
            extended_hours=True,
        ),
        {"tif": "GTD", "goodTillDate": "20260710-14:00:00", "outsideRth": True},
    ),
    (request(side=OrderSide.SELL), {"action": "SELL"}),
]


@pytest.mark.parametrize(("asked", "told"), SENT)
def test_what_is_sent(asked: OrderRequest, told: dict[str, object]) -> None:
    """Each request is the fields that TWS documents, with its label and account."""
    fields = mapping.order_to_native(asked, "ref", "DU1")
    assert {**fields, **told} == fields
    assert (fields["orderRef"], fields["account"]) == ("ref", "DU1")


def test_the_exits_of_a_bracket() -> None:
    """Exits go the other way, for the whole quantity, until cancelled."""
    asked = request(
        type=OrderType.LIMIT,
        price=D(100),
        take_profit=TakeProfit(price=D(110)),
        stop_loss=StopLoss(stop_price=D(90), price=D(89)),
    )
    profit, stop = mapping.exits_to_native(asked, "DU1")
    assert (profit["orderType"], profit["lmtPrice"], profit["action"]) == ("LMT", "110", "SELL")
    assert (stop["orderType"], stop["auxPrice"], stop["lmtPrice"]) == ("STP LMT", "90", "89")
    assert {one["tif"] for one in (profit, stop)} == {"GTC"}
    plain = attrs.evolve(asked, stop_loss=StopLoss(stop_price=D(90)), take_profit=None)
    assert [one["orderType"] for one in mapping.exits_to_native(plain, "DU1")] == ["STP"]


CHANGES = [
    (OrderModification(price=D("5.5")), {"lmtPrice": "5.5"}),
    (OrderModification(quantity=D(3)), {"totalQuantity": "3"}),
    (OrderModification(stop_price=D(4)), {"auxPrice": "4"}),
    (OrderModification(time_in_force=TimeInForce.GTC), {"tif": "GTC", "goodTillDate": ""}),
    (
        OrderModification(time_in_force=TimeInForce.GTD, expires_at=NOW),
        {"tif": "GTD", "goodTillDate": "20260710-14:00:00"},
    ),
]


@pytest.mark.parametrize(("change", "told"), CHANGES)
def test_changes(change: OrderModification, told: dict[str, object]) -> None:
    """A change names the fields that it changes, and is there once the order has them."""
    row = order_row()
    assert mapping.change_to_native(row, change) == told
    assert not mapping.has_terms(row, told)
    names = {"lmtPrice": "price", "totalQuantity": "quantity", "auxPrice": "aux_price"}
    names["goodTillDate"] = "good_till"
    for field, value in told.items():
        setattr(row, names.get(field, field), value)
    assert mapping.has_terms(row, told)


def test_a_changed_trail_keeps_its_stop() -> None:
    """The stop of a trail as it stands is not told back."""
    row = order_row(orderType="TRAIL", auxPrice=D(2), trailStopPrice=D(98))
    fields = mapping.change_to_native(row, OrderModification(trail_amount=D(3)))
    assert fields == {"auxPrice": "3", "trailStopPrice": ""}


def execution(exec_id: str = "a.01.01", **changes: Any) -> ExecutionRow:
    """Return an execution."""
    told: dict[str, Any] = {
        "contract": ContractRow(con_id=1, symbol="AAPL", sec_type="STK"),
        "exec_id": exec_id,
        "time": "20260710-14:00:00",
        "account": "DU1",
        "side": "BOT",
        "shares": "4",
        "price": "120.5",
        "perm_id": 9,
        "order_id": 7,
        "client_id": 1,
        "total": "4",
        "average": "120.5",
        "order_ref": "ref",
        "liquidity": "2",
    }
    return ExecutionRow(**{**told, **changes})


def test_an_execution() -> None:
    """An execution tells its order, its price and its cost."""
    cost = CommissionRow(exec_id="a.01.01", amount="1.05", currency="USD")
    fill = execution_mapping.fill_from_native(execution(), cost, None, name, None)
    assert (fill.trade_id, fill.order_id, fill.client_order_id) == ("a.01.01", "9", "ref")
    assert (fill.fee, fill.fee_currency, fill.liquidity) == (D("1.05"), "USD", Liquidity.TAKER)
    assert (fill.side, fill.timestamp) == (OrderSide.BUY, NOW)
    assert execution_mapping.fill_from_native(execution(), None, None, name, None).fee is None
    naive = execution(time="20260710 23:00:00", side="SLD")
    fill = execution_mapping.fill_from_native(naive, None, "b", name, ZoneInfo("Asia/Tokyo"))
    assert (fill.side, fill.timestamp, fill.corrects) == (OrderSide.SELL, NOW, "b")
    with pytest.raises(MalformedError):
        execution_mapping.fill_from_native(execution(side="?"), None, None, name, None)


def test_corrections_and_means() -> None:
    """A correction takes the place of what it corrects, and the mean is that of the latest."""
    memory = OrderMemory()
    assert memory.take_execution(execution("x.0a.01.01"))
    assert memory.take_execution(execution("x.0b.01.01", total="6", average="120.25"))
    assert memory.take_execution(execution("x.0b.01.02", total="6", average="119"))
    assert not memory.take_execution(execution("x.0a.01.01"))
    assert memory.corrected_by("x.0b.01.02") == "x.0b.01.01"
    assert memory.corrected_by("x.0b.01.01") is None
    latest = memory.executions_of(9)
    assert [one.exec_id for one in latest] == ["x.0a.01.01", "x.0b.01.02"]
    assert execution_mapping.mean_of(latest, order_row()) == D(119)
    assert execution_mapping.mean_of([], order_row()) is None
    whole = execution(contract=ContractRow(sec_type="BAG"), average="7")
    assert execution_mapping.mean_of([whole, *latest], order_row(secType="BAG")) == D(7)


def test_a_parent_is_found_by_what_is_told() -> None:
    """The order that one waits for is known by number, by its own id, or by the group's name."""
    memory = OrderMemory()
    memory.take_order(order_row(orderId=6, permId=55))
    child = order_row(orderId=7, permId=56, parentId=6, ocaGroup="55")
    assert memory.parent_of(child) == 55
    assert OrderMemory().parent_of(child) == 55
    assert memory.parent_of(order_row(orderId=8, permId=57)) == 0
    assert OrderMemory().parent_of(order_row(parentId=6, ocaGroup="named")) == 0
