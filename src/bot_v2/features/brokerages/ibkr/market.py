"""What TWS says of markets: prices, books, candles, chains, hours, and what can be traded."""

from __future__ import annotations

import asyncio
import builtins
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final

from bot_v2.features.brokerages.core.errors import (
    InvalidFieldError,
    InvalidRequestError,
    InvalidSymbolError,
    MarketDataUnavailableError,
    RateLimitError,
)
from bot_v2.features.brokerages.core.events import QuoteEvent, StreamGap
from bot_v2.features.brokerages.core.market_data import Candle, MarketStatus, Quote
from bot_v2.features.brokerages.core.option_chains import OptionContract
from bot_v2.features.brokerages.core.orderbook import Orderbook
from bot_v2.features.brokerages.core.products import MarketType, Product
from bot_v2.features.brokerages.http.calls import Call
from bot_v2.features.brokerages.ibkr.base import IbkrBase
from bot_v2.features.brokerages.ibkr.contract_mapping import OPTION, PAIR, SMART
from bot_v2.features.brokerages.ibkr.error_table import HISTORY, NO_DATA
from bot_v2.features.brokerages.ibkr.errors import NativeError
from bot_v2.features.brokerages.ibkr.events import EventStream
from bot_v2.features.brokerages.ibkr.instruments import Instrument
from bot_v2.features.brokerages.ibkr.market_mapping import (
    INTERVALS,
    PACED,
    Depth,
    Ticker,
    book_of_quote,
    candle_from_native,
    duration_to_native,
    market_status,
    price_of,
)
from bot_v2.features.brokerages.ibkr.moments import moment_to_native
from bot_v2.features.brokerages.ibkr.pace import HISTORY_LIMIT
from bot_v2.features.brokerages.ibkr.session import Attempt
from bot_v2.features.brokerages.ibkr.streams import QuoteFeed, end_quotes, take_tick
from bot_v2.features.brokerages.ibkr.wire import BarRow, ContractRow, Fields

TOGETHER_S: Final = 0.02
"""Within how long ticks come that were told together, in seconds."""

SECOND: Final = 1_000_000
"""How many microseconds it has."""

BOOK_ROWS: Final = 20
"""How many rows of each side of a book are asked for."""


class _Snapshot:
    """Collects the best prices of one moment."""

    def __init__(self) -> None:
        self.ticker = Ticker()
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.has_ended = False

    def on_fields(self, name: str, fields: Fields) -> None:
        """Take in a tick, or that there are no more."""
        take_tick(self.ticker, name, fields)
        self.has_ended = self.has_ended or name == "snapshot_end"

    def on_chunk(self) -> None:
        """See whether all is told."""
        if self.done.done():
            return
        if self.has_ended:
            self.done.set_result(None)
        elif self.ticker.is_whole:
            # TWS says the end late. What it said together may come apart; the rest comes at once.
            asyncio.get_running_loop().call_later(TOGETHER_S, self._end)

    def _end(self) -> None:
        if not self.done.done():
            self.done.set_result(None)

    def fail(self, error: Exception) -> None:
        """Take in that there will be no more."""
        if not self.done.done():
            self.done.set_exception(error)
            self.done.exception()


class _Book:
    """Collects a book until nothing more comes: TWS does not say when it is whole."""

    def __init__(self) -> None:
        self.depth = Depth()
        self.changed = asyncio.Event()
        self.error: Exception | None = None

    def on_fields(self, name: str, fields: Fields) -> None:
        """Take in a row."""
        if name in ("depth", "depth_by_maker"):
            self.depth.take(fields, has_maker=name == "depth_by_maker")

    def on_chunk(self) -> None:
        """Say that something came."""
        self.changed.set()

    def fail(self, error: Exception) -> None:
        """Take in that there will be no more."""
        self.error = error
        self.changed.set()

    async def settle(self, deadline: float, quiet_s: float) -> None:
        """Wait for the first row, and then until nothing came for a while."""
        async with asyncio.timeout_at(deadline):
            await self.changed.wait()
            while self.error is None:
                self.changed.clear()
                try:
                    await asyncio.wait_for(self.changed.wait(), quiet_s)
                except builtins.TimeoutError:
                    return
        if self.error is not None:
            raise self.error


class IbkrMarket(IbkrBase):
    """The market, as TWS tells it."""

    def get_price(self, symbol: str) -> Decimal:
        """Return the latest trade's price, else the mid."""
        call = self._call("get_price", symbol=symbol)

        async def work(attempt: Attempt, instrument: Instrument) -> Decimal:
            quote = await self._quote(attempt, instrument)
            price = attempt.read(lambda: price_of(quote))
            if price is None:
                raise MarketDataUnavailableError(
                    "neither a trade nor both sides of the book", **call.context()
                )
            return price

        return self._on_instrument("get_price", symbol, work)

    def get_quote(self, symbol: str) -> Quote:
        """Return the best prices and the latest trade."""
        return self._on_instrument("get_quote", symbol, self._quote)

    def get_orderbook(self, symbol: str, level: int = 1) -> Orderbook:
        """Return the book: level 1 the best prices, 2 up to 20 of each side."""
        call = self._call("get_orderbook", symbol=symbol)
        if level == 3:
            self._refuse(call, "there is no book of single orders; accepted: levels 1 and 2")
        if level not in (1, 2):
            raise InvalidRequestError(
                f"there is no book of level {level}; accepted: 1, 2", **call.context()
            )

        async def work(attempt: Attempt, instrument: Instrument) -> Orderbook:
            if level == 1:
                quote = await self._quote(attempt, instrument)
                return attempt.read(lambda: book_of_quote(quote))
            return await self._depth(attempt, instrument)

        return self._on_instrument("get_orderbook", symbol, work)

    def list_candles(
        self, symbol: str, interval: timedelta, start: datetime, end: datetime
    ) -> list[Candle]:
        """Return the candles that open in [start, end), oldest first; as many calls as it takes.

        They are of trades, of pairs of currencies of the mid; outside regular hours, too.
        """
        for name, moment in (("start", start), ("end", end)):
            if moment.tzinfo is None:
                raise InvalidFieldError(name, moment, "an aware datetime")
        if interval not in INTERVALS:
            told = ", ".join(str(one) for one in INTERVALS)
            raise InvalidFieldError("interval", interval, f"one of {told}")

        async def work(attempt: Attempt, instrument: Instrument) -> list[Candle]:
            found: dict[datetime, Candle] = {}
            # TWS is asked to the second: what opens in the last one begun is asked for, too.
            until, now = end + timedelta(microseconds=-end.microsecond % SECOND), self._clock()
            while start < until:
                since = max(start, until - INTERVALS[interval][1])
                rows = await self._bars(attempt, instrument, interval, since, until)
                candles = attempt.read(
                    lambda rows=rows: [  # type: ignore[misc] # bound at once, to this page's rows
                        candle_from_native(row, instrument.product.symbol, interval, now)
                        for row in rows
                    ]
                )
                found |= {one.open_time: one for one in candles if start <= one.open_time < end}
                until = since
            return [found[moment] for moment in sorted(found)]

        pages = 1 + max(0, (end - start) // INTERVALS[interval][1])
        return self._on_instrument(
            "list_candles", symbol, work, timeout_s=self.settings.timeout_s * pages
        )

    def list_option_contracts(
        self, underlying: str, expiry: date | None = None
    ) -> list[OptionContract]:
        """Return the options on a product, of one expiry or of all."""

        async def work(attempt: Attempt, instrument: Instrument) -> list[OptionContract]:
            wanted = ContractRow(
                sec_type=OPTION,
                symbol=instrument.contract.symbol,
                expiry="" if expiry is None else f"{expiry:%Y%m%d}",
                exchange=SMART,
                currency=instrument.contract.currency,
            )
            found = await attempt.instruments.details(wanted, attempt.deadline)
            products = [
                await attempt.instruments.product_of(one, attempt.deadline) for one in found
            ]
            return [
                OptionContract(product=one)
                for one in products
                if one.market_type is MarketType.OPTION
            ]

        return self._on_instrument("list_option_contracts", underlying, work)

    def list_symbol_matches(self, text: str) -> list[Product]:
        """Return the product that the text means, then those whose name has it."""
        call = self._call("list_symbol_matches")
        if not text.strip() or not text.isprintable() or not text.isascii():
            raise InvalidFieldError("text", text, "printable ASCII characters, not blank")

        async def work(attempt: Attempt) -> list[Product]:
            exact = []
            with suppress(InvalidSymbolError):
                exact = [(await attempt.instruments.find(text, attempt.deadline)).product]
            samples: list[ContractRow] = await attempt.gateway.ask(
                lambda client, request_id: client.ask_samples(request_id, text),
                attempt.deadline,
            )
            found = [
                await attempt.instruments.by_id(one.con_id, attempt.deadline) for one in samples
            ]
            products = [*exact, *(one.product for one in found if one is not None)]
            return list({one.symbol: one for one in products}.values())

        return self._session.run(call, work)

    def get_market_status(self, symbol: str) -> MarketStatus:
        """Return whether the product's regular session is on, and when that next changes."""

        async def work(attempt: Attempt, instrument: Instrument) -> MarketStatus:
            found = await attempt.instruments.details(
                ContractRow(con_id=instrument.contract.con_id), attempt.deadline
            )
            details = found[0] if found else instrument.details
            return attempt.read(
                lambda: market_status(details, instrument.product.symbol, self._clock())
            )

        return self._on_instrument("get_market_status", symbol, work)

    def stream_quotes(
        self, symbols: Sequence[str]
    ) -> AbstractContextManager[Iterator[QuoteEvent | StreamGap]]:
        """Yield each change of the best prices."""
        return self._quote_stream(tuple(symbols))

    @contextmanager
    def _quote_stream(self, symbols: Sequence[str]) -> Iterator[Iterator[QuoteEvent | StreamGap]]:
        call = self._call("stream_quotes", symbol=symbols[0] if len(symbols) == 1 else None)
        stream: EventStream[QuoteEvent] = EventStream(self._clock)

        async def listen(attempt: Attempt) -> list[QuoteFeed]:
            found = [await attempt.instruments.find(one, attempt.deadline) for one in symbols]
            return await attempt.hub.listen(stream, found, attempt.deadline)

        feeds = self._session.run(call, listen)
        core = self._link.core
        self._session.streams.add(stream)
        try:
            yield iter(stream)
        finally:
            self._session.streams.discard(stream)
            stream.close()
            if core is not None:
                core.loop.post(lambda: core.hub.leave(stream, feeds))

    # How it is asked.

    async def _quote(self, attempt: Attempt, instrument: Instrument) -> Quote:
        snapshot = _Snapshot()
        async with attempt.gateway.feeding(
            snapshot,
            lambda client, request_id: client.ask_quotes(
                request_id, instrument.contract, is_snapshot=True
            ),
            end_quotes,
            attempt.deadline,
        ):
            try:
                async with asyncio.timeout_at(attempt.deadline):
                    await snapshot.done
            except builtins.TimeoutError:
                # What has no bid, ask or trade now is told late, or never: the rest will do.
                if not snapshot.ticker.has_any:
                    raise
        if not snapshot.ticker.has_any:
            raise MarketDataUnavailableError("TWS tells no price", **attempt.call.context())
        return attempt.read(lambda: snapshot.ticker.quote(instrument.product.symbol, self._clock()))

    async def _depth(self, attempt: Attempt, instrument: Instrument) -> Orderbook:
        book = _Book()
        contract = instrument.contract
        async with attempt.gateway.feeding(
            book,
            lambda client, request_id: client.ask_depth(request_id, contract, BOOK_ROWS),
            lambda client, request_id: client.end_depth(request_id, contract),
            attempt.deadline,
        ):
            await book.settle(attempt.deadline, self.settings.depth_quiet_s)
        return attempt.read(lambda: book.depth.book(instrument.product.symbol))

    async def _bars(
        self,
        attempt: Attempt,
        instrument: Instrument,
        interval: timedelta,
        since: datetime,
        until: datetime,
    ) -> list[BarRow]:
        if interval <= PACED:
            self._take_history_room(attempt.call)

        contract = instrument.contract
        span, end = duration_to_native(until - since), moment_to_native(until)
        size, kind = INTERVALS[interval][0], "MIDPOINT" if contract.sec_type == PAIR else "TRADES"
        try:
            rows: list[BarRow] = await attempt.gateway.ask(
                lambda client, request_id: client.ask_bars(
                    request_id, contract, end, span, size, kind
                ),
                attempt.deadline,
            )
        except NativeError as error:
            said = error.text.lower()
            if error.code == HISTORY and any(word in said for word in NO_DATA):
                return []
            raise
        return rows

    def _take_history_room(self, call: Call) -> None:
        core = self._link.core
        if core is None:
            return
        pace = core.history_pace
        wait_s = pace.try_take(is_urgent=True)
        if wait_s:
            context = call.context()
            context["retry_after_s"] = wait_s
            raise RateLimitError(
                f"{HISTORY_LIMIT} questions for short candles in ten minutes are all that the "
                "broker answers; nothing was sent",
                **context,
            )
