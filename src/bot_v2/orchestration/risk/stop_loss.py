"""The stop that every entry has to bring: attached as a bracket, or checked where there is one."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING

import attrs

from bot_v2.features.brokerages.core.capabilities import Capability, capabilities_of
from bot_v2.features.brokerages.core.decimals import EXACT, Rounding, decimal_to_text
from bot_v2.features.brokerages.core.declarations import name_of
from bot_v2.features.brokerages.core.errors import InvalidFieldError, UnsupportedOperationError
from bot_v2.features.brokerages.core.increments import quantize_price
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.order_terms import OrderSide, StopLoss
from bot_v2.features.brokerages.core.products import Product
from bot_v2.orchestration.risk.limits import ONE
from bot_v2.orchestration.risk.standing import Level

if TYPE_CHECKING:
    from bot_v2.features.brokerages.core.brokerage import IBrokerage


def with_stop(
    broker: IBrokerage,
    level: Level,
    request: OrderRequest,
    product: Product,
    market_price: Callable[[], Decimal],
) -> OrderRequest:
    """Return an entry with the stop that `stop_loss_pct` asks for.

    Args:
        broker: whose capabilities say whether it takes one.
        level: the limits.
        request: the entry, without a stop.
        product: what it trades.
        market_price: gives the latest price, for an entry that names none.

    Raises:
        BrokerageError: it cannot have one, or there is no price to count from.
    """
    fraction = level.limits.stop_loss_pct
    if fraction is None:
        return request
    if request.legs or Capability.BRACKET not in capabilities_of(broker):
        why = (
            "an order of several legs takes none"
            if request.legs
            else f"{name_of(broker)} declares no brackets"
        )
        raise UnsupportedOperationError(
            f"stop_loss_pct of {level.name} is {fraction}: every entry needs a stop, and {why}; "
            "accepted: exits alone, or another broker",
            symbol=request.symbol,
        )
    entry = request.price or request.stop_price or market_price()
    stop = _furthest(product, request.side, entry, fraction)
    if stop <= 0 or stop == entry:
        raise InvalidFieldError(
            "OrderRequest.price",
            entry,
            f"a price of which {fraction} is at least a step of {product.symbol}: the stop of "
            f"stop_loss_pct would be {decimal_to_text(stop)}",
            symbol=product.symbol,
        )
    return attrs.evolve(request, stop_loss=StopLoss(stop_price=stop))


def check_stop(
    level: Level,
    request: OrderRequest,
    product: Callable[[], Product],
    market_price: Callable[[], Decimal],
) -> None:
    """Refuse an entry that brings no stop, or one that is too far away.

    Args:
        level: the limits.
        request: what is to be sent.
        product: gives what it trades.
        market_price: gives the latest price, for an entry that names none.

    Raises:
        InvalidFieldError: the stop is missing or too far.
        BrokerageError: there is no price to count from.
    """
    fraction = level.limits.stop_loss_pct
    if fraction is None:
        return
    if request.stop_loss is None:
        raise InvalidFieldError(
            "OrderRequest.stop_loss",
            None,
            f"a stop: stop_loss_pct of {level.name} is {fraction}, and this is no exit (any more)",
            symbol=request.symbol,
        )
    entry = request.price or request.stop_price
    if entry is None:
        # The latest price moves between the attaching and here, by as much as orders may slip.
        margin = level.limits.price_margin
        away = margin if request.side is OrderSide.SELL else EXACT.minus(margin)
        entry = EXACT.multiply(market_price(), EXACT.add(ONE, away))
    furthest = _furthest(product(), request.side, entry, fraction)
    given = request.stop_loss.stop_price
    too_far = given < furthest if request.side is OrderSide.BUY else given > furthest
    if too_far:
        way = "at least" if request.side is OrderSide.BUY else "at most"
        raise InvalidFieldError(
            "OrderRequest.stop_loss",
            given,
            f"{way} {decimal_to_text(furthest)}: stop_loss_pct of {level.name} is {fraction} of "
            f"{decimal_to_text(entry)}",
            symbol=request.symbol,
        )


def _furthest(product: Product, side: OrderSide, entry: Decimal, fraction: Decimal) -> Decimal:
    """Return the stop that is furthest from an entry, on the product's steps, towards it."""
    away = EXACT.minus(fraction) if side is OrderSide.BUY else fraction
    stop = EXACT.multiply(entry, EXACT.add(ONE, away))
    rounding = Rounding.CEILING if side is OrderSide.BUY else Rounding.FLOOR
    return quantize_price(product, stop, rounding)
