"""Totals and margin in Coinbase's words and in ours. Pure."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import attrs

from bot_v2.features.brokerages.coinbase import order_wire, wire
from bot_v2.features.brokerages.coinbase.decoding import (
    MalformedError,
    number,
    number_or_none,
)
from bot_v2.features.brokerages.core.account_summary import AccountSummary, Margin
from bot_v2.features.brokerages.core.decimals import EXACT, Rounding, divide

UTILIZATION_PLACES: Final = 6

NOTHING: Final = Decimal(0)


def summary_from_native(native: wire.PortfolioReply) -> AccountSummary:
    """Return the totals of a portfolio of spot: what it is worth, and no more is told of it."""
    portfolio, total = native.breakdown.portfolio, native.breakdown.portfolio_balances.total_balance
    return AccountSummary(
        account_id=portfolio.uuid, currency=total.currency, equity=number(total.value)
    )


def perpetual_summary_from_native(
    native: wire.PerpetualPortfolios, portfolio_id: str, account_id: str
) -> AccountSummary:
    """Return the totals of the portfolio of perpetuals, in the currency that it settles in."""
    one = _portfolio_of(native, portfolio_id)
    summary = native.summary or wire.PerpetualSummary()
    equity = _value(one.total_balance or summary.total_balance)
    used = _value(one.portfolio_im_notional)
    share = None
    if used is not None and equity:
        share = divide(used, equity, UTILIZATION_PLACES, Rounding.HALF_EVEN)
    return AccountSummary(
        account_id=account_id,
        currency=_currency_of(one),
        equity=equity,
        cash=number_or_none(one.collateral),
        buying_power=_buying_power_of(native, one),
        margin_used=used,
        utilization=share,
    )


def margin_from_native(native: wire.PerpetualPortfolios, portfolio_id: str) -> Margin:
    """Return the margin of the portfolio of perpetuals as it is."""
    one = _portfolio_of(native, portfolio_id)
    return Margin(
        currency=_currency_of(one),
        initial_margin=_value(one.portfolio_im_notional),
        maintenance_margin=_value(one.portfolio_mm_notional),
        excess=number_or_none(one.liquidation_buffer),
        buying_power=_buying_power_of(native, one),
    )


def order_margin_from_native(native: order_wire.Preview) -> Decimal | None:
    """Return what an order needs of margin. None: that is not told."""
    return number_or_none(native.order_margin_total)


def margin_with_order(now: Margin, more: Decimal | None) -> Margin:
    """Return the margin as an order would make it: Coinbase tells what the order itself needs."""
    initial, power = now.initial_margin, now.buying_power
    if more is None:
        return Margin(currency=now.currency)
    return attrs.evolve(
        now,
        initial_margin=None if initial is None else EXACT.add(initial, more),
        # What the order would do to these is not told.
        maintenance_margin=None,
        excess=None,
        buying_power=None if power is None else max(EXACT.subtract(power, more), NOTHING),
    )


def _portfolio_of(native: wire.PerpetualPortfolios, portfolio_id: str) -> wire.PerpetualPortfolio:
    for one in native.portfolios:
        if one.portfolio_uuid == portfolio_id:
            return one
    raise MalformedError("the portfolio of perpetuals is not among those that are told")


def _currency_of(one: wire.PerpetualPortfolio) -> str:
    amounts = (one.total_balance, one.portfolio_im_notional, one.portfolio_mm_notional)
    told = {amount.currency for amount in amounts if amount is not None}
    if len(told) != 1:
        raise MalformedError(f"amounts in one currency were expected, and these are told: {told}")
    return told.pop()


def _buying_power_of(
    native: wire.PerpetualPortfolios, one: wire.PerpetualPortfolio
) -> Decimal | None:
    summary = native.summary or wire.PerpetualSummary()
    return _value(one.buying_power or summary.buying_power)


def _value(amount: wire.Amount | None) -> Decimal | None:
    return None if amount is None else number(amount.value)
