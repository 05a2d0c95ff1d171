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

PREFIX: Final = "COINBASE"


class ApiMode(StrEnum):
    """Which of Coinbase's APIs is used."""

    ADVANCED = "advanced"
    """Advanced Trade v3: spot, and perpetuals where they are enabled."""
    EXCHANGE = "exchange"
    """The Exchange API: spot; the one that has a sandbox with a market."""


API_BASES: Final[dict[tuple[ApiMode, bool], str]] = {
    # mode, sandbox: where the API is
    (ApiMode.ADVANCED, False): "https://api.coinbase.com",
    (ApiMode.ADVANCED, True): "https://api-sandbox.coinbase.com",
    (ApiMode.EXCHANGE, False): "https://api.exchange.coinbase.com",
    (ApiMode.EXCHANGE, True): "https://api-public.sandbox.exchange.coinbase.com",
}

WS_URLS: Final[dict[tuple[ApiMode, bool], str]] = {
    # mode, sandbox: where the streams are
    (ApiMode.ADVANCED, False): "wss://advanced-trade-ws.coinbase.com",
    (ApiMode.ADVANCED, True): "wss://advanced-trade-ws.coinbase.com",
    (ApiMode.EXCHANGE, False): "wss://ws-feed.exchange.coinbase.com",
    (ApiMode.EXCHANGE, True): "wss://ws-feed-public.sandbox.exchange.coinbase.com",
}

WS_USER_URL: Final = "wss://advanced-trade-ws-user.coinbase.com"
"""Where the streams of orders of Advanced Trade are; those of the market are elsewhere."""

STREAM_SCHEMES: Final = {"http": "ws", "https": "wss"}
"""The scheme of streams, by that of an API on this machine, which has both at one address."""


@attrs.frozen(kw_only=True)
class CoinbaseSettings:
    """The settings, see the README."""

    mode: ApiMode
    """Which API."""
    api_key: Secret
    """The name of the key."""
    api_secret: Secret
    """What requests are signed with: a private key (Advanced Trade), or base64 (Exchange)."""
    passphrase: Secret | None = None
    """The key's passphrase. None: Advanced Trade has none."""
    sandbox: bool = False
    """True: the broker's test system."""
    enable_derivatives: bool = False
    """True: perpetuals can be traded, too."""
    perpetuals_portfolio: str | None = None
    """Which portfolio of perpetuals, by its id. None: the only one that the key sees."""
    api_base: str
    """Where the API is."""
    ws_url: str
    """Where the streams are."""
    ws_user_url: str
    """Where the streams of orders are."""
    timeout_s: float = 10.0
    """How long a call may take in all, in seconds; a read's repetitions are within it."""
    page_max: int = 1000
    """How many pages of a list are read."""
    products_lifetime_s: float = 3600.0
    """How long a reading of the products is trusted, in seconds."""
    history_days: int = 30
    """For how many days ended orders are listed."""
    requests_per_s: int = 30
    """How many requests may leave in a second; the broker counts them by user."""
    stream_silence_s: float = 10.0
    """How long a stream may say nothing before it is given up, in seconds; it has a heartbeat of
    one second."""
    stream_audit_s: float = 300.0
    """How often the orders are read while they are streamed, in seconds: a stream may leave one
    out without a sign."""
    quota_storage_url: str | None = None
    """Where processes with the same key count together, as `redis://…`. None: each alone."""

    @property
    def environment(self) -> str:
        """What is talked to: a simulator on this machine, the sandbox, or real money."""
        if _is_loopback(self.api_base):
            return "simulator"
        # The address decides: beside a wish for the sandbox, another's may be written.
        return "sandbox" if self.api_base == API_BASES[self.mode, True] else "live"


def read_settings(given: Mapping[str, object], environ: Mapping[str, str]) -> CoinbaseSettings:
    """Return the settings.

    Raises:
        InvalidFieldError: a credential is missing, or a setting is misspelt or makes no sense.
    """
    source = Settings(PREFIX, given, environ)
    sandbox = source.boolean("sandbox", False)
    default = ApiMode.EXCHANGE if sandbox else ApiMode.ADVANCED
    mode = source.choice("api_mode", ApiMode, default)
    api_key, api_secret, passphrase = _credentials(source, mode)
    api_base = (source.text("api_base") or API_BASES[mode, sandbox]).rstrip("/")
    ws_url, ws_user_url = _stream_urls(source.text("ws_url"), api_base, mode, sandbox)
    settings = CoinbaseSettings(
        mode=mode,
        api_key=api_key,
        api_secret=api_secret,
        passphrase=passphrase,
        sandbox=sandbox,
        enable_derivatives=source.boolean("enable_derivatives", False),
        perpetuals_portfolio=source.text("perpetuals_portfolio"),
        api_base=api_base,
        ws_url=ws_url,
        ws_user_url=ws_user_url,
        timeout_s=source.seconds("timeout_s", 10.0),
        page_max=source.integer("page_max", 1000),
        products_lifetime_s=source.seconds("products_lifetime_s", 3600.0),
        history_days=source.integer("history_days", 30),
        stream_silence_s=source.seconds("stream_silence_s", 10.0),
        stream_audit_s=source.seconds("stream_audit_s", 300.0),
        requests_per_s=source.integer("requests_per_s", 30),
        quota_storage_url=source.text("quota_storage_url"),
    )
    source.refuse_unknown()
    _check(settings)
    return settings


def _stream_urls(given: str | None, api_base: str, mode: ApiMode, sandbox: bool) -> tuple[str, str]:
    """Return where the streams of the market, and those of orders, are."""
    if given is None and _is_loopback(api_base):
        # What is simulated must not be mixed with the real market's prices.
        scheme, _, rest = api_base.partition("://")
        given = f"{STREAM_SCHEMES.get(scheme, scheme)}://{rest}"
    if given is not None:
        return given, given
    market = WS_URLS[mode, sandbox]
    return market, WS_USER_URL if mode is ApiMode.ADVANCED else market


def _credentials(source: Settings, mode: ApiMode) -> tuple[Secret, Secret, Secret | None]:
    # All names are read in every mode, so that each is known to be a setting.
    cdp_key, cdp_private = source.secret("cdp_api_key"), source.secret("cdp_private_key")
    key, secret = source.secret("api_key"), source.secret("api_secret")
    passphrase = source.secret("api_passphrase")
    if mode is ApiMode.EXCHANGE:
        needed = {"API_KEY": key, "API_SECRET": secret, "API_PASSPHRASE": passphrase}
        _require_all(needed, mode)
        return _present(key), _present(secret), passphrase
    if cdp_key is None and cdp_private is None and (key or secret):
        # The vendor's own SDK calls the same two credentials so.
        _require_all({"API_KEY": key, "API_SECRET": secret}, mode)
        return _present(key), _present(secret), None
    _require_all({"CDP_API_KEY": cdp_key, "CDP_PRIVATE_KEY": cdp_private}, mode)
    return _present(cdp_key), _present(cdp_private), None


def _require_all(needed: Mapping[str, Secret | None], mode: ApiMode) -> None:
    for name, value in needed.items():
        if not value:
            others = " and ".join(f"{PREFIX}_{other}" for other in needed)
            raise InvalidFieldError(
                f"{PREFIX}_{name}", None, f"a credential: the {mode.value} API needs {others}"
            )


def _present(secret: Secret | None) -> Secret:
    return secret or Secret("")


def _check(settings: CoinbaseSettings) -> None:
    parts = urlsplit(settings.api_base)
    is_web = parts.scheme in ("http", "https") and bool(parts.hostname)
    if not is_web or parts.query or parts.username:
        raise InvalidFieldError(f"{PREFIX}_API_BASE", settings.api_base, "https://HOST[:PORT]")
    if parts.scheme == "http" and not _is_loopback(settings.api_base):
        accepted = "https: credentials are sent in the clear to this machine only"
        raise InvalidFieldError(f"{PREFIX}_API_BASE", settings.api_base, accepted)
    stream = urlsplit(settings.ws_url)
    if stream.scheme not in ("ws", "wss") or not stream.hostname or stream.username:
        raise InvalidFieldError(f"{PREFIX}_WS_URL", settings.ws_url, "wss://HOST[:PORT]")
    if stream.scheme == "ws" and not _is_loopback(settings.ws_url):
        accepted = "wss: credentials are sent in the clear to this machine only"
        raise InvalidFieldError(f"{PREFIX}_WS_URL", settings.ws_url, accepted)
    if settings.enable_derivatives and settings.mode is ApiMode.EXCHANGE:
        accepted = "False: the Exchange API has no perpetuals"
        raise InvalidFieldError(f"{PREFIX}_ENABLE_DERIVATIVES", True, accepted)
    if settings.perpetuals_portfolio is not None and not settings.enable_derivatives:
        accepted = f"nothing, unless {PREFIX}_ENABLE_DERIVATIVES is set"
        raise InvalidFieldError(
            f"{PREFIX}_PERPETUALS_PORTFOLIO", settings.perpetuals_portfolio, accepted
        )
    least = {"timeout_s": settings.timeout_s, "page_max": settings.page_max}
    least |= {"history_days": settings.history_days, "requests_per_s": settings.requests_per_s}
    least |= {"stream_silence_s": settings.stream_silence_s}
    least |= {"stream_audit_s": settings.stream_audit_s}
    for name, value in least.items():
        if value <= 0:
            raise InvalidFieldError(f"{PREFIX}_{name.upper()}", value, "above zero")


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
