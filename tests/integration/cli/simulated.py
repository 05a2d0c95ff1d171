"""Simulated brokers for commands: opened by their names, and told to the environment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import attrs

from bot_v2.venues.catalogue import open_venue
from bot_v2.venues.venue import Venue

NAMES: Mapping[str, str] = {
    # venue: the brokerage that talks to it
    "coinbase": "coinbase",
    "coinbase-exchange": "coinbase",
    "alpaca": "alpaca",
    "tws": "ibkr",
}


@attrs.frozen
class Simulated:
    """A simulated broker that listens."""

    name: str
    """The brokerage."""
    venue: Venue
    """The simulator."""
    environment: dict[str, str]
    """What a command's environment has to say."""


@contextmanager
def simulated(name: str) -> Iterator[Simulated]:
    """Open one of the venues."""
    opened = open_venue(name, 7)
    with opened.venue:
        yield Simulated(NAMES[name], opened.venue, dict(opened.environment()))
