"""Who listens to orders and quotes, and what they are told. Runs in the loop of the connection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import attrs

from bot_v2.features.brokerages.core.errors import BrokerageError
from bot_v2.features.brokerages.core.events import OrderEvent, QuoteEvent
from bot_v2.features.brokerages.core.fills import Fill
from bot_v2.features.brokerages.core.order_reports import order_after_report
from bot_v2.features.brokerages.core.orders import Order
from bot_v2.features.brokerages.ibkr.errors import LostError, NativeError, PacedError
from bot_v2.features.brokerages.ibkr.events import EventStream, Readers
from bot_v2.features.brokerages.ibkr.execution_mapping import (
    fill_from_native,
    is_whole_combination,
)
from bot_v2.features.brokerages.ibkr.gateway import Gateway
from bot_v2.features.brokerages.ibkr.instruments import Instrument, Instruments
from bot_v2.features.brokerages.ibkr.market_mapping import Ticker
from bot_v2.features.brokerages.ibkr.order_mapping import (
    Known,
    order_from_native,
)
from bot_v2.features.brokerages.ibkr.wire import (
    ContractRow,
    ExecutionRow,
    Fields,
    MalformedError,
    OrderRow,
    StatusRow,
    number,
    number_or_none,
)
from bot_v2.shared.types import Clock

if TYPE_CHECKING:
    from bot_v2.features.brokerages.ibkr.sdk import GatewayClient

TRY_AGAIN_S: Final = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
"""How long to wait before a lost connection is opened again for listeners, time after time."""

EMITTED_MAX: Final = 50_000
"""Of how many orders it is remembered what was told of them: of those that changed last."""


@attrs.frozen
class _News:
    """Something that happened to an order, as it was known then."""

    row: OrderRow
    status: StatusRow | None
    execution: ExecutionRow | None


class QuoteFeed:
    """One product's quotes, for one listener."""

    def __init__(
        self, stream: EventStream[QuoteEvent], instrument: Instrument, clock: Clock
    ) -> None:
        """Tell nothing yet."""
        self.instrument = instrument
        """The product."""
        self.request_id = 0
        """The number of the subscription; 0: there is none."""
        self._stream = stream
        self._clock = clock
        self._ticker = Ticker()
        self._told = 0

    def on_fields(self, name: str, fields: Fields) -> None:
        """Take in a tick."""
        take_tick(self._ticker, name, fields)

    def on_chunk(self) -> None:
        """Tell what the ticks that came together come to."""
        if self._ticker.changes != self._told and self._ticker.has_any:
            self._told = self._ticker.changes
            quote = self._ticker.quote(self.instrument.product.symbol, self._clock())
            self._stream.publish(QuoteEvent(quote=quote))

    def fail(self, error: Exception) -> None:
        """Tell that no more ticks come; a lost connection is told of by itself."""
        if isinstance(error, LostError):
            self.request_id = 0
        else:
            # It keeps its number: TWS may go on, and is to be asked for no more in the end.
            self._stream.report(f"no more quotes of {self.instrument.product.symbol}: {error}")

    def start_anew(self) -> None:
        """Forget the prices: they are told anew."""
        self._ticker, self._told, self.request_id = Ticker(), 0, 0


def take_tick(ticker: Ticker, name: str, fields: Fields) -> None:
    """Have a ticker take in a message, whichever it is."""
    if name == "tick_price":
        ticker.take_price(fields)
    elif name == "tick_size":
        ticker.take_size(fields)
    elif name == "tick_text":
        ticker.take_text(fields)


class Hub:
    """Tells listeners what happens. It hears of it in the loop, and is asked from any thread.

    Args:
        clock: the present moment.
        post: has something done in the loop.
    """

    def __init__(self, clock: Clock, post: Callable[[Callable[[], object]], None]) -> None:
        """Have no listeners yet."""
        self.orders: Readers[OrderEvent] = Readers()
        """Who listens to orders."""
        self.quotes: Readers[QuoteEvent] = Readers()
        """Who listens to quotes."""
        self.feeds: list[QuoteFeed] = []
        """What is listened to."""
        self._clock = clock
        self._post = post
        self._gateway: Gateway | None = None
        self._instruments: Instruments | None = None
        self._news: asyncio.Queue[_News] = asyncio.Queue()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._told: dict[int, Order] = {}

    def attach(self, gateway: Gateway, instruments: Instruments) -> None:
        """Take in by what to ask."""
        self._gateway, self._instruments = gateway, instruments

    # What the connection tells

    def on_order(self, row: OrderRow) -> None:
        """Take in that an order changed."""
        self._note(row, None)

    def on_status(self, row: StatusRow) -> None:
        """Take in that an order's status changed."""
        if self.orders and self._gateway is not None and self._gateway.is_open:
            known = self._gateway.inbox.memory.rows.get(row.perm_id)
            if known is not None:
                self._note(known, None)

    def on_execution(self, row: ExecutionRow) -> None:
        """Take in an execution."""
        if self.orders and self._gateway is not None and self._gateway.is_open:
            known = self._gateway.inbox.memory.rows.get(row.perm_id)
            if known is not None:
                self._note(known, row)

    def on_gap(self, reason: str, *, must_resubscribe: bool) -> None:
        """Take in that something may have been missed; have what is gone opened again."""
        self.orders.report(reason)
        self.quotes.report(reason)
        if must_resubscribe and (self.orders or self.quotes):
            self._run("revive", self._revive)

    def _note(self, row: OrderRow, execution: ExecutionRow | None) -> None:
        if not self.orders or self._gateway is None or not self._gateway.is_open:
            return
        status = self._gateway.inbox.memory.statuses.get(row.perm_id)
        self._news.put_nowait(_News(row, status, execution))
        self._run("publish", self._publish)

    def _run(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        running = self._tasks.get(name)
        if running is None or running.done():
            self._tasks[name] = asyncio.get_running_loop().create_task(work())

    # Orders

    async def _publish(self) -> None:
        while not self._news.empty():
            news = self._news.get_nowait()
            try:
                event = await self._event_of(news)
            except (
                BrokerageError,
                NativeError,
                LostError,
                PacedError,
                ValueError,
                ArithmeticError,
                LookupError,
                OSError,
            ) as error:
                self.orders.report(f"an event could not be told: {type(error).__name__}: {error}")
                continue
            if event is not None:
                self.orders.publish(event)

    async def _event_of(self, news: _News) -> OrderEvent | None:
        gateway, instruments = self._gateway, self._instruments
        if gateway is None or instruments is None:
            return None
        settings, execution = gateway.settings, news.execution
        deadline = asyncio.get_running_loop().time() + settings.timeout_s
        contracts: list[ContractRow] = [news.row.contract]
        contracts += [execution.contract] if execution is not None else []
        await instruments.name_all(contracts, deadline)
        memory = gateway.inbox.memory
        order = order_from_native(
            news.row,
            Known(
                names=instruments.name,
                zone=settings.time_zone,
                now=self._clock(),
                status=_status_after(news),
                parent=memory.parent_of(news.row),
            ),
        )
        fill = None
        if execution is not None and not is_whole_combination(execution):
            fill = fill_from_native(
                execution,
                memory.commissions.get(execution.exec_id),
                memory.corrected_by(execution.exec_id),
                instruments.name,
                settings.time_zone,
            )
        return self._changed(order, fill)

    def _changed(self, order: Order, fill: Fill | None) -> OrderEvent | None:
        perm_id = int(order.order_id)
        before = self._told.get(perm_id)
        after = order if before is None else order_after_report(before, order)
        if after == before and fill is None:
            return None
        self._told.pop(perm_id, None)
        self._told[perm_id] = after
        if len(self._told) > EMITTED_MAX:
            del self._told[next(iter(self._told))]
        return OrderEvent(order=after, fill=fill)

    # Quotes

    async def listen(
        self, stream: EventStream[QuoteEvent], found: list[Instrument], deadline: float
    ) -> list[QuoteFeed]:
        """Have a stream told of some products' quotes from now on."""
        self.watch()
        feeds = [QuoteFeed(stream, one, self._clock) for one in found]
        self.quotes.add(stream, lambda _: True)
        try:
            for feed in feeds:
                self.feeds.append(feed)
                await self._subscribe(feed, deadline)
        except BaseException:
            self.leave(stream, feeds)
            raise
        return feeds

    def leave(self, stream: EventStream[QuoteEvent], feeds: list[QuoteFeed]) -> None:
        """Have a stream told no more."""
        self.quotes.remove(stream)
        for feed in feeds:
            if feed in self.feeds:
                self.feeds.remove(feed)
            if feed.request_id and self._gateway is not None:
                self._gateway.unsubscribe(feed.request_id, end_quotes)

    async def _subscribe(self, feed: QuoteFeed, deadline: float) -> None:
        if self._gateway is None:
            raise LostError
        feed.start_anew()

        def send(client: GatewayClient, request_id: int) -> None:
            feed.request_id = request_id
            client.ask_quotes(request_id, feed.instrument.contract, is_snapshot=False)

        await self._gateway.subscribe(feed, send, deadline)

    async def _revive(self) -> None:
        """Open the connection again, as often as it takes, and have the quotes told again."""
        attempt = 0
        while self._gateway is not None and (self.orders or self.quotes):
            gateway = self._gateway
            try:
                await gateway.open(is_first=False)
                deadline = asyncio.get_running_loop().time() + gateway.settings.timeout_s
                for feed in list(self.feeds):
                    if feed.request_id:
                        gateway.unsubscribe(feed.request_id, end_quotes)
                    await self._subscribe(feed, deadline)
            except (NativeError, LostError, PacedError, MalformedError, OSError, TimeoutError):
                await asyncio.sleep(TRY_AGAIN_S[min(attempt, len(TRY_AGAIN_S) - 1)])
                attempt += 1
            else:
                return

    def watch(self) -> None:
        """Ask for a sign of life from time to time, as long as anybody listens."""
        self._run("watch", self._watch)

    async def _watch(self) -> None:
        while self._gateway is not None and (self.orders or self.quotes):
            await asyncio.sleep(self._gateway.settings.timeout_s)
            self._gateway.suspect()
            with suppress(NativeError, LostError, PacedError, MalformedError, OSError):
                await self._gateway.open(is_first=False)

    def stop(self) -> None:
        """Do nothing more in the loop."""
        for task in self._tasks.values():
            task.cancel()
        self._tasks.clear()


def end_quotes(client: GatewayClient, request_id: int) -> None:
    """Ask for no more prices."""
    client.end_quotes(request_id)


def _status_after(news: _News) -> StatusRow | None:
    """Return how far an order was after something happened, whichever was told of it last."""
    status, execution = news.status, news.execution
    if execution is None or is_whole_combination(execution) is not bool(news.row.contract.legs):
        return status
    total = number(execution.total)
    if status is not None and number(status.filled) >= total:
        return status
    ordered = number_or_none(news.row.quantity)
    return StatusRow(
        order_id=execution.order_id,
        status="Filled" if ordered is not None and total >= ordered else "Submitted",
        filled=execution.total,
        remaining="",
        average=execution.average,
        perm_id=execution.perm_id,
        client_id=execution.client_id,
        why_held="",
    )
