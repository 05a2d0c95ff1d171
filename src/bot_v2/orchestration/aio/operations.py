"""The optional operations as coroutines, as far as the brokerage declares them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import date, datetime, timedelta
from typing import TypeVar

import attrs

from bot_v2.features.brokerages.core.account_summary import (
    AccountRef,
    AccountSummary,
    FeeRates,
    Margin,
)
from bot_v2.features.brokerages.core.accounts import Position
from bot_v2.features.brokerages.core.brokerage import IBrokerage
from bot_v2.features.brokerages.core.capabilities import (
    SupportsAccounts,
    SupportsAccountSummary,
    SupportsCandles,
    SupportsFees,
    SupportsFills,
    SupportsHoldings,
    SupportsLogin,
    SupportsMargin,
    SupportsMarketStatus,
    SupportsOco,
    SupportsOptionChains,
    SupportsOrderLookup,
    SupportsOrderModification,
    SupportsOrderPreview,
    SupportsOrderStream,
    SupportsQuotes,
    SupportsQuoteStream,
    SupportsSymbolSearch,
    SupportsTrades,
    supports,
)
from bot_v2.features.brokerages.core.declarations import idempotency_of, name_of
from bot_v2.features.brokerages.core.errors import UnsupportedOperationError
from bot_v2.features.brokerages.core.events import OrderEvent, QuoteEvent, StreamGap
from bot_v2.features.brokerages.core.fills import Fill
from bot_v2.features.brokerages.core.market_data import Candle, MarketStatus, Quote, Trade
from bot_v2.features.brokerages.core.option_chains import OptionContract
from bot_v2.features.brokerages.core.order_changes import OrderModification, OrderPreview
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.orders import Order, OrderResult
from bot_v2.features.brokerages.core.products import Product
from bot_v2.orchestration.aio.calls import AsyncCalls
from bot_v2.orchestration.aio.executor import JournalledWrites, value_of
from bot_v2.orchestration.aio.lanes import Lane
from bot_v2.orchestration.aio.writes import WriteSubject
from bot_v2.shared.types import IdSource

_P = TypeVar("_P")


class OptionalOperations:
    """The coroutines of the capabilities' Protocols.

    What the brokerage does not declare raises UnsupportedOperationError, and nothing is sent;
    `async_supports` tells beforehand.
    """

    _broker: IBrokerage
    _calls: AsyncCalls
    _executor: JournalledWrites | None
    _ids: IdSource | None

    async def get_order_by_client_id(self, client_order_id: str) -> Order:
        """Return the order placed under that id."""
        broker = self._able(SupportsOrderLookup)
        return await self._calls.read(lambda: broker.get_order_by_client_id(client_order_id))

    async def list_fills(self, since: datetime | None = None) -> list[Fill]:
        """Return the account's executions, oldest first, corrections included."""
        broker = self._able(SupportsFills)
        return await self._calls.read(lambda: broker.list_fills(since))

    async def get_account(self) -> AccountSummary:
        """Return equity, cash, buying power and margin used."""
        broker = self._able(SupportsAccountSummary)
        return await self._calls.read(broker.get_account)

    async def get_margin(self) -> Margin:
        """Return the margin of the account as it is."""
        broker = self._able(SupportsMargin)
        return await self._calls.read(broker.get_margin)

    async def get_order_margin(self, order_request: OrderRequest) -> Margin:
        """Return the margin of the account as the order would make it; nothing is placed."""
        broker = self._able(SupportsMargin)
        return await self._calls.read(lambda: broker.get_order_margin(order_request))

    async def modify_order(self, order_id: str, modification: OrderModification) -> OrderResult:
        """Change a live order; the result names the order that lives on, which may be a new one."""
        broker = self._able(SupportsOrderModification)
        executor = self._executor

        def change() -> OrderResult:
            if executor is None:
                return broker.modify_order(order_id, modification)
            return value_of(executor.modify(order_id, modification))

        subject = WriteSubject(operation="modify_order", order_id=order_id)
        return await self._calls.write(subject, change)

    async def preview_order(self, order_request: OrderRequest) -> OrderPreview:
        """Return what would be sent, and what it would cost; nothing is placed."""
        broker = self._able(SupportsOrderPreview)
        return await self._calls.read(lambda: broker.preview_order(order_request))

    async def get_quote(self, symbol: str) -> Quote:
        """Return the best bid and ask and the latest trade, with their time."""
        broker = self._able(SupportsQuotes)
        return await self._calls.read(lambda: broker.get_quote(symbol))

    async def list_trades(self, symbol: str, limit: int = 100) -> list[Trade]:
        """Return the latest trades of the market, newest first, at most `limit`."""
        broker = self._able(SupportsTrades)
        return await self._calls.read(lambda: broker.list_trades(symbol, limit))

    async def list_candles(
        self, symbol: str, interval: timedelta, start: datetime, end: datetime
    ) -> list[Candle]:
        """Return the candles that open in [start, end), oldest first; all pages are followed."""
        broker = self._able(SupportsCandles)
        return await self._calls.read(lambda: broker.list_candles(symbol, interval, start, end))

    async def list_option_contracts(
        self, underlying: str, expiry: date | None = None
    ) -> list[OptionContract]:
        """Return the contracts on an underlying, of one expiry or of all."""
        broker = self._able(SupportsOptionChains)
        return await self._calls.read(lambda: broker.list_option_contracts(underlying, expiry))

    async def list_symbol_matches(self, text: str) -> list[Product]:
        """Return the products whose symbol or name holds the text, best match first."""
        broker = self._able(SupportsSymbolSearch)
        return await self._calls.read(lambda: broker.list_symbol_matches(text))

    async def get_market_status(self, symbol: str) -> MarketStatus:
        """Return whether the product can trade now, and when that next changes."""
        broker = self._able(SupportsMarketStatus)
        return await self._calls.read(lambda: broker.get_market_status(symbol))

    async def list_holdings(self) -> list[Position]:
        """Return the settled holdings alone; `list_positions` has them merged with the rest."""
        broker = self._able(SupportsHoldings)
        return await self._calls.read(broker.list_holdings)

    async def list_accounts(self) -> list[AccountRef]:
        """Return the accounts that the login can see."""
        broker = self._able(SupportsAccounts)
        return await self._calls.read(broker.list_accounts)

    async def login_url(self) -> str:
        """Return the page where the human logs in."""
        broker = self._able(SupportsLogin)
        return await self._calls.read(broker.login_url, Lane.SESSION)

    async def complete_login(self, fields: Mapping[str, str]) -> None:
        """Finish the login with what the page gave."""
        broker = self._able(SupportsLogin)
        await self._calls.read(lambda: broker.complete_login(fields), Lane.SESSION)

    def stream_quotes(
        self, symbols: Sequence[str]
    ) -> AbstractAsyncContextManager[AsyncIterator[QuoteEvent | StreamGap]]:
        """Yield each change of the best prices; a missed event is reported as a StreamGap."""
        broker = self._able(SupportsQuoteStream)
        return self._calls.stream(lambda: broker.stream_quotes(symbols))

    def stream_orders(self) -> AbstractAsyncContextManager[AsyncIterator[OrderEvent | StreamGap]]:
        """Yield each change of an order; a missed event is reported as a StreamGap."""
        broker = self._able(SupportsOrderStream)
        return self._calls.stream(broker.stream_orders)

    async def place_oco(
        self, first: OrderRequest, second: OrderRequest
    ) -> tuple[OrderResult, OrderResult]:
        """Place two orders as one write: a fill of either cancels the other."""
        broker = self._able(SupportsOco)
        one, other = self._with_id(first), self._with_id(second)
        subject = WriteSubject(
            operation="place_oco",
            client_order_ids=(one.client_order_id or "", other.client_order_id or ""),
            symbol=one.symbol,
        )
        return await self._calls.write(subject, lambda: broker.place_oco(one, other))

    async def get_fees(self, symbol: str) -> FeeRates:
        """Return what the account pays to trade the product."""
        broker = self._able(SupportsFees)
        return await self._calls.read(lambda: broker.get_fees(symbol))

    def _with_id(self, request: OrderRequest) -> OrderRequest:
        """Return the request under a client id that is known before anything is sent."""
        if request.client_order_id is not None:
            return request
        make_id = idempotency_of(self._broker).make_id if self._ids is None else self._ids
        return attrs.evolve(request, client_order_id=make_id())

    def _able(self, protocol: Callable[..., _P]) -> _P:
        broker: object = self._broker
        if supports(broker, protocol):
            return broker
        able = getattr(protocol, "__name__", "").removeprefix("Supports")
        raise UnsupportedOperationError(
            f"{name_of(broker)} does not declare {able}", broker=name_of(broker)
        )
