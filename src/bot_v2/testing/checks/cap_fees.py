"""What trading costs."""

from __future__ import annotations

from decimal import Decimal

from bot_v2.features.brokerages.core.account_summary import FeeRates
from bot_v2.features.brokerages.core.capabilities import Capability
from bot_v2.features.brokerages.core.decimals import EXACT
from bot_v2.testing.cards import Section, card
from bot_v2.testing.context import CheckContext
from bot_v2.testing.violation import expect

FEES = (Capability.FEES,)
HIGHEST = Decimal("0.1")
"""No broker charges a tenth: a higher rate is percent or basis points taken for a fraction."""
CENT = Decimal("0.01")


@card("BC-FE010", "Fee rates are fractions.", Section.MODELS, capabilities=FEES)
def _fractions(ctx: CheckContext) -> None:
    """Maker and taker, where told, are below a tenth: neither percent nor basis points."""
    rates = ctx.untyped.get_fees(ctx.symbol)
    expect(type(rates) is FeeRates, "FeeRates", rates)
    for rate in (rates.maker, rates.taker):
        expect(rate is None or -HIGHEST < rate < HIGHEST, "a fraction", rates)


@card(
    "BC-FE020",
    "What is charged is what the rates say.",
    Section.MONEY,
    capabilities=FEES,
    needs_venue=True,
)
def _charged(ctx: CheckContext) -> None:
    """The fee of a market order is the taker's rate of its value, to a cent."""
    rates = ctx.untyped.get_fees(ctx.symbol)
    if rates.taker is None or rates.per_unit or rates.minimum:
        ctx.skip("the rates are more than a fraction of the value")
    order = ctx.trade()
    if order.fees is None or order.average_fill_price is None:
        ctx.skip("the broker tells no fees or no fill price on the order")
    value = EXACT.multiply(order.filled_quantity, order.average_fill_price)
    value = EXACT.multiply(value, ctx.market.product.multiplier)
    due = EXACT.multiply(value, rates.taker)
    charged = sum((fee.amount for fee in order.fees), Decimal(0))
    expect(abs(EXACT.subtract(charged, due)) <= CENT, f"a fee of {due}", order)
