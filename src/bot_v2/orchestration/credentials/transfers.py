"""Sets that come from elsewhere or go there: what is kept already is not replaced unasked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs

from bot_v2.features.brokerages.core.errors import InvalidRequestError
from bot_v2.orchestration.credentials.audit import Action
from bot_v2.orchestration.credentials.errors import CredentialsNotFoundError
from bot_v2.orchestration.credentials.file_store import FileStore, write_sealed
from bot_v2.orchestration.credentials.model import CredentialSet
from bot_v2.orchestration.credentials.passphrase import PassphraseSource
from bot_v2.orchestration.credentials.store import is_writable
from bot_v2.orchestration.credentials.vault import Vault


@attrs.frozen(kw_only=True)
class Transfer:
    """What came over."""

    store: str
    """Where it was taken to."""
    taken: tuple[str, ...]
    """The sets that were kept, or written."""
    left: tuple[str, ...] = ()
    """The sets that were not taken, because there are others of the same names."""


def take(
    vault: Vault,
    sets: Mapping[str, CredentialSet],
    action: Action,
    *,
    store: str | None = None,
    force: bool = False,
) -> Transfer:
    """Keep sets that come from elsewhere.

    Args:
        vault: keeps them.
        sets: by name.
        action: what this is, for the log.
        store: which store. None: the first that can be written.
        force: replace those of the same names.

    Raises:
        CredentialStoreError: they could not be kept.
    """
    target = vault.writable(store)
    there = set() if force else {kept.name for kept in target.list_sets()}
    taken = {name: one for name, one in sets.items() if name not in there}
    if taken:
        vault.put_all(taken, action, target.name)
    left = sorted(set(sets) - set(taken))
    return Transfer(store=target.name, taken=tuple(sorted(taken)), left=tuple(left))


def back_up(
    vault: Vault,
    file: Path,
    passphrase: PassphraseSource,
    *,
    force: bool = False,
) -> Transfer:
    """Write the sets that are used, of every store that can be written, to an encrypted file.

    Args:
        vault: has them.
        file: where to; of the form of the encrypted file itself.
        passphrase: gives the passphrase of the backup.
        force: replace what is there.

    Raises:
        InvalidRequestError: there is such a file, and `force` is not given.
        CredentialsNotFoundError: there is nothing to back up.
        CredentialStoreError: it could not be read or written.
    """
    if file.exists() and not force:
        raise InvalidRequestError(f"{file} is there already: name another, or give --force")
    writable = {store.name for store in vault.stores if is_writable(store)}
    sets: dict[str, CredentialSet] = {}
    for one in vault.list_sets():
        if one.store in writable:
            sets.setdefault(one.kept.name, one.kept)
    if not sets:
        raise CredentialsNotFoundError("there are no credentials to back up")
    write_sealed(file, sets, passphrase(file, new=True))
    for name, kept in sets.items():
        vault.audit.record(Action.BACKUP, store=str(file), set=name, fields=kept.fields)
    return Transfer(store=str(file), taken=tuple(sorted(sets)))


def restore(
    vault: Vault,
    file: Path,
    passphrase: PassphraseSource,
    *,
    store: str | None = None,
    force: bool = False,
) -> Transfer:
    """Keep the sets of a backup.

    Args:
        vault: keeps them.
        file: the backup.
        passphrase: gives the passphrase of the backup.
        store: which store. None: the first that can be written.
        force: replace those of the same names.

    Raises:
        CredentialsNotFoundError: there is no such file.
        CredentialStoreError: it cannot be read, or they could not be kept.
    """
    if not file.exists():
        raise CredentialsNotFoundError(f"there is no backup {file}")
    sets: Sequence[CredentialSet] = FileStore(file, passphrase).list_sets()
    return take(vault, {one.name: one for one in sets}, Action.RESTORE, store=store, force=force)
