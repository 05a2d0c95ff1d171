"""Prices and quantities in a product's steps: checked always, rounded only when asked by name."""

from __future__ import annotations

from decimal import Decimal

from bot_v2.features.brokerages.core.decimals import EXACT, Rounding, decimal_to_text
from bot_v2.features.brokerages.core.errors import InvalidFieldError
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.products import Product


def price_increment_at(product: Product, price: Decimal) -> Decimal | None:
    """Return the step of prices at `price`, in quote currency. None: the broker does not say."""
    bands = [band for band in product.price_bands if band.lower_price <= price]
    if bands:
        return bands[-1].price_increment
    return product.price_increment


def quantize_price(product: Product, price: Decimal, rounding: Rounding) -> Decimal:
    """Return the price on the product's grid, rounded in the direction named.

    A product that states no step leaves the price as it is.
    """
    return _to_step(price, price_increment_at(product, price), rounding)


def quantize_quantity(product: Product, quantity: Decimal, rounding: Rounding) -> Decimal:
    """Return the quantity on the product's grid, rounded in the direction named.

    A product that states no step leaves the quantity as it is. The result can be below the
    smallest order: `check_order_request` says so.
    """
    return _to_step(quantity, product.size_increment, rounding)


def _to_step(value: Decimal, step: Decimal | None, rounding: Rounding) -> Decimal:
    if step is None or _is_on_step(value, step):
        return value
    context = EXACT.copy()
    whole, rest = context.divmod(value, step)
    # divmod cuts towards zero; the rest's size against half a step decides the nearest.
    away = Decimal(1).copy_sign(value)
    move = {
        Rounding.DOWN: False,
        Rounding.UP: True,
        Rounding.FLOOR: value < 0,
        Rounding.CEILING: value > 0,
        Rounding.HALF_EVEN: _is_past_half(rest, step, whole),
    }[rounding]
    steps = whole + away if move else whole
    return context.multiply(steps, step)


def _is_past_half(rest: Decimal, step: Decimal, whole: Decimal) -> bool:
    twice = EXACT.multiply(abs(rest), Decimal(2))
    return twice > step or (twice == step and whole % 2 != 0)


def _is_on_step(value: Decimal, step: Decimal) -> bool:
    return EXACT.remainder(value, step) == 0


def check_order_request(product: Product, request: OrderRequest) -> None:
    """Check a request against the product's sizes and steps, before anything is sent.

    Raises:
        InvalidFieldError: a price or size is off the grid or out of bounds (NOT_SENT); the error
            names the nearest values that would do.
    """
    _check_size(product, request)
    stop, target = request.stop_loss, request.take_profit
    prices = {
        "price": request.price,
        "stop_price": request.stop_price,
        "take_profit.price": target.price if target else None,
        "stop_loss.stop_price": stop.stop_price if stop else None,
        "stop_loss.price": stop.price if stop else None,
    }
    for name, price in prices.items():
        step = None if price is None else price_increment_at(product, price)
        if price is not None and step is not None and not _is_on_step(price, step):
            raise _off_grid(product, name, price, step)


def _check_size(product: Product, request: OrderRequest) -> None:
    quantity, least, most = request.quantity, product.min_order_size, product.max_order_size
    if quantity is not None:
        if least is not None and quantity < least:
            raise _refusal(product, "quantity", quantity, f"at least {least}")
        if most is not None and quantity > most:
            raise _refusal(product, "quantity", quantity, f"at most {most}")
        step = product.size_increment
        if step is not None and not _is_on_step(quantity, step):
            raise _off_grid(product, "quantity", quantity, step)
    value = _value_of(product, request)
    if value is not None and product.min_notional is not None and value < product.min_notional:
        name = "notional" if request.notional is not None else "quantity"
        raise _refusal(
            product,
            name,
            getattr(request, name),
            f"a value of at least {product.min_notional} {product.quote_currency}, not {value}",
        )


def _value_of(product: Product, request: OrderRequest) -> Decimal | None:
    if request.notional is not None:
        return request.notional
    if request.quantity is None or request.price is None or product.inverse:
        return None
    return EXACT.multiply(EXACT.multiply(request.quantity, request.price), product.multiplier)


def _off_grid(product: Product, name: str, value: Decimal, step: Decimal) -> InvalidFieldError:
    low = _to_step(value, step, Rounding.FLOOR)
    high = _to_step(value, step, Rounding.CEILING)
    nearest = f"{decimal_to_text(low)} or {decimal_to_text(high)}"
    accepted = f"a multiple of {decimal_to_text(step)}, such as {nearest}"
    return _refusal(product, name, value, accepted)


def _refusal(product: Product, name: str, value: object, accepted: str) -> InvalidFieldError:
    return InvalidFieldError(
        f"OrderRequest.{name}", value, f"{accepted} ({product.symbol})", symbol=product.symbol
    )
