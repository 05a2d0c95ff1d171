# ruff: noqa: D102 - the methods are those of a keyring, which says what they are
"""Credentials for tests: a keyring in memory, a cheap file, a clock that stands still."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from keyring.backend import KeyringBackend

from bot_v2.features.brokerages.core.secret import Secret
from bot_v2.orchestration.credentials.audit import AuditLog
from bot_v2.orchestration.credentials.file_store import FileStore
from bot_v2.orchestration.credentials.model import Credential, CredentialSet
from bot_v2.orchestration.credentials.passphrase import Passphrase
from bot_v2.orchestration.credentials.sealing import Cost
from bot_v2.orchestration.credentials.store import CredentialSource
from bot_v2.orchestration.credentials.vault import Vault

NOW: Final = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)
MARK: Final = "made-up-s3cret-value"
"""What must never be seen outside of a Secret."""
CHEAP: Final = Cost(log_n=2, r=1, p=1)
RIGHT: Final = "the right passphrase"


class MemoryKeyring(KeyringBackend):
    """A keyring that forgets with the process."""

    priority = 1

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # keyring says no types for it
        self.items: dict[tuple[str, str], str] = {}
        self.failure: Exception | None = None

    def _may_fail(self) -> None:
        if self.failure is not None:
            raise self.failure

    def get_password(self, service: str, username: str) -> str | None:
        self._may_fail()
        return self.items.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self._may_fail()
        self.items[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        self._may_fail()
        del self.items[service, username]


def answering(text: str = RIGHT, origin: str = "the test") -> _Answering:
    """Return a source of passphrases that gives one, and counts how often."""
    return _Answering(text, origin)


class _Answering:
    def __init__(self, text: str, origin: str) -> None:
        self.text, self.origin = text, origin
        self.asked: list[bool] = []

    def __call__(self, file: Path, *, new: bool) -> Passphrase:
        self.asked.append(new)
        return Passphrase(Secret(self.text), self.origin)


def a_set(name: str = "main", expires_at: datetime | None = None, **values: str) -> CredentialSet:
    """Return a set with these values."""
    return CredentialSet(
        name=name,
        fields={
            field: Credential(value=Secret(value), expires_at=expires_at, set_at=NOW)
            for field, value in (values or {"api_key": MARK}).items()
        },
    )


def a_file_store(folder: Path, passphrase: str = RIGHT) -> FileStore:
    """Return a store in a folder, whose passphrase costs nothing to try."""
    return FileStore(folder / "credentials.enc", answering(passphrase), cost=CHEAP)


def a_vault(folder: Path, *stores: CredentialSource) -> Vault:
    """Return a vault whose clock stands still."""
    listed: Sequence[CredentialSource] = stores or (a_file_store(folder),)
    return Vault(listed, AuditLog(folder / "audit.jsonl", lambda: NOW), lambda: NOW)
