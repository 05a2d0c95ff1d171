"""Broken positions, and broken closes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from bot_v2.features.brokerages.core.accounts import Position, PositionSide
from bot_v2.features.brokerages.core.decimals import Rounding
from bot_v2.features.brokerages.core.errors import (
    InvalidRequestError,
    InvalidSymbolError,
    UnsupportedOperationError,
)
from bot_v2.features.brokerages.core.increments import quantize_quantity
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.order_status import LIVE_STATUSES
from bot_v2.features.brokerages.core.order_terms import OrderSide, PositionEffect
from bot_v2.features.brokerages.core.orders import OrderResult
from tests.contract.broken.alterations import (
    forged,
    on_error,
    returned,
)
from tests.contract.broken.entry import Broken
from tests.contract.broken.healthy import BALANCES, BUCKETS, MARGIN, PAPER

NOTHING: Final = OrderResult(success=True, order_id="nothing", client_order_id="nothing")


def _flat(symbol: str) -> Any:
    whole = Position(symbol=symbol, side=PositionSide.LONG, quantity=Decimal(1), account_id="paper")
    return forged(whole, quantity=Decimal(0))


def _zero_when_flat(_: Any, real: Any, symbol: str) -> Any:
    return real(symbol) or _flat(symbol)


def _never_gone(broker: Any, real: Any, symbol: str) -> Any:
    position = real(symbol)
    known = broker.__dict__.setdefault("known", {})
    if position is not None:
        known[symbol] = position
    return position or (_flat(symbol) if symbol in known else None)


def _sells(factor: str, times: int = 1) -> Any:
    """Close by plain orders for a part, or a multiple, of the position."""

    def instead(broker: Any, real: Any, symbol: str) -> Any:
        position = broker.get_position(symbol)
        if position is None:
            return real(symbol)
        wanted = position.quantity * Decimal(factor)
        quantity = quantize_quantity(broker.get_product(symbol), wanted, Rounding.DOWN)
        request = OrderRequest(symbol=symbol, side=OrderSide.SELL, quantity=quantity)
        return [broker.place_order(request) for _ in range(times)][-1]

    return instead


def _turns(broker: Any, real: Any, symbol: str) -> Any:
    """Close, and open the same on the other side."""
    position = broker.get_position(symbol)
    result = real(symbol)
    broker.place_order(
        OrderRequest(
            symbol=symbol,
            side=OrderSide.SELL,
            quantity=position.quantity,
            position_effect=PositionEffect.OPEN,
        )
    )
    return result


def _last_price(broker: Any, real: Any, symbol: str) -> Any:
    position = real(symbol)
    if position is None:
        return None
    fills = [fill for fill in broker.list_fills() if fill.symbol == symbol]
    return forged(position, entry_price=fills[-1].price)


def _with_resting(broker: Any, real: Any) -> Any:
    waiting = [
        Position(
            symbol=order.symbol,
            side=PositionSide.LONG,
            quantity=order.quantity,
            account_id=order.account_id,
        )
        for order in broker.list_orders()
        if order.status in LIVE_STATUSES
    ]
    return real() + waiting


def _in_thousands(position: Any) -> Any:
    value = position.market_value
    return forged(position, market_value=value and value / 1000)


def _without_sign(position: Any) -> Any:
    profit = position.unrealized_pnl
    return forged(position, unrealized_pnl=profit and -profit)


def _or_none(change: Any) -> Any:
    return returned(lambda position: None if position is None else change(position))


BROKEN: Final = (
    Broken(
        name="flat is zero",
        fault="A flat symbol is a position with a quantity of 0.",
        on=PAPER,
        alter={"get_position": _zero_when_flat},
        caught_by={"BC-P010": "None; saw Position("},
    ),
    Broken(
        name="an unknown symbol is flat",
        fault="get_position() of an unknown symbol is None.",
        on=PAPER,
        alter={"get_position": on_error(InvalidSymbolError, lambda _: None)},
        caught_by={"BC-P020": "InvalidSymbolError from get_position"},
        catalogue=("V12",),
    ),
    Broken(
        name="long is short",
        fault="A long position is told as a short one.",
        on=PAPER,
        alter={"get_position": _or_none(lambda one: forged(one, side=PositionSide.SHORT))},
        caught_by={"BC-P030": "the side to be"},
    ),
    Broken(
        name="two stories of a position",
        fault="get_position() does not tell the entry price that list_positions() tells.",
        on=PAPER,
        alter={"get_position": _or_none(lambda one: forged(one, entry_price=None))},
        caught_by={"BC-P040": "the positions listed for the symbol to be"},
    ),
    Broken(
        name="holdings counted twice",
        fault="Holdings and day positions are listed beside each other.",
        on=PAPER,
        alter={"list_positions": returned(lambda positions: positions * 2)},
        caught_by={
            "BC-P050": "each position once",
            "BC-P040": "the positions listed for the symbol to be",
        },
    ),
    Broken(
        name="closing nothing succeeds",
        fault="close_position() of a flat symbol returns success.",
        on=PAPER,
        alter={"close_position": on_error(InvalidRequestError, lambda _: NOTHING)},
        caught_by={
            "BC-P060": "InvalidRequestError from closing a flat position",
            "BC-P020": "InvalidSymbolError from close_position",
        },
    ),
    Broken(
        name="half closed",
        fault="close_position() sells half of the position.",
        on=PAPER,
        alter={"close_position": _sells("0.5")},
        caught_by={"BC-P070": "what it sold to be"},
    ),
    Broken(
        name="a close that turns",
        fault="close_position() sells twice what is held, without reduce-only.",
        on=MARGIN,
        alter={"close_position": _turns},
        caught_by={"BC-P070": "no position after the close"},
        catalogue=("S14",),
    ),
    Broken(
        name="closed by two orders",
        fault="close_position() sends two orders for a half each.",
        on=PAPER,
        alter={"close_position": _sells("0.5", times=2)},
        caught_by={"BC-P080": "one order at the venue", "BC-P070": "what it sold to be"},
    ),
    Broken(
        name="a position that stays",
        fault="What was sold stays as a position with a quantity of 0.",
        on=PAPER,
        alter={"get_position": _never_gone},
        caught_by={
            "BC-P090": "no position after the sale",
            "BC-P070": "no position after the close",
        },
    ),
    Broken(
        name="the latest price for the entry",
        fault="The entry price is that of the latest trade.",
        on=PAPER,
        alter={"get_position": _last_price},
        caught_by={"BC-P100": "the entry price after a second purchase to be"},
    ),
    Broken(
        name="a value in thousands",
        fault="The market value is told in thousands.",
        on=PAPER,
        alter={"get_position": _or_none(_in_thousands)},
        caught_by={"BC-P110": "a market value of 68.626296000"},
        catalogue=("P16",),
    ),
    Broken(
        name="a loss for a profit",
        fault="Unrealized profit has the other sign.",
        on=PAPER,
        alter={"get_position": _or_none(_without_sign)},
        caught_by={"BC-P110": "an unrealized profit of 11.409136000"},
    ),
    Broken(
        name="a coin is flat",
        fault="get_position() of a coin that is kept as a balance is None.",
        on=BALANCES,
        alter={"get_position": on_error(UnsupportedOperationError, lambda _: None)},
        caught_by={"BC-P120": "UnsupportedOperationError from get_position of a spot asset"},
    ),
    Broken(
        name="an entry that moves",
        fault="The entry price changes when a part is sold.",
        on=PAPER,
        alter={
            "get_position": _or_none(
                lambda one: forged(one, entry_price=one.entry_price - one.quantity)
            )
        },
        caught_by={"BC-P130": "the entry price to be"},
    ),
    Broken(
        name="an order taken for a position",
        fault="An order that rests is listed as a position.",
        on=PAPER,
        alter={"list_positions": _with_resting},
        caught_by={"BC-P140": "the positions to be"},
    ),
    Broken(
        name="the first bucket",
        fault="get_position() of a symbol in two buckets returns the first.",
        on=BUCKETS,
        alter={
            "get_position": lambda broker, _, symbol: next(
                (one for one in broker.list_positions() if one.symbol == symbol), None
            )
        },
        caught_by={"BC-HO020": "AmbiguousPositionError from get_position"},
    ),
)
