"""Optional abilities: one Protocol each, declared as data, read with the least assumed.

An adapter declares `capabilities`; the contract suite proves that declared, structurally present
and exercised are the same set. In a bot, `supports` narrows the type:

    if supports(broker, SupportsMargin):
        print(broker.get_margin().buying_power)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from bot_v2.features.brokerages.core.account_summary import (
    AccountRef,
    AccountSummary,
    FeeRates,
    Margin,
)
from bot_v2.features.brokerages.core.accounts import Position
from bot_v2.features.brokerages.core.events import OrderEvent, QuoteEvent, StreamGap
from bot_v2.features.brokerages.core.fills import Fill
from bot_v2.features.brokerages.core.market_data import Candle, MarketStatus, Quote, Trade
from bot_v2.features.brokerages.core.option_chains import OptionContract
from bot_v2.features.brokerages.core.order_changes import OrderModification, OrderPreview
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.orders import Order, OrderResult
from bot_v2.features.brokerages.core.products import Product

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import TypeIs

    from bot_v2.features.brokerages.core.brokerage import IBrokerage

_P = TypeVar("_P")


class Capability(StrEnum):
    """An optional ability of an adapter."""

    ORDER_LOOKUP = "order_lookup"
    FILLS = "fills"
    ACCOUNT_SUMMARY = "account_summary"
    MARGIN = "margin"
    ORDER_MODIFICATION = "order_modification"
    ORDER_PREVIEW = "order_preview"
    QUOTES = "quotes"
    TRADES = "trades"
    CANDLES = "candles"
    OPTION_CHAINS = "option_chains"
    SYMBOL_SEARCH = "symbol_search"
    MARKET_STATUS = "market_status"
    HOLDINGS = "holdings"
    ACCOUNTS = "accounts"
    LOGIN = "login"
    QUOTE_STREAM = "quote_stream"
    ORDER_STREAM = "order_stream"
    FEES = "fees"
    OCO = "oco"
    POSITION_BUCKETS = "position_buckets"
    BRACKET = "bracket"
    TRAILING_STOP = "trailing_stop"
    MULTI_LEG = "multi_leg"
    EXTENDED_HOURS = "extended_hours"
    FRACTIONAL_QUANTITY = "fractional_quantity"
    NOTIONAL_ORDERS = "notional_orders"


class SupportsOrderLookup(Protocol):
    """Finds an order by the caller's own id."""

    def get_order_by_client_id(self, client_order_id: str) -> Order:
        """Return the order placed under that id.

        Raises:
            OrderNotFoundError: a complete read shows none.
        """
        ...


class SupportsFills(Protocol):
    """Lists executions."""

    def list_fills(self, since: datetime | None = None) -> list[Fill]:
        """Return the account's executions, oldest first, corrections included.

        Args:
            since: only those at or after this moment. None: all that the broker keeps.
        """
        ...


class SupportsAccountSummary(Protocol):
    """Tells the account's totals."""

    def get_account(self) -> AccountSummary:
        """Return equity, cash, buying power and margin used."""
        ...


class SupportsMargin(Protocol):
    """Tells the account's margin, as it is and as an order would make it."""

    def get_margin(self) -> Margin:
        """Return the margin of the account as it is."""
        ...

    def get_order_margin(self, order_request: OrderRequest) -> Margin:
        """Return the margin of the account as the order would make it; nothing is placed."""
        ...


class SupportsOrderModification(Protocol):
    """Changes a live order."""

    def modify_order(self, order_id: str, modification: OrderModification) -> OrderResult:
        """Change a live order; the result names the order that lives on, which may be a new one.

        Raises:
            ModifyRejectedError: the order lives on as it was.
            OrderNotFoundError: there is no such order.
        """
        ...


class SupportsOrderPreview(Protocol):
    """Shows what an order would be and cost."""

    def preview_order(self, order_request: OrderRequest) -> OrderPreview:
        """Return what would be sent, and what it would cost; nothing is placed."""
        ...


class SupportsQuotes(Protocol):
    """Tells best prices."""

    def get_quote(self, symbol: str) -> Quote:
        """Return the best bid and ask and the latest trade, with their time.

        Raises:
            MarketDataUnavailableError: there is none now.
        """
        ...


class SupportsTrades(Protocol):
    """Lists the market's trades."""

    def list_trades(self, symbol: str, limit: int = 100) -> list[Trade]:
        """Return the latest trades of the market, newest first, at most `limit`."""
        ...


class SupportsCandles(Protocol):
    """Lists candles."""

    def list_candles(
        self, symbol: str, interval: timedelta, start: datetime, end: datetime
    ) -> list[Candle]:
        """Return the candles that open in [start, end), oldest first; all pages are followed."""
        ...


class SupportsOptionChains(Protocol):
    """Lists the options on an underlying."""

    def list_option_contracts(
        self, underlying: str, expiry: date | None = None
    ) -> list[OptionContract]:
        """Return the contracts on an underlying, of one expiry or of all."""
        ...


class SupportsSymbolSearch(Protocol):
    """Finds products by what people call them."""

    def list_symbol_matches(self, text: str) -> list[Product]:
        """Return the products whose symbol or name holds the text, best match first."""
        ...


class SupportsMarketStatus(Protocol):
    """Tells whether a market is open."""

    def get_market_status(self, symbol: str) -> MarketStatus:
        """Return whether the product can trade now, and when that next changes."""
        ...


class SupportsHoldings(Protocol):
    """Tells long-term holdings apart from the day's positions."""

    def list_holdings(self) -> list[Position]:
        """Return the settled holdings alone; `list_positions` has them merged with the rest."""
        ...


class SupportsAccounts(Protocol):
    """Reaches several accounts with one login."""

    def list_accounts(self) -> list[AccountRef]:
        """Return the accounts that the login can see."""
        ...

    def for_account(self, account_id: str) -> IBrokerage:
        """Return a brokerage bound to another account of the same login."""
        ...


class SupportsLogin(Protocol):
    """Is logged in by a human."""

    def login_url(self) -> str:
        """Return the page where the human logs in."""
        ...

    def complete_login(self, fields: Mapping[str, str]) -> None:
        """Finish the login with what the page gave.

        Raises:
            AuthenticationError: the broker refuses it.
        """
        ...


class SupportsQuoteStream(Protocol):
    """Streams best prices."""

    def stream_quotes(
        self, symbols: Sequence[str]
    ) -> AbstractContextManager[Iterator[QuoteEvent | StreamGap]]:
        """Yield each change of the best prices; a missed event is reported as a StreamGap."""
        ...


class SupportsOrderStream(Protocol):
    """Streams changes of the account's orders."""

    def stream_orders(self) -> AbstractContextManager[Iterator[OrderEvent | StreamGap]]:
        """Yield each change of an order; a missed event is reported as a StreamGap."""
        ...


class SupportsOco(Protocol):
    """Places orders of which one cancels the other."""

    def place_oco(
        self, first: OrderRequest, second: OrderRequest
    ) -> tuple[OrderResult, OrderResult]:
        """Place two orders as one write: a fill of either cancels the other.

        Raises:
            OrderRejectedError: neither was taken.
        """
        ...


class SupportsFees(Protocol):
    """Tells what trading costs."""

    def get_fees(self, symbol: str) -> FeeRates:
        """Return what the account pays to trade the product."""
        ...


PROTOCOLS: Final[dict[Capability, type | None]] = {
    # None: the capability is a feature of OrderRequest or of a model, and has no method of its own
    Capability.ORDER_LOOKUP: SupportsOrderLookup,
    Capability.FILLS: SupportsFills,
    Capability.ACCOUNT_SUMMARY: SupportsAccountSummary,
    Capability.MARGIN: SupportsMargin,
    Capability.ORDER_MODIFICATION: SupportsOrderModification,
    Capability.ORDER_PREVIEW: SupportsOrderPreview,
    Capability.QUOTES: SupportsQuotes,
    Capability.TRADES: SupportsTrades,
    Capability.CANDLES: SupportsCandles,
    Capability.OPTION_CHAINS: SupportsOptionChains,
    Capability.SYMBOL_SEARCH: SupportsSymbolSearch,
    Capability.MARKET_STATUS: SupportsMarketStatus,
    Capability.HOLDINGS: SupportsHoldings,
    Capability.ACCOUNTS: SupportsAccounts,
    Capability.LOGIN: SupportsLogin,
    Capability.QUOTE_STREAM: SupportsQuoteStream,
    Capability.ORDER_STREAM: SupportsOrderStream,
    Capability.FEES: SupportsFees,
    Capability.OCO: SupportsOco,
    Capability.POSITION_BUCKETS: None,
    Capability.BRACKET: None,
    Capability.TRAILING_STOP: None,
    Capability.MULTI_LEG: None,
    Capability.EXTENDED_HOURS: None,
    Capability.FRACTIONAL_QUANTITY: None,
    Capability.NOTIONAL_ORDERS: None,
}
"""The Protocol of each capability."""


def methods_of(capability: Capability) -> tuple[str, ...]:
    """Return the names of the methods that a capability brings; none for a request feature."""
    protocol = PROTOCOLS[capability]
    if protocol is None:
        return ()
    return tuple(name for name in vars(protocol) if not name.startswith("_"))


def capabilities_of(broker: object) -> frozenset[Capability]:
    """Return what an adapter declares that it can do; nothing where it declares nothing."""
    declared: frozenset[Capability] = getattr(broker, "capabilities", frozenset())
    return frozenset(declared)


# `Callable[..., P]` stands for "the class P": `type[P]` would make mypy refuse a Protocol class
# (type-abstract), which is exactly what is passed here.
def supports(broker: object, protocol: Callable[..., _P]) -> TypeIs[_P]:
    """Return whether an adapter declares a capability and has its methods; narrows its type.

    Args:
        broker: any brokerage.
        protocol: one of the `Supports…` Protocols.

    Raises:
        TypeError: `protocol` is none of them.
    """
    for capability, known in PROTOCOLS.items():
        if known is protocol:
            present = all(callable(getattr(broker, name, None)) for name in methods_of(capability))
            return present and capability in capabilities_of(broker)
    raise TypeError(f"{protocol!r} is no capability protocol; see Capability")
