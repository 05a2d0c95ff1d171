"""The kill switch: a file that is there or not, and that counts as there when in doubt."""

from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any

import pytest

from bot_v2.features.brokerages.core.interfaces import MissingDependencyError, PermissionDeniedError
from bot_v2.orchestration.risk.kill_switch import VARIABLE, KillSwitch, kill_switch_file
from tests.unit.orchestration.risk.bench import Ticking


def test_it_is_on_while_the_file_is_there(tmp_path: Path) -> None:
    """It says since when and why; turning it on or off twice changes nothing."""
    switch = KillSwitch(tmp_path / "state" / "kill", Ticking())
    switch.check()
    first = switch.turn_on("maintenance")
    assert first.note == "on since 2026-03-02T14:30:00+00:00: maintenance"
    assert switch.turn_on("again") == first == switch.read()
    with pytest.raises(PermissionDeniedError, match="maintenance"):
        switch.check()
    assert [each.name for each in (tmp_path / "state").iterdir()] == ["kill"]
    assert switch.turn_off() == switch.turn_off()
    switch.check()


def test_a_file_made_by_hand_is_enough(tmp_path: Path) -> None:
    """Whoever can make a file can stop new risk, without a program of ours."""
    (tmp_path / "kill").touch()
    assert KillSwitch(tmp_path / "kill").read().note == "no reason given"


def test_what_cannot_be_looked_at_counts_as_on(tmp_path: Path) -> None:
    """In doubt nothing new is risked."""
    assert KillSwitch(tmp_path).read().on
    (tmp_path / "file").touch()
    assert KillSwitch(tmp_path / "file" / "kill").read().on


def test_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the environment says, else in the user's state folder."""
    monkeypatch.setenv(VARIABLE, "/somewhere/kill")
    assert kill_switch_file() == Path("/somewhere/kill")
    assert kill_switch_file({}).name == "kill-switch"
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "platformdirs":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingDependencyError, match=VARIABLE):
        kill_switch_file({})
