"""Features of orders that a broker may have: notional, fractional, extended hours, legs."""

from __future__ import annotations

from decimal import Decimal

from bot_v2.features.brokerages.core.capabilities import Capability
from bot_v2.features.brokerages.core.decimals import EXACT
from bot_v2.features.brokerages.core.errors import InvalidRequestError, Outcome
from bot_v2.features.brokerages.core.order_status import ENDED_STATUSES, LIVE_STATUSES
from bot_v2.features.brokerages.core.order_terms import OrderSide, OrderType
from bot_v2.testing.cards import Section, card
from bot_v2.testing.context import CheckContext
from bot_v2.testing.violation import expect, expect_equal, expect_error

NOTIONAL = (Capability.NOTIONAL_ORDERS,)


@card(
    "BC-OF010",
    "A notional order spends what it says, and no more.",
    Section.MONEY,
    capabilities=NOTIONAL,
    needs_venue=True,
)
def _notional(ctx: CheckContext) -> None:
    """A market order for a sum fills for at most the sum, and for little less."""
    _, ask = ctx.market.best()
    product = ctx.market.product
    whole = EXACT.multiply(EXACT.multiply(ctx.market.quantity, ask), product.multiplier)
    sum_ = Decimal(int(whole) + 1)
    result = ctx.place(ctx.request(type=OrderType.MARKET, notional=sum_))
    order = ctx.await_end(ctx.id_of(result))
    expect(order.filled_quantity > 0 and order.average_fill_price is not None, "a fill", order)
    price = order.average_fill_price or ask
    spent = EXACT.multiply(EXACT.multiply(order.filled_quantity, price), product.multiplier)
    expect(spent <= sum_, f"at most {sum_} spent", spent)
    step = EXACT.multiply(product.size_increment or ctx.market.unit, price)
    short = EXACT.subtract(sum_, spent)
    allowed = EXACT.add(EXACT.multiply(step, product.multiplier), EXACT.divide(sum_, Decimal(20)))
    expect(short <= allowed, f"less than {allowed} left over", short)


@card(
    "BC-OF020",
    "A notional order is read back as one.",
    Section.NO_SILENT_CHANGE,
    capabilities=NOTIONAL,
    needs_venue=True,
)
def _notional_told(ctx: CheckContext) -> None:
    """The order tells the sum that was asked for, or the quantity that it came to."""
    _, ask = ctx.market.best()
    sum_ = Decimal(int(EXACT.multiply(ctx.market.quantity, ask)) + 1)
    order = ctx.await_end(ctx.id_of(ctx.place(ctx.request(type=OrderType.MARKET, notional=sum_))))
    expect(order.notional == sum_ or order.quantity is not None, f"a notional of {sum_}", order)


@card(
    "BC-OF030",
    "A fraction of a unit is traded as such.",
    Section.MONEY,
    capabilities=(Capability.FRACTIONAL_QUANTITY,),
)
def _fraction(ctx: CheckContext) -> None:
    """A product whose step is below one takes a quantity that is not whole, and shows it."""
    step = ctx.market.product.size_increment
    if step is None or step >= 1:
        ctx.skip("the traded product has no step below one")
    quantity = EXACT.add(ctx.market.quantity, step)
    order = ctx.broker.get_order(ctx.place_resting(quantity=quantity))
    expect_equal(order.quantity, quantity, "the quantity")


@card(
    "BC-OF040",
    "An order may work outside the regular session.",
    Section.NO_SILENT_CHANGE,
    capabilities=(Capability.EXTENDED_HOURS,),
)
def _extended_hours(ctx: CheckContext) -> None:
    """A limit order with extended_hours is taken, and is live."""
    order = ctx.broker.get_order(ctx.place_resting(extended_hours=True))
    expect(order.status in LIVE_STATUSES, "a live order", order)


@card(
    "BC-OF050",
    "A multi-leg order keeps its legs.",
    Section.NO_SILENT_CHANGE,
    capabilities=(Capability.MULTI_LEG,),
)
def _legs(ctx: CheckContext) -> None:
    """The legs of the order read back are those that were asked for."""
    legs = ctx.profile.legs
    if not legs:
        ctx.skip("no legs are known that the broker takes (ContractProfile.legs)")
    order = ctx.broker.get_order(ctx.place_resting(legs=legs))
    expect_equal(order.legs, legs, "the legs")


@card(
    "BC-OF060",
    "A notional order below the smallest value is refused before sending.",
    Section.MEANING,
    capabilities=NOTIONAL,
)
def _notional_small(ctx: CheckContext) -> None:
    """Half of min_notional is InvalidRequestError, NOT_SENT."""
    least = ctx.market.product.min_notional
    if not least:
        ctx.skip("the product states no smallest value")
    request = ctx.request(type=OrderType.MARKET, notional=EXACT.divide(least, Decimal(2)))
    with ctx.nothing_arrives("place_order"):
        expect_error(
            lambda: ctx.broker.place_order(request),
            InvalidRequestError,
            outcome=Outcome.NOT_SENT,
            when=f"a notional below {least}",
        )


@card(
    "BC-OF070",
    "A notional sale sells no more than its sum.",
    Section.MONEY,
    capabilities=NOTIONAL,
    needs_venue=True,
)
def _notional_sale(ctx: CheckContext) -> None:
    """After a purchase, a market sale for half of its value fills, and brings its sum."""
    bought = ctx.trade()
    bid, _ = ctx.market.best()
    value = EXACT.multiply(
        EXACT.multiply(bought.filled_quantity, bid), ctx.market.product.multiplier
    )
    half = Decimal(int(EXACT.multiply(value, Decimal("0.5"))))
    if half <= 0:
        ctx.skip("half of the purchase is worth less than one")
    request = ctx.request(side=OrderSide.SELL, type=OrderType.MARKET, notional=half)
    order = ctx.await_end(ctx.id_of(ctx.place(request)))
    expect(order.status in ENDED_STATUSES and order.filled_quantity > 0, "a fill", order)
    price = order.average_fill_price or bid
    brought = EXACT.multiply(
        EXACT.multiply(order.filled_quantity, price), ctx.market.product.multiplier
    )
    # What is sold for a sum is worked out from a price, and is filled at one a little better.
    most = EXACT.multiply(half, Decimal("1.05"))
    expect(brought <= most, f"a sale that brings {half}", brought)
