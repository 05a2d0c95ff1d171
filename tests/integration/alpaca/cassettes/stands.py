"""Brokerages whose traffic is recorded or replayed: on the simulator, on a tape, on paper."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import attrs

from bot_v2.features.brokerages.alpaca.adapter import AlpacaBrokerage
from bot_v2.features.brokerages.alpaca.settings import AlpacaSettings, read_settings
from bot_v2.features.brokerages.http.settings import HttpSettings
from bot_v2.features.brokerages.http.transport import HttpTransport
from bot_v2.shared.types import Clock
from bot_v2.testing.cassettes import provenance_of
from bot_v2.testing.live_guard import Mode, check_environment
from bot_v2.venues.alpaca.dialect import make_key
from bot_v2.venues.alpaca.listings import PAIRS, SHARES
from bot_v2.venues.alpaca.venue import AlpacaVenue

FOLDER: Final = Path(__file__).parents[4] / "cassettes" / "alpaca"

NOWHERE: Final = "http://127.0.0.1:9"
"""Where a replay would connect to, if it did."""

SEED: Final = 7
"""What the simulator's keys are made from; a replay has the same."""

PAGE_SIZE: Final = 2
"""How many orders are asked for at once here: lists are then pages already."""

LISTED: Final = frozenset({"AAPL", "BTC/USD"})
"""What the simulator lists here: some cassettes have a list of the products in them."""

BOUNDS: Final = HttpSettings(retry_wait_initial_s=0.01, retry_wait_max_s=0.02)


@attrs.frozen
class Set:
    """A brokerage, and what goes with it."""

    broker: AlpacaBrokerage
    """Not yet connected."""
    venue: AlpacaVenue | None
    """Its simulator. None: there is none."""
    secrets: tuple[str, ...]
    """What must not be recorded."""
    clock: Clock
    """The brokerage's."""
    reopen: Callable[[], AlpacaBrokerage]
    """Makes a second session."""


def utc_now() -> datetime:
    """Return the present moment."""
    return datetime.now(UTC)


def clock_from(start: datetime) -> Clock:
    """Return a clock that starts at a moment, and goes on from it."""
    begun = time.monotonic()
    return lambda: start + timedelta(seconds=time.monotonic() - begun)


def _venue() -> AlpacaVenue:
    listings = [one for one in (*SHARES, *PAIRS) if one.symbol in LISTED]
    return AlpacaVenue(seed=SEED, listings=listings, rate_limit=None, protects=False)


def _simulated(base: str) -> AlpacaSettings:
    key = make_key(SEED, is_paper=True)
    given = {
        "api_key": key.key,
        "secret_key": key.secret,
        "api_base": base,
        "data_base": base,
        "page_size": PAGE_SIZE,
        "allow_delayed": True,
    }
    return read_settings(given, {})


def paper_settings(environ: Mapping[str, str] | None = None) -> AlpacaSettings:
    """Return the settings to record with, from the environment.

    Raises:
        EnvironmentRefusedError: they are not of a paper account.
    """
    settings = read_settings({}, os.environ if environ is None else environ)
    check_environment(settings, Mode.LIVE, has_venue=False)
    return settings


@contextmanager
def stand(mode: Mode, tape: Path | None = None) -> Iterator[Set]:
    """Set up a brokerage; all of it ends with the block.

    Args:
        mode: what answers.
        tape: what is replayed: the brokerage's clock starts when it was recorded.

    Raises:
        EnvironmentRefusedError: the environment would have real money traded.
    """
    with ExitStack() as stack:
        venue: AlpacaVenue | None = None
        clock: Clock = utc_now
        if mode is Mode.LIVE:
            settings = paper_settings()
        elif mode is Mode.SIMULATOR:
            venue = stack.enter_context(_venue())
            settings = _simulated(venue.url)
        else:
            settings = _simulated(NOWHERE)
            if tape is not None:
                clock = clock_from(provenance_of(tape).recorded_at)

        def make() -> AlpacaBrokerage:
            transport = HttpTransport(BOUNDS)
            made = AlpacaBrokerage(settings, clock=clock, transport=transport)
            stack.callback(transport.close)
            stack.callback(made.disconnect)
            return made

        secrets = (settings.api_key.reveal(), settings.secret_key.reveal())
        yield Set(make(), venue, secrets, clock, make)
