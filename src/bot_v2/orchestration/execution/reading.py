"""Reads on behalf of the executor: a read that fails is a failure, and never an empty answer."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import TypeVar

from bot_v2.features.brokerages.core.accounts import Position, PositionSide
from bot_v2.features.brokerages.core.brokerage import IBrokerage
from bot_v2.features.brokerages.core.decimals import EXACT
from bot_v2.features.brokerages.core.errors import (
    AmbiguousPositionError,
    BrokerageError,
    UnsupportedOperationError,
)
from bot_v2.features.brokerages.core.products import MarketType
from bot_v2.orchestration.execution.fingerprint import ZERO

_T = TypeVar("_T")


class ReadFailedError(BrokerageError):
    """A read did not give an answer: what it would have shown is not known."""


def read(what: str, call: Callable[[], _T]) -> _T:
    """Return what a read gives.

    Raises:
        BrokerageError: it failed; a mistake of the adapter's is one as well.
    """
    try:
        return call()
    except BrokerageError:
        raise
    except Exception as error:
        raise ReadFailedError(f"{what} failed: {type(error).__name__}: {error}") from error


def signed_quantity(position: Position) -> Decimal:
    """Return a position's quantity, below zero when it is short."""
    return position.quantity if position.side is PositionSide.LONG else -position.quantity


def read_position(broker: IBrokerage, symbol: str) -> Decimal | None:
    """Return a product's signed position, zero when flat. None: the broker keeps it otherwise.

    Raises:
        BrokerageError: the read failed.
    """
    try:
        position = read("get_position", lambda: broker.get_position(symbol))
    except UnsupportedOperationError:
        return None
    except AmbiguousPositionError:
        positions = read("list_positions", broker.list_positions)
        held = [signed_quantity(each) for each in positions if each.symbol == symbol]
        return sum_exact(held)
    return ZERO if position is None else signed_quantity(position)


def read_held(broker: IBrokerage, symbol: str) -> Decimal | None:
    """As `read_position`; of a spot product that is kept as a balance, what there is of its base.

    Raises:
        BrokerageError: a read failed.
    """
    position = read_position(broker, symbol)
    if position is not None:
        return position
    product = read("get_product", lambda: broker.get_product(symbol))
    base = product.base_currency
    if product.market_type is not MarketType.SPOT or base is None:
        return None
    return read("get_balance", lambda: broker.get_balance(base)).total


def sum_exact(amounts: list[Decimal]) -> Decimal:
    """Return an exact sum."""
    total = ZERO
    for amount in amounts:
        total = EXACT.add(total, amount)
    return total
