"""What the channels of the Exchange API's feed say of the market.

Source: https://docs.cdp.coinbase.com/exchange/websocket-feed/channels
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Final

from bot_v2.features.brokerages.core.market_data import Trade
from bot_v2.features.brokerages.core.order_terms import OrderSide
from bot_v2.venues.coinbase.exchange_market import ExchangeMarket
from bot_v2.venues.coinbase.listings import Listing
from bot_v2.venues.coinbase.sequences import Sequences
from bot_v2.venues.coinbase.texts import moment_text, padded, plain
from bot_v2.venues.coinbase.told_books import Levels, ToldBooks
from bot_v2.venues.ids import seeded_uuid
from bot_v2.venues.requests import Record
from bot_v2.venues.state import VenueState

DAY: Final = timedelta(days=1)
MONTH: Final = timedelta(days=30)


class ExchangeChannels:
    """Says what there is to say of products. Its methods want the venue's lock held.

    Args:
        state: the venue.
        listings: what can be traded, by product id.
        market: says what products and currencies are.
        sequences: numbers the messages.
        seed: what the ids of the market's own orders are drawn from.
    """

    def __init__(
        self,
        state: VenueState,
        listings: Mapping[str, Listing],
        market: ExchangeMarket,
        sequences: Sequences,
        seed: int,
    ) -> None:
        """Take the books as they are for told."""
        self._state = state
        self._listings = listings
        self._market = market
        self._sequences = sequences
        self._seed = seed
        self._by_symbol = {one.product.symbol: one.product_id for one in listings.values()}
        self._books = ToldBooks(state, self._by_symbol)

    @property
    def product_ids(self) -> Collection[str]:
        """What can be listened to."""
        return self._listings.keys()

    def status(self) -> Record:
        """Say all products and currencies."""
        return {
            "type": "status",
            "products": self._market.all_products(),
            "currencies": self._market.all_currencies(),
        }

    def heartbeat(self, product_id: str) -> Record:
        """Say that the feed lives, and how far a product's numbers have come."""
        last = self._state.tape.last(self._symbol(product_id))
        return {
            "type": "heartbeat",
            "sequence": self._sequences.last(product_id),
            "last_trade_id": int(last.trade_id or 0),
            "product_id": product_id,
            "time": self._now(),
        }

    # Books

    def book_snapshot(self, product_id: str) -> Record:
        """Say a whole book, as it was told last."""
        told = self._books.told(self._symbol(product_id))

        def side(*, is_bid: bool) -> list[list[str]]:
            levels = [(price, size) for (bid, price), size in told.items() if bid is is_bid]
            return [[padded(price, 8), padded(size, 8)] for price, size in levels]

        return {
            "type": "snapshot",
            "product_id": product_id,
            "bids": side(is_bid=True),
            "asks": side(is_bid=False),
        }

    def book_changes(self, symbols: set[str]) -> Iterator[tuple[str, Levels, Levels]]:
        """Yield what changed of each book since it was told last, and what was there before."""
        for symbol in sorted(symbols & self._by_symbol.keys()):
            before = self._books.told(symbol)
            changed = self._books.changes(symbol)
            if changed:
                yield self._by_symbol[symbol], changed, before

    def book_update(self, product_id: str, changed: Levels) -> Record:
        """Say what changed of a book."""
        return {
            "type": "l2update",
            "product_id": product_id,
            "changes": [
                ["buy" if is_bid else "sell", padded(price, 8), padded(size, 8)]
                for (is_bid, price), size in changed.items()
            ],
            "time": self._now(),
        }

    def level_orders(self, product_id: str, changed: Levels, before: Levels) -> Iterator[Record]:
        """Say the same as of single orders: the market's own are one at each price."""
        for (is_bid, price), size in changed.items():
            known = before.get((is_bid, price))
            record: Record = {
                "time": self._now(),
                "sequence": self._sequences.next(product_id),
                "order_id": seeded_uuid(self._seed, "resting", product_id, price),
                "product_id": product_id,
                "side": "buy" if is_bid else "sell",
                "price": padded(price, 8),
            }
            if known is None:
                yield {"type": "open", "remaining_size": padded(size, 8), **record}
            elif size:
                sizes = {"old_size": padded(known, 8), "new_size": padded(size, 8)}
                yield {"type": "change", "reason": "STP", **sizes, **record}
            else:
                gone = {"reason": "canceled", "remaining_size": padded(known, 8)}
                yield {"type": "done", **gone, **record}

    # Tickers and trades

    def ticker(self, product_id: str) -> Record:
        """Say the latest prices of a product."""
        symbol, now = self._symbol(product_id), self._state.clock()
        tape = self._state.tape
        last, quote = tape.last(symbol), self._state.quote(symbol)
        prices = [trade.price for trade in tape.since(symbol, now - DAY)] or [last.price]
        return {
            "type": "ticker",
            "sequence": self._sequences.last(product_id),
            "product_id": product_id,
            "price": plain(last.price),
            "open_24h": plain(prices[-1]),
            "volume_24h": plain(tape.volume(symbol, now - DAY)),
            "low_24h": plain(min(prices)),
            "high_24h": plain(max(prices)),
            "volume_30d": plain(tape.volume(symbol, now - MONTH)),
            "best_bid": plain(quote.bid or Decimal(0)),
            "best_bid_size": padded(quote.bid_size or Decimal(0), 8),
            "best_ask": plain(quote.ask or Decimal(0)),
            "best_ask_size": padded(quote.ask_size or Decimal(0), 8),
            "side": "buy" if last.side is OrderSide.BUY else "sell",
            "time": moment_text(last.timestamp, self._state.skew),
            "trade_id": int(last.trade_id or 0),
            "last_size": padded(last.size, 8),
        }

    def last_match(self, product_id: str) -> Record:
        """Say the latest trade, to who begins to listen."""
        return {
            **self._match(self._state.tape.last(self._symbol(product_id))),
            "type": "last_match",
        }

    def match(self, trade: Trade) -> tuple[str, Record]:
        """Return a trade's product, and what is said of it."""
        record = self._match(trade)
        return self._by_symbol[trade.symbol], record

    def _match(self, trade: Trade) -> Record:
        product_id = self._by_symbol[trade.symbol]
        number = trade.trade_id or ""
        return {
            "type": "match",
            "trade_id": int(number),
            "maker_order_id": seeded_uuid(self._seed, "maker", product_id, number),
            "taker_order_id": seeded_uuid(self._seed, "taker", product_id, number),
            # The maker's side.
            "side": "sell" if trade.side is OrderSide.BUY else "buy",
            "size": padded(trade.size, 8),
            "price": padded(trade.price, 8),
            "product_id": product_id,
            "sequence": self._sequences.last(product_id),
            "time": moment_text(trade.timestamp, self._state.skew),
        }

    def _symbol(self, product_id: str) -> str:
        return self._listings[product_id].product.symbol

    def _now(self) -> str:
        return moment_text(self._state.clock(), self._state.skew)
