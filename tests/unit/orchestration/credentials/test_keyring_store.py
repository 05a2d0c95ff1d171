"""The keyring: a set is an item, the list is another, and its errors are ours."""

from __future__ import annotations

import sys
import traceback

import pytest
from keyring.backends import fail
from keyring.errors import KeyringLocked

from bot_v2.features.brokerages.core.errors import MissingDependencyError
from bot_v2.features.brokerages.core.secret import Secret
from bot_v2.orchestration.credentials.errors import DamagedStoreError, StoreUnavailableError
from bot_v2.orchestration.credentials.keyring_store import KeyringStore
from tests.unit.orchestration.credentials.kit import MARK, MemoryKeyring, a_set


def test_sets_are_kept_listed_and_forgotten() -> None:
    """A set is an item of its own, and the list follows."""
    ring = MemoryKeyring()
    store = KeyringStore(ring)
    assert list(store.list_sets()) == []
    store.put_all({"main": a_set(), "b": a_set("b")})
    assert KeyringStore(ring).get("main") == a_set()
    assert [one.name for one in store.list_sets()] == ["b", "main"]
    assert store.delete("b") is True
    assert store.delete("b") is False
    assert [one.name for one in store.list_sets()] == ["main"]
    assert sorted(item for _, item in ring.items) == [".sets", "main"]
    assert store.name == "keyring"
    assert store.where.endswith("MemoryKeyring")
    assert store.is_there()


def test_a_crash_between_list_and_item_hides_nothing() -> None:
    """A name without an item is no set; it is listed again once it has one."""
    ring = MemoryKeyring()
    store = KeyringStore(ring)
    store.put_all({"main": a_set()})
    del ring.items["bot_v2", "main"]
    assert list(store.list_sets()) == []
    store.put_all({"main": a_set()})
    assert [one.name for one in store.list_sets()] == ["main"]


def test_a_passphrase_is_no_set() -> None:
    """It is kept beside the sets and never listed among them."""
    store = KeyringStore(MemoryKeyring())
    assert store.passphrase() is None
    store.keep_passphrase(Secret(MARK))
    assert store.passphrase() == Secret(MARK)
    assert list(store.list_sets()) == []


def test_a_locked_keyring_is_an_error_and_shows_nothing() -> None:
    """It does not count as empty, and its own error may repeat what it was given."""
    ring = MemoryKeyring()
    store = KeyringStore(ring)
    store.put_all({"main": a_set()})
    ring.failure = KeyringLocked(MARK)
    for call in (store.list_sets, lambda: store.put_all({"main": a_set()})):
        with pytest.raises(StoreUnavailableError, match="KeyringLocked") as caught:
            call()
        assert MARK not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("text", ["no json", '{"main": 1}', "[1]"])
def test_a_list_that_is_none_is_damage(text: str) -> None:
    """Something else wrote under our name."""
    ring = MemoryKeyring()
    ring.items["bot_v2", ".sets"] = text
    with pytest.raises(DamagedStoreError, match="lists no names"):
        KeyringStore(ring).list_sets()


def test_an_item_with_another_set_is_damage() -> None:
    """The keys of one broker are never handed out as another's."""
    ring = MemoryKeyring()
    store = KeyringStore(ring)
    store.put_all({"a": a_set("a"), "b": a_set("b")})
    ring.items["bot_v2", "a"] = ring.items["bot_v2", "b"]
    with pytest.raises(DamagedStoreError, match="holds other credentials"):
        store.get("a")


def test_a_machine_without_a_keyring_has_no_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading finds nothing, writing says what to use."""
    monkeypatch.setattr("keyring.get_keyring", fail.Keyring)
    store = KeyringStore()
    assert store.get("main") is None
    assert store.where == "no keyring on this machine"
    assert not store.is_there()
    assert list(store.list_warnings()) == []
    with pytest.raises(StoreUnavailableError, match="use the encrypted file"):
        store.put_all({"main": a_set()})


def test_without_the_package_there_is_no_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading finds nothing, writing says what to install."""
    monkeypatch.setitem(sys.modules, "keyring", None)
    store = KeyringStore()
    assert store.get("main") is None
    with pytest.raises(MissingDependencyError, match=r"pip install 'bot-v2\[credentials\]'"):
        store.put_all({"main": a_set()})


def test_a_keyring_in_a_plain_file_is_warned_about(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not all that calls itself a keyring encrypts."""
    store = KeyringStore(MemoryKeyring())
    assert list(store.list_warnings()) == []
    monkeypatch.setattr(MemoryKeyring, "__module__", "keyrings.alt.file")
    assert "not encrypted" in store.list_warnings()[0]
