"""The command line under test: fake brokerages by name, and no way to the real home folder."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pytest

from bot_v2.orchestration import registry
from bot_v2.orchestration.broker_factory import NAME_VARIABLES
from tests.unit.cli.fakes import FakeBrokerage, LookupBrokerage, SandboxBrokerage, Shell


class Keyboard(io.StringIO):
    """A stdin at which a person sits."""

    def isatty(self) -> bool:
        """Say that a person types."""
        return True


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder of the test's own, on every system, and an environment that names no broker."""
    for variable in (
        "HOME",
        "USERPROFILE",
        "APPDATA",
        "LOCALAPPDATA",
        "XDG_CONFIG_HOME",
        "XDG_STATE_HOME",
    ):
        monkeypatch.setenv(variable, str(tmp_path))
    for variable in (*NAME_VARIABLES, "PAPER_ACCOUNT_FILE", "ENABLE_PAPER_TRADING"):
        monkeypatch.delenv(variable, raising=False)
    for variable in [name for name in os.environ if name.startswith("BOT_V2_")]:
        monkeypatch.delenv(variable)
    return tmp_path


@pytest.fixture
def shell(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    """A shell in which the brokerages `fake` (live), `sandbox` and `lookup` are available."""

    def type_in(text: str | None) -> None:
        """Let a person type; None: nobody is there."""
        monkeypatch.setattr(sys, "stdin", io.StringIO() if text is None else Keyboard(text))

    shell = Shell(capsys, FakeBrokerage(), SandboxBrokerage(), LookupBrokerage(), type_in)
    own = registry.Registry("bot_v2.brokerages.of_tests")
    for broker in (shell.fake, shell.sandbox, shell.lookup):

        def factory(
            given: object, environ: object, broker: FakeBrokerage = broker
        ) -> FakeBrokerage:
            assert isinstance(given, dict)
            broker.settings = given
            return broker

        own.register(broker.name, factory)
    for module in ("registry", "broker_factory"):
        target = f"bot_v2.orchestration.{module}.REGISTRY"
        monkeypatch.setattr(target, own)
    type_in(None)
    return shell
