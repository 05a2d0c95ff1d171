"""The few endpoints of the Coinbase App API (v2) that clients of Advanced Trade also ask.

Source: https://docs.cdp.coinbase.com/coinbase-app/track-apis (currencies, exchange-rates, time)
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

from bot_v2.features.brokerages.core.decimals import Rounding, divide
from bot_v2.venues.coinbase.keys import seeded_uuid
from bot_v2.venues.coinbase.listings import FIAT, NAMES, SPOT, Listing
from bot_v2.venues.coinbase.texts import plain
from bot_v2.venues.requests import ApiRequest, Record
from bot_v2.venues.state import VenueState

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class CoinbaseAppApi:
    """The endpoints of v2.

    Args:
        state: the venue.
        listings: what can be traded, by Coinbase's id.
        seed: what ids are drawn from.
    """

    def __init__(self, state: VenueState, listings: Mapping[str, Listing], seed: int) -> None:
        """Answer for one venue."""
        self._state = state
        self._seed = seed
        spot = [one for one in listings.values() if one.account == SPOT]
        self._coins = sorted({one.base for one in spot} | {"USDC"})
        self._priced = {one.base: one.product.symbol for one in spot if one.quote == "USD"}

    def time(self, _: ApiRequest) -> Record:
        """Say the time."""
        now = self._state.clock() + self._state.skew
        seconds = (now - EPOCH) // timedelta(seconds=1)
        return {"data": {"iso": f"{now:%Y-%m-%dT%H:%M:%SZ}", "epoch": seconds}}

    def currencies(self, _: ApiRequest) -> Record:
        """Say the currencies of states."""
        told = [
            {"id": one, "name": NAMES.get(one, one), "min_size": "0.01"} for one in sorted(FIAT)
        ]
        return {"data": told}

    def coins(self, _: ApiRequest) -> Record:
        """Say the coins."""
        told: list[Record] = [
            {
                "asset_id": seeded_uuid(self._seed, "asset", coin),
                "code": coin,
                "name": NAMES.get(coin, coin),
                "color": "#000000",
                "sort_index": place + 100,
                "exponent": 8,
                "type": "crypto",
            }
            for place, coin in enumerate(self._coins)
        ]
        return {"data": told}

    def exchange_rates(self, request: ApiRequest) -> Record:
        """Say how much of each coin a US dollar buys."""
        currency = request.value("currency") or "USD"
        rates = {"USD": "1", "USDC": "1"}
        for coin, symbol in self._priced.items():
            price = self._state.tape.last(symbol).price
            rates[coin] = plain(divide(Decimal(1), price, 16, Rounding.HALF_EVEN))
        return {"data": {"currency": currency, "rates": rates if currency == "USD" else {}}}
