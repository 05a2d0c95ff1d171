"""One-time passwords by the clock (RFC 6238), for brokers that ask for a second factor."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING

import attrs

from bot_v2.features.brokerages.core.errors import InvalidFieldError
from bot_v2.features.brokerages.core.secret import Secret
from bot_v2.orchestration.optional_package import needing

if TYPE_CHECKING:
    from pyotp import TOTP

_ACCEPTED = "the text (base32) or the otpauth://totp/… address behind the QR code"


@attrs.frozen(kw_only=True)
class OneTimePassword:
    """A password for a moment."""

    code: Secret
    """The digits."""
    valid_for_s: int
    """How many seconds it is still the current one."""


def is_totp_field(name: str) -> bool:
    """Whether a field holds what one-time passwords are made of."""
    return name.endswith("totp_secret")


def check_totp_secret(secret: Secret) -> None:
    """Refuse what no one-time password can be made of.

    Raises:
        InvalidFieldError: it is none; its text is not shown.
        MissingDependencyError: the extra `credentials` is not installed.
    """
    _read(secret)


def one_time_password(secret: Secret, now: datetime) -> OneTimePassword:
    """Return the password of a moment.

    Args:
        secret: base32 text, or an otpauth address.
        now: the moment; the broker's clock has to agree within half a minute.

    Raises:
        InvalidFieldError: no password can be made of it; its text is not shown.
        MissingDependencyError: the extra `credentials` is not installed.
    """
    totp = _read(secret)
    seconds = int(now.timestamp())
    return OneTimePassword(
        code=Secret(totp.at(seconds)), valid_for_s=totp.interval - seconds % totp.interval
    )


def _read(secret: Secret) -> TOTP:
    with needing("a one-time password"):
        import pyotp
    text = secret.reveal().strip()
    made: object = None
    # Its errors are of many kinds, and repeat the text.
    with suppress(Exception):
        if text.startswith("otpauth://"):
            made = pyotp.parse_uri(text)
        elif text:
            made = pyotp.TOTP(text.replace(" ", "").replace("-", "").upper())
        if isinstance(made, pyotp.TOTP) and made.at(0):
            return made
    raise InvalidFieldError("totp_secret", secret, _ACCEPTED)
