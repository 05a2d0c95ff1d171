"""What a price feed is: products, and what the market does with them, in time order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from bot_v2.features.brokerages.core.products import Product
from bot_v2.simulation.market import MarketEvent


class PriceFeed(Protocol):
    """A source of market events. A class that has these members is one."""

    @property
    def description(self) -> str:
        """What the feed is, for people: the file, the brokerage, or "synthetic, seed 7"."""
        ...

    @property
    def is_synthetic(self) -> bool:
        """True: the prices are made up, and say nothing of any real market."""
        ...

    @property
    def products(self) -> tuple[Product, ...]:
        """The products that the events are about."""
        ...

    def events(self) -> Iterator[MarketEvent]:
        """Yield what the market does, in the order of `market.event_time`.

        A recorded feed ends, and starts anew at each call. A live or endless one does not end.

        Raises:
            InvalidFieldError: what was read is not usable; the error names the place.
            BrokerageError: the source of a live feed failed; the iterator can be asked again.
        """
        ...
