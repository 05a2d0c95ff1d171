"""What is sent is what was asked, and reads back as such."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal as D
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot_v2.features.brokerages.coinbase import order_mapping, order_wire
from bot_v2.features.brokerages.coinbase.decoding import decode
from bot_v2.features.brokerages.coinbase.terms import (
    ADVANCED,
    ADVANCED_OPTIONS,
    EXCHANGE,
    refuse_unsupported,
)
from bot_v2.features.brokerages.core.interfaces import (
    InvalidFieldError,
    InvalidRequestError,
    Leg,
    OrderRequest,
    OrderSide,
    OrderType,
    Outcome,
    PositionEffect,
    StopLoss,
    TakeProfit,
    TimeInForce,
    UnsupportedOperationError,
)
from bot_v2.features.brokerages.http.calls import Call
from tests.unit.coinbase.natives import ORDER
from tests.unit.coinbase.test_mapping import Names

CALL = Call(broker="coinbase", operation="place_order", is_write=True)
BUY = OrderRequest(symbol="BTC-USD", side=OrderSide.BUY, quantity=D("0.5"))
LIMIT = attrs.evolve(BUY, type=OrderType.LIMIT, price=D("41000.10"))
END = datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC)


def _sent(request: OrderRequest) -> dict[str, Any]:
    refuse_unsupported(request, ADVANCED, ADVANCED_OPTIONS, CALL)
    return order_mapping.order_to_native(request, "BTC-USD", "id-1")


@pytest.mark.parametrize(
    ("changes", "configuration"),
    [
        ({}, {"market_market_ioc": {"base_size": "0.5"}}),
        (
            {"quantity": None, "notional": D("10.50")},
            {"market_market_ioc": {"quote_size": "10.50"}},
        ),
        (
            {"type": OrderType.LIMIT, "price": D(4)},
            {"limit_limit_gtc": {"base_size": "0.5", "limit_price": "4"}},
        ),
        (
            {"type": OrderType.LIMIT, "price": D(4), "post_only": True},
            {"limit_limit_gtc": {"base_size": "0.5", "limit_price": "4", "post_only": True}},
        ),
        (
            {"type": OrderType.LIMIT, "price": D(4), "time_in_force": TimeInForce.IOC},
            {"sor_limit_ioc": {"base_size": "0.5", "limit_price": "4"}},
        ),
        (
            {"type": OrderType.LIMIT, "price": D(4), "time_in_force": TimeInForce.FOK},
            {"limit_limit_fok": {"base_size": "0.5", "limit_price": "4"}},
        ),
        (
            {
                "type": OrderType.LIMIT,
                "price": D(4),
                "time_in_force": TimeInForce.GTD,
                "expires_at": END,
            },
            {
                "limit_limit_gtd": {
                    "base_size": "0.5",
                    "limit_price": "4",
                    "end_time": "2026-05-06T07:08:09Z",
                }
            },
        ),
        (
            {"type": OrderType.STOP_LIMIT, "price": D(4), "stop_price": D(3)},
            {
                "stop_limit_stop_limit_gtc": {
                    "base_size": "0.5",
                    "limit_price": "4",
                    "stop_price": "3",
                    "stop_direction": "STOP_DIRECTION_STOP_UP",
                }
            },
        ),
        (
            {
                "type": OrderType.LIMIT,
                "price": D(4),
                "broker_options": {"stop_trigger_price": D("3.0")},
            },
            {
                "trigger_bracket_gtc": {
                    "base_size": "0.5",
                    "limit_price": "4",
                    "stop_trigger_price": "3.0",
                }
            },
        ),
    ],
)
def test_each_kind_of_order_has_its_configuration(
    changes: dict[str, Any], configuration: dict[str, Any]
) -> None:
    """Nothing is sent that was not asked for."""
    body = _sent(attrs.evolve(BUY, **changes))
    assert body == {
        "client_order_id": "id-1",
        "product_id": "BTC-USD",
        "side": "BUY",
        "order_configuration": configuration,
    }


def test_a_stop_to_sell_waits_for_a_fall() -> None:
    """The direction follows from the side."""
    stop = attrs.evolve(
        BUY, side=OrderSide.SELL, type=OrderType.STOP_LIMIT, price=D(3), stop_price=D(4)
    )
    terms = order_mapping.configuration_to_native(stop)["stop_limit_stop_limit_gtc"]
    assert terms["stop_direction"] == "STOP_DIRECTION_STOP_DOWN"


def test_the_exits_of_a_bracket_are_attached() -> None:
    """Both prices, and no size of their own."""
    asked = attrs.evolve(
        LIMIT, take_profit=TakeProfit(price=D(50000)), stop_loss=StopLoss(stop_price=D(30000))
    )
    assert _sent(asked)["attached_order_configuration"] == {
        "trigger_bracket_gtc": {"limit_price": "50000", "stop_trigger_price": "30000"}
    }


def test_leverage_and_margin_are_options_of_the_order() -> None:
    """They are sent beside the configuration."""
    body = _sent(attrs.evolve(LIMIT, broker_options={"leverage": D(3), "margin_type": "ISOLATED"}))
    assert (body["leverage"], body["margin_type"]) == ("3", "ISOLATED")


def test_a_tiny_number_is_written_plainly() -> None:
    """`str` of it would be 1E-8, which the API does not read."""
    terms = order_mapping.configuration_to_native(attrs.evolve(BUY, quantity=D("1E-8")))
    assert terms == {"market_market_ioc": {"base_size": "0.00000001"}}


@given(
    side=st.sampled_from(OrderSide),
    kind=st.sampled_from(sorted(order_mapping.CONFIGURATIONS)),
    numbers=st.tuples(*[st.decimals(min_value="1e-12", max_value="1e12", places=12)] * 3),
)
def test_an_order_reads_back_as_it_was_asked(
    side: OrderSide, kind: tuple[OrderType, TimeInForce], numbers: tuple[D, D, D]
) -> None:
    """Type, time in force and numbers survive the way there and back."""
    order_type, time_in_force = kind
    is_stop = order_type is OrderType.STOP_LIMIT
    request = OrderRequest(
        symbol="BTC-USD",
        side=side,
        type=order_type,
        quantity=numbers[0],
        price=None if order_type is OrderType.MARKET else numbers[1],
        stop_price=numbers[2] if is_stop else None,
        time_in_force=time_in_force,
        expires_at=END if time_in_force is TimeInForce.GTD else None,
    )
    native = {**ORDER, **order_mapping.order_to_native(request, "BTC-USD", "id-1")}
    order = order_mapping.order_from_native(
        decode(json.dumps(native).encode(), order_wire.Order), Names(), "acc"
    )
    for name in ("side", "type", "quantity", "price", "stop_price", "time_in_force", "expires_at"):
        assert getattr(order, name) == getattr(request, name), name


EXITS = {
    "take_profit": TakeProfit(price=D(50000)),
    "stop_loss": StopLoss(stop_price=D(30000)),
}


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("type", {"type": OrderType.STOP, "price": None, "stop_price": D(3)}),
        (
            "type",
            {"type": OrderType.TRAILING_STOP, "price": None, "trail_amount": D(3)},
        ),
        ("time_in_force", {"time_in_force": TimeInForce.DAY}),
        ("time_in_force", {"type": OrderType.MARKET, "price": None, "time_in_force": "gtc"}),
        ("notional", {"quantity": None, "notional": D(5)}),
        (
            "notional",
            {
                "type": OrderType.MARKET,
                "price": None,
                "side": OrderSide.SELL,
                "quantity": None,
                "notional": D(5),
            },
        ),
        ("take_profit", {"take_profit": EXITS["take_profit"]}),
        ("stop_loss", {**EXITS, "stop_loss": StopLoss(stop_price=D(30000), price=D(1))}),
        ("stop_loss", {**EXITS, "time_in_force": TimeInForce.FOK}),
        ("position_effect", {"position_effect": PositionEffect.OPEN}),
        ("reduce_only", {"reduce_only": True}),
        ("extended_hours", {"extended_hours": True}),
        ("legs", {"legs": (Leg(symbol="BTC-USD", side=OrderSide.BUY),)}),
    ],
)
def test_what_the_api_does_not_take_is_refused_by_name(field: str, changes: dict[str, Any]) -> None:
    """Nothing is changed in silence, and nothing is sent."""
    if changes.get("time_in_force") == "gtc":
        changes = {**changes, "time_in_force": TimeInForce.GTC}
    request = attrs.evolve(LIMIT, **changes)
    with pytest.raises(UnsupportedOperationError, match=field) as caught:
        refuse_unsupported(request, ADVANCED, ADVANCED_OPTIONS, CALL)
    assert caught.value.outcome is Outcome.NOT_SENT


@pytest.mark.parametrize(
    "options",
    [
        {"no_such_option": 1},
        {"leverage": "many"},
        {"leverage": D(0)},
        {"margin_type": "cross"},
        {"stop_trigger_price": "NaN"},
        {"stop_trigger_price": True},
    ],
)
def test_an_option_that_makes_no_sense_is_refused(options: dict[str, Any]) -> None:
    """Options are checked as strictly as fields."""
    with pytest.raises(InvalidFieldError) as caught:
        refuse_unsupported(
            attrs.evolve(LIMIT, broker_options=options), ADVANCED, ADVANCED_OPTIONS, CALL
        )
    assert caught.value.outcome is Outcome.NOT_SENT


@pytest.mark.parametrize(
    "changes",
    [
        {"time_in_force": TimeInForce.FOK},
        {"post_only": True},
        EXITS,
        {"type": OrderType.MARKET, "price": None},
    ],
)
def test_a_stop_beside_a_limit_needs_a_limit_that_rests(changes: dict[str, Any]) -> None:
    """An exit with two prices is a limit order, and nothing else at once."""
    request = attrs.evolve(LIMIT, broker_options={"stop_trigger_price": "3"}, **changes)
    with pytest.raises(InvalidRequestError):
        refuse_unsupported(request, ADVANCED, ADVANCED_OPTIONS, CALL)


@pytest.mark.parametrize(
    "changes",
    [
        {"time_in_force": TimeInForce.GTD, "expires_at": END},
        EXITS,
        {"quantity": None, "notional": D(5)},
        {"broker_options": {"leverage": "3"}},
    ],
)
def test_the_exchange_api_takes_less(changes: dict[str, Any]) -> None:
    """It has no end by date, no bracket and no options."""
    with pytest.raises(InvalidRequestError):
        refuse_unsupported(attrs.evolve(LIMIT, **changes), EXCHANGE, (), CALL)
