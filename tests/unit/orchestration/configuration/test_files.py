"""Where the settings are, how they are written, and what a .env adds to the environment."""

from __future__ import annotations

import os
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from bot_v2.features.brokerages.core.errors import InvalidRequestError, MissingDependencyError
from bot_v2.orchestration.configuration import files
from bot_v2.orchestration.configuration.dotenv_file import with_dotenv
from bot_v2.orchestration.configuration.errors import InvalidSettingsError
from bot_v2.orchestration.configuration.files import (
    SettingsMissingError,
    add_entry,
    load_settings,
    load_settings_if_any,
    write_new,
)
from bot_v2.orchestration.configuration.places import config_folder, settings_file
from bot_v2.orchestration.credentials.errors import StoreUnavailableError

MARK = "made-up-s3cret-value"


def test_the_variable_names_the_file_or_its_folder(tmp_path: Path) -> None:
    """What is not there yet is a file where its name ends like one."""
    assert settings_file({"BOT_V2_CONFIG": str(tmp_path)}) == tmp_path / "brokers.json"
    own = tmp_path / "own.json"
    assert settings_file({"BOT_V2_CONFIG": str(own)}) == own
    assert settings_file({"BOT_V2_CONFIG": str(tmp_path / "x")}) == tmp_path / "x" / "brokers.json"
    odd = tmp_path / "settings"
    odd.write_text("{}")
    assert settings_file({"BOT_V2_CONFIG": str(odd)}) == odd
    assert config_folder({"BOT_V2_CONFIG": str(odd)}) == tmp_path


def test_without_the_variable_it_is_the_platforms_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder for settings of the system, by the application's name."""
    for variable in ("HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(variable, str(tmp_path))
    found = settings_file({})
    assert found.name == "brokers.json"
    assert "bot-v2" in found.parts
    if sys.platform == "linux":
        assert found == tmp_path / "bot-v2" / "brokers.json"
    monkeypatch.setitem(sys.modules, "platformdirs", None)
    with pytest.raises(MissingDependencyError, match=r"or set BOT_V2_CONFIG.*'bot-v2\[cli\]'"):
        settings_file({})


def test_a_file_that_is_not_there_says_how_to_make_one(tmp_path: Path) -> None:
    """An error where it is needed, None where it need not be there."""
    environ = {"BOT_V2_CONFIG": str(tmp_path)}
    with pytest.raises(SettingsMissingError, match="bot-v2 init writes one"):
        load_settings(environ)
    assert load_settings_if_any(environ) is None


def test_a_file_is_read_as_utf_8(tmp_path: Path) -> None:
    """With or without a mark at its beginning; anything else is told."""
    environ = {"BOT_V2_CONFIG": str(tmp_path)}
    file = tmp_path / "brokers.json"
    for mark in (b"", b"\xef\xbb\xbf"):
        file.write_bytes(mark + b'{"brokers": {"a": {"type": "paper"}}}')
        settings = load_settings_if_any(environ)
        assert settings is not None
        assert list(settings.brokers) == ["a"]
    file.write_bytes(b"\xff")
    with pytest.raises(InvalidSettingsError, match="UTF-8"):
        load_settings(environ)
    file.unlink()
    file.mkdir()
    with pytest.raises(StoreUnavailableError, match="cannot be read"):
        load_settings({"BOT_V2_CONFIG": str(file / ".." / "brokers.json" / "..")})


def test_a_broker_is_added_and_all_else_stays(tmp_path: Path) -> None:
    """Numbers keep their digits, and the first broker is the default one."""
    file = tmp_path / "brokers.json"
    add_entry(file, "a", {"type": "paper", "seed": 1, "commission": Decimal("0.0010")})
    text = file.read_text()
    assert '"default_broker": "a"' in text
    assert '"commission": 0.0010' in text
    edited = text.replace('"seed": 1', '"seed": 12345678901234567890123, "feed": "é\\u00e9"')
    file.write_text(edited, encoding="utf-8")
    add_entry(file, "b", {"type": "paper", "credentials": None, "replay": True, "l": "x"})
    add_entry(file, "c", {"type": "paper"}, default=True)
    text = file.read_text(encoding="utf-8")
    assert '"commission": 0.0010' in text
    assert '"seed": 12345678901234567890123' in text
    settings = load_settings({"BOT_V2_CONFIG": str(tmp_path)})
    assert (settings.default_broker, list(settings.brokers)) == ("c", ["a", "b", "c"])
    assert settings.brokers["a"].settings["feed"] == "éé"
    assert settings.brokers["b"].credentials is None
    if os.name != "nt":
        assert file.stat().st_mode & 0o777 == 0o600


def test_nothing_is_added_to_what_is_wrong_nor_what_is_wrong(tmp_path: Path) -> None:
    """The file stays as it is, to the byte."""
    file = tmp_path / "brokers.json"
    add_entry(file, "a", {"type": "paper"})
    before = file.read_bytes()
    for name, entry, says in (
        ("a", {"type": "paper"}, "has a broker 'a' already"),
        ("A-", {"type": "paper"}, "called like a"),
        ("b", {"type": "nope"}, "brokers.b.type"),
        ("b c", {"type": "paper"}, "no name"),
    ):
        with pytest.raises(InvalidRequestError, match=says):
            add_entry(file, name, entry)
        assert file.read_bytes() == before
    file.write_text('{"brokers": 7}')
    with pytest.raises(InvalidSettingsError, match="brokers is"):
        add_entry(file, "b", {"type": "paper"})
    assert file.read_text() == '{"brokers": 7}'


def test_a_new_file_replaces_nothing_unasked(tmp_path: Path) -> None:
    """With force it does."""
    file = tmp_path / "new" / ".env.sample"
    write_new(file, "a", force=False)
    with pytest.raises(InvalidRequestError, match="--force only"):
        write_new(file, "b", force=False)
    assert file.read_text() == "a"
    write_new(file, "b", force=True)
    assert file.read_text() == "b"


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps permissions in access lists")
def test_who_else_can_change_the_settings_is_told(tmp_path: Path) -> None:
    """Who can change them can say where orders go."""
    add_entry(tmp_path / "brokers.json", "a", {"type": "paper"})
    assert files.list_warnings({"BOT_V2_CONFIG": str(tmp_path)}) == []
    (tmp_path / "brokers.json").chmod(0o666)
    assert "others can read and change" in files.list_warnings({"BOT_V2_CONFIG": str(tmp_path)})[0]


def test_empty_and_nested_json_is_written_as_it_is_read() -> None:
    """Lists, empty ones too, and every kind of value."""
    data = {"a": [], "b": {}, "c": [1, "é", None, {"d": Decimal("1E-8")}], "e": False}
    assert files.to_text(data) == (
        '{\n  "a": [],\n  "b": {},\n  "c": [\n    1,\n    "é",\n    null,\n    {\n'
        '      "d": 1E-8\n    }\n  ],\n  "e": false\n}\n'
    )


def test_a_dotenv_adds_what_the_environment_does_not_say(tmp_path: Path) -> None:
    """Values are taken as they are: a dollar sign in a secret stays one."""
    file = tmp_path / ".env"
    file.write_text(
        "\ufeff# comment\nA=file\nexport B='a $HOME ${A} #x'\nC=\nD\n\nE=\"two\\nlines\"\n"
        "F=after # comment\n",
        encoding="utf-8",
    )
    before = dict(os.environ)
    assert with_dotenv({"A": "environment", "Z": "z"}, file) == {
        "A": "environment",
        "B": "a $HOME ${A} #x",
        "E": "two\nlines",
        "F": "after",
        "Z": "z",
    }
    assert os.environ == before


def test_a_dotenv_that_cannot_be_read_is_told_and_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By line, without its text, which may be a secret."""
    file = tmp_path / ".env"
    file.write_text(f"A=1\nB='{MARK}\n")
    with pytest.raises(InvalidSettingsError, match="line 2 is no assignment") as caught:
        with_dotenv({}, file)
    assert MARK not in str(caught.value)
    file.write_bytes(MARK.encode() + b"=\xff")
    with pytest.raises(StoreUnavailableError, match="UnicodeDecodeError") as undecoded:
        with_dotenv({}, file)
    assert undecoded.value.__cause__ is None
    with pytest.raises(StoreUnavailableError, match="No such file"):
        with_dotenv({}, tmp_path / "none")
    monkeypatch.setitem(sys.modules, "dotenv.parser", None)
    with pytest.raises(MissingDependencyError, match=r"'bot-v2\[credentials\]'"):
        with_dotenv({}, file)
