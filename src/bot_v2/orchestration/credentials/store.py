"""What a store of credentials does, whatever it keeps them in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeGuard

from bot_v2.orchestration.credentials.model import CredentialSet


class CredentialSource(Protocol):
    """Somewhere credentials can be read.

    A source that is not there at all (no file, no keyring on this machine) has no sets. One that is
    there and cannot be read raises, so that what it hides is never replaced by something older.
    """

    @property
    def name(self) -> str:
        """What the store is called in settings and messages."""
        ...

    @property
    def where(self) -> str:
        """Where it is, for a message."""
        ...

    def list_sets(self) -> Sequence[CredentialSet]:
        """Return the sets, sorted by name.

        Raises:
            CredentialStoreError: the store is there, and cannot be read.
        """
        ...

    def get(self, name: str) -> CredentialSet | None:
        """Return a set. None: there is none of that name.

        Raises:
            CredentialStoreError: the store is there, and cannot be read.
        """
        ...

    def list_warnings(self) -> Sequence[str]:
        """Return who else can read it, or change it; empty where all is well."""
        ...


class CredentialStore(CredentialSource, Protocol):
    """A source that can also be written to."""

    def is_there(self) -> bool:
        """Whether this machine has it: a store that is not there is not written to unasked."""
        ...

    def put_all(self, sets: Mapping[str, CredentialSet]) -> None:
        """Keep sets; those of the same names are replaced whole.

        Raises:
            CredentialStoreError: they could not be kept.
        """
        ...

    def delete(self, name: str) -> bool:
        """Forget a set; False: there was none.

        Raises:
            CredentialStoreError: it could not be forgotten.
        """
        ...


def is_writable(store: CredentialSource) -> TypeGuard[CredentialStore]:
    """Return whether a source can also be written to."""
    return hasattr(store, "put_all")
