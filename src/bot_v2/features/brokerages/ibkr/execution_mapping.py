"""TWS's executions as fills. Pure."""

from __future__ import annotations

from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from bot_v2.features.brokerages.core.fills import Fill, Liquidity
from bot_v2.features.brokerages.core.order_terms import OrderSide
from bot_v2.features.brokerages.ibkr.contract_mapping import COMBINATION
from bot_v2.features.brokerages.ibkr.moments import moment_from_native
from bot_v2.features.brokerages.ibkr.order_mapping import Names
from bot_v2.features.brokerages.ibkr.wire import (
    CommissionRow,
    ExecutionRow,
    MalformedError,
    OrderRow,
    number,
    number_or_none,
)

EXECUTED_SIDES: Final = {"BOT": OrderSide.BUY, "SLD": OrderSide.SELL}
LIQUIDITIES: Final = {"1": Liquidity.MAKER, "2": Liquidity.TAKER}


def fill_from_native(
    row: ExecutionRow,
    commission: CommissionRow | None,
    corrected: str | None,
    names: Names,
    zone: ZoneInfo | None,
) -> Fill:
    """Return an execution.

    Args:
        row: the execution.
        commission: what it cost. None: not told yet.
        corrected: the id of the execution that it takes the place of. None: it is no correction.
        names: the symbols of contracts.
        zone: the zone of moments that name none.

    Raises:
        MalformedError: it lacks what an execution cannot be without.
    """
    side = EXECUTED_SIDES.get(row.side)
    if side is None or not row.perm_id:
        raise MalformedError(f"an execution of side {row.side!r} and order {row.perm_id}")
    return Fill(
        trade_id=row.exec_id,
        order_id=str(row.perm_id),
        client_order_id=row.order_ref or None,
        symbol=names(row.contract),
        side=side,
        quantity=number(row.shares),
        price=number(row.price),
        fee=None if commission is None else number_or_none(commission.amount),
        fee_currency=commission.currency or None if commission is not None else None,
        liquidity=LIQUIDITIES.get(row.liquidity),
        timestamp=moment_from_native(row.time, zone),
        account_id=row.account,
        corrects=corrected,
    )


def series_of(exec_id: str) -> tuple[str, int]:
    """Return what an execution shares with its corrections, and which of them it is."""
    base, _, last = exec_id.rpartition(".")
    return (base, int(last)) if base and last.isdecimal() else (exec_id, 0)


def is_whole_combination(row: ExecutionRow) -> bool:
    """Whether an execution is of a combination as a whole; its legs have their own."""
    return row.contract.sec_type == COMBINATION


def mean_of(rows: list[ExecutionRow], row: OrderRow) -> Decimal | None:
    """Return an order's mean price by its latest execution. None: there is none."""
    is_combination = row.contract.sec_type == COMBINATION
    own = [one for one in rows if is_whole_combination(one) is is_combination]
    if not own:
        return None
    latest = max(own, key=lambda one: (number(one.total), series_of(one.exec_id)[1]))
    return number_or_none(latest.average)
