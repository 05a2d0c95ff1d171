from __future__ import annotations

import pytest

from bot_v2.venues.tws.venue import TwsVenue
from tests.unit.venues.tws.client import Client


@pytest.fixture
def venue() -> TwsVenue:
    """A TWS without a socket."""
    return TwsVenue()


@pytest.fixture
def client(venue: TwsVenue) -> Client:
    """A client that is let in, and has forgotten the greeting."""
    made = Client(venue)
    made.forget()
    return made
