"""What TWS says, as typed records: of each message the fields that are needed, numbers as texts.

A number stays the text that came over the socket until a mapping reads it: TWS's own client would
make it a float. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final, TypeAlias

import msgspec

from bot_v2.features.brokerages.core.decimals import decimal_from_text
from bot_v2.features.brokerages.core.errors import InvalidFieldError

Fields: TypeAlias = Sequence[str]
"""A message as it was split: the first is the number of its kind."""

TRUSTED_MAX: Final = 8192
"""How many of the latest number texts are remembered: most numbers of a list come often."""

UNSET: Final = frozenset({"", "1.7976931348623157E308", "1.7976931348623157e+308", "2147483647"})
"""What stands for no number."""

NO_REQUEST: Final = -1
"""The id of what belongs to no request."""

STRIKE_UNSET: Final = frozenset({"", "0", "0.0"})


class MalformedError(ValueError):
    """What TWS sent is not what it documents."""


class Wire(msgspec.Struct, gc=False, kw_only=True):
    """Base of the records, which are not changed once they are made."""


class LegRow(Wire):
    """A leg of a combination."""

    con_id: int
    ratio: str
    action: str


class ContractRow(Wire):
    """What is traded."""

    con_id: int = 0
    symbol: str = ""
    sec_type: str = ""
    expiry: str = ""
    strike: str = ""
    right: str = ""
    multiplier: str = ""
    exchange: str = ""
    primary: str = ""
    currency: str = ""
    local_symbol: str = ""
    trading_class: str = ""
    legs: tuple[LegRow, ...] = ()


class DetailsRow(Wire):
    """A contract, and what is known of it."""

    contract: ContractRow
    min_tick: str = ""
    price_magnifier: str = ""
    exchanges: str = ""
    rule_ids: str = ""
    under_symbol: str = ""
    under_sec_type: str = ""
    long_name: str = ""
    real_expiry: str = ""
    zone: str = ""
    trading_hours: str = ""
    liquid_hours: str = ""
    min_size: str = ""
    size_increment: str = ""


class OrderRow(Wire):
    """An order, as openOrder and completedOrder tell it."""

    contract: ContractRow
    perm_id: int
    order_id: int = 0
    client_id: int = 0
    account: str = ""
    order_ref: str = ""
    action: str = ""
    quantity: str = ""
    type: str = ""
    price: str = ""
    aux_price: str = ""
    tif: str = ""
    good_till: str = ""
    oca_group: str = ""
    parent_id: int = 0
    parent_perm_id: int = 0
    outside_rth: bool = False
    trail_stop: str = ""
    trail_percent: str = ""
    status: str = ""
    filled: str = ""
    """Of an ended order; empty: it lives."""
    completed_time: str = ""
    completed_status: str = ""

    @property
    def has_ended(self) -> bool:
        """Whether it came as an ended order."""
        return bool(self.completed_status or self.completed_time)


class StatusRow(Wire):
    """How far an order is."""

    order_id: int
    status: str
    filled: str
    remaining: str
    average: str
    perm_id: int
    client_id: int
    why_held: str


class MarginRow(Wire):
    """What an order would do to the account."""

    initial_after: str
    maintenance_after: str
    equity_after: str
    commission: str
    commission_currency: str
    warning: str


class ExecutionRow(Wire):
    """An execution."""

    contract: ContractRow
    exec_id: str
    time: str
    account: str
    side: str
    shares: str
    price: str
    perm_id: int
    order_id: int
    client_id: int
    total: str
    average: str
    order_ref: str
    liquidity: str


class CommissionRow(Wire):
    """What an execution cost."""

    exec_id: str
    amount: str
    currency: str


class PositionRow(Wire):
    """A position."""

    account: str
    contract: ContractRow
    quantity: str
    average_cost: str


class ValueRow(Wire):
    """A value of an account."""

    account: str
    tag: str
    text: str
    currency: str


class BarRow(Wire):
    """A bar."""

    date: str
    open: str
    high: str
    low: str
    close: str
    volume: str


class ErrorRow(Wire):
    """An error, a warning, or news in the form of one."""

    request_id: int
    code: int
    text: str


class NativeOrder:
    """An order and its contract as the vendor's client has them: what a change starts from."""

    __slots__ = ("contract", "order")

    def __init__(self, contract: Any, order: Any) -> None:
        """Keep both."""
        self.contract = contract
        self.order = order


_number: Callable[[str], Decimal] = lru_cache(maxsize=TRUSTED_MAX)(decimal_from_text)


def number(text: str) -> Decimal:
    """Return a number exactly as it was told.

    Raises:
        MalformedError: the text is no finite number.
    """
    try:
        return _number(text)
    except InvalidFieldError as error:
        raise MalformedError(f"{text!r} is no number") from error


def number_or_none(text: str) -> Decimal | None:
    """Return a number; None where TWS has none, in any of the ways in which it says so."""
    return None if text in UNSET else number(text)


def whole(text: str) -> int:
    """Return a whole number; 0 where there is none.

    Raises:
        MalformedError: it is none.
    """
    try:
        return int(text or 0)
    except ValueError as error:
        raise MalformedError(f"{text!r} is no whole number") from error


def contract_from_fields(fields: Fields, *, is_portfolio: bool = False) -> ContractRow:
    """Return the contract of a position or an execution: eleven fields in a row."""
    (con_id, symbol, kind, expiry, strike, right, multiplier, place, currency, local, group) = (
        fields
    )
    return ContractRow(
        con_id=whole(con_id),
        symbol=symbol,
        sec_type=kind,
        expiry=expiry,
        strike=strike,
        right=right,
        multiplier=multiplier,
        exchange="" if is_portfolio else place,
        primary=place if is_portfolio else "",
        currency=currency,
        local_symbol=local,
        trading_class=group,
    )


def execution_from_fields(fields: Fields) -> tuple[int, ExecutionRow]:
    """Return the request that an execution answers, and the execution."""
    _need(fields, 31)
    return whole(fields[1]), ExecutionRow(
        contract=contract_from_fields(fields[3:14]),
        exec_id=fields[14],
        time=fields[15],
        account=fields[16],
        side=fields[18],
        shares=fields[19],
        price=fields[20],
        perm_id=whole(fields[21]),
        client_id=whole(fields[22]),
        order_id=whole(fields[2]),
        total=fields[24],
        average=fields[25],
        order_ref=fields[26],
        liquidity=fields[30],
    )


def status_from_fields(fields: Fields) -> StatusRow:
    """Return how far an order is."""
    _need(fields, 11)
    return StatusRow(
        order_id=whole(fields[1]),
        status=fields[2],
        filled=fields[3],
        remaining=fields[4],
        average=fields[5],
        perm_id=whole(fields[6]),
        client_id=whole(fields[9]),
        why_held=fields[10],
    )


def commission_from_fields(fields: Fields) -> CommissionRow:
    """Return what an execution cost."""
    _need(fields, 5)
    return CommissionRow(exec_id=fields[2], amount=fields[3], currency=fields[4])


def position_from_fields(fields: Fields) -> tuple[int, PositionRow]:
    """Return the request that a position answers, and the position."""
    _need(fields, 17)
    return whole(fields[2]), PositionRow(
        account=fields[3],
        contract=contract_from_fields(fields[4:15]),
        quantity=fields[15],
        average_cost=fields[16],
    )


def value_from_fields(fields: Fields) -> tuple[int, ValueRow]:
    """Return the request that a value answers, and the value."""
    _need(fields, 8)
    return whole(fields[2]), ValueRow(
        account=fields[3], tag=fields[5], text=fields[6], currency=fields[7]
    )


def bars_from_fields(fields: Fields) -> tuple[int, list[BarRow]]:
    """Return the request that bars answer, and the bars."""
    _need(fields, 5)
    count = whole(fields[4])
    _need(fields, 5 + 8 * count)
    bars = []
    for start in range(5, 5 + 8 * count, 8):
        date, first, high, low, close, volume = fields[start : start + 6]
        bars.append(BarRow(date=date, open=first, high=high, low=low, close=close, volume=volume))
    return whole(fields[1]), bars


def increments_from_fields(fields: Fields) -> tuple[int, list[tuple[str, str]]]:
    """Return the number of a rule of price steps, and its steps: from which price, how much."""
    _need(fields, 3)
    count = whole(fields[2])
    _need(fields, 3 + 2 * count)
    return whole(fields[1]), [
        (fields[start], fields[start + 1]) for start in range(3, 3 + 2 * count, 2)
    ]


def _need(fields: Fields, count: int) -> None:
    if len(fields) < count:
        raise MalformedError(f"{len(fields)} fields instead of {count} in a message {fields[:1]}")
