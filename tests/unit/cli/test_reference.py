"""docs/cli.md says what the commands say."""

from __future__ import annotations

import re
from pathlib import Path

from bot_v2.cli.exit_codes import ExitCode
from bot_v2.cli.reference import reference

PAGE = Path(__file__).resolve().parents[3] / "docs" / "cli.md"

COMMANDS = {
    "balances",
    "book",
    "buy",
    "cancel",
    "certify",
    "close",
    "demo",
    "doctor",
    "health",
    "journal check",
    "journal export",
    "journal prune",
    "journal show",
    "kill-switch off",
    "kill-switch on",
    "kill-switch status",
    "list-types",
    "order",
    "orders",
    "positions",
    "price",
    "products",
    "reconcile",
    "resolve",
    "sell",
    "tape play",
    "tape record",
    "test",
    "venue",
}


def test_the_page_is_what_the_commands_say() -> None:
    """The reference is written anew with `python -m bot_v2.cli.reference > docs/cli.md`."""
    assert PAGE.read_text(encoding="utf-8") == reference()


def test_every_command_is_there_and_speaks_json() -> None:
    """Each command has a section, and each takes --json."""
    sections = dict(re.findall(r"^### ([\w -]+)\n(.*?)(?=^###|\Z)", reference(), re.M | re.S))
    assert set(sections) == COMMANDS
    assert [name for name, text in sections.items() if "`--json`" not in text] == []
    trading = {name for name, text in sections.items() if "--yes" in text}
    assert trading == {"buy", "sell", "cancel", "close", "resolve", "journal prune"}


def test_every_exit_code_is_there() -> None:
    """The table of exit codes has a row for each."""
    codes = re.findall(r"^\| (\d+) \|", reference(), re.M)
    assert [int(code) for code in codes] == [int(code) for code in ExitCode]
