"""The optional abilities as coroutines: for each Protocol of the contract, one that is awaited."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from bot_v2.features.brokerages.core.account_summary import (
    AccountRef,
    AccountSummary,
    FeeRates,
    Margin,
)
from bot_v2.features.brokerages.core.accounts import Position
from bot_v2.features.brokerages.core.capabilities import Capability, capabilities_of, methods_of
from bot_v2.features.brokerages.core.events import OrderEvent, QuoteEvent, StreamGap
from bot_v2.features.brokerages.core.fills import Fill
from bot_v2.features.brokerages.core.market_data import Candle, MarketStatus, Quote, Trade
from bot_v2.features.brokerages.core.option_chains import OptionContract
from bot_v2.features.brokerages.core.order_changes import OrderModification, OrderPreview
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.orders import Order, OrderResult
from bot_v2.features.brokerages.core.products import Product
from bot_v2.orchestration.aio.interface import IAsyncBrokerage

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import TypeIs

_P = TypeVar("_P")


class AsyncSupportsOrderLookup(Protocol):
    """Finds an order by the caller's own id."""

    async def get_order_by_client_id(self, client_order_id: str) -> Order:
        """Return the order placed under that id."""
        ...


class AsyncSupportsFills(Protocol):
    """Lists executions."""

    async def list_fills(self, since: datetime | None = None) -> list[Fill]:
        """Return the account's executions, oldest first, corrections included."""
        ...


class AsyncSupportsAccountSummary(Protocol):
    """Tells the account's totals."""

    async def get_account(self) -> AccountSummary:
        """Return equity, cash, buying power and margin used."""
        ...


class AsyncSupportsMargin(Protocol):
    """Tells the account's margin, as it is and as an order would make it."""

    async def get_margin(self) -> Margin:
        """Return the margin of the account as it is."""
        ...

    async def get_order_margin(self, order_request: OrderRequest) -> Margin:
        """Return the margin of the account as the order would make it; nothing is placed."""
        ...


class AsyncSupportsOrderModification(Protocol):
    """Changes a live order."""

    async def modify_order(self, order_id: str, modification: OrderModification) -> OrderResult:
        """Change a live order; the result names the order that lives on, which may be a new one."""
        ...


class AsyncSupportsOrderPreview(Protocol):
    """Shows what an order would be and cost."""

    async def preview_order(self, order_request: OrderRequest) -> OrderPreview:
        """Return what would be sent, and what it would cost; nothing is placed."""
        ...


class AsyncSupportsQuotes(Protocol):
    """Tells best prices."""

    async def get_quote(self, symbol: str) -> Quote:
        """Return the best bid and ask and the latest trade, with their time."""
        ...


class AsyncSupportsTrades(Protocol):
    """Lists the market's trades."""

    async def list_trades(self, symbol: str, limit: int = 100) -> list[Trade]:
        """Return the latest trades of the market, newest first, at most `limit`."""
        ...


class AsyncSupportsCandles(Protocol):
    """Lists candles."""

    async def list_candles(
        self, symbol: str, interval: timedelta, start: datetime, end: datetime
    ) -> list[Candle]:
        """Return the candles that open in [start, end), oldest first; all pages are followed."""
        ...


class AsyncSupportsOptionChains(Protocol):
    """Lists the options on an underlying."""

    async def list_option_contracts(
        self, underlying: str, expiry: date | None = None
    ) -> list[OptionContract]:
        """Return the contracts on an underlying, of one expiry or of all."""
        ...


class AsyncSupportsSymbolSearch(Protocol):
    """Finds products by what people call them."""

    async def list_symbol_matches(self, text: str) -> list[Product]:
        """Return the products whose symbol or name holds the text, best match first."""
        ...


class AsyncSupportsMarketStatus(Protocol):
    """Tells whether a market is open."""

    async def get_market_status(self, symbol: str) -> MarketStatus:
        """Return whether the product can trade now, and when that next changes."""
        ...


class AsyncSupportsHoldings(Protocol):
    """Tells long-term holdings apart from the day's positions."""

    async def list_holdings(self) -> list[Position]:
        """Return the settled holdings alone; `list_positions` has them merged with the rest."""
        ...


class AsyncSupportsAccounts(Protocol):
    """Reaches several accounts with one login."""

    async def list_accounts(self) -> list[AccountRef]:
        """Return the accounts that the login can see."""
        ...

    async def for_account(self, account_id: str) -> IAsyncBrokerage:
        """Return a brokerage bound to another account of the same login."""
        ...


class AsyncSupportsLogin(Protocol):
    """Is logged in by a human."""

    async def login_url(self) -> str:
        """Return the page where the human logs in."""
        ...

    async def complete_login(self, fields: Mapping[str, str]) -> None:
        """Finish the login with what the page gave."""
        ...


class AsyncSupportsQuoteStream(Protocol):
    """Streams best prices."""

    def stream_quotes(
        self, symbols: Sequence[str]
    ) -> AbstractAsyncContextManager[AsyncIterator[QuoteEvent | StreamGap]]:
        """Yield each change of the best prices; a missed event is reported as a StreamGap."""
        ...


class AsyncSupportsOrderStream(Protocol):
    """Streams changes of the account's orders."""

    def stream_orders(self) -> AbstractAsyncContextManager[AsyncIterator[OrderEvent | StreamGap]]:
        """Yield each change of an order; a missed event is reported as a StreamGap."""
        ...


class AsyncSupportsOco(Protocol):
    """Places orders of which one cancels the other."""

    async def place_oco(
        self, first: OrderRequest, second: OrderRequest
    ) -> tuple[OrderResult, OrderResult]:
        """Place two orders as one write: a fill of either cancels the other."""
        ...


class AsyncSupportsFees(Protocol):
    """Tells what trading costs."""

    async def get_fees(self, symbol: str) -> FeeRates:
        """Return what the account pays to trade the product."""
        ...


ASYNC_PROTOCOLS: Final[dict[Capability, type]] = {
    Capability.ORDER_LOOKUP: AsyncSupportsOrderLookup,
    Capability.FILLS: AsyncSupportsFills,
    Capability.ACCOUNT_SUMMARY: AsyncSupportsAccountSummary,
    Capability.MARGIN: AsyncSupportsMargin,
    Capability.ORDER_MODIFICATION: AsyncSupportsOrderModification,
    Capability.ORDER_PREVIEW: AsyncSupportsOrderPreview,
    Capability.QUOTES: AsyncSupportsQuotes,
    Capability.TRADES: AsyncSupportsTrades,
    Capability.CANDLES: AsyncSupportsCandles,
    Capability.OPTION_CHAINS: AsyncSupportsOptionChains,
    Capability.SYMBOL_SEARCH: AsyncSupportsSymbolSearch,
    Capability.MARKET_STATUS: AsyncSupportsMarketStatus,
    Capability.HOLDINGS: AsyncSupportsHoldings,
    Capability.ACCOUNTS: AsyncSupportsAccounts,
    Capability.LOGIN: AsyncSupportsLogin,
    Capability.QUOTE_STREAM: AsyncSupportsQuoteStream,
    Capability.ORDER_STREAM: AsyncSupportsOrderStream,
    Capability.FEES: AsyncSupportsFees,
    Capability.OCO: AsyncSupportsOco,
}
"""The Protocol of each capability that brings methods."""


def async_supports(broker: object, protocol: Callable[..., _P]) -> TypeIs[_P]:
    """Return whether a brokerage for asyncio can do something; narrows its type.

    Args:
        broker: an `AsyncBrokerage`, or whatever is like it.
        protocol: one of the `AsyncSupports…` Protocols.

    Raises:
        TypeError: `protocol` is none of them.
    """
    for capability, known in ASYNC_PROTOCOLS.items():
        if known is protocol:
            present = all(callable(getattr(broker, name, None)) for name in methods_of(capability))
            return present and capability in capabilities_of(broker)
    raise TypeError(f"{protocol!r} is no capability protocol for asyncio; see Capability")
