from __future__ import annotations

from collections.abc import Iterator

import pytest

from bot_v2.venues.tws.venue import TwsVenue


@pytest.fixture
def venue() -> Iterator[TwsVenue]:
    """A TWS on this machine."""
    with TwsVenue() as venue:
        yield venue
