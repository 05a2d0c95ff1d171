"""What the brokerages of a desk hold and have open, side by side and added up."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Final

import attrs

from bot_v2.features.brokerages.core.account_summary import Margin
from bot_v2.features.brokerages.core.accounts import Balance, Position, PositionSide
from bot_v2.features.brokerages.core.decimals import EXACT
from bot_v2.features.brokerages.core.errors import InvalidSymbolError
from bot_v2.features.brokerages.core.order_status import LIVE_STATUSES
from bot_v2.features.brokerages.core.orders import Order
from bot_v2.features.brokerages.core.symbols import EquitySymbol, PairSymbol, parse_symbol
from bot_v2.orchestration.desk.cache import Kept
from bot_v2.orchestration.desk.reading import Answers, Missing, oldest
from bot_v2.orchestration.desk.totals import Amount, Conversion, Total, names, totals_of

_ZERO: Final = Decimal(0)


@attrs.frozen(kw_only=True)
class BrokerPosition:
    """A position, and where it is."""

    broker: str
    position: Position
    as_of: datetime


@attrs.frozen(kw_only=True)
class Exposure:
    """What is held of one product.

    Shares and pairs are one product at every broker. A contract may be of another size at another
    broker, and an `@native` symbol another thing: each broker's has an exposure of its own.
    """

    symbol: str
    """The product."""
    brokers: tuple[str, ...]
    """Where it is held."""
    long_quantity: Decimal
    """What is long, in order units."""
    short_quantity: Decimal
    """What is short, in order units; not negative."""
    as_of: datetime
    """As of when its oldest part is."""

    @property
    def net_quantity(self) -> Decimal:
        """What is long less what is short, in order units."""
        return EXACT.subtract(self.long_quantity, self.short_quantity)


@attrs.frozen(kw_only=True)
class ConsolidatedPositions:
    """The positions of all brokerages that answered."""

    positions: tuple[BrokerPosition, ...]
    """Each of them."""
    exposures: tuple[Exposure, ...]
    """What they come to, by symbol."""
    missing: tuple[Missing, ...]
    """Who did not answer: what they hold is unknown, not zero."""
    as_of: datetime | None
    """As of when the oldest answer is. None: nobody answered."""


def positions_of(answers: Answers[list[Position]]) -> ConsolidatedPositions:
    """Return the positions side by side, and what is held of each product."""
    rows = [
        BrokerPosition(broker=reading.broker, position=position, as_of=reading.as_of)
        for reading in answers.readings
        for position in reading.value
    ]
    groups: dict[tuple[str, str], list[BrokerPosition]] = {}
    for row in rows:
        apart = "" if _is_one_product(row.position.symbol) else row.broker
        groups.setdefault((row.position.symbol, apart), []).append(row)
    return ConsolidatedPositions(
        positions=tuple(rows),
        exposures=tuple(
            Exposure(
                symbol=symbol,
                brokers=names([row.broker for row in group]),
                long_quantity=_sum_of(group, PositionSide.LONG),
                short_quantity=_sum_of(group, PositionSide.SHORT),
                as_of=min([row.as_of for row in group]),
            )
            for (symbol, _), group in sorted(groups.items())
        ),
        missing=answers.missing,
        as_of=oldest(reading.as_of for reading in answers.readings),
    )


# The same symbols come with every read, and to parse them is half of what adding up costs.
@lru_cache(maxsize=10_000)
def _is_one_product(symbol: str) -> bool:
    try:
        return isinstance(parse_symbol(symbol), EquitySymbol | PairSymbol)
    except InvalidSymbolError:
        return False


def _sum_of(rows: Sequence[BrokerPosition], side: PositionSide) -> Decimal:
    total = _ZERO
    for row in rows:
        if row.position.side is side:
            total = EXACT.add(total, row.position.quantity)
    return total


@attrs.frozen(kw_only=True)
class BrokerBalance:
    """A balance, and where it is."""

    broker: str
    balance: Balance
    as_of: datetime


@attrs.frozen(kw_only=True)
class ConsolidatedBalances:
    """The balances of all brokerages that answered."""

    balances: tuple[BrokerBalance, ...]
    """Each of them."""
    totals: tuple[Total, ...]
    """What they come to, by asset."""
    available: tuple[Total, ...]
    """What of that can be used now, by asset."""
    converted: Conversion | None
    """The totals in the currency that was asked for. None: none was."""
    missing: tuple[Missing, ...]
    """Who did not answer."""
    as_of: datetime | None
    """As of when the oldest answer is. None: nobody answered."""


def balances_of(answers: Answers[list[Balance]]) -> ConsolidatedBalances:
    """Return the balances side by side, and what there is of each asset."""
    rows = [
        BrokerBalance(broker=reading.broker, balance=balance, as_of=reading.as_of)
        for reading in answers.readings
        for balance in reading.value
    ]

    def summed(field: str) -> tuple[Total, ...]:
        return totals_of(
            Amount(
                broker=row.broker,
                currency=row.balance.asset,
                amount=getattr(row.balance, field),
                as_of=row.as_of,
            )
            for row in rows
        )

    return ConsolidatedBalances(
        balances=tuple(rows),
        totals=summed("total"),
        available=summed("available"),
        converted=None,
        missing=answers.missing,
        as_of=oldest(reading.as_of for reading in answers.readings),
    )


@attrs.frozen(kw_only=True)
class BrokerMargin:
    """An account's margin, and where it is."""

    broker: str
    margin: Margin
    as_of: datetime
    is_cached: bool
    """True: it was read earlier, and kept."""


@attrs.frozen(kw_only=True)
class ConsolidatedMargin:
    """The margin of all brokerages that answered."""

    accounts: tuple[BrokerMargin, ...]
    """Each of them."""
    initial_margin: tuple[Total, ...]
    """What is needed to open what is open, by currency."""
    maintenance_margin: tuple[Total, ...]
    """What is needed to keep what is open, by currency."""
    excess: tuple[Total, ...]
    """Equity above the maintenance margin, by currency; one account's does not help another."""
    buying_power: tuple[Total, ...]
    """What new orders may cost, by currency."""
    missing: tuple[Missing, ...]
    """Who did not answer, or tells no margin."""
    as_of: datetime | None
    """As of when the oldest answer is. None: nobody answered."""


def margin_of(answers: Answers[Kept[Margin]]) -> ConsolidatedMargin:
    """Return the margins side by side, and what they come to in each currency."""
    rows = [
        BrokerMargin(
            broker=reading.broker,
            margin=reading.value.value,
            as_of=reading.value.as_of,
            is_cached=reading.value.is_cached,
        )
        for reading in answers.readings
    ]

    def summed(field: str) -> tuple[Total, ...]:
        return totals_of(
            Amount(
                broker=row.broker,
                currency=row.margin.currency,
                amount=getattr(row.margin, field),
                as_of=row.as_of,
            )
            for row in rows
        )

    return ConsolidatedMargin(
        accounts=tuple(rows),
        initial_margin=summed("initial_margin"),
        maintenance_margin=summed("maintenance_margin"),
        excess=summed("excess"),
        buying_power=summed("buying_power"),
        missing=answers.missing,
        as_of=oldest(row.as_of for row in rows),
    )


@attrs.frozen(kw_only=True)
class BrokerOrder:
    """An order, and where it is."""

    broker: str
    order: Order
    as_of: datetime


@attrs.frozen(kw_only=True)
class ConsolidatedOrders:
    """The live orders of all brokerages that answered."""

    orders: tuple[BrokerOrder, ...]
    """Each of them: those of one brokerage together, newest first."""
    missing: tuple[Missing, ...]
    """Who did not answer."""
    as_of: datetime | None
    """As of when the oldest answer is. None: nobody answered."""


def live_orders_of(answers: Answers[list[Order]]) -> ConsolidatedOrders:
    """Return the orders that have not ended; one whose status is unknown may live, and is in."""
    return ConsolidatedOrders(
        orders=tuple(
            BrokerOrder(broker=reading.broker, order=order, as_of=reading.as_of)
            for reading in answers.readings
            for order in reading.value
            if order.status in LIVE_STATUSES
        ),
        missing=answers.missing,
        as_of=oldest(reading.as_of for reading in answers.readings),
    )
