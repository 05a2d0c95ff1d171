"""What all accounts hold together, each number with its time; who does not answer is missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import attrs

from bot_v2.cli.demo_brokers.telling import Teller, plain, shown
from bot_v2.cli.output import Column
from bot_v2.features.brokerages.core.accounts import Balance, Position, PositionSide
from bot_v2.features.brokerages.core.capabilities import SupportsAccountSummary, supports
from bot_v2.features.brokerages.core.decimals import EXACT
from bot_v2.features.brokerages.core.errors import BrokerageError
from bot_v2.simulation.clock import utc_now

if TYPE_CHECKING:
    from bot_v2.features.brokerages.core.brokerage import IBrokerage

ZERO: Final = Decimal(0)

MISSING: Final = "missing"
"""What stands for a broker that did not answer."""


@attrs.frozen(kw_only=True)
class HeldPosition:
    """A position, valued by a price that is stated."""

    broker: str
    """Whose it is."""
    symbol: str
    """The product."""
    quantity: Decimal
    """Signed, in order units."""
    entry: Decimal | None
    """The average price of the entry, in quote currency. None: the broker does not say."""
    price: Decimal | None
    """The price that it is valued with, in quote currency. None: there is none."""
    value: Decimal | None
    """What it is worth at that price, signed. None: there is no price."""
    profit: Decimal | None
    """What it has gained since the entry, as the broker says, else by the prices shown. None: one
    of them is not known."""
    at: datetime
    """When position and price had been read."""


@attrs.frozen(kw_only=True)
class HeldBalance:
    """A balance."""

    broker: str
    """Whose it is."""
    asset: str
    """The currency or coin."""
    total: Decimal
    """All of it."""
    available: Decimal | None
    """What can be used. None: the broker does not say."""
    on_hold: Decimal | None
    """What orders that live hold. None: the broker does not say."""
    at: datetime
    """When it had been read."""


@attrs.frozen(kw_only=True)
class Equity:
    """What one account is worth; or that its broker does not answer."""

    broker: str
    """Whose it is."""
    currency: str | None
    """The account's currency. None: not known."""
    equity: Decimal | None
    """What it is worth. None: not known, which is not zero."""
    at: datetime
    """When it had been read, or when the broker failed to answer."""
    error: str | None
    """Why it is missing. None: it is not."""

    @property
    def is_missing(self) -> bool:
        """Whether the broker did not answer."""
        return self.error is not None

    @property
    def shown_equity(self) -> Decimal | str | None:
        """The equity, or the word that there is none."""
        return MISSING if self.is_missing else self.equity


@attrs.frozen(kw_only=True)
class Portfolio:
    """All accounts together."""

    equities: tuple[Equity, ...]
    """One for each broker, in the order of the brokers."""
    positions: tuple[HeldPosition, ...]
    """Of those that answered."""
    balances: tuple[HeldBalance, ...]
    """Of those that answered."""

    @property
    def missing(self) -> tuple[str, ...]:
        """The brokers that did not answer."""
        return tuple(one.broker for one in self.equities if one.is_missing)

    def total(self, currency: str) -> Decimal:
        """Return what the accounts of a currency are worth together, of those that answered."""
        total = ZERO
        for one in self.equities:
            if one.currency == currency and one.equity is not None:
                total = EXACT.add(total, one.equity)
        return total


@attrs.frozen
class _Account:
    equity: Equity
    positions: tuple[HeldPosition, ...] = ()
    balances: tuple[HeldBalance, ...] = ()


def read_portfolio(brokers: Mapping[str, IBrokerage]) -> Portfolio:
    """Read all accounts at once; a broker that fails is missing, and takes nothing else with it."""
    with ThreadPoolExecutor(max_workers=max(len(brokers), 1)) as pool:
        accounts = list(pool.map(_read, brokers, brokers.values()))
    return Portfolio(
        equities=tuple(one.equity for one in accounts),
        positions=tuple(held for one in accounts for held in one.positions),
        balances=tuple(held for one in accounts for held in one.balances),
    )


def _read(name: str, broker: IBrokerage) -> _Account:
    try:
        positions = tuple(_held(name, broker, one) for one in broker.list_positions())
        balances = _balances(name, broker.list_balances())
        equity, currency = None, None
        if supports(broker, SupportsAccountSummary):
            summary = broker.get_account()
            equity, currency = summary.equity, summary.currency
    except BrokerageError as error:
        # A part of an account is no account: nothing of it is shown.
        kind = type(error).__name__
        return _Account(Equity(broker=name, currency=None, equity=None, at=utc_now(), error=kind))
    whole = Equity(broker=name, currency=currency, equity=equity, at=utc_now(), error=None)
    return _Account(whole, positions, balances)


def _held(name: str, broker: IBrokerage, position: Position) -> HeldPosition:
    sign = Decimal(1 if position.side is PositionSide.LONG else -1)
    quantity = EXACT.multiply(sign, position.quantity)
    product = broker.get_product(position.symbol)
    price = position.current_price
    if price is None:
        price = broker.get_price(position.symbol)
    units = EXACT.multiply(quantity, product.multiplier)
    # The broker knows its own entries to more digits than it prints.
    profit = position.unrealized_pnl
    if profit is None and position.entry_price is not None:
        profit = EXACT.multiply(units, EXACT.subtract(price, position.entry_price))
    return HeldPosition(
        broker=name,
        symbol=position.symbol,
        quantity=quantity,
        entry=position.entry_price,
        price=price,
        value=EXACT.multiply(units, price),
        profit=profit,
        at=utc_now(),
    )


def _balances(name: str, balances: Sequence[Balance]) -> tuple[HeldBalance, ...]:
    at = utc_now()
    return tuple(
        HeldBalance(
            broker=name,
            asset=one.asset,
            total=one.total,
            available=one.available,
            on_hold=one.hold,
            at=at,
        )
        for one in balances
        if one.total
    )


POSITIONS: Final[tuple[Column, ...]] = (
    ("position", lambda row: row.symbol),
    ("broker", lambda row: row.broker),
    ("quantity", lambda row: row.quantity),
    ("entry", lambda row: row.entry),
    ("price", lambda row: row.price),
    ("value", lambda row: row.value),
    ("profit", lambda row: row.profit),
    ("as of", lambda row: row.at),
)

BALANCES: Final[tuple[Column, ...]] = (
    ("balance", lambda row: row.asset),
    ("broker", lambda row: row.broker),
    ("total", lambda row: row.total),
    ("available", lambda row: row.available),
    ("on hold", lambda row: row.on_hold),
    ("as of", lambda row: row.at),
)

EQUITIES: Final[tuple[Column, ...]] = (
    ("account of", lambda row: row.broker),
    ("equity", lambda row: row.shown_equity),
    ("in", lambda row: row.currency),
    ("as of", lambda row: row.at),
    ("because", lambda row: row.error),
)


def show_whole(teller: Teller, portfolio: Portfolio, currency: str) -> None:
    """Show positions, balances and equity; those of one currency or product together."""
    teller.table(POSITIONS, sorted(portfolio.positions, key=lambda row: (row.symbol, row.broker)))
    teller.text("")
    teller.table(BALANCES, sorted(portfolio.balances, key=_by_asset(portfolio.balances)))
    teller.text("")
    show_equity(teller, portfolio, currency)


def _by_asset(balances: Sequence[HeldBalance]) -> Callable[[HeldBalance], tuple[int, str, str]]:
    """Return what sorts balances: what most brokers have comes first."""
    counts = Counter(one.asset for one in balances)
    return lambda row: (-counts[row.asset], row.asset, row.broker)


def show_equity(teller: Teller, portfolio: Portfolio, currency: str) -> None:
    """Show what each account is worth, and the sum of those that answered."""
    teller.table(EQUITIES, portfolio.equities)
    count = len(portfolio.equities)
    answered = count - len(portfolio.missing)
    sentence = f"  together {plain(portfolio.total(currency))} {currency}"
    if portfolio.missing:
        names = ", ".join(portfolio.missing)
        teller.text(
            f"{sentence} in {answered} of {count} accounts; {names} is missing, not zero", "yellow"
        )
    else:
        latest = max(one.at for one in portfolio.equities)
        teller.text(f"{sentence} in {answered} of {count} accounts, at {shown(latest)}")
