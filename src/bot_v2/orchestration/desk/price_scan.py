"""Where a product is cheaper at one brokerage than it sells for at another, after fees."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import permutations
from typing import Final

import attrs

from bot_v2.features.brokerages.core.account_summary import FeeRates
from bot_v2.features.brokerages.core.brokerage import IBrokerage
from bot_v2.features.brokerages.core.capabilities import SupportsFees, SupportsQuotes, supports
from bot_v2.features.brokerages.core.decimals import EXACT
from bot_v2.features.brokerages.core.errors import (
    MarketDataUnavailableError,
    UnsupportedOperationError,
)
from bot_v2.features.brokerages.core.products import Product
from bot_v2.orchestration.desk.increments import common_multiple
from bot_v2.orchestration.desk.reading import Answers, Missing, Reading, oldest

_ZERO: Final = Decimal(0)


@attrs.frozen
class _NoLevel:
    """What stands for a side of a book that is empty."""

    price: None = None
    size: None = None


_NO_LEVEL: Final = _NoLevel()


@attrs.frozen(kw_only=True)
class BestPrices:
    """The best prices of a product at one brokerage."""

    symbol: str
    bid: Decimal | None
    """What one unit sells for now. None: no bid."""
    bid_size: Decimal | None
    """How much of it, in order units. None: not said."""
    ask: Decimal | None
    """What one unit costs now. None: no ask."""
    ask_size: Decimal | None
    """How much of it, in order units. None: not said."""
    timestamp: datetime | None
    """As of when, by the broker's word. None: it does not say."""


def read_best_prices(broker: IBrokerage, symbol: str) -> BestPrices:
    """Return the best prices of a product, from a quote where the broker gives one.

    Raises:
        MarketDataUnavailableError: there are none, or they are delayed.
        BrokerageError: they cannot be read.
    """
    able: object = broker
    if supports(able, SupportsQuotes):
        quote = able.get_quote(symbol)
        if quote.delayed:
            raise MarketDataUnavailableError("the broker's prices are delayed", symbol=symbol)
        return BestPrices(
            symbol=quote.symbol,
            bid=quote.bid,
            bid_size=quote.bid_size,
            ask=quote.ask,
            ask_size=quote.ask_size,
            timestamp=quote.timestamp,
        )
    book = broker.get_orderbook(symbol)
    bid = book.bids[0] if book.bids else _NO_LEVEL
    ask = book.asks[0] if book.asks else _NO_LEVEL
    return BestPrices(
        symbol=book.symbol,
        bid=bid.price,
        bid_size=bid.size,
        ask=ask.price,
        ask_size=ask.size,
        timestamp=book.timestamp,
    )


def read_fees(broker: IBrokerage, name: str, symbol: str) -> FeeRates:
    """Return what the account pays to trade a product.

    Raises:
        UnsupportedOperationError: the broker does not say.
    """
    able: object = broker
    if supports(able, SupportsFees):
        return able.get_fees(symbol)
    raise UnsupportedOperationError(
        "the broker does not tell its fees: give them", broker=name, operation="get_fees"
    )


@attrs.frozen(kw_only=True)
class Offer:
    """What one brokerage offers for a product, with what it takes to trade there."""

    prices: BestPrices
    product: Product
    fees: FeeRates


@attrs.frozen(kw_only=True)
class PriceDifference:
    """A product that could be bought at one brokerage and sold at another, at the same time."""

    symbol: str
    buy_at: str
    """Where it is cheaper."""
    sell_at: str
    """Where it sells for more."""
    ask: Decimal
    """What one unit costs at the one."""
    bid: Decimal
    """What one unit sells for at the other."""
    quantity: Decimal
    """How much both offer, as far as they say, in steps that both take; in order units."""
    currency: str
    """The currency of the prices and of the amounts below."""
    gross: Decimal
    """What it sells for, less what it costs."""
    fees: Decimal
    """What both brokerages take for it, as takers."""
    net: Decimal
    """Gross less fees; above zero is a gain."""
    ask_as_of: datetime
    """As of when the ask is."""
    bid_as_of: datetime
    """As of when the bid is."""


@attrs.frozen(kw_only=True)
class SkippedPair:
    """Two brokerages whose prices differ, and cannot be compared."""

    symbol: str
    buy_at: str
    sell_at: str
    reason: str


@attrs.frozen(kw_only=True)
class PriceScan:
    """The differences that were found; prices move, and none is a promise."""

    differences: tuple[PriceDifference, ...]
    """Each pair whose bid is above the other's ask, the best one first, gain or not."""
    skipped: tuple[SkippedPair, ...]
    """Pairs that cannot be compared, and why."""
    missing: tuple[Missing, ...]
    """Whose prices, products or fees could not be read."""
    as_of: datetime | None
    """As of when the oldest price is. None: there is none."""


def scan(
    answers: Answers[Offer],
    *,
    now: datetime,
    age_max_s: float,
    quantity_max: Decimal | None,
) -> PriceScan:
    """Compare what brokerages offer.

    Args:
        answers: the offers; of one symbol, as many as there are brokerages.
        now: the present moment.
        age_max_s: how old a price may be, in seconds.
        quantity_max: how much is traded at most, in order units. None: as much as is offered.
    """
    found: list[PriceDifference] = []
    skipped: list[SkippedPair] = []
    for symbol in dict.fromkeys(one.value.product.symbol for one in answers.readings):
        offers = [one for one in answers.readings if one.value.product.symbol == symbol]
        for cheap, dear in permutations(offers, 2):
            ask, bid = cheap.value.prices.ask, dear.value.prices.bid
            if ask is None or bid is None or bid <= ask:
                continue
            oldest_s = timedelta(seconds=age_max_s)
            pair = _Pair(cheap, dear, ask, bid)
            compared = pair.compare(now - oldest_s, quantity_max)
            if isinstance(compared, str):
                skipped.append(
                    SkippedPair(
                        symbol=symbol, buy_at=cheap.broker, sell_at=dear.broker, reason=compared
                    )
                )
            else:
                found.append(compared)
    return PriceScan(
        differences=tuple(sorted(found, key=lambda one: one.net, reverse=True)),
        skipped=tuple(skipped),
        missing=answers.missing,
        as_of=oldest(_as_of(one) for one in answers.readings),
    )


def _as_of(reading: Reading[Offer]) -> datetime:
    return reading.value.prices.timestamp or reading.as_of


@attrs.frozen
class _Pair:
    """An offer to buy from, and one to sell to."""

    cheap: Reading[Offer]
    dear: Reading[Offer]
    ask: Decimal
    bid: Decimal

    def compare(self, since: datetime, quantity_max: Decimal | None) -> PriceDifference | str:
        """Return what the pair comes to, or why it cannot be said."""
        reason = next((why for why, holds in self._obstacles(since).items() if holds()), None)
        if reason is not None:
            return reason
        quantity = self._quantity(quantity_max)
        if isinstance(quantity, str):
            return quantity
        buying, selling = self.cheap.value, self.dear.value
        cost = _value(quantity, self.ask, buying.product)
        proceeds = _value(quantity, self.bid, selling.product)
        fees = EXACT.add(_fee(quantity, cost, buying.fees), _fee(quantity, proceeds, selling.fees))
        gross = EXACT.subtract(proceeds, cost)
        return PriceDifference(
            symbol=buying.product.symbol,
            buy_at=self.cheap.broker,
            sell_at=self.dear.broker,
            ask=self.ask,
            bid=self.bid,
            quantity=quantity,
            currency=buying.product.quote_currency,
            gross=gross,
            fees=fees,
            net=EXACT.subtract(gross, fees),
            ask_as_of=_as_of(self.cheap),
            bid_as_of=_as_of(self.dear),
        )

    def _obstacles(self, since: datetime) -> Mapping[str, Callable[[], bool]]:
        one, other = self.cheap.value.product, self.dear.value.product
        return {
            "a price is too old": lambda: min(_as_of(self.cheap), _as_of(self.dear)) < since,
            "the prices are in different currencies": (
                lambda: one.quote_currency != other.quote_currency
            ),
            "a unit is not the same at both": (
                lambda: (one.multiplier, one.lot_size) != (other.multiplier, other.lot_size)
            ),
            "an inverse contract is not valued by its price": (
                lambda: one.inverse or other.inverse
            ),
            "one of them takes no orders now": lambda: not (one.tradeable and other.tradeable),
            "the fees of one are not known in the currency of the price": (
                lambda: not (_is_known(self.cheap.value) and _is_known(self.dear.value))
            ),
        }

    def _quantity(self, quantity_max: Decimal | None) -> Decimal | str:
        sizes = (self.cheap.value.prices.ask_size, self.dear.value.prices.bid_size, quantity_max)
        known = [size for size in sizes if size is not None]
        if quantity_max is None and len(known) < 2:
            return "one does not say how much it offers: give a quantity"
        one, other = self.cheap.value.product, self.dear.value.product
        most = [each for each in (one.max_order_size, other.max_order_size) if each is not None]
        quantity = min([*known, *most])
        step = common_multiple(one.size_increment, other.size_increment)
        if step is not None:
            quantity = EXACT.multiply(EXACT.divide_int(quantity, step), step)
        least = [each for each in (one.min_order_size, other.min_order_size) if each is not None]
        if quantity <= _ZERO or any(quantity < each for each in least):
            return "what both offer is less than an order may be"
        return quantity


def _value(quantity: Decimal, price: Decimal, product: Product) -> Decimal:
    return EXACT.multiply(EXACT.multiply(quantity, price), product.multiplier)


def _is_known(offer: Offer) -> bool:
    """Return whether the fees can be said in the currency of the price."""
    fees = offer.fees
    if fees.taker is None and fees.per_unit is None:
        return False
    has_amounts = fees.per_unit is not None or fees.minimum is not None
    return not has_amounts or fees.currency == offer.product.quote_currency


def _fee(quantity: Decimal, value: Decimal, fees: FeeRates) -> Decimal:
    fee = _ZERO
    if fees.taker is not None:
        fee = EXACT.multiply(value, fees.taker)
    if fees.per_unit is not None:
        fee = EXACT.add(fee, EXACT.multiply(quantity, fees.per_unit))
    return fee if fees.minimum is None else max(fee, fees.minimum)
