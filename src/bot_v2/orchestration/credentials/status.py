"""How credentials stand: what has expired, what is about to, and when each set was last read."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

import attrs

from bot_v2.orchestration.credentials.audit import DONE, Access, Action
from bot_v2.orchestration.credentials.model import Credential
from bot_v2.orchestration.credentials.vault import KeptSet, Vault

SOON: Final = timedelta(hours=24)
"""What ends within this time is told."""


class State(StrEnum):
    """Whether a value can be used."""

    VALID = "valid"
    """It can, as far as is known."""
    EXPIRES_SOON = "expires_soon"
    """It can for less than a day."""
    EXPIRED = "expired"
    """Its time has passed: it is not handed out."""
    SHADOWED = "shadowed"
    """It is not looked at: a store that comes before has the set, too."""


@attrs.frozen(kw_only=True)
class FieldStatus:
    """How one value stands."""

    set: str
    """The set."""
    field: str
    """The field."""
    store: str
    """Where it is kept."""
    state: State
    """Whether it can be used."""
    expires_at: datetime | None
    """From when on it is of no use. None: nobody has said."""
    set_at: datetime | None
    """When it was given. None: the store does not say."""
    last_used_at: datetime | None
    """When it was last handed out. None: never, as far as the log goes back."""
    last_used_by: str | None
    """Who read it then: user, program and process. None: nobody."""


def field_statuses(vault: Vault, now: datetime) -> list[FieldStatus]:
    """Return how each value of each set stands.

    Raises:
        CredentialStoreError: a store is there, and cannot be read.
    """
    uses = _last_uses(vault.audit.read())
    return [
        _status(kept, field, credential, uses.get((kept.store, kept.kept.name, field)), now)
        for kept in vault.list_sets()
        for field, credential in sorted(kept.kept.fields.items())
    ]


def list_warnings(vault: Vault) -> list[str]:
    """Return who else can read or change the stores, and the log."""
    warnings = [warning for store in vault.stores for warning in store.list_warnings()]
    # File and log share a folder, whose warnings come once.
    return list(dict.fromkeys([*warnings, *vault.audit.list_warnings()]))


def _last_uses(accesses: list[Access]) -> dict[tuple[str | None, str | None, str], Access]:
    return {
        (access.store, access.set, field): access
        for access in accesses
        if access.action is Action.READ and access.outcome == DONE
        for field in access.fields
    }


def _status(
    kept: KeptSet, field: str, credential: Credential, use: Access | None, now: datetime
) -> FieldStatus:
    return FieldStatus(
        set=kept.kept.name,
        field=field,
        store=kept.store,
        state=_state(kept, credential, now),
        expires_at=credential.expires_at,
        set_at=credential.set_at,
        last_used_at=None if use is None else use.at,
        last_used_by=None if use is None else f"{use.user}, {use.program} ({use.process})",
    )


def _state(kept: KeptSet, credential: Credential, now: datetime) -> State:
    if credential.is_expired(now):
        return State.EXPIRED
    if kept.shadowed_by is not None:
        return State.SHADOWED
    soon = credential.expires_at is not None and credential.expires_at <= now + SOON
    return State.EXPIRES_SOON if soon else State.VALID
