"""What an order would tie up, by the rules that Alpaca tells. Pure.

An estimate: Alpaca has no preview. It is worked out from the initial margin of Regulation T, the
asset's own maintenance requirement, and the price that orders are reserved by.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from bot_v2.features.brokerages.core.account_summary import Margin
from bot_v2.features.brokerages.core.decimals import EXACT
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.order_terms import OrderSide
from bot_v2.features.brokerages.core.products import MarketType, Product

HALF: Final = Decimal("0.5")
"""The least to have of a stock when it is bought."""
WHOLE: Final = Decimal(1)
PERCENT: Final = Decimal("0.01")
MAINTENANCE_PERCENT: Final = Decimal(30)
"""What is to be kept of a stock of which the broker does not say it."""
CHEAP: Final = Decimal("2.5")
"""Below this price a stock is to be kept in full."""
MARKET_BUFFER: Final = Decimal("1.03")
"""What a market order is reserved by, of the price now."""


def margin_with(
    margin: Margin, product: Product, request: OrderRequest, price: Decimal, held: Decimal
) -> Margin:
    """Return the margin of an account as an order would make it.

    Args:
        margin: as it is now.
        product: what is traded.
        request: the order.
        price: the price now, in quote currency.
        held: what is held of it, below zero where it is short.
    """
    value = _opened_value(product, request, price, held)
    rate = _maintenance_rate(product, price)
    initial = EXACT.multiply(value, max(HALF, rate))
    kept = EXACT.multiply(value, rate)
    return Margin(
        currency=margin.currency,
        initial_margin=_plus(margin.initial_margin, initial),
        maintenance_margin=_plus(margin.maintenance_margin, kept),
        excess=_plus(margin.excess, EXACT.minus(kept)),
        buying_power=_plus(margin.buying_power, EXACT.minus(value)),
    )


def _plus(figure: Decimal | None, change: Decimal) -> Decimal | None:
    return None if figure is None else EXACT.add(figure, change)


def _opened_value(
    product: Product, request: OrderRequest, price: Decimal, held: Decimal
) -> Decimal:
    """Return the value of what the order opens: what it closes ties nothing up."""
    at = request.price
    if at is None:
        at = request.stop_price
    if at is None:
        at = EXACT.multiply(price, MARKET_BUFFER)
    if request.quantity is None:
        return request.notional or Decimal(0)
    closes = -held if request.side is OrderSide.BUY else held
    opened = max(Decimal(0), EXACT.subtract(request.quantity, max(Decimal(0), closes)))
    return EXACT.multiply(EXACT.multiply(opened, abs(at)), product.multiplier)


def _maintenance_rate(product: Product, price: Decimal) -> Decimal:
    """Return what share of the value is to be kept: all of it, unless money is lent on it."""
    is_stock = product.market_type is MarketType.EQUITY
    if not is_stock or not product.metadata.get("marginable") or price < CHEAP:
        return WHOLE
    told = product.metadata.get("maintenance_margin_percent")
    percent = told if isinstance(told, Decimal) else MAINTENANCE_PERCENT
    return min(EXACT.multiply(percent, PERCENT), WHOLE)
