"""What may be asked for: an incoherent request cannot be constructed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal as D
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot_v2.features.brokerages.core.interfaces import (
    InvalidFieldError,
    OrderRequest,
    OrderSide,
    OrderType,
    Outcome,
    StopLoss,
    TakeProfit,
    TimeInForce,
)

BUY: dict[str, Any] = {"symbol": "BTC-USD", "side": OrderSide.BUY, "quantity": D(1)}
LIMIT: dict[str, Any] = {**BUY, "type": OrderType.LIMIT, "price": D(100)}
SELL_LIMIT: dict[str, Any] = {**LIMIT, "side": OrderSide.SELL}
TRAILING: dict[str, Any] = {**BUY, "type": OrderType.TRAILING_STOP}
LATER = datetime(2026, 12, 1, tzinfo=UTC)

VALID: tuple[dict[str, Any], ...] = (
    BUY,
    {**BUY, "quantity": None, "notional": D(50)},
    LIMIT,
    {**LIMIT, "price": D("-37.63")},
    {**LIMIT, "post_only": True},
    {**LIMIT, "time_in_force": TimeInForce.GTD, "expires_at": LATER},
    {**BUY, "type": OrderType.STOP, "stop_price": D(90)},
    {**BUY, "type": OrderType.STOP_LIMIT, "stop_price": D(90), "price": D(91)},
    {**TRAILING, "trail_amount": D(5)},
    {**TRAILING, "trail_percent": D("0.5")},
    {**LIMIT, "take_profit": TakeProfit(price=D(110)), "stop_loss": StopLoss(stop_price=D(90))},
    {
        **SELL_LIMIT,
        "take_profit": TakeProfit(price=D(90)),
        "stop_loss": StopLoss(stop_price=D(110)),
    },
    {**BUY, "stop_loss": StopLoss(stop_price=D(90), price=D(89))},
)

INVALID: tuple[tuple[dict[str, Any], str, str], ...] = (
    # the request, the field that is refused, what would be accepted
    ({**BUY, "symbol": ""}, "symbol", "not empty"),
    ({**BUY, "quantity": None}, "quantity", "exactly one"),
    ({**BUY, "notional": D(1)}, "quantity", "exactly one"),
    ({**BUY, "quantity": D(0)}, "quantity", "above zero"),
    ({**BUY, "quantity": D(-1)}, "quantity", "above zero"),
    ({**BUY, "quantity": None, "notional": D(-1)}, "notional", "above zero"),
    ({**BUY, "client_order_id": ""}, "client_order_id", "not empty"),
    ({**BUY, "type": OrderType.OTHER}, "type", "reads only"),
    ({**BUY, "price": D(1)}, "price", "MARKET order has no price"),
    ({**BUY, "stop_price": D(1)}, "stop_price", "MARKET order has no stop_price"),
    ({**BUY, "type": OrderType.LIMIT}, "price", "LIMIT order needs a price"),
    ({**LIMIT, "stop_price": D(1)}, "stop_price", "LIMIT order has no stop_price"),
    ({**BUY, "type": OrderType.STOP}, "stop_price", "STOP order needs a stop_price"),
    ({**BUY, "type": OrderType.STOP_LIMIT, "price": D(1)}, "stop_price", "needs a stop_price"),
    (TRAILING, "trail_amount", "exactly one"),
    ({**TRAILING, "trail_amount": D(1), "trail_percent": D(1)}, "trail_amount", "exactly one"),
    ({**TRAILING, "trail_percent": D(100)}, "trail_percent", "below 100"),
    ({**TRAILING, "trail_amount": D(0)}, "trail_amount", "above zero"),
    ({**LIMIT, "trail_percent": D(1)}, "trail_percent", "does not trail"),
    ({**LIMIT, "trail_amount": D(1)}, "trail_amount", "does not trail"),
    ({**LIMIT, "time_in_force": TimeInForce.OTHER}, "time_in_force", "reads only"),
    ({**LIMIT, "time_in_force": TimeInForce.GTD}, "expires_at", "needs its end"),
    ({**LIMIT, "expires_at": LATER}, "expires_at", "only a GTD order"),
    ({**BUY, "post_only": True}, "post_only", "only a LIMIT"),
    ({**LIMIT, "post_only": True, "time_in_force": TimeInForce.IOC}, "post_only", "take liquidity"),
    ({**LIMIT, "take_profit": TakeProfit(price=D(100))}, "take_profit", "above the entry"),
    ({**LIMIT, "stop_loss": StopLoss(stop_price=D(100))}, "stop_loss", "below the entry"),
    ({**SELL_LIMIT, "take_profit": TakeProfit(price=D(101))}, "take_profit", "below the entry"),
    ({**SELL_LIMIT, "stop_loss": StopLoss(stop_price=D(99))}, "stop_loss", "above the entry"),
    (
        {**BUY, "take_profit": TakeProfit(price=D(9)), "stop_loss": StopLoss(stop_price=D(10))},
        "take_profit",
        "above the stop loss",
    ),
    ({**BUY, "broker_options": {"x": 0.5}}, "metadata['x']", "Decimal"),
)


@pytest.mark.parametrize("fields", VALID)
def test_a_coherent_request_is_built_as_given(fields: dict[str, Any]) -> None:
    """Nothing of what was asked is changed, rounded or filled in."""
    request = OrderRequest(**fields)
    assert {name: getattr(request, name) for name in fields} == fields


@pytest.mark.parametrize(("fields", "field", "accepted"), INVALID)
def test_an_incoherent_request_names_what_is_wrong(
    fields: dict[str, Any], field: str, accepted: str
) -> None:
    """The error names the field, the value and what would be accepted; nothing was sent."""
    with pytest.raises(InvalidFieldError) as caught:
        OrderRequest(**fields)
    assert caught.value.field.removeprefix("OrderRequest.") == field
    assert accepted in caught.value.accepted
    assert accepted in str(caught.value)
    assert caught.value.outcome is Outcome.NOT_SENT


@pytest.mark.parametrize("tif", [TimeInForce.GTC, TimeInForce.DAY, None])
def test_every_order_type_takes_no_price_that_it_does_not_use(tif: TimeInForce | None) -> None:
    """A price that would be ignored is refused, whatever the time in force."""
    with pytest.raises(InvalidFieldError, match="price"):
        OrderRequest(**{**BUY, "price": D(1), "time_in_force": tif})


def test_the_end_of_a_request_is_the_same_moment_in_utc() -> None:
    """An aware time in any zone is kept as UTC; a naive one is refused."""
    gtd = {**LIMIT, "time_in_force": TimeInForce.GTD}
    local = LATER.astimezone(timezone(timedelta(hours=-5)))
    kept = OrderRequest(**gtd, expires_at=local).expires_at
    assert kept == LATER
    assert kept is not None
    assert kept.tzinfo is UTC
    with pytest.raises(InvalidFieldError, match="aware"):
        OrderRequest(**gtd, expires_at=LATER.replace(tzinfo=None))


@given(
    quantity=st.decimals(allow_nan=False, allow_infinity=False),
    price=st.none() | st.decimals(),
    kind=st.sampled_from(OrderType),
    tif=st.none() | st.sampled_from(TimeInForce),
    post_only=st.booleans(),
)
def test_a_request_is_either_coherent_or_refused(
    quantity: D, price: D | None, kind: OrderType, tif: TimeInForce | None, post_only: bool
) -> None:
    """Whatever is asked, the answer is a request with positive size or a typed refusal."""
    try:
        request = OrderRequest(
            symbol="X",
            side=OrderSide.BUY,
            quantity=quantity,
            type=kind,
            price=price,
            time_in_force=tif,
            post_only=post_only,
        )
    except InvalidFieldError:
        return
    assert request.quantity is not None
    assert request.quantity > 0
    assert (request.price is not None) == (kind is OrderType.LIMIT)
    assert request.price is None or request.price.is_finite()
