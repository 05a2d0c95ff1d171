"""TWS's account values and positions as ours. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal, Inexact
from typing import Final

from bot_v2.features.brokerages.core.account_summary import AccountSummary, Margin
from bot_v2.features.brokerages.core.accounts import Balance, Position, PositionSide
from bot_v2.features.brokerages.core.decimals import EXACT, Rounding, divide
from bot_v2.features.brokerages.ibkr.order_mapping import Names
from bot_v2.features.brokerages.ibkr.wire import (
    MalformedError,
    MarginRow,
    PositionRow,
    ValueRow,
    number,
    number_or_none,
)

BASE: Final = "BASE"
"""What TWS calls the sum of all currencies."""

CASH: Final = "CashBalance"
EQUITY: Final = "NetLiquidation"

UTILIZATION_PLACES: Final = 6
"""To how many places the ratio of margin to equity is told; it is no money."""


def balances_from_native(values: Iterable[ValueRow]) -> list[Balance]:
    """Return what the account holds, by currency."""
    return [
        Balance(asset=one.currency, total=number(one.text))
        for one in values
        if one.tag == CASH and one.currency not in ("", BASE)
    ]


def summary_from_native(values: Iterable[ValueRow], account_id: str) -> AccountSummary:
    """Return the account's totals, in its base currency.

    Raises:
        MalformedError: they lack the account's worth, by which the currency is told.
    """
    by_tag = {one.tag: one for one in values if one.currency != BASE}
    worth = by_tag.get(EQUITY)
    if worth is None or not worth.currency:
        raise MalformedError(f"the account's values have no {EQUITY}")

    def amount(tag: str) -> Decimal | None:
        found = by_tag.get(tag)
        return None if found is None else number_or_none(found.text)

    equity, used = amount(EQUITY), amount("InitMarginReq")
    utilization = None
    if equity and used is not None:
        utilization = divide(used, equity, UTILIZATION_PLACES, Rounding.HALF_EVEN)
    return AccountSummary(
        account_id=account_id,
        currency=worth.currency,
        equity=equity,
        cash=amount("TotalCashValue"),
        buying_power=amount("BuyingPower"),
        margin_used=used,
        utilization=utilization,
    )


def margin_from_native(values: Iterable[ValueRow]) -> Margin:
    """Return the account's margin as it is.

    Raises:
        MalformedError: the values do not tell the currency.
    """
    listed = list(values)
    summary = summary_from_native(listed, "-")
    by_tag = {one.tag: one.text for one in listed if one.currency == summary.currency}
    return Margin(
        currency=summary.currency,
        initial_margin=summary.margin_used,
        maintenance_margin=number_or_none(by_tag.get("MaintMarginReq", "")),
        excess=number_or_none(by_tag.get("ExcessLiquidity", "")),
        buying_power=summary.buying_power,
    )


def margin_of_order(row: MarginRow, currency: str) -> Margin:
    """Return the account's margin as an order would make it."""
    equity, kept = number_or_none(row.equity_after), number_or_none(row.maintenance_after)
    both = equity is not None and kept is not None
    return Margin(
        currency=currency,
        initial_margin=number_or_none(row.initial_after),
        maintenance_margin=kept,
        excess=EXACT.subtract(equity, kept)
        if both and equity is not None and kept is not None
        else None,
    )


def position_from_native(row: PositionRow, multiplier: Decimal, names: Names) -> Position | None:
    """Return a position. None: it is flat.

    Args:
        row: the position.
        multiplier: what one unit is worth at a price of one: costs are told with it.
        names: the symbols of contracts.
    """
    quantity = number(row.quantity)
    if not quantity:
        return None
    return Position(
        symbol=names(row.contract),
        quantity=quantity.copy_abs(),
        side=PositionSide.LONG if quantity > 0 else PositionSide.SHORT,
        entry_price=_per_unit(number_or_none(row.average_cost), multiplier),
        account_id=row.account,
    )


def _per_unit(cost: Decimal | None, multiplier: Decimal) -> Decimal | None:
    """Return a cost by unit of price. None: it is not told, or no finite number of digits."""
    if cost is None or multiplier == 1:
        return cost
    try:
        return EXACT.divide(cost, multiplier)
    except Inexact:
        return None
