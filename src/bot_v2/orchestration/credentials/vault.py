"""The credentials of one person, wherever they are kept: looked for in a stated order."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Final

import attrs

from bot_v2.features.brokerages.core.errors import BrokerageError, InvalidFieldError
from bot_v2.features.brokerages.core.secret import Secret
from bot_v2.orchestration.credentials.audit import ABSENT, Action, AuditLog
from bot_v2.orchestration.credentials.errors import CredentialsNotFoundError
from bot_v2.orchestration.credentials.model import (
    Credential,
    CredentialSet,
    field_name,
    set_name,
)
from bot_v2.orchestration.credentials.store import (
    CredentialSource,
    CredentialStore,
    is_writable,
)
from bot_v2.orchestration.credentials.totp import check_totp_secret, is_totp_field
from bot_v2.shared.types import Clock

_LOGGER: Final = logging.getLogger(__name__)


@attrs.frozen(kw_only=True)
class KeptSet:
    """A set, and where it is kept."""

    store: str
    """Which store has it."""
    kept: CredentialSet
    """The set."""
    shadowed_by: str | None
    """The store that is looked into first and has one of the same name. None: this one is used."""


class Vault:
    """Looks for a set in one store after the other; a set always comes whole from one of them."""

    def __init__(self, stores: Sequence[CredentialSource], audit: AuditLog, clock: Clock) -> None:
        """Look into stores.

        Args:
            stores: in the order in which they are looked into.
            audit: where accesses are written down.
            clock: says what has expired.
        """
        self._stores = tuple(stores)
        self._audit = audit
        self._clock = clock

    @property
    def stores(self) -> tuple[CredentialSource, ...]:
        """The stores, in the order in which they are looked into."""
        return self._stores

    @property
    def audit(self) -> AuditLog:
        """Where accesses are written down."""
        return self._audit

    def get(self, name: str) -> CredentialSet:
        """Return the set that is used, from the first store that has it.

        Raises:
            CredentialsNotFoundError: no store has it.
            CredentialStoreError: a store that comes before is there, and cannot be read.
        """
        found = self.find(name)
        if found is None:
            looked = "; ".join(f"{store.name} ({store.where})" for store in self._stores)
            raise CredentialsNotFoundError(
                f"there are no credentials {set_name(name)!r}; looked, in this order, into "
                f"{looked}. Keep some: bot-v2 credentials set {set_name(name)}"
            )
        return found

    def find(self, name: str) -> CredentialSet | None:
        """Return the set that is used. None: no store has it.

        Raises:
            CredentialStoreError: a store that comes before is there, and cannot be read.
        """
        wanted = set_name(name)
        for store in self._stores:
            with self._recorded_if_it_fails(Action.READ, store.name, wanted):
                found = store.get(wanted)
            if found is not None:
                for warning in store.list_warnings():
                    _LOGGER.warning("credentials: %s", warning)
                self._audit.record(Action.READ, store=store.name, set=wanted, fields=found.fields)
                return found
        self._audit.record(Action.READ, store=None, set=wanted, outcome=ABSENT)
        return None

    def list_sets(self) -> list[KeptSet]:
        """Return every set of every store, by name and then in the order of the stores.

        Raises:
            CredentialStoreError: a store is there, and cannot be read.
        """
        first: dict[str, str] = {}
        listed = []
        for store in self._stores:
            for kept in store.list_sets():
                owner = first.setdefault(kept.name, store.name)
                shadowed_by = None if owner == store.name else owner
                listed.append(KeptSet(store=store.name, kept=kept, shadowed_by=shadowed_by))
        return sorted(listed, key=lambda one: one.kept.name)

    def set_fields(
        self,
        name: str,
        secrets: Mapping[str, Secret],
        *,
        store: str | None = None,
        expires_at: datetime | None = None,
    ) -> str:
        """Keep values, beside the other fields that the set has in that store.

        Args:
            name: the set.
            secrets: the values by field.
            store: which store. None: the one that has the set, else the first that can be written.
            expires_at: from when on these values are of no use. None: nobody says.

        Returns:
            The store.

        Raises:
            InvalidFieldError: a name or a value will not do; no value is shown.
            CredentialStoreError: they could not be kept.
        """
        wanted, now = set_name(name), self._clock()
        fields = {
            field: Credential(value=value, expires_at=expires_at, set_at=now)
            for field, value in checked(secrets).items()
        }
        target = self._writable(store, wanted)
        with self._recorded(Action.SET, target.name, wanted, fields):
            known = target.get(wanted)
            merged = {**({} if known is None else known.fields), **fields}
            target.put_all({wanted: CredentialSet(name=wanted, fields=merged)})
        return target.name

    def put_all(self, sets: Mapping[str, CredentialSet], action: Action, store: str | None) -> str:
        """Keep whole sets; those of the same names are replaced.

        Args:
            sets: by name.
            action: what this is, for the log.
            store: which store. None: the first that can be written.

        Returns:
            The store.

        Raises:
            CredentialStoreError: they could not be kept.
        """
        target = self.writable(store)
        with self._recorded_if_it_fails(action, target.name, None):
            target.put_all(sets)
        for name, kept in sets.items():
            self._audit.record(action, store=target.name, set=name, fields=kept.fields)
        return target.name

    def delete(self, name: str, store: str | None = None) -> list[str]:
        """Forget a set.

        Args:
            name: the set.
            store: in which store. None: in all that can be written.

        Returns:
            The stores that had it.

        Raises:
            CredentialsNotFoundError: none had it.
            CredentialStoreError: it could not be forgotten.
        """
        wanted = set_name(name)
        targets = [self.writable(store)] if store else list(filter(is_writable, self._stores))
        had = []
        for target in targets:
            with self._recorded_if_it_fails(Action.DELETE, target.name, wanted):
                if target.delete(wanted):
                    had.append(target.name)
                    self._audit.record(Action.DELETE, store=target.name, set=wanted)
        if not had:
            looked = ", ".join(target.name for target in targets)
            raise CredentialsNotFoundError(f"there are no credentials {wanted!r} in {looked}")
        return had

    def clear_expired(self) -> dict[str, list[str]]:
        """Forget the values whose time has passed; a set without any is forgotten whole.

        Returns:
            What was forgotten: the fields of each set, as `store/set`.

        Raises:
            CredentialStoreError: a store is there, and cannot be read or written.
        """
        now, cleared = self._clock(), {}
        for store in filter(is_writable, self._stores):
            for kept in store.list_sets():
                expired = sorted(n for n, one in kept.fields.items() if one.is_expired(now))
                if not expired:
                    continue
                cleared[f"{store.name}/{kept.name}"] = expired
                with self._recorded(Action.CLEAR_EXPIRED, store.name, kept.name, expired):
                    left = {n: one for n, one in kept.fields.items() if n not in expired}
                    if left:
                        store.put_all({kept.name: CredentialSet(name=kept.name, fields=left)})
                    else:
                        store.delete(kept.name)
        return cleared

    def writable(self, name: str | None) -> CredentialStore:
        """Return a store that can be written, by its name. None: the first that is there.

        Raises:
            InvalidFieldError: there is none.
        """
        known = list(filter(is_writable, self._stores))
        for store in known:
            if store.name == name or (name is None and store.is_there()):
                return store
        accepted = ", ".join(store.name for store in known)
        raise InvalidFieldError("store", name, accepted or "no store here can be written to")

    def _writable(self, name: str | None, wanted: str) -> CredentialStore:
        if name is None:
            for store in filter(is_writable, self._stores):
                if store.get(wanted) is not None:
                    return store
        return self.writable(name)

    @contextmanager
    def _recorded(
        self, action: Action, store: str, name: str | None, fields: Mapping[str, object] | list[str]
    ) -> Iterator[None]:
        with self._recorded_if_it_fails(action, store, name):
            yield
        self._audit.record(action, store=store, set=name, fields=fields)

    @contextmanager
    def _recorded_if_it_fails(self, action: Action, store: str, name: str | None) -> Iterator[None]:
        try:
            yield
        except BrokerageError as error:
            outcome = type(error).__name__
            self._audit.record(action, store=store, set=name, outcome=outcome)
            raise


def checked(secrets: Mapping[str, Secret]) -> dict[str, Secret]:
    """Return values by the names of their fields, as they are compared.

    Raises:
        InvalidFieldError: there is none, a name or a value will not do; no value is shown.
    """
    fields = {field_name(name): value for name, value in secrets.items()}
    if not fields:
        raise InvalidFieldError("fields", None, "one value at least")
    for name, value in fields.items():
        if not value:
            raise InvalidFieldError(name, value, "a value that is not empty")
        if is_totp_field(name):
            check_totp_secret(value)
    return fields
