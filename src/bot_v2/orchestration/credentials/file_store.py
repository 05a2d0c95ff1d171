"""Credentials in a file that a passphrase opens."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from bot_v2.orchestration.credentials import atomic_file
from bot_v2.orchestration.credentials.errors import (
    CredentialsNotFoundError,
    WrongPassphraseError,
)
from bot_v2.orchestration.credentials.model import CredentialSet, from_document, to_document
from bot_v2.orchestration.credentials.passphrase import Passphrase, PassphraseSource, check_new
from bot_v2.orchestration.credentials.permissions import list_file_warnings
from bot_v2.orchestration.credentials.sealing import (
    DEFAULT_COST,
    Cost,
    Keys,
    Salted,
    keys_of,
    seal,
    unseal,
)

FILE: Final = "file"


class FileStore:
    """The encrypted file, read anew at each question. Safe between threads and processes."""

    def __init__(
        self,
        file: Path,
        passphrase: PassphraseSource,
        *,
        cost: Cost | None = None,
        lock_timeout_s: float = atomic_file.LOCK_TIMEOUT_S,
    ) -> None:
        """Keep credentials in a file; nothing is read or asked before it is needed.

        Args:
            file: where; it and its folder are made when something is kept.
            passphrase: gives the passphrase.
            cost: what it costs to try a passphrase at what is written. None: the default.
            lock_timeout_s: how long to wait for another writer, in seconds.
        """
        self._file = file
        self._source = passphrase
        self._cost = cost
        self._lock_timeout_s = lock_timeout_s
        self._mutex = threading.RLock()
        self._passphrase: Passphrase | None = None
        self._derived: tuple[Salted, Keys] | None = None

    @property
    def name(self) -> str:
        """What the store is called."""
        return FILE

    @property
    def where(self) -> str:
        """The file."""
        return str(self._file)

    def is_there(self) -> bool:
        """Say yes: a file can be made anywhere."""
        return True

    def list_sets(self) -> Sequence[CredentialSet]:
        """Return the sets, sorted by name."""
        with self._mutex:
            sets = self._read()
        return [sets[name] for name in sorted(sets)]

    def get(self, name: str) -> CredentialSet | None:
        """Return a set. None: there is none of that name."""
        with self._mutex:
            return self._read().get(name)

    def put_all(self, sets: Mapping[str, CredentialSet]) -> None:
        """Keep sets, all of them or none."""
        with self._changing() as kept:
            kept.update(sets)

    def delete(self, name: str) -> bool:
        """Forget a set; False: there was none."""
        if self.get(name) is None:
            return False
        with self._changing() as kept:
            return kept.pop(name, None) is not None

    def rotate(self, passphrase: Passphrase) -> str:
        """Seal the file anew, with another passphrase.

        Returns:
            Where the previous one came from.

        Raises:
            CredentialsNotFoundError: there is no file.
            CredentialStoreError: the file cannot be opened or written; the old passphrase holds.
            InvalidFieldError: the new passphrase is too short.
        """
        check_new(passphrase.value, passphrase.origin)
        with self._changing() as kept:
            if self._passphrase is None:
                raise CredentialsNotFoundError(
                    f"there is no {self._file} whose passphrase to change"
                )
            previous, self._passphrase = self._passphrase, passphrase
            try:
                self._write(kept)
            except BaseException:
                self._passphrase = previous
                raise
        return previous.origin

    def list_warnings(self) -> Sequence[str]:
        """Return who else can read or change the file."""
        return list_file_warnings(self._file)

    def __repr__(self) -> str:
        return f"FileStore({str(self._file)!r})"

    @contextmanager
    def _changing(self) -> Iterator[dict[str, CredentialSet]]:
        with self._mutex, atomic_file.locked(self._file, self._lock_timeout_s):
            kept = self._read()
            yield kept
            self._write(kept)

    def _read(self) -> dict[str, CredentialSet]:
        data = atomic_file.read(self._file)
        if data is None:
            self._passphrase = None
            return {}
        try:
            plain = unseal(data, self._keys, str(self._file))
        except WrongPassphraseError as error:
            origin = "" if self._passphrase is None else f" ({self._passphrase.origin})"
            # Asked again next time: another may have changed it, or it was mistyped.
            self._passphrase = self._derived = None
            raise WrongPassphraseError(f"{error.message}{origin}") from None
        return from_document(plain, str(self._file))

    def _write(self, sets: Mapping[str, CredentialSet]) -> None:
        if self._passphrase is None:
            self._passphrase = self._source(self._file, new=True)
        atomic_file.write(
            self._file, seal(to_document(sets), self._keys, self._cost or DEFAULT_COST)
        )

    def _keys(self, salted: Salted) -> Keys:
        """Return the keys; the work is done once for each salt."""
        if self._passphrase is None:
            self._passphrase = self._source(self._file, new=False)
        if self._derived is None or self._derived[0] != salted:
            self._derived = salted, keys_of(self._passphrase.value, salted)
        return self._derived[1]


def write_sealed(file: Path, sets: Mapping[str, CredentialSet], passphrase: Passphrase) -> None:
    """Write sets to an encrypted file, whatever is there.

    Raises:
        StoreUnavailableError: it cannot be written.
    """
    atomic_file.write(
        file, seal(to_document(sets), partial(keys_of, passphrase.value), DEFAULT_COST)
    )
