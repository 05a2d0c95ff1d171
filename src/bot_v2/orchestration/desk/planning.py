"""What accounts can take of an order, read from their brokers; and the legs that it makes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final

import attrs

from bot_v2.features.brokerages.core.brokerage import IBrokerage
from bot_v2.features.brokerages.core.capabilities import (
    SupportsAccountSummary,
    SupportsMargin,
    supports,
)
from bot_v2.features.brokerages.core.decimals import EXACT, Rounding, divide
from bot_v2.features.brokerages.core.declarations import idempotency_of
from bot_v2.features.brokerages.core.errors import (
    InvalidFieldError,
    InvalidRequestError,
    UnsupportedOperationError,
)
from bot_v2.features.brokerages.core.increments import quantize_quantity
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.products import Product
from bot_v2.orchestration.desk.allocation import LeftOut, Taker, divide_quantity
from bot_v2.orchestration.desk.distribution import Distribution, LegPlan, Weighting, derived_id
from bot_v2.orchestration.desk.members import Member
from bot_v2.orchestration.desk.reading import Answers
from bot_v2.orchestration.desk.routing import Power

_ZERO: Final = Decimal(0)
_ONE: Final = Decimal(1)
_PLACES: Final = 18
"""To how many decimal places the least quantity of a least value is worked out, upwards."""

_ALIKE: Final = ("market_type", "quote_currency", "multiplier", "lot_size", "inverse")
"""What products have to share so that a quantity of one is the same of the other."""


@attrs.frozen(kw_only=True)
class AccountFacts:
    """What one account can take of an order."""

    member: Member
    """The brokerage."""
    account_id: str
    """The account."""
    product: Product
    """What is to be traded."""
    weight: Decimal
    """The account's part, beside the weights of the others."""
    least: Decimal
    """The smallest order, in order units."""


def check_divisible(request: OrderRequest) -> Decimal:
    """Return the quantity of an order that can be divided.

    Raises:
        InvalidFieldError: it has none, or names an id or an account that all legs would share.
    """
    if request.quantity is None:
        raise InvalidFieldError("OrderRequest.quantity", None, "a quantity, which can be divided")
    if request.legs:
        raise InvalidFieldError("OrderRequest.legs", len(request.legs), "one product alone")
    for name in ("client_order_id", "account_id"):
        if getattr(request, name) is not None:
            accepted = "None: each leg has its own"
            raise InvalidFieldError(f"OrderRequest.{name}", getattr(request, name), accepted)
    return request.quantity


def read_power(broker: IBrokerage, name: str, product: Product) -> Power:
    """Return what an account can buy a product with, as its broker says at this moment.

    The buying power of its margin or summary; where the broker tells neither, the balance that is
    available in the product's quote currency.

    Raises:
        UnsupportedOperationError: the broker does not say, or in another currency.
        BrokerageError: it cannot be read.
    """
    able: object = broker
    found: tuple[str, Decimal | None] = (product.quote_currency, None)
    if supports(able, SupportsMargin):
        margin = able.get_margin()
        found = (margin.currency, margin.buying_power)
    if found[1] is None and supports(able, SupportsAccountSummary):
        summary = able.get_account()
        found = (summary.currency, summary.buying_power)
    if found[1] is None:
        found = (product.quote_currency, broker.get_balance(product.quote_currency).available)
    currency, amount = found
    if amount is None or currency != product.quote_currency:
        said = "the broker does not say it" if amount is None else f"it is in {currency}"
        raise UnsupportedOperationError(
            f"what it can buy {product.symbol} with, in {product.quote_currency}, is not known: "
            f"{said}",
            broker=name,
            operation="get_margin",
            symbol=product.symbol,
        )
    return Power(currency=currency, amount=amount)


def read_facts(
    member: Member, request: OrderRequest, by: Weighting, product: Product
) -> AccountFacts:
    """Return what an account can take of an order.

    Raises:
        InvalidRequestError: the product is not traded now.
        BrokerageError: something cannot be read.
    """
    if not product.tradeable:
        raise InvalidRequestError(
            f"{product.symbol} is listed, and orders are refused now",
            broker=member.name,
            symbol=product.symbol,
        )
    broker = member.broker
    weight = _ONE if by is Weighting.EQUAL else member.weight
    if by is Weighting.BUYING_POWER:
        weight = max(read_power(broker, member.name, product).amount, _ZERO)
    least = product.min_order_size or _ZERO
    if product.min_notional and not product.inverse:
        price = request.price or broker.get_price(product.symbol)
        value = EXACT.multiply(price, product.multiplier)
        needed = divide(product.min_notional, value, _PLACES, Rounding.UP)
        least = max(least, quantize_quantity(product, needed, Rounding.UP))
    return AccountFacts(
        member=member,
        account_id=broker.get_account_id(),
        product=product,
        weight=weight,
        least=least,
    )


def plan_distribution(
    request: OrderRequest,
    by: Weighting,
    answers: Answers[AccountFacts],
    *,
    saga_id: str,
    now: datetime,
) -> Distribution:
    """Return who is to be sent what.

    Args:
        request: what is asked for.
        by: by what it is divided.
        answers: the accounts, as they were read.
        saga_id: the id of the whole.
        now: the present moment.

    Raises:
        InvalidFieldError: the order cannot be divided.
        InvalidRequestError: no account can be asked, or their products are not the same.
    """
    quantity = check_divisible(request)
    facts = [reading.value for reading in answers.readings]
    missing = [LeftOut(broker=one.broker, reason=one.error.message) for one in answers.missing]
    if not facts:
        reasons = "; ".join(f"{one.broker}: {one.reason}" for one in missing)
        raise InvalidRequestError(
            f"there is no account to send it to: {reasons or 'none is named'}"
        )
    _check_alike(facts)
    takers = [
        Taker(
            broker=one.member.name,
            weight=one.weight,
            step=one.product.size_increment or _last_place(quantity),
            least=one.least,
            most=one.product.max_order_size,
        )
        for one in facts
    ]
    division = divide_quantity(quantity, takers)
    by_name = {one.member.name: one for one in facts}
    legs = []
    for part in division.parts:
        fact = by_name[part.broker]
        profile = idempotency_of(fact.member.broker)
        leg_request = attrs.evolve(
            request,
            symbol=fact.product.symbol,
            quantity=part.quantity,
            account_id=fact.account_id,
            client_order_id=derived_id(profile, saga_id, part.broker, fact.account_id),
        )
        legs.append(
            LegPlan(
                broker=part.broker,
                account_id=fact.account_id,
                request=leg_request,
                remainder=part.remainder,
            )
        )
    return Distribution(
        saga_id=saga_id,
        request=request,
        by=by,
        legs=tuple(legs),
        unplaced=division.unplaced,
        left_out=(*missing, *division.left_out),
        created_at=now,
    )


def _check_alike(facts: Sequence[AccountFacts]) -> None:
    first = facts[0]
    for other in facts[1:]:
        for name in _ALIKE:
            here, there = getattr(first.product, name), getattr(other.product, name)
            if here != there:
                raise InvalidRequestError(
                    f"{first.product.symbol} is not the same at {first.member.name} and "
                    f"{other.member.name}: {name} is {here} and {there}",
                    symbol=first.product.symbol,
                )


def _last_place(quantity: Decimal) -> Decimal:
    """Return the step of a product that states none: no finer than what was asked for."""
    exponent = quantity.as_tuple().exponent
    # A quantity is finite: only NaN and infinity have letters for an exponent.
    return _ONE.scaleb(min(exponent, 0)) if isinstance(exponent, int) else _ONE
