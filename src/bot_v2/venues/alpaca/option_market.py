"""The market of options while the market of shares moves: premiums follow the share."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from bot_v2.features.brokerages.core.decimals import EXACT
from bot_v2.features.brokerages.core.errors import MarketDataUnavailableError
from bot_v2.features.brokerages.core.orderbook import Orderbook
from bot_v2.venues.alpaca.catalogue import Catalogue
from bot_v2.venues.alpaca.engines import OPENING_VALUE, OPTION_LEVELS
from bot_v2.venues.alpaca.hours import eastern_day
from bot_v2.venues.alpaca.listings import Listing
from bot_v2.venues.alpaca.options import premium
from bot_v2.venues.market import opening_book
from bot_v2.venues.state import VenueState

HALF: Final = Decimal("0.5")


class OptionMarket:
    """Prices options by their shares.

    Args:
        state: the venue.
        catalogue: what is listed.
        seed: what the sizes of books are drawn from.
    """

    def __init__(self, state: VenueState, catalogue: Catalogue, seed: int) -> None:
        """Leave the premiums as they are, until a share moves."""
        self._state = state
        self._seed = seed
        self._catalogue = catalogue
        self._contracts: dict[str, list[Listing]] = {}
        for one in catalogue.listings:
            if one.is_option and one.is_active:
                self._contracts.setdefault(one.underlying, []).append(one)
        self._prices = {name: self._price(name) for name in self._contracts}

    def follow(self) -> bool:
        """Price the options on what moved; the venue's lock is held."""
        for name, contracts in self._contracts.items():
            price = self._price(name)
            if price is not None and price != self._prices[name]:
                self._prices[name] = price
                self._state.show(self._books(price, contracts))
        # What was shown was told by itself.
        return False

    def _price(self, name: str) -> Decimal | None:
        share = self._catalogue.find(name)
        if share is None:
            return None
        try:
            quote = self._state.quote(share.product.symbol)
        except MarketDataUnavailableError:
            return None
        if quote.bid is None or quote.ask is None:
            return None
        return EXACT.multiply(EXACT.add(quote.bid, quote.ask), HALF)

    def _books(self, price: Decimal, contracts: list[Listing]) -> Iterator[Orderbook]:
        now = self._state.clock()
        for one in contracts:
            product = one.product
            if product.strike is None or product.right is None or product.expiry is None:
                continue
            days = (product.expiry - eastern_day(now)).days
            worth = premium(price, product.strike, product.right, days)
            yield opening_book(product, worth, OPENING_VALUE, now, self._seed, OPTION_LEVELS)
