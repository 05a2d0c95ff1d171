"""Where the passphrase of the encrypted file comes from; never from an argument of a command."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Protocol, TypeAlias

import attrs

from bot_v2.features.brokerages.core.errors import InvalidFieldError
from bot_v2.features.brokerages.core.secret import Secret
from bot_v2.orchestration.credentials.errors import PassphraseMissingError
from bot_v2.orchestration.credentials.keyring_store import KeyringStore

PASSPHRASE_VARIABLE: Final = "BOT_V2_PASSPHRASE"  # noqa: S105 - the name of a variable
"""The variable of the environment that may hold the passphrase."""

FROM_KEYRING: Final = "the keyring"
"""The origin of a passphrase that the keyring gave."""

LENGTH_MIN: Final = 8
"""How long a new passphrase is at least, in characters."""

Ask: TypeAlias = Callable[[str, bool], Secret | None]
"""Asks a person: what for, and whether it is a new one. None: there is nobody to ask."""


@attrs.frozen
class Passphrase:
    """A passphrase and where it comes from."""

    value: Secret
    """The passphrase."""
    origin: str
    """Where it comes from, for a message."""


class PassphraseSource(Protocol):
    """Gives the passphrase of a file when it is needed."""

    def __call__(self, file: Path, *, new: bool) -> Passphrase:
        """Return the passphrase.

        Args:
            file: which file.
            new: True: it is about to be sealed with it for the first time.

        Raises:
            PassphraseMissingError: there is none.
            InvalidFieldError: it is too short for a new one.
        """
        ...


class Passphrases:
    """Looks in the environment, then in the keyring, and then asks."""

    def __init__(
        self,
        environ: Mapping[str, str],
        keyring: KeyringStore | None = None,
        ask: Ask | None = None,
        variable: str = PASSPHRASE_VARIABLE,
    ) -> None:
        """Look in these.

        Args:
            environ: the environment.
            keyring: the keyring. None: it is not asked.
            ask: asks a person. None: there is nobody.
            variable: the name in the environment.
        """
        self._environ = environ
        self._keyring = keyring
        self._ask = ask
        self._variable = variable

    def __call__(self, file: Path, *, new: bool) -> Passphrase:
        """Return the passphrase; see PassphraseSource."""
        found = self._look_up(file, new)
        if found is None:
            kept = "" if self._keyring is None else "keep it in the keyring, "
            raise PassphraseMissingError(
                f"{file} needs its passphrase: set {self._variable}, {kept}"
                "or run the command where it can ask"
            )
        if new:
            check_new(found.value, found.origin)
        return found

    def _look_up(self, file: Path, new: bool) -> Passphrase | None:
        if text := self._environ.get(self._variable):
            return Passphrase(Secret(text), self._variable)
        kept = None if self._keyring is None else self._keyring.passphrase()
        if kept is not None:
            return Passphrase(kept, FROM_KEYRING)
        typed = None if self._ask is None else self._ask(str(file), new)
        return None if typed is None else Passphrase(typed, "the prompt")


def check_new(passphrase: Secret, origin: str) -> None:
    """Refuse a passphrase that is too short.

    Raises:
        InvalidFieldError: it is.
    """
    if len(passphrase.reveal()) < LENGTH_MIN:
        accepted = f"{LENGTH_MIN} characters or more"
        raise InvalidFieldError(f"passphrase from {origin}", passphrase, accepted)
