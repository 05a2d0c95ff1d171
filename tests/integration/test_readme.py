"""The README is run: its Python is executed, its tables are compared with what is declared."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bot_v2.features.brokerages.core import capabilities as capability_protocols
from bot_v2.features.brokerages.core import interfaces as api
from bot_v2.orchestration import broker_factory, registry
from tools import readme_tables

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
CELL = re.compile(r"`([A-Za-z_]+)[(`]")


def section(name: str) -> str:
    """Return what stands between two marks of the README."""
    found = re.search(rf"<!-- {name}:start -->\n(.*?)<!-- {name}:end -->", README, flags=re.DOTALL)
    assert found, f"the README has no section {name}"
    return found[1]


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_the_python_of_the_readme_runs(number: int) -> None:
    """Every block is a program that ends well, in a fresh interpreter without a network."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", BLOCKS[number]],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


def test_the_first_order_takes_five_lines() -> None:
    """The first order is placed in at most five lines of Python, imports included."""
    lines = [line for line in section("first-order").strip().splitlines()[1:-1] if line]
    assert len(lines) <= 5
    assert "place_order" in lines[-1]


@pytest.mark.parametrize("name", readme_tables.SECTIONS)
def test_what_the_readme_shows_is_what_happens(name: str) -> None:
    """The demonstration's output and the table of capabilities are those of this version.

    `python -m tools.readme_tables` writes them.
    """
    assert section(name) == readme_tables.SECTIONS[name]()


@pytest.mark.uncovered
@pytest.mark.parametrize("name", readme_tables.RECORDED)
def test_what_the_readme_recorded_still_happens(name: str) -> None:
    """A recorded transcript is what is printed today, but for its moments and ids.

    `python -m tools.readme_tables` records it anew.
    """
    recorded, printed = section(name), readme_tables.RECORDED[name]()
    assert "everything adds up" in recorded
    shown = readme_tables.without_what_varies
    assert shown(recorded) == shown(printed)


@pytest.mark.skipif(sys.platform == "win32", reason="the README shows a POSIX shell")
def test_the_recovery_of_the_readme_is_what_happens(tmp_path: Path) -> None:
    """The commands print what the README shows, but for the moment and the prices of the market."""
    shown = section("recovery").strip().splitlines()[1:-1]
    commands = [line.removeprefix("$ ") for line in shown if line.startswith("$ ")]
    assert any("reconcile --explain" in each for each in commands)
    program = tmp_path / "bin" / "bot-v2"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m bot_v2.cli.app "$@"\n')
    program.chmod(0o755)
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["/bin/sh", "-c", "\n".join(commands)],
        cwd=tmp_path,
        env={**os.environ, "PATH": path, "HOME": str(tmp_path), "PYTHONIOENCODING": "utf-8"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        check=False,
        timeout=120,
    )
    expected = [line for line in shown if not line.startswith("$ ")]
    assert _without_market(done.stdout.splitlines()) == _without_market(expected)
    assert done.returncode == 1


def _without_market(lines: list[str]) -> list[str]:
    return [re.sub(r" at [\d:. Z-]+$", " at …", line) for line in lines]


def test_the_newer_names_exist() -> None:
    """Each name that an older one is translated to is one of ours."""
    table = README.split("## Coming from older names")[1].split("##")[0]
    known = {
        *dir(api),
        *dir(broker_factory),
        *dir(registry),
        *vars(api.IBrokerage),
        *(method for each in api.Capability for method in capability_protocols.methods_of(each)),
        *("since", "fields", "symbols"),
    }
    rows = [line for line in table.splitlines() if line.startswith("| `")]
    assert len(rows) >= 20
    for row in rows:
        names = CELL.findall(row.split("|")[2])
        assert names, row
        assert set(names) <= known, f"{set(names) - known} in {row}"


def test_the_error_tree_of_the_readme_is_whole() -> None:
    """Each class of the tree is in the README, and no other."""
    tree = README.split("```text\nBrokerageError")[1].split("```")[0]
    shown = set(re.findall(r"[A-Z][A-Za-z]+Error", tree))
    ours = {
        name
        for name in api.__all__
        if name.endswith("Error") and not name.startswith("BrokerageError")
    } - {"BrokerConnectionError", "BrokerTimeoutError"}
    assert shown == ours
