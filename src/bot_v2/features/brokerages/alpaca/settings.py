"""What the brokerage is told: from arguments, then from the environment."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

import attrs

from bot_v2.features.brokerages.core.errors import InvalidFieldError
from bot_v2.features.brokerages.core.secret import Secret
from bot_v2.features.brokerages.core.settings import Settings

PREFIX: Final = "ALPACA"

API_BASES: Final = {
    # paper: where orders are sent
    True: "https://paper-api.alpaca.markets",
    False: "https://api.alpaca.markets",
}
DATA_BASE: Final = "https://data.alpaca.markets"
WS_URLS: Final = {
    # paper: where the account's orders are streamed
    True: "wss://paper-api.alpaca.markets/stream",
    False: "wss://api.alpaca.markets/stream",
}
DATA_WS_BASE: Final = "wss://stream.data.alpaca.markets"

KEY_ALIASES: Final = ("APCA_API_KEY_ID",)
SECRET_ALIASES: Final = ("ALPACA_API_SECRET", "APCA_API_SECRET_KEY")
BASE_ALIASES: Final = ("APCA_API_BASE_URL",)

ORDERS_PAGE_MAX: Final = 500
"""How many orders the broker lists at once at most."""


class StockFeed(StrEnum):
    """Whose quotes and trades of stocks are read."""

    IEX = "iex"
    """One exchange's: free."""
    SIP = "sip"
    """All exchanges': paid for."""
    DELAYED_SIP = "delayed_sip"
    """All exchanges', a quarter of an hour late."""
    BOATS = "boats"
    """The overnight session's."""
    OVERNIGHT = "overnight"
    """What Alpaca derives from the overnight session's."""
    OTC = "otc"
    """Those of shares that no exchange lists."""


class OptionFeed(StrEnum):
    """Whose quotes and trades of options are read."""

    INDICATIVE = "indicative"
    """Derived ones, and late: free."""
    OPRA = "opra"
    """The exchanges' own: paid for."""


class Adjustment(StrEnum):
    """For what the prices of past candles are corrected."""

    RAW = "raw"
    """For nothing: as they were traded."""
    SPLIT = "split"
    """For splits."""
    DIVIDEND = "dividend"
    """For dividends."""
    ALL = "all"
    """For splits and dividends."""


DELAYED_FEEDS: Final = frozenset({StockFeed.DELAYED_SIP, OptionFeed.INDICATIVE})
"""The feeds whose trades are late."""


@attrs.frozen(kw_only=True)
class AlpacaSettings:
    """The settings, see the README."""

    api_key: Secret
    """The key's id."""
    secret_key: Secret
    """The key's secret."""
    paper_trading: bool = True
    """True: the paper account. False: real money."""
    api_base: str
    """Where orders are sent."""
    data_base: str
    """Where market data is."""
    ws_url: str
    """Where the account's orders are streamed."""
    data_ws_base: str
    """Where market data is streamed."""
    data_feed: StockFeed = StockFeed.IEX
    """Whose market data of stocks is read."""
    options_feed: OptionFeed = OptionFeed.INDICATIVE
    """Whose market data of options is read."""
    adjustment: Adjustment = Adjustment.RAW
    """For what the prices of past candles are corrected."""
    allow_delayed: bool = False
    """True: `get_price` may tell a price from a feed that is late."""
    timeout_s: float = 10.0
    """How long a call may take in all, in seconds; a read's repetitions are within it."""
    page_max: int = 1000
    """How many pages of a list are read."""
    page_size: int = ORDERS_PAGE_MAX
    """How many orders are asked for at once."""
    products_lifetime_s: float = 3600.0
    """How long a reading of a product is trusted, in seconds."""
    history_days: int = 30
    """For how many days ended orders are listed."""
    requests_per_min: int = 200
    """How many requests may go to the trading API in a minute; a fifth is kept for cancels."""
    data_requests_per_min: int = 200
    """How many requests may go to the market data API in a minute."""
    quota_storage_url: str | None = None
    """Where processes with the same key count together, as `redis://…`. None: each alone."""
    stream_silence_s: float = 30.0
    """After how long a silent connection of a stream is looked after, in seconds."""

    @property
    def environment(self) -> str:
        """What is talked to: a simulator on this machine, the paper account, or real money."""
        if is_loopback(self.api_base):
            return "simulator"
        # The address decides: an address that is not the paper account's may be anyone's.
        return "paper" if self.api_base == API_BASES[True] else "live"


def read_settings(given: Mapping[str, object], environ: Mapping[str, str]) -> AlpacaSettings:
    """Return the settings.

    Raises:
        InvalidFieldError: a credential is missing, or a setting is misspelt or makes no sense.
    """
    source = Settings(PREFIX, given, environ)
    paper = source.boolean("paper_trading", True)
    key = source.secret("api_key", KEY_ALIASES)
    secret = source.secret("secret_key", SECRET_ALIASES)
    settings = AlpacaSettings(
        api_key=_required("ALPACA_API_KEY", key),
        secret_key=_required("ALPACA_SECRET_KEY", secret),
        paper_trading=paper,
        api_base=_address(source, "api_base", API_BASES[paper], BASE_ALIASES),
        data_base=_address(source, "data_base", DATA_BASE),
        ws_url=_address(source, "ws_url", WS_URLS[paper]),
        data_ws_base=_address(source, "data_ws_base", DATA_WS_BASE),
        data_feed=source.choice("data_feed", StockFeed, StockFeed.IEX),
        options_feed=source.choice("options_feed", OptionFeed, OptionFeed.INDICATIVE),
        adjustment=source.choice("adjustment", Adjustment, Adjustment.RAW),
        allow_delayed=source.boolean("allow_delayed", False),
        timeout_s=source.seconds("timeout_s", 10.0),
        page_max=source.integer("page_max", 1000),
        page_size=source.integer("page_size", ORDERS_PAGE_MAX),
        products_lifetime_s=source.seconds("products_lifetime_s", 3600.0),
        history_days=source.integer("history_days", 30),
        requests_per_min=source.integer("requests_per_min", 200),
        data_requests_per_min=source.integer("data_requests_per_min", 200),
        quota_storage_url=source.text("quota_storage_url"),
        stream_silence_s=source.seconds("stream_silence_s", 30.0),
    )
    source.refuse_unknown()
    _check(settings)
    return settings


def _required(name: str, secret: Secret | None) -> Secret:
    if not secret:
        accepted = "a credential: Alpaca needs ALPACA_API_KEY and ALPACA_SECRET_KEY"
        raise InvalidFieldError(name, None, accepted)
    return secret


def _address(source: Settings, name: str, default: str, aliases: tuple[str, ...] = ()) -> str:
    # Some write the version that every path begins with into the address.
    text = source.text(name, aliases=aliases) or default
    return text.rstrip("/").removesuffix("/v2") if name == "api_base" else text.rstrip("/")


def _check(settings: AlpacaSettings) -> None:
    for name, schemes in (
        ("api_base", ("http", "https")),
        ("data_base", ("http", "https")),
        ("ws_url", ("ws", "wss")),
        ("data_ws_base", ("ws", "wss")),
    ):
        _check_address(f"{PREFIX}_{name.upper()}", getattr(settings, name), schemes)
    if settings.paper_trading and settings.api_base == API_BASES[False]:
        accepted = "another address: live trading needs ALPACA_PAPER_TRADING=false, written out"
        raise InvalidFieldError(f"{PREFIX}_API_BASE", settings.api_base, accepted)
    if not settings.paper_trading and settings.api_base == API_BASES[True]:
        accepted = "True: the address is the paper account's"
        raise InvalidFieldError(f"{PREFIX}_PAPER_TRADING", False, accepted)
    if not 1 <= settings.page_size <= ORDERS_PAGE_MAX:
        accepted = f"1 to {ORDERS_PAGE_MAX}"
        raise InvalidFieldError(f"{PREFIX}_PAGE_SIZE", settings.page_size, accepted)
    least = ("timeout_s", "page_max", "history_days", "requests_per_min", "data_requests_per_min")
    for name in (*least, "stream_silence_s"):
        value = getattr(settings, name)
        if value <= 0:
            raise InvalidFieldError(f"{PREFIX}_{name.upper()}", value, "above zero")


def _check_address(name: str, url: str, schemes: tuple[str, str]) -> None:
    parts = urlsplit(url)
    plain, encrypted = schemes
    if parts.scheme not in schemes or not parts.hostname or parts.query or parts.username:
        raise InvalidFieldError(name, url, f"{encrypted}://HOST[:PORT]")
    if parts.scheme == plain and not is_loopback(url):
        accepted = f"{encrypted}: credentials are sent in the clear to this machine only"
        raise InvalidFieldError(name, url, accepted)


def is_loopback(url: str) -> bool:
    """Return whether an address is on this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
