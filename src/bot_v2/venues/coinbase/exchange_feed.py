"""The WebSocket feed of the Exchange API: subscriptions, signatures, and who hears what.

Source: https://docs.cdp.coinbase.com/exchange/websocket-feed/overview
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import attrs
from starlette.websockets import WebSocket

from bot_v2.features.brokerages.core.events import OrderEvent
from bot_v2.features.brokerages.core.market_data import Trade
from bot_v2.simulation.faults import Fault
from bot_v2.venues.account import VenueAccount
from bot_v2.venues.coinbase.exchange_channels import ExchangeChannels
from bot_v2.venues.coinbase.exchange_dialect import ExchangeDialect
from bot_v2.venues.coinbase.exchange_lifecycle import Lifecycle
from bot_v2.venues.coinbase.told_books import Levels
from bot_v2.venues.exact_json import to_json
from bot_v2.venues.faults import FaultPlan
from bot_v2.venues.pipe import FramePipe
from bot_v2.venues.requests import Record
from bot_v2.venues.sockets import converse
from bot_v2.venues.state import VenueState

SUBSCRIBE_WITHIN_S: Final = 5.0
"""How long a connection may stay without a subscription, in seconds."""

BATCH_S: Final = 0.05
"""How long changes of books are collected for level2_batch, in seconds."""

TICKER_BEATS: Final = 5
"""How many seconds lie between two batches of tickers."""

STATUS_BEATS: Final = 5
"""How many seconds lie between two messages of the channel status."""

HEARTBEAT: Final = "heartbeat"
STATUS: Final = "status"
TICKER: Final = "ticker"
TICKER_BATCH: Final = "ticker_batch"
LEVEL2: Final = "level2"
LEVEL2_BATCH: Final = "level2_batch"
MATCHES: Final = "matches"
FULL: Final = "full"
USER: Final = "user"

OLD_NAMES: Final = {"ticker_1000": TICKER_BATCH, "level2_50": LEVEL2_BATCH}
CHANNELS: Final = frozenset(
    {HEARTBEAT, STATUS, TICKER, TICKER_BATCH, LEVEL2, LEVEL2_BATCH, MATCHES, FULL, USER}
)
NEED_KEY: Final = frozenset({LEVEL2, FULL, USER})
OPERATIONS: Final = {
    USER: ("stream_orders",),
    FULL: ("stream_orders", "stream_quotes"),
    **dict.fromkeys((LEVEL2, LEVEL2_BATCH, TICKER, TICKER_BATCH, MATCHES), ("stream_quotes",)),
}
UNAUTHENTICATED: Final = (
    "level2, level3, and full channels now require authentication. "
    "https://docs.cloud.coinbase.com/exchange/docs/websocket-auth"
)
SIGNED: Final = ("key", "timestamp", "passphrase", "signature")


class _RefusedError(Exception):
    """What was asked is refused."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.record: Record = {"type": "error", "message": message, "reason": reason}


@attrs.define(eq=False)
class Listener:
    """One connection."""

    pipe: FramePipe
    """What it is told."""
    products: dict[str, set[str]] = attrs.field(factory=dict)
    """The products that it listens to, by channel."""
    is_owner: bool = False
    """Whether it has shown the key: it is told more of its own orders."""
    tickers: set[str] = attrs.field(factory=set)
    """The products whose ticker changed since the last batch."""
    books: dict[str, Levels] = attrs.field(factory=dict)
    """What changed of books since the last batch."""


class ExchangeFeed:
    """Tells every connection what it listens to.

    Args:
        state: the venue.
        plan: what is to go wrong.
        dialect: knows the key.
        channels: says what there is to say of the market.
        lifecycle: says what there is to say of orders.
        call: has something done in the loop of the sockets.
    """

    def __init__(
        self,
        state: VenueState,
        plan: FaultPlan,
        dialect: ExchangeDialect,
        channels: ExchangeChannels,
        lifecycle: Lifecycle,
        call: Callable[[Callable[[], None]], None],
    ) -> None:
        """Start without listeners, and hear of every change."""
        self._state = state
        self._plan = plan
        self._dialect = dialect
        self._channels = channels
        self._lifecycle = lifecycle
        self._call = call
        self._listeners: set[Listener] = set()
        state.listen(self)

    async def serve(self, socket: WebSocket) -> None:
        """Serve one connection until it ends."""
        listener = Listener(FramePipe(self._plan))
        try:
            await converse(
                socket,
                listener.pipe,
                lambda text: self._hear(listener, text),
                lambda beat: self._beat(listener, beat),
                SUBSCRIBE_WITHIN_S,
            )
        finally:
            with self._state.lock:
                self._listeners.discard(listener)

    def release(self) -> None:
        """Tell what a fault held back."""
        with self._state.lock:
            listeners = list(self._listeners)
        for listener in listeners:
            self._call(listener.pipe.release)

    # What arrives

    def _hear(self, listener: Listener, text: str) -> None:
        with self._state.lock:
            self._state.refresh(is_read=False)
            try:
                self._obey(listener, text)
            except _RefusedError as error:
                frame = to_json(error.record)
                self._call(lambda: listener.pipe.frames.put_nowait(frame))

    def _obey(self, listener: Listener, text: str) -> None:
        message = _message(text)
        kind = message.get("type")
        if kind not in ("subscribe", "unsubscribe"):
            raise _RefusedError("Type has to be either subscribe or unsubscribe", "")
        if all(message.get(name) for name in SIGNED):
            given = {name: str(message[name]) for name in SIGNED}
            problem = self._dialect.feed_problem({**given, "sign": given["signature"]})
            if problem is not None:
                raise _RefusedError("Authentication Failed", json.dumps({"message": problem}))
            listener.is_owner = True
        wanted = self._wanted(message)
        for channel in wanted:
            self._plan.count(OPERATIONS.get(channel, ()))
        if kind == "unsubscribe":
            self._unsubscribe(listener, wanted)
            self._tell_subscriptions(listener)
            return
        self._check(listener, wanted)
        self._listeners.add(listener)
        for channel, products in wanted.items():
            listener.products.setdefault(channel, set()).update(products)
        self._tell_subscriptions(listener)
        for channel, products in wanted.items():
            for record in self._first(channel, products):
                self._push(listener, channel, record)

    def _wanted(self, message: Mapping[str, Any]) -> dict[str, list[str]]:
        common = message.get("product_ids") or []
        wanted: dict[str, list[str]] = {}
        for one in message.get("channels") or []:
            named = one if isinstance(one, dict) else {"name": one}
            name = OLD_NAMES.get(str(named.get("name")), str(named.get("name")))
            wanted[name] = [
                str(product) for product in (*(named.get("product_ids") or []), *common)
            ]
        if not wanted:
            raise _RefusedError("Failed to subscribe", "No channels provided")
        return wanted

    def _check(self, listener: Listener, wanted: Mapping[str, list[str]]) -> None:
        for channel, products in wanted.items():
            if channel not in CHANNELS:
                raise _RefusedError("Failed to subscribe", f"{channel} is not a valid channel")
            if channel in NEED_KEY and not listener.is_owner:
                raise _RefusedError("Failed to subscribe", UNAUTHENTICATED)
            known = self._channels.product_ids
            strange = [one for one in products if one not in known]
            if strange or (not products and channel != STATUS):
                wrong = strange[0] if strange else ""
                raise _RefusedError("Failed to subscribe", f"{wrong} is not a valid product")

    def _unsubscribe(self, listener: Listener, wanted: Mapping[str, list[str]]) -> None:
        for channel, products in wanted.items():
            kept = listener.products.get(channel)
            if kept is None:
                continue
            kept.difference_update(products or list(kept))
            if not kept:
                del listener.products[channel]

    def _tell_subscriptions(self, listener: Listener) -> None:
        told = [
            {"name": name, "product_ids": sorted(products), "account_ids": None}
            for name, products in listener.products.items()
        ]
        self._push(listener, "", {"type": "subscriptions", "channels": told})

    def _first(self, channel: str, products: Iterable[str]) -> list[Record]:
        said = self._channels
        if channel == STATUS:
            return [said.status()]
        makers: Mapping[str, Callable[[str], Record]] = {
            LEVEL2: said.book_snapshot,
            LEVEL2_BATCH: said.book_snapshot,
            TICKER: said.ticker,
            TICKER_BATCH: said.ticker,
            MATCHES: said.last_match,
        }
        maker = makers.get(channel)
        return [] if maker is None else [maker(product_id) for product_id in products]

    # What is told

    def orders_changed(self, account: VenueAccount, events: list[OrderEvent]) -> None:  # noqa: ARG002 - there is one account
        """Tell who listens to orders: its owner alone, and who listens to everything."""
        for said in self._lifecycle.said(events):
            for listener in self._hearing(USER, said.product_id):
                self._push(listener, USER, {**said.record, **said.private})
            for listener in self._hearing(FULL, said.product_id):
                self._push(listener, FULL, {**said.record, **said.private})

    def traded(self, trades: list[Trade]) -> None:
        """Tell who listens to trades and tickers."""
        for trade in trades:
            product_id, record = self._channels.match(trade)
            for listener in self._hearing(MATCHES, product_id):
                self._push(listener, MATCHES, record)
        for product_id in dict.fromkeys(self._channels.match(trade)[0] for trade in trades):
            for listener in self._hearing(TICKER, product_id):
                self._push(listener, TICKER, self._channels.ticker(product_id))
            for listener in self._hearing(TICKER_BATCH, product_id):
                listener.tickers.add(product_id)

    def books_changed(self, symbols: set[str]) -> None:
        """Tell who listens to books."""
        for product_id, changed, before in self._channels.book_changes(symbols):
            update = self._channels.book_update(product_id, changed)
            for listener in self._hearing(LEVEL2, product_id):
                self._push(listener, LEVEL2, update)
            orders = list(self._channels.level_orders(product_id, changed, before))
            for listener in self._hearing(FULL, product_id):
                for record in orders:
                    self._push(listener, FULL, record)
            for listener in self._hearing(LEVEL2_BATCH, product_id):
                self._collect(listener, product_id, changed)

    def _collect(self, listener: Listener, product_id: str, changed: Levels) -> None:
        is_first = not listener.books
        listener.books[product_id] = {**listener.books.get(product_id, {}), **changed}
        if is_first:
            self._call(lambda: self._flush_later(listener))

    def _flush_later(self, listener: Listener) -> None:
        asyncio.get_running_loop().call_later(BATCH_S, self._flush, listener)

    def _flush(self, listener: Listener) -> None:
        with self._state.lock:
            books, listener.books = listener.books, {}
            for product_id, changed in books.items():
                self._push(listener, LEVEL2_BATCH, self._channels.book_update(product_id, changed))

    def _hearing(self, channel: str, product_id: str) -> list[Listener]:
        return [one for one in self._listeners if product_id in one.products.get(channel, ())]

    def _push(self, listener: Listener, channel: str, record: Record) -> None:
        operations = OPERATIONS.get(channel, ())
        # By the loop, so that what was told under one lock is told in that order.
        self._call(lambda: listener.pipe.push(operations, lambda _: to_json(record)))

    def _beat(self, listener: Listener, beat: int) -> None:
        if self._plan.lasts(Fault.MUTE_STREAM):
            return
        with self._state.lock:
            for product_id in sorted(listener.products.get(HEARTBEAT, ())):
                self._push(listener, HEARTBEAT, self._channels.heartbeat(product_id))
            if STATUS in listener.products and beat % STATUS_BEATS == 0:
                self._push(listener, STATUS, self._channels.status())
            if beat % TICKER_BEATS == 0:
                tickers, listener.tickers = sorted(listener.tickers), set()
                for product_id in tickers:
                    self._push(listener, TICKER_BATCH, self._channels.ticker(product_id))


def _message(text: str) -> Mapping[str, Any]:
    try:
        message: object = json.loads(text)
    except ValueError:
        message = None
    if not isinstance(message, dict):
        raise _RefusedError("Malformed JSON", "")
    return message
