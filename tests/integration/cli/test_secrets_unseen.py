"""Secrets at a real terminal: typed unseen, in no list of processes, in no output, in no file."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.cli.conftest import Run

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no pseudo-terminals")

MARK = "made-up-s3cret-value"
PASSPHRASE = "made-up passphrase typed by hand"
WAIT_S = 60


class Terminal:
    """A command at a terminal of its own."""

    def __init__(self, environment: dict[str, str], folder: Path, *words: str) -> None:
        # What comes of the other end is what a person sees, what they type included.
        self._own, other = os.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bot_v2.cli.app", *words],
            cwd=folder,
            env=environment,
            stdin=other,
            stdout=other,
            stderr=other,
            start_new_session=True,
        )
        os.close(other)
        self.seen = ""

    def wait_for(self, text: str) -> None:
        """Wait until a text is on the screen."""
        while text not in self.seen:
            ready, _, _ = select.select([self._own], [], [], WAIT_S)
            assert ready, f"{text!r} did not come; the screen says {self.seen!r}"
            self.seen += os.read(self._own, 4096).decode()

    def type(self, text: str) -> None:
        """Type a line."""
        os.write(self._own, text.encode() + b"\n")

    def end(self) -> int:
        """Wait for the command to end."""
        while True:
            try:
                more = os.read(self._own, 4096)
            except OSError:
                # The other end is closed, which Linux tells so.
                break
            if not more:
                break
            self.seen += more.decode()
        os.close(self._own)
        return self.process.wait(WAIT_S)


@pytest.fixture
def settings(environment: dict[str, str], tmp_path: Path) -> Path:
    """A folder for settings, and credentials in the file alone."""
    environment["BOT_V2_CONFIG"] = str(tmp_path / "settings")
    environment["BOT_V2_CREDENTIAL_STORES"] = "file"
    environment.pop("BOT_V2_PASSPHRASE", None)
    return tmp_path / "settings"


def test_what_is_typed_is_seen_nowhere(
    environment: dict[str, str], settings: Path, tmp_path: Path, command: Run
) -> None:
    """Neither value nor passphrase is echoed, an argument of the process, or in any file."""
    terminal = Terminal(environment, tmp_path, "credentials", "set", "main", "api_key")
    terminal.wait_for("api_key: ")
    if sys.platform == "linux":
        arguments = Path(f"/proc/{terminal.process.pid}/cmdline").read_bytes()
        assert b"api_key" in arguments
    terminal.type(MARK)
    for question in ("new passphrase of", "the same again: "):
        terminal.wait_for(question)
        terminal.type(PASSPHRASE)
    assert terminal.end() == 0
    assert "kept api_key of main in the file" in terminal.seen
    everything = terminal.seen.encode() + b"".join(
        file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()
    )
    assert MARK.encode() not in everything
    assert PASSPHRASE.encode() not in everything
    environment["BOT_V2_PASSPHRASE"] = PASSPHRASE
    ran = command("credentials", "status", "--json")
    assert [(row["set"], row["field"]) for row in ran.json] == [("main", "api_key")]
    assert MARK not in ran.out + ran.err


def test_a_passphrase_that_is_missing_is_one_line(settings: Path, command: Run) -> None:
    """Where nobody types: exit code 4, what to do, no traceback."""
    settings.mkdir()
    (settings / "credentials.enc").write_bytes(b"")
    ran = command("credentials", "list")
    assert (ran.code, len(ran.err.splitlines())) == (1, 1)
    assert "damaged or cut short (0 bytes)" in ran.err
    (settings / "credentials.enc").unlink()
    ran = command("credentials", "set", "main", "api_key")
    assert (ran.code, len(ran.err.splitlines())) == (2, 1)
    assert "there is no value for api_key" in ran.err


def test_a_crash_in_the_middle_shows_no_secret(
    environment: dict[str, str], settings: Path, tmp_path: Path
) -> None:
    """An error that nobody foresaw ends in a traceback, and the traceback has no value in it."""
    program = (
        "from bot_v2.orchestration.credentials import file_store\n"
        "def fail(*given): raise RuntimeError('unforeseen')\n"
        "file_store.seal = fail\n"
        "from bot_v2.cli.app import main\n"
        "main(['credentials', 'set', 'main', 'api_key'])\n"
    )
    environment["BOT_V2_PASSPHRASE"] = PASSPHRASE
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-c", program],
        cwd=tmp_path,
        env=environment,
        input=f"{MARK}\n",
        capture_output=True,
        encoding="utf-8",
        timeout=WAIT_S,
        check=False,
    )
    assert "RuntimeError: unforeseen" in done.stderr
    assert MARK not in done.stdout + done.stderr
    assert PASSPHRASE not in done.stdout + done.stderr
