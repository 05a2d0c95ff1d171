"""kill-switch: stops new risk, lets it pass again, and says which it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot_v2.orchestration.risk.kill_switch import VARIABLE
from tests.unit.cli.fakes import Shell


def test_it_is_turned_on_and_off(shell: Shell, tmp_path: Path) -> None:
    """Each command prints what the switch is afterwards."""
    file = str(tmp_path / "state" / "kill")
    assert shell.run("kill-switch", "status", "--file", file).out.startswith("kill switch: off\n")
    ran = shell.run("kill-switch", "on", "--because", "drill", "--file", file)
    assert ran.code == 0
    assert ran.out.startswith("kill switch: on\n")
    assert "drill" in ran.out
    assert file in ran.out
    told = shell.run("kill-switch", "status", "--file", file, "--json").json
    assert (told["on"], told["file"]) == (True, file)
    assert told["note"].endswith("drill")
    assert shell.run("kill-switch", "off", "--file", file, "--json").json["on"] is False
    assert not Path(file).exists()


def test_the_environment_says_where_it_is(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All bots of this user look at the same file, so the command has to as well."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / "kill"))
    assert shell.run("kill-switch", "on").code == 0
    assert (tmp_path / "kill").exists()


def test_a_switch_that_cannot_be_turned_is_an_error(shell: Shell, tmp_path: Path) -> None:
    """Nobody may believe that it is off while it is on."""
    ran = shell.run("kill-switch", "off", "--file", str(tmp_path))
    assert ran.code == 1
    assert "cannot be changed" in ran.err
