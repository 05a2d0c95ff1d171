"""What is said on the WebSocket feed of the Exchange API.

Source: https://docs.cdp.coinbase.com/exchange/websocket-feed/channels
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, Generic, TypeVar

from bot_v2.features.brokerages.coinbase import exchange_stream_wire as wire
from bot_v2.features.brokerages.coinbase.decoding import decode
from bot_v2.features.brokerages.coinbase.mapping import Names
from bot_v2.features.brokerages.coinbase.stream import UNREADABLE, error_of_stream, unusable
from bot_v2.features.brokerages.coinbase.stream_mapping import (
    BestPrices,
    fills_from_match,
    order_after_message,
    order_from_received,
)
from bot_v2.features.brokerages.core.errors import BrokerageError, OrderNotFoundError
from bot_v2.features.brokerages.core.events import OrderEvent, QuoteEvent, StreamGap
from bot_v2.features.brokerages.core.fills import Fill
from bot_v2.features.brokerages.core.orders import Order
from bot_v2.features.brokerages.http.calls import Call
from bot_v2.features.brokerages.streaming.orders import OrderDesk
from bot_v2.shared.types import Clock

_E = TypeVar("_E")

HEARTBEAT: Final = "heartbeat"
USER: Final = "user"
LEVEL2: Final = "level2"

SIDES: Final = {"buy": True, "sell": False}
"""Which side of a book is that of bids."""

ORDER_MESSAGES: Final = frozenset({"received", "open", "match", "done", "change", "activate"})


class ExchangeTalk(ABC, Generic[_E]):
    """Subscribes, and passes on what one channel says.

    Args:
        call: what errors say.
        channel: the channel.
        product_ids: what of it; the heartbeats are the first one's.
        sign: returns what shows who we are, as fields of a message.
        clock: stamps the gaps.
    """

    def __init__(
        self,
        call: Call,
        channel: str,
        product_ids: Sequence[str],
        sign: Callable[[], Mapping[str, str]],
        clock: Clock,
    ) -> None:
        """Prepare; nothing is said yet."""
        self._call = call
        self._wanted = {channel: set(product_ids), HEARTBEAT: set(product_ids[:1])}
        self._sign = sign
        self._clock = clock
        self._is_subscribed = False

    def begin(self, send: Callable[[str | bytes], None]) -> None:
        """Subscribe; the signature is as of now."""
        channels = [
            {"name": name, "product_ids": sorted(product_ids)}
            for name, product_ids in self._wanted.items()
        ]
        send(json.dumps({"type": "subscribe", "channels": channels, **self._sign()}))

    def hear(self, message: bytes) -> Iterator[_E | StreamGap]:
        """Yield what a message tells."""
        try:
            kind = decode(message, wire.Header).type
            if kind == "subscriptions":
                self._note_subscriptions(decode(message, wire.Subscriptions))
            elif kind == "error":
                said = decode(message, wire.ErrorMessage)
                raise error_of_stream([said.message, said.reason], self._call)
            else:
                yield from self._tell(kind, message)
        except UNREADABLE as error:
            yield from self._missed(f"a message cannot be read: {error}")

    def _note_subscriptions(self, native: wire.Subscriptions) -> None:
        listed = {channel.name: set(channel.product_ids) for channel in native.channels}
        has_all = all(ids <= listed.get(name, set()) for name, ids in self._wanted.items())
        if self._is_subscribed and not has_all:
            raise unusable(self._call, f"the subscription has ended: {sorted(listed)} is left")
        self._is_subscribed = has_all

    @abstractmethod
    def _tell(self, kind: str, message: bytes) -> Iterable[_E | StreamGap]:
        """Return what a message of a type tells."""

    @abstractmethod
    def _missed(self, why: str) -> Iterable[_E | StreamGap]:
        """Return what to tell of a message that was missed, or raise."""

    @abstractmethod
    def tick(self) -> Iterable[_E | StreamGap]:
        """Return what is due."""

    @property
    @abstractmethod
    def is_ready(self) -> bool:
        """Whether nothing is missed from now on."""


class ExchangeQuotes(ExchangeTalk[QuoteEvent]):
    """Best prices, out of the books of some products. The channel promises to leave nothing out.

    Args:
        call: what errors say.
        symbols: the symbol of each product's id.
        sign: returns what shows who we are, as fields of a message.
        clock: stamps the gaps.
    """

    def __init__(
        self,
        call: Call,
        symbols: Mapping[str, str],
        sign: Callable[[], Mapping[str, str]],
        clock: Clock,
    ) -> None:
        """Start without books."""
        super().__init__(call, LEVEL2, list(symbols), sign, clock)
        # Heartbeats of each product say as of when an unchanged book is.
        self._wanted[HEARTBEAT] = set(symbols)
        self._symbols = symbols
        self._books = {product_id: BestPrices(SIDES) for product_id in symbols}

    def _tell(self, kind: str, message: bytes) -> Iterator[QuoteEvent]:
        if kind == "snapshot":
            whole = decode(message, wire.Snapshot)
            sides = (("buy", whole.bids), ("sell", whole.asks))
            levels = ((name, *level) for name, side in sides for level in side)
            if whole.product_id in self._books:
                self._books[whole.product_id].start(levels)
                yield from self._news(whole.product_id, whole.time)
        elif kind == "l2update":
            part = decode(message, wire.BookUpdate)
            if part.product_id in self._books:
                self._books[part.product_id].change(part.changes)
                yield from self._news(part.product_id, part.time)
        elif kind == HEARTBEAT:
            beat = decode(message, wire.Heartbeat)
            if beat.product_id in self._books:
                yield from self._news(beat.product_id, beat.time)

    def _news(self, product_id: str, time: str) -> Iterator[QuoteEvent]:
        # A whole book is told without a time: it is passed on with the next message that has one.
        if not time:
            return
        quote = self._books[product_id].news(self._symbols[product_id], time)
        if quote is not None:
            yield QuoteEvent(quote=quote)

    def _missed(self, why: str) -> Iterable[QuoteEvent]:
        raise unusable(self._call, why)

    def tick(self) -> Iterable[QuoteEvent]:
        """Return nothing: books are told, never asked for."""
        return ()

    @property
    def is_ready(self) -> bool:
        """Whether every product is listened to."""
        return self._is_subscribed


class ExchangeOrders(ExchangeTalk[OrderEvent]):
    """Changes of the profile's orders.

    Messages say what happened to an order, and not how it stands: it is read whenever one comes.
    They have no numbers of their own, so that one that is left out does not show: the audit finds
    what it would have told.

    Args:
        call: what errors say.
        product_ids: all products: orders of others are found by the audit alone.
        sign: returns what shows who we are, as fields of a message.
        desk: what is known of orders, and reads them.
        names: what product ids stand for.
        account_id: the profile.
        clock: stamps the gaps.
    """

    def __init__(
        self,
        call: Call,
        product_ids: Sequence[str],
        sign: Callable[[], Mapping[str, str]],
        desk: OrderDesk,
        names: Names,
        account_id: str,
        clock: Clock,
    ) -> None:
        """Start on a new connection: what happened since the last one is not known."""
        super().__init__(call, USER, product_ids, sign, clock)
        self._known, self._audit, self._read_order = desk.known, desk.audit, desk.read
        self._names = names
        self._account_id = account_id
        self._messages: list[wire.OrderMessage] = []
        self._audit.restart()

    def _tell(self, kind: str, message: bytes) -> Iterable[OrderEvent]:
        # The first reading covers what was said before it.
        if kind in ORDER_MESSAGES and self._audit.has_learnt:
            native = decode(message, wire.OrderMessage)
            if native.profile_id in ("", self._account_id):
                self._messages.append(native)
        return ()

    def _missed(self, why: str) -> Iterator[StreamGap]:
        self._audit.miss()
        yield StreamGap(timestamp=self._clock(), reason=why, missed=1)

    def tick(self) -> Iterator[OrderEvent | StreamGap]:
        """Read the orders that messages were of, and all if it is time to."""
        messages, self._messages = self._messages, []
        fills: dict[str, list[Fill]] = {}
        said: dict[str, list[wire.OrderMessage]] = {}
        for native in messages:
            try:
                for fill in self._fills_of(native):
                    fills.setdefault(fill.order_id, []).append(fill)
            except UNREADABLE as error:
                yield from self._missed(f"a message cannot be read: {error}")
            for order_id in _orders_of(native, self._account_id):
                said.setdefault(order_id, []).append(native)
        for order_id, of_order in said.items():
            yield from self._report(order_id, of_order, fills.get(order_id, []))
        if self._is_subscribed:
            yield from self._audit.due()

    def _fills_of(self, native: wire.OrderMessage) -> list[Fill]:
        if native.type != "match":
            return []
        return fills_from_match(native, self._names, self._account_id)

    def _report(
        self, order_id: str, messages: Sequence[wire.OrderMessage], fills: Sequence[Fill]
    ) -> Iterator[OrderEvent | StreamGap]:
        try:
            order = self._order_after(order_id, messages)
            if order is not None:
                yield from self._known.report_with(order, fills)
        except BrokerageError as error:
            yield from self._missed(f"the order {order_id} cannot be read: {error.message}")
        except UNREADABLE as error:
            yield from self._missed(
                f"what was said of the order {order_id} cannot be read: {error}"
            )

    def _order_after(self, order_id: str, messages: Sequence[wire.OrderMessage]) -> Order | None:
        """Return an order as it stands. None: nothing is known of it, and nothing can be."""
        try:
            return self._read_order(order_id)
        except OrderNotFoundError:
            # It may be too new to be found, or was cancelled without a fill and is forgotten.
            order = self._known.get(order_id)
            for native in messages:
                if order is None and native.type == "received":
                    order = order_from_received(native, self._names, self._account_id)
                elif order is not None:
                    order = order_after_message(native, order)
            return order

    @property
    def is_ready(self) -> bool:
        """Whether orders are listened to, and were read since."""
        return self._is_subscribed and self._audit.is_whole


def _orders_of(native: wire.OrderMessage, account_id: str) -> list[str]:
    if native.type != "match":
        return [native.order_id] if native.order_id else []
    parts = (
        (native.maker_profile_id, native.maker_order_id),
        (native.taker_profile_id, native.taker_order_id),
    )
    return [order_id for profile_id, order_id in parts if profile_id == account_id and order_id]
