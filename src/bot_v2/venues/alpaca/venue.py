"""AlpacaVenue: the Trading API and the market data API on 127.0.0.1."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, Unpack

from starlette.routing import BaseRoute, WebSocketRoute

from bot_v2.features.brokerages.core.errors import InvalidFieldError, OrderNotFoundError
from bot_v2.features.brokerages.core.products import Product
from bot_v2.shared.types import Clock
from bot_v2.simulation.clock import utc_now
from bot_v2.venues.alpaca.account_api import AccountApi
from bot_v2.venues.alpaca.assets_api import AssetsApi
from bot_v2.venues.alpaca.bars import BarMaker
from bot_v2.venues.alpaca.catalogue import Catalogue
from bot_v2.venues.alpaca.checks import Checks
from bot_v2.venues.alpaca.conditions import Conditions, VenueOptions
from bot_v2.venues.alpaca.data_api import DataApi
from bot_v2.venues.alpaca.data_records import DataWriter
from bot_v2.venues.alpaca.data_routes import data_endpoints
from bot_v2.venues.alpaca.data_stream import DataStream
from bot_v2.venues.alpaca.daytrades import DayTrades
from bot_v2.venues.alpaca.dialect import (
    DATA_FORBIDDEN,
    UNAUTHORIZED,
    AlpacaDialect,
    ApiKey,
    CallCounter,
    make_key,
)
from bot_v2.venues.alpaca.engines import (
    ACCOUNT,
    BALANCES,
    OPENING_VALUE,
    OPTION_LEVELS,
    open_engine,
)
from bot_v2.venues.alpaca.following import Following
from bot_v2.venues.alpaca.hours import MarketHours, eastern_day
from bot_v2.venues.alpaca.listings import OPTIONABLE, PAIRS, SHARES, Listing
from bot_v2.venues.alpaca.money import Purse
from bot_v2.venues.alpaca.option_market import OptionMarket
from bot_v2.venues.alpaca.options import list_options
from bot_v2.venues.alpaca.order_records import OrderWriter
from bot_v2.venues.alpaca.order_stream import OrderStream
from bot_v2.venues.alpaca.orders_api import OrdersApi
from bot_v2.venues.alpaca.placing import Placing
from bot_v2.venues.alpaca.positions_api import PositionsApi
from bot_v2.venues.alpaca.replacing import Replacing
from bot_v2.venues.alpaca.standing import Configurations, Standing
from bot_v2.venues.alpaca.ticket import ENDED
from bot_v2.venues.alpaca.tickets import TicketBook
from bot_v2.venues.alpaca.trading_routes import endpoints_of_nothing, trading_endpoints
from bot_v2.venues.alpaca.watchlists_api import WatchlistsApi
from bot_v2.venues.clock import VenueClock
from bot_v2.venues.faults import FaultPlan
from bot_v2.venues.ids import IdCounter, seeded_uuid
from bot_v2.venues.market import LEVELS, opening_book
from bot_v2.venues.requests import Endpoint
from bot_v2.venues.state import VenueState
from bot_v2.venues.venue import Venue

SHOWABLE: Final = frozenset(
    {
        "accepted",
        "accepted_for_bidding",
        "calculated",
        "canceled",
        "done_for_day",
        "expired",
        "held",
        "new",
        "pending_cancel",
        "pending_new",
        "pending_replace",
        "pending_review",
        "rejected",
        "stopped",
        "suspended",
    }
)
"""The statuses that an order can be made to show: all but those of fills and replacements."""


class AlpacaVenue(Venue):
    """Alpaca: shares, options and coins in one account, and their streams.

    Args:
        seed: what keys, ids, the opening market and bars are drawn from.
        clock: the time that it goes by.
        listings: shares and coins; options are made for some of the shares.
        balances: what the account starts with, by asset.
        options: see `Conditions`.
    """

    def __init__(
        self,
        seed: int = 7,
        clock: Clock = utc_now,
        listings: Iterable[Listing] = (*SHARES, *PAIRS),
        balances: Mapping[str, Decimal] = BALANCES,
        **options: Unpack[VenueOptions],
    ) -> None:
        """Open the account; nothing listens yet."""
        listed, conditions = tuple(listings), Conditions(**options)
        plan, venue_clock, ids = FaultPlan(), VenueClock(clock), IdCounter(seed)
        opened_on = eastern_day(venue_clock())
        shares = [one for one in listed if one.symbol in OPTIONABLE]
        self._catalogue = Catalogue((*listed, *list_options(shares, opened_on)), seed)
        self._hours = MarketHours(always_open=conditions.always_open)
        engine = open_engine(self._catalogue, self._hours, balances, venue_clock, ids, conditions)
        prices = {one.product.symbol: one.price for one in self._catalogue.listings}
        state = VenueState({ACCOUNT: engine}, prices, venue_clock, plan, seed)
        super().__init__(state, plan, seed)
        self.conditions = conditions
        """The conditions that it keeps."""
        self.api_key: ApiKey = make_key(seed, is_paper=conditions.is_paper)
        """The key that opens it."""
        self.foreign_api_key: ApiKey = make_key(seed, is_paper=not conditions.is_paper)
        """A key of the other environment: it opens market data alone."""
        self.standing = Standing()
        """What the account may do: a test changes it as Alpaca would."""
        self.configurations = Configurations()
        """What the account's owner has set."""
        self.account_id = seeded_uuid(seed, "account")
        """The account's id."""
        calls = CallCounter(conditions.rate_limit, venue_clock.outside)
        self._trading = AlpacaDialect((self.api_key,), UNAUTHORIZED, calls, seed)
        self._data = AlpacaDialect(
            (self.api_key, self.foreign_api_key),
            DATA_FORBIDDEN,
            CallCounter(conditions.rate_limit, venue_clock.outside),
            seed + 1,
        )
        self._bars = BarMaker(seed)
        self._build(ids)
        self._writer = DataWriter(state, self._catalogue, self._bars)
        self._market_data = DataApi(
            state,
            self._catalogue,
            self._writer,
            conditions.data_page_max,
            has_sip=conditions.has_sip,
        )
        self._build_streams(plan)
        self.reset_market()

    def _build(self, ids: IdCounter) -> None:
        state, catalogue, hours = self.state, self._catalogue, self._hours
        page_max = self.conditions.page_max
        account = state.accounts[ACCOUNT]
        tickets = TicketBook(state, account)
        purse = Purse(account, catalogue, tickets)
        coins = frozenset(one.product.symbol for one in catalogue.listings if one.is_crypto)
        checks = Checks(
            state,
            account,
            tickets,
            purse,
            self.standing,
            self.configurations,
            DayTrades(state, account, coins),
            protects=self.conditions.protects,
        )
        writer = OrderWriter(state, tickets, catalogue)
        placing = Placing(state, account, tickets, checks, catalogue, hours, ids)
        self._replacing = replacing = Replacing(state, account, tickets, checks, ids)
        Following(state, account, tickets, hours)
        self._tickets, self._order_writer = tickets, writer
        self._orders = OrdersApi(state, account, tickets, placing, replacing, writer, page_max)
        self._positions = PositionsApi(
            state,
            account,
            tickets,
            catalogue,
            purse,
            placing,
            self._orders,
            writer,
            self._bars,
        )
        self._account = AccountApi(
            state,
            account,
            tickets,
            catalogue,
            purse,
            checks,
            self.standing,
            self.configurations,
            self.account_id,
        )
        self._assets = AssetsApi(state, catalogue, hours, self._bars, page_max)
        self._watchlists = WatchlistsApi(
            state, catalogue, self._assets.write, self.account_id, IdCounter(self._seed + 2)
        )

    def _build_streams(self, plan: FaultPlan) -> None:
        self._order_stream = OrderStream(
            self.state,
            plan,
            self._trading,
            self._tickets,
            self._order_writer,
            IdCounter(self._seed + 1),
            self.call,
            is_paper=self.conditions.is_paper,
        )
        native = DataWriter(
            self.state, self._catalogue, self._bars, lambda moment: moment + self.state.skew
        )
        self._data_stream = DataStream(
            self.state,
            plan,
            self._data,
            self._catalogue,
            self._writer,
            native,
            self.call,
            has_sip=self.conditions.has_sip,
        )

    def reset_market(self) -> None:
        """Put everything where it started; what was delisted has no market."""
        now = self.state.clock()
        self.state.show(
            opening_book(
                one.product,
                one.price,
                OPENING_VALUE,
                now,
                self._seed,
                OPTION_LEVELS if one.is_option else LEVELS,
            )
            for one in self._catalogue.listings
            if one.is_active
        )

    def moving_products(self) -> list[Product]:
        """Return what a synthetic walk moves: shares and coins; options follow their shares."""
        return [one.product for one in self._catalogue.listings if _moves(one)]

    def move_market(self) -> str:
        """Let a synthetic walk move the market from now on; return what it is."""
        description = super().move_market()
        with self.state.lock:
            self.state.follow(OptionMarket(self.state, self._catalogue, self._seed).follow)
        return description

    # The controls

    def native_symbols(self) -> Mapping[str, str]:
        """Return the canonical symbol of each of Alpaca's."""
        return self._catalogue.canonical_symbols()

    def actions(self) -> Mapping[str, Callable[[Mapping[str, Any]], None]]:
        """Return what it can be told to do over the local controls."""

        def show_status(body: Mapping[str, Any]) -> None:
            self.set_status(str(body.get("order_id")), str(body.get("status") or ""))

        return {"show_status": show_status}

    def engine_order(self, order_id: str, price: Decimal) -> str:  # noqa: ARG002 - an order is one
        """Return the engine's id of an order; its own where it is not in the engine."""
        ticket = self._tickets.live(order_id)
        return order_id if ticket is None or ticket.leg is None else ticket.leg

    def set_status(self, order_id: str, status: str) -> None:
        """Let an order show a status that only Alpaca could give it, such as done_for_day.

        An ended status ends it. Empty: it shows again what it is.

        Raises:
            InvalidFieldError: there is no such status, or fills decide about it.
            OrderNotFoundError: there is no such order.
        """
        if status and status not in SHOWABLE:
            raise InvalidFieldError("status", status, ", ".join(sorted(SHOWABLE)))
        ticket = self._tickets.live(order_id)
        if ticket is None:
            raise OrderNotFoundError(f"there is no order {order_id}", order_id=order_id)

        def show() -> None:
            if status in ENDED and ticket.leg is not None:
                ticket.shown = status
                self.state.accounts[ACCOUNT].engine.cancel(ticket.leg)
            elif status in ENDED:
                self._tickets.end(ticket, status)
            else:
                self._tickets.show(ticket, status)

        self.state.step(show)

    def late_fill(self, order_id: str, quantity: Decimal, price: Decimal) -> None:
        """Report a fill of an order that has ended, or was replaced: it happened before its end."""
        ticket = self._tickets.live(order_id)
        if ticket is None or ticket.replaced_by is None:
            super().late_fill(order_id, quantity, price)
            return
        self.state.step(lambda: self._replacing.fill_replaced(ticket, quantity, price))

    def halt(self, symbol: str) -> None:
        """Suspend trading in an asset."""
        super().halt(symbol)
        self._tell_status(symbol, halted=True)

    def resume(self, symbol: str) -> None:
        """Let an asset trade again."""
        super().resume(symbol)
        self._tell_status(symbol, halted=False)

    def _tell_status(self, symbol: str, *, halted: bool) -> None:
        listing = self._catalogue.of(self._canonical(symbol))
        self._data_stream.tell_status(listing, halted=halted)

    def advance(self, seconds: float) -> None:
        """Move the clock on; orders expire, auctions are held, and what opens trades."""
        before = self._hours.regular.is_open(self.state.clock())
        super().advance(seconds)
        if self._hours.regular.is_open(self.state.clock()) and not before:
            # Whoever waited for the session meets the market as it stands.
            self.state.show(
                self.state.book(one.product.symbol)
                for one in self._catalogue.listings
                if one.is_active and not one.is_crypto
            )
        with self.state.lock:
            self._data_stream.pass_time()

    def on_faults_cleared(self) -> None:
        """Tell what was held back."""
        self._order_stream.release()
        self._data_stream.release()

    # The wire

    def routes(self) -> Sequence[BaseRoute]:
        """Return the streams."""
        data = self._data_stream
        return [
            # Older clients end the address with a slash, and know coins by the API before.
            WebSocketRoute("/stream", self._order_stream.serve),
            WebSocketRoute("/stream/", self._order_stream.serve),
            WebSocketRoute("/v1beta2/crypto", data.serve_crypto),
            WebSocketRoute("/v1beta1/{feed}", data.serve_options),
            WebSocketRoute("/v1beta3/crypto/{location}", data.serve_crypto),
            WebSocketRoute("/v2/{feed}", data.serve_stocks),
        ]

    def endpoints(self) -> Sequence[Endpoint]:
        """Return what can be asked; the first that fits decides."""
        trading = trading_endpoints(
            self._orders,
            self._positions,
            self._account,
            self._assets,
            self._watchlists,
            self._trading,
        )
        data = data_endpoints(self._market_data, self._writer, self._data)
        return (*trading, *data, *endpoints_of_nothing(self._trading))


def _moves(listing: Listing) -> bool:
    return listing.is_active and not listing.is_option
