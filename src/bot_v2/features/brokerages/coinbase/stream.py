"""What is said on a WebSocket of Advanced Trade.

Source: https://docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis/websocket/websocket-channels
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, Generic, TypeVar

from bot_v2.features.brokerages.coinbase import stream_wire as wire
from bot_v2.features.brokerages.coinbase.decoding import MalformedError, decode
from bot_v2.features.brokerages.coinbase.error_table import Place
from bot_v2.features.brokerages.coinbase.errors import error_of_words
from bot_v2.features.brokerages.coinbase.mapping import Names
from bot_v2.features.brokerages.coinbase.stream_mapping import BestPrices, order_from_update
from bot_v2.features.brokerages.core.errors import (
    BrokerageError,
    BrokerAPIError,
    OrderNotFoundError,
)
from bot_v2.features.brokerages.core.events import OrderEvent, QuoteEvent, StreamGap
from bot_v2.features.brokerages.core.orders import Order
from bot_v2.features.brokerages.http.calls import Call
from bot_v2.features.brokerages.streaming.orders import OrderDesk
from bot_v2.shared.types import Clock

_E = TypeVar("_E")

HEARTBEATS: Final = "heartbeats"
USER: Final = "user"
LEVEL2: Final = "level2"
BOOKS: Final = "l2_data"
"""What messages of the channel level2 call it."""

SIDES: Final = {"bid": True, "offer": False, "ask": False}
"""Which side of a book is that of bids; it is offer by the reference, ask by some clients."""

UNREADABLE: Final = (ValueError, ArithmeticError, RecursionError)
"""What reading a message fails with that is not as documented."""


def error_of_stream(words: Sequence[str], call: Call) -> BrokerageError:
    """Return what an error means that was said on a stream."""
    message = ": ".join(word for word in words if word) or "an error without words"
    return error_of_words(Place.STREAM, words, message, call)


def unusable(call: Call, why: str) -> BrokerAPIError:
    """Return the error that ends a connection whose messages cannot be relied on any more."""
    context = call.context()
    context.setdefault("outcome", None)
    return BrokerAPIError(why, **context)


class AdvancedTalk(ABC, Generic[_E]):
    """Subscribes, counts messages, and passes on what one channel says.

    Args:
        call: what errors say.
        channel: the channel, beside the heartbeats.
        product_ids: what of it. Empty: everything.
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
        self._channel = channel
        self._product_ids = tuple(product_ids)
        self._sign = sign
        self._clock = clock
        self._last: int | None = None
        self._is_subscribed = False

    def begin(self, send: Callable[[str | bytes], None]) -> None:
        """Subscribe; each message is signed for itself, as a token lasts two minutes."""
        for channel, product_ids in ((self._channel, self._product_ids), (HEARTBEATS, ())):
            message: dict[str, object] = {"type": "subscribe", "channel": channel}
            if product_ids:
                message["product_ids"] = list(product_ids)
            send(json.dumps({**message, **self._sign()}))

    def hear(self, message: bytes) -> Iterator[_E | StreamGap]:
        """Yield what a message tells; one that came before, or too late, tells nothing."""
        try:
            native = decode(message, wire.Message)
        except MalformedError as error:
            yield from self._missed(f"a message cannot be read: {error}", None)
            return
        if native.type == "error":
            raise error_of_stream([native.message], self._call)
        number = native.sequence_num
        if number is not None and self._last is not None:
            if number <= self._last:
                return
            lost = number - self._last - 1
            if lost:
                self._last = number
                yield from self._missed(f"{lost} messages are missing before {number}", lost)
        self._last = number if number is not None else self._last
        try:
            yield from self._read(native)
        except UNREADABLE as error:
            yield from self._missed(f"a message cannot be read: {error}", 1)

    def _read(self, native: wire.Message) -> Iterator[_E | StreamGap]:
        if native.channel == "subscriptions":
            self._note_subscriptions(decode(native.events, list[wire.Subscribed]))
        else:
            yield from self._tell(native)

    def _note_subscriptions(self, events: Sequence[wire.Subscribed]) -> None:
        listed = {name: ids for event in events for name, ids in event.subscriptions.items()}
        has_all = {self._channel, HEARTBEATS} <= listed.keys()
        if has_all and self._product_ids:
            has_all = set(self._product_ids) <= set(listed[self._channel])
        if self._is_subscribed and not has_all:
            raise unusable(self._call, f"the subscription has ended: {sorted(listed)} is left")
        self._is_subscribed = has_all

    @abstractmethod
    def _tell(self, native: wire.Message) -> Iterable[_E | StreamGap]:
        """Return what a message of the channel tells."""

    @abstractmethod
    def _missed(self, why: str, count: int | None) -> Iterable[_E | StreamGap]:
        """Return what to tell of messages that were missed, or raise."""

    @abstractmethod
    def tick(self) -> Iterable[_E | StreamGap]:
        """Return what is due."""

    @property
    @abstractmethod
    def is_ready(self) -> bool:
        """Whether nothing is missed from now on."""


class AdvancedQuotes(AdvancedTalk[QuoteEvent]):
    """Best prices, out of the books of some products.

    A message that is missed leaves a book that may be wrong: the connection is given up, and the
    next one begins with whole books.

    Args:
        call: what errors say.
        symbols: the symbol of each product's id.
        clock: stamps the gaps.
    """

    def __init__(self, call: Call, symbols: Mapping[str, str], clock: Clock) -> None:
        """Start without books."""
        # Books are public: a key that is refused keeps nobody from seeing them.
        super().__init__(call, LEVEL2, list(symbols), dict, clock)
        self._symbols = symbols
        self._books = {product_id: BestPrices(SIDES) for product_id in symbols}

    def _tell(self, native: wire.Message) -> Iterator[QuoteEvent]:
        if native.channel != BOOKS:
            return
        changed: dict[str, BestPrices] = {}
        for event in decode(native.events, list[wire.BookEvent]):
            book = self._books.get(event.product_id)
            if book is None:
                continue
            changes = ((one.side, one.price_level, one.new_quantity) for one in event.updates)
            if event.type == "snapshot":
                book.start(changes)
            else:
                book.change(changes)
            changed[event.product_id] = book
        for product_id, book in changed.items():
            quote = book.news(self._symbols[product_id], native.timestamp)
            if quote is not None:
                yield QuoteEvent(quote=quote)

    def _missed(self, why: str, count: int | None) -> Iterable[QuoteEvent]:  # noqa: ARG002 - the reason says it
        raise unusable(self._call, why)

    def tick(self) -> Iterable[QuoteEvent]:
        """Return nothing: books are told, never asked for."""
        return ()

    @property
    def is_ready(self) -> bool:
        """Whether every product is listened to."""
        return self._is_subscribed


class AdvancedOrders(AdvancedTalk[OrderEvent]):
    """Changes of the account's orders.

    Args:
        call: what errors say.
        sign: returns what shows who we are, as fields of a message.
        desk: what is known of orders; it reads one for its terms, of which messages tell a part.
        names: what product ids stand for.
        account_id: the account.
        clock: stamps the gaps.
    """

    def __init__(
        self,
        call: Call,
        sign: Callable[[], Mapping[str, str]],
        desk: OrderDesk,
        names: Names,
        account_id: str,
        clock: Clock,
    ) -> None:
        """Start on a new connection: what happened since the last one is not known."""
        super().__init__(call, USER, (), sign, clock)
        self._known, self._audit, self._read_order = desk.known, desk.audit, desk.read
        self._names = names
        self._account_id = account_id
        self._audit.restart()

    def _tell(self, native: wire.Message) -> Iterator[OrderEvent]:
        # The first reading covers what was said before it.
        if native.channel != USER or not self._audit.has_learnt:
            return
        for event in decode(native.events, list[wire.UserEvent]):
            for order in event.orders:
                known = self._known.get(order.order_id) or self._terms_of(order.order_id)
                yield from self._known.report(
                    order_from_update(order, known, self._names, self._account_id)
                )

    def _terms_of(self, order_id: str) -> Order | None:
        try:
            return self._read_order(order_id)
        except OrderNotFoundError:
            # It may be too new to be found; its message tells enough for now.
            return None
        except BrokerageError:
            self._audit.miss()
            return None

    def _missed(self, why: str, count: int | None) -> Iterator[StreamGap]:
        self._audit.miss()
        yield StreamGap(timestamp=self._clock(), reason=why, missed=count)

    def tick(self) -> Iterable[OrderEvent]:
        """Read the orders if some may have been missed, or it is time to."""
        return self._audit.due() if self._is_subscribed else ()

    @property
    def is_ready(self) -> bool:
        """Whether orders are listened to, and were read since."""
        return self._is_subscribed and self._audit.is_whole
