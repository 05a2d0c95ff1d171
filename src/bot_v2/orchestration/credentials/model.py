"""A set of credentials: what one login at a broker needs, by name."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import attrs

from bot_v2.features.brokerages.core.errors import InvalidFieldError
from bot_v2.features.brokerages.core.secret import Secret
from bot_v2.orchestration.credentials.errors import DamagedStoreError

NAME_LENGTH: Final = 64
FORMAT: Final = 1
"""The version of the JSON that is kept."""

_FIELD = re.compile(r"[a-z][a-z0-9_]*")
_NOT_IN_A_NAME = re.compile(r"[^a-z0-9]+")


@attrs.frozen(kw_only=True)
class Credential:
    """One value of a set."""

    value: Secret
    """The value."""
    expires_at: datetime | None = None
    """From when on it is of no use. None: nobody has said."""
    set_at: datetime | None = None
    """When it was given. None: the store does not say."""

    def is_expired(self, now: datetime) -> bool:
        """Whether its time has passed."""
        return self.expires_at is not None and self.expires_at <= now


@attrs.frozen(kw_only=True)
class CredentialSet:
    """What one login needs; its repr shows names only."""

    name: str
    """The name, as `set_name` writes it."""
    fields: Mapping[str, Credential]
    """The values by the names of a brokerage's settings, such as `api_key`."""

    def secrets(self, now: datetime) -> dict[str, Secret]:
        """Return the values that have not expired."""
        return {
            name: credential.value
            for name, credential in self.fields.items()
            if not credential.is_expired(now)
        }


def set_name(text: str) -> str:
    """Return a set's name as it is compared: small letters, digits and single hyphens.

    Raises:
        InvalidFieldError: nothing is left of it, or it is too long.
    """
    name = _NOT_IN_A_NAME.sub("-", text.lower()).strip("-")
    if not name or len(name) > NAME_LENGTH:
        accepted = f"1 to {NAME_LENGTH} letters and digits, such as broker-main"
        raise InvalidFieldError("name", text, accepted)
    return name


def field_name(text: str) -> str:
    """Return a field's name: the name of a setting, in small letters.

    Raises:
        InvalidFieldError: it is none; what looks like a value is not repeated.
    """
    name = text.strip().lower().replace("-", "_")
    if _FIELD.fullmatch(name) and len(name) <= NAME_LENGTH:
        return name
    before, equals, _ = text.partition("=")
    shown = f"{before}=***" if equals else Secret(text)
    accepted = "the name of a setting alone, such as api_key; its value is asked for"
    raise InvalidFieldError("field", shown, accepted)


def to_document(sets: Mapping[str, CredentialSet]) -> bytes:
    """Return sets as the JSON that is kept; the one place where values are written out."""
    document = {
        "format": FORMAT,
        "sets": {
            name: {field: _credential_to_plain(one) for field, one in kept.fields.items()}
            for name, kept in sets.items()
        },
    }
    return json.dumps(document, sort_keys=True).encode("ascii")


def from_document(data: bytes, source: str) -> dict[str, CredentialSet]:
    """Return the sets that `to_document` was given.

    Args:
        data: the JSON.
        source: where it was read, for a message.

    Raises:
        DamagedStoreError: it is nothing that `to_document` writes.
    """
    try:
        document = json.loads(data)
        if document["format"] != FORMAT:
            raise DamagedStoreError(
                f"{source} is of format {document['format']!r}, and this version reads {FORMAT}"
            )
        return {
            str(name): CredentialSet(
                name=str(name),
                fields={str(field): _credential_from_plain(one) for field, one in fields.items()},
            )
            for name, fields in document["sets"].items()
        }
    except (AttributeError, KeyError, TypeError, ValueError):
        # The cause is left out: it holds the text that could not be read.
        raise DamagedStoreError(f"{source} holds no credentials that can be read") from None


def _credential_to_plain(credential: Credential) -> dict[str, Any]:
    return {
        "value": credential.value.reveal(),
        "expires_at": _moment_to_text(credential.expires_at),
        "set_at": _moment_to_text(credential.set_at),
    }


def _credential_from_plain(plain: Any) -> Credential:
    value = plain["value"]
    if not isinstance(value, str):
        raise TypeError("a value is text")
    return Credential(
        value=Secret(value),
        expires_at=_moment_from_text(plain["expires_at"]),
        set_at=_moment_from_text(plain["set_at"]),
    )


def _moment_to_text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat()


def _moment_from_text(text: str | None) -> datetime | None:
    if text is None:
        return None
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a moment has a zone")
    return moment.astimezone(UTC)
