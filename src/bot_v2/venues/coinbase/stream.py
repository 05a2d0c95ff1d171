"""The WebSocket of Advanced Trade: subscriptions, snapshots and updates, numbered per connection.

Source: https://docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis/websocket/websocket-channels
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any, Final

import attrs
from starlette.websockets import WebSocket, WebSocketDisconnect

from bot_v2.features.brokerages.core.events import OrderEvent
from bot_v2.features.brokerages.core.market_data import Trade
from bot_v2.simulation.faults import Fault
from bot_v2.venues.account import VenueAccount
from bot_v2.venues.coinbase.channels import Channels
from bot_v2.venues.coinbase.dialect import AdvancedDialect
from bot_v2.venues.coinbase.texts import moment_text
from bot_v2.venues.exact_json import to_json
from bot_v2.venues.faults import FaultPlan
from bot_v2.venues.pipe import FramePipe
from bot_v2.venues.requests import Record
from bot_v2.venues.state import VenueState

SUBSCRIBE_WITHIN_S: Final = 5.0
"""How long a connection may stay without a subscription (the page of the WebSocket overview)."""

HEARTBEAT_S: Final = 1.0

HEARTBEATS: Final = "heartbeats"
USER: Final = "user"
LEVEL2: Final = "level2"
TICKER: Final = "ticker"
TICKER_BATCH: Final = "ticker_batch"
TRADES: Final = "market_trades"
SPOKEN: Final = {LEVEL2: "l2_data"}
"""What a channel is called in its messages, where that is another name."""

BATCH_BEATS: Final = 5
"""How many heartbeats lie between two batches of tickers: five seconds, by the reference."""

CHANNELS: Final = frozenset({HEARTBEATS, USER, LEVEL2, TICKER, TICKER_BATCH, TRADES})

OPERATIONS: Final = {
    USER: ("stream_orders",),
    LEVEL2: ("stream_quotes",),
    TICKER: ("stream_quotes",),
    TICKER_BATCH: ("stream_quotes",),
    TRADES: ("stream_quotes",),
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
        await socket.accept()
        listener = Listener(FramePipe(self._plan))
        tasks = [
            asyncio.ensure_future(self._read(socket, listener)),
            asyncio.ensure_future(_write(socket, listener.pipe)),
            asyncio.ensure_future(self._beat(listener)),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            with self._state.lock:
                self._listeners.discard(listener)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            with suppress(RuntimeError, OSError, WebSocketDisconnect):
                await socket.close()

    def release(self) -> None:
        """Tell what a fault held back."""
        with self._state.lock:
            listeners = list(self._listeners)
        for listener in listeners:
            self._call(listener.pipe.release)

    # What arrives

    async def _read(self, socket: WebSocket, listener: Listener) -> None:
        with suppress(WebSocketDisconnect, asyncio.TimeoutError):
            text = await asyncio.wait_for(socket.receive_text(), SUBSCRIBE_WITHIN_S)
            while True:
                self._hear(listener, text)
                text = await socket.receive_text()

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
        if token or channel == USER:
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
        if channel not in (USER, HEARTBEATS) and not products:
            raise ValueError(f"channel {channel} needs product_ids")
        self._listeners.add(listener)
        listener.products.setdefault(channel, set()).update(products)
        events = self._snapshots(channel, products)
        if events:
            self._push(listener, channel, events)

    def _snapshots(self, channel: str, products: list[str]) -> list[Record]:
        said = self._channels
        if channel == LEVEL2:
            return [said.book_snapshot(one) for one in products]
        if channel in (TICKER, TICKER_BATCH):
            return [said.tickers("snapshot", products)]
        if channel == TRADES:
            return [said.trades_snapshot(products)]
        if channel == USER:
            return [said.orders_snapshot(set(products))]
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

    def orders_changed(self, account: VenueAccount, events: list[OrderEvent]) -> None:  # noqa: ARG002 - orders are the venue's, whatever the account
        """Tell who listens to orders."""
        if not any(USER in one.products for one in self._listeners):
            return
        for event in events:
            told = self._channels.order_update(event.order.order_id)
            if told is None:
                continue
            product_id, record = told
            update: Record = {"type": "update", "orders": [record]}
            for listener in self._hearing(USER, product_id):
                self._push(listener, USER, [update])

    def traded(self, trades: list[Trade]) -> None:
        """Tell who listens to trades."""
        for trade in trades:
            product_id, record = self._channels.trade_update(trade)
            update: Record = {"type": "update", "trades": [record]}
            for listener in self._hearing(TRADES, product_id):
                self._push(listener, TRADES, [update])

    def books_changed(self, symbols: set[str]) -> None:
        """Tell who listens to books and tickers."""
        for product_id, event in self._channels.book_updates(symbols):
            for listener in self._hearing(LEVEL2, product_id):
                self._push(listener, LEVEL2, [event])
            for listener in self._hearing(TICKER, product_id):
                ticker = self._channels.tickers("update", [product_id])
                self._push(listener, TICKER, [ticker])
            for listener in self._hearing(TICKER_BATCH, product_id):
                listener.batch.add(product_id)

    def _hearing(self, channel: str, product_id: str) -> Iterable[Listener]:
        return [one for one in self._listeners if one.hears(channel, product_id)]

    def _push(self, listener: Listener, channel: str, events: list[Record]) -> None:
        now = self._state.clock() + self._state.skew
        operations = OPERATIONS.get(channel, ())

        def build(number: int) -> bytes:
            return _frame(SPOKEN.get(channel, channel), now, number, events)

        # By the loop, so that what was told under one lock is told in that order.
        self._call(lambda: listener.pipe.push(operations, build))

    async def _beat(self, listener: Listener) -> None:
        for beat in itertools.count(1):
            await asyncio.sleep(HEARTBEAT_S)
            if beat % BATCH_BEATS == 0:
                self._tell_batch(listener)
            if HEARTBEATS in listener.products and not self._plan.lasts(Fault.MUTE_STREAM):
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


async def _write(socket: WebSocket, pipe: FramePipe) -> None:
    while (frame := await pipe.frames.get()) is not None:
        try:
            await socket.send_text(frame.decode())
        except (RuntimeError, WebSocketDisconnect, OSError):
            return


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
