"""Opens the vault that settings and environment describe."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from bot_v2.features.brokerages.core.errors import InvalidFieldError
from bot_v2.orchestration.configuration.places import config_folder
from bot_v2.orchestration.credentials.audit import AuditLog
from bot_v2.orchestration.credentials.environment_store import ENVIRONMENT, EnvironmentStore
from bot_v2.orchestration.credentials.file_store import FILE, FileStore
from bot_v2.orchestration.credentials.keyring_store import KEYRING, KeyringStore
from bot_v2.orchestration.credentials.passphrase import Ask, Passphrases
from bot_v2.orchestration.credentials.store import CredentialSource
from bot_v2.orchestration.credentials.vault import Vault
from bot_v2.shared.types import Clock
from bot_v2.simulation.clock import utc_now

STORES_VARIABLE: Final = "BOT_V2_CREDENTIAL_STORES"
"""The variable that says which stores are looked into, in order, with commas between them."""

FILE_VARIABLE: Final = "BOT_V2_CREDENTIALS_FILE"
"""The variable that says where the encrypted file is."""

FILE_NAME: Final = "credentials.enc"
AUDIT_SUFFIX: Final = ".audit.jsonl"

DEFAULT_STORES: Final = (ENVIRONMENT, KEYRING, FILE)
"""The order in which is looked, where nobody says another."""


def open_vault(
    environ: Mapping[str, str],
    *,
    stores: Sequence[str] | None = None,
    ask: Ask | None = None,
    keyring: KeyringStore | None = None,
    clock: Clock = utc_now,
) -> Vault:
    """Return a vault; nothing is read, and no passphrase is asked for, before it is needed.

    Args:
        environ: the environment.
        stores: which stores, in the order in which they are looked into. None: what
            `BOT_V2_CREDENTIAL_STORES` says, else environment, keyring, file.
        ask: asks a person for the passphrase. None: there is nobody.
        keyring: the keyring. None: the system's.
        clock: says what has expired.

    Raises:
        InvalidFieldError: a store is unknown, or named twice.
        MissingDependencyError: a package is needed to find the folder of the settings.
    """
    file = credentials_file(environ)
    ring = KeyringStore() if keyring is None else keyring
    makers: dict[str, Callable[[], CredentialSource]] = {
        ENVIRONMENT: lambda: EnvironmentStore(environ),
        KEYRING: lambda: ring,
        FILE: lambda: FileStore(file, Passphrases(environ, ring, ask)),
    }
    names = store_names(environ, stores)
    audit = AuditLog(file.with_name(f"{file.stem}{AUDIT_SUFFIX}"), clock)
    return Vault([makers[name]() for name in names], audit, clock)


def credentials_file(environ: Mapping[str, str]) -> Path:
    """Return where the encrypted file is, or would be.

    Raises:
        MissingDependencyError: a package is needed to find the folder of the settings.
    """
    said = environ.get(FILE_VARIABLE)
    return Path(said).expanduser() if said else config_folder(environ) / FILE_NAME


def store_names(environ: Mapping[str, str], stores: Sequence[str] | None = None) -> list[str]:
    """Return which stores are looked into, in order.

    Raises:
        InvalidFieldError: one is unknown, or named twice, or there is none.
    """
    said = environ.get(STORES_VARIABLE)
    names = said.split(",") if said else list(stores or DEFAULT_STORES)
    names = [name.strip().lower() for name in names]
    if not set(names) <= set(DEFAULT_STORES) or len(set(names)) < len(names):
        field = STORES_VARIABLE if said else "credential_stores"
        accepted = f"some of {', '.join(DEFAULT_STORES)}, each once, with commas between them"
        raise InvalidFieldError(field, ",".join(names), accepted)
    return names
