"""Backups, and what an old database has: nothing that is kept is replaced unasked."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bot_v2.features.brokerages.core.errors import InvalidFieldError, InvalidRequestError
from bot_v2.features.brokerages.core.secret import Secret
from bot_v2.orchestration.credentials import file_store
from bot_v2.orchestration.credentials.audit import Action
from bot_v2.orchestration.credentials.environment_store import EnvironmentStore
from bot_v2.orchestration.credentials.errors import (
    CredentialsNotFoundError,
    DamagedStoreError,
    StoreUnavailableError,
    WrongPassphraseError,
)
from bot_v2.orchestration.credentials.keyring_store import KeyringStore
from bot_v2.orchestration.credentials.mcube3 import read_mcube3
from bot_v2.orchestration.credentials.transfers import back_up, restore, take
from tests.unit.orchestration.credentials.kit import (
    CHEAP,
    MARK,
    NOW,
    MemoryKeyring,
    a_file_store,
    a_set,
    a_vault,
    answering,
)

BACKUP = answering("the passphrase of the backup")

# The columns of the old application, as its own migration reads them.
TABLE = """
CREATE TABLE tools_credentialstore (
    id integer PRIMARY KEY, name varchar(100), service varchar(50), api_key varchar(256),
    api_secret varchar(256), session_token varchar(512), username varchar(150),
    password varchar(150), pan varchar(20), neo_password varchar(100), sid varchar(256),
    created_at datetime, last_session_update datetime)
"""


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let backups cost nothing to open."""
    monkeypatch.setattr(file_store, "DEFAULT_COST", CHEAP)


def old_database(folder: Path, *rows: dict[str, object], table: str = TABLE) -> Path:
    """Write a database as the old application has it."""
    database = folder / "db #1?.sqlite3"
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(table)
        for row in rows:
            marks = ", ".join("?" * len(row))
            columns = ", ".join(row)
            connection.execute(
                f"INSERT INTO tools_credentialstore ({columns}) VALUES ({marks})",  # noqa: S608
                tuple(row.values()),
            )
    return database


def test_a_backup_has_what_is_used_and_comes_back(tmp_path: Path) -> None:
    """Of both stores that can be written, with times; the environment's own are left to it."""
    vault = a_vault(
        tmp_path,
        EnvironmentStore({"BOT_V2_CREDENTIALS__OF_ENV__KEY": "e"}),
        KeyringStore(MemoryKeyring()),
        a_file_store(tmp_path),
    )
    vault.set_fields("both", {"k": Secret("used")}, store="keyring")
    vault.set_fields("both", {"k": Secret("shadowed")}, store="file")
    vault.set_fields("main", {"k": Secret(MARK)}, store="file", expires_at=NOW)
    file = tmp_path / "backup.enc"
    done = back_up(vault, file, BACKUP)
    assert (done.taken, done.store) == (("both", "main"), str(file))
    assert MARK.encode() not in file.read_bytes()
    new = a_vault(tmp_path / "new", a_file_store(tmp_path / "new"))
    assert restore(new, file, BACKUP).taken == ("both", "main")
    assert {one.kept.name: one.kept for one in new.list_sets()} == {
        "both": vault.get("both"),
        "main": vault.get("main"),
    }
    actions = [(one.action, one.set) for one in vault.audit.read()]
    assert (Action.BACKUP, "main") in actions
    assert [(one.action, one.set) for one in new.audit.read()][:2] == [
        (Action.RESTORE, "both"),
        (Action.RESTORE, "main"),
    ]


def test_a_backup_replaces_no_file_unasked(tmp_path: Path) -> None:
    """An older backup stays, unless it is said otherwise; then its passphrase does not matter."""
    vault = a_vault(tmp_path)
    with pytest.raises(CredentialsNotFoundError, match="no credentials to back up"):
        back_up(vault, tmp_path / "b", BACKUP)
    vault.set_fields("main", {"k": Secret("v")})
    back_up(vault, tmp_path / "b", answering("an older passphrase"))
    with pytest.raises(InvalidRequestError, match="give --force"):
        back_up(vault, tmp_path / "b", BACKUP)
    back_up(vault, tmp_path / "b", BACKUP, force=True)
    with pytest.raises(WrongPassphraseError):
        restore(vault, tmp_path / "b", answering("an older passphrase"))


def test_a_backup_that_is_damaged_or_missing_restores_nothing(tmp_path: Path) -> None:
    """What is kept stays as it is."""
    vault = a_vault(tmp_path)
    vault.set_fields("main", {"k": Secret("v")})
    back_up(vault, tmp_path / "b", BACKUP)
    (tmp_path / "b").write_bytes((tmp_path / "b").read_bytes()[:-1])
    with pytest.raises(DamagedStoreError):
        restore(vault, tmp_path / "b", BACKUP, force=True)
    with pytest.raises(CredentialsNotFoundError, match="no backup"):
        restore(vault, tmp_path / "none", BACKUP)
    assert vault.get("main").secrets(NOW) == {"k": Secret("v")}


def test_what_is_kept_already_stays(tmp_path: Path) -> None:
    """Sets of the same names are left and named, unless replacing was asked for."""
    vault = a_vault(tmp_path)
    vault.set_fields("main", {"k": Secret("newer")})
    sets = {"main": a_set("main", k="older"), "b": a_set("b")}
    done = take(vault, sets, Action.IMPORT)
    assert (done.store, done.taken, done.left) == ("file", ("b",), ("main",))
    assert take(vault, sets, Action.IMPORT).taken == ()
    assert vault.get("main").secrets(NOW) == {"k": Secret("newer")}
    assert take(vault, sets, Action.IMPORT, force=True).taken == ("b", "main")
    assert vault.get("main").secrets(NOW) == {"k": Secret("older")}
    with pytest.raises(InvalidFieldError, match="store is 'x'"):
        take(vault, sets, Action.IMPORT, store="x")
    broken = a_vault(tmp_path, a_file_store(tmp_path, "a wrong passphrase"))
    with pytest.raises(WrongPassphraseError):
        broken.put_all(sets, Action.IMPORT, "file")
    assert broken.audit.read()[-1].outcome == "WrongPassphraseError"


def test_the_old_table_is_read_whole(tmp_path: Path) -> None:
    """Each row is a set of its own, with the fields that it has and when they were made."""
    database = old_database(
        tmp_path,
        {
            "service": "breeze",
            "name": "default",
            "api_key": f" {MARK} ",
            "api_secret": "s",
            "session_token": "t",
            "username": "",
            "created_at": "2024-11-01 09:00:00.123456",
            "last_session_update": "2024-11-16 03:30:00",
        },
        {"service": "kotakneo", "name": "My Account", "neo_password": "1234", "sid": "x"},
        {"service": "kotakneo", "name": "my-account", "pan": "P", "created_at": "no date"},
        {"service": "trendlyne", "name": None, "username": None},
    )
    found = read_mcube3(database)
    assert list(found.sets) == ["breeze", "kotakneo-my-account", "kotakneo-my-account-2"]
    assert found.empty == ("trendlyne",)
    breeze = found.sets["breeze"]
    assert breeze.secrets(NOW) == {
        "api_key": Secret(MARK),
        "api_secret": Secret("s"),
        "session_token": Secret("t"),
    }
    assert {name: one.set_at for name, one in breeze.fields.items()} == {
        "api_key": datetime(2024, 11, 1, 9, 0, 0, 123456, tzinfo=UTC),
        "api_secret": datetime(2024, 11, 1, 9, 0, 0, 123456, tzinfo=UTC),
        "session_token": datetime(2024, 11, 16, 3, 30, tzinfo=UTC),
    }
    assert {one.expires_at for one in breeze.fields.values()} == {None}
    other = found.sets["kotakneo-my-account"].fields
    assert (set(other), other["sid"].set_at) == ({"neo_password", "sid"}, None)
    assert MARK not in repr(found)


def test_the_old_database_is_not_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is opened for reading only, and a name with odd signs is no hindrance."""
    database = old_database(tmp_path, {"service": "a", "api_key": "k"})
    before = database.read_bytes()
    opened: list[sqlite3.Connection] = []
    connect = sqlite3.connect

    def watched(address: str, **named: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(address, **named)
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            connection.execute("CREATE TABLE more (id)")
        opened.append(connection)
        return connection

    monkeypatch.setattr(sqlite3, "connect", watched)
    assert list(read_mcube3(database).sets) == ["a"]
    assert len(opened) == 1
    assert database.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == [database.name]


def test_what_is_no_old_database_is_said(tmp_path: Path) -> None:
    """Missing, another kind of file, or without the table."""
    with pytest.raises(StoreUnavailableError, match="there is no file"):
        read_mcube3(tmp_path / "none.sqlite3")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "text").write_text("no database at all, but long enough to be looked at " * 20)
    with pytest.raises(DamagedStoreError, match="no SQLite database"):
        read_mcube3(tmp_path / "text")
    for table in ("CREATE TABLE other (id)", "CREATE TABLE tools_credentialstore (id)"):
        folder = tmp_path / table.replace(" ", "")
        folder.mkdir()
        with pytest.raises(InvalidRequestError, match="no table tools_credentialstore"):
            read_mcube3(old_database(folder, table=table))


def test_a_database_that_is_being_written_is_said(tmp_path: Path) -> None:
    """Its lock is an error of ours, after SQLite's own patience."""
    database = old_database(tmp_path, {"service": "a", "api_key": "k"})
    with closing(sqlite3.connect(database, isolation_level=None)) as writer:
        writer.execute("PRAGMA locking_mode = EXCLUSIVE")
        writer.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreUnavailableError, match="locked"):
            read_mcube3(database)
