"""Ctrl-C."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest

# A shell starts what runs in the background with Ctrl-C ignored, and children inherit that.
PROGRAM = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from bot_v2.cli.app import main
sys.exit(main())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signal for one process")
def test_a_watch_ends_cleanly(environment: dict[str, str]) -> None:
    """Ctrl-C ends `health --watch` with exit code 130, one line and no traceback."""
    words = ("health", "--watch", "--broker", "paper", "--interval", "0.05", "--json")
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *words],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    assert first["event"] in ("HealthChecked", "HealthChange")
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert json.loads(errors.splitlines()[-1])["exit_code"] == 130
