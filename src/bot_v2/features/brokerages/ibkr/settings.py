"""What the brokerage is told: from arguments, then from the environment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import attrs

from bot_v2.features.brokerages.core.declarations import Environment
from bot_v2.features.brokerages.core.errors import InvalidFieldError
from bot_v2.features.brokerages.core.settings import Settings

PREFIX: Final = "IBKR"

PAPER_PORTS: Final = frozenset({7497, 4002})
"""Where TWS and IB Gateway listen for a paper login, unless they are told otherwise."""

LIVE_PORTS: Final = frozenset({7496, 4001})
"""Where TWS and IB Gateway listen for a live login, unless they are told otherwise."""

PAPER_PREFIX: Final = "D"
"""What the ids of paper accounts begin with, and those of live accounts do not."""

PORT_MAX: Final = 65535
CLIENT_ID_MAX: Final = 2**31 - 1


@attrs.frozen(kw_only=True)
class IbkrSettings:
    """The settings, see the README."""

    host: str = "127.0.0.1"
    """Where TWS or IB Gateway runs."""
    port: int = 7497
    """Where it listens."""
    client_id: int = 1
    """Who this client is; each connection to one TWS has another."""
    account_id: str | None = None
    """The account. None: the login has one only."""
    environment: Environment = Environment.PAPER
    """What the login is for."""
    timeout_s: float = 10.0
    """How long a call may take in all, in seconds; opening the connection is not among that."""
    connect_timeout_s: float = 10.0
    """How long it may take to open the connection, in seconds."""
    requests_per_s: int = 45
    """How many messages may leave in a second; TWS takes 50."""
    allow_delayed: bool = False
    """True: delayed prices will do where live ones are not subscribed to."""
    depth_quiet_s: float = 0.25
    """After how long without a change a book counts as told, in seconds; it has no end mark."""
    products_lifetime_s: float = 3600.0
    """How long a reading of a product is trusted, in seconds."""
    time_zone: ZoneInfo | None = None
    """The zone of moments that name none. None: such a moment is an error."""


def read_settings(given: Mapping[str, object], environ: Mapping[str, str]) -> IbkrSettings:
    """Return the settings.

    Raises:
        InvalidFieldError: a setting is misspelt, makes no sense, or the account does not fit the
            port.
    """
    source = Settings(PREFIX, given, environ)
    port = source.integer("port", 7497)
    account_id = source.text("account_id")
    said = source.text("environment")
    zone = source.text("time_zone")
    settings = IbkrSettings(
        host=source.text("host", "127.0.0.1") or "127.0.0.1",
        port=port,
        client_id=source.integer("client_id", 1),
        account_id=account_id,
        environment=_environment_of(said, port, account_id),
        timeout_s=source.seconds("timeout_s", 10.0),
        connect_timeout_s=source.seconds("connect_timeout_s", 10.0),
        requests_per_s=source.integer("requests_per_s", 45),
        allow_delayed=source.boolean("allow_delayed", False),
        depth_quiet_s=source.seconds("depth_quiet_s", 0.25),
        products_lifetime_s=source.seconds("products_lifetime_s", 3600.0),
        time_zone=None if zone is None else _zone(zone),
    )
    source.refuse_unknown()
    _check(settings)
    return settings


def accepts_account(environment: Environment, account_id: str) -> bool:
    """Return whether an account is of the kind that the environment is for."""
    return account_id.startswith(PAPER_PREFIX) is (environment is not Environment.LIVE)


def _environment_of(said: str | None, port: int, account_id: str | None) -> Environment:
    by_port = Environment.PAPER if port in PAPER_PORTS else None
    by_port = Environment.LIVE if port in LIVE_PORTS else by_port
    if said is None:
        if by_port is not None:
            return by_port
        is_paper = account_id is not None and account_id.startswith(PAPER_PREFIX)
        return Environment.PAPER if is_paper else Environment.LIVE
    options = (Environment.PAPER, Environment.LIVE, Environment.SIMULATOR)
    found = next((one for one in options if one.value == said.strip().lower()), None)
    if found is None or by_port not in (None, found):
        accepted = ", ".join(one.value for one in options) if by_port is None else by_port.value
        raise InvalidFieldError(f"{PREFIX}_ENVIRONMENT", said, f"{accepted} (port {port})")
    return found


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        accepted = "the name of a time zone, such as America/New_York"
        raise InvalidFieldError(f"{PREFIX}_TIME_ZONE", name, accepted) from error


def _check(settings: IbkrSettings) -> None:
    bounds: dict[str, tuple[float, float, str]] = {
        # setting: what it is, the most it may be, what is accepted
        "port": (
            settings.port,
            PORT_MAX,
            "7497 or 4002 (paper), 7496 or 4001 (live), or 1 to 65535",
        ),
        "timeout_s": (settings.timeout_s, float("inf"), "above zero"),
        "connect_timeout_s": (settings.connect_timeout_s, float("inf"), "above zero"),
        "requests_per_s": (settings.requests_per_s, float("inf"), "1 or more"),
    }
    for name, (value, most, accepted) in bounds.items():
        if not 0 < value <= most:
            raise InvalidFieldError(f"{PREFIX}_{name.upper()}", value, accepted)
    if not 0 <= settings.client_id <= CLIENT_ID_MAX:
        raise InvalidFieldError(f"{PREFIX}_CLIENT_ID", settings.client_id, "0 or more")
    account_id, environment = settings.account_id, settings.environment
    if account_id is not None and not accepts_account(environment, account_id):
        raise InvalidFieldError(
            f"{PREFIX}_ACCOUNT_ID",
            account_id,
            f"an account for {environment.value}: ids of paper accounts begin with "
            f"{PAPER_PREFIX!r}, those of live accounts do not (port {settings.port})",
        )
