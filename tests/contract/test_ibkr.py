"""The contract suite on Interactive Brokers, over the socket of a simulated TWS."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import count
from typing import ClassVar

import pytest

from bot_v2.features.brokerages.core.interfaces import IBrokerage
from bot_v2.features.brokerages.core.order_terms import Leg, OrderSide
from bot_v2.features.brokerages.ibkr.adapter import IbkrBrokerage
from bot_v2.features.brokerages.ibkr.settings import read_settings
from bot_v2.testing.profile import ContractProfile
from bot_v2.testing.suite import BrokerageContract
from bot_v2.venues.tws.venue import ACCOUNT, TwsVenue

TIMEOUT_S = 0.5

_OTHER_CLIENT = "TWS lets no other client cancel an order, and a second session is another client"
_TWO_MESSAGES = "a pair is two messages, which TWS counts as two orders"


class _OnVenue(BrokerageContract):
    symbol: ClassVar[str]
    more: ClassVar[Mapping[str, object]] = {}
    accounts: ClassVar[tuple[str, ...]] = (ACCOUNT,)

    @pytest.fixture
    def venue(self) -> Iterator[TwsVenue]:
        """A TWS on this machine."""
        with TwsVenue(accounts=self.accounts) as venue:
            yield venue

    @pytest.fixture
    def reopen_brokerage(self, venue: TwsVenue) -> Iterator[Callable[[], IBrokerage]]:
        """Makes sessions of the account, each a client of its own; they end with the test."""
        made: list[IBrokerage] = []
        numbers = count(1)

        def make() -> IBrokerage:
            settings = read_settings(
                {
                    "port": venue.port,
                    "client_id": next(numbers),
                    "environment": "simulator",
                    "account_id": self.accounts[0],
                    "timeout_s": TIMEOUT_S,
                    "depth_quiet_s": 0.02,
                    # As many as it takes: with TWS's own limit checks would take minutes.
                    "requests_per_s": 100_000,
                },
                {},
            )
            made.append(IbkrBrokerage(settings))
            return made[-1]

        yield make
        for broker in made:
            broker.disconnect()

    @pytest.fixture
    def brokerage(self, reopen_brokerage: Callable[[], IBrokerage]) -> IBrokerage:
        """A session of the account, not yet connected."""
        return reopen_brokerage()

    @pytest.fixture
    def contract_profile(self, venue: TwsVenue) -> ContractProfile:
        """What the suite may know."""
        return ContractProfile(
            symbol=self.symbol,
            health_timeout_s=2 * TIMEOUT_S + 0.5,
            option_underlying="AAPL",
            **self.more,
        )

    exemptions: ClassVar = {
        "BC-R090": _OTHER_CLIENT,
        "BC-OO040": _TWO_MESSAGES,
        "BC-X100": _TWO_MESSAGES,
    }


class TestStocks(_OnVenue):
    """US stocks keep the contract."""

    symbol = "AAPL"
    accounts = (ACCOUNT, "DU1000002")
    more: ClassVar = {
        "legs": (
            Leg(symbol="AAPL-20280121-170-C", side=OrderSide.BUY),
            Leg(symbol="AAPL-20280121-180-C", side=OrderSide.SELL),
        )
    }


class TestFutures(_OnVenue):
    """Futures keep the contract."""

    symbol = "ES-20280317"


class TestOptions(_OnVenue):
    """Options keep the contract."""

    symbol = "AAPL-20280121-172.5-C"


class TestForex(_OnVenue):
    """Pairs of currencies keep the contract."""

    symbol = "EUR-USD"
