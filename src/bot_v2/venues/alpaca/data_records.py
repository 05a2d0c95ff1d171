"""Market data in Alpaca's words: bars, quotes, trades, books, snapshots.

Sources: https://docs.alpaca.markets/reference/stockbars and the pages beside it,
.../reference/cryptolatestorderbooks-1, .../reference/optionchain. Prices and sizes are
JSON numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import attrs

from bot_v2.features.brokerages.core.decimals import EXACT, Rounding, divide
from bot_v2.features.brokerages.core.errors import MarketDataUnavailableError
from bot_v2.features.brokerages.core.increments import price_increment_at
from bot_v2.features.brokerages.core.market_data import Quote, Trade
from bot_v2.features.brokerages.core.order_terms import OrderSide
from bot_v2.features.brokerages.core.orderbook import PriceLevel
from bot_v2.features.brokerages.core.products import OptionRight
from bot_v2.venues.alpaca.bars import BarMaker, MadeBar, Timeframe
from bot_v2.venues.alpaca.catalogue import Catalogue
from bot_v2.venues.alpaca.hours import eastern_day
from bot_v2.venues.alpaca.listings import Listing
from bot_v2.venues.alpaca.options import VOLATILITY, greeks
from bot_v2.venues.alpaca.texts import moment_text, plain
from bot_v2.venues.requests import Record
from bot_v2.venues.state import VenueState

MINUTE_BARS: Final = Timeframe(1, "min")
DAY_BARS: Final = Timeframe(1, "day")
DAY: Final = timedelta(days=1)
A_WEEK_AND_MORE: Final = 10 * DAY

EXCHANGE: Final = "V"
"""The code of the exchange that stocks are told to trade on: IEX."""
OPTION_EXCHANGE: Final = "C"
TAPE: Final = {"NASDAQ": "C", "NYSE": "A"}

Tell = Callable[[datetime], Any]
"""How a moment is told: as text, or as it is, for a codec that knows moments."""


def number(value: Decimal) -> Decimal:
    """Return the same number, without zeros at its end and without an exponent."""
    return Decimal(plain(value))


class DataWriter:
    """Puts market data into words. Its methods want the venue's lock held.

    Args:
        state: the venue.
        catalogue: what is listed.
        bars: makes bars.
        tell: how moments are told. None: as text.
    """

    def __init__(
        self, state: VenueState, catalogue: Catalogue, bars: BarMaker, tell: Tell | None = None
    ) -> None:
        """Write for one venue."""
        self._state = state
        self._catalogue = catalogue
        self._bars = bars
        self._tell: Tell = tell or (lambda moment: moment_text(moment, state.skew))

    def moment(self, moment: datetime) -> Any:
        """Return a moment as it is told."""
        return self._tell(moment)

    def tape(self, listing: Listing) -> str:
        """Return the tape on which a share's trades are told."""
        return TAPE.get(listing.exchange, "B")

    # One record each

    def bar(self, bar: MadeBar) -> Record:
        """Write a bar."""
        return {
            "t": self._tell(bar.start),
            "o": number(bar.open),
            "h": number(bar.high),
            "l": number(bar.low),
            "c": number(bar.close),
            "v": number(bar.volume),
            "n": bar.trades,
            "vw": number(bar.mean),
        }

    def trade(self, listing: Listing, trade: Trade) -> Record:
        """Write a trade."""
        said: Record = {
            "t": self._tell(trade.timestamp),
            "p": number(trade.price),
            "s": number(trade.size),
        }
        if listing.is_crypto:
            took = "S" if trade.side is OrderSide.SELL else "B"
            return {**said, "tks": took, "i": int(trade.trade_id or 0)}
        if listing.is_option:
            return {**said, "x": OPTION_EXCHANGE, "c": "I"}
        # The tape counts whole shares.
        return {
            **said,
            "s": divide(trade.size, Decimal(1), 0, Rounding.UP),
            "x": EXCHANGE,
            "c": ["@"],
            "i": int(trade.trade_id or 0),
            "z": TAPE.get(listing.exchange, "B"),
        }

    def quote(self, listing: Listing, quote: Quote) -> Record:
        """Write a quote; what there is none of is zero, as Alpaca has it."""
        said: Record = {
            "t": self._tell(quote.timestamp),
            "bp": number(quote.bid or Decimal(0)),
            "bs": self._size(listing, quote.bid_size),
            "ap": number(quote.ask or Decimal(0)),
            "as": self._size(listing, quote.ask_size),
        }
        if listing.is_crypto:
            return said
        if listing.is_option:
            return {**said, "bx": OPTION_EXCHANGE, "ax": OPTION_EXCHANGE, "c": " "}
        tape = TAPE.get(listing.exchange, "B")
        return {**said, "bx": EXCHANGE, "ax": EXCHANGE, "c": ["R"], "z": tape}

    def _size(self, listing: Listing, size: Decimal | None) -> Decimal:
        found = size or Decimal(0)
        return number(found) if listing.is_crypto else divide(found, Decimal(1), 0, Rounding.DOWN)

    def orderbook(self, listing: Listing) -> Record:
        """Write the book of a coin."""
        book = self._state.book(listing.product.symbol)
        moment = book.timestamp or self._state.clock()
        return {"t": self._tell(moment), "b": _levels(book.bids), "a": _levels(book.asks)}

    # What is latest

    def latest_trade(self, listing: Listing) -> Record | None:
        """Write the latest trade. None: there was none."""
        if not listing.is_active:
            return None
        return self.trade(listing, self._state.tape.last(listing.product.symbol))

    def latest_quote(self, listing: Listing) -> Record | None:
        """Write the best prices. None: there are none."""
        try:
            return self.quote(listing, self._state.quote(listing.product.symbol))
        except MarketDataUnavailableError:
            return None

    def latest_bar(self, listing: Listing) -> Record | None:
        """Write the latest bar of a minute. None: there was none lately."""
        bar = self._bars.latest(listing, MINUTE_BARS, self._state.clock())
        return None if bar is None or not listing.is_active else self.bar(bar)

    def latest_orderbook(self, listing: Listing) -> Record | None:
        """Write the book. None: there is none."""
        try:
            return self.orderbook(listing)
        except MarketDataUnavailableError:
            return None

    def snapshot(self, listing: Listing) -> Record | None:
        """Write what is latest of everything. None: nothing is."""
        trade, quote = self.latest_trade(listing), self.latest_quote(listing)
        if trade is None and quote is None:
            return None
        said: Record = {"latestTrade": trade, "latestQuote": quote}
        if listing.is_option:
            said |= self._option_model(listing)
        now = self._state.clock()
        days = list(self._bars.between(listing, DAY_BARS, now - A_WEEK_AND_MORE, now, now))
        return {
            **said,
            "minuteBar": self.latest_bar(listing),
            "dailyBar": self.bar(days[-1]) if days else None,
            "prevDailyBar": self.bar(days[-2]) if len(days) > 1 else None,
        }

    def _option_model(self, listing: Listing) -> Record:
        product, share = listing.product, self._catalogue.find(listing.underlying)
        if share is None or product.strike is None or product.expiry is None:
            return {}
        days = (product.expiry - eastern_day(self._state.clock())).days
        spot = self._state.tape.last(share.product.symbol).price
        told = greeks(spot, product.strike, product.right or OptionRight.CALL, days)
        return {"impliedVolatility": VOLATILITY, "greeks": attrs.asdict(told)}

    # What was

    def bars(
        self, listing: Listing, timeframe: Timeframe, start: datetime, end: datetime
    ) -> Iterator[tuple[datetime, Record]]:
        """Yield the bars that open in an interval, oldest first, each when it is asked for."""
        for one in self._bars.between(listing, timeframe, start, end, self._state.clock()):
            yield one.start, self.bar(one)

    def trades(
        self, listing: Listing, start: datetime, end: datetime
    ) -> list[tuple[datetime, Record]]:
        """Write the trades of an interval, oldest first."""
        return [
            (one.timestamp, self.trade(listing, one)) for one in self._past(listing, start, end)
        ]

    def quotes(
        self, listing: Listing, start: datetime, end: datetime
    ) -> list[tuple[datetime, Record]]:
        """Write quotes of an interval, oldest first: a step around each trade."""
        told = []
        for trade in self._past(listing, start, end):
            step = price_increment_at(listing.product, trade.price) or Decimal("0.01")
            quote = Quote(
                symbol=trade.symbol,
                timestamp=trade.timestamp,
                bid=EXACT.subtract(trade.price, step),
                ask=EXACT.add(trade.price, step),
                bid_size=trade.size,
                ask_size=trade.size,
            )
            told.append((trade.timestamp, self.quote(listing, quote)))
        return told

    def _past(self, listing: Listing, start: datetime, end: datetime) -> list[Trade]:
        if not listing.is_active:
            return []
        newest_first = self._state.tape.since(listing.product.symbol, start)
        return [one for one in reversed(newest_first) if one.timestamp <= end]


def _levels(levels: Sequence[PriceLevel]) -> list[Record]:
    return [{"p": number(one.price), "s": number(one.size)} for one in levels]
