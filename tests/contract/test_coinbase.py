"""The contract suite on Coinbase's two APIs, over the wire of their simulators."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

import pytest

from bot_v2.features.brokerages.coinbase.factory import class_for
from bot_v2.features.brokerages.coinbase.settings import read_settings
from bot_v2.features.brokerages.core.interfaces import IBrokerage
from bot_v2.features.brokerages.http.transport import HttpTransport
from bot_v2.testing.profile import ContractProfile
from bot_v2.testing.suite import BrokerageContract
from bot_v2.venues.coinbase.exchange_venue import CoinbaseExchangeVenue
from bot_v2.venues.coinbase.venue import CoinbaseVenue
from tests.contract.patience import HANGING_S, PatientTransport

SILENCE_S = 2.5
"""After how long a stream counts as silent, in seconds: two heartbeats and a half."""

ONE_EXIT = "an exit of Coinbase's is one order with two prices, not two orders"


class _OnVenue(BrokerageContract):
    def _settings(self, venue: Any) -> Mapping[str, object]:
        return {}

    @pytest.fixture
    def reopen_brokerage(self, venue: Any) -> Iterator[Callable[[], IBrokerage]]:
        """Makes sessions of the account; all of them end with the test."""
        made: list[IBrokerage] = []
        transports: list[HttpTransport] = []

        def make() -> IBrokerage:
            given = {
                **self._settings(venue),
                "api_base": venue.url,
                "stream_silence_s": SILENCE_S,
            }
            settings = read_settings(given, {})
            transports.append(PatientTransport(venue))
            made.append(class_for(settings)(settings, transport=transports[-1]))
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
    def contract_profile(self, venue: Any) -> ContractProfile:
        """What the suite may know."""
        return ContractProfile(
            symbol=self.symbol,
            secrets=(venue.api_key.secret,),
            health_timeout_s=HANGING_S + 2.0,
            mute_timeout_s=SILENCE_S,
        )

    symbol: ClassVar[str]


class _Advanced(_OnVenue):
    derivatives: ClassVar[bool]

    @pytest.fixture
    def venue(self) -> Iterator[CoinbaseVenue]:
        """Advanced Trade on this machine, with short pages."""
        with CoinbaseVenue(page_max=50) as venue:
            yield venue

    def _settings(self, venue: CoinbaseVenue) -> Mapping[str, object]:
        return {
            "cdp_api_key": venue.api_key.name,
            "cdp_private_key": venue.api_key.secret,
            "enable_derivatives": self.derivatives,
        }


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


class TestExchange(_OnVenue):
    """The Exchange API keeps the contract."""

    symbol = "BTC-USD"
    exemptions: ClassVar = {
        "BC-K050": "a client id is 32 hexadecimal digits, and the check makes shorter ones",
    }

    @pytest.fixture
    def venue(self) -> Iterator[CoinbaseExchangeVenue]:
        """The Exchange API on this machine, with short pages."""
        with CoinbaseExchangeVenue(page_max=50) as venue:
            yield venue

    def _settings(self, venue: CoinbaseExchangeVenue) -> Mapping[str, object]:
        return {
            "api_mode": "exchange",
            "api_key": venue.api_key.key,
            "api_secret": venue.api_key.secret,
            "api_passphrase": venue.api_key.passphrase,
        }
