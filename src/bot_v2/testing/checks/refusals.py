"""Orders that are refused: before sending where we know, by the broker where it knows."""

from __future__ import annotations

from decimal import Decimal

from bot_v2.features.brokerages.core.decimals import EXACT
from bot_v2.features.brokerages.core.errors import (
    BrokerageError,
    InsufficientFundsError,
    InvalidRequestError,
    InvalidSymbolError,
    OrderRejectedError,
    Outcome,
)
from bot_v2.features.brokerages.core.increments import price_increment_at
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.testing.cards import Section, card
from bot_v2.testing.context import CheckContext
from bot_v2.testing.violation import expect, expect_equal, expect_error

HALF = Decimal("0.5")


def _expect_not_sent(ctx: CheckContext, request: OrderRequest, when: str) -> BrokerageError:
    """Place a request that must be refused before a byte leaves."""
    known = {order.order_id for order in ctx.broker.list_orders()}
    with ctx.nothing_arrives("place_order"):
        error = expect_error(
            lambda: ctx.broker.place_order(request),
            InvalidRequestError,
            outcome=Outcome.NOT_SENT,
            when=when,
        )
    new = {order.order_id for order in ctx.broker.list_orders()} - known
    expect(not new, "no new order", new)
    return error


@card("BC-U010", "A price off the grid is refused before sending.", Section.MEANING)
def _price_off_grid(ctx: CheckContext) -> None:
    """A limit half a step off is InvalidRequestError, NOT_SENT: it is not rounded."""
    price = ctx.market.resting_price()
    step = price_increment_at(ctx.market.product, price)
    if step is None:
        ctx.skip("the product states no step of prices")
    off = EXACT.add(price, EXACT.multiply(step, HALF))
    _expect_not_sent(ctx, ctx.request(price=off), f"a price of {off} on a grid of {step}")


@card("BC-U020", "A quantity off the grid is refused before sending.", Section.MEANING)
def _quantity_off_grid(ctx: CheckContext) -> None:
    """A quantity half a step off is InvalidRequestError, NOT_SENT: it is not rounded."""
    step = ctx.market.product.size_increment
    if step is None:
        ctx.skip("the product states no step of quantities")
    off = EXACT.add(ctx.market.quantity, EXACT.multiply(step, HALF))
    _expect_not_sent(ctx, ctx.request(quantity=off), f"a quantity of {off} in steps of {step}")


@card("BC-U030", "A quantity below the smallest is refused before sending.", Section.MEANING)
def _too_small(ctx: CheckContext) -> None:
    """Half of min_order_size is InvalidRequestError, NOT_SENT."""
    least = ctx.market.product.min_order_size
    if least is None:
        ctx.skip("the product states no smallest order")
    small = EXACT.multiply(least, HALF)
    _expect_not_sent(ctx, ctx.request(quantity=small), f"a quantity of {small} below {least}")


@card("BC-U040", "A quantity above the largest is refused before sending.", Section.MEANING)
def _too_large(ctx: CheckContext) -> None:
    """max_order_size and a step more is InvalidRequestError, NOT_SENT."""
    most = ctx.market.product.max_order_size
    if most is None:
        ctx.skip("the product states no largest order")
    large = EXACT.add(most, ctx.market.product.size_increment or Decimal(1))
    _expect_not_sent(ctx, ctx.request(quantity=large), f"a quantity of {large} above {most}")


@card("BC-U050", "A value below the smallest is refused before sending.", Section.MEANING)
def _too_little_value(ctx: CheckContext) -> None:
    """An order worth less than min_notional is InvalidRequestError, NOT_SENT."""
    product = ctx.market.product
    least = product.min_notional
    quantity = product.min_order_size or product.size_increment
    if not least or quantity is None:
        ctx.skip("the product states no smallest value")
    value = EXACT.multiply(quantity, EXACT.multiply(ctx.market.resting_price(), product.multiplier))
    if value >= least:
        ctx.skip("the smallest quantity is worth more than the smallest value")
    _expect_not_sent(ctx, ctx.request(quantity=quantity), f"a value of {value} below {least}")


@card("BC-U060", "An unknown symbol is refused before sending.", Section.SYMBOLS)
def _unknown_symbol(ctx: CheckContext) -> None:
    """An order for it is InvalidSymbolError, NOT_SENT."""
    request = ctx.request(symbol=ctx.profile.unknown_symbol)
    error = _expect_not_sent(ctx, request, "an order for an unknown symbol")
    expect(isinstance(error, InvalidSymbolError), "InvalidSymbolError", error)


@card(
    "BC-U070",
    "An option that the adapter does not know is refused, not ignored.",
    Section.NO_SILENT_CHANGE,
)
def _unknown_option(ctx: CheckContext) -> None:
    """A request with a made-up key in broker_options is InvalidRequestError, NOT_SENT."""
    request = ctx.request(broker_options={"no_such_option": "yes"})
    _expect_not_sent(ctx, request, "an order with an unknown option")


@card("BC-U080", "What the account cannot pay for is refused: REJECTED.", Section.ERRORS)
def _too_expensive(ctx: CheckContext) -> None:
    """An order worth far more than the account is InsufficientFundsError or a rejection."""
    product = ctx.market.product
    price = ctx.market.resting_price()
    quantity = product.max_order_size or EXACT.multiply(ctx.market.unit, Decimal(10) ** 9)
    cash = ctx.broker.get_balance(product.quote_currency).total
    value = EXACT.multiply(EXACT.multiply(quantity, price), product.multiplier)
    if value < EXACT.multiply(abs(cash), Decimal(20)):
        ctx.skip("the largest order is not worth more than the account can pay for")
    known = {order.order_id for order in ctx.broker.list_orders()}
    error = expect_error(
        lambda: ctx.broker.place_order(ctx.request(quantity=quantity)),
        InsufficientFundsError,
        OrderRejectedError,
        outcome=(Outcome.REJECTED, Outcome.NOT_SENT),
        when="an order that the account cannot pay for",
    )
    if isinstance(error, InsufficientFundsError) and error.required and error.available:
        expect(error.required > error.available, "required above available", error)
    live = {order.order_id for order in ctx.broker.list_orders() if not _is_rejected(order)}
    expect(live <= known, "no new order", live - known)


def _is_rejected(order: object) -> bool:
    # A broker may keep the refusal as an order; what it must not be is alive.
    return str(getattr(order, "status", "")) == "rejected"


@card("BC-U090", "A refusal says what, where and which.", Section.ERRORS)
def _refusal_context(ctx: CheckContext) -> None:
    """The error of a refused order names the operation, the symbol or the client id."""
    request = ctx.request(symbol=ctx.profile.unknown_symbol)
    error = _expect_not_sent(ctx, request, "an order for an unknown symbol")
    expect(bool(error.message), "a message", error)
    named = (error.symbol, error.client_order_id, error.operation)
    expect(any(named), "a symbol, a client id or an operation on the error", named)


@card("BC-U100", "A refused order moves no money.", Section.MONEY)
def _no_money_moved(ctx: CheckContext) -> None:
    """Balances before and after a refused order are equal."""
    request = ctx.request(symbol=ctx.profile.unknown_symbol)
    before = ctx.broker.list_balances()
    _expect_not_sent(ctx, request, "an order for an unknown symbol")
    expect_equal(ctx.broker.list_balances(), before, "the balances")
