"""What the channels of the WebSocket say: books, tickers, trades and orders.

Source: https://docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis/websocket/websocket-channels
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Final

from bot_v2.features.brokerages.core.errors import MarketDataUnavailableError
from bot_v2.features.brokerages.core.market_data import Trade
from bot_v2.features.brokerages.core.order_status import LIVE_STATUSES
from bot_v2.features.brokerages.core.orderbook import PriceLevel
from bot_v2.venues.coinbase.candles import CandleMaker
from bot_v2.venues.coinbase.listings import Listing
from bot_v2.venues.coinbase.order_records import OrderWriter
from bot_v2.venues.coinbase.texts import moment_text, plain
from bot_v2.venues.coinbase.tickets import TicketBook
from bot_v2.venues.requests import Record
from bot_v2.venues.state import VenueState

DAY: Final = timedelta(days=1)
SNAPSHOT_TRADES: Final = 20

_Book = dict[tuple[str, Decimal], Decimal]


class Channels:
    """Says what there is to say. Its methods want the venue's lock held.

    Args:
        state: the venue.
        listings: what can be traded, by Coinbase's id.
        tickets: its orders.
        writer: puts orders into words.
        candles: knows the price of a day ago.
    """

    def __init__(
        self,
        state: VenueState,
        listings: Mapping[str, Listing],
        tickets: TicketBook,
        writer: OrderWriter,
        candles: CandleMaker,
    ) -> None:
        """Say nothing yet."""
        self._state = state
        self._listings = listings
        self._by_symbol = {one.product.symbol: one for one in listings.values()}
        self._tickets = tickets
        self._writer = writer
        self._candles = candles
        self._told: dict[str, _Book] = {symbol: self._levels(symbol) for symbol in self._by_symbol}

    @property
    def product_ids(self) -> Collection[str]:
        """What can be listened to."""
        return self._listings.keys()

    # Books

    def book_snapshot(self, product_id: str) -> Record:
        """Say a whole book, as it was told last."""
        symbol = self._listings[product_id].product.symbol
        return self._book_event("snapshot", product_id, self._told[symbol])

    def book_updates(self, symbols: set[str]) -> Iterator[tuple[str, Record]]:
        """Yield what changed of each book since it was told last; a price that is gone has none."""
        for symbol in sorted(symbols & self._by_symbol.keys()):
            before, now = self._told[symbol], self._levels(symbol)
            self._told[symbol] = now
            changed = {key: size for key, size in now.items() if before.get(key) != size}
            gone = dict.fromkeys(before.keys() - now.keys(), Decimal(0))
            product_id = self._by_symbol[symbol].product_id
            if changed or gone:
                yield product_id, self._book_event("update", product_id, {**gone, **changed})

    def _book_event(self, kind: str, product_id: str, levels: _Book) -> Record:
        now = moment_text(self._state.clock(), self._state.skew)
        # The side is "bid" or "offer" in the messages.
        updates: list[Record] = [
            {
                "side": side,
                "event_time": now,
                "price_level": plain(price),
                "new_quantity": plain(size),
            }
            for (side, price), size in levels.items()
        ]
        return {"type": kind, "product_id": product_id, "updates": updates}

    def _levels(self, symbol: str) -> _Book:
        try:
            book = self._state.book(symbol)
        except MarketDataUnavailableError:
            return {}
        return {**_side("bid", book.bids), **_side("offer", book.asks)}

    # Tickers and trades

    def tickers(self, kind: str, products: Sequence[str]) -> Record:
        """Say the latest prices of some products."""
        return {"type": kind, "tickers": [self._ticker(product_id) for product_id in products]}

    def _ticker(self, product_id: str) -> Record:
        listing = self._listings[product_id]
        symbol, now = listing.product.symbol, self._state.clock()
        last = self._state.tape.last(symbol).price
        prices = [trade.price for trade in self._state.tape.since(symbol, now - DAY)] or [last]
        quote = self._state.quote(symbol)
        return {
            "type": "ticker",
            "product_id": product_id,
            "price": plain(last),
            "volume_24_h": plain(self._state.tape.volume(symbol, now - DAY)),
            "low_24_h": plain(min(prices)),
            "high_24_h": plain(max(prices)),
            "low_52_w": plain(min(prices)),
            "high_52_w": plain(max(prices)),
            "price_percent_chg_24_h": plain(self._candles.change(listing, now, last)),
            "best_bid": _told(quote.bid),
            "best_bid_quantity": _told(quote.bid_size),
            "best_ask": _told(quote.ask),
            "best_ask_quantity": _told(quote.ask_size),
        }

    def trades_snapshot(self, products: Sequence[str]) -> Record:
        """Say the latest trades of some products, newest first."""
        told = [
            self._trade(listing, trade)
            for listing in (self._listings[product_id] for product_id in products)
            for trade in self._state.tape.trades(listing.product.symbol)[:SNAPSHOT_TRADES]
        ]
        return {"type": "snapshot", "trades": told}

    def trade_update(self, trade: Trade) -> tuple[str, Record]:
        """Return a trade's product and what is said of it."""
        listing = self._by_symbol[trade.symbol]
        return listing.product_id, self._trade(listing, trade)

    def _trade(self, listing: Listing, trade: Trade) -> Record:
        return {
            "trade_id": trade.trade_id,
            "product_id": listing.product_id,
            "price": plain(trade.price),
            "size": plain(trade.size),
            # The maker's side, as in the market data of the Exchange.
            "side": "SELL" if trade.side is not None and trade.side.name == "BUY" else "BUY",
            "time": moment_text(trade.timestamp, self._state.skew),
        }

    # Orders

    def orders_snapshot(self, products: set[str]) -> Record:
        """Say the live orders; of all products where none is named."""
        told = []
        for ticket in self._tickets.newest_first():
            product_id = ticket.terms.listing.product_id
            progress = self._tickets.progress(ticket)
            if progress.status in LIVE_STATUSES and (not products or product_id in products):
                told.append(self._writer.streamed(ticket, progress, self._state.skew))
        return {"type": "snapshot", "orders": told}

    def order_update(self, leg: str) -> tuple[str, Record] | None:
        """Return an order's product and how it stands. None: it is none of Coinbase's."""
        ticket = self._tickets.by_leg(leg)
        if ticket is None:
            return None
        progress = self._tickets.progress(ticket)
        record = self._writer.streamed(ticket, progress, self._state.skew)
        return ticket.terms.listing.product_id, record


def _side(side: str, levels: Sequence[PriceLevel]) -> _Book:
    return {(side, level.price): level.size for level in levels}


def _told(value: Decimal | None) -> str:
    return "" if value is None else plain(value)
