"""Keeping secrets out of logs and errors: by the names of what carries them.

Nothing is parsed and printed again: what is shown is what was sent, but for the secrets.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import urlsplit, urlunsplit

BLANK: Final = "***"
"""What stands where a secret was."""

SHOWN_BYTES: Final = 2_000
"""How much of a body is shown."""

SURE_WORDS: Final = (
    "access-key",
    "access-sign",
    "api-key",
    "api_key",
    "apikey",
    "passphrase",
    "passw",
    "secret",
    "signature",
    "token",
)
"""What has one of these in its name is never shown, and never worth recording."""

SECRET_WORDS: Final = (
    *SURE_WORDS,
    "access_key",
    "auth",
    "authent",
    "authoriz",
    "code",
    "cookie",
    "credential",
    "jwt",
    "key",
    "mpin",
    "nonce",
    "otp",
    "passcode",
    "pin",
    "private",
    "session",
    "sign",
    "totp",
)
"""A header, a query field or a field of a body with one of these as a word of its name is blanked.

What only looks like a secret, such as an error's code, is blanked as well where it is a query's or
a header's; see `_SHOWN_IN_BODIES`.
"""

_SHOWN_IN_BODIES: Final = frozenset({"code", "error_code", "errorcode", "status_code"})
"""Fields of bodies that say what went wrong, and are worth showing."""

_PARTS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_LONG_WORDS: Final = tuple(word for word in SECRET_WORDS if len(word) > 4)
_SHORT_WORDS: Final = frozenset(word for word in SECRET_WORDS if len(word) <= 4)

_JSON_FIELD: Final = re.compile(
    r'(?P<before>"(?P<name>[^"\\]+)"\s*:\s*)(?P<value>"(?:[^"\\]|\\.)*(?:"|$)|-?[0-9][0-9.eE+-]*)'
)
_FORM_FIELD: Final = re.compile(r"(?P<before>(?:^|&)(?P<name>[^=&\s]+)=)(?P<value>[^&\s]*)")


def is_secret(name: str) -> bool:
    """Return whether a field of that name carries a secret: long words anywhere, short ones whole.

    `X-MBX-APIKEY`, `accessToken` and `pin` do; `symbol`, `shipping` and `spinner` do not.
    """
    small = name.lower()
    if any(word in small for word in _LONG_WORDS):
        return True
    return not _SHORT_WORDS.isdisjoint(part.lower() for part in _PARTS.findall(name))


def safe_url(url: str) -> str:
    """Return an address without user, password and fragment, its query's secrets blanked."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    query = _FORM_FIELD.sub(_blank_query_field, parts.query)
    return urlunsplit((parts.scheme, host, parts.path, query, ""))


def safe_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return headers with the secret ones blanked."""
    return {name: BLANK if is_secret(name) else value for name, value in headers.items()}


def safe_body(body: bytes | None) -> str:
    """Return the beginning of a body with its secrets blanked; of what is no text, its length."""
    if not body:
        return ""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return f"({len(body)} bytes that are no text)"
    # Blanked before it is cut, so that no field is cut off from its name.
    text = blank_fields(text, _is_secret_in_body)
    return text if len(text) <= SHOWN_BYTES else f"{text[:SHOWN_BYTES]}… ({len(body)} bytes)"


def blank_fields(text: str, is_secret: Callable[[str], bool]) -> str:
    """Return the text of a body, JSON or a form, with the fields of some names blanked."""
    is_json = text.lstrip()[:1] in ("{", "[")
    pattern, blank = (_JSON_FIELD, f'"{BLANK}"') if is_json else (_FORM_FIELD, BLANK)

    def replace(found: re.Match[str]) -> str:
        return found["before"] + blank if is_secret(found["name"]) else found[0]

    return pattern.sub(replace, text)


def _blank_query_field(found: re.Match[str]) -> str:
    return found["before"] + BLANK if is_secret(found["name"]) else found[0]


def _is_secret_in_body(name: str) -> bool:
    return name.lower() not in _SHOWN_IN_BODIES and is_secret(name)
