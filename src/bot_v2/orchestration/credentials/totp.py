"""One-time passwords by the clock (RFC 6238), for brokers that ask for a second factor."""

from __future__ import annotations

import base64
import re
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

import attrs

from bot_v2.features.brokerages.core.errors import InvalidFieldError
from bot_v2.features.brokerages.core.secret import Secret
from bot_v2.orchestration.optional_package import needing

if TYPE_CHECKING:
    from pyotp.totp import TOTP

KEY_LENGTH: Final = 16
"""How long a key is made at least, in bytes."""

_SECRET_IN_ADDRESS = re.compile(r"([?&]secret=)([^&]*)")
_ACCEPTED: Final = "the text (base32) or the otpauth://totp/… address behind the QR code"


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
        from pyotp import parse_uri
        from pyotp.totp import TOTP
    text = secret.reveal().strip()
    made: object = None
    # The errors of all of this are of many kinds, and repeat the text.
    with suppress(Exception):
        if text.startswith("otpauth://"):
            made = parse_uri(_SECRET_IN_ADDRESS.sub(_lengthened_in_address, text))
        else:
            made = TOTP(_lengthened(text))
        if isinstance(made, TOTP) and made.at(0):
            return made
    raise InvalidFieldError("totp_secret", secret, _ACCEPTED)


def _lengthened_in_address(match: re.Match[str]) -> str:
    return match[1] + _lengthened(unquote(match[2]))


def _lengthened(text: str) -> str:
    """Return base32 of at least as many bytes as the library takes; the passwords are the same.

    Many services give out 80 bits, which the library refuses. A key is filled up with zeros before
    it is hashed (RFC 2104), so that zeros at its end change nothing.
    """
    letters = text.replace(" ", "").replace("-", "").rstrip("=").upper()
    key = base64.b32decode(letters + "=" * (-len(letters) % 8))
    if not key:
        raise ValueError("there is no secret")
    return base64.b32encode(key.ljust(KEY_LENGTH, b"\0")).decode().rstrip("=")
