"""The contract suite on the made-up broker with a wire, in this process.

tests/integration/test_third_party.py runs it again on the installed distribution.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from acme_brokerage.factory import create_acme
from acme_venue import AcmeVenue

from bot_v2.features.brokerages.core.interfaces import IBrokerage
from bot_v2.testing.profile import ContractProfile
from bot_v2.testing.suite import BrokerageContract

API_KEY = "acme-key-that-must-not-be-seen"
TIMEOUT_S = 0.5


@pytest.fixture
def venue() -> Iterator[AcmeVenue]:
    """Acme on this machine."""
    with AcmeVenue(api_key=API_KEY) as venue:
        yield venue


@pytest.fixture
def reopen_brokerage(venue: AcmeVenue) -> Iterator[Callable[[], IBrokerage]]:
    """Makes sessions of the account; all of them end with the test."""
    made: list[IBrokerage] = []

    def make() -> IBrokerage:
        given = {"url": venue.url, "api_key": API_KEY, "timeout_s": TIMEOUT_S}
        made.append(create_acme(given, {}))
        return made[-1]

    yield make
    for broker in made:
        broker.disconnect()


@pytest.fixture
def brokerage(reopen_brokerage: Callable[[], IBrokerage]) -> IBrokerage:
    """A session of the account, not yet connected."""
    return reopen_brokerage()


@pytest.fixture
def contract_profile() -> ContractProfile:
    """What the suite may know."""
    return ContractProfile(secrets=(API_KEY,), health_timeout_s=TIMEOUT_S + 0.5)


class TestAcme(BrokerageContract):
    """Acme keeps the contract."""
