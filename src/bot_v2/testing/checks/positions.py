"""Positions, and closing them."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from functools import partial

from bot_v2.features.brokerages.core.accounts import Position, PositionSide
from bot_v2.features.brokerages.core.decimals import EXACT
from bot_v2.features.brokerages.core.errors import (
    InvalidRequestError,
    InvalidSymbolError,
    Outcome,
    UnsupportedOperationError,
)
from bot_v2.features.brokerages.core.order_status import OrderStatus
from bot_v2.features.brokerages.core.order_terms import OrderSide
from bot_v2.testing.cards import Section, card
from bot_v2.testing.context import CheckContext
from bot_v2.testing.operations import keeps_as_balance
from bot_v2.testing.violation import ContractViolation, expect, expect_equal, expect_error
from bot_v2.testing.waiting import wait_until

TOLERANCE = Decimal("0.01")
"""How far a broker's own rounding may move a valuation, as a fraction of it."""


def _held(ctx: CheckContext) -> Position | None:
    """Return the position in the traded product, of a brokerage that has one for it."""
    if keeps_as_balance(ctx):
        ctx.skip("the traded product is kept as a balance")
    return ctx.broker.get_position(ctx.symbol)


def _require_flat(ctx: CheckContext) -> None:
    if _held(ctx) is not None:
        ctx.skip("the account has a position in the traded product")


def _await_position(ctx: CheckContext, quantity: Decimal) -> Position:
    position = wait_until(
        lambda: _held(ctx),
        lambda held: held is not None and held.quantity == quantity,
        ctx.profile.settle_s,
        f"a position of {quantity}",
    )
    if position is None:
        raise ContractViolation(f"Expected a position of {quantity}; saw none.")
    return position


def _bought(ctx: CheckContext) -> Position:
    """Buy from flat, and return the position."""
    _require_flat(ctx)
    ctx.trade()
    return _await_position(ctx, ctx.market.quantity)


@card("BC-P010", "A flat symbol has no position: None.", Section.MEANING)
def _flat(ctx: CheckContext) -> None:
    """A product that list_positions() does not have is read, and is None."""
    held = {position.symbol for position in ctx.broker.list_positions()}
    if keeps_as_balance(ctx):
        ctx.skip("the traded product is kept as a balance")
    if ctx.symbol in held:
        ctx.skip("the account has a position in the traded product")
    position: object = ctx.broker.get_position(ctx.symbol)
    expect(position is None, "None", position)


@card("BC-P020", "A position of an unknown symbol is InvalidSymbolError.", Section.SYMBOLS)
def _unknown(ctx: CheckContext) -> None:
    """get_position() and close_position() of it are refused; None would say that we are flat."""
    symbol = ctx.profile.unknown_symbol
    for name in ("get_position", "close_position"):
        method = getattr(ctx.broker, name)
        expect_error(
            partial(method, symbol),
            InvalidSymbolError,
            when=f"{name}({symbol!r})",
        )


@card(
    "BC-P030",
    "A purchase from flat is a LONG position of what was filled.",
    Section.MEANING,
    needs_venue=True,
)
def _long(ctx: CheckContext) -> None:
    """Symbol, side, quantity and account of the position are those of the order."""
    position = _bought(ctx)
    expect_equal(position.symbol, ctx.symbol, "the symbol")
    expect_equal(position.side, PositionSide.LONG, "the side")
    expect_equal(position.account_id, ctx.broker.get_account_id(), "the account")


@card("BC-P040", "get_position() agrees with list_positions().", Section.MEANING, needs_venue=True)
def _agree(ctx: CheckContext) -> None:
    """The position after a purchase is equal in both."""
    position = _bought(ctx)
    listed = [one for one in ctx.broker.list_positions() if one.symbol == ctx.symbol]
    expect_equal(listed, [position], "the positions listed for the symbol")


@card(
    "BC-P050", "A position is unique by symbol, side and bucket.", Section.MODELS, needs_venue=True
)
def _unique(ctx: CheckContext) -> None:
    """After two purchases there is one position."""
    ctx.trade()
    ctx.trade()
    keys = Counter((one.symbol, one.side, one.bucket) for one in ctx.broker.list_positions())
    twice = [key for key, times in keys.items() if times > 1]
    expect(not twice, "each position once", twice)


@card(
    "BC-P060",
    "Closing a flat position is InvalidRequestError, and makes no order.",
    Section.MEANING,
)
def _close_flat(ctx: CheckContext) -> None:
    """No order is made, and the outcome says that: NOT_SENT, or REJECTED by the broker."""
    _require_flat(ctx)
    known = {order.order_id for order in ctx.broker.list_orders()}
    with ctx.nothing_arrives("place_order"):
        expect_error(
            lambda: ctx.broker.close_position(ctx.symbol),
            InvalidRequestError,
            outcome=(Outcome.NOT_SENT, Outcome.REJECTED),
            when="closing a flat position",
        )
    expect_equal({order.order_id for order in ctx.broker.list_orders()}, known, "the orders")


@card(
    "BC-P070",
    "close_position() closes the position: flat, not turned.",
    Section.MEANING,
    needs_venue=True,
)
def _close(ctx: CheckContext) -> None:
    """The order that the result names sells what was held; the position is None then."""
    _bought(ctx)
    result = ctx.broker.close_position(ctx.symbol)
    expect(result.success, "success", result)
    order = ctx.await_status(ctx.id_of(result), OrderStatus.FILLED)
    expect_equal(order.side, OrderSide.SELL, "the side of the closing order")
    expect_equal(order.filled_quantity, ctx.market.quantity, "what it sold")
    wait_until(
        lambda: _held(ctx),
        lambda held: held is None,
        ctx.profile.settle_s,
        "no position after the close",
    )


@card("BC-P080", "A close sends one order.", Section.ONE_WRITE, needs_venue=True)
def _close_once(ctx: CheckContext) -> None:
    """One order takes effect at the venue."""
    _bought(ctx)
    taken = len(ctx.venue.orders_received())
    ctx.broker.close_position(ctx.symbol)
    made = len(ctx.venue.orders_received()) - taken
    expect(made == 1, "one order at the venue", made)


@card("BC-P090", "What is bought and sold again is flat.", Section.MEANING, needs_venue=True)
def _round_trip(ctx: CheckContext) -> None:
    """A purchase and a sale of the same quantity leave no position, not one of zero."""
    _bought(ctx)
    ctx.trade(OrderSide.SELL)
    wait_until(
        lambda: _held(ctx),
        lambda held: held is None,
        ctx.profile.settle_s,
        "no position after the sale",
    )
    listed = [one for one in ctx.broker.list_positions() if one.symbol == ctx.symbol]
    expect(not listed, "no position listed", listed)


@card("BC-P100", "The entry price is the mean of what was paid.", Section.MONEY, needs_venue=True)
def _entry(ctx: CheckContext) -> None:
    """It is the order's average after one purchase, and the mean of two after an equal second."""
    _require_flat(ctx)
    unit = ctx.market.unit
    first = ctx.trade(quantity=unit).average_fill_price
    position = _await_position(ctx, unit)
    if position.entry_price is None or first is None:
        ctx.skip("the broker tells no entry price or no fill price")
    expect_equal(position.entry_price, first, "the entry price")
    bid, _ = ctx.market.best()
    ctx.market.set(ctx.market.scaled(bid, "1.1"))
    second = ctx.trade(quantity=unit).average_fill_price
    position = _await_position(ctx, EXACT.multiply(unit, Decimal(2)))
    if second is not None:
        mean = EXACT.divide(EXACT.add(first, second), Decimal(2))
        expect_equal(position.entry_price, mean, "the entry price after a second purchase")


@card("BC-P110", "The valuation of a position adds up.", Section.MODELS, needs_venue=True)
def _valuation(ctx: CheckContext) -> None:
    """After a rise, market value and profit follow from quantity, prices and multiplier."""
    bought = _bought(ctx)
    bid, _ = ctx.market.best()
    ctx.market.set(ctx.market.scaled(bid, "1.2"))
    position = _await_position(ctx, bought.quantity)
    product, price = ctx.market.product, position.current_price
    if price is None or product.inverse:
        ctx.skip("the broker tells no current price")
    size = EXACT.multiply(position.quantity, product.multiplier)
    value = EXACT.multiply(size, price)
    allowed = EXACT.multiply(value, TOLERANCE)
    if position.market_value is not None:
        off = abs(EXACT.subtract(position.market_value, value))
        expect(off <= allowed, f"a market value of {value}", position)
    if position.unrealized_pnl is not None and position.entry_price is not None:
        gain = EXACT.multiply(size, EXACT.subtract(price, position.entry_price))
        off = abs(EXACT.subtract(position.unrealized_pnl, gain))
        expect(off <= allowed, f"an unrealized profit of {gain}", position)


@card(
    "BC-P120",
    "Spot assets kept as balances have no position, and say where they are.",
    Section.MEANING,
)
def _spot(ctx: CheckContext) -> None:
    """get_position() and close_position() raise UnsupportedOperationError naming get_balance."""
    if not keeps_as_balance(ctx):
        ctx.skip("the traded product has positions")
    for name in ("get_position", "close_position"):
        method = getattr(ctx.broker, name)
        error = expect_error(
            partial(method, ctx.symbol),
            UnsupportedOperationError,
            when=f"{name} of a spot asset",
        )
        expect("get_balance" in error.message, "the error to name get_balance", error)


@card("BC-P130", "A sale of part leaves the rest.", Section.MONEY, needs_venue=True)
def _part_sold(ctx: CheckContext) -> None:
    """After a purchase of four parts and a sale of one, three parts are held at the same entry."""
    position = _bought(ctx)
    ctx.trade(OrderSide.SELL, ctx.market.unit)
    rest = EXACT.subtract(ctx.market.quantity, ctx.market.unit)
    left = _await_position(ctx, rest)
    expect_equal(left.entry_price, position.entry_price, "the entry price")


@card("BC-P140", "An order that rests is no position.", Section.MEANING)
def _resting(ctx: CheckContext) -> None:
    """Positions before and after an order that rests are equal."""
    before = ctx.broker.list_positions()
    ctx.place_resting()
    held = [(one.symbol, one.side, one.quantity) for one in ctx.broker.list_positions()]
    expect_equal(held, [(one.symbol, one.side, one.quantity) for one in before], "the positions")
