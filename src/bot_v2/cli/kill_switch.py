"""The command that stops new risk at every broker at once, and lets it pass again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final, TypeAlias

import typer

from bot_v2.cli import options as given
from bot_v2.cli.reporting import reporting
from bot_v2.features.brokerages.core.errors import BrokerageError
from bot_v2.orchestration.risk.kill_switch import KillSwitch, KillSwitchState, kill_switch_file

File: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--file",
        metavar="FILE",
        help="The switch. Default: BOT_V2_KILL_SWITCH, else a file in your own state folder.",
    ),
]

WORDS: Final = {True: "on", False: "off"}


def register(app: typer.Typer) -> None:
    """Add the commands to the app."""
    group = typer.Typer(
        no_args_is_help=True,
        rich_markup_mode=None,
        help="Stop new risk in every bot with limits, and let it pass again; exits always pass.",
    )
    group.command("on")(turn_on)
    group.command("off")(turn_off)
    group.command("status")(status)
    app.add_typer(group, name="kill-switch")


def turn_on(
    because: Annotated[
        str | None,
        typer.Option("--because", metavar="TEXT", help="Why; bots are told with a refusal."),
    ] = None,
    file: File = None,
    as_json: given.Json = False,
) -> None:
    """Stop new risk; what lives at a broker lives on, and exits pass."""
    _change(file, as_json, lambda switch: switch.turn_on(because or ""))


def turn_off(file: File = None, as_json: given.Json = False) -> None:
    """Let new risk pass again."""
    _change(file, as_json, KillSwitch.turn_off)


def status(file: File = None, as_json: given.Json = False) -> None:
    """Say whether new risk is stopped, since when, and why."""
    _change(file, as_json, KillSwitch.read)


def _change(file: str | None, as_json: bool, act: Callable[[KillSwitch], KillSwitchState]) -> None:
    with reporting(as_json) as output:
        switch = KillSwitch(kill_switch_file() if file is None else Path(file))
        try:
            state = act(switch)
        except OSError as error:
            raise BrokerageError(f"the kill switch cannot be changed: {error}") from error
        facts = (("note", state.note), ("file", state.file))
        output.show(state, lambda: output.facts(f"kill switch: {WORDS[state.on]}", facts))
