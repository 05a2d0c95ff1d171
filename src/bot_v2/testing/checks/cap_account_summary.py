"""The account at a glance: its figures agree."""

from __future__ import annotations

from decimal import Decimal

from bot_v2.features.brokerages.core.account_summary import AccountSummary
from bot_v2.features.brokerages.core.capabilities import Capability
from bot_v2.features.brokerages.core.decimals import EXACT
from bot_v2.testing.cards import Section, card
from bot_v2.testing.context import CheckContext
from bot_v2.testing.violation import expect, expect_equal

SUMMARY = (Capability.ACCOUNT_SUMMARY,)
TOLERANCE = Decimal("0.0001")


@card(
    "BC-AS010",
    "get_account() is of the bound account, in one currency.",
    Section.MEANING,
    capabilities=SUMMARY,
)
def _account(ctx: CheckContext) -> None:
    """It is an AccountSummary with the id that get_account_id() returns."""
    summary = ctx.untyped.get_account()
    expect(type(summary) is AccountSummary, "an AccountSummary", summary)
    expect_equal(summary.account_id, ctx.broker.get_account_id(), "the account id")
    expect(bool(summary.currency), "a currency", summary)


@card("BC-AS020", "Utilization is margin used over equity.", Section.MODELS, capabilities=SUMMARY)
def _utilization(ctx: CheckContext) -> None:
    """It is recomputed from the two, and differs by rounding at most."""
    ctx.place_resting()
    summary = ctx.untyped.get_account()
    figures = (summary.utilization, summary.margin_used, summary.equity)
    if None in figures or not summary.equity:
        ctx.skip("the broker does not tell utilization, margin used and equity")
    product = EXACT.multiply(summary.utilization, summary.equity)
    off = abs(EXACT.subtract(product, summary.margin_used))
    allowed = EXACT.multiply(TOLERANCE, abs(summary.equity))
    expect(off <= allowed, "utilization to be margin_used over equity", summary)


@card(
    "BC-AS030",
    "Equity is cash and what is held.",
    Section.MONEY,
    capabilities=SUMMARY,
    needs_venue=True,
)
def _equity(ctx: CheckContext) -> None:
    """After a purchase, cash and market values are added up where the broker tells them all."""
    if not ctx.market.is_cash_like:
        ctx.skip("the traded product is not paid in full")
    ctx.trade()
    summary = ctx.untyped.get_account()
    values = [one.market_value for one in ctx.broker.list_positions()]
    if summary.equity is None or summary.cash is None or not values or None in values:
        ctx.skip("the broker does not tell equity, cash and every market value")
    total = sum((one for one in values if one is not None), summary.cash)
    off = abs(EXACT.subtract(summary.equity, total))
    expect(off <= EXACT.multiply(TOLERANCE, abs(total)), f"an equity of {total}", summary)


@card(
    "BC-AS040",
    "A resting order does not make more buying power.",
    Section.MONEY,
    capabilities=SUMMARY,
)
def _buying_power(ctx: CheckContext) -> None:
    """Buying power before and after is compared; equity does not change by placing."""
    _ = ctx.symbol
    before = ctx.untyped.get_account()
    ctx.place_resting()
    after = ctx.untyped.get_account()
    if before.buying_power is not None and after.buying_power is not None:
        expect(after.buying_power <= before.buying_power, "no more buying power", after)
    if ctx.has_venue:
        expect_equal(after.equity, before.equity, "the equity")


@card(
    "BC-AS050",
    "Cash is the balance of the account's currency.",
    Section.MONEY,
    capabilities=SUMMARY,
)
def _cash(ctx: CheckContext) -> None:
    """Where the account keeps one balance of its currency, it is the cash."""
    summary = ctx.untyped.get_account()
    balances = [one for one in ctx.broker.list_balances() if one.asset == summary.currency]
    if summary.cash is None or len(balances) != 1:
        ctx.skip("the broker tells no cash, or several balances of the currency")
    expect_equal(summary.cash, balances[0].total, "the cash")
