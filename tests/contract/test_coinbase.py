"""The contract suite on Coinbase, over the wire of the simulator."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import ClassVar

import pytest

from bot_v2.features.brokerages.coinbase.adapter import CoinbaseBrokerage
from bot_v2.features.brokerages.coinbase.settings import read_settings
from bot_v2.features.brokerages.core.interfaces import IBrokerage
from bot_v2.features.brokerages.http.settings import HttpSettings
from bot_v2.features.brokerages.http.transport import HttpTransport
from bot_v2.testing.profile import ContractProfile
from bot_v2.testing.suite import BrokerageContract
from bot_v2.venues.coinbase.venue import CoinbaseVenue

TIMEOUT_S = 0.3

ONE_EXIT = "an exit of Coinbase's is one order with two prices, not two orders"


@pytest.fixture
def venue() -> Iterator[CoinbaseVenue]:
    """Coinbase on this machine."""
    with CoinbaseVenue(page_max=50) as venue:
        yield venue


class _Advanced(BrokerageContract):
    derivatives: ClassVar[bool]
    symbol: ClassVar[str]

    @pytest.fixture
    def reopen_brokerage(self, venue: CoinbaseVenue) -> Iterator[Callable[[], IBrokerage]]:
        """Makes sessions of the account; all of them end with the test."""
        made: list[IBrokerage] = []
        transports: list[HttpTransport] = []

        def make() -> IBrokerage:
            given = {
                "cdp_api_key": venue.api_key.name,
                "cdp_private_key": venue.api_key.secret,
                "api_base": venue.url,
                "enable_derivatives": self.derivatives,
                "timeout_s": TIMEOUT_S,
            }
            # Without quotas: they would have each check wait as long as the venue asks to.
            bounds = HttpSettings(read_budget_s=TIMEOUT_S, total_timeout_s=TIMEOUT_S)
            transport = HttpTransport(bounds)
            transports.append(transport)
            made.append(CoinbaseBrokerage(read_settings(given, {}), transport=transport))
            return made[-1]

        yield make
        for broker in made:
            broker.disconnect()
        for transport in transports:
            transport.close()

    @pytest.fixture
    def brokerage(self, reopen_brokerage: Callable[[], IBrokerage]) -> IBrokerage:
        """A session of the account, not yet connected."""
        return reopen_brokerage()

    @pytest.fixture
    def contract_profile(self, venue: CoinbaseVenue) -> ContractProfile:
        """What the suite may know."""
        return ContractProfile(
            symbol=self.symbol,
            secrets=(venue.api_key.secret,),
            health_timeout_s=2 * TIMEOUT_S + 0.5,
        )


class TestSpot(_Advanced):
    """Spot on Advanced Trade keeps the contract."""

    derivatives = False
    symbol = "BTC-USD"
    exemptions: ClassVar = {
        "BC-BR020": ONE_EXIT,
        "BC-BR030": ONE_EXIT,
        "BC-OF070": "a market sale is sized in the coin",
    }


class TestPerpetuals(_Advanced):
    """Perpetuals on Advanced Trade keep the contract."""

    derivatives = True
    symbol = "BTC-USDC-PERP"
    exemptions: ClassVar = {
        **dict.fromkeys(
            ("BC-MO010", "BC-MO020", "BC-MO030", "BC-MO040", "BC-MO050", "BC-X090"),
            "Coinbase changes no orders of contracts (CANNOT_EDIT_FUTURES_ORDER)",
        ),
        "BC-BR020": ONE_EXIT,
        "BC-BR030": ONE_EXIT,
        "BC-OF070": "a market sale is sized in the coin",
    }
