"""The venues that there are, by name; none is imported before it is opened."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Final

import attrs

from bot_v2.features.brokerages.core.errors import InvalidFieldError, MissingDependencyError

if TYPE_CHECKING:
    from bot_v2.venues.alpaca.venue import AlpacaVenue
    from bot_v2.venues.coinbase.exchange_venue import CoinbaseExchangeVenue
    from bot_v2.venues.coinbase.venue import CoinbaseVenue
    from bot_v2.venues.tws.venue import TwsVenue
    from bot_v2.venues.venue import Venue

EXTRA: Final = "venues"
PACKAGES: Final = frozenset({"cryptography", "msgspec", "starlette", "uvicorn", "websockets"})
"""What venues need, and the extra brings."""


@attrs.frozen(kw_only=True)
class OpenVenue:
    """A venue, ready to be started, and what to tell a client of it."""

    venue: Venue
    """The venue."""
    environment: Callable[[], Mapping[str, str]]
    """What a client's environment has to say to reach it, once it listens."""


@attrs.frozen(kw_only=True)
class VenueEntry:
    """A venue that there is."""

    name: str
    """What it is called on the command line."""
    what: str
    """What it simulates."""
    open: Callable[[int], OpenVenue]
    """Makes one, of a seed."""


def _alpaca(seed: int) -> OpenVenue:
    module = import_module("bot_v2.venues.alpaca.venue")
    # Whoever tries it out by hand wants the market open now, whatever the clock says.
    venue: AlpacaVenue = module.AlpacaVenue(seed=seed)

    def environment() -> Mapping[str, str]:
        return {
            "ALPACA_API_KEY": venue.api_key.key,
            "ALPACA_SECRET_KEY": venue.api_key.secret,
            "ALPACA_PAPER_TRADING": "true",
            "ALPACA_API_BASE": venue.url,
            "ALPACA_DATA_BASE": venue.url,
            "ALPACA_WS_URL": f"{venue.stream_url}/stream",
            "ALPACA_DATA_WS_BASE": venue.stream_url,
        }

    return OpenVenue(venue=venue, environment=environment)


def _coinbase(seed: int) -> OpenVenue:
    module = import_module("bot_v2.venues.coinbase.venue")
    venue: CoinbaseVenue = module.CoinbaseVenue(seed=seed)

    def environment() -> Mapping[str, str]:
        key = venue.ed25519_api_key
        return {
            "COINBASE_API_MODE": "advanced",
            "COINBASE_API_BASE": venue.url,
            "COINBASE_WS_URL": venue.stream_url,
            "COINBASE_CDP_API_KEY": key.name,
            "COINBASE_CDP_PRIVATE_KEY": key.secret,
        }

    return OpenVenue(venue=venue, environment=environment)


def _coinbase_exchange(seed: int) -> OpenVenue:
    module = import_module("bot_v2.venues.coinbase.exchange_venue")
    venue: CoinbaseExchangeVenue = module.CoinbaseExchangeVenue(seed=seed)

    def environment() -> Mapping[str, str]:
        return {
            "COINBASE_API_MODE": "exchange",
            "COINBASE_API_BASE": venue.url,
            "COINBASE_API_KEY": venue.api_key.key,
            "COINBASE_API_SECRET": venue.api_key.secret,
            "COINBASE_API_PASSPHRASE": venue.api_key.passphrase,
        }

    return OpenVenue(venue=venue, environment=environment)


def _tws(seed: int) -> OpenVenue:
    module = import_module("bot_v2.venues.tws.venue")
    venue: TwsVenue = module.TwsVenue(seed=seed)

    def environment() -> Mapping[str, str]:
        return {
            "IBKR_HOST": venue.url.partition(":")[0],
            "IBKR_PORT": str(venue.port),
            "IBKR_CLIENT_ID": "1",
            "IBKR_ACCOUNT_ID": venue.accounts[0],
        }

    return OpenVenue(venue=venue, environment=environment)


VENUES: Final = {
    one.name: one
    for one in (
        VenueEntry(
            name="alpaca",
            what="Alpaca: US shares, options and coins in a paper account, and streams",
            open=_alpaca,
        ),
        VenueEntry(
            name="coinbase",
            what="Coinbase Advanced Trade: spot, perpetuals, US futures, and streams",
            open=_coinbase,
        ),
        VenueEntry(
            name="coinbase-exchange",
            what="the older Coinbase Exchange API: spot",
            open=_coinbase_exchange,
        ),
        VenueEntry(
            name="tws",
            what="TWS and Gateway of Interactive Brokers: the socket, server versions 157 to 178",
            open=_tws,
        ),
    )
}


def open_venue(name: str, seed: int) -> OpenVenue:
    """Return a venue, ready to be started.

    Args:
        name: which one.
        seed: what its keys, ids and market are drawn from.

    Raises:
        InvalidFieldError: there is none of that name.
        MissingDependencyError: what venues need is not installed.
    """
    entry = VENUES.get(name)
    if entry is None:
        raise InvalidFieldError("venue", name, ", ".join(VENUES))
    with needing_venues():
        return entry.open(seed)


@contextmanager
def needing_venues() -> Iterator[None]:
    """Say what to install where what is done needs the packages of venues.

    Raises:
        MissingDependencyError: what venues need is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in PACKAGES:
            raise
        raise MissingDependencyError(
            f"a venue needs {error.name}: pip install 'bot-v2[{EXTRA}]'", extra=EXTRA
        ) from error
