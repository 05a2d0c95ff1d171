"""The contract suite on Interactive Brokers, over the socket of a simulated TWS."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from itertools import count
from typing import ClassVar, Final

import attrs
import pytest

from bot_v2.features.brokerages.core.interfaces import IBrokerage
from bot_v2.features.brokerages.core.order_terms import Leg, OrderSide
from bot_v2.features.brokerages.ibkr.adapter import IbkrBrokerage
from bot_v2.features.brokerages.ibkr.base import utc_now
from bot_v2.features.brokerages.ibkr.session import Link
from bot_v2.features.brokerages.ibkr.settings import IbkrSettings, read_settings
from bot_v2.testing.cards import all_cards
from bot_v2.testing.profile import ContractProfile
from bot_v2.testing.suite import BrokerageContract
from bot_v2.venues.tws.venue import ACCOUNT, TwsVenue

PATIENCE_S = 3.0
"""How long an answer may take that will come, and a stream may be silent, in seconds."""
HANGING_S = 0.5
"""How long one is awaited that may not, in seconds."""
CONNECT_TIMEOUT_S = 10.0

ENOUGH = {"USD": Decimal(100_000_000)}
"""What the checks of futures need as margin, at most."""

_EXEMPTIONS = {
    "BC-R090": "TWS lets no other client cancel an order, and a second session is another client",
    "BC-OO040": "a pair is two messages, which the venue counts as two placements",
    "BC-X100": "a pair is two messages, which the venue counts as two placements",
}

_NO_FAULTS = {
    card_id: "the faults of the socket are the same for all products: see TestStocks"
    for card_id, card in all_cards().items()
    if card.faults or card_id.startswith(("BC-W", "BC-X", "BC-F0", "BC-F1", "BC-H"))
}

_WHOLE: Final = {
    "BC-OF030": "these are traded whole",
    "BC-OF050": "a combination is of any products: one of options is ordered in TestStocks",
}


class PatientLink(Link):
    """Waits briefly where something is to go wrong, else as the settings say.

    On a socket nearly all that goes wrong is an answer that never comes.
    """

    def __init__(self, settings: IbkrSettings, venue: TwsVenue) -> None:
        """Open nothing yet."""
        self._venue = venue
        super().__init__(settings, utc_now)

    @property
    def settings(self) -> IbkrSettings:
        """Where TWS is, and how long a call may take at this moment."""
        will_fail = self._venue.planned_faults()["pending"]
        return attrs.evolve(self._given, timeout_s=HANGING_S) if will_fail else self._given

    @settings.setter
    def settings(self, given: IbkrSettings) -> None:
        self._given = given


class _OnVenue(BrokerageContract):
    profile: ClassVar[ContractProfile]
    accounts: ClassVar[tuple[str, ...]] = (ACCOUNT,)
    exemptions: ClassVar[Mapping[str, str]] = {**_EXEMPTIONS, **_NO_FAULTS, **_WHOLE}

    @pytest.fixture
    def venue(self) -> Iterator[TwsVenue]:
        """A TWS on this machine."""
        with TwsVenue(accounts=self.accounts, balances=ENOUGH) as venue:
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
                    "timeout_s": PATIENCE_S,
                    "connect_timeout_s": CONNECT_TIMEOUT_S,
                    "depth_quiet_s": 0.02,
                    # As many as it takes: with TWS's own limit checks would take minutes.
                    "requests_per_s": 100_000,
                },
                {},
            )
            made.append(IbkrBrokerage(settings, link=PatientLink(settings, venue)))
            return made[-1]

        yield make
        for broker in made:
            broker.disconnect()

    @pytest.fixture
    def brokerage(self, reopen_brokerage: Callable[[], IBrokerage]) -> IBrokerage:
        """A session of the account, not yet connected."""
        return reopen_brokerage()

    @pytest.fixture
    def contract_profile(self) -> ContractProfile:
        """What the suite may know."""
        return attrs.evolve(
            self.profile,
            option_underlying="AAPL",
            health_timeout_s=CONNECT_TIMEOUT_S + PATIENCE_S + 0.5,
        )


class TestStocks(_OnVenue):
    """US stocks keep the contract."""

    exemptions = _EXEMPTIONS
    accounts = (ACCOUNT, "DU1000002")
    profile = ContractProfile(
        symbol="AAPL",
        # A whole number, of which combinations can be ordered, too.
        quantity=Decimal(4),
        legs=(
            Leg(symbol="AAPL-20280121-170-C", side=OrderSide.BUY),
            Leg(symbol="AAPL-20280121-180-C", side=OrderSide.SELL),
        ),
    )


class TestFutures(_OnVenue):
    """Futures keep the contract."""

    profile = ContractProfile(symbol="ES-20280317")


class TestOptions(_OnVenue):
    """Options keep the contract."""

    profile = ContractProfile(symbol="AAPL-20280121-172.5-C")


class TestForex(_OnVenue):
    """Pairs of currencies keep the contract."""

    profile = ContractProfile(symbol="EUR-USD")
