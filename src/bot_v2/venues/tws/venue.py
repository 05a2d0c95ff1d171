"""TwsVenue: a TWS or Gateway on 127.0.0.1."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import count
from typing import Any, Final

from bot_v2.features.brokerages.core.errors import InvalidFieldError, OrderNotFoundError
from bot_v2.features.brokerages.core.events import OrderEvent
from bot_v2.features.brokerages.core.fields import FrozenMapping
from bot_v2.features.brokerages.core.market_data import Trade
from bot_v2.features.brokerages.core.products import Product
from bot_v2.shared.types import Clock
from bot_v2.simulation.account import AccountKind, AccountSettings
from bot_v2.simulation.clock import utc_now
from bot_v2.simulation.engine import MatchingEngine
from bot_v2.simulation.faults import Fault
from bot_v2.simulation.sessions import AlwaysOpen, TradingCalendar
from bot_v2.venues.account import VenueAccount
from bot_v2.venues.clock import VenueClock
from bot_v2.venues.faults import FaultPlan
from bot_v2.venues.market import opening_book
from bot_v2.venues.server import HOST, Wire
from bot_v2.venues.tape import draw
from bot_v2.venues.tws.account_api import AccountApi
from bot_v2.venues.tws.codes import (
    DEFINITIONS_FARM,
    DEFINITIONS_FARM_OK,
    FARM,
    FARM_OK,
    HISTORY_FARM,
    HISTORY_FARM_OK,
    text_for,
)
from bot_v2.venues.tws.combos import Combos
from bot_v2.venues.tws.contract_api import ContractApi
from bot_v2.venues.tws.contract_book import ContractBook
from bot_v2.venues.tws.depth_api import DepthApi
from bot_v2.venues.tws.executions import Executions
from bot_v2.venues.tws.fees import Commissions
from bot_v2.venues.tws.gateway import Gateway, Request, fixed
from bot_v2.venues.tws.history_api import HistoryApi
from bot_v2.venues.tws.hours import Hours, NewYorkSessions
from bot_v2.venues.tws.listings import ALL_LISTINGS, Listing
from bot_v2.venues.tws.order_api import OrderApi
from bot_v2.venues.tws.order_flow import OrderFlow
from bot_v2.venues.tws.order_groups import OrderGroups
from bot_v2.venues.tws.order_reads import OrderReads
from bot_v2.venues.tws.outlet import Pace
from bot_v2.venues.tws.quotes_api import QuotesApi
from bot_v2.venues.tws.reporter import Reporter
from bot_v2.venues.tws.schema import Message
from bot_v2.venues.tws.scripts import Scripts, actions
from bot_v2.venues.tws.session import NO_REQUEST, Session
from bot_v2.venues.tws.state import TwsState
from bot_v2.venues.tws.tickets import Ticket, TicketBook
from bot_v2.venues.tws.wire import TwsWire
from bot_v2.venues.venue import Venue

ACCOUNT: Final = "DU1000001"
"""The account of the login where nobody says otherwise: a paper account, by its first letters."""

CASH: Final[Mapping[str, Decimal]] = {"USD": Decimal(1_000_000)}
"""What each account starts with."""

OPENING_VALUE: Final = Decimal(250_000)
"""What the best bid and the best ask of each contract are worth at the start."""

BEAT_S: Final = 0.5
"""How often what waits for a time is looked at, in seconds."""

FAULTS: Final = frozenset(Fault) - {Fault.SESSION_EXPIRED}
"""A socket has no session that could expire: it is connected, or it is not."""

_ONE_MILLION: Final = 1_000_000


class TwsVenue(Venue):
    """A TWS or Gateway with a paper login.

    Args:
        seed: what ids, the opening market and bars are drawn from.
        clock: the time that it goes by.
        listings: what can be traded.
        accounts: the accounts of the login.
        balances: what each account starts with, by currency.
        hours: when it trades.
    """

    def __init__(
        self,
        seed: int = 7,
        clock: Clock = utc_now,
        listings: Iterable[Listing] = ALL_LISTINGS,
        accounts: Sequence[str] = (ACCOUNT,),
        balances: Mapping[str, Decimal] = CASH,
        hours: Hours = Hours.ALWAYS,
    ) -> None:
        """Open the accounts; nothing listens yet."""
        self.contracts = ContractBook(listings)
        """What can be traded."""
        self.accounts = tuple(accounts)
        """The accounts of the login."""
        plan, venue_clock = FaultPlan(), VenueClock(clock)
        calendar = NewYorkSessions() if hours is Hours.NEW_YORK else AlwaysOpen()
        numbers = count(1)
        products = [one.product for one in self.contracts.listings]
        engines = {
            name: _open_engine(
                name, balances, products, venue_clock, calendar, lambda: f"e{next(numbers)}"
            )
            for name in self.accounts
        }
        prices = {one.product.symbol: one.price for one in self.contracts.listings}
        state = TwsState(engines, prices, venue_clock, plan, seed)
        super().__init__(state, plan, seed)
        self.pace = Pace()
        """How bytes leave: in pieces, slowly, or not at all."""
        self.gateway = Gateway(state, plan, self._log, self._greet, self._forget)
        """Serves the clients."""
        self._build(state, seed, hours)
        self.scripts = Scripts(self)
        """What goes wrong beyond single requests."""
        self._is_beating = False
        self.reset_market()

    def _build(self, state: TwsState, seed: int, hours: Hours) -> None:
        """Make what answers each kind of request."""
        first = 900 * _ONE_MILLION + draw(seed, "perm") % _ONE_MILLION
        prefix = f"{draw(seed, 'exec') % 0xFFFFFFFF:08x}"
        tickets = TicketBook(first, lambda: any(one.is_stale for one in state.accounts.values()))
        state.before_write = tickets.remember
        self.reporter = Reporter(self.gateway, self._later)
        """Tells clients of their orders."""
        self.executions = Executions(tickets, prefix)
        """The broker's executions."""
        self.tickets = tickets
        """The orders."""
        flow = OrderFlow(state, tickets, self.reporter, self.executions)
        self.flow = flow
        """Moves orders on."""
        groups = OrderGroups(state, tickets, flow)
        self._combos = Combos(state, tickets, self.reporter, self.executions, flow)
        flow.combinations = self._combos
        flow.followers.append(groups)
        self.orders = OrderApi(
            state, tickets, self.contracts, flow, groups, self.reporter, self.accounts
        )
        """Takes orders."""
        self.reads = OrderReads(state, tickets)
        """Tells orders and executions."""
        self._account_api = AccountApi(
            state, self.gateway, self.contracts, self.executions, self.accounts
        )
        flow.traded = self._account_api.holdings_changed
        self.quotes = QuotesApi(state, self.contracts)
        """Tells market data."""
        self._depth = DepthApi(state, self.quotes)
        self.history = HistoryApi(state, self.quotes, seed)
        """Tells bars."""
        contracts = ContractApi(self.contracts, state.clock, hours)
        for api in (
            self.orders,
            self.reads,
            self._account_api,
            self.quotes,
            self._depth,
            self.history,
            contracts,
        ):
            self.gateway.add(*api.requests())
        self.gateway.add(
            Request("reqCurrentTime", self._say_time, fixed("check_health")),
            Request("setServerLogLevel", lambda *_: None, fixed("")),
        )
        state.listen(self)

    # What the frame asks of a venue

    def wires(self, tls: ssl.SSLContext | None) -> list[Wire]:
        """Return the socket.

        Raises:
            InvalidFieldError: TLS is asked for.
        """
        if tls is not None:
            raise InvalidFieldError("tls", "a context", "None: the socket is plain")
        return [TwsWire(self.gateway, self._plan, self.pace, self.call)]

    def start(
        self,
        port: int = 0,
        admin_port: int = 0,
        tls: ssl.SSLContext | None = None,
        tls_port: int = 0,
    ) -> None:
        """Listen; what waits for a time is looked at from now on."""
        super().start(port, admin_port, tls, tls_port)
        self._is_beating = True
        self.call(self._beat)

    def close(self) -> None:
        """Stop listening, cut every connection and let the market rest."""
        self._is_beating = False
        super().close()

    @property
    def url(self) -> str:
        """Where it listens: host and port."""
        return f"{HOST}:{self.port}"

    @property
    def faults(self) -> frozenset[Fault]:
        """The faults that it can commit."""
        return FAULTS

    def inject(self, fault: Fault, operation: str | None = None, times: int = 1) -> None:
        """Commit a fault in the next `times` requests of an operation; None: of any.

        Raises:
            InvalidFieldError: it cannot commit it, or `times` is below one.
        """
        if fault not in FAULTS:
            raise InvalidFieldError("fault", fault, ", ".join(sorted(FAULTS)))
        super().inject(fault, operation, times)

    def on_faults_cleared(self) -> None:
        """Tell what was held back."""
        with self.state.lock:
            for session in self.gateway.sessions:
                session.release()

    def native_symbols(self) -> Mapping[str, str]:
        """Return the canonical symbol of each local symbol that is of one contract."""
        found: dict[str, str] = {}
        for one in self.contracts.listings:
            name = one.local_symbol
            found[name] = "" if name in found else one.product.symbol
        return {name: symbol for name, symbol in found.items() if symbol}

    def fill(self, order_id: str, quantity: Decimal, price: Decimal) -> None:
        """Fill part of a resting order now, whatever the market says."""
        ticket = self._ticket(order_id)
        self.state.step(lambda: self.flow.fill(ticket, quantity, price))

    def late_fill(self, order_id: str, quantity: Decimal, price: Decimal) -> None:
        """Report a fill of an order that has ended: it happened before its end."""
        ticket = self._ticket(order_id)
        self.state.step(lambda: self.flow.late_fill(ticket, quantity, price))

    def advance(self, seconds: float) -> None:
        """Move the venue's clock on; what is due happens."""
        self.state.clock.advance(seconds)
        self.state.step(self.flow.tick)

    def reset_market(self) -> None:
        """Put every contract where it started."""
        now = self.state.clock()
        self.state.show(
            opening_book(one.product, one.price, OPENING_VALUE, now, self._seed)
            for one in self.contracts.listings
        )

    def actions(self) -> Mapping[str, Callable[[Mapping[str, Any]], None]]:
        """Return what it can be told to do over the local controls."""
        return actions(self.scripts)

    # What scripts do

    def restart(self, *, stays_down: bool) -> None:
        """Cut every connection; stay down, or listen again at once."""
        self.cut_wires()
        if not stays_down:
            self.listen_again()

    def drop_subscriptions(self) -> None:
        """Tell nobody of the market any more: they have to ask again."""
        for api in (self.quotes, self._depth, self.history):
            api.drop_all()

    # Who is told what a step changed

    def orders_changed(self, account: VenueAccount, events: list[OrderEvent]) -> None:
        """Tell clients of their orders."""
        self.flow.orders_changed(account, events)

    def traded(self, trades: list[Trade]) -> None:
        """Tell clients of trades."""
        self._depth.traded(trades)
        self.history.traded(trades)

    def books_changed(self, symbols: set[str]) -> None:
        """Tell clients of quotes, and let combinations meet them."""
        self._combos.books_changed(symbols)
        self.quotes.books_changed(symbols)
        self._depth.books_changed(symbols)

    # The parts of it

    def _ticket(self, order_id: str) -> Ticket:
        with self.state.lock:
            found = self.tickets.by_perm_id(int(order_id)) if order_id.isdigit() else None
        if found is None:
            raise OrderNotFoundError(f"there is no order {order_id}", order_id=order_id)
        return found

    def _greet(self, session: Session) -> None:
        """Tell a client what the broker tells first."""
        if self.reads.say_open(session, session.client_id):
            session.say("openOrderEnd")
        session.say("managedAccounts", accounts=",".join(self.accounts))
        session.say("nextValidId", orderId=self.orders.next_id(session.client_id or 0))
        for code, farm in (
            (FARM_OK, FARM),
            (HISTORY_FARM_OK, HISTORY_FARM),
            (DEFINITIONS_FARM_OK, DEFINITIONS_FARM),
        ):
            session.fail(NO_REQUEST, code, text_for(code, farm=farm))

    def _forget(self, session: Session) -> None:
        self.quotes.forget(session)
        self._depth.forget(session)
        self.history.forget(session)

    def _say_time(self, session: Session, _: Message) -> None:
        now = self.state.clock() + self.state.skew
        session.say("currentTime", time=int(now.timestamp()))

    def _beat(self) -> None:
        if self._is_beating:
            self.state.step(self.flow.tick)
            asyncio.get_running_loop().call_later(BEAT_S, self._beat)

    def _later(self, delay_s: float, action: Callable[[], None]) -> None:
        def act() -> None:
            with self.state.lock:
                action()

        self.call(lambda: _call_later(delay_s, act))


def _call_later(delay_s: float, act: Callable[[], None]) -> None:
    asyncio.get_running_loop().call_later(delay_s, act)


def _open_engine(
    name: str,
    balances: Mapping[str, Decimal],
    products: Sequence[Product],
    clock: Clock,
    calendar: TradingCalendar,
    ids: Callable[[], str],
) -> MatchingEngine:
    settings = AccountSettings(
        account_id=name,
        kind=AccountKind.MARGIN,
        currency="USD",
        initial_balances=FrozenMapping(balances),
        initial_margin_rate=Decimal("0.25"),
        maintenance_margin_rate=Decimal("0.2"),
    )
    return MatchingEngine(
        account=settings,
        products=products,
        clock=clock,
        fees=Commissions(),
        ids=ids,
        calendar=calendar,
    )
