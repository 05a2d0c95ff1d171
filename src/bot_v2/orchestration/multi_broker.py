"""MultiBrokerManager: several brokerages, connected together and read at once.

    with MultiBrokerManager() as manager:
        manager.add("shares", shares, weight=Decimal("0.6"))
        manager.add("coins", coins, weight=Decimal("0.4"))
        manager.connect_all()
        manager.read_equity(currency="USD").converted

Every number says as of when it is. A brokerage that does not answer is in `missing`, with its
error: to be missing is never to be zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Final

import attrs

from bot_v2.features.brokerages.core.account_summary import FeeRates
from bot_v2.features.brokerages.core.capabilities import SupportsQuotes, supports
from bot_v2.features.brokerages.core.decimals import EXACT
from bot_v2.features.brokerages.core.declarations import idempotency_of
from bot_v2.features.brokerages.core.errors import (
    MarketDataUnavailableError,
    UnsupportedOperationError,
)
from bot_v2.features.brokerages.core.health import BrokerHealth
from bot_v2.orchestration.desk.equity import (
    ConsolidatedEquity,
    ConsolidatedGains,
    equity_of,
    gains_of,
    read_equity,
)
from bot_v2.orchestration.desk.exposures import (
    ConsolidatedBalances,
    ConsolidatedMargin,
    ConsolidatedOrders,
    ConsolidatedPositions,
    balances_of,
    live_orders_of,
    margin_of,
    positions_of,
)
from bot_v2.orchestration.desk.members import Member
from bot_v2.orchestration.desk.price_scan import (
    Offer,
    PriceScan,
    read_best_prices,
    read_fees,
    scan,
)
from bot_v2.orchestration.desk.reading import Answers, Job, Missing
from bot_v2.orchestration.desk.rebalancing import (
    RebalancingPlan,
    check_targets,
    plan,
    read_account,
)
from bot_v2.orchestration.desk.rebalancing_orders import TradeResult, carry_out
from bot_v2.orchestration.desk.settings import DeskSettings
from bot_v2.orchestration.desk.totals import Conversion, Rate, Total, convert
from bot_v2.orchestration.desk.trading import TradingPool

__all__ = ["DeskSettings", "Missing", "MultiBrokerManager", "Rate"]

RATE_AGE_MAX_S: Final = 60.0
"""How old a price may be that converts, in seconds, where nothing else is said."""


class MultiBrokerManager(TradingPool):
    """Several brokerages as one desk. Safe between threads; it closes once.

    Whoever does not answer within `read_timeout_s` is missing.
    """

    # What all of them say.

    def read_health(self, brokers: Iterable[str] | None = None) -> Answers[BrokerHealth]:
        """Return a sign of life of some brokerages, or of all, each asked now."""
        return self._ask("check_health", lambda member: member.broker.check_health(), brokers)

    def read_positions(self, brokers: Iterable[str] | None = None) -> ConsolidatedPositions:
        """Return the positions of some brokerages, or of all, and what is held of each product."""
        ask = self._ask("list_positions", lambda member: member.broker.list_positions(), brokers)
        return positions_of(ask)

    def read_balances(
        self,
        brokers: Iterable[str] | None = None,
        *,
        currency: str | None = None,
        rates: Sequence[Rate] = (),
        rate_age_max_s: float = RATE_AGE_MAX_S,
    ) -> ConsolidatedBalances:
        """Return the balances, and what there is of each asset; see `read_equity` for the rest."""
        ask = self._ask("list_balances", lambda member: member.broker.list_balances(), brokers)
        found = balances_of(ask)
        converted = self._convert(found.totals, currency, rates, rate_age_max_s)
        return attrs.evolve(found, converted=converted)

    def read_open_orders(self, brokers: Iterable[str] | None = None) -> ConsolidatedOrders:
        """Return the orders that have not ended."""
        ask = self._ask("list_orders", lambda member: member.broker.list_orders(), brokers)
        return live_orders_of(ask)

    def read_margin(self, brokers: Iterable[str] | None = None) -> ConsolidatedMargin:
        """Return the margin of the accounts; one is kept for `margin_cache_s`."""
        return margin_of(self._ask("get_margin", self._margin, brokers))

    def read_equity(
        self,
        brokers: Iterable[str] | None = None,
        *,
        currency: str | None = None,
        rates: Sequence[Rate] = (),
        rate_age_max_s: float = RATE_AGE_MAX_S,
    ) -> ConsolidatedEquity:
        """Return what the accounts are worth, by currency; and in one, by prices that are given.

        Args:
            brokers: which. None: all.
            currency: the currency to convert to. None: nothing is converted.
            rates: the prices to convert by, such as `read_rate` returns.
            rate_age_max_s: how old a price may be, in seconds.
        """
        found = equity_of(
            self._ask(
                "get_account", lambda member: read_equity(member.broker, member.name), brokers
            )
        )
        converted = self._convert(found.totals, currency, rates, rate_age_max_s)
        return attrs.evolve(found, converted=converted)

    def _convert(
        self,
        totals: Sequence[Total],
        currency: str | None,
        rates: Sequence[Rate],
        age_max_s: float,
    ) -> Conversion | None:
        if currency is None:
            return None
        return convert(totals, currency, rates, now=self._clock(), age_max_s=age_max_s)

    def read_gains(self, brokers: Iterable[str] | None = None) -> ConsolidatedGains:
        """Return the unrealized profit of the positions, by currency.

        `desk.equity.equity_change` says what accounts gained between two readings.
        """
        members = self._roster.choose(brokers)
        answers = self._ask_all(
            "list_positions", lambda member: member.broker.list_positions(), members
        )
        by_name = {member.name: member for member in members}
        jobs = [
            Job(
                member=by_name[reading.broker],
                operation="get_product",
                call=partial(self._product, by_name[reading.broker], symbol),
                subject=symbol,
            )
            for reading in answers.readings
            for symbol in dict.fromkeys(position.symbol for position in reading.value)
        ]
        products = self._reader.read(jobs, self._settings.read_timeout_s)
        found = {(one.broker, one.subject or ""): one.value for one in products.readings}
        return gains_of(answers, found, products.missing)

    def read_rate(self, base: str, quote: str, broker: str | None = None) -> Rate:
        """Return the price of one currency in another, by the quote of a brokerage.

        Args:
            base: what is priced.
            quote: what the price is in.
            broker: who is asked. None: the default.

        Raises:
            UnsupportedOperationError: the brokerage gives no quotes, and so no age of a price.
            MarketDataUnavailableError: there is no price, or it is delayed.
            BrokerageError: it cannot be read.
        """
        member = self._roster.get(broker)
        able: object = member.broker
        if not supports(able, SupportsQuotes):
            raise UnsupportedOperationError(
                "it gives no quotes, and a price without an age converts nothing",
                broker=member.name,
                operation="get_quote",
            )
        found = able.get_quote(f"{base}-{quote}")
        price = found.last
        if found.bid is not None and found.ask is not None:
            price = EXACT.multiply(EXACT.add(found.bid, found.ask), Decimal("0.5"))
        if price is None or found.delayed:
            raise MarketDataUnavailableError(
                "there is no price, or it is delayed", broker=member.name, symbol=found.symbol
            )
        return Rate(base=base, quote=quote, price=price, as_of=found.timestamp, source=member.name)

    # What could be done. Nothing is sent.

    def scan_prices(
        self,
        symbols: Sequence[str],
        brokers: Iterable[str] | None = None,
        *,
        fees: Mapping[str, FeeRates] | None = None,
        age_max_s: float = 5.0,
        quantity_max: Decimal | None = None,
    ) -> PriceScan:
        """Return where products are cheaper at one brokerage than they sell for at another.

        Args:
            symbols: the products, by their canonical symbols.
            brokers: which brokerages. None: all.
            fees: what they take, by their names. One that is not named is asked, and missing where
                it does not say: what is not known is not taken for nothing.
            age_max_s: how old a price may be, in seconds.
            quantity_max: how much is traded at most, in order units. None: as much as is offered.
        """
        given = fees or {}
        jobs = [
            Job(
                member=member,
                operation="get_quote",
                call=partial(self._offer, member, symbol, given.get(member.name)),
                subject=symbol,
            )
            for symbol in dict.fromkeys(symbols)
            for member in self._roster.choose(brokers)
        ]
        answers = self._reader.read(jobs, self._settings.read_timeout_s)
        return scan(answers, now=self._clock(), age_max_s=age_max_s, quantity_max=quantity_max)

    def plan_rebalancing(
        self,
        targets: Mapping[str, Decimal],
        brokers: Iterable[str] | None = None,
        *,
        sells_others: bool = False,
        rates: Sequence[Rate] = (),
    ) -> RebalancingPlan:
        """Return the orders that would bring each account to target weights.

        Args:
            targets: the part of an account's equity that each symbol is to be, as a fraction; what
                they leave of 1 stays cash.
            brokers: which accounts. None: all.
            sells_others: True: positions that are not among the targets are sold.
            rates: prices, in an account's currency, of the currencies that products are priced in.

        Raises:
            InvalidFieldError: the weights cannot be reached.
        """
        check_targets(targets)
        answers = self._ask(
            "plan_rebalancing",
            lambda member: read_account(
                member.broker,
                member.name,
                list(targets),
                clock=self._clock,
                product_of=partial(self._product, member),
                sells_others=sells_others,
            ),
            brokers,
        )
        return plan(answers, targets, rates=rates)

    def rebalance(self, confirmed: RebalancingPlan, rebalancing_id: str) -> tuple[TradeResult, ...]:
        """Send the orders of a plan that was looked at, at the market's price, sales first.

        Under the same id the same plan sends no order a second time. An order that is not placed,
        or of which nobody knows, ends the orders of its account: the rest is told as not tried.

        Args:
            confirmed: the plan.
            rebalancing_id: the id of the whole, unlike any other's.

        Raises:
            InvalidRequestError: the manager has no journal; nothing was sent.
        """
        self._trading()
        return carry_out(
            confirmed,
            rebalancing_id,
            self.executor,
            lambda name: idempotency_of(self._roster.get(name).broker),
        )

    # What is kept for a while.

    def _offer(self, member: Member, symbol: str, fees: FeeRates | None) -> Offer:
        product = self._product(member, symbol)
        if fees is None:
            fees = self._cache.read(
                member.name,
                ("fees", symbol),
                self._settings.fees_cache_s,
                lambda: read_fees(member.broker, member.name, symbol),
            ).value
        # The price last: it is the part that grows old.
        prices = read_best_prices(member.broker, symbol)
        return Offer(prices=prices, product=product, fees=fees)
