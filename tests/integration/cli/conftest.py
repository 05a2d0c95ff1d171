"""Commands run as a user runs them, in a home of their own: in a process each, or in this one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from bot_v2.cli.app import main

HOMES = (
    "HOME",
    "USERPROFILE",
    "APPDATA",
    "LOCALAPPDATA",
    "XDG_CONFIG_HOME",
    "XDG_STATE_HOME",
)


@attrs.frozen
class Ran:
    """How a command went."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed, read as one JSON document."""
        return json.loads(self.out)


Run = Callable[..., Ran]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """An environment with a home folder of the test's own, that names no broker."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PAPER_", "BROKER", "DEFAULT_BROKER", "BOT_V2_", "ORDER_"))
    }
    return {**kept, **dict.fromkeys(HOMES, str(tmp_path)), "PYTHONIOENCODING": "utf-8"}


@pytest.fixture
def command(environment: dict[str, str], tmp_path: Path) -> Run:
    """Run `bot-v2` with some words in a process of its own, in an empty folder."""

    def run(*words: str) -> Ran:
        done = subprocess.run(
            [sys.executable, "-m", "bot_v2.cli.app", *words],
            cwd=tmp_path,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=60,
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def quick(
    environment: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """Run `bot-v2` with some words in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> Ran:
        with monkeypatch.context() as during:
            for name in os.environ.keys() - environment.keys():
                during.delenv(name)
            for name, value in environment.items():
                during.setenv(name, value)
            capsys.readouterr()
            code = main(list(words))
            printed = capsys.readouterr()
        return Ran(code, printed.out, printed.err)

    return run
