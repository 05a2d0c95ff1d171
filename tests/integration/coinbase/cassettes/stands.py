"""Brokerages whose traffic is recorded or replayed: on the simulator, on a tape, on the sandbox."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, TypeAlias

import attrs
import pytest

from bot_v2.features.brokerages.coinbase.adapter import CoinbaseBrokerage
from bot_v2.features.brokerages.coinbase.exchange_adapter import CoinbaseExchangeBrokerage
from bot_v2.features.brokerages.coinbase.factory import class_for
from bot_v2.features.brokerages.coinbase.settings import ApiMode, CoinbaseSettings, read_settings
from bot_v2.features.brokerages.core.capabilities import Capability
from bot_v2.features.brokerages.http.settings import HttpSettings
from bot_v2.features.brokerages.http.transport import HttpTransport
from bot_v2.shared.types import Clock
from bot_v2.testing.cassettes import provenance_of
from bot_v2.testing.live_guard import Mode, check_environment
from bot_v2.venues.coinbase.exchange_venue import CoinbaseExchangeVenue
from bot_v2.venues.coinbase.keys import ecdsa_key, exchange_key
from bot_v2.venues.coinbase.listings import ALL_LISTINGS, SPOT_LISTINGS
from bot_v2.venues.coinbase.venue import CoinbaseVenue

Broker: TypeAlias = CoinbaseBrokerage | CoinbaseExchangeBrokerage
Venue: TypeAlias = CoinbaseVenue | CoinbaseExchangeVenue

FOLDER: Final = Path(__file__).parents[4] / "cassettes" / "coinbase"

NOWHERE: Final = "http://127.0.0.1:9"
"""Where a replay would connect to, if it did."""

SEED: Final = 7
"""What the simulator's keys are made from; a replay has the same."""

PAGE_MAX: Final = 2
"""How many items a page of the simulator has here: lists are then pages already."""

LISTED: Final = frozenset({"BTC-USD", "ETH-USD", "BTC-PERP-INTX"})
"""What the simulator lists here: each cassette has a list of the products in it."""

NO_SANDBOX: Final = (
    "Advanced Trade's sandbox answers from a fixed page: there is no market to record"
)

BOUNDS: Final = HttpSettings(retry_wait_initial_s=0.01, retry_wait_max_s=0.02)


@attrs.frozen
class Account:
    """What is recorded."""

    api: ApiMode
    """By which API."""
    symbol: str
    """What is traded."""
    derivatives: bool = False
    """Whether perpetuals are enabled."""


SPOT: Final = Account(ApiMode.ADVANCED, "BTC-USD")
PERPETUALS: Final = Account(ApiMode.ADVANCED, "BTC-USDC-PERP", derivatives=True)
EXCHANGE: Final = Account(ApiMode.EXCHANGE, "BTC-USD")


@attrs.frozen
class Set:
    """A brokerage, and what goes with it."""

    broker: Broker
    """Not yet connected."""
    venue: Venue | None
    """Its simulator. None: there is none."""
    secrets: tuple[str, ...]
    """What must not be recorded."""
    clock: Clock
    """The brokerage's."""
    reopen: Callable[[], Broker]
    """Makes a second session."""


def mode_of(config: pytest.Config) -> Mode:
    """Return what answers: a tape, unless something is to be recorded."""
    if config.getoption("record_live", None):
        return Mode.LIVE
    return Mode.SIMULATOR if config.getoption("contract_record", False) else Mode.CASSETTE


def skip_unrecordable(mode: Mode, account: Account) -> None:
    """Skip what no sandbox can answer."""
    if mode is Mode.LIVE and account.api is not ApiMode.EXCHANGE:
        pytest.skip(NO_SANDBOX)


def utc_now() -> datetime:
    """Return the present moment."""
    return datetime.now(UTC)


def clock_from(start: datetime) -> Clock:
    """Return a clock that starts at a moment, and goes on from it."""
    begun = time.monotonic()
    return lambda: start + timedelta(seconds=time.monotonic() - begun)


def _venue_of(account: Account) -> Venue:
    if account.api is ApiMode.EXCHANGE:
        return CoinbaseExchangeVenue(
            seed=SEED,
            page_max=PAGE_MAX,
            listings=[one for one in SPOT_LISTINGS if one.product_id in LISTED],
        )
    listed = [one for one in ALL_LISTINGS if one.product_id in LISTED]
    return CoinbaseVenue(seed=SEED, page_max=PAGE_MAX, listings=listed)


def capabilities_of(account: Account) -> frozenset[Capability]:
    """Return what the brokerage of an account declares that it can do."""
    return class_for(_simulated(account, NOWHERE)).capabilities


def _simulated(account: Account, api_base: str) -> CoinbaseSettings:
    given: dict[str, object] = {"api_mode": account.api.value, "api_base": api_base}
    if account.api is ApiMode.EXCHANGE:
        key = exchange_key(SEED)
        given |= {"api_key": key.key, "api_secret": key.secret, "api_passphrase": key.passphrase}
    else:
        name = ecdsa_key(SEED)
        given |= {"cdp_api_key": name.name, "cdp_private_key": name.secret}
        given |= {"enable_derivatives": account.derivatives}
    return read_settings(given, {})


def sandbox_settings(
    account: Account, environ: Mapping[str, str] | None = None
) -> CoinbaseSettings:
    """Return the settings to record with, from the environment.

    Raises:
        EnvironmentRefusedError: they are not of a sandbox.
    """
    given: dict[str, object] = {"api_mode": account.api.value}
    settings = read_settings(given, os.environ if environ is None else environ)
    check_environment(settings, Mode.LIVE, has_venue=False)
    return settings


@contextmanager
def stand(account: Account, mode: Mode, tape: Path | None = None) -> Iterator[Set]:
    """Set up a brokerage; all of it ends with the block.

    Args:
        account: what is recorded.
        mode: what answers.
        tape: what is replayed: the brokerage's clock starts when it was recorded.

    Raises:
        EnvironmentRefusedError: the environment would have real money traded.
    """
    with ExitStack() as stack:
        venue: Venue | None = None
        clock: Clock = utc_now
        if mode is Mode.LIVE:
            settings = sandbox_settings(account)
        elif mode is Mode.SIMULATOR:
            venue = _venue_of(account)
            stack.enter_context(venue)
            settings = _simulated(account, venue.url)
        else:
            settings = _simulated(account, NOWHERE)
            if tape is not None:
                clock = clock_from(provenance_of(tape).recorded_at)

        def make() -> Broker:
            transport = HttpTransport(BOUNDS)
            made = class_for(settings)(settings, clock=clock, transport=transport)
            stack.callback(transport.close)
            stack.callback(made.disconnect)
            return made

        given = (settings.api_key, settings.api_secret, settings.passphrase)
        secrets = tuple(one.reveal() for one in given if one is not None)
        yield Set(make(), venue, secrets, clock, make)
