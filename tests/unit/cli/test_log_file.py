"""The log of the command line: small, quiet, and without a secret."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from bot_v2.cli import log_file

NAME = "bot_v2.test"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for the log that is not there yet."""
    monkeypatch.setenv("BOT_V2_LOG_FOLDER", str(tmp_path / "logs"))
    return tmp_path / "logs"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("api_key=abc123 rest", "api_key=*** rest"),
        ('{"apiSecret": "abc 123", "a": 1}', '{"apiSecret": ***, "a": 1}'),
        ("Authorization: Bearer abc.def", "Authorization: ***"),
        ("X-Signature: abc", "X-Signature: ***"),
        ("passphrase='a b c'", "passphrase=***"),
        ("postgresql://me:abc@host/db", "postgresql://me:***@host/db"),
        ("ACCESS_TOKEN=abc&x=1", "ACCESS_TOKEN=***&x=1"),
        ("-----BEGIN EC PRIVATE KEY-----\nabc\n-----END EC PRIVATE KEY-----", "***"),
        ("-----BEGIN EC PRIVATE KEY-----\nabc", "***"),
        ("order 7 of BTC-USD at 12:30", "order 7 of BTC-USD at 12:30"),
    ],
)
def test_what_is_called_like_a_secret_is_blanked(text: str, shown: str) -> None:
    """The value goes, its name stays, and all else is as it was."""
    assert log_file.blank(text) == shown


def test_an_exception_in_the_log_shows_no_secret(folder: Path) -> None:
    """A traceback is blanked as a message is."""
    with log_file.logged("try"):
        try:
            raise ValueError("token=abc123")
        except ValueError:
            logging.getLogger(NAME).exception("it failed with secret=xyz789")
    text = (folder / "bot-v2.log").read_text(encoding="utf-8")
    assert "it failed with secret=***" in text
    assert "Traceback" in text
    assert "abc123" not in text
    assert "xyz789" not in text


def test_it_never_grows_large(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is put aside when it is full, and old ones go."""
    monkeypatch.setattr(log_file, "BYTES_MAX", 2_000)
    for _ in range(3):
        with log_file.logged("try") as ended:
            for number in range(200):
                logging.getLogger(NAME).info("line %d of many that fill the file", number)
            ended(0)
    files = sorted(folder.iterdir())
    assert len(files) == 1 + log_file.FILES_KEPT
    assert all(file.stat().st_size <= 2_000 for file in files)
    assert "try ended with 0" in files[0].read_text(encoding="utf-8")


def test_how_a_command_ended_is_told(folder: Path) -> None:
    """By an exit code, by nothing, or by what was raised; the logger is as it was before."""
    before = list(logging.getLogger("bot_v2").handlers)
    with log_file.logged("one"):
        pass
    with pytest.raises(KeyError), log_file.logged("two"):
        raise KeyError
    text = (folder / "bot-v2.log").read_text(encoding="utf-8")
    assert "one ended after" in text
    assert "two ended by KeyError after" in text
    assert logging.getLogger("bot_v2").handlers == before


def test_no_log_is_kept_where_none_is_wanted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty variable, a folder that cannot be made, and a shell that asks for words."""
    (tmp_path / "file").write_text("", encoding="utf-8")
    for folder in ("", str(tmp_path / "file" / "logs")):
        monkeypatch.setenv("BOT_V2_LOG_FOLDER", folder)
        with log_file.logged("try") as ended:
            ended(0)
    monkeypatch.setenv("BOT_V2_LOG_FOLDER", str(tmp_path / "logs"))
    with log_file.logged(log_file.COMPLETING):
        pass
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


def test_the_default_is_the_platforms_folder() -> None:
    """Nothing said: where the platform has logs."""
    found = log_file.log_folder({})
    assert found is not None
    assert "bot-v2" in str(found)


def test_a_log_that_cannot_be_written_disturbs_nobody(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder in place of the file: the command goes on, and nothing is printed."""
    (folder / "bot-v2.log").mkdir(parents=True)
    with log_file.logged("try") as ended:
        logging.getLogger(NAME).warning("unheard")
        ended(0)
    assert capsys.readouterr().err == ""
