"""Where credentials and passphrases come from: the environment, permissions, one-time passwords."""

from __future__ import annotations

import base64
import hmac
import os
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot_v2.features.brokerages.core.errors import InvalidFieldError, MissingDependencyError
from bot_v2.features.brokerages.core.secret import Secret
from bot_v2.orchestration.credentials import permissions
from bot_v2.orchestration.credentials.environment_store import EnvironmentStore
from bot_v2.orchestration.credentials.errors import PassphraseMissingError
from bot_v2.orchestration.credentials.keyring_store import KeyringStore
from bot_v2.orchestration.credentials.model import field_name, set_name
from bot_v2.orchestration.credentials.opening import credentials_file, open_vault, store_names
from bot_v2.orchestration.credentials.passphrase import Passphrases
from bot_v2.orchestration.credentials.permissions import list_file_warnings
from bot_v2.orchestration.credentials.sealing import DEFAULT_COST, Salted, keys_of
from bot_v2.orchestration.credentials.store import is_writable
from bot_v2.orchestration.credentials.totp import one_time_password
from tests.unit.orchestration.credentials.kit import MARK, NOW, RIGHT, MemoryKeyring, a_set

FILE = Path("credentials.enc")
POSIX = pytest.mark.skipif(os.name == "nt", reason="Windows keeps permissions in access lists")


def test_variables_are_read_as_sets() -> None:
    """The set and the field are in the name; what is empty, or another's, is left out."""
    store = EnvironmentStore(
        {
            "BOT_V2_CREDENTIALS__BROKER_MAIN__API_KEY": MARK,
            "BOT_V2_CREDENTIALS__BROKER_MAIN__SECRET_KEY": "s",
            "BOT_V2_CREDENTIALS__A1__API_KEY": "k",
            "BOT_V2_CREDENTIALS__EMPTY__API_KEY": "",
            "BOT_V2_CREDENTIALS_FILE": "x",
            "BROKER_API_KEY": "x",
        }
    )
    assert [one.name for one in store.list_sets()] == ["a1", "broker-main"]
    found = store.get("broker-main")
    assert found is not None
    assert found.secrets(NOW) == {"api_key": Secret(MARK), "secret_key": Secret("s")}
    assert store.get("empty") is None
    assert not is_writable(store)
    assert list(store.list_warnings()) == []
    assert (store.name, store.where) == ("environment", "BOT_V2_CREDENTIALS__SET__FIELD")


def test_the_passphrase_is_looked_for_in_order() -> None:
    """The environment, then the keyring, then a person; each says where it was found."""
    ring = KeyringStore(MemoryKeyring())
    asked: list[bool] = []

    def ask(what: str, new: bool) -> Secret:
        asked.append(new)
        return Secret("typed passphrase")

    found = Passphrases({}, ring, ask)(FILE, new=True)
    assert (found.value.reveal(), found.origin) == ("typed passphrase", "the prompt")
    ring.keep_passphrase(Secret("kept passphrase"))
    found = Passphrases({}, ring, ask)(FILE, new=False)
    assert (found.value.reveal(), found.origin) == ("kept passphrase", "the keyring")
    found = Passphrases({"BOT_V2_PASSPHRASE": RIGHT}, ring, ask)(FILE, new=False)
    assert (found.value.reveal(), found.origin) == (RIGHT, "BOT_V2_PASSPHRASE")
    assert asked == [True]


def test_a_passphrase_that_nobody_gives_is_missing() -> None:
    """The error names the ways to give one."""
    with pytest.raises(PassphraseMissingError, match="set BOT_V2_PASSPHRASE, keep it in the key"):
        Passphrases({}, KeyringStore(MemoryKeyring()))(FILE, new=False)
    with pytest.raises(PassphraseMissingError, match="set OTHER, or run"):
        Passphrases({}, None, lambda what, new: None, "OTHER")(FILE, new=False)


def test_a_new_passphrase_has_some_length() -> None:
    """An old one may be short; a new one may not, and is not shown."""
    source = Passphrases({"BOT_V2_PASSPHRASE": "seven77"})
    assert source(FILE, new=False).value.reveal() == "seven77"
    with pytest.raises(InvalidFieldError, match="from BOT_V2_PASSPHRASE") as caught:
        source(FILE, new=True)
    assert "seven77" not in str(caught.value)


@POSIX
def test_what_others_can_do_is_told(tmp_path: Path) -> None:
    """Each of reading and changing, for the file; changing, for its folder."""
    file = tmp_path / "file"
    file.write_text("x")
    told = {}
    for mode in (0o600, 0o640, 0o622, 0o666):
        file.chmod(mode)
        told[mode] = list_file_warnings(file)
    assert told[0o600] == []
    assert told[0o640] == [f"others can read {file} (mode 640): chmod 600"]
    assert told[0o622] == [f"others can change {file} (mode 622): chmod 600"]
    assert told[0o666] == [f"others can read and change {file} (mode 666): chmod 600"]
    file.chmod(0o600)
    tmp_path.chmod(0o770)
    assert list_file_warnings(file) == [f"others can change {tmp_path} (mode 770): chmod 700"]
    tmp_path.chmod(0o1777)
    assert list_file_warnings(file) == []
    tmp_path.chmod(0o755)
    assert list_file_warnings(tmp_path / "none") == []


@POSIX
def test_another_owner_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What another user owns, they can change; root can anyway."""
    owner = tmp_path.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    told = list_file_warnings(tmp_path)
    assert bool(told) is (owner != 0)
    real = Path.stat
    others = (4711, *([0] * 5))
    monkeypatch.setattr(Path, "stat", lambda path: os.stat_result((*real(path)[:4], *others)))
    assert "belongs to another user (uid 4711)" in list_file_warnings(tmp_path)[0]


def test_windows_keeps_permissions_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There nothing is said that was not looked at."""
    (tmp_path / "file").write_text("x")
    (tmp_path / "file").chmod(0o666)
    monkeypatch.setattr(permissions, "_is_windows", lambda: True)
    assert list_file_warnings(tmp_path / "file") == []


@pytest.mark.parametrize(
    ("typed", "name"),
    [("Broker_Main", "broker-main"), ("  a  b ", "a-b"), ("kotak.neo", "kotak-neo"), ("7", "7")],
)
def test_names_of_sets_are_compared_in_one_spelling(typed: str, name: str) -> None:
    """Capitals, blanks and signs make no other set."""
    assert set_name(typed) == name
    assert set_name(name) == name


@pytest.mark.parametrize("typed", ["", " - ", "é", "x" * 65])
def test_what_is_no_name_is_refused(typed: str) -> None:
    """Nothing left of it, or too much."""
    with pytest.raises(InvalidFieldError, match="letters and digits"):
        set_name(typed)


def test_a_value_in_the_place_of_a_field_is_not_repeated() -> None:
    """Who writes a secret on the command line does not find it in the log as well."""
    assert field_name("API-Key") == "api_key"
    for typed in (f"api_key={MARK}", MARK.upper() + "!", "", "1abc"):
        with pytest.raises(InvalidFieldError, match="its value is asked for") as caught:
            field_name(typed)
        assert MARK not in str(caught.value).lower()


# The secret of RFC 6238, appendix B, and its passwords for SHA-1, the last six digits of eight.
RFC = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"


@pytest.mark.parametrize(
    ("seconds", "code", "left"),
    [(59, "287082", 1), (1111111109, "081804", 1), (1111111111, "050471", 29), (60, "359152", 30)],
)
def test_one_time_passwords_are_those_of_the_standard(seconds: int, code: str, left: int) -> None:
    """The vectors of RFC 6238, and for how long each is the current one."""
    moment = datetime.fromtimestamp(seconds, UTC)
    for text in (RFC, RFC.lower(), " ".join(RFC[at : at + 4] for at in range(0, 32, 4))):
        made = one_time_password(Secret(text), moment)
        assert (made.code.reveal(), made.valid_for_s) == (code, left)
        assert code not in repr(made)


def test_a_short_secret_gives_the_passwords_of_a_short_secret() -> None:
    """80 bits are below what the standard asks for, and what many services give out."""
    # The second password of the key 1234567890, as RFC 4226 says that it is made.
    digest = hmac.digest(b"1234567890", (1).to_bytes(8, "big"), "sha1")
    at = digest[-1] & 15
    code = f"{(int.from_bytes(digest[at : at + 4], 'big') & 0x7FFFFFFF) % 10**6:06}"
    short = base64.b32encode(b"1234567890").decode()
    for text in (short, f"otpauth://totp/x?secret={short.lower()}", f"{short}===="):
        made = one_time_password(Secret(text), datetime.fromtimestamp(59, UTC))
        assert made.code.reveal() == code


def test_the_address_behind_a_qr_code_says_its_own_terms() -> None:
    """Digits and interval are those of the address."""
    address = f"otpauth://totp/broker:me?secret={RFC}&issuer=broker&digits=8&period=60"
    made = one_time_password(Secret(address), datetime.fromtimestamp(59, UTC))
    assert (len(made.code.reveal()), made.valid_for_s) == (8, 1)


@pytest.mark.parametrize(
    "text", ["", "not base32: 0189", f"otpauth://hotp/x?secret={RFC}&counter=1", "otpauth://totp"]
)
def test_what_makes_no_password_is_refused_unseen(text: str) -> None:
    """Neither the text nor the library's own error, which repeats it, is shown."""
    with pytest.raises(InvalidFieldError, match="otpauth://totp") as caught:
        one_time_password(Secret(text), NOW)
    shown = "".join(traceback.format_exception(caught.value))
    assert not text or text not in shown.replace("otpauth://totp/…", "")


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to install."""
    for package in ("pyotp", "cryptography.hazmat.primitives.kdf.scrypt"):
        monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'bot-v2\[credentials\]'"):
        one_time_password(Secret(RFC), NOW)
    with pytest.raises(MissingDependencyError, match=r"pip install 'bot-v2\[credentials\]'"):
        keys_of(Secret(RIGHT), Salted(b"0" * 16, DEFAULT_COST))


def test_the_vault_of_an_environment(tmp_path: Path) -> None:
    """The order is the environment's, else the settings', else environment, keyring, file."""
    environ = {"BOT_V2_CONFIG": str(tmp_path), "BOT_V2_PASSPHRASE": RIGHT}
    ring = KeyringStore(MemoryKeyring())
    vault = open_vault(environ, keyring=ring)
    assert [store.name for store in vault.stores] == ["environment", "keyring", "file"]
    assert vault.audit.file == tmp_path / "credentials.audit.jsonl"
    assert vault.stores[2].where == str(tmp_path / "credentials.enc")
    ring.put_all({"main": a_set()})
    assert vault.get("main") == a_set()
    assert store_names({}, ["file"]) == ["file"]
    assert store_names({"BOT_V2_CREDENTIAL_STORES": " File, keyring"}, ["file"]) == [
        "file",
        "keyring",
    ]
    assert credentials_file({"BOT_V2_CREDENTIALS_FILE": "/x/y.enc"}) == Path("/x/y.enc")


@pytest.mark.parametrize("said", ["vault", "file,file", "file,,keyring"])
def test_stores_that_are_none_are_refused(said: str) -> None:
    """The variable is named, and what there is."""
    with pytest.raises(InvalidFieldError, match=r"BOT_V2_CREDENTIAL_STORES is .*environment, key"):
        store_names({"BOT_V2_CREDENTIAL_STORES": said})
    with pytest.raises(InvalidFieldError, match="credential_stores is "):
        store_names({}, said.split(","))
