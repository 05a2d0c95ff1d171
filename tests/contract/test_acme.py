"""The contract suite on the made-up broker with a wire, in this process.

tests/integration/test_third_party.py runs it again on the installed distribution.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from acme_brokerage.client import AcmeClient
from acme_brokerage.factory import create_acme
from acme_venue import AcmeVenue

from bot_v2.features.brokerages.core.interfaces import IBrokerage
from bot_v2.testing.profile import ContractProfile
from bot_v2.testing.suite import BrokerageContract
from tests.contract.patience import HANGING_S, PATIENCE_S

API_KEY = "acme-key-that-must-not-be-seen"


@pytest.fixture
def venue() -> Iterator[AcmeVenue]:
    """Acme on this machine."""
    with AcmeVenue(api_key=API_KEY) as venue:
        yield venue


@pytest.fixture(autouse=True)
def patience(venue: AcmeVenue, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait long for what will be answered, and briefly for what will not."""
    call = AcmeClient.call

    def patient(self: AcmeClient, method: str, path: str, **more: Any) -> Any:
        more["timeout_s"] = HANGING_S if venue.leaves_unanswered() else PATIENCE_S
        return call(self, method, path, **more)

    monkeypatch.setattr(AcmeClient, "call", patient)


@pytest.fixture
def reopen_brokerage(venue: AcmeVenue) -> Iterator[Callable[[], IBrokerage]]:
    """Makes sessions of the account; all of them end with the test."""
    made: list[IBrokerage] = []

    def make() -> IBrokerage:
        given = {"url": venue.url, "api_key": API_KEY, "timeout_s": PATIENCE_S}
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
    return ContractProfile(secrets=(API_KEY,), health_timeout_s=HANGING_S + 0.5)


@pytest.mark.uncovered
class TestAcme(BrokerageContract):
    """Acme keeps the contract."""
