"""The streams of an account: its orders, and best prices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import count

from bot_v2.features.brokerages.alpaca.instruments import class_and_native
from bot_v2.features.brokerages.alpaca.order_stream import OrderTalk
from bot_v2.features.brokerages.alpaca.quote_stream import MESSAGEPACK, QuoteTalk
from bot_v2.features.brokerages.alpaca.reads import AlpacaReads
from bot_v2.features.brokerages.alpaca.symbols import CRYPTO, EQUITY, OPTION
from bot_v2.features.brokerages.core.errors import InvalidRequestError
from bot_v2.features.brokerages.core.events import OrderEvent, QuoteEvent, StreamGap
from bot_v2.features.brokerages.core.secret import Secret
from bot_v2.features.brokerages.streaming.feed import Address
from bot_v2.features.brokerages.streaming.orders import KnownOrders


class AlpacaStreams(AlpacaReads):
    """The account and the market, as they change."""

    def stream_orders(self) -> AbstractContextManager[Iterator[OrderEvent | StreamGap]]:
        """Yield each change of an order; after a gap, what changed meanwhile."""
        call = self._call("stream_orders")
        account_id = self._session.account_id(call.operation)
        known, connections = KnownOrders(), count()

        def make_talk() -> OrderTalk:
            return OrderTalk(
                call,
                self._credentials,
                account_id,
                self.list_orders,
                known,
                is_first=next(connections) == 0,
                silence_s=self.settings.stream_silence_s,
                clock=self._clock,
            )

        return self._streams.stream(call, Address(url=self.settings.ws_url), make_talk)

    def stream_quotes(
        self, symbols: Sequence[str]
    ) -> AbstractContextManager[Iterator[QuoteEvent | StreamGap]]:
        """Yield each change of the best prices of products of one market.

        Raises:
            InvalidRequestError: there are no symbols, or those of several markets.
        """
        call = self._call("stream_quotes")
        products = [self._find(call, symbol) for symbol in symbols]
        kinds = {class_and_native(product)[0] for product in products}
        if len(kinds) != 1:
            told = ", ".join(sorted(kinds)) or "none"
            raise InvalidRequestError(
                f"symbols of {told}; accepted: symbols of one market (stocks, crypto or options): "
                "open a stream for each",
                **call.context(),
            )
        kind = kinds.pop()
        names = {class_and_native(product)[1]: product.symbol for product in products}
        is_packed = kind == OPTION

        def make_talk() -> QuoteTalk:
            return QuoteTalk(
                call,
                self._credentials,
                names,
                is_packed=is_packed,
                is_delayed=self._is_delayed(products[0]),
                clock=self._clock,
            )

        headers = {"Content-Type": MESSAGEPACK} if is_packed else {}
        url = f"{self.settings.data_ws_base}{self._stream_path(kind)}"
        return self._streams.stream(call, Address(url=url, headers=lambda: headers), make_talk)

    def _stream_path(self, kind: str) -> str:
        paths = {
            EQUITY: f"/v2/{self.settings.data_feed}",
            CRYPTO: "/v1beta3/crypto/us",
            OPTION: f"/v1beta1/{self.settings.options_feed}",
        }
        return paths[kind]

    @property
    def _credentials(self) -> tuple[Secret, Secret]:
        return self.settings.api_key, self.settings.secret_key
