"""What a venue knows: its accounts, its market, and who is told when something changes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Protocol, TypeVar

from bot_v2.features.brokerages.core.errors import (
    InvalidFieldError,
    InvalidSymbolError,
    OrderNotFoundError,
)
from bot_v2.features.brokerages.core.events import OrderEvent
from bot_v2.features.brokerages.core.fills import Liquidity
from bot_v2.features.brokerages.core.market_data import Quote, Trade
from bot_v2.features.brokerages.core.order_terms import OrderSide
from bot_v2.features.brokerages.core.orderbook import Orderbook, PriceLevel
from bot_v2.features.brokerages.core.products import Product
from bot_v2.simulation.engine import MatchingEngine
from bot_v2.simulation.faults import Fault
from bot_v2.simulation.received import ReceivedOrder
from bot_v2.venues.account import VenueAccount
from bot_v2.venues.clock import SKEW, VenueClock
from bot_v2.venues.faults import FaultPlan
from bot_v2.venues.tape import Tape

_T = TypeVar("_T")

_OPPOSITE = {OrderSide.BUY: OrderSide.SELL, OrderSide.SELL: OrderSide.BUY}


class Audience(Protocol):
    """Who is told what a step changed; called with the lock held, after the step."""

    def orders_changed(self, account: VenueAccount, events: list[OrderEvent]) -> None:
        """Orders of an account changed."""
        ...

    def traded(self, trades: list[Trade]) -> None:
        """The market traded."""
        ...

    def books_changed(self, symbols: set[str]) -> None:
        """What is on offer changed, or may have."""
        ...


class VenueState:
    """The accounts and the market of a venue. Safe between threads by `lock`.

    Args:
        engines: the engine of each account, by the account's name; no product is in two.
            Where they share products, each trades all of them in a market that is the same.
        prices: where each product starts, by symbol.
        clock: the venue's time.
        plan: what is to go wrong; here: stale reads and told times that are off.
        seed: what the market's past is drawn from.
        shares_products: every account trades the same products.
    """

    def __init__(
        self,
        engines: Mapping[str, MatchingEngine],
        prices: Mapping[str, Decimal],
        clock: VenueClock,
        plan: FaultPlan,
        seed: int,
        *,
        shares_products: bool = False,
    ) -> None:
        """Open the accounts."""
        self.lock = threading.RLock()
        self.clock = clock
        self.plan = plan
        self.accounts = {name: VenueAccount(name, engine) for name, engine in engines.items()}
        self._by_symbol: dict[str, list[VenueAccount]] = {}
        for account in self.accounts.values():
            for symbol in sorted(account.symbols):
                if symbol in self._by_symbol and not shares_products:
                    raise InvalidFieldError("engines", symbol, "each product in one account")
                self._by_symbol.setdefault(symbol, []).append(account)
        self.received: list[ReceivedOrder] = []
        """The placements that took effect, oldest first."""
        self.tape = Tape(self.products(), dict(prices), seed, clock())
        self._audience: list[Audience] = []
        self._followers: list[Callable[[], bool]] = []
        self._changed: set[str] = set()
        self._printed: list[Trade] = []

    # What there is

    def products(self) -> list[Product]:
        """Return everything that can be traded, account by account, each product once."""
        every = (one for account in self.accounts.values() for one in account.engine.products)
        return list({product.symbol: product for product in every}.values())

    def account_of(self, symbol: str) -> VenueAccount:
        """Return the account that trades a product; the first one where several do.

        Raises:
            InvalidSymbolError: none does.
        """
        return self.accounts_of(symbol)[0]

    def accounts_of(self, symbol: str) -> list[VenueAccount]:
        """Return every account that trades a product.

        Raises:
            InvalidSymbolError: none does.
        """
        if symbol not in self._by_symbol:
            raise InvalidSymbolError(f"there is no product {symbol!r}", symbol=symbol)
        return self._by_symbol[symbol]

    def holder_of(self, order_id: str) -> VenueAccount | None:
        """Return the account that an order of an engine is in. None: there is no such order."""
        for account in self.accounts.values():
            try:
                account.engine.get_order(order_id)
            except OrderNotFoundError:
                continue
            return account
        return None

    def product(self, symbol: str) -> Product:
        """Return a product.

        Raises:
            InvalidSymbolError: there is none of that symbol.
        """
        return self.account_of(symbol).engine.get_product(symbol)

    @property
    def skew(self) -> timedelta:
        """How far told times are off now."""
        return SKEW if self.plan.lasts(Fault.CLOCK_SKEW) else timedelta(0)

    # What happens

    def listen(self, audience: Audience) -> None:
        """Tell someone of every step from now on."""
        self._audience.append(audience)

    def follow(self, follower: Callable[[], bool]) -> None:
        """Let something follow each step: it may place and change orders, with the lock held.

        It returns whether it did anything: then that is told, and all followers are asked again.
        """
        self._followers.append(follower)

    def write(self, action: Callable[[], _T]) -> _T:
        """Let a caller's write take effect, and tell what came of it."""
        with self.lock:
            self._pass_time()
            for account in self.accounts.values():
                account.remember()
            try:
                return action()
            finally:
                self._finish()

    def step(self, action: Callable[[], _T]) -> _T:
        """Let something else happen, and tell what came of it: reads are as stale as before."""
        with self.lock:
            self._pass_time()
            try:
                return action()
            finally:
                self._finish()

    def refresh(self, *, is_read: bool) -> None:
        """Let what became due happen, before a request is answered; reads may be stale."""
        self.step(lambda: None)
        is_stale = is_read and self.plan.lasts(Fault.STALE_READ)
        for account in self.accounts.values():
            account.is_stale = is_stale

    def show(self, events: Iterable[Orderbook | Trade]) -> None:
        """Let the market say something.

        Trades go to the tape alone: an engine that hears of trades triggers stops by nothing else,
        and takes each for an offer of its own.
        """

        def hear() -> None:
            for event in events:
                if isinstance(event, Trade):
                    self._print(event, event.side or OrderSide.BUY)
                else:
                    for account in self.accounts_of(event.symbol):
                        account.engine.on_market(event)
                self._changed.add(event.symbol)

        self.step(hear)

    def set_book(self, symbol: str, bid: Decimal, ask: Decimal, size: Decimal) -> None:
        """Offer a size at one bid and one ask, and print a trade at the bid.

        Raises:
            InvalidFieldError: the bid is above the ask.
            InvalidSymbolError: there is no such product.
        """
        if bid > ask:
            raise InvalidFieldError("bid", bid, f"at most the ask ({ask})")
        moment = self.clock()
        book = Orderbook(
            symbol=symbol,
            bids=(PriceLevel(bid, size),),
            asks=(PriceLevel(ask, size),),
            timestamp=moment,
        )
        trade = Trade(symbol=symbol, price=bid, size=size, timestamp=moment, side=OrderSide.SELL)
        self.show([book, trade])

    def quote(self, symbol: str) -> Quote:
        """Return the best prices of a product, and the latest trade's."""
        return self.account_of(symbol).engine.get_quote(symbol)

    def book(self, symbol: str) -> Orderbook:
        """Return what is on offer of a product, the best first."""
        return self.account_of(symbol).engine.get_orderbook(symbol, 2)

    # The parts of a step

    def _pass_time(self) -> None:
        self._changed, self._printed = set(), []
        for account in self.accounts.values():
            # What happens, and what streams tell of it, is never stale.
            account.is_stale = False
            account.engine.on_time()

    def _print(self, trade: Trade, side: OrderSide) -> None:
        self._printed.append(
            self.tape.add(trade.symbol, trade.price, trade.size, trade.timestamp, side)
        )

    def _finish(self) -> None:
        self._tell()
        while any(follower() for follower in self._followers):
            self._tell()

    def _tell(self) -> None:
        """Tell what happened; what a listener does about it is told after that."""
        self._tell_once()
        while any(account.news for account in self.accounts.values()):
            self._changed, self._printed = set(), []
            self._tell_once()

    def _tell_once(self) -> None:
        told: list[tuple[VenueAccount, list[OrderEvent]]] = []
        for account in self.accounts.values():
            events, account.news = account.news, []
            if events:
                told.append((account, events))
            for event in events:
                self._changed.add(event.order.symbol)
                if event.fill is not None and event.fill.corrects is None:
                    self._print_fill(event)
        for audience in self._audience:
            for account, events in told:
                audience.orders_changed(account, events)
            if self._printed:
                audience.traded(self._printed)
            if self._changed:
                audience.books_changed(self._changed)
        self._changed, self._printed = set(), []

    def _print_fill(self, event: OrderEvent) -> None:
        fill = event.fill
        if fill is None:
            return
        took = fill.side if fill.liquidity is not Liquidity.MAKER else _OPPOSITE[fill.side]
        trade = Trade(
            symbol=fill.symbol, price=fill.price, size=fill.quantity, timestamp=fill.timestamp
        )
        self._print(trade, took)
