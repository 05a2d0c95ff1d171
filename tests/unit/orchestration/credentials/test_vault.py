"""The vault: a stated order, whole sets, nothing expired, and every access written down."""

from __future__ import annotations

import json
import logging
import os
import traceback
from datetime import timedelta
from pathlib import Path

import pytest

from bot_v2.features.brokerages.core.errors import InvalidFieldError
from bot_v2.features.brokerages.core.secret import Secret
from bot_v2.orchestration.credentials import audit as audit_module
from bot_v2.orchestration.credentials.audit import Action, AuditLog
from bot_v2.orchestration.credentials.environment_store import EnvironmentStore
from bot_v2.orchestration.credentials.errors import (
    CredentialsNotFoundError,
    StoreUnavailableError,
    WrongPassphraseError,
)
from bot_v2.orchestration.credentials.keyring_store import KeyringStore
from bot_v2.orchestration.credentials.status import State, field_statuses, list_warnings
from bot_v2.orchestration.credentials.vault import Vault
from tests.unit.orchestration.credentials.kit import (
    MARK,
    NOW,
    MemoryKeyring,
    a_file_store,
    a_set,
    a_vault,
)

HOUR = timedelta(hours=1)


def three(folder: Path, environ: dict[str, str] | None = None) -> Vault:
    """Return a vault of all three stores."""
    return a_vault(
        folder,
        EnvironmentStore(environ or {}),
        KeyringStore(MemoryKeyring()),
        a_file_store(folder),
    )


def accesses(vault: Vault) -> list[tuple[str, str | None, str | None, str]]:
    """Return what the log says: action, store, set and outcome."""
    return [(one.action.value, one.store, one.set, one.outcome) for one in vault.audit.read()]


def test_a_set_comes_whole_from_the_first_store_that_has_it(tmp_path: Path) -> None:
    """Half a login from each of two stores is none."""
    vault = three(tmp_path, {"BOT_V2_CREDENTIALS__MAIN__API_KEY": "of the environment"})
    vault.set_fields("main", {"api_key": Secret("k"), "secret_key": Secret(MARK)}, store="file")
    assert vault.get("MAIN").secrets(NOW) == {"api_key": Secret("of the environment")}
    listed = [(one.store, one.kept.name, one.shadowed_by) for one in vault.list_sets()]
    assert listed == [("environment", "main", None), ("file", "main", "environment")]


def test_a_set_that_is_nowhere_says_where_was_looked(tmp_path: Path) -> None:
    """In order, with the place of each store, and how to keep one."""
    vault = three(tmp_path)
    assert vault.find("main") is None
    with pytest.raises(CredentialsNotFoundError) as caught:
        vault.get("main")
    said = str(caught.value)
    assert said.index("environment (") < said.index("keyring (") < said.index("file (")
    assert "bot-v2 credentials set main" in said
    assert accesses(vault) == [("read", None, "main", "absent")] * 2


def test_a_store_that_cannot_be_read_ends_the_look_up(tmp_path: Path) -> None:
    """What it hides is not replaced by something older in the next store."""
    ring = MemoryKeyring()
    vault = a_vault(tmp_path, KeyringStore(ring), a_file_store(tmp_path))
    vault.set_fields("main", {"api_key": Secret("older")}, store="file")
    ring.failure = OSError("locked")
    with pytest.raises(StoreUnavailableError):
        vault.get("main")
    assert accesses(vault)[-1] == ("read", "keyring", "main", "StoreUnavailableError")


def test_values_join_the_set_where_it_is(tmp_path: Path) -> None:
    """Other fields stay; without a name for the store, the set's own is used, else the first."""
    vault = three(tmp_path)
    assert vault.set_fields("main", {"API-Key": Secret("k")}, store="file") == "file"
    assert vault.set_fields("main", {"session_token": Secret("t")}, expires_at=NOW + HOUR) == "file"
    kept = vault.get("main")
    assert {name: one.expires_at for name, one in kept.fields.items()} == {
        "api_key": None,
        "session_token": NOW + HOUR,
    }
    assert {one.set_at for one in kept.fields.values()} == {NOW}
    assert vault.set_fields("new", {"api_key": Secret("k")}) == "keyring"


def test_what_cannot_be_kept_is_refused_unseen(tmp_path: Path) -> None:
    """Nothing, an empty value, no store, or what is no secret of one-time passwords."""
    vault = three(tmp_path)
    for secrets, says in (
        ({}, "one value at least"),
        ({"api_key": Secret("")}, "not empty"),
        ({"totp_secret": Secret(f"{MARK}!")}, "otpauth"),
    ):
        with pytest.raises(InvalidFieldError, match=says) as caught:
            vault.set_fields("main", secrets)
        assert MARK not in "".join(traceback.format_exception(caught.value))
    with pytest.raises(InvalidFieldError, match="store is 'environment'; accepted: keyring, file"):
        vault.set_fields("main", {"api_key": Secret("k")}, store="environment")
    with pytest.raises(InvalidFieldError, match="no store here can be written"):
        a_vault(tmp_path, EnvironmentStore({})).set_fields("main", {"api_key": Secret("k")})
    vault.set_fields("main", {"totp_secret": Secret("GEZDGNBVGY3TQOJQ")})


def test_a_keyring_that_is_not_there_is_not_written_to_unasked(tmp_path: Path) -> None:
    """On a machine without one the file is the first store that can be written."""

    class NoKeyring(KeyringStore):
        def is_there(self) -> bool:
            return False

    vault = a_vault(tmp_path, NoKeyring(MemoryKeyring()), a_file_store(tmp_path))
    assert vault.set_fields("main", {"api_key": Secret("k")}) == "file"


def test_a_set_is_forgotten_everywhere_or_where_it_is_said(tmp_path: Path) -> None:
    """Each store that had it is named; where none had it, that is an error."""
    vault = three(tmp_path)
    for store in ("keyring", "file"):
        vault.set_fields("a", {"k": Secret("v")}, store=store)
        vault.set_fields("b", {"k": Secret("v")}, store=store)
    assert vault.delete("A") == ["keyring", "file"]
    assert vault.delete("b", "file") == ["file"]
    with pytest.raises(CredentialsNotFoundError, match="'b' in file"):
        vault.delete("b", "file")
    assert [one.kept.name for one in vault.list_sets()] == ["b"]


def test_what_has_expired_is_not_handed_out(tmp_path: Path) -> None:
    """A token past its time is left out; the key beside it is not."""
    vault = a_vault(tmp_path)
    vault.set_fields("main", {"api_key": Secret("k")})
    vault.set_fields("main", {"token": Secret("t")}, expires_at=NOW)
    vault.set_fields("main", {"later": Secret("l")}, expires_at=NOW + timedelta(microseconds=1))
    assert set(vault.get("main").secrets(NOW)) == {"api_key", "later"}


def test_expired_values_are_cleared_and_nothing_else(tmp_path: Path) -> None:
    """A set of which nothing is left is forgotten whole."""
    vault = three(tmp_path)
    vault.set_fields("a", {"key": Secret("k")}, store="file")
    vault.set_fields("a", {"token": Secret("t")}, store="file", expires_at=NOW - HOUR)
    vault.set_fields("b", {"token": Secret("t")}, store="keyring", expires_at=NOW)
    assert vault.clear_expired() == {"keyring/b": ["token"], "file/a": ["token"]}
    assert [(one.kept.name, list(one.kept.fields)) for one in vault.list_sets()] == [("a", ["key"])]
    assert vault.clear_expired() == {}


def test_every_access_is_written_down_without_a_value(tmp_path: Path) -> None:
    """Who, when, which, where and how it went."""
    vault = a_vault(tmp_path)
    vault.set_fields("main", {"api_key": Secret(MARK)})
    vault.get("main")
    vault.delete("main")
    wrong = a_vault(tmp_path, a_file_store(tmp_path, "a wrong passphrase"))
    for call in (lambda: wrong.get("main"), lambda: wrong.delete("main")):
        with pytest.raises(WrongPassphraseError):
            call()
    with pytest.raises(WrongPassphraseError):
        wrong.set_fields("main", {"api_key": Secret(MARK)}, store="file")
    assert accesses(vault) == [
        ("set", "file", "main", "done"),
        ("read", "file", "main", "done"),
        ("delete", "file", "main", "done"),
        ("read", "file", "main", "WrongPassphraseError"),
        ("delete", "file", "main", "WrongPassphraseError"),
        ("set", "file", "main", "WrongPassphraseError"),
    ]
    first = vault.audit.read()[1]
    assert (first.at, first.process, first.fields) == (NOW, os.getpid(), ("api_key",))
    assert first.user
    assert first.program
    assert MARK not in vault.audit.file.read_text()


def test_the_log_is_for_its_owner_and_outlives_a_torn_line(tmp_path: Path) -> None:
    """A line that a killed process left half does not take the next one along."""
    log = AuditLog(tmp_path / "log" / "audit.jsonl", lambda: NOW)
    assert log.read() == []
    log.record(Action.READ, store="file", set="a", fields=["k"])
    log.record(Action.ROTATE, store="file", set=None)
    if os.name != "nt":
        assert log.file.stat().st_mode & 0o777 == 0o600
    assert log.list_warnings() == []
    torn = log.file.read_bytes()[:-20]
    log.file.write_bytes(torn + b"\xff")
    log.record(Action.READ, store="file", set="b")
    log.file.write_bytes(log.file.read_bytes() + b'[]\n{"at": 1}\n\n{}\n')
    assert [one.set for one in log.read()] == ["a", "b"]
    assert all(json.loads(line) for line in torn.splitlines()[:1])


def test_an_access_that_cannot_be_written_down_is_warned_about(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A full disk does not keep a bot from its credentials, and is not passed over in silence."""
    vault = a_vault(tmp_path)
    vault.set_fields("main", {"api_key": Secret(MARK)})
    blocked = Vault(vault.stores, AuditLog(tmp_path, lambda: NOW), lambda: NOW)
    with caplog.at_level(logging.WARNING):
        assert blocked.get("main").fields["api_key"].value == Secret(MARK)
    assert "could not be written" in caplog.text
    assert MARK not in caplog.text
    with pytest.raises(StoreUnavailableError):
        blocked.audit.read()


def test_the_user_is_the_systems_not_the_environments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Anybody can set LOGNAME; a system without a list of users is asked as it can be."""
    monkeypatch.setenv("LOGNAME", "somebody-else")
    pwd = pytest.importorskip("pwd")
    assert audit_module._user() == pwd.getpwuid(os.geteuid()).pw_name

    def unknown(uid: int) -> None:
        raise KeyError(uid)

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    assert audit_module._user() == str(os.geteuid())
    monkeypatch.setitem(__import__("sys").modules, "pwd", None)
    assert audit_module._user() == "somebody-else"


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps permissions in access lists")
def test_reading_warns_of_who_else_can(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The warning is in the log of the bot, and in that of the status."""
    vault = a_vault(tmp_path)
    vault.set_fields("main", {"api_key": Secret(MARK)})
    (tmp_path / "credentials.enc").chmod(0o644)
    vault.audit.file.chmod(0o644)
    with caplog.at_level(logging.WARNING):
        vault.get("main")
    assert "others can read" in caplog.text
    assert MARK not in caplog.text
    tmp_path.chmod(0o777)
    warnings = list_warnings(vault)
    assert len(warnings) == len(set(warnings)) == 3


def test_status_says_how_each_value_stands(tmp_path: Path) -> None:
    """Expiry, last use, and what is not looked at."""
    vault = three(tmp_path, {"BOT_V2_CREDENTIALS__B__KEY": "e"})
    vault.set_fields("a", {"key": Secret("k")}, store="file")
    vault.set_fields("a", {"old": Secret("o")}, store="file", expires_at=NOW - HOUR)
    vault.set_fields("a", {"soon": Secret("s")}, store="file", expires_at=NOW + HOUR)
    vault.set_fields("a", {"later": Secret("l")}, store="file", expires_at=NOW + 25 * HOUR)
    vault.set_fields("b", {"key": Secret("k")}, store="file")
    before = {(one.store, one.set, one.field): one for one in field_statuses(vault, NOW)}
    assert {key: one.state for key, one in before.items()} == {
        ("file", "a", "key"): State.VALID,
        ("file", "a", "old"): State.EXPIRED,
        ("file", "a", "soon"): State.EXPIRES_SOON,
        ("file", "a", "later"): State.VALID,
        ("environment", "b", "key"): State.VALID,
        ("file", "b", "key"): State.SHADOWED,
    }
    assert {one.last_used_at for one in before.values()} == {None}
    vault.get("a")
    after = [one for one in field_statuses(vault, NOW) if one.set == "a"]
    assert {one.last_used_at for one in after} == {NOW}
    assert all(str(os.getpid()) in (one.last_used_by or "") for one in after)


def test_nothing_secret_is_in_the_repr_of_anything(tmp_path: Path) -> None:
    """Sets, kept sets, statuses, accesses and the vault show names only."""
    vault = a_vault(tmp_path)
    vault.set_fields("main", {"api_key": Secret(MARK)})
    shown = [vault, vault.get("main"), vault.list_sets(), field_statuses(vault, NOW)]
    assert MARK not in repr([*shown, vault.audit.read(), a_set()])
    assert "'***'" in repr(shown)
