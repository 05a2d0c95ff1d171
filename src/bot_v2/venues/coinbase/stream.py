"""The WebSocket of Advanced Trade: subscriptions, snapshots and updates, numbered per connection.

Source: https://docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis/websocket/websocket-channels
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Final

import attrs
from starlette.websockets import WebSocket

from bot_v2.features.brokerages.core.events import OrderEvent
from bot_v2.features.brokerages.core.market_data import Trade
from bot_v2.simulation.faults import Fault
from bot_v2.venues.account import VenueAccount
from bot_v2.venues.coinbase.channels import Channels
from bot_v2.venues.coinbase.dialect import AdvancedDialect
from bot_v2.venues.coinbase.listings import CFM
from bot_v2.venues.coinbase.texts import moment_text
from bot_v2.venues.exact_json import to_json
from bot_v2.venues.faults import FaultPlan
from bot_v2.venues.pipe import FramePipe
from bot_v2.venues.requests import Record
from bot_v2.venues.sockets import converse
from bot_v2.venues.state import VenueState

SUBSCRIBE_WITHIN_S: Final = 5.0
"""How long a connection may stay without a subscription (the page of the WebSocket overview)."""

HEARTBEATS: Final = "heartbeats"
USER: Final = "user"
LEVEL2: Final = "level2"
TICKER: Final = "ticker"
TICKER_BATCH: Final = "ticker_batch"
TRADES: Final = "market_trades"
CANDLES: Final = "candles"
STATUS: Final = "status"
FUTURES_BALANCE: Final = "futures_balance_summary"
SPOKEN: Final = {LEVEL2: "l2_data"}
"""What a channel is called in its messages, where that is another name."""

BATCH_BEATS: Final = 5
"""How many heartbeats lie between two batches of tickers: five seconds, by the reference."""

STATUS_BEATS: Final = 5
"""How many heartbeats lie between two messages of the channel status."""

NEED_KEY: Final = frozenset({USER, FUTURES_BALANCE})
WITHOUT_PRODUCTS: Final = frozenset({USER, HEARTBEATS, FUTURES_BALANCE})

CHANNELS: Final = frozenset(
    {
        HEARTBEATS,
        USER,
        LEVEL2,
        TICKER,
        TICKER_BATCH,
        TRADES,
        CANDLES,
        STATUS,
        FUTURES_BALANCE,
    }
)

OPERATIONS: Final = {
    USER: ("stream_orders",),
    LEVEL2: ("stream_quotes",),
    TICKER: ("stream_quotes",),
    TICKER_BATCH: ("stream_quotes",),
    TRADES: ("stream_quotes",),
    CANDLES: ("stream_candles",),
    STATUS: ("stream_status",),
    FUTURES_BALANCE: ("stream_account",),
}


@attrs.define(eq=False)
class Listener:
    """One connection."""

    pipe: FramePipe
    """What it is told."""
    products: dict[str, set[str]] = attrs.field(factory=dict)
    """The products that it listens to, by channel; in `user`, none means all of them."""
    heartbeats: int = 0
    """How many it was told."""
    batch: set[str] = attrs.field(factory=set)
    """The products whose ticker changed since the last batch."""

    def hears(self, channel: str, product_id: str) -> bool:
        """Whether it listens to a product."""
        wanted = self.products.get(channel)
        if wanted is None:
            return False
        return product_id in wanted or (channel == USER and not wanted)


class StreamHub:
    """Tells every connection what it listens to.

    Args:
        state: the venue.
        plan: what is to go wrong.
        dialect: knows keys.
        channels: says what there is to say.
        call: has something done in the loop of the sockets.
    """

    def __init__(
        self,
        state: VenueState,
        plan: FaultPlan,
        dialect: AdvancedDialect,
        channels: Channels,
        call: Callable[[Callable[[], None]], None],
    ) -> None:
        """Start without listeners, and hear of every change."""
        self._state = state
        self._plan = plan
        self._dialect = dialect
        self._channels = channels
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
            try:
                self._state.refresh(is_read=False)
                self._obey(listener, _message(text))
            except ValueError as error:
                self._refuse(listener, str(error))

    def _obey(self, listener: Listener, message: Mapping[str, Any]) -> None:
        channel, kind = str(message.get("channel")), message.get("type")
        if kind not in ("subscribe", "unsubscribe"):
            raise ValueError(f"unknown message type {kind}")
        if channel not in CHANNELS:
            raise ValueError(f"unknown channel {channel}")
        self._plan.count(OPERATIONS.get(channel, ()))
        products = self._products(message.get("product_ids"))
        token = message.get("jwt")
        if token or channel in NEED_KEY:
            key = self._dialect.stream_key(str(token), self._state.clock.outside())
            if key is None:
                raise ValueError("authentication failure")
        if kind == "subscribe":
            self._subscribe(listener, channel, products)
        else:
            self._unsubscribe(listener, channel, products)
        self._tell_subscriptions(listener)

    def _products(self, given: object) -> list[str]:
        if given is None:
            return []
        if not isinstance(given, list):
            raise ValueError("product_ids is a list")
        unknown = [one for one in given if one not in self._channels.product_ids]
        if unknown:
            raise ValueError(f"unknown product_ids {unknown}")
        return [str(one) for one in given]

    def _subscribe(self, listener: Listener, channel: str, products: list[str]) -> None:
        if channel not in WITHOUT_PRODUCTS and not products:
            raise ValueError(f"channel {channel} needs product_ids")
        self._listeners.add(listener)
        listener.products.setdefault(channel, set()).update(products)
        # The live orders come by fifties, a message each; everything else in one.
        events = self._snapshots(channel, products)
        for part in [[event] for event in events] if channel == USER else [events]:
            if part:
                self._push(listener, channel, part)

    def _snapshots(self, channel: str, products: list[str]) -> list[Record]:
        said = self._channels
        if channel == LEVEL2:
            return [said.book_snapshot(one) for one in products]
        if channel in (TICKER, TICKER_BATCH):
            return [said.tickers("snapshot", products)]
        if channel == TRADES:
            return [said.trades_snapshot(products)]
        if channel == CANDLES:
            return [said.candles("snapshot", products)]
        if channel == STATUS:
            return [said.status(products)]
        if channel == FUTURES_BALANCE:
            return [said.futures_balance("snapshot")]
        if channel == USER:
            return said.orders_snapshots(set(products))
        return []

    def _unsubscribe(self, listener: Listener, channel: str, products: list[str]) -> None:
        kept = listener.products.get(channel)
        if kept is None:
            return
        kept.difference_update(products)
        if not kept:
            del listener.products[channel]

    def _tell_subscriptions(self, listener: Listener) -> None:
        told = {
            channel: sorted(products) or [channel]
            for channel, products in listener.products.items()
        }
        self._push(listener, "subscriptions", [{"subscriptions": told}])

    def _refuse(self, listener: Listener, why: str) -> None:
        frame = to_json({"type": "error", "message": why})
        self._call(lambda: listener.pipe.frames.put_nowait(frame))

    # What is told

    def orders_changed(self, account: VenueAccount, events: list[OrderEvent]) -> None:
        """Tell who listens to orders, and to what US futures are held with."""
        if account.name == CFM:
            for listener in self._listeners:
                if FUTURES_BALANCE in listener.products:
                    told = self._channels.futures_balance("update")
                    self._push(listener, FUTURES_BALANCE, [told])
        if not any(USER in one.products for one in self._listeners):
            return
        for event in events:
            update_of = self._channels.order_update(event.order.order_id)
            if update_of is None:
                continue
            product_id, record = update_of
            update: Record = {"type": "update", "orders": [record]}
            for listener in self._hearing(USER, product_id):
                self._push(listener, USER, [update])

    def traded(self, trades: list[Trade]) -> None:
        """Tell who listens to trades and tickers: both speak when there was a trade."""
        for trade in trades:
            product_id, record = self._channels.trade_update(trade)
            update: Record = {"type": "update", "trades": [record]}
            for listener in self._hearing(TRADES, product_id):
                self._push(listener, TRADES, [update])
        for product_id in dict.fromkeys(self._channels.product_of(one.symbol) for one in trades):
            for listener in self._hearing(TICKER, product_id):
                ticker = self._channels.tickers("update", [product_id])
                self._push(listener, TICKER, [ticker])
            for listener in self._hearing(TICKER_BATCH, product_id):
                listener.batch.add(product_id)

    def books_changed(self, symbols: set[str]) -> None:
        """Tell who listens to books."""
        for product_id, event in self._channels.book_updates(symbols):
            for listener in self._hearing(LEVEL2, product_id):
                self._push(listener, LEVEL2, [event])

    def _hearing(self, channel: str, product_id: str) -> Iterable[Listener]:
        return [one for one in self._listeners if one.hears(channel, product_id)]

    def _push(self, listener: Listener, channel: str, events: list[Record]) -> None:
        now = self._state.clock() + self._state.skew
        operations = OPERATIONS.get(channel, ())

        def build(number: int) -> bytes:
            return _frame(SPOKEN.get(channel, channel), now, number, events)

        # By the loop, so that what was told under one lock is told in that order.
        self._call(lambda: listener.pipe.push(operations, build))

    def _beat(self, listener: Listener, beat: int) -> None:
        if beat % BATCH_BEATS == 0:
            self._tell_batch(listener)
        if self._plan.lasts(Fault.MUTE_STREAM):
            return
        with self._state.lock:
            candles = sorted(listener.products.get(CANDLES, ()))
            if candles:
                self._push(listener, CANDLES, [self._channels.candles("update", candles)])
            if STATUS in listener.products and beat % STATUS_BEATS == 0:
                products = sorted(listener.products[STATUS])
                self._push(listener, STATUS, [self._channels.status(products)])
        if HEARTBEATS in listener.products:
            listener.heartbeats += 1
            now = self._state.clock() + self._state.skew
            event: Record = {
                "current_time": f"{now:%Y-%m-%d %H:%M:%S.%f}000 +0000 UTC",
                "heartbeat_counter": listener.heartbeats,
            }
            self._push(listener, HEARTBEATS, [event])

    def _tell_batch(self, listener: Listener) -> None:
        with self._state.lock:
            products, listener.batch = sorted(listener.batch), set()
            if products:
                batch = self._channels.tickers("update", products)
                self._push(listener, TICKER_BATCH, [batch])


def _frame(channel: str, now: datetime, number: int, events: list[Record]) -> bytes:
    return to_json(
        {
            "channel": channel,
            "client_id": "",
            "timestamp": moment_text(now),
            "sequence_num": number,
            "events": events,
        }
    )


def _message(text: str) -> Mapping[str, Any]:
    message: object = json.loads(text)
    if not isinstance(message, dict):
        raise ValueError("a message is an object")
    return message
