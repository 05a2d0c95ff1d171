"""CoinbaseVenue: Advanced Trade on 127.0.0.1."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Final

from starlette.routing import BaseRoute, WebSocketRoute

from bot_v2.shared.types import Clock
from bot_v2.simulation.clock import utc_now
from bot_v2.simulation.fees import MakerTakerFees
from bot_v2.venues.clock import VenueClock
from bot_v2.venues.coinbase.accounts_api import AccountsApi
from bot_v2.venues.coinbase.candles import CandleMaker
from bot_v2.venues.coinbase.channels import Channels
from bot_v2.venues.coinbase.coinbase_app_api import CoinbaseAppApi
from bot_v2.venues.coinbase.derivatives_api import DerivativesApi
from bot_v2.venues.coinbase.dialect import AdvancedDialect
from bot_v2.venues.coinbase.engines import (
    BALANCES,
    FEES,
    OPENING_VALUE,
    open_engine,
)
from bot_v2.venues.coinbase.jwt_check import JwtCheck
from bot_v2.venues.coinbase.keys import TRADE, VIEW, ApiKey, ecdsa_key, ed25519_key
from bot_v2.venues.coinbase.listings import ALL_LISTINGS, CFM, INTX, SPOT, Listing
from bot_v2.venues.coinbase.market_api import MarketApi
from bot_v2.venues.coinbase.order_records import OrderWriter
from bot_v2.venues.coinbase.orders_api import PAGE_MAX, OrdersApi
from bot_v2.venues.coinbase.placing import Placing
from bot_v2.venues.coinbase.stream import StreamHub
from bot_v2.venues.coinbase.tickets import TicketBook, leg_for
from bot_v2.venues.faults import FaultPlan
from bot_v2.venues.ids import IdCounter, seeded_uuid
from bot_v2.venues.market import opening_book
from bot_v2.venues.rate_limits import PRIVATE, PUBLIC, RateLimit
from bot_v2.venues.requests import ApiRequest, Endpoint, RefusedError
from bot_v2.venues.state import VenueState
from bot_v2.venues.venue import Venue

API: Final = "/api/v3/brokerage"

LIMITS: Final = {PUBLIC: RateLimit(10, 10), PRIVATE: RateLimit(30, 30)}
"""https://docs.cdp.coinbase.com/advanced-trade/docs/rest-api-rate-limits; bursts are not told."""


class CoinbaseVenue(Venue):
    """Advanced Trade: spot, perpetuals (INTX), US futures (CFM), and their streams.

    Args:
        seed: what keys, ids, the opening market and candles are drawn from.
        clock: the time that it goes by.
        listings: what can be traded.
        balances: what the accounts start with, by account and asset.
        fees: what trades cost, by account.
        page_max: how many items a page of orders, fills or accounts has at most.
    """

    def __init__(
        self,
        seed: int = 7,
        clock: Clock = utc_now,
        listings: Iterable[Listing] = ALL_LISTINGS,
        balances: Mapping[str, Mapping[str, Decimal]] = BALANCES,
        fees: Mapping[str, MakerTakerFees] = FEES,
        page_max: int = PAGE_MAX,
    ) -> None:
        """Open the accounts; nothing listens yet."""
        listed = tuple(listings)
        self._listings = {one.product_id: one for one in listed}
        self._canonicals = {one.product_id: one.product.symbol for one in listed}
        plan, venue_clock = FaultPlan(), VenueClock(clock)
        ids = IdCounter(seed)
        engines = {
            name: open_engine(name, listed, balances[name], fees[name], venue_clock, ids)
            for name in (SPOT, INTX, CFM)
        }
        prices = {one.product.symbol: one.price for one in listed}
        state = VenueState(engines, prices, venue_clock, plan, seed)
        super().__init__(state, plan, seed)
        self.api_key: ApiKey = ecdsa_key(seed)
        """A key that signs with ES256, and may view and trade."""
        self.ed25519_api_key: ApiKey = ed25519_key(seed)
        """One that signs with Ed25519."""
        self.view_only_api_key: ApiKey = ecdsa_key(seed, "view only", (VIEW,))
        """One that may view alone."""
        keys = (self.api_key, self.ed25519_api_key, self.view_only_api_key)
        self._dialect = AdvancedDialect(JwtCheck(keys), venue_clock.outside)
        self._tickets = TicketBook(state)
        candles = CandleMaker(seed)
        self._accounts = AccountsApi(state, listed, seed, venue_clock(), page_max)
        portfolios = self._accounts.portfolios
        writer = OrderWriter(seeded_uuid(seed, "user"), portfolios)
        placing = Placing(state, self._tickets, self._listings, ids)
        self._orders = OrdersApi(state, self._tickets, placing, writer, page_max, ids)
        self._prices = MarketApi(state, self._listings, candles)
        self._derivatives = DerivativesApi(state, self._listings, portfolios[INTX], seed)
        self._app = CoinbaseAppApi(state, self._listings, seed, venue_clock())
        self.reset_market()
        channels = Channels(
            state,
            self._listings,
            self._tickets,
            writer,
            candles,
            self._derivatives.futures_balance,
        )
        self._hub = StreamHub(state, plan, self._dialect, channels, self.call)

    @property
    def portfolios(self) -> Mapping[str, str]:
        """The portfolio's id of each account: spot, intx and cfm."""
        return dict(self._accounts.portfolios)

    def reset_market(self) -> None:
        """Put every product where it started."""
        now = self.state.clock()
        self.state.show(
            opening_book(one.product, one.price, OPENING_VALUE, now, self._seed)
            for one in self._listings.values()
        )

    def documented_limits(self) -> Mapping[str, RateLimit]:
        """Return the limits of Advanced Trade: 30 a second by user, and 10 by address."""
        return LIMITS

    def caller_of(self, request: ApiRequest) -> str:
        """Return the name of the key that a request is signed with; a public one has none."""
        try:
            return self._dialect.key_of(request).name
        except RefusedError:
            return ""

    def native_symbols(self) -> Mapping[str, str]:
        """Return the canonical symbol of each product id."""
        return self._canonicals

    def engine_order(self, order_id: str, price: Decimal) -> str:
        """Return the engine's id of the order; of a bracket, of the exit that has the price."""
        ticket = self._tickets.get(order_id)
        return order_id if ticket is None else leg_for(ticket, price)

    def on_faults_cleared(self) -> None:
        """Tell what was held back."""
        self._hub.release()

    def routes(self) -> Sequence[BaseRoute]:
        """Return the stream: market data and orders of one address, as on two of Coinbase's."""
        return [WebSocketRoute("/", self._hub.serve), WebSocketRoute("/ws", self._hub.serve)]

    def endpoints(self) -> Sequence[Endpoint]:
        """Return what can be asked; the first that fits decides."""
        orders, accounts, derivatives = self._orders, self._accounts, self._derivatives
        read, write, public = self._read, self._write, self._public
        return (
            public("/time", "check_health", self._prices.time),
            *self._market_endpoints(),
            read("/key_permissions", "connect", self._permissions),
            read("/accounts", "list_balances get_balance", accounts.list_accounts),
            read("/accounts/{account_uuid}", "get_balance", accounts.get),
            read("/portfolios", "list_accounts", accounts.list_portfolios),
            read("/portfolios/{portfolio_uuid}", "get_account", accounts.breakdown),
            read("/transaction_summary", "get_fees", accounts.transaction_summary),
            write("/orders", "place_order", orders.create),
            write("/orders/preview", "preview_order get_order_margin", orders.preview, VIEW),
            write("/orders/edit", "modify_order", orders.edit),
            write("/orders/edit_preview", "preview_modification", orders.preview_edit, VIEW),
            write("/orders/batch_cancel", "cancel_order", orders.cancel),
            write("/orders/close_position", "close_position", orders.close_position),
            read(
                "/orders/historical/batch", "list_orders get_order_by_client_id", orders.list_orders
            ),
            read("/orders/historical/fills", "list_fills", orders.list_fills),
            read("/orders/historical/{order_id}", "get_order", orders.get),
            read(
                "/intx/portfolio/{portfolio_uuid}",
                "get_margin get_order_margin get_account",
                derivatives.portfolio,
            ),
            read(
                "/intx/positions/{portfolio_uuid}",
                "list_positions get_position",
                derivatives.positions,
            ),
            read("/intx/positions/{portfolio_uuid}/{symbol}", "get_position", derivatives.position),
            read("/intx/balances/{portfolio_uuid}", "list_balances", derivatives.balances),
            write("/intx/multi_asset_collateral", "set_collateral", derivatives.collateral),
            read("/cfm/balance_summary", "get_margin", derivatives.balance_summary),
            read("/cfm/positions", "list_positions", derivatives.futures_positions),
            read("/cfm/positions/{product_id}", "get_position", derivatives.futures_position),
        )

    def _market_endpoints(self) -> Sequence[Endpoint]:
        prices, app = self._prices, self._app
        shared: tuple[tuple[str, str, Callable[[ApiRequest], object]], ...] = (
            ("/products", "get_products get_product", prices.products),
            ("/products/{product_id}", "get_products get_product get_price", prices.product),
            ("/products/{product_id}/candles", "list_candles", prices.candles),
            ("/products/{product_id}/ticker", "list_trades get_price get_quote", prices.trades),
            ("/product_book", "get_orderbook get_quote get_price", prices.book),
        )
        return (
            *(self._read(path, names, answer) for path, names, answer in shared),
            *(self._public(f"/market{path}", names, answer) for path, names, answer in shared),
            self._read("/best_bid_ask", "get_quote get_price", prices.best_bid_ask),
            self._endpoint(
                "GET", "/v2/accounts", "list_balances", app.accounts, VIEW, is_public=False
            ),
            self._public("/v2/time", "check_health", app.time, ""),
            self._public("/v2/currencies", "list_currencies", app.currencies, ""),
            self._public("/v2/currencies/crypto", "list_currencies", app.coins, ""),
            self._public("/v2/exchange-rates", "list_currencies", app.exchange_rates, ""),
        )

    def _permissions(self, request: ApiRequest) -> object:
        return self._accounts.key_permissions(self._dialect.key_of(request))

    def _endpoint(
        self,
        method: str,
        path: str,
        operations: str,
        answer: Callable[[ApiRequest], object],
        needs: str,
        *,
        is_public: bool,
    ) -> Endpoint:
        names = tuple(operations.split())
        return Endpoint(method, path, names, answer, self._dialect, is_public, needs)

    def _read(self, path: str, operations: str, answer: Callable[[ApiRequest], object]) -> Endpoint:
        return self._endpoint("GET", API + path, operations, answer, VIEW, is_public=False)

    def _write(
        self,
        path: str,
        operations: str,
        answer: Callable[[ApiRequest], object],
        needs: str = TRADE,
    ) -> Endpoint:
        return self._endpoint("POST", API + path, operations, answer, needs, is_public=False)

    def _public(
        self,
        path: str,
        operations: str,
        answer: Callable[[ApiRequest], object],
        prefix: str = API,
    ) -> Endpoint:
        return self._endpoint("GET", prefix + path, operations, answer, "", is_public=True)
