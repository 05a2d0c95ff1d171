from collections.abc import Iterator

import pytest
from acme_venue import AcmeVenue

from bot_v2.features.brokerages.core.interfaces import IBrokerage
from bot_v2.orchestration.broker_factory import create_brokerage


@pytest.fixture
def venue() -> Iterator[AcmeVenue]:
    """Acme on this machine."""
    with AcmeVenue(api_key="made-up") as venue:
        yield venue


@pytest.fixture
def brokerage(venue: AcmeVenue) -> Iterator[IBrokerage]:
    """Acme as this distribution's entry point makes it."""
    acme = create_brokerage("acme", {"url": venue.url, "api_key": "made-up", "timeout_s": 1.0})
    yield acme
    acme.disconnect()
