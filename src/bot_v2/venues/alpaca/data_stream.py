"""The streams of market data: stocks, coins and options.

Sources: https://docs.alpaca.markets/docs/streaming-market-data (messages, errors; one connection
for each endpoint), .../docs/real-time-stock-pricing-data, .../docs/real-time-crypto-pricing-data,
.../docs/real-time-option-data (MessagePack alone).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs
from starlette.websockets import WebSocket

from bot_v2.features.brokerages.core.events import OrderEvent
from bot_v2.features.brokerages.core.market_data import Trade
from bot_v2.venues.account import VenueAccount
from bot_v2.venues.alpaca.bars import MadeBar
from bot_v2.venues.alpaca.catalogue import Catalogue
from bot_v2.venues.alpaca.data_records import DataWriter
from bot_v2.venues.alpaca.dialect import AlpacaDialect
from bot_v2.venues.alpaca.listings import AssetClass, Listing
from bot_v2.venues.alpaca.minutes import MinuteBars
from bot_v2.venues.alpaca.sockets import Connection
from bot_v2.venues.faults import FaultPlan
from bot_v2.venues.requests import Record
from bot_v2.venues.state import VenueState

AUTH_WITHIN_S: Final = 10.0
BEAT_S: Final = 0.25
OPERATIONS: Final = ("stream_quotes",)
EVERYTHING: Final = "*"

TRADES, QUOTES, BARS, BOOKS = "trades", "quotes", "bars", "orderbooks"
UPDATED, DAILY, STATUSES = "updatedBars", "dailyBars", "statuses"

CHANNELS: Final = {
    AssetClass.US_EQUITY: (
        TRADES,
        QUOTES,
        BARS,
        UPDATED,
        DAILY,
        STATUSES,
        "lulds",
        "corrections",
        "cancelErrors",
    ),
    AssetClass.CRYPTO: (TRADES, QUOTES, BARS, UPDATED, DAILY, BOOKS),
    AssetClass.US_OPTION: (TRADES, QUOTES),
}
WORDS: Final = {TRADES: "t", QUOTES: "q", BARS: "b", DAILY: "d", BOOKS: "o", STATUSES: "s"}
FEEDS: Final = ("iex", "sip", "delayed_sip", "boats", "overnight", "otc")
PAID: Final = ("sip", "opra")

ERRORS: Final = {
    400: "invalid syntax",
    401: "not authenticated",
    402: "auth failed",
    403: "already authenticated",
    404: "auth timeout",
    406: "connection limit exceeded",
    409: "insufficient subscription",
    410: "invalid subscribe action for this feed",
    412: "option messages are only available in MsgPack format",
}
LEAVES: Final = frozenset({402, 404, 406, 409, 412})
"""Errors after which the connection is closed."""


_Write = Callable[[DataWriter, Listing], Record | None]


@attrs.define(eq=False)
class _Listener:
    connection: Connection
    kind: AssetClass
    endpoint: str
    feed: str
    is_known: bool = False
    wanted: dict[str, set[str]] = attrs.field(factory=dict)

    def hears(self, channel: str, listing: Listing) -> bool:
        """Whether it listens to a channel of an asset."""
        if listing.asset_class is not self.kind:
            return False
        symbols = self.wanted.get(channel, ())
        return listing.symbol in symbols or EVERYTHING in symbols


class DataStream:
    """Tells market data to whoever listens.

    Args:
        state: the venue.
        plan: what is to go wrong.
        dialect: knows keys.
        catalogue: what is listed.
        text: puts data into words for JSON.
        native: the same for MessagePack, which knows moments.
        call: has something done in the loop of the sockets.
        has_sip: whether the subscription has the data of all exchanges.
    """

    def __init__(
        self,
        state: VenueState,
        plan: FaultPlan,
        dialect: AlpacaDialect,
        catalogue: Catalogue,
        text: DataWriter,
        native: DataWriter,
        call: Callable[[Callable[[], None]], None],
        *,
        has_sip: bool,
    ) -> None:
        """Start without listeners, and hear of every change."""
        self._state = state
        self._plan = plan
        self._dialect = dialect
        self._catalogue = catalogue
        self._writers = {False: text, True: native}
        self._call = call
        self._has_sip = has_sip
        self._listeners: set[_Listener] = set()
        self._connected: Counter[str] = Counter()
        self._minutes = MinuteBars(state.clock())
        state.listen(self)

    # Connections

    async def serve_stocks(self, socket: WebSocket) -> None:
        """Serve a connection to /v2/{feed}."""
        await self._serve(socket, AssetClass.US_EQUITY, str(socket.path_params["feed"]))

    async def serve_crypto(self, socket: WebSocket) -> None:
        """Serve a connection to /v1beta3/crypto/{location}."""
        await self._serve(socket, AssetClass.CRYPTO, "")

    async def serve_options(self, socket: WebSocket) -> None:
        """Serve a connection to /v1beta1/{feed}."""
        await self._serve(socket, AssetClass.US_OPTION, str(socket.path_params["feed"]))

    async def _serve(self, socket: WebSocket, kind: AssetClass, feed: str) -> None:
        connection = Connection(socket, self._plan, in_bytes=False)
        listener = _Listener(connection, kind, socket.url.path, feed)
        await socket.accept()
        connection.say([{"T": "success", "msg": "connected"}])
        given = connection.headers
        if "apca-api-key-id" in given:
            self._authenticate(
                listener, given["apca-api-key-id"], given.get("apca-api-secret-key", "")
            )
        beats = asyncio.ensure_future(self._beat(listener))
        try:
            await connection.serve(
                lambda message: self._hear(listener, message),
                lambda _: self._refuse(listener, 400),
            )
        finally:
            beats.cancel()
            with self._state.lock:
                self._listeners.discard(listener)
                if listener.is_known:
                    self._connected[listener.endpoint] -= 1

    def release(self) -> None:
        """Tell what a fault held back."""
        with self._state.lock:
            listeners = list(self._listeners)
        for listener in listeners:
            self._call(listener.connection.pipe.release)

    def _refuse(self, listener: _Listener, code: int) -> None:
        listener.connection.say([{"T": "error", "code": code, "msg": ERRORS[code]}])
        if code in LEAVES:
            listener.connection.pipe.end()

    async def _beat(self, listener: _Listener) -> None:
        """Close what does not say who it is, and tell bars when a minute is over."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + AUTH_WITHIN_S
        while True:
            await asyncio.sleep(BEAT_S)
            if not listener.is_known and loop.time() >= deadline:
                self._refuse(listener, 404)
                return
            with self._state.lock:
                self.pass_time()

    # What arrives

    def _hear(self, listener: _Listener, message: Mapping[str, Any]) -> None:
        action = message.get("action")
        if action == "auth":
            key, secret = str(message.get("key")), str(message.get("secret"))
            self._authenticate(listener, key, secret)
        elif not listener.is_known:
            self._refuse(listener, 401)
        elif action in ("subscribe", "unsubscribe"):
            self._subscribe(listener, message, adds=action == "subscribe")
        else:
            self._refuse(listener, 400)

    def _authenticate(self, listener: _Listener, key: str, secret: str) -> None:
        if listener.is_known:
            self._refuse(listener, 403)
        elif not self._dialect.knows(key, secret):
            self._refuse(listener, 402)
        elif listener.kind is AssetClass.US_OPTION and not listener.connection.is_msgpack:
            self._refuse(listener, 412)
        elif listener.feed in PAID and not self._has_sip:
            self._refuse(listener, 409)
        elif self._connected[listener.endpoint] > 0:
            self._refuse(listener, 406)
        else:
            with self._state.lock:
                listener.is_known = True
                self._connected[listener.endpoint] += 1
                self._listeners.add(listener)
            listener.connection.say([{"T": "success", "msg": "authenticated"}])

    def _subscribe(self, listener: _Listener, message: Mapping[str, Any], *, adds: bool) -> None:
        channels = CHANNELS[listener.kind]
        given = {name: value for name, value in message.items() if name != "action"}
        if not given or not all(isinstance(one, list) for one in given.values()):
            self._refuse(listener, 400)
            return
        if not set(given) <= set(channels):
            self._refuse(listener, 410)
            return
        self._plan.count(OPERATIONS)
        with self._state.lock:
            for name, symbols in given.items():
                kept = listener.wanted.setdefault(name, set())
                named = {str(one) for one in symbols}
                kept.update(named) if adds else kept.difference_update(named)
            told = {name: sorted(listener.wanted.get(name, ())) for name in channels}
            listener.connection.say([{"T": "subscription", **told}])
            if adds:
                self._tell_books(listener, given.get(BOOKS, []))

    def _tell_books(self, listener: _Listener, symbols: list[str]) -> None:
        for name in symbols:
            listing = self._catalogue.find(str(name))
            if listing is not None and listing.is_crypto:
                self._push(listener, BOOKS, listing, self._book)

    # What is told

    def orders_changed(self, account: VenueAccount, events: list[OrderEvent]) -> None:
        """Need not know."""

    def traded(self, trades: list[Trade]) -> None:
        """Tell trades, and count them into the bars of their minutes."""
        # A minute that is over has its bar before the first trade of the next one.
        self.pass_time()
        for trade in trades:
            listing = self._catalogue.of(trade.symbol)
            self._minutes.add(trade)
            self._tell(TRADES, listing, _trade(trade))

    def books_changed(self, symbols: set[str]) -> None:
        """Tell quotes and books."""
        for symbol in sorted(symbols):
            listing = self._catalogue.of(symbol)
            self._tell(QUOTES, listing, lambda writer, one: writer.latest_quote(one))
            if listing.is_crypto:
                self._tell(BOOKS, listing, self._book)
        self.pass_time()

    def pass_time(self) -> None:
        """Tell the bars of the minute that is over; the venue's lock is held."""
        for bar in self._minutes.pass_to(self._state.clock()):
            listing = self._catalogue.of(bar.symbol)
            self._tell(BARS, listing, _bar(bar.minute))
            self._tell(DAILY, listing, _bar(bar.day))

    def tell_status(self, listing: Listing, *, halted: bool) -> None:
        """Tell that a share is halted, or trades again."""
        code, meaning = ("H", "Trading Halt") if halted else ("T", "Trading Resumption")
        reason = "Trading Halted; For information requested by NASDAQ" if halted else ""
        with self._state.lock:
            moment = self._state.clock()
            self._tell(
                STATUSES,
                listing,
                lambda writer, one: {
                    "t": writer.moment(moment),
                    "sc": code,
                    "sm": meaning,
                    "rc": "T12" if halted else "",
                    "rm": reason,
                    "z": writer.tape(one),
                },
            )

    def _book(self, writer: DataWriter, listing: Listing) -> Record | None:
        book = writer.latest_orderbook(listing)
        return None if book is None else {**book, "r": True}

    def _tell(self, channel: str, listing: Listing, write: _Write) -> None:
        for listener in self._listeners:
            if listener.hears(channel, listing):
                self._push(listener, channel, listing, write)

    def _push(self, listener: _Listener, channel: str, listing: Listing, write: _Write) -> None:
        connection = listener.connection
        record = write(self._writers[connection.is_msgpack], listing)
        if record is None:
            return
        frame = [{"T": WORDS[channel], "S": listing.symbol, **record}]
        # By the loop, so that what was told under one lock is told in that order.
        self._call(lambda: connection.pipe.push(OPERATIONS, lambda _: connection.encode(frame)))


def _bar(bar: MadeBar) -> _Write:
    return lambda writer, _: writer.bar(bar)


def _trade(trade: Trade) -> _Write:
    return lambda writer, listing: writer.trade(listing, trade)
