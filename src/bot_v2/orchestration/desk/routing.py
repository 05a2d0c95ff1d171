"""Which brokerage an order goes to: a table of rules, by symbol, market and what it asks for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Final

import attrs

from bot_v2.features.brokerages.core.capabilities import Capability, capabilities_of
from bot_v2.features.brokerages.core.errors import (
    BrokerageError,
    InvalidSymbolError,
    UnsupportedOperationError,
)
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.order_terms import OrderType
from bot_v2.features.brokerages.core.products import MarketType, Product
from bot_v2.orchestration.desk.members import Member


@attrs.frozen(kw_only=True)
class Route:
    """One rule: an order that has all that it names goes to its brokerage."""

    broker: str
    """The brokerage's name in the desk."""
    symbols: tuple[str, ...] | None = None
    """Symbols, or patterns of them such as `BTC-*`. None: every symbol."""
    market_types: tuple[MarketType, ...] | None = None
    """The kinds of product, as this brokerage says. None: every kind."""
    capabilities: tuple[Capability, ...] | None = None
    """What an order has to ask for, all of it. None: nothing."""


@attrs.frozen(kw_only=True)
class Choice:
    """The brokerage that an order goes to."""

    member: Member
    """The brokerage."""
    reason: str
    """Why, for a person."""


_NEEDS: Final[dict[Capability, Callable[[OrderRequest], bool]]] = {
    # what a brokerage has to be able to do: whether an order asks for it
    Capability.BRACKET: lambda it: it.stop_loss is not None or it.take_profit is not None,
    Capability.TRAILING_STOP: lambda it: it.type is OrderType.TRAILING_STOP,
    Capability.MULTI_LEG: lambda it: bool(it.legs),
    Capability.EXTENDED_HOURS: lambda it: it.extended_hours,
    Capability.NOTIONAL_ORDERS: lambda it: it.notional is not None,
}


def needs_of(request: OrderRequest) -> frozenset[Capability]:
    """Return what a brokerage has to be able to do for an order."""
    return frozenset(needed for needed, asks in _NEEDS.items() if asks(request))


def choose_by_rules(
    request: OrderRequest,
    routes: Sequence[Route],
    member_of: Callable[[str | None], Member],
    product_of: Callable[[Member, str], Product],
) -> Choice:
    """Return where an order goes: by the first rule that fits, else to the default.

    A rule does not fit where its brokerage cannot do what the order asks for, or does not have the
    product.

    Args:
        request: the order.
        routes: the rules, the first one first.
        member_of: returns a brokerage by its name; None: the default.
        product_of: returns a brokerage's product.

    Raises:
        InvalidFieldError: a rule names a brokerage that is not in the desk.
        BrokerageError: a product cannot be read: another brokerage is not taken by chance.
    """
    needed = needs_of(request)
    for number, route in enumerate(routes, 1):
        member = member_of(route.broker)
        if not _fits(route, request, needed) or not needed <= capabilities_of(member.broker):
            continue
        if not _has(route, request, member, product_of):
            continue
        return Choice(member=member, reason=f"rule {number} of the routing table")
    member = member_of(None)
    why = "no rule of the routing table fits it" if routes else "no brokerage is named"
    return Choice(member=member, reason=f"{why}: the default")


def _fits(route: Route, request: OrderRequest, needed: frozenset[Capability]) -> bool:
    symbols = route.symbols
    if symbols is not None and not any(fnmatchcase(request.symbol, one) for one in symbols):
        return False
    return route.capabilities is None or set(route.capabilities) <= needed


def _has(
    route: Route,
    request: OrderRequest,
    member: Member,
    product_of: Callable[[Member, str], Product],
) -> bool:
    try:
        product = product_of(member, request.symbol)
    except InvalidSymbolError:
        return False
    return route.market_types is None or product.market_type in route.market_types


@attrs.frozen(kw_only=True)
class Power:
    """What an account can buy a product with."""

    currency: str
    """The currency of the amount."""
    amount: Decimal
    """How much."""


def choose_by_margin(
    candidates: Sequence[tuple[Member, Power]], failed: Sequence[BrokerageError]
) -> Choice:
    """Return the account that can buy with most; the first of those that can with the same.

    Args:
        candidates: the accounts that have the product, and what each can buy it with.
        failed: why others are not among them.

    Raises:
        UnsupportedOperationError: there is none, or amounts are of several currencies.
    """
    currencies = sorted({power.currency for _, power in candidates})
    if len(currencies) != 1:
        reasons = "; ".join(dict.fromkeys(error.message for error in failed))
        found = f"amounts in {', '.join(currencies)}" if currencies else "none says it"
        raise UnsupportedOperationError(
            f"which account has the most margin cannot be said: {found}"
            f"{f' ({reasons})' if reasons else ''}; accepted: a brokerage by its name",
            operation="submit",
        )
    member, power = max(candidates, key=lambda one: one[1].amount)
    others = len(candidates) - 1
    return Choice(
        member=member,
        reason=f"{power.amount} {power.currency} to buy with, the most of {others + 1} accounts",
    )
