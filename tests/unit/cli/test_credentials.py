"""credentials …: keep, list, tell, carry about; a value is in no output and on no command line."""

from __future__ import annotations

import io
import os
import re
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import attrs
import pytest

from bot_v2.cli import credential_files, prompts, vaults
from bot_v2.orchestration.credentials import file_store
from bot_v2.orchestration.credentials.keyring_store import KeyringStore
from tests.unit.cli.fakes import Ran, Shell
from tests.unit.orchestration.credentials.kit import CHEAP, MARK, MemoryKeyring

RIGHT = "a made-up passphrase"


@attrs.define
class Desk:
    """A shell with a folder for settings, a keyring, and somebody who types unseen."""

    shell: Shell
    folder: Path
    ring: MemoryKeyring
    monkeypatch: pytest.MonkeyPatch
    seen: list[str] = attrs.field(factory=list)

    def run(self, *words: str) -> Ran:
        """Run a command, and look for the value that must never be seen."""
        ran = self.shell.run(*words)
        assert MARK not in ran.out + ran.err
        return ran

    def pipe(self, text: str) -> None:
        """Let nobody type, and standard input be this text."""
        self.monkeypatch.setattr(sys, "stdin", io.StringIO(text))

    def type_unseen(self, *answers: str) -> None:
        """Let somebody be there who types these secrets, one after the other."""
        left = list(answers)

        def getpass(prompt: str, stream: Any) -> str:
            assert stream is sys.stderr
            self.seen.append(prompt)
            return left.pop(0)

        self.shell.type_in("")
        self.monkeypatch.setattr(prompts, "getpass", getpass)

    def environment(self, **variables: str | None) -> None:
        """Say something in the environment; None: unsay it."""
        for name, value in variables.items():
            if value is None:
                self.monkeypatch.delenv(name, raising=False)
            else:
                self.monkeypatch.setenv(name, value)


@pytest.fixture
def desk(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A desk without a keyring whose passphrase is in the environment."""
    folder = tmp_path / "settings"
    monkeypatch.setenv("BOT_V2_CONFIG", str(folder))
    monkeypatch.setenv("BOT_V2_PASSPHRASE", RIGHT)
    monkeypatch.setenv("BOT_V2_CREDENTIAL_STORES", "environment,file")
    monkeypatch.setattr(file_store, "DEFAULT_COST", CHEAP)
    ring = MemoryKeyring()
    for module in (vaults, credential_files):
        monkeypatch.setattr(module, "keyring_of", lambda: KeyringStore(ring))
    return Desk(shell, folder, ring, monkeypatch)


@pytest.fixture
def kept(desk: Desk) -> Desk:
    """The same, with credentials for `main`."""
    desk.pipe(f"{MARK}\ns\n")
    assert desk.run("credentials", "set", "main", "api_key", "secret_key").code == 0
    return desk


def test_values_are_lines_of_standard_input(desk: Desk) -> None:
    """Where nobody types: one for each field, in order; blanks within are kept."""
    desk.pipe(f"{MARK} \nsecret\n")
    ran = desk.run("credentials", "set", "Main", "api-key", "SECRET_KEY", "--json")
    assert ran.code == 0
    assert ran.json == {"set": "main", "store": "file", "fields": ["api_key", "secret_key"]}
    desk.pipe("only one\n")
    ran = desk.run("credentials", "set", "main", "api_key", "secret_key")
    assert ran.code == 2
    assert "there is no value for secret_key" in ran.err


def test_values_are_typed_unseen(desk: Desk) -> None:
    """Each is asked for by its name, and so is the passphrase, twice for a new file."""
    desk.environment(BOT_V2_PASSPHRASE=None)
    desk.type_unseen(MARK, "typed by hand", "typed by hand")
    ran = desk.run("set-creds", "main", "api_key")
    assert ran.code == 0
    assert ran.out == "kept api_key of main in the file\n"
    file = desk.folder / "credentials.enc"
    assert desk.seen == ["api_key: ", f"new passphrase of {file}: ", "the same again: "]
    desk.type_unseen("typed by hand")
    assert desk.run("credentials", "list", "--json").json == [
        {"set": "main", "store": "file", "fields": ["api_key"], "used": True}
    ]
    desk.type_unseen("mistyped")
    ran = desk.run("credentials", "list")
    assert ran.code == 4
    assert ran.err.endswith("credentials.enc (the prompt)\n")


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        (["v", "", ""], "no passphrase was typed"),
        (["v", "one passphrase", "another one"], "the two passphrases are not the same"),
        (["v", "short", "short"], "8 characters or more"),
        ([""], "not empty"),
    ],
)
def test_what_is_typed_wrong_keeps_nothing(desk: Desk, typed: list[str], says: str) -> None:
    """It is said, and no file is made."""
    desk.environment(BOT_V2_PASSPHRASE=None)
    desk.type_unseen(*typed)
    ran = desk.run("credentials", "set", "main", "api_key")
    assert ran.code == 2
    assert says in ran.err
    assert not (desk.folder / "credentials.enc").exists()


def test_a_value_may_come_from_a_file(desk: Desk, tmp_path: Path) -> None:
    """A private key of many lines is kept as it is; the field beside it is asked for."""
    pem = tmp_path / "key.pem"
    pem.write_text(f"-----BEGIN-----\n{MARK}\n-----END-----\n")
    desk.pipe("k\n")
    ran = desk.run("credentials", "set", "main", "api_key", "--from", f"private_key={pem}")
    assert ran.code == 0
    assert "private_key" in ran.out
    for path, says in (("none.pem", "No such file"), (str(desk.folder / "credentials.enc"), "tex")):
        ran = desk.run("credentials", "set", "main", "--from", f"private_key={path}")
        assert ran.code == 2
        assert says in ran.err
    assert "KEY=VALUE" in desk.run("credentials", "set", "main", "--from", "x").err


def test_a_value_on_the_command_line_is_refused_and_not_repeated(desk: Desk) -> None:
    """It is in the history of the shell by then, and goes nowhere else."""
    ran = desk.run("credentials", "set", "main", f"api_key={MARK}", "--json")
    assert ran.code == 2
    assert "its value is asked for" in ran.error["message"]


def test_what_a_broker_needs_is_known(desk: Desk) -> None:
    """By the type of the broker of that name, or by the name of a type; else it is asked."""
    desk.folder.mkdir()
    (desk.folder / "brokers.json").write_text('{"brokers": {"Main": {"type": "fake"}}}')
    ran = desk.run("credentials", "set", "main")
    assert ran.code == 2
    assert "what this broker needs is not known here" in ran.err
    desk.pipe("k\ns\n")
    assert desk.run("credentials", "set", "alpaca", "--json").json["fields"] == [
        "api_key",
        "secret_key",
    ]
    desk.type_unseen("k", "v")
    desk.shell.type_in("api_key PIN\n")
    assert desk.run("credentials", "set", "main", "--json").json["fields"] == ["api_key", "pin"]


def test_sets_are_listed_without_values(kept: Desk) -> None:
    """Which is used, and which stands behind another."""
    kept.environment(BOT_V2_CREDENTIALS__MAIN__API_KEY=MARK)
    rows = kept.run("credentials", "list", "--json").json
    assert [(row["store"], row["used"]) for row in rows] == [("environment", True), ("file", False)]
    table = kept.run("credentials", "list").out
    assert re.search(r"main +environment +api_key +yes", table)
    assert re.search(r"main +file +api_key, secret_key +no", table)


def test_status_tells_expiry_and_use(kept: Desk) -> None:
    """As a table with warnings, or as JSON; of one set or of all."""
    kept.pipe("t\n")
    expired = ("--expires-at", "2020-01-01T00:00:00Z")
    assert kept.run("credentials", "set", "main", "token", *expired).code == 0
    kept.pipe("t\n")
    kept.run("credentials", "set", "other", "token")
    ran = kept.run("credentials", "status", "MAIN")
    assert re.search(r"main +token +file +expired +2020-01-01 00:00:00Z", ran.out)
    assert "other" not in ran.out
    assert "warning: token of main has expired" in ran.err
    rows = kept.run("credentials", "status", "--json").json
    assert [(row["set"], row["field"], row["state"]) for row in rows] == [
        ("main", "api_key", "valid"),
        ("main", "secret_key", "valid"),
        ("main", "token", "expired"),
        ("other", "token", "valid"),
    ]
    assert "ISO 8601" in kept.run("credentials", "set", "a", "b", "--expires-at", "tomorrow").err


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps permissions in access lists")
def test_who_else_can_read_is_warned_about(kept: Desk) -> None:
    """With what mends it, on stderr, so that JSON stays JSON."""
    (kept.folder / "credentials.enc").chmod(0o640)
    ran = kept.run("credentials", "status", "--json")
    assert "credentials.enc (mode 640): chmod 600" in ran.err
    assert ran.json


def test_a_set_is_deleted(kept: Desk) -> None:
    """And where there is none, that is an error."""
    assert kept.run("credentials", "delete", "Main").out == "deleted main from file\n"
    ran = kept.run("credentials", "delete", "main", "--json")
    assert ran.code == 1
    assert ran.error["error"] == "CredentialsNotFoundError"
    assert kept.run("credentials", "list").out == "no credentials\n"


def test_what_has_expired_is_cleared(kept: Desk) -> None:
    """The other fields stay."""
    assert kept.run("credentials", "clear-expired").out == "nothing has expired\n"
    kept.pipe("t\n")
    kept.run("credentials", "set", "main", "token", "--expires-at", "2020-01-01T00:00:00Z")
    assert kept.run("credentials", "clear-expired").out == "cleared token of main in the file\n"
    assert kept.run("credentials", "clear-expired", "--json").json == []
    assert kept.run("credentials", "list", "--json").json[0]["fields"] == ["api_key", "secret_key"]


def test_an_old_database_is_imported(kept: Desk, tmp_path: Path) -> None:
    """What is there already stays unless it is said otherwise; the old file is warned about."""
    database = tmp_path / "db.sqlite3"
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("CREATE TABLE tools_credentialstore (service, name, api_key)")
        rows = [("main", "default", MARK), ("other", "default", MARK), ("third", "x", None)]
        connection.executemany("INSERT INTO tools_credentialstore VALUES (?, ?, ?)", rows)
    ran = kept.run("credentials", "import", str(database))
    assert ran.out == ("imported other to file\nleft as they are (--force replaces them): main\n")
    assert "the row third-x holds nothing" in ran.err
    assert "is not encrypted: delete it" in ran.err
    ran = kept.run("credentials", "import", str(database), "--force", "--json")
    assert ran.json == {"store": "file", "taken": ["main", "other"], "left": []}
    ran = kept.run("credentials", "import", str(tmp_path / "none"))
    assert (ran.code, "there is no file" in ran.err) == (1, True)


def test_a_backup_is_written_and_restored(kept: Desk, tmp_path: Path) -> None:
    """Under a passphrase of its own."""
    file = tmp_path / "backup.enc"
    ran = kept.run("credentials", "backup", str(file))
    assert ran.code == 4
    assert "set BOT_V2_BACKUP_PASSPHRASE, or run the command where it can ask" in ran.err
    kept.environment(BOT_V2_BACKUP_PASSPHRASE="another passphrase")
    assert kept.run("credentials", "backup", str(file)).out == f"backed up main to {file}\n"
    assert kept.run("credentials", "backup", str(file)).code == 2
    kept.run("credentials", "delete", "main")
    assert kept.run("credentials", "restore", str(file)).out == "restored main to file\n"
    again = kept.run("credentials", "restore", str(file))
    assert again.out.startswith("restored nothing to file\nleft as they are")
    kept.environment(BOT_V2_BACKUP_PASSPHRASE=RIGHT)
    ran = kept.run("credentials", "restore", str(file), "--force", "--json")
    assert (ran.code, ran.error["error"]) == (4, "WrongPassphraseError")
    file.write_bytes(file.read_bytes()[:-1])
    ran = kept.run("credentials", "restore", str(file))
    assert (ran.code, "damaged or cut short" in ran.err) == (1, True)


def test_the_passphrase_is_changed(kept: Desk) -> None:
    """The environment is told to follow; the old one opens nothing any more."""
    kept.environment(BOT_V2_NEW_PASSPHRASE="the next passphrase")
    ran = kept.run("credentials", "rotate")
    assert ran.out.endswith("credentials.enc has a new passphrase.\n")
    assert "warning: BOT_V2_PASSPHRASE of the environment is the old one" in ran.err
    assert kept.run("credentials", "list").code == 4
    kept.environment(BOT_V2_PASSPHRASE="the next passphrase")
    assert kept.run("credentials", "list").code == 0
    actions = [row["action"] for row in kept.run("credentials", "audit", "--json").json]
    assert actions == ["set", "rotate"]


def test_the_keyring_may_keep_the_passphrase_and_follows(kept: Desk) -> None:
    """From then on nobody is asked, and a keyring that has the old one is given the new one."""
    kept.environment(BOT_V2_NEW_PASSPHRASE="the next passphrase")
    ran = kept.run("credentials", "rotate", "--remember")
    assert ran.out.endswith("The keyring has it.\n")
    kept.environment(BOT_V2_PASSPHRASE=None, BOT_V2_NEW_PASSPHRASE="and one after it")
    assert kept.run("credentials", "rotate", "--json").json["remembered"] is True
    assert kept.ring.items["bot_v2", ".passphrase"] == "and one after it"
    assert kept.run("credentials", "list").code == 0


def test_a_rotation_that_cannot_be_is_said_first(desk: Desk) -> None:
    """No file, no keyring to remember it, no store that is a file."""
    desk.type_unseen()
    ran = desk.run("credentials", "rotate")
    assert (ran.code, "whose passphrase to change" in ran.err) == (1, True)

    class NoKeyring(KeyringStore):
        def is_there(self) -> bool:
            return False

    desk.monkeypatch.setattr(credential_files, "keyring_of", NoKeyring)
    ran = desk.run("credentials", "rotate", "--remember")
    assert (ran.code, "no keyring on this machine" in ran.err) == (1, True)
    desk.environment(BOT_V2_CREDENTIAL_STORES="environment")
    assert desk.run("credentials", "rotate").code == 2


def test_the_log_of_accesses_is_shown(kept: Desk) -> None:
    """The newest last, of one set or of all, as many as were asked for."""
    kept.pipe("t\n")
    kept.run("credentials", "set", "other", "token")
    kept.run("credentials", "delete", "other")
    rows = kept.run("credentials", "audit", "other", "--json").json
    assert [row["action"] for row in rows] == ["set", "delete"]
    assert {row["outcome"] for row in rows} == {"done"}
    assert len(kept.run("credentials", "audit", "--last", "1", "--json").json) == 1
    table = kept.run("credentials", "audit").out
    assert re.search(r"set +main +api_key, secret_key +file +done", table)


def test_the_keyring_is_used_where_it_is_first(desk: Desk) -> None:
    """As the settings of the desk say, where the environment says nothing."""
    desk.environment(BOT_V2_CREDENTIAL_STORES=None)
    desk.pipe("k\n")
    assert desk.run("credentials", "set", "a", "key", "--json").json["store"] == "keyring"
    desk.folder.mkdir(exist_ok=True)
    (desk.folder / "brokers.json").write_text('{"credential_stores": ["file", "keyring"]}')
    desk.pipe("k\n")
    assert desk.run("credentials", "set", "b", "key", "--json").json["store"] == "file"
    ran = desk.run("credentials", "set", "b", "key", "--store", "vault")
    assert (ran.code, "accepted: file, keyring" in ran.err) == (2, True)
