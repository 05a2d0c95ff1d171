"""The vault of a command: it asks the person at the terminal for what nothing else gives."""

from __future__ import annotations

import os
from typing import Final

import typer

from bot_v2.cli.prompts import ask_passphrase
from bot_v2.orchestration.configuration.files import load_settings_if_any
from bot_v2.orchestration.configuration.model import DeskSettings
from bot_v2.orchestration.credentials.keyring_store import KeyringStore
from bot_v2.orchestration.credentials.opening import open_vault
from bot_v2.orchestration.credentials.passphrase import Passphrases
from bot_v2.orchestration.credentials.vault import Vault

NEW_VARIABLE: Final = "BOT_V2_NEW_PASSPHRASE"
"""The variable that may hold the passphrase that the file is to have."""

BACKUP_VARIABLE: Final = "BOT_V2_BACKUP_PASSPHRASE"
"""The variable that may hold the passphrase of a backup."""


def vault_of(desk: DeskSettings | None = None) -> Vault:
    """Return the vault that settings and environment describe.

    Args:
        desk: the settings. None: those of the file, where there is one.

    Raises:
        BrokerageError: the settings are wrong.
    """
    settings = desk or load_settings_if_any(os.environ)
    stores = None if settings is None else settings.credential_stores
    return open_vault(os.environ, stores=stores, ask=ask_passphrase, keyring=keyring_of())


def keyring_of() -> KeyringStore:
    """Return the keyring of this machine."""
    return KeyringStore()


def passphrases(variable: str) -> Passphrases:
    """Return a source that looks at one variable of the environment, and then asks."""
    return Passphrases(os.environ, None, ask_passphrase, variable)


def warn(warnings: list[str]) -> None:
    """Print warnings to stderr, a line each."""
    for warning in warnings:
        typer.echo(f"warning: {warning}", err=True)
