"""What the accounts of a desk are worth, and what their positions have gained."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

import attrs

from bot_v2.features.brokerages.core.accounts import Balance, Position, PositionSide
from bot_v2.features.brokerages.core.brokerage import IBrokerage
from bot_v2.features.brokerages.core.capabilities import SupportsAccountSummary, supports
from bot_v2.features.brokerages.core.decimals import EXACT
from bot_v2.features.brokerages.core.errors import UnsupportedOperationError
from bot_v2.features.brokerages.core.products import Product
from bot_v2.orchestration.desk.reading import Answers, Missing, oldest
from bot_v2.orchestration.desk.totals import Amount, Conversion, Total, totals_of


class EquityBasis(StrEnum):
    """Where an account's equity comes from."""

    SUMMARY = "summary"
    """The broker says it."""
    BALANCES = "balances"
    """The account holds balances alone, and they are it: an amount of each asset."""


@attrs.frozen(kw_only=True)
class AccountEquity:
    """What one account is worth: of each currency or asset, an amount."""

    basis: EquityBasis
    amounts: tuple[tuple[str, Decimal | None], ...]
    """The currency or asset, and how much. None: the broker answered, and does not say."""
    timestamp: datetime | None
    """As of when the broker says that it is. None: it does not say."""


def read_equity(broker: IBrokerage, name: str) -> AccountEquity:
    """Return what an account is worth, as far as that can be said without a price.

    Raises:
        UnsupportedOperationError: the broker tells no equity, and there are positions.
        BrokerageError: it cannot be read.
    """
    able: object = broker
    if supports(able, SupportsAccountSummary):
        summary = able.get_account()
        return AccountEquity(
            basis=EquityBasis.SUMMARY,
            amounts=((summary.currency, summary.equity),),
            timestamp=summary.timestamp,
        )
    if broker.list_positions():
        raise UnsupportedOperationError(
            "the broker tells no equity, and the account has positions, whose part in it only the "
            "broker knows",
            broker=name,
            operation="get_account",
        )
    amounts: dict[str, Decimal] = {}
    for balance in broker.list_balances():
        amounts[balance.asset] = EXACT.add(amounts.get(balance.asset, Decimal(0)), balance.total)
    return AccountEquity(
        basis=EquityBasis.BALANCES, amounts=tuple(sorted(amounts.items())), timestamp=None
    )


@attrs.frozen(kw_only=True)
class BrokerEquity:
    """What one account is worth, and where it is."""

    broker: str
    basis: EquityBasis
    """Where the amounts come from."""
    amounts: tuple[Amount, ...]
    """Of each currency or asset, an amount; their sum is the account's equity."""
    as_of: datetime
    """As of when, by the broker's word where it gives it."""


@attrs.frozen(kw_only=True)
class ConsolidatedEquity:
    """What the accounts of all brokerages that answered are worth."""

    accounts: tuple[BrokerEquity, ...]
    """Each of them."""
    totals: tuple[Total, ...]
    """What they come to, by currency."""
    converted: Conversion | None
    """The totals in the currency that was asked for. None: none was."""
    missing: tuple[Missing, ...]
    """Who did not answer, or cannot say: that is not in the totals."""
    as_of: datetime | None
    """As of when the oldest part is. None: nobody answered."""


def equity_of(answers: Answers[AccountEquity]) -> ConsolidatedEquity:
    """Return the accounts' equity side by side, and what it comes to in each currency."""
    accounts = []
    for reading in answers.readings:
        as_of = reading.value.timestamp or reading.as_of
        accounts.append(
            BrokerEquity(
                broker=reading.broker,
                basis=reading.value.basis,
                amounts=tuple(
                    Amount(broker=reading.broker, currency=currency, amount=amount, as_of=as_of)
                    for currency, amount in reading.value.amounts
                ),
                as_of=as_of,
            )
        )
    return ConsolidatedEquity(
        accounts=tuple(accounts),
        totals=totals_of(amount for account in accounts for amount in account.amounts),
        converted=None,
        missing=answers.missing,
        as_of=oldest(account.as_of for account in accounts),
    )


@attrs.frozen(kw_only=True)
class EquityChange:
    """By how much an account's equity changed; deposits and withdrawals are in it."""

    broker: str
    currency: str
    amount: Decimal
    """What it is now, less what it was."""
    since: datetime
    """As of when it was."""
    as_of: datetime
    """As of when it is."""


def equity_change(before: ConsolidatedEquity, now: ConsolidatedEquity) -> tuple[EquityChange, ...]:
    """Return the change of each account that both tell of, by currency.

    An account that is missing in either has none: a gap is no gain and no loss.
    """
    was = {
        (amount.broker, amount.currency): amount
        for account in before.accounts
        for amount in account.amounts
    }
    changes = []
    for account in now.accounts:
        for amount in account.amounts:
            old = was.get((amount.broker, amount.currency))
            if old is None or old.amount is None or amount.amount is None:
                continue
            changes.append(
                EquityChange(
                    broker=amount.broker,
                    currency=amount.currency,
                    amount=EXACT.subtract(amount.amount, old.amount),
                    since=old.as_of,
                    as_of=amount.as_of,
                )
            )
    return tuple(changes)


@attrs.frozen(kw_only=True)
class PositionGain:
    """What one position would gain if it were closed at the price that it is valued at."""

    broker: str
    symbol: str
    side: PositionSide
    bucket: str
    amount: Decimal | None
    """The profit; negative is a loss. None: the broker does not say."""
    currency: str | None
    """The currency that profit is paid in. None: the product could not be read."""
    as_of: datetime


@attrs.frozen(kw_only=True)
class ConsolidatedGains:
    """The unrealized profit of all brokerages that answered."""

    positions: tuple[PositionGain, ...]
    """Each position's."""
    totals: tuple[Total, ...]
    """What they come to, by currency; `unsaid` names who has a position that is not in it."""
    missing: tuple[Missing, ...]
    """Who did not answer, and products that could not be read."""
    as_of: datetime | None
    """As of when the oldest answer is. None: nobody answered."""


def gains_of(
    answers: Answers[list[Position]],
    products: dict[tuple[str, str], Product],
    products_missing: Sequence[Missing],
) -> ConsolidatedGains:
    """Return the positions' profit side by side, and what it comes to in each currency.

    Args:
        answers: the positions.
        products: the product of each (brokerage, symbol) that could be read.
        products_missing: those that could not.
    """
    rows = []
    for reading in answers.readings:
        for position in reading.value:
            product = products.get((reading.broker, position.symbol))
            rows.append(
                PositionGain(
                    broker=reading.broker,
                    symbol=position.symbol,
                    side=position.side,
                    bucket=position.bucket,
                    amount=position.unrealized_pnl,
                    currency=(
                        None
                        if product is None
                        else product.settle_currency or product.quote_currency
                    ),
                    as_of=reading.as_of,
                )
            )
    return ConsolidatedGains(
        positions=tuple(rows),
        totals=totals_of(
            Amount(broker=row.broker, currency=row.currency, amount=row.amount, as_of=row.as_of)
            for row in rows
            if row.currency is not None
        ),
        missing=(*answers.missing, *products_missing),
        as_of=oldest(reading.as_of for reading in answers.readings),
    )


def balance_of(balances: Sequence[Balance], asset: str) -> Decimal:
    """Return all that an account holds of an asset, over its wallets."""
    total = Decimal(0)
    for balance in balances:
        if balance.asset == asset:
            total = EXACT.add(total, balance.total)
    return total
