"""Where an account stands, or all of them together, when an order is judged."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

import attrs

from bot_v2.features.brokerages.core.decimals import EXACT
from bot_v2.features.brokerages.core.errors import InvalidRequestError
from bot_v2.orchestration.journal.journal import Scope
from bot_v2.orchestration.risk.exposure import AccountState, Part, Reservation, total
from bot_v2.orchestration.risk.limits import RiskLimits
from bot_v2.orchestration.risk.store import RiskBook

MINUTE: Final = timedelta(seconds=60)


@attrs.frozen(kw_only=True)
class Level:
    """Limits, and for what they are."""

    name: str
    """For people: the brokerage's name, or `all accounts`."""
    limits: RiskLimits
    """What is to be kept to."""
    scope: Scope | None
    """The account. None: all accounts together."""


@attrs.frozen(kw_only=True)
class Standing:
    """Where one level stands; amounts are in `currency`."""

    now: datetime
    """The present moment."""
    currency: str | None
    """The currency of every amount here. None: it was not asked for."""
    equity: Decimal | None = None
    """Cash and positions. None: not read, or a broker does not say."""
    first_equity: Decimal | None = None
    """The same when the day began. None: as `equity`."""
    cash: Decimal | None = None
    """The cash. None: not read, or a broker does not say."""
    states: tuple[AccountState, ...] = ()
    """A look at each account."""
    ahead: tuple[Part, ...] = ()
    """What all other orders do, or may."""
    orders: tuple[datetime, ...] = ()
    """When orders were counted in the last minute, oldest first."""

    def position(self, exposure: str) -> Decimal:
        """Return the signed position of all accounts together, in order units."""
        return total(state.position(exposure) for state in self.states)


def convert(amount: Decimal, currency: str | None, level: Level, into: str | None) -> Decimal:
    """Return an amount in the currency of a level's limits.

    Raises:
        InvalidRequestError: there is no rate for it; nothing is guessed.
    """
    if currency == into and into is not None:
        return amount
    rate = level.limits.currency_rates.get(currency or "")
    if not isinstance(rate, Decimal) or into is None:
        raise InvalidRequestError(
            f"the limits of {level.name} are in {into or 'a currency that is not known'}, and the "
            f"amount is in {currency or 'one that its broker does not tell'}; accepted: "
            f"{'RiskLimits.currency' if into is None else 'a rate of it in currency_rates'}"
        )
    return EXACT.multiply(amount, rate)


def parts_ahead(book: RiskBook, state: AccountState, but: str) -> list[Part]:
    """Return what all orders of an account but one do, or may: ours, and what others have placed.

    Args:
        book: what is reserved.
        state: a look at the account.
        but: the client id of the one.
    """
    rows = book.list_counting(state)
    return parts_of(rows, rows, state, but)


def parts_of(
    counted: Iterable[Reservation], rows: Iterable[Reservation], state: AccountState, but: str
) -> list[Part]:
    """Return what some reservations weigh, and live orders that came of none.

    Args:
        counted: the reservations.
        rows: all of them, by which an order is known to have come of one.
        state: a look at the account.
        but: the client id of the order that is left out.
    """
    ours = {row.client_order_id for row in rows}
    ahead = [part for row in counted if row.client_order_id != but for part in row.parts]
    for order in state.live:
        if order.client_order_id is None or order.client_order_id not in ours | {but}:
            ahead.extend(order.parts)
    return ahead


def unseen(rows: Iterable[Reservation], state: AccountState) -> list[Part]:
    """Return what is reserved and not among the live orders that a look showed."""
    seen = {order.client_order_id for order in state.live}
    return [part for row in rows if row.client_order_id not in seen for part in row.parts]


def stand(
    book: RiskBook,
    level: Level,
    states: Iterable[AccountState],
    *,
    but: str,
    own: Scope,
    currency: str | None,
    now: datetime,
) -> Standing:
    """Return where a level stands.

    Args:
        book: what is reserved.
        level: the limits.
        states: a look at each account that they are for; none where no limit needs one.
        but: the client id of the order that is judged.
        own: the account that the order is for.
        currency: what that account is in. None: its broker does not tell, or no limit asks.
        now: the present moment.

    Raises:
        InvalidRequestError: amounts of several currencies cannot be added up.
    """
    limits, states = level.limits, tuple(states)
    told = {state.currency for state in states if state.currency is not None}
    if told:
        currency = told.pop() if len(told) == 1 else None
    currency = limits.currency or currency
    ahead: list[Part] = []
    for state in states:
        ahead += parts_ahead(book, state, but if state.scope == own else "")
    orders: list[datetime] = []
    if limits.max_orders_per_minute is not None:
        orders = book.list_orders_since(level.scope, now - MINUTE)
    day = f"{now.astimezone(ZoneInfo(limits.day_zone)).date().isoformat()} {limits.day_zone}"

    def add_up(amounts: list[tuple[Decimal | None, str | None]]) -> Decimal | None:
        if not amounts:
            return None
        converted = []
        for amount, each in amounts:
            if amount is None:
                return None
            converted.append(convert(amount, each, level, currency))
        return total(converted)

    first: list[tuple[Decimal | None, str | None]] = []
    if limits.max_daily_loss is not None:
        for state in states:
            if state.equity is not None:
                book.put_first_equity(state.scope, day, state.equity)
            first.append((book.first_equity(state.scope, day), state.currency))
    equities = [(state.equity, state.currency) for state in states] if limits.needs_equity else []
    needs_cash = limits.needs_cash
    cash = [(state.cash, state.currency) for state in states] if needs_cash else []
    return Standing(
        currency=currency,
        equity=add_up(equities),
        first_equity=add_up(first),
        cash=add_up(cash),
        states=states,
        ahead=tuple(ahead),
        orders=tuple(orders),
        now=now,
    )
