"""The depth of a market, and single trades and quotes as they happen."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import attrs

from bot_v2.features.brokerages.core.decimals import EXACT
from bot_v2.features.brokerages.core.errors import MarketDataUnavailableError
from bot_v2.features.brokerages.core.market_data import Trade
from bot_v2.features.brokerages.core.orderbook import PriceLevel
from bot_v2.venues.tws.codes import NO_DEPTH, TICK_TYPES, RefusalError
from bot_v2.venues.tws.contract_book import venue_of
from bot_v2.venues.tws.gateway import Request, reads
from bot_v2.venues.tws.listings import Listing
from bot_v2.venues.tws.quotes_api import QuotesApi
from bot_v2.venues.tws.schema import Message
from bot_v2.venues.tws.session import Session
from bot_v2.venues.tws.state import TwsState

INSERT: Final = 0
UPDATE: Final = 1
DELETE: Final = 2
ASK_SIDE: Final = 0
BID_SIDE: Final = 1
ROWS_MAX: Final = 20

_TICKS: Final = {"Last": 1, "AllLast": 2, "BidAsk": 3, "MidPoint": 4}


@attrs.define
class _Depth:
    session: Session
    request_id: int
    listing: Listing
    rows: int
    is_smart: bool
    told: dict[int, list[PriceLevel]] = attrs.field(factory=lambda: {ASK_SIDE: [], BID_SIDE: []})


@attrs.define
class _Ticks:
    session: Session
    request_id: int
    listing: Listing
    kind: int
    told: tuple[Decimal | None, ...] = ()


class DepthApi:
    """Tells books and ticks.

    Args:
        state: the venue.
        quotes: knows what may be seen.
    """

    def __init__(self, state: TwsState, quotes: QuotesApi) -> None:
        """Tell nobody yet."""
        self._state = state
        self._quotes = quotes
        self._depths: dict[tuple[Session, int], _Depth] = {}
        self._ticks: dict[tuple[Session, int], _Ticks] = {}

    def requests(self) -> list[Request]:
        """Return what can be asked."""
        return reads(
            {
                "reqMktDepth": ("get_orderbook", self.ask_depth),
                "cancelMktDepth": ("", self.cancel_depth),
                "reqTickByTickData": ("stream_quotes list_trades", self.ask_ticks),
                "cancelTickByTickData": ("", self.cancel_ticks),
            }
        )

    def forget(self, session: Session) -> None:
        """Let go of what a client asked for."""
        self._depths = {key: one for key, one in self._depths.items() if key[0] is not session}
        self._ticks = {key: one for key, one in self._ticks.items() if key[0] is not session}

    def drop_all(self) -> None:
        """Let go of what everyone asked for: the data are lost."""
        self._depths.clear()
        self._ticks.clear()

    def ask_depth(self, session: Session, asked: Message) -> None:
        """Tell the best rows of a book, and from then on their changes."""
        listing = self._quotes.listing_of(asked)
        if not self._quotes.is_live(listing):
            raise RefusalError(NO_DEPTH)
        request_id = asked.whole("reqId") or 0
        rows = min(asked.whole("rows") or ROWS_MAX, ROWS_MAX)
        one = _Depth(session, request_id, listing, rows, asked.flag("isSmartDepth"))
        self._depths[(session, request_id)] = one
        self._tell_depth(one)

    def cancel_depth(self, session: Session, asked: Message) -> None:
        """Tell a book no more."""
        self._depths.pop((session, asked.whole("reqId") or 0), None)

    def ask_ticks(self, session: Session, asked: Message) -> None:
        """Tell single trades, quotes or mid prices from now on; the quotes of now at once."""
        listing, kind = self._quotes.listing_of(asked), _TICKS.get(asked.text("tickType"))
        if kind is None or not self._quotes.is_live(listing):
            why = "No market data permissions" if kind else "Unknown tick type"
            raise RefusalError(TICK_TYPES, reason=why)
        request_id = asked.whole("reqId") or 0
        one = _Ticks(session, request_id, listing, kind)
        self._ticks[(session, request_id)] = one
        self._tell_quote(one)

    def cancel_ticks(self, session: Session, asked: Message) -> None:
        """Tell ticks no more."""
        self._ticks.pop((session, asked.whole("reqId") or 0), None)

    def books_changed(self, symbols: set[str]) -> None:
        """Tell who listens what changed."""
        if self._quotes.is_cut_off:
            return
        for depth in list(self._depths.values()):
            if depth.listing.product.symbol in symbols:
                self._tell_depth(depth)
        for ticks in list(self._ticks.values()):
            if ticks.listing.product.symbol in symbols:
                self._tell_quote(ticks)

    def traded(self, trades: list[Trade]) -> None:
        """Tell who listens to trades."""
        if self._quotes.is_cut_off:
            return
        for trade in trades:
            for one in list(self._ticks.values()):
                if one.kind in (1, 2) and one.listing.product.symbol == trade.symbol:
                    one.session.say(
                        "tickByTick",
                        reqId=one.request_id,
                        type=one.kind,
                        time=int(trade.timestamp.timestamp()),
                        price=trade.price,
                        size=one.session.size(trade.size),
                        exchange=venue_of(one.listing, ""),
                    )

    def _tell_quote(self, one: _Ticks) -> None:
        if one.kind in (1, 2):
            return
        try:
            quote = self._state.quote(one.listing.product.symbol)
        except MarketDataUnavailableError:
            return
        told = (quote.bid, quote.ask, quote.bid_size, quote.ask_size)
        if one.told == told or quote.bid is None or quote.ask is None:
            return
        one.told = told
        row: dict[str, object]
        if one.kind == _TICKS["BidAsk"]:
            row = {
                "bid": quote.bid,
                "ask": quote.ask,
                "bidSize": one.session.size(quote.bid_size or Decimal(0)),
                "askSize": one.session.size(quote.ask_size or Decimal(0)),
            }
        else:
            total = EXACT.add(quote.bid, quote.ask)
            row = {"mid": EXACT.multiply(total, Decimal("0.5"))}
        one.session.say(
            "tickByTick",
            reqId=one.request_id,
            type=one.kind,
            time=int(self._state.clock().timestamp()),
            **row,
        )

    def _tell_depth(self, one: _Depth) -> None:
        try:
            book = self._state.book(one.listing.product.symbol)
        except MarketDataUnavailableError:
            return
        for side, levels in ((ASK_SIDE, book.asks), (BID_SIDE, book.bids)):
            now, before = list(levels[: one.rows]), one.told[side]
            for place in reversed(range(len(now), len(before))):
                self._say_row(one, place, DELETE, side, before[place])
            for place, level in enumerate(now):
                if place >= len(before):
                    self._say_row(one, place, INSERT, side, level)
                elif before[place] != level:
                    self._say_row(one, place, UPDATE, side, level)
            one.told[side] = now

    def _say_row(
        self, one: _Depth, place: int, operation: int, side: int, level: PriceLevel
    ) -> None:
        row = {
            "reqId": one.request_id,
            "position": place,
            "operation": operation,
            "side": side,
            "price": level.price,
            "size": one.session.size(level.size),
        }
        if one.is_smart:
            maker = venue_of(one.listing, "")
            one.session.say("updateMktDepthL2", **row, marketMaker=maker, isSmartDepth=True)
        else:
            one.session.say("updateMktDepth", **row)
