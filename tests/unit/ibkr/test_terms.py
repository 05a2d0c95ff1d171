"""What is refused by name before anything is sent."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from bot_v2.features.brokerages.core.interfaces import (
    BrokerageError,
    InvalidFieldError,
    Leg,
    OrderModification,
    OrderRequest,
    OrderSide,
    OrderType,
    PositionEffect,
    StopLoss,
    TakeProfit,
    TimeInForce,
    UnsupportedOperationError,
)
from bot_v2.features.brokerages.http.calls import Call
from bot_v2.features.brokerages.ibkr.terms import refuse_unsupported, refuse_unsupported_change

D = Decimal
CALL = Call(broker="ibkr", operation="place_order", is_write=True, client_order_id="ref")
LEGS = tuple(
    Leg(symbol=f"AAPL-20280121-{strike}-C", side=side)
    for strike, side in ((170, OrderSide.BUY), (180, OrderSide.SELL))
)
PROFIT, STOP = TakeProfit(price=D(200)), StopLoss(stop_price=D(100))
ENDS = datetime(2026, 11, 20, 15, tzinfo=UTC)


def asked(kind: OrderType = OrderType.LIMIT, **changes: Any) -> OrderRequest:
    """Return a request of a type."""
    prices: dict[OrderType, dict[str, Decimal]] = {
        OrderType.MARKET: {},
        OrderType.LIMIT: {"price": D(120)},
        OrderType.STOP: {"stop_price": D(130)},
        OrderType.STOP_LIMIT: {"stop_price": D(130), "price": D(131)},
        OrderType.TRAILING_STOP: {"trail_amount": D(2)},
    }
    given = {"symbol": "AAPL", "side": OrderSide.BUY, "quantity": D(4), "type": kind}
    return OrderRequest(**{**given, **prices[kind], **changes})


def refusal_of(act: Callable[[], None]) -> BrokerageError | None:
    """Return what is said against a request. None: nothing."""
    try:
        act()
    except BrokerageError as error:
        return error
    return None


TIMES = {
    OrderType.MARKET: "GTC DAY IOC GTD OPG CLS",
    OrderType.LIMIT: "GTC DAY IOC FOK GTD OPG CLS",
    OrderType.STOP: "GTC DAY GTD",
    OrderType.STOP_LIMIT: "GTC DAY GTD",
    OrderType.TRAILING_STOP: "GTC DAY GTD",
}


@pytest.mark.parametrize("kind", TIMES)
def test_times_in_force(kind: OrderType) -> None:
    """Of each type those times in force are taken that the broker has, and no other."""
    for time in TimeInForce:
        if time is TimeInForce.OTHER:
            continue
        ends = ENDS if time is TimeInForce.GTD else None
        request = asked(kind, time_in_force=time, expires_at=ends)
        error = refusal_of(lambda request=request: refuse_unsupported(request, CALL))  # type: ignore[misc] # bound at once
        assert (error is None) is (time.name in TIMES[kind].split()), time
        assert error is None or "time_in_force" in error.message


REFUSED: dict[str, tuple[OrderRequest, str]] = {
    # what is asked for, and the field that is named
    "a moment within a second": (
        asked(time_in_force=TimeInForce.GTD, expires_at=ENDS.replace(microsecond=1)),
        "expires_at",
    ),
    "a notional": (asked(OrderType.MARKET, quantity=None, notional=D(100)), "notional"),
    "a stop out of hours": (asked(OrderType.STOP, extended_hours=True), "extended_hours"),
    "a combination of one": (asked(legs=LEGS[:1]), "legs"),
    "a combination at the close": (asked(legs=LEGS, time_in_force=TimeInForce.CLS), "legs"),
    "a combination as a stop": (asked(OrderType.STOP, legs=LEGS), "legs"),
    "a leg in parts": (
        asked(legs=(LEGS[0], Leg(symbol=LEGS[1].symbol, side=OrderSide.SELL, ratio=D("1.5")))),
        "legs",
    ),
    "a leg that opens": (
        asked(
            legs=(
                LEGS[0],
                Leg(
                    symbol=LEGS[1].symbol,
                    side=OrderSide.SELL,
                    position_effect=PositionEffect.OPEN,
                ),
            )
        ),
        "position_effect",
    ),
    "exits of a combination": (asked(legs=LEGS, take_profit=PROFIT), "take_profit"),
    "exits of what is immediate": (
        asked(take_profit=PROFIT, stop_loss=STOP, time_in_force=TimeInForce.IOC),
        "take_profit",
    ),
    "exits of a trail": (asked(OrderType.TRAILING_STOP, stop_loss=STOP), "take_profit"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name: str) -> None:
    """What cannot be asked for is refused, with the field and the order's id."""
    request, field = REFUSED[name]
    error = refusal_of(lambda: refuse_unsupported(request, CALL))
    assert isinstance(error, UnsupportedOperationError)
    assert field in error.message
    assert "accepted" in error.message
    assert error.client_order_id == "ref"


TAKEN = {
    "out of hours": asked(extended_hours=True),
    "a combination": asked(legs=LEGS),
    "a bracket": asked(OrderType.STOP_LIMIT, take_profit=PROFIT, stop_loss=STOP),
    "one exit": asked(OrderType.MARKET, stop_loss=STOP),
    "a whole second": asked(time_in_force=TimeInForce.GTD, expires_at=ENDS),
}


@pytest.mark.parametrize("name", TAKEN)
def test_what_is_taken(name: str) -> None:
    """What can be asked for is not refused."""
    assert refusal_of(lambda: refuse_unsupported(TAKEN[name], CALL)) is None


def test_options_of_the_broker() -> None:
    """An option that there is not is named."""
    error = refusal_of(lambda: refuse_unsupported(asked(broker_options={"fast": True}), CALL))
    assert isinstance(error, InvalidFieldError)
    assert (error.field, error.value) == ("OrderRequest.broker_options", "fast")


@pytest.mark.parametrize("time", TimeInForce)
def test_changes_of_the_time_in_force(time: TimeInForce) -> None:
    """A time in force is changed to one in which an order rests, and to no other."""
    if time is TimeInForce.OTHER:
        return
    ends = ENDS if time is TimeInForce.GTD else None
    change = OrderModification(time_in_force=time, expires_at=ends)
    error = refusal_of(lambda: refuse_unsupported_change(change, CALL))
    rests = time in (TimeInForce.DAY, TimeInForce.GTC, TimeInForce.GTD)
    assert (error is None) is rests
    assert error is None or time.name in error.message


def test_changes_of_the_id() -> None:
    """A client id stays that of the order."""
    change = OrderModification(client_order_id="other", price=D(1))
    error = refusal_of(lambda: refuse_unsupported_change(change, CALL))
    assert isinstance(error, UnsupportedOperationError)
    assert "client_order_id" in error.message
    assert (
        refusal_of(lambda: refuse_unsupported_change(OrderModification(price=D(1)), CALL)) is None
    )
