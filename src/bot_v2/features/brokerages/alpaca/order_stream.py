"""What is said on the stream of the account's orders (`trade_updates`).

The broker's frames are binary, and hold JSON. It sends nothing while no order changes, so silence
proves nothing: after a while of it the orders are read over HTTP, and a change that the stream did
not tell gives a mute connection away.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from bot_v2.features.brokerages.alpaca import stream_wire
from bot_v2.features.brokerages.alpaca.decoding import MalformedError, decode
from bot_v2.features.brokerages.alpaca.errors import NAME
from bot_v2.features.brokerages.alpaca.order_mapping import fill_from_update, order_from_native
from bot_v2.features.brokerages.core.errors import (
    AuthenticationError,
    BrokerageError,
    BrokerUnavailableError,
    ConnectionError,
)
from bot_v2.features.brokerages.core.events import OrderEvent, StreamGap
from bot_v2.features.brokerages.core.orders import Order
from bot_v2.features.brokerages.core.secret import Secret
from bot_v2.features.brokerages.http.calls import Call
from bot_v2.features.brokerages.streaming.orders import KnownOrders
from bot_v2.shared.types import Clock

UPDATES: Final = "trade_updates"
AUTHORIZED: Final = "authorized"


class OrderTalk:
    """One connection of the stream of orders.

    Args:
        call: what its errors say.
        credentials: the key's id and its secret.
        account_id: the account.
        read_orders: reads all orders over HTTP, newest first.
        known: what earlier connections have told of.
        is_first: whether no connection came before: what is read is then no news.
        silence_s: after how long without a message the orders are read, in seconds.
        clock: stamps the gaps.
        monotonic: the seconds of a clock that never goes back.
    """

    def __init__(
        self,
        call: Call,
        credentials: tuple[Secret, Secret],
        account_id: str,
        read_orders: Callable[[], list[Order]],
        known: KnownOrders,
        *,
        is_first: bool,
        silence_s: float,
        clock: Clock,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare; nothing is said yet."""
        self._call = call
        self._credentials = credentials
        self._account_id = account_id
        self._read_orders = read_orders
        self._known = known
        self._is_first = is_first
        self._silence_s = silence_s
        self._clock = clock
        self._monotonic = monotonic
        self._send: Callable[[str | bytes], None] | None = None
        self._is_listening = False
        self._is_read = False
        self._is_mute = False
        self._looked_at = monotonic()

    @property
    def is_ready(self) -> bool:
        """Whether the stream is listened to, and everything before it was read."""
        return self._is_listening and self._is_read

    def begin(self, send: Callable[[str | bytes], None]) -> None:
        """Say who asks."""
        self._send = send
        key, secret = self._credentials
        data = {"key_id": key.reveal(), "secret_key": secret.reveal()}
        send(json.dumps({"action": "authenticate", "data": data}))

    def hear(self, message: bytes) -> Iterator[OrderEvent | StreamGap]:
        """Yield what a message tells.

        Raises:
            BrokerageError: the credentials are refused, or the broker gives up.
        """
        self._looked_at = self._monotonic()
        try:
            envelope = decode(message, stream_wire.Envelope)
            if envelope.stream == UPDATES:
                yield from self._update(decode(bytes(envelope.data), stream_wire.TradeUpdate))
            else:
                self._protocol(envelope)
        except (ValueError, ArithmeticError, RecursionError) as error:
            # What it would have told is found by reading.
            self._is_read = False
            reason = f"a message is not as documented: {error}"
            yield StreamGap(timestamp=self._clock(), reason=reason, missed=1)

    def tick(self) -> Iterator[OrderEvent | StreamGap]:
        """Yield what reading the orders tells, when that is due.

        Raises:
            BrokerageError: they cannot be read, or the connection is mute.
        """
        if self._is_mute:
            raise self._error("the stream said nothing of orders that changed", ConnectionError)
        if not self._is_listening:
            return
        if not self._is_read:
            orders = self._read_orders()
            if self._is_first:
                self._known.learn(orders)
                self._is_first = False
            else:
                yield from self._known.report_all(orders)
            self._is_read = True
            self._looked_at = self._monotonic()
        elif self._monotonic() - self._looked_at > self._silence_s:
            yield from self._look()

    def _look(self) -> Iterable[OrderEvent | StreamGap]:
        news = list(self._known.report_all(self._read_orders()))
        self._looked_at = self._monotonic()
        if not news:
            return ()
        self._is_mute = True
        reason = "the stream said nothing of orders that changed"
        return (StreamGap(timestamp=self._clock(), reason=reason), *news)

    def _update(self, native: stream_wire.TradeUpdate) -> Iterator[OrderEvent]:
        order = order_from_native(native.order, self._account_id)
        yield from self._known.report(order, fill_from_update(native, self._account_id))

    def _protocol(self, envelope: stream_wire.Envelope) -> None:
        data = bytes(envelope.data)
        if envelope.stream == "authorization":
            told = decode(data, stream_wire.Authorization)
            if told.status != AUTHORIZED:
                why = told.message or told.status
                raise self._error(f"the stream refuses the credentials: {why}", AuthenticationError)
            self._say(json.dumps({"action": "listen", "data": {"streams": [UPDATES]}}))
        elif envelope.stream == "listening":
            if UPDATES not in decode(data, stream_wire.Listening).streams:
                raise MalformedError(f"{UPDATES} are not among what is listened to")
            self._is_listening = True
        elif envelope.action == "error":
            said = decode(data, stream_wire.StreamError).error_message
            raise self._error(f"the stream ends: {said}", BrokerUnavailableError)

    def _say(self, text: str) -> None:
        if self._send is not None:
            self._send(text)

    def _error(self, message: str, kind: type[BrokerageError]) -> BrokerageError:
        context = self._call.context()
        context.setdefault("outcome", None)
        return kind(f"{NAME}: {message}", **context)
