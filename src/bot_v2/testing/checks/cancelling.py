"""Cancelling: True, False, or an error, each for its own case."""

from __future__ import annotations

from functools import partial

from bot_v2.features.brokerages.core.errors import (
    InvalidRequestError,
    OrderNotFoundError,
)
from bot_v2.features.brokerages.core.order_status import LIVE_STATUSES, OrderStatus
from bot_v2.testing.cards import Section, card
from bot_v2.testing.context import CheckContext
from bot_v2.testing.violation import expect, expect_equal, expect_error
from bot_v2.testing.waiting import wait_until


@card("BC-C010", "Cancelling a live order returns True, and it ends CANCELLED.", Section.MEANING)
def _live(ctx: CheckContext) -> None:
    """True itself; the order is CANCELLED, at once or after PENDING_CANCEL."""
    order_id = ctx.place_resting()
    returned: object = ctx.broker.cancel_order(order_id)
    expect(returned is True, "True", returned)
    order = ctx.await_end(order_id)
    expect(order.status is OrderStatus.CANCELLED, "CANCELLED", order)


@card("BC-C020", "Cancelling an order that was cancelled returns False.", Section.MEANING)
def _twice(ctx: CheckContext) -> None:
    """False itself, and the order stays CANCELLED."""
    order_id = ctx.place_resting()
    ctx.broker.cancel_order(order_id)
    ctx.await_end(order_id)
    returned: object = ctx.broker.cancel_order(order_id)
    expect(returned is False, "False", returned)
    expect_equal(ctx.broker.get_order(order_id).status, OrderStatus.CANCELLED, "the status")


@card(
    "BC-C030",
    "Cancelling a filled order returns False, and it stays FILLED.",
    Section.MEANING,
    needs_venue=True,
    catalogue=("S06",),
)
def _filled(ctx: CheckContext) -> None:
    """False itself, of an order that was filled at the market."""
    order = ctx.trade()
    returned: object = ctx.broker.cancel_order(order.order_id)
    expect(returned is False, "False", returned)
    expect_equal(ctx.broker.get_order(order.order_id).status, OrderStatus.FILLED, "the status")


@card("BC-C040", "Cancelling an order that never was is OrderNotFoundError.", Section.MEANING)
def _unknown(ctx: CheckContext) -> None:
    """The id has the broker's form, and no order has it; the error names it."""
    order_id = ctx.unknown_order_id()
    error = expect_error(
        lambda: ctx.broker.cancel_order(order_id),
        OrderNotFoundError,
        when=f"cancel_order({order_id!r})",
    )
    expect(order_id in (error.order_id or "") + error.message, "the id on the error", error)


@card("BC-C050", "Whatever text is given for an id, the error is typed.", Section.ERRORS)
def _odd_ids(ctx: CheckContext) -> None:
    """Empty and misshapen ids are OrderNotFoundError or InvalidRequestError."""
    for text in ("", " ", "no such order", "0", "\x00"):
        expect_error(
            partial(ctx.broker.cancel_order, text),
            OrderNotFoundError,
            InvalidRequestError,
            when=f"cancel_order({text!r})",
        )


@card("BC-C060", "A cancel touches no other order.", Section.MEANING)
def _others(ctx: CheckContext) -> None:
    """Of three orders the second is cancelled; the others live."""
    ids = [ctx.place_resting() for _ in range(3)]
    ctx.broker.cancel_order(ids[1])
    ctx.await_end(ids[1])
    for order_id in (ids[0], ids[2]):
        status = ctx.broker.get_order(order_id).status
        expect(status in LIVE_STATUSES, "a live order", status)


@card(
    "BC-C070", "A cancel gives back what the order had set aside.", Section.MONEY, needs_venue=True
)
def _released(ctx: CheckContext) -> None:
    """The balance after an order and its cancel is the balance before."""
    currency = ctx.market.product.quote_currency
    before = ctx.broker.get_balance(currency)
    order_id = ctx.place_resting()
    ctx.broker.cancel_order(order_id)
    ctx.await_end(order_id)
    wait_until(
        lambda: ctx.broker.get_balance(currency),
        lambda after: after == before,
        ctx.profile.settle_s,
        f"a balance of {before}",
    )


@card("BC-C080", "One call sends one cancel.", Section.ONE_WRITE, needs_venue=True)
def _one_write(ctx: CheckContext) -> None:
    """One request of cancel_order reaches the venue."""
    order_id = ctx.place_resting()
    with ctx.one_arrives("cancel_order"):
        ctx.broker.cancel_order(order_id)


@card(
    "BC-C090",
    "A cancelled order fills no more.",
    Section.MEANING,
    needs_venue=True,
)
def _no_fill_after(ctx: CheckContext) -> None:
    """The market moves through its limit after the cancel; nothing is filled."""
    order_id = ctx.place_resting()
    price = ctx.market.resting_price()
    ctx.broker.cancel_order(order_id)
    ctx.await_end(order_id)
    ctx.market.set(ctx.market.scaled(price, "0.9"))
    order = ctx.broker.get_order(order_id)
    expect(order.filled_quantity == 0, "no fill", order)
