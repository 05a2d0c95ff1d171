"""Being logged in by a human."""

from __future__ import annotations

from urllib.parse import urlsplit

from bot_v2.features.brokerages.core.capabilities import Capability
from bot_v2.features.brokerages.core.errors import AuthenticationError, InvalidRequestError
from bot_v2.testing.cards import Section, card
from bot_v2.testing.context import CheckContext
from bot_v2.testing.violation import expect, expect_error

LOGIN = (Capability.LOGIN,)
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@card(
    "BC-LO010",
    "The login page is reached safely, and its address holds no secret.",
    Section.SECRETS,
    capabilities=LOGIN,
    connected=False,
)
def _url(ctx: CheckContext) -> None:
    """It is an https address, or on this machine; the made-up secrets are not in it."""
    url = ctx.untyped.login_url()
    parts = urlsplit(url)
    safe = parts.scheme == "https" or parts.hostname in LOOPBACK
    expect(safe and bool(parts.netloc), "an https address", url)
    for secret in ctx.profile.secrets:
        expect(secret not in url, "no secret in the address", "a secret")


@card(
    "BC-LO020",
    "A login that is refused is an error without secrets.",
    Section.SECRETS,
    capabilities=LOGIN,
    connected=False,
)
def _refused(ctx: CheckContext) -> None:
    """complete_login() with made-up fields is AuthenticationError; they are not repeated in it."""
    given = {"request_token": "made-up-token-4711", "code": "made-up-code-4711"}
    error = expect_error(
        lambda: ctx.untyped.complete_login(given),
        AuthenticationError,
        InvalidRequestError,
        when="complete_login with made-up fields",
    )
    expect("4711" not in f"{error} {error!r}", "no token in the error", "a token")
