"""What the brokerage is told: from arguments, then from the environment."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from bot_v2.features.brokerages.core.interfaces import InvalidFieldError, Secret, Settings


@attrs.frozen(kw_only=True)
class AcmeSettings:
    """The settings, see the README."""

    url: str
    """Where the broker is."""
    api_key: Secret
    """The credential."""
    account: str | None = None
    """The account to be bound to. None: the only one."""
    timeout_s: float = 10.0
    """How long a call may take in all, in seconds."""
    page_max: int = 1000
    """How many pages of a list are read."""
    instruments_lifetime_s: float = 3600.0
    """How long a reading of the instruments is trusted, in seconds."""


def read_settings(given: Mapping[str, object], environ: Mapping[str, str]) -> AcmeSettings:
    """Return the settings.

    Raises:
        InvalidFieldError: one is missing, misspelt or makes no sense.
    """
    source = Settings("ACME", given, environ)
    url, api_key = source.text("url"), source.secret("api_key")
    if url is None:
        raise InvalidFieldError("ACME_URL", url, "where the broker is, as http://HOST:PORT")
    if api_key is None:
        raise InvalidFieldError("ACME_API_KEY", api_key, "the key that Acme gave")
    settings = AcmeSettings(
        url=url,
        api_key=api_key,
        account=source.text("account"),
        timeout_s=source.seconds("timeout_s", 10.0),
        page_max=source.integer("page_max", 1000),
        instruments_lifetime_s=source.seconds("instruments_lifetime_s", 3600.0),
    )
    source.refuse_unknown()
    if settings.timeout_s <= 0:
        raise InvalidFieldError("ACME_TIMEOUT_S", settings.timeout_s, "above zero seconds")
    return settings
