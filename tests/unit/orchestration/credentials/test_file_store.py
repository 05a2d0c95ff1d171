"""The encrypted file: old content or new, one writer at a time, and for its owner alone."""

from __future__ import annotations

import os
import stat
import sys
import tempfile
import threading
import traceback
from functools import partial
from pathlib import Path

import pytest

from bot_v2.features.brokerages.core.errors import InvalidFieldError
from bot_v2.features.brokerages.core.secret import Secret
from bot_v2.orchestration.credentials import atomic_file, file_store
from bot_v2.orchestration.credentials.errors import (
    CredentialsNotFoundError,
    DamagedStoreError,
    StoreBusyError,
    StoreUnavailableError,
    WrongPassphraseError,
)
from bot_v2.orchestration.credentials.file_store import FileStore
from bot_v2.orchestration.credentials.passphrase import Passphrase
from bot_v2.orchestration.credentials.sealing import Keys, Salted, keys_of, seal
from tests.unit.orchestration.credentials.kit import (
    CHEAP,
    MARK,
    RIGHT,
    a_file_store,
    a_set,
    answering,
)

POSIX = pytest.mark.skipif(os.name == "nt", reason="Windows keeps permissions in access lists")
AS_USER = pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() == 0, reason="nothing is forbidden to root"
)
OTHER = Passphrase(Secret("another passphrase"), "the test")


def test_a_file_that_is_not_there_has_no_sets(tmp_path: Path) -> None:
    """Nothing is made, and nobody is asked, before something is kept."""
    source = answering()
    store = FileStore(tmp_path / "no" / "file", source)
    assert list(store.list_sets()) == []
    assert store.get("main") is None
    assert store.delete("main") is False
    assert source.asked == []
    assert list(tmp_path.iterdir()) == []


def test_what_is_kept_is_there_for_another_process(tmp_path: Path) -> None:
    """Sets come back whole, sorted, with their times."""
    a_file_store(tmp_path).put_all({"main": a_set(), "b": a_set("b", api_key="x")})
    other = a_file_store(tmp_path)
    assert other.get("main") == a_set()
    assert [one.name for one in other.list_sets()] == ["b", "main"]
    assert other.delete("b") is True
    assert [one.name for one in other.list_sets()] == ["main"]
    assert (other.name, other.where) == ("file", str(tmp_path / "credentials.enc"))
    assert other.is_there()


@POSIX
def test_file_and_folder_are_for_their_owner_alone(tmp_path: Path) -> None:
    """Nobody else can read the file, or put another in its place; the lock shows nothing."""
    store = a_file_store(tmp_path / "new")
    store.put_all({"main": a_set()})
    modes = {one.name: stat.S_IMODE(one.stat().st_mode) for one in (tmp_path / "new").iterdir()}
    assert modes == {"credentials.enc": 0o600, "credentials.enc.lock": 0o600}
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700
    assert store.list_warnings() == []
    (tmp_path / "new" / "credentials.enc").chmod(0o640)
    assert "others can read" in store.list_warnings()[0]


def test_no_value_is_in_the_file(tmp_path: Path) -> None:
    """Neither values nor names of sets can be read in it."""
    a_file_store(tmp_path).put_all({"main": a_set()})
    content = (tmp_path / "credentials.enc").read_bytes()
    assert MARK.encode() not in content
    assert b"main" not in content


def test_a_wrong_passphrase_says_where_it_came_from(tmp_path: Path) -> None:
    """The next call asks again, and a mistyped passphrase changes nothing."""
    a_file_store(tmp_path).put_all({"main": a_set()})
    source = answering("wrong", "the keyring")
    store = FileStore(tmp_path / "credentials.enc", source, cost=CHEAP)
    for call in (store.list_sets, lambda: store.put_all({"x": a_set("x")})):
        with pytest.raises(WrongPassphraseError, match=r"credentials\.enc \(the keyring\)"):
            call()
    source.text = RIGHT
    assert [one.name for one in store.list_sets()] == ["main"]
    assert source.asked == [False, False, False]


def test_the_work_is_done_once_for_each_salt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bot that reads eight sets waits for one derivation; another's change costs another."""
    store = a_file_store(tmp_path)
    store.put_all({"main": a_set()})
    reader = a_file_store(tmp_path)
    calls = []

    def counted(passphrase: Secret, salted: Salted) -> Keys:
        calls.append(salted)
        return keys_of(passphrase, salted)

    monkeypatch.setattr(file_store, "keys_of", counted)
    for _ in range(8):
        assert reader.get("main") == a_set()
    assert len(calls) == 1
    store.put_all({"main": a_set(api_key="new")})
    calls.clear()
    assert reader.get("main") == a_set(api_key="new")
    assert len(calls) == 1


def test_damage_is_said_and_the_file_is_left_as_it_is(tmp_path: Path) -> None:
    """What cannot be read is not written over."""
    store = a_file_store(tmp_path)
    store.put_all({"main": a_set()})
    file = tmp_path / "credentials.enc"
    broken = file.read_bytes()[:-1]
    file.write_bytes(broken)
    with pytest.raises(DamagedStoreError, match="restore a backup"):
        store.get("main")
    with pytest.raises(DamagedStoreError, match="restore a backup"):
        store.put_all({"x": a_set("x")})
    assert file.read_bytes() == broken


def test_content_of_another_format_is_refused_without_being_shown(tmp_path: Path) -> None:
    """What was sealed and is no document of ours is damage; its text is nowhere in the error."""
    keys = partial(keys_of, Secret(RIGHT))
    for plain in (
        MARK.encode(),
        b'{"format": 1, "sets": {"main": {"api_key": {"value": 7}}}}',
        b'{"format": 1, "sets": {"main": {"k": {"value": "' + MARK.encode() + b'"}}}}',
        b'{"format": 1, "sets": []}',
        b'{"format": 1, "sets": {"m": {"k": {"value": "v", "expires_at": "2026-01-01T00:00", '
        b'"set_at": null}}}}',
        b"\xff\xfe",
    ):
        (tmp_path / "credentials.enc").write_bytes(seal(plain, keys, CHEAP))
        with pytest.raises(DamagedStoreError, match="no credentials that can be read") as caught:
            a_file_store(tmp_path).list_sets()
        assert MARK not in "".join(traceback.format_exception(caught.value))
    (tmp_path / "credentials.enc").write_bytes(seal(b'{"format": 2}', keys, CHEAP))
    with pytest.raises(DamagedStoreError, match="of format 2, and this version reads 1"):
        a_file_store(tmp_path).list_sets()


def test_rotation_changes_the_passphrase_and_nothing_else(tmp_path: Path) -> None:
    """The old one does not open the file any more, the new one does, also in the same store."""
    store = a_file_store(tmp_path)
    store.put_all({"main": a_set()})
    assert store.rotate(OTHER) == "the test"
    assert store.get("main") == a_set()
    store.put_all({"b": a_set("b")})
    with pytest.raises(WrongPassphraseError):
        a_file_store(tmp_path).list_sets()
    assert len(a_file_store(tmp_path, OTHER.value.reveal()).list_sets()) == 2


def test_rotation_wants_a_file_and_a_passphrase_of_some_length(tmp_path: Path) -> None:
    """The length is checked before anything is written, and the passphrase is not shown."""
    store = a_file_store(tmp_path)
    with pytest.raises(CredentialsNotFoundError):
        store.rotate(OTHER)
    store.put_all({"main": a_set()})
    with pytest.raises(InvalidFieldError, match="8 characters") as caught:
        store.rotate(Passphrase(Secret("short"), "the prompt"))
    assert "short" not in str(caught.value)
    assert a_file_store(tmp_path).get("main") == a_set()


@pytest.mark.parametrize("fails", ["replace", "fsync", "mkstemp"])
def test_a_write_that_fails_leaves_the_old_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    """A full disk is an error of ours, nothing is left behind, and the passphrase stays the old."""
    store = a_file_store(tmp_path)
    store.put_all({"main": a_set()})
    before = (tmp_path / "credentials.enc").read_bytes()

    def fail(*given: object, **named: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as during:
        during.setattr(tempfile if fails == "mkstemp" else os, fails, fail)
        for call in (lambda: store.put_all({"b": a_set("b")}), lambda: store.rotate(OTHER)):
            with pytest.raises(StoreUnavailableError, match="No space left on device"):
                call()
    assert (tmp_path / "credentials.enc").read_bytes() == before
    assert sorted(one.name for one in tmp_path.iterdir()) == [
        "credentials.enc",
        "credentials.enc.lock",
    ]
    store.put_all({"b": a_set("b")})
    assert len(a_file_store(tmp_path).list_sets()) == 2


def test_what_a_killed_writer_left_is_removed(tmp_path: Path) -> None:
    """A file beside it that was never put in its place goes at the next writing."""
    leftover = tmp_path / ".credentials.enc.abc.new"
    leftover.write_bytes(b"half")
    a_file_store(tmp_path).put_all({"main": a_set()})
    assert not leftover.exists()


def test_a_writer_waits_for_another_and_says_when_it_is_too_long(tmp_path: Path) -> None:
    """Two writers never lose one's sets; one that does not finish is named."""
    file = tmp_path / "credentials.enc"
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with atomic_file.locked(file):
            held.set()
            done.wait(20)

    holder = threading.Thread(target=hold)
    holder.start()
    try:
        assert held.wait(20)
        impatient = FileStore(file, answering(), cost=CHEAP, lock_timeout_s=0.01)
        with pytest.raises(StoreBusyError, match=r"for 0\.01 seconds"):
            impatient.put_all({"main": a_set()})
    finally:
        done.set()
        holder.join()
    impatient.put_all({"main": a_set()})


def test_threads_lose_no_set(tmp_path: Path) -> None:
    """Every set of eight writers, each with a store of its own, is there in the end."""
    stores = [a_file_store(tmp_path) for _ in range(8)]
    threads = [
        threading.Thread(target=store.put_all, args=({f"s{number}": a_set(f"s{number}")},))
        for number, store in enumerate(stores)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(a_file_store(tmp_path).list_sets()) == 8


def test_a_lock_or_folder_that_cannot_be_is_said(tmp_path: Path) -> None:
    """What stands in the way is named."""
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(StoreUnavailableError, match="cannot be made"):
        a_file_store(tmp_path / "file").put_all({"main": a_set()})
    with pytest.raises(StoreUnavailableError, match="cannot be read"):
        FileStore(tmp_path, answering()).list_sets()
    with pytest.raises(StoreUnavailableError, match="cannot be written"):
        atomic_file.write(tmp_path / "file" / "below", b"x")
    (tmp_path / "credentials.enc.lock").write_bytes(b"no database, and long enough to be none" * 9)
    with pytest.raises(StoreUnavailableError, match="is no lock"):
        a_file_store(tmp_path).put_all({"main": a_set()})


@POSIX
def test_a_link_stays_a_link(tmp_path: Path) -> None:
    """What it leads to is written, and the lock is one for both ways to it."""
    (tmp_path / "real").mkdir()
    link = tmp_path / "credentials.enc"
    link.symlink_to(tmp_path / "real" / "kept.enc")
    store = a_file_store(tmp_path)
    store.put_all({"main": a_set()})
    store.put_all({"b": a_set("b")})
    assert link.is_symlink()
    assert sorted(one.name for one in (tmp_path / "real").iterdir()) == [
        "kept.enc",
        "kept.enc.lock",
    ]
    assert len(a_file_store(tmp_path).list_sets()) == 2


@AS_USER
def test_a_file_that_may_not_be_read_is_said(tmp_path: Path) -> None:
    """Not an empty store: what it hides must not be replaced by something older."""
    store = a_file_store(tmp_path)
    store.put_all({"main": a_set()})
    (tmp_path / "credentials.enc").chmod(0)
    with pytest.raises(StoreUnavailableError, match="cannot be read"):
        store.list_sets()


def test_nothing_secret_is_in_a_repr(tmp_path: Path) -> None:
    """Store, set and passphrase show names only."""
    store = a_file_store(tmp_path, MARK)
    store.put_all({"main": a_set()})
    shown = [repr(one) for one in (store, store.get("main"), Passphrase(Secret(MARK), "x"))]
    assert MARK not in "".join(shown)
    assert "credentials.enc" in shown[0]


def test_windows_has_no_folder_to_wait_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There the file alone is waited for."""
    monkeypatch.setattr(os, "open", lambda *given: pytest.fail("it opened a folder"))
    monkeypatch.setattr(atomic_file, "_is_windows", lambda: True)
    atomic_file._sync_folder(tmp_path)
