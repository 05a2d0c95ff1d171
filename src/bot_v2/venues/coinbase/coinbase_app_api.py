"""The few endpoints of the Coinbase App API (v2) that clients of Advanced Trade also ask.

Sources: https://docs.cdp.coinbase.com/coinbase-app/track-apis (currencies, exchange-rates, time),
https://docs.cdp.coinbase.com/coinbase-app/transfer-apis/accounts
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

from bot_v2.features.brokerages.core.decimals import Rounding, divide
from bot_v2.venues.coinbase.listings import FIAT, NAMES, SPOT, Listing
from bot_v2.venues.coinbase.refusals import invalid
from bot_v2.venues.coinbase.texts import moment_text, padded, plain
from bot_v2.venues.ids import seeded_uuid
from bot_v2.venues.requests import ApiRequest, Record
from bot_v2.venues.state import VenueState

PAGE_MAX: Final = 300
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class CoinbaseAppApi:
    """The endpoints of v2.

    Args:
        state: the venue.
        listings: what can be traded, by Coinbase's id.
        seed: what ids are drawn from.
        opened_at: when the accounts were opened.
    """

    def __init__(
        self,
        state: VenueState,
        listings: Mapping[str, Listing],
        seed: int,
        opened_at: datetime,
    ) -> None:
        """Answer for one venue."""
        self._state = state
        self._opened_at = opened_at
        self._seed = seed
        spot = [one for one in listings.values() if one.account == SPOT]
        self._coins = sorted({one.base for one in spot} | {"USDC"})
        self._wallets = ["USD", *self._coins]
        self._priced = {one.base: one.product.symbol for one in spot if one.quote == "USD"}

    def accounts(self, request: ApiRequest) -> Record:
        """Say what is held of each coin that can be traded, a page at a time."""
        ids = [seeded_uuid(self._seed, "account", SPOT, coin) for coin in self._wallets]
        after, limit = request.value("starting_after"), request.value("limit") or "25"
        if not limit.isascii() or not limit.isdigit() or (after is not None and after not in ids):
            raise invalid("invalid limit or starting_after")
        start = 0 if after is None else ids.index(after) + 1
        end = start + min(int(limit) or 25, PAGE_MAX)
        following = ids[end - 1] if end < len(ids) else None
        uri = f"/v2/accounts?limit={limit}&starting_after={following}"
        return {
            "pagination": {
                "ending_before": None,
                "starting_after": after,
                "previous_ending_before": None,
                "next_starting_after": following,
                "limit": int(limit),
                "order": "desc",
                "previous_uri": None,
                "next_uri": None if following is None else uri,
            },
            "data": [self._wallet(coin) for coin in self._wallets[start:end]],
        }

    def _wallet(self, coin: str) -> Record:
        is_fiat = coin in FIAT
        opened = moment_text(self._opened_at, self._state.skew)
        name = seeded_uuid(self._seed, "account", SPOT, coin)
        return {
            "id": name,
            "name": f"{coin} Wallet",
            "primary": is_fiat,
            "type": "fiat" if is_fiat else "wallet",
            "currency": {
                "code": coin,
                "name": NAMES.get(coin, coin),
                "exponent": 2 if is_fiat else 8,
                "type": "fiat" if is_fiat else "crypto",
            },
            "balance": {
                "amount": padded(self._state.accounts[SPOT].balance(coin).total, 8),
                "currency": coin,
            },
            "created_at": opened,
            "updated_at": opened,
            "resource": "account",
            "resource_path": f"/v2/accounts/{name}",
            "allow_deposits": True,
            "allow_withdrawals": True,
        }

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
