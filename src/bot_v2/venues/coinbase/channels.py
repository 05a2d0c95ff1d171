"""What the channels of the WebSocket say: books, tickers, trades and orders.

Source: https://docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis/websocket/websocket-channels
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

from bot_v2.features.brokerages.core.market_data import Trade
from bot_v2.features.brokerages.core.order_status import LIVE_STATUSES
from bot_v2.venues.coinbase.candles import CandleMaker
from bot_v2.venues.coinbase.listings import Listing
from bot_v2.venues.coinbase.order_records import PRODUCT_TYPES, OrderWriter
from bot_v2.venues.coinbase.texts import moment_text, plain
from bot_v2.venues.coinbase.tickets import TicketBook
from bot_v2.venues.coinbase.told_books import Levels, ToldBooks
from bot_v2.venues.requests import Record
from bot_v2.venues.state import VenueState

DAY: Final = timedelta(days=1)
SNAPSHOT_TRADES: Final = 20

ORDERS_MAX: Final = 50
"""How many orders a message tells at most, of those that are live when it begins."""

CANDLE: Final = timedelta(minutes=5)
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Channels:
    """Says what there is to say. Its methods want the venue's lock held.

    Args:
        state: the venue.
        listings: what can be traded, by Coinbase's id.
        tickets: its orders.
        writer: puts orders into words.
        candles: makes candles, and knows the price of a day ago.
        balance: says what US futures are held with.
    """

    def __init__(
        self,
        state: VenueState,
        listings: Mapping[str, Listing],
        tickets: TicketBook,
        writer: OrderWriter,
        candles: CandleMaker,
        balance: Callable[[], Record],
    ) -> None:
        """Say nothing yet."""
        self._state = state
        self._listings = listings
        self._by_symbol = {one.product.symbol: one for one in listings.values()}
        self._tickets = tickets
        self._writer = writer
        self._candles = candles
        self._balance = balance
        self._books = ToldBooks(state, self._by_symbol)

    @property
    def product_ids(self) -> Collection[str]:
        """What can be listened to."""
        return self._listings.keys()

    def product_of(self, symbol: str) -> str:
        """Return the product's id of a symbol."""
        return self._by_symbol[symbol].product_id

    # Books

    def book_snapshot(self, product_id: str) -> Record:
        """Say a whole book, as it was told last."""
        symbol = self._listings[product_id].product.symbol
        return self._book_event("snapshot", product_id, self._books.told(symbol))

    def book_updates(self, symbols: set[str]) -> Iterator[tuple[str, Record]]:
        """Yield what changed of each book since it was told last."""
        for symbol in sorted(symbols & self._by_symbol.keys()):
            changed, product_id = self._books.changes(symbol), self.product_of(symbol)
            if changed:
                yield product_id, self._book_event("update", product_id, changed)

    def _book_event(self, kind: str, product_id: str, levels: Levels) -> Record:
        now = moment_text(self._state.clock(), self._state.skew)
        # The side is "bid" or "offer" in the messages.
        updates: list[Record] = [
            {
                "side": "bid" if is_bid else "offer",
                "event_time": now,
                "price_level": plain(price),
                "new_quantity": plain(size),
            }
            for (is_bid, price), size in levels.items()
        ]
        return {"type": kind, "product_id": product_id, "updates": updates}

    # Products, candles and balances

    def status(self, products: Sequence[str]) -> Record:
        """Say what some products are."""
        return {"type": "snapshot", "products": [self._status(one) for one in products]}

    def _status(self, product_id: str) -> Record:
        listing = self._listings[product_id]
        product = listing.product
        return {
            "product_type": PRODUCT_TYPES[listing.account],
            "id": product_id,
            "base_currency": listing.base,
            "quote_currency": listing.quote,
            "base_increment": plain(product.size_increment or Decimal(0)),
            "quote_increment": plain(product.price_increment or Decimal(0)),
            "display_name": f"{listing.base}/{listing.quote}",
            "status": "online",
            "status_message": "",
            "min_market_funds": plain(product.min_notional or Decimal(0)),
        }

    def candles(self, kind: str, products: Sequence[str]) -> Record:
        """Say the candle of five minutes that forms now, of some products."""
        return {"type": kind, "candles": [self._candle(one) for one in products]}

    def _candle(self, product_id: str) -> Record:
        now = self._state.clock()
        start = now - (now - EPOCH) % CANDLE
        made = self._candles.between(self._listings[product_id], start, now, CANDLE, now)[-1]
        return {
            "start": str((made.start - EPOCH) // timedelta(seconds=1)),
            "high": plain(made.high),
            "low": plain(made.low),
            "open": plain(made.open),
            "close": plain(made.close),
            "volume": plain(made.volume),
            "product_id": product_id,
        }

    def futures_balance(self, kind: str) -> Record:
        """Say what US futures are held with."""
        return {"type": kind, "fcm_balance_summary": _bare(self._balance())}

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

    def orders_snapshots(self, products: set[str]) -> list[Record]:
        """Say the live orders, fifty at a time; of all products where none is named."""
        told: list[Record] = []
        for ticket in self._tickets.newest_first():
            product_id = ticket.terms.listing.product_id
            progress = self._tickets.progress(ticket)
            if progress.status in LIVE_STATUSES and (not products or product_id in products):
                told.append(self._writer.streamed(ticket, progress, self._state.skew))
        # A page that is not full is the last: where all are, an empty one follows.
        starts = range(0, len(told) + 1, ORDERS_MAX)
        return [{"type": "snapshot", "orders": told[at : at + ORDERS_MAX]} for at in starts]

    def order_update(self, leg: str) -> tuple[str, Record] | None:
        """Return an order's product and how it stands. None: it is none of Coinbase's."""
        ticket = self._tickets.by_leg(leg)
        if ticket is None:
            return None
        progress = self._tickets.progress(ticket)
        record = self._writer.streamed(ticket, progress, self._state.skew)
        return ticket.terms.listing.product_id, record


def _bare(record: Mapping[str, object]) -> Record:
    """Return a record with each amount as its number alone: streams tell no currency."""
    return {
        name: (value["value"] if "value" in value else _bare(value))
        if isinstance(value, dict)
        else value
        for name, value in record.items()
    }


def _told(value: Decimal | None) -> str:
    return "" if value is None else plain(value)
