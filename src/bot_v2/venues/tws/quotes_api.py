"""Market data: ticks of prices and sizes, snapshots, and who may see them."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Final

import attrs

from bot_v2.features.brokerages.core.errors import MarketDataUnavailableError
from bot_v2.features.brokerages.core.market_data import Trade
from bot_v2.venues.tws.codes import (
    DELAYED,
    NO_CONTRACT,
    NOT_SUBSCRIBED,
    NOT_SUBSCRIBED_OLD,
    UNKNOWN_CONTRACT,
    RefusalError,
    text_for,
)
from bot_v2.venues.tws.contract_book import ContractBook
from bot_v2.venues.tws.gateway import Request, reads
from bot_v2.venues.tws.hours import day_start
from bot_v2.venues.tws.listings import Listing
from bot_v2.venues.tws.schema import Message
from bot_v2.venues.tws.session import Session
from bot_v2.venues.tws.state import TwsState

NO_PRICE: Final = Decimal(-1)
"""What is told where there is no price."""

LIVE: Final = 1
DELAYED_TYPES: Final = frozenset({3, 4})
_DELAYED: Final = 3
_NEW_CODES: Final = 164
"""From this server version on, a missing subscription is told by the newer code."""

_PRICES: Final = {"bid": 1, "ask": 2, "last": 4, "high": 6, "low": 7, "close": 9, "open": 14}
_DELAYED_PRICES: Final = {
    "bid": 66,
    "ask": 67,
    "last": 68,
    "high": 72,
    "low": 73,
    "close": 75,
    "open": 76,
}
_VOLUME: Final = {False: 8, True: 74}
_TIMESTAMP: Final = {False: 45, True: 88}
_SIZED: Final = ("bid", "ask", "last")


class Entitlement(StrEnum):
    """What the login may see of a contract's market."""

    LIVE = "live"
    """Everything, at once."""
    DELAYED = "delayed"
    """Quotes and trades, where it asks for delayed data."""


@attrs.define
class _Subscription:
    session: Session
    request_id: int
    listing: Listing
    is_delayed: bool
    told: dict[str, tuple[Decimal, Decimal]] = attrs.field(factory=dict)
    volume: Decimal | None = None


class QuotesApi:
    """Tells quotes.

    Args:
        state: the venue.
        contracts: what there is.
    """

    def __init__(self, state: TwsState, contracts: ContractBook) -> None:
        """Tell nobody yet."""
        self.entitlements: dict[str, Entitlement] = {}
        """What may be seen, by symbol; everything where nothing is said."""
        self.is_cut_off = False
        """True: nothing is heard of the market."""
        self._state = state
        self._contracts = contracts
        self._subscriptions: dict[tuple[Session, int], _Subscription] = {}

    def requests(self) -> list[Request]:
        """Return what can be asked."""
        return reads(
            {
                "reqMktData": ("get_price get_quote list_quotes stream_quotes", self.ask),
                "cancelMktData": ("", self.cancel),
                "reqMarketDataType": ("", self.choose_type),
            }
        )

    def forget(self, session: Session) -> None:
        """Let go of what a client asked for."""
        for key in [key for key in self._subscriptions if key[0] is session]:
            del self._subscriptions[key]

    def drop_all(self) -> None:
        """Let go of what everyone asked for: the data are lost."""
        self._subscriptions.clear()

    def listing_of(self, asked: Message) -> Listing:
        """Return the one contract that is asked for.

        Raises:
            RefusalError: there is none, or several.
        """
        found = self._contracts.find(asked)
        if len(found) != 1 or asked.text("secType") == "BAG":
            raise RefusalError(NO_CONTRACT, reason=UNKNOWN_CONTRACT)
        return found[0]

    def is_live(self, listing: Listing) -> bool:
        """Whether a contract's market may be seen at once."""
        symbol = listing.product.symbol
        return self.entitlements.get(symbol, Entitlement.LIVE) is Entitlement.LIVE

    def choose_type(self, session: Session, asked: Message) -> None:
        """Take in which kind of data a client wants where it may not see live ones."""
        session.data_type = asked.whole("type") or LIVE

    def ask(self, session: Session, asked: Message) -> None:
        """Tell the prices of a contract, and from then on their changes, unless once is enough."""
        listing, request_id = self.listing_of(asked), asked.whole("reqId") or 0
        is_delayed = not self.is_live(listing)
        session.say(
            "tickReqParams",
            reqId=request_id,
            minTick=listing.min_tick,
            bboExchange="9c0001",
            snapshotPermissions=3,
        )
        if is_delayed and session.data_type not in DELAYED_TYPES:
            what = f"{listing.symbol} {listing.exchange}/TOP/ALL"
            new = session.version >= _NEW_CODES
            code = NOT_SUBSCRIBED if new else NOT_SUBSCRIBED_OLD
            raise RefusalError(code, what=what)
        if is_delayed:
            session.fail(request_id, DELAYED, text_for(DELAYED))
        kind = _DELAYED if is_delayed else LIVE
        session.say("marketDataType", reqId=request_id, type=kind)
        subscription = _Subscription(session, request_id, listing, is_delayed)
        self._tell(subscription)
        if asked.flag("snapshot"):
            session.say("tickSnapshotEnd", reqId=request_id)
        else:
            self._subscriptions[(session, request_id)] = subscription

    def cancel(self, session: Session, asked: Message) -> None:
        """Tell the prices of a contract no more."""
        self._subscriptions.pop((session, asked.whole("reqId") or 0), None)

    def books_changed(self, symbols: set[str]) -> None:
        """Tell who listens what changed."""
        if self.is_cut_off:
            return
        for one in list(self._subscriptions.values()):
            if one.listing.product.symbol in symbols:
                self._tell(one)

    def _tell(self, one: _Subscription) -> None:
        """Tell what of the prices was not told yet."""
        session, request_id = one.session, one.request_id
        numbers = _DELAYED_PRICES if one.is_delayed else _PRICES
        symbol = one.listing.product.symbol
        for name, (price, size) in self._prices(symbol).items():
            if one.told.get(name) == (price, size):
                continue
            one.told[name] = (price, size)
            session.say(
                "tickPrice",
                reqId=request_id,
                tickType=numbers[name],
                price=price,
                size=session.size(size) if name in _SIZED else 0,
                attributes=1 if name in ("bid", "ask") else 0,
            )
            if name == "last":
                moment = self._state.tape.last(symbol).timestamp
                session.say(
                    "tickString",
                    reqId=request_id,
                    tickType=_TIMESTAMP[one.is_delayed],
                    value=int(moment.timestamp()),
                )
        volume = self._state.tape.volume(symbol, day_start(self._state.clock()))
        if volume != one.volume:
            one.volume = volume
            session.say(
                "tickSize",
                reqId=request_id,
                tickType=_VOLUME[one.is_delayed],
                size=session.size(volume),
            )

    def _prices(self, symbol: str) -> dict[str, tuple[Decimal, Decimal]]:
        found: dict[str, tuple[Decimal, Decimal]] = {}
        try:
            quote = self._state.quote(symbol)
        except MarketDataUnavailableError:
            quote = None
        zero = Decimal(0)
        for name in ("bid", "ask"):
            price = None if quote is None else getattr(quote, name)
            size = None if quote is None else getattr(quote, f"{name}_size")
            found[name] = (NO_PRICE, zero) if price is None else (price, size or zero)
        trades = self._state.tape.trades(symbol)
        today = [one for one in trades if one.timestamp >= day_start(self._state.clock())]
        last = trades[0]
        found["last"] = (last.price, last.size)
        found |= _day_prices(today or [last], trades[-1])
        return found


def _day_prices(today: list[Trade], oldest: Trade) -> dict[str, tuple[Decimal, Decimal]]:
    zero = Decimal(0)
    prices = [one.price for one in today]
    return {
        "high": (max(prices), zero),
        "low": (min(prices), zero),
        "close": (oldest.price, zero),
        "open": (prices[-1], zero),
    }
