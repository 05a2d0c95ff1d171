"""What would bring accounts to target weights: a plan, and nothing that is sent.

Each account is brought to the targets by itself, since orders move no money between brokerages.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final

import attrs

from bot_v2.features.brokerages.core.accounts import Balance, Position, PositionSide
from bot_v2.features.brokerages.core.brokerage import IBrokerage
from bot_v2.features.brokerages.core.capabilities import (
    SupportsAccountSummary,
    SupportsQuotes,
    supports,
)
from bot_v2.features.brokerages.core.decimals import EXACT, Rounding, divide
from bot_v2.features.brokerages.core.declarations import spot_as_positions_of
from bot_v2.features.brokerages.core.errors import (
    BrokerageError,
    InvalidFieldError,
    UnsupportedOperationError,
)
from bot_v2.features.brokerages.core.increments import quantize_quantity
from bot_v2.features.brokerages.core.order_terms import OrderSide
from bot_v2.features.brokerages.core.products import MarketType, Product
from bot_v2.orchestration.desk.equity import balance_of
from bot_v2.orchestration.desk.reading import Answers, Missing, Reading, oldest
from bot_v2.orchestration.desk.totals import Rate, rate_for

_ZERO: Final = Decimal(0)
_ONE: Final = Decimal(1)

PLACES: Final = 18
"""How many decimal places a quantity is cut to where the product states no step."""


@attrs.frozen(kw_only=True)
class Holding:
    """What an account holds of a product, and what one unit is worth."""

    product: Product
    quantity: Decimal
    """In order units; negative when short."""
    price: Decimal
    """In quote currency per unit."""
    price_as_of: datetime
    """As of when the price is, by the broker's word where it gives it."""


@attrs.frozen(kw_only=True)
class AccountState:
    """What a plan for an account is made from."""

    equity: Decimal
    """What the account is worth."""
    currency: str
    """The currency of the equity."""
    holdings: Mapping[str, Holding]
    """By the symbol that was asked for."""
    problems: Mapping[str, BrokerageError]
    """The symbols that could not be read, and why."""


@attrs.frozen(kw_only=True)
class PlannedTrade:
    """One order that a plan would place."""

    broker: str
    symbol: str
    side: OrderSide
    quantity: Decimal
    """In order units, rounded down to the product's step."""
    held_quantity: Decimal
    """What is held now; negative when short."""
    target_weight: Decimal
    """The part of the equity that the product is to be, as a fraction."""
    price: Decimal
    """What the quantity was found by, in quote currency per unit."""
    price_as_of: datetime
    """As of when the price is."""
    value: Decimal
    """What is traded at that price, in the account's currency; fees are not in it."""
    remainder: Decimal
    """What the target still lacks after it, in the account's currency; never negative."""
    currency: str
    """The account's currency."""
    as_of: datetime
    """As of when the account is."""


@attrs.frozen(kw_only=True)
class Unplanned:
    """A target that no order is planned for, or only a part of it."""

    broker: str
    symbol: str
    remainder: Decimal | None
    """What the target lacks, in the account's currency. None: it cannot be said."""
    reason: str


@attrs.frozen(kw_only=True)
class RebalancingPlan:
    """The orders that would bring accounts to target weights, sales first. Nothing is sent."""

    trades: tuple[PlannedTrade, ...]
    unplanned: tuple[Unplanned, ...]
    """Targets that are not reached by an order, and why; on target is not among them."""
    missing: tuple[Missing, ...]
    """The accounts that could not be read: nothing is planned for them."""
    as_of: datetime | None
    """As of when the oldest account is. None: none was read."""


def check_targets(targets: Mapping[str, Decimal]) -> None:
    """Refuse weights that cannot be reached; what they leave of 1 stays cash.

    Raises:
        InvalidFieldError: a weight is not from 0 to 1, or all are above 1 together.
    """
    total = _ZERO
    for name, weight in targets.items():
        if type(weight) is not Decimal or not weight.is_finite() or not _ZERO <= weight <= _ONE:
            raise InvalidFieldError(f"targets[{name}]", weight, "a Decimal from 0 to 1")
        total = EXACT.add(total, weight)
    if total > _ONE:
        raise InvalidFieldError("targets", total, "weights that are 1 at most together")


def read_account(
    broker: IBrokerage,
    name: str,
    symbols: Sequence[str],
    *,
    clock: Callable[[], datetime],
    product_of: Callable[[str], Product],
    sells_others: bool,
) -> AccountState:
    """Read what a plan is made from.

    Raises:
        UnsupportedOperationError: what the account is worth cannot be said.
        BrokerageError: it cannot be read.
    """
    positions = broker.list_positions()
    balances = broker.list_balances()
    held = [position.symbol for position in positions] if sells_others else []
    holdings: dict[str, Holding] = {}
    problems: dict[str, BrokerageError] = {}
    for symbol in dict.fromkeys((*symbols, *held)):
        try:
            product = product_of(symbol)
            price, as_of = _price_of(broker, symbol, clock)
        except BrokerageError as error:
            problems[symbol] = error
            continue
        holdings[symbol] = Holding(
            product=product,
            quantity=_held_quantity(broker, product, positions, balances),
            price=price,
            price_as_of=as_of,
        )
    equity, currency = _equity(broker, name, balances, positions, holdings)
    return AccountState(equity=equity, currency=currency, holdings=holdings, problems=problems)


def _price_of(
    broker: IBrokerage, symbol: str, clock: Callable[[], datetime]
) -> tuple[Decimal, datetime]:
    able: object = broker
    if supports(able, SupportsQuotes):
        quote = able.get_quote(symbol)
        if quote.last is not None:
            return quote.last, quote.timestamp
        if quote.bid is not None and quote.ask is not None:
            middle = EXACT.multiply(EXACT.add(quote.bid, quote.ask), Decimal("0.5"))
            return middle, quote.timestamp
    as_of = clock()
    return broker.get_price(symbol), as_of


def _held_quantity(
    broker: IBrokerage,
    product: Product,
    positions: Sequence[Position],
    balances: Sequence[Balance],
) -> Decimal:
    is_balance = product.market_type is MarketType.SPOT and not spot_as_positions_of(broker)
    if is_balance and product.base_currency is not None:
        return balance_of(balances, product.base_currency)
    quantity = _ZERO
    for position in positions:
        if position.symbol == product.symbol:
            change = EXACT.add if position.side is PositionSide.LONG else EXACT.subtract
            quantity = change(quantity, position.quantity)
    return quantity


def _equity(
    broker: IBrokerage,
    name: str,
    balances: Sequence[Balance],
    positions: Sequence[Position],
    holdings: Mapping[str, Holding],
) -> tuple[Decimal, str]:
    """Return what an account is worth and in what, as the broker says or by its balances alone."""
    able: object = broker
    if supports(able, SupportsAccountSummary):
        summary = able.get_account()
        if summary.equity is not None:
            return summary.equity, summary.currency
    currencies = {holding.product.quote_currency for holding in holdings.values()}
    priced = {holding.product.base_currency: holding.price for holding in holdings.values()}
    assets = {balance.asset for balance in balances if balance.total}
    unpriced = sorted(assets - priced.keys() - currencies)
    obstacles = {
        "it has positions": bool(positions),
        f"the targets are priced in {sorted(currencies)}": len(currencies) != 1,
        f"these are not among the targets: {', '.join(unpriced)}": bool(unpriced),
    }
    if any(obstacles.values()):
        why = "; ".join(reason for reason, holds in obstacles.items() if holds)
        raise UnsupportedOperationError(
            f"the broker tells no equity, and it cannot be found from the balances: {why}",
            broker=name,
            operation="get_account",
        )
    (currency,) = currencies
    equity = balance_of(balances, currency)
    for asset in assets - {currency}:
        equity = EXACT.add(equity, EXACT.multiply(balance_of(balances, asset), priced[asset]))
    return equity, currency


def plan(
    answers: Answers[AccountState],
    targets: Mapping[str, Decimal],
    *,
    rates: Sequence[Rate],
) -> RebalancingPlan:
    """Return the orders that would bring each account to the targets.

    Args:
        answers: the accounts. What they hold beside the targets and was read has a target of zero.
        targets: the part of the equity that each symbol is to be, as a fraction.
        rates: prices of other currencies in the account's, for products that are priced in them.
    """
    trades: list[PlannedTrade] = []
    unplanned: list[Unplanned] = []
    for reading in answers.readings:
        state = reading.value
        for symbol, error in state.problems.items():
            unplanned.append(_unplanned(reading.broker, symbol, None, str(error)))
        for symbol, holding in state.holdings.items():
            weight = targets.get(symbol, _ZERO)
            planned, left = _plan_one(reading, symbol, holding, weight, rates)
            trades.extend(planned)
            unplanned.extend(left)
    trades.sort(key=lambda trade: trade.side is OrderSide.BUY)
    return RebalancingPlan(
        trades=tuple(trades),
        unplanned=tuple(unplanned),
        missing=answers.missing,
        as_of=oldest(reading.as_of for reading in answers.readings),
    )


def _plan_one(
    reading: Reading[AccountState],
    symbol: str,
    holding: Holding,
    weight: Decimal,
    rates: Sequence[Rate],
) -> tuple[list[PlannedTrade], list[Unplanned]]:
    broker, state, product = reading.broker, reading.value, holding.product
    factor = rate_for(product.quote_currency, state.currency, rates)
    if factor is None:
        why = f"no price of {product.quote_currency} in {state.currency} was given"
        return [], [_unplanned(broker, symbol, None, why)]
    if product.inverse or holding.price <= _ZERO:
        why = "its price does not value it: it is inverse, or not above zero"
        return [], [_unplanned(broker, symbol, None, why)]
    quoted = EXACT.multiply(holding.price, product.multiplier)
    unit = EXACT.multiply(quoted, factor)
    held = EXACT.multiply(holding.quantity, unit)
    lack = EXACT.subtract(EXACT.multiply(weight, state.equity), held)
    if lack == _ZERO:
        return [], []
    size = abs(lack)
    quantity, why_less = _quantity(product, size, unit, quoted)
    value = EXACT.multiply(quantity, unit)
    remainder = EXACT.subtract(size, value)
    left = [_unplanned(broker, symbol, remainder, why_less)] if why_less else []
    if quantity == _ZERO:
        return [], left
    trade = PlannedTrade(
        broker=broker,
        symbol=product.symbol,
        side=OrderSide.BUY if lack > _ZERO else OrderSide.SELL,
        quantity=quantity,
        held_quantity=holding.quantity,
        target_weight=weight,
        price=holding.price,
        price_as_of=holding.price_as_of,
        value=value,
        remainder=remainder,
        currency=state.currency,
        as_of=reading.as_of,
    )
    return [trade], left


def _quantity(
    product: Product, size: Decimal, unit: Decimal, quoted: Decimal
) -> tuple[Decimal, str | None]:
    """Return how much can be ordered, and why it is less than the steps alone would allow."""
    quantity = quantize_quantity(product, divide(size, unit, PLACES, Rounding.DOWN), Rounding.DOWN)
    notional = EXACT.multiply(quantity, quoted)
    if quantity == _ZERO:
        return _ZERO, "less than one step of the product"
    if not product.tradeable:
        return _ZERO, "it takes no orders now"
    if product.min_order_size is not None and quantity < product.min_order_size:
        return _ZERO, f"less than the smallest order ({product.min_order_size})"
    if product.min_notional is not None and notional < product.min_notional:
        return _ZERO, f"less than the smallest value of an order ({product.min_notional})"
    if product.max_order_size is not None and quantity > product.max_order_size:
        most = quantize_quantity(product, product.max_order_size, Rounding.DOWN)
        return most, f"more than the largest order ({product.max_order_size})"
    return quantity, None


def _unplanned(broker: str, symbol: str, remainder: Decimal | None, reason: str) -> Unplanned:
    return Unplanned(broker=broker, symbol=symbol, remainder=remainder, reason=reason)
