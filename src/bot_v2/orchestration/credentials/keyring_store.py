"""Credentials in the operating system's keyring: a set is an item, and an item lists the sets."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TypeVar

from bot_v2.features.brokerages.core.secret import Secret
from bot_v2.orchestration.credentials.errors import DamagedStoreError, StoreUnavailableError
from bot_v2.orchestration.credentials.model import CredentialSet, from_document, to_document
from bot_v2.orchestration.optional_package import needing

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

_T = TypeVar("_T")

KEYRING: Final = "keyring"
SERVICE: Final = "bot_v2"
"""The name that the items have in the keyring."""

# No set is called so: a set's name begins with a letter or a digit.
_INDEX: Final = ".sets"
_PASSPHRASE: Final = ".passphrase"  # noqa: S105 - the name of an item

_PLAIN_MODULES: Final = ("keyrings.alt.file",)
"""Where the keyrings are that keep what they are given in a plain file."""


class KeyringStore:
    """The keyring of the system: Keychain, Credential Locker, Secret Service, KWallet."""

    def __init__(self, backend: KeyringBackend | None = None) -> None:
        """Use a keyring.

        Args:
            backend: which. None: the system's, found when it is first needed.
        """
        self._chosen = backend
        self._changing = threading.Lock()

    @property
    def name(self) -> str:
        """What the store is called."""
        return KEYRING

    @property
    def where(self) -> str:
        """The kind of keyring."""
        backend = self._backend_or_none()
        return "no keyring on this machine" if backend is None else _name_of(backend)

    def list_sets(self) -> Sequence[CredentialSet]:
        """Return the sets, sorted by name."""
        found = (self.get(name) for name in self._names())
        return [one for one in found if one is not None]

    def get(self, name: str) -> CredentialSet | None:
        """Return a set. None: there is none of that name, or no keyring on this machine."""
        text = self._read(name)
        if text is None:
            return None
        source = f"the keyring's item {SERVICE}/{name}"
        kept = from_document(text.encode(), source)
        if list(kept) != [name]:
            raise DamagedStoreError(f"{source} holds other credentials")
        return kept[name]

    def put_all(self, sets: Mapping[str, CredentialSet]) -> None:
        """Keep sets, one after the other: a keyring has no step for several."""
        with self._changing:
            # The list comes first: a name without an item is no set, an unlisted one is lost.
            self._write_names({*self._names(), *sets})
            for name, kept in sets.items():
                self._write(name, to_document({name: kept}).decode())

    def delete(self, name: str) -> bool:
        """Forget a set; False: there was none."""
        with self._changing:
            if self._read(name) is None:
                return False
            self._needed(lambda backend: backend.delete_password(SERVICE, name))
            self._write_names(set(self._names()) - {name})
        return True

    def passphrase(self) -> Secret | None:
        """Return the passphrase of the encrypted file. None: it is not kept here."""
        text = self._read(_PASSPHRASE)
        return Secret(text) if text else None

    def is_there(self) -> bool:
        """Whether this machine has a keyring."""
        return self._backend_or_none() is not None

    def keep_passphrase(self, passphrase: Secret) -> None:
        """Keep the passphrase of the encrypted file.

        Raises:
            StoreUnavailableError: there is no keyring, or it is locked.
        """
        self._write(_PASSPHRASE, passphrase.reveal())

    def list_warnings(self) -> Sequence[str]:
        """Return what is wrong with the kind of keyring."""
        backend = self._backend_or_none()
        if backend is not None and type(backend).__module__ in _PLAIN_MODULES:
            return [
                f"{_name_of(backend)} may keep what it is given in a file that is not encrypted"
            ]
        return []

    def _names(self) -> list[str]:
        text = self._read(_INDEX)
        try:
            names = [] if text is None else json.loads(text)
        except ValueError:
            names = None
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise DamagedStoreError(f"the keyring's item {SERVICE}/{_INDEX} lists no names")
        return sorted(names)

    def _write_names(self, names: set[str]) -> None:
        self._write(_INDEX, json.dumps(sorted(names)))

    def _read(self, item: str) -> str | None:
        backend = self._backend_or_none()
        if backend is None:
            return None
        with _said_clearly():
            return backend.get_password(SERVICE, item)

    def _write(self, item: str, text: str) -> None:
        self._needed(lambda backend: backend.set_password(SERVICE, item, text))

    def _needed(self, do: Callable[[KeyringBackend], None]) -> None:
        with needing("the keyring"):
            import keyring  # noqa: F401 - asked for whether it is there
        backend = self._backend_or_none()
        if backend is None:
            raise StoreUnavailableError(
                "there is no keyring on this machine: use the encrypted file"
            )
        with _said_clearly():
            do(backend)

    def _backend_or_none(self) -> KeyringBackend | None:
        """Return the keyring. None: the package is not installed, or the system has none."""
        if self._chosen is None:
            try:
                import keyring
            except ImportError:
                return None
            self._chosen = keyring.get_keyring()
        return None if type(self._chosen).__module__.endswith(".backends.fail") else self._chosen


@contextmanager
def _said_clearly() -> Iterator[None]:
    """Turn what a keyring raises into one kind of error, without what it was given."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - each keyring has its own errors, of the system's
        # The cause is left out: an error of the system's may repeat what it was given.
        raise StoreUnavailableError(
            f"the keyring does not answer as it should: {type(error).__name__}. Is it locked? "
            "Is the value too long for it?"
        ) from None


def _name_of(backend: KeyringBackend) -> str:
    return f"{type(backend).__module__}.{type(backend).__name__}"
