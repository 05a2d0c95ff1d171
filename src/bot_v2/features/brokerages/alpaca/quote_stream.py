"""What is said on a stream of best prices: JSON for stocks and crypto, MessagePack for options."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeAlias

import msgspec

from bot_v2.features.brokerages.alpaca import stream_wire
from bot_v2.features.brokerages.alpaca.decoding import MalformedError
from bot_v2.features.brokerages.alpaca.errors import NAME
from bot_v2.features.brokerages.alpaca.market_mapping import best_from_native
from bot_v2.features.brokerages.alpaca.market_wire import Quote
from bot_v2.features.brokerages.core.errors import (
    AuthenticationError,
    BrokerageError,
    BrokerUnavailableError,
    ConnectionError,
    InvalidRequestError,
    PermissionDeniedError,
)
from bot_v2.features.brokerages.core.events import QuoteEvent, StreamGap
from bot_v2.features.brokerages.core.secret import Secret
from bot_v2.features.brokerages.http.calls import Call
from bot_v2.shared.types import Clock

ERRORS: Final[Mapping[int, type[BrokerageError]]] = {
    # https://docs.alpaca.markets/docs/streaming-market-data
    400: InvalidRequestError,
    401: AuthenticationError,
    402: AuthenticationError,
    404: ConnectionError,
    405: InvalidRequestError,
    # The connection before this one may not be forgotten yet: it is worth asking again.
    406: BrokerUnavailableError,
    407: ConnectionError,
    408: PermissionDeniedError,
    409: PermissionDeniedError,
    410: InvalidRequestError,
    412: InvalidRequestError,
    413: InvalidRequestError,
    500: BrokerUnavailableError,
}
"""What the stream's own codes mean; any other is a ConnectionError."""

ALREADY: Final = 403
"""The code of credentials that were given twice, which harms nothing."""

MESSAGEPACK: Final = "application/msgpack"

_Messages: TypeAlias = list[stream_wire.MarketMessage]
_JSON: Final = msgspec.json.Decoder(_Messages)
_PACKED: Final = msgspec.msgpack.Decoder(_Messages)


class QuoteTalk:
    """One connection of a stream of best prices.

    Args:
        call: what its errors say.
        credentials: the key's id and its secret.
        symbols: our symbols, by the broker's.
        is_packed: whether messages are MessagePack, else JSON.
        is_delayed: whether the source is late.
        clock: stamps the gaps.
    """

    def __init__(
        self,
        call: Call,
        credentials: tuple[Secret, Secret],
        symbols: Mapping[str, str],
        *,
        is_packed: bool,
        is_delayed: bool,
        clock: Clock,
    ) -> None:
        """Prepare; nothing is said yet."""
        self._call = call
        self._credentials = credentials
        self._symbols = symbols
        self._is_packed = is_packed
        self._is_delayed = is_delayed
        self._clock = clock
        self._send: Callable[[str | bytes], None] | None = None
        self._is_ready = False

    @property
    def is_ready(self) -> bool:
        """Whether all symbols are subscribed to."""
        return self._is_ready

    def begin(self, send: Callable[[str | bytes], None]) -> None:
        """Say who asks."""
        self._send = send
        key, secret = self._credentials
        self._say({"action": "auth", "key": key.reveal(), "secret": secret.reveal()})

    def hear(self, message: bytes) -> Iterator[QuoteEvent | StreamGap]:
        """Yield what a message tells.

        Raises:
            BrokerageError: the broker says why nothing will come.
        """
        try:
            for told in self._read(message):
                if told.kind == "q":
                    event = self._quote(told)
                    if event is not None:
                        yield event
                else:
                    self._protocol(told)
        except (ValueError, ArithmeticError, RecursionError) as error:
            reason = f"a message is not as documented: {error}"
            yield StreamGap(timestamp=self._clock(), reason=reason, missed=1)

    def tick(self) -> tuple[()]:
        """Return nothing: nothing is ever due."""
        return ()

    def _read(self, message: bytes) -> _Messages:
        try:
            return (_PACKED if self._is_packed else _JSON).decode(message)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise MalformedError(str(error)) from error

    def _quote(self, native: stream_wire.MarketMessage) -> QuoteEvent | None:
        symbol = self._symbols.get(native.symbol)
        if symbol is None:
            # The rest of what an earlier subscription asked for, or nothing that was asked for.
            return None
        if native.t is None:
            raise MalformedError(f"prices of {native.symbol!r} without a time")
        best = Quote(t=native.t, bp=native.bp, bs=native.bs, ap=native.ap, as_=native.as_)
        return QuoteEvent(quote=best_from_native(best, symbol, is_delayed=self._is_delayed))

    def _protocol(self, told: stream_wire.MarketMessage) -> None:
        if told.kind == "success" and told.msg == "authenticated":
            self._say({"action": "subscribe", "quotes": list(self._symbols)})
        elif told.kind == "subscription":
            missing = set(self._symbols) - set(told.quotes or ())
            if missing:
                names = ", ".join(sorted(missing))
                raise self._error(f"the stream does not give {names}", InvalidRequestError)
            self._is_ready = True
        elif told.kind == "error" and told.code != ALREADY:
            kind = ERRORS.get(told.code, ConnectionError)
            raise self._error(f"the stream says {told.code}: {told.msg}", kind, str(told.code))

    def _say(self, words: Mapping[str, Any]) -> None:
        if self._send is not None:
            self._send(msgspec.msgpack.encode(words) if self._is_packed else json.dumps(words))

    def _error(
        self, message: str, kind: type[BrokerageError], code: str | None = None
    ) -> BrokerageError:
        context = self._call.context()
        context["code"] = code
        context.setdefault("outcome", None)
        return kind(f"{NAME}: {message}", **context)
