"""docs/cli.md says what the commands say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from typer.main import get_command

from bot_v2.cli.commands import app
from bot_v2.cli.exit_codes import ExitCode
from bot_v2.cli.reference import reference

PAGE = Path(__file__).resolve().parents[3] / "docs" / "cli.md"

COMMANDS = {
    "add",
    "balances",
    "book",
    "buy",
    "cancel",
    "candles",
    "certify",
    "close",
    "completion",
    "credentials audit",
    "credentials backup",
    "credentials clear-expired",
    "credentials delete",
    "credentials import",
    "credentials list",
    "credentials restore",
    "credentials rotate",
    "credentials set",
    "credentials status",
    "demo",
    "distributed-buy",
    "distributed-sell",
    "distributed-status",
    "distributed-undo",
    "doctor",
    "health",
    "init",
    "journal check",
    "journal export",
    "journal prune",
    "journal show",
    "kill-switch off",
    "kill-switch on",
    "kill-switch status",
    "list-brokers",
    "list-types",
    "multi-portfolio",
    "option-chain",
    "order",
    "orders",
    "portfolio",
    "positions",
    "price",
    "products",
    "quote",
    "reconcile",
    "resolve",
    "sell",
    "set-creds",
    "status",
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
    distributed = {f"distributed-{word}" for word in ("buy", "sell", "status", "undo")}
    single = {"buy", "sell", "cancel", "close"}
    assert trading == single | distributed | {"resolve", "journal prune"}


def test_the_first_sentence_of_a_command_of_ours_fits_its_line() -> None:
    """`--help` of the group cuts none of them off."""
    group: Any = get_command(app)
    listed = group.commands["credentials"].commands
    short = [command.get_short_help_str(limit=60) for command in listed.values()]
    assert [text for text in short if text.endswith("...")] == []


def test_every_exit_code_is_there() -> None:
    """The table of exit codes has a row for each."""
    codes = re.findall(r"^\| (\d+) \|", reference(), re.M)
    assert [int(code) for code in codes] == [int(code) for code in ExitCode]
