"""CoinbaseExchangeVenue: the Exchange API on 127.0.0.1, as the sandbox speaks it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Final

from starlette.routing import BaseRoute, WebSocketRoute

from bot_v2.shared.types import Clock
from bot_v2.simulation.clock import utc_now
from bot_v2.simulation.fees import MakerTakerFees
from bot_v2.venues.clock import VenueClock
from bot_v2.venues.coinbase.candles import CandleMaker
from bot_v2.venues.coinbase.engines import BALANCES, OPENING_VALUE, open_engine
from bot_v2.venues.coinbase.exchange_channels import ExchangeChannels
from bot_v2.venues.coinbase.exchange_dialect import ExchangeDialect
from bot_v2.venues.coinbase.exchange_feed import ExchangeFeed
from bot_v2.venues.coinbase.exchange_lifecycle import Lifecycle
from bot_v2.venues.coinbase.exchange_market import ExchangeMarket
from bot_v2.venues.coinbase.exchange_orders import ExchangeOrders
from bot_v2.venues.coinbase.keys import ExchangeKey, exchange_key
from bot_v2.venues.coinbase.listings import SPOT, SPOT_LISTINGS, Listing
from bot_v2.venues.coinbase.sequences import Sequences
from bot_v2.venues.faults import FaultPlan
from bot_v2.venues.ids import IdCounter, seeded_uuid
from bot_v2.venues.market import opening_book
from bot_v2.venues.rate_limits import PRIVATE, PUBLIC, RateLimit, by_class
from bot_v2.venues.requests import ApiRequest, Endpoint
from bot_v2.venues.state import VenueState
from bot_v2.venues.venue import Venue

FEES: Final = MakerTakerFees(maker=Decimal("0.004"), taker=Decimal("0.006"))
PAGE_MAX: Final = 1000

FILLS: Final = "fills"
"""The class of requests for executions."""

LIMITS: Final = {
    # https://docs.cdp.coinbase.com/exchange/rest-api/rate-limits
    PUBLIC: RateLimit(10, 15),
    PRIVATE: RateLimit(15, 30),
    FILLS: RateLimit(10, 20),
}
"""How fast a caller may ask, by address, by profile, and by profile for executions."""


class CoinbaseExchangeVenue(Venue):
    """The Exchange API: spot, and its WebSocket feed.

    Args:
        seed: what keys, ids, the opening market and candles are drawn from.
        clock: the time that it goes by.
        listings: what can be traded.
        balances: what the account starts with, by asset.
        fees: what trades cost.
        page_max: how many items a page has at most.
    """

    def __init__(
        self,
        seed: int = 7,
        clock: Clock = utc_now,
        listings: Iterable[Listing] = SPOT_LISTINGS,
        balances: Mapping[str, Decimal] = BALANCES[SPOT],
        fees: MakerTakerFees = FEES,
        page_max: int = PAGE_MAX,
    ) -> None:
        """Open the account; nothing listens yet."""
        listed = tuple(listings)
        self._listings = {one.product_id: one for one in listed}
        plan, venue_clock, ids = FaultPlan(), VenueClock(clock), IdCounter(seed)
        engine = open_engine(SPOT, listed, balances, fees, venue_clock, ids)
        prices = {one.product.symbol: one.price for one in listed}
        state = VenueState({SPOT: engine}, prices, venue_clock, plan, seed)
        super().__init__(state, plan, seed)
        self.api_key: ExchangeKey = exchange_key(seed)
        """The key that opens it."""
        self._dialect = ExchangeDialect(self.api_key, venue_clock.outside)
        self.profile_id = seeded_uuid(seed, "profile")
        """The profile that owns everything."""
        user_id = seeded_uuid(seed, "user").replace("-", "")[:24]
        account = state.accounts[SPOT]
        self._orders = ExchangeOrders(
            state, account, self._listings, self.profile_id, user_id, ids, page_max
        )
        sequences = Sequences(venue_clock())
        self._prices = ExchangeMarket(
            state,
            account,
            self._listings,
            CandleMaker(seed),
            self.profile_id,
            user_id,
            seed,
            venue_clock(),
            page_max,
            sequences,
        )
        self.reset_market()
        ids_by_symbol = {one.product.symbol: one.product_id for one in listed}
        lifecycle = Lifecycle(
            state,
            account,
            self._orders,
            ids_by_symbol,
            sequences,
            self.profile_id,
            user_id,
            seed,
        )
        channels = ExchangeChannels(state, self._listings, self._prices, sequences, seed)
        self._feed = ExchangeFeed(state, plan, self._dialect, channels, lifecycle, self.call)

    def on_faults_cleared(self) -> None:
        """Tell what was held back."""
        self._feed.release()

    def routes(self) -> Sequence[BaseRoute]:
        """Return the feed."""
        return [WebSocketRoute("/", self._feed.serve), WebSocketRoute("/ws", self._feed.serve)]

    def forget(self, order_id: str) -> None:
        """Know nothing of an order any more: what the broker does, in time, with unfilled ones."""
        with self.state.lock:
            self._orders.placed.pop(order_id, None)

    def reset_market(self) -> None:
        """Put every product where it started."""
        now = self.state.clock()
        self.state.show(
            opening_book(one.product, one.price, OPENING_VALUE, now, self._seed)
            for one in self._listings.values()
        )

    def documented_limits(self) -> Mapping[str, RateLimit]:
        """Return the limits of the Exchange API, by profile and by address."""
        return LIMITS

    def limit_class(self, endpoint: Endpoint) -> str:
        """Return the class of an endpoint; executions have one of their own."""
        return FILLS if endpoint.path == "/fills" else by_class(endpoint)

    def endpoints(self) -> Sequence[Endpoint]:
        """Return what can be asked; the first that fits decides."""
        prices, orders = self._prices, self._orders
        public = (
            ("/time", "check_health", prices.time),
            ("/currencies", "list_currencies", prices.currencies),
            ("/products", "get_products get_product", prices.products),
            ("/products/spark-lines", "list_candles", prices.spark_lines),
            ("/products/{product_id}", "get_products get_product", prices.product),
            ("/products/{product_id}/book", "get_orderbook get_quote get_price", prices.book),
            ("/products/{product_id}/ticker", "get_price get_quote", prices.ticker),
            ("/products/{product_id}/stats", "get_stats", prices.stats),
            ("/products/{product_id}/trades", "list_trades", prices.trades),
            ("/products/{product_id}/candles", "list_candles", prices.candles),
        )
        private = (
            ("GET", "/profiles", "connect", prices.profiles),
            ("GET", "/accounts", "connect list_balances get_balance", prices.accounts),
            ("GET", "/accounts/{account_id}", "get_balance", prices.account),
            ("GET", "/fees", "get_fees", prices.fees),
            ("GET", "/fills", "list_fills", orders.list_fills),
            ("GET", "/orders", "list_orders get_order_by_client_id", orders.list_orders),
            ("POST", "/orders", "place_order", orders.place),
            ("DELETE", "/orders", "cancel_all_orders", orders.cancel_all),
            ("GET", "/orders/{order_id}", "get_order get_order_by_client_id", orders.get),
            ("DELETE", "/orders/{order_id}", "cancel_order", orders.cancel),
        )
        return (
            *(self._endpoint("GET", *one, is_public=True) for one in public),
            *(self._endpoint(*one, is_public=False) for one in private),
        )

    def _endpoint(
        self,
        method: str,
        path: str,
        operations: str,
        answer: Callable[[ApiRequest], object],
        *,
        is_public: bool,
    ) -> Endpoint:
        names = tuple(operations.split())
        return Endpoint(method, path, names, answer, self._dialect, is_public)
