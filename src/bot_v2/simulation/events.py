"""What each kind of market event does to the prices, and the order in which orders feel it.

A candle is walked from its open to the nearer of its two extremes, then to the other, then to its
close; at equal distance to the high first. On the way every waiting order is met at its own price,
and all of them share the candle's volume times the participation rate; what is left of that stands
at the close until the next event. Orders that reached the market after the candle had opened do
not see the part of it before them: they meet its close.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from functools import partial

from bot_v2.features.brokerages.core.decimals import EXACT, Rounding
from bot_v2.features.brokerages.core.increments import quantize_quantity
from bot_v2.features.brokerages.core.market_data import Candle, Quote, Trade
from bot_v2.features.brokerages.core.order_terms import OrderSide
from bot_v2.features.brokerages.core.orderbook import Orderbook
from bot_v2.simulation.instruments import Instrument
from bot_v2.simulation.matching import Eligible, Matcher, Waiter
from bot_v2.simulation.offers import Offer
from bot_v2.simulation.records import OrderRecord


class Tape:
    """Applies market events to one instrument after another."""

    def __init__(self, matcher: Matcher, participation_rate: Decimal) -> None:
        """Let a matcher feel what happens."""
        self._matcher = matcher
        self._rate = participation_rate

    def quote(self, instrument: Instrument, quote: Quote) -> None:
        """Take new best prices: each size is on offer once."""
        market = instrument.market
        market.put_quotes(
            [] if quote.bid is None else [Offer(quote.bid, quote.bid_size)],
            [] if quote.ask is None else [Offer(quote.ask, quote.ask_size)],
        )
        if quote.last is not None:
            market.last = quote.last
        self._feel(instrument)

    def book(self, instrument: Instrument, book: Orderbook) -> None:
        """Take a new book: each level is on offer once."""
        instrument.market.put_quotes(
            [Offer(level.price, level.size) for level in book.bids],
            [Offer(level.price, level.size) for level in book.asks],
        )
        self._feel(instrument)

    def trade(self, instrument: Instrument, trade: Trade) -> None:
        """Take a trade: its size is on offer once, at its price.

        Where quotes say what else is on offer, it fills waiting limit orders only: those that the
        side that took liquidity would have met.
        """
        market = instrument.market
        market.last = trade.price
        offer = Offer(trade.price, trade.size)
        if not market.quoted:
            market.put_one(offer)
        else:
            quoted = (market.bids, market.asks)
            market.asks = [] if trade.side is OrderSide.BUY else [offer]
            market.bids = [] if trade.side is OrderSide.SELL else [offer]
            self._matcher.sweep_limits(instrument)
            market.bids, market.asks = quoted
        self._feel(instrument)

    def candle(self, instrument: Instrument, candle: Candle, *, traded: bool) -> None:
        """Walk a candle; `traded` is False where no session was on in its interval."""
        market, matcher = instrument.market, self._matcher
        quoted = (market.bids, market.asks) if market.quoted else None
        size = None
        if candle.volume is not None:
            share = EXACT.multiply(candle.volume, self._rate)
            size = quantize_quantity(instrument.product, share, Rounding.DOWN)
        pool = Offer(candle.open, size)
        market.put_one(pool)
        if traded:
            aside: list[Waiter] = []
            seen = _arrived_by(matcher, instrument, candle.open_time)
            for target in candle_path(candle):
                self._move(instrument, pool, target, seen, aside)
            matcher.put_back(instrument, aside)
        pool.price = candle.close
        market.last = candle.close
        if quoted is None:
            market.put_one(pool)
        else:
            market.bids, market.asks = quoted
        self._feel(instrument)

    def _feel(self, instrument: Instrument) -> None:
        matcher = self._matcher
        aside: list[Waiter] = []
        matcher.follow(instrument, partial(matcher.may_trade, instrument))
        matcher.sweep(instrument, partial(matcher.may_trade, instrument), aside)
        matcher.put_back(instrument, aside)

    def _move(
        self,
        instrument: Instrument,
        pool: Offer,
        target: Decimal,
        eligible: Eligible,
        aside: list[Waiter],
    ) -> None:
        """Move the price to a target, and stop wherever an order waits on the way."""
        market = instrument.market
        while True:
            market.last = pool.price
            if pool.price == target:
                self._matcher.follow(instrument, eligible)
            self._matcher.sweep(instrument, eligible, aside)
            if pool.price == target:
                return
            pool.price = _next_stop(instrument, pool, target)


def _arrived_by(matcher: Matcher, instrument: Instrument, opened: datetime) -> Eligible:
    def eligible(record: OrderRecord) -> bool:
        arrived = record.arrived_at
        seen = arrived is not None and arrived <= opened
        return seen and matcher.may_trade(instrument, record)

    return eligible


def candle_path(candle: Candle) -> tuple[Decimal, ...]:
    """Return the prices that a candle is taken to have gone through, in order."""
    up, down = EXACT.subtract(candle.high, candle.open), EXACT.subtract(candle.open, candle.low)
    first, then = (candle.high, candle.low) if up <= down else (candle.low, candle.high)
    return (candle.open, first, then, candle.close)


def _next_stop(instrument: Instrument, pool: Offer, target: Decimal) -> Decimal:
    """Return the first price on the way to the target at which an order waits, or the target."""
    here = pool.price
    down = target < here
    stops = instrument.stops(OrderSide.SELL if down else OrderSide.BUY)
    limits = instrument.limits(OrderSide.BUY if down else OrderSide.SELL)
    queues = (stops,) if pool.size is not None and pool.size <= 0 else (stops, limits)
    prices = [price for queue in queues if (price := queue.first_price()) is not None]
    ahead = [
        price for price in prices if (target < price < here if down else here < price < target)
    ]
    if not ahead:
        return target
    return max(ahead) if down else min(ahead)
