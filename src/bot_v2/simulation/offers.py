"""What the market offers and seeks now, and how an order would take it."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Final

import attrs

from bot_v2.features.brokerages.core.decimals import EXACT, Rounding
from bot_v2.features.brokerages.core.increments import quantize_quantity
from bot_v2.features.brokerages.core.order_terms import OrderSide
from bot_v2.features.brokerages.core.products import Product

ZERO: Final = Decimal(0)


@attrs.define(weakref_slot=False)
class Offer:
    """What is left on offer at a price; taking it leaves less."""

    price: Decimal
    """In quote currency per unit."""
    size: Decimal | None
    """In order units. None: without limit."""


@attrs.define(weakref_slot=False)
class Market:
    """The prices of one product as last heard, and what of them is not taken yet.

    Where the feed has trades or candles and no quotes, one offer stands on both sides: the size
    that was traded, at the price that it was traded at.
    """

    bids: list[Offer] = attrs.field(factory=list)
    """What is sought, highest price first."""
    asks: list[Offer] = attrs.field(factory=list)
    """What is offered, lowest price first."""
    bid: Decimal | None = None
    """The best bid as last heard, taken since or not. None: none heard of."""
    ask: Decimal | None = None
    """The best ask as last heard, taken since or not. None: none heard of."""
    last: Decimal | None = None
    """The latest trade's price. None: none heard of."""
    quoted: bool = False
    """True: bids and asks come from quotes or books."""
    timestamp: datetime | None = None
    """When something was last heard. None: never."""
    halted: bool = False
    """True: trading is suspended."""

    def side_for(self, side: OrderSide) -> list[Offer]:
        """Return what an order of that side takes, best first; what is used up is dropped."""
        offers = self.asks if side is OrderSide.BUY else self.bids
        while offers and offers[0].size is not None and offers[0].size <= 0:
            offers.pop(0)
        return offers

    def heard_for(self, side: OrderSide) -> Decimal | None:
        """Return the best price as last heard that an order of that side would take."""
        return self.ask if side is OrderSide.BUY else self.bid

    def price_for(self, side: OrderSide) -> Decimal | None:
        """Return what an order of that side would pay or get now. None: nobody knows."""
        offers = self.side_for(side)
        if offers:
            return offers[0].price
        heard = self.heard_for(side)
        return heard if heard is not None else self.last

    def mark(self) -> Decimal | None:
        """Return the price that things are valued at: the latest trade, else the mid."""
        if self.last is not None:
            return self.last
        bid, ask = self.bid, self.ask
        if bid is None or ask is None:
            return bid if ask is None else ask
        return EXACT.multiply(EXACT.add(bid, ask), Decimal("0.5"))

    def put_quotes(self, bids: list[Offer], asks: list[Offer]) -> None:
        """Let new quotes stand instead of all that stood before."""
        self.quoted = True
        self.bids, self.asks = bids, asks
        self.bid = bids[0].price if bids else None
        self.ask = asks[0].price if asks else None

    def put_one(self, offer: Offer) -> None:
        """Let one offer stand on both sides: whoever takes it leaves less to the other side."""
        self.bids = [offer]
        self.asks = [offer]


def is_within(side: OrderSide, price: Decimal, limit: Decimal | None) -> bool:
    """Return whether a price is no worse than an order's limit."""
    if limit is None:
        return True
    return price <= limit if side is OrderSide.BUY else price >= limit


def offered_within(
    product: Product, offers: list[Offer], side: OrderSide, limit: Decimal
) -> Decimal | None:
    """Return how much is on offer at no worse than the limit, in whole steps. None: no limit."""
    total = ZERO
    for offer in offers:
        if not is_within(side, offer.price, limit):
            break
        if offer.size is None:
            return None
        total = EXACT.add(total, offer.size)
    return quantize_quantity(product, total, Rounding.DOWN)


def take_within(offers: list[Offer], quantity: Decimal) -> None:
    """Use up a quantity of the offers, best first; the caller knows that there is as much."""
    for offer in offers:
        if offer.size is None:
            return
        taken = min(offer.size, quantity)
        offer.size = EXACT.subtract(offer.size, taken)
        quantity = EXACT.subtract(quantity, taken)
        if not quantity:
            return
